"""What can a person of the desk do to a conversation? Each act is one transaction with its event; undoable where it
makes sense.

In: the ledger, the conversation's number, who acts, the present instant. Out: the state after it. A reply is refused
when another agent holds the conversation or somebody answered since the given event, so no customer is answered
twice. Blocking functions; relations between conversations (merge, split, link) are in `router.desk.acts.relate`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace
from sqlalchemy import bindparam, select, update

from router.conversation.acts import let_go, note_taken, status_set
from router.conversation.rerouting import retagged
from router.conversation.transitions import ENDED, held
from router.conversation.transitions import moved as moved_to
from router.desk.acts.relate import unproven
from router.desk.acts.reply import reply
from router.desk.ledger import Ledger
from router.desk.storable import words
from router.desk.transaction import act, desk_row, refuse_held
from router.errors import Misasked, NotFound, Refused
from router.events import (
    ContactBlocked,
    ContactChanged,
    ContactUnblocked,
    ConversationAssigned,
    ConversationLabelled,
    ConversationMoved,
    ConversationPrioritised,
    ConversationReleased,
    ConversationRetagged,
    ConversationSpam,
    ConversationStatus,
    ConversationTaken,
    NoteTaken,
    Told,
)
from router.model import Conversation, Direction, Status
from router.policy.values import Policy
from router.ref import ref_of
from router.store import accounts
from router.store import tables as t
from router.store.change import Change
from router.store.locking import locked
from router.store.read import queries
from router.store.read.people import contact_of_number
from router.store.statement import Statement, Tx, as_json, member, upsert
from router.store.tables import micros
from router.text.meaning import utterance
from router.text.meaning.fold import fold
from router.text.secrets import scrub_ids

__all__ = [
    "assign",
    "block",
    "move",
    "note",
    "priority",
    "release",
    "reply",
    "retag",
    "set_contact",
    "spam",
    "status",
    "tags",
    "take",
    "unspam",
]

_T = TypeVar("_T")

_TAG = re.compile(r"[\w-]{1,50}")
#: Who says nothing of his matter in so many messages says it in none.
_MOST_GREETINGS = 100
_heard = Statement(
    select(t.messages.c.number, t.messages.c.subject, t.messages.c.text, t.messages.c.own_text)
    .where(member(t.messages.c.conversation, "numbers"), t.messages.c.direction == "in")
    .order_by(t.messages.c.sent_at, t.messages.c.number)
    .limit(bindparam("rows"))
)
_put_label = upsert(t.labels)
_set_attributes = Statement(
    update(t.contacts).where(t.contacts.c.number == bindparam("who")).values(attributes=bindparam("facts"))
)
_set_blocked = Statement(
    update(t.contacts).where(t.contacts.c.number == bindparam("who")).values(blocked=bindparam("yes"))
)
_handle = Statement(select(t.handles.c.contact, t.handles.c.scope).where(t.handles.c.address == bindparam("written")))


def note(ledger: Ledger, number: int, text: str, *, agent: str, now: datetime) -> int:
    """Note something for the desk; the customer never sees it and no clock moves. Returns the note's number."""
    if not text.strip():
        raise Misasked("A note needs words.")
    text, agent = words(text), words(agent)

    def change(tx: Tx, c: Conversation, effects: Change) -> int:
        own = ledger.reserve_numbers(tx, 1)
        after = note_taken(c, now, ledger.policy)
        effects.put(replace(after, messages=after.messages + 1))
        effects.add_message(
            desk_row(own, c, text, agent, now, Direction.NOTE, channel="desk", external_id=f"note:{own}")
        )  # fmt: skip
        effects.tell(Told(at=now, event=NoteTaken(agent=agent), conversation=c.number, message=own))
        return own

    return act(ledger, number, now, change)


def status(ledger: Ledger, number: int, to: str, *, agent: str, now: datetime) -> Conversation:
    """Set a status. Raises `Refused` for a word that is none."""
    try:
        wanted = Status(to)
    except ValueError:
        known = ", ".join(Status)
        raise Misasked(f"{to!r} is no status; right would be one of: {known}.") from None

    def change(_: Tx, c: Conversation, effects: Change) -> Conversation:
        after = status_set(c, wanted, now, ledger.policy)
        if after != c:
            effects.put(after)
            told = ConversationStatus(before=c.status.value, to=wanted.value, agent=agent, reason="")
            effects.tell(Told(at=now, event=told, conversation=c.number))
        return after

    return act(ledger, number, now, change)


