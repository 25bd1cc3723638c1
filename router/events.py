"""What is told of a desk? One struct an event type: what the log of events keeps and `[[events]]` are sent as `data`.

The closed list of types (`EVENTS`), docs/events.json and docs/events.md come from these structs
(`python -m router.event_schema docs` writes them). No event holds words of a customer. A field without a default is
always there; one with a default only where it says something. `router.event_reading` takes also what versions before
stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Final

from msgspec import Meta, field

from router.value import Value

__all__ = ["EVENTS", "Event", "Told", "reply_came"]

Agent = Annotated[str, Meta(description="Who of the desk did it; empty where the desk did it by itself.")]
Channel = Annotated[str, Meta(description="Name of the channel.")]
Key = Annotated[str, Meta(description="Key of the incident.")]
IssueType = Annotated[str, Meta(description="Issue type of the taxonomy.")]
ConversationNumber = Annotated[int, Meta(description="Number of the other conversation.")]
ContactNumber = Annotated[int, Meta(description="Number of the contact.")]
StatusWord = Annotated[str, Meta(description="open, pending, on_hold, solved or closed.")]
Holder = Annotated[str, Meta(description="The agent who held the conversation.")]
Automatic = Annotated[bool, Meta(description="A machine wrote it.")]


class Event(Value, frozen=True, kw_only=True):
    """Something that happened to one conversation, contact or agent; `type` is its name for the outside."""

    type: ClassVar[str] = ""


class Told(Value, frozen=True, kw_only=True):
    """An event with its instant (aware), its conversation (0: of none) and its message (0: of none)."""

    at: datetime
    event: Event
    conversation: int = 0
    message: int = 0


class AgentPresence(Event, frozen=True, kw_only=True):
    """An agent said that they are present, away or absent."""

    type: ClassVar[str] = "agent.presence"
    agent: Agent
    before: Annotated[str, Meta(description="present, away or absent.")] = field(name="from")
    to: Annotated[str, Meta(description="present, away or absent.")]


class ContactBlocked(Event, frozen=True, kw_only=True):
    """A contact was blocked: what they write is kept and promises nothing."""

    type: ClassVar[str] = "contact.blocked"
    contact: ContactNumber
    agent: Agent


class ContactUnblocked(ContactBlocked, frozen=True, kw_only=True):
    """A contact is blocked no longer."""

    type: ClassVar[str] = "contact.unblocked"


class ContactChanged(Event, frozen=True, kw_only=True):
    """Attributes of a contact were set."""

    type: ClassVar[str] = "contact.changed"
    contact: ContactNumber
    keys: Annotated[tuple[str, ...], Meta(description="Names of the attributes, never their values.")]
    agent: Agent


class ContactConfirmed(Event, frozen=True, kw_only=True):
    """Somebody of the desk confirmed that a handle which was only claimed is the customer's."""

    type: ClassVar[str] = "contact.confirmed"
    agent: Agent


class ContactErased(Event, frozen=True, kw_only=True):
    """A person was erased; how much of them there was."""

    type: ClassVar[str] = "contact.erased"
    conversations: Annotated[int, Meta(description="Conversations that were erased.")]
    messages: Annotated[int, Meta(description="Messages that were erased.")]
    raws: Annotated[int, Meta(description="Raws that were erased.")]


class ContactJoined(Event, frozen=True, kw_only=True):
    """Two contacts proved to be one person."""

    type: ClassVar[str] = "contact.joined"
    absorbed: ContactNumber = field(name="from")
    into: ContactNumber


class ConversationAssigned(Event, frozen=True, kw_only=True):
    """An agent was given the conversation."""

    type: ClassVar[str] = "conversation.assigned"
    agent: Agent


class ConversationEscalated(Event, frozen=True, kw_only=True):
    """A step of a ladder moved the conversation."""

    type: ClassVar[str] = "conversation.escalated"
    before: Annotated[str, Meta(description="Queue before.")] = field(name="from")
    to: Annotated[str, Meta(description="Queue now.")]
    tag: Annotated[str, Meta(description="Tag that the step sets, or empty.")]
    rule: Annotated[str, Meta(description="Rule that puts it there, or empty.")]


