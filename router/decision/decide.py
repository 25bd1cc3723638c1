"""What becomes of a message? The straight function: everything known of the past comes in, one decision comes out.

In: a message, the snapshot `Known`, the policy and the present instant. Out: `Redelivery`, or a `Placement` that says
whose it is, which conversation it goes on with and as what, about what it is, whose queue and by when, and why. Pure
and total over valid messages: same input, same answer, no database, no clock of its own. The steps: read (own words,
identifiers, redaction, tagging), dedupe, identify, thread, weigh the claims of headers, place, relate to others, then
the state after (`progress`). `prepare` does the part that needs nothing of the past, so that a store can load what
`Prepared.markers` and `Prepared.handles` name.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from msgspec.structs import replace

from router.bounce import KnownReply
from router.conversation import after_message, arrival, desk_side
from router.conversation.colleague import word_of
from router.deadlines.calendar import microseconds
from router.errors import InvalidPayload
from router.events import (
    ContactJoined,
    ConversationLinked,
    ConversationOpened,
    ConversationReopened,
    Event,
    IncidentJoined,
    IncidentOpened,
    MessageReceived,
)
from router.known import Known
from router.match import bounced, dedupe
from router.match.claims import Evidence, weigh_claims
from router.match.delivered import Delivered, delivered
from router.match.features import Reading, named_key, read
from router.match.identity import Identity, identify
from router.match.incident import Relation, naming_the_same, relate
from router.match.join import ALSO_OPEN, Verdict, place
from router.match.reply_address import Claim
from router.match.seam import Seam, seam
from router.match.thread import Chain, chain
from router.model import (
    Conversation,
    Decision,
    Direction,
    Link,
    Marker,
    Message,
    MessageClass,
    Placement,
    Redelivery,
)
from router.policy.values import FollowUps, Policy, required
from router.routing.condition import FLAGS

__all__ = [
    "Delivered", "Prepared", "checked", "decide", "decide_prepared", "delivered", "prepare", "redelivery",
]  # fmt: skip

Prepared = Reading
#: What says where a message goes; `router.match.join.place` is one.
Placing: TypeAlias = Callable[[Reading, Identity, Evidence, Known, FollowUps], Verdict]
#: What somebody else's report turns into a report of the same.
_OPENING = (MessageClass.FIRST, MessageClass.NEW_ISSUE)


def prepare(message: Message, policy: Policy, *, known: Delivered | None = None) -> Prepared:
    """Read a message: the part of the decision that looks at nothing of the past. Total. `known`: what `delivered`
    made of it, where it was asked before."""
    return read(message, policy, known=known)


def decide(message: Message, known: Known, policy: Policy, now: datetime, *, claim: Claim | None = None) -> Decision:
    """Decide a message at `now` (aware UTC). `claim`: what its reply token proved (`reply_address.verify`).

    Raises InvalidPayload, ConfigurationError or NaiveDatetime for a message, policy or instant that is none.
    """
    checked(message)
    microseconds(now)
    return decide_prepared(read(message, required(policy)), known, policy, now, claim=claim)


def checked(message: object, index: int = 0) -> Message:
    """A message as a program gave it. Raises InvalidPayload for what is none, NaiveDatetime for a time without zone."""
    if not isinstance(message, Message):
        what = f"is {type(message).__name__}; a Message would be right, as Message.from_wire(…)"
        raise InvalidPayload(f"Message {index}: {what}.", index=index)
    microseconds(message.sent_at)
    return message


def decide_prepared(
    prepared: Prepared, known: Known, policy: Policy, now: datetime, *, claim: Claim | None = None,
    placing: Placing = place,
) -> Decision:  # fmt: skip
    """Decide a message that was prepared under the same policy. `placing` is who says where it goes: the truth of a
    labelled sequence may, to learn from it."""
    seen = dedupe.seen(prepared.message, prepared.digest, known)
    if seen.before is not None:
        return _seen_again(seen, known)
    reading = prepared if seen.message is prepared.message else replace(prepared, message=seen.message)
    message = reading.message
    flags = ("id_reused",) if seen.id_reused else ()
    linked = chain(message, known)
    if message.direction is not Direction.IN:
        return desk_side.place(reading, linked, known, policy, now, flags)
    word = word_of(reading, linked, known)
    if word is not None:
        reading = replace(reading, message=word.message)
        return desk_side.place(reading, linked, known, policy, now, (*flags, *word.flags), word)
    identity = identify(message, known, failed=reading.failed)
    told = seam(reading, identity, known, policy)
    reading = told.reading if told else reading
    reply = bounced.reply_named(message, claim, known)
    if reply is not None:
        answered = known.conversation(reply.conversation)
        evidence = Evidence(joins=answered, method="bounce") if answered is not None else Evidence()
    else:
        evidence = weigh_claims(reading, identity, linked, known, claim=claim, failed=reading.failed)
    if message.automatic:
        verdict, relation = _automatic(evidence), Relation()
    else:
        verdict = placing(reading, identity, evidence, known, policy.follow_ups)
        verdict, relation = _among_others(verdict, reading, identity, known, policy)
    placed = _placement(reading, linked, identity, evidence, verdict, relation, known, policy, now, flags)
    placed = replace(placed, piece=bool(reading.pieces)) if told is None else _scrubbed(placed, told, known)
    return placed if reply is None or evidence.joins is None else _came_back(placed, reply, known, policy, now)


def redelivery(came: Delivered, known: Known) -> Redelivery | None:
    """The decision about a message that was seen before, which needs no more of it; None about any other."""
    seen = dedupe.seen(came.message, came.digest, known)
    return None if seen.before is None else _seen_again(seen, known)


def _seen_again(seen: dedupe.Seen, known: Known) -> Redelivery:
    assert seen.before is not None  # noqa: S101  (both callers asked)
    stored = known.conversation(seen.before.conversation)
    return Redelivery(
        key=seen.key, number=seen.before.number, channel=seen.message.channel,
        conversation=stored.number if stored else seen.before.conversation,
        trace=("the same message again: nothing is stored, nothing restarts",),
    )  # fmt: skip


def _came_back(placed: Placement, reply: KnownReply, known: Known, policy: Policy, now: datetime) -> Placement:
    """The placement of a bounce, with what it makes of our reply and of the conversation that waited for it."""
    bounce = placed.message.bounce
    outcome = None if bounce is None else bounced.outcome_of(bounce, reply)
    if outcome is None:
        return replace(placed, trace=(*placed.trace, f"about reply {reply.number}, which is {reply.state} already"))
    placed = replace(placed, outcome=outcome, trace=(*placed.trace, f"{outcome.event}: reply {reply.number}"))
    if not outcome.state or reply.automatic:
        return placed
    written_in = known.conversations.get(reply.conversation)
    came = arrival.came(placed.conversation, reply.number, outcome.state, now, policy, written_in=written_in)
    events = (*placed.events, *came.events)
    return replace(placed, conversation=came.conversation, reopened=came.reopened, events=events)


def _scrubbed(placed: Placement, told: Seam, known: Known) -> Placement:
    """The placement of a message that ends a secret in pieces: nothing of it stays anywhere."""
    return replace(
        placed, conversation=told.forgotten(placed.conversation), rewritten=told.rewritten,
        scrubbed=told.scrubbed(known, placed.conversation.number), trace=(told.trace, *placed.trace),
    )  # fmt: skip


def _automatic(evidence: Evidence) -> Verdict:
    """Automatic mail joins what it answers by right; else it stands alone, without a promise."""
    rejected = evidence.rejected is not None
    named = evidence.rejected or evidence.suggested
    reason = "thread_claim_rejected" if rejected else "suggested_link"
    return Verdict(
        conversation=evidence.joins, class_=MessageClass.ACK, method=evidence.method or "automatic",
        score=1.0 if evidence.joins else 0.0, rejected=rejected,
        links=(Link(conversation=named.number, reason=reason),) if named else (),
        reasons=("it was written by a machine: no clock starts or stops",),
    )  # fmt: skip


def _among_others(
    verdict: Verdict, reading: Reading, identity: Identity, known: Known, policy: Policy
) -> tuple[Verdict, Relation]:
    """What opens a conversation may be what others report too; whoever goes on and names a number that others named
    stays where he is, linked."""
    if verdict.conversation is not None:
        links = naming_the_same(reading, identity, verdict.conversation, known)
        return replace(verdict, links=(*verdict.links, *links)) if links else verdict, Relation()
    if verdict.class_ not in _OPENING:
        return verdict, Relation()
    relation = relate(reading, identity, known, policy.follow_ups)
    if not relation.links:
        return verdict, relation
    named = {link.conversation for link in relation.links}
    links = (*relation.links, *(link for link in verdict.links if link.conversation not in named))
    return replace(verdict, class_=MessageClass.CROSS_CUSTOMER, links=links), relation


def _placement(
    reading: Reading, linked: Chain, identity: Identity, evidence: Evidence, verdict: Verdict, relation: Relation,
    known: Known, policy: Policy, now: datetime, flags: tuple[str, ...],
) -> Placement:  # fmt: skip
    message, number = reading.message, known.number
    flags = tuple(dict.fromkeys((*flags, *_flags(reading, identity, evidence, verdict))))
    contact = replace(identity.contact, language=after_message.language_of(reading, identity.contact))
    moved = after_message.after_customer(
        reading, verdict, relation, linked, replace(identity, contact=contact), flags, known, policy, now,
        silent=reading.silent,
    )  # fmt: skip
    tagging = replace(reading.tagging, language=contact.language or reading.tagging.language)
    return Placement(
        number=number,
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
        contact_opened=identity.opened,
        contacts_joined=identity.joined,
        handles=identity.handles,
        evidence=identity.evidence,
        conversation=moved.conversation,
        opened=verdict.conversation is None,
        reopened=moved.reopened,
        class_=None if message.automatic else verdict.class_,
        method=verdict.method,
        score=verdict.score,
        candidates=verdict.candidates,
        links=verdict.links,
        markers=_markers(reading, identity, verdict, moved.conversation),
        tagging=tagging,
        routing=moved.routing,
        flags=flags,
        events=_events(reading, identity, verdict, relation, moved),
        trace=_trace(linked, identity, verdict, relation, moved),
        policy_version=policy.version,
    )


def _flags(reading: Reading, identity: Identity, evidence: Evidence, verdict: Verdict) -> list[str]:
    found = [*(flag for flag in reading.message.flags if flag in FLAGS), *reading.tagging.flags]
    if reading.exposed:
        found.append("secret_exposed")
    if verdict.rejected:
        found.append("thread_claim_rejected")
    if identity.claimed and not identity.opened and not (evidence.joins and evidence.method != "thread"):
        found.append("sender_unverified")
    if reading.message.automatic:
        found.append("automatic")
    return found


def _markers(reading: Reading, identity: Identity, verdict: Verdict, after: Conversation) -> tuple[Marker, ...]:
    """Traces for messages of anybody to come. Chasers and thanks leave only the numbers that they name."""
    if reading.message.automatic or reading.failed:
        return ()
    quiet = verdict.class_ in (MessageClass.CHASER, MessageClass.ACK)
    keys = list(reading.strong if quiet else reading.traces)
    keys.extend(reading.album)
    if reading.chat_key:
        keys.append(reading.chat_key)
    keys.extend(named_key(address) for address in reading.people if address in after.copied)
    at, contact, conversation = reading.message.sent_at, identity.contact.number, after.number
    return tuple(Marker(key=key, conversation=conversation, contact=contact, at=at) for key in keys)


def _events(
    reading: Reading, identity: Identity, verdict: Verdict, relation: Relation, moved: after_message.Moved
) -> tuple[Event, ...]:
    """What the outside is told: types and small facts, never words of anybody."""
    message = reading.message
    found: list[Event] = []
    if verdict.conversation is None:
        found.append(ConversationOpened(issue_type=moved.conversation.issue_type, channel=message.channel))
    elif moved.reopened:
        found.append(ConversationReopened(before=verdict.conversation.status.value))
    class_ = "" if message.automatic else verdict.class_.value
    found.append(
        MessageReceived(channel=message.channel, automatic=message.automatic, class_=class_, quiet=moved.quiet)
    )  # fmt: skip
    found.extend(moved.events)
    found.extend(_linked(link) for link in verdict.links if link.reason != ALSO_OPEN)
    if relation.incident:
        begun = IncidentOpened if relation.opened else IncidentJoined
        reported = (*relation.conversations, moved.conversation.number)
        about = moved.conversation.issue_type
        found.append(begun(key=relation.incident, issue_type=about, conversations=reported))
    found.extend(ContactJoined(absorbed=gone, into=identity.contact.number) for gone in identity.joined)
    return tuple(found)


def _linked(link: Link) -> Event:
    """A link as the outside is told of it."""
    return ConversationLinked(
        conversation=link.conversation, reason=link.reason, score=link.score, agent="", because=link.because
    )  # fmt: skip


def _trace(
    linked: Chain, identity: Identity, verdict: Verdict, relation: Relation, moved: after_message.Moved
) -> tuple[str, ...]:
    """The decision in words, a line a step."""
    who = "new" if identity.opened else "known"
    lines = [f"contact {identity.contact.number} ({who}): {', '.join(identity.evidence)}"]
    if identity.joined:
        lines.append(f"contacts {', '.join(map(str, identity.joined))} are the same person: proved by the channel")
    if identity.rivals:
        lines.append(f"contacts {', '.join(map(str, identity.rivals))} are not: what is proved of them contradicts")
    fused = f", which fuses {', '.join(map(str, linked.joined))}" if linked.joined else ""
    lines.append(f"thread {linked.number}{fused}")
    goal = "a new conversation" if verdict.conversation is None else f"conversation {verdict.conversation.number}"
    lines.append(f"{verdict.class_.value} in {goal} by {verdict.method}: {'; '.join(verdict.reasons)}")
    lines.extend(relation.reasons)
    lines.extend(moved.trace)
    return tuple(lines)
