"""How likely does a message go on with each conversation, and as what? What was learned from labelled dialogues says.

In: the file of a model (`omnirouter train followups`), rows of signs. Out: probabilities, the class, and the signs that
moved them most. Two forests: one says of each conversation by itself how likely the message belongs to it, the other
what it is to the one that it joins. `join_at` and `veto_below` are the model's own, found where a wrong merge costs
more than a missed one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from router.errors import ConfigurationError
from router.match.forest import ARRAYS, Floats, Forest
from router.match.signs import NAMES
from router.tagging.classifier import lines

__all__ = ["SHIPPED", "Learned", "learned"]

#: The model that ships with the lexicons.
SHIPPED: Final = Path(__file__).parents[1] / "lexicons" / "follow_ups.model"
FORMAT: Final = 1


class Learned:
    """A model in memory. `version` names it; `made_of` is the digest of what it was fitted to."""

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        if tuple(lines(arrays["names"])) != NAMES:
            raise ValueError("it was fitted by other signs than this version reads; fit it again")
        self.classes = tuple(lines(arrays["classes"]))
        self.join_at, self.veto_below = float(arrays["join_at"]), float(arrays["veto_below"])
        self.made_of = lines(arrays["made_of"])[0]
        self._joins = _forest(arrays, "joins")
        self._classes = _forest(arrays, "classes")
        if self._joins.outputs != 1 or self._classes.outputs != len(self.classes):
            raise ValueError("its parts do not fit together")

    @classmethod
    def load(cls, path: Path) -> Learned:
        """The model in a file; ConfigurationError with one sentence when it is no such file."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            if int(arrays["format"]) != FORMAT:
                raise ValueError(f"its format is {int(arrays['format'])}, this version reads {FORMAT}")
            return cls(arrays)
        except OSError as error:
            reason = f"{path} cannot be read ({error.strerror}); fit one with `omnirouter train followups`"
            raise ConfigurationError(f"follow_ups.model: {reason}") from error
        except (ValueError, KeyError, EOFError, AttributeError, TypeError, IndexError, zipfile.BadZipFile) as error:
            raise ConfigurationError(
                f"follow_ups.model: {path} is no model of `omnirouter train followups` ({error})"
            ) from error

    def chances(self, rows: Floats) -> tuple[list[float], npt.NDArray[np.int64]]:
        """How likely the message belongs to each conversation, to a thousandth, and the leaves that say so."""
        sums, leaves = self._joins.sums(rows)
        shares = 1 / (1 + np.exp(-sums[:, 0]))
        return [round(float(share), 4) for share in shares], leaves

    def moved(self, leaves: npt.NDArray[np.int64]) -> Floats:
        """What each sign of a row added to its chance (as a logarithm of odds), by the leaves of `chances`."""
        return self._joins.moved(leaves)

    def class_of(self, row: Floats, among: Sequence[str]) -> str:
        """The likeliest of these classes."""
        sums, _ = self._classes.sums(row[np.newaxis])
        return max(among, key=lambda name: (float(sums[0, self.classes.index(name)]), name))


def _forest(arrays: dict[str, npt.NDArray[Any]], name: str) -> Forest:
    return Forest({part: arrays[f"{name}_{part}"] for part in ARRAYS}, len(NAMES))


@lru_cache(maxsize=4)
def learned(path: Path | None = None) -> Learned:
    """The model of this file, read once; without one that which ships. Raises ConfigurationError."""
    return Learned.load(path or SHIPPED)
