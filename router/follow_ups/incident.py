"""Do others report the same at the same time?

In: the reading of a message that goes on with nothing of its sender's, and the markers that messages of others left.
Out: `Relation`: links to their conversations, never a merge; and the incident that begins at the third customer, under
a key that every order of deciding gives. Others are related by the same number, by the same words within 24 hours, or
by the same issue type and a shared rare word within the policy's half hour (rules: follow-ups, 9).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from router.follow_ups.identity import Identity
from router.follow_ups.reading import Reading
from router.known import Known
from router.model import Conversation, Link, Status, Value
from router.policy import FollowUps

__all__ = ["Relation", "relate"]

_SAME_WORDS = timedelta(hours=24)
_MOST_LINKS = 5
_MOST_MARKERS = 60
_SCORES = {"text": 0.9, "type": 0.7}
#: How sure a shared number is.
_NUMBER = 0.95


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
    reports: dict[int, tuple[Conversation, str]] = {}
    people: set[int] = set()
    mine = {identity.contact.number, *identity.joined}
    for key in reading.traces:
        for conversation, contact in _others(key, reading, mine, known, policy):
            kind = key.partition(":")[0]
            held = found.get(conversation.number)
            if held is None or held.score < _SCORES.get(kind, _NUMBER):
                found[conversation.number] = _link(kind, conversation, identity, known, contact)
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


def _others(
    key: str, reading: Reading, mine: set[int], known: Known, policy: FollowUps
) -> list[tuple[Conversation, int]]:
    """The open conversations of others that left this marker recently enough, with their contacts."""
    at = reading.message.sent_at
    kind = key.partition(":")[0]
    within = {"text": _SAME_WORDS, "type": policy.incident_within}.get(kind)
    found = []
    for marker in known.marked(key)[-_MOST_MARKERS:]:
        if within is not None and abs(at - marker.at) > within:
            continue
        contact = known.owner(marker.contact)
        if contact in mine:
            continue
        conversation = known.conversation(marker.conversation)
        if conversation is None or conversation.status is Status.CLOSED or "spam" in conversation.flags:
            continue
        found.append((conversation, contact))
    return found


def _link(kind: str, conversation: Conversation, identity: Identity, known: Known, contact: int) -> Link:
    """A number that a verified and an unverified sender both quote is only a suggestion."""
    if kind in _SCORES:
        return Link(conversation=conversation.number, reason="cross_customer", score=_SCORES[kind])
    owner = known.contacts.get(contact)
    proved = bool(owner is not None and owner.verified)
    reason = "cross_customer" if proved == bool(identity.contact.verified) else "suggested_link"
    return Link(conversation=conversation.number, reason=reason, score=_NUMBER)


def _key(reports: Mapping[int, tuple[Conversation, str]]) -> tuple[str, bool]:
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
