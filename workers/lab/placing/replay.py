"""What would the decision have seen at each message, had every message before been placed rightly?

In: a labelled sequence (`workers.lab.evaluate.sequences`) and a policy. Out: `Seen`, one a customer's message: the
signs of each of the sender's conversations, to which of them it belongs, and what it is. The sequence is decided by
the straight function itself; only where each message goes is told by its label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from router.decision.decide import decide_prepared, prepare
from router.known import Known
from router.match.claims import Evidence
from router.match.features import Reading
from router.match.forest import Floats
from router.match.identity import Identity
from router.match.join import Verdict, weighed_of
from router.match.signs import signs
from router.model import MessageClass, Redelivery
from router.policy.values import FollowUps, Policy
from workers.lab.evaluate.followups import act
from workers.lab.evaluate.sequences import message_of, place_of

__all__ = ["Seen", "replayed"]

#: What a message is not to a conversation that it joins.
_NO_CLASS: Final = ("first", "new_issue", "cross_customer", "redelivery")


class Seen(NamedTuple):
    """`rows`: the signs of each conversation; `belongs`: is it the right one; `rated`: may the trees learn of it (not
    where it joins nothing whatever it says); `class_`: what the message is, empty where it opens a conversation."""

    rows: Floats
    belongs: tuple[bool, ...]
    rated: bool
    class_: str


def replayed(sequence: Mapping[str, Any], policy: Policy) -> Iterator[Seen]:
    """What is seen at each message of a customer, in order."""
    known = Known.empty()
    placed: dict[int | str, int] = {}
    for index, item in enumerate(sequence["items"]):
        if "event" in item:
            act(item, placed[place_of(item)], known, policy)
            continue
        message, found = message_of(item, index), _Teacher(item.get("expect") or {}, placed)
        decision = decide_prepared(prepare(message, policy), known, policy, message.sent_at, placing=found)
        if isinstance(decision, Redelivery):
            placed[index] = decision.conversation
            continue
        known.absorb(decision.message, decision)
        placed[index] = decision.conversation.number
        placed.setdefault(found.letter, decision.conversation.number)
        if found.seen is not None:
            yield found.seen


class _Teacher:
    """Says where a message goes by its label, and notes what was seen."""

    def __init__(self, label: Mapping[str, Any], placed: Mapping[int | str, int]) -> None:
        self.letter: str = label.get("conversation", "")
        self.seen: Seen | None = None
        letters = (self.letter, *label.get("accept", ()))
        self._goals = [placed[letter] for letter in letters if letter in placed]
        self._class: str = label.get("class", "")

    def __call__(
        self, reading: Reading, identity: Identity, evidence: Evidence, known: Known, policy: FollowUps
    ) -> Verdict:
        weighed = weighed_of(reading, identity, evidence, known, policy)
        goal = known.conversation(self._goals[0]) if self._goals else None
        self.seen = Seen(
            rows=signs(reading, weighed), belongs=tuple(w.conversation.number in self._goals for w in weighed),
            rated=evidence.rejected is None and not reading.failed and bool(self._class),
            class_="" if goal is None or self._class in _NO_CLASS else self._class,
        )  # fmt: skip
        return Verdict(conversation=goal, class_=MessageClass(self.seen.class_ or "first"), method="truth")
