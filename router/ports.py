"""Where does the outside plug in? One port, because it has many real implementations: `Adapter`.

An adapter brings raws in (by delivery loop, by HTTP routes or both), translates them, and sends replies out; the log
(`router.store.log`) keeps raws until they are decided. Everything they exchange is a plain value of this module.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol, runtime_checkable

from router.errors import InvalidPayload
from router.model import Attachment, DeskEvent, Message
from router.value import Value

__all__ = [
    "Accepted",
    "Adapter",
    "Announced",
    "Announcing",
    "Answer",
    "Channel",
    "Cursor",
    "Delivery",
    "Entry",
    "Raw",
    "Receipt",
    "Refused",
    "Reply",
    "Request",
    "Route",
    "Translation",
]


class Raw(Value, frozen=True, kw_only=True):
    """What arrived, as it arrived. `transport_id` is the transport's own id (UID, update id, webhook-id) or empty;
    `partition_key` is known without parsing; `meta` holds the few facts of the transport that the bytes do not
    (INTERNALDATE, UID, headers a verifier needs again). `history`: recorded, so nothing may go out because of it."""

    channel: str
    body: bytes
    received_at: datetime
    transport_id: str = ""
    partition_key: str = ""
    meta: Mapping[str, str] = {}
    history: bool = False


class Entry(Value, frozen=True, kw_only=True):
    """A raw in the log, with its place: `position` grows within `partition` and may have gaps.

    `unreadable` says why its bytes cannot be had: `erased`, or the sentence of what is wrong with them."""

    partition: int
    position: int
    raw: Raw
    unreadable: str = ""


class Announced(Value, frozen=True, kw_only=True):
    """A part of a raw that the provider announced without its content: the adapter fetches it by `key`, its id."""

    index: int
    key: str


class Translation(list[Message | DeskEvent]):
    """What a raw of many parts says: its messages, in order, and what of it is none (yet). One odd part never takes the
    others down: `mistakes` are those that cannot be read, `announced` those to be fetched, each with its index, as each
    message has its own. A raw that holds one message gives a plain list."""

    def __init__(
        self,
        messages: Sequence[Message | DeskEvent] = (),
        mistakes: Sequence[InvalidPayload] = (),
        announced: Sequence[Announced] = (),
    ) -> None:
        super().__init__(messages)
        self.mistakes = tuple(mistakes)
        self.announced = tuple(announced)

    @classmethod
    def of(cls, found: Sequence[Message | DeskEvent]) -> Translation:
        """What an adapter's `translate` gave, in this form."""
        return found if isinstance(found, cls) else cls(found)

    @property
    def items(self) -> list[int]:
        """The index of each message in the raw; its place in the list where an adapter tells none apart."""
        own = [what.index for what in self]
        return own if len(set(own)) == len(own) else list(range(len(own)))


class Cursor(Value, frozen=True, kw_only=True):
    """How far a channel's source is read (IMAP UIDVALIDITY:UID, Telegram offset, event id): moves with the append.
    `fence` is the fencing token of the lease under which it was read; an older token than the stored one is refused."""

    channel: str
    value: str
    fence: int = 0


class Delivery(Value, frozen=True, kw_only=True):
    """Raws that arrived together, the cursor that counts them as read, and what acknowledges them to the source.
    `acknowledge` is awaited after the append is durable, and may be None where the cursor is all."""

    raws: tuple[Raw, ...]
    cursor: str = ""
    acknowledge: Callable[[], Awaitable[None]] | None = None


class Request(Value, frozen=True, kw_only=True):
    """An HTTP request as a channel sees it. Header names are lower-case; `url` is path and query as received."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


class Answer(Value, frozen=True, kw_only=True):
    """An HTTP answer: status, body, type."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


class Accepted(Value, frozen=True, kw_only=True):
    """The request is genuine: append `raws`, and when they are durable give `answer`."""

    raws: tuple[Raw, ...]
    answer: Answer


class Refused(Value, frozen=True, kw_only=True):
    """The request is not taken. `invalid` is kept as an invalid raw with `reason` where its sender was genuine."""

    answer: Answer
    reason: str = ""
    invalid: Raw | None = None


