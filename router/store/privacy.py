"""How is a person erased, or given his own? By all his handles, with a dry run, leaving digests so that nothing comes
back.

Erasing deletes the wrapped keys of his raws (the bytes are then noise, also in a backup that leaves the table of keys
out), his messages, conversations, threads, handles and contact; digests of message ids stay, so a redelivered webhook
does not bring them back. SQLite's files are then scrubbed of what was deleted. A raw
shared with others loses its key once it is decided; their messages stay. The record of it holds numbers only (rules:
security, 3). Blocking functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Column, Table, bindparam, delete, literal_column, or_, select, update

from router.errors import NotFound
from router.events import ContactErased, Told
from router.known import Known
from router.store import tables as t
from router.store.act import contact_of_number
from router.store.ledger import Store
from router.store.naming import forget_named
from router.store.read import queries
from router.store.recorded import tombstone
from router.store.statement import Statement, Tx, insert, member
from router.store.tables import micros
from router.store.write import Effects

__all__ = ["delete_conversations", "erase", "export"]

_M, _C = t.messages.c, t.conversations.c


def _of(table: Table, column: Column[Any]) -> Statement:
    return Statement(delete(table).where(member(column, "numbers")))


_joined = Statement(
    select(t.contacts.c.number).where(
        t.contacts.c.joined_into == bindparam("number"), t.contacts.c.joined_into != literal_column("0")
    )
)
_conversations = Statement(select(_C.number).where(member(_C.contact, "numbers")))
_messages = Statement(
    select(_M.number, _M.realm, _M.external_id, _M.raw_partition, _M.raw_position).where(
        or_(member(_M.conversation, "numbers"), member(_M.contact, "contacts"))
    )
)
_forget_key = Statement(
    delete(t.raw_keys).where(t.raw_keys.c.partition == bindparam("part"), t.raw_keys.c.position == bindparam("place"))
)
_forget_raw = Statement(
    update(t.raws)
    .where(t.raws.c.partition == bindparam("part"), t.raws.c.position == bindparam("place"))
    .values(body=b"", meta="{}")
)
_put_tombstone = insert(t.tombstones, unless_there=True)
_delete_attempts = Statement(
    delete(t.attempts).where(
        t.attempts.c.outbox.in_(select(t.outbox.c.id).where(member(t.outbox.c.conversation, "numbers")))
    )
)
_by_conversation = (
    _of(t.outbox, t.outbox.c.conversation),
    _of(t.markers, t.markers.c.conversation),
    _of(t.links, t.links.c.conversation),
    _of(t.links, t.links.c.other),
    _of(t.events, t.events.c.conversation),
    _of(t.incident_conversations, t.incident_conversations.c.conversation),
    _of(t.merges, t.merges.c.absorbed),
    _of(t.merges, t.merges.c.into),
    _of(t.conversations, _C.number),
)
_by_message = (
    _of(t.decisions, t.decisions.c.message),
    _of(t.labels, t.labels.c.message),
    _of(t.messages, _M.number),
)
_threads = Statement(
    select(t.thread_keys.c.thread).where(
        t.thread_keys.c.realm == bindparam("where"), t.thread_keys.c.key == bindparam("id")
    )
)
_forget_thread_key = Statement(
    delete(t.thread_keys).where(t.thread_keys.c.realm == bindparam("where"), t.thread_keys.c.key == bindparam("id"))
)
#: Threads that a message of somebody else still stands in: a chain of mails may hold several people.
_shared_threads = Statement(
    select(t.thread_keys.c.thread)
    .join(t.messages, (_M.realm == t.thread_keys.c.realm) & (_M.external_id == t.thread_keys.c.key))
    .where(member(t.thread_keys.c.thread, "numbers"))
    .distinct()
)
_delete_threads = _of(t.thread_keys, t.thread_keys.c.thread)
_delete_handles = _of(t.handles, t.handles.c.contact)
_mail_addresses = Statement(
    select(t.handles.c.address).where(member(t.handles.c.contact, "numbers"), t.handles.c.scope == "email")
)
_delete_contacts = _of(t.contacts, t.contacts.c.number)


def erase(store: Store, contact: int, now: datetime, *, dry_run: bool = True) -> dict[str, Any]:
    """Erase a contact over all his handles; a dry run only counts. Raises `NotFound`.

    The report of an erasure says whether SQLite's files hold nothing of him any more (`Scrubbed`).
    """

    def work(tx: Tx) -> dict[str, Any]:
        root = contact_of_number(tx, contact).number
        people = _family(tx, root)
        conversations = [row[0] for row in tx.rows(_conversations, numbers=people)]
        messages = tx.rows(_messages, numbers=conversations, contacts=people)
        raws = {(row[3], row[4]) for row in messages if row[4] is not None}
        report = {
            "contact": root,
            "contacts": len(people),
            "conversations": len(conversations),
            "messages": len(messages),
            "raws": len(raws),
            "dry_run": dry_run,
        }
        if not dry_run:
            _erase(tx, people, conversations, messages, raws, now)
            effects = Effects(Known())
            erased = ContactErased(conversations=len(conversations), messages=len(messages), raws=len(raws))
            effects.tell(Told(at=now, event=erased))
            effects.write(tx, now, store.receivers)
        return report

    report = store.again(work)
    if not dry_run:
        report |= store.database.scrub()._asdict()
    return report


def _family(tx: Tx, root: int) -> list[int]:
    people, todo = [root], [root]
    while todo:
        further = [row[0] for row in tx.rows(_joined, number=todo.pop())]
        people += further
        todo += further
    return people


def _erase(
    tx: Tx,
    people: Sequence[int],
    conversations: Sequence[int],
    messages: Sequence[Sequence[Any]],
    raws: Iterable[tuple[int, int]],
    now: datetime,
) -> None:
    places = [{"part": partition, "place": position} for partition, position in sorted(raws)]
    tx.many(_forget_key, places)
    tx.many(_forget_raw, places)
    _delete(tx, conversations, messages, now)
    forget_named(tx, [row[0] for row in tx.rows(_mail_addresses, numbers=people)])
    tx.run(_delete_handles, numbers=people)
    tx.run(_delete_contacts, numbers=people)


def delete_conversations(tx: Tx, conversations: Sequence[int], now: datetime) -> None:
    """Delete conversations and all that was made of them; their contacts stay, and so do their raws until those are
    old. Digests of the messages' ids stay, so that a redelivery brings nothing back."""
    _delete(tx, conversations, tx.rows(_messages, numbers=conversations, contacts=[]), now)


