"""In which order does a queue work?

In: the conversations of a queue and the present instant. Out: the same in working order. Pure; ageing and chases
change the order, never a clock (rules: deadlines, routing 6).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from router.deadlines.calendar import instant
from router.deadlines.clocks import from_json
from router.model import Conversation

__all__ = ["AGEING_LIMIT", "CHASE_WEIGHT", "effective_priority", "open_deadline", "working_order"]

#: What one chase adds to the order, and what ageing and chases add at most, each.
CHASE_WEIGHT, AGEING_LIMIT = 5, 100
_FAR = datetime.max.replace(tzinfo=UTC)


def working_order(
    conversations: Iterable[Conversation], now: datetime, ageing_minutes: float = 0
) -> list[Conversation]:
    """The conversations of a queue in the order in which to work on them.

    First those with a deadline, the one longest past or nearest first, then the others; among equals the higher
    effective priority, then the one that has waited longest. Ageing and chases change the order, never a clock.
    """

    def key(conversation: Conversation) -> tuple[datetime, float, datetime, int]:
        return (
            open_deadline(conversation) or _FAR,
            -effective_priority(conversation, now, ageing_minutes),
            conversation.waiting_since or conversation.last_message_at,
            conversation.number,
        )

    return sorted(conversations, key=key)


def effective_priority(conversation: Conversation, now: datetime, ageing_minutes: float = 0) -> float:
    """Its priority, raised by its chases and, if `ageing_minutes` is above zero, by one for each such span waited."""
    raised = conversation.priority + min(conversation.chases * CHASE_WEIGHT, AGEING_LIMIT)
    if ageing_minutes <= 0 or conversation.waiting_since is None:
        return raised
    waited = max(0.0, (now - conversation.waiting_since).total_seconds() / 60)
    return raised + min(waited / ageing_minutes, AGEING_LIMIT)


def open_deadline(conversation: Conversation) -> datetime | None:
    """The earliest deadline of its open clocks, also when it is past; the stored one if it has no clocks at hand."""
    if not conversation.clocks:
        return conversation.next_due
    runs = from_json(conversation.clocks).runs
    found = [lead.due for run in runs if not run.state and (lead := run.lead) is not None and lead.due is not None]
    return instant(min(found)) if found else None
