"""Calls to providers end in an answer or in the error that says whether trying again can help, and leak nothing."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.kit.http import LARGEST, Caller, not_now, throttled
from adapters.kit.http import Response as Answered
from adapters.kit.settings import credential
from router.errors import BadSettings, OutcomeUnknown, SendUnreachable
from router.secret import Secret

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


async def plain(request: HttpRequest) -> Response:
    """An answer without anything special."""
    return PlainTextResponse("ok")


async def huge(request: HttpRequest) -> Response:
    """An answer of four MiB."""
    return Response(bytes(4 << 20))


async def never(request: HttpRequest) -> Response:
    """No answer at all, until the caller leaves."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return PlainTextResponse("too late")


APP = Starlette(
    routes=[
        Route("/plain", plain, methods=["GET", "POST"]),
        Route("/huge", huge, methods=["GET"]),
        Route("/never", never, methods=["POST"]),
    ]
)


async def test_tokens_in_addresses_stay_out_of_the_log(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The HTTP library's log tells what was called, without the query that may hold a token."""
    caplog.set_level(logging.DEBUG)
    async with serve(APP) as url:
        caller = Caller("The provider")
        answer = await caller.call("POST", f"{url}/plain", params={"access_token": "SECRET-TOKEN"})
        await caller.close()
    assert (answer.status, answer.body) == (200, b"ok")
    written = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("httpx"))
    assert f"{url}/plain" in written
    assert "SECRET-TOKEN" not in "\n".join(record.getMessage() for record in caplog.records if "httpx" in record.name)


async def test_a_huge_answer_is_cut(serve: Any) -> None:
    """No answer fills the memory."""
    async with serve(APP) as url:
        caller = Caller("The provider")
        answer = await caller.ask("GET", f"{url}/huge")
        await caller.close()
    assert len(answer.body) == LARGEST
    assert answer.fields == {}


async def test_who_never_answers_is_left(serve: Any) -> None:
    """A provider that takes the call and says nothing is left after the time that was given."""
    async with serve(APP) as url:
        caller = Caller("The provider", whole=0.05)
        with pytest.raises(OutcomeUnknown, match="gave no answer"):
            await caller.call("POST", f"{url}/never")
        with pytest.raises(SendUnreachable, match="tried again"):
            await caller.ask("POST", f"{url}/never")
        await caller.close()
        await caller.close()


@pytest.mark.parametrize("url", ["nonsense", "ftp://a.example/", "http://a.example:port/", "http://[::1/"])
async def test_an_address_that_is_none_stops_the_channel(url: str) -> None:
    """What cannot be called is a matter of settings."""
    caller = Caller("The provider")
    with pytest.raises(BadSettings, match="check the channel's URL"):
        await caller.call("GET", url)
    await caller.close()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("-5", 0),
        ("1e9", 86_400),
        ("Mon, 02 Mar 2026 08:05:00 GMT", 300),
        ("Mon, 02 Mar 2026 07:00:00 GMT", 0),
        ("soon", 60),
        ("nan", 60),
        ("inf", 60),
        ("", 60),
    ],
)
def test_how_long_to_wait_is_believed_within_reason(header: str, seconds: int) -> None:
    """Seconds and dates are understood; nonsense means a minute, and nobody makes us wait more than a day."""
    error = throttled("The provider", Answered(status=429, headers={"retry-after": header}), NOW)
    assert error.until == NOW + timedelta(seconds=seconds)


def test_a_gateways_silence_is_nobodys_knowledge() -> None:
    """A failing server is tried again; behind a gateway that gave up waiting the message may have arrived."""
    assert isinstance(not_now("The provider", Answered(status=502)), SendUnreachable)
    assert isinstance(not_now("The provider", Answered(status=504)), OutcomeUnknown)


def test_an_unset_credential_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the channel and the reference, never a value."""
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(BadSettings, match=r"channel facebook: .*NOT_SET"):
        credential(Secret.of("env:NOT_SET"), "facebook")


async def test_cancelling_a_call_is_no_error_of_the_provider(serve: Any) -> None:
    """Shutting down in the middle of a call cancels it and blames nobody."""
    async with serve(APP) as url:
        caller = Caller("The provider")
        task = asyncio.ensure_future(caller.call("POST", f"{url}/never"))
        await caller.call("GET", f"{url}/plain")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await caller.close()
