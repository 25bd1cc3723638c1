"""What does the ledger tell people? Exports, queues, one conversation, one explanation: plain dicts, read in pages.

Field names and formats are those of the contract, section 4; instants are ISO 8601 in UTC with `Z`. Nothing here
writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Select, and_, bindparam, func, or_, select

from router.deadlines.fold import Promises, clocks_at, from_json
from router.errors import NotFound
from router.event_reading import upgraded
from router.model import Conversation
from router.ref import ref_of
from router.store import tables as t
from router.store.codec import CONVERSATION_COLUMNS, conversation_of
from router.store.database import Database
from router.store.read import merges
from router.store.read.history import history_until, looked_at
from router.store.read.merges import absorbed_by, family
from router.store.statement import Statement, Tx, member
from router.store.tables import instant

__all__ = [
    "absorbed_by",
    "contacts",
    "conversation",
    "conversations",
    "deadlines",
    "events",
    "family",
    "labels",
    "links_of",
    "message_number",
    "messages",
    "messages_of",
]

_PAGE = 500
_decode = msgspec.json.Decoder().decode
_M, _C = t.messages.c, t.conversations.c

_MESSAGE_COLUMNS = (
    _M.number, _M.channel, _M.external_id, _M.direction, _M.automatic, _M.handle, _M.contact,
    func.coalesce(t.thread_keys.c.thread, _M.thread),
    _M.conversation, _M.sent_at, _M.received_at, _M["class"], _M.issue_type, _M.confidence, _M.unsure, _C.tags,
    _M.flags, _C.queue, _M.subject, _M.text, _M.own_text, _M.kind, _M.agent, _M.attachments, _M.edits,
    t.outbox.c.state,
    _M.claimed, _M.via, _M.unproven, _M.original,
)  # fmt: skip
_messages_from = (
    select(*_MESSAGE_COLUMNS)
    .join(t.conversations, _C.number == _M.conversation)
    .outerjoin(t.thread_keys, and_(t.thread_keys.c.realm == _M.realm, t.thread_keys.c.key == _M.external_id))
    .outerjoin(t.outbox, and_(t.outbox.c.message == _M.number, t.outbox.c.kind == "reply"))
)
_messages_page = Statement(
    _messages_from.where(_M.number > bindparam("after"), _M.kind != "status")
    .order_by(_M.number)
    .limit(bindparam("rows"))
)
_messages_of = Statement(
    _messages_from.where(member(_M.conversation, "numbers"), _M.kind != "status").order_by(_M.sent_at, _M.number)
)
_by_number: Select[Any] = select(*CONVERSATION_COLUMNS)
_conversations_page = Statement(
    _by_number.where(_C.number > bindparam("after")).order_by(_C.number).limit(bindparam("rows"))
)
_conversation = Statement(_by_number.where(_C.number == bindparam("number")))
_links = Statement(
    select(
        t.links.c.conversation, t.links.c.other, t.links.c.reason, t.links.c.score, t.links.c.by, t.links.c.because
    ).where(
        t.links.c.undone.is_(False), or_(member(t.links.c.conversation, "numbers"), member(t.links.c.other, "others"))
    )
)
_contacts_page = Statement(
    select(
        t.contacts.c.number, t.contacts.c.name, t.contacts.c.verified, t.contacts.c.attributes, t.contacts.c.language,
        t.contacts.c.blocked, t.contacts.c.created_at,
    )
    .where(t.contacts.c.number > bindparam("after"), t.contacts.c.joined_into == 0)
    .order_by(t.contacts.c.number)
    .limit(bindparam("rows"))
)  # fmt: skip
_handles = Statement(
    select(t.handles.c.contact, t.handles.c.scope, t.handles.c.address, t.handles.c.evidence, t.handles.c.closed).where(
        member(t.handles.c.contact, "numbers")
    )
)
_events_page = Statement(
    select(t.events).where(t.events.c.seq > bindparam("after")).order_by(t.events.c.seq).limit(bindparam("rows"))
)
_newest_event = Statement(select(func.max(t.events.c.seq)).where(member(t.events.c.conversation, "numbers")))
_events_of = Statement(select(t.events).where(member(t.events.c.conversation, "numbers")).order_by(t.events.c.seq))
_message_number = Statement(select(_M.number, _M.conversation).where(_M.number == bindparam("number")))
_message_by_id = Statement(
    select(_M.number, _M.conversation).where(or_(_M.external_id == bindparam("id"), _M.provider_id == bindparam("id")))
)
_decision = Statement(select(t.decisions).where(t.decisions.c.message == bindparam("number")))
_labels_page = Statement(
    select(t.labels.c.message, t.labels.c.issue_type, t.labels.c.by, t.labels.c.at, _M.text, _M.own_text, _M.language)
    .join(t.messages, _M.number == t.labels.c.message)
    .where(t.labels.c.message > bindparam("after"))
    .order_by(t.labels.c.message)
    .limit(bindparam("rows"))
)


def utc(at: datetime | None) -> str | None:
    """ISO 8601 in UTC with `Z`, or None."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _stamp(value: int | None) -> str | None:
    return None if value is None else utc(instant(value))


