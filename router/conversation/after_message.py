"""How does a conversation stand after a customer's message?

In: the verdict on the message, its reading, the conversation before. Out: `Moved`: the conversation after it with
status, waiting since, chases, participants, issue type, queue and clocks; and what of it is worth telling. Thanks,
automatic mail, reactions, edits, further pictures of an album, spam and blocked senders are kept and change nothing of
it. Waiting since never moves forward; the type is set anew only by a clear margin and never over a human's (rules:
deadlines, 6a to 9, routing 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from router.conversation.acts import attributes, ticked
from router.conversation.people import naming
from router.conversation.transitions import ENDED, asked, routed
from router.conversation.working_order import open_deadline
from router.deadlines.clocks import ClockEvent
from router.events import ConversationRouted, ConversationStatus, ConversationTagged, Event
from router.known import Known
from router.match.burst import pieced, waited
from router.match.features import NO_TOPIC, Reading
from router.match.fingerprint import remember
from router.match.identity import Identity
from router.match.incident import Relation
from router.match.join import PIECES, Verdict
from router.match.thread import Chain
from router.model import Authenticity, Contact, Conversation, MessageClass, Routing, Status
from router.policy.values import Policy
from router.routing.route import Rule, route
from router.value import Value

__all__ = ["CHASING", "Moved", "after_customer", "language_of", "message_facts", "reply_window"]

#: A later message names another type by at least this much more confidence.
_CLEARLY = 0.2
#: Flags of a message that say nothing of the conversation that it joins.
_PASSING = frozenset(("automatic", "no_auto_answer", "id_reused", "spam"))
#: Bounds of what is remembered of the rules, so that it never grows with the messages.
_MOST_ROUTES, _MOST_POLICIES = 4096, 32
#: What chases: asking how far it is, stating it again here or on another channel. Who adds something chases nobody.
CHASING = (MessageClass.CHASER, MessageClass.RESEND, MessageClass.CROSS_CHANNEL)


class Moved(Value, frozen=True, kw_only=True):
    """The conversation after, with its routing if it was routed anew, events and lines of the trace. `quiet`: the
    message asks for nothing, so no clock starts or stops."""

    conversation: Conversation
    reopened: bool = False
    quiet: bool = False
    routing: Routing | None = None
    events: tuple[Event, ...] = ()
    trace: tuple[str, ...] = ()


def language_of(reading: Reading, contact: Contact) -> str:
    """The language of the sender: what he writes in, or for next to no words what he wrote in last."""
    spoken, before = reading.tagging.language, contact.language
    if before not in ("", "other") and (reading.poor or spoken in ("", "other")):
        return before
    return spoken


def after_customer(
    reading: Reading, verdict: Verdict, relation: Relation, linked: Chain, identity: Identity, flags: tuple[str, ...],
    known: Known, policy: Policy, now: datetime, *, silent: bool = False,
) -> Moved:  # fmt: skip
    """The conversation that this message opens or goes on with, after it."""
    before = verdict.conversation
    if reading.topical:  # "somebody on WeChat says he is of your desk" reads like spam and is a report of it
        flags = tuple(flag for flag in flags if flag != "spam")
    spam = identity.contact.blocked or (before is None and "spam" in flags)
    counts = not (silent or spam or reading.message.automatic or verdict.class_ is MessageClass.ACK
                  or verdict.method in PIECES)  # fmt: skip
    base = before or _opened(reading, identity, known.number)
    lasting = flags if before is None else tuple(flag for flag in flags if flag not in _PASSING)
    conversation = _recorded(base, reading, linked, identity, lasting, known, first=before is None)
    if not reading.message.automatic:
        conversation = _named(conversation, reading, identity, known, by_token=verdict.method == "reply_address")
    if spam and "spam" not in conversation.flags and before is None:
        conversation = replace(conversation, flags=(*conversation.flags, "spam"))
    if relation.key:
        conversation = replace(conversation, matter={
            **conversation.matter, "incident": relation.key, "incident_open": bool(relation.incident),
        })  # fmt: skip
    reopened = False
    if counts:
        conversation, reopened = _asked(conversation, base, reading, verdict, before, policy)
    conversation = _typed(conversation, base, reading, before is None)
    conversation, routing, trace = _routed(conversation, before, reading, verdict, identity, policy)
    conversation = _timed(conversation, base, reading, routing, identity, policy, now, counts=counts)
    return Moved(
        conversation=conversation, reopened=reopened, quiet=not counts, routing=routing,
        trace=(*trace, *_due_line(conversation, counts)),
        events=_changes(conversation, before, routing),
    )  # fmt: skip


def _opened(reading: Reading, identity: Identity, number: int) -> Conversation:
    """A new conversation; what a machine wrote of itself opens none for the desk: it is kept closed, in no queue."""
    at, automatic = reading.message.sent_at, reading.message.automatic
    return Conversation(
        number=number, contact=identity.contact.number, opened_at=at, last_message_at=at, subject=reading.subject,
        status=Status.CLOSED if automatic else Status.OPEN, closed_at=at if automatic else None,
    )  # fmt: skip


def _recorded(
    base: Conversation, reading: Reading, linked: Chain, identity: Identity, flags: tuple[str, ...], known: Known, *,
    first: bool,
) -> Conversation:  # fmt: skip
    """What every message leaves on its conversation, whether it counts or not."""
    message, at = reading.message, reading.message.sent_at
    owner = known.owner(base.contact)
    if owner in identity.joined:
        owner = identity.contact.number
    gone = set(linked.joined)
    threads = (*(t for t in base.threads if t not in gone), linked.number)
    participants = base.participants
    welcome = first or (identity.proven and not message.automatic)
    if welcome and identity.handle not in participants:
        participants = (*participants, identity.handle)
    return replace(
        base,
        contact=owner,
        last_message_at=max(base.last_message_at, at),
        last_in_at=base.last_in_at if message.automatic else max(base.last_in_at or at, at),
        messages=base.messages + 1,
        language=base.language if message.automatic and not first else identity.contact.language or base.language,
        flags=tuple(dict.fromkeys((*base.flags, *flags))),
        channels=base.channels if message.channel in base.channels else (*base.channels, message.channel),
        threads=tuple(dict.fromkeys(threads)),
        participants=participants,
        subject=base.subject or reading.subject,
        matter=base.matter if message.automatic else pieced(remember(base.matter, reading, inbound=True), reading),
    )


def _named(
    conversation: Conversation, reading: Reading, identity: Identity, known: Known, *, by_token: bool
) -> Conversation:
    """Whom a mail names in To and Cc: copied where its sender is proved, by our mail server or by our token."""
    proved = by_token or (reading.message.authenticity is Authenticity.PASS and not reading.failed)
    owners = ((address, known.contact_of(("email", address))) for address in reading.people)
    others = [address for address, owner in owners if owner is None or owner.number != identity.contact.number]
    return naming(conversation, others, proved=proved)


def _asked(
    conversation: Conversation, base: Conversation, reading: Reading, verdict: Verdict, before: Conversation | None,
    policy: Policy,
) -> tuple[Conversation, bool]:  # fmt: skip
    """A message that wants an answer: it opens, it waits, and by its class it chases, if somebody waited at all."""
    chases = verdict.class_ in CHASING and before is not None
    chases = chases and waited(base, reading, policy.follow_ups.chase_after)
    return asked(conversation, reading.message.sent_at, chases=chases), base.status in ENDED


def _typed(conversation: Conversation, base: Conversation, reading: Reading, first: bool) -> Conversation:
    """The issue type: of the first message with content, later by a clear margin only, never over a human's."""
    tagging = reading.tagging
    if base.type_by == "human" or (reading.message.automatic and not first):
        return conversation
    if not first:
        undecided = base.issue_type == "other" or base.unsure
        if reading.poor or tagging.issue_type in NO_TOPIC:
            return conversation
        if undecided:
            if tagging.unsure and tagging.confidence <= base.confidence and base.issue_type != "other":
                return conversation
        elif tagging.unsure or tagging.confidence < base.confidence + _CLEARLY:
            return conversation
    return replace(conversation, issue_type=tagging.issue_type, confidence=tagging.confidence, unsure=tagging.unsure)


