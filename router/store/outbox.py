"""What is to be sent, and what came of it? The outbox: rows made with their cause, an attempt row before each call.

States: those of `router.reply_states`. A row that was being sent when its sender died becomes unknown (a reply: a
person looks) or pending again (events and notices: their receiver knows the key). Every change of a row names the
attempt that it belongs to, so a node that was stopped and comes back settles nothing of another's. Blocking functions
over the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, bindparam, literal_column, select, update

from router.reply_states import follows
from router.store import tables as t
from router.store.read.queries import utc
from router.store.statement import Statement, Tx, as_json, insert, member
from router.store.store import Store
from router.store.tables import instant, micros
from router.text.secrets.redact import redact

__all__ = [
    "Due", "addressed", "claim", "close_handle", "end_attempt", "hide_secrets", "is_under_way", "lanes", "left_lanes",
    "left_sending", "next_due", "outcomes", "set_state", "take_provider_id",
]  # fmt: skip

_O = t.outbox.c
#: With it begin the handles of the live-chat page's visitors.
VISITOR = "visitor-"
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
_left_lanes = Statement(select(_O.kind, _O.channel).where(_O.state == "sending").distinct())
_next_due = Statement(select(_O.due_at).where(_O.state == _PENDING).order_by(_O.due_at).limit(1))
_begin = Statement(
    update(t.outbox)
    .where(_O.id == bindparam("row"), _O.state == _PENDING, _O.attempts == bindparam("before"))
    .values(state="sending", attempts=bindparam("count"))
)
_under_way = Statement(
    select(_O.id).where(_O.id == bindparam("row"), _O.state == "sending", _O.attempts == bindparam("count"))
)
_put_attempt = insert(t.attempts)
_end_attempt = Statement(
    update(t.attempts)
    .where(t.attempts.c.outbox == bindparam("row"), t.attempts.c.attempt == bindparam("count"))
    .values(ended_at=bindparam("present"), outcome=bindparam("what"), detail=bindparam("words"))
)
_settle = Statement(
    update(t.outbox)
    .where(_O.id == bindparam("row"), _O.attempts == bindparam("count"), _O.state == bindparam("was"))
    .values(state=bindparam("what"), due_at=bindparam("again"), detail=bindparam("words"))
)
_state_of = Statement(
    select(_O.state).where(_O.id == bindparam("row"), _O.attempts == bindparam("count")).with_for_update()
)
_rewrite = Statement(
    update(t.outbox)
    .where(_O.id == bindparam("row"), _O.attempts == bindparam("count"))
    .values(body=bindparam("whole"))
)
_sending = Statement(
    select(_O.id, _O.kind, _O.channel, _O.conversation, _O.message, _O.key, _O.body, _O.attempts, _O.created_at).where(
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


def _due_of(row: Sequence[Any], attempt: int = 0) -> Due:
    """A row of `_due` or `_sending`; `attempt` is the one that begins, else its present one."""
    return Due(
        row=row[0], kind=row[1], channel=row[2], conversation=row[3], message=row[4], key=row[5],
        body=_decode(row[6]), attempt=attempt or row[7], created_at=instant(row[8]),
    )  # fmt: skip


def lanes(store: Store) -> list[tuple[str, str]]:
    """Which (kind, channel) have something pending."""
    with store.database.read() as tx:
        return [(row[0], row[1]) for row in tx.rows(_lanes)]


def left_lanes(store: Store) -> list[tuple[str, str]]:
    """Which (kind, channel) have a row that is being sent, perhaps by a sender that died. Reads the whole outbox."""
    with store.database.read() as tx:
        return [(row[0], row[1]) for row in tx.rows(_left_lanes)]


def next_due(store: Store) -> datetime | None:
    """When the next pending row is due."""
    with store.database.read() as tx:
        row = tx.one(_next_due)
    return None if row is None else instant(row[0])


def claim(store: Store, kind: str, channel: str, now: datetime, limit: int = 20) -> list[Due]:
    """Begin to send what is due on a lane: each row is `sending` and has its attempt row before the caller calls
    anybody."""

    def work(tx: Tx) -> list[Due]:
        found = []
        for row in tx.rows(_due, present=micros(now), what=kind, where=channel, rows=limit):
            attempt = row[7] + 1
            if tx.run(_begin, row=row[0], before=row[7], count=attempt) != 1:
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
            found.append(_due_of(row, attempt))
        return found

    with store.database.read() as tx:  # a transaction that changes nothing would ring the bell, for ever
        if not tx.rows(_due, present=micros(now), what=kind, where=channel, rows=1):
            return []
    return store.again(work)


def end_attempt(tx: Tx, due: Due, state: str, now: datetime, detail: str) -> None:
    """Write down what came of an attempt."""
    tx.run(_end_attempt, row=due.row, count=due.attempt, present=micros(now), what=state, words=detail)


def close_handle(tx: Tx, scope: str, address: str) -> None:
    """The owner of a handle closed it to the desk."""
    tx.run(_close_handle, where=scope, written=address)


def set_state(tx: Tx, row: int, attempt: int, state: str, again_at: datetime, detail: str) -> bool:
    """Settle a row under the number of its attempt; does its present state still allow it?"""
    found = tx.one(_state_of, row=row, count=attempt)
    if found is None or not follows(found[0], state):
        return False
    changed = tx.run(_settle, row=row, count=attempt, was=found[0], what=state, again=micros(again_at), words=detail)
    return bool(changed == 1)


def is_under_way(store: Store, due: Due) -> bool:
    """Is this attempt still the row's present one? Ask right before a call: who was stopped may have lost it."""
    with store.database.read() as tx:
        return tx.one(_under_way, row=due.row, count=due.attempt) is not None


def hide_secrets(tx: Tx, due: Due) -> None:
    """What was sent is kept without the secrets in it. A visitor of the live-chat page reads it from the outbox: there
    it stays as it is until it is too old."""
    body = due.body
    if str(body.get("to", "")).startswith(VISITOR):
        return
    hidden = {name: redact(str(body.get(name, ""))).text for name in ("text", "subject")}
    files = [{**file, "name": redact(str(file.get("name", ""))).text} for file in body.get("attachments", ())]
    if any(hidden[name] != body.get(name, "") for name in hidden) or files != list(body.get("attachments", ())):
        kept = as_json({**body, **hidden, "attachments": files})
        tx.run(_rewrite, row=due.row, count=due.attempt, whole=kept)


def take_provider_id(tx: Tx, due: Due, external_id: str) -> None:
    """A sent reply is known by its provider's id from now on, unless that is taken."""
    ours = due.key
    theirs = f"{ours.rpartition(':')[0]}:{external_id}" if ":" in ours and "@" not in ours else external_id
    if theirs == ours or tx.one(_taken, where=due.channel, theirs=theirs) is not None:
        return
    if "@" in ours and ":" not in ours:
        return  # mail keeps the Message-ID that we gave it
    tx.run(_rename, own=due.message, theirs=theirs, provider=external_id)
    tx.run(_rename_thread_key, where=due.channel, ours=ours, theirs=theirs)


def left_sending(store: Store, kind: str, channel: str) -> list[Due]:
    """Rows that a dead sender left in `sending`."""
    with store.database.read() as tx:
        return [_due_of(row) for row in tx.rows(_sending, what=kind, where=channel)]


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
