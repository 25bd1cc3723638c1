"""How is Telegram's Bot API called, and what do its answers mean?

In: a chat and what to send, or an offset to read updates from. Out: message ids, the updates' own bytes, or one of our
errors. It stands on the bare `telegram.Bot`; the library's own receivers confirm updates before anything is stored.
How calls travel, and where the token is, is told in `_telegram_request`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from aiolimiter import AsyncLimiter
from telegram import Bot, InputFile, LinkPreviewOptions, ReplyParameters, WebhookInfo
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    TelegramError,
)

from adapters.telegram.request import (
    NOTHING_LEFT,
    PLACEHOLDER,
    CallRequest,
    Flood,
    ServerFault,
    Updates,
    UpdatesRequest,
    transport,
)
from router.errors import (
    BadSettings,
    OutcomeUnknown,
    SendError,
    SendRejected,
    SendUnreachable,
    Throttled,
    Unreachable,
)
from router.model import Attachment

__all__ = ["Api", "Limits"]

#: How long Telegram holds an empty long poll, in seconds.
HOLD: Final = 25
ALLOWED: Final = (
    "message", "edited_message", "channel_post", "edited_channel_post", "message_reaction", "my_chat_member",
    "callback_query", "business_connection", "business_message", "edited_business_message",
    "deleted_business_messages",
)  # fmt: skip


class Limits(NamedTuple):
    """How much Telegram takes (its FAQ, "My bot is hitting limits"): (messages, seconds) overall, a chat, a group."""

    overall: tuple[float, float] = (30, 1)
    chat: tuple[float, float] = (1, 1)
    group: tuple[float, float] = (20, 60)


class Api:
    """One bot. Safe for one event loop; opened by building it, closed by `close`."""

    def __init__(
        self, token: str, base_url: str, now: Callable[[], datetime], limits: Limits,
        heard: Callable[[datetime], object] = lambda _: None,
    ) -> None:  # fmt: skip
        self._now, self._limits = now, limits
        # At debug level the library writes every parameter of a call, the message's text among them.
        logging.getLogger("telegram").setLevel(logging.INFO)
        way = transport(token, base_url, heard)
        secret = token.rpartition(":")[2]
        self._updates = UpdatesRequest(secret, 15.0, way)
        self._calls = CallRequest(secret, 20.0, way)
        self._bot = Bot(
            PLACEHOLDER, base_url=f"{base_url.rstrip('/')}/bot", request=self._calls, get_updates_request=self._updates
        )
        self._overall = AsyncLimiter(*limits.overall)
        self._chats: dict[tuple[int | str, tuple[float, float]], AsyncLimiter] = {}

    async def updates(self, offset: int | None, hold: int = HOLD) -> list[bytes]:
        """The updates from `offset` on, each in Telegram's own bytes. Asking with an offset confirms all before it.

        Raises Flood, BadSettings or Unreachable.
        """
        try:
            await self._bot.get_updates(offset, timeout=hold, allowed_updates=ALLOWED)
            return [bytes(raw) for raw in msgspec.json.decode(self._updates.kept, type=Updates).result]
        except msgspec.DecodeError:
            raise Unreachable("Telegram's answer is not the Bot API's: is a proxy in between?") from None
        except Flood:
            raise
        except TelegramError as error:
            raise _poll_error(error) from error

    async def text(
        self, chat: int | str, text: str, topic: int | None, reply_to: int | None, business: str | None = None
    ) -> int:
        """Send one text of at most 4096 characters, for a `business` connection as its account; the id of the message.
        Raises SendError's kinds."""
        return await self._send(
            chat,
            lambda to: self._bot.send_message(
                to,
                text,
                business_connection_id=business,
                message_thread_id=topic,
                reply_parameters=_answering(reply_to),
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            ),
        )

    async def file(
        self, chat: int | str, file: Attachment, topic: int | None, reply_to: int | None, business: str | None = None
    ) -> int:
        """Send one file, by its content or else its address; the id of the message. Raises SendError's kinds."""
        document: InputFile | str = InputFile(file.content, filename=file.name) if file.content else file.url
        return await self._send(
            chat,
            lambda to: self._bot.send_document(
                to,
                document,
                business_connection_id=business,
                message_thread_id=topic,
                reply_parameters=_answering(reply_to),
            ),
        )

    async def taken(self, callback: str) -> None:
        """Tell who pressed a button that it is taken, so that it stops to turn; after some time it does so itself."""
        with contextlib.suppress(TelegramError):
            await self._bot.answer_callback_query(callback)

    async def me(self) -> tuple[str, int]:
        """The bot's name and id. Raises SendError's kinds."""
        try:
            user = await self._bot.get_me()
        except TelegramError as error:
            raise self._send_error(error) from error
        return user.username or user.first_name, user.id

    async def webhook(self) -> WebhookInfo:
        """Which webhook is set, if any. Raises SendError's kinds."""
        try:
            return await self._bot.get_webhook_info()
        except TelegramError as error:
            raise self._send_error(error) from error

    async def set_webhook(self, url: str, secret_token: str) -> None:
        """Have updates posted to `url` with this secret. Raises BadSettings or Unreachable."""
        try:
            await self._bot.set_webhook(url, allowed_updates=ALLOWED, secret_token=secret_token)
        except BadRequest as error:
            raise BadSettings(f"Telegram refuses the webhook: {_said(error)}; see web.public_url.") from error
        except TelegramError as error:
            raise _poll_error(error) from error

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        await self._updates.shutdown()
        await self._calls.shutdown()

    async def _send(self, chat: int | str, call: Callable[[int | str], Any]) -> int:
        await self._turn(chat)
        try:
            try:
                sent = await call(chat)
            except ChatMigrated as moved:  # the group became a supergroup; nothing was sent yet
                sent = await call(moved.new_chat_id)
        except TelegramError as error:
            raise self._send_error(error) from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise OutcomeUnknown("Telegram's answer to the message cannot be read: look in the chat.") from error
        return int(sent.message_id)

    async def _turn(self, chat: int | str) -> None:
        """Wait until Telegram takes one more message, for this chat and overall."""
        if len(self._chats) > 1000:
            self._chats = {known: limiter for known, limiter in self._chats.items() if not limiter.has_capacity()}
        group = str(chat).startswith(("-", "@"))
        for limit in (self._limits.chat, self._limits.group) if group else (self._limits.chat,):
            await self._chats.setdefault((chat, limit), AsyncLimiter(*limit)).acquire()
        await self._overall.acquire()

    def _send_error(self, error: TelegramError) -> SendError:
        """Which of our errors a failed send is (order matters: to the library, BadRequest is a NetworkError)."""
        if isinstance(error, Flood):
            until = self._now() + timedelta(seconds=error.seconds)
            return Throttled(f"Telegram asks to wait {error.seconds} s.", until=until)
        if isinstance(error, Forbidden):
            return SendRejected(f"The chat takes no messages of this bot: {_said(error)}.", blocked=True)
        if isinstance(error, InvalidToken):
            return _bad_token()
        if isinstance(error, (BadRequest, ChatMigrated)):
            return SendRejected(f"Telegram refuses the message: {_said(error)}.")
        if isinstance(error, Conflict) or (isinstance(error, ServerFault) and error.status != 504):
            return SendUnreachable(f"Telegram cannot take messages now ({_said(error)}).")
        if isinstance(error.__cause__, NOTHING_LEFT):
            return SendUnreachable(f"Telegram cannot be reached ({_said(error)}).")
        return OutcomeUnknown("Telegram's answer did not come: the message may or may not be in the chat; look there.")


def _poll_error(error: TelegramError) -> SendError | Unreachable:
    if isinstance(error, InvalidToken):
        return _bad_token()
    if isinstance(error, Conflict):
        if "webhook" in error.message.lower():
            return BadSettings('A webhook is set for this bot: use mode = "webhook", or delete the webhook.')
        return Unreachable("Another program polls this bot: only one may; trying again.")
    if isinstance(error, (BadRequest, Forbidden)):
        return BadSettings(f"Telegram refuses to give updates: {_said(error)}.")
    return Unreachable(f"Telegram cannot be reached ({_said(error)}).")


def _said(error: TelegramError) -> str:
    """What Telegram said, short; the request has taken the token out."""
    return error.message[:200]


def _bad_token() -> BadSettings:
    return BadSettings("Telegram does not know this bot's token: take it from @BotFather and set the channel's token.")


def _answering(message: int | None) -> ReplyParameters | None:
    """Answer to this message, and go out without the reference if it was deleted meanwhile."""
    return None if message is None else ReplyParameters(message, allow_sending_without_reply=True)
