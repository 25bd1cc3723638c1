"""Which words stand around a number, and what do they say it is?

In: a text and the place of a number in it. Out: the kind that the words before or after it give ("order", "tail",
"amount", …; empty when they say nothing). The words are data (`lexicons/identifiers.toml`). Only a window of `WINDOW`
characters is looked at, by looking its endings up in a table, so a number costs the same in any text.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from router.model import Value

__all__ = ["WINDOW", "Cues", "after", "before", "cues"]

#: Characters beside a number that are looked at.
WINDOW = 28

_FILE = Path(__file__).parent / "lexicons" / "identifiers.toml"
_JOINTS = " \t\n\r:：#=＝(（[【<《\"'“”「『`–—-、"
_FILLERS = 4


class Cues(Value, frozen=True, kw_only=True):
    """The words of `identifiers.toml` by what they say, with the lengths that occur, longest first."""

    before: Mapping[str, str]
    before_lengths: tuple[int, ...]
    after: Mapping[str, str]
    after_lengths: tuple[int, ...]
    multiples: Mapping[str, int]


@cache
def cues() -> Cues:
    """The words as shipped, read once. Currencies are kinds of the form `money:CNY`."""
    known = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    before_words = {word: kind for kind, words in known["before"].items() for word in words}
    before_words |= {word: f"money:{kind}" for kind, words in known["before_money"].items() for word in words}
    after_words = {word: kind for kind, words in known["after"].items() for word in words}
    after_words |= {word: f"money:{kind}" for kind, words in known["after_money"].items() for word in words}
    return Cues(
        before=before_words,
        before_lengths=_lengths(before_words),
        after=after_words,
        after_lengths=_lengths(after_words),
        multiples=known["multiples"],
    )


def before(text: str, start: int) -> str:
    """What the words before `start` say of the number there; fillers ("号", "is", "我的") are looked through."""
    known = cues()
    words = text[max(0, start - WINDOW) : start].lower().rstrip(_JOINTS)
    numbered = start > 0 and text[start - 1] == "#"
    for _ in range(_FILLERS):
        kind, length = _ending(words, known)
        if kind != "filler":
            return "order_number" if kind == "order" and numbered else kind
        numbered = numbered or words[-length:] in ("号", "號", "号码", "號碼", "no", "no.", "number", "id", "num")
        words = words[:-length].rstrip(_JOINTS)
    return ""


def after(text: str, end: int) -> tuple[str, int]:
    """What the words from `end` on say of the number before them, and where these words end."""
    known = cues()
    words = text[end : end + WINDOW].lower()
    skipped = len(words)
    words = words.lstrip(" ")
    skipped -= len(words)
    for length in known.after_lengths:
        word = words[:length]
        kind = known.after.get(word)
        if kind and len(word) == length and not (_is_letter(word[-1]) and _is_letter(words[length : length + 1])):
            return kind, end + skipped + length
    return "", end


def _ending(words: str, known: Cues) -> tuple[str, int]:
    for length in known.before_lengths:
        word = words[-length:]
        kind = known.before.get(word)
        if kind and not (_is_letter(word[0]) and _is_letter(words[-length - 1 : -length])):
            return kind, length
    return "", 0


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _lengths(words: Iterable[str]) -> tuple[int, ...]:
    return tuple(sorted({len(word) for word in words}, reverse=True))
