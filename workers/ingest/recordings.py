"""What lies at these paths? Recorded messages as raws, in the order of the paths.

`.jsonl` files of wire messages (`-` is standard input), and what the channel's adapter reads: mails, mboxes, Maildirs,
folders of them. Only regular files are opened: a pipe in a folder would wait for ever. What is passed over for that is
told.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from router.errors import ConfigurationError
from router.ports import Raw
from router.text.secrets import scrub_ids
from workers.daemon.channels import Channels

__all__ = ["lines", "raws_at"]

_WIRE = (".jsonl", ".ndjson", ".json")
#: How compressed files begin, and what unpacks them.
_PACKED = {
    b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ\0": "unxz", b"PK\3\4": "unzip", b"\x28\xb5\x2f\xfd": "unzstd",
    b"7z\xbc\xaf": "7z x",
}  # fmt: skip


class _Line(msgspec.Struct):
    """What is read of a line before it is stored: where it belongs and when."""

    channel: str | None = None
    sent_at: datetime | None = None
    at: datetime | None = None


_line = msgspec.json.Decoder(_Line | list[_Line])


def raws_at(
    paths: Sequence[str], channel: str, channels: Channels, now: datetime, tell: Callable[[str], None]
) -> Iterator[Raw]:
    """The raws at these paths; `tell` hears of what is passed over.

    Raises ConfigurationError for a path that is not there, cannot be read, or is of a kind that is not read.
    """
    for path in paths:
        if path != "-":
            _refuse(Path(path))
    for path in paths:
        if path == "-":
            yield from lines(sys.stdin.buffer, channel, now)
            continue
        where = Path(path)
        for other in _no_files(where):
            tell(f"Passed over, since it is no regular file: {other}")
        if where.is_file() and path.endswith(_WIRE):
            yield from _lines_of(where, channel, now)
        else:
            yield from _recorded(where, channel, channels, now)


def _refuse(where: Path) -> None:
    """Refuse what is named and cannot be read, before anything is taken in of it."""
    if not where.exists():
        raise ConfigurationError(
            f"There is no file or folder {where}; name a mail, an mbox, a Maildir, a folder or a .jsonl."
        )
    if where.is_dir():
        return
    if not where.is_file():
        raise ConfigurationError(f"{where} is no regular file; the lines of a pipe are read from -, standard input.")
    try:
        with where.open("rb") as source:
            begin = source.read(6)
    except OSError as failure:
        raise ConfigurationError(f"{where} cannot be read ({failure.strerror}).") from failure
    tool = next((tool for mark, tool in _PACKED.items() if begin.startswith(mark)), "")
    if tool:
        raise ConfigurationError(f"{where} is compressed; unpack it first: {tool} {where}")


def _no_files(where: Path) -> Iterator[Path]:
    """What of a folder is neither a file nor a folder: pipes, sockets, devices, links that lead nowhere."""
    if where.is_dir():
        yield from (path for path in sorted(where.rglob("*")) if not path.is_file() and not path.is_dir())


def _recorded(where: Path, channel: str, channels: Channels, now: datetime) -> Iterator[Raw]:
    """What the channel's adapter reads at a path; where it reads none, the `.jsonl` files of a folder."""
    reader: Any = getattr(channels.get(channel), "recorded", None)
    if reader is not None:
        yield from reader([where])
        return
    wires = sorted(path for path in where.rglob("*.jsonl") if path.is_file()) if where.is_dir() else []
    if not wires:
        raise ConfigurationError(f"Channel {channel} has no recorded form of its own: name a .jsonl of wire messages.")
    for wire in wires:
        yield from _lines_of(wire, channel, now)


def lines(source: Iterable[bytes], channel: str, now: datetime) -> Iterator[Raw]:
    """The raws of a `.jsonl`: one a line, of the line's own channel if it names one. Empty lines are left out."""
    for text in source:
        body = text.strip()
        if not body:
            continue
        head = _head(body)
        at = _instant(head.sent_at or head.at, now)
        own = scrub_ids.identity(head.channel or channel)  # a line may name anything as its channel
        yield Raw(channel=own, body=body, received_at=at, meta={"wire": "1"}, history=True)


def _head(body: bytes) -> _Line:
    """What a line says of itself; of an array, what its first message says. Nothing where it cannot be read."""
    try:
        found = _line.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Line()
    return found if isinstance(found, _Line) else next(iter(found), _Line())


def _instant(at: datetime | None, now: datetime) -> datetime:
    """A line's own time, never in the future; `now` where it names none that a calendar has in UTC."""
    try:
        return now if at is None or at.tzinfo is None else min(at.astimezone(UTC), now)
    except OverflowError:
        return now


def _lines_of(path: Path, channel: str, now: datetime) -> Iterator[Raw]:
    """The raws of a `.jsonl` file. Raises ConfigurationError when it cannot be read."""
    try:
        with path.open("rb") as source:
            yield from lines(source, channel, now)
    except OSError as failure:
        raise ConfigurationError(f"{path} cannot be read ({failure.strerror}).") from failure
