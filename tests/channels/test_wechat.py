"""WeChat official accounts: encrypted messages come in, answers go out through the customer-service interface.

Payloads are those of the platform's documentation ("Receiving standard messages", "Receiving event pushes",
"Customer service messages", "Global return codes").
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from platforms.wechat import APP, NOW, SECRETS, STAMP, TEXT, Platform, safe, signature, xml
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from adapters.wechat.channel import WeChat, adapter
from router.errors import BadSettings, InvalidPayload, OutcomeUnknown, SendRejected, SendUnreachable, Throttled
from router.errors import Refused as NotPossible
from router.model import Attachment, Authenticity, Message
from router.ports import Accepted, Answer, Raw, Refused, Reply, Request
from router.testing import RouteContract


class TestContract(RouteContract):
    """The WeChat adapter keeps the port's promise."""

    adapter = WeChat
    settings = {
        "app_id": APP,
        "app_secret": "env:WX_SECRET",
        "tokens": ["env:WX_TOKEN", "env:WX_OLD"],
        "aes_keys": ["env:WX_AES"],
        "api_url": "http://127.0.0.1:9",
    }
    secrets = SECRETS
    verifying = ("WX_TOKEN", "WX_OLD")
    foreign = "a-strangers-token"
    raws = (
        Raw(channel="wechat", body=TEXT, received_at=NOW),
        Raw(channel="wechat", body=xml(MsgType="event", Event="subscribe"), received_at=NOW),
        Raw(
            channel="wechat",
            body=xml(MsgType="image", PicUrl="http://a.example/1", MediaId="m", MsgId="2"),
            received_at=NOW,
        ),
    )

    def request(self, secret: str) -> Request:
        """A genuine request."""
        return safe(TEXT, secret)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, open_channel: Callable[..., Any]) -> Callable[..., WeChat]:
    """`account(memory, mode=…)`: the adapter on a channel with its secrets set."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    def build(memory: dict[str, str] | None = None, now: datetime = NOW, **settings: Any) -> WeChat:
        table = {**TestContract.settings, **settings}
        return WeChat(open_channel(WeChat, "wechat", memory=memory, now=lambda: now, **table))

    return build


# ── in ──


def test_a_message_is_opened_and_taken(account: Callable[..., WeChat]) -> None:
    """A message in its container is taken with `success`; what is stored is what the follower's platform wrote."""
    taken = account().receive(safe(TEXT), NOW)
    assert isinstance(taken, Accepted)
    assert (taken.answer.status, taken.answer.body) == (200, b"success")
    (raw,) = taken.raws
    assert (raw.body, raw.transport_id, raw.partition_key) == (TEXT, "6054768590064713728", "oUser1")


@pytest.mark.parametrize(
    "request_",
    [
        safe(TEXT, "another-token"),
        safe(TEXT, owner="wx0000000000000000"),
        safe(TEXT, stamp="1767222000"),
        Request(method="POST", url=safe(TEXT).url, headers={}, query={}, body=TEXT),
        Request(method="POST", url=safe(TEXT).url, headers={}, query={}, body=b""),
        Request(method="POST", url="/", headers={}, query={}, body=safe(TEXT).body),
    ],
    ids=["token", "owner", "time", "plain", "empty", "unsigned"],
)
def test_every_refusal_looks_alike(request_: Request, account: Callable[..., WeChat]) -> None:
    """From outside nobody can tell a wrong token from a wrong key, owner, padding or time."""
    refused = account().receive(request_, NOW)
    assert isinstance(refused, Refused)
    assert (refused.answer, refused.invalid) == (Answer(status=403), None)


