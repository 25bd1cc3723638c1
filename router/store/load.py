"""What does the ledger know that bears on these messages? A few queries for a whole batch fill one `Known`.

In: what the messages `want` (keys, threads, handles, markers). Out: the snapshot; on PostgreSQL every contact in it is
locked, after advisory locks on what may be new, so two nodes never decide for one person at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec
import xxhash
from sqlalchemy import bindparam, case, func, literal_column, or_, select, text

from router.bounce import KnownReply
from router.known import CLAIMED, REACH, Fragment, Known
from router.model import Conversation, Handle, Key, Link, Marker, Standing
from router.store import tables as t
from router.store.codec import (
    CONTACT_COLUMNS,
    CONVERSATION_COLUMNS,
    KNOWN_COLUMNS,
    contact_of,
    conversation_of,
    known_of,
    standing_of,
)
from router.store.statement import Statement, Tx, as_json, member
from router.store.tables import instant, micros
from router.text.secrets import seams
from router.value import Value

__all__ = ["MissedLock", "Wants", "load"]

_REACH = timedelta(days=400)
_PER_MARKER = 24
_REPLIES = 200
#: So many of the last messages of a conversation, and those of so long, are looked through for pieces of a secret.
_LAST_WORDS = 8
_SEAM = timedelta(days=1)
#: Markers by which a message may join another contact's conversation, so that contact is locked too.
_JOINING = ("named:",)
#: Markers by which a message is linked with another contact's conversation: what is proved of that contact counts.
_LINKING = ("order:", "hash:", "account:")
#: Markers by which it is only related to it, and never joins it.
_RELATING = (*_LINKING, "text:", "type:")

_Grouped: TypeAlias = Mapping[str, list[str]]
#: From when to when a marker counts, microseconds.
Span: TypeAlias = tuple[int, int]
#: Any time.
EVER: Span = (-(1 << 62), 1 << 62)


class MissedLock(Exception):
    """A contact appeared that this transaction has not locked: begin again."""


class Wants(Value, frozen=True, kw_only=True):
    """What a batch of messages needs to know: message keys (`renamed`: those they would get if their id is taken),
    thread keys, handles, marker keys each with the span of time that counts, and from when on; `replies`: conversations
    whose replies some may be about; `fragments`: one may end a secret in pieces."""

    keys: frozenset[Key] = frozenset()
    renamed: frozenset[Key] = frozenset()
    threads: frozenset[Key] = frozenset()
    handles: frozenset[Handle] = frozenset()
    markers: Mapping[str, Span] = {}
    conversations: frozenset[int] = frozenset()
    replies: frozenset[int] = frozenset()
    fragments: bool = False
    since: datetime | None = None

    def __or__(self, other: Wants) -> Wants:
        return Wants(
            keys=self.keys | other.keys,
            renamed=self.renamed | other.renamed,
            threads=self.threads | other.threads,
            handles=self.handles | other.handles,
            markers=spans((*self.markers.items(), *other.markers.items())),
            conversations=self.conversations | other.conversations,
            replies=self.replies | other.replies,
            fragments=self.fragments or other.fragments,
            since=self.since or other.since,
        )


def spans(wanted: Iterable[tuple[str, Span]]) -> dict[str, Span]:
    """Each marker key once, with the span that holds all of those it is wanted in."""
    found: dict[str, Span] = {}
    for key, span in wanted:
        held = found.get(key)
        found[key] = span if held is None else (min(held[0], span[0]), max(held[1], span[1]))
    return found


_messages_by_id = Statement(
    select(*KNOWN_COLUMNS).where(t.messages.c.realm == bindparam("realm"), member(t.messages.c.external_id, "ids"))
)
_messages_editing = Statement(
    select(*KNOWN_COLUMNS).where(
        t.messages.c.realm == bindparam("realm"), t.messages.c.edits != literal_column("''"),  # as its index has it
        member(t.messages.c.edits, "ids"),
    )
)
_threads = Statement(
    select(t.thread_keys.c.key, t.thread_keys.c.thread).where(
        t.thread_keys.c.realm == bindparam("realm"), member(t.thread_keys.c.key, "ids")
    )
)
_handles = Statement(
    select(t.handles.c.address, t.handles.c.contact, t.handles.c.evidence).where(
        t.handles.c.scope == bindparam("scope"), member(t.handles.c.address, "ids")
    )
)
_contacts = Statement(select(*CONTACT_COLUMNS).where(member(t.contacts.c.number, "numbers")))
_contacts_locked = Statement(
    select(*CONTACT_COLUMNS)
    .where(member(t.contacts.c.number, "numbers"))
    .order_by(t.contacts.c.number)
    .with_for_update(key_share=True)
)
_conversations = Statement(select(*CONVERSATION_COLUMNS).where(member(t.conversations.c.number, "numbers")))
_contacts_by_conversation = Statement(
    select(t.conversations.c.contact).where(member(t.conversations.c.number, "numbers"))
)
_STATE = ", ".join(f"c.{column.name}" for column in CONVERSATION_COLUMNS)
_STILL = "(c.status <> 'closed' OR c.last_message_at >= :since)"
#: The newest of each contact, by the index on (contact, last_message_at): of one who wrote for years as many as of
#: anybody. (SQLite has no LATERAL, and takes the same index for the list behind IN.)
_conversations_of_contacts = Statement(
    text(
        f"SELECT {_STATE} FROM unnest(CAST(:contacts AS bigint[])) AS one (contact) "  # noqa: S608  (constants)
        "CROSS JOIN LATERAL (SELECT * FROM conversations AS x WHERE x.contact = one.contact "
        f"ORDER BY x.last_message_at DESC LIMIT {REACH}) AS c WHERE {_STILL}"
    ),
    sqlite=text(
        f"SELECT {_STATE} FROM json_each(:contacts) AS one CROSS JOIN conversations AS c "  # noqa: S608
        "WHERE c.number IN (SELECT x.number FROM conversations AS x WHERE x.contact = one.value "
        f"ORDER BY x.last_message_at DESC LIMIT {REACH}) AND {_STILL}"
    ),
)
_markers = Statement(
    text(
        "SELECT m.key, m.conversation, m.contact, m.at "  # noqa: S608
        "FROM json_array_elements(CAST(CAST(:wanted AS text) AS json)) AS one (span) "
        "CROSS JOIN LATERAL (SELECT * FROM markers AS x WHERE x.key = one.span ->> 0 "
        "AND x.at BETWEEN CAST(one.span ->> 1 AS bigint) AND CAST(one.span ->> 2 AS bigint) "
        f"ORDER BY x.at DESC LIMIT {_PER_MARKER}) AS m ORDER BY m.at"
    ),
    sqlite=text(
        "SELECT m.key, m.conversation, m.contact, m.at "  # noqa: S608
        "FROM json_each(:wanted) AS one CROSS JOIN markers AS m WHERE m.key = json_extract(one.value, '$[0]') "
        "AND m.conversation IN (SELECT x.conversation FROM markers AS x "
        "WHERE x.key = json_extract(one.value, '$[0]') "
        "AND x.at BETWEEN json_extract(one.value, '$[1]') AND json_extract(one.value, '$[2]') "
        f"ORDER BY x.at DESC LIMIT {_PER_MARKER}) ORDER BY m.at"
    ),
)
#: Of a conversation that is only related, no more than that takes; of one that is over and was not merged, nothing.
_standings = Statement(
    select(
        t.conversations.c.number, t.conversations.c.contact, t.conversations.c.status, t.conversations.c.flags,
        t.conversations.c.merged_into,
        case(
            (t.conversations.c.matter.like(literal_column("'%\"incident\"%'")), t.conversations.c.matter),
            else_=literal_column("'{}'"),
        ),
    ).where(
        member(t.conversations.c.number, "numbers"),
        or_(t.conversations.c.status != literal_column("'closed'"), t.conversations.c.merged_into != 0),
    )
)  # fmt: skip
_said = (
    select(
        t.messages.c.number, t.messages.c.conversation, t.messages.c.sent_at, t.messages.c.realm, t.messages.c.channel,
        t.messages.c.handle, t.messages.c.text,
        func.coalesce(t.messages.c.own_text, t.messages.c.text).label("own"),
        func.row_number()
        .over(partition_by=t.messages.c.conversation, order_by=t.messages.c.number.desc())
        .label("place"),
    )
    .where(
        member(t.messages.c.conversation, "numbers"), t.messages.c.direction == literal_column("'in'"),
        t.messages.c.sent_at >= bindparam("since", type_=t.Instant.impl()),
    )
    .subquery()
)  # fmt: skip
_last_words = Statement(
    select(
        _said.c.number, _said.c.conversation, _said.c.sent_at, _said.c.realm, _said.c.channel, _said.c.handle,
        _said.c.text, _said.c.own,
    )
    .where(_said.c.place <= _LAST_WORDS, func.length(_said.c.own) <= seams.LONGEST)
    .order_by(_said.c.number)
)  # fmt: skip
_links = Statement(
    select(t.links.c.conversation, t.links.c.other, t.links.c.reason, t.links.c.score).where(
        member(t.links.c.conversation, "numbers")
    )
)
_replies = Statement(
    select(
        t.messages.c.number, t.messages.c.conversation, t.messages.c.external_id, t.messages.c.handle,
        t.messages.c.sent_at, t.messages.c.channel, t.messages.c.automatic, t.outbox.c.state, t.outbox.c.attempts,
        t.outbox.c.body,
    )
    .outerjoin(t.outbox, (t.outbox.c.message == t.messages.c.number) & (t.outbox.c.kind == "reply"))
    .where(member(t.messages.c.conversation, "numbers"), t.messages.c.direction == "out", t.messages.c.realm == "mail")
    .order_by(t.messages.c.number.desc())
    .limit(_REPLIES)
)  # fmt: skip
_share = Statement(text("SELECT pg_advisory_xact_lock_shared(k) FROM unnest(CAST(:keys AS bigint[])) AS k"))
_advise = Statement(text("SELECT pg_advisory_xact_lock(k) FROM unnest(CAST(:keys AS bigint[])) AS k"))
#: A batch takes at most so many advisory locks: each takes a place of a table that all databases of a server share.
LOCKS = 1024


def load(tx: Tx, wants: Wants, number: int) -> Known:
    """Fill a snapshot for these wants. Raises `MissedLock` on PostgreSQL when the contacts moved meanwhile."""
    if tx.dialect == "postgresql":
        _lock_names(tx, _lock_keys(wants))
    known = Known(number)
    _load_messages(tx, wants, known)
    _load_threads(tx, wants.threads, known)
    _load_markers(tx, wants.markers, known)
    _load_handles(tx, wants.handles, known)
    named = {m.contact for m in known.messages.values()} | set(known.handles.values())
    named |= {m.contact for key, group in known.markers.items() if key.startswith(_JOINING) for m in group}
    named |= _contacts_of(tx, wants.conversations)
    _load_contacts(tx, named, known, locked=True)
    if tx.dialect == "postgresql":
        _load_handles(tx, wants.handles, known)
        if not set(known.handles.values()) <= set(known.contacts) | set(known.joined):
            raise MissedLock
    linked = {m.contact for key, group in known.markers.items() if key.startswith(_LINKING) for m in group}
    _load_contacts(tx, linked, known, locked=False)
    _load_conversations(tx, wants, known)
    if wants.replies:
        _load_replies(tx, wants.replies, known)
    if wants.fragments and known.conversations:
        _load_fragments(tx, wants, known)
    return known


def _load_replies(tx: Tx, conversations: Collection[int], known: Known) -> None:
    """The last replies of these conversations by mail; one whose outbox row is forgotten was sent long ago."""
    for row in tx.rows(_replies, numbers=sorted(conversations)):
        body = msgspec.json.decode(row[9]) if row[9] else {}
        known.replies[row[0]] = KnownReply(
            number=row[0], conversation=row[1], external_id=row[2], handle=row[3], written_at=instant(row[4]),
            channel=row[5], automatic=bool(row[6]), state=row[7] or "sent", attempts=row[8] or 0,
            copies=tuple(body.get("cc", ())),
        )  # fmt: skip


def _load_fragments(tx: Tx, wants: Wants, known: Known) -> None:
    """The last messages of these conversations that may hold a piece of a secret."""
    since = max(0, micros((wants.since or instant(0)) - _SEAM)) if wants.since else 0
    numbers = sorted(c.number for c in known.conversations.values() if micros(c.last_message_at) >= since)
    for number, conversation, at, realm, channel, handle, whole, own in tx.rows(
        _last_words, numbers=numbers, since=since
    ):
        if seams.pieces(own):
            sender = ("email" if realm == "mail" else channel, handle)
            known.hold(
                Fragment(
                    number=number, conversation=conversation, sender=sender, at=instant(at), text=whole, own_text=own
                )
            )  # fmt: skip


def _contacts_of(tx: Tx, conversations: Collection[int]) -> set[int]:
    if not conversations:
        return set()
    return {row[0] for row in tx.rows(_contacts_by_conversation, numbers=sorted(conversations))}


def _lock_names(tx: Tx, keys: Sequence[int]) -> None:
    """Lock what may be new, in one order for all. Few names are locked each by itself under their shared bucket; many
    take whole buckets, so that two batches meet wherever they have a name in common, and none has more than `LOCKS`."""
    buckets = sorted({-1 - key % LOCKS for key in keys})
    if len(keys) + len(buckets) > LOCKS:
        tx.rows(_advise, keys=buckets)
        return
    tx.rows(_share, keys=buckets)
    tx.rows(_advise, keys=keys)


def _lock_keys(wants: Wants) -> list[int]:
    names = (f"{kind}\0{a}\0{b}" for kind, group in (("h", wants.handles), ("m", wants.keys)) for a, b in group)
    return sorted({xxhash.xxh64_intdigest(name.encode("utf-8", "surrogatepass")) >> 1 for name in names})


def _grouped(pairs: Iterable[tuple[str, str]]) -> _Grouped:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for scope, value in pairs:
        groups[scope].append(value)
    return groups


def _load_messages(tx: Tx, wants: Wants, known: Known) -> None:
    for realm, ids in _grouped(wants.keys).items():
        for row in tx.rows(_messages_by_id, realm=realm, ids=ids):
            known.messages[(row[0], row[1])] = known_of(row)
        for row in tx.rows(_messages_editing, realm=realm, ids=ids):
            known.edited_by[(realm, row[12])] = known_of(row)
    taken = [(realm, name) for realm, name in wants.renamed if (realm, name.rpartition("~")[0]) in known.messages]
    for realm, ids in _grouped(taken).items():
        for row in tx.rows(_messages_by_id, realm=realm, ids=ids):
            known.messages[(row[0], row[1])] = known_of(row)


def _load_threads(tx: Tx, keys: Collection[Key], known: Known) -> None:
    for realm, ids in _grouped(keys).items():
        for key, thread in tx.rows(_threads, realm=realm, ids=ids):
            known.threads[(realm, key)] = thread


def _load_markers(tx: Tx, wanted: Mapping[str, Span], known: Known) -> None:
    if not wanted:
        return
    asked = as_json([(key, *span) for key, span in wanted.items()])
    for key, conversation, contact, at in tx.rows(_markers, wanted=asked):
        known.markers.setdefault(key, []).append(
            Marker(key=key, conversation=conversation, contact=contact, at=instant(at))
        )


def _load_handles(tx: Tx, handles: Collection[Handle], known: Known) -> None:
    for scope, addresses in _grouped(handles).items():
        for address, contact, evidence in tx.rows(_handles, scope=scope, ids=addresses):
            known.handles[(scope, address)] = contact
            if evidence in CLAIMED:
                known.claimed[(scope, address)] = evidence


def _load_contacts(tx: Tx, numbers: Collection[int], known: Known, *, locked: bool) -> None:
    todo = set(numbers) - set(known.contacts) - set(known.joined)
    statement = _contacts_locked if locked and tx.dialect == "postgresql" else _contacts
    while todo:
        further: set[int] = set()
        for row in tx.rows(statement, numbers=sorted(todo)):
            known.contacts[row[0]] = contact_of(row)
            if row[6]:
                known.joined[row[0]] = row[6]
                further.add(row[6])
        todo = further - set(known.contacts)


def _load_conversations(tx: Tx, wants: Wants, known: Known) -> None:
    """The contacts' own, those that the messages may go on with, and of those of others that are about the same as much
    as a link to them asks for."""
    mine = {known.owner(c) for c in known.contacts}
    since = wants.since or instant(0)
    if mine:
        floor = max(0, micros(since) - int(_REACH.total_seconds() * 1e6))
        for row in tx.rows(_conversations_of_contacts, contacts=sorted(mine), since=floor):
            _put(known, conversation_of(row))
    numbers = {m.conversation for m in known.messages.values()} | wants.conversations | set(known.merged.values())
    related: set[int] = set()
    for key, group in known.markers.items():
        (related if key.startswith(_RELATING) else numbers).update(m.conversation for m in group)
    _load_whole(tx, numbers, known)
    _load_standings(tx, related, known)
    _load_whole(tx, {s.number for s in known.standings.values() if s.contact in mine}, known)
    linking = {m.conversation for key, group in known.markers.items() if key.startswith(_LINKING) for m in group}
    owners = {c.contact for c in known.conversations.values()}
    owners |= {s.contact for number in linking if isinstance(s := known.standing(number), Standing)}
    _load_contacts(tx, owners, known, locked=False)
    linked = sorted(set(known.conversations) | linking)
    if linked:
        for number, other, reason, score in tx.rows(_links, numbers=linked):
            known.links.setdefault(number, []).append(Link(conversation=other, reason=reason, score=score))


def _load_whole(tx: Tx, numbers: Collection[int], known: Known) -> None:
    todo = set(numbers) - set(known.conversations)
    while todo:
        found = [conversation_of(row) for row in tx.rows(_conversations, numbers=sorted(todo))]
        for conversation in found:
            _put(known, conversation)
        todo = {c.merged_into for c in found if c.merged_into} - set(known.conversations)


def _load_standings(tx: Tx, numbers: Collection[int], known: Known) -> None:
    todo = set(numbers) - set(known.conversations)
    while todo:
        found = [standing_of(row) for row in tx.rows(_standings, numbers=sorted(todo))]
        for standing in found:
            known.standings[standing.number] = standing
            if standing.merged_into:
                known.merged[standing.number] = standing.merged_into
        todo = {s.merged_into for s in found if s.merged_into} - set(known.conversations) - set(known.standings)


def _put(known: Known, found: Conversation) -> None:
    known.put(found)
    if found.merged_into:
        known.merged[found.number] = found.merged_into
