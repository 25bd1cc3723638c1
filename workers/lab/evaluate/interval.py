"""Between which values does a measured share lie?

In: groups of right and wrong answers, one an author or one alone. Out: the range that holds the mean of the groups'
shares in 95 of 100 draws with replacement; the same on every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["interval"]

_SEED: Final = 20260301
_DRAWS: Final = 2_000


def interval(groups: Sequence[npt.NDArray[np.bool_] | Sequence[bool]]) -> str:
    """The range as words, `0.732 to 0.759`; empty where a group is."""
    chance = np.random.default_rng(_SEED)
    tables = [np.asarray(group, dtype=bool) for group in groups]
    if not tables or not all(map(len, tables)):
        return ""
    means = np.mean([chance.choice(table, (_DRAWS, len(table))).mean(axis=1) for table in tables], axis=0)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{low:.3f} to {high:.3f}"
