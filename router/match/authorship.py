"""Whose message is it, where the one who sent it only brings it: a contact form, a colleague who forwards, a caller-id?

In: a message as its adapter translated it, and which addresses are the desk's own. Out: the same message, or one whose
sender is the person whom it names. Such a sender is `claimed`: nothing proves him, so he counts as unknown, joins no
contacts and gets an answer only after a person of the desk confirmed him (rules: follow-ups, 5 and 7e; security, 0.5).
Pure; the past is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from router.model import Authenticity, Direction, Message, Party, Sender
from router.ours import Ours
from router.text.own_words.passed_on import PassedOn, passed_on
from router.value import Value

__all__ = ["FORM", "Authored", "authored", "named_people"]

#: Evidence of a handle that a form of ours names, when our own mail server vouches for the form.
FORM: Final = "form of ours"
_NOTHING: Final[Mapping[str, str]] = {}


class Authored(Value, frozen=True, kw_only=True):
    """A message with the sender whose it is. `words`: what of its text is to be read as his (None: all of it);
    `above`: what whoever brings it wrote above; `agent`: the colleague who wrote it from his own mail program."""

    message: Message
    words: str | None = None
    above: str = ""
    agent: str = ""


def authored(message: Message, ours: Ours, *, failed: bool = False, heard: bool = False) -> Authored:
    """Find whose message it is. `failed`: its sender counts as one who failed authentication; `heard`:
    he speaks on this channel (`router.kinds.Traits`). Total."""
    if message.direction is not Direction.IN or message.automatic:
        return Authored(message=message)
    if heard and message.authenticity is not Authenticity.PASS:
        number = message.sender.handle.startswith("+") and not message.sender.verified
        return Authored(message=replace(message, claimed="caller-id") if number else message)
    if message.realm != "mail" or message.headers is None:
        return Authored(message=message)
    agent = ours.agent(message.sender.handle)
    if not agent and not failed and (person := _filled_in(message, ours)) is not None:
        return Authored(message=_of(message, "form", person, house=ours.house(message.sender.handle)))
    found = passed_on(message.text, message.subject, ours.house)
    if found is None:
        return Authored(message=message, agent=agent)
    return _forwarded(message, found, ours)


def _filled_in(message: Message, ours: Ours) -> Party | None:
    """Who filled in the form that this mail comes from: the one person of Reply-To, where From takes no answers."""
    headers, sender = message.headers, message.sender.handle
    if headers is None or not (headers.form or headers.machine or ours.house(sender)):
        return None
    named = [party for party in headers.reply_to if party.address != sender and not ours.owns(party.address)]
    return named[0] if len(named) == 1 else None


def _forwarded(message: Message, found: PassedOn, ours: Ours) -> Authored:
    """A mail that is passed on: by a colleague whom our mail server vouches for, its writer is the sender; else whoever
    forwards it is, and whose mail it was is only noted."""
    if not found.address or found.address == message.sender.handle:
        return Authored(message=message)
    if message.authenticity is Authenticity.PASS and ours.house(message.sender.handle):
        person = Party(address=found.address, name=found.name)
        return Authored(message=_of(message, "forward", person), words=found.words, above=found.above)
    via = message.sender.handle if ours.house(message.sender.handle) else ""
    return Authored(message=replace(message, original=found.address, via=via))


def _of(message: Message, claimed: str, person: Party, *, house: bool = False) -> Message:
    """The message as this person's, who is only claimed; a form of ours that is vouched for says so."""
    vouched = claimed == "form" and message.authenticity is Authenticity.PASS
    trusted = vouched and message.headers is not None and message.headers.form and house
    return replace(
        message,
        sender=Sender(handle=person.address, name=person.name, verified=_NOTHING),
        authenticity=Authenticity.UNKNOWN,
        claimed=FORM if trusted else claimed,
        via=message.sender.handle,
    )


def named_people(message: Message, ours: Ours) -> tuple[str, ...]:
    """The addresses of the people whom a mail names in To and Cc, its sender and everybody of the desk left out."""
    if message.headers is None:
        return ()
    apart = {message.sender.handle.strip().lower(), message.via}
    return tuple(p.address for p in message.headers.named if p.address not in apart and not ours.owns(p.address))