def test_a_hostile_message_inside_is_kept_as_invalid(account: Callable[..., WeChat]) -> None:
    """A genuine container with a DOCTYPE in it is refused, nothing of it is resolved, and it is kept as invalid."""
    hostile = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Content>&a;</Content></xml>'
    refused = account().receive(safe(hostile), NOW)
    assert isinstance(refused, Refused)
    assert refused.answer.status == 403
    assert refused.invalid is not None
    assert refused.invalid.body == hostile
    assert "DOCTYPE" in refused.reason


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"echostr": "5927782489442352469"}, 200),
        ({"echostr": "<b>"}, 403),
        ({"echostr": ""}, 403),
        ({}, 403),
        ({"echostr": "1", "signature": "0" * 40}, 403),
        ({"echostr": "1", "nonce": "4 2"}, 403),
    ],
)
def test_the_handshake_echoes_plain_words_only(
    query: dict[str, str], status: int, account: Callable[..., WeChat]
) -> None:
    """The platform's own handshake is echoed as it is; anything that could be markup is not."""
    whole = {"signature": signature("wxtoken", STAMP, "42"), "timestamp": STAMP, "nonce": "42", **query}
    request = Request(method="GET", url=f"/?{urlencode(whole)}", headers={}, query=whole, body=b"")
    answered = account().receive(request, NOW)
    answer = answered if isinstance(answered, Answer) else answered.answer
    assert (answer.status, answer.body) == (status, query["echostr"].encode() if status == 200 else b"")


def test_plain_mode_needs_its_flag_and_proves_nobody(account: Callable[..., WeChat]) -> None:
    """Plain messages are taken only where the table says `plain-unsafe`, and then their sender is not proved."""
    query = {"signature": signature("wxtoken", STAMP, "42"), "timestamp": STAMP, "nonce": "42"}
    request = Request(method="POST", url=f"/?{urlencode(query)}", headers={}, query=query, body=TEXT)
    assert isinstance(account().receive(request, NOW), Refused)
    plain = account(mode="plain-unsafe")
    taken = plain.receive(request, NOW)
    assert isinstance(taken, Accepted)
    (message,) = plain.translate(taken.raws[0])
    assert isinstance(message, Message)
    assert message.authenticity is Authenticity.UNKNOWN
    with pytest.raises(ValidationError, match="aes_keys"):
        WeChat.Settings.model_validate({**TestContract.settings, "aes_keys": []})


def read(account: Callable[..., WeChat], body: bytes) -> Message:
    """The message of a raw."""
    (message,) = account().translate(Raw(channel="wechat", body=body, received_at=NOW))
    assert isinstance(message, Message)
    return message


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"MsgType": "text", "Content": "账户被冻结", "MsgId": "1"},
         {"text": "账户被冻结", "kind": "text", "external_id": "1"}),
        ({"MsgType": "voice", "MediaId": "m", "Format": "amr", "Recognition": "转账没到", "MsgId": "1"},
         {"text": "转账没到", "kind": "voice"}),
        ({"MsgType": "location", "Location_X": "23.1", "Location_Y": "113.3", "Label": "广州", "MsgId": "1"},
         {"text": "广州\n23.1, 113.3", "kind": "location"}),
        ({"MsgType": "link", "Title": "公告", "Url": "https://a.example", "MsgId": "1"},
         {"text": "公告\nhttps://a.example", "kind": "link"}),
        ({"MsgType": "hologram", "MsgId": "1"}, {"text": "", "kind": "unknown", "automatic": False}),
        ({"MsgType": "event", "Event": "subscribe"},
         {"text": "", "kind": "unknown", "automatic": True, "external_id": "oUser1|1767225600|subscribe"}),
        ({"MsgType": "event", "Event": "CLICK", "EventKey": "转人工"},
         {"text": "转人工", "kind": "postback", "automatic": False}),
        ({"MsgType": "event", "Event": "scancode_waitmsg", "EventKey": "扫码", "ScanCodeInfo": "",
          "MsgId": "1"}, {"text": "扫码", "kind": "postback", "automatic": False}),
        ({"MsgType": "event", "Event": "SCAN", "EventKey": "shop-7"}, {"text": "", "automatic": True}),
        ({"MsgType": "text", "Content": "满意", "bizmsgmenuid": "101", "MsgId": "1"},
         {"text": "满意", "kind": "postback", "automatic": False}),
        ({"MsgType": "file", "Title": "对账单.pdf", "Description": "3月", "FileTotalLen": "99", "MsgId": "1"},
         {"text": "对账单.pdf\n3月", "kind": "file"}),
        ({"MsgType": "miniprogrampage", "Title": "订单", "PagePath": "pages/order?id=1", "MsgId": "1"},
         {"text": "订单\npages/order?id=1", "kind": "miniprogrampage"}),
        ({"MsgType": "card_of_tomorrow", "Title": "红包", "MsgId": "1"}, {"text": "红包", "kind": "unknown"}),
    ],
)  # fmt: skip
def test_every_kind_is_told_apart(
    fields: dict[str, str], expected: dict[str, Any], account: Callable[..., WeChat]
) -> None:
    """Words, recognised voices, places and links are read; events concern nobody's answer; the rest is unknown."""
    message = read(account, xml(**fields))
    assert {name: getattr(message, name) for name in expected} == expected
    assert (message.sender.handle, message.thread, message.sent_at) == ("oUser1", "oUser1", NOW)


