"""Messenger and Instagram: batches come in message by message, and replies go out as Meta's rules allow.

Payloads are those of the Messenger Platform's documentation ("messages", "message_echoes", "message_edits",
"message_reactions", "messaging_postbacks", "message_reads", "message_deliveries") and of "Instagram messaging".
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.messenger.channel import Messenger, adapter
from router.errors import (
    BadSettings,
    InvalidPayload,
    OutcomeUnknown,
    SendRejected,
    SendUnreachable,
    Throttled,
    Unreachable,
)
from router.model import Attachment, DeskEvent, Direction, Message
from router.ports import Accepted, Answer, Raw, Refused, Reply, Request
from router.testing import RouteContract

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SENT = 1772438400123  # 2026-03-02T08:00:00.123Z
SECRETS = {
    "APP_SECRET": "0123456789abcdef0123456789abcdef",
    "APP_OLD": "fedcba9876543210fedcba9876543210",
    "VERIFY": "verify-token-of-the-page",
    "PAGE_TOKEN": "EAAGm0PX4ZCpsBAKZCtokenofthepage",
}


def item(sender: str = "U1", recipient: str = "P1", **content: Any) -> dict[str, Any]:
    """One thing that happened between a person and the page."""
    return {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": SENT, **content}


def batch(*items: Any, kind: str = "page", key: str = "messaging") -> bytes:
    """The body of an event, an entry an item."""
    entries = [{"id": "P1", "time": SENT, key: [one]} for one in items]
    return json.dumps({"object": kind, "entry": entries}).encode()


def file(kind: str, **payload: Any) -> dict[str, Any]:
    """An attachment of a message."""
    return {"type": kind, "payload": payload}


def signed(body: bytes, secret: str = SECRETS["APP_SECRET"]) -> Request:
    """A request of Meta's."""
    signature = "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()
    headers = {"x-hub-signature-256": signature, "content-type": "application/json"}
    return Request(method="POST", url="/channels/facebook", headers=headers, query={}, body=body)


TEXT = item(message={"mid": "m_1", "text": "账户被冻结 é 😀"})


class TestContract(RouteContract):
    """The messenger adapter keeps the port's promise."""

    adapter = Messenger
    settings = {
        "app_secrets": ["env:APP_SECRET", "env:APP_OLD"],
        "verify_token": "env:VERIFY",
        "page_token": "env:PAGE_TOKEN",
        "graph_url": "http://127.0.0.1:9/v24.0",
    }
    secrets = SECRETS
    verifying = ("APP_SECRET", "APP_OLD")
    foreign = "x" * 32
    raws = (
        Raw(channel="facebook", body=batch(TEXT), received_at=NOW),
        Raw(
            channel="facebook",
            body=batch(
                item(
                    message={
                        "mid": "m_2",
                        "attachments": [{"type": "image", "payload": {"url": "https://a.example/1.png"}}],
                    }
                ),
                item(reaction={"mid": "m_1", "action": "react", "emoji": "❤", "reaction": "love"}),
                item(message_edit={"mid": "m_1", "text": "新", "num_edit": 1}),
            ),
            received_at=NOW,
        ),
    )

    def request(self, secret: str) -> Request:
        """A genuine request."""
        return signed(self.raws[0].body, secret)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, open_channel: Callable[..., Any]) -> Callable[..., Messenger]:
    """`page(reply_window="7d", …)`: the adapter on a channel with its secrets set."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    def build(memory: dict[str, str] | None = None, **settings: Any) -> Messenger:
        return Messenger(open_channel(Messenger, "facebook", memory=memory, **{**TestContract.settings, **settings}))

    return build


# ── in ──


def read(page: Callable[..., Messenger], body: bytes) -> list[Message]:
    """The messages of a body."""
    messages = page().translate(Raw(channel="facebook", body=body, received_at=NOW))
    assert all(isinstance(message, Message) for message in messages)
    return [message for message in messages if isinstance(message, Message)]


def test_a_text_is_the_persons_message(page: Callable[..., Messenger]) -> None:
    """A text comes from the person, in the private thread with him, at the platform's time, under its mid."""
    (message,) = read(page, batch(TEXT))
    assert message.key == ("facebook", "U1:m_1")
    assert (message.text, message.kind, message.direction) == ("账户被冻结 é 😀", "text", Direction.IN)
    assert (message.sender.handle, message.thread, message.recipients) == ("U1", "U1", ("P1",))
    assert message.sent_at == datetime(2026, 3, 2, 8, 0, 0, 123000, tzinfo=UTC)


