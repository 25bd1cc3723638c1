"""LINE: what followers of an official account write comes in once, and the desk's answers are pushed once.

The server below speaks the Messaging API as developers.line.biz tells ("Messaging API reference", "Retry failed API
requests"): a retry key that was accepted is answered with 409 and sends nothing again. Payloads follow the same pages.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters import load
from adapters.line import Line
from router.errors import BadSettings, InvalidPayload, SendRejected, SendUnreachable, Throttled
from router.errors import Refused as NotPossible
from router.model import Attachment, Message
from router.ports import Accepted, Raw, Refused, Reply, Request
from router.testing import RouteContract

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
USER = "U80696558e1aa831f5a4b1b9c2d3e4f50"
SECRET, TOKEN = "8c570fa6dd201bb328f1c1eac23a96d8", "line-access-token"
VECTORS = json.loads((Path(__file__).parent.parent / "data" / "webhooks.json").read_text(encoding="utf-8"))["vectors"]
OURS = [vector for vector in VECTORS if vector["platform"] == "line"]


def event(message: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """An event of the user's own chat."""
    content = {} if message is None else {"type": "message", "message": message}
    return {
        **content, "timestamp": 1625665242211, "source": {"type": "user", "userId": USER}, "mode": "active",
        "webhookEventId": "01FZ74A0TDDPYRVKNK77XKC3ZR", "deliveryContext": {"isRedelivery": False}, **more,
    }  # fmt: skip


def text(words: str, number: str = "14353798921116", **more: Any) -> dict[str, Any]:
    """A text message."""
    return {"type": "text", "id": number, "text": words, **more}


def translated(*events: dict[str, Any], body: bytes | None = None) -> list[Message]:
    """The messages of a body."""
    opened = {"name": "line", "settings": Line.Settings(**SETTINGS), "heard": lambda _: None}
    channel: Any = type("Opened", (), opened)()
    content = json.dumps({"destination": "U1", "events": events}).encode() if body is None else body
    return Line(channel).translate(Raw(channel="line", body=content, received_at=NOW))  # type: ignore[return-value]


SETTINGS = {"channel_secrets": ["env:LINE_SECRET"], "access_token": "env:LINE_TOKEN"}


class MessagingApi:
    """LINE's server: takes pushes, each retry key once, and answers from a script where one is given."""

    def __init__(self) -> None:
        self.pushed: list[dict[str, Any]] = []
        self.accepted: dict[str, list[dict[str, str]]] = {}
        self.script: list[Response | str | None] = []  # None: as usual; "lost": take it, and lose the answer
        self.calls = 0
        self.webhook: Response = JSONResponse({"endpoint": "https://support.example.com/channels/line", "active": True})
        self.app = Starlette(
            routes=[
                Route("/v2/bot/message/push", self.push, methods=["POST"]),
                Route("/v2/bot/info", self.about),
                Route("/v2/bot/channel/webhook/endpoint", self.about),
            ]
        )

    async def push(self, request: HttpRequest) -> Response:
        """Take a push."""
        self.calls += 1
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return refusal(401, "Authentication failed due to the following reason: invalid token.")
        scripted = self.script.pop(0) if self.script else None
        if isinstance(scripted, Response):
            return scripted
        key = str(uuid.UUID(request.headers["x-line-retry-key"]))
        if key in self.accepted:
            headers = {"x-line-accepted-request-id": "first"}
            said = {"message": "The retry key is already accepted", "sentMessages": self.accepted[key]}
            return JSONResponse(said, status_code=409, headers=headers)
        body = await request.json()
        if not 1 <= len(body["messages"]) <= 5 or any(len(m["text"]) > 5000 for m in body["messages"]):
            return refusal(400, "The request body has 1 error(s)")
        self.pushed.append(body)
        self.accepted[key] = [{"id": str(460 + len(self.pushed) * 10 + n)} for n in range(len(body["messages"]))]
        return Response("", 504) if scripted == "lost" else JSONResponse({"sentMessages": self.accepted[key]})

    async def about(self, request: HttpRequest) -> Response:
        """Whose token it is, and which webhook is set."""
        if request.headers["authorization"] != f"Bearer {TOKEN}":
            return refusal(401, "Authentication failed")
        info = {"userId": "U1", "basicId": "@216ru...", "displayName": "Desk", "chatMode": "bot"}
        return JSONResponse(info) if request.url.path.endswith("info") else self.webhook


def refusal(status: int, message: str, **headers: str) -> Response:
    """LINE's way to say no."""
    plain = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse({"message": message}, status_code=status, headers=plain)


@pytest.fixture
async def api(serve: Any) -> AsyncIterator[MessagingApi]:
    """A running server."""
    server = MessagingApi()
    async with serve(server.app) as url:
        server.url = url  # type: ignore[attr-defined]
        yield server


