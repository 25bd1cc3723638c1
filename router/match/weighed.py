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
    """A conversation while it is weighed. `live`: an ordinary message may join it; `conflict`: something forbids it;
    `answered`: the message answers it by right, and its words surely state no other matter. `other_number`: it names
    an order or a transaction that is not this one's. `answers_after`: so long ago the desk spoke, if it spoke last."""

    __slots__ = (
        "akin", "answered", "answers_after", "conflict", "conversation", "live", "memory", "other_number", "overlap",
        "reasons", "same_amount", "same_id", "same_subject", "same_text", "same_type", "score", "shared",
    )  # fmt: skip

    def __init__(self, conversation: Conversation, live: bool) -> None:
        self.conversation = conversation
        self.memory = Memory(conversation.matter)
        self.live = live
        self.score = 0.0
        self.reasons: list[tuple[str, float]] = []
        self.same_amount = self.same_id = self.same_text = self.same_type = self.akin = self.conflict = False
        self.same_subject = False
        self.answered = self.other_number = False
        self.overlap = self.shared = 0.0
        self.answers_after: timedelta | None = None

    def add(self, weight: float, reason: str) -> None:
        """Something speaks for it, or against it."""
        self.score += weight
        self.reasons.append((reason, weight))

    @property
    def types(self) -> Sequence[str]:
        """The issue types of what was written in it."""
        return self.memory.types or (self.conversation.issue_type,)

    def candidate(self) -> Candidate:
        """The candidate as it is stored and explained."""
        score = round(min(1.0, max(0.0, self.score)), 3)
        words = tuple(f"{reason} ({weight:+.2f})" for reason, weight in self.reasons)
        return Candidate(conversation=self.conversation.number, score=score, reasons=words)


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