def test_a_batch_keeps_its_order(page: Callable[..., Messenger]) -> None:
    """A thousand entries are a thousand messages, each with its place in the raw."""
    body = batch(*(item(f"U{n}", message={"mid": f"m_{n}", "text": "x"}) for n in range(1000)))
    messages = read(page, body)
    assert [m.index for m in messages] == list(range(1000))
    assert len({m.key for m in messages}) == 1000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"message": {"mid": "m_2", "text": "见图", "reply_to": {"mid": "m_1"}}},
            {"external_id": "m_2", "text": "见图", "in_reply_to": "m_1", "kind": "text"},
        ),
        (
            {"message_edit": {"mid": "m_1", "text": "新的话", "num_edit": 2}},
            {"external_id": "m_1:edit:2", "edits": "m_1", "text": "新的话"},
        ),
        (
            {"message": {"mid": "m_1", "is_deleted": True}},
            {"external_id": "m_1:deleted", "edits": "m_1", "kind": "deleted", "text": ""},
        ),
        (
            {"reaction": {"mid": "m_1", "action": "react", "emoji": "❤", "reaction": "love"}},
            {"in_reply_to": "m_1", "kind": "reaction", "text": "❤"},
        ),
        (
            {"reaction": {"mid": "m_1", "action": "unreact"}},
            {"in_reply_to": "m_1", "kind": "reaction", "text": ""},
        ),
        (
            {"postback": {"mid": "m_3", "title": "联系客服", "payload": "HUMAN"}},
            {"external_id": "m_3", "kind": "postback", "text": "联系客服"},
        ),
        (
            {"message": {"mid": "m_4", "attachments": [file("image", url="https://a.example/s.png", sticker_id=369)]}},
            {"kind": "sticker"},
        ),
        (
            {"message": {"mid": "m_5", "attachments": [file("location", coordinates={"lat": 31.2, "long": 121.5})]}},
            {"kind": "location", "text": "31.2, 121.5"},
        ),
        (
            {"message": {"mid": "m_6", "is_unsupported": True}},
            {"external_id": "m_6", "kind": "unknown", "automatic": False},
        ),
        (
            {"optin": {"ref": "x"}},
            {"kind": "unknown", "automatic": True},
        ),
        (
            {"message": {"mid": 7, "text": "是", "quick_reply": {"payload": "YES"}}},
            {"external_id": "7", "kind": "postback", "text": "是", "automatic": False},
        ),
        (
            {"postback": {"mid": "m_3", "payload": "HUMAN"}},
            {"kind": "postback", "text": "HUMAN", "automatic": False},
        ),
        (
            {"message": {"mid": "m_7", "attachments": [
                {"type": "fallback", "title": "公告", "url": "https://a.example/1", "payload": None}]}},
            {"kind": "fallback", "text": "公告\nhttps://a.example/1"},
        ),
        (
            {"message": {"mid": "m_8", "attachments": [file("template", template_type="button", text="选一个", buttons=[
                {"type": "web_url", "title": "官网", "url": "https://a.example"}])]}},
            {"kind": "template", "text": "选一个\n官网\nhttps://a.example"},
        ),
        (
            {"message": {"mid": "m_9", "attachments": [file("ig_reel", title="活动", url="https://a.example/r.mp4")]}},
            {"kind": "ig_reel", "text": "活动"},
        ),
        (
            {"messaging_feedback": {"feedback_screens": [{"questions": {"q1": {
                "type": "csat", "payload": "1", "follow_up": {"type": "free_form", "payload": "还是没到账"}}}}]}},
            {"kind": "form", "text": "1\n还是没到账", "automatic": False},
        ),
        (
            {"request_thread_control": {"requested_owner_app_id": 1, "metadata": "转人工"}},
            {"kind": "unknown", "text": "转人工", "automatic": True},
        ),
        ({"account_linking": {"status": "linked"}}, {"kind": "unknown", "automatic": True}),
    ],
)  # fmt: skip
def test_every_kind_is_told_apart(
    content: dict[str, Any], expected: dict[str, Any], page: Callable[..., Messenger]
) -> None:
    """Answers, edits, things taken back, reactions, buttons, stickers and places are what they are; else unknown."""
    (message,) = read(page, batch(item(**content)))
    assert {name: getattr(message, name) for name in expected} == expected


