"""What a platform sends in part: an event that cannot be read, a message that is announced without its content.

The daemon runs with a Graph server on this machine; Meta's and LINE's requests come signed, over HTTP.
"""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from router.desk.replay import replay, replay_raw
from router.errors import Refused
from router.model import Redelivery
from router.store.set_aside import drop, listed, raws_between
from workers.daemon import announced

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CHATS = Path(__file__).parents[1] / "data" / "chats"
SECRET = "0123456789abcdef0123456789abcdef"
DESK = """
[channels.instagram]
adapter = "messenger"
platform = "instagram"
app_secrets = ["env:APP_SECRET"]
verify_token = "env:APP_SECRET"
page_token = "env:APP_SECRET"
graph_url = "{graph}"
page_id = "P1"
[channels.line]
adapter = "line"
channel_secrets = ["env:APP_SECRET"]
access_token = "env:APP_SECRET"
[[queues]]
name = "general"
[defaults]
queue = "general"
"""
#: What Graph tells of the announced message.
TOLD = {
    "id": "m9", "created_time": "2026-03-02T07:59:00+0000", "from": {"id": "U1", "username": "wei"},
    "to": {"data": [{"id": "P1"}]}, "message": "我的退款 300 元还没到",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret, and no pause between two attempts."""
    monkeypatch.setenv("APP_SECRET", SECRET)
    monkeypatch.setattr(announced, "_FIRST_PAUSE", 0.01)


async def posted(desk: Any, channel: str, body: bytes) -> None:
    """Send a body as its platform does: signed."""
    digest = hmac.new(SECRET.encode(), body, "sha256").digest()
    headers = {"x-hub-signature-256": f"sha256={digest.hex()}", "x-line-signature": base64.b64encode(digest).decode()}
    answer = await desk.http.post(f"/channels/{channel}", content=body, headers=headers)
    assert answer.status_code == 200


def answered(status: int, content: Any) -> tuple[int, dict[str, str], bytes]:
    """An answer of Graph's."""
    return status, {}, json.dumps(content).encode()


def refusal(code: int, status: int = 400) -> tuple[int, dict[str, str], bytes]:
    """Graph's way to say no."""
    return answered(status, {"error": {"message": "no", "type": "GraphMethodException", "code": code}})


def aside(desk: Any) -> list[tuple[int, str, str, str]]:
    """What was set aside: index, kind, state, reason."""
    return [(one["item"], one["kind"], one["state"], one["reason"]) for one in listed(desk.store, closed=True)]


async def test_a_dropped_part_takes_no_other_out_of_a_replay(open_desk: Any, receiver: Any) -> None:
    """Who drops the odd one of a batch still has its good ones decided again with their channel."""
    async with open_desk(DESK.format(graph=receiver.url), NOW) as desk:
        await posted(desk, "line", (CHATS / "l03-batch-one-odd.json").read_bytes())
        await desk.stored(1)
        drop(desk.store, next(listed(desk.store))["id"])
        ((partition, position),) = raws_between(desk.store, "line", NOW, NOW + timedelta(days=1))
        translate = desk.daemon.channels.translate
        (again,) = replay_raw(desk.store, (partition, position), translate, NOW)
        assert isinstance(again, Redelivery)


async def test_an_announced_message_is_fetched_until_it_comes(open_desk: Any, receiver: Any) -> None:
    """Instagram announces a message without words; Graph, down at first, gives them, and the customer waits from then
    on when he wrote. The very message that comes later by webhook too is a redelivery."""
    receiver.answers = [(500, {}, b""), answered(200, TOLD)]
    async with open_desk(DESK.format(graph=receiver.url), NOW) as desk:
        await posted(desk, "instagram", (CHATS / "m09b-edit-zero-real.json").read_bytes())
        (message,) = await desk.stored(1)
        assert (message["text"], message["class"], message["external_id"]) == (TOLD["message"], "first", "U1:m9")
        assert message["sent_at"] == "2026-03-02T07:59:00Z"
        await desk.until(lambda: [one for one in aside(desk) if one[2] == "replayed"])
        await posted(desk, "instagram", (CHATS / "m09a-first.json").read_bytes())
        await desk.decided()
        assert len(desk.messages()) == 1
    paths = {asked.path.partition("?")[0] for asked in receiver.asked}
    assert (paths, len(receiver.asked)) == ({"/m9"}, 2)


async def test_an_edit_that_is_announced_is_the_edit(open_desk: Any, receiver: Any) -> None:
    """The new words of a message that is known correct it in its conversation, and open none of their own."""
    receiver.answers = [answered(200, {**TOLD, "message": "我的退款 500 元还没到"})]
    edit = {"timestamp": 1772438400200, "message_edit": {"mid": "m9", "num_edit": "2"}}
    body = json.dumps({"object": "instagram", "entry": [{"id": "P1", "messaging": [edit]}]}).encode()
    async with open_desk(DESK.format(graph=receiver.url), NOW) as desk:
        await posted(desk, "instagram", (CHATS / "m09a-first.json").read_bytes())
        await posted(desk, "instagram", body)
        messages = await desk.stored(2)
        assert {message["external_id"] for message in messages} == {"U1:m9", "U1:m9:edit:2"}
        assert "我的退款 500 元还没到" in {message["text"] for message in messages}
        assert len(desk.conversations()) == 1


async def test_what_is_no_more_there_is_left_to_a_person(open_desk: Any, receiver: Any) -> None:
    """A message that Graph does not give is invalid, with its reason, and the others of its batch are decided."""
    receiver.answers = [refusal(100)]
    batch = json.loads((CHATS / "m09b-edit-zero-real.json").read_bytes())
    words = json.loads((CHATS / "m02-story-reply.json").read_bytes())
    batch["entry"][0]["messaging"] += words["entry"][0]["messaging"]
    async with open_desk(DESK.format(graph=receiver.url), NOW) as desk:
        await posted(desk, "instagram", json.dumps(batch).encode())
        assert [m["text"] for m in await desk.stored(1)] == ["这个活动怎么没到账"]
        ((item, _, state, reason),) = await desk.until(lambda: [one for one in aside(desk) if one[1] == "invalid"])
        assert (item, state, reason) == (0, "open", "Meta announced a message and does not give it (400).")


async def test_a_wrong_token_forgets_nothing(open_desk: Any, receiver: Any) -> None:
    """While Graph refuses the token the message waits, listed with the reason; after a restart it is fetched."""
    receiver.answers = [refusal(190, 401), answered(200, TOLD)]
    async with open_desk(DESK.format(graph=receiver.url), NOW) as desk:
        await posted(desk, "instagram", (CHATS / "m09-edit-zero.json").read_bytes())
        ((item, kind, state, _),) = await desk.until(lambda: [one for one in aside(desk) if "page_token" in one[3]])
        assert (item, kind, state, desk.messages()) == (0, "announced", "open", [])
        number = next(listed(desk.store))["id"]
        with pytest.raises(Refused, match="announced without its content"):
            replay(desk.store, number, desk.daemon.channels.translate, NOW)
    async with open_desk(DESK.format(graph=receiver.url), NOW) as desk:
        assert [m["text"] for m in await desk.stored(1)] == [TOLD["message"]]


async def test_the_odd_one_of_a_batch_is_set_aside_by_its_index(open_desk: Any, receiver: Any) -> None:
    """Of LINE's two events the good one is a conversation, and the odd one is listed by its index; to replay it tells
    the reason again and doubles nothing. Another page's event is an explicit unknown."""
    async with open_desk(DESK.format(graph=receiver.url), NOW) as desk:
        await posted(desk, "line", (CHATS / "l03-batch-one-odd.json").read_bytes())
        assert [m["text"] for m in await desk.stored(1)] == ["充值没到账"]
        ((item, kind, state, reason),) = aside(desk)
        assert (item, kind, state) == (1, "invalid", "open")
        assert reason.startswith("Event 1: This is no event of LINE: Expected `str`, got `int`")
        number = next(listed(desk.store))["id"]
        with pytest.raises(Refused, match="stays set aside: Event 1"):
            replay(desk.store, number, desk.daemon.channels.translate, NOW)
        assert len(desk.messages()) == 1
        other = (CHATS / "m07-standby.json").read_bytes().replace(b'"id": "P1",\n   "time"', b'"id": "P2",\n   "time"')
        await posted(desk, "instagram", other)
        told = await desk.stored(2)
        assert told[-1]["text"] == "An event of page P2; this channel is of page_id P1 alone."
        assert [one for one in aside(desk) if "page" in one[3]] == []
