"""Where do the header fields of a mail go on that some program tore apart?

In: raw bytes and a place among the header lines that is no field: a folded line that lost its indentation, a line of
another protocol, an empty line in the midst. Out: whether usual fields follow that were not seen yet, so that sender
and subject are not taken for text. What is read this way can be read in another way too, and proves no sender.
Each question looks at no more than `MAX_BLOCK` bytes.
"""

from __future__ import annotations

import re
from collections.abc import Container

__all__ = ["Torn", "in_lines"]

MAX_BLOCK = 64 * 1024

_USUAL = re.compile(rb"^(from|subject|date|to|message-id|content-type)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_FIELD = re.compile(rb"[!-9;-~]{1,100}[ \t]*:")
_EMPTY_LINE = re.compile(rb"\n\r*\n")
_EMPTY_LINES = re.compile(rb"[\r\n]*")
_RETURN_ONLY = re.compile(rb"\r[!-9;-~]{1,100}:")


class Torn:
    """The reading of one header that may be torn; the usual fields below are looked for once."""

    __slots__ = ("_below", "_end", "_raw")

    def __init__(self, raw: bytes, end: int) -> None:
        self._raw = raw
        self._end = end
        self._below: dict[bytes, int] | None = None

    def resumed(self, at: int, below: int, seen: Container[bytes]) -> int:
        """Where the header goes on behind a line that begins at `at`, ends before `below` and is no field; 0 where the
        text begins. `seen`: the names of the fields above."""
        if self._raw[at:below].strip():
            if self._below is None:
                self._below = self._usual(at)
            return below if any(place > at and name not in seen for name, place in self._below.items()) else 0
        return 0 if b"from" in seen or b"sender" in seen else self._behind_blank(below)

    def _behind_blank(self, at: int) -> int:
        """Where the header goes on behind empty lines, because what stands below is a header that names a sender."""
        empty = _EMPTY_LINES.match(self._raw, at, min(self._end, at + MAX_BLOCK))
        start = empty.end() if empty else at
        found = self._usual(start) if _FIELD.match(self._raw, start, self._end) else {}
        return start if b"from" in found and len(found) > 1 else 0

    def _usual(self, at: int) -> dict[bytes, int]:
        """The usual fields between here and the next empty line: where each stands last."""
        end = min(self._end, at + MAX_BLOCK)
        empty = _EMPTY_LINE.search(self._raw, at, end)
        block = self._raw[at : empty.start() if empty else end]
        return {found[1].lower(): at + found.start() for found in _USUAL.finditer(block)}


def in_lines(raw: bytes) -> bytes:
    """The mail with its lines ended by newlines where its first line holds several fields, parted by returns alone."""
    first = raw[: raw.find(b"\n")] if b"\n" in raw else raw
    if b"\n" in raw and not _RETURN_ONLY.search(first):
        return raw
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
