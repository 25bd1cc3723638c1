"""Which words stand around a number, and what do they say it is?

In: a text and the place of a number in it. Out: the kind that the words before or after it give ("order", "tail",
"amount", …; empty when they say nothing). The words are data (`lexicons/identifiers.toml`). Only a window of `WINDOW`
characters is looked at, and only words with its last (or first) character: a number costs the same in any text.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from router.value import Value

__all__ = ["WINDOW", "Cues", "after", "before", "cues"]

#: Characters beside a number that are looked at.
WINDOW = 28

_FILE = Path(__file__).parents[2] / "lexicons" / "identifiers.toml"
_JOINTS = " \t\n\r:：#=＝(（[【<《\"'“”「『`–—-、"
_FILLERS = 4
_NUMBERED = frozenset(("号", "號", "号码", "號碼", "no", "no.", "number", "id", "num"))


class Cues(Value, frozen=True, kw_only=True):
    """The words of `identifiers.toml`, by word and by the character where a comparison begins, longest first."""

    before: Mapping[str, str]
    before_by_last: Mapping[str, tuple[tuple[str, str], ...]]
    after: Mapping[str, str]
    after_by_first: Mapping[str, tuple[tuple[str, str], ...]]
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
        before_by_last=_by_character(before_words, -1),
        after=after_words,
        after_by_first=_by_character(after_words, 0),
        multiples=known["multiples"],
    )


def before(text: str, start: int) -> str:
    """What the words before `start` say of the number there; fillers ("号", "is", "我的") are looked through."""
    words = text[start - WINDOW if start > WINDOW else 0 : start].lower().rstrip(_JOINTS)
    numbered = hashed = text[max(0, start - 2) : start].rstrip().endswith("#")
    known = cues().before_by_last
    for _ in range(_FILLERS):
        word, kind = _ending(words, known)
        if kind != "filler":
            return "order_number" if kind == "order" and numbered else kind or ("order" if hashed else "")
        numbered = numbered or word in _NUMBERED
        words = words[: -len(word)].rstrip(_JOINTS)
    return ""


def after(text: str, end: int) -> str:
    """What the words from `end` on say of the number before them."""
    known, first = cues().after_by_first, text[end : end + 1]
    if first != " " and first.lower()[:1] not in known:
        return ""
    words = text[end : end + WINDOW].lower().lstrip(" ")
    for word, kind in known.get(words[:1], ()):
        if words.startswith(word) and not (_is_letter(word[-1]) and _is_letter(words[len(word) : len(word) + 1])):
            return kind
    return ""


def _ending(words: str, known: Mapping[str, tuple[tuple[str, str], ...]]) -> tuple[str, str]:
    for word, kind in known.get(words[-1:], ()):
        if words.endswith(word) and not (_is_letter(word[0]) and _is_letter(words[-len(word) - 1 : -len(word)])):
            return word, kind
    return "", ""


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _by_character(words: Mapping[str, str], place: int) -> dict[str, tuple[tuple[str, str], ...]]:
    table: dict[str, list[tuple[str, str]]] = {}
    for word in sorted(words, key=len, reverse=True):
        table.setdefault(word[place], []).append((word, words[word]))
    return {character: tuple(pairs) for character, pairs in table.items()}
