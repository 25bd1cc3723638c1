"""How do a desk's own labels correct the model that ships?

In: a desk's labelled messages, all of them of the preset's issue types. Out: the weights of one model fitted to the
shipped examples and the desk's messages together, so that a few one-sided labels add what is the desk's own and take
nothing away; and how often both are right on the desk's messages, each judged by a machine that has not seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from router.tagging.classifier import Model, pack
from router.tagging.tag import EXAMPLES, Tagger
from workers.lab import fitting
from workers.lab.evaluate.figures import coverage
from workers.lab.examples import RECIPE, example_messages, features_of, weights_of
from workers.lab.labelled import Labelled

__all__ = ["Correction", "corrected"]

#: How much a message of the desk counts beside one of the shipped examples.
_OWN: Final = 1.0
_FOLDS: Final = 3
#: From so many labels on, the desk's own messages say below which probability one is unsure.
_ENOUGH: Final = 200
_SEED: Final = 20260301


class Correction(NamedTuple):
    """The arrays of the model, and for each message of the desk the opinions of a machine that has not seen it."""

    arrays: dict[str, npt.NDArray[Any]]
    labels: tuple[str, ...]
    held_back: fitting.Floats
    calibration: dict[str, npt.NDArray[Any]]
    untrained: float


def corrected(messages: Sequence[Labelled], tagger: Tagger, progress: Callable[[str, float], None]) -> Correction:
    """Fit the shipped examples and the desk's messages together. `progress` hears of each stage."""
    examples = example_messages()
    base = features_of([example.text for example in examples], tagger)
    known = np.array([example.label for example in examples])
    counts = weights_of([example.author for example in examples])
    own = features_of([message.text for message in messages], tagger)
    labels = np.array([message.label for message in messages])
    weigh = fitting.balance(known)  # a desk's labels are one-sided: they must not make its other types rarer

    def together(places: npt.NDArray[Any]) -> tuple[list[fitting.Features], npt.NDArray[Any], fitting.Floats]:
        weights = np.concatenate([counts, np.full(len(places), _OWN)])
        return [*base, *(own[i] for i in places)], np.concatenate([known, labels[places]]), weights

    classes = np.unique(known)
    values = np.zeros((len(labels), len(classes)))
    parts = np.array_split(np.random.default_rng(_SEED).permutation(len(labels)), min(_FOLDS, len(labels)))
    for number, part in enumerate(parts):
        progress("held back", 0.1 + 0.6 * number / len(parts))
        features, truth, weights = together(np.setdiff1d(np.arange(len(labels)), part))
        fitted = fitting.fit(features, truth, RECIPE, weights=weights, labels_weigh=weigh)
        values[part] = fitting.decisions(fitted, [own[i] for i in part])
    progress("weights", 0.7)
    features, truth, weights = together(np.arange(len(labels)))
    arrays = fitting.arrays_of(features, truth, RECIPE, weights, weigh)
    shipped = Model.load(EXAMPLES)
    untrained = [tagger.tag(m.text).issue_type in (m.label, *m.also) for m in messages]
    return Correction(
        arrays=arrays | {"taught": pack(sorted(set(labels.tolist())))},
        labels=tuple(classes.tolist()),
        held_back=values,
        calibration=_calibration(shipped, values, np.searchsorted(classes, labels)),
        untrained=sum(untrained) / len(untrained),
    )


def _calibration(shipped: Model, values: fitting.Floats, truth: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """That of the shipped model; with many labels of the desk, its threshold is that of the desk's own messages."""
    calibration = shipped.calibration
    if len(truth) < _ENOUGH:
        return calibration
    sure = fitting.chances(values * float(calibration["temperature"])).max(axis=1)
    _, threshold = coverage(sure.tolist(), (values.argmax(axis=1) == truth).tolist())
    return {"temperature": calibration["temperature"], "unsure_below": np.array(threshold)}