@pytest.mark.parametrize("event", ["LOCATION", "VIEW", "TEMPLATESENDJOBFINISH"])
def test_notices_that_nobody_wrote_are_no_messages(event: str, account: Callable[..., WeChat]) -> None:
    """A place that the application reports every five seconds is kept in the raw only."""
    raw = Raw(channel="wechat", body=xml(MsgType="event", Event=event), received_at=NOW)
    assert account().translate(raw) == []


def test_files_are_recorded(account: Callable[..., WeChat]) -> None:
    """A picture has its link, a voice its format; both are recorded and not fetched."""
    picture = read(account, xml(MsgType="image", PicUrl="http://a.example/1", MediaId="m", MsgId="1"))
    voice = read(account, xml(MsgType="voice", MediaId="m", Format="speex", MsgId="1"))
    assert [(a.name, a.type, a.url) for a in (*picture.attachments, *voice.attachments)] == [
        ("image.jpg", "image/jpeg", "http://a.example/1"),
        ("voice.speex", "audio/speex", ""),
    ]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (xml(MsgType="text", FromUserName=""), "no FromUserName"),
        (xml(MsgType=""), "no MsgType"),
        (xml(MsgType="text", CreateTime="1767225600000"), "CreateTime is no time in seconds"),
        (xml(MsgType="text", CreateTime="soon"), "CreateTime"),
        (xml(MsgType="text", CreateTime="9999999999"), "after 2199"),
        (safe(TEXT).body, "still encrypted"),
    ],
)
def test_what_cannot_be_read_is_told(body: bytes, told: str, account: Callable[..., WeChat]) -> None:
    """What is no message of WeChat's is invalid, with its reason."""
    with pytest.raises(InvalidPayload, match=told):
        read(account, body)


def test_no_history_can_be_fetched(account: Callable[..., WeChat]) -> None:
    """WeChat gives no history, and says so."""
    with pytest.raises(NotPossible, match="no history"):
        account().backfill(NOW, None)
    assert adapter is WeChat


# ── out ──


def code(number: int) -> Response:
    """An error, in a 200."""
    return JSONResponse({"errcode": number, "errmsg": "rid: 5f0c token ACCESS-1"})


def reply(**changes: Any) -> Reply:
    """A reply of the desk to a message of an hour ago."""
    whole = {
        "number": 7, "channel": "wechat", "to": "oUser1", "thread": "oUser1", "text": "已为您核实",
        "external_id": "out-7", "idempotency_key": "reply-7", "created_at": NOW, "last_in_at": NOW - timedelta(hours=1),
    }  # fmt: skip
    return Reply(**{**whole, **changes})