def _routed(
    conversation: Conversation, before: Conversation | None, reading: Reading, verdict: Verdict, identity: Identity,
    policy: Policy,
) -> tuple[Conversation, Routing | None, tuple[str, ...]]:  # fmt: skip
    """The queue, by the rules: when it opens, and when what they read has changed."""
    rules = _rules_of(policy)
    cause = _cause(conversation, before, rules)
    if not cause or (reading.message.automatic and not conversation.queue):
        return conversation, None, ()
    routing = rules.route(policy.default_queue, _facts(conversation, reading, verdict, identity, policy))
    lines = (f"routed, because {cause}", *routing.trace)
    if conversation.pinned:
        return conversation, routing, (*lines, f"a person put it into {conversation.queue}: it stays there")
    same = before is not None and before.rule == routing.rule
    if same:
        tags = tuple(dict.fromkeys((*conversation.tags, *routing.tags)))
        return replace(conversation, tags=tags), routing, lines
    return routed(conversation, routing), routing, lines


def _cause(conversation: Conversation, before: Conversation | None, rules: _Rules) -> str:
    """Why the rules are asked again; empty when they are not."""
    if before is None:
        return "it is new"
    if not before.queue:
        return "it is in no queue yet"
    for name in ("issue_type", "flags", "tags", "priority"):
        if getattr(conversation, name) != getattr(before, name):
            return f"its {name.replace('_', ' ')} changed"
    if conversation.chases != before.chases and ("chases" in rules.fields or "waiting" in rules.fields):
        return "it was chased"
    return ""


