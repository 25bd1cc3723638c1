"""Which values does the product speak in?

In: what adapters translate (`Message`, `DeskEvent`). Between: what is remembered of a conversation, a contact
and a message (`Conversation`, `Contact`, `KnownMessage`). Out: what the pipeline says (`Redelivery` or `Placement`).
All are frozen, keyword-only and slotted; instants are aware UTC datetimes; unknown is a value (None, "", empty).

Numbers: every stored message has a 64-bit number, handed out in order. A conversation, a contact and a thread carry
the number of the message that opened them, so one number a message is all that a decision needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

import msgspec

from router.bounce import Bounce, Outcome
from router.events import Event
from router.value import Value

__all__ = [
    "Attachment",
    "Authenticity",
    "Candidate",
    "Contact",
    "Conversation",
    "Decision",
    "DeskEvent",
    "Direction",
    "Handle",
    "Headers",
    "Key",
    "KnownMessage",
    "Link",
    "Marker",
    "Message",
    "MessageClass",
    "Metric",
    "Party",
    "Placement",
    "Redelivery",
    "Routing",
    "Sender",
    "Standing",
    "Status",
    "Tagging",
    "Thread",
]


class Direction(StrEnum):
    """Who speaks: the customer, the desk, or the desk to itself."""

    IN = "in"
    OUT = "out"
    NOTE = "note"


class Status(StrEnum):
    """Where a conversation stands."""

    OPEN = "open"
    PENDING = "pending"
    ON_HOLD = "on_hold"
    SOLVED = "solved"
    CLOSED = "closed"


class MessageClass(StrEnum):
    """What an inbound message is to what is known (rules: follow-ups). A redelivery is no message, so not here."""

    FIRST = "first"
    RESEND = "resend"
    CHASER = "chaser"
    ADDITION = "addition"
    NEW_ISSUE = "new_issue"
    CROSS_CHANNEL = "cross_channel"
    CROSS_CUSTOMER = "cross_customer"
    ACK = "ack"


class Metric(StrEnum):
    """What a deadline promises."""

    FIRST_REPLY = "first_reply"
    NEXT_REPLY = "next_reply"
    UPDATE = "update"
    RESOLUTION = "resolution"
    REPLY_WINDOW = "reply_window"


class Authenticity(StrEnum):
    """Is the sender who he says he is, by the word of somebody we trust? Unknown is the normal state of mail."""

    PASS = "pass"  # noqa: S105  (a verdict)
    UNKNOWN = "unknown"
    FAIL = "fail"


#: Identity of a message for redelivery: (realm, external id). Realm is `mail` for all mail channels, else the channel.
Key: TypeAlias = tuple[str, str]
#: An address: (scope, address). Scope is `email`, `phone`, `account` for what can be verified, else the channel's name.
Handle: TypeAlias = tuple[str, str]


class Sender(Value, frozen=True, kw_only=True):
    """Who wrote. `verified` holds only what the sender's platform proved: kind (email, phone, account) to value."""

    handle: str
    name: str = ""
    verified: Mapping[str, str] = {}
    attributes: Mapping[str, str] = {}


class Party(Value, frozen=True, kw_only=True):
    """Somebody whom a mail names: an address in lower case, and the name beside it."""

    address: str
    name: str = ""


class Headers(Value, frozen=True, kw_only=True):
    """What a mail says of people beside its sender, and what a program needs to set its answer below it.

    `named`: whom To and Cc name; `reply_to`: whom Reply-To names; all as written, our own addresses among them.
    `form`: From is one of the channel's `form_senders`; `machine`: it is an address that takes no mail.
    `thread_index` (base64) and `thread_topic` are those of Outlook.
    """

    named: tuple[Party, ...] = ()
    reply_to: tuple[Party, ...] = ()
    form: bool = False
    machine: bool = False
    thread_index: str = ""
    thread_topic: str = ""


class Attachment(Value, frozen=True, kw_only=True):
    """A file with a message. `sha256` is set once content is known; `url` is recorded, never fetched by itself."""

    name: str
    type: str = "application/octet-stream"
    url: str = ""
    size: int = 0
    sha256: str = ""
    content: bytes = b""


class FromWire(Protocol):
    """How a message is made of its wire form (contract, section 3)."""

    def __call__(self, wire: Mapping[str, Any], *, channel: str = "", channel_kind: str = "") -> Message:
        """The message of a wire form. Its own `channel` wins; the kind is that of its name unless given.

        Raises InvalidPayload with one sentence: where, what, what would be right; also for an event, which is no
        message.
        """
        ...


