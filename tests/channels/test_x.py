"""X: direct messages come in once and in order, by lookup, webhook or both, and the desk's answers reach the customer.

The server is that of `tests/platforms/x.py`. Payloads follow the documentation of Direct Messages and "Account Activity
data objects".
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import logging
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from platforms.x import CUSTOMER, DESK, KEYS, NOW, SECRETS, Api2, event
from starlette.responses import JSONResponse, Response
from structlog.testing import capture_logs

from adapters.x.channel import X, adapter
from router.errors import (
    BadSettings,
    InvalidPayload,
    OutcomeUnknown,
    SendRejected,
    SendUnreachable,
    Throttled,
    Unreachable,
)
from router.model import Attachment, Direction, Message
from router.ports import Accepted, Answer, Delivery, Raw, Refused, Reply, Request
from router.testing import RouteContract


def problem(status: int, detail: str, **headers: str) -> Response:
    """X's way to say no."""
    told = {"title": detail, "detail": detail, "type": "about:blank", "status": status}
    return JSONResponse(
        told, status_code=status, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


@pytest.fixture
async def api(serve: Any) -> AsyncIterator[Api2]:
    """A running server."""
    server = Api2()
    async with serve(server.app) as url:
        server.url = url  # type: ignore[attr-defined]
        yield server


@pytest.fixture
async def account(open_channel: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., X]]:
    """`account(api)`: the adapter of a channel `x` at that server, closed at the end."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    opened: list[X] = []

    def build(server: Any = None, **settings: Any) -> X:
        url = "http://127.0.0.1:9" if server is None else getattr(server, "url", server)
        known = {key: settings.pop(key) for key in ("memory", "now") if key in settings}
        channel = open_channel(X, "x", **known, **{**KEYS, "base_url": url, "poll": "1h", **settings})
        opened.append(X(channel))
        return opened[-1]

    yield build
    for one in opened:
        await one.close()


def raw(content: dict[str, Any] | bytes, **meta: str) -> Raw:
    """What X sent, as the log keeps it."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Raw(channel="x", body=body, received_at=NOW, meta=meta)


def translated(content: dict[str, Any] | bytes, **meta: str) -> list[Message]:
    """The messages of a raw; translating needs neither a key nor the SDK."""
    channel: Any = type("Opened", (), {"name": "x", "settings": X.Settings(**KEYS)})()
    messages = X(channel).translate(raw(content, **meta))
    assert all(isinstance(message, Message) for message in messages)
    return messages  # type: ignore[return-value]


def activity(number: str, text: str, sender: str = CUSTOMER, recipient: str = DESK, **more: Any) -> dict[str, Any]:
    """A message as the webhook brings it."""
    said = {"text": text, "entities": {"hashtags": [], "symbols": [], "user_mentions": [], "urls": []}, **more}
    created = {"target": {"recipient_id": recipient}, "sender_id": sender, "message_data": said}
    stamp = str(int(NOW.timestamp() * 1000))
    return {"type": "message_create", "id": number, "created_timestamp": stamp, "message_create": created}


