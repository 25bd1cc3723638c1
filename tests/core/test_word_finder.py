"""The words of a list are found in one walk over a text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.text.word_finder import WordFinder

_WORDS = st.lists(st.text(alphabet="ab退款 ", min_size=1, max_size=4), min_size=1, max_size=8, unique=True)
_TEXTS = st.text(alphabet="ab退款 é\U0001f600", max_size=40)


@given(_WORDS, _TEXTS)
def test_every_word_is_found_wherever_it_stands(words: list[str], text: str) -> None:
    """Hits are those that comparing at each place gives, in characters whatever their width."""
    expected = {
        (which, at, at + len(word))
        for which, word in enumerate(words)
        for at in range(len(text))
        if text.startswith(word, at)
    }
    assert set(WordFinder(words).find(text)) == expected


@given(_WORDS, _TEXTS)
def test_the_longest_word_counts_and_none_overlap(words: list[str], text: str) -> None:
    """From left to right, at each place the longest word is taken, and the next is sought behind it."""
    expected, at = [], 0
    while at < len(text):
        longest = max((word for word in words if text.startswith(word, at)), key=len, default="")
        if longest:
            expected.append((words.index(longest), at, at + len(longest)))
        at += len(longest) or 1
    assert WordFinder(words, longest=True).find(text) == expected


def test_half_a_character_hides_no_word() -> None:
    """A torn emoji beside a word neither fails nor moves it."""
    assert WordFinder(["退款"]).find("\ud83d退款\ud83d") == [(0, 1, 3)]
