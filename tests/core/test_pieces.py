"""Pieces of texts and the features that they have."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from router.tagging.classifier import grams
from router.tagging.pieces import Pieces
from router.text.meaning.fold import fold

_TEXTS = st.lists(
    st.sampled_from(["转账失败", "没到账", "a", "card", "i can't", "12345", "é", " ", "\n", ".", "z", "冻"])
    | st.text(max_size=6),
    max_size=12,
)


@given(_TEXTS)
def test_pieces_have_the_features_that_a_text_has(parts: list[str]) -> None:
    """What is remembered of words gives the same features as looking at every n-gram of a text."""
    features = {
        gram: place for place, gram in enumerate(dict.fromkeys(grams("my card 转账 失败了 i can't a", ())["char"]))
    }
    folded = fold("".join(parts))
    found = grams(folded, ())
    words = found["word"][: (len(found["word"]) + 1) // 2]
    runs = [run for run in _runs(folded) if run]
    wanted = {features[gram] for gram in found["char"] if gram in features}
    pieces = Pieces(features)
    assert pieces.places(words, runs) == wanted
    assert pieces.places(words, runs) == wanted


def _runs(folded: str) -> list[str]:
    return "".join(c if "\u3400" <= c <= "\u4dbf" or "\u4e00" <= c <= "\u9fff" else " " for c in folded).split(" ")