def hook(*activities: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A webhook body of the desk's account."""
    users = {CUSTOMER: {"id": CUSTOMER, "name": "Jordan Brinks", "screen_name": "furiouscamper"}}
    return {"for_user_id": DESK, "direct_message_events": list(activities), "users": users, **more}


def reply(text: str = "已为您核实", **more: Any) -> Reply:
    """An answer of the desk to the customer."""
    values: dict[str, Any] = {
        "number": 1, "channel": "x", "to": CUSTOMER, "thread": f"{CUSTOMER}-{DESK}", "text": text,
        "external_id": "ours", "idempotency_key": "k-1", "created_at": NOW, **more,
    }  # fmt: skip
    return Reply(**values)


async def take(deliveries: AsyncIterator[Delivery]) -> Delivery:
    """The next delivery; fails instead of hanging where none comes."""
    return await asyncio.wait_for(anext(deliveries), 120)


# ── translate ──


def test_lookup_and_webhook_tell_the_same_message() -> None:
    """With both ways switched on, the second arrival of a message is a redelivery: equal key, equal content."""
    picture = {"id_str": "99", "type": "photo", "media_url_https": "https://ton.twitter.com/1.1/ton/data/dm/99.jpg"}
    looked_up = event(0, "a &amp; b &lt;c&gt;", attachments={"media_keys": ["3_99"]})
    media = {"media_key": "3_99", "type": "photo", "url": picture["media_url_https"]}
    user = {"id": CUSTOMER, "name": "Jordan Brinks", "username": "furiouscamper"}
    [polled] = translated({"data": [looked_up], "includes": {"users": [user], "media": [media]}}, me=DESK)
    said = activity(looked_up["id"], "a &amp; b &lt;c&gt;", attachment={"type": "media", "media": picture})
    [pushed] = translated(hook(said))
    assert polled == pushed
    assert (polled.text, polled.thread, polled.sender.handle) == ("a & b <c>", f"{CUSTOMER}-{DESK}", CUSTOMER)
    assert [(a.name, a.type, a.url) for a in polled.attachments] == [
        ("photo-99", "image/jpeg", "https://ton.twitter.com/1.1/ton/data/dm/99.jpg")
    ]


def test_links_are_whole_and_places_have_words() -> None:
    """A shortened link is shown as where it leads, equal in both forms; a place is named; a quick reply is a click."""
    link = {"url": "https://t.co/abc", "expanded_url": "https://twitter.com/scam/status/1?a=1&b=2", "indices": [2, 18]}
    own = {"url": "https://t.co/pic", "expanded_url": "https://twitter.com/messages/media/5"}
    words = "看 https://t.co/abc https://t.co/pic"
    said = activity("5", words, entities={"urls": [link, own]})
    looked_up = {**event(0, words, entities={"urls": [link, own]}), "id": "5"}
    [pushed], [polled] = translated(hook(said)), translated({"data": [looked_up]}, me=DESK)
    assert pushed.text == polled.text == "看 https://x.com/scam/status/1?a=1&b=2 https://t.co/pic"
    place = {"type": "shared_place", "shared_place": {"place": {"full_name": "Shanghai, CN"}}}
    point = {"type": "shared_coordinate", "shared_coordinate": {"coordinates": {"coordinates": [121.5, 31.2]}}}
    shared = [activity("5", "", attachment={"type": "location", "location": one}) for one in (place, point)]
    found = translated(hook(*shared))
    assert [one.text for one in found] == ["Shanghai, CN", "31.2, 121.5"]
    [pressed] = translated(hook(activity("6", "冻结卡片", quick_reply_response={"type": "options"})))
    assert (pressed.kind, pressed.text, pressed.automatic) == ("postback", "冻结卡片", False)


def test_what_the_desk_writes_in_the_app_goes_out() -> None:
    """An answer given from the phone is the desk's: it stops the clock instead of starting one."""
    [polled] = translated({"data": [event(1, "已处理", sender=DESK)]}, me=DESK)
    [pushed] = translated(hook(activity("5", "已处理", sender=DESK, recipient=CUSTOMER)))
    assert (polled.direction, pushed.direction) == (Direction.OUT, Direction.OUT)
    assert polled.thread == pushed.thread == f"{CUSTOMER}-{DESK}"


def test_a_webhook_may_bring_several_messages() -> None:
    """Each message of a body has its index, so that one bad one can be named."""
    messages = translated(hook(activity("5", "一"), activity("6", "二")))
    assert [(m.text, m.external_id, m.index) for m in messages] == [("一", "5", 0), ("二", "6", 1)]
    assert messages[0].key == ("x", f"{CUSTOMER}-{DESK}:5")


@pytest.mark.parametrize(
    "content",
    [
        {"for_user_id": DESK, "direct_message_indicate_typing_events": [{"sender_id": CUSTOMER}]},
        {"for_user_id": DESK, "direct_message_mark_read_events": [{"sender_id": CUSTOMER}]},
        {"for_user_id": DESK, "favorite_events": [{"id": "1"}]},
        {"meta": {"result_count": 0}},
    ],
)
def test_typing_reading_and_likes_are_no_messages(content: dict[str, Any]) -> None:
    """What nobody said makes no message."""
    assert translated(content) == []


@pytest.mark.parametrize(
    "content",
    [
        {"data": [{"id": "1582835469712138240", "event_type": "ParticipantsJoin", "participant_ids": ["944480690"],
                   "sender_id": "17200003", "dm_conversation_id": "1578398451921985538"}]},
        hook({"type": "of_the_future", "id": "5"}),
    ],
)  # fmt: skip
def test_an_unknown_event_is_kept_and_asks_nothing(content: dict[str, Any]) -> None:
    """Joining a group, or a kind of tomorrow, is stored as unknown and opens nothing."""
    [message] = translated(content)
    assert (message.kind, message.automatic, message.text) == ("unknown", True, "")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"data": [{"text": "x"}]}', "missing required field `id`"),
        (b'{"data": [{"id": "", "text": "x"}]}', "has no id"),
        (b'{"data": [{"id": "1", "created_at": "2026-03-01T00:00:00"}]}', "impossible date"),
        (b'{"direct_message_events": [{"id": "1", "created_timestamp": "99999999999999999"}]}', "impossible date"),
        (b'{"direct_message_events": [{"id": "1", "created_timestamp": "now"}]}', "impossible date"),
        (b'{"x": ' + b"[" * 100_000, "nested too deep"),
        (b'{"data": [{"id": "1", "text": "\xff"}]}', "UTF-8"),
    ],
)
def test_junk_is_refused_in_one_sentence(body: bytes, said: str) -> None:
    """Bytes that are none of X's become an invalid raw with the reason, never a crash."""
    with pytest.raises(InvalidPayload, match=said):
        translated(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["id", "type", "created_timestamp", "message_create", "text", "created_at", "attachments"])


