"""The model that ships with the lexicons is the one its examples make."""

from __future__ import annotations

from pathlib import Path

from router.tagging.classifier import Model
from router.tagging.tag import EXAMPLES, Tagger
from workers.lab.examples import example_messages, make_model


def test_examples_and_shipped_model_fit_together(tmp_path: Path) -> None:
    """Whoever changes the examples or the lexicons makes the model again (python -m workers.lab.examples)."""
    shipped, made = Model.load(EXAMPLES), Model.load(make_model(tmp_path / "made", Model.load(EXAMPLES).calibration))
    tagger = Tagger.load()
    texts = [example.text for example in example_messages()]
    same = [shipped.guess(*found).label == made.guess(*found).label for found in map(tagger.features, texts)]
    assert sum(same) / len(same) >= 0.999
    assert EXAMPLES.stat().st_size < 2_000_000
