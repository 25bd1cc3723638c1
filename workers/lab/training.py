"""How does a desk's own history become a tagging model?

In: labelled messages (`workers.lab.labelled`). Out: one model file that `router.tagging.classifier` reads, and a
report: cross-validated accuracy, macro-F1, coverage at 95 % precision, confusion. Labels of the preset's types correct
the shipped model (`workers.lab.correction`). Of issue types of the desk's own a model is made that knows nothing else:
its strength and the length of its concept block are chosen on messages held back, and so are its calibration and the
probability below which a message is unsure. Needs the `train` extra, imported when used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from router.errors import ConfigurationError
from router.tagging.classifier import Model, fused, grams, pack
from router.tagging.embedding import Embedder
from router.tagging.tag import ISSUE_TYPES, Tagger
from workers.lab import fitting
from workers.lab.correction import Correction, corrected
from workers.lab.evaluate.figures import PRECISION, confusions, coverage, macro_f1
from workers.lab.labelled import Labelled, labelled_messages

__all__ = ["train"]

_CHOICES: Final = tuple(
    fitting.Recipe(strength, {"word": 1.0, "char": 0.8, "concept": concepts})
    for concepts in (0.5, 0.9, 1.4)
    for strength in (0.3, 1.0)
)
#: The choice is made on a part of a large file; the figures always come from all of it.
_ENOUGH: Final = 5_000
_FOLDS: Final = 5
#: Whatever the precision on messages held back, a label with less probability than this is unsure.
_LEAST: Final = 0.3

Progress: TypeAlias = Callable[[str, float], None]


def train(
    labelled: Path,
    out: Path,
    progress: Progress = lambda _stage, _share: None,
    embed: Path | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Fit a model to the labelled messages, write it to `out`, and report how good it is on messages held back.

    Labels of the preset's issue types are added to the shipped examples; the report then has the accuracy without them
    (`untrained`), and a model that would be right less often is not written unless `force` says so (`model` is empty
    then). With the folder of a sentence encoder in `embed`, its opinion is learned too and fused with that of the
    words; the desk's messages are all that such a model knows. `progress` hears of each stage with the share done (0 to
    1). Raises ConfigurationError when a line is wrong, there is too little to learn from, scikit-learn is missing or
    `out` cannot be written. The file appears whole or not.
    """
    messages = labelled_messages(labelled)
    adds = embed is None and len(messages) > 1 and {message.label for message in messages} <= set(ISSUE_TYPES)
    if not adds:
        _enough(labelled, Counter(message.label for message in messages))
    fitting.sklearn("svm")
    progress("features", 0.0)
    tagger = Tagger.load()
    features = [grams(*tagger.features(message.text)) for message in messages]
    if adds:
        arrays, figures = _added(corrected(messages, tagger, progress), messages)
    else:
        arrays, figures = _alone(features, messages, embed, progress)
    if "untrained" not in figures or force or figures["accuracy"] >= figures["untrained"]:
        fitting.write_model(out, arrays)
        figures |= {"model": str(out), "version": Model.load(out).version, "bytes": out.stat().st_size}
    else:
        figures |= {"model": ""}
    by_model = [Model(arrays).guess(*tagger.features(message.text)).label for message in messages[:1_000]]
    by_scikit_learn = fitting.labels_by(fitting.as_scikit_learn(arrays), features[:1_000])
    progress("done", 1.0)
    return figures | {
        "features": len(arrays["idf"]),
        "unlike_scikit_learn": sum(a != b for a, b in zip(by_model, by_scikit_learn, strict=True)),
    }


def _added(found: Correction, messages: Sequence[Labelled]) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """The model of the shipped examples and the desk's messages, and the figures of both, side by side."""
    labels = np.array([message.label for message in messages])
    figures, _ = _figures(found.held_back, labels, np.array(found.labels))
    figures["unsure_below"] = round(float(found.calibration["unsure_below"]), 4)
    right = [found.labels[place] in (m.label, *m.also)
             for place, m in zip(found.held_back.argmax(axis=1), messages, strict=True)]  # fmt: skip
    both = {"untrained": round(found.untrained, 4), "accuracy": round(sum(right) / len(right), 4)}
    return found.arrays | found.calibration, both | {key: figures[key] for key in figures if key not in both}


