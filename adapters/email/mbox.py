"""Where do the mails of an mbox begin and end? A stream of bytes in, each mail's bytes out.

A separator is a line that begins with `From `, names a time and a year, and stands at the start, behind an empty line
or before a mail's own field; other lines that begin so are words. Lines that belong to no mail may stand before the
first. The one `>` that was put before such words is taken away again, and nothing else is changed. The stream is read
in pieces; of a mail beyond the limit only so much is held as shows that it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["FIELD", "SEPARATOR", "begin", "split"]

PIECE = MAX_LINE = 1 << 20

#: Lines that are looked through for the first separator, and the bytes of each.
STRAY, LONG = 20, 4096

#: How a mail by itself begins.
FIELD = re.compile(
    rb"(?:Return-Path|Received|From|To|Subject|Date|Message-ID|MIME-Version|Content-Type|Delivered-To|DKIM-Signature"
    rb"|ARC-[A-Za-z-]+|Authentication-Results|Envelope-To|X-[A-Za-z0-9-]+)[ \t]*:",
    re.IGNORECASE,
)
SEPARATOR = re.compile(rb"From [^\n]*\d{1,2}:\d{2}[^\n]*\b\d{4}\b")
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
_MARK = b"\xef\xbb\xbf"
_EMPTY = (b"\n\n", b"\n\r\n")


def begin(source: BinaryIO) -> int | None:
    """Where the first separator of an mbox stands; None where a mail's own field stands before it, or there is none.

    Empty and stray lines before it make no mail of what is an mbox.
    """
    at = 0
    for _ in range(STRAY):
        line = source.readline(LONG)
        if not at and line.startswith(_MARK):
            at, line = len(_MARK), line.removeprefix(_MARK)
        if not line or FIELD.match(line):
            return None
        if SEPARATOR.match(line):
            return at
        at += len(line)
    return None


def split(source: BinaryIO, limit: int) -> Iterator[bytes]:
    """The mails of an mbox in order, each cut off at `limit` bytes; what stands before the first separator is none."""
    pieces: list[bytes] = []
    size = 0
    started = False
    tail = b"\n\n"
    while piece := _piece(source):
        at = 0
        for begin, end in _separators(piece, tail):
            if started:
                yield _whole(pieces, piece[at:begin], limit)
            pieces, size, at, started = [], 0, end, True
        if size <= limit:
            pieces.append(piece[at:])
            size += len(pieces[-1])
        tail = (tail + piece)[-3:]
    if started:
        yield _whole(pieces, b"", limit)


def _piece(source: BinaryIO) -> bytes:
    """The next whole lines; a separator is never torn, nor from the field below it."""
    piece = source.read(PIECE)
    line = source.readline(MAX_LINE) if piece else b""
    piece += line
    while line and piece.startswith(b"From ", piece.rfind(b"\n", 0, -1) + 1):
        line = source.readline(MAX_LINE)
        piece += line
    return piece


def _separators(piece: bytes, before: bytes) -> Iterator[tuple[int, int]]:
    """Where separator lines begin and end in a piece of whole lines; `before` is the end of the piece before."""
    window = before + piece
    shift = len(before)
    hit = window.find(b"\nFrom ")
    while hit >= 0:
        begin, end = hit + 1, window.find(b"\n", hit + 1) + 1 or len(window)
        apart = window.endswith(_EMPTY, 0, begin) or FIELD.match(window, end, end + LONG)
        if apart and SEPARATOR.match(window, begin, min(end, begin + 200)):
            yield begin - shift, end - shift
        hit = window.find(b"\nFrom ", end - 1)


def _whole(pieces: list[bytes], last: bytes, limit: int) -> bytes:
    """A mail's bytes without the empty line that the archive put behind it and the marks before its words."""
    body = b"".join((*pieces, last))
    for empty in _EMPTY:
        body = body[: 1 - len(empty)] if body.endswith(empty) else body
    if b">From " in body:
        body = _ESCAPED.sub(rb"\1", body)
    return body[:limit]