class Message(Value, frozen=True, kw_only=True):
    """The one normalised form, whatever the channel.

    `sent_at` is a server-side time of the channel (rules: deadlines, 14). `external_id` is the provider's id; for mail
    the Message-ID without brackets or `sha256:…`. `realm` is `mail` for mail and empty for all others. `thread` is the
    provider's thread id (chat id), empty where the channel has none. `automatic`: bounces, auto-replies and our own
    loops. `reply_token`: a signed reply address or Message-ID of ours that the mail carries, unverified as yet.
    `moved`: another id that the provider gave this thread, before or from now on.
    `kind`: `text`, or what it is instead (`sticker`, `reaction`, `location`, `call`, `unknown`, …). `recipients`: our
    own addresses that it was sent to. `markers` of the sender's list mail are in `flags`. `bounce`: what a report says
    of a mail that did not arrive. `headers`: of a mail.

    What is found of whose it is (`router.match.authorship`): `claimed` is `form`, `forward` or `caller-id` where
    the sender is somebody whom another one only names, `via` that other one's address; `original` the address of whose
    mail this forwards, where that does not make him the sender (`via` is then set for one who forwards at the desk).
    """

    external_id: str
    channel: str
    channel_kind: str
    sent_at: datetime
    sender: Sender
    text: str = ""
    subject: str = ""
    html: str = ""
    realm: str = ""
    thread: str = ""
    moved: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    direction: Direction = Direction.IN
    automatic: bool = False
    edits: str = ""
    kind: str = "text"
    authenticity: Authenticity = Authenticity.PASS
    reply_token: str = ""
    recipients: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    agent: str = ""
    bounce: Bounce | None = None
    index: int = 0
    headers: Headers | None = None
    claimed: str = ""
    via: str = ""
    original: str = ""

    #: Reads the outside form; given by `router.wire.message`, which `router.Message` brings along.
    from_wire: ClassVar[FromWire]

    def __post_init__(self) -> None:
        if self.sent_at.tzinfo is None:
            raise ValueError("sent_at must be aware; give it an offset, for example +08:00")
        if self.sent_at.tzinfo is not UTC:
            msgspec.structs.force_setattr(self, "sent_at", self.sent_at.astimezone(UTC))
        if not self.external_id:
            raise ValueError("external_id must not be empty")

    @property
    def scope(self) -> str:
        """Where the provider's id is unique: empty for mail, else the thread, else the sender's handle."""
        return "" if self.realm else (self.thread or self.sender.handle)

    def key_of(self, external_id: str) -> Key:
        """The key that another id of this message's realm and scope has (of a parent, of what it edits)."""
        return (self.realm, external_id) if self.realm else (self.channel, f"{self.scope}:{external_id}")

    @property
    def key(self) -> Key:
        """The key of redelivery (rules: follow-ups, 1)."""
        return self.key_of(self.external_id)


class DeskEvent(Value, frozen=True, kw_only=True):
    """What a recorded file or a channel tells of the desk's own acts: a status set, a reply given elsewhere, or how far
    a reply of ours has come (`delivery`: `to` is its state, `conversation_of` its id at the provider; with a `handle`
    all replies to it that were sent until `at`)."""

    channel: str
    event: Literal["status", "reply", "delivery"]
    at: datetime
    conversation_of: str
    to: str = ""
    text: str = ""
    agent: str = ""
    handle: str = ""
    index: int = 0


class Tagging(Value, frozen=True, kw_only=True):
    """What a message is about: one issue type, flags beside it, and the words that decided."""

    issue_type: str = "other"
    confidence: float = 0.0
    runner_up: str = ""
    unsure: bool = True
    flags: tuple[str, ...] = ()
    language: str = "other"
    words: tuple[str, ...] = ()
    #: Do words that a lexicon or the desk's own model knows name the type? Else it is told by likeness to examples.
    named: bool = False
    version: str = ""


class Routing(Value, frozen=True, kw_only=True):
    """Whose queue, how urgent, by which rule; `trace` has one line a rule tried, in order."""

    rule: str
    queue: str
    priority: int = 0
    deadline: str = ""
    tags: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()


class Candidate(Value, frozen=True, kw_only=True):
    """A conversation that was weighed, with its score (0 to 1) and the reasons in words."""

    conversation: int
    score: float
    reasons: tuple[str, ...] = ()


class Link(Value, frozen=True, kw_only=True):
    """A relation between two conversations that stay two: reason is `cross_customer`, `new_issue`, `reopened_late`,
    `also_open`, `unproven_link`, `suggested_link`, `thread_claim_rejected`, `incident` or `linked` (by a person).
    `because` says in words what it rests on, where the reason alone does not."""

    conversation: int
    reason: str
    score: float = 0.0
    because: str = ""


class Marker(Value, frozen=True, kw_only=True):
    """A trace that a later message of anybody may meet: an identifier, the hash of the words, a rare word of a type."""

    key: str
    conversation: int
    contact: int
    at: datetime


class Thread(Value, frozen=True, kw_only=True):
    """A chain on one channel, as known: its number and the channel's keys that lead to it."""

    number: int
    keys: tuple[Key, ...]


