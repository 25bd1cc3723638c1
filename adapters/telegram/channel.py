"""How do Telegram chats come in and go out?

In: updates of a bot, by long poll or webhook, one raw each. Out: messages, and replies into the chat. A long poll's
next question confirms what came before it, so it is asked only after the raws and the new offset are durable.
What an update means is told in `_telegram_update`, how the Bot API is called in `_telegram_api`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, model_validator

from adapters.kit.http import json_bytes
from adapters.kit.parts import send_parts
from adapters.kit.settings import ChannelSettings, revealed
from adapters.kit.split import split
from adapters.telegram import signature
from adapters.telegram.album import body_of, goes_on, grouped
from adapters.telegram.form import callback_of, envelope
from adapters.telegram.update import BUSINESS, KIND, messages_of
from router.errors import BadSettings, ConfigurationError, InvalidPayload, SendRejected, Unreachable
from router.errors import Refused as NotPossible
from router.model import Attachment
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
    from adapters.telegram.api import Api

__all__ = ["Settings", "Telegram", "adapter"]

#: The longest text that Telegram takes in one message.
LONGEST: Final = 4096


class Settings(ChannelSettings):
    """The keys of a Telegram channel. `secret_tokens` are those of the webhook, new and old while they rotate."""

    token: Secret
    mode: Literal["poll", "webhook"] = "poll"
    secret_tokens: Annotated[tuple[Secret, ...], Verifies(16)] = Field(default=(), max_length=2)
    base_url: str = Field(default="https://api.telegram.org", pattern="^https?://")

    @model_validator(mode="after")
    def _webhook_needs_a_secret(self) -> Settings:
        if self.mode == "webhook" and not self.secret_tokens:
            raise ValueError('mode = "webhook" needs secret_tokens, for example ["env:TELEGRAM_SECRET"]')
        return self


class Telegram:
    """The adapter of a bot: one channel, one token."""

    kind: ClassVar[str] = KIND
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._settings: Settings = channel.settings
        self._api: Api | None = None
        self.routes: Sequence[Route] = (
            (Route(methods=("POST",), path="", receive=self.receive),) if self._settings.mode == "webhook" else ()
        )
        #: Set it to end a pause of the poll at once.
        self.wake = asyncio.Event()
        #: Seconds without a further photo after which an album is whole.
        self.quiet = 1.5

    # ── in ──

    def receive(self, request: Request, now: datetime) -> Accepted | Refused | Answer:
        """Take an update from the webhook if it carries one of the channel's secret tokens. The answer to the press of
        a button tells Telegram that it is taken."""
        verdict = signature.genuine(revealed(self._settings.secret_tokens), request, now)
        if not verdict.genuine:
            return Refused(answer=Answer(status=401), reason=verdict.reason)
        raw = Raw(channel=self._channel.name, body=request.body, received_at=now)
        callback = callback_of(request.body)
        if not callback:
            return Accepted(raws=(raw,), answer=Answer(status=200))
        taken = json_bytes({"method": "answerCallbackQuery", "callback_query_id": callback})
        return Accepted(raws=(raw,), answer=Answer(status=200, body=taken, content_type="application/json"))

    async def deliveries(self, cursor: str | None) -> AsyncIterator[Delivery]:
        """Poll for ever; the cursor is the next offset. In webhook mode, see that the webhook is set, and end."""
        if self._settings.mode == "webhook":
            await self._register()
            return
        offset = int(cursor) if cursor else None
        while True:
            updates = await self._whole(offset)
            if not updates:
                continue
            raws, last = self._raws(updates)
            offset = last + 1
            yield Delivery(raws=raws, cursor=str(offset), acknowledge=self._acknowledging(updates))

    def backfill(self, since: datetime, until: datetime | None) -> AsyncIterator[Delivery]:
        """Telegram gives bots no history: raises `router.errors.Refused`."""
        raise NotPossible(
            f"channel {self._channel.name}: Telegram gives bots no history; what waited up to 24 hours comes by itself."
        )

    async def _whole(self, offset: int | None) -> list[bytes]:
        """The updates from `offset` on. Where the last is of an album, the same question is put again, which confirms
        nothing, until no more of its photos come."""
        updates = await self._poll(offset)
        while goes_on(updates):
            before = len(updates)
            await self._pause(self.quiet)
            updates = await self._poll(offset, 0)
            if len(updates) <= before:
                break
        return updates

    async def _poll(self, offset: int | None, hold: int | None = None) -> list[bytes]:
        api = self._open()
        from adapters.telegram.request import Flood  # after `_open`, which tells a missing library in one sentence

        while True:
            try:
                return await (api.updates(offset) if hold is None else api.updates(offset, hold))
            except Flood as flood:
                await self._pause(flood.seconds)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), seconds)
        self.wake.clear()

    def _acknowledging(self, updates: list[bytes]) -> Callable[[], Awaitable[None]] | None:
        """What tells those who pressed a button that it is taken."""
        pressed = [callback for callback in map(callback_of, updates) if callback]
        if not pressed:
            return None

        async def acknowledge() -> None:
            for callback in pressed:
                await self._open().taken(callback)

        return acknowledge

    def _raws(self, updates: list[bytes]) -> tuple[tuple[Raw, ...], int]:
        now, last = self._channel.now(), 0
        raws = []
        for group in grouped(updates):
            try:
                seen = [envelope(body) for body in group]
            except InvalidPayload as error:  # it could never be confirmed
                raise Unreachable(f"Telegram's answer is not the Bot API's: {error}") from error
            last = max(last, *(number for number, _ in seen))
            number, chat = seen[0]
            raws.append(
                Raw(
                    channel=self._channel.name,
                    body=body_of(group),
                    received_at=now,
                    transport_id=str(number),
                    partition_key=chat,
                )
            )
        return tuple(raws), last

    async def _register(self) -> None:
        url = self._channel.public_url.rstrip("/")
        if urlsplit(url).scheme == "https":
            secrets = revealed(self._settings.secret_tokens)
            if not secrets:
                raise BadSettings(f"channel {self._channel.name}: none of its secret_tokens is set.")
            await self._open().set_webhook(f"{url}/channels/{quote(self._channel.name)}", secrets[0])

    def translate(self, raw: Raw) -> Translation:
        """One update, one message; the start button gives none, and what is not known is of kind `unknown`."""
        return messages_of(raw)

    # ── out ──

    async def send(self, reply: Reply) -> Receipt:
        """Send the text, cut at 4096 where a reader would pause, then the files.

        What an earlier attempt already sent is remembered and not sent again. The receipt names the first message.
        """
        chat, business = _chat_of(reply)
        for file in reply.attachments:
            if not file.content and not file.url.startswith(("https://", "http://")):
                raise SendRejected(f"The attachment {file.name} has no content to send.")
        topic, answered = _topic(reply), _number(reply.in_reply_to)
        parts: list[str | Attachment] = [*split(reply.text, LONGEST), *reply.attachments]

        async def send_one(index: int, part: str | Attachment) -> str:
            reply_to = None if index else answered
            if isinstance(part, str):
                return str(await self._open().text(chat, part, topic, reply_to, business))
            return str(await self._open().file(chat, part, topic, reply_to, business))

        return await send_parts(self._channel, reply, parts, send_one)

    async def connect(self) -> str:
        """Ask Telegram who the bot is and whether its webhook fits the mode."""
        api = self._open()
        name, number = await api.me()
        url = (await api.webhook()).url
        if self._settings.mode == "poll" and url:
            raise BadSettings(f'@{name} has a webhook at {urlsplit(url).hostname}: use mode = "webhook", or delete it.')
        return f"Telegram bot @{name} ({number}), {self._settings.mode}" + (", webhook set" if url else "")

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        if self._api is not None:
            await self._api.close()
            self._api = None

    def _open(self) -> Api:
        if self._api is None:
            try:
                from adapters.telegram.api import Api, Limits
            except ImportError as error:
                raise BadSettings(
                    f"channel {self._channel.name} needs python-telegram-bot: pip install 'omnirouter[telegram]'."
                ) from error
            try:
                token = self._settings.token.reveal()
            except ConfigurationError as error:
                raise BadSettings(str(error)) from error
            self._api = Api(token, self._settings.base_url, self._channel.now, Limits(), self._channel.heard)
        return self._api


def _chat_of(reply: Reply) -> tuple[int | str, str | None]:
    """The chat, and the connection of the business account that answers in it, if it is one's."""
    chat, business = reply.thread or reply.to, None
    if chat.startswith(BUSINESS):
        business, _, chat = chat.removeprefix(BUSINESS).rpartition(":")
    if chat.startswith("@"):
        return chat, business
    try:
        return int(chat), business
    except ValueError:
        raise SendRejected("The reply's address is no Telegram chat id, which is a whole number.") from None


def _topic(reply: Reply) -> int | None:
    topics = [_number(reference[6:]) for reference in reply.references if reference.startswith("topic:")]
    return topics[-1] if topics else None


def _number(external_id: str) -> int | None:
    """The message id in an external id (an edit's is followed by its date); None where there is none."""
    head = external_id.partition(":")[0]
    return int(head) if head.isascii() and head.isdigit() and len(head) < 16 else None


adapter = Telegram
