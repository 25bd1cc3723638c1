"""How does a value of the model look as a row, and back? Plain mappings between `router.model` and
`router.store.tables`.

Instants become microseconds, tuples and mappings JSON text; nothing here talks to a database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from router.model import (
    Authenticity,
    Contact,
    Conversation,
    Direction,
    Handle,
    KnownMessage,
    Placement,
    Standing,
    Status,
)
from router.store import tables
from router.store.statement import as_json
from router.store.tables import instant, micros
from router.text.secrets import scrub_ids
from router.text.secrets.redact import redact

__all__ = [
    "CONTACT_COLUMNS",
    "CONVERSATION_COLUMNS",
    "KNOWN_COLUMNS",
    "contact_of",
    "contact_row",
    "conversation_of",
    "conversation_row",
    "decision_row",
    "known_of",
    "maybe_instant",
    "maybe_micros",
    "message_row",
    "standing_of",
]

_decode = msgspec.json.Decoder().decode
_handles = msgspec.json.Decoder(tuple[Handle, ...]).decode
_words = msgspec.json.Decoder(tuple[str, ...]).decode
_numbers = msgspec.json.Decoder(tuple[int, ...]).decode

#: What the state of a conversation is read from: its place in the working order follows from it.
CONVERSATION_COLUMNS = tuple(column for column in tables.conversations.columns if column.name != "order_at")
CONTACT_COLUMNS = tuple(
    tables.contacts.c[name]
    for name in ("number", "name", "verified", "attributes", "language", "blocked", "joined_into")
)
KNOWN_COLUMNS = tuple(
    tables.messages.c[name]
    for name in (
        "realm", "external_id", "number", "conversation", "contact", "thread", "digest", "direction", "channel",
        "handle", "sent_at", "automatic", "edits",
    )
)  # fmt: skip


def maybe_micros(at: datetime | None) -> int | None:
    """Microseconds, or None."""
    return None if at is None else micros(at)


def maybe_instant(value: int | None) -> datetime | None:
    """An aware UTC datetime, or None."""
    return None if value is None else instant(value)


def _compact(value: Sequence[Any] | Mapping[str, Any], empty: str) -> str:
    return as_json(value) if value else empty


def conversation_row(c: Conversation, order_at: datetime | None) -> dict[str, Any]:
    """The row of a conversation's state, at its place in the working order."""
    return {
        "number": c.number,
        "contact": c.contact,
        "status": c.status.value,
        "opened_at": micros(c.opened_at),
        "last_message_at": micros(c.last_message_at),
        "last_in_at": maybe_micros(c.last_in_at),
        "last_out_at": maybe_micros(c.last_out_at),
        "solved_at": maybe_micros(c.solved_at),
        "closed_at": maybe_micros(c.closed_at),
        "waiting_since": maybe_micros(c.waiting_since),
        "chases": c.chases,
        "messages": c.messages,
        "subject": c.subject,
        "issue_type": c.issue_type,
        "confidence": c.confidence,
        "unsure": c.unsure,
        "type_by": c.type_by,
        "language": c.language,
        "tags": _compact(c.tags, "[]"),
        "flags": _compact(c.flags, "[]"),
        "channels": _compact(c.channels, "[]"),
        "threads": _compact(c.threads, "[]"),
        "participants": _compact(c.participants, "[]"),
        "copied": _compact(c.copied, "[]"),
        "proposed": _compact(c.proposed, "[]"),
        "queue": c.queue,
        "priority": c.priority,
        "rule": c.rule,
        "deadline_policy": c.deadline_policy,
        "pinned": c.pinned,
        "holder": c.holder,
        "matter": _compact(c.matter, "{}"),
        "clocks": _compact(c.clocks, "{}"),
        "next_due": maybe_micros(c.next_due),
        "next_wake_at": maybe_micros(c.next_wake_at),
        "breached": c.breached,
        "merged_into": c.merged_into,
        "version": c.version + 1,
        "order_at": maybe_micros(order_at),
    }


def conversation_of(row: Sequence[Any]) -> Conversation:
    """The state that a row of `CONVERSATION_COLUMNS` holds."""
    r = iter(row)
    return Conversation(
        number=next(r),
        contact=next(r),
        status=Status(next(r)),
        opened_at=instant(next(r)),
        last_message_at=instant(next(r)),
        last_in_at=maybe_instant(next(r)),
        last_out_at=maybe_instant(next(r)),
        solved_at=maybe_instant(next(r)),
        closed_at=maybe_instant(next(r)),
        waiting_since=maybe_instant(next(r)),
        chases=next(r),
        messages=next(r),
        subject=next(r),
        issue_type=next(r),
        confidence=next(r),
        unsure=bool(next(r)),
        type_by=next(r),
        language=next(r),
        tags=_words(next(r)),
        flags=_words(next(r)),
        channels=_words(next(r)),
        threads=_numbers(next(r)),
        participants=_handles(next(r)),
        copied=_words(next(r)),
        proposed=_words(next(r)),
        queue=next(r),
        priority=next(r),
        rule=next(r),
        deadline_policy=next(r),
        pinned=bool(next(r)),
        holder=next(r),
        matter=_decode(next(r)),
        clocks=_decode(next(r)),
        next_due=maybe_instant(next(r)),
        next_wake_at=maybe_instant(next(r)),
        breached=bool(next(r)),
        merged_into=next(r),
        version=next(r),
    )