async def test_a_long_answer_is_one_message_in_chinese(account: Callable[..., WeChat], serve: Any) -> None:
    """A long answer goes out as one message, as it was written, and the receipt counts what is left."""
    platform = Platform()
    async with serve(platform.app) as url:
        wechat = account(api_url=url)
        first = await wechat.send(reply(text="好" * 600))
        second = await wechat.send(reply(idempotency_key="reply-8"))
        fresh = await wechat.send(reply(idempotency_key="reply-9", last_in_at=NOW))
        await wechat.close()
    assert [json.loads(body)["text"]["content"] for body in platform.sent] == ["好" * 600, "已为您核实", "已为您核实"]
    assert "好".encode() in platform.sent[0]
    assert [receipt.detail[:1] for receipt in (first, second, fresh)] == ["4", "3", "4"]
    assert first.external_id == "out-7"
    assert len(platform.granted) == 1


async def test_pictures_follow_the_text(account: Callable[..., WeChat], serve: Any) -> None:
    """A picture is put up and sent by its media id; after a failure only what is missing is sent again."""
    platform = Platform()
    platform.script = [None, code(-1)]
    picture = Attachment(name="a.png", type="image/png", content=b"\x89PNG", sha256="x", size=4)
    memory: dict[str, str] = {}
    async with serve(platform.app) as url:
        wechat = account(memory, api_url=url)
        with pytest.raises(SendUnreachable):
            await wechat.send(reply(attachments=(picture,)))
        await wechat.send(reply(attachments=(picture,)))
        await wechat.close()
    assert [json.loads(body)["msgtype"] for body in platform.sent] == ["text", "image"]
    assert platform.pictures == [("image", b"\x89PNG")] * 2


async def test_an_outdated_token_is_renewed_once(account: Callable[..., WeChat], serve: Any) -> None:
    """A token that was revoked is replaced and the message sent; one that stays refused stops the channel."""
    platform = Platform()
    memory: dict[str, str] = {}
    async with serve(platform.app) as url:
        wechat = account(memory, api_url=url)
        await wechat.connect()
        platform.valid = "ANOTHER"
        await wechat.send(reply())
        platform.script = [code(42001), code(40001)]
        with pytest.raises(BadSettings, match="a fresh one too"):
            await wechat.send(reply(idempotency_key="reply-8"))
        await wechat.close()
    assert [grant["force_refresh"] for grant in platform.granted] == [False, False, False, True]
    assert len(platform.sent) == 1


async def test_the_token_is_shared_and_renewed_in_time(account: Callable[..., WeChat], serve: Any) -> None:
    """Another node uses the same token; five minutes before its end a new one is fetched."""
    platform = Platform()
    memory: dict[str, str] = {}
    async with serve(platform.app) as url:
        for minutes in (0, 1, 114, 116):
            wechat = account(memory, NOW + timedelta(minutes=minutes), api_url=url)
            assert APP in await wechat.connect()
            await wechat.close()
    assert len(platform.granted) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (code(45015), SendRejected),
        (code(45047), SendRejected),
        (code(45002), SendRejected),
        (code(40003), SendRejected),
        (code(43004), SendRejected),
        (code(99999), SendRejected),
        (code(45009), Throttled),
        (code(45011), Throttled),
        (Response(status_code=429, headers={"retry-after": "5"}), Throttled),
        (code(48001), BadSettings),
        (code(40013), BadSettings),
        (code(40164), BadSettings),
        (code(50002), BadSettings),
        (code(-1), SendUnreachable),
        (Response("<html>", status_code=502), SendUnreachable),
        (Response(status_code=504), OutcomeUnknown),
        (Response("<html>", status_code=200), OutcomeUnknown),
        (JSONResponse({"hello": 1}), OutcomeUnknown),
        (JSONResponse({"errcode": ["x"]}), OutcomeUnknown),
        (Response(status_code=403), BadSettings),
        (Response(status_code=404), BadSettings),
    ],
)
async def test_a_refusal_says_whether_to_try_again(
    answer: Response, error: type[Exception], account: Callable[..., WeChat], serve: Any
) -> None:
    """Errors that come as 200 are errors; each tells the outbox what to do, without the platform's words."""
    platform = Platform()
    platform.script = [answer]
    async with serve(platform.app) as url:
        wechat = account(api_url=url)
        with pytest.raises(error) as caught:
            await wechat.send(reply())
        await wechat.close()
    assert type(caught.value) is error
    assert "ACCESS-1" not in str(caught.value)
    assert platform.sent == []


