"""Whose queue is a conversation for, and in which order does a queue work?

In: the rules in order and the facts of a conversation; or the conversations of a queue and the present instant. Out: a
`Routing` with a trace of every rule tried, and why it missed; or the conversations in working order. Pure: the same
facts and the same rules give the same bytes (rules: deadlines, routing 1 to 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from router.calendar import instant
from router.clocks import from_json
from router.condition import Condition
from router.model import Conversation, Routing, Value

__all__ = ["AGEING_LIMIT", "CHASE_WEIGHT", "Rule", "effective_priority", "route", "unreachable", "working_order"]

#: What one chase adds to the order, and what ageing and chases add at most, each.
CHASE_WEIGHT, AGEING_LIMIT = 5, 100
_FAR = datetime.max.replace(tzinfo=UTC)


class Rule(Value, frozen=True, kw_only=True):
    """A rule: what fits `when` (None: everything) goes to `queue`. `deadline` names the policy tried first (`none`: no
    promise). `steps` are the needs tried in turn when an agent is chosen, as they stand in the file."""

    id: str
    when: Condition | None = None
    queue: str
    priority: int = 0
    deadline: str = ""
    tags: tuple[str, ...] = ()
    steps: tuple[Mapping[str, Any], ...] = ()


def route(rules: Sequence[Rule], default_queue: str, facts: Mapping[str, Any]) -> Routing:
    """The first rule that fits; else the default queue, as rule `default`. The trace has one line a rule tried."""
    trace = []
    for rule in rules:
        holds, why = (True, "") if rule.when is None else rule.when.test(facts)
        if holds:
            trace.append(f"rule {rule.id}: fits, queue {rule.queue}")
            return Routing(
                rule=rule.id,
                queue=rule.queue,
                priority=rule.priority,
                deadline=rule.deadline,
                tags=rule.tags,
                trace=tuple(trace),
            )
        trace.append(f"rule {rule.id}: {why}")
    trace.append(f"no rule fits: queue {default_queue}")
    return Routing(rule="default", queue=default_queue, trace=tuple(trace))


def unreachable(rules: Sequence[Rule]) -> list[tuple[int, int]]:
    """(index, index of the earlier rule that takes everything it could take) of rules that can never match."""
    found = []
    for index, rule in enumerate(rules):
        for earlier, other in enumerate(rules[:index]):
            if other.when is None or other.when.always or other.when == rule.when:
                found.append((index, earlier))
                break
    return found


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
