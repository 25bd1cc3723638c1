"""What does a plain text say once it is unwrapped? Text in; its lines as they were written, and files in it, out.

Two old ways of wrapping: lines that flow (RFC 3676), where `delsp=yes` says that the space at a line's end is no part
of the text, as programs write it for Chinese and Japanese; and files between `begin` and `end` lines in the text itself
(uuencode). Linear in time.
"""

from __future__ import annotations

import binascii
import re

__all__ = ["unflowed", "without_files"]

MAX_FILES = 100

_BEGIN = re.compile(r"^begin [0-7]{3,4} ([^\n]{1,255})\n", re.MULTILINE)
_END = re.compile(r"^end[ \t]*(?:\n|\Z)", re.MULTILINE)
_QUOTES = re.compile(r">*")


def unflowed(text: str) -> str:
    """A flowed text whose line ends hold a space too many (`delsp=yes`), its paragraphs in one line again."""
    lines: list[str] = []
    depth, open_line = 0, False
    for line in text.split("\n"):
        quotes = _QUOTES.match(line)
        level = quotes.end() if quotes else 0
        words = line[level:].removeprefix(" ")
        flows = words.endswith(" ") and words != "-- "
        kept = words[:-1] if flows else words
        if open_line and level == depth and words != "-- ":
            lines.append(kept)
        else:
            lines.append(("\n" if lines else "") + ">" * level + (" " if level else "") + kept)
        depth, open_line = level, flows
    return "".join(lines)


def without_files(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text without the uuencoded files in it, and those: name and content. What only looks like one stays."""
    if "begin " not in text:
        return text, []
    said: list[str] = []
    files: list[tuple[str, bytes]] = []
    at = 0
    while len(files) < MAX_FILES and (begin := _BEGIN.search(text, at)) and (end := _END.search(text, begin.end())):
        content = _content(text[begin.end() : end.start()])
        said.append(text[at : end.end() if content is None else begin.start()])
        if content is not None:
            files.append((begin[1].strip(), content))
        at = end.end()
    return "".join((*said, text[at:])), files


def _content(coded: str) -> bytes | None:
    """The bytes behind lines of uuencode; None where there are none, or one line is no such line."""
    found: list[bytes] = []
    for line in coded.split("\n"):
        words = line.rstrip()
        told = (ord(words[0]) - 32) & 63 if words.isascii() and words else 0
        if not words.isascii() or len(words) > (told + 2) // 3 * 4 + 2:
            return None
        try:
            found.append(binascii.a2b_uu(words[: (told * 4 + 5) // 3]) if told else b"")
        except binascii.Error:
            return None
    return b"".join(found) or None
