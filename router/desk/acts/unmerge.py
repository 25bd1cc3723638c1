"""How do two conversations that a person merged come apart again, each with what is its own?

In: the merged conversation, the one it absorbed, the log since. Out: the absorbed one standing by itself; the other
goes on under its number. Messages that came meanwhile, and replies, are of the part whose customer they came from or
went to; a status is of both, and so is a reply that both share or whose customer is one. Blocking functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import replace
from sqlalchemy import bindparam, delete, select, update

from router.conversation.merge import Act, Asked, Happened, Joined, Outcome, Part, parted
from router.desk.acts.parts import Row, Rows, belongs, messages_of, move, stays, unanswered_of
from router.errors import Refused
from router.event_reading import read
from router.events import (
    ConversationMerged,
    ConversationSpam,
    ConversationStatus,
    Event,
    MessageReceived,
    MessageSent,
    ReplyAutomatic,
    ReplySent,
)
from router.model import Conversation, MessageClass, Status
from router.policy.values import Policy
from router.ref import ref_of
from router.store import tables as t
from router.store.change import Change
from router.store.read import queries
from router.store.read.people import contact_of_number
from router.store.statement import Statement, Tx, among, as_json, member
from router.store.tables import instant

__all__ = ["Family", "family_of", "unmerged"]

#: How far a reply has come, where that changes who waits.
_OUTCOMES = ("reply.sent", "reply.failed", "reply.unknown", "reply.bounced", "reply.delivered", "reply.read")
_merge_of = Statement(select(t.merges.c.into, t.merges.c.before).where(t.merges.c.absorbed == bindparam("number")))
_forget_merge = Statement(delete(t.merges).where(t.merges.c.absorbed == bindparam("number")))
_events_of = Statement(
    select(t.events.c.type, t.events.c.at, t.events.c.message, t.events.c.body)
    .where(
        t.events.c.conversation == bindparam("number"),
        among(
            t.events.c.type, "conversation.merged", "conversation.status", "conversation.spam", "message.received",
            "reply.queued", "reply.automatic", "message.sent", *_OUTCOMES,
        ),
    )
    .order_by(t.events.c.seq)
)  # fmt: skip
_readdress = Statement(
    update(t.messages)
    .where(member(t.messages.c.number, "numbers"), t.messages.c.direction != "in")
    .values(contact=bindparam("contact"))
)

Happening: TypeAlias = tuple[Event, int, int]


class Family(msgspec.Struct, frozen=True):
    """Whose is what of a merged conversation: `mine` go on with it, `theirs` are of the one that it absorbed, `came` of
    these only after the merge. `since` is what the log tells after the merge, `alike` that both have one customer."""

    mine: Rows
    theirs: Rows
    came: Rows
    settled: Rows
    since: Sequence[Happening]
    alike: bool

    def shares(self, row: Row) -> tuple[bool, bool]:
        """Does a reply count for the one that goes on, and for the one that was absorbed?"""
        if self.alike:
            return True, True
        return not belongs(row, self.theirs, self.settled), not belongs(row, self.settled, self.theirs)


def family_of(tx: Tx, c: Conversation, absorbed: int) -> Family:
    """Whose is what, of `c` and a conversation that was merged into it."""
    leaving = set(queries.family(tx, absorbed))
    rows = messages_of(tx, queries.family(tx, c.number))
    since = _since(tx, c.number, absorbed)
    late = {number for _, _, number in since}
    theirs = [row for row in rows if row.conversation in leaving]
    others = [row for row in rows if row.conversation not in leaving]
    settled = [row for row in others if row.number not in late]
    came = [row for row in others if row.number in late and belongs(row, theirs, settled)]
    return Family(
        mine=[row for row in others if row not in came], theirs=[*theirs, *came], came=came, settled=settled,
        since=since, alike=c.contact == queries.conversation_itself(tx, absorbed).contact,
    )  # fmt: skip


def _since(tx: Tx, number: int, absorbed: int) -> list[Happening]:
    """What the log tells of a conversation since the other was merged into it: events, instants, messages."""
    found: list[Happening] = []
    for type_, at, message, body in tx.rows(_events_of, number=number):
        event = read(type_, body)
        found.append((event, at, message))
        if isinstance(event, ConversationMerged) and event.absorbed == absorbed:
            found = []
    return found


def unmerged(tx: Tx, c: Conversation, absorbed: int, effects: Change, now: datetime, policy: Policy) -> Conversation:
    """Part the two; returns the absorbed one. Raises `Refused` when no person merged them, or nobody would stay."""
    row = tx.one(_merge_of, number=absorbed)
    if row is None or row[0] != c.number:
        raise Refused(f"{ref_of(absorbed)} was not merged into {ref_of(c.number)} by a person.")
    before: Mapping[str, Any] = msgspec.json.decode(row[1])
    into, gone = (msgspec.convert(before[name], Conversation, strict=False) for name in ("into", "gone"))
    family, still = family_of(tx, c, absorbed), queries.conversation_itself(tx, absorbed)
    if not any(row.inbound for row in family.mine) and (into.last_in_at is not None or not family.mine):
        raise Refused(f"All messages of {ref_of(c.number)} were named; at least one of the customer must stay.")
    mine = _part(tx, into, c.contact, family, policy, mine=True)
    theirs = _part(tx, gone, still.contact, family, policy, mine=False)
    untouched = _plain(before["one"]) == _plain(msgspec.json.decode(as_json(c)))
    rest, back = parted(c, mine, theirs, now, policy, untouched=untouched)
    back = replace(back, contact=still.contact, version=still.version)
    effects.put(replace(rest, contact=c.contact, version=c.version))
    effects.put(back)
    tx.run(_forget_merge, number=absorbed)
    move(tx, family.came, absorbed)
    tx.run(_readdress, numbers=sorted(row.number for row in family.came), contact=still.contact)
    return back


def _part(tx: Tx, was: Conversation, contact: int, family: Family, policy: Policy, *, mine: bool) -> Part:
    return Part(
        before=was,
        happened=tuple(_happened(tx, family, policy, mine=mine)),
        stays=stays(family.mine if mine else family.theirs, policy),
        contact=contact_of_number(tx, contact).attributes,
    )


def _plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """A conversation's stored state, without what joining contacts and writing it again changes."""
    return {name: value for name, value in state.items() if name not in ("version", "contact")}


