"""How does a visitor of a web page chat with the desk? `/chat/NAME` for each webhook channel with `page = true`.

A page and a script to embed it, a signed cookie that says who the visitor is, messages that go the way of the
channel's own webhook (same wire message, same mistakes told, in the log before the answer), and the desk's answers as
server-sent events, read from the ledger behind its bell. Nothing comes from another host; all words are shown as text.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from adapters.webhook import Webhook
from router.desk import Ledger
from router.errors import ConfigurationError, OmnirouterError
from router.policy.values import ChannelPolicy
from router.store.log import Log
from router.store.read import chat
from workers.daemon.channels import Channels
from workers.daemon.metrics import Metrics
from workers.http.body_limit import Bodies, TooLarge, TooMany
from workers.http.front_door import take
from workers.http.hosts import Limits, host_of
from workers.http.livechat.page_words import closed_words, language_of, words
from workers.http.livechat.picture import MEGABYTES, WrongPicture, picture
from workers.http.livechat.stored import Stored
from workers.http.livechat.visitor import COOKIE, LIFE, Allowance, Visitors

__all__ = ["LiveChat"]

_PAGES = Path(__file__).parent / "pages"
_ASSETS = {
    "chat.js": ("text/javascript", "same-origin"),
    "chat.css": ("text/css", "same-origin"),
    "widget.js": ("text/javascript", "cross-origin"),
}
_LARGEST = (MEGABYTES << 20) * 4 // 3 + 65_536
_LONGEST = 10_000
_ID = re.compile(r"[0-9a-f]{32}")
_LANGUAGE = "accept-language"
#: The header in which the page's script says who the visitor is, where cookies do not travel.
_TOKEN = "x-chat-token"  # noqa: S105  (a header's name)
#: Streams that are open at once, in all and by one visitor.
_STREAMS, _STREAMS_EACH = 1_000, 4
#: Seconds between a look at the ledger and the next, and of silence before a line that keeps the connection open.
_BREATH, _SILENCE = 0.2, 15.0


class LiveChat:
    """The live-chat pages of a desk. `routes` go into the front door; streams end when `closing` is set."""

    def __init__(
        self, store: Ledger, channels: Channels, log: Log, metrics: Metrics, now: Callable[[], datetime],
        closing: asyncio.Event, bodies: Bodies,
    ) -> None:  # fmt: skip
        self._store = store
        self._channels = channels
        self._log = log
        self._metrics = metrics
        self._now = now
        self._closing = closing
        self._bodies = bodies
        self._visitors = Visitors(store.sealer.derive("live chat visitor"), now)
        self._messages = Allowance(8, 3.0, now)
        self._limits = Limits(store.policy.web.limits, now)
        self._stored = Stored(store, store.policy.web.limits.visitor_bytes)
        self._streams: Counter[str] = Counter()
        self.routes = [
            Route("/favicon.ico", self._counted(self._icon), methods=["GET"]),
            Route("/chat/{name}", self._counted(self._page), methods=["GET"]),
            Route("/chat/{name}/messages", self._counted(self._message), methods=["POST"]),
            Route("/chat/{name}/stream", self._counted(self._stream), methods=["GET"]),
            Route("/chat/{name}/files/{number:int}/{index:int}", self._counted(self._file), methods=["GET"]),
            Route("/chat/{name}/{asset}", self._counted(self._asset), methods=["GET"]),
        ]

    def _counted(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """The same, for hosts that do not ask too often."""

        async def counted(request: Request) -> Response:
            wait = self._limits.requests.wait(self._host(request))
            return _too_much("Too many requests; wait a moment.", wait) if wait else await handler(request)

        return counted

    def _host(self, request: Request) -> str:
        return host_of(request, self._store.policy.web.trusted_proxies)

    def _channel(self, request: Request) -> tuple[ChannelPolicy, Webhook] | None:
        """The channel of a request, where it has a page."""
        channel = self._store.policy.channels.get(request.path_params["name"])
        if channel is None or not channel.enabled:
            return None
        try:
            adapter = self._channels.get(channel.name)
        except ConfigurationError:
            return None
        return (channel, adapter) if isinstance(adapter, Webhook) and channel.settings.page else None

    def _visitor(self, request: Request, channel: ChannelPolicy) -> str:
        """Who asks: by the token that the page's own script sends, else by the cookie."""
        tokens = (request.headers.get(_TOKEN, ""), request.cookies.get(COOKIE, ""))
        return next((who for token in tokens if (who := self._visitors.handle(channel.name, token))), "")

    def _stranger(self, channel: ChannelPolicy) -> Response:
        """The page is not known any more: it gets a token of its own to go on with, and loses no words."""
        mistake = "Load the page again; it does not know you."
        answer = {"mistake": mistake, "token": self._visitors.cookie(channel.name)}
        return JSONResponse(answer, 401, headers=_plain_headers("same-origin") | {"cache-control": "no-store"})

    # ── the page ──

    async def _page(self, request: Request) -> Response:
        found = self._channel(request)
        if found is None:
            return Response(status_code=404)
        channel, _ = found
        language = self._language(request)
        texts = {key: text for key, text in words(language).items() if isinstance(text, str)}
        texts |= {"heading": self._store.policy.name, "large": texts["large"].format(megabytes=MEGABYTES)}
        shown = {key: html.escape(text, quote=True) for key, text in texts.items()}
        page = Template((_PAGES / "chat.html").read_text(encoding="utf-8"))
        known = self._visitors.handle(channel.name, request.cookies.get(COOKIE, ""))
        token = request.cookies[COOKIE] if known else self._visitors.cookie(channel.name)
        body = page.substitute(
            shown, language=language, name=channel.name, longest=_LONGEST, largest=MEGABYTES << 20, token=token
        )  # fmt: skip
        response = Response(body, media_type="text/html; charset=utf-8", headers=self._headers(channel))
        if not known:
            self._introduce(response, token, channel, request)
        return response

    def _introduce(self, response: Response, token: str, channel: ChannelPolicy, request: Request) -> None:
        """Give a new visitor his cookie. Embedded in other sites' pages it must be allowed to travel there."""
        safe = self._is_https(request)
        abroad = safe and bool(channel.settings.origins)
        response.set_cookie(
            COOKIE, token, max_age=LIFE, path=f"/chat/{channel.name}", httponly=True,
            secure=safe, samesite="none" if abroad else "lax",
        )  # fmt: skip
        if abroad:
            response.headers["set-cookie"] += "; Partitioned"

    def _is_https(self, request: Request) -> bool:
        return request.url.scheme == "https" or self._store.policy.web.public_url.startswith("https://")

    def _headers(self, channel: ChannelPolicy) -> dict[str, str]:
        around = " ".join(("'self'", *channel.settings.origins))
        return {
            "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            "img-src 'self' blob:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "
            f"frame-ancestors {around}",
            "cache-control": "no-store",
            "permissions-policy": "camera=(), geolocation=(), microphone=()",
            "vary": "accept-language, cookie",
            **_plain_headers("same-origin" if not channel.settings.origins else "cross-origin"),
        }

    async def _asset(self, request: Request) -> Response:
        kind = _ASSETS.get(request.path_params["asset"])
        if kind is None or self._channel(request) is None:
            return Response(status_code=404)
        body = (_PAGES / request.path_params["asset"]).read_text(encoding="utf-8")
        if request.path_params["asset"] == "widget.js":
            texts = words(self._language(request))
            given = {key: texts[key] for key in ("title", "widget", "hide")}
            body = body.replace("/* words */ {}", msgspec.json.encode(given).decode().replace("</", "<\\/"))
        headers = _plain_headers(kind[1]) | {"cache-control": "max-age=300", "vary": "accept-language"}
        return Response(body, media_type=f"{kind[0]}; charset=utf-8", headers=headers)

    async def _icon(self, request: Request) -> Response:
        """What a browser asks every site for, whatever it shows."""
        headers = _plain_headers("cross-origin") | {"cache-control": "max-age=86400"}
        return Response((_PAGES / "icon.svg").read_bytes(), media_type="image/svg+xml", headers=headers)

    def _language(self, request: Request) -> str:
        return language_of(request.headers.get(_LANGUAGE, ""), self._store.policy.languages)

    # ── what the visitor says ──

    async def _message(self, request: Request) -> Response:
        found = self._channel(request)
        if found is None:
            return Response(status_code=404)
        channel, adapter = found
        if not self._is_own(request):
            return _told(403, "This page takes messages from its own address only.")
        visitor = self._visitor(request, channel)
        if not visitor:
            return self._stranger(channel)
        try:
            return await self._taken(request, channel.name, adapter, visitor)
        except TooLarge:
            return _told(413, f"A message with its pictures may have up to {MEGABYTES} MB.")
        except TooMany:
            return _told(503, "Too many pictures at the moment; try again soon.", {"retry-after": "5"})
        except ClientDisconnect:
            return Response(status_code=400)
        except OmnirouterError:
            return _told(503, "The desk cannot take messages at the moment; try again soon.", {"retry-after": "5"})
        except (ValueError, RecursionError, msgspec.DecodeError) as mistake:
            return _told(400, str(mistake) if isinstance(mistake, WrongPicture | _Mistake) else "This is no JSON.")

    async def _taken(self, request: Request, channel: str, adapter: Any, visitor: str) -> Response:
        """Take a message within its limits. Raises what its body, and what the log, have against it."""
        host, declared = self._host(request), request.headers.get("content-length", "")
        size = int(declared) if re.fullmatch(r"[0-9]{1,12}", declared) else 0
        wait = self._messages.wait(f"{channel} {visitor}") or self._limits.messages.wait(host)
        if wait:
            return _too_much("Too many messages; wait a moment.", wait)
        if wait := self._limits.sent.take(host, size):
            return _too_much("Too much for one day; come again tomorrow.", wait)
        async with self._bodies.of(request, _LARGEST) as body:
            if wait := self._limits.sent.take(host, max(0, len(body) - size)):
                return _too_much("Too much for one day; come again tomorrow.", wait)
            if not await self._stored.take(channel, visitor, len(body)):
                return _too_much("This chat holds as much as it may; write to the desk another way.", 86_400)
            wire = _wire(msgspec.json.decode(body), visitor, self._now(), self._language(request))
            verdict = adapter.take(msgspec.json.encode(wire), self._now(), wire["id"], visitor)
            return await take(verdict, channel, self._store, self._log, self._metrics, self._now)

    def _is_own(self, request: Request) -> bool:
        """Does the browser say that our own page asks? It always says so with a POST, and no page can change it."""
        origin = request.headers.get("origin", "")
        public = self._store.policy.web.public_url
        if public and origin == "://".join(urlsplit(public)[:2]):
            return True
        scheme, _, host = origin.partition("://")
        return scheme in ("http", "https") and host != "" and host == request.headers.get("host", "")

    # ── what the desk says ──

    async def _stream(self, request: Request) -> Response:
        found = self._channel(request)
        if found is None:
            return Response(status_code=404)
        channel, _ = found
        visitor = self._visitor(request, channel)
        if not visitor:
            return self._stranger(channel)
        host = self._host(request)
        if self._limits.streams[host] >= self._limits.most_streams:
            return _too_much("Too many open pages.", 10)
        if self._streams.total() >= _STREAMS or self._streams[visitor] >= _STREAMS_EACH:
            return _told(503, "Too many visitors at the moment.", {"retry-after": "10"})
        last = request.headers.get("last-event-id", "")
        after = int(last) if re.fullmatch(r"[0-9]{1,18}", last) else 0
        lines = self._lines(channel, visitor, host, after, self._language(request))
        headers = _plain_headers("same-origin") | {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(lines, media_type="text/event-stream", headers=headers)

    async def _lines(
        self, channel: ChannelPolicy, visitor: str, host: str, after: int, language: str
    ) -> AsyncIterator[str]:
        """Server-sent events: the chat behind `after`, then what comes; and when the desk answers, where it is
        closed."""
        database, bell = self._store.database, self._store.bell
        seen: set[int] = set()
        hours: str | None = None
        silent = 0.0
        self._streams[visitor] += 1
        self._limits.opened(host)
        if database.dialect != "sqlite":
            after = 0  # nodes take their numbers in blocks: the next message may have a lower one
        try:
            yield "retry: 2000\n\n"
            while not self._closing.is_set():
                rings, told = bell.rings, []
                closed = self._closed(channel, language)
                if closed != hours:
                    told.append(_event("hours", {"closed": closed}))
                    hours = closed
                present = await asyncio.to_thread(chat.numbers, database, channel.name, visitor)
                fresh = [n for n in present if n not in seen and (seen or n > after)]
                seen.update(present)
                for line in await asyncio.to_thread(chat.lines, database, visitor, fresh):
                    told.append(_event("message", msgspec.to_builtins(line), line.number))
                silent = 0.0 if told else silent + 1.0
                if silent >= _SILENCE:
                    told, silent = [": still here\n\n"], 0.0
                yield "".join(told)
                await bell.wait(1.0, rings)
                await asyncio.sleep(_BREATH)
        finally:
            self._limits.closed(host)
            self._streams[visitor] -= 1
            if not self._streams[visitor]:
                del self._streams[visitor]

    def _closed(self, channel: ChannelPolicy, language: str) -> str:
        if not channel.schedule:
            return ""
        return closed_words(self._store.policy.schedule(channel.schedule), self._now(), language)

    async def _file(self, request: Request) -> Response:
        found = self._channel(request)
        visitor = self._visitor(request, found[0]) if found else ""
        if found is None or not visitor:
            return Response(status_code=404)
        number, index = request.path_params["number"], request.path_params["index"]
        if number >= 1 << 63:
            return Response(status_code=404)
        file = await asyncio.to_thread(
            chat.file_of, self._store.database, found[0].name, visitor, number, index
        )  # fmt: skip
        if file is None:
            return Response(status_code=404)
        headers = _plain_headers("same-origin") | {"content-disposition": "attachment", "cache-control": "no-store"}
        return Response(file.content, media_type="application/octet-stream", headers=headers)


class _Mistake(ValueError):
    """The body is not what the page sends."""


def _wire(given: Any, visitor: str, now: datetime, language: str) -> dict[str, Any]:
    """The wire message of what the page sent."""
    if not isinstance(given, dict) or not _ID.fullmatch(str(given.get("id", ""))):
        raise _Mistake("id is missing; 32 hex digits would be right.")
    text, pictures = given.get("text", ""), given.get("pictures", [])
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise _Mistake(f"text is no text of at most {_LONGEST} characters.")
    if not isinstance(pictures, list) or len(pictures) > 3:
        raise _Mistake("pictures is no list of at most three.")
    wire: dict[str, Any] = {
        "id": given["id"],
        "sent_at": now.isoformat(),
        "sender": {"handle": visitor, "attributes": {"locale": language}},
        "text": text.strip(),
    }
    return wire | ({"attachments": [picture(one) for one in pictures]} if pictures else {})


def _event(kind: str, value: Any, number: int = 0) -> str:
    """One server-sent event; JSON has no line break of its own."""
    name = f"id: {number}\n" if number else ""
    return f"{name}event: {kind}\ndata: {msgspec.json.encode(value).decode()}\n\n"


def _too_much(sentence: str, wait: float) -> Response:
    return _told(429, sentence, {"retry-after": str(int(wait) + 1)})


def _told(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"mistake": sentence}, status, headers=_plain_headers("same-origin") | (headers or {}))


def _plain_headers(readers: str) -> dict[str, str]:
    return {
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-resource-policy": readers,
    }
