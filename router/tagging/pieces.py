"""Which features of a model's vocabulary do the words of a text have?

In: a vocabulary (feature to place) and the words and runs of a text. Out: places. The same as looking up every
n-gram of `classifier.grams`, but a word with the four characters behind it, or three Chinese characters, are looked up
gram by gram only once: people write the same words again and again. What is remembered is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final

__all__ = ["HAN", "LATIN", "Pieces"]

#: The shortest and longest n-gram of characters, of Latin words (in a line, with spaces) and of Chinese runs.
LATIN: Final = (2, 5)
HAN: Final = (1, 3)
_REMEMBERED: Final = 32_768


class _Known(dict[str, tuple[int, ...]]):
    """A piece to the places of the n-grams that begin in its head: in all of a word, in the first of a Chinese run."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._vocabulary = vocabulary

    def __missing__(self, piece: str) -> tuple[int, ...]:
        head, (least, most) = (piece.index(" ", 1), LATIN) if piece[0] == " " else (1, HAN)
        grams = [piece[i : i + n] for i in range(head) for n in range(least, most + 1) if i + n <= len(piece)]
        found = tuple(self._vocabulary[gram] for gram in grams if gram in self._vocabulary)
        if len(self) < _REMEMBERED:
            self[piece] = found
        return found


class Pieces:
    """Looks up characters' n-grams, remembering the pieces that it met before."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._known = _Known(vocabulary)

    def places(self, words: Sequence[str], runs: Iterable[str]) -> set[int]:
        """The places of all n-grams of a line of Latin words and of runs of Chinese characters, always in one order."""
        pieces = _of_line(words) if words else []
        for run in runs:
            pieces += [run[i : i + HAN[1]] for i in range(len(run))]
        return set().union(*map(self._known.__getitem__, dict.fromkeys(pieces)))


def _of_line(words: Sequence[str]) -> list[str]:
    """Each word with the space before it and the characters behind it that its n-grams reach to."""
    line = f" {' '.join(words)} "
    ends = list(accumulate(len(word) + 1 for word in words))
    reach = LATIN[1] - 1
    return [line[start : end + reach] for start, end in zip([0, *ends], ends, strict=False)]
