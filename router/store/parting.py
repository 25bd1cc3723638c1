"""How does a merged conversation part again, and how do single messages become a conversation of their own?

In: the store, a conversation, the messages that leave, who says so. Out: the conversation that they are in then. What
was merged whole comes back as it was (router.conversation.relating); other messages open a conversation. Blocking
functions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import replace
from sqlalchemy import bindparam, delete, select, update

from router.conversation.acts import ticked
from router.conversation.progress import message_facts, reply_window
from router.conversation.relating import Act, Stays, parted, shrunk, told, unanswered
from router.deadlines.clocks import Unanswered
from router.errors import Refused
from router.known import Known
from router.model import Conversation, Link, Status
from router.policy import Policy
from router.ref import ref_of
from router.store import queries
from router.store import tables as t
from router.store.act import contact_of_number, locked
from router.store.effects import Effects, Event
from router.store.ledger import Store
from router.store.statement import Statement, Tx, among, as_json, member
from router.store.tables import instant

__all__ = ["split"]

_M = t.messages.c
_merge_of = Statement(
    select(t.merges.c.into, t.merges.c.before, t.merges.c.at).where(t.merges.c.absorbed == bindparam("number"))
)
_forget_merge = Statement(delete(t.merges).where(t.merges.c.absorbed == bindparam("number")))
_written = select(
    _M.number, _M.conversation, _M.direction, _M.sent_at, _M.channel, _M["class"], _M.thread, _M.issue_type,
    _M.automatic, _M.realm, _M.external_id, _M.handle, _M.kind,
)  # fmt: skip
_messages_named = Statement(_written.where(member(_M.number, "numbers")))
_messages_of = Statement(_written.where(member(_M.conversation, "numbers")))
_events_of = Statement(
    select(t.events.c.type, t.events.c.at, t.events.c.body)
    .where(
        t.events.c.conversation == bindparam("number"),
        among(t.events.c.type, "conversation.merged", "conversation.status", "reply.queued", "message.sent"),
    )
    .order_by(t.events.c.seq)
)
_move_messages = Statement(
    update(t.messages).where(member(_M.number, "numbers")).values(conversation=bindparam("into"))
)


class Row(msgspec.Struct, frozen=True):
    """What parting reads of a message."""

    number: int
    conversation: int
    direction: str
    sent_at: int
    channel: str
    class_: str
    thread: int
    issue_type: str
    automatic: bool
    realm: str
    external_id: str
    handle: str
    kind: str

    @property
    def heard(self) -> bool:
        """Did the customer himself write it?"""
        return self.direction == "in" and not self.automatic


Rows: TypeAlias = Sequence[Row]


def split(store: Store, number: int, messages: Sequence[int], *, agent: str, now: datetime) -> Conversation:
    """Split messages off into a conversation of their own; returns it. What was merged whole comes back as it was.

    Raises `Refused` when a message is not in the conversation, or none would stay.
    """

    def work(tx: Tx) -> Conversation:
        c = locked(tx, number)
        rows = [Row(*row) for row in tx.rows(_messages_named, numbers=sorted(set(messages)))]
        family = queries.family(tx, c.number)
        missing = set(messages) - {row.number for row in rows if row.conversation in family}
        if missing or not rows:
            raise Refused(f"{ref_of(c.number)} has no message {', '.join(map(str, sorted(missing)))}.")
        effects = Effects(Known())
        absorbed = _whole(tx, c, rows)
        new = (
            _unmerged(tx, store, c, absorbed, effects, now) if absorbed else _cut_off(tx, store, c, rows, effects, now)
        )
        body = {"from": c.number, "messages": sorted(set(messages)), "agent": agent}
        effects.tell(Event(at=now, type="conversation.split", conversation=new.number, body=body))
        effects.write(tx, now, store.receivers)
        return new

    return store.again(work)


def _whole(tx: Tx, c: Conversation, rows: Rows) -> int:
    """The conversation merged into this one whose messages these all are; 0 when they are not one's."""
    named = {row.number for row in rows}
    for child in queries.absorbed_by(tx, c.number):
        if named == {row.number for row in _rows(tx, queries.family(tx, child))}:
            return child
    return 0


def _rows(tx: Tx, numbers: Sequence[int]) -> list[Row]:
    return [Row(*row) for row in tx.rows(_messages_of, numbers=numbers)]


def _unmerged(tx: Tx, store: Store, c: Conversation, absorbed: int, effects: Effects, now: datetime) -> Conversation:
    row = tx.one(_merge_of, number=absorbed)
    if row is None or row[0] != c.number:
        raise Refused(f"{ref_of(absorbed)} was not merged into {ref_of(c.number)} by a person.")
    before: Mapping[str, Any] = msgspec.json.decode(row[1])
    into, gone = (msgspec.convert(before[name], Conversation, strict=False) for name in ("into", "gone"))
    still = queries.conversation_itself(tx, absorbed)
    leaving = set(queries.family(tx, absorbed))
    stay = [row for row in _rows(tx, queries.family(tx, c.number)) if row.conversation not in leaving]
    contact = contact_of_number(tx, c.contact).attributes
    rest, back = parted(
        c, into, gone, _acts(tx, c.number, absorbed), _stays(stay), contact, now, store.policy,
        untouched=_plain(before["one"]) == _plain(msgspec.json.decode(as_json(c))),
    )  # fmt: skip
    back = replace(back, contact=still.contact, version=still.version)
    effects.change(replace(rest, contact=c.contact, version=c.version))
    effects.change(back)
    tx.run(_forget_merge, number=absorbed)
    return back


