"""How does a call to the Bot API travel, and what is read of its answer before the library sees it?

In: the library's request. Out: status and body as the library expects them, or an error that says more than its own.
The library never sees the bot's token: it works with a placeholder, and the transport puts the token into the address
at the last moment, so no log line, error or repr of it can show one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import msgspec
from telegram.error import BadRequest, NetworkError, TelegramError
from telegram.request import HTTPXRequest

from adapters.kit.http import tell_date

__all__ = [
    "NOTHING_LEFT",
    "PLACEHOLDER",
    "CallRequest",
    "Flood",
    "ServerFault",
    "Unreadable",
    "Updates",
    "UpdatesRequest",
    "transport",
]

PLACEHOLDER: Final = "0:placeholder"
#: Faults at which no byte of the request can have reached Telegram.
NOTHING_LEFT: Final = (
    httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol,
)  # fmt: skip


class Flood(TelegramError):
    """Telegram asks to wait `seconds` (the library's own class for it warns on every use)."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait {seconds} s")
        self.seconds = seconds


class ServerFault(NetworkError):
    """An answer with a status of 500 or more."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class Unreadable(NetworkError):
    """An answer of success that is none of the Bot API's."""


class _Parameters(msgspec.Struct):
    retry_after: int = 0
    migrate_to_chat_id: int = 0


class _Failure(msgspec.Struct):
    description: str = ""
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


class _Success(msgspec.Struct):
    result: msgspec.Raw


class Updates(msgspec.Struct):
    result: list[msgspec.Raw]


class Keyed(httpx.AsyncBaseTransport):
    """Puts the token into the address of each request; what the client logs and raises holds the placeholder. `heard`
    is told the time of each answer."""

    def __init__(
        self, token: str, inner: httpx.AsyncBaseTransport, heard: Callable[[datetime], object] = lambda _: None
    ) -> None:
        self._token = token.encode()
        self._inner = inner
        self._heard = heard

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.replace(PLACEHOLDER.encode(), self._token, 1)
        keyed = httpx.Request(
            request.method,
            request.url.copy_with(raw_path=path),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        answer = await self._inner.handle_async_request(keyed)
        tell_date(answer.headers, self._heard)
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


class CallRequest(HTTPXRequest):
    """The library's request, which sorts failures by status and logs no answer's content."""

    def __init__(self, secret: str, read_timeout: float, transport: httpx.AsyncBaseTransport) -> None:
        super().__init__(read_timeout=read_timeout, pool_timeout=20.0, httpx_kwargs={"transport": transport})
        self._secret = secret.encode()

    async def do_request(self, *call: Any, **options: Any) -> tuple[int, bytes]:
        """Raise for what the library cannot tell apart; else give status and body, as it expects."""
        status, body = await super().do_request(*call, **options)
        if status >= 400:
            return status, _failure(status, body.replace(self._secret, b"***"))
        try:
            msgspec.json.decode(body, type=_Success)
        except (msgspec.DecodeError, RecursionError):
            raise Unreadable("the answer is not the Bot API's") from None
        return status, body


class UpdatesRequest(CallRequest):
    """Keeps the answer's bytes and shows the library none, so that no update can trip its parsing."""

    kept: bytes = b""

    async def do_request(self, *call: Any, **options: Any) -> tuple[int, bytes]:
        """As above, for getUpdates only."""
        status, self.kept = await super().do_request(*call, **options)
        return status, self.kept if status >= 400 else b'{"ok":true,"result":[]}'


def _failure(status: int, body: bytes) -> bytes:
    """The body of a refusal as the library reads it; raises where its own classes say too little."""
    if status >= 500:
        raise ServerFault(status)
    try:
        failure = msgspec.json.decode(body, type=_Failure)
    except (msgspec.DecodeError, RecursionError):
        failure = _Failure()
    if failure.parameters.retry_after or status == 429:
        raise Flood(failure.parameters.retry_after or 30)
    if status not in (400, 401, 403, 404, 409):
        raise BadRequest(failure.description or f"HTTP {status}")
    return body if failure.description else b"{}"


def transport(
    token: str, base_url: str, heard: Callable[[datetime], object] = lambda _: None
) -> httpx.AsyncBaseTransport:
    """The way to the Bot API at this address, with this token."""
    return Keyed(token, httpx.AsyncHTTPTransport(proxy=_proxy(base_url)), heard)


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for this address; an own transport has to look for it itself."""
    parts = urlsplit(url)
    proxies = getproxies()
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")
