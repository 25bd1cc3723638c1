"""How are the weights of a tagging model found?

In: features by block (`router.tagging.classifier.grams`) and labels. Out: decision values of messages held back, and
the arrays of a model file. All of scikit-learn is here: tf-idf vectorizers, a linear support vector machine
(beside which a naive Bayes may have a share), stratified folds. Weights are rounded to one byte before anything is
compared, and `as_scikit_learn` gives the rounded model back as scikit-learn objects, so that equality of the labels is
a matter of fact.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from router import private
from router.errors import ConfigurationError
from router.tagging.classifier import BLOCKS, FORMAT, lines, pack

__all__ = [
    "Fitted", "Recipe", "arrays_of", "as_scikit_learn", "balance", "chances", "decisions", "directions", "fit", "folds",
    "judge", "labels_by", "sklearn", "surprise", "write_model",
]  # fmt: skip

#: At most this many weights of one byte: with their vocabulary they stay within 6 MB.
MOST_WEIGHTS: Final = 4_700_000
#: From this many messages on, what occurs in one message only is left out.
_LARGE: Final = 500
_SEED: Final = 20260301
#: How far the spread of sentence vectors is drawn towards a round one.
_SHRINK: Final = 0.15

Features: TypeAlias = Mapping[str, list[str]]
Floats: TypeAlias = npt.NDArray[np.float64]


class Recipe(NamedTuple):
    """How a machine is fitted: its strength (C), the length of each block, whether rare labels weigh as much as
    frequent ones, and the share of the naive Bayes that is added to it (of three labels or more)."""

    strength: float
    lengths: Mapping[str, float]
    balanced: bool = False
    bayes: float = 0.0


class Fitted(NamedTuple):
    """What scikit-learn learned: vectorizers by block, the length of each block, the machine."""

    vectorizers: dict[str, Any]
    lengths: dict[str, float]
    machine: Any


def sklearn(module: str) -> Any:
    """A module of scikit-learn; one sentence when it is not installed."""
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError as error:
        raise ConfigurationError('training needs scikit-learn: pip install "omnirouter[train]"') from error


def folds(labels: npt.NDArray[Any], wanted: int) -> list[tuple[Any, Any]]:
    """Stratified folds (known, unknown), as many as the rarest label allows; the same on every run."""
    least = min(Counter(labels.tolist()).values())
    split = sklearn("model_selection").StratifiedKFold(max(2, min(wanted, least)), shuffle=True, random_state=_SEED)
    return list(split.split(np.zeros(len(labels)), labels))


def fit(
    features: Sequence[Features],
    labels: npt.NDArray[Any],
    recipe: Recipe,
    vocabularies: Mapping[str, list[str]] | None = None,
    weights: Floats | None = None,
    labels_weigh: Mapping[str, float] | None = None,
) -> Fitted:
    """A machine by this recipe, over all features or the given ones; `weights` says how much each message counts, and
    `labels_weigh` how much each label, where the recipe balances them (by default: the rarer, the more)."""
    given = vocabularies or {}
    vectorizers = {block: _vectorizer([f[block] for f in features], given.get(block)) for block in BLOCKS}
    table = _matrix(vectorizers, recipe.lengths, features)
    machine = sklearn("svm").LinearSVC(
        C=recipe.strength,
        class_weight=(labels_weigh or "balanced") if recipe.balanced else None,
        random_state=_SEED,
        max_iter=3_000,
        tol=1e-3 if recipe.balanced else 1e-4,
    )
    machine.fit(table, labels, sample_weight=weights)
    if recipe.bayes and len(machine.classes_) > 2:
        machine.coef_ += recipe.bayes * _bayes(table, labels, weights)
    return Fitted(vectorizers, dict(recipe.lengths), machine)


def _bayes(table: Any, labels: npt.NDArray[Any], weights: Floats | None) -> Floats:
    """What a naive Bayes says of each feature, a row a label, as much above as below nothing."""
    machine = sklearn("naive_bayes").ComplementNB(alpha=0.3).fit(table, labels, sample_weight=weights)
    told = np.asarray(machine.feature_log_prob_)
    centred: Floats = told - told.mean(axis=0)
    return centred


def decisions(fitted: Fitted, features: Sequence[Features]) -> Floats:
    """Decision values, a row a message, a column a label (also where there are only two)."""
    raw = np.asarray(fitted.machine.decision_function(_matrix(fitted.vectorizers, fitted.lengths, features)))
    return np.stack([-raw, raw], axis=1) if raw.ndim == 1 else raw


def labels_by(fitted: Fitted, features: Sequence[Features]) -> list[str]:
    """The labels that scikit-learn predicts."""
    predicted = fitted.machine.predict(_matrix(fitted.vectorizers, fitted.lengths, features))
    return [str(label) for label in predicted]


def balance(labels: npt.NDArray[Any]) -> dict[str, float]:
    """How much each label weighs, so that rare ones count as much as frequent ones."""
    counts = Counter(labels.tolist())
    return {label: len(labels) / (len(counts) * count) for label, count in counts.items()}


def directions(vectors: Floats, labels: npt.NDArray[Any], weights: Floats) -> tuple[Floats, Floats]:
    """Weights and biases of logits, by which sentence vectors tell many labels apart: the means of the labels, measured
    by the spread that all share (linear discriminants, shrunk). Closed form: fast, and the same on every run."""
    classes = np.unique(labels)
    means = np.stack([np.average(vectors[labels == c], axis=0, weights=weights[labels == c]) for c in classes])
    rest = vectors - means[np.searchsorted(classes, labels)]
    spread = (rest * weights[:, None]).T @ rest / weights.sum()
    size = len(spread)
    spread = (1 - _SHRINK) * spread + _SHRINK * np.trace(spread) / size * np.eye(size)
    found: Floats = np.linalg.solve(spread, means.T)
    return found, -0.5 * np.einsum("ld,dl->l", means, found)


def judge(vectors: Floats, labels: npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """Weights and biases of logits, by which sentence vectors tell the labels apart (logistic regression)."""
    machine = sklearn("linear_model").LogisticRegression(C=20.0, max_iter=2_000).fit(vectors, labels)
    weights, bias = np.asarray(machine.coef_), np.asarray(machine.intercept_)
    if len(machine.classes_) == 2:
        weights, bias = np.vstack([-weights / 2, weights / 2]), np.concatenate([-bias / 2, bias / 2])
    return weights.T, bias


def arrays_of(
    features: Sequence[Features],
    labels: npt.NDArray[Any],
    recipe: Recipe,
    weights: Floats | None = None,
    labels_weigh: Mapping[str, float] | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """The weights of a model file, fitted to all messages, cut to what weighs most and rounded to a byte."""
    fitted = fit(features, labels, recipe, weights=weights, labels_weigh=labels_weigh)
    most = max(1, MOST_WEIGHTS // max(2, len(fitted.machine.classes_)))
    names = [(block, str(gram)) for block in BLOCKS for gram in fitted.vectorizers[block].get_feature_names_out()]
    if len(names) > most:
        order = np.argsort(-np.abs(fitted.machine.coef_).max(axis=0), kind="stable")[:most]
        chosen = [names[place] for place in sorted(order.tolist())]
        kept = {block: [gram for of, gram in chosen if of == block] or ["-"] for block in BLOCKS}
        fitted = fit(features, labels, recipe, kept, weights, labels_weigh)
    return _rounded(fitted)


def as_scikit_learn(arrays: Mapping[str, npt.NDArray[Any]]) -> Fitted:
    """A model file's arrays as scikit-learn objects: what they predict is what the model must predict."""
    vectorizers, first = {}, 0
    for block in BLOCKS:
        vocabulary = lines(arrays[f"vocabulary_{block}"])
        vectorizers[block] = _vectorizer([[]], vocabulary)
        vectorizers[block].idf_ = arrays["idf"][first : first + len(vocabulary)].astype(np.float64)
        first += len(vocabulary)
    machine = sklearn("svm").LinearSVC()
    machine.classes_ = np.array(lines(arrays["labels"]))
    machine.coef_ = arrays["weights"].T.astype(np.float64) * arrays["scale"][:, None]
    machine.intercept_ = arrays["bias"]
    if len(machine.classes_) == 2:
        machine.coef_, machine.intercept_ = machine.coef_[1:], machine.intercept_[1:]
    return Fitted(vectorizers, dict(zip(BLOCKS, arrays["lengths"].tolist(), strict=True)), machine)