class ConversationLinked(Event, frozen=True, kw_only=True):
    """The conversation has to do with another one; both stay."""

    type: ClassVar[str] = "conversation.linked"
    conversation: ConversationNumber
    reason: Annotated[str, Meta(description="What relates them, as cross_customer, unproven_link or linked.")]
    score: Annotated[float, Meta(description="0 to 1.")]
    agent: Agent
    because: Annotated[str, Meta(description="What it rests on, in words.")] = ""


class ConversationMerged(Event, frozen=True, kw_only=True):
    """A person merged another conversation into this one."""

    type: ClassVar[str] = "conversation.merged"
    absorbed: ConversationNumber
    agent: Agent
    checked: Annotated[str, Meta(description="How it was checked that both are of one person.")] = ""


class ConversationMoved(Event, frozen=True, kw_only=True):
    """A person put the conversation into a queue."""

    type: ClassVar[str] = "conversation.moved"
    before: Annotated[str, Meta(description="Queue before.")] = field(name="from")
    to: Annotated[str, Meta(description="Queue now.")]
    agent: Agent


class ConversationOpened(Event, frozen=True, kw_only=True):
    """A conversation began."""

    type: ClassVar[str] = "conversation.opened"
    issue_type: IssueType
    channel: Channel


class ConversationReleased(Event, frozen=True, kw_only=True):
    """Nobody holds the conversation any more."""

    type: ClassVar[str] = "conversation.released"
    held_by: Holder
    agent: Agent
    reason: Annotated[str, Meta(description=(
        "Why, where no person let go: absent, shift_over, requeue, move, or the state of a reply that did not arrive."
    ))]  # fmt: skip


class ConversationReminded(Event, frozen=True, kw_only=True):
    """The customer was to be reminded that the desk waits for them."""

    type: ClassVar[str] = "conversation.reminded"
    sent: Annotated[bool, Meta(description="A reminder went out; some may get none.")]


class ConversationReopened(Event, frozen=True, kw_only=True):
    """A conversation that had ended goes on."""

    type: ClassVar[str] = "conversation.reopened"
    before: StatusWord = field(name="from")


class ConversationRetagged(Event, frozen=True, kw_only=True):
    """A person said what the conversation is about."""

    type: ClassVar[str] = "conversation.retagged"
    before: IssueType = field(name="from")
    to: IssueType
    queue: Annotated[str, Meta(description="Queue now.")]
    agent: Agent


class ConversationRouted(Event, frozen=True, kw_only=True):
    """The rules put the conversation into a queue."""

    type: ClassVar[str] = "conversation.routed"
    before: Annotated[str, Meta(description="Queue before; empty where it is new.")] = field(name="from")
    queue: Annotated[str, Meta(description="Queue now.")]
    rule: Annotated[str, Meta(description="Id of the rule, or default.")]
    priority: Annotated[int, Meta(description="Priority that the rule gives.")]
    reason: Annotated[str, Meta(description="rules, or: nobody took it.")]


class ConversationSpam(Event, frozen=True, kw_only=True):
    """A person said that the conversation is spam: it is closed."""

    type: ClassVar[str] = "conversation.spam"
    agent: Agent


class ConversationSplit(Event, frozen=True, kw_only=True):
    """Messages were split off into this conversation."""

    type: ClassVar[str] = "conversation.split"
    before: ConversationNumber = field(name="from")
    messages: Annotated[tuple[int, ...], Meta(description="Numbers of the messages.")]
    agent: Agent


class ConversationStatus(Event, frozen=True, kw_only=True):
    """The status changed. A conversation that begins again after its end is told by conversation.reopened instead."""

    type: ClassVar[str] = "conversation.status"
    before: StatusWord = field(name="from")
    to: StatusWord
    agent: Agent
    reason: Annotated[str, Meta(description=(
        "Why: empty where a person set it, recorded (a channel or a recorded file told it), merged, quiet (nobody said "
        "anything for long), message (the customer wrote), or the state of a reply that did not arrive."
    ))]  # fmt: skip

    @property
    def by_desk(self) -> bool:
        """Did the desk set it, by a person or by itself? (Else it follows from what a customer or a provider did.)"""
        return self.reason in ("", "recorded", "merged", "quiet")