def test_files_are_recorded_by_link(page: Callable[..., Messenger]) -> None:
    """A picture is recorded with its link and a safe name, and is not fetched; a link that is none is left out."""
    files = [
        {"type": "image", "payload": {"url": "https://cdn.example/v/a%20b/1.PNG?sig=1"}},
        {"type": "file", "payload": {"url": "https://cdn.example/%2e%2e%2f%E5%90%88%E5%90%8C.pdf"}},
        {"type": "image", "payload": {"url": "javascript:alert(1)"}},
        {"type": "video", "payload": {"url": "https://cdn.example/"}},
    ]
    (message,) = read(page, batch(item(message={"mid": "m_1", "attachments": files})))
    assert [(a.name, a.type, a.content) for a in message.attachments] == [
        ("1.PNG", "image/png", b""),
        ("合同.pdf", "application/pdf", b""),
        ("video", "video/mp4", b""),
    ]


def test_what_the_page_says_elsewhere_is_outgoing(page: Callable[..., Messenger]) -> None:
    """An answer given in Meta's own inbox is the desk's, in the customer's thread; the echo of our own is no news."""
    elsewhere = item("P1", "U1", message={"is_echo": True, "app_id": 1517, "mid": "m_9", "text": "您好"})
    ours = item("P1", "U1", message={"is_echo": True, "mid": "m_8", "text": "您好", "metadata": "omnirouter:out-7"})
    (message,) = read(page, batch(elsewhere, ours))
    assert (message.direction, message.sender.handle, message.thread) == (Direction.OUT, "U1", "U1")
    assert message.key == ("facebook", "U1:m_9")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"delivery": {"mids": ["m_1", "m_2"], "watermark": SENT}}, [("delivered", mid, "") for mid in ("m_1", "m_2")]),
        ({"delivery": {"watermark": SENT}}, [("delivered", "U1", "U1")]),
        ({"read": {"watermark": SENT}}, [("read", "U1", "U1")]),
        ({"read": {}}, []),
        ({"read": "yes"}, []),
        ({"delivery": {"mids": [7, "", None]}}, []),
    ],
)
def test_receipts_are_no_messages(
    content: dict[str, Any], told: list[tuple[str, str, str]], page: Callable[..., Messenger]
) -> None:
    """Delivered and read say how far our own words have come, by their ids or up to a time."""
    found = page().translate(Raw(channel="facebook", body=batch(item(**content)), received_at=NOW))
    assert [(e.to, e.conversation_of, e.handle) for e in found if isinstance(e, DeskEvent)] == told
    assert len(found) == len(told)


