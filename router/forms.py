"""Which shapes go out? Those of the contract, section 4, as typed dictionaries: library, API and export share them.

Instants are ISO 8601 in UTC with `Z`; numbers are the ledger's; `ref` is what people call a conversation by.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict  # pydantic reads these before Python 3.12, which typing's own are not made for

__all__ = [
    "ContactForm",
    "ConversationForm",
    "ConversationPage",
    "DeadlineForm",
    "DecidedForm",
    "DeliveryForm",
    "EventForm",
    "FeedItem",
    "HandleForm",
    "LinkForm",
    "MessageForm",
    "PromiseForm",
    "QueueForm",
    "RecipientsForm",
    "TimelineItem",
    "UnprovenForm",
]


class LinkForm(TypedDict):
    """Another conversation that has to do with this one, and why."""

    conversation: int
    ref: str
    reason: str
    score: float
    by: str
    because: str | None


class UnprovenForm(TypedDict):
    """A conversation that names the same number, without proof that it is the same person's."""

    conversation: int
    ref: str
    because: str | None


class PromiseForm(TypedDict):
    """The promise that is due next: `left_seconds` of business time until then (below 0 when it is over), of
    `whole_seconds` in all; `open`: its schedule is open now, else it stands until `opens_at`."""

    metric: str
    due_at: str
    left_seconds: float
    whole_seconds: float
    open: bool
    opens_at: str | None


class ConversationForm(TypedDict):
    """All messages about one matter of one contact, over all channels."""

    id: int
    ref: str
    contact: int
    name: str
    status: str
    queue: str
    priority: int
    issue_type: str
    unsure: bool
    type_by: str
    tags: list[str]
    flags: list[str]
    language: str
    holder: str | None
    pinned: bool
    rule: str
    channels: list[str]
    first_message_at: str
    last_message_at: str
    waiting_since: str | None
    chases: int
    next_due: str | None
    promise: PromiseForm | None
    last_words: str
    breached: bool
    messages: int
    participants: list[str]
    copied: list[str]
    proposed: list[str]
    links: list[LinkForm]
    unproven: list[UnprovenForm]


class ConversationPage(TypedDict):
    """Some of a list; `next` is the cursor of what follows, None at the end."""

    items: list[ConversationForm]
    next: str | None


class QueueForm(TypedDict):
    """How a queue stands: what waits for the desk, of that what is due within 15 minutes, what missed a promise, what
    somebody holds; `apart`: what is in work and waits for nobody of the desk."""

    name: str
    waiting: int
    due_soon: int
    breached: int
    held: int
    oldest_waiting_since: str | None
    apart: int


class DeadlineForm(TypedDict):
    """A promise to answer, and what became of it."""

    conversation: int
    metric: str
    cycle: int
    started_at: str
    due_at: str | None
    state: str
    ended_at: str | None
    policy: str
    schedule: str
    paused_seconds: float
    breached_at: str | None
    provisional: bool


class DeliveryForm(TypedDict):
    """What became of a reply that the desk sent."""

    state: str
    channel: str
    to: str
    cc: list[str]
    attempts: int
    next_try: str | None
    detail: str


#: A message: what a customer said, what the desk answered, or a note. (`class` is a word that a class cannot name.)
MessageForm = TypedDict(
    "MessageForm",
    {
        "id": int,
        "channel": str,
        "external_id": str,
        "direction": str,
        "automatic": bool,
        "sender": str,
        "contact": int,
        "thread": int,
        "conversation": int,
        "sent_at": str,
        "received_at": str,
        "class": str | None,
        "issue_type": str,
        "confidence": float,
        "unsure": bool,
        "tags": list[str],
        "flags": list[str],
        "queue": str,
        "subject": str,
        "text": str,
        "full_text": str,
        "kind": str,
        "agent": str | None,
        "attachments": list[dict[str, Any]],
        "edits": str | None,
        "state": str | None,
        "claimed": str | None,
        "via": str | None,
        "unproven": bool,
        "forwards_mail_of": str | None,
        "delivery": DeliveryForm | None,
    },
)


class EventForm(TypedDict):
    """What happened; the fields of `data` are those of docs/events.json."""

    seq: int
    at: str
    type: str
    conversation: int
    message: int | None
    data: dict[str, Any]


class FeedItem(TypedDict):
    """What happened, with the conversation as it is now (None for what is of none) and the words of its message."""

    seq: int
    at: str
    type: str
    conversation: int | None
    ref: str | None
    message: int | None
    data: dict[str, Any]
    queue: str | None
    holder: str | None
    contact: int | None
    direction: str | None
    sender: str | None
    text: str | None


class TimelineItem(TypedDict):
    """One thing of a conversation, in the order of time: a message, or an event of the desk."""

    at: str
    message: MessageForm | None
    event: EventForm | None


class RecipientsForm(TypedDict):
    """Whom an answer would go to, and what stands against it."""

    to: str | None
    channel: str | None
    cc: list[str]
    proposed: list[str]
    problem: str | None


class HandleForm(TypedDict):
    """An address of a contact on a channel, and what proves it theirs."""

    scope: str
    address: str
    evidence: str
    closed: bool


class ContactForm(TypedDict):
    """A person who writes."""

    id: int
    name: str
    verified: dict[str, str]
    attributes: dict[str, str]
    language: str
    blocked: bool
    created_at: str
    handles: list[HandleForm]


class DecidedForm(TypedDict):
    """Why a message is where it is: the decision as it was stored."""

    message: int
    method: str
    score: float
    candidates: list[Any]
    tagging: dict[str, Any]
    routing: dict[str, Any]
    trace: list[str]
    policy_version: str
