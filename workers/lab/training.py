"""How does a desk's own history become a tagging model?

In: labelled messages, one JSON object a line with `text` and `label` (any closed set of labels). Out: one model file
that `router.tagging.classifier` reads, and a report: cross-validated accuracy, macro-F1, coverage at 95 % precision,
confusion. The machine's strength and the length of its concept block are chosen on messages held back; so are the
calibration of the probabilities and the probability below which a message is unsure. Needs the `train` extra,
imported when used.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from router import private
from router.errors import ConfigurationError
from router.tagging.classifier import Model, fused, grams, pack
from router.tagging.embedding import Embedder
from router.tagging.tag import Tagger
from workers.lab import fitting
from workers.lab.evaluate.figures import PRECISION, confusions, coverage, macro_f1

__all__ = ["Labelled", "labelled_messages", "train", "write_model"]

_CHOICES: Final = tuple((strength, concepts) for concepts in (0.5, 0.9, 1.4) for strength in (0.3, 1.0))
#: The choice is made on a part of a large file; the figures always come from all of it.
_ENOUGH: Final = 5_000
_FOLDS: Final = 5
#: Whatever the precision on messages held back, a label with less probability than this is unsure.
_LEAST: Final = 0.3
_RIGHT: Final = '{"text": "转账没到账", "label": "transfer_failed"} would be right'

Progress: TypeAlias = Callable[[str, float], None]


class Labelled(NamedTuple):
    """One labelled message; `id` is its own or the number of its line; labels in `also` are right as well."""

    id: str | int
    text: str
    label: str
    also: tuple[str, ...] = ()


def labelled_messages(path: Path) -> list[Labelled]:
    """The labelled messages of a file; ConfigurationError with the line's number and what would be right."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    return [_labelled(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _labelled(path: Path, number: int, line: str) -> Labelled:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{path}: line {number} is no JSON; {_RIGHT}") from None
    if not isinstance(row, dict):
        raise ConfigurationError(f"{path}: line {number} is no JSON object; {_RIGHT}")
    text, label = row.get("text"), row.get("label")
    if not isinstance(text, str):
        raise ConfigurationError(f'{path}: line {number} has no "text" that is a string; {_RIGHT}')
    if not isinstance(label, str) or not label.strip() or "\n" in label.strip():
        raise ConfigurationError(f'{path}: line {number} has no "label" of one line; {_RIGHT}')
    also = row.get("also") or ()
    if not isinstance(also, list | tuple) or not all(isinstance(other, str) for other in also):
        raise ConfigurationError(
            f'{path}: line {number} has an "also" that is no list of labels; ["refund"] would be right'
        )
    identity = row.get("id", number)
    if not isinstance(identity, str | int):
        raise ConfigurationError(f'{path}: line {number} has an "id" that is neither string nor number')
    return Labelled(identity, text, label.strip(), tuple(also))


def train(
    labelled: Path, out: Path, progress: Progress = lambda _stage, _share: None, embed: Path | None = None
) -> dict[str, Any]:
    """Fit a model to the labelled messages, write it to `out`, and report how good it is on messages held back.

    With the folder of a sentence encoder in `embed`, its opinion is learned too and fused with that of the words.
    `progress` hears of each stage with the share done (0 to 1). Raises ConfigurationError when a line is wrong, there
    is too little to learn from, scikit-learn is missing or `out` cannot be written. The file appears whole or not.
    """
    messages = labelled_messages(labelled)
    _enough(labelled, Counter(message.label for message in messages))
    fitting.sklearn("svm")
    progress("features", 0.0)
    tagger = Tagger.load()
    features = [grams(*tagger.features(message.text)) for message in messages]
    labels = np.array([message.label for message in messages])
    strength, concepts = _choose(features, labels, progress)
    progress("held back", 0.5)
    held_back = _held_back(features, labels, strength, concepts, _FOLDS)
    progress("weights", 0.8)
    arrays = fitting.arrays_of(features, labels, strength, concepts)
    figures, calibration = _figures(held_back, labels)
    if embed is not None:
        progress("meaning", 0.9)
        fused_figures, meaning = _meaning(embed, messages, labels, held_back * float(calibration["temperature"]))
        figures, calibration = fused_figures | {"words_alone": figures}, calibration | meaning
    write_model(out, arrays | calibration)
    by_model = [Model(arrays | calibration).guess(*tagger.features(message.text)).label for message in messages[:1_000]]
    by_scikit_learn = fitting.labels_by(fitting.as_scikit_learn(arrays), features[:1_000])
    progress("done", 1.0)
    return figures | {
        "model": str(out),
        "version": Model.load(out).version,
        "bytes": out.stat().st_size,
        "features": len(arrays["idf"]),
        "strength": strength,
        "concepts": concepts,
        "unlike_scikit_learn": sum(a != b for a, b in zip(by_model, by_scikit_learn, strict=True)),
    }