def test_one_odd_item_takes_no_other_down(page: Callable[..., Messenger]) -> None:
    """Between good messages an odd one is a mistake with its place, and the good ones are read."""
    odd = item("U2", message={"mid": 5, "text": ["x"]})
    nameless = {"message": {"mid": "m_3", "text": "x"}}
    body = batch(TEXT, odd, nameless, item("U3", message={"mid": "m_4", "text": "y"}))
    found = page().translate(Raw(channel="facebook", body=body, received_at=NOW))
    assert [(m.index, m.sender.handle, m.text) for m in found] == [(0, "U1", TEXT["message"]["text"]), (3, "U3", "y")]
    assert [(mistake.index, mistake.reason) for mistake in found.mistakes] == [
        (1, "Event 1: it is no message that can be read (Expected `str | null`, got `array` - at `$.message.text`)"),
        (2, "Event 2: it names no person"),
    ]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"Hello, World!", "not JSON"),
        (b"[]", "list `entry`"),
        (b'{"object": "page", "entry": []}', "list `entry`"),
        (b'{"object": "page", "entry": [5]}', "no message that can be read"),
        (batch(item(message={"text": "x"})), "has no mid"),
        (batch(item(message={"mid": " ", "text": "x"})), "has no mid"),
        (batch(item(message={"mid": "m", "\ud800": 1})), "no message that can be read"),
        (batch(item("", message={"mid": "m", "text": "x"})), "names no person"),
    ],
)
def test_what_cannot_be_read_is_told(body: bytes, told: str, page: Callable[..., Messenger]) -> None:
    """A raw in which nothing can be read is invalid, with its reason, and kept."""
    with pytest.raises(InvalidPayload, match=told):
        read(page, body)


def test_instagrams_two_forms_are_read(page: Callable[..., Messenger]) -> None:
    """Instagram's messages come as `messaging` or as a change; what another app handles comes as `standby`."""
    as_change = {"field": "messages", "value": TEXT}
    assert read(page, batch(TEXT, kind="instagram")) == read(page, batch(as_change, kind="instagram", key="changes"))
    assert read(page, batch(TEXT, key="standby")) == read(page, batch(TEXT))
    comment = {"field": "feed", "value": {"from": {"id": "U5", "name": "x"}, "item": "comment"}}
    (unknown,) = read(page, batch(comment, key="changes"))
    assert (unknown.kind, unknown.automatic, unknown.sender.handle) == ("unknown", True, "U5")


@pytest.mark.parametrize(
    ("change", "handle", "text"),
    [
        ({"field": "feed", "value": {"item": "comment", "from": {"id": 55}, "message": "骗子"}}, "55", "骗子"),
        ({"field": "comments", "value": {"from": {"id": "5", "username": "t"}, "text": "没到账"}}, "5", "没到账"),
        ({"field": "comments", "value": {"id": "1", "text": "This is an example."}}, "P1", "This is an example."),
        ({"field": "mentions", "value": {"media_id": "1", "comment_id": "2"}}, "P1", ""),
        ({"field": "name", "value": "A new name"}, "P1", ""),
        ({"field": "a_field_of_tomorrow"}, "P1", ""),
    ],
)
def test_what_is_no_private_message_is_an_explicit_unknown(
    change: dict[str, Any], handle: str, text: str, page: Callable[..., Messenger]
) -> None:
    """Comments, mentions and fields that we do not know are kept with their words, and nobody has to answer them."""
    (message,) = read(page, batch(change, key="changes"))
    assert (message.sender.handle, message.text) == (handle, text)
    assert (message.kind, message.automatic, message.direction) == ("unknown", True, Direction.IN)


def test_metas_test_button_is_read(page: Callable[..., Messenger]) -> None:
    """The samples of Meta's developer pages have numbers as text or as numbers, and times in seconds."""
    for stamp in ("1772438400", 1772438400, 1772438400.0):
        value = {"sender": {"id": 12334}, "recipient": {"id": "23245"}, "timestamp": stamp,
                 "message": {"mid": "random_mid", "text": "random_text"}}  # fmt: skip
        entry = {"id": 0, "time": "1", "changes": [{"field": "messages", "value": value}]}
        (message,) = read(page, json.dumps({"object": "instagram", "entry": [entry]}).encode())
        assert (message.key, message.text, message.sent_at) == (("facebook", "12334:random_mid"), "random_text", NOW)


def test_a_time_that_is_none_is_the_arrival(page: Callable[..., Messenger]) -> None:
    """Seconds and milliseconds are told apart; what is no time of a message is replaced by the arrival."""
    times = [
        read(page, batch({**TEXT, "timestamp": stamp}))[0].sent_at
        for stamp in (1772438400000, 1772438400, 1, 0, -5, 10**18, 10**400)
    ]
    assert times == [NOW] * 7