def _delete(tx: Tx, conversations: Sequence[int], messages: Sequence[Sequence[Any]], now: datetime) -> None:
    tx.many(_put_tombstone, [{"digest": tombstone((row[1], row[2])), "at": micros(now)} for row in messages])
    threads = {row[0] for m in messages for row in tx.rows(_threads, where=m[1], id=m[2])}
    numbers = [row[0] for row in messages]
    for statement in _by_message:
        tx.run(statement, numbers=numbers)
    tx.run(_delete_attempts, numbers=conversations)
    for statement in _by_conversation:
        tx.run(statement, numbers=conversations)
    tx.many(_forget_thread_key, [{"where": row[1], "id": row[2]} for row in messages])
    shared = {row[0] for row in tx.rows(_shared_threads, numbers=sorted(threads))}
    tx.run(_delete_threads, numbers=sorted(threads - shared))


def export(store: Store, contact: int) -> dict[str, Any]:
    """Everything kept of a contact, as one JSON value. Raises `NotFound`."""
    with store.database.read() as tx:
        found = contact_of_number(tx, contact)
        people = _family(tx, found.number)
        numbers = [row[0] for row in tx.rows(_conversations, numbers=people)]
    if not numbers and found is None:
        raise NotFound(f"There is no contact {contact}.")
    handles: list[Any] = next((c["handles"] for c in queries.contacts(store.database) if c["id"] == found.number), [])
    return {
        "contact": msgspec.to_builtins(found),
        "handles": handles,
        "conversations": [
            {"id": number, "messages": queries.messages_of(store.database, number),
             "events": queries.events_of(store.database, number)}
            for number in numbers
        ],
    }  # fmt: skip
