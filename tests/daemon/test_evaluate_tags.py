"""A desk measures the tagging on its own messages."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from router.errors import ConfigurationError
from router.tagging.tag import Tagger
from workers.lab.bench.tags import bench_tags
from workers.lab.evaluate.figures import by_label, confusions, coverage, macro_f1
from workers.lab.evaluate.tags import evaluate_tags

DATA = Path(__file__).parents[1] / "data"


def test_the_lexicons_are_measured_on_labelled_messages(tmp_path: Path) -> None:
    """Figures, a line a message in the file's order, and a picture of what is taken for what."""
    out = tmp_path / "predictions.jsonl"
    figures = evaluate_tags(DATA / "tagging_zh.jsonl", predictions=out, plot=tmp_path / "pictures")
    assert figures["messages"] == 60
    assert figures["accuracy"] >= 0.93
    assert figures["macro_f1"] >= 0.93
    assert figures["coverage"] >= 0.9
    assert sum(row["messages"] for row in figures["labels"]) == 60
    assert Path(figures["picture"]).read_bytes().startswith(b"\x89PNG")
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines[:2]] == ["p001", "p002"]
    assert all(set(line) == {"id", "label", "confidence", "unsure", "runner_up"} for line in lines)


def test_labels_in_any_script_are_drawn(tmp_path: Path) -> None:
    """A desk may name its labels in Chinese."""
    labelled = tmp_path / "labelled.jsonl"
    labelled.write_text('{"id": 1, "text": "转账没到账", "label": "转账"}\n', encoding="utf-8")
    figures = evaluate_tags(labelled, plot=tmp_path)
    assert figures["accuracy"] == 0.0
    assert figures["confusions"] == [{"label": "转账", "taken_for": "transfer_failed", "messages": 1}]
    assert (tmp_path / "confusion-tags-labelled.png").stat().st_size > 1_000


def test_labels_that_are_right_as_well_count(tmp_path: Path) -> None:
    """A message may be about either of two things."""
    labelled = tmp_path / "labelled.jsonl"
    labelled.write_text('{"text": "转账没到账", "label": "other", "also": ["transfer_failed"]}\n', encoding="utf-8")
    assert evaluate_tags(labelled)["accuracy"] == 1.0


def test_a_desks_own_tagger_is_measured() -> None:
    """The desk's configuration, not the preset, is what counts."""
    figures = evaluate_tags(DATA / "tagging_zh.jsonl", tagger=Tagger.load(issue_types=("refund", "other")))
    assert {row["taken_for"] for row in figures["confusions"]} <= {"refund", "other"}


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    """Nothing to measure is a mistake, not a figure."""
    (tmp_path / "none.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="has no message"):
        evaluate_tags(tmp_path / "none.jsonl")


def test_predictions_need_a_place(tmp_path: Path) -> None:
    """A folder that is not there is named."""
    with pytest.raises(ConfigurationError, match="cannot be written"):
        evaluate_tags(DATA / "tagging_zh.jsonl", predictions=tmp_path / "none" / "p.jsonl")


def test_without_matplotlib_one_sentence_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture needs the extra; figures do not."""
    real = importlib.import_module

    def absent(name: str, package: str | None = None) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ConfigurationError, match=r"omnirouter\[train\]"):
        evaluate_tags(DATA / "tagging_zh.jsonl", plot=tmp_path)
    assert evaluate_tags(DATA / "tagging_zh.jsonl")["messages"] == 60


@pytest.mark.parametrize(
    ("confidences", "right", "share", "threshold"),
    [
        ([0.9, 0.8, 0.7], [True, True, True], 1.0, 0.7),
        ([0.9, 0.8, 0.7], [True, False, True], 1 / 3, 0.9),
        ([0.9, 0.9], [True, False], 0.0, 1.01),
        ([0.5], [False], 0.0, 1.01),
        ([], [], 0.0, 1.01),
    ],
)
def test_coverage_at_a_precision(confidences: list[float], right: list[bool], share: float, threshold: float) -> None:
    """How many can be answered without a person looking, and from which confidence on."""
    assert coverage(confidences, right) == (pytest.approx(share), pytest.approx(threshold))


def test_figures_by_label() -> None:
    """Precision and recall of each label, and what was taken for what."""
    truth, given = ["a", "a", "b", "c"], ["a", "b", "b", "a"]
    table = {row["label"]: row for row in by_label(truth, given)}
    assert table["a"] == {"label": "a", "messages": 2, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert table["c"]["f1"] == 0.0
    assert macro_f1(truth, given) == pytest.approx((0.5 + 2 / 3 + 0) / 3)
    assert confusions(truth, given)[0] == {"label": "a", "taken_for": "b", "messages": 1}
    assert macro_f1([], []) == 0.0


def test_the_bench_names_every_step() -> None:
    """The table has a row a step, with and without a trained model."""
    rows = bench_tags(rounds=1)
    assert [row["what"] for row in rows] == ["fold", "language", "concepts", "tag, cold start", "tag, trained"]
    assert all(row["unit"] == "µs" and row["value"] > 0 for row in rows)