def asked(mode: str, challenge: str, token: str = SECRETS["VERIFY"]) -> dict[str, str]:
    """The query of Meta's verification."""
    return {"hub.mode": mode, "hub.challenge": challenge, "hub.verify_token": token}


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        (asked("subscribe", "1158201444"), 200, b"1158201444"),
        (asked("subscribe", "<script>"), 403, b""),
        (asked("subscribe", "1", token="guess"), 403, b""),
        (asked("unsubscribe", "1"), 403, b""),
        ({}, 403, b""),
    ],
)  # fmt: skip
def test_the_verification_is_answered_for_meta_only(
    query: dict[str, str], status: int, body: bytes, page: Callable[..., Messenger]
) -> None:
    """The challenge is echoed to who knows the token, digits only."""
    url = f"/channels/facebook?{urlencode(query)}"
    answered = page().receive(Request(method="GET", url=url, headers={}, query=query, body=b""), NOW)
    answer = answered if isinstance(answered, Answer) else answered.answer
    assert (answer.status, answer.body) == (status, body)
    assert isinstance(answered, Answer if status == 200 else Refused)


def test_a_batch_is_stored_as_it_came(page: Callable[..., Messenger]) -> None:
    """A signed batch is one raw, byte for byte, whatever it holds."""
    taken = page().receive(signed(b"Hello, World!"), NOW)
    assert isinstance(taken, Accepted)
    assert [raw.body for raw in taken.raws] == [b"Hello, World!"]
    assert adapter is Messenger


# ── out ──


class Graph:
    """Graph's server: takes messages, and answers from a script where one is given."""

    def __init__(self) -> None:
        self.script: list[Response | None] = []  # None: answer as usual
        self.received: list[dict[str, Any]] = []
        self.pages: list[dict[str, Any]] = []
        self.app = Starlette(
            routes=[
                Route("/v24.0/me/messages", self.message, methods=["POST"]),
                Route("/v24.0/me", self.me, methods=["GET"]),
                Route("/v24.0/me/conversations", self.conversations, methods=["GET"]),
            ]
        )

    async def message(self, request: HttpRequest) -> Response:
        """Take a message as JSON or as a form with a file."""
        assert request.headers["authorization"] == f"Bearer {SECRETS['PAGE_TOKEN']}"
        if request.headers["content-type"].startswith("multipart/form-data"):
            async with request.form() as form:
                body = {"recipient": json.loads(str(form["recipient"])), "message": json.loads(str(form["message"]))}
                upload: Any = form["filedata"]
                body["file"] = (upload.filename, upload.content_type, await upload.read())
        else:
            body = await request.json()
        self.received.append(body)
        scripted = self.script.pop(0) if self.script else None
        return scripted or JSONResponse({"recipient_id": "U1", "message_id": f"m_out_{len(self.received)}"})

    async def me(self, request: HttpRequest) -> Response:
        """Whose token it is."""
        if request.headers["authorization"] != f"Bearer {SECRETS['PAGE_TOKEN']}":
            return refusal(190, status=401)
        return JSONResponse({"id": "P1", "name": "Wallet"})

    async def conversations(self, request: HttpRequest) -> Response:
        """A page of conversations, newest first."""
        scripted = self.script.pop(0) if self.script else None
        if scripted is not None:
            return scripted
        number = int(request.query_params.get("after", "0"))
        more = {"cursors": {"after": str(number + 1)}, "next": "https://graph.facebook.com/…"}
        paging = {"paging": more} if number + 1 < len(self.pages) else {}
        return JSONResponse({**self.pages[number], **paging})


def refusal(code: int, subcode: int = 0, status: int = 400, **more: Any) -> Response:
    """An error of Graph; its message repeats a token, as Graph's do now and then."""
    error = {"message": f"Malformed {SECRETS['PAGE_TOKEN']}", "type": "OAuthException", "code": code, **more}
    return JSONResponse({"error": {**error, **({"error_subcode": subcode} if subcode else {})}}, status_code=status)


