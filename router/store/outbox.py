"""What is to be sent, and what came of it? The outbox: rows made with their cause, an attempt row before each call.

States: pending, sending, sent, failed, unknown. A row that was being sent when its sender died becomes unknown (a
reply: a person looks) or pending again (events and notices: their receiver knows the key). Blocking functions over
the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, bindparam, literal_column, select, update

from router.known import Known
from router.store import tables as t
from router.store.effects import Effects, Event
from router.store.ledger import Store
from router.store.queries import utc
from router.store.statement import Statement, insert, member
from router.store.tables import instant, micros

__all__ = ["Due", "addressed", "claim", "lanes", "next_due", "outcomes", "recover", "settle"]

_O = t.outbox.c
_decode = msgspec.json.Decoder().decode
#: Written out in the statement: SQLite takes a partial index only where it reads the index's own condition.
_PENDING: ColumnElement[str] = literal_column("'pending'")

_due = Statement(
    select(_O.id, _O.kind, _O.channel, _O.conversation, _O.message, _O.key, _O.body, _O.attempts, _O.created_at)
    .where(
        _O.state == _PENDING,
        _O.due_at <= bindparam("present", type_=t.Instant.impl()),
        _O.kind == bindparam("what"),
        _O.channel == bindparam("where"),
    )
    .order_by(_O.due_at, _O.id)
    .limit(bindparam("rows"))
)
_lanes = Statement(select(_O.kind, _O.channel).where(_O.state == _PENDING).distinct())
_next_due = Statement(select(_O.due_at).where(_O.state == _PENDING).order_by(_O.due_at).limit(1))
_begin = Statement(
    update(t.outbox)
    .where(_O.id == bindparam("row"), _O.state == _PENDING)
    .values(state="sending", attempts=bindparam("count"))
)
_put_attempt = insert(t.attempts)
_end_attempt = Statement(
    update(t.attempts)
    .where(t.attempts.c.outbox == bindparam("row"), t.attempts.c.attempt == bindparam("count"))
    .values(ended_at=bindparam("present"), outcome=bindparam("what"), detail=bindparam("words"))
)
_settle = Statement(
    update(t.outbox)
    .where(_O.id == bindparam("row"))
    .values(state=bindparam("what"), due_at=bindparam("again"), detail=bindparam("words"))
)
_sending = Statement(
    select(_O.id, _O.kind, _O.conversation, _O.message, _O.attempts).where(
        _O.state == "sending", _O.kind == bindparam("what"), _O.channel == bindparam("where")
    )
)
_rename = Statement(
    update(t.messages)
    .where(t.messages.c.number == bindparam("own"))
    .values(external_id=bindparam("theirs"), provider_id=bindparam("provider"))
)
_taken = Statement(
    select(t.messages.c.number).where(
        t.messages.c.realm == bindparam("where"), t.messages.c.external_id == bindparam("theirs")
    )
)
_rename_thread_key = Statement(
    update(t.thread_keys)
    .where(t.thread_keys.c.realm == bindparam("where"), t.thread_keys.c.key == bindparam("ours"))
    .values(key=bindparam("theirs"))
)
_close_handle = Statement(
    update(t.handles)
    .where(t.handles.c.scope == bindparam("where"), t.handles.c.address == bindparam("written"))
    .values(closed=True)
)
_outcomes = Statement(
    select(_O.message, _O.channel, _O.state, _O.due_at, _O.attempts, _O.detail).where(
        _O.kind == "reply", member(_O.message, "numbers")
    )
)
_addressed = Statement(select(_O.message, _O.body).where(_O.kind == "reply", member(_O.message, "numbers")))


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A row that is due, with its body decoded; `attempt` is the one that begins."""

    row: int
    kind: str
    channel: str
    conversation: int
    message: int
    key: str
    body: dict[str, Any]
    attempt: int
    created_at: datetime


def lanes(store: Store) -> list[tuple[str, str]]:
    """Which (kind, channel) have something pending."""
    with store.database.read() as tx:
        return [(row[0], row[1]) for row in tx.rows(_lanes)]


def next_due(store: Store) -> datetime | None:
    """When the next pending row is due."""
    with store.database.read() as tx:
        row = tx.one(_next_due)
    return None if row is None else instant(row[0])


