"""What do the messages of a conversation say of it, and of which of two that were one is a message?

In: the ledger, numbers of messages or conversations. Out: rows of messages with what parting reads of them, and what a
set of rows says in sum. A message is of the part that has its thread, else of the part whose customer wrote from, or
was answered at, its address. Blocking functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import and_, bindparam, func, select, update

from router.conversation.after_message import message_facts, reply_window
from router.conversation.merge import Stays
from router.deadlines.clocks import Unanswered
from router.match.join import PIECES
from router.model import Handle
from router.policy.values import Policy
from router.store import tables as t
from router.store.statement import Statement, Tx, member
from router.store.tables import instant

__all__ = ["Row", "Rows", "belongs", "messages_named", "messages_of", "move", "stays", "unanswered_of"]

#: Kinds that nobody needs to answer.
_SILENT = ("reaction", "sticker", "deleted")
_M = t.messages.c
_written = (
    select(
        _M.number, _M.conversation, _M.direction, _M.sent_at, _M.received_at, _M.channel, _M["class"],
        func.coalesce(t.thread_keys.c.thread, _M.thread), _M.issue_type, _M.automatic, _M.realm, _M.external_id,
        _M.handle, _M.kind, func.coalesce(_M.own_text, _M.text), t.decisions.c.method,
    )
    .outerjoin(t.thread_keys, and_(t.thread_keys.c.realm == _M.realm, t.thread_keys.c.key == _M.external_id))
    .outerjoin(t.decisions, t.decisions.c.message == _M.number)
)  # fmt: skip
_named = Statement(_written.where(member(_M.number, "numbers")))
_of = Statement(_written.where(member(_M.conversation, "numbers")))
_move = Statement(update(t.messages).where(member(_M.number, "numbers")).values(conversation=bindparam("into")))


class Row(msgspec.Struct, frozen=True):
    """What parting reads of a message."""

    number: int
    conversation: int
    direction: str
    sent_at: int
    received_at: int
    channel: str
    class_: str
    thread: int
    issue_type: str
    automatic: bool
    realm: str
    external_id: str
    handle: str
    kind: str
    text: str
    method: str | None

    @property
    def inbound(self) -> bool:
        """Did it come from the customer's side?"""
        return self.direction == "in"

    @property
    def heard(self) -> bool:
        """Did the customer himself write it?"""
        return self.inbound and not self.automatic

    @property
    def asks(self) -> bool:
        """Does it want an answer?"""
        return self.heard and self.class_ not in ("", "ack") and self.kind not in _SILENT and self.method not in PIECES

    @property
    def address(self) -> Handle:
        """Where the customer wrote from, or was answered."""
        return "email" if self.realm == "mail" else self.channel, self.handle

    @property
    def id(self) -> str:
        """Its id as the clocks know it."""
        return f"{self.realm}/{self.external_id}"


Rows: TypeAlias = Sequence[Row]


def messages_named(tx: Tx, numbers: Sequence[int]) -> list[Row]:
    """The messages of these numbers."""
    return [Row(*row) for row in tx.rows(_named, numbers=sorted(set(numbers)))]


def messages_of(tx: Tx, conversations: Sequence[int]) -> list[Row]:
    """The messages of these conversations."""
    return [Row(*row) for row in tx.rows(_of, numbers=conversations)]


def move(tx: Tx, rows: Rows, into: int) -> None:
    """Put messages into another conversation."""
    tx.run(_move, numbers=sorted(row.number for row in rows), into=into)


def belongs(row: Row, one: Rows, other: Rows) -> bool:
    """Is it clearly of the one part, and not of the other?"""
    traits: tuple[Callable[[Row], Any], ...] = (lambda r: r.thread, lambda r: r.address)
    for trait in traits:
        there, elsewhere = (trait(row) in {trait(r) for r in rows if r.inbound} for rows in (one, other))
        if there != elsewhere:
            return there
    return False


def stays(rows: Rows, policy: Policy) -> Stays:
    """What these messages say of their conversation; what people set (status) is no word of anybody."""
    rows = sorted((row for row in rows if row.kind != "status"), key=lambda row: (row.sent_at, row.number))
    inbound = [row for row in rows if row.inbound]
    return Stays(
        channels=tuple(dict.fromkeys(row.channel for row in inbound)),
        threads=tuple(dict.fromkeys(row.thread for row in rows)),
        participants=tuple(dict.fromkeys(row.address for row in inbound)),
        messages=len(rows),
        asked=tuple(unanswered_of(row, policy) for row in inbound if row.asks),
        first_message_at=instant(rows[0].sent_at) if rows else None,
        last_message_at=instant(rows[-1].sent_at) if rows else None,
        last_in_at=max((instant(row.sent_at) for row in inbound if row.heard), default=None),
    )


def unanswered_of(row: Row, policy: Policy) -> Unanswered:
    """The message as one that waits for an answer, with its own time and facts."""
    kind, at = policy.channel(row.channel).kind, instant(row.sent_at)
    return Unanswered(
        id=row.id, at=at, facts=message_facts(row.channel, kind, at, policy),
        window=reply_window(row.channel, kind, policy),
    )  # fmt: skip
