"""How does a client learn what happens? By asking for events behind the last one, or by a stream of them.

The stream is server-sent events: `id` is the event's number, `event` its type, `data` the event with its words. It
begins behind `Last-Event-ID` (or `after`), else with what comes; what is no longer kept is told by one `reset`, after
which the client loads anew. Each account has a few streams at a time; one ends when its session or token does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from typing_extensions import TypedDict

from router.account import Account, Caller
from router.desk import Ledger
from router.desk.reads import feed
from router.errors import OmnirouterError, TooOften
from router.forms import FeedItem
from router.store import is_transient
from workers.http.api.callers import Callers
from workers.http.api.forms import LARGEST

__all__ = ["event_routes"]

_PAGE = 200
#: Streams of one account at a time, and of all.
_EACH, _ALL = 16, 1_000
#: Seconds between looks without a ring, of silence before a line that keeps the connection, and between two looks at
#: whether the caller may still come in.
_POLL, _SILENCE, _RECHECK = 1.0, 15, 30
_Last = Annotated[int, Query(ge=0, le=LARGEST)]


class Events(TypedDict):
    """A page of events; `next` is the number to go on from."""

    items: list[FeedItem]
    next: int


def event_routes(store: Ledger, now: Callable[[], datetime], callers: Callers, closing: asyncio.Event) -> APIRouter:
    """`/events` and `/stream`."""
    routes = APIRouter(tags=["events"])
    open_streams: Counter[str] = Counter()

    @routes.get("/events", operation_id="events")
    def events(
        after: _Last = 0,
        limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE,
        who: Caller = Depends(callers.may("event:list")),
    ) -> Events:
        """The events behind a number, oldest first; those that I may see."""
        found, last = feed.page(store, who.account, after, limit)
        return {"items": found, "next": last}

    @routes.get(
        "/stream",
        operation_id="stream",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def stream(
        request: Request, after: _Last | None = None, who: Caller = Depends(callers.may("stream"))
    ) -> StreamingResponse:
        """Events as they happen."""
        if open_streams[who.account.name] >= _EACH or open_streams.total() >= _ALL:
            raise TooOften("Too many streams are open; close one.", until=now())
        said = request.headers.get("last-event-id", "")
        last = int(said) if said.isascii() and said.isdigit() and len(said) < 19 else after
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(lines(request, who.account, last), media_type="text/event-stream", headers=headers)

    async def lines(request: Request, account: Account, last: int | None) -> AsyncIterator[str]:
        open_streams[account.name] += 1
        try:
            position, lost = await asyncio.to_thread(feed.start, store, last)
            yield "retry: 2000\n\n" + (_event("reset", position, {"seq": position}) if lost else "")
            quiet = looks = 0
            while not closing.is_set():
                rings = store.bell.rings
                found, onward = await _page(store, account, position)
                moved, position = onward != position, onward
                quiet, looks = 0 if found else quiet + 1, looks + 1
                yield "".join(_event(item["type"], item["seq"], item) for item in found)
                if quiet >= _SILENCE:
                    yield ": still here\n\n"
                    quiet = 0
                if looks % _RECHECK == 0 and not await asyncio.to_thread(_still, callers, request, account):
                    return
                if not moved:
                    await store.bell.wait(_POLL, rings)
        finally:
            open_streams[account.name] -= 1
            if not open_streams[account.name]:
                del open_streams[account.name]

    return routes


async def _page(store: Ledger, account: Account, last: int) -> tuple[list[FeedItem], int]:
    """The next events; none while the ledger is away: the stream goes on when it is back."""
    try:
        return await asyncio.to_thread(feed.page, store, account, last, _PAGE)
    except Exception as failure:
        if not is_transient(failure):
            raise
        await asyncio.sleep(_POLL)
        return [], last


def _still(callers: Callers, request: Request, account: Account) -> bool:
    """May the caller still come in, as the same account with the same reach?"""
    try:
        return callers.of(request).account == account
    except OmnirouterError:
        return False


def _event(kind: str, number: int, value: object) -> str:
    return f"id: {number}\nevent: {kind}\ndata: {msgspec.json.encode(value).decode()}\n\n"
