"""A trained model at work: numpy and one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import ConfigurationError
from router.tagging.classifier import FORMAT, Model, grams, pack
from router.tagging.tag import Tagger


def parts(**changes: Any) -> dict[str, Any]:
    """A small model by hand: `fee` by the word fee, `refund` by the concept refund, `login` by Han characters."""
    weights = np.zeros((4, 3), dtype=np.int8)
    weights[0], weights[1], weights[2], weights[3] = (127, -64, -64), (-64, -64, 127), (-64, -64, 127), (-64, 127, -64)
    made = {
        "format": np.array(FORMAT),
        "labels": pack(["fee", "refund", "login"]),
        "weights": weights,
        "scale": np.full(3, 1 / 127),
        "bias": np.array([0.0, 0.1, 0.0]),
        "idf": np.ones(4, dtype=np.float32),
        "lengths": np.array([1.0, 1.0, 1.0]),
        "temperature": np.array(4.0),
        "unsure_below": np.array(0.7),
        "version": pack(["model-by-hand"]),
        "vocabulary_word": pack(["fee"]),
        "vocabulary_char": pack(["登", "登录"]),
        "vocabulary_concept": pack(["refund"]),
    }
    return made | changes


def saved(folder: Path, **changes: Any) -> Path:
    path = folder / "model"
    with path.open("wb") as file:
        np.savez_compressed(file, **parts(**changes))
    return path


@pytest.mark.parametrize(
    ("text", "concepts", "label"),
    [
        ("what fee", [], "fee"),
        ("登录", [], "login"),
        ("x", ["refund"], "refund"),
        ("x", [], "refund"),
        ("", [], "refund"),
    ],
)
def test_the_label_with_the_highest_value_is_given(text: str, concepts: list[str], label: str) -> None:
    """Words, characters and concepts weigh together; with nothing known the bias decides."""
    model = Model(parts())
    guess = model.guess(text, concepts)
    assert guess.label == label == model.labels[int(model.scores(text, concepts).argmax())]
    assert guess.confidence >= guess.second
    assert guess.runner_up != guess.label


def test_known_words_are_surer_than_none() -> None:
    """A message that names nothing the model knows gets little confidence."""
    model = Model(parts())
    assert model.guess("what fee", []).confidence > 0.9
    assert model.guess("x", []).confidence < model.unsure_below


def test_a_file_is_read_back(tmp_path: Path) -> None:
    """One file is all a desk copies."""
    model = Model.load(saved(tmp_path))
    assert model.labels == ("fee", "refund", "login")
    assert model.version == "model-by-hand"
    assert model.unsure_below == pytest.approx(0.7)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": np.array(FORMAT + 1)},
        {"idf": np.ones(9, dtype=np.float32)},
        {"weights": np.zeros((4, 2), dtype=np.int8)},
        {"labels": np.array([{"a": 1}], dtype=object)},
    ],
)
def test_a_wrong_model_is_refused_in_one_sentence(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A model of another version, a torn one or one with foreign objects is never half used."""
    with pytest.raises(ConfigurationError, match="is no model of"):
        Model.load(saved(tmp_path, **changes))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"not a model at all", b"\x80\x04K\x01."])
def test_any_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever else lies at the path gives one sentence; nothing in it is executed."""
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="is no model of"):
        Model.load(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A path with nothing there is named."""
    with pytest.raises(ConfigurationError, match="gone"):
        Model.load(tmp_path / "gone")


def test_a_model_takes_over_the_issue_type_and_keeps_the_flags(tmp_path: Path) -> None:
    """With a model the lexicons still give flags, language and words."""
    path = saved(tmp_path)
    tagging = Tagger.load(issue_types=(), model=path).tag("what fee? I want to talk to a real person")
    assert tagging.issue_type == "fee"
    assert tagging.flags == ("asks_human",)
    assert tagging.language == "en"
    assert tagging.version.endswith("+model-by-hand")


def test_labels_foreign_to_the_desk_are_refused(tmp_path: Path) -> None:
    """A model of somebody else's labels is told at the start, not met in the queues."""
    path = saved(tmp_path)
    with pytest.raises(ConfigurationError, match=r"no issue type of this desk: login"):
        Tagger.load(issue_types=("fee", "refund", "other"), model=path)


def test_features_of_both_scripts() -> None:
    """Latin text gives words and character runs, Han text one to three characters, concepts come with their pairs."""
    found = grams("退款 my fee 12345", ["b", "a"])
    assert found["word"] == ["my", "fee", "0", "my fee", "fee 0"]
    assert {"退", "款", "退款", " m", "fee "} <= set(found["char"])
    assert found["concept"] == ["b", "a", "a+b"]


@given(st.text(), st.lists(st.text(max_size=3), max_size=30))
def test_guessing_is_total(text: str, concepts: list[str]) -> None:
    """Any text gets one of the model's labels and a probability."""
    guess = Model(parts()).guess(text, concepts)
    assert guess.label in ("fee", "refund", "login")
    assert 0.0 < guess.confidence <= 1.0
