"""How do people relate conversations? Merge and split, exactly inverse; link and unlink. Nothing is destroyed.

A merge remembers both states; splitting off what was merged gives both back as they were, with what happened since
folded in. No machine overrules what people decided here. Blocking functions over the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import bindparam, delete, select, update

from router import tables as t
from router.acts import ticked
from router.clocks import ClockEvent, Unanswered
from router.errors import NotFound, Refused
from router.known import Known
from router.model import Conversation, Link, Status
from router.ref import ref_of
from router.store import queries
from router.store.desk import locked
from router.store.effects import Effects, Event
from router.store.ledger import Store
from router.store.statement import Statement, Tx, as_json, member, upsert
from router.tables import instant, micros

__all__ = ["link", "merge", "split", "unlink"]

_M = t.messages.c
_put_merge = upsert(t.merges)
_merge_of = Statement(
    select(t.merges.c.absorbed, t.merges.c.into, t.merges.c.before).where(t.merges.c.absorbed == bindparam("number"))
)
_forget_merge = Statement(delete(t.merges).where(t.merges.c.absorbed == bindparam("number")))
_messages_named = Statement(
    select(
        _M.number, _M.conversation, _M.direction, _M.sent_at, _M.channel, _M["class"], _M.thread, _M.issue_type,
        _M.automatic, _M.realm, _M.external_id,
    ).where(member(_M.number, "numbers"))
)  # fmt: skip
_numbers_of = Statement(select(_M.number).where(_M.conversation == bindparam("number")))
_move_messages = Statement(
    update(t.messages).where(member(_M.number, "numbers")).values(conversation=bindparam("into"))
)
_unlink = Statement(
    update(t.links)
    .where(
        t.links.c.conversation.in_([bindparam("one"), bindparam("two")]),
        t.links.c.other.in_([bindparam("one"), bindparam("two")]),
        t.links.c.undone.is_(False),
    )
    .values(undone=True)
)
_link_again = Statement(
    update(t.links)
    .where(
        t.links.c.conversation == bindparam("one"), t.links.c.other == bindparam("two"), t.links.c.reason == "linked"
    )
    .values(undone=False, by=bindparam("who"))
)


def _both(store: Store, tx: Tx, a: int, b: int) -> tuple[Conversation, Conversation]:
    low, high = sorted((a, b))
    first, second = locked(tx, low), locked(tx, high)
    return (first, second) if low == a else (second, first)


def merge(store: Store, a: int, b: int, *, agent: str, now: datetime) -> Conversation:
    """Merge conversation `b` into `a`: one conversation, both histories. Undone by `split`."""

    def work(tx: Tx) -> Conversation:
        into, gone = _both(store, tx, a, b)
        if into.number == gone.number:
            raise Refused(f"{ref_of(a)} and {ref_of(b)} are one conversation already.")
        effects = Effects(Known())
        tx.run(
            _put_merge, absorbed=gone.number, into=into.number, before=as_json({"into": into, "gone": gone}), by=agent,
            at=micros(now),
        )  # fmt: skip
        event = ClockEvent(type="merge_in", at=now, unanswered=unanswered_of(tx, gone, store))
        merged = ticked(_united(into, gone), event, store.policy)
        moved = ticked(replace(gone, merged_into=into.number), ClockEvent(type="merged_into", at=now), store.policy)
        effects.change(merged)
        effects.change(replace(moved, next_due=None, next_wake_at=None))
        body = {"absorbed": gone.number, "agent": agent}
        effects.tell(Event(at=now, type="conversation.merged", conversation=into.number, body=body))
        effects.write(tx, now, store.receivers)
        return merged

    return store.again(work)


def _united(into: Conversation, gone: Conversation) -> Conversation:
    waits = [c.waiting_since for c in (into, gone) if c.waiting_since is not None]
    heard = [c.last_in_at for c in (into, gone) if c.last_in_at is not None]
    working = Status.OPEN in (into.status, gone.status)
    return replace(
        into,
        status=Status.OPEN if working else into.status,
        opened_at=min(into.opened_at, gone.opened_at),
        last_message_at=max(into.last_message_at, gone.last_message_at),
        last_in_at=max(heard, default=None),
        waiting_since=min(waits, default=None),
        chases=into.chases + gone.chases,
        messages=into.messages + gone.messages,
        priority=max(into.priority, gone.priority),
        tags=_union(into.tags, gone.tags),
        flags=_union(into.flags, gone.flags),
        channels=_union(into.channels, gone.channels),
        threads=tuple(dict.fromkeys((*into.threads, *gone.threads))),
        participants=tuple(dict.fromkeys((*into.participants, *gone.participants))),
    )


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def unanswered_of(tx: Tx, c: Conversation, store: Store) -> tuple[Unanswered, ...]:
    """The customer messages of a conversation that no human has answered yet, with their original times."""
    if c.waiting_since is None:
        return ()
    numbers = [row[0] for row in tx.rows(_numbers_of, number=c.number)]
    floor = micros(c.waiting_since)
    return tuple(
        _unanswered(row, store)
        for row in tx.rows(_messages_named, numbers=numbers)
        if row[2] == "in" and row[3] >= floor and not row[8] and row[5] not in ("ack", "")
    )


def _unanswered(row: Sequence[Any], store: Store) -> Unanswered:
    kind = store.policy.channel(row[4]).kind
    at = instant(row[3])
    facts = {"channel": row[4], "channel_kind": kind, "business_open": store.policy.business_open(row[4], at)}
    return Unanswered(id=f"{row[9]}/{row[10]}", at=at, facts=facts)


def split(store: Store, number: int, messages: Sequence[int], *, agent: str, now: datetime) -> Conversation:
    """Split messages off into a conversation of their own; returns it. What was merged whole comes back as it was.

    Raises `Refused` when a message is not in the conversation, or none would stay.
    """

    def work(tx: Tx) -> Conversation:
        c = locked(tx, number)
        family = queries.family(tx, c.number)
        rows = tx.rows(_messages_named, numbers=sorted(set(messages)))
        missing = set(messages) - {row[0] for row in rows if row[1] in family}
        if missing or not rows:
            raise Refused(f"{ref_of(c.number)} has no message {', '.join(map(str, sorted(missing)))}.")
        effects = Effects(Known())
        absorbed = {row[1] for row in rows}
        whole = len(absorbed) == 1 and (one := next(iter(absorbed))) != c.number and _is_whole(tx, one, rows)
        new = _unmerged(tx, store, c, one, effects, now) if whole else _cut_off(tx, store, c, rows, effects, now)
        body = {"from": c.number, "messages": sorted(set(messages)), "agent": agent}
        effects.tell(Event(at=now, type="conversation.split", conversation=new.number, body=body))
        effects.write(tx, now, store.receivers)
        return new

    return store.again(work)


def _is_whole(tx: Tx, number: int, rows: Sequence[Sequence[Any]]) -> bool:
    return {row[0] for row in tx.rows(_numbers_of, number=number)} == {row[0] for row in rows}


def _unmerged(tx: Tx, store: Store, c: Conversation, absorbed: int, effects: Effects, now: datetime) -> Conversation:
    row = tx.one(_merge_of, number=absorbed)
    if row is None:
        raise NotFound(f"{ref_of(absorbed)} was not merged.")
    before: Mapping[str, Any] = msgspec.json.decode(row[2])
    gone_before = msgspec.convert(before["gone"], Conversation, strict=False)
    into_before = msgspec.convert(before["into"], Conversation, strict=False)
    gone_now = queries.conversation_itself(tx, absorbed)
    untouched = c.last_message_at == max(into_before.last_message_at, gone_before.last_message_at)
    rest = into_before if untouched and c.number == into_before.number else _without(c, gone_before, store, now)
    effects.change(replace(rest, version=c.version))
    back = replace(gone_before, version=gone_now.version, merged_into=0)
    effects.change(back)
    tx.run(_forget_merge, number=absorbed)
    return back


def _without(c: Conversation, gone: Conversation, store: Store, now: datetime) -> Conversation:
    left = replace(
        c,
        messages=max(0, c.messages - gone.messages),
        chases=max(0, c.chases - gone.chases),
        threads=tuple(n for n in c.threads if n not in gone.threads),
    )
    return ticked(left, ClockEvent(type="split_out", at=now, ids=()), store.policy)


def _cut_off(
    tx: Tx, store: Store, c: Conversation, rows: Sequence[Sequence[Any]], effects: Effects, now: datetime
) -> Conversation:
    """Messages that never were a conversation of their own become one."""
    if len(rows) >= c.messages:
        raise Refused(f"All messages of {ref_of(c.number)} were named; at least one must stay.")
    own = store.reserve_numbers(tx, 1)
    heard = sorted((row for row in rows if row[2] == "in"), key=lambda row: row[3])
    if not heard:
        raise Refused("Name at least one message of the customer: a conversation begins with one.")
    waits = [r for r in heard if c.waiting_since and r[3] >= micros(c.waiting_since) and r[5] != "ack"]
    typed = next((r[7] for r in heard if r[7] and r[7] != "other"), c.issue_type)
    new = replace(
        c, number=own, version=0, status=Status.OPEN, opened_at=instant(heard[0][3]),
        last_message_at=instant(max(row[3] for row in rows)), last_in_at=instant(heard[-1][3]), last_out_at=None,
        waiting_since=instant(waits[0][3]) if waits else None, chases=sum(row[5] == "chaser" for row in heard),
        messages=len(rows), issue_type=typed, channels=tuple(dict.fromkeys(row[4] for row in heard)),
        threads=tuple(dict.fromkeys(row[6] for row in rows)), clocks={}, next_due=None, next_wake_at=None,
        breached=False, holder="", pinned=False, matter={},
    )  # fmt: skip
    facts = tuple(_unanswered(row, store) for row in waits)
    new = ticked(new, ClockEvent(type="split_in", at=now, unanswered=facts), store.policy)
    gone = {row[0] for row in rows}
    left = replace(c, messages=c.messages - len(gone), chases=max(0, c.chases - new.chases))
    ids = tuple(f"{row[9]}/{row[10]}" for row in rows)
    left = ticked(left, ClockEvent(type="split_out", at=now, ids=ids), store.policy)
    effects.change(left)
    effects.change(new)
    effects.link(new.number, Link(conversation=c.number, reason="linked"), now, "human")
    tx.run(_move_messages, numbers=sorted(gone), into=own)
    return new


def link(store: Store, a: int, b: int, *, agent: str, now: datetime) -> None:
    """Say that two conversations have to do with each other; both stay."""

    def work(tx: Tx) -> None:
        one, other = _both(store, tx, a, b)
        if one.number == other.number:
            raise Refused("A conversation cannot be linked with itself.")
        effects = Effects(Known())
        tx.run(_link_again, one=one.number, two=other.number, who=agent or "human")
        effects.link(one.number, Link(conversation=other.number, reason="linked", score=1.0), now, agent or "human")
        body = {"conversation": other.number, "reason": "linked", "agent": agent}
        effects.tell(Event(at=now, type="conversation.linked", conversation=one.number, body=body))
        effects.write(tx, now, store.receivers)

    store.again(work)


def unlink(store: Store, a: int, b: int, *, agent: str, now: datetime) -> int:
    """Undo all links between two conversations, whoever made them. How many there were. Raises `Refused` for none."""

    def work(tx: Tx) -> int:
        one, other = _both(store, tx, a, b)
        undone = tx.run(_unlink, one=one.number, two=other.number)
        if not undone:
            raise Refused(f"{ref_of(one.number)} and {ref_of(other.number)} are not linked.")
        effects = Effects(Known())
        body = {"conversation": other.number, "agent": agent}
        effects.tell(Event(at=now, type="conversation.unlinked", conversation=one.number, body=body))
        effects.write(tx, now, store.receivers)
        return undone

    return store.again(work)
