"""Which deadlines are due now, and what do they set off? The timekeeper's transaction.

It also ends what is quiet and hands on what nobody takes (router.desk.duties.inactivity). Conversations are found by
the index on `next_wake_at`, never by scanning. Each warning, breach and ladder step fires once: what fired
is remembered in the conversation's clocks, in the transaction of its event and outbox rows (rules: deadlines, 16, 17).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import bindparam, select

from router.conversation.acts import woken
from router.conversation.rerouting import escalated
from router.conversation.transitions import unheld
from router.deadlines import fold
from router.deadlines.fold import Firing
from router.desk.duties.inactivity import end_what_is_quiet, hand_on
from router.desk.ledger import Ledger
from router.events import (
    ConversationEscalated,
    ConversationReleased,
    DeadlineBreach,
    DeadlineStep,
    DeadlineWarning,
    Event,
    Told,
)
from router.model import Conversation
from router.ref import ref_of
from router.store import tables as t
from router.store.change import Change, Outgoing
from router.store.codec import CONVERSATION_COLUMNS, conversation_of
from router.store.locking import lock_contacts
from router.store.read.history import remember
from router.store.read.people import contact_of_number
from router.store.statement import Statement, Tx, member
from router.store.tables import instant, micros

__all__ = ["Woken", "next_wake_at", "settle_history", "wake"]

_C = t.conversations.c
_due = Statement(
    select(_C.number, _C.contact)
    .where(_C.next_wake_at.is_not(None), _C.next_wake_at <= bindparam("present", type_=t.Instant.impl()))
    .order_by(_C.next_wake_at)
    .limit(bindparam("rows"))
)
_next = Statement(select(_C.next_wake_at).where(_C.next_wake_at.is_not(None)).order_by(_C.next_wake_at).limit(1))
_states = Statement(select(*CONVERSATION_COLUMNS).where(member(_C.number, "numbers")).order_by(_C.number))


class Woken(msgspec.Struct, frozen=True):
    """What one round came to: conversations looked at, firings by kind."""

    conversations: int = 0
    fired: tuple[str, ...] = ()


def next_wake_at(ledger: Ledger) -> datetime | None:
    """When the next clock wants to be looked at."""
    with ledger.database.read() as tx:
        row = tx.one(_next)
    return None if row is None else instant(row[0])


def wake(ledger: Ledger, now: datetime, limit: int = 200) -> Woken:
    """Fire what is due at `now` in at most `limit` conversations, in one transaction."""

    def work(tx: Tx) -> Woken:
        due = tx.rows(_due, present=micros(now), rows=limit)
        return _fire(tx, ledger, [row[0] for row in due], [row[1] for row in due], now, history=False)

    with ledger.database.read() as tx:
        if not tx.rows(_due, present=micros(now), rows=1):
            return Woken()
    return ledger.again(work)


def settle_history(ledger: Ledger, numbers: Collection[int], now: datetime, page: int = 500) -> Woken:
    """Look at the clocks of recorded conversations up to the newest message: breaches are recorded, nothing goes
    out."""
    ledger.again(lambda tx: remember(tx, now))
    fired: list[str] = []
    ordered = sorted(numbers)
    for start in range(0, len(ordered), page):
        part = ordered[start : start + page]
        woken = ledger.again(partial(_fire, ledger=ledger, numbers=part, contacts=[], now=now, history=True))
        fired.extend(woken.fired)
    return Woken(len(ordered), tuple(fired))


def _fire(
    tx: Tx, ledger: Ledger, numbers: Collection[int], contacts: Collection[int], now: datetime, *, history: bool
) -> Woken:
    if not numbers:
        return Woken()
    if contacts:
        lock_contacts(tx, contacts)
    effects = ledger.change(history=history)
    fired: list[str] = []
    for c in map(conversation_of, tx.rows(_states, numbers=list(numbers))):
        fired += _fire_one(tx, ledger, c, effects, now, history=history)
    ledger.write(tx, effects, now)
    ledger.bell.ring_in(tx, "outbox")
    return Woken(len(numbers), tuple(fired))


def _fire_one(tx: Tx, ledger: Ledger, c: Conversation, effects: Change, now: datetime, *, history: bool) -> list[str]:
    promises = ledger.policy.promises
    firings, clocks = fold.firings(fold.from_json(c.clocks), promises, now)
    kinds: list[str] = [firing.kind for firing in firings]
    told, breached = fold.to_json(clocks), c.breached or "breach" in kinds
    if history:
        for firing in firings:
            _follow(tx, ledger, c, firing, effects, now, history=True)
        due = fold.next_due(clocks)
        effects.put(replace(c, clocks=told, breached=breached, next_due=due, next_wake_at=None))
        return kinds
    after = replace(c, clocks=told, breached=breached)
    for firing in firings:
        after = _follow(tx, ledger, after, firing, effects, now, history=False)
    after = replace(after, next_due=fold.next_due(fold.from_json(after.clocks)))
    after, done, again_at = end_what_is_quiet(tx, ledger, hand_on(after, ledger, effects, now), effects, now)
    following = fold.next_wake(fold.from_json(after.clocks), promises, now)
    effects.put(woken(after, following, again_at, ledger.policy))
    return [*kinds, *done]


def _follow(
    tx: Tx, ledger: Ledger, c: Conversation, firing: Firing, effects: Change, now: datetime, *, history: bool
) -> Conversation:
    """What a firing sets off: an event always; a step also notifies, requeues or moves."""
    effects.tell(Told(at=firing.at, event=_fired(firing), conversation=c.number))
    step = firing.step
    if history:
        return c
    if firing.kind == "warning":
        _notify(ledger, c, f"lead:{c.queue}", firing, effects, now)
        return c
    if step is None:
        return c
    if step.do == "notify":
        _notify(ledger, c, step.to, firing, effects, now)
        return c
    if c.holder:
        released = ConversationReleased(held_by=c.holder, agent="", reason=step.do)
        effects.tell(Told(at=now, event=released, conversation=c.number))
    if step.do == "requeue":
        return replace(unheld(c), priority=_raised(c.priority, step.priority))
    contact = contact_of_number(tx, c.contact).attributes
    raised = replace(c, priority=_raised(c.priority, step.priority))
    moved = escalated(raised, step.queue, step.tag, contact, ledger.policy, now)
    told = ConversationEscalated(before=c.queue, to=moved.queue, tag=step.tag, rule=moved.rule)
    effects.tell(Told(at=now, event=told, conversation=c.number))
    return moved


def _fired(firing: Firing) -> Event:
    """A firing as the outside is told of it."""
    facts: dict[str, Any] = {
        "metric": firing.metric, "cycle": firing.cycle, "due_at": firing.due_at, "policy": firing.policy,
        "policy_version": firing.policy_version, "late": firing.late, "wall_seconds": firing.wall_seconds,
        "business_seconds": firing.business_seconds,
    }  # fmt: skip
    if firing.step is not None:
        return DeadlineStep(**facts, ladder=firing.ladder, step=firing.index, do=firing.step.do)
    return DeadlineWarning(**facts) if firing.kind == "warning" else DeadlineBreach(**facts)


def _raised(priority: int, change: str) -> int:
    """`+20` adds, `80` sets, empty leaves."""
    if not change:
        return priority
    return priority + int(change) if change[0] in "+-" else int(change)


def _notify(ledger: Ledger, c: Conversation, to: str, firing: Firing, effects: Change, now: datetime) -> None:
    """Queue a notice to a recipient; `lead:{queue}` is the lead of the conversation's queue, if it has one."""
    name = to.replace("{queue}", c.queue)
    if name.startswith("lead:"):
        queue = ledger.policy.queues.get(name.removeprefix("lead:"))
        name = queue.lead if queue is not None else ""
    if not name or name not in ledger.policy.notify:
        return
    body = {
        "ref": ref_of(c.number), "conversation": c.number, "queue": c.queue, "issue_type": c.issue_type,
        "kind": firing.kind, "metric": firing.metric, "due_at": firing.due_at, "late": firing.late,
    }  # fmt: skip
    key = f"{c.number}:{firing.key}:{name}"
    effects.send(Outgoing(kind="notify", channel=name, key=key, body=body, conversation=c.number, due_at=now))