def take(ledger: Ledger, number: int, *, agent: str, now: datetime, force: bool = False) -> Conversation:
    """Hold a conversation, so that nobody else answers it; with it those of the same queue that name the same number
    unproven and that nobody holds. Raises `Refused` when another agent holds it."""
    if not agent:
        raise Misasked("Who takes it? Name the agent with --agent NAME.")

    def change(tx: Tx, c: Conversation, effects: Change) -> Conversation:
        if not force:
            refuse_held(c, agent)
        for other in unproven(tx, c):
            also = locked(tx, other.number)
            if also.queue == c.queue and also.status not in ENDED and not also.holder:
                _hold(also, agent, effects, now)
        return _hold(c, agent, effects, now)

    return act(ledger, number, now, change)


def _hold(c: Conversation, agent: str, effects: Change, now: datetime) -> Conversation:
    after = held(c, agent)
    effects.put(after)
    effects.tell(Told(at=now, event=ConversationTaken(agent=agent), conversation=c.number))
    return after


def release(ledger: Ledger, number: int, *, agent: str, now: datetime, force: bool = False) -> Conversation:
    """Let a conversation go. Raises `Refused` when it is another agent who holds it."""

    def change(_: Tx, c: Conversation, effects: Change) -> Conversation:
        if not force:
            refuse_held(c, agent)
        after = let_go(c, ledger.policy)
        if c.holder:
            effects.put(after)
            released = ConversationReleased(held_by=c.holder, agent=agent, reason="")
            effects.tell(Told(at=now, event=released, conversation=c.number))
        return after

    return act(ledger, number, now, change)


def move(ledger: Ledger, number: int, queue: str, *, agent: str, now: datetime) -> Conversation:
    """Transfer to a queue: it stays there until solved, whatever the rules say. Raises `Refused` for an unknown
    queue."""
    if queue not in ledger.policy.queues:
        raise Misasked(f"There is no queue {queue!r}; the configuration has: {', '.join(ledger.policy.queues)}.")

    def change(_: Tx, c: Conversation, effects: Change) -> Conversation:
        after = moved_to(c, queue)
        effects.put(after)
        moved = ConversationMoved(before=c.queue, to=queue, agent=agent)
        effects.tell(Told(at=now, event=moved, conversation=c.number))
        return after

    return act(ledger, number, now, change)


def retag(ledger: Ledger, number: int, issue_type: str, *, agent: str, now: datetime) -> Conversation:
    """Say what it is about; no machine overrules it. Stored as a label of the first message that says it, routed and
    timed anew."""
    known = ledger.policy.tagger.issue_types
    if issue_type not in known:
        raise Misasked(f"There is no issue type {issue_type!r}; the configuration has: {', '.join(known)}.")

    def change(tx: Tx, c: Conversation, effects: Change) -> Conversation:
        after = retagged(c, issue_type, contact_of_number(tx, c.contact).attributes, ledger.policy, now)
        effects.put(after)
        labelled = _telling(tx, c, ledger.policy)
        if labelled:
            tx.run(_put_label, message=labelled, issue_type=issue_type, by=agent, at=micros(now))
        told = ConversationRetagged(before=c.issue_type, to=issue_type, queue=after.queue, agent=agent)
        effects.tell(Told(at=now, event=told, conversation=c.number))
        return after

    return act(ledger, number, now, change)


def _telling(tx: Tx, c: Conversation, policy: Policy) -> int:
    """The first message that says what the conversation is about, not the greeting before it; 0 where none came."""
    heard = tx.rows(_heard, numbers=queries.family(tx, c.number), rows=_MOST_GREETINGS)
    vocabulary = utterance.vocabulary(policy.tagging.lexicons)
    for number, subject, text, own in heard:
        if not vocabulary.read(fold(f"{subject}\n{text if own is None else own}")).poor:
            return int(number)
    return int(heard[0][0]) if heard else 0


def spam(ledger: Ledger, number: int, *, agent: str, now: datetime) -> Conversation:
    """Mark as spam: closed, no promise, nobody told."""

    def change(_: Tx, c: Conversation, effects: Change) -> Conversation:
        flags = tuple(dict.fromkeys((*c.flags, "spam")))
        after = replace(status_set(c, Status.CLOSED, now, ledger.policy), flags=flags, next_wake_at=None)
        effects.put(after)
        effects.tell(Told(at=now, event=ConversationSpam(agent=agent), conversation=c.number))
        return after

    return act(ledger, number, now, change)


