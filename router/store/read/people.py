"""Which contact did a person mean, and what are contacts called?

In: their number, one of their handles, or the ref of one of their conversations. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import bindparam, select

from router.errors import NotFound
from router.ref import number_of
from router.store import tables as t
from router.store.codec import contact_of
from router.store.database import Database
from router.store.read import queries
from router.store.statement import Statement, Tx, member

__all__ = ["contact_named", "contact_of_number", "handles_of", "names_of"]

_contact = Statement(
    select(
        t.contacts.c.number, t.contacts.c.name, t.contacts.c.verified, t.contacts.c.attributes, t.contacts.c.language,
        t.contacts.c.blocked, t.contacts.c.joined_into,
    ).where(t.contacts.c.number == bindparam("number"))
)  # fmt: skip
_by_address = Statement(select(t.handles.c.contact).where(t.handles.c.address == bindparam("written")))
_handles = Statement(
    select(t.handles.c.scope, t.handles.c.address, t.handles.c.closed)
    .where(t.handles.c.contact == bindparam("number"))
    .order_by(t.handles.c.scope, t.handles.c.address)
)
_names = Statement(select(t.contacts.c.number, t.contacts.c.name).where(member(t.contacts.c.number, "numbers")))


def contact_named(database: Database, text: str) -> int:
    """The contact of a number, of a handle (address on any channel), or of a conversation's ref. Raises `NotFound`."""
    word = text.strip()
    with database.read() as tx:
        found: list[int] = sorted({contact_of_number(tx, row[0]).number for row in tx.rows(_by_address, written=word)})
        if len(found) > 1:
            raise NotFound(f"{word!r} is a handle of {len(found)} contacts: {', '.join(map(str, found))}; name one.")
        if word.isascii() and word.isdigit() and len(word) < 19:
            return _numbered(tx, int(word), found)
        if found:
            return found[0]
        if word.upper().startswith("C-"):
            return queries.conversation(tx, number_of(word)).contact
    raise NotFound(
        f"{text!r} names no contact; right would be his number, a handle as `omnirouter show` prints it, or a ref."
    )


def contact_of_number(tx: Tx, number: int) -> Any:
    """The contact of this number, or the one it was joined into. Raises `NotFound`."""
    row = tx.one(_contact, number=number)
    if row is None:
        raise NotFound(f"There is no contact {number}.")
    return contact_of_number(tx, row[6]) if row[6] else contact_of(row)


def _numbered(tx: Tx, number: int, by_handle: list[int]) -> int:
    """A number is a contact's; where there is none, digits may be a handle (a telephone, a chat's number)."""
    try:
        return int(contact_of_number(tx, number).number)
    except NotFound:
        if by_handle:
            return by_handle[0]
        raise


def names_of(tx: Tx, contacts: Collection[int]) -> dict[int, str]:
    """The names of contacts, empty where nobody knows one."""
    return {row[0]: row[1] for row in tx.rows(_names, numbers=sorted(set(contacts)))}


def handles_of(tx: Tx, contact: int) -> list[dict[str, Any]]:
    """The handles of a contact: scope, address, and whether he closed it to the desk."""
    rows = tx.rows(_handles, number=contact)
    return [{"scope": scope, "address": address, "closed": bool(closed)} for scope, address, closed in rows]