def standing_of(row: Sequence[Any]) -> Standing:
    """As much of a conversation as (number, contact, status, flags, merged_into, matter) hold."""
    number, contact, status, flags, merged_into, matter = row
    return Standing(
        number=number, contact=contact, status=Status(status), flags=_words(flags) if flags != "[]" else (),
        matter=_decode(matter) if matter != "{}" else {}, merged_into=merged_into,
    )  # fmt: skip


def contact_row(c: Contact, created_at: datetime) -> dict[str, Any]:
    """The row of a contact."""
    return {
        "number": c.number,
        "name": redact(c.name).text if c.name else "",
        "verified": _compact(c.verified, "{}"),
        "attributes": _compact(c.attributes, "{}"),
        "language": c.language,
        "blocked": c.blocked,
        "joined_into": 0,
        "created_at": micros(created_at),
    }


def contact_of(row: Sequence[Any]) -> Contact:
    """The contact that a row of `CONTACT_COLUMNS` holds."""
    return Contact(
        number=row[0],
        name=row[1],
        verified=_decode(row[2]),
        attributes=_decode(row[3]),
        language=row[4],
        blocked=bool(row[5]),
    )


def known_of(row: Sequence[Any]) -> KnownMessage:
    """What the decision may know of the message in a row of `KNOWN_COLUMNS`."""
    return KnownMessage(
        number=row[2],
        conversation=row[3],
        contact=row[4],
        thread=row[5],
        digest=row[6],
        direction=row[7],
        channel=row[8],
        handle=row[9],
        sent_at=instant(row[10]),
        automatic=bool(row[11]),
    )


def message_row(p: Placement, raw: tuple[int, int] | None, history: bool) -> dict[str, Any]:
    """The row of a placed message."""
    m, realm = p.message, p.key[0]
    return {
        "number": p.number,
        "realm": realm,
        "external_id": p.key[1],
        "provider_id": None if m.realm else m.external_id,
        "conversation": p.conversation.number,
        "contact": p.contact.number,
        "thread": p.thread,
        "direction": m.direction.value,
        "automatic": m.automatic,
        "class": p.class_.value if p.class_ else "",
        "kind": m.kind,
        "channel": m.channel,
        "handle": m.sender.handle,
        "claimed": m.claimed,
        "via": m.via,
        "unproven": _is_unproven(p),
        "original": m.original,
        "thread_index": m.headers.thread_index if m.headers else "",
        "thread_topic": redact(m.headers.thread_topic).text if m.headers else "",
        "sender_name": redact(m.sender.name).text if m.sender.name else "",
        "agent": m.agent,
        "sent_at": micros(m.sent_at),
        "received_at": micros(p.received_at),
        "subject": p.subject,
        "text": p.text,
        "own_text": None if p.own_text == p.text else p.own_text,
        "digest": p.digest,
        "edits": m.key_of(m.edits)[1] if m.edits else "",
        "issue_type": p.tagging.issue_type,
        "confidence": p.tagging.confidence,
        "unsure": p.tagging.unsure,
        "language": p.tagging.language,
        "flags": _compact(p.flags, "[]"),
        "attachments": as_json(_attachments(p)) if m.attachments else "[]",
        "raw_partition": raw[0] if raw else None,
        "raw_position": raw[1] if raw else None,
        "history": history,
    }


def _is_unproven(p: Placement) -> bool:
    """Does nobody vouch for the sender: neither his channel, nor our mail server, nor a token that was made for him?"""
    m = p.message
    vouched = m.authenticity is Authenticity.PASS or p.method == "reply_address"
    return m.direction is Direction.IN and bool(m.realm or m.claimed) and not vouched


def _attachments(p: Placement) -> list[dict[str, Any]]:
    """What is kept of the files; people write secrets into their names and links too."""
    return [
        {"name": redact(a.name).text, "type": a.type, "url": scrub_ids.link(a.url), "size": a.size, "sha256": a.sha256}
        for a in p.message.attachments
    ]


def decision_row(p: Placement) -> dict[str, Any]:
    """The row that explains a placement."""
    return {
        "message": p.number,
        "method": p.method,
        "score": p.score,
        "candidates": _compact(p.candidates, "[]"),
        "tagging": as_json(p.tagging),
        "routing": as_json(p.routing) if p.routing else "{}",
        "trace": _compact(p.trace, "[]"),
        "policy_version": p.policy_version,
    }
