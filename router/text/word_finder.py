"""Where do the words of a list stand in a text?

In: a list of words, built into one automaton, then any text. Out: hits, each with the place of its word in the list and
where it begins and ends. A text is walked once, however many words the list has: a thousand cost as much as ten.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from ahocorasick_rs import AhoCorasick, MatchKind

__all__ = ["Hit", "WordFinder"]

#: The place of a word in its list, and where it begins and ends in the text, in characters.
Hit: TypeAlias = tuple[int, int, int]


class WordFinder:
    """Finds the words of one list. `longest`: hits do not overlap; at each place the longest word counts."""

    def __init__(self, words: Iterable[str], *, longest: bool = False) -> None:
        kind = MatchKind.LeftmostLongest if longest else MatchKind.Standard
        self._find = AhoCorasick(words, matchkind=kind, store_patterns=False).find_matches_as_indexes
        self._overlapping = not longest

    def find(self, text: str) -> list[Hit]:
        """The hits in a text, in order of place. Total: half a character, as a torn emoji leaves it, is no word's."""
        try:
            return self._find(text, self._overlapping)
        except UnicodeEncodeError:
            return self._find(text.encode("utf-8", "replace").decode("utf-8"), self._overlapping)