@pytest.fixture
async def account(open_channel: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Line]]:
    """`account(api)`: the adapter of a channel `line` at that server; closed at the end."""
    monkeypatch.setenv("LINE_SECRET", SECRET)
    monkeypatch.setenv("LINE_TOKEN", TOKEN)
    opened: list[Line] = []

    def build(server: Any = None, **settings: Any) -> Line:
        url = "http://127.0.0.1:9" if server is None else getattr(server, "url", server)
        opened.append(Line(open_channel(Line, "line", **{**SETTINGS, "base_url": url, **settings})))
        return opened[-1]

    yield build
    for one in opened:
        await one.close()


def reply(words: str = "已为您核实", **more: Any) -> Reply:
    """An answer of the desk to the user."""
    values: dict[str, Any] = {
        "number": 1, "channel": "line", "to": USER, "thread": USER, "text": words, "external_id": "ours",
        "idempotency_key": "k-1", "created_at": NOW, **more,
    }  # fmt: skip
    return Reply(**values)


# ── in ──


def test_a_text_is_a_message_of_its_chat() -> None:
    """What a follower types arrives with LINE's id, his chat and LINE's time."""
    [message] = translated(event(text("退款没到")))
    assert (message.text, message.kind, message.automatic) == ("退款没到", "text", False)
    assert message.key == ("line", f"{USER}:14353798921116")
    assert message.sent_at == datetime(2021, 7, 7, 13, 40, 42, 211000, tzinfo=UTC)


def test_a_redelivery_is_the_same_message() -> None:
    """LINE delivers again what was not answered in time: equal key, equal content."""
    first, again = translated(event(text("退款没到")), event(text("退款没到"), deliveryContext={"isRedelivery": True}))
    assert (first.key, first.text, first.sender) == (again.key, again.text, again.sender)


def test_a_quote_names_what_it_quotes() -> None:
    """Quoting an answer of the desk leads to its conversation."""
    assert (
        translated(event(text("还没有", quotedMessageId="468789577898262530")))[0].in_reply_to == "468789577898262530"
    )


def test_in_a_group_the_writer_is_the_customer_and_the_group_the_thread() -> None:
    """Two members of a group are two people in one chat."""
    [message] = translated(event(text("在吗"), source={"type": "group", "groupId": "C1", "userId": USER}))
    assert (message.thread, message.sender.handle) == ("C1", USER)


@pytest.mark.parametrize(
    ("content", "kind", "words", "attachment"),
    [
        ({"type": "image", "id": "354718705033693859", "contentProvider": {"type": "line"}},
         "image", "", ("image-354718705033693859", "image/jpeg", 0)),
        ({"type": "file", "id": "325708", "fileName": "凭证.pdf", "fileSize": 2138},
         "file", "", ("凭证.pdf", "application/octet-stream", 2138)),
        ({"type": "location", "id": "1", "title": "Office", "address": "Tokyo", "latitude": 35.67, "longitude": 139.65},
         "location", "Office\nTokyo\n35.67, 139.65", None),
        ({"type": "sticker", "id": "1", "packageId": "446", "stickerId": "1988", "keywords": ["cony", "thanks"]},
         "sticker", "cony", None),
    ],
)  # fmt: skip
def test_whatever_a_follower_sends_is_shown(
    content: dict[str, Any], kind: str, words: str, attachment: tuple[str, str, int] | None
) -> None:
    """Files, places and stickers arrive as what they are; a file is recorded by its id."""
    [message] = translated(event(content))
    assert (message.kind, message.text, message.automatic) == (kind, words, False)
    assert [(a.name, a.type, a.size) for a in message.attachments] == ([attachment] if attachment else [])