@given(st.dictionaries(FIELDS, json_values, max_size=4), st.booleans())
def test_translate_is_total(fields: dict[str, Any], pushed: bool) -> None:
    """Whatever stands in an event, it is messages or an InvalidPayload."""
    content = hook({**activity("5", "一"), **fields}) if pushed else {"data": [{**event(0), **fields}]}
    with contextlib.suppress(InvalidPayload):
        assert all(message.external_id and "\0" not in message.text for message in translated(content))


# ── webhook ──


def signed(secret: str, body: bytes) -> str:
    """X's signature of a body."""
    return "sha256=" + base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def asked(query: str) -> Request:
    """X's challenge."""
    return Request(method="GET", url=f"/channels/x?{query}", headers={}, query={}, body=b"")


async def test_the_challenge_is_answered(account: Any) -> None:
    """X keeps a webhook that proves to know the app's secret."""
    [route] = account(mode="webhook").routes
    answer = route.receive(asked("crc_token=9b4507b3-9040-4669-9ca3-6b94edb50553"), NOW)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert json.loads(answer.body) == {"response_token": signed("app-secret", b"9b4507b3-9040-4669-9ca3-6b94edb50553")}


@pytest.mark.parametrize(
    "query", ["", "crc_token=", "crc_token=a&crc_token=b", "crc_token=%7B%22for_user_id%22%3A1%7D"]
)
async def test_a_stranger_gets_no_event_signed(account: Any, query: str) -> None:
    """A challenge that is the body of an event would make us sign a forgery: refused, like any other oddity."""
    [route] = account(mode="both").routes
    outcome = route.receive(asked(query), NOW)
    assert isinstance(outcome, Refused)
    assert (outcome.answer.status, outcome.answer.body) == (403, b"")


@pytest.mark.parametrize(("secret", "taken"), [("app-secret", True), ("before", True), ("stranger", False)])
async def test_events_are_taken_by_their_signature(
    account: Any, monkeypatch: pytest.MonkeyPatch, secret: str, taken: bool
) -> None:
    """The present secret and the one before it are valid; nothing else is."""
    monkeypatch.setenv("X_BEFORE", "before")
    [route] = account(mode="webhook", previous_consumer_secret="env:X_BEFORE").routes
    body = json.dumps(hook(activity("5", "一"))).encode()
    headers = {"x-twitter-webhooks-signature": signed(secret, body)}
    outcome = route.receive(Request(method="POST", url="/channels/x", headers=headers, query={}, body=body), NOW)
    if taken:
        assert isinstance(outcome, Accepted)
        assert outcome.raws[0].body == body
    else:
        assert isinstance(outcome, Refused)
        assert (outcome.answer.status, outcome.answer.body) == (401, b"")


