"""How does a text read for somebody who looks for secrets in it?

In: any text. Out of `unhidden`: the same text, character for character, so that offsets stay: digits of any script and
style, letters of other widths, blanks, dashes and foreign punctuation are their ASCII twins; what nobody sees is
`UNSEEN`. Out of `han_digits`: numerals in Chinese as digits. A character is judged by its Unicode category, once.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["HAN_DIGITS", "UNSEEN", "han_digits", "unhidden"]

#: Stands for a character that nobody sees.
UNSEEN: Final = "\0"
#: Chinese numerals, one of each digit a row: plain, of banks, and those of old and of traders.
_NUMERALS: Final = (
    "〇零○", "一壹弌幺〡", "二贰貳弍两〢", "三叁叄參弎〣", "四肆〤", "五伍〥", "六陆陸〦", "七柒〧", "八捌〨", "九玖〩",
)  # fmt: skip
_HAN: Final = {ord(sign): str(digit) for digit, signs in enumerate(_NUMERALS) for sign in signs}
#: The inside of a character class that has them all.
HAN_DIGITS: Final = "".join(_NUMERALS)
#: Text of these characters alone is as it looks: ASCII, other Latin, Greek, Cyrillic, Chinese and its punctuation.
_STRANGE: Final = re.compile(
    "[^\t\n\r -~\u00c0-\u0233\u0391-\u03c9\u0410-\u044f\u2018-\u201d\u2026\u3001\u3002\u3008-\u3011"
    "\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f\uffe5]"
)
#: Categories of what has no shape of its own: control, format, unassigned, private use; marks upon another character.
_SHAPELESS: Final = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me"))
#: Letters and symbols that show nothing: the fillers of Hangul, the blank of Braille, a note without a head.
_BLANK: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\U0001d159")
_LINES: Final = frozenset(("Zl", "Zp"))
#: Beyond these no identity is kept in memory: texts that hold every character there is must not fill it.
_KEPT: Final = 0x10000


class _Twins(dict[int, int | str]):
    """What each character reads as; looked up by `str.translate`, worked out when it is first met."""

    def __missing__(self, code: int) -> int | str:
        twin = _twin(chr(code))
        if twin != chr(code) or code < _KEPT:
            self[code] = twin
        return twin


def _twin(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\t\n\r":
        return character
    if category in _SHAPELESS or character in _BLANK:
        return UNSEEN
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    if category[0] == "Z":
        return "\n" if category in _LINES else " "
    if category == "Pd":
        return "-"
    twin = unicodedata.normalize("NFKC", character)
    return twin if len(twin) == 1 and (twin.isascii() or ord(twin) in _HAN) else character


_TWINS: Final = _Twins()


def unhidden(text: str) -> str:
    """The text as it reads, of the same length."""
    return text.translate(_TWINS) if _STRANGE.search(text) else text


def han_digits(text: str) -> str:
    """The text with Chinese numerals as digits, of the same length."""
    return text.translate(_HAN)
