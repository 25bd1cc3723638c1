"""What does an act of the desk, or a customer's message, change in a conversation's state and clocks?

In: a conversation, the act with its instant, the policy. Out: the conversation after it, with its clocks moved on and
their cached answers (`next_due`, `next_wake_at`, `breached`). Pure, so that the ledger, the pipeline and an evaluation
without any database give the same (rules: deadlines, 6 to 12).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from router.conversation.assignment import passes_on
from router.conversation.closing import look_at
from router.conversation.transitions import ENDED, unheld, waiting_from, with_status
from router.deadlines import fold
from router.deadlines.calendar import instant
from router.deadlines.fold import ClockEvent
from router.deadlines.promise import REPLY_METRICS
from router.deadlines.transitions import short_id
from router.match.fingerprint import spoken
from router.model import Conversation, Status
from router.policy.values import Policy

__all__ = ["ENDED", "attributes", "let_go", "note_taken", "reply_given", "reply_id", "status_set", "ticked", "woken"]

def reply_given(
    conversation: Conversation, at: datetime, text: str, policy: Policy, *, seen_at: datetime | None = None,
    automatic: bool = False, event_id: str = "", state: str = "", others: Collection[str] = (),
) -> Conversation:  # fmt: skip
    """The conversation after a public reply at `at` (aware). A human's ends the wait and the reply clocks; an
    automatic one ends only the metrics that the policy lists. Whether `text` asks for something is remembered, since
    what comes next is likely the answer. `state` (of `router.reply_states`) with the id `reply_id` gives is how far
    it has come, where that may change; without one it was said elsewhere and stands. `others` are the clocks' ids of
    messages of somebody else: whoever wrote them waits on (rule 9 of follow-ups)."""
    after = replace(
        conversation,
        last_message_at=max(conversation.last_message_at, at),
        last_out_at=conversation.last_out_at if automatic else _later(conversation.last_out_at, at),
        matter=conversation.matter if automatic else spoken(conversation.matter, text, policy.tagger),
    )
    if automatic:
        return ticked(after, ClockEvent(type="auto_reply", at=at, seen_at=seen_at, id=event_id, to=state), policy)
    left = _left_waiting(conversation, others)
    after = waiting_from(after, min(left.values(), default=None))
    event = ClockEvent(type="agent_reply", at=at, seen_at=seen_at, id=event_id, to=state, ids=tuple(left))
    return ticked(after, event, policy)


def _left_waiting(conversation: Conversation, others: Collection[str]) -> dict[str, datetime]:
    """Those of these messages that have no answer yet, with their times."""
    ids = {short_id(one) for one in others}
    runs = fold.from_json(conversation.clocks).runs if ids else ()
    open_runs = (run for run in runs if not run.state and run.metric in REPLY_METRICS)
    return {p.id: instant(p.at) for run in open_runs for p in run.pledges if p.id in ids}


def reply_id(number: int) -> str:
    """The id under which the clocks know a reply of the desk."""
    return f"m{number}"


def note_taken(conversation: Conversation, at: datetime, policy: Policy) -> Conversation:
    """The conversation after an internal note: nobody outside sees it, so no clock ends."""
    after = replace(conversation, last_message_at=max(conversation.last_message_at, at))
    return ticked(after, ClockEvent(type="internal_note", at=at), policy)


def status_set(conversation: Conversation, to: Status, at: datetime, policy: Policy) -> Conversation:
    """The conversation after a status was set at `at` (aware). An end ends the wait and lets go of its holder and of a
    pinned queue."""
    to = Status(to)
    if to == conversation.status:
        return unheld(conversation) if to in ENDED else conversation
    return ticked(with_status(conversation, to, at), ClockEvent(type="status", at=at, to=to.value), policy)


def ticked(conversation: Conversation, event: ClockEvent, policy: Policy) -> Conversation:
    """The conversation with its clocks moved on by one event, and what they say cached beside them."""
    before = fold.from_json(conversation.clocks)
    clocks = fold.advance(before, event, policy.promises)
    due = fold.next_due(clocks)
    wake = fold.next_wake(clocks, policy.promises, event.seen_at or event.at)
    told = replace(conversation, clocks=fold.to_json(clocks), next_due=due, breached=bool(clocks.log))
    return woken(told, wake, look_at(told, policy), policy)


def woken(
    conversation: Conversation, clocks_at: datetime | None, quiet_at: datetime | None, policy: Policy
) -> Conversation:
    """The conversation with the next instant at which the timekeeper must look at it: when its clocks speak, when it
    has been quiet for too long, or when nobody has taken it for too long."""
    passed = passes_on(conversation, policy)
    found = (clocks_at, quiet_at, None if passed is None else passed[0])
    return replace(conversation, next_wake_at=min((at for at in found if at is not None), default=None))


def let_go(conversation: Conversation, policy: Policy) -> Conversation:
    """The conversation that nobody holds any more: somebody else may take it, or it is handed on."""
    free = unheld(conversation)
    passed = passes_on(free, policy)
    if passed is None or (free.next_wake_at is not None and free.next_wake_at <= passed[0]):
        return free
    return replace(free, next_wake_at=passed[0])


def attributes(conversation: Conversation, contact: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a conversation that deadline policies and rules read; `contact` are the contact's attributes."""
    facts: dict[str, Any] = {
        "issue_type": conversation.issue_type,
        "confidence": conversation.confidence,
        "unsure": conversation.unsure,
        "flags": conversation.flags,
        "tags": conversation.tags,
        "language": conversation.language,
        "priority": conversation.priority,
        "chases": conversation.chases,
    }
    for name, value in contact.items():
        facts[f"contact.{name}"] = value
    return facts


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other > one else one
