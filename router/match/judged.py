"""How likely does a message belong to each conversation of its sender, and what moved that most?

In: the conversations as they were compared with it, the model. Out: `Judged`: the same, the likeliest first, with their
chances, the thresholds that hold for this desk, and the reasons in words for those that are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from router.match.features import Reading
from router.match.forest import Floats
from router.match.learned import Learned
from router.match.sign_words import words_of
from router.match.signs import signs
from router.match.weighed import Weighed
from router.model import Candidate
from router.policy.values import FollowUps

__all__ = ["Judged"]

_SHOWN = 5
#: So many signs are told of each conversation.
_TOLD = 3


class Judged:
    """`weighed`: all conversations, the likeliest first. From `join_at` on one is joined, below `veto_below` not even
    suggested."""

    __slots__ = ("_leaves", "_model", "_rows", "join_at", "veto_below", "weighed")

    def __init__(
        self, weighed: Sequence[Weighed], rows: dict[int, Floats], leaves: dict[int, npt.NDArray[Any]], model: Learned,
        policy: FollowUps,
    ) -> None:  # fmt: skip
        self.weighed = weighed
        self.join_at = model.join_at if policy.join_at is None else policy.join_at
        vetoed = model.veto_below if policy.veto_below is None else policy.veto_below
        self.veto_below = min(vetoed, self.join_at)
        self._rows, self._leaves, self._model = rows, leaves, model

    @classmethod
    def of(cls, reading: Reading, weighed: Sequence[Weighed], model: Learned, policy: FollowUps) -> Judged:
        """Judge these conversations."""
        if not weighed:
            return cls(weighed, {}, {}, model, policy)
        rows = signs(reading, weighed)
        chances, leaves = model.chances(rows)
        for one, chance in zip(weighed, chances, strict=True):
            one.chance = 1.0 if one.same_id else chance
        order = sorted(range(len(weighed)), key=lambda n: -weighed[n].chance)
        found = [weighed[n] for n in order]
        return cls(found, {id(w): rows[n] for n, w in enumerate(weighed)},
                   {id(w): leaves[n] for n, w in enumerate(weighed)}, model, policy)  # fmt: skip

    @property
    def fitting(self) -> list[Weighed]:
        """Those that an ordinary message may join and no rule forbids, the likeliest first."""
        return [one for one in self.weighed if one.live and not one.forbidden]

    def class_of(self, one: Weighed, among: Sequence[str]) -> str:
        """The likeliest class, of these, of the message in this conversation."""
        return self._model.class_of(self._rows[id(one)], among)

    def shown(self, chosen: Weighed | None = None) -> tuple[Candidate, ...]:
        """The likeliest conversations and the chosen one, as they are stored; that one and the likeliest are explained
        by the signs that moved them, the others by rules alone."""
        found = list(self.weighed[:_SHOWN])
        if chosen is not None and chosen not in found:
            found.append(chosen)
        for one in {id(w): w for w in (chosen or found[0], *found[:1])}.values() if found else ():
            self._tell(one)
        return tuple(one.candidate() for one in found)

    def _tell(self, one: Weighed) -> None:
        moved = self._model.moved(self._leaves[id(one)])
        told: dict[str, float] = {}
        row = self._rows[id(one)]
        for place in np.argsort(-np.abs(moved), kind="stable")[: 2 * _TOLD].tolist():
            words = words_of(place, float(row[place]))
            told[words] = told.get(words, 0) + float(moved[place])
        best = sorted(told.items(), key=lambda item: -abs(item[1]))[:_TOLD]
        one.moved = tuple(f"{words} ({weight:+.2f})" for words, weight in best)
