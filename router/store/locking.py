"""How does a transaction take hold of a contact? The lock that every decision and every act takes first.

On PostgreSQL the contact is the lock; on SQLite the transaction itself is.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, select

from router.model import Conversation
from router.store import tables as t
from router.store.load import MissedLock
from router.store.read import queries
from router.store.statement import Statement, Tx, member

__all__ = ["lock_contacts", "locked"]

_lock_contact = Statement(
    select(t.contacts.c.number).where(t.contacts.c.number == bindparam("number")).with_for_update(key_share=True)
)
_lock_contacts = Statement(
    select(t.contacts.c.number)
    .where(member(t.contacts.c.number, "numbers"))
    .order_by(t.contacts.c.number)
    .with_for_update(key_share=True)
)


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


def lock_contacts(tx: Tx, numbers: Iterable[int]) -> None:
    """Lock these contacts, in the one order of all."""
    if tx.dialect == "postgresql":
        tx.rows(_lock_contacts, numbers=sorted(set(numbers)))
