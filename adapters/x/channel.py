"""How do X's direct messages come in and go out?

In: events by the lookup, page by page from the newest back to the last known one, or by the Account Activity webhook,
or both. Out: messages, and replies into the conversation. What an event means is told in `_x_event`, how X is called
in `_x_api`. A first start begins at the newest event: older ones only by `omnirouter backfill`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field

from adapters.kit.parts import send_parts
from adapters.kit.settings import ChannelSettings, revealed
from adapters.kit.split import split
from adapters.x import signature
from adapters.x.event import KIND, instant_of, messages_of
from router.errors import BadSettings, ConfigurationError, SendRejected, Throttled
from router.policy.units import duration
from router.ports import (
    Accepted,
    Answer,
    Channel,
    Delivery,
    Raw,
    Receipt,
    Refused,
    Reply,
    Request,
    Route,
    Translation,
)
from router.secret import Secret, Verifies

if TYPE_CHECKING:
    from adapters.x.api import Api, Event, Page

__all__ = ["Settings", "X", "adapter"]

#: The longest text of a direct message.
LONGEST: Final = 10_000
#: How far back the lookup reaches.
REACH: Final = timedelta(days=30)
#: How many events are made durable at a time.
BATCH: Final = 200


class Settings(ChannelSettings):
    """The keys of an X channel: the app's and the account's (OAuth 1.0a). `poll` is the pause between two lookups.

    `previous_consumer_secret` still verifies webhooks while the secret is changed.
    """

    consumer_key: Secret
    consumer_secret: Annotated[Secret, Verifies(16)]
    access_token: Secret
    access_token_secret: Secret
    previous_consumer_secret: Secret | None = None
    mode: Literal["poll", "webhook", "both"] = "poll"
    poll: Annotated[timedelta, BeforeValidator(duration)] = Field(
        default=timedelta(seconds=60), ge=timedelta(seconds=1)
    )
    base_url: str = Field(default="https://api.twitter.com", pattern="^https?://")


class X:
    """The adapter of an account's direct messages."""

    kind: ClassVar[str] = KIND
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._settings: Settings = channel.settings
        self._api: Api | None = None
        self.routes: Sequence[Route] = (
            () if self._settings.mode == "poll" else (Route(methods=("GET", "POST"), path="", receive=self.receive),)
        )
        #: Set it to look up at once.
        self.wake = asyncio.Event()

    # ── in ──

    def receive(self, request: Request, now: datetime) -> Accepted | Refused | Answer:
        """Answer X's challenge, and take events that carry its signature."""
        previous = self._settings.previous_consumer_secret
        secrets = revealed((self._settings.consumer_secret, *([] if previous is None else [previous])))
        if request.method == "GET":
            token = signature.challenge(secrets, request)
            if not token:
                return Refused(answer=Answer(status=403), reason="no challenge of X, or one that could sign an event")
            body = json.dumps({"response_token": token}).encode()
            return Answer(status=200, body=body, content_type="application/json")
        verdict = signature.genuine(secrets, request, now)
        if not verdict.genuine:
            return Refused(answer=Answer(status=401), reason=verdict.reason)
        raw = Raw(channel=self._channel.name, body=request.body, received_at=now)
        return Accepted(raws=(raw,), answer=Answer(status=200))

    async def deliveries(self, cursor: str | None) -> AsyncIterator[Delivery]:
        """Look up for ever; the cursor is the id of the last event. Ends at once in webhook mode."""
        if self._settings.mode == "webhook":
            return
        if cursor is None:
            cursor = str(await self._newest())
            yield Delivery(raws=(), cursor=cursor)
        last = int(cursor)
        while True:
            await self._tell_gap()
            events = await self._events_after(last)
            for some in _batches(events):
                last = some[-1].number
                yield Delivery(raws=await self._raws(some), cursor=str(last))
            await self._channel.remember("looked_up", self._channel.now().isoformat())
            await self._pause(self._settings.poll.total_seconds())

    async def backfill(self, since: datetime, until: datetime | None) -> AsyncIterator[Delivery]:
        """The events between the two instants as far as the lookup reaches, 30 days, oldest first."""
        found = [e for e in await self._events_after(0, since) if instant_of(e.number) >= since]
        wanted = [e for e in found if until is None or instant_of(e.number) < until]
        for some in _batches(wanted):
            yield Delivery(raws=await self._raws(some))

    async def _events_after(self, last: int, since: datetime | None = None) -> list[Event]:
        """The events with a larger id than `last`, oldest first: walks pages back until one holds a known event."""
        found: list[Event] = []
        token = ""
        while True:
            page = await self._page(token)
            fresh = [event for event in page.events if event.number > last]
            found += fresh
            reached = since is not None and any(instant_of(event.number) < since for event in fresh)
            if len(fresh) < len(page.events) or reached or not page.next_token:
                return sorted(found, key=lambda event: event.number)
            token = page.next_token

    async def _newest(self) -> int:
        return max((event.number for event in (await self._page("")).events), default=0)

    async def _page(self, token: str) -> Page:
        """A page; told to slow down, it waits as long as told and asks again."""
        while True:
            try:
                return await self._open().page(token)
            except Throttled as throttled:
                _log().warning("x.throttled", channel=self._channel.name, until=throttled.until.isoformat())
                await self._pause((throttled.until - self._channel.now()).total_seconds())

    async def _raws(self, events: Sequence[Event]) -> tuple[Raw, ...]:
        me, now = await self._me(), self._channel.now()
        return tuple(
            Raw(
                channel=self._channel.name,
                body=event.body,
                received_at=now,
                transport_id=str(event.number),
                partition_key=event.conversation,
                meta={"me": me},
            )
            for event in events
        )

    async def _me(self) -> str:
        """The account's own id, asked once: what it sent is the desk's."""
        known = await self._channel.recall("me")
        if known is None:
            known, _ = await self._open().me()
            await self._channel.remember("me", known)
        return known

    async def _tell_gap(self) -> None:
        """Tell the operator when the last lookup is so long ago that X no longer has what came meanwhile."""
        looked_up = await self._channel.recall("looked_up")
        if looked_up and self._channel.now() - datetime.fromisoformat(looked_up) > REACH:
            _log().error("x.history_lost", channel=self._channel.name, since=looked_up, reach_days=REACH.days)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), max(seconds, 0))
        self.wake.clear()

    def translate(self, raw: Raw) -> Translation:
        """The messages of a lookup's event or of a webhook's; an unknown event is of kind `unknown` and automatic."""
        return messages_of(raw)

    # ── out ──

    async def send(self, reply: Reply) -> Receipt:
        """Send the text, cut at 10,000 where a reader would pause; files go as links.

        What an earlier attempt already sent is remembered and not sent again. The receipt names the first event.
        """
        links = []
        for file in reply.attachments:
            if not file.url.startswith(("https://", "http://")):
                raise SendRejected(f"X takes no files here: send the attachment {file.name} as a link.")
            links.append(file.url)
        group = reply.thread if reply.thread.isdecimal() else ""
        if not group and not reply.to.isdecimal():
            raise SendRejected("The reply's address is no id of an X account, which is a whole number.")

        async def send_one(index: int, part: str) -> str:
            return await self._open().send(part, participant=reply.to, conversation=group)

        return await send_parts(self._channel, reply, split("\n".join([reply.text, *links]), LONGEST), send_one)

    async def connect(self) -> str:
        """Ask X whose keys these are."""
        number, name = await self._open().me()
        return f"X account @{name} ({number}), {self._settings.mode}"

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        if self._api is not None:
            await self._api.close()
            self._api = None

    def _open(self) -> Api:
        if self._api is None:
            try:
                from adapters.x.api import Api, Keys
            except ImportError as error:
                raise BadSettings(f"channel {self._channel.name} needs tweepy: pip install 'omnirouter[x]'.") from error
            try:
                keys = Keys(
                    consumer_key=self._settings.consumer_key.reveal(),
                    consumer_secret=self._settings.consumer_secret.reveal(),
                    access_token=self._settings.access_token.reveal(),
                    access_token_secret=self._settings.access_token_secret.reveal(),
                )
            except ConfigurationError as error:
                raise BadSettings(str(error)) from error
            self._api = Api(keys, self._settings.base_url, self._channel.now)
        return self._api


def _log() -> Any:
    """The log; loaded late, since every command reads the settings of this channel and few have anything to say."""
    import structlog

    return structlog.get_logger()


def _batches(events: Sequence[Event]) -> list[Sequence[Event]]:
    return [events[start : start + BATCH] for start in range(0, len(events), BATCH)]


adapter = X
