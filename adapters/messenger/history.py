"""What did an outage, a first start or an announcement leave out? A page's conversations, as Graph still has them.

In: two instants, or the id of one message that was announced without its content. Out: bodies in the form of Meta's own
webhook events, so that what came by webhook too is the same message. Graph gives the details of the 20 newest messages
of a conversation; older ones stay out of reach.
Source: developers.facebook.com, "Conversations API for Messenger Platform".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

from adapters.kit.http import Caller
from adapters.messenger import graph
from adapters.messenger.event import EDIT
from router.errors import BadSettings, SendRejected, SendUnreachable, Throttled, Unreachable

__all__ = ["MESSAGE", "Ask", "announced", "asked", "bodies"]

Ask: TypeAlias = Callable[[str, Mapping[str, str]], Awaitable[dict[str, Any]]]

#: What Graph is asked to tell of a message.
MESSAGE: Final = "id,created_time,from,to,message,attachments{mime_type,name,image_data,video_data,file_url}"
_FIELDS: Final = f"updated_time,messages.limit(20){{{MESSAGE}}}"


async def bodies(ask: Ask, platform: str, since: datetime, until: datetime | None) -> AsyncIterator[bytes]:
    """One body a page of conversations, messages from `since` to before `until`, oldest first within it."""
    owner = (await ask("/me", {"fields": "id"})).get("id")
    if not isinstance(owner, str):
        raise Unreachable("Graph did not say whose token it is; try again.")
    query = {"platform": platform, "fields": _FIELDS, "limit": "25"}
    while True:
        page = await ask("/me/conversations", query)
        threads = [thread for thread in _list(page) if isinstance(thread, dict)]
        events = [event for thread in threads for event in _events(thread, owner, since, until)]
        if events:
            events.sort(key=lambda event: int(event["timestamp"]))
            yield _body(platform, owner, events)
        older = [at for at in (_instant(thread.get("updated_time")) for thread in threads) if at and at < since]
        after = _after(page.get("paging"))
        if older or not threads or not after:
            return
        query["after"] = after


def announced(key: str, told: dict[str, Any], platform: str, owner: str) -> bytes:
    """The body of the event that announced this message without its content, with what Graph told of it.

    `key` is the id, of an edit with its number; `owner` the page's own id. Raises SendRejected where Graph told none.
    """
    mid, _, number = key.partition(EDIT)
    at = _instant(told.get("created_time"))
    event = _event(told, owner, at) if at is not None else {}
    sender = event.get("sender", {}).get("id")
    if not isinstance(sender, str) or not sender or told.get("id", mid) != mid:
        raise SendRejected("Meta gave no message under the id that it announced.")
    if number:
        edit = {"mid": mid, "text": told.get("message") or "", "num_edit": int(number) if number.isdigit() else number}
        event = {**event, "message_edit": edit}
        del event["message"]
    else:
        event["message"]["mid"] = mid
    return _body(platform, owner, [event])


def _body(platform: str, owner: str, events: list[dict[str, Any]]) -> bytes:
    entry = {"id": owner, "time": events[-1]["timestamp"], "messaging": events}
    return json.dumps({"object": "page" if platform == "messenger" else platform, "entry": [entry]}).encode()


async def asked(
    caller: Caller, url: str, headers: Mapping[str, str], query: Mapping[str, str], now: Callable[[], datetime]
) -> dict[str, Any]:
    """The answer to one question; waits where Graph says so. Raises Unreachable or BadSettings."""
    while True:
        try:
            response = await caller.ask("GET", url, headers=headers, params=query)
        except SendUnreachable as error:
            raise Unreachable(str(error)) from error
        if response.status == 200:
            return response.fields
        failure = graph.failure(response, now())
        if isinstance(failure, BadSettings):
            raise failure
        if not isinstance(failure, Throttled):
            raise Unreachable(str(failure))
        await asyncio.sleep((failure.until - now()).total_seconds())


def _after(paging: Any) -> str:
    """The cursor of the next page, empty behind the last one."""
    cursors = paging.get("cursors") if isinstance(paging, dict) and "next" in paging else None
    after = cursors.get("after") if isinstance(cursors, dict) else None
    return after if isinstance(after, str) else ""


def _list(holder: Any) -> list[Any]:
    found = holder.get("data") if isinstance(holder, dict) else None
    return found if isinstance(found, list) else []


# {"id": "m_…", "created_time": "2026-03-01T08:00:00+0000", "from": {"name": "…", "id": "<PSID>"},
#  "to": {"data": [{"name": "…", "id": "<PAGE_ID>"}]}, "message": "…",
#  "attachments": {"data": [{"mime_type": "image/png", "name": "…", "image_data": {"url": "…"}}]}}
def _events(thread: dict[str, Any], owner: str, since: datetime, until: datetime | None) -> list[dict[str, Any]]:
    """The messages of a conversation between the two instants, each as the webhook would have told it."""
    events = []
    for one in _list(thread.get("messages")):
        at = _instant(one.get("created_time")) if isinstance(one, dict) else None
        if at is None or at < since or (until is not None and at >= until):
            continue
        events.append(_event(one, owner, at))
    return events


def _event(one: dict[str, Any], owner: str, at: datetime) -> dict[str, Any]:
    """A message as the webhook would have told it."""
    named = one.get("from")
    sender = named if isinstance(named, dict) else {}
    recipients = [party for party in _list(one.get("to")) if isinstance(party, dict)]
    message = {"mid": one.get("id"), "text": one.get("message") or None, "attachments": _files(one)}
    if sender.get("id") == owner:
        message["is_echo"] = True
    recipient = {"id": recipients[0].get("id") if recipients else owner}
    stamp = round(at.timestamp() * 1000)
    return {"sender": {"id": sender.get("id")}, "recipient": recipient, "timestamp": stamp, "message": message}


def _files(one: dict[str, Any]) -> list[dict[str, Any]]:
    files = []
    for file in _list(one.get("attachments")):
        if not isinstance(file, dict):
            continue
        kind = str(file.get("mime_type", "")).partition("/")[0]
        places = [file.get("image_data"), file.get("video_data"), {"url": file.get("file_url")}]
        urls = [place.get("url") for place in places if isinstance(place, dict)]
        url = next((url for url in urls if isinstance(url, str)), None)
        files.append({"type": kind if kind in ("image", "video", "audio") else "file", "payload": {"url": url}})
    return files


def _instant(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else None
