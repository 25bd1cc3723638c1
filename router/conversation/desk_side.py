"""Where does the desk's own word go, when a channel tells of it: a reply given elsewhere, a note?

In: the reading of an outbound message or a note, its thread and the snapshot. Out: a `Placement` without a class: the
conversation that the message answers, else the latest one of its chat, else a new one that the desk began. A human's
reply ends the wait and the reply clocks, a note or an automatic reply does not.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from router.conversation.acts import note_taken, reply_given
from router.follow_ups.memory import remember
from router.follow_ups.reading import Reading
from router.follow_ups.thread import Chain, parents
from router.known import Known
from router.model import Contact, Conversation, Direction, Message, Placement, Status
from router.policy import Policy

__all__ = ["place"]


def place(
    reading: Reading, linked: Chain, known: Known, policy: Policy, now: datetime, flags: tuple[str, ...]
) -> Placement:
    """Place a message of the desk. Pure and total."""
    message = reading.message
    found = _answered(message, known) or _latest_of_chat(reading, linked, known)
    contact, opened = _addressee(message, found, known)
    base = found or Conversation(
        number=known.number, contact=contact.number, opened_at=message.sent_at, last_message_at=message.sent_at,
        subject=reading.subject, queue=policy.default_queue, rule="default",
    )  # fmt: skip
    after = _spoken(_recorded(base, reading, linked), reading, policy, now)
    kind = "message.noted" if message.direction is Direction.NOTE else "message.sent"
    goal = f"conversation {base.number}" if found else "a new conversation, which the desk began"
    events = [("conversation.opened", {"channel": message.channel})] if found is None else []
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
        handles=((message.channel, message.scope),) if opened and message.scope else (),
        conversation=after,
        opened=found is None,
        method="desk",
        tagging=reading.tagging,
        flags=flags,
        events=(*events, (kind, {"channel": message.channel, "agent": message.agent, "automatic": message.automatic})),
        trace=(f"the desk's own word: {goal}",),
        policy_version=policy.version,
    )


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


def _addressee(message: Message, found: Conversation | None, known: Known) -> tuple[Contact, bool]:
    """Whom the desk wrote to: the conversation's contact, the owner of the chat, or somebody new."""
    if found is not None:
        owner = known.contacts.get(known.owner(found.contact))
        if owner is not None:
            return owner, False
    owner = known.contact_of((message.channel, message.scope)) if message.scope else None
    return (owner, False) if owner is not None else (Contact(number=known.number), True)


def _recorded(base: Conversation, reading: Reading, linked: Chain) -> Conversation:
    message, gone = reading.message, set(linked.joined)
    threads = dict.fromkeys((*(t for t in base.threads if t not in gone), linked.number))
    participants = base.participants
    if not participants and message.scope:
        participants = ((message.channel, message.scope),)
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