def _pages(database: Database, statement: Statement, page: int = _PAGE) -> Iterator[list[tuple[Any, ...]]]:
    """Pages of rows whose first column is the key they are ordered by; no transaction outlives a page."""
    after = -1
    while True:
        with database.read() as tx:
            rows = tx.rows(statement, after=after, rows=page)
        if not rows:
            return
        yield rows
        after = rows[-1][0]


def messages(database: Database, *, raw: bool = False) -> Iterator[dict[str, Any]]:
    """All messages, oldest first. `raw` adds the full text with quotes and signature."""
    for page in _pages(database, _messages_page):
        with database.read() as tx:
            merged, joined = _whose(tx, page)
        for row in page:
            yield _message(row, merged, joined, raw=raw)


def _whose(tx: Tx, rows: Sequence[Sequence[Any]]) -> tuple[dict[int, int], dict[int, int]]:
    """Where the conversations and the contacts of these messages went, if they did."""
    return merges.of_conversations(tx, {row[8] for row in rows}), merges.of_contacts(tx, {row[6] for row in rows})


def _message(
    row: Sequence[Any], merged: Mapping[int, int], joined: Mapping[int, int], *, raw: bool = False
) -> dict[str, Any]:
    shown = {
        "id": row[0],
        "channel": row[1],
        "external_id": row[2],
        "direction": row[3],
        "automatic": bool(row[4]),
        "sender": row[5],
        "contact": joined.get(row[6], row[6]),
        "thread": row[7],
        "conversation": merged.get(row[8], row[8]),
        "sent_at": _stamp(row[9]),
        "received_at": _stamp(row[10]),
        "class": row[11] or None,
        "issue_type": row[12],
        "confidence": round(row[13], 4),
        "unsure": bool(row[14]),
        "tags": _decode(row[15]),
        "flags": _decode(row[16]),
        "queue": row[17],
        "subject": row[18],
        "text": row[19] if row[20] is None else row[20],
        "kind": row[21],
        "agent": row[22] or None,
        "attachments": _decode(row[23]),
        "edits": row[24] or None,
        "state": row[25] or ("sent" if row[3] == "out" else None),
    }
    if raw:
        shown["full_text"] = row[19]
        shown |= {"claimed": row[26] or None, "via": row[27] or None, "unproven": bool(row[28])}
        shown["forwards_mail_of"] = row[29] or None
    return shown


def conversations(database: Database, promises: Promises, now: datetime) -> Iterator[dict[str, Any]]:
    """All conversations that were not merged away, oldest first."""
    until = history_until(database)
    for page in _pages(database, _conversations_page):
        found = [conversation_of(row) for row in page]
        with database.read() as tx:
            links = links_of(tx, [c.number for c in found])
        for c in found:
            if not c.merged_into:
                yield shown_conversation(c, promises, looked_at(c, promises, now, until), links.get(c.number, []))