def _alone(
    features: Sequence[fitting.Features], messages: Sequence[Labelled], embed: Path | None, progress: Progress
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """A model of nothing but the desk's messages, and its figures."""
    labels = np.array([message.label for message in messages])
    recipe = _choose(features, labels, progress)
    progress("held back", 0.5)
    held_back = _held_back(features, labels, recipe, _FOLDS)
    progress("weights", 0.8)
    arrays = fitting.arrays_of(features, labels, recipe)
    figures, calibration = _figures(held_back, labels, np.unique(labels))
    if embed is not None:
        progress("meaning", 0.9)
        fused_figures, meaning = _meaning(embed, messages, labels, held_back * float(calibration["temperature"]))
        figures, calibration = fused_figures | {"words_alone": figures}, calibration | meaning
    return arrays | calibration, figures | {"strength": recipe.strength, "concepts": recipe.lengths["concept"]}


def _enough(path: Path, counts: Counter[str]) -> None:
    if len(counts) < 2:
        raise ConfigurationError(f"{path}: has {len(counts)} labels; at least two, with two messages each, are needed")
    label, count = min(counts.items(), key=lambda item: item[1])
    if count < 2:
        raise ConfigurationError(f"{path}: label {label!r} has one message; at least two messages a label are needed")


def _choose(features: Sequence[fitting.Features], labels: npt.NDArray[Any], progress: Progress) -> fitting.Recipe:
    """The strength of the machine and the length of the concept block that do best on messages held back."""
    if len(labels) > _ENOUGH:
        part = fitting.folds(labels, round(len(labels) / _ENOUGH))[0][1]
        counts = Counter(labels[part].tolist())
        part = [place for place in part if counts[labels[place]] >= 2]
        features, labels = [features[place] for place in part], labels[part]
    scored = []
    for number, recipe in enumerate(_CHOICES):
        progress("choice", 0.05 + 0.45 * number / len(_CHOICES))
        values = _held_back(features, labels, recipe, 3)
        scored.append((float((np.unique(labels)[values.argmax(axis=1)] == labels).mean()), *recipe[:1], number))
    return _CHOICES[max(scored)[2]]


def _held_back(
    features: Sequence[fitting.Features], labels: npt.NDArray[Any], recipe: fitting.Recipe, wanted: int
) -> fitting.Floats:
    """Decision values of every message by a machine that has not seen it."""
    values = np.zeros((len(labels), len(np.unique(labels))))
    for known, unknown in fitting.folds(labels, wanted):
        fitted = fitting.fit([features[place] for place in known], labels[known], recipe)
        values[unknown] = fitting.decisions(fitted, [features[place] for place in unknown])
    return values


def _figures(
    values: fitting.Floats, labels: npt.NDArray[Any], classes: npt.NDArray[Any]
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The report of held-back messages, and the calibration: temperature, and the threshold of 95 % precision."""
    truth = np.searchsorted(classes, labels)
    temperature = min(np.geomspace(0.5, 20.0, 60), key=lambda t: fitting.surprise(values * t, truth))
    sure = fitting.chances(values * temperature).max(axis=1).tolist()
    predicted = [str(label) for label in classes[values.argmax(axis=1)]]
    right = (values.argmax(axis=1) == truth).tolist()
    share, threshold = coverage(sure, right)
    threshold = max(threshold, _LEAST)
    figures = {
        "messages": len(labels),
        "labels": len(np.unique(labels)),
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
    share = min(np.linspace(0.0, 0.9, 19), key=lambda s: fitting.surprise(fused(logits, dense, s), truth))
    figures, calibration = _figures(fused(logits, dense, share), labels, np.unique(labels))
    weights, bias = fitting.judge(vectors, labels)
    return figures | {"embed_share": round(float(share), 2)}, {
        "embed_version": pack([embedder.version]),
        "embed_weights": weights.astype(np.float16),
        "embed_bias": bias,
        "embed_share": np.array(share),
        "embed_temperature": calibration["temperature"],
        "embed_unsure_below": calibration["unsure_below"],
    }
