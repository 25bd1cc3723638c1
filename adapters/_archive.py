"""Which mails lie in these files? Paths in, one history raw a mail out, read as a stream.

`.eml` files, mbox files, Maildirs and folders of all of them, searched deep, in order of name. A mail of an mbox keeps
its bytes exactly, but for the `>` that the archive put before a line that begins with `From ` in its body. Whatever the
size of an archive, only one mail of it is in memory, and of a mail beyond the limit only so much as shows that it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from adapters import _instant
from adapters._structure import MAX_BYTES, head
from router.errors import ConfigurationError, InvalidPayload
from router.ports import Raw

__all__ = ["is_mail_source", "recorded"]

#: One byte more than a mail may have: enough for its translation to refuse it.
_MOST = MAX_BYTES + 1
_PIECE = 1 << 20
_SEPARATOR = re.compile(rb"From .*\d{1,2}:\d{2}.*\b\d{4}\b")
_ESCAPED = re.compile(rb">+From ")
_BEGINS = re.compile(
    rb"(?:Return-Path|Received|From|To|Subject|Date|Message-ID|MIME-Version|Content-Type|Delivered-To|DKIM-Signature"
    rb"|ARC-[A-Za-z-]+|Authentication-Results|Envelope-To|X-[A-Za-z0-9-]+)[ \t]*:",
    re.IGNORECASE,
)
_ENDINGS = frozenset({".eml", ".mbox", ".mbx", ".emlx"})


def recorded(paths: Iterable[str | Path], channel: str, now: datetime) -> Iterator[Raw]:
    """The mails of these files and folders as raws of `channel`; received at the mail's own time, never after `now`.

    Raises ConfigurationError for a path that does not exist or cannot be read.
    """
    for path in map(Path, paths):
        if not path.exists():
            raise ConfigurationError(f"There is no file or folder {path}: name a mail, an mbox, a Maildir or a folder.")
        for file in _files(path):
            yield from _mails(file, channel, now)


def is_mail_source(path: Path) -> bool:
    """Is this a folder, an `.eml` or an mbox (and no `.jsonl`)?"""
    return path.is_dir() or path.suffix.lower() in {".eml", ".mbox", ".mbx", ".emlx"} or _is_mbox(path)


def _files(path: Path) -> Iterator[Path]:
    """The mail files at or below a path, in order of name; hidden files and a Maildir's own notes are left out."""
    if not path.is_dir():
        yield path
        return
    maildir = (path / "cur").is_dir() and (path / "new").is_dir()
    for entry in sorted(path.iterdir()):
        if entry.is_dir():
            if not (maildir and entry.name == "tmp") and not entry.is_symlink():
                yield from _files(entry)
        elif entry.is_file() and _is_mail(entry, within=path.name):
            yield entry


def _is_mail(entry: Path, *, within: str) -> bool:
    """Is a file of a folder a mail or an mbox?"""
    if within in ("cur", "new"):
        return not entry.name.startswith(".")
    if entry.name.startswith("."):
        return False
    return entry.suffix.lower() in _ENDINGS or bool(_BEGINS.match(_first_line(entry))) or _is_mbox(entry)


def _is_mbox(path: Path) -> bool:
    return bool(_SEPARATOR.match(_first_line(path)))


def _first_line(path: Path) -> bytes:
    try:
        with path.open("rb") as source:
            return source.readline(500)
    except OSError:
        return b""


def _mails(path: Path, channel: str, now: datetime) -> Iterator[Raw]:
    """The mails of one file."""
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        if path.suffix.lower() != ".eml" and _is_mbox(path):
            for number, body in enumerate(_split_mbox(path), 1):
                yield _raw(body, channel, written, now, f"{path.name}#{number}")
        else:
            with path.open("rb") as source:
                body = source.read(_MOST)
            if path.suffix.lower() == ".emlx":
                body = _without_length(body)
            yield _raw(body, channel, written, now, path.name)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}).") from error


def _raw(body: bytes, channel: str, written: datetime, now: datetime, name: str) -> Raw:
    """One mail as a history raw. A mail that is beyond reading has its file's time."""
    try:
        at = _instant.of_mail(head(body), latest=now)
    except InvalidPayload:
        at = None
    return Raw(
        channel=channel,
        body=body,
        received_at=at or min(written, now),
        partition_key=channel,
        meta={"file": name[:200]},
        history=True,
    )


def _split_mbox(path: Path) -> Iterator[bytes]:
    """The mails of an mbox: a separator is a `From ` line with a time at the start or behind an empty line."""
    lines: list[bytes] = []
    size = 0
    blank = begun = True
    started = False
    with path.open("rb") as source:
        for line in iter(lambda: source.readline(_PIECE), b""):
            if blank and line.startswith(b"From ") and _SEPARATOR.match(line):
                if started:
                    yield _joined(lines)
                lines, size, started = [], 0, True
            elif size <= _MOST:
                kept = line[1:] if begun and _ESCAPED.match(line) else line
                lines.append(kept)
                size += len(kept)
            blank = begun and line in (b"\n", b"\r\n")
            begun = line.endswith(b"\n")
    if started:
        yield _joined(lines)


def _joined(lines: list[bytes]) -> bytes:
    """A mail's bytes without the empty line that the archive put behind it."""
    if len(lines) > 1 and lines[-1] in (b"\n", b"\r\n"):
        lines.pop()
    return b"".join(lines)[:_MOST]


def _without_length(body: bytes) -> bytes:
    """Apple Mail's form: the first line is the mail's length, a property list follows the mail."""
    first, _, rest = body.partition(b"\n")
    return rest[: int(first)] if first.strip().isdigit() and len(first) < 12 else body