async def test_each_mode_has_its_ways(account: Any) -> None:
    """Poll has no route; webhook has no loop."""
    assert not account(mode="poll").routes
    assert [d async for d in account(mode="webhook").deliveries("5")] == []


# ── poll ──


async def test_a_first_start_begins_now(account: Any, api: Api2) -> None:
    """Old messages are not poured into a new desk: the first start takes the newest id as read."""
    api.events = [event(1), event(2)]
    first = await take(account(api).deliveries(None))
    assert (first.raws, first.cursor) == ((), api.events[1]["id"])


async def test_pages_are_walked_to_the_last_known_event(account: Any, api: Api2) -> None:
    """However many pages came meanwhile, every new event arrives once, oldest first, and no page behind is fetched."""
    api.events = [event(n, str(n)) for n in range(20)]
    api.page_size = 4
    delivery = await take(account(api).deliveries(api.events[9]["id"]))
    texts = [m.text for r in delivery.raws for m in translated(r.body, me=r.meta["me"])]
    assert texts == [str(n) for n in range(10, 20)]
    assert delivery.cursor == api.events[19]["id"]
    assert len([path for path, _ in api.calls if path == "/2/dm_events"]) == 3
    assert [r.partition_key for r in delivery.raws] == [f"{CUSTOMER}-{DESK}"] * 10


async def test_ids_are_compared_as_numbers(account: Any, api: Api2) -> None:
    """An id of one more digit is newer, whatever the alphabet says."""
    api.events = [{**event(0), "id": "999999"}, {**event(1), "id": "1000000"}]
    delivery = await take(account(api).deliveries("999999"))
    assert [r.transport_id for r in delivery.raws] == ["1000000"]


async def test_a_raw_holds_the_providers_words(account: Any, api: Api2) -> None:
    """Each event is kept in X's own bytes, with the sender and the media that it names and no others."""
    api.events = [event(1, attachments={"media_keys": ["3_99"]}, a_field_of_the_future={"x": 1})]
    api.media = [{"media_key": "3_99", "type": "photo"}, {"media_key": "3_98", "type": "photo"}]
    [kept] = (await take(account(api).deliveries("0"))).raws
    told = json.loads(kept.body)
    assert told["data"] == api.events
    assert [u["id"] for u in told["includes"]["users"]] == [CUSTOMER]
    assert [m["media_key"] for m in told["includes"]["media"]] == ["3_99"]


async def test_what_was_not_made_durable_comes_again(account: Any, api: Api2) -> None:
    """A crash between arrival and commit loses nothing, and what was committed does not come again."""
    api.events = [event(1, "一")]
    crashed = account(api).deliveries("0")
    lost = await take(crashed)
    await crashed.aclose()
    resumed_account = account(api)
    resumed = resumed_account.deliveries("0")
    again = await take(resumed)
    assert [r.body for r in again.raws] == [r.body for r in lost.raws]
    api.events.append(event(2, "二"))
    resumed_account.wake.set()
    assert [r.transport_id for r in (await take(resumed)).raws] == [api.events[1]["id"]]


async def test_crashes_anywhere_lose_and_double_nothing(account: Any, api: Api2, ledger: Any) -> None:
    """Killed before the commit, after it, or in the middle of a walk: each event is in the log once, in order."""
    dice = random.Random(7)
    api.page_size = 7
    await ledger.append("x", await take(account(api).deliveries(None)))  # the first start, at an empty account
    while len(api.events) < 200:
        api.events += [event(len(api.events) + n) for n in range(dice.randint(1, 25))]
        while ledger.cursor("x") != api.events[-1]["id"]:
            looking = account(api).deliveries(ledger.cursor("x"))
            delivery = await take(looking)
            if dice.random() < 0.5:  # else it is killed before the commit
                await ledger.append("x", delivery)
            await looking.aclose()
    assert [r.transport_id for r in await ledger.raws()] == [e["id"] for e in api.events]


