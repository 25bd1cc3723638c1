"""Does what a message answers entitle it to join that conversation?

In: a message, who sent it, its thread, a verified claim of a signed reply address if it bears one, and the snapshot.
Out: the conversation it may join, or the one that it named without a right to (rejected), or the one to suggest. This
is the table of rules/security, 0.5: a token or a Message-ID joins together with the participant it belongs to; a
sender who failed authentication gets a suggestion; anybody else a conversation of his own, linked and flagged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from router.known import Known
from router.match.features import Reading, named_key
from router.match.identity import Identity, is_mail
from router.match.reply_address import Claim
from router.match.thread import Chain, parents
from router.model import Authenticity, Conversation, Direction, Message
from router.value import Value

__all__ = ["Evidence", "is_participant", "weigh_claims"]


class Evidence(Value, frozen=True, kw_only=True):
    """What the headers of a message are worth. `method` says by what `joins` was found."""

    joins: Conversation | None = None
    method: Literal["", "reply_address", "reply", "thread", "edit", "bounce"] = ""
    rejected: Conversation | None = None
    suggested: Conversation | None = None

    @property
    def named(self) -> int:
        """The conversation that the message named, whatever that is worth; 0 for none."""
        found = self.joins or self.rejected or self.suggested
        return found.number if found else 0


def is_participant(identity: Identity, conversation: Conversation, known: Known) -> bool:
    """Is the sender the conversation's contact, or one whose handle takes part in it?"""
    owner = known.owner(conversation.contact)
    if owner == identity.contact.number or owner in identity.joined:
        return True
    if identity.handle in conversation.participants:
        return True
    return identity.handle[0] == "email" and identity.handle[1] in conversation.copied


def weigh_claims(
    reading: Reading, identity: Identity, chain: Chain, known: Known, *, claim: Claim | None = None,
    failed: bool = False,
) -> Evidence:  # fmt: skip
    """Find what a message may join because of its headers. Pure and total."""
    message = reading.message
    if claim is not None and (made := known.conversation(claim.conversation)) is not None:
        own = _made_for(claim, message, identity)
        if not own and not is_participant(identity, made, known):
            return Evidence(rejected=made)
        return Evidence(suggested=made) if failed else Evidence(joins=made, method="reply_address" if own else "reply")
    edited = _edited(message, known)
    if edited is not None and is_participant(identity, edited, known):
        return Evidence(joins=edited, method="edit")
    return _answered(reading, identity, chain, known, failed)


def _answered(reading: Reading, identity: Identity, chain: Chain, known: Known, failed: bool) -> Evidence:
    """By the ids in In-Reply-To and References, nearest first, then by a thread whose parents are unknown as yet."""
    message, rejected = reading.message, None
    for key in parents(message):
        stored = known.message(key)
        conversation = known.conversation(stored.conversation) if stored else None
        if conversation is None:
            continue
        if message.direction is not Direction.IN or is_participant(identity, conversation, known):
            return Evidence(joins=conversation, method="reply")
        claims = identity.handle[1]
        if failed and (("email", claims) in conversation.participants or claims in conversation.copied):
            return Evidence(suggested=conversation)
        rejected = rejected or conversation
    if rejected is not None:
        return Evidence(rejected=rejected)
    if is_mail(message) and not chain.opened and not failed:
        return _late_parent(reading, identity, chain, known)
    return Evidence()


def _late_parent(reading: Reading, identity: Identity, chain: Chain, known: Known) -> Evidence:
    """This mail, or a sibling's parent, was named before it came: the sender's own conversation of that chain, else one
    of people who name him and whom he names."""
    threads = {chain.number, *chain.joined}
    for contact in (identity.contact.number, *identity.joined):
        for conversation in reversed(known.conversations_of(contact)):
            if not threads.isdisjoint(conversation.threads):
                return Evidence(joins=conversation, method="thread")
    for conversation in _of_named(reading, identity, known):
        if not threads.isdisjoint(conversation.threads):
            return Evidence(joins=conversation, method="thread")
    return Evidence()


def _of_named(reading: Reading, identity: Identity, known: Known) -> Iterator[Conversation]:
    """The conversations of people whom this mail names, where one of the two namings is proved."""
    people = {("email", address) for address in reading.people}
    marked = known.marked(named_key(identity.handle[1])) if people and identity.handle[0] == "email" else ()
    for found in (known.conversation(marker.conversation) for marker in marked):
        if found is not None and identity.handle[1] in found.copied and not people.isdisjoint(found.participants):
            yield found
    if reading.message.authenticity is Authenticity.PASS:
        for contact in filter(None, map(known.contact_of, sorted(people))):
            yield from (c for c in known.conversations_of(contact.number) if not people.isdisjoint(c.participants))


def _edited(message: Message, known: Known) -> Conversation | None:
    """The conversation of what this message edits, or of an edit of it that came before it."""
    stored = known.message(message.key_of(message.edits)) if message.edits else known.edited_by.get(message.key)
    return known.conversation(stored.conversation) if stored else None


def _made_for(claim: Claim, message: Message, identity: Identity) -> bool:
    handle = ("email", message.sender.handle.strip().lower()) if is_mail(message) else identity.handle
    return claim.made_for(handle)