def _enough(path: Path, counts: Counter[str]) -> None:
    if len(counts) < 2:
        raise ConfigurationError(f"{path}: has {len(counts)} labels; at least two, with two messages each, are needed")
    label, count = min(counts.items(), key=lambda item: item[1])
    if count < 2:
        raise ConfigurationError(f"{path}: label {label!r} has one message; at least two messages a label are needed")


def _choose(features: Sequence[fitting.Features], labels: npt.NDArray[Any], progress: Progress) -> tuple[float, float]:
    """Strength of the machine and length of the concept block that do best on messages held back."""
    if len(labels) > _ENOUGH:
        part = fitting.folds(labels, round(len(labels) / _ENOUGH))[0][1]
        counts = Counter(labels[part].tolist())
        part = [place for place in part if counts[labels[place]] >= 2]
        features, labels = [features[place] for place in part], labels[part]
    scored = []
    for number, (strength, concepts) in enumerate(_CHOICES):
        progress("choice", 0.05 + 0.45 * number / len(_CHOICES))
        values = _held_back(features, labels, strength, concepts, 3)
        scored.append((float((np.unique(labels)[values.argmax(axis=1)] == labels).mean()), strength, concepts))
    return max(scored)[1:]


def _held_back(
    features: Sequence[fitting.Features], labels: npt.NDArray[Any], strength: float, concepts: float, wanted: int
) -> fitting.Floats:
    """Decision values of every message by a machine that has not seen it."""
    values = np.zeros((len(labels), len(np.unique(labels))))
    for known, unknown in fitting.folds(labels, wanted):
        fitted = fitting.fit([features[place] for place in known], labels[known], strength, concepts)
        values[unknown] = fitting.decisions(fitted, [features[place] for place in unknown])
    return values


def _figures(values: fitting.Floats, labels: npt.NDArray[Any]) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The report of held-back messages, and the calibration: temperature, and the threshold of 95 % precision."""
    classes = np.unique(labels)
    truth = np.searchsorted(classes, labels)
    temperature = min(np.geomspace(0.5, 20.0, 60), key=lambda t: _surprise(values * t, truth))
    sure = _chances(values * temperature).max(axis=1).tolist()
    predicted = [str(label) for label in classes[values.argmax(axis=1)]]
    right = (values.argmax(axis=1) == truth).tolist()
    share, threshold = coverage(sure, right)
    threshold = max(threshold, _LEAST)
    figures = {
        "messages": len(labels),
        "labels": len(classes),
        "accuracy": round(sum(right) / len(right), 4),
        "macro_f1": round(macro_f1(labels.tolist(), predicted), 4),
        "coverage": round(share, 4),
        "precision": PRECISION,
        "unsure_below": round(threshold, 4),
        "confusions": confusions(labels.tolist(), predicted)[:20],
    }
    return figures, {"temperature": np.array(temperature), "unsure_below": np.array(threshold)}


def _meaning(
    folder: Path, messages: Sequence[Labelled], labels: npt.NDArray[Any], logits: fitting.Floats
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The judge of sentence vectors, the share that serves best on messages held back, and the fused figures."""
    embedder = Embedder.load(folder)
    vectors = embedder.embed([message.text for message in messages])
    dense = np.zeros_like(logits)
    for known, unknown in fitting.folds(labels, _FOLDS):
        weights, bias = fitting.judge(vectors[known], labels[known])
        dense[unknown] = vectors[unknown] @ weights + bias
    truth = np.searchsorted(np.unique(labels), labels)
    share = min(np.linspace(0.0, 0.9, 19), key=lambda s: _surprise(fused(logits, dense, s), truth))
    figures, calibration = _figures(fused(logits, dense, share), labels)
    weights, bias = fitting.judge(vectors, labels)
    return figures | {"embed_share": round(float(share), 2)}, {
        "embed_version": pack([embedder.version]),
        "embed_weights": weights.astype(np.float16),
        "embed_bias": bias,
        "embed_share": np.array(share),
        "embed_temperature": calibration["temperature"],
        "embed_unsure_below": calibration["unsure_below"],
    }


def _chances(logits: fitting.Floats) -> fitting.Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: fitting.Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _surprise(logits: fitting.Floats, truth: npt.NDArray[Any]) -> float:
    return float(-np.log(_chances(logits)[np.arange(len(truth)), truth] + 1e-12).mean())


def write_model(out: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Write the model beside its place, then move it there."""
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with open(beside, "wb", opener=private.opener) as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        beside.replace(out)
    except OSError as error:
        raise ConfigurationError(f"{out}: the model cannot be written ({error})") from error
    finally:
        beside.unlink(missing_ok=True)