async def test_after_an_outage_everything_is_caught_up(account: Any, serve: Any) -> None:
    """The server was away; the loop says so, starts again from the cursor, and misses nothing."""
    server = Api2()
    server.events = [event(0)]
    async with serve(server.app) as url:
        looking = account(url)
        deliveries = looking.deliveries("0")
        cursor = (await take(deliveries)).cursor
    looking.wake.set()
    with pytest.raises(Unreachable, match="cannot be reached"):
        await take(deliveries)
    server.events += [event(n) for n in range(1, 251)]
    async with serve(server.app) as url:
        resumed = account(url).deliveries(cursor)
        caught = [*(await take(resumed)).raws, *(await take(resumed)).raws]
    assert [r.transport_id for r in caught] == [e["id"] for e in server.events[1:]]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (problem(401, "Unauthorized"), BadSettings, "check its keys"),
        (problem(402, "CreditsDepleted"), BadSettings, "check its keys"),
        (
            problem(403, "Your client app is not configured with the appropriate oauth1 app permissions"),
            BadSettings,
            "keys",
        ),
        (problem(400, "Invalid pagination_token"), BadSettings, "pagination_token"),
        (problem(503, "Service Unavailable"), Unreachable, "Service Unavailable"),
        (Response("<html>Over capacity</html>", 503, media_type="text/html"), Unreachable, "503"),
        (Response("<html>Log in</html>", 200, media_type="text/html"), Unreachable, "cannot be read"),
        (Response("[]", 502, media_type="application/json"), Unreachable, "cannot be read"),
        (JSONResponse({"data": [{"no": "id"}]}), Unreachable, "cannot be read"),
    ],
)
async def test_a_lookup_that_fails_says_whether_to_go_on(
    account: Any, api: Api2, answer: Response, error: type[Exception], said: str
) -> None:
    """The operator is called where only he can help; everything else is tried again."""
    api.script = [answer]
    with pytest.raises(error, match=said):
        await take(account(api).deliveries("0"))


async def test_a_lookup_waits_until_the_time_that_x_names(account: Any, api: Api2) -> None:
    """Over the limit in the middle of its pages, the walk pauses until the reset (the test ends the pause)."""
    api.events = [event(n) for n in range(6)]
    api.page_size = 3
    api.script = [problem(429, "Too Many Requests", x_rate_limit_reset=str(int(NOW.timestamp()) + 600))]
    looking = account(api)
    looking.wake.set()
    with capture_logs() as logs:
        delivery = await take(looking.deliveries("0"))
    assert len(delivery.raws) == 6
    assert [entry["until"] for entry in logs if entry["event"] == "x.throttled"] == ["2026-03-02T08:10:00+00:00"]


@pytest.mark.parametrize(("days", "told"), [(29, False), (31, True)])
async def test_an_outage_beyond_the_reach_is_told(account: Any, api: Api2, days: int, told: bool) -> None:
    """X keeps 30 days: after a longer silence of ours the operator learns that messages may be missing."""
    api.events = [event(1)]
    memory = {"looked_up": (NOW - timedelta(days=days)).isoformat()}
    with capture_logs() as logs:
        await take(account(api, memory=memory).deliveries("0"))
    assert any(entry["event"] == "x.history_lost" for entry in logs) is told


async def test_a_quiet_account_raises_no_alarm(account: Any, api: Api2) -> None:
    """Nobody wrote for months, but we looked: nothing is missing."""
    api.events = [event(1, at=NOW - timedelta(days=90))]
    memory = {"looked_up": (NOW - timedelta(minutes=1)).isoformat()}
    with capture_logs() as logs:
        await take(account(api, memory=memory).deliveries("0"))
    assert not logs


