"""What is a lot, what is a little? The numbers of `weights.toml`, by their names."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

import msgspec

from router.value import Value

__all__ = ["WEIGHTS", "Weights"]


class Weights(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file says what each is; all of them are in it."""

    clear_type: float
    words_of_a_matter: float
    likely_type: float
    likeness: float
    begun_type: float
    evident_type: float
    words_of_a_name: float
    few_words: float
    pressing_share: float
    many_more_words: float
    many_words: float
    told_type: float
    sure_type: float
    a_shared_word: float
    surely_elsewhere: float
    certainly_elsewhere: float
    few_of_the_words: float
    half_of_the_words: float
    half_and_the_amount: float
    nearly_the_same_words: float
    the_same_sentence: float
    words_of_another_matter: float
    surely_another_type: float
    same_number: float
    same_words: float
    same_type: float
    claimed: float


WEIGHTS: Final = msgspec.convert(
    tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")), Weights
)
