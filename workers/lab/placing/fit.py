"""How are the trees fitted that tell where a message goes and as what?

In: rows of signs with what was right. Out: the arrays of the model file that `router.match.learned` reads. The trees
are scikit-learn's gradient boosting, in one thread and with fixed seeds: the same rows give the same file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from router.match.forest import ARRAYS, MOST_LEAVES, ONE, Floats
from router.match.signs import NAMES
from router.tagging.classifier import pack
from workers.lab.fitting import sklearn

__all__ = ["CLASSES", "Recipe", "arrays_of", "boosted", "model_of"]

#: The classes that the second forest tells apart; by which channel a restatement came is no matter of wording.
CLASSES: Final = ("ack", "addition", "chaser", "resend")
_SEED: Final = 20260301


class Recipe(NamedTuple):
    """How many trees of how many leaves, how fast they learn, and how many rows a leaf needs."""

    trees: int = 260
    leaves: int = 12
    rate: float = 0.08
    least: int = 12
    smooth: float = 2.0


def boosted(rows: Floats, truth: npt.NDArray[Any], weights: Floats, recipe: Recipe) -> Any:
    """A fitted machine."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    machine = sklearn("ensemble").HistGradientBoostingClassifier(
        max_iter=recipe.trees, max_leaf_nodes=recipe.leaves, learning_rate=recipe.rate,
        min_samples_leaf=recipe.least, l2_regularization=recipe.smooth, max_features=0.5, early_stopping=False,
        random_state=_SEED,
    )  # fmt: skip
    return machine.fit(rows, truth, sample_weight=weights)


def arrays_of(machine: Any) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a fitted machine, by the names of `router.match.forest.ARRAYS`."""
    grown = machine._predictors
    outputs = len(grown[0])
    trees = [_tree(step[output].nodes) for output in range(outputs) for step in grown]
    most = max(len(tree[0]) for tree in trees)
    columns = [np.array([_filled(part, most, fill) for part in parts]).T
               for parts, fill in zip(list(zip(*trees, strict=True))[:3], (0, np.inf, (1 << MOST_LEAVES) - 1),
                                      strict=True)]  # fmt: skip
    leaves, covers = (np.array([_filled(tree[place], MOST_LEAVES, 0) for tree in trees]) for place in (3, 4))
    found = (
        columns[0].astype(np.int16), columns[1].astype(np.float32), columns[2].astype(np.uint16),
        np.rint(leaves * ONE).astype(np.int32), covers.astype(np.int32),
        np.round(np.asarray(machine._baseline_prediction, dtype=np.float64).ravel(), 6),
    )  # fmt: skip
    return dict(zip(ARRAYS, found, strict=True))


def _filled(part: Sequence[Any], most: int, fill: Any) -> list[Any]:
    return [*part, *[fill] * (most - len(part))]


def _tree(nodes: npt.NDArray[Any]) -> tuple[list[int], list[float], list[int], list[float], list[int]]:
    """A tree as questions with the leaves that each leaves, and its leaves from left to right."""
    signs, limits, masks, leaves, covers = list[int](), list[float](), list[int](), list[float](), list[int]()

    def walk(place: int) -> range:
        node, first = nodes[place], len(leaves)
        if node["is_leaf"]:
            leaves.append(float(node["value"]))
            covers.append(max(1, int(node["count"])))
            return range(first, first + 1)
        at = len(signs)
        signs.append(int(node["feature_idx"]))
        limits.append(float(node["num_threshold"]))
        masks.append(0)
        left = walk(int(node["left"]))
        masks[at] = ((1 << MOST_LEAVES) - 1) ^ sum(1 << leaf for leaf in left)
        walk(int(node["right"]))
        return range(first, len(leaves))

    walk(0)
    return signs, limits, masks, leaves, covers


def model_of(joins: Any, classes: Any, thresholds: Mapping[str, float], made_of: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a whole model file."""
    return {
        "format": np.array(1), "names": pack(NAMES), "classes": pack(CLASSES), "made_of": pack([made_of]),
        **{name: np.array(value) for name, value in thresholds.items()},
        **{f"joins_{name}": array for name, array in arrays_of(joins).items()},
        **{f"classes_{name}": array for name, array in arrays_of(classes).items()},
    }  # fmt: skip