def _happened(tx: Tx, family: Family, policy: Policy, *, mine: bool) -> Iterator[Happened]:
    """What happened to one of the two since they were merged, in order."""
    rows = {row.number: row for row in (*family.mine, *family.theirs)}
    own = {row.number for row in (family.mine if mine else family.theirs)}
    for event, at, number in family.since:
        row = rows.get(number)
        if isinstance(event, MessageReceived):
            if row is not None and row.asks and number in own and not event.quiet:
                message = unanswered_of(row, policy)
                yield Asked(at=instant(row.received_at), message=message, class_=MessageClass(row.class_))
        elif isinstance(event, (ConversationMerged, ConversationSpam)):
            if mine:
                yield from _to_the_whole(tx, event, instant(at))
        elif isinstance(event, ConversationStatus):
            if event.by_desk:
                yield Act(at=instant(at), to=Status(event.to))
        elif isinstance(event, ReplySent):
            yield Outcome(at=instant(at), reply=number, state=event.type.removeprefix("reply."))
        elif row is None or family.shares(row)[0 if mine else 1]:
            automatic = isinstance(event, ReplyAutomatic) or (isinstance(event, MessageSent) and event.automatic)
            ours = number if event.type == "reply.queued" else 0
            yield Act(at=instant(at), text=row.text if row else "", automatic=automatic, reply=ours)


def _to_the_whole(tx: Tx, event: ConversationMerged | ConversationSpam, at: datetime) -> Iterator[Happened]:
    """What happened to the merged conversation as such: another was merged in too, or it was called spam."""
    if isinstance(event, ConversationSpam):
        yield Act(at=at, to=Status.CLOSED)
        return
    row = tx.one(_merge_of, number=event.absorbed)
    if row is not None:
        gone = msgspec.json.decode(row[1])["gone"]
        yield Joined(at=at, gone=msgspec.convert(gone, Conversation, strict=False))