@pytest.mark.parametrize(
    "content",
    [
        event(type="follow", follow={"isUnblocked": False}),
        event(type="join", source={"type": "group", "groupId": "C1"}),
        event(type="unsend", unsend={"messageId": "325708"}),
        event(type="of_the_future"),
        event({"type": "of_the_future", "id": "5"}),
    ],
)
def test_what_nobody_wrote_opens_nothing(content: dict[str, Any]) -> None:
    """Follows, joins, taken back messages and kinds of tomorrow are kept, but are no request."""
    [message] = translated(content)
    assert message.automatic
    assert message.external_id


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "truncated"),
        (b"{}", "missing required field `events`"),
        (b'{"events": [{"type": "message", "message": {"id": 5}}]}', "Expected `str`"),
        (b'{"events": [{"type": "x", "timestamp": 999999999999999999}]}', "impossible date"),
        (b'{"events": ' + b"[" * 100_000, "too deep|Expected `object`"),
        (b'{"events": [{"type": "\xff"}]}', "UTF-8"),
    ],
)
def test_junk_is_refused_in_one_sentence(body: bytes, said: str) -> None:
    """Bytes that are none of LINE's become an invalid raw with the reason, never a crash."""
    with pytest.raises(InvalidPayload, match=said):
        translated(body=body)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"type": "postback", "postback": {"data": "action=human"}}, ("postback", "action=human", False)),
        ({"type": "postback", "postback": {"data": "day", "params": {"date": "2026-03-02"}}},
         ("postback", "day\n2026-03-02", False)),
        ({"type": "postback", "postback": {"data": "tab-2", "params": {"newRichMenuAliasId": "b"}}},
         ("unknown", "", True)),
        ({"type": "follow", "follow": {"isUnblocked": True}}, ("unknown", "", True)),
        ({"type": "accountLink", "link": {"result": "ok", "nonce": "n"}}, ("unknown", "", True)),
        ({"type": "message", "message": {"type": "hologram", "id": "9", "title": "红包"}}, ("unknown", "红包", False)),
    ],
)  # fmt: skip
def test_what_is_pressed_is_said(content: dict[str, Any], expected: tuple[str, str, bool]) -> None:
    """A button and the date that was picked are the person's words; leafing through a menu and following are not."""
    (message,) = translated(event(**content))
    assert (message.kind, message.text, message.automatic) == expected


def test_words_without_a_sender_are_not_one_persons() -> None:
    """Two messages that name nobody are of two strangers, not of one contact."""
    one, other = translated(event(text("一", "1"), source={}), event(text("二", "2"), source={}))
    assert one.sender.handle != other.sender.handle


def test_an_edit_in_a_group_names_what_it_corrects() -> None:
    """An edited message is an edit of the first one, not the same id with other words."""
    (message,) = translated(event(text("提现 500 没到账"), type="messageEdited"))
    assert (message.edits, message.text) == ("14353798921116", "提现 500 没到账")
    assert message.external_id != message.edits


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["type", "timestamp", "source", "message", "unsend"]), json_values, max_size=4))
def test_translate_is_total(fields: dict[str, Any]) -> None:
    """Whatever stands in an event, it is messages or an InvalidPayload."""
    with contextlib.suppress(InvalidPayload):
        assert all(message.external_id for message in translated({**event(text("一")), **fields}))


@pytest.mark.parametrize("vector", OURS, ids=[vector["id"] for vector in OURS])
async def test_the_public_vectors_hold(account: Any, monkeypatch: pytest.MonkeyPatch, vector: dict[str, Any]) -> None:
    """What LINE signed is taken, everything else is refused with an empty answer."""
    monkeypatch.setenv("LINE_SECRET", vector["config"]["channel_secrets"][0])
    told = vector["request"]
    body = base64.b64decode(told["body_b64"]) if "body_b64" in told else told["body"].encode()
    request = Request(method=told["method"], url="/channels/line", headers=told["headers"], query={}, body=body)
    outcome = account().routes[0].receive(request, datetime.fromtimestamp(vector["now"], UTC))
    if vector["expect"] == "accept":
        assert isinstance(outcome, Accepted)
        assert outcome.raws[0].body == body
    else:
        assert isinstance(outcome, Refused)
        assert (outcome.answer.status, outcome.answer.body) == (401, b"")


async def test_nothing_is_polled_and_no_history_fetched(account: Any) -> None:
    """LINE comes by webhook only."""
    assert [d async for d in account().deliveries(None)] == []
    with pytest.raises(NotPossible, match="no history"):
        account().backfill(NOW - timedelta(days=1), None)


# ── out ──


async def test_a_reply_is_pushed_into_the_chat(account: Any, api: MessagingApi) -> None:
    """The follower reads the answer, with links to files; the receipt has LINE's id."""
    receipt = await account(api).send(reply(attachments=(Attachment(name="a", url="https://example.com/a.pdf"),)))
    said = "已为您核实\nhttps://example.com/a.pdf"
    assert api.pushed == [{"to": USER, "messages": [{"type": "text", "text": said}]}]
    assert receipt.external_id == "470"


async def test_a_lost_answer_is_asked_for_again_and_sends_nothing_twice(account: Any, api: MessagingApi) -> None:
    """LINE took the push and its gateway lost the answer: the next attempt has the same key and finds it done."""
    api.script = ["lost"]
    with pytest.raises(SendUnreachable, match="tried again"):
        await account(api).send(reply())
    receipt = await account(api).send(reply())
    assert (len(api.pushed), api.calls, receipt.external_id) == (1, 2, "470")