def tags(
    ledger: Ledger, number: int, *, add: Sequence[str] = (), remove: Sequence[str] = (), agent: str, now: datetime
) -> Conversation:
    """Give free tags, take some away; rules can read them. Raises `Misasked` for a tag that is no short word."""
    for tag in (*add, *remove):
        if not _TAG.fullmatch(tag):
            raise Misasked(f"{tag!r} is not a tag; right would be a word of letters, digits, - and _, 50 at most.")

    def change(_: Tx, c: Conversation, effects: Change) -> Conversation:
        kept = tuple(tag for tag in dict.fromkeys((*c.tags, *add)) if tag not in remove)
        after = replace(c, tags=kept)
        if after != c:
            effects.put(after)
            told = ConversationLabelled(
                added=tuple(tag for tag in kept if tag not in c.tags),
                removed=tuple(tag for tag in c.tags if tag not in kept),
                agent=agent,
            )
            effects.tell(Told(at=now, event=told, conversation=c.number))
        return after

    return act(ledger, number, now, change)


def priority(ledger: Ledger, number: int, to: int, *, agent: str, now: datetime) -> Conversation:
    """Set the priority: 0 to 100, which moves it in the working order. Raises `Misasked`."""
    if not 0 <= to <= 100:
        raise Misasked(f"{to} is not a priority; right would be 0 to 100.")

    def change(_: Tx, c: Conversation, effects: Change) -> Conversation:
        after = replace(c, priority=to)
        if after != c:
            effects.put(after)
            told = ConversationPrioritised(before=c.priority, to=to, agent=agent)
            effects.tell(Told(at=now, event=told, conversation=c.number))
        return after

    return act(ledger, number, now, change)


def assign(ledger: Ledger, number: int, to: str, *, agent: str, now: datetime, force: bool = False) -> Conversation:
    """Give a conversation to a colleague. Raises `Refused` when somebody else than `agent` holds it, `NotFound`."""

    def change(tx: Tx, c: Conversation, effects: Change) -> Conversation:
        colleague = accounts.account(tx, to)
        if (colleague is None or colleague.disabled) and to not in ledger.policy.agents:
            raise NotFound(f"There is no account {to!r} that works here.")
        if c.holder != to and not force:
            refuse_held(c, agent)
        after = held(c, to)
        effects.put(after)
        effects.tell(Told(at=now, event=ConversationAssigned(agent=to), conversation=c.number))
        return after

    return act(ledger, number, now, change)


def unspam(ledger: Ledger, number: int, *, agent: str, now: datetime) -> Conversation:
    """It was no spam: open again, in its queue. Raises `Refused` when it is not marked."""

    def change(_: Tx, c: Conversation, effects: Change) -> Conversation:
        if "spam" not in c.flags:
            raise Refused(f"{ref_of(c.number)} is not marked as spam.")
        flags = tuple(flag for flag in c.flags if flag != "spam")
        after = replace(status_set(c, Status.OPEN, now, ledger.policy), flags=flags)
        effects.put(after)
        told = ConversationStatus(before=c.status.value, to=after.status.value, agent=agent, reason="no spam")
        effects.tell(Told(at=now, event=told, conversation=c.number))
        return after

    return act(ledger, number, now, change)


def block(ledger: Ledger, address: str, *, agent: str, now: datetime, undo: bool = False) -> int:
    """Block the contact behind a handle: what he writes is stored and promises nothing. Returns his number."""

    def work(tx: Tx) -> int:
        row = tx.one(_handle, written=address)
        if row is None:
            raise NotFound("No contact has this handle; right would be an address as `omnirouter show` prints it.")
        effects = ledger.change()
        tx.run(_set_blocked, who=row[0], yes=not undo)
        kind = ContactUnblocked if undo else ContactBlocked
        effects.tell(Told(at=now, event=kind(contact=row[0], agent=agent)))
        ledger.write(tx, effects, now)
        return int(row[0])

    return ledger.again(work)


def set_contact(ledger: Ledger, number: int, values: Mapping[str, str], *, agent: str, now: datetime) -> dict[str, str]:
    """Set attributes of a contact (an empty value removes one). Returns all of them."""

    def work(tx: Tx) -> dict[str, str]:
        found = contact_of_number(tx, number)
        written = dict(scrub_ids.attribute(key, value) for key, value in values.items())
        attributes = {**found.attributes, **written}
        attributes = {key: value for key, value in attributes.items() if value}
        tx.run(_set_attributes, who=found.number, facts=as_json(attributes))
        effects = ledger.change()
        changed = ContactChanged(contact=found.number, keys=tuple(sorted(written)), agent=agent)
        effects.tell(Told(at=now, event=changed))
        ledger.write(tx, effects, now)
        return attributes

    return ledger.again(work)