async def test_backfill_brings_the_span_that_was_asked_for(account: Any, api: Api2) -> None:
    """What an outage or a first start left out comes by its time, oldest first, without moving the cursor."""
    api.events = [event(n, str(n), at=NOW - timedelta(days=3)) for n in range(0, 100_000, 10_000)]
    api.page_size = 2
    since, until = (NOW - timedelta(days=3) + timedelta(seconds=s) for s in (30_000, 60_000))
    found = [d async for d in account(api).backfill(since, until)]
    assert [d.cursor for d in found] == [""]
    assert [json.loads(r.body)["data"][0]["text"] for r in found[0].raws] == ["30000", "40000", "50000"]


# ── send ──


async def test_a_reply_reaches_the_customer(account: Any, api: Api2) -> None:
    """The answer goes to the person; the receipt has X's id, the same under which the lookup will show it again."""
    receipt = await account(api).send(reply())
    assert api.sent == [(f"/2/dm_conversations/with/{CUSTOMER}/messages", "已为您核实")]
    assert receipt.external_id == "9001"


async def test_a_reply_into_a_group_goes_to_the_group(account: Any, api: Api2) -> None:
    """A conversation of several people is answered where it is held."""
    await account(api).send(reply(thread="1578398451921985538"))
    assert api.sent == [("/2/dm_conversations/1578398451921985538/messages", "已为您核实")]


async def test_a_long_reply_is_sent_in_parts_and_links(account: Any, api: Api2) -> None:
    """Beyond 10,000 characters a text is sent in parts; files that have an address go as links."""
    text = "\n\n".join("段落" * 2000 for _ in range(4))
    receipt = await account(api).send(reply(text, attachments=(Attachment(name="a", url="https://example.com/a.pdf"),)))
    assert "\n\n".join(said for _, said in api.sent) == text + "\nhttps://example.com/a.pdf"
    assert (receipt.external_id, receipt.detail) == ("9001", "2 messages: 9001, 9002")


async def test_a_retry_sends_only_what_is_missing(account: Any, api: Api2) -> None:
    """Stopped after the first part, the next attempt goes on with the second: the customer reads nothing twice."""
    memory: dict[str, str] = {}
    text = "\n\n".join("段落" * 2000 for _ in range(4))
    api.script = [None, problem(429, "Too Many Requests", x_rate_limit_reset=str(int(NOW.timestamp()) + 60))]
    sending = account(api, memory=memory)
    with pytest.raises(Throttled) as throttled:
        await sending.send(reply(text))
    assert throttled.value.until == NOW + timedelta(seconds=60)
    await account(api, memory=memory).send(reply(text))
    assert "\n\n".join(said for _, said in api.sent) == text


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (problem(429, "Too Many Requests", x_rate_limit_reset="1772438435"), Throttled, "08:00:35 UTC"),
        (problem(429, "Too Many Requests"), Throttled, "08:15:00 UTC"),
        (Response("<html>", 429, media_type="text/html"), Throttled, "08:15:00 UTC"),
        (problem(403, "You cannot send messages to this user."), SendRejected, "cannot send"),
        (
            problem(403, "Your client app is not configured with the appropriate oauth1 app permissions"),
            BadSettings,
            "keys",
        ),
        (problem(400, "text: must not be empty"), SendRejected, "must not be empty"),
        (problem(404, "Could not find user"), SendRejected, "Could not find"),
        (problem(401, "Unauthorized"), BadSettings, "keys"),
        (problem(502, "Bad Gateway"), SendUnreachable, "Bad Gateway"),
        (Response("<html>", 502, media_type="text/html"), SendUnreachable, "502"),
        (Response("<html>", 504, media_type="text/html"), OutcomeUnknown, "may or may not"),
        (JSONResponse({"data": {}}, 201), OutcomeUnknown, "may or may not"),
    ],
)
async def test_a_reply_that_fails_is_sorted(
    account: Any, api: Api2, answer: Response, error: type[Exception], said: str
) -> None:
    """Each refusal says whether to wait, try later, give up, stop the channel, or look into the conversation."""
    api.script = [answer]
    with pytest.raises(error, match=said) as caught:
        await account(api).send(reply())
    if isinstance(caught.value, SendRejected):
        assert caught.value.blocked is ("cannot send" in said)


