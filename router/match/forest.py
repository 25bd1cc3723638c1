"""What do fitted trees say of a row of numbers, and which of the numbers moved them most?

In: the arrays of a forest (`arrays_of` in `workers.lab.placing.fit` makes them) and rows in the order in which it was
fitted. Out: a sum of leaves for each row and output, and what each number added to it. Every inner node is asked at
once: a node whose question fails rules the leaves of its left side out, and the first leaf that is left is the tree's
answer. Leaves are whole numbers, so sums are the same on every machine. Only numpy is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["ARRAYS", "MOST_LEAVES", "ONE", "Floats", "Forest"]

Floats: TypeAlias = npt.NDArray[np.float64]
#: What a leaf of 1.0 is.
ONE: Final = 1 << 20
#: Leaves are counted by the bits of a word.
MOST_LEAVES: Final = 16
#: The names of a forest's arrays: of inner nodes (a row a question, a column a tree) and of leaves (a row a tree).
ARRAYS: Final = ("signs", "limits", "masks", "leaves", "covers", "base")

_LOWEST: Final = np.array([(n & -n).bit_length() - 1 if n else 0 for n in range(1 << MOST_LEAVES)], dtype=np.int64)
_ALL: Final = np.uint16((1 << MOST_LEAVES) - 1)


class Forest:
    """Trees of one or several outputs; the trees of an output lie side by side.

    `signs`: which number a node asks of; `limits`: it goes left up to this; `masks`: the leaves that are left when it
    goes right; `leaves`: what each leaf adds, in parts of `ONE`; `covers`: how many rows it was fitted to; `base`:
    where the sum of each output begins.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]], width: int) -> None:
        self.outputs = len(arrays["base"])
        self._signs = arrays["signs"].astype(np.int64)
        self._limits = arrays["limits"].astype(np.float32)
        self._asked = np.ascontiguousarray(self._signs.ravel())
        self._gone = ~arrays["masks"].astype(np.uint16)
        self._leaves = arrays["leaves"].astype(np.int64).ravel()
        self._base = arrays["base"].astype(np.float64)
        trees = self._signs.shape[1]
        if arrays["leaves"].shape != (trees, MOST_LEAVES) or trees % self.outputs or self._signs.max() >= width:
            raise ValueError("its parts do not fit together")
        self._first = np.arange(trees) * MOST_LEAVES
        self._added = _added(arrays, width)

    def sums(self, rows: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
        """The sum of each row and output, and the leaf of each row and tree."""
        asked = rows.astype(np.float32).take(self._asked, axis=1).reshape(len(rows), *self._limits.shape)
        ruled_out = np.bitwise_or.reduce((asked > self._limits) * self._gone, axis=1)
        leaves = _LOWEST.take(~ruled_out) + self._first
        values = self._leaves.take(leaves).reshape(len(rows), self.outputs, -1).sum(axis=2)
        return values / ONE + self._base, leaves

    def moved(self, leaves: npt.NDArray[np.int64], output: int = 0) -> Floats:
        """What each number of a row added to the sum of an output, by the leaves that it came to."""
        share = len(leaves) // self.outputs
        mine = self._added.take(leaves[output * share : (output + 1) * share], axis=0)
        found: Floats = mine.sum(axis=0).astype(np.float64)
        return found


def _added(arrays: Mapping[str, npt.NDArray[Any]], width: int) -> npt.NDArray[np.float32]:
    """For each leaf what each number adds on the way to it: the change of the mean of the leaves below, node by node.

    A node's mask names the leaves of its left side, and nodes stand before those below them: so the tree itself needs
    not be stored.
    """
    signs, leaves, covers = arrays["signs"].T.tolist(), arrays["leaves"] / ONE, arrays["covers"].astype(np.float64)
    gone = (~arrays["masks"].T & _ALL).tolist()
    table = np.zeros((len(signs) * MOST_LEAVES, width), dtype=np.float32)
    for tree, asked in enumerate(signs):
        worth = np.concatenate([[0.0], np.cumsum(leaves[tree] * covers[tree])]).tolist()
        weight = np.concatenate([[0.0], np.cumsum(covers[tree])]).tolist()
        part = table[tree * MOST_LEAVES : (tree + 1) * MOST_LEAVES]
        under = [range(int((covers[tree] > 0).sum()))]
        for sign, left in zip(asked, gone[tree], strict=True):
            if left:
                whole = under.pop()
                middle = whole.start + left.bit_count()
                sides = (range(middle, whole.stop), range(whole.start, middle))
                mean = _mean(whole, worth, weight)
                for side in sides:
                    part[side.start : side.stop, sign] += _mean(side, worth, weight) - mean
                under += [side for side in sides if len(side) > 1]
    return table


def _mean(under: range, worth: list[float], weight: list[float]) -> float:
    return (worth[under.stop] - worth[under.start]) / (weight[under.stop] - weight[under.start])
