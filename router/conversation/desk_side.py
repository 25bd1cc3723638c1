"""Where does the desk's own word go, when a channel tells of it: a reply given elsewhere, a note?

In: the reading of an outbound message or a note, its thread and the snapshot. Out: a `Placement` without a class: the
conversation that the message answers, else the latest one of its chat, else a new one that the desk began. A human's
reply ends the wait and the reply clocks, a note or an automatic reply does not. A colleague's mail comes with its
`Word`.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from router.conversation.acts import note_taken, reply_given
from router.conversation.colleague import Word
from router.conversation.people import naming
from router.events import ConversationOpened, Event, MessageNoted, MessageSent
from router.known import Known
from router.match.features import Reading
from router.match.fingerprint import remember
from router.match.thread import Chain, parents
from router.model import Contact, Conversation, Direction, Handle, Message, Placement, Status
from router.policy.values import Policy

__all__ = ["place"]


def place(
    reading: Reading, linked: Chain, known: Known, policy: Policy, now: datetime, flags: tuple[str, ...],
    word: Word | None = None,
) -> Placement:  # fmt: skip
    """Place a message of the desk. Pure and total."""
    message = reading.message
    addressee = _handle(message, word)
    found = word.conversation if word else _answered(message, known) or _latest_of_chat(reading, linked, known)
    contact, opened = _addressee(addressee, found, known)
    ended = word is not None and word.claimed  # a note that nobody vouches for opens nothing to work on
    base = found or Conversation(
        number=known.number, contact=contact.number, opened_at=message.sent_at, last_message_at=message.sent_at,
        subject=reading.subject, queue=policy.default_queue, rule="default",
        status=Status.CLOSED if ended else Status.OPEN, closed_at=message.sent_at if ended else None,
        matter={"subjects": [reading.subject_hash]} if word and reading.subject_hash else {},
    )  # fmt: skip
    after = _spoken(_recorded(base, reading, linked, addressee), reading, policy, now)
    goal = f"conversation {base.number}" if found else "a new conversation, which the desk began"
    opened_by = ConversationOpened(issue_type=base.issue_type, channel=message.channel)
    events: tuple[Event, ...] = (opened_by,) if found is None else ()
    return Placement(
        number=known.number,
        key=message.key,
        message=message,
        received_at=now,
        digest=reading.digest,
        text=reading.text,
        own_text=reading.own_text,
        subject=reading.subject,
        thread=linked.number,
        thread_keys=linked.keys,
        threads_joined=linked.joined,
        contact=contact,
        contact_opened=opened,
        handles=(addressee,) if opened and addressee else (),
        evidence=("named by the desk",) if opened and word else (),
        conversation=after,
        opened=found is None,
        method=("claimed colleague" if ended else "colleague") if word else "desk",
        tagging=reading.tagging,
        flags=flags,
        events=(*events, _told(message)),
        trace=(f"{_whose(message, word)}: {goal}",),
        policy_version=policy.version,
    )


def _told(message: Message) -> Event:
    kind = MessageNoted if message.direction is Direction.NOTE else MessageSent
    return kind(
        channel=message.channel, agent=message.agent, automatic=message.automatic, claimed=message.claimed
    )  # fmt: skip


def _whose(message: Message, word: Word | None) -> str:
    if word is None:
        return "the desk's own word"
    if word.claimed:
        return f"a note, for nobody vouches that {message.agent} wrote it"
    return f"{message.agent} {'answers' if message.direction is Direction.OUT else 'notes'} by mail"


def _handle(message: Message, word: Word | None) -> Handle | None:
    """Whom the desk wrote to: the chat's, or whom a colleague's mail names."""
    if word is not None:
        return ("email", word.addressee) if word.addressee else None
    return (message.channel, message.scope) if message.scope else None


def _answered(message: Message, known: Known) -> Conversation | None:
    for key in parents(message):
        stored = known.message(key)
        found = known.conversation(stored.conversation) if stored else None
        if found is not None:
            return found
    return None


def _latest_of_chat(reading: Reading, linked: Chain, known: Known) -> Conversation | None:
    """The most recently active conversation that has a message in this chat, open ones first."""
    message, threads = reading.message, {linked.number, *linked.joined}
    marked = (known.conversation(m.conversation) for m in known.marked(reading.chat_key)) if reading.chat_key else ()
    held = [c for c in marked if c is not None and not threads.isdisjoint(c.threads)]
    owner = known.contact_of((message.channel, message.scope)) if message.scope else None
    if not held and owner is not None:
        held = [c for c in known.conversations_of(owner.number) if not threads.isdisjoint(c.threads) or linked.opened]
    return max(held, key=lambda c: (c.status is not Status.CLOSED, c.last_message_at, c.number), default=None)


def _addressee(handle: Handle | None, found: Conversation | None, known: Known) -> tuple[Contact, bool]:
    """Whom the desk wrote to: the conversation's contact, the owner of the chat, or somebody new."""
    if found is not None:
        owner = known.contacts.get(known.owner(found.contact))
        if owner is not None:
            return owner, False
    owner = known.contact_of(handle) if handle else None
    return (owner, False) if owner is not None else (Contact(number=known.number), True)


def _recorded(base: Conversation, reading: Reading, linked: Chain, handle: Handle | None) -> Conversation:
    message, gone = reading.message, set(linked.joined)
    threads = dict.fromkeys((*(t for t in base.threads if t not in gone), linked.number))
    participants = base.participants
    if not participants and handle:
        participants = (handle,)
    if message.direction is Direction.OUT:
        base = naming(base, [a for a in reading.people if ("email", a) not in participants], proved=True)
    return replace(
        base,
        messages=base.messages + 1,
        threads=tuple(threads),
        participants=participants,
        channels=base.channels if message.channel in base.channels else (*base.channels, message.channel),
        matter=remember(base.matter, reading, inbound=False),
    )


def _spoken(conversation: Conversation, reading: Reading, policy: Policy, now: datetime) -> Conversation:
    message = reading.message
    at = min(message.sent_at, now)
    if message.direction is Direction.NOTE:
        return note_taken(conversation, at, policy)
    return reply_given(
        conversation, at, reading.own_text, policy, seen_at=now, automatic=message.automatic,
        event_id=f"{message.key[0]}/{message.key[1]}",
    )  # fmt: skip
