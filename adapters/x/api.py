"""How is X's API called, and what do its answers mean?

In: a page of direct message events to read, or a text to send. Out: pages in X's own bytes, event ids, or one of our
errors. It stands on tweepy's `AsyncClient`, with a session of our own under it: time-outs, the environment's proxy, and
another host for a test server.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp
import msgspec
import tweepy
from tweepy.asynchronous import AsyncClient
from yarl import URL

from router.errors import BadSettings, OutcomeUnknown, SendError, SendRejected, SendUnreachable, Throttled, Unreachable
from router.value import Value

__all__ = ["HOST", "Api", "Event", "Keys", "Page"]

#: The host that tweepy signs for and calls.
HOST: Final = "https://api.twitter.com"
_FIELDS: Final = {
    "dm_event_fields": ["id", "event_type", "text", "sender_id", "dm_conversation_id", "created_at", "attachments",
                        "participant_ids", "referenced_tweets", "entities"],
    "expansions": ["sender_id", "attachments.media_keys"],
    "media_fields": ["media_key", "type", "url", "preview_image_url"],
    "user_fields": ["id", "name", "username"],
}  # fmt: skip
#: A window of X's rate limits, in seconds: how long to wait when it does not say.
WINDOW: Final = 900


class Keys(Value, frozen=True, kw_only=True):
    """The four secrets of OAuth 1.0a, revealed."""

    consumer_key: str
    consumer_secret: str
    access_token: str
    access_token_secret: str


class Event(Value, frozen=True, kw_only=True):
    """One event: its id as a number, its conversation, and a body of its own in X's bytes."""

    number: int
    conversation: str
    body: bytes


class Page(Value, frozen=True, kw_only=True):
    """A page of events, newest first as X gives them; `next_token` is empty on the last."""

    events: tuple[Event, ...]
    next_token: str


class _Named(msgspec.Struct):
    id: str = ""
    media_key: str = ""


class _Seen(msgspec.Struct):
    id: str
    sender_id: str = ""
    dm_conversation_id: str = ""
    attachments: dict[str, Any] = {}


class _Includes(msgspec.Struct):
    users: list[msgspec.Raw] = []
    media: list[msgspec.Raw] = []


class _Meta(msgspec.Struct):
    next_token: str = ""


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw] = []
    includes: _Includes = msgspec.field(default_factory=_Includes)
    meta: _Meta = msgspec.field(default_factory=_Meta)


class _Me(msgspec.Struct):
    id: str
    username: str = ""


class _MeAnswer(msgspec.Struct):
    data: _Me


class _Sent(msgspec.Struct):
    dm_event_id: str


class _SentAnswer(msgspec.Struct):
    data: _Sent


class _Session:
    """What tweepy takes for its aiohttp session: one with time-outs, which may lead to another host."""

    def __init__(self, host: str) -> None:
        timeout = aiohttp.ClientTimeout(total=60, sock_connect=10, sock_read=30)
        self._session = aiohttp.ClientSession(timeout=timeout, trust_env=True)
        self._host = host.rstrip("/")

    def request(self, method: str, url: str | URL, **options: Any) -> Any:
        """As aiohttp's, at our host."""
        address = URL(str(url).replace(HOST, self._host, 1), encoded=True)
        return self._session.request(method, address, allow_redirects=False, **options)

    async def close(self) -> None:
        """Release connections."""
        await self._session.close()