async def test_a_very_long_reply_takes_several_pushes_and_goes_on_where_it_stopped(
    account: Any, api: MessagingApi
) -> None:
    """More than five times 5,000 characters need a second push; stopped before it, only it is made later."""
    words = "\n\n".join("段落" * 2000 for _ in range(7))
    sending = account(api)
    api.script = [None, refusal(429, "The API rate limit has been exceeded. Try again later.", retry_after="9")]
    with pytest.raises(Throttled) as throttled:
        await sending.send(reply(words))
    assert throttled.value.until == NOW + timedelta(seconds=9)
    receipt = await sending.send(reply(words))
    assert "\n\n".join(m["text"] for push in api.pushed for m in push["messages"]) == words
    assert (len(api.pushed), receipt.external_id) == (2, "470")


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (refusal(429, "The API rate limit has been exceeded. Try again later."), Throttled, "08:01:00 UTC"),
        (refusal(429, "You have reached your monthly limit."), BadSettings, "its plan"),
        (refusal(401, "Authentication failed"), BadSettings, "access token"),
        (refusal(403, "Access to this API is not available for your account"), BadSettings, "not available"),
        (refusal(400, "The property, 'to', in the request body is invalid"), SendRejected, "'to'"),
        (refusal(500, "Internal server error"), SendUnreachable, "500"),
        (Response("<html>Bad Gateway</html>", 502), SendUnreachable, "502"),
        (Response("<html>Payload too large</html>", 413), SendRejected, "413"),
    ],
)
async def test_a_reply_that_fails_is_sorted(
    account: Any, api: MessagingApi, answer: Response, error: type[Exception], said: str
) -> None:
    """Each refusal says whether to wait, try later, give up or stop the channel."""
    api.script = [answer]
    with pytest.raises(error, match=said):
        await account(api).send(reply())


async def test_a_broken_connection_is_tried_later(account: Any, hanging_up: str, own_port: Callable[[], int]) -> None:
    """Whether the bytes left or not, asking again is safe here."""
    for url in (hanging_up, f"http://127.0.0.1:{own_port()}"):
        with pytest.raises(SendUnreachable):
            await account(url).send(reply())


@pytest.mark.parametrize(
    ("bad", "said"),
    [({"text": " "}, "no text"), ({"attachments": (Attachment(name="a.png", content=b"x"),)}, "a.png as a link")],
)
async def test_what_cannot_be_sent_is_said_before_anything_goes_out(
    account: Any, api: MessagingApi, bad: dict[str, Any], said: str
) -> None:
    """A reply with a file or with nothing in it is refused with its reason, and no half of it is sent."""
    with pytest.raises(SendRejected, match=said):
        await account(api).send(reply(**bad))
    assert api.calls == 0


async def test_check_connect_says_whose_token_it_is(account: Any, api: MessagingApi) -> None:
    """The operator sees the account, and a webhook that nobody switched on."""
    assert await account(api).connect() == "LINE account @216ru..., webhook on"
    api.webhook = refusal(404, "Not found")
    assert "off: switch it on" in await account(api).connect()


async def test_a_wrong_token_stops_the_check(account: Any, api: MessagingApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that LINE does not know is a wrong setting."""
    monkeypatch.setenv("LINE_TOKEN", "another")
    with pytest.raises(BadSettings, match="access token"):
        await account(api).connect()


async def test_token_and_words_show_nowhere(account: Any, api: MessagingApi, caplog: pytest.LogCaptureFixture) -> None:
    """Not in a log line of any level, not in an error or its causes, not in a repr."""
    caplog.set_level(logging.DEBUG)
    opened = account(api)
    api.script = [refusal(400, "no")]
    with pytest.raises(SendRejected) as caught:
        await opened.send(reply("秘密的话"))
    await opened.send(reply("秘密的话"))
    texts = [record.getMessage() for record in caplog.records]
    texts += [repr(caught.value), repr(opened), repr(opened._settings)]
    assert not [one for one in texts for secret in ("秘密的话", TOKEN, SECRET) if secret in one]


class TestLineContract(RouteContract):
    """What holds of every adapter."""

    adapter = Line
    settings = {**SETTINGS, "channel_secrets": ["env:LINE_SECRET", "env:LINE_BEFORE"], "base_url": "http://127.0.0.1:9"}
    secrets = {"LINE_SECRET": SECRET, "LINE_BEFORE": "the-secret-before", "LINE_TOKEN": TOKEN}
    raws = (
        Raw(
            channel="line",
            body=json.dumps({"events": [event(text("退款没到")), event({"type": "image", "id": "6"})]}).encode(),
            received_at=NOW,
        ),
    )
    verifying = ("LINE_SECRET", "LINE_BEFORE")
    foreign = "a-strangers-secret"

    def request(self, secret: str) -> Request:
        """As LINE posts."""
        body = self.raws[0].body
        signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
        return Request(
            method="POST", url="/channels/line", headers={"x-line-signature": signature}, query={}, body=body
        )


def test_a_channel_of_this_kind_needs_no_other_file() -> None:
    """`adapter = "line"` finds the class by its name: no list was edited for it."""
    assert load("line") is Line