class Route(Value, frozen=True, kw_only=True):
    """An HTTP route of a channel: below `/channels/NAME`, `path` is empty or begins with `/`.

    `receive(request, now)` is pure and total: it verifies, decides and never raises; it returns `Accepted`, `Refused`
    or, for handshakes, an `Answer`."""

    methods: tuple[str, ...]
    path: str
    receive: Callable[[Request, datetime], Accepted | Refused | Answer]
    max_body: int = 1 << 20


class Reply(Value, frozen=True, kw_only=True):
    """A message of the desk on its way out, complete: ids and text were fixed when it was queued.

    `external_id` is our own id for it (for mail the Message-ID without brackets). `to` is the handle it goes to, `cc`
    are mail addresses beside it. `thread_index` and `thread_topic` are Outlook's, of the mail that is answered.
    `automatic` replies are marked as such by the channel. `idempotency_key` is the same at every attempt."""

    number: int
    channel: str
    to: str
    text: str
    external_id: str
    idempotency_key: str
    created_at: datetime
    to_name: str = ""
    thread: str = ""
    subject: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    automatic: bool = False
    agent: str = ""
    conversation_ref: str = ""
    reply_to: str = ""
    cc: tuple[str, ...] = ()
    thread_index: str = ""
    thread_topic: str = ""
    last_in_at: datetime | None = None


class Receipt(Value, frozen=True, kw_only=True):
    """The provider took the reply. `external_id` is the provider's id for it (else ours), `detail` for people."""

    external_id: str
    detail: str = ""


class Channel(Value, frozen=True, kw_only=True):
    """What an adapter is opened with: its channel's name and validated settings, and a small durable memory.

    `settings` is an instance of the adapter's `Settings`. `recall(key)` and `remember(key, value)` keep small texts of
    this channel over restarts and between nodes (an access token, a delivery state). `public_url` is `[web]`'s. An
    adapter that learns the provider's present time (the Date of an answer) tells it to `heard`, which compares the
    desk's clock with it (rules: deadlines, 16a)."""

    name: str
    settings: Any
    recall: Callable[[str], Awaitable[str | None]]
    remember: Callable[[str, str], Awaitable[None]]
    public_url: str = ""
    now: Callable[[], datetime]
    heard: Callable[[datetime], object] = lambda _: None


class Adapter(Protocol):
    """The code of a kind of channel: one class, one file (contract suite: `router.testing.AdapterContract`).

    `kind` is the channel kind (`email`); `Settings` a pydantic model of the channel's table, secrets typed
    `router.secret.Secret`. Where its channels are no chats, or the provider takes answers for a while only, `traits` is
    a `router.kinds.Traits` (without: those of a chat). A module names its adapter by `adapter = ClassName` at module
    level. Building one does no I/O and resolves no secret; what must be opened is opened on first use and closed by
    `close`.
    """

    kind: ClassVar[str]
    Settings: ClassVar[type[Any]]
    routes: Sequence[Route]

    def __init__(self, channel: Channel) -> None: ...

    def translate(self, raw: Raw) -> list[Message | DeskEvent]:
        """Turn a raw into messages. Pure; raises only `InvalidPayload`; unknown kinds become an explicit unknown.
        Where some of it cannot be read, a `Translation` names those parts beside the messages of the others."""
        ...

    def deliveries(self, cursor: str | None) -> AsyncIterator[Delivery]:
        """Yield what arrives after `cursor`, for ever; ends at once for a channel without a loop of its own.
        Raises `Unreachable` (try again later) or `BadSettings` (stop the channel, tell the operator)."""
        ...

    def backfill(self, since: datetime, until: datetime | None) -> AsyncIterator[Delivery]:
        """Yield what the provider still has between the two instants; cursors are empty; safe to repeat."""
        ...

    async def send(self, reply: Reply) -> Receipt:
        """Send one reply. Raises one of `router.errors.SendError`'s kinds."""
        ...

    async def connect(self) -> str:
        """Log in and out again, for `omnirouter check --connect`: one line on what was proved. Raises as `send`."""
        ...

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        ...


@runtime_checkable
class Announcing(Protocol):
    """An adapter whose provider announces messages without their content, which is fetched afterwards."""

    async def fetch_announced(self, announcement: Announced, raw: Raw) -> Raw:
        """The content of what `raw` announced, in the form in which the provider would have sent it.

        Raises `router.errors.SendRejected` when the provider has it no more, else what `send` raises.
        """
        ...
