"""How does a channel call its provider's HTTP interface, and what became of the call?

In: a method, an address, a body. Out: a `Response`, or one of the send errors that say whether trying again can help:
nothing left (`SendUnreachable`), bytes left and no answer came (`OutcomeUnknown`). Redirects are not followed, answers
are read up to a limit, and no address with its query, which may hold a token, gets into httpx's own log.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from router.errors import (
    BadSettings,
    InvalidPayload,
    OutcomeUnknown,
    SendError,
    SendRejected,
    SendUnreachable,
    Throttled,
)
from router.ports import Answer, Delivery
from router.value import Value

if TYPE_CHECKING:
    import httpx

__all__ = [
    "Caller",
    "Response",
    "failure",
    "json_bytes",
    "mistakes_told",
    "no_deliveries",
    "not_now",
    "tell_date",
    "throttled",
]


#: Seconds to connect, and seconds for a whole call.
CONNECT, WHOLE = 10.0, 30.0
#: Bytes of an answer that are read.
LARGEST = 1 << 20
#: Seconds to wait when a provider says "too much" and not how long; and the longest that is believed.
UNSAID_WAIT, LONGEST_WAIT = 60.0, 86_400.0


class _NoQueries(logging.Filter):
    """httpx logs each address in full; tokens stand in the query of some providers' addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        import httpx

        if isinstance(record.args, tuple):
            record.args = tuple(a.copy_with(query=None) if isinstance(a, httpx.URL) else a for a in record.args)
        return True


logging.getLogger("httpx").addFilter(_NoQueries())


class Response(Value, frozen=True, kw_only=True):
    """What the provider answered."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""

    @property
    def fields(self) -> dict[str, Any]:
        """The answer as a JSON object; empty where it is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


class Caller:
    """One HTTP client of a channel, opened at the first call. `heard` is told the provider's time of each answer."""

    def __init__(
        self, provider: str, whole: float = WHOLE, heard: Callable[[datetime], object] = lambda _: None
    ) -> None:
        self._provider = provider
        self._whole = whole
        self._heard = heard
        self._client: httpx.AsyncClient | None = None

    async def call(self, method: str, url: str, **content: Any) -> Response:
        """Make one call (keywords as httpx takes them). Raises SendUnreachable, OutcomeUnknown or BadSettings."""
        import httpx  # not at the top: commands that only read a configuration load this module too

        if self._client is None:
            timeout = httpx.Timeout(self._whole, connect=CONNECT)
            self._client = httpx.AsyncClient(timeout=timeout, headers={"accept-encoding": "identity"})
        try:
            async with asyncio.timeout(self._whole + CONNECT):
                return await self._read(self._client, method, url, content)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise SendUnreachable(f"{self._provider} could not be reached; it is tried again.") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
            raise BadSettings(f"The address of {self._provider} cannot be called: check the channel's URL.") from error
        except (httpx.RequestError, TimeoutError) as error:
            raise OutcomeUnknown(
                f"{self._provider} took the call and gave no answer: look whether the customer has the reply."
            ) from error

    async def ask(self, method: str, url: str, **content: Any) -> Response:
        """Make a call that changes nothing, so that a lost answer only means: later. Raises as `call`."""
        try:
            return await self.call(method, url, **content)
        except OutcomeUnknown as error:
            raise SendUnreachable(f"{self._provider} gave no answer; it is tried again.") from error

    async def _read(self, client: httpx.AsyncClient, method: str, url: str, content: dict[str, Any]) -> Response:
        async with client.stream(method, url, **content) as response:
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST:
                    break
            tell_date(response.headers, self._heard)
            return Response(status=response.status_code, headers=response.headers, body=body[:LARGEST])

    async def close(self) -> None:
        """Close the connections. Safe to call twice."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def tell_date(headers: Mapping[str, str], heard: Callable[[datetime], object]) -> None:
    """Tell when an answer says that it was given; one without a date, or without its zone, says nothing."""
    with contextlib.suppress(ValueError):
        heard(parsedate_to_datetime(headers.get("date", "")).astimezone(UTC))


def throttled(provider: str, response: Response, now: datetime, unsaid: float = UNSAID_WAIT) -> Throttled:
    """The provider asks to wait: until its Retry-After (seconds or a date), else for `unsaid` seconds."""
    wait = _seconds(response.headers.get("retry-after", ""), now)
    until = now + timedelta(seconds=min(wait if wait is not None else unsaid, LONGEST_WAIT))
    return Throttled(f"{provider} takes no more until {until.astimezone(UTC):%H:%M:%S} UTC.", until=until)


def _seconds(text: str, now: datetime) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def not_now(provider: str, response: Response) -> SendUnreachable | OutcomeUnknown:
    """A server's error: try later; behind a gateway that gave up waiting nobody knows."""
    if response.status == 504:
        return OutcomeUnknown(f"{provider}'s gateway gave up waiting (504): look whether the customer has the reply.")
    return SendUnreachable(f"{provider} has a failure of its own ({response.status}); it is tried again.")


def failure(provider: str, response: Response, now: datetime) -> SendError:
    """What a refused call means where the provider keeps to HTTP's own meaning of its status codes: too fast (429), a
    failure of its own (5xx), a token or permission that is wrong (401, 403), else a reply that it does not take."""
    if response.status == 429:
        return throttled(provider, response, now)
    if response.status >= 500:
        return not_now(provider, response)
    if response.status in (401, 403):
        return BadSettings(f"{provider} refuses the channel's credentials ({response.status}): check them.")
    return SendRejected(f"{provider} does not take this reply ({response.status}).")


async def no_deliveries() -> AsyncIterator[Delivery]:
    """The loop of a channel that has none: it ends at once."""
    nothing: tuple[Delivery, ...] = ()
    for delivery in nothing:
        yield delivery


def json_bytes(value: Any) -> bytes:
    """JSON in UTF-8, without spaces; Chinese as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def mistakes_told(mistakes: Sequence[InvalidPayload]) -> Answer:
    """The 400 that tells every mistake of a body: index, path, sentence."""
    told = [{"index": m.index, "path": m.path, "mistake": m.reason} for m in mistakes]
    return Answer(status=400, body=json_bytes({"accepted": 0, "mistakes": told}), content_type="application/json")
