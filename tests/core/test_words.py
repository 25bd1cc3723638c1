"""Stems and small typing mistakes of English words."""

from __future__ import annotations

import pytest

from router.text.meaning.words import Speller, stem, stems


@pytest.mark.parametrize(
    "forms",
    [
        ("charge", "charged", "charges", "charging"),
        ("transfer", "transfers", "transferred", "transferring"),
        ("verify", "verifies", "verified"),
        ("card", "cards", "card's"),
        ("decline", "declined", "declining"),
    ],
)
def test_forms_of_a_word_share_a_stem(forms: tuple[str, ...]) -> None:
    """However a customer bends a word, it is the same word."""
    assert len({stem(form) for form in forms}) == 1


@pytest.mark.parametrize(("one", "other"), [("notes", "not"), ("card", "care"), ("pin", "pine"), ("rate", "rat")])
def test_different_words_stay_different(one: str, other: str) -> None:
    """A stem does not throw unlike words together."""
    assert stem(one) != stem(other)


def test_places_are_those_of_the_text() -> None:
    """Each stem knows where its word stands, so that the words that decided can be shown."""
    text = "my cards, lost"
    assert [text[start:end] for _, start, end in stems(text)] == ["my", "cards", ",", "lost"]
    assert stems("...!?") == []


@pytest.mark.parametrize("typed", ["withdrawl", "withdraal", "withdrawall", "witdrawal", "withdrawel"])
def test_one_typing_mistake_is_forgiven(typed: str) -> None:
    """One letter too few, too many or wrong still names the word."""
    speller = Speller()
    speller.learn([stem("withdrawal")])
    assert speller.correct(stem(typed)) == stem("withdrawal")


@pytest.mark.parametrize("word", ["cat", "money", "please", "zzzzzzzz"])
def test_other_words_are_left_alone(word: str) -> None:
    """Short, frequent and unknown words are not bent into the vocabulary."""
    speller = Speller()
    speller.learn([stem("withdrawal"), stem("honey")])
    assert speller.correct(stem(word)) == stem(word)
