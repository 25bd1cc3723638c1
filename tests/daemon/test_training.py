"""A desk trains on its own labelled history and measures what that brings."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from router.errors import ConfigurationError
from router.tagging.classifier import Model, grams
from router.tagging.tag import Tagger
from workers.lab import fitting
from workers.lab.evaluate.tags import evaluate_tags
from workers.lab.labelled import labelled_messages
from workers.lab.training import train

DATA = Path(__file__).parents[1] / "data"
#: How a desk that was not there when the training messages were written puts it.
UNSEEN = (
    "Could you walk me through getting my card going?", "my card got turned down when paying for groceries",
    "Tried three ATMs and none gave me cash", "transfer in progress for a whole day", "top up maximum", "",
    "转账没到账", "is paying in notes an option", "charged me double at the bakery", "where do I link my card",
    "ATM short-changed me", "what rate did you apply for my cash abroad, it's wrong", "shut my account", "🙂",
)  # fmt: skip


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def chinese() -> list[dict[str, Any]]:
    names = ("tagging_zh", "tagging_fresh_1", "tagging_fresh_2")
    return [
        {"id": row["id"], "text": row["text"], "label": row["label"]}
        for name in names
        for row in map(json.loads, (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A model of 77 intents from 770 messages, and its report."""
    out = tmp_path_factory.mktemp("models") / "intents"
    return out, train(DATA / "train_en.jsonl", out)


def test_the_report_says_how_good_the_model_is(trained: tuple[Path, dict[str, Any]]) -> None:
    """Accuracy, macro-F1 and coverage come from messages held back, and confusions name both labels."""
    out, report = trained
    assert report["messages"] == 770
    assert report["labels"] == 77
    assert report["accuracy"] > 0.8
    assert report["macro_f1"] > 0.8
    assert report["coverage"] > 0.5
    assert {"label", "taken_for", "messages"} == set(report["confusions"][0])
    assert report["bytes"] == out.stat().st_size <= 6_000_000


def test_labels_are_those_of_scikit_learn(trained: tuple[Path, dict[str, Any]]) -> None:
    """The numpy run time and scikit-learn with the same weights agree on every message, seen or not."""
    out, report = trained
    assert report["unlike_scikit_learn"] == 0
    with np.load(out) as archive:
        twin = fitting.as_scikit_learn({name: archive[name] for name in archive.files})
    model, tagger = Model.load(out), Tagger.load()
    texts = [*UNSEEN, *(message.text for message in labelled_messages(DATA / "train_en.jsonl"))]
    features = [tagger.features(text) for text in texts]
    ours = [model.guess(*found).label for found in features]
    assert ours == fitting.labels_by(twin, [grams(*found) for found in features])


def test_few_examples_do_better_than_none(trained: tuple[Path, dict[str, Any]]) -> None:
    """Ten messages an intent tell 77 intents apart on messages the model has not seen."""
    tagger = Tagger.load(issue_types=(), model=trained[0])
    assert tagger.tag("Could you walk me through getting my card activated?").issue_type == "activate_my_card"
    assert tagger.tag("charged me double at the bakery").issue_type == "transaction_charged_twice"
    assert tagger.tag("is there a maximum for topping up").issue_type == "top_up_limits"
    assert tagger.tag("🙂").unsure