def _rounded(fitted: Fitted) -> dict[str, npt.NDArray[Any]]:
    machine = fitted.machine
    weights, bias = np.asarray(machine.coef_), np.asarray(machine.intercept_)
    if len(machine.classes_) == 2:
        weights, bias = np.vstack([-weights, weights]), np.concatenate([-bias, bias])
    scale = np.maximum(np.abs(weights).max(axis=1), 1e-12) / 127.0
    arrays: dict[str, npt.NDArray[Any]] = {
        "format": np.array(FORMAT),
        "labels": pack([str(label) for label in machine.classes_]),
        "weights": np.rint(weights.T / scale).astype(np.int8),
        "scale": scale,
        "bias": bias,
        "idf": np.concatenate([fitted.vectorizers[block].idf_ for block in BLOCKS]).astype(np.float32),
        "lengths": np.array([fitted.lengths[block] for block in BLOCKS]),
    }
    for block in BLOCKS:
        arrays[f"vocabulary_{block}"] = pack([str(g) for g in fitted.vectorizers[block].get_feature_names_out()])
    digest = hashlib.sha256(arrays["weights"].tobytes() + arrays["labels"].tobytes())
    return arrays | {"version": pack([f"model-{digest.hexdigest()[:12]}"])}


def _itself(grams: list[str]) -> list[str]:
    return grams


def _vectorizer(texts: Sequence[list[str]], vocabulary: list[str] | None) -> Any:
    """A fitted tf-idf vectorizer over ready-made features; by default over all that are frequent enough."""
    if vocabulary is None:
        seen = Counter(gram for found in texts for gram in set(found))
        least = 2 if len(texts) >= _LARGE else 1
        vocabulary = sorted(gram for gram, count in seen.items() if count >= least and "\n" not in gram) or ["-"]
    tfidf = sklearn("feature_extraction.text").TfidfVectorizer
    return tfidf(analyzer=_itself, vocabulary=vocabulary, binary=True).fit(texts)


def _matrix(vectorizers: Mapping[str, Any], lengths: Mapping[str, float], features: Sequence[Features]) -> Any:
    sparse = importlib.import_module("scipy.sparse")
    return sparse.hstack([vectorizers[b].transform([f[b] for f in features]) * lengths[b] for b in BLOCKS], "csr")


def chances(logits: Floats) -> Floats:
    """The probabilities of rows of logits."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares


def surprise(logits: Floats, truth: npt.NDArray[Any]) -> float:
    """How surprising the truth is to these logits, at the mean: what a calibration makes small."""
    return float(-np.log(chances(logits)[np.arange(len(truth)), truth] + 1e-12).mean())


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
