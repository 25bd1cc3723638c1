"""What is the same in every act of the desk? The contact's lock, one transaction, effects written once.

In: the store and the conversation's number. Out: the state to change, and the row of what the desk itself says.
Blocking functions; the acts are in `router.store.desk`, `answer` and `relations`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import bindparam, select

from router.errors import NotFound, Refused
from router.known import Known
from router.model import Conversation, Direction
from router.ref import ref_of
from router.store import tables as t
from router.store.codec import contact_of
from router.store.ledger import Store
from router.store.load import MissedLock
from router.store.read import queries
from router.store.statement import Statement, Tx
from router.store.tables import micros
from router.store.write import Effects
from router.text.secrets.redact import redact

__all__ = ["act", "contact_of_number", "desk_row", "locked", "refuse_held"]

_T = TypeVar("_T")

_lock_contact = Statement(
    select(t.contacts.c.number).where(t.contacts.c.number == bindparam("number")).with_for_update(key_share=True)
)
_contact = Statement(
    select(
        t.contacts.c.number, t.contacts.c.name, t.contacts.c.verified, t.contacts.c.attributes, t.contacts.c.language,
        t.contacts.c.blocked, t.contacts.c.joined_into,
    ).where(t.contacts.c.number == bindparam("number"))
)  # fmt: skip


def locked(tx: Tx, number: int) -> Conversation:
    """The conversation, its contact locked as the decision locks it. Raises `NotFound`."""
    found = queries.conversation(tx, number)
    if tx.dialect == "postgresql":
        tx.rows(_lock_contact, number=found.contact)
        again = queries.conversation(tx, number)
        if again.contact != found.contact:
            raise MissedLock
        return again
    return found


def act(store: Store, number: int, now: datetime, change: Callable[[Tx, Conversation, Effects], _T]) -> _T:
    """One act on one conversation, in one transaction with its effects."""

    def work(tx: Tx) -> _T:
        effects = Effects(Known())
        done = change(tx, locked(tx, number), effects)
        effects.write(tx, now, store.receivers)
        store.bell.ring_in(tx, "outbox")
        return done

    return store.again(work)


def refuse_held(c: Conversation, agent: str) -> None:
    """Raise `Refused` when another agent holds the conversation."""
    if c.holder and c.holder != agent:
        raise Refused(f"{c.holder} holds {ref_of(c.number)}; ask them to release it, or use --force.")


def contact_of_number(tx: Tx, number: int) -> Any:
    """The contact of this number, or the one it was joined into. Raises `NotFound`."""
    row = tx.one(_contact, number=number)
    if row is None:
        raise NotFound(f"There is no contact {number}.")
    return contact_of_number(tx, row[6]) if row[6] else contact_of(row)


def desk_row(
    own: int,
    c: Conversation,
    text: str,
    agent: str,
    now: datetime,
    direction: Direction,
    *,
    channel: str,
    external_id: str,
    realm: str = "",
    handle: str = "",
    thread: int = 0,
    subject: str = "",
    automatic: bool = False,
    attachments: str = "[]",
) -> dict[str, Any]:
    """The row of a message that the desk itself says. What it says is redacted as what it hears."""
    return {
        "number": own, "realm": realm or channel, "external_id": external_id, "provider_id": None,
        "conversation": c.number, "contact": c.contact, "thread": thread or own, "direction": direction.value,
        "automatic": automatic, "class": "", "kind": "text", "channel": channel, "handle": handle, "claimed": "",
        "via": "", "unproven": False, "original": "", "thread_index": "", "thread_topic": "",
        "sender_name": agent, "agent": agent, "sent_at": micros(now), "received_at": micros(now),
        "subject": redact(subject).text, "text": redact(text).text, "own_text": None, "digest": external_id,
        "edits": "", "issue_type": "", "confidence": 0.0, "unsure": False, "language": c.language, "flags": "[]",
        "attachments": attachments, "raw_partition": None, "raw_position": None, "history": False,
    }  # fmt: skip