def reply(**changes: Any) -> Reply:
    """A reply of the desk to a message of an hour ago."""
    whole = {
        "number": 7, "channel": "facebook", "to": "U1", "thread": "U1", "text": "已为您核实", "external_id": "out-7",
        "idempotency_key": "reply-7", "created_at": NOW, "agent": "li", "last_in_at": NOW - timedelta(hours=1),
    }  # fmt: skip
    return Reply(**{**whole, **changes})


async def test_a_reply_is_sent_once_with_its_mark(page: Callable[..., Messenger], serve: Any) -> None:
    """A reply goes to the person, marked so that its echo is known again; the receipt has Meta's id."""
    graph = Graph()
    async with serve(graph.app) as url:
        messenger = page(graph_url=f"{url}/v24.0")
        receipt = await messenger.send(reply())
        proved = await messenger.connect()
        await messenger.close()
    assert receipt.external_id == "m_out_1"
    assert graph.received == [
        {
            "recipient": {"id": "U1"},
            "messaging_type": "RESPONSE",
            "message": {"text": "已为您核实", "metadata": "omnirouter:out-7"},
        }
    ]
    assert "Wallet" in proved


async def test_a_token_of_another_page_is_told(page: Callable[..., Messenger], serve: Any) -> None:
    """With page_id the check compares: a token of another page would answer under the wrong name."""
    async with serve(Graph().app) as url:
        right, wrong = (page(graph_url=f"{url}/v24.0", page_id=page_id) for page_id in ("P1", 77))
        try:
            assert "P1" in await right.connect()
            with pytest.raises(BadSettings, match="the token is of page P1, page_id is 77"):
                await wrong.connect()
        finally:
            await right.close()
            await wrong.close()


async def test_long_answers_and_files_go_in_parts(page: Callable[..., Messenger], serve: Any) -> None:
    """A text of 4,500 characters is three messages, then the picture; after a failure only the rest is sent."""
    graph = Graph()
    graph.script = [None, None, Response(status_code=502), None, None]
    file = Attachment(name="a.png", type="image/png", content=b"\x89PNG", sha256="x", size=4)
    link = Attachment(name="b.pdf", type="application/pdf", url="https://desk.example/b.pdf")
    whole = reply(text="字。" * 2250, attachments=(file, link))
    memory: dict[str, str] = {}
    async with serve(graph.app) as url:
        messenger = page(memory, graph_url=f"{url}/v24.0")
        with pytest.raises(SendUnreachable):
            await messenger.send(whole)
        receipt = await messenger.send(whole)
        await messenger.close()
    texts = [body["message"].get("text") for body in graph.received]
    assert [len(text) if text else None for text in texts] == [2000, 2000, 500, 500, None, None]
    assert graph.received[4]["file"] == ("a.png", "image/png", b"\x89PNG")
    assert graph.received[4]["message"]["attachment"]["type"] == "image"
    assert graph.received[5]["message"]["attachment"]["payload"]["url"] == "https://desk.example/b.pdf"
    assert receipt.external_id == "m_out_1"


async def test_instagram_counts_bytes(page: Callable[..., Messenger], serve: Any) -> None:
    """On Instagram no message has more than 1,000 bytes, and no mark of Messenger's."""
    graph = Graph()
    async with serve(graph.app) as url:
        messenger = page(graph_url=f"{url}/v24.0", platform="instagram")
        await messenger.send(reply(text="字" * 700))
        await messenger.close()
    assert [len(body["message"]["text"].encode()) for body in graph.received] == [999, 999, 102]
    assert "metadata" not in graph.received[0]["message"]


