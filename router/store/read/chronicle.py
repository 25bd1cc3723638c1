"""What has happened in this ledger, in order, so that it can be decided again elsewhere?

Out: the places of all raws by time of arrival; what people of the desk did between them (replies, statuses, merges),
each named by the keys of messages; and what was decided of each customer message. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, select

from router.deadlines.fold import Promises
from router.event_reading import read
from router.events import ConversationMerged, ConversationStatus, ReplyQueued
from router.model import Key
from router.store import tables as t
from router.store.read import queries
from router.store.statement import Statement, among
from router.store.store import Store
from router.store.tables import instant
from router.value import Value

__all__ = ["Act", "Decided", "acts", "conversation_of_key", "decided", "raws_in_order"]

_M, _R, _E, _D = t.messages.c, t.raws.c, t.events.c, t.decisions.c
_decode = msgspec.json.Decoder().decode
_raws = Statement(
    select(_R.received_at, _R.partition, _R.position)
    .where(_R.partition >= 0)
    .order_by(_R.received_at, _R.partition, _R.position)
)
#: The first message of each conversation: what names it in another ledger.
_openers = Statement(
    select(_M.conversation, _M.realm, _M.external_id)
    .where(_M.number.in_(select(func.min(_M.number)).where(_M.kind != "status").group_by(_M.conversation)))
)
_acts = Statement(
    select(_E.seq, _E.at, _E.type, _E.conversation, _E.message, _E.body)
    .where(among(_E.type, "reply.queued", "conversation.status", "conversation.merged"))
    .order_by(_E.seq)
)
_by_key = Statement(
    select(_M.conversation).where(_M.realm == bindparam("where"), _M.external_id == bindparam("id"))
)
_decided_page = Statement(
    select(
        _M.number, _M.realm, _M.external_id, _M.conversation, _M.sent_at, _M["class"], _D.tagging, _D.routing,
        t.conversations.c.queue,
    )
    .join(t.decisions, _D.message == _M.number)
    .join(t.conversations, t.conversations.c.number == _M.conversation)
    .where(_M.direction == "in", _M.automatic.is_(False), _M.number > bindparam("after"))
    .order_by(_M.number)
    .limit(bindparam("rows"))
)  # fmt: skip


class Act(Value, frozen=True, kw_only=True):
    """An act of the desk: `reply`, `status` or `merge`, on the conversations of the messages of these keys."""

    kind: str
    at: datetime
    keys: tuple[Key, ...]
    to: str = ""
    agent: str = ""
    number: int = 0


class Decided(Value, frozen=True, kw_only=True):
    """What was decided of a message; `deadlines` (metric and cycle to the due time) for the one that opened its
    conversation."""

    number: int
    conversation: int
    sent_at: str
    class_: str
    issue_type: str
    queue: str
    deadlines: Mapping[str, str] = {}


def raws_in_order(store: Store) -> list[tuple[datetime, int, int]]:
    """All raws that went through the log: time of arrival, partition, position."""
    with store.database.read() as tx:
        return [(instant(row[0]), row[1], row[2]) for row in tx.rows(_raws)]


def acts(store: Store) -> list[Act]:
    """What the desk did by itself, in order. What a recorded file told of it is among the raws."""
    with store.database.read() as tx:
        openers = {row[0]: (row[1], row[2]) for row in tx.rows(_openers)}
        found = []
        for _, at, type_, number, message, text in tx.rows(_acts):
            told, keys, to = read(type_, text), [openers.get(number)], ""
            if isinstance(told, ConversationStatus):
                if not told.by_desk or told.reason == "recorded":
                    continue  # a message or a recorded file set it: it will again
                kind, to, agent = "status", told.to, told.agent
            elif isinstance(told, ConversationMerged):
                keys.append(openers.get(told.absorbed))
                kind, agent = "merge", told.agent
            elif isinstance(told, ReplyQueued):
                kind, agent = "reply", told.agent
            named = tuple(key for key in keys if key is not None)
            if len(named) == len(keys):
                found.append(Act(kind=kind, at=instant(at), keys=named, to=to, agent=agent, number=message))
    return sorted(found, key=lambda act: act.at)


def conversation_of_key(store: Store, key: Key) -> int | None:
    """The conversation of a message, after all merges; None when there is no such message."""
    with store.database.read() as tx:
        row = tx.one(_by_key, where=key[0], id=key[1])
        return None if row is None else queries.conversation(tx, row[0]).number


def decided(store: Store, promises: Promises, since: datetime | None) -> dict[Key, Decided]:
    """What was decided of every customer message sent since then, by its key."""
    clocks: dict[int, dict[str, str]] = {}
    for clock in queries.deadlines(store.database, promises, _LATEST):
        due = clock["due_at"] or "paused"
        clocks.setdefault(clock["conversation"], {})[f"{clock['metric']} {clock['cycle']}"] = due
    found: dict[Key, Decided] = {}
    after = -1
    while True:
        with store.database.read() as tx:
            rows = tx.rows(_decided_page, after=after, rows=1_000)
        if not rows:
            return found
        for row in rows:
            if since is None or instant(row[4]) >= since:
                found[(row[1], row[2])] = _decided(row, clocks)
        after = rows[-1][0]


_LATEST = datetime.fromisoformat("9000-01-01T00:00:00+00:00")


def _decided(row: tuple[Any, ...], clocks: Mapping[int, Mapping[str, str]]) -> Decided:
    routing, tagging = _decode(row[7]) or {}, _decode(row[6]) or {}
    return Decided(
        number=row[0],
        conversation=row[3],
        sent_at=queries.utc(instant(row[4])) or "",
        class_=row[5],
        issue_type=tagging.get("issue_type", "other"),
        queue=routing.get("queue", ""),
        deadlines=clocks.get(row[3], {}) if row[0] == row[3] else {},
    )