class KnownMessage(Value, frozen=True, kw_only=True):
    """What the decision may know of a stored message."""

    number: int
    conversation: int
    contact: int
    thread: int
    digest: str
    direction: Direction = Direction.IN
    channel: str = ""
    handle: str = ""
    sent_at: datetime | None = None
    automatic: bool = False


class Contact(Value, frozen=True, kw_only=True):
    """A person, owner of handles. `verified` is what was proved about him, kind to value; `language` his last."""

    number: int
    name: str = ""
    verified: Mapping[str, str] = {}
    attributes: Mapping[str, str] = {}
    language: str = ""
    blocked: bool = False


class Conversation(Value, frozen=True, kw_only=True):
    """All messages about one matter of one contact, as the decision knows and leaves it.

    `matter` and `clocks` are the memory of the steps `matter` and `deadline`: plain JSON values that only they read.
    `waiting_since` is the oldest customer message without a human answer; chasing never moves it.
    `pinned`: a person moved it, so rules no longer choose its queue. `type_by`: `machine`, or `human` after a retag.
    `participants` are the handles that may receive replies; `threads` the numbers of its chains. `copied` are the mail
    addresses of people whom a proved mail of it named: they take part, and answers go to them in Cc; `proposed` those
    whom any other mail named.
    """

    number: int
    contact: int
    status: Status = Status.OPEN
    opened_at: datetime
    last_message_at: datetime
    last_in_at: datetime | None = None
    last_out_at: datetime | None = None
    solved_at: datetime | None = None
    closed_at: datetime | None = None
    waiting_since: datetime | None = None
    chases: int = 0
    messages: int = 0
    subject: str = ""
    issue_type: str = "other"
    confidence: float = 0.0
    unsure: bool = True
    type_by: str = "machine"
    language: str = "other"
    tags: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()
    participants: tuple[Handle, ...] = ()
    copied: tuple[str, ...] = ()
    proposed: tuple[str, ...] = ()
    queue: str = ""
    priority: int = 0
    rule: str = ""
    deadline_policy: str = ""
    pinned: bool = False
    holder: str = ""
    matter: Mapping[str, Any] = {}
    clocks: Mapping[str, Any] = {}
    next_due: datetime | None = None
    next_wake_at: datetime | None = None
    breached: bool = False
    merged_into: int = 0
    version: int = 0


class Standing(Value, frozen=True, kw_only=True):
    """As much of another person's conversation as a report of the same asks for: whose it is, whether it is open, and
    of its `matter` the incident it belongs to."""

    number: int
    contact: int
    status: Status
    flags: tuple[str, ...] = ()
    matter: Mapping[str, Any] = {}
    merged_into: int = 0


class Redelivery(Value, frozen=True, kw_only=True, tag="redelivery"):
    """The same message again: nothing is stored, nothing restarted; a further mailbox it came by is recorded."""

    key: Key
    number: int
    conversation: int
    channel: str
    trace: tuple[str, ...] = ()


class Rewritten(Value, frozen=True, kw_only=True):
    """A message stored before that held a piece of a secret: its texts without it, and the markers to forget."""

    message: int
    conversation: int
    text: str
    own_text: str
    markers: tuple[str, ...] = ()


class Placement(Value, frozen=True, kw_only=True, tag="placement"):
    """Where a message went and what follows from it.

    `conversation` is the state after this message, `before` its number if it existed (0: opened now). `contact` is
    the state after; `contacts_joined` are absorbed into it. `threads_joined` are chains that this message fuses into
    `thread`. `thread_keys` and `handles` lead later messages here. `class_` is empty for what is no customer message
    (outbound, notes, automatic mail). `text`, `own_text` and `subject` are redacted. `piece`: they may hold a piece of
    a secret; `rewritten` are those that held one, `scrubbed` further conversations that forget what they knew of it.
    `outcome`: what it makes of a reply of the desk that it is about. `trace` explains, a line a step.
    """

    number: int
    key: Key
    message: Message
    received_at: datetime
    digest: str
    text: str
    own_text: str
    subject: str
    thread: int
    thread_keys: tuple[Key, ...] = ()
    threads_joined: tuple[int, ...] = ()
    contact: Contact
    contact_opened: bool = False
    contacts_joined: tuple[int, ...] = ()
    handles: tuple[Handle, ...] = ()
    evidence: tuple[str, ...] = ()
    conversation: Conversation
    opened: bool = False
    reopened: bool = False
    class_: MessageClass | None = None
    method: str = ""
    score: float = 0.0
    candidates: tuple[Candidate, ...] = ()
    links: tuple[Link, ...] = ()
    markers: tuple[Marker, ...] = ()
    tagging: Tagging = Tagging()
    routing: Routing | None = None
    flags: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    trace: tuple[str, ...] = ()
    policy_version: str = ""
    outcome: Outcome | None = None
    piece: bool = False
    rewritten: tuple[Rewritten, ...] = ()
    scrubbed: tuple[Conversation, ...] = ()


Decision: TypeAlias = Redelivery | Placement