async def test_a_lost_answer_is_never_sent_again_by_itself(account: Any, hanging_up: str) -> None:
    """The bytes left and the connection broke: a person must look, for a second try could answer twice."""
    with pytest.raises(OutcomeUnknown, match="may or may not"):
        await account(hanging_up).send(reply())


async def test_a_reply_that_never_left_is_tried_later(account: Any, own_port: Callable[[], int]) -> None:
    """Nothing listens: nothing was sent, so trying again is safe."""
    with pytest.raises(SendUnreachable, match="cannot be reached"):
        await account(f"http://127.0.0.1:{own_port()}").send(reply())


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"to": "@chen"}, "whole number"),
        ({"text": " \n "}, "no text"),
        ({"attachments": (Attachment(name="a.png", content=b"x"),)}, "a.png as a link"),
    ],
)
async def test_what_cannot_be_sent_is_said_before_anything_goes_out(
    account: Any, api: Api2, bad: dict[str, Any], said: str
) -> None:
    """A reply with a wrong address, a file or nothing in it is refused with its reason, and no half of it is sent."""
    with pytest.raises(SendRejected, match=said):
        await account(api).send(reply(**bad))
    assert api.calls == []


# ── secrets, start ──


async def test_keys_and_words_show_nowhere(account: Any, api: Api2, caplog: pytest.LogCaptureFixture) -> None:
    """Not in a log line of any level, not in an error or its causes, not in a repr."""
    caplog.set_level(logging.DEBUG)
    opened = account(api)
    api.script = [problem(403, "You cannot send messages to this user.")]
    with pytest.raises(SendRejected) as caught:
        await opened.send(reply("秘密的话"))
    await opened.send(reply("秘密的话"))
    texts = [record.getMessage() for record in caplog.records]
    error: BaseException | None = caught.value
    while error is not None:
        texts.append(repr(error))
        error = error.__cause__
    texts += [repr(opened), repr(opened._settings), repr(opened._api)]
    assert not [text for text in texts for secret in ("秘密的话", "app-secret", "token-secret") if secret in text]


async def test_check_connect_says_whose_keys_these_are(account: Any, api: Api2) -> None:
    """The operator sees the account's name and number."""
    assert await account(api).connect() == f"X account @walletdesk ({DESK}), poll"


async def test_an_unset_key_names_its_reference(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing secret is one sentence with the name to export."""
    opened = account()
    monkeypatch.delenv("X_TOKEN_SECRET")
    with pytest.raises(BadSettings, match="X_TOKEN_SECRET is not set"):
        await opened.send(reply())


async def test_a_missing_library_names_the_extra(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the SDK the channel says what to install."""
    monkeypatch.delitem(sys.modules, "adapters.x.api", raising=False)
    monkeypatch.setitem(sys.modules, "tweepy", None)
    with pytest.raises(BadSettings, match=r"pip install 'omnirouter\[x\]'"):
        await account().send(reply())


def test_an_idle_daemon_does_not_load_the_library() -> None:
    """Loading the adapter costs nothing of the SDK until an account is used."""
    code = "import sys, adapters.x.channel; sys.exit('tweepy' in sys.modules or 'aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0
    assert adapter is X


class TestXContract(RouteContract):
    """What holds of every adapter."""

    adapter = X
    settings = {**KEYS, "previous_consumer_secret": "env:X_BEFORE", "mode": "both", "base_url": "http://127.0.0.1:9"}
    secrets = {**SECRETS, "X_BEFORE": "secret-before"}
    raws = (
        raw(
            {"data": [event(0)], "includes": {"users": [{"id": CUSTOMER, "name": "Jordan", "username": "j"}]}}, me=DESK
        ),
        raw(hook(activity("5", "一"), activity("6", "二", sender=DESK, recipient=CUSTOMER))),
    )
    verifying = ("X_SECRET", "X_BEFORE")
    foreign = "a-strangers-secret"

    def request(self, secret: str) -> Request:
        """As X posts."""
        headers = {"x-twitter-webhooks-signature": signed(secret, self.raws[1].body)}
        return Request(method="POST", url="/channels/x", headers=headers, query={}, body=self.raws[1].body)
