"""What is known of a conversation while a message is weighed against it?

In: the conversation, and whether an ordinary message may join it. Out: `Weighed`, which gathers the score with its
reasons in words, and what the two share (filled by `router.match.score`); and two questions to a conversation
that many ask: may it be gone on with, and did the desk speak last?
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from router.match.fingerprint import Memory
from router.model import Candidate, Conversation, Status

__all__ = ["Weighed", "is_live", "spoken_to"]


class Weighed:
    """A conversation while it is weighed. `live`: an ordinary message may join it; `conflict`: something speaks against
    it; `forbidden`: a rule does, whatever else speaks for it. `answered`: the message answers it by right.
    `other_number`: it names an order or a transaction that is not this one's. `features` are those of the message,
    `overlap` the share of them that was said before, `shared` what the words of this matter are worth that were.
    `chance`: how likely the message belongs to it; `moved`: the signs that say so; `rules`: what rules say."""

    __slots__ = (
        "akin", "answered", "chance", "conflict", "conversation", "features", "forbidden", "live", "memory", "moved",
        "other_number", "overlap", "rules", "same_amount", "same_code", "same_id", "same_subject", "same_text",
        "same_type", "shared",
    )  # fmt: skip

    def __init__(self, conversation: Conversation, live: bool) -> None:
        self.conversation = conversation
        self.memory = Memory(conversation.matter)
        self.live = live
        self.rules: list[str] = []
        self.same_amount = self.same_id = self.same_text = self.same_type = self.akin = self.conflict = False
        self.same_subject = self.same_code = self.forbidden = False
        self.chance = 0.0
        self.moved: tuple[str, ...] = ()
        self.answered = self.other_number = False
        self.overlap = self.shared = 0.0
        self.features: frozenset[int] = frozenset()

    @property
    def types(self) -> Sequence[str]:
        """The issue types of what was written in it."""
        return self.memory.types or (self.conversation.issue_type,)

    def rule(self, reason: str) -> None:
        """A rule forbids it, whatever else speaks for it."""
        self.conflict = self.forbidden = True
        self.rules.append(reason)

    def candidate(self) -> Candidate:
        """The candidate as it is stored and explained: what rules say, and the signs that moved its chance most."""
        reasons = tuple(dict.fromkeys((*self.rules, *self.moved)))
        return Candidate(conversation=self.conversation.number, score=round(self.chance, 3), reasons=reasons)


def is_live(conversation: Conversation, at: datetime, window: timedelta) -> bool:
    """Is it open, or ended so lately that it may be reopened?"""
    if conversation.status not in (Status.SOLVED, Status.CLOSED):
        return True
    ended = conversation.closed_at or conversation.solved_at or conversation.last_message_at
    return at - ended <= window


def spoken_to(conversation: Conversation) -> bool:
    """Did the desk speak last?"""
    out, into = conversation.last_out_at, conversation.last_in_at
    return out is not None and (into is None or out >= into)