async def test_who_left_is_known(account: Callable[..., WeChat], serve: Any) -> None:
    """A follower who left takes nothing any more; one whose window is closed may write again."""
    platform = Platform()
    platform.script = [code(43004), code(45015)]
    async with serve(platform.app) as url:
        wechat = account(api_url=url)
        for blocked in (True, False):
            with pytest.raises(SendRejected) as caught:
                await wechat.send(reply())
            assert caught.value.blocked is blocked
        await wechat.close()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"last_in_at": NOW - timedelta(hours=48, seconds=1)}, "48 hours"),
        ({"text": "  "}, "no text"),
        ({"attachments": (Attachment(name="a.pdf", type="application/pdf", content=b"x"),)}, "only pictures"),
        ({"attachments": (Attachment(name="a.png", type="image/png", content=b"x"),) * 5}, "this reply is 6"),
    ],
)
async def test_what_cannot_be_sent_is_refused_before_it_is_tried(
    changes: dict[str, Any], told: str, account: Callable[..., WeChat]
) -> None:
    """A closed window, an empty reply, a file that WeChat takes from no desk and more than five messages in one reply
    are told at once, before a part of it reaches the customer."""
    with pytest.raises(SendRejected, match=told):
        await account().send(reply(**changes))


async def test_wrong_credentials_stop_the_channel(
    account: Callable[..., WeChat], serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong or unset app secret, and unset tokens, are told with what to set."""
    platform = Platform()
    async with serve(platform.app) as url:
        wechat = account(api_url=url)
        monkeypatch.setenv("WX_SECRET", "wrong")
        with pytest.raises(BadSettings, match="app_secret is wrong"):
            await wechat.connect()
        monkeypatch.delenv("WX_SECRET")
        with pytest.raises(BadSettings, match="WX_SECRET"):
            await wechat.send(reply())
        monkeypatch.delenv("WX_AES")
        with pytest.raises(BadSettings, match="aes_keys"):
            await wechat.connect()
        await wechat.close()


async def test_lost_answers_are_told_apart(account: Callable[..., WeChat], serve: Any, hanging_up: str) -> None:
    """A lost answer about a token is tried again; about a message only a person may decide."""
    memory: dict[str, str] = {}
    async with serve(Platform().app) as url:
        granted = account(memory, api_url=url)
        await granted.connect()
        await granted.close()
    asking, sending = account(api_url=hanging_up), account(memory, api_url=hanging_up)
    with pytest.raises(SendUnreachable):
        await asking.send(reply())
    with pytest.raises(OutcomeUnknown):
        await sending.send(reply())
    await asking.close()
    await sending.close()


async def test_the_remembered_token_is_sealed(
    account: Callable[..., WeChat], serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory never shows the token, and under another app secret it is asked for again."""
    platform = Platform()
    memory: dict[str, str] = {}
    async with serve(platform.app) as url:
        wechat = account(memory, api_url=url)
        await wechat.connect()
        assert platform.valid not in json.dumps(memory)
        assert base64.b64decode(memory["access_token"]).find(platform.valid.encode()) == -1
        monkeypatch.setenv("WX_SECRET", "another")
        with pytest.raises(BadSettings, match="app_secret is wrong"):
            await wechat.connect()
        await wechat.close()
    assert len(platform.granted) == 2
