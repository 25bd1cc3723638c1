"""What may the decision know of the past? A snapshot, `Known`, loaded for a batch and moved on after each message.

The store fills it with a few queries for the messages at hand; the library user starts with `Known.empty()` and goes on
with `known.after(message, decision)`. It holds nothing that the decision for these messages could not need.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from heapq import nlargest
from typing import Final

from msgspec.structs import replace

from router.bounce import KnownReply
from router.model import (
    Contact,
    Conversation,
    Decision,
    Handle,
    Key,
    KnownMessage,
    Link,
    Marker,
    Message,
    Placement,
    Redelivery,
    Standing,
)
from router.value import Value

__all__ = ["CLAIMED", "FORMER", "REACH", "Fragment", "Known"]

#: Evidence of a handle that somebody only claims, and so is no target of an answer until a person confirmed it.
CLAIMED: Final = ("form", "forward", "caller-id")
#: So many conversations of one contact, those with the latest words, are looked at.
REACH = 40
#: So many messages of a conversation that may hold a piece of a secret are known.
FORMER = 3


class Fragment(Value, frozen=True, kw_only=True):
    """A message that may hold a piece of a secret, as it is stored."""

    number: int
    conversation: int
    sender: Handle
    at: datetime
    text: str
    own_text: str


class Known:
    """The past, as far as it bears on the messages to decide.

    `number` is the next free number. Merged conversations and contacts are reached through `merged` and `joined`.
    `claimed` are handles that somebody only names, with the evidence; `links` are all that were ever made, also those
    that a person undid: no machine makes one twice. `standings` are conversations of others of which no more is known.
    """

    __slots__ = (
        "by_contact", "claimed", "contacts", "conversations", "edited_by", "fragments", "handles", "joined", "links",
        "markers", "merged", "messages", "number", "replies", "standings", "threads",
    )  # fmt: skip

    def __init__(self, number: int = 1) -> None:
        self.number = number
        self.messages: dict[Key, KnownMessage] = {}
        self.threads: dict[Key, int] = {}
        self.handles: dict[Handle, int] = {}
        self.claimed: dict[Handle, str] = {}
        self.contacts: dict[int, Contact] = {}
        self.conversations: dict[int, Conversation] = {}
        self.by_contact: dict[int, list[int]] = {}
        self.markers: dict[str, list[Marker]] = {}
        self.edited_by: dict[Key, KnownMessage] = {}
        self.fragments: dict[int, tuple[Fragment, ...]] = {}
        self.links: dict[int, list[Link]] = {}
        self.merged: dict[int, int] = {}
        self.joined: dict[int, int] = {}
        self.replies: dict[int, KnownReply] = {}
        self.standings: dict[int, Standing] = {}

    @classmethod
    def empty(cls) -> Known:
        """Nothing is known yet."""
        return cls()

    def message(self, key: Key) -> KnownMessage | None:
        """The stored message of this key."""
        return self.messages.get(key)

    def contact_of(self, handle: Handle) -> Contact | None:
        """The owner of this handle, after all joins."""
        number = self.handles.get(handle)
        return None if number is None else self.contacts.get(self.owner(number))

    def owner(self, contact: int) -> int:
        """The contact that this one was joined into, or itself."""
        while contact in self.joined:
            contact = self.joined[contact]
        return contact

    def conversation(self, number: int) -> Conversation | None:
        """The conversation of this number, or the one it was merged into."""
        return self.conversations.get(self._whole(number))

    def standing(self, number: int) -> Conversation | Standing | None:
        """`conversation`, or of one that others left a marker in as much as is known of it."""
        whole = self._whole(number)
        return self.conversations.get(whole) or self.standings.get(whole)

    def conversations_of(self, contact: int) -> list[Conversation]:
        """The known conversations of a contact, whatever their status, oldest first; of one that was merged into
        another, that other, whoever's it is."""
        numbers = {self._whole(n) for n in self.by_contact.get(self.owner(contact), ())}
        return [self.conversations[n] for n in sorted(numbers) if n in self.conversations]

    def recent_of(self, contact: int) -> list[Conversation]:
        """`conversations_of`; of very many the `REACH` with the latest words, as a store loads them: a thousand
        messages of one sender in one batch cost no million comparisons."""
        held = self.conversations_of(contact)
        if len(held) <= REACH:
            return held
        return sorted(nlargest(REACH, held, key=lambda c: (c.last_message_at, c.number)), key=lambda c: c.number)

    def _whole(self, number: int) -> int:
        while number in self.merged:
            number = self.merged[number]
        return number

    def marked(self, key: str, since: datetime | None = None) -> list[Marker]:
        """Who left this marker, oldest first, at or after `since`."""
        left = self.markers.get(key, ())
        return list(left) if since is None else [m for m in left if m.at >= since]

    def thread_of(self, keys: Iterable[Key]) -> list[int]:
        """The known threads that these keys lead to, oldest (smallest number) first, each once."""
        return sorted({self.threads[k] for k in keys if k in self.threads})

    def after(self, message: Message, decision: Decision) -> Known:
        """The snapshot after this decision; the present one stays as it is."""
        following = Known(self.number)
        for name in self.__slots__:
            mine = getattr(self, name)
            if name in ("by_contact", "markers", "links"):
                setattr(following, name, {k: list(v) for k, v in mine.items()})
            elif isinstance(mine, dict):
                setattr(following, name, dict(mine))
        following.absorb(message, decision)
        return following

    def absorb(self, message: Message, decision: Decision) -> None:
        """Move this snapshot on in place: the batch's own form of `after`."""
        if isinstance(decision, Redelivery):
            return
        self.number = max(self.number, decision.number + 1)
        conversation, contact = decision.conversation, decision.contact
        seen = KnownMessage(
            number=decision.number,
            conversation=conversation.number,
            contact=contact.number,
            thread=decision.thread,
            digest=decision.digest,
            direction=message.direction,
            channel=message.channel,
            handle=message.sender.handle,
            sent_at=message.sent_at,
            automatic=message.automatic,
        )
        self.messages[decision.key] = seen
        if message.edits:
            self.edited_by[message.key_of(message.edits)] = seen
        self._absorb_contact(contact, decision.contacts_joined, decision.handles)
        self._absorb_threads(decision.thread, decision.threads_joined, decision.thread_keys)
        self.put(conversation)
        for marker in decision.markers:
            self.markers.setdefault(marker.key, []).append(marker)
        if decision.outcome is not None and decision.outcome.state:
            reply = self.replies[decision.outcome.reply]
            self.replies[reply.number] = replace(reply, state=decision.outcome.state)
        for link in decision.links:
            self.links.setdefault(conversation.number, []).append(link)
        self._absorb_fragments(message, decision)

    def _absorb_fragments(self, message: Message, decision: Placement) -> None:
        for cleaned in decision.scrubbed:
            self.put(cleaned)
        gone = {former.message for former in decision.rewritten}
        for number in {former.conversation for former in decision.rewritten}:
            self.fragments[number] = tuple(f for f in self.fragments.get(number, ()) if f.number not in gone)
        if decision.piece:
            fragment = Fragment(
                number=decision.number, conversation=decision.conversation.number, at=message.sent_at,
                sender=("email" if message.realm else message.channel, message.sender.handle), text=decision.text,
                own_text=decision.own_text,
            )  # fmt: skip
            self.hold(fragment)

    def hold(self, fragment: Fragment) -> None:
        """Know this message, newer than the others of its conversation."""
        held = self.fragments.get(fragment.conversation, ())
        self.fragments[fragment.conversation] = (*held, fragment)[-FORMER:]

    def put(self, conversation: Conversation) -> None:
        """Know this state of a conversation."""
        self.conversations[conversation.number] = conversation
        mine = self.by_contact.setdefault(conversation.contact, [])
        if conversation.number not in mine:
            mine.append(conversation.number)

    def _absorb_contact(self, contact: Contact, joined: tuple[int, ...], handles: tuple[Handle, ...]) -> None:
        self.contacts[contact.number] = contact
        for absorbed in joined:
            self.joined[absorbed] = contact.number
            self.by_contact.setdefault(contact.number, []).extend(self.by_contact.pop(absorbed, ()))
        for handle in handles:
            self.handles[handle] = contact.number

    def _absorb_threads(self, thread: int, joined: tuple[int, ...], keys: tuple[Key, ...]) -> None:
        if joined:
            gone = set(joined)
            for key, number in self.threads.items():
                if number in gone:
                    self.threads[key] = thread
        for key in keys:
            self.threads[key] = thread
