"""Who is a contact, and what did they write about? One contact with their handles; the numbers of their conversations.

In: a transaction, a contact's number. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, select

from router.errors import NotFound
from router.forms import ContactForm
from router.model import Conversation
from router.store import tables as t
from router.store.codec import CONVERSATION_COLUMNS, conversation_of
from router.store.statement import Statement, Tx, member
from router.store.tables import instant

__all__ = ["contact", "conversations"]

_P, _H, _C = t.contacts.c, t.handles.c, t.conversations.c
_decode = msgspec.json.Decoder(dict[str, str]).decode
_contact = Statement(
    select(_P.number, _P.name, _P.verified, _P.attributes, _P.language, _P.blocked, _P.created_at, _P.joined_into)
    .where(_P.number == bindparam("who"))
)
_handles = Statement(
    select(_H.scope, _H.address, _H.evidence, _H.closed)
    .where(_H.contact == bindparam("who"))
    .order_by(_H.scope, _H.address)
)
_joined = Statement(select(_P.number).where(_P.joined_into == bindparam("who")))
_conversations = Statement(
    select(*CONVERSATION_COLUMNS)
    .where(member(_C.contact, "those"), _C.merged_into == 0)
    .order_by(_C.last_message_at.desc(), _C.number.desc())
    .limit(bindparam("rows"))
)


def contact(tx: Tx, number: int) -> ContactForm:
    """The contact of this number, or the one that it was joined into. Raises `NotFound`."""
    row = tx.one(_contact, who=number)
    if row is None:
        raise NotFound(f"There is no contact {number}.")
    who, name, verified, attributes, language, blocked, created_at, joined_into = row
    if joined_into:
        return contact(tx, joined_into)
    return {
        "id": who,
        "name": name,
        "verified": _decode(verified),
        "attributes": _decode(attributes),
        "language": language,
        "blocked": bool(blocked),
        "created_at": instant(created_at).isoformat().replace("+00:00", "Z"),
        "handles": [
            {"scope": scope, "address": address, "evidence": evidence, "closed": bool(closed)}
            for scope, address, evidence, closed in tx.rows(_handles, who=who)
        ],
    }


def conversations(tx: Tx, number: int, limit: int = 100) -> Sequence[Conversation]:
    """The conversations of a contact and of those joined into it, the newest first, at most `limit`."""
    those, todo = [number], [number]
    while todo:
        further = [row[0] for row in tx.rows(_joined, who=todo.pop())]
        those += further
        todo += further
    return [conversation_of(row) for row in tx.rows(_conversations, those=those, rows=limit)]