class ConversationLabelled(Event, frozen=True, kw_only=True):
    """A person gave the conversation free tags, or took some away."""

    type: ClassVar[str] = "conversation.labelled"
    added: Annotated[tuple[str, ...], Meta(description="Tags that it has now.")] = ()
    removed: Annotated[tuple[str, ...], Meta(description="Tags that it has no longer.")] = ()
    agent: Agent


class ConversationPrioritised(Event, frozen=True, kw_only=True):
    """A person gave the conversation another priority."""

    type: ClassVar[str] = "conversation.prioritised"
    before: Annotated[int, Meta(description="Priority before.")] = field(name="from")
    to: Annotated[int, Meta(description="Priority now.")]
    agent: Agent


class ConversationTagged(Event, frozen=True, kw_only=True):
    """A later message says more clearly what the conversation is about."""

    type: ClassVar[str] = "conversation.tagged"
    before: IssueType = field(name="from")
    issue_type: IssueType


class ConversationTaken(Event, frozen=True, kw_only=True):
    """An agent took the conversation."""

    type: ClassVar[str] = "conversation.taken"
    agent: Agent


class ConversationUnlinked(Event, frozen=True, kw_only=True):
    """The links between this conversation and another were undone."""

    type: ClassVar[str] = "conversation.unlinked"
    conversation: ConversationNumber
    agent: Agent


class DeadlineBreach(Event, frozen=True, kw_only=True):
    """A promised time has passed without an answer."""

    type: ClassVar[str] = "deadline.breach"
    metric: Annotated[str, Meta(description="first_reply, next_reply, update, resolution or reply_window.")]
    cycle: Annotated[int, Meta(description="Which run of this metric in the conversation.")]
    due_at: Annotated[datetime, Meta(description="By when it was promised.")]
    policy: Annotated[str, Meta(description="Name of the deadline policy.")]
    policy_version: Annotated[str, Meta(description="Version of the deadline policies.")]
    late: Annotated[bool, Meta(description="It was noticed late, as after an outage.")]
    wall_seconds: Annotated[int, Meta(description="How late the answer is, in seconds.")]
    business_seconds: Annotated[int, Meta(description="How late it is within business hours, in seconds.")]


class DeadlineWarning(DeadlineBreach, frozen=True, kw_only=True):
    """A promised time is near."""

    type: ClassVar[str] = "deadline.warning"


class DeadlineStep(DeadlineBreach, frozen=True, kw_only=True):
    """A step of an escalation ladder is due."""

    type: ClassVar[str] = "deadline.step"
    ladder: Annotated[str, Meta(description="Name of the ladder.")]
    step: Annotated[int, Meta(description="Which of its steps, from 0.")]
    do: Annotated[str, Meta(description="notify, requeue or move.")]


class DeadlineRetargeted(Event, frozen=True, kw_only=True):
    """Another configuration promises another time."""

    type: ClassVar[str] = "deadline.retargeted"
    before: Annotated[datetime | None, Meta(description="Next due time before.")] = field(name="from")
    to: Annotated[datetime | None, Meta(description="Next due time now.")]
    policy_version: Annotated[str, Meta(description="Version of the deadline policies.")]


class IncidentAnswered(Event, frozen=True, kw_only=True):
    """The conversation got the answer that all of an incident get."""

    type: ClassVar[str] = "incident.answered"
    key: Key
    agent: Agent


class IncidentJoined(Event, frozen=True, kw_only=True):
    """Another customer reports what others report."""

    type: ClassVar[str] = "incident.joined"
    key: Key
    issue_type: IssueType
    conversations: Annotated[tuple[int, ...], Meta(description="Numbers of its conversations.")]


class IncidentOpened(IncidentJoined, frozen=True, kw_only=True):
    """Several customers report the same."""

    type: ClassVar[str] = "incident.opened"