@pytest.mark.parametrize(
    ("window", "age", "automatic", "sent_as"),
    [
        ("24h", timedelta(hours=24), False, "RESPONSE"),
        ("24h", timedelta(hours=24, seconds=1), False, None),
        ("7d", timedelta(hours=23), False, "RESPONSE"),
        ("7d", timedelta(hours=25), False, "HUMAN_AGENT"),
        ("7d", timedelta(hours=25), True, None),
        ("7d", timedelta(days=7, seconds=1), False, None),
    ],
)
async def test_the_window_decides(
    window: str, age: timedelta, automatic: bool, sent_as: str | None, page: Callable[..., Messenger], serve: Any
) -> None:
    """After 24 hours only a human's reply goes out, only with Meta's permission, and only for 7 days."""
    graph = Graph()
    async with serve(graph.app) as url:
        messenger = page(graph_url=f"{url}/v24.0", reply_window=window)
        late = reply(last_in_at=NOW - age, automatic=automatic)
        if sent_as is None:
            with pytest.raises(SendRejected, match="old"):
                await messenger.send(late)
        else:
            await messenger.send(late)
        await messenger.close()
    assert [body.get("tag") or body["messaging_type"] for body in graph.received] == ([sent_as] if sent_as else [])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(4), Throttled),
        (refusal(17), Throttled),
        (refusal(32), Throttled),
        (refusal(613), Throttled),
        (Response(status_code=429, headers={"retry-after": "30"}), Throttled),
        (refusal(10, 2018278), SendRejected),
        (refusal(10, 2534022), SendRejected),
        (refusal(10), BadSettings),
        (refusal(190, 463, status=401), BadSettings),
        (refusal(200), BadSettings),
        (refusal(551), SendRejected),
        (refusal(100, 2018001), SendRejected),
        (refusal(100), SendRejected),
        (refusal(1200, status=500), SendUnreachable),
        (refusal(100, is_transient=True), SendUnreachable),
        (Response(status_code=403), BadSettings),
        (Response(status_code=400), SendRejected),
        (Response(status_code=409), SendRejected),
        (Response("<html>", status_code=502), SendUnreachable),
        (Response(status_code=504), OutcomeUnknown),
        (Response("[[[", status_code=200), OutcomeUnknown),
        (JSONResponse({"error": "no object"}, status_code=400), SendRejected),
    ],
)
async def test_a_refusal_says_whether_to_try_again(
    answer: Response, error: type[Exception], page: Callable[..., Messenger], serve: Any
) -> None:
    """Each of Graph's ways to say no becomes the error that tells the outbox what to do, without its words."""
    graph = Graph()
    graph.script = [answer]
    async with serve(graph.app) as url:
        messenger = page(graph_url=f"{url}/v24.0")
        with pytest.raises(error) as caught:
            await messenger.send(reply())
        await messenger.close()
    assert type(caught.value) is error
    assert SECRETS["PAGE_TOKEN"] not in str(caught.value)
    if isinstance(caught.value, Throttled):
        assert caught.value.until > NOW


@pytest.mark.parametrize(("code", "subcode", "blocked"), [(551, 0, True), (100, 2018001, True), (10, 2018278, False)])
async def test_who_takes_nothing_any_more_is_known(
    code: int, subcode: int, blocked: bool, page: Callable[..., Messenger], serve: Any
) -> None:
    """A person who blocked the page is told from one whose window is closed."""
    graph = Graph()
    graph.script = [refusal(code, subcode)]
    async with serve(graph.app) as url:
        messenger = page(graph_url=f"{url}/v24.0")
        with pytest.raises(SendRejected) as caught:
            await messenger.send(reply())
        await messenger.close()
    assert caught.value.blocked is blocked


async def test_a_lost_answer_is_for_a_person(page: Callable[..., Messenger], hanging_up: str) -> None:
    """When the message left and no answer came, nothing is sent again by itself."""
    messenger = page(graph_url=f"{hanging_up}/v24.0")
    with pytest.raises(OutcomeUnknown):
        await messenger.send(reply())
    await messenger.close()


