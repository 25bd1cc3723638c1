"""Is a mail the desk's own word: a colleague who answers a customer from his own mail program?

In: the reading of a mail that comes from an agent's address, its thread, the snapshot. Out: `Word`: the conversation
that it answers, and whether it is the desk's answer or a note; None where he writes for himself. It is an answer only
where our mail server vouches for him, a header names the conversation, and it goes to who takes part there; anything
less is a note, which stops no clock (rules: follow-ups, 7e; security, 0.5). Pure.
"""

from __future__ import annotations

from msgspec.structs import replace

from router.known import Known
from router.match.features import Reading
from router.match.thread import Chain, parents
from router.model import Authenticity, Conversation, Direction, Message
from router.value import Value

__all__ = ["Word", "word_of"]


class Word(Value, frozen=True, kw_only=True):
    """What a colleague wrote, as the desk's message. `conversation` None: what it answers has not come yet, so it opens
    the conversation of `addressee`. `claimed`: nobody vouches for the colleague."""

    message: Message
    conversation: Conversation | None = None
    addressee: str = ""
    claimed: bool = False
    flags: tuple[str, ...] = ()


def word_of(reading: Reading, linked: Chain, known: Known) -> Word | None:
    """The desk's own word in this mail, if it is one. Total."""
    message = reading.message
    if not reading.agent or message.claimed or message.original or not parents(message):
        return None
    found = _answered(reading, linked, known)
    if found is not None and _is_customer(message, found, known):
        return None
    if found is None and not reading.people:
        return None
    vouched = message.authenticity is Authenticity.PASS and not reading.failed
    public = vouched and (found is None or any(_takes_part(person, found, known) for person in reading.people))
    return Word(
        message=replace(
            message, direction=Direction.OUT if public else Direction.NOTE, agent=reading.agent,
            claimed="" if vouched else "colleague",
        ),
        conversation=found,
        addressee=reading.people[0] if reading.people else "",
        claimed=not vouched,
        flags=("sender_unverified",) if reading.failed else (),
    )  # fmt: skip


def _answered(reading: Reading, linked: Chain, known: Known) -> Conversation | None:
    """The conversation of what the mail answers; where that has not come, one of its chain with whom it is for."""
    for key in parents(reading.message):
        stored = known.message(key)
        found = known.conversation(stored.conversation) if stored else None
        if found is not None:
            return found
    threads = {linked.number, *linked.joined}
    for person in reading.people:
        contact = known.contact_of(("email", person))
        for conversation in reversed(known.conversations_of(contact.number) if contact is not None else []):
            if not threads.isdisjoint(conversation.threads):
                return conversation
    return None


def _is_customer(message: Message, conversation: Conversation, known: Known) -> bool:
    """Is he the one whom this conversation is about? People of the desk are customers too."""
    return _takes_part(message.sender.handle.strip().lower(), conversation, known)


def _takes_part(address: str, conversation: Conversation, known: Known) -> bool:
    if ("email", address) in conversation.participants or address in conversation.copied:
        return True
    contact = known.contact_of(("email", address))
    return contact is not None and contact.number == known.owner(conversation.contact)