class Api:
    """One account. Safe for one event loop, in which it is built; closed by `close`."""

    def __init__(self, keys: Keys, host: str, now: Callable[[], datetime]) -> None:
        self._now = now
        for name in ("tweepy", "oauthlib"):  # at debug level they write texts, tokens and signatures
            logging.getLogger(name).setLevel(logging.INFO)
        self._client = AsyncClient(**msgspec.structs.asdict(keys), return_type=aiohttp.ClientResponse)
        self._session = _Session(host)
        self._client.session = self._session

    async def page(self, token: str) -> Page:
        """A page of events, the first one without a token. Raises Throttled, BadSettings or Unreachable."""
        try:
            answer = await self._client.get_direct_message_events(
                max_results=100, pagination_token=token or None, user_auth=True, **_FIELDS
            )
            return _page(await _bytes(answer))
        except _FAULTS as error:
            raise _poll_error(self._sort(error)) from error

    async def me(self) -> tuple[str, str]:
        """The account's id and name. Raises SendError's kinds."""
        try:
            answer = await self._client.get_me(user_auth=True)
            me = msgspec.json.decode(await _bytes(answer), type=_MeAnswer).data
        except _FAULTS as error:
            raise self._sort(error) from error
        return me.id, me.username

    async def send(self, text: str, *, participant: str = "", conversation: str = "") -> str:
        """Send a text to a person or into a group; the event's id. Raises SendError's kinds."""
        to = {"dm_conversation_id": conversation} if conversation else {"participant_id": participant}
        try:
            answer = await self._client.create_direct_message(text=text, user_auth=True, **to)
            return msgspec.json.decode(await _bytes(answer), type=_SentAnswer).data.dm_event_id
        except _FAULTS as error:
            raise self._sort(error) from error

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        await self._session.close()

    def _sort(self, error: Exception) -> SendError:
        """Which of our errors a failed call is."""
        if isinstance(error, tweepy.HTTPException):
            return self._of_status(error.response.status, _said(error), getattr(error, "reset_time", None))
        if isinstance(error, aiohttp.ContentTypeError):  # an answer that is no JSON: a proxy's or gateway's page
            return self._of_status(error.status if error.status in (429, 504) else 502, f"HTTP {error.status}", None)
        if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
            return SendUnreachable(f"X cannot be reached ({type(error).__name__}).")
        return OutcomeUnknown("X's answer did not come or cannot be read: the message may or may not be there; look.")

    def _of_status(self, status: int, said: str, reset_time: int | None) -> SendError:
        if status == 429:
            until = self._now() + timedelta(seconds=WINDOW)
            if reset_time is not None:
                until = max(datetime.fromtimestamp(reset_time, UTC), self._now())
            return Throttled(f"X asks to wait until {until:%H:%M:%S} UTC.", until=until)
        if status == 504:
            return OutcomeUnknown("X's answer did not come: the message may or may not be there; look.")
        if status >= 500:
            return SendUnreachable(f"X cannot take this now ({said}).")
        if status in (401, 402) or (status == 403 and any(word in said for word in _OF_THE_APP)):
            return BadSettings(f"X does not let this app in: {said}; check its keys, plan and permission for messages.")
        if status == 403:
            return SendRejected(f"X does not deliver to this person: {said}.", blocked=True)
        return SendRejected(f"X refuses the message: {said}.")


#: Words of a 403 that is about the app and not about the person.
_OF_THE_APP: Final = ("oauth", "OAuth", "enrolled", "Project", "client", "app ", "access level", "Authenticating with")
#: What tweepy, aiohttp and the reading of an answer can raise; tweepy trips over answers of another shape.
_FAULTS: Final = (
    tweepy.TweepyException, aiohttp.ClientError, TimeoutError, msgspec.MsgspecError,
    AttributeError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip


def _poll_error(error: SendError) -> SendError | Unreachable:
    """What a failed send is called, for a poll: nothing can be in doubt or rejected there."""
    if isinstance(error, (Throttled, BadSettings)):
        return error
    if isinstance(error, SendRejected):
        return BadSettings(f"X refuses to give messages: {error}")
    return Unreachable(
        "X cannot be reached, or its answer cannot be read." if isinstance(error, OutcomeUnknown) else str(error)
    )


async def _bytes(answer: Any) -> bytes:
    """The body of an answer; tweepy has read and released it, so only its text can still be had."""
    text: str = await answer.text(encoding="utf-8")
    return text.encode()


def _said(error: tweepy.HTTPException) -> str:
    """What X said, short."""
    return "; ".join(str(message) for message in error.api_messages)[:200] or f"HTTP {error.response.status}"


def _page(body: bytes) -> Page:
    answer = msgspec.json.decode(body, type=_Answer)
    users = {_key(raw): raw for raw in answer.includes.users}
    media = {_key(raw): raw for raw in answer.includes.media}
    events = tuple(_event(raw, users, media) for raw in answer.data)
    return Page(events=events, next_token=answer.meta.next_token)


def _key(raw: msgspec.Raw) -> str:
    named = msgspec.json.decode(raw, type=_Named)
    return named.media_key or named.id


def _event(raw: msgspec.Raw, users: dict[str, msgspec.Raw], media: dict[str, msgspec.Raw]) -> Event:
    """One event as an answer of its own: with the sender and the media that it names, all in X's bytes."""
    seen = msgspec.json.decode(raw, type=_Seen)
    keys = seen.attachments.get("media_keys") or []
    body = b'{"data":[%b],"includes":{"users":[%b],"media":[%b]}}' % (
        bytes(raw),
        bytes(users.get(seen.sender_id, b"")),
        b",".join(bytes(media[key]) for key in keys if key in media),
    )
    return Event(number=int(seen.id), conversation=seen.dm_conversation_id, body=body)
