"""Which mails lie in these files? Paths in, one history raw a mail out, read as a stream.

`.eml` files, mbox files, Maildirs and folders of all of them, searched deep, in order of name. A mail of an mbox keeps
its bytes exactly, but for the `>` that the archive put before a line that begins with `From ` in its body. Whatever the
size of an archive, only one mail of it is in memory, and of a mail beyond the limit only so much as shows that it is.
Nothing but regular files is opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from adapters.email import instant
from adapters.email.mbox import FIELD, begin, split
from adapters.email.mime.structure import MAX_BYTES
from router.errors import ConfigurationError
from router.ports import Raw
from router.wire.attachment import file_name

__all__ = ["is_mail_source", "recorded"]

#: One byte more than a mail may have: enough for its translation to refuse it.
_MOST = MAX_BYTES + 1
_ENDINGS = frozenset({".eml", ".mbox", ".mbx", ".emlx"})
#: Lines of a file, and bytes of each, that show whether it is a mail.
_LINES, _LONG = 60, 500
_NAMED = re.compile(rb"([!-9;-~]{1,100})[ \t]*:")
_USUAL = frozenset({b"from", b"to", b"date", b"subject", b"message-id", b"received", b"return-path"})


def recorded(paths: Iterable[str | Path], channel: str, now: datetime) -> Iterator[Raw]:
    """The mails of these files and folders as raws of `channel`; received at the mail's own time, never after `now`.

    Raises ConfigurationError for a path that does not exist or cannot be read.
    """
    for path in map(Path, paths):
        if not path.exists():
            raise ConfigurationError(f"There is no file or folder {path}: name a mail, an mbox, a Maildir or a folder.")
        if not path.is_file() and not path.is_dir():
            raise ConfigurationError(f"{path} is no regular file: name a mail, an mbox, a Maildir or a folder.")
        try:
            for file in _files(path):
                yield from _mails(file, channel, now)
        except OSError as error:
            raise ConfigurationError(f"{error.filename or path} cannot be read: {error.strerror}.") from error


def is_mail_source(path: Path) -> bool:
    """Is this a folder, an `.eml` or an mbox (and no `.jsonl`)?"""
    return path.is_dir() or path.suffix.lower() in {".eml", ".mbox", ".mbx", ".emlx"} or _is_mbox(path)


def _files(path: Path) -> Iterator[Path]:
    """The mail files at or below a path, in order of name; hidden files and a Maildir's own notes are left out."""
    if not path.is_dir():
        yield path
        return
    with os.scandir(path) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    maildir = {"cur", "new", "tmp"} <= {entry.name for entry in entries}
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if not (maildir and entry.name == "tmp"):
                yield from _files(Path(entry.path))
        elif entry.is_file() and _is_mail(Path(entry.path), within=path.name):
            yield Path(entry.path)


def _is_mail(entry: Path, *, within: str) -> bool:
    """Is a file of a folder a mail or an mbox?"""
    if entry.name.startswith("."):
        return False
    if within in ("cur", "new") or entry.suffix.lower() in _ENDINGS:
        return True
    return _is_mbox(entry) or _begins_as_mail(entry)


def _is_mbox(path: Path) -> bool:
    try:
        with path.open("rb") as source:
            return begin(source) is not None
    except OSError:
        return False


def _begins_as_mail(path: Path) -> bool:
    try:
        with path.open("rb") as source:
            lines = [source.readline(_LONG) for _ in range(_LINES)]
    except OSError:
        return False
    return bool(FIELD.match(lines[0])) or _is_head(lines)


def _is_head(lines: list[bytes]) -> bool:
    """Do these lines begin as a mail does, whose first field may be any: with fields, two usual ones among them?"""
    found = set()
    for number, line in enumerate(lines):
        if line[:1] in (b" ", b"\t") and number and line.strip():
            continue
        named = _NAMED.match(line)
        if named:
            found.add(named[1].lower())
        elif number or not line.lstrip(b">").startswith(b"From "):
            break
    return len(found & _USUAL) >= 2


def _mails(path: Path, channel: str, now: datetime) -> Iterator[Raw]:
    """The mails of one file."""
    with path.open("rb") as source:
        written = datetime.fromtimestamp(os.fstat(source.fileno()).st_mtime, UTC)
        first = None if path.suffix.lower() in (".eml", ".emlx") else begin(source)
        source.seek(first or 0)
        if first is not None:
            for number, body in enumerate(split(source, _MOST), 1):
                yield _raw(body, channel, written, now, f"{path.name}#{number}")
        else:
            body = source.read(_MOST)
            body = _without_length(body) if path.suffix.lower() == ".emlx" else body
            yield _raw(body, channel, written, now, path.name)


def _raw(body: bytes, channel: str, written: datetime, now: datetime, name: str) -> Raw:
    """One mail as a history raw; one that names no time has its file's."""
    return Raw(
        channel=channel,
        body=body,
        received_at=instant.of_raw(body, latest=now) or min(written, now),
        partition_key=channel,
        meta={"file": file_name(name)},
        history=True,
    )


def _without_length(body: bytes) -> bytes:
    """Apple Mail's form: the first line is the mail's length, a property list follows the mail."""
    first, _, rest = body.partition(b"\n")
    return rest[: int(first)] if first.strip().isdigit() and len(first) < 12 else body
