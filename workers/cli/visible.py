"""How is a text written out so that nothing in it acts on whoever reads it?

In: words of strangers. Out: the same words for a terminal, a CSV cell or a line of JSON, in which every control, escape
and direction character, and whatever else has no shape, stands as its escape (`\\x1b`, `\\u202e`) instead of acting.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

__all__ = ["cell", "json_text", "printable"]

#: They join what stands beside them (emoji, Persian, Indian scripts), and do nothing else.
_JOINERS: Final = frozenset("\u200c\u200d")
_BLANKS: Final = frozenset("\t\n\r\v\f")
#: What JSON lets through and a terminal would act on, or a reader not see.
_ACTING: Final = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_UNSEEN: Final = frozenset(("Cc", "Cf", "Zs", "Zl", "Zp"))
_FORMULA: Final = frozenset("=+-@＝＋－＠﹢﹣﹦﹫−")
_NUMBER: Final = re.compile(r"[+-][0-9]+")


def printable(text: str) -> str:
    """One line for a terminal: blanks of any kind are one blank each."""
    return text if text.isascii() and text.isprintable() else "".join(map(_printed, text))


def _printed(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    if character in _BLANKS or unicodedata.category(character)[0] == "Z":
        return " "
    return escaped(character)


def escaped(character: str) -> str:
    """A character as its escape."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cell(text: str) -> str:
    """A text for a cell of CSV: line breaks stay, and no spreadsheet takes it for a formula, whatever stands before the
    sign that makes one."""
    shown = text
    if not (text.isascii() and text.isprintable()):
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        shown = "\n".join(map(printable, lines))
    first = next((c for c in text if unicodedata.category(c) not in _UNSEEN), "")
    return f"'{shown}" if first in _FORMULA and first and not _NUMBER.fullmatch(text) else shown


def json_text(encoded: bytes) -> str:
    """Encoded JSON as text in which what would act is written `\\uXXXX`: the same value to every reader."""
    return _ACTING.sub(_in_json, encoded.decode("utf-8", "backslashreplace"))


def _in_json(found: re.Match[str]) -> str:
    units: Any = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