def test_training_twice_gives_the_same_model(tmp_path: Path) -> None:
    """The same messages give the same file, so that a version means something."""
    rows = [row | {"label": f"our {row['label']}"} for row in chinese()[:200] * 2]
    labelled = written(tmp_path / "labelled.jsonl", rows)
    first, second = train(labelled, tmp_path / "a"), train(labelled, tmp_path / "b")
    assert first["version"] == second["version"]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_desk_trains_its_issue_types_and_measures_on_other_messages(tmp_path: Path) -> None:
    """Chinese, mixed and English messages of one desk train one model; a third set measures it."""
    out = tmp_path / "desk"
    stages: list[tuple[str, float]] = []
    train(written(tmp_path / "labelled.jsonl", chinese()), out, lambda stage, share: stages.append((stage, share)))
    assert [share for _, share in stages] == sorted(share for _, share in stages)
    assert stages[-1] == ("done", 1.0)
    figures = evaluate_tags(DATA / "tagging_fresh_3.jsonl", model=out, predictions=tmp_path / "predictions")
    assert figures["accuracy"] >= 0.85
    lines = [json.loads(line) for line in (tmp_path / "predictions").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == figures["messages"] == 115
    assert set(lines[0]) == {"id", "label", "confidence", "unsure", "runner_up"}
    assert Tagger.load(model=out).tag("转账没到账").issue_type == "transfer_failed"


def test_two_labels_are_enough(tmp_path: Path) -> None:
    """The smallest taxonomy has two labels with two messages each."""
    rows = [
        {"text": t, "label": label}
        for t, label in (("refund me", "a"), ("my refund", "a"), ("crash", "b"), ("a bug", "b"))
    ]
    train(written(tmp_path / "labelled.jsonl", rows), tmp_path / "model")
    tagger = Tagger.load(issue_types=(), model=tmp_path / "model")
    assert tagger.tag("refund please").issue_type == "a"
    assert tagger.tag("it is a bug").issue_type == "b"


@pytest.mark.parametrize(
    ("second_line", "sentence"),
    [
        ("{", "line 2 is no JSON"),
        ("[1]", "line 2 is no JSON object"),
        ('{"label": "refund"}', 'line 2 has no "text"'),
        ('{"text": 7, "label": "refund"}', 'line 2 has no "text"'),
        ('{"text": "x"}', 'line 2 has no "label"'),
        ('{"text": "x", "label": " "}', 'line 2 has no "label"'),
        ('{"text": "x", "label": "a\\nb"}', 'line 2 has no "label"'),
        ('{"text": "x", "label": "a", "also": "b"}', 'line 2 has an "also"'),
        ('{"text": "x", "label": "a", "id": []}', 'line 2 has an "id"'),
        ('{"text": "x", "label": "lonely"}', "'lonely' has one message"),
    ],
)
def test_a_wrong_line_is_told_by_its_number(tmp_path: Path, second_line: str, sentence: str) -> None:
    """One sentence says where the mistake is and what would be right."""
    good = '{"text": "x", "label": "refund"}\n'
    path = tmp_path / "labelled.jsonl"
    path.write_text(good + second_line + "\n" + good, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=sentence):
        train(path, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b'{"text": "x", "label": "a"}\n{"text": "y", "label": "a"}\n', b"\xff\xfe"]
)
def test_too_little_to_learn_from_is_told(tmp_path: Path, content: bytes) -> None:
    """Nothing, one label only, or no text file at all."""
    path = tmp_path / "labelled.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"labelled\.jsonl"):
        train(path, tmp_path / "model")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The model's folder must be there."""
    rows = [{"text": t, "label": label} for t, label in (("one", "a"), ("two", "a"), ("three", "b"), ("four", "b"))]
    with pytest.raises(ConfigurationError, match="cannot be written"):
        train(written(tmp_path / "labelled.jsonl", rows), tmp_path / "no such folder" / "model")


def test_without_scikit_learn_one_sentence_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training needs the extra, running a model does not."""
    real = importlib.import_module

    def absent(name: str, package: str | None = None) -> Any:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ConfigurationError, match=r"omnirouter\[train\]"):
        train(DATA / "train_en.jsonl", tmp_path / "model")


def test_few_one_sided_labels_take_nothing_away(tmp_path: Path) -> None:
    """Labels of two types add to what ships: the other types are still known, and both figures are told."""
    rows = [
        {"text": "the blue tin of mine swallowed my coins", "label": "topup_failed"},
        {"text": "blue tin again, coins swallowed", "label": "topup_failed"},
        {"text": "my blue tin gave half of the coins back", "label": "refund"},
    ]
    report = train(written(tmp_path / "labelled.jsonl", rows), tmp_path / "model", force=True)
    assert {"untrained", "accuracy"} <= set(report)
    tagger = Tagger.load(model=tmp_path / "model")
    assert tagger.tag("the blue tin swallowed my coins").issue_type == "topup_failed"
    assert tagger.tag("忘记密码了怎么重置").issue_type == "password_recovery"
    assert Tagger.load(issue_types=("topup_failed", "refund", "other"), model=tmp_path / "model")


def test_a_worse_model_is_not_written(tmp_path: Path) -> None:
    """Labels that contradict each other make no model."""
    rows = [{"text": "转账没到账", "label": label} for label in ("transfer_failed", "feedback", "records") * 4]
    labelled = written(tmp_path / "labelled.jsonl", [*rows, *rows[:1] * 3])
    report = train(labelled, tmp_path / "model")
    assert report["accuracy"] < report["untrained"]
    assert report["model"] == ""
    assert not (tmp_path / "model").exists()
