"""What is the same in every act of the desk? The contact's lock, one transaction, effects written once.

In: the store and the conversation's number. Out: the state to change, and the row of what the desk itself says.
Blocking functions; the acts are in `router.desk.acts`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from router.desk.ledger import Ledger
from router.errors import Refused
from router.model import Conversation, Direction
from router.ref import ref_of
from router.store.change import Change
from router.store.locking import locked
from router.store.statement import Tx
from router.store.tables import micros
from router.text.secrets.redact import redact

__all__ = ["act", "desk_row", "refuse_held"]

_T = TypeVar("_T")


def act(ledger: Ledger, number: int, now: datetime, change: Callable[[Tx, Conversation, Change], _T]) -> _T:
    """One act on one conversation, in one transaction with its effects."""

    def work(tx: Tx) -> _T:
        effects = ledger.change()
        done = change(tx, locked(tx, number), effects)
        ledger.write(tx, effects, now)
        ledger.bell.ring_in(tx, "outbox")
        return done

    return ledger.again(work)


def refuse_held(c: Conversation, agent: str) -> None:
    """Raise `Refused` when another agent holds the conversation."""
    if c.holder and c.holder != agent:
        raise Refused(f"{c.holder} holds {ref_of(c.number)}; ask them to release it, or use --force.")


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