class MessageArrivedAgain(Event, frozen=True, kw_only=True):
    """The same message came by a further channel: nothing restarts."""

    type: ClassVar[str] = "message.arrived_again"
    channel: Channel


class MessageSent(Event, frozen=True, kw_only=True):
    """The desk answered elsewhere, as by another program, and the channel told of it."""

    type: ClassVar[str] = "message.sent"
    channel: Channel
    agent: Agent
    automatic: Automatic
    claimed: Annotated[str, Meta(description="What only claims that the agent wrote it, and nothing proves.")] = ""


class MessageNoted(MessageSent, frozen=True, kw_only=True):
    """A note that a channel told of."""

    type: ClassVar[str] = "message.noted"


class MessageReceived(Event, frozen=True, kw_only=True):
    """A message of the customer's side was taken in."""

    type: ClassVar[str] = "message.received"
    channel: Channel
    automatic: Automatic = False
    class_: Annotated[str, Meta(description="first, resend, chaser, addition, …; absent for automatic mail.")] = field(
        name="class", default=""
    )
    quiet: Annotated[bool, Meta(description="It asks for nothing: no clock starts or stops.")] = False


class NoteTaken(Event, frozen=True, kw_only=True):
    """Somebody of the desk noted something."""

    type: ClassVar[str] = "note.taken"
    agent: Agent


class ReplyQueued(Event, frozen=True, kw_only=True):
    """A person answered; the daemon sends it."""

    type: ClassVar[str] = "reply.queued"
    agent: Agent
    channel: Channel


class ReplyAutomatic(ReplyQueued, frozen=True, kw_only=True):
    """The desk answers by itself, as to acknowledge or to remind."""

    type: ClassVar[str] = "reply.automatic"


class ReplySent(Event, frozen=True, kw_only=True):
    """The provider took the reply."""

    type: ClassVar[str] = "reply.sent"
    channel: Channel
    attempt: Annotated[int, Meta(description="Which attempt to send it.")]
    detail: Annotated[str, Meta(description="What the provider said, for people.")]
    agent: Annotated[str, Meta(description="Who found it out, where a person did.")] = ""


class ReplyBounced(ReplySent, frozen=True, kw_only=True):
    """The reply came back."""

    type: ClassVar[str] = "reply.bounced"


class ReplyCopyBounced(ReplySent, frozen=True, kw_only=True):
    """The reply did not reach somebody who was copied."""

    type: ClassVar[str] = "reply.copy_bounced"


class ReplyDelayed(ReplySent, frozen=True, kw_only=True):
    """The reply is on its way for long; the other server goes on trying."""

    type: ClassVar[str] = "reply.delayed"


class ReplyDelivered(ReplySent, frozen=True, kw_only=True):
    """The reply reached the customer's device or mailbox."""

    type: ClassVar[str] = "reply.delivered"


class ReplyFailed(ReplySent, frozen=True, kw_only=True):
    """The reply was not sent: it answers nothing."""

    type: ClassVar[str] = "reply.failed"


class ReplyRead(ReplySent, frozen=True, kw_only=True):
    """The customer read the reply."""

    type: ClassVar[str] = "reply.read"


class ReplyUnknown(ReplySent, frozen=True, kw_only=True):
    """Whether the reply was sent is unknown: a person looks."""

    type: ClassVar[str] = "reply.unknown"


#: The struct of each type: the closed list of what is told to the event log and to `[[events]]`.
EVENTS: Final[Mapping[str, type[Event]]] = {
    kind.type: kind
    for kind in sorted(
        (found for found in list(globals().values()) if isinstance(found, type) and issubclass(found, Event)),
        key=lambda kind: kind.type,
    )
    if kind.type
}


def reply_came(type_: str, *, channel: str, attempt: int, detail: str, agent: str = "") -> ReplySent:
    """The event of how far a reply of the desk has come, of the type `reply.…`."""
    kind = EVENTS[type_]
    if not issubclass(kind, ReplySent):
        raise TypeError(f"{type_} does not say how far a reply has come")
    return kind(channel=channel, attempt=attempt, detail=detail, agent=agent)
