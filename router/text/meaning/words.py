"""What are the English words of a text, whatever their endings and small typing mistakes?

In: a folded text. Out of `stems`: its Latin words by a rough stem (charge = charged = charges) with their places, and
the marks that end a clause. `Speller` learns a vocabulary of stems and puts single typing mistakes right against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, cast

from router.text.meaning.fold import frequent_words

__all__ = ["Speller", "stem", "stems", "symbols"]

_TOKEN: Final = re.compile(r"[£$€]?[a-z0-9]+(?:'[a-z]+)?[£$€]?|[,.!?;:\n]")
_SHORTEST: Final = 6
#: Words met before, with their stems; bounded, since strangers choose the words.
_REMEMBERED: Final = 65_536
_STEMS: dict[str, str] = {}


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A rough stem that is the same for the forms of one word, and only meant to be compared with other stems."""
    word = word.removesuffix("'s").replace("'", "")
    if len(word) <= 3:
        return word
    if word.endswith(("ies", "ied")) and len(word) > 4:
        return word[:-3] + "y"
    for suffix, least in (("ing", 6), ("ed", 5)):
        if word.endswith(suffix) and len(word) >= least:
            word = word[: -len(suffix)]
            break
    else:
        if word.endswith(("ches", "shes", "sses", "xes")):
            word = word[:-2]
        elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = word[:-1]
    word = word.removesuffix("e") if len(word) > 4 else word
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def stems(folded: str, speller: Speller | None = None) -> list[tuple[str, int, int]]:
    """Stems of the Latin words of a folded text with their places, put right by `speller`; empty when it has none."""
    found, spans = symbols(folded, speller)
    return [(symbol, start, end) for symbol, (start, end) in zip(found, spans, strict=True)]


def symbols(folded: str, speller: Speller | None = None) -> tuple[list[str], list[tuple[int, int]]]:
    """The same as two lists: the stems and marks, and their places."""
    known = _STEMS if speller is None else speller.known
    tokens = _TOKEN.findall(folded)
    found = list(map(known.get, tokens))
    if None in found:
        for place, token in enumerate(tokens):
            if found[place] is None:
                symbol = stem(token) if speller is None else speller.correct(stem(token))
                if len(known) < _REMEMBERED:
                    known[token] = symbol
                found[place] = symbol
    whole = cast(list[str], found)
    if not any(symbol[0].isalnum() for symbol in whole):
        return [], []
    return whole, list(map(re.Match.span, _TOKEN.finditer(folded)))


class Speller:
    """Puts words of a vocabulary right that have one letter too many, too few, wrong or swapped."""

    def __init__(self) -> None:
        self._vocabulary = {stem(word) for word in frequent_words()}
        self._learned: set[str] = set()
        self._shortened: dict[str, str] = {}
        self.known: dict[str, str] = {}

    def learn(self, stems: Iterable[str]) -> None:
        """Add the stems of a form to the vocabulary."""
        self.known.clear()
        for word in stems:
            if word not in self._learned:
                self._learned.add(word)
                self._vocabulary.add(word)
                if len(word) >= _SHORTEST and word.isalpha():
                    for i in range(1, len(word)):
                        self._shortened.setdefault(word[:i] + word[i + 1 :], word)

    def correct(self, word: str) -> str:
        """The word of the vocabulary that is one typing mistake away, else the word itself."""
        if len(word) < _SHORTEST - 1 or word in self._vocabulary:
            return word
        if word in self._shortened:
            return self._shortened[word]
        for i in range(1, len(word)):
            shorter = word[:i] + word[i + 1 :]
            if len(shorter) >= _SHORTEST and shorter in self._vocabulary:
                return shorter
            near = self._shortened.get(shorter) if len(word) >= _SHORTEST else None
            if near is not None:
                return near
        return word
