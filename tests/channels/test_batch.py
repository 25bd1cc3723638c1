"""One odd event never takes its batch down: the others are read as if it were not there, and it is named by its index.

The kinds of raws that hold many things: events of LINE, entries and changes of Meta, both forms of X's events, an
album of Telegram's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import load
from router.errors import InvalidPayload
from router.model import DeskEvent, Message
from router.ports import Channel, Raw, Translation

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SETTINGS: dict[str, dict[str, Any]] = {
    "line": {"channel_secrets": ["env:NO_SUCH"], "access_token": "env:NO_SUCH"},
    "messenger": {"app_secrets": ["env:NO_SUCH"], "verify_token": "env:NO_SUCH", "page_token": "env:NO_SUCH"},
    "x": dict.fromkeys(("consumer_key", "consumer_secret", "access_token", "access_token_secret"), "env:NO_SUCH"),
    "telegram": {"token": "env:NO_SUCH"},
}
STAMP = 1772438400123


def line(number: int) -> dict[str, Any]:
    """A follower's text."""
    return {
        "type": "message", "message": {"type": "text", "id": str(number), "text": f"第{number}句"}, "timestamp": STAMP,
        "source": {"type": "user", "userId": "U1"}, "webhookEventId": f"01{number}",
    }  # fmt: skip


def meta(number: int) -> dict[str, Any]:
    """A person's text to the page."""
    said = {"mid": f"m_{number}", "text": f"第{number}句"}
    return {"sender": {"id": "U1"}, "recipient": {"id": "P1"}, "timestamp": STAMP, "message": said}


def looked_up(number: int) -> dict[str, Any]:
    """An event of X's lookup."""
    return {"id": f"15828{number}", "event_type": "MessageCreate", "text": f"第{number}句", "sender_id": "9",
            "dm_conversation_id": "7-9", "created_at": "2026-03-02T08:00:00.000Z"}  # fmt: skip


def pushed(number: int) -> dict[str, Any]:
    """An event of X's webhook."""
    created = {"sender_id": "9", "target": {"recipient_id": "7"}, "message_data": {"text": f"第{number}句"}}
    return {"id": f"95449{number}", "type": "message_create", "created_timestamp": str(STAMP),
            "message_create": created}  # fmt: skip


def photo(number: int) -> dict[str, Any]:
    """A photo of an album."""
    sizes = [{"file_id": f"f{number}", "file_unique_id": f"u{number}", "file_size": 9}]
    post = {"message_id": number, "date": 1772438400, "chat": {"id": 5}, "from": {"id": 5, "first_name": "Wei"}}
    return {"update_id": number, "message": {**post, "media_group_id": "a1", "photo": sizes}}


#: Kind, one good part, the body around parts.
BATCHES: dict[str, tuple[str, Callable[[int], Any], Callable[[list[Any]], Any]]] = {
    "LINE": ("line", line, lambda parts: {"destination": "U0", "events": parts}),
    "Meta, an entry each": (
        "messenger", meta,
        lambda parts: {"object": "page", "entry": [{"id": "P1", "time": STAMP, "messaging": [one]} for one in parts]},
    ),
    "Meta, one entry": (
        "messenger", meta, lambda parts: {"object": "page", "entry": [{"id": "P1", "messaging": parts}]},
    ),
    "Meta, changes": (
        "messenger", lambda n: {"field": "messages", "value": meta(n)},
        lambda parts: {"object": "instagram", "entry": [{"id": "P1", "changes": parts}]},
    ),
    "X, lookup": ("x", looked_up, lambda parts: {"data": parts}),
    "X, webhook": ("x", pushed, lambda parts: {"for_user_id": "7", "direct_message_events": parts}),
    "Telegram, album": ("telegram", photo, lambda parts: parts),
}  # fmt: skip
#: JSON has no other numbers: a body with one is none, and no event in it can be told from another.
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def translate(kind: str, body: Any) -> Translation:
    """What the adapter makes of a body."""

    async def recall(key: str) -> str | None:
        return None

    async def remember(key: str, value: str) -> None:
        return None

    adapter = load(kind)
    table = adapter.Settings.model_validate(SETTINGS[kind])
    channel = Channel(name=kind, settings=table, recall=recall, remember=remember, now=lambda: NOW)
    raw = Raw(channel=kind, body=json.dumps(body).encode(), received_at=NOW)
    return Translation.of(adapter(channel).translate(raw))


def plain(found: list[Message | DeskEvent]) -> list[Message | DeskEvent]:
    """The messages whatever their place in the raw."""
    return [msgspec.structs.replace(one, index=0) for one in found]


def files(found: list[Message | DeskEvent]) -> list[str]:
    """The files of all messages."""
    return [file.url for one in found if isinstance(one, Message) for file in one.attachments]


@st.composite
def odd(draw: st.DrawFn, good: Any) -> Any:
    """Junk in place of a part, or a good part with one of its values exchanged for junk."""
    junk = draw(JUNK)
    if not isinstance(good, dict) or draw(st.booleans()):
        return junk
    name = draw(st.sampled_from(sorted(good)))
    inner = draw(odd(good[name])) if isinstance(good[name], dict) else junk
    return {**good, name: inner}


@pytest.mark.parametrize("name", BATCHES)
@given(data=st.data())
def test_the_good_ones_are_as_they_were(name: str, data: st.DataObject) -> None:
    """Junk at any place of a batch leaves the good events what they are without it, and never goes unsaid: it gives a
    message of its own, is named by its index, or says nothing."""
    kind, part, around = BATCHES[name]
    good = [part(number) for number in range(1, data.draw(st.integers(2, 4)))]
    place = data.draw(st.integers(0, len(good)))
    junk = data.draw(odd(part(9)))
    alone = plain(translate(kind, around(good)))
    found = translate(kind, around([*good[:place], junk, *good[place:]]))
    if name == "Telegram, album":
        assert [file for file in files(found) if file in files(alone)] == files(alone)
    else:
        assert [one for one in plain(found) if one in alone] == alone
    assert len({one.index for one in found} | {mistake.index for mistake in found.mistakes}) == len(found) + len(
        found.mistakes
    )
    assert all(mistake.index == place for mistake in found.mistakes)
    if not isinstance(junk, dict):
        assert [mistake.index for mistake in found.mistakes] == [place]


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_of_nothing_but_junk_tells_each(name: str) -> None:
    """Where nothing can be read, the raw is invalid, and its reason tells of every part."""
    kind, _, around = BATCHES[name]
    with pytest.raises(InvalidPayload) as caught:
        translate(kind, around([5, []]))
    assert caught.value.reason.strip()


def test_both_forms_of_one_raw_have_places_of_their_own() -> None:
    """A body with events of both forms names each by an index of its own."""
    found = translate("x", {"data": [looked_up(1), 5], "for_user_id": "7", "direct_message_events": [7, pushed(2)]})
    assert [one.index for one in found] == [0, 3]
    assert [mistake.index for mistake in found.mistakes] == [1, 2]
