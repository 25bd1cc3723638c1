"""Do others report the same at the same time?

In: the reading of a message, and the markers that messages of others left. Out: `Relation`: links to their
conversations, never a merge; and the incident that begins at the third customer, under a key that every order of
deciding gives. Others are related by the same number, by the same words within 24 hours, or by the same issue type and
a shared rare word within the policy's half hour. Payees, merchants and phishers know order numbers too: where nothing
is proved of one side or of both, the link says so (`unproven_link`; rules: follow-ups, 9).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from router.known import Known
from router.match.features import Reading
from router.match.identity import Identity
from router.match.weights import WEIGHTS
from router.model import Conversation, Link, Standing, Status
from router.policy.values import FollowUps
from router.value import Value

__all__ = ["Relation", "naming_the_same", "reach", "relate"]

_SAME_WORDS = timedelta(hours=24)
_MOST_LINKS = 5
_MOST_MARKERS = 60
_SCORES = {"text": WEIGHTS.same_words, "type": WEIGHTS.same_type}
#: How sure a shared number is, and what it is called.
_NUMBER = WEIGHTS.same_number
_NAMES = {"order": "order number", "hash": "transaction hash", "account": "account number"}


class Relation(Value, frozen=True, kw_only=True):
    """What others have to do with it. `incident` is empty while fewer customers than the policy's three report it;
    `key` is what an incident of these reports is or would be called."""

    links: tuple[Link, ...] = ()
    key: str = ""
    incident: str = ""
    opened: bool = False
    conversations: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()


def relate(reading: Reading, identity: Identity, known: Known, policy: FollowUps) -> Relation:
    """Find the conversations of others that are about the same. Pure and total."""
    found: dict[int, Link] = {}
    reports: dict[int, tuple[Conversation | Standing, str]] = {}
    people: set[int] = set()
    mine = {identity.contact.number, *identity.joined}
    for key in reading.meets:
        for conversation, contact in _others(key, reading, mine, known, policy):
            kind = key.partition(":")[0]
            held = found.get(conversation.number)
            if held is None or held.score < _SCORES.get(kind, _NUMBER):
                found[conversation.number] = _link(kind, conversation, identity, known)
            if kind in _SCORES:
                reports.setdefault(conversation.number, (conversation, key))
                people.add(contact)
    if not found:
        return Relation()
    links = sorted(found.values(), key=lambda one: (-one.score, one.conversation))[:_MOST_LINKS]
    reasons = tuple(f"conversation {link.conversation} of somebody else: {link.reason}" for link in links)
    if not reports:
        return Relation(links=tuple(links), reasons=reasons)
    key, begun = _key(reports)
    if len(people) + 1 < policy.incident_customers and not begun:
        return Relation(links=tuple(links), key=key, reasons=reasons)
    return Relation(
        links=(*links, *(Link(conversation=n, reason="incident", score=1.0) for n in sorted(reports)[:1])),
        key=key, incident=key, opened=not begun, conversations=tuple(sorted(reports)),
        reasons=(*reasons, f"incident {key}"),
    )  # fmt: skip


def reach(key: str, policy: FollowUps) -> timedelta | None:
    """How far apart in time two messages may leave this marker and be related by it; None for any time."""
    kind = key.partition(":")[0]
    return _SAME_WORDS if kind == "text" else policy.incident_within if kind == "type" else None


def _others(
    key: str, reading: Reading, mine: set[int], known: Known, policy: FollowUps | None
) -> list[tuple[Conversation | Standing, int]]:
    """The open conversations of others that left this marker recently enough, with their contacts. `policy` is not
    asked about numbers."""
    at = reading.message.sent_at
    within = None if policy is None else reach(key, policy)
    found = []
    for marker in known.marked(key)[-_MOST_MARKERS:]:
        if within is not None and abs(at - marker.at) > within:
            continue
        contact = known.owner(marker.contact)
        conversation = known.standing(marker.conversation)
        if conversation is None or conversation.status is Status.CLOSED or "spam" in conversation.flags:
            continue
        if contact in mine or known.owner(conversation.contact) in mine:
            continue
        found.append((conversation, contact))
    return found


def naming_the_same(reading: Reading, identity: Identity, joined: Conversation, known: Known) -> tuple[Link, ...]:
    """Links of the conversation that a message `joined` to those of others that name the same number, but for such as
    there are already, or were undone by a person."""
    mine = {identity.contact.number, *identity.joined}
    found: dict[int, Link] = {}
    for key in reading.strong:
        for conversation, _ in _others(key, reading, mine, known, None):
            if not _related(joined.number, conversation.number, known):
                found.setdefault(conversation.number, _link(key.partition(":")[0], conversation, identity, known))
    found.pop(joined.number, None)
    return tuple(found[number] for number in sorted(found)[:_MOST_LINKS])


def _related(one: int, other: int, known: Known) -> bool:
    ends = ((one, other), (other, one))
    return any(link.conversation == there for here, there in ends for link in known.links.get(here, ()))


def _link(kind: str, conversation: Conversation | Standing, identity: Identity, known: Known) -> Link:
    """How another's report stands to this one. A number proves nothing of who names it: where the channel proved
    nothing of one side or of both, the link says so."""
    if kind in _SCORES:
        return Link(conversation=conversation.number, reason="cross_customer", score=_SCORES[kind])
    owner = known.contacts.get(known.owner(conversation.contact))
    theirs, ours = bool(owner is not None and owner.verified), bool(identity.contact.verified)
    if theirs and ours:
        return Link(conversation=conversation.number, reason="cross_customer", score=_NUMBER)
    of_whom = "either sender" if not (theirs or ours) else "that sender" if ours else "this sender"
    because = f"the same {_NAMES.get(kind, 'number')}; nothing is proved of {of_whom}"
    return Link(conversation=conversation.number, reason="unproven_link", score=_NUMBER, because=because)


def _key(reports: Mapping[int, tuple[Conversation | Standing, str]]) -> tuple[str, bool]:
    """The incident's key, taken over from an earlier report where one has it, and whether it has begun."""
    held: list[tuple[str, bool]] = []
    for conversation, _ in reports.values():
        matter: Mapping[str, Any] = conversation.matter
        if matter.get("incident"):
            held.append((matter["incident"], bool(matter.get("incident_open"))))
    if held:
        return min((key for key, _ in held)), any(begun for _, begun in held)
    first = min(reports)
    return f"{reports[first][1]}:{first}", False
