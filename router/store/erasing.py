"""What must be deleted when a person, or a conversation, is to be forgotten? The rows, in their order; digests stay.

In: numbers of contacts or conversations. The wrapped keys of a person's raws go, so that the bytes are noise, also in a
backup that leaves the table of keys out; digests of message ids stay, so that a redelivery brings nothing back. Within
the caller's transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Column, Table, bindparam, delete, literal_column, or_, select, update

from router.model import Key
from router.store import tables as t
from router.store.naming import forget_named
from router.store.statement import Statement, Tx, insert, member
from router.store.tables import micros

__all__ = [
    "Footprint", "conversations_of", "delete_conversations", "delete_person", "erased_keys", "footprint", "people_of",
    "tombstone",
]  # fmt: skip

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
_erased = Statement(select(t.tombstones.c.digest).where(t.tombstones.c.digest == bindparam("key_digest")))
_any_erased = Statement(select(t.tombstones.c.digest).limit(1))


class Footprint(NamedTuple):
    """What is kept of a person: contacts, conversations, rows of messages, places of raws."""

    people: Sequence[int]
    conversations: Sequence[int]
    messages: Sequence[Sequence[Any]]
    raws: Collection[tuple[int, int]]


def tombstone(key: Key) -> str:
    """What is kept of an erased message: a digest of its key."""
    return hashlib.sha256("\0".join(key).encode()).hexdigest()


def erased_keys(tx: Tx, keys: Collection[Key]) -> set[Key]:
    """Those of these messages that were erased."""
    if tx.one(_any_erased) is None:
        return set()
    return {key for key in keys if tx.one(_erased, key_digest=tombstone(key)) is not None}


def people_of(tx: Tx, root: int) -> list[int]:
    """A contact, and those that were joined into it."""
    people, todo = [root], [root]
    while todo:
        further = [row[0] for row in tx.rows(_joined, number=todo.pop())]
        people += further
        todo += further
    return people


def footprint(tx: Tx, root: int) -> Footprint:
    """What is kept of a contact and of those that were joined into it."""
    people = people_of(tx, root)
    conversations = conversations_of(tx, people)
    messages = tx.rows(_messages, numbers=conversations, contacts=people)
    raws = {(row[3], row[4]) for row in messages if row[4] is not None}
    return Footprint(people, conversations, messages, raws)


def conversations_of(tx: Tx, people: Sequence[int]) -> list[int]:
    """The conversations of these contacts."""
    return [row[0] for row in tx.rows(_conversations, numbers=people)]


def delete_person(tx: Tx, kept: Footprint, marker_of: Callable[[str], str], now: datetime) -> None:
    """Delete all of a person. `marker_of` gives the key of the marker that a mail leaves of an address it names."""
    places = [{"part": partition, "place": position} for partition, position in sorted(kept.raws)]
    tx.many(_forget_key, places)
    tx.many(_forget_raw, places)
    _delete(tx, kept.conversations, kept.messages, now)
    addresses = [row[0] for row in tx.rows(_mail_addresses, numbers=kept.people)]
    forget_named(tx, addresses, [marker_of(address) for address in addresses])
    tx.run(_delete_handles, numbers=kept.people)
    tx.run(_delete_contacts, numbers=kept.people)


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
