"""How does a `Change` become rows? In bulk, once: one executemany a table.

A conversation is written in its last state, and only over the version it was read at (`LostUpdate` otherwise: begin
again). Events come last in a transaction, since their counter is held to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import BigInteger, bindparam, delete, select, text, update

from router.events import Told
from router.store import tables as t
from router.store.change import Change, Outgoing
from router.store.codec import contact_row, conversation_row
from router.store.statement import Statement, Tx, as_json, insert, insert_into, upsert
from router.store.tables import micros

__all__ = ["LostUpdate", "reserve", "write", "write_events", "write_state"]


class LostUpdate(Exception):
    """A conversation changed since it was read: begin again."""


def _conversation_upsert() -> Statement:
    names = [c.name for c in t.conversations.columns]
    core = insert_into(t.conversations).values({n: bindparam(n, type_=t.conversations.c[n].type) for n in names})
    return Statement(
        core.on_conflict_do_update(
            index_elements=["number"],
            set_={n: core.excluded[n] for n in names if n != "number"},
            where=t.conversations.c.version == core.excluded.version - 1,
        )
    )


_put_conversation = _conversation_upsert()
_put_message = insert(t.messages)
_put_decision = insert(t.decisions)
_put_event = insert(t.events)
_put_outgoing = insert(t.outbox, unless_there=True)
_put_contact = upsert(t.contacts, keep=("created_at",))
_put_handle = upsert(t.handles)
_put_thread_key = upsert(t.thread_keys)
#: One statement for all keys (a message may name a thousand); on SQLite a statement a row costs less.
_put_thread_keys = Statement(
    text(
        "INSERT INTO thread_keys (realm, key, thread) SELECT * FROM unnest(CAST(:realms AS text[]), "
        "CAST(:keys AS text[]), CAST(:threads AS bigint[])) "
        "ON CONFLICT (realm, key) DO UPDATE SET thread = EXCLUDED.thread"
    )
)
_put_marker = upsert(t.markers)
_put_link = insert(t.links, unless_there=True)
_put_incident = Statement(
    insert_into(t.incidents)
    .values({c.name: bindparam(c.name, type_=c.type) for c in t.incidents.columns})
    .on_conflict_do_update(index_elements=["key"], set_={"last_at": bindparam("last_at", type_=t.Instant())})
)
_put_incident_conversation = insert(t.incident_conversations, unless_there=True)
_join_contact = Statement(
    update(t.contacts).where(t.contacts.c.number == bindparam("gone")).values(joined_into=bindparam("into"))
)
_repoint_handles = Statement(
    update(t.handles).where(t.handles.c.contact == bindparam("gone")).values(contact=bindparam("into"))
)
_repoint_conversations = Statement(
    update(t.conversations).where(t.conversations.c.contact == bindparam("gone")).values(contact=bindparam("into"))
)
_fuse_threads = Statement(
    update(t.thread_keys).where(t.thread_keys.c.thread == bindparam("gone")).values(thread=bindparam("into"))
)
_count_redeliveries = Statement(
    insert_into(t.redeliveries)
    .values(channel=bindparam("channel_name"), count=bindparam("more"))
    .on_conflict_do_update(
        index_elements=["channel"], set_={"count": t.redeliveries.c.count + bindparam("more", type_=BigInteger())}
    )
)
_came = Statement(
    update(t.outbox)
    .where(
        t.outbox.c.kind == "reply", t.outbox.c.message == bindparam("reply"), t.outbox.c.state == bindparam("was"),
        t.outbox.c.attempts == bindparam("count"),
    )
    .values(state=bindparam("what"), detail=bindparam("words"))
)  # fmt: skip
_any_outgoing = Statement(
    select(t.outbox.c.id).where(t.outbox.c.kind == "reply", t.outbox.c.message == bindparam("reply"))
)
_rewrite = Statement(
    update(t.messages)
    .where(t.messages.c.number == bindparam("one"))
    .values(text=bindparam("whole"), own_text=bindparam("own"))
)
_forget_marker = Statement(
    delete(t.markers).where(t.markers.c.key == bindparam("name"), t.markers.c.conversation == bindparam("of"))
)
_next_number = Statement(
    update(t.counters)
    .where(t.counters.c.name == bindparam("counter"))
    .values(value=t.counters.c.value + bindparam("n", type_=BigInteger()))
    .returning(t.counters.c.value)
)


def reserve(tx: Tx, counter: str, n: int) -> int:
    """Hand out `n` numbers of a counter; the first of them."""
    row = tx.one(_next_number, counter=counter, n=n)
    assert row is not None, f"counter {counter} is missing"  # noqa: S101  (made with the schema)
    return int(row[0]) - n + 1


def write(
    tx: Tx, change: Change, now: datetime, receivers: Callable[[str], Sequence[str]] = lambda _: ()
) -> None:
    """Write all of it. `receivers(type)` names the event receivers of a type. Raises `LostUpdate`."""
    write_state(tx, change, now)
    write_events(tx, change, now, receivers)


def write_state(tx: Tx, change: Change, now: datetime) -> None:
    """Write all but the events and what goes out. Raises `LostUpdate`."""
    _write_people(tx, change, now)
    changed = [conversation_row(c, change.place_of(c)) for c in change.conversations.values()]
    if tx.many(_put_conversation, changed) != len(changed):
        raise LostUpdate
    tx.many(_put_message, change.messages)
    decided = micros(datetime.now(UTC) if change.history else now)  # recorded ones are given their messages' time
    tx.many(_put_decision, [{**row, "decided_at": decided} for row in change.decisions])
    _write_outcomes(tx, change)
    _write_relations(tx, change)
    _rewrite_messages(tx, change)


def _write_outcomes(tx: Tx, change: Change) -> None:
    for one in change.outcomes:
        moved = tx.run(
            _came, reply=one.reply, was=one.was, count=one.attempts, what=one.state, words=one.detail
        )  # fmt: skip
        if moved != 1 and tx.one(_any_outgoing, reply=one.reply) is not None:
            raise LostUpdate


def _rewrite_messages(tx: Tx, change: Change) -> None:
    """Messages of before, also of this batch, without a piece of a secret, and the markers that told of it."""
    rows = [
        {"one": one.message, "whole": one.text, "own": None if one.own_text == one.text else one.own_text}
        for one in change.rewritten
    ]
    tx.many(_rewrite, rows)
    tx.many(_forget_marker, [{"name": key, "of": r.conversation} for r in change.rewritten for key in r.markers])


def _write_people(tx: Tx, change: Change, now: datetime) -> None:
    tx.many(_put_contact, [contact_row(c, now) for c in change.contacts.values()])
    for gone, into in change.joins:
        for statement in (_join_contact, _repoint_handles, _repoint_conversations):
            tx.run(statement, gone=gone, into=into)
    tx.many(_put_handle, list(change.handles.values()))


def _write_relations(tx: Tx, change: Change) -> None:
    for gone, into in change.fusions:
        tx.run(_fuse_threads, gone=gone, into=into)
    _write_threads(tx, change)
    tx.many(
        _put_marker,
        [
            {"key": m.key, "conversation": m.conversation, "contact": m.contact, "at": micros(m.at)}
            for _, m in sorted(change.markers.items())
        ],
    )
    tx.many(
        _put_link,
        [
            {
                "conversation": a, "other": b, "reason": reason, "score": link.score, "at": micros(at), "by": by,
                "undone": False, "because": link.because,
            }
            for (a, b, reason), (link, at, by) in change.links.items()
        ],
    )  # fmt: skip
    tx.many(_put_incident, [row for _, row in sorted(change.incidents.items())])
    tx.many(_put_incident_conversation, [row for _, row in sorted(change.reports.items())])
    for channel, more in change.redelivered.items():
        tx.run(_count_redeliveries, channel_name=channel, more=more)


def _write_threads(tx: Tx, change: Change) -> None:
    leads = sorted((realm, key, thread) for (realm, key), thread in change.threads.items())
    if tx.dialect == "postgresql" and leads:
        realms, keys, threads = zip(*leads, strict=True)
        tx.run(_put_thread_keys, realms=realms, keys=keys, threads=threads)
    else:
        tx.many(_put_thread_key, [{"realm": r, "key": k, "thread": n} for r, k, n in leads])


def write_events(
    tx: Tx, change: Change, now: datetime, receivers: Callable[[str], Sequence[str]]
) -> None:
    """Write the events and what goes out: last in a transaction, since the counter's row is held to its end."""
    rows: list[dict[str, Any]] = []
    seq = reserve(tx, "event", len(change.events)) if change.events else 0
    for number, event in enumerate(change.events, seq):
        rows.append(
            {
                "seq": number,
                "at": micros(event.at),
                "type": event.event.type,
                "conversation": event.conversation,
                "message": event.message,
                "body": as_json(event.event),
                "history": change.history,
            }
        )
        for url in () if change.history else receivers(event.event.type):
            change.send(_event_out(number, event, url, now))
    tx.many(_put_event, rows)
    tx.many(_put_outgoing, [_outgoing_row(o, now) for o in change.outgoing])


def _event_out(seq: int, event: Told, url: str, now: datetime) -> Outgoing:
    body = {
        "seq": seq,
        "at": event.at,
        "type": event.event.type,
        "conversation": event.conversation,
        "message": event.message or None,
        "data": event.event,
    }
    return Outgoing(kind="event", channel=url, key=str(uuid4()), body=body, conversation=event.conversation, due_at=now)


def _outgoing_row(o: Outgoing, now: datetime) -> dict[str, Any]:
    return {
        "kind": o.kind,
        "channel": o.channel,
        "conversation": o.conversation,
        "message": o.message,
        "key": o.key,
        "body": as_json(o.body),
        "state": "pending",
        "due_at": micros(o.due_at),
        "created_at": micros(now),
        "attempts": 0,
        "detail": "",
    }
