"""What lies at these paths? Recorded messages as raws, in the order of the paths.

`.jsonl` files of wire messages (`-` is standard input), and what the channel's adapter reads: mails, mboxes, Maildirs,
folders of them. Only regular files are opened: a pipe in a folder would wait for ever. What is passed over for that is
told.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from router.errors import ConfigurationError
from router.ports import Raw
from workers.channels import Channels
from workers.recorded import lines, lines_of

__all__ = ["raws_at"]

_WIRE = (".jsonl", ".ndjson", ".json")
#: How compressed files begin, and what unpacks them.
_PACKED = {
    b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ\0": "unxz", b"PK\3\4": "unzip", b"\x28\xb5\x2f\xfd": "unzstd",
    b"7z\xbc\xaf": "7z x",
}  # fmt: skip


def raws_at(
    paths: Sequence[str], channel: str, channels: Channels, now: datetime, tell: Callable[[str], None]
) -> Iterator[Raw]:
    """The raws at these paths; `tell` hears of what is passed over.

    Raises ConfigurationError for a path that is not there, cannot be read, or is of a kind that is not read.
    """
    for path in paths:
        if path == "-":
            yield from lines(sys.stdin.buffer, channel, now)
            continue
        where = Path(path)
        _refuse(where)
        for other in _no_files(where):
            tell(f"Passed over, since it is no regular file: {other}")
        if where.is_file() and path.endswith(_WIRE):
            yield from lines_of(where, channel, now)
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
        yield from lines_of(wire, channel, now)
