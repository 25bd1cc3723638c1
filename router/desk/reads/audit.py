"""Do the stored states agree with what is stored of messages and events? Each conversation is rebuilt and compared,
and the log is counted (router.store.read.missing).

In: the ledger. Out: one difference a line: conversation, field, what is stored, what the log says. No difference is
normal. Rebuilt are status and waiting since (by the order of the events), counts, channels, the last message, chases,
the cached deadline, and the starts and breaches of clocks. Conversations are read in pages; nothing is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, select

from router.conversation.after_message import CHASING
from router.deadlines.calendar import instant as clock_instant
from router.deadlines.clocks import Clocks
from router.deadlines.fold import from_json, next_due
from router.desk.acts.parts import Row, messages_of
from router.desk.ledger import Ledger
from router.event_reading import read
from router.events import (
    ConversationOpened,
    ConversationReopened,
    ConversationSpam,
    ConversationStatus,
    DeadlineBreach,
    Event,
    MessageReceived,
)
from router.model import Conversation
from router.ref import ref_of
from router.store import tables as t
from router.store.codec import CONVERSATION_COLUMNS, conversation_of
from router.store.read import queries
from router.store.read.missing import missing
from router.store.statement import Statement, Tx, member
from router.store.tables import instant

__all__ = ["Audit", "audit"]

_E, _C = t.events.c, t.conversations.c
_decode = msgspec.json.Decoder().decode
_page = Statement(
    select(*CONVERSATION_COLUMNS).where(_C.number > bindparam("after")).order_by(_C.number).limit(bindparam("rows"))
)
_events = Statement(
    select(_E.seq, _E.conversation, _E.type, _E.message, _E.at, _E.body)
    .where(member(_E.conversation, "numbers"))
    .order_by(_E.seq)
)
_UNDOING = ("reply.failed", "reply.unknown", "reply.bounced")
#: What makes a conversation's history more than a sequence of messages and statuses.
_RELATED = ("conversation.merged", "conversation.split")


class Audit(msgspec.Struct):
    """What was compared, and where it differs."""

    conversations: int = 0
    messages: int = 0
    events: int = 0
    raws: int = 0
    differences: list[dict[str, Any]] = []


def audit(ledger: Ledger, page: int = 200) -> Audit:
    """Count the log, rebuild and compare every conversation that was not merged away."""
    done, after = Audit(), -1
    with ledger.database.read_long() as tx:
        done.raws, lost = missing(tx)
    for raw, field, stored, right in lost:
        done.differences.append(
            {"conversation": None, "ref": f"raw {raw}", "field": field, "stored": stored, "rebuilt": right}
        )
    while True:
        with ledger.database.read() as tx:
            found = [conversation_of(row) for row in tx.rows(_page, after=after, rows=page)]
            if not found:
                return done
            _audit_page(tx, [c for c in found if not c.merged_into], done)
        after = found[-1].number


def _audit_page(tx: Tx, found: Sequence[Conversation], done: Audit) -> None:
    families = {c.number: queries.family(tx, c.number) for c in found}
    root = {number: top for top, family in families.items() for number in family}
    messages: defaultdict[int, list[Row]] = defaultdict(list)
    events: defaultdict[int, list[Sequence[Any]]] = defaultdict(list)
    for message in messages_of(tx, sorted(root)):
        if message.kind != "status":
            messages[root[message.conversation]].append(message)
    for row in tx.rows(_events, numbers=sorted(root)):
        events[root[row[1]]].append(row)
    for c in found:
        done.conversations += 1
        done.messages += len(messages[c.number])
        done.events += len(events[c.number])
        for name, stored, rebuilt in _compared(c, messages[c.number], events[c.number]):
            done.differences.append(
                {"conversation": c.number, "ref": ref_of(c.number), "field": name, "stored": _shown(stored),
                 "rebuilt": _shown(rebuilt)}
            )  # fmt: skip


def _shown(value: Any) -> Any:
    return queries.utc(value) if isinstance(value, datetime) else value


def _compared(
    c: Conversation, messages: Sequence[Row], events: Sequence[Sequence[Any]]
) -> Iterator[tuple[str, Any, Any]]:
    """The fields that differ: name, stored, rebuilt."""
    if c.messages != len(messages):
        yield "messages", c.messages, len(messages)
    if messages:
        last = instant(max(m.sent_at for m in messages))
        if c.last_message_at != last:
            yield "last_message_at", c.last_message_at, last
    heard = {m.channel for m in messages if m.inbound}
    if not heard <= set(c.channels):
        yield "channels", sorted(c.channels), sorted(heard)
    yield from _chases(c, messages, {row[3] for row in events if row[2] == "message.received" and _is_quiet(row[5])})
    related = any(row[2] in _RELATED for row in events)
    if not related and "spam" not in c.flags and events:
        yield from _by_events(c, {m.number: m for m in messages}, events)
    yield from _by_clocks(c, messages, events)


def _is_quiet(body: str) -> bool:
    """Was it decided that the message asks for nothing, as whatever a blocked person writes?"""
    told = read("message.received", body)
    return isinstance(told, MessageReceived) and told.quiet


def _chases(c: Conversation, messages: Sequence[Row], quiet: Collection[int]) -> Iterator[tuple[str, Any, Any]]:
    """Chasers, resends and restatements on another channel count. (What former versions counted too, additions, and
    did not, what came while nothing waited, is no difference.)"""
    heard = [m for m in messages if m.asks and m.number not in quiet]
    least, most = (sum(m.class_ in classes for m in heard) for classes in (("chaser",), (*CHASING, "addition")))
    if not least <= c.chases <= most:
        yield "chases", c.chases, f"{least} to {most}"


def _by_events(
    c: Conversation, messages: Mapping[int, Row], events: Sequence[Sequence[Any]]
) -> Iterator[tuple[str, Any, Any]]:
    """Status and waiting since, by going through the events in their order."""
    status, waits = "open", _Waits()
    for _, _, type_, number, _, body in events:
        told, message = read(type_, body), messages.get(number)
        status = _status_after(told, message) or status
        if type_ == "reply.queued" or (type_ == "message.sent" and not getattr(told, "automatic", False)):
            waits.answer(number)
        elif type_.startswith("reply."):
            waits.turn(number, stands=type_ not in _UNDOING)
        elif isinstance(told, MessageReceived) and message is not None and message.asks and not told.quiet:
            waits.ask(message.sent_at)
        if status in ("solved", "closed"):
            waits.end()
    if status != c.status.value:
        yield "status", c.status.value, status
    waiting = waits.oldest()
    rebuilt = None if waiting is None else instant(waiting)
    if rebuilt != c.waiting_since:
        yield "waiting_since", c.waiting_since, rebuilt


def _status_after(told: Event, message: Row | None) -> str:
    """The status that an event leaves; empty where it says nothing of it."""
    if isinstance(told, ConversationStatus):
        return told.to
    if isinstance(told, ConversationOpened):  # what a machine wrote opens none for the desk
        return "closed" if message is not None and message.inbound and message.automatic else "open"
    if isinstance(told, ConversationReopened):
        return "open"
    return "closed" if isinstance(told, ConversationSpam) else ""


class _Waits:
    """Who waits for an answer, as the log tells it: what came before each reply, whether that stands, and what came
    since the last."""

    def __init__(self) -> None:
        self._asked: list[list[int]] = [[]]
        self._replies: list[int] = []
        self._stands: dict[int, bool] = {}

    def ask(self, at: int) -> None:
        self._asked[-1].append(at)

    def answer(self, reply: int) -> None:
        self._replies.append(reply)
        self._stands[reply] = True
        self._asked.append([])

    def turn(self, reply: int, *, stands: bool) -> None:
        if reply in self._stands:
            self._stands[reply] = stands

    def end(self) -> None:
        """Solved: nobody waits any more, but for those who have an answer that may yet not arrive."""
        for asked in self._open():
            asked.clear()

    def oldest(self) -> int | None:
        return min((at for asked in self._open() for at in asked), default=None)

    def _open(self) -> Iterator[list[int]]:
        """What came since the last reply that stands."""
        yield self._asked[-1]
        for reply, asked in zip(reversed(self._replies), reversed(self._asked[:-1]), strict=True):
            if self._stands[reply]:
                return
            yield asked


def _by_clocks(
    c: Conversation, messages: Sequence[Row], events: Sequence[Sequence[Any]]
) -> Iterator[tuple[str, Any, Any]]:
    """The cached deadline, what open clocks began with, and the records of breaches."""
    clocks: Clocks = from_json(c.clocks)
    if c.next_due != next_due(clocks):
        yield "next_due", c.next_due, next_due(clocks)
    if clocks.log and not c.breached:
        yield "breached", c.breached, True
    heard = {at for m in messages if m.inbound for at in (m.sent_at, m.received_at)}
    for run in clocks.runs:
        if run.pledges and not run.state and run.metric != "update" and run.start not in heard:
            yield f"{run.metric} {run.cycle} started_at", clock_instant(run.start), "no message of that time"
    breaches = [read(row[2], row[5]) for row in events if row[2] == "deadline.breach"]
    told = {(breach.metric, breach.cycle) for breach in breaches if isinstance(breach, DeadlineBreach)}
    for entry in clocks.log:
        if entry.told and (entry.metric, entry.cycle) not in told:
            yield f"{entry.metric} {entry.cycle} breached_at", clock_instant(entry.at), "no event of it"