async def test_settings_are_checked_before_anything_is_sent(
    page: Callable[..., Messenger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unset token stops the channel and is named; an empty reply is refused."""
    with pytest.raises(SendRejected, match="no text"):
        await page().send(reply(text=" "))
    with pytest.raises(SendRejected, match="no content"):
        await page().send(reply(text="", attachments=(Attachment(name="x.png"),)))
    monkeypatch.delenv("PAGE_TOKEN")
    with pytest.raises(BadSettings, match="PAGE_TOKEN"):
        await page().send(reply())
    monkeypatch.delenv("APP_SECRET")
    monkeypatch.delenv("APP_OLD")
    with pytest.raises(BadSettings, match="app_secrets"):
        await page().connect()


# ── what an outage left out ──


def past(mid: str, at: str, sender: str = "U1", text: str = "在吗", **more: Any) -> dict[str, Any]:
    """A message as the Conversations API shows it."""
    to = "U1" if sender == "P1" else "P1"
    return {
        "id": mid,
        "created_time": at,
        "from": {"id": sender},
        "to": {"data": [{"id": to}]},
        "message": text,
        **more,
    }


def talk(updated: str, *messages: dict[str, Any]) -> dict[str, Any]:
    """A conversation, its newest message first."""
    return {"id": "t_1", "updated_time": updated, "messages": {"data": list(messages)}}


async def fetched(messenger: Messenger, since: datetime, until: datetime | None = None) -> list[Message]:
    """All that a backfill gives."""
    try:
        raws = [raw async for delivery in messenger.backfill(since, until) for raw in delivery.raws]
    finally:
        await messenger.close()
    return [message for raw in raws for message in messenger.translate(raw) if isinstance(message, Message)]


async def test_what_an_outage_left_out_is_fetched(page: Callable[..., Messenger], serve: Any) -> None:
    """Messages of the time between are fetched, oldest first, and are the very messages the webhook would have told."""
    graph = Graph()
    picture = {"mime_type": "image/png", "name": "1.png", "image_data": {"url": "https://a.example/1.png"}}
    graph.pages = [
        {
            "data": [
                talk(
                    "2026-03-02T08:00:00+0000",
                    past("m_late", "2026-03-02T09:00:00+0000"),
                    past("m_9", "2026-03-02T07:30:00+0000", "P1", "您好"),
                    past("m_1", "2026-03-02T07:00:00+0000", text="账户被冻结 é 😀", attachments={"data": [picture]}),
                )
            ]
        },
        {"data": [talk("2026-03-02T05:00:00+0000", past("m_old", "2026-03-02T05:00:00+0000")), "no conversation"]},
        {"data": [talk("2026-03-01T05:00:00+0000", past("m_never", "2026-03-02T07:00:00+0000"))]},
    ]
    async with serve(graph.app) as url:
        messenger = page(graph_url=f"{url}/v24.0")
        found = await fetched(messenger, NOW - timedelta(hours=2), NOW)
    assert [(m.external_id, m.direction, m.thread) for m in found] == [
        ("m_1", Direction.IN, "U1"),
        ("m_9", Direction.OUT, "U1"),
    ]
    assert found[0].sent_at == NOW - timedelta(hours=1)
    assert found[0].attachments[0].url == "https://a.example/1.png"
    (told,) = read(page, batch(TEXT))
    assert (found[0].key, found[0].text, found[0].sender) == (told.key, told.text, told.sender)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(190, status=401), BadSettings),
        (Response(status_code=502), Unreachable),
        (refusal(100), Unreachable),
    ],
)
async def test_a_backfill_that_fails_says_so(
    answer: Response, error: type[Exception], page: Callable[..., Messenger], serve: Any
) -> None:
    """A wrong token stops the channel; any other failure can be tried again, since nothing is taken twice."""
    graph = Graph()
    graph.script = [answer]
    async with serve(graph.app) as url:
        with pytest.raises(error):
            await fetched(page(graph_url=f"{url}/v24.0"), NOW)


async def test_a_backfill_waits_when_it_is_told_to(page: Callable[..., Messenger], serve: Any) -> None:
    """Told to wait no time at all, it asks again and goes on."""
    graph = Graph()
    graph.script = [Response(status_code=429, headers={"retry-after": "0"})]
    graph.pages = [{"data": [talk("2026-03-02T08:00:00+0000", past("m_1", "2026-03-02T08:00:00+0000"))]}]
    async with serve(graph.app) as url:
        found = await fetched(page(graph_url=f"{url}/v24.0"), NOW)
    assert [m.external_id for m in found] == ["m_1"]
