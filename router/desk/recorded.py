"""How do the desk's own acts get in when a channel or a recorded file tells them? As messages of the desk, with a
key.

A `DeskEvent` (status set, reply given elsewhere) is placed in the conversation of the message it names; its key is a
digest of its content, so that repeating it adds nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import bindparam, or_, select

from router.conversation.acts import reply_given, status_set
from router.errors import NotFound, Refused
from router.events import ConversationStatus, Event, MessageSent
from router.known import Known
from router.model import (
    Conversation,
    Decision,
    DeskEvent,
    Direction,
    Key,
    KnownMessage,
    Message,
    Placement,
    Redelivery,
    Sender,
    Status,
)
from router.policy.values import Policy
from router.store import tables as t
from router.store.load import Wants
from router.store.statement import Statement, Tx, member
from router.text.secrets.redact import redact

__all__ = ["apply", "wants"]

_named = Statement(
    select(t.messages.c.realm, t.messages.c.external_id).where(
        or_(
            (t.messages.c.channel == bindparam("channel_name")) & member(t.messages.c.provider_id, "ids"),
            (t.messages.c.realm == bindparam("channel_name")) & member(t.messages.c.external_id, "keys"),
            (t.messages.c.realm == "mail") & member(t.messages.c.external_id, "mail_ids"),
        )
    )
)


def event_key(event: DeskEvent) -> Key:
    """The key of a desk event: the same act, told twice, has the same."""
    told = "\0".join((event.event, event.at.isoformat(), event.conversation_of, event.to, event.text))
    return event.channel, f"event:{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def wants(tx: Tx, events: Sequence[DeskEvent]) -> Wants:
    """What the snapshot must hold to apply these events: their own keys and the messages that they name."""
    keys: set[Key] = {event_key(e) for e in events}
    for channel in {e.channel for e in events}:
        ids = [e.conversation_of.strip("<>") for e in events if e.channel == channel]
        keys.update((row[0], row[1]) for row in tx.rows(_named, channel_name=channel, ids=ids, keys=ids, mail_ids=ids))
    return Wants(keys=frozenset(keys))


def apply(event: DeskEvent, known: Known, policy: Policy, now: datetime) -> Decision:
    """Place a desk event. Raises `NotFound` when it names a message that nobody has seen, `Refused` when it could be
    one of several conversations."""
    key = event_key(event)
    before = known.message(key)
    if before is not None:
        return Redelivery(key=key, number=before.number, conversation=before.conversation, channel=event.channel)
    parent = _parent(event, known)
    conversation = None if parent is None else known.conversation(parent.conversation)
    if parent is None or conversation is None:
        raise NotFound(
            f"conversation_of: {event.conversation_of!r} is no message of channel {event.channel}; "
            "right would be the id of a message that came before."
        )
    return _placed(event, key, conversation, parent, known, policy, now)


def _parent(event: DeskEvent, known: Known) -> KnownMessage | None:
    """The message that an event names, by the provider's id or by chat and id (`chat-7:12`)."""
    wanted = event.conversation_of.strip("<>")
    exact = known.message(("mail", wanted)) or known.message((event.channel, wanted))
    if exact is not None:
        return exact
    found = {
        external_id: message
        for (realm, external_id), message in known.messages.items()
        if realm == event.channel and external_id.endswith(f":{wanted}")
    }
    if len({message.conversation for message in found.values()}) > 1:
        raise Refused(
            f"conversation_of: {event.conversation_of!r} is a message in {len(found)} chats of channel "
            f"{event.channel}; right would be the chat with the id, such as {min(found)!r}."
        )
    return next(iter(found.values()), None)


def _placed(
    event: DeskEvent,
    key: Key,
    conversation: Conversation,
    parent: KnownMessage,
    known: Known,
    policy: Policy,
    now: datetime,
) -> Placement:
    reply = event.event == "reply"
    text = redact(event.text).text
    after = (
        reply_given(conversation, event.at, text, policy)
        if reply
        else status_set(conversation, Status(event.to), event.at, policy)
    )
    after = msgspec.structs.replace(after, messages=after.messages + reply)
    told: Event = MessageSent(channel=event.channel, agent=event.agent, automatic=False)
    if not reply:
        told = ConversationStatus(
            before=conversation.status.value, to=after.status.value, agent=event.agent, reason="recorded"
        )
    return Placement(
        number=known.number,
        key=key,
        message=Message(
            external_id=key[1],
            channel=event.channel,
            channel_kind=policy.channel(event.channel).kind,
            sent_at=event.at,
            sender=Sender(handle=event.agent or "desk", name=event.agent),
            realm=event.channel,
            kind="text" if reply else "status",
            direction=Direction.OUT if reply else Direction.NOTE,
            agent=event.agent,
        ),
        received_at=now,
        digest=key[1],
        text=text,
        own_text=text,
        subject="",
        thread=parent.thread,
        contact=known.contacts[known.owner(conversation.contact)],
        conversation=after,
        method="told by the desk",
        events=(told,),
        trace=(f"the desk said so: {event.event} {event.to}".strip(),),
        policy_version=policy.version,
    )