def _plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """A conversation's stored state, without what joining contacts and writing it again changes."""
    return {name: value for name, value in state.items() if name not in ("version", "contact")}


def _acts(tx: Tx, number: int, absorbed: int) -> list[Act]:
    """What the desk did to a conversation since the other was merged into it, in order, from the log of events."""
    found: list[Act] = []
    for type_, at, body in tx.rows(_events_of, number=number):
        facts = msgspec.json.decode(body)
        if type_ == "conversation.merged":
            found = [] if facts.get("absorbed") == absorbed else found
        elif type_ != "conversation.status":
            found += [] if facts.get("automatic") else [Act(at=instant(at))]
        elif to := facts.get("to") or (facts["status"] if "from" not in facts else ""):
            found.append(Act(at=instant(at), to=Status(to)))
    return found


def _stays(rows: Rows) -> Stays:
    """What the messages that stay say of their conversation; what people set (status) is no word of anybody."""
    rows = sorted((row for row in rows if row.kind != "status"), key=lambda row: (row.sent_at, row.number))
    inbound = [row for row in rows if row.direction == "in"]
    return Stays(
        channels=tuple(dict.fromkeys(row.channel for row in inbound)),
        threads=tuple(dict.fromkeys(row.thread for row in rows)),
        participants=tuple(dict.fromkeys(("email" if r.realm == "mail" else r.channel, r.handle) for r in inbound)),
        last_message_at=instant(rows[-1].sent_at) if rows else None,
        last_in_at=max((instant(row.sent_at) for row in inbound if row.heard), default=None),
    )


def _cut_off(tx: Tx, store: Store, c: Conversation, rows: Rows, effects: Effects, now: datetime) -> Conversation:
    """Messages that never were a conversation of their own become one."""
    gone = {row.number for row in rows}
    stay = [row for row in _rows(tx, queries.family(tx, c.number)) if row.number not in gone]
    if not any(row.direction == "in" for row in stay):
        raise Refused(f"All messages of {ref_of(c.number)} were named; at least one of the customer must stay.")
    heard = sorted((row for row in rows if row.direction == "in"), key=lambda row: row.sent_at)
    if not heard:
        raise Refused("Name at least one message of the customer: a conversation begins with one.")
    contact = contact_of_number(tx, c.contact).attributes
    ids = tuple(f"{row.realm}/{row.external_id}" for row in rows)
    wait = [row for row in heard if row.heard and row.class_ not in ("", "ack") and _waits(row, c)]
    new = _opened(c, store.reserve_numbers(tx, 1), rows, heard, wait)
    facts = tuple(_unanswered(row, store.policy) for row in wait)
    new = ticked(new, told("split_in", new, contact, now, unanswered=facts), store.policy)
    left = replace(c, messages=max(1, c.messages - len(gone)), chases=max(0, c.chases - new.chases))
    left = shrunk(left, _stays(stay), new, replace(left, channels=(), threads=(), participants=()))
    left = ticked(left, told("split_out", left, contact, now, ids=ids), store.policy)
    waiting = min((one.at for one in unanswered(left)), default=None)
    effects.change(replace(left, waiting_since=waiting if c.waiting_since else None))
    effects.change(new)
    effects.link(new.number, Link(conversation=c.number, reason="linked"), now, "human")
    tx.run(_move_messages, numbers=sorted(gone), into=new.number)
    return new


def _waits(row: Row, c: Conversation) -> bool:
    """Has nobody answered it? All that came since the conversation waits is unanswered."""
    return c.waiting_since is not None and instant(row.sent_at) >= c.waiting_since


def _opened(c: Conversation, own: int, rows: Collection[Row], heard: Rows, wait: Rows) -> Conversation:
    """The conversation of the messages that leave, before its clocks start: the queue and type are those it came of."""
    return replace(
        c, number=own, version=0, status=Status.OPEN, opened_at=instant(heard[0].sent_at),
        last_message_at=instant(max(row.sent_at for row in rows)), last_in_at=instant(heard[-1].sent_at),
        last_out_at=None, solved_at=None, closed_at=None, waiting_since=instant(wait[0].sent_at) if wait else None,
        chases=sum(row.class_ == "chaser" for row in heard), messages=len(rows),
        issue_type=next((row.issue_type for row in heard if row.issue_type not in ("", "other")), c.issue_type),
        channels=tuple(dict.fromkeys(row.channel for row in heard)),
        threads=tuple(dict.fromkeys(row.thread for row in rows)), clocks={}, next_due=None, next_wake_at=None,
        breached=False, holder="", pinned=False, matter={},
    )  # fmt: skip


def _unanswered(row: Row, policy: Policy) -> Unanswered:
    kind, at = policy.channel(row.channel).kind, instant(row.sent_at)
    return Unanswered(
        id=f"{row.realm}/{row.external_id}", at=at, facts=message_facts(row.channel, kind, at, policy),
        window=reply_window(row.channel, kind, policy),
    )  # fmt: skip
