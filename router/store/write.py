"""How does a batch of decisions become rows? Everything of a transaction is gathered in `Effects`, then written in
bulk.

In: decisions in order, desk acts, the snapshot they were made on. Out: one executemany a table. A conversation is
written once, in its last state, and only over the version it was read at (`LostUpdate` otherwise: begin again).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import BigInteger, bindparam, delete, select, text, update

from router.bounce import Outcome
from router.conversation.working_order import DEFAULT_WAIT, order_at
from router.events import IncidentJoined, Told, reply_came
from router.known import Known
from router.match.authorship import CLAIMED
from router.model import (
    Authenticity,
    Contact,
    Conversation,
    Handle,
    Key,
    Link,
    Marker,
    Placement,
    Redelivery,
    Rewritten,
)
from router.store import tables as t
from router.store.codec import contact_row, conversation_row, decision_row, message_row
from router.store.statement import Statement, Tx, as_json, insert, insert_into, upsert
from router.store.tables import micros

__all__ = ["Effects", "LostUpdate", "Outgoing"]


class LostUpdate(Exception):
    """A conversation changed since it was read: begin again."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be sent after the commit: a reply, an event to a receiver, a notice to a recipient."""

    kind: str
    channel: str
    key: str
    body: Mapping[str, Any]
    conversation: int = 0
    message: int = 0
    due_at: datetime


def _conversation_upsert() -> Statement:
    names = [c.name for c in t.conversations.columns]
    core = insert_into(t.conversations).values({n: bindparam(n, type_=t.conversations.c[n].type) for n in names})
    return Statement(
        core.on_conflict_do_update(
            index_elements=["number"],
            set_={n: core.excluded[n] for n in names if n != "number"},
            where=t.conversations.c.version == core.excluded.version - 1,
        )
    )


_put_conversation = _conversation_upsert()
_put_message = insert(t.messages)
_put_decision = insert(t.decisions)
_put_event = insert(t.events)
_put_outgoing = insert(t.outbox, unless_there=True)
_put_contact = upsert(t.contacts, keep=("created_at",))
_put_handle = upsert(t.handles)
_put_thread_key = upsert(t.thread_keys)
#: One statement for all keys (a message may name a thousand); on SQLite a statement a row costs less.
_put_thread_keys = Statement(
    text(
        "INSERT INTO thread_keys (realm, key, thread) SELECT * FROM unnest(CAST(:realms AS text[]), "
        "CAST(:keys AS text[]), CAST(:threads AS bigint[])) "
        "ON CONFLICT (realm, key) DO UPDATE SET thread = EXCLUDED.thread"
    )
)
_put_marker = upsert(t.markers)
_put_link = insert(t.links, unless_there=True)
_put_incident = Statement(
    insert_into(t.incidents)
    .values({c.name: bindparam(c.name, type_=c.type) for c in t.incidents.columns})
    .on_conflict_do_update(index_elements=["key"], set_={"last_at": bindparam("last_at", type_=t.Instant())})
)
_put_incident_conversation = insert(t.incident_conversations, unless_there=True)
_join_contact = Statement(
    update(t.contacts).where(t.contacts.c.number == bindparam("gone")).values(joined_into=bindparam("into"))
)
_repoint_handles = Statement(
    update(t.handles).where(t.handles.c.contact == bindparam("gone")).values(contact=bindparam("into"))
)
_repoint_conversations = Statement(
    update(t.conversations).where(t.conversations.c.contact == bindparam("gone")).values(contact=bindparam("into"))
)
_fuse_threads = Statement(
    update(t.thread_keys).where(t.thread_keys.c.thread == bindparam("gone")).values(thread=bindparam("into"))
)
_count_redeliveries = Statement(
    insert_into(t.redeliveries)
    .values(channel=bindparam("channel_name"), count=bindparam("more"))
    .on_conflict_do_update(
        index_elements=["channel"], set_={"count": t.redeliveries.c.count + bindparam("more", type_=BigInteger())}
    )
)
_came = Statement(
    update(t.outbox)
    .where(
        t.outbox.c.kind == "reply", t.outbox.c.message == bindparam("reply"), t.outbox.c.state == bindparam("was"),
        t.outbox.c.attempts == bindparam("count"),
    )
    .values(state=bindparam("what"), detail=bindparam("words"))
)  # fmt: skip
_any_outgoing = Statement(
    select(t.outbox.c.id).where(t.outbox.c.kind == "reply", t.outbox.c.message == bindparam("reply"))
)
_rewrite = Statement(
    update(t.messages)
    .where(t.messages.c.number == bindparam("one"))
    .values(text=bindparam("whole"), own_text=bindparam("own"))
)
_forget_marker = Statement(
    delete(t.markers).where(t.markers.c.key == bindparam("name"), t.markers.c.conversation == bindparam("of"))
)
_next_number = Statement(
    update(t.counters)
    .where(t.counters.c.name == bindparam("counter"))
    .values(value=t.counters.c.value + bindparam("n", type_=BigInteger()))
    .returning(t.counters.c.value)
)