class _Rules:
    """What a policy's rules read, and what they said of the same facts before: most messages differ in none of them."""

    __slots__ = ("fields", "routes", "rules")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        conditions = [rule.when.fields for rule in rules if rule.when is not None]
        self.fields = tuple(sorted(frozenset().union(*conditions)))
        self.routes: dict[tuple[Any, ...], Routing] = {}

    def route(self, default_queue: str, facts: Mapping[str, Any]) -> Routing:
        """The same as `route.route`, looked up where it can be."""
        key = (default_queue, *map(facts.get, self.fields))
        found = self.routes.get(key)
        if found is None:
            if len(self.routes) >= _MOST_ROUTES:
                self.routes.clear()
            found = self.routes[key] = route(self.rules, default_queue, facts)
        return found


_KNOWN_RULES: dict[int, _Rules] = {}


def _rules_of(policy: Policy) -> _Rules:
    known = _KNOWN_RULES.get(id(policy.rules))
    if known is None or known.rules is not policy.rules:
        if len(_KNOWN_RULES) >= _MOST_POLICIES:
            _KNOWN_RULES.clear()
        known = _KNOWN_RULES[id(policy.rules)] = _Rules(policy.rules)
    return known


def _facts(
    conversation: Conversation, reading: Reading, verdict: Verdict, identity: Identity, policy: Policy
) -> dict[str, Any]:
    message = reading.message
    facts = attributes(conversation, identity.contact.attributes)
    facts.update(message_facts(message.channel, message.channel_kind, message.sent_at, policy))
    if not message.automatic:
        facts["class"] = verdict.class_.value
    waiting = conversation.waiting_since
    facts["waiting"] = 0.0 if waiting is None else max(0.0, (message.sent_at - waiting).total_seconds() / 60)
    return facts


def message_facts(name: str, kind: str, at: datetime, policy: Policy) -> dict[str, Any]:
    """The facts of a message by which deadline policies fit: its channel, and whether its hours were open `at` then."""
    channel = policy.channel(name)
    facts: dict[str, Any] = {
        "channel": name,
        "channel_kind": kind,
        "business_open": policy.business_open(name, at),
    }
    if channel.brand or policy.brand:
        facts["brand"] = channel.brand or policy.brand
    return facts


def _timed(
    conversation: Conversation, base: Conversation, reading: Reading, routing: Routing | None, identity: Identity,
    policy: Policy, now: datetime, *, counts: bool,
) -> Conversation:  # fmt: skip
    """The clocks after one event: the message where it counts, else a change of what the promises read."""
    message = reading.message
    attrs = attributes(conversation, identity.contact.attributes)
    promise = "none" if "spam" in conversation.flags else conversation.deadline_policy
    if counts:
        event = ClockEvent(
            type="customer_message", at=min(message.sent_at, now), seen_at=now, id=f"{message.key[0]}/{message.key[1]}",
            facts=message_facts(message.channel, message.channel_kind, message.sent_at, policy),
            window=reply_window(message.channel, message.channel_kind, policy),
            attrs=attrs, deadline=promise,
        )  # fmt: skip
    elif routing is not None and conversation.clocks:
        event = ClockEvent(type="set", at=now, seen_at=now, attrs=attrs, deadline=promise)
    else:
        return conversation
    return ticked(conversation, event, policy)


def reply_window(name: str, kind: str, policy: Policy) -> int:
    """Seconds in which the provider lets the desk answer; 0 for ever."""
    settings = policy.channel(name).settings
    window = getattr(settings, "reply_window", None)
    if not isinstance(window, timedelta):
        window = policy.traits(kind).reply_window
    return 0 if window is None else int(window.total_seconds())


def _due_line(conversation: Conversation, counts: bool) -> tuple[str, ...]:
    if not counts:
        return ("no clock starts or stops",)
    due = conversation.next_due or open_deadline(conversation)
    if due is None:
        return ("no answer is promised",)
    verb = "is" if conversation.next_due else "was"
    return (f"an answer {verb} due by {due.isoformat()}",)


def _changes(
    conversation: Conversation, before: Conversation | None, routing: Routing | None
) -> tuple[Event, ...]:
    found: list[Event] = []
    if before is not None and before.status is not conversation.status and before.status not in ENDED:
        found.append(
            ConversationStatus(
                before=before.status.value, to=conversation.status.value, agent="", reason="message"
            )
        )  # fmt: skip
    if before is not None and before.issue_type != conversation.issue_type:
        found.append(ConversationTagged(before=before.issue_type, issue_type=conversation.issue_type))
    queue = "" if before is None else before.queue
    if routing is not None and (before is None or queue != conversation.queue):
        found.append(
            ConversationRouted(
                before=queue, queue=conversation.queue, rule=routing.rule, priority=routing.priority, reason="rules"
            )
        )
    return tuple(found)