def shown_conversation(
    c: Conversation, promises: Promises, now: datetime, links: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A conversation as the outside sees it."""
    states = clocks_at(from_json(c.clocks), promises, now)
    return {
        "id": c.number,
        "ref": ref_of(c.number),
        "contact": c.contact,
        "status": c.status.value,
        "queue": c.queue,
        "priority": c.priority,
        "issue_type": c.issue_type,
        "unsure": c.unsure,
        "tags": list(c.tags),
        "flags": list(c.flags),
        "language": c.language,
        "holder": c.holder or None,
        "channels": list(c.channels),
        "first_message_at": utc(c.opened_at),
        "last_message_at": utc(c.last_message_at),
        "waiting_since": utc(c.waiting_since),
        "chases": c.chases,
        "next_due": utc(min((s.due_at for s in states if s.state == "running" and s.due_at), default=None)),
        "breached": any(s.breached_at is not None for s in states),
        "messages": c.messages,
        "participants": list(dict.fromkeys((*(address for _, address in c.participants), *c.copied))),
        "copied": list(c.copied),
        "proposed": list(c.proposed),
        "links": list(links),
        "unproven": [
            {name: one[name] for name in ("conversation", "ref", "because") if name in one}
            for one in links
            if one["reason"] == "unproven_link"
        ],
    }


def links_of(tx: Tx, numbers: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The links of each conversation and of what was merged into it, seen from both sides. Between two that are one by
    now there is none."""
    parts = merges.families(tx, numbers)
    rows = tx.rows(_links, numbers=parts, others=parts) if parts else []
    into = merges.of_conversations(tx, {end for row in rows for end in row[:2]})
    found: dict[int, dict[tuple[int, str], dict[str, Any]]] = {}
    wanted = set(numbers)
    for one, other, reason, score, by, because in rows:
        ends = into.get(one, one), into.get(other, other)
        for here, there in (ends, ends[::-1]) if ends[0] != ends[1] else ():
            if here not in wanted:
                continue
            shown = {"conversation": there, "ref": ref_of(there), "reason": reason, "score": round(score, 3), "by": by}
            shown |= {"because": because} if because else {}
            found.setdefault(here, {}).setdefault((there, reason), shown)
    return {here: list(links.values()) for here, links in found.items()}


def deadlines(database: Database, promises: Promises, now: datetime) -> Iterator[dict[str, Any]]:
    """All clocks of all conversations, running and ended, as they stand at `now` (recorded ones: `looked_at`)."""
    until = history_until(database)
    for page in _pages(database, _conversations_page):
        for c in map(conversation_of, page):
            yield from clock_rows(c, promises, looked_at(c, promises, now, until))


def clock_rows(c: Conversation, promises: Promises, now: datetime) -> Iterator[dict[str, Any]]:
    """The clocks of one conversation at `now`."""
    for clock in clocks_at(from_json(c.clocks), promises, now):
        yield {
            "conversation": c.number,
            "metric": clock.metric,
            "cycle": clock.cycle,
            "started_at": utc(clock.started_at),
            "due_at": utc(clock.due_at),
            "state": clock.state,
            "ended_at": utc(clock.ended_at),
            "policy": clock.policy,
            "schedule": clock.schedule,
            "paused_seconds": clock.paused_seconds,
            "breached_at": utc(clock.breached_at),
            "provisional": clock.provisional,
        }


def contacts(database: Database) -> Iterator[dict[str, Any]]:
    """All contacts that were not joined into another, with their handles."""
    for page in _pages(database, _contacts_page):
        with database.read() as tx:
            handles: dict[int, list[dict[str, Any]]] = {}
            for contact, scope, address, evidence, closed in tx.rows(_handles, numbers=[row[0] for row in page]):
                shown = {"scope": scope, "address": address, "evidence": evidence, "closed": bool(closed)}
                handles.setdefault(contact, []).append(shown)
        for row in page:
            yield {
                "id": row[0],
                "name": row[1],
                "verified": _decode(row[2]),
                "attributes": _decode(row[3]),
                "language": row[4],
                "blocked": bool(row[5]),
                "created_at": _stamp(row[6]),
                "handles": handles.get(row[0], []),
            }


def events(database: Database) -> Iterator[dict[str, Any]]:
    """All events, in the order of `seq`."""
    for page in _pages(database, _events_page):
        yield from map(shown_event, page)


def shown_event(row: Sequence[Any]) -> dict[str, Any]:
    """An event as the outside sees it; `history` marks one of recorded messages, which told nobody."""
    seq, at, type_, number, message, body, history = row
    shown = {
        "seq": seq,
        "at": _stamp(at),
        "type": type_,
        "conversation": number,
        "message": message or None,
        "data": upgraded(type_, _decode(body)),
    }
    if history:
        shown["history"] = True
    return shown


def labels(database: Database) -> Iterator[dict[str, Any]]:
    """What people retagged: training lines for `omnirouter train`."""
    for page in _pages(database, _labels_page):
        for number, issue_type, by, at, full, own, language in page:
            text = full if own is None else own
            yield {"id": number, "text": text, "label": issue_type, "by": by, "at": _stamp(at), "lang": language}


def conversation(tx: Tx, number: int) -> Conversation:
    """The conversation of this number, or the one it was merged into. Raises `NotFound`."""
    found = conversation_itself(tx, number)
    return conversation(tx, found.merged_into) if found.merged_into else found


def conversation_itself(tx: Tx, number: int) -> Conversation:
    """The conversation of this number, merged or not. Raises `NotFound`."""
    row = tx.one(_conversation, number=number)
    if row is None:
        raise NotFound(f"There is no conversation {number} ({ref_of(number)}).")
    return conversation_of(row)


def messages_of(database: Database, number: int) -> list[dict[str, Any]]:
    """The messages of a conversation over all its channels, by time."""
    with database.read() as tx:
        rows = tx.rows(_messages_of, numbers=family(tx, number))
        merged, joined = _whose(tx, rows)
    return [_message(row, merged, joined, raw=True) for row in rows]


def events_of(database: Database, number: int) -> list[dict[str, Any]]:
    """The events of a conversation and of those merged into it."""
    with database.read() as tx:
        rows = tx.rows(_events_of, numbers=family(tx, number))
    return [shown_event(row) for row in rows]


def newest_event(tx: Tx, number: int) -> int:
    """The number of the last event of a conversation and of those merged into it; 0 where there is none."""
    row = tx.one(_newest_event, numbers=family(tx, number))
    return int(row[0] or 0) if row else 0


def message_number(tx: Tx, text: str) -> tuple[int, int] | None:
    """(message, conversation) of a message named by its number or by the provider's id; None when there is none."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        found = tx.one(_message_number, number=int(text))
        if found is not None:
            return found[0], found[1]
    rows = tx.rows(_message_by_id, id=text)
    return (rows[0][0], rows[0][1]) if rows else None


def decision(tx: Tx, number: int) -> dict[str, Any] | None:
    """Why a message went where it went: method, score, candidates, tagging, routing, trace."""
    row = tx.one(_decision, number=number)
    if row is None:
        return None
    return {
        "method": row[1],
        "score": round(row[2], 4),
        "candidates": _decode(row[3]),
        "tagging": _decode(row[4]),
        "routing": _decode(row[5]),
        "trace": _decode(row[6]),
        "policy_version": row[7],
    }