def claim(store: Store, kind: str, channel: str, now: datetime, limit: int = 20) -> list[Due]:
    """Begin to send what is due on a lane: each row is `sending` and has its attempt row before the caller calls
    anybody."""

    def work(tx: Any) -> list[Due]:
        found = []
        for row in tx.rows(_due, present=micros(now), what=kind, where=channel, rows=limit):
            attempt = row[7] + 1
            if tx.run(_begin, row=row[0], count=attempt) != 1:
                continue
            tx.run(
                _put_attempt,
                outbox=row[0],
                attempt=attempt,
                started_at=micros(now),
                ended_at=None,
                outcome="",
                detail="",
            )
            found.append(
                Due(
                    row=row[0], kind=row[1], channel=row[2], conversation=row[3], message=row[4], key=row[5],
                    body=_decode(row[6]), attempt=attempt, created_at=instant(row[8]),
                )
            )  # fmt: skip
        return found

    with store.database.read() as tx:  # a transaction that changes nothing would ring the bell, for ever
        if not tx.rows(_due, present=micros(now), what=kind, where=channel, rows=1):
            return []
    return store.again(work)


def settle(
    store: Store,
    due: Due,
    state: str,
    now: datetime,
    *,
    detail: str = "",
    again_at: datetime | None = None,
    external_id: str = "",
    blocked: bool = False,
) -> None:
    """Say what came of an attempt: `sent`, `failed`, `unknown`, or `pending` with the instant to try again.

    `external_id` is the provider's id of a sent reply: an echo of it is then known as a redelivery. `blocked` closes
    the handle. What a person should know of is an event of the conversation.
    """

    def work(tx: Any) -> None:
        tx.run(_end_attempt, row=due.row, count=due.attempt, present=micros(now), what=state, words=detail)
        tx.run(_settle, row=due.row, what=state, again=micros(again_at or now), words=detail)
        if due.kind != "reply":
            return
        if state == "sent" and external_id:
            _take_provider_id(tx, due, external_id)
        if blocked:
            tx.run(_close_handle, where=due.channel, written=str(due.body.get("to", "")))
        if state in ("sent", "failed", "unknown"):
            effects = Effects(Known())
            body = {"channel": due.channel, "attempt": due.attempt, "detail": detail}
            effects.tell(
                Event(at=now, type=f"reply.{state}", conversation=due.conversation, message=due.message, body=body)
            )
            effects.write(tx, now, store.receivers)

    store.again(work)


def _take_provider_id(tx: Any, due: Due, external_id: str) -> None:
    ours = due.key
    theirs = f"{ours.rpartition(':')[0]}:{external_id}" if ":" in ours and "@" not in ours else external_id
    if theirs == ours or tx.one(_taken, where=due.channel, theirs=theirs) is not None:
        return
    if "@" in ours and ":" not in ours:
        return  # mail keeps the Message-ID that we gave it
    tx.run(_rename, own=due.message, theirs=theirs, provider=external_id)
    tx.run(_rename_thread_key, where=due.channel, ours=ours, theirs=theirs)


def recover(store: Store, kind: str, channel: str, now: datetime) -> int:
    """Rows that a dead sender left in `sending`: replies become unknown, the others are sent again. How many there
    were."""

    def work(tx: Any) -> int:
        rows: Sequence[Any] = tx.rows(_sending, what=kind, where=channel)
        effects = Effects(Known())
        for row, row_kind, conversation, message, attempt in rows:
            state = "unknown" if row_kind == "reply" else "pending"
            words = "the sender stopped while it was sending"
            tx.run(_end_attempt, row=row, count=attempt, present=micros(now), what=state, words=words)
            tx.run(_settle, row=row, what=state, again=micros(now), words=words)
            if state == "unknown":
                body = {"channel": channel, "attempt": attempt, "detail": words}
                effects.tell(Event(at=now, type="reply.unknown", conversation=conversation, message=message, body=body))
        effects.write(tx, now, store.receivers)
        return len(rows)

    return store.again(work)


def addressed(store: Store, messages: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Whom replies go to, by their number: the handle `to`, and `cc` of a mail."""
    with store.database.read() as tx:
        rows = tx.rows(_addressed, numbers=list(messages))
    bodies = {message: _decode(body) for message, body in rows}
    return {message: {"to": b.get("to", ""), "cc": list(b.get("cc", ()))} for message, b in bodies.items()}


def outcomes(store: Store, messages: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What came of replies, by their number: state, channel, attempts, when one is tried next, the last detail."""
    with store.database.read() as tx:
        rows = tx.rows(_outcomes, numbers=list(messages))
    return {
        message: {
            "state": state,
            "channel": channel,
            "attempts": attempts,
            "next_try": utc(instant(due)) if state == "pending" else None,
            "detail": detail,
        }
        for message, channel, state, due, attempts, detail in rows
    }