def reserve(tx: Tx, counter: str, n: int) -> int:
    """Hand out `n` numbers of a counter; the first of them."""
    row = tx.one(_next_number, counter=counter, n=n)
    assert row is not None, f"counter {counter} is missing"  # noqa: S101  (made with the schema)
    return int(row[0]) - n + 1


class Effects:
    """What one transaction will write. Fill it with `place`, `redeliver`, `change`, `tell`, then `write` once."""

    def __init__(self, known: Known, *, history: bool = False) -> None:
        self.history = history
        self.events: list[Told] = []
        self.outgoing: list[Outgoing] = []
        self._contacts_before: dict[int, Contact] = dict(known.contacts)
        self._handles_before: dict[Handle, int] = dict(known.handles)
        self._claimed_before = frozenset(known.claimed)
        self._threads_before: dict[Key, int] = dict(known.threads)
        self._contacts: dict[int, Contact] = {}
        self._handles: dict[Handle, dict[str, Any]] = {}
        self._threads: dict[Key, int] = {}
        self._conversations: dict[int, Conversation] = {}
        self._awake = {number for number, c in known.conversations.items() if c.next_wake_at is not None}
        self._messages: list[dict[str, Any]] = []
        self._decisions: list[dict[str, Any]] = []
        self._markers: dict[tuple[str, int], Marker] = {}
        self._links: dict[tuple[int, int, str], tuple[Link, datetime, str]] = {}
        self._incidents: dict[str, dict[str, Any]] = {}
        self._reports: dict[tuple[str, int], dict[str, Any]] = {}
        self._joins: list[tuple[int, int]] = []
        self._fusions: list[tuple[int, int]] = []
        self._rewritten: list[Rewritten] = []
        self._redelivered: Counter[str] = Counter()
        self._outcomes: list[Outcome] = []

    def place(self, p: Placement, raw: tuple[int, int] | None) -> None:
        """Take in a placement; `raw` is the (partition, position) it came from."""
        at = p.message.sent_at
        self._messages.append(message_row(p, raw, self.history))
        self._decisions.append(decision_row(p))
        asleep = self.history and p.conversation.number not in self._awake  # recorded clocks wake nobody
        self.change(msgspec.structs.replace(p.conversation, next_wake_at=None) if asleep else p.conversation)
        if self._contacts_before.get(p.contact.number) != p.contact:
            self._contacts[p.contact.number] = p.contact
        for gone in p.contacts_joined:
            self._join(gone, p.contact.number)
        for handle in p.handles:
            if self._handles_before.get(handle) == p.contact.number:
                changed = handle in self._claimed_before and _proves(p)
            else:
                known = handle in self._handles or handle in self._handles_before
                changed = not known or p.message.claimed not in CLAIMED
            if changed:
                self._handles[handle] = self._handle_row(handle, p)
        for gone in p.threads_joined:
            self._fusions.append((gone, p.thread))
            self._threads.update({key: p.thread for key, thread in self._threads.items() if thread == gone})
        for key in p.thread_keys:
            if self._threads_before.get(key) != p.thread:
                self._threads[key] = p.thread
        for marker in p.markers:
            self._markers[(marker.key, marker.conversation)] = marker
        for link in p.links:
            self.link(p.conversation.number, link, at)
        self._rewritten += p.rewritten
        for cleaned in p.scrubbed:
            self.change(cleaned)
        for event in p.events:
            self.tell(Told(at=at, event=event, conversation=p.conversation.number, message=p.number))
            if isinstance(event, IncidentJoined):
                self._report(event, micros(at))
        if p.outcome is not None:
            self.came(p.outcome, p.conversation.number, at)

    def came(self, outcome: Outcome, conversation: int, at: datetime) -> None:
        """How far a reply of the desk has come, as the outside is told of it."""
        told = reply_came(
            outcome.event, channel=outcome.channel, attempt=outcome.attempts, detail=outcome.status
        )  # fmt: skip
        self.tell(Told(at=at, event=told, conversation=conversation, message=outcome.reply))
        if outcome.state:
            self._outcomes.append(outcome)

    def _report(self, event: IncidentJoined, at: int) -> None:
        """Conversations that an incident has, or has from now on."""
        key = event.key
        begun = {"key": key, "issue_type": event.issue_type, "opened_at": at}
        self._incidents.setdefault(key, begun)["last_at"] = at
        for number in event.conversations:
            self._reports.setdefault((key, number), {"key": key, "conversation": number, "at": at})

    def _join(self, gone: int, into: int) -> None:
        self._joins.append((gone, into))
        for row in self._handles.values():
            if row["contact"] == gone:
                row["contact"] = into
        for number, conversation in self._conversations.items():
            if conversation.contact == gone:
                self._conversations[number] = msgspec.structs.replace(conversation, contact=into)

    def _handle_row(self, handle: Handle, p: Placement) -> dict[str, Any]:
        return {
            "scope": handle[0],
            "address": handle[1],
            "contact": p.contact.number,
            "evidence": "; ".join(p.evidence),
            "closed": False,
            "since": micros(p.received_at),
        }

    def redeliver(self, decision: Redelivery) -> None:
        """Count a redelivery."""
        self._redelivered[decision.channel] += 1

    def change(self, conversation: Conversation) -> None:
        """A conversation's new state."""
        self._conversations[conversation.number] = conversation

    def state_of(self, number: int) -> Conversation:
        """A conversation's state as it will be written."""
        return self._conversations[number]

    def link(self, conversation: int, link: Link, at: datetime, by: str = "machine") -> None:
        """A relation between two conversations."""
        self._links[(conversation, link.conversation, link.reason)] = (link, at, by)

    def say(self, row: dict[str, Any]) -> None:
        """A message of the desk itself: a reply or a note, as a row of `messages`."""
        self._messages.append(row)

    def tell(self, event: Told) -> None:
        """Something happened."""
        self.events.append(event)

    def send(self, outgoing: Outgoing) -> None:
        """Something goes out after the commit. Recorded history sends nothing."""
        if not self.history:
            self.outgoing.append(outgoing)

    def write(self, tx: Tx, now: datetime, receivers: Callable[[str], Sequence[str]] = lambda _: ()) -> None:
        """Write all of it. `receivers(type)` names the event receivers of a type. Raises `LostUpdate`."""
        self.write_state(tx, now)
        self.write_events(tx, now, receivers)

    def write_state(self, tx: Tx, now: datetime) -> None:
        """Write all but the events and what goes out. Raises `LostUpdate`."""
        self._write_people(tx, now)
        waits = tx.default_waits
        changed = [
            conversation_row(c, order_at(c, waits.get(c.queue, DEFAULT_WAIT))) for c in self._conversations.values()
        ]
        if tx.many(_put_conversation, changed) != len(changed):
            raise LostUpdate
        tx.many(_put_message, self._messages)
        decided = micros(datetime.now(UTC) if self.history else now)  # recorded ones are given their messages' time
        tx.many(_put_decision, [{**row, "decided_at": decided} for row in self._decisions])
        self._write_outcomes(tx)
        self._write_relations(tx)
        self._rewrite(tx)

    def _write_outcomes(self, tx: Tx) -> None:
        for one in self._outcomes:
            moved = tx.run(
                _came, reply=one.reply, was=one.was, count=one.attempts, what=one.state, words=one.detail
            )  # fmt: skip
            if moved != 1 and tx.one(_any_outgoing, reply=one.reply) is not None:
                raise LostUpdate

    def _rewrite(self, tx: Tx) -> None:
        """Messages of before, also of this batch, without a piece of a secret, and the markers that told of it."""
        rows = [
            {"one": one.message, "whole": one.text, "own": None if one.own_text == one.text else one.own_text}
            for one in self._rewritten
        ]
        tx.many(_rewrite, rows)
        tx.many(_forget_marker, [{"name": key, "of": r.conversation} for r in self._rewritten for key in r.markers])

    def _write_people(self, tx: Tx, now: datetime) -> None:
        tx.many(_put_contact, [contact_row(c, now) for c in self._contacts.values()])
        for gone, into in self._joins:
            for statement in (_join_contact, _repoint_handles, _repoint_conversations):
                tx.run(statement, gone=gone, into=into)
        tx.many(_put_handle, list(self._handles.values()))

    def _write_relations(self, tx: Tx) -> None:
        for gone, into in self._fusions:
            tx.run(_fuse_threads, gone=gone, into=into)
        self._write_threads(tx)
        tx.many(
            _put_marker,
            [
                {"key": m.key, "conversation": m.conversation, "contact": m.contact, "at": micros(m.at)}
                for _, m in sorted(self._markers.items())
            ],
        )
        tx.many(
            _put_link,
            [
                {
                    "conversation": a, "other": b, "reason": reason, "score": link.score, "at": micros(at), "by": by,
                    "undone": False, "because": link.because,
                }
                for (a, b, reason), (link, at, by) in self._links.items()
            ],
        )  # fmt: skip
        tx.many(_put_incident, [row for _, row in sorted(self._incidents.items())])
        tx.many(_put_incident_conversation, [row for _, row in sorted(self._reports.items())])
        for channel, more in self._redelivered.items():
            tx.run(_count_redeliveries, channel_name=channel, more=more)

    def _write_threads(self, tx: Tx) -> None:
        leads = sorted((realm, key, thread) for (realm, key), thread in self._threads.items())
        if tx.dialect == "postgresql" and leads:
            realms, keys, threads = zip(*leads, strict=True)
            tx.run(_put_thread_keys, realms=realms, keys=keys, threads=threads)
        else:
            tx.many(_put_thread_key, [{"realm": r, "key": k, "thread": n} for r, k, n in leads])

    def write_events(self, tx: Tx, now: datetime, receivers: Callable[[str], Sequence[str]]) -> None:
        """Write the events and what goes out: last in a transaction, since the counter's row is held to its end."""
        rows: list[dict[str, Any]] = []
        seq = reserve(tx, "event", len(self.events)) if self.events else 0
        for number, event in enumerate(self.events, seq):
            rows.append(
                {
                    "seq": number,
                    "at": micros(event.at),
                    "type": event.event.type,
                    "conversation": event.conversation,
                    "message": event.message,
                    "body": as_json(event.event),
                    "history": self.history,
                }
            )
            for url in () if self.history else receivers(event.event.type):
                self.send(_event_out(number, event, url, now))
        tx.many(_put_event, rows)
        tx.many(_put_outgoing, [_outgoing_row(o, now) for o in self.outgoing])


def _proves(p: Placement) -> bool:
    """Does this message show that a handle which was only claimed is its sender's?"""
    vouched = p.message.authenticity is Authenticity.PASS or p.method == "reply_address"
    return vouched and p.message.claimed not in CLAIMED


def _event_out(seq: int, event: Told, url: str, now: datetime) -> Outgoing:
    body = {
        "seq": seq,
        "at": event.at,
        "type": event.event.type,
        "conversation": event.conversation,
        "message": event.message or None,
        "data": event.event,
    }
    return Outgoing(kind="event", channel=url, key=str(uuid4()), body=body, conversation=event.conversation, due_at=now)


def _outgoing_row(o: Outgoing, now: datetime) -> dict[str, Any]:
    return {
        "kind": o.kind,
        "channel": o.channel,
        "conversation": o.conversation,
        "message": o.message,
        "key": o.key,
        "body": as_json(o.body),
        "state": "pending",
        "due_at": micros(o.due_at),
        "created_at": micros(now),
        "attempts": 0,
        "detail": "",
    }
