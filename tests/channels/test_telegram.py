"""Telegram: what a bot's users write comes in once and in order, and the desk's answers reach their chat.

The server below speaks the Bot API as its documentation tells ("Making requests", "Getting updates",
"ResponseParameters") and keeps unconfirmed updates as Telegram does. Payloads are the documentation's ("Marvin's
Marvellous Guide to All Things Webhook", "Available types").
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.kit.split import split, units
from adapters.telegram.channel import Telegram, adapter
from router.errors import (
    BadSettings,
    InvalidPayload,
    OutcomeUnknown,
    SendRejected,
    SendUnreachable,
    Throttled,
    Unreachable,
)
from router.errors import (
    Refused as NotPossible,
)
from router.model import Attachment, Direction, Message
from router.ports import Accepted, Delivery, Raw, Refused, Reply, Request
from router.testing import RouteContract

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"  # the documentation's example
TEST = {"last_name": "Test Lastname", "id": 1111111, "first_name": "Test", "username": "Test"}
CHAT = {**TEST, "type": "private"}


def post(message_id: int, text: str | None = None, **more: Any) -> dict[str, Any]:
    """A message of the guide's test user, sent in his private chat."""
    words = {} if text is None else {"text": text}
    return {"date": 1441645532, "chat": CHAT, "message_id": message_id, "from": TEST, **words, **more}


def update(update_id: int, **content: Any) -> dict[str, Any]:
    """An update around a message, an edit or whatever `content` names."""
    return {"update_id": update_id, **content}


class BotApi:
    """A bot's server: hands out what is unconfirmed, takes messages, and answers from a script where one is given."""

    def __init__(self) -> None:
        self.unconfirmed: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.script: dict[str, list[Response | None]] = {}  # None: answer as usual
        self.webhook = ""
        self.arrived = asyncio.Event()
        self.asked = asyncio.Event()
        self.app = Starlette(routes=[Route("/bot{token}/{method}", self.answer, methods=["GET", "POST"])])

    def arrive(self, *updates: dict[str, Any]) -> None:
        """Telegram has these for the bot."""
        self.unconfirmed += updates
        self.arrived.set()

    async def answer(self, request: HttpRequest) -> Response:
        """One call of the Bot API."""
        method = request.path_params["method"]
        async with request.form() as form:
            parameters: dict[str, Any] = {}
            for name, value in form.multi_items():
                parameters[name] = value if isinstance(value, str) else (value.filename, await value.read())
        self.calls.append((method, parameters))
        self.asked.set()
        if request.path_params["token"] != TOKEN:
            return refusal(401, "Unauthorized")
        scripted = self.script[method].pop(0) if self.script.get(method) else None
        return scripted or await getattr(self, method)(parameters)

    async def getUpdates(self, parameters: dict[str, Any]) -> Response:  # noqa: N802  (their name)
        """What is not confirmed; an offset confirms all before it. Waits while there is nothing."""
        if self.webhook:
            return refusal(409, "Conflict: can't use getUpdates method while webhook is active")
        offset = int(parameters.get("offset", 0))
        self.unconfirmed = [u for u in self.unconfirmed if u["update_id"] >= offset]
        while not self.unconfirmed:
            self.arrived.clear()
            await self.arrived.wait()
        return JSONResponse({"ok": True, "result": self.unconfirmed[:100]})

    async def sendMessage(self, parameters: dict[str, Any]) -> Response:  # noqa: N802
        """Take a text of at most 4096 characters."""
        if units(parameters["text"]) > 4096:
            return refusal(400, "Bad Request: message is too long")
        return self._taken(parameters, text=parameters["text"])

    async def sendDocument(self, parameters: dict[str, Any]) -> Response:  # noqa: N802
        """Take a file."""
        return self._taken(parameters, document={"file_id": "f", "file_unique_id": "u"})

    async def answerCallbackQuery(self, parameters: dict[str, Any]) -> Response:  # noqa: N802
        """Stop the button's turning."""
        return JSONResponse({"ok": True, "result": True})

    async def getMe(self, parameters: dict[str, Any]) -> Response:  # noqa: N802
        """Who the bot is."""
        bot = {"id": 110201543, "is_bot": True, "first_name": "Desk", "username": "desk_bot"}
        return JSONResponse({"ok": True, "result": bot})

    async def getWebhookInfo(self, parameters: dict[str, Any]) -> Response:  # noqa: N802
        """Which webhook is set."""
        info = {"url": self.webhook, "has_custom_certificate": False, "pending_update_count": 0}
        return JSONResponse({"ok": True, "result": info})

    async def setWebhook(self, parameters: dict[str, Any]) -> Response:  # noqa: N802
        """Post updates there from now on."""
        self.webhook = parameters["url"]
        return JSONResponse({"ok": True, "result": True})

    def _taken(self, parameters: dict[str, Any], **content: Any) -> Response:
        self.sent.append(parameters)
        chat = {"id": int(parameters["chat_id"]), "type": "private"}
        message = {"message_id": 500 + len(self.sent), "date": 1772438400, "chat": chat, **content}
        return JSONResponse({"ok": True, "result": message})


def refusal(status: int, description: str, **parameters: int) -> Response:
    """The Bot API's way to say no."""
    told = {"ok": False, "error_code": status, "description": description}
    return JSONResponse({**told, "parameters": parameters} if parameters else told, status_code=status)


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot's token and the webhook's secrets, where the settings refer to."""
    monkeypatch.setenv("BOT_TOKEN", TOKEN)
    monkeypatch.setenv("HOOK_NEW", "new-secret_1")
    monkeypatch.setenv("HOOK_OLD", "old-secret_1")


@pytest.fixture
async def api(serve: Any) -> AsyncIterator[BotApi]:
    """A running Bot API."""
    server = BotApi()
    async with serve(server.app) as url:
        server.url = url  # type: ignore[attr-defined]
        yield server


@pytest.fixture
async def bot(token: None, open_channel: Any) -> AsyncIterator[Callable[..., Telegram]]:
    """`bot(api)`: the adapter of a channel `tg` at that server; closed at the end."""
    opened: list[Telegram] = []

    def build(server: Any = None, **settings: Any) -> Telegram:
        url = "http://127.0.0.1:9" if server is None else getattr(server, "url", server)
        known = {key: settings.pop(key) for key in ("memory", "public_url") if key in settings}
        channel = open_channel(Telegram, "tg", **known, **{"token": "env:BOT_TOKEN", "base_url": url, **settings})
        opened.append(Telegram(channel))
        return opened[-1]

    yield build
    for one in opened:
        await one.close()


def raw(content: dict[str, Any] | bytes) -> Raw:
    """An update as the log keeps it."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Raw(channel="tg", body=body, received_at=NOW)


def reply(text: str = "已为您核实", **more: Any) -> Reply:
    """An answer of the desk into the guide's private chat."""
    values: dict[str, Any] = {
        "number": 1, "channel": "tg", "to": "1111111", "thread": "1111111", "text": text, "external_id": "ours",
        "idempotency_key": "k-1", "created_at": NOW, **more,
    }  # fmt: skip
    return Reply(**values)


def translated(content: dict[str, Any] | bytes) -> Message:
    """The message that an update means; translating needs neither a token nor the SDK."""
    channel: Any = type("Opened", (), {"name": "tg", "settings": Telegram.Settings(token="env:NO_SUCH")})()
    [message] = Telegram(channel).translate(raw(content))
    assert isinstance(message, Message)
    return message


async def take(deliveries: AsyncIterator[Delivery]) -> Delivery:
    """The next delivery; fails instead of hanging where none comes."""
    return await asyncio.wait_for(anext(deliveries), 120)


# ── translate ──


def test_a_text_is_a_message_of_its_chat() -> None:
    """What a customer types arrives with his name, his chat, the provider's id and its time."""
    message = translated(update(10000, message=post(1365, "转账2000一直没到账")))
    assert (message.text, message.external_id, message.thread) == ("转账2000一直没到账", "1365", "1111111")
    assert message.key == ("tg", "1111111:1365")
    assert (message.sender.handle, message.sender.name) == ("1111111", "Test Test Lastname")
    assert message.sender.attributes == {"username": "Test"}
    assert message.sent_at == datetime(2015, 9, 7, 17, 5, 32, tzinfo=UTC)
    assert (message.direction, message.kind, message.automatic) == (Direction.IN, "text", False)


def test_an_edit_is_a_message_that_names_what_it_corrects() -> None:
    """Whoever corrects a message gets no second conversation: the edit has its own id and names the original."""
    message = translated(update(10000, edited_message=post(1365, "Edited text", edit_date=1441646600)))
    assert (message.external_id, message.edits) == ("1365:1441646600", "1365")
    assert message.sent_at == datetime.fromtimestamp(1441646600, UTC)
    assert message.key_of(message.edits) == translated(update(9999, message=post(1365, "Text"))).key


def test_a_reply_names_its_parent() -> None:
    """Answering a message of the desk leads to that message's conversation."""
    original = {"date": 1441645000, "chat": CHAT, "message_id": 1334, "text": "Original"}
    assert translated(update(10000, message=post(1365, "还没有", reply_to_message=original))).in_reply_to == "1334"


FILE = {"file_id": "AwADBAADbXXXXXXXXXXXGBdhD2l6_XX"}
PLACE = {"latitude": 31.23, "longitude": 121.47}
GROUP = {"id": -1001234567890, "type": "supergroup", "title": "VIP", "is_forum": True}


@pytest.mark.parametrize(
    ("content", "kind", "text", "attachment"),
    [
        ({"document": {**FILE, "file_name": "Testfile.pdf", "mime_type": "application/pdf", "file_size": 536392}},
         "document", "", ("Testfile.pdf", "application/pdf", 536392)),
        ({"document": {**FILE, "file_name": "../../e\u202egpj.exe", "mime_type": "x"}},
         "document", "", ("egpj.exe", "application/octet-stream", 0)),
        ({"audio": {**FILE, "duration": 243, "mime_type": "audio/mpeg", "file_size": 3897500, "title": "Test music"}},
         "audio", "Test music", ("audio-AwADBAADbXXXXXXXXXXXGBdhD2l6_XX", "audio/mpeg", 3897500)),
        ({"voice": {**FILE, "duration": 5, "mime_type": "audio/ogg", "file_size": 23000}},
         "voice", "", ("voice-AwADBAADbXXXXXXXXXXXGBdhD2l6_XX", "audio/ogg", 23000)),
        ({"photo": [{**FILE, "file_size": 10}, {"file_id": "b", "file_unique_id": "big", "file_size": 99}],
          "caption": "付款截图"}, "text", "付款截图", ("photo-big", "image/jpeg", 99)),
        ({"animation": FILE, "document": FILE}, "animation", "", ("animation-" + FILE["file_id"], "video/mp4", 0)),
        ({"sticker": {**FILE, "emoji": "👍"}}, "sticker", "👍", ("sticker-" + FILE["file_id"], "image/webp", 0)),
        ({"location": PLACE}, "location", "31.23, 121.47", None),
        ({"location": PLACE, "venue": {"location": PLACE, "title": "Bank", "address": "1 Main St"}},
         "location", "Bank\n1 Main St\n31.23, 121.47", None),
        ({"contact": {"phone_number": "8613800000000", "first_name": "陈"}}, "contact", "陈 +8613800000000", None),
        ({"dice": {"emoji": "🎲", "value": 3}}, "dice", "🎲", None),
        ({"poll": {"id": "1", "question": "几点到账？", "options": []}}, "poll", "几点到账？", None),
    ],
)  # fmt: skip
def test_whatever_a_customer_sends_is_shown(
    content: dict[str, Any], kind: str, text: str, attachment: tuple[str, str, int] | None
) -> None:
    """Files, places and contact cards arrive as what they are; a caption is the text; a file is recorded by its id."""
    message = translated(update(10000, message=post(7, **content)))
    assert (message.kind, message.text, message.automatic) == (kind, text, False)
    assert [(a.name, a.type, a.size) for a in message.attachments] == ([attachment] if attachment else [])
    assert all(a.url.startswith("telegram:") for a in message.attachments)


@pytest.mark.parametrize(("owner", "verified"), [(1111111, {"phone": "+8613800000000"}), (2222222, {}), (None, {})])
def test_only_the_own_contact_card_proves_a_phone(owner: int | None, verified: dict[str, str]) -> None:
    """Somebody else's card, or one without an account, proves nothing about the sender."""
    card = {"phone_number": "+86 138-0000-0000", "first_name": "Test", **({} if owner is None else {"user_id": owner})}
    assert translated(update(1, message=post(7, contact=card))).sender.verified == verified


def test_the_photos_of_an_album_belong_together() -> None:
    """Each photo is a message of its own, the caption on one of them; all name the album."""
    photo = {"photo": [{**FILE, "file_unique_id": "p"}], "media_group_id": "13000000001"}
    first = translated(update(1, message=post(7, caption="三张截图", **photo)))
    second = translated(update(2, message=post(8, **photo)))
    assert (first.text, second.text) == ("三张截图", "")
    assert first.key != second.key
    assert first.references == second.references == ("album:13000000001",)


def album(number: int, message: int, caption: str = "", **more: Any) -> dict[str, Any]:
    """An update with one photo of an album."""
    photo = [{**FILE, "file_id": f"file-{message}", "file_unique_id": f"photo-{message}"}]
    words = {"caption": caption} if caption else {}
    return update(number, message=post(message, photo=photo, media_group_id="13000000001", **words, **more))


@pytest.mark.parametrize(
    ("captions", "own", "text", "kind"),
    [
        (("三张截图", "", ""), "7", "三张截图", "text"),
        (("", "", "转账截图"), "9", "转账截图", "text"),
        (("一", "二", ""), "7", "一\n二", "text"),
        (("", "", ""), "7", "", "photo"),
    ],
)
async def test_an_album_is_one_message(
    captions: tuple[str, ...], own: str, text: str, kind: str, bot: Any, api: BotApi
) -> None:
    """The photos of an album that the poll brings are one message with all files, whichever of them has the words,
    also when the last ones come a moment later; what comes before and behind it stays by itself."""
    photos = [album(10001 + n, 7 + n, caption) for n, caption in enumerate(captions)]
    telegram = bot(api)
    api.arrive(update(10000, message=post(6, "你好")), photos[0])
    telegram.quiet = 30.0  # ended below, when the poll waits for the rest
    deliveries = telegram.deliveries(None)
    taking = asyncio.ensure_future(take(deliveries))
    await api.asked.wait()
    api.arrive(photos[1], photos[2], update(10004, message=post(10, "在吗")))
    telegram.wake.set()
    delivery = await taking
    assert (delivery.cursor, [r.transport_id for r in delivery.raws]) == ("10005", ["10000", "10001", "10004"])
    assert [c[1].get("offset") for c in api.calls] == [None, None], "nothing of it is confirmed meanwhile"
    [before, message, behind] = [translated(r.body) for r in delivery.raws]
    assert (before.text, behind.text) == ("你好", "在吗")
    assert (message.external_id, message.text, message.kind) == (own, text, kind)
    assert [file.url for file in message.attachments] == ["telegram:file-7", "telegram:file-8", "telegram:file-9"]
    assert message.references == ("album:13000000001",)


async def test_telegram_tells_the_time(bot: Any, api: BotApi) -> None:
    """Each answer of the Bot API has a Date, which ends a doubt about the desk's clock."""
    telegram, told = bot(api), list[datetime]()
    telegram._channel = replace(telegram._channel, heard=told.append)
    api.arrive(update(10000, message=post(6, "你好")))
    await take(telegram.deliveries(None))
    assert told
    assert all(abs((datetime.now(UTC) - at).total_seconds()) < 3600 for at in told)


async def test_an_album_ends_with_the_quiet(bot: Any, api: BotApi) -> None:
    """When no further photo comes, the album is whole; the same photos asked for twice are there once."""
    telegram = bot(api)
    telegram.quiet = 0.0
    api.arrive(album(10001, 7, "截图"), album(10002, 8), album(10003, 9, chat=GROUP))
    delivery = await take(telegram.deliveries(None))
    one, other = [translated(r.body) for r in delivery.raws]
    assert (len(one.attachments), len(other.attachments)) == (2, 1)
    assert (one.thread, other.thread) == ("1111111", str(GROUP["id"]))
    assert delivery.cursor == "10004"


@pytest.mark.parametrize("body", [b"[]", b"[{}]", b"[1]", b"[[]]", b"[" * 100_000, b'[{"update_id": 1}]', b" [\xff]"])
def test_a_list_that_is_no_album_is_no_update(body: bytes) -> None:
    """Only photos of one album stand in a list."""
    with pytest.raises(InvalidPayload, match="no Telegram update"):
        translated(body)


def test_in_a_group_the_writer_is_the_customer_and_the_chat_the_thread() -> None:
    """Two members of a group are two people in one chat."""
    member = translated(update(1, message=post(7, "充值失败", chat=GROUP)))
    assert (member.thread, member.sender.handle) == ("-1001234567890", "1111111")


def test_a_forum_topic_is_named_and_its_opening_is_no_parent() -> None:
    """In a topic every message seems to answer the topic's opening; only a real answer has a parent."""
    topic = {"chat": GROUP, "message_thread_id": 40, "is_topic_message": True}
    plain = translated(
        update(1, message=post(7, "问题", **topic, reply_to_message={"message_id": 40, "date": 1, "chat": GROUP}))
    )
    answer = translated(
        update(2, message=post(8, "问题", **topic, reply_to_message={"message_id": 7, "date": 1, "chat": GROUP}))
    )
    assert (plain.references, plain.in_reply_to) == (("topic:40",), "")
    assert (answer.references, answer.in_reply_to) == (("topic:40",), "7")


def test_a_channel_speaks_for_itself() -> None:
    """A channel's post has no person behind it: the channel is the sender."""
    channel = {"id": -1009999, "type": "channel", "title": "News"}
    content = {"message_id": 3, "date": 1441645532, "chat": channel, "sender_chat": channel, "text": "公告"}
    message = translated(update(1, channel_post=content))
    assert (message.sender.handle, message.sender.name, message.thread) == ("-1009999", "News", "-1009999")


@pytest.mark.parametrize(
    "content",
    [
        {"message": post(7, new_chat_members=[TEST])},
        {"message": post(7, pinned_message=post(6, "x"))},
        {"message": post(7, "hi", **{"from": {**TEST, "is_bot": True}})},
        {"edited_message": post(7, edit_date=1441646600, location=PLACE)},
        {"my_chat_member": {"chat": CHAT, "from": TEST, "date": 1441645532, "new_chat_member": {}}},
        {"message_reaction": {"chat": CHAT, "message_id": 7, "user": TEST, "date": 1441645532, "new_reaction": []}},
        {"poll_answer": {"poll_id": "1"}},
    ],
)  # fmt: skip
def test_what_nobody_wrote_opens_nothing(content: dict[str, Any]) -> None:
    """Joins, pins, other bots, moving locations and unknown updates are kept, but are no request."""
    assert translated(update(5, **content)).automatic


@pytest.mark.parametrize(
    ("words", "said"), [("/start", 0), ("/start@desk_bot", 0), ("/start order-77", 1), ("/startup?", 1)]
)
def test_the_start_button_says_nothing(words: str, said: int) -> None:
    """Opening the chat is no request, so the first word typed is the first message; a link's word is kept."""
    channel: Any = type("Opened", (), {"name": "tg", "settings": Telegram.Settings(token="env:NO_SUCH")})()
    assert len(Telegram(channel).translate(raw(update(1, message=post(7, words))))) == said


def test_the_word_of_a_link_is_no_word_of_his() -> None:
    """Who comes by a link said nothing yet: its word is an attribute that rules can ask for."""
    message = translated(update(1, message=post(7, "/start order-77")))
    assert (message.automatic, message.text, message.sender.attributes["ref"]) == (True, "", "order-77")
    assert not translated(update(1, edited_message=post(7, "/start order-77", edit_date=1441646600))).automatic


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        ({"text": "看", "quote": {"text": "第一行\n第二行", "position": 0}, "reply_to_message": post(6, "x")},
         "text", "> 第一行\n> 第二行\n看"),
        ({"text": "骗子", "forward_origin": {"type": "hidden_user", "sender_user_name": "客服"}},
         "forward", "↪ 客服\n骗子"),
        ({"photo": [FILE], "caption": "图", "caption_entities": [{"type": "text_link", "url": "https://a.example"}]},
         "text", "图\nhttps://a.example"),
        ({"text": "点这里", "reply_markup": {"inline_keyboard": [[{"text": "领取", "url": "https://a.example"}]]}},
         "text", "点这里\n领取 https://a.example"),
        ({"text": "看", "link_preview_options": {"url": "https://a.example"}}, "text", "看\nhttps://a.example"),
        ({"audio": {**FILE, "title": "录音", "performer": "陈"}}, "audio", "陈 – 录音"),
        ({"checklist": {"title": "要办的", "tasks": [{"id": 1, "text": "退款"}]}}, "checklist", "要办的\n退款"),
        ({"poll": {"id": "1", "question": "几点？", "options": [{"text": "8点", "voter_count": 0}]}},
         "poll", "几点？\n8点"),
        ({"invoice": {"title": "会员", "description": "一年", "currency": "CNY"}}, "invoice", "会员\n一年"),
        ({"game": {"title": "红包雨", "description": "d", "photo": []}}, "game", "红包雨\nd"),
        ({"successful_payment": {"currency": "JPY", "total_amount": 300, "invoice_payload": ""}}, "payment", "JPY 300"),
    ],
)  # fmt: skip
def test_words_in_odd_places_are_read(content: dict[str, Any], kind: str, text: str) -> None:
    """Quotes, forwards, hidden links, buttons, lists and titles are words; nothing that has words is empty."""
    message = translated(update(1, message=post(7, **content)))
    assert (message.kind, message.text, message.automatic) == (kind, text, False)


def business(message_id: int, text: str, author: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A message in the chat of a business account with the guide's test user."""
    return post(message_id, text, business_connection_id="bc-1_x", **{"from": author, **more})


OWNER = {"id": 77, "is_bot": False, "first_name": "Desk"}


def test_a_business_accounts_chat_is_one_of_its_own() -> None:
    """It has the id of the bot's own chat with that person and is another one; what the owner writes is the desk's."""
    heard = translated(update(1, business_message=business(7, "没到账", TEST)))
    assert (heard.text, heard.direction, heard.automatic) == ("没到账", Direction.IN, False)
    assert heard.key == ("tg", "business:bc-1_x:1111111:7")
    own = translated(update(2, business_message=business(8, "您好", OWNER)))
    assert (own.direction, own.thread, own.automatic) == (Direction.OUT, heard.thread, False)
    away = translated(update(3, business_message=business(9, "不在", OWNER, is_from_offline=True)))
    assert (away.direction, away.automatic) == (Direction.OUT, True)
    edit = translated(update(4, edited_business_message=business(7, "到账了", TEST, edit_date=1441646600)))
    assert (edit.edits, edit.thread) == ("7", heard.thread)
    connected = {"id": "bc-1_x", "user": OWNER, "user_chat_id": 77, "date": 1441645532, "is_enabled": True}
    assert translated(update(5, business_connection=connected)).automatic


def test_our_own_answer_in_a_business_chat_is_no_news() -> None:
    """Telegram tells the bot what it sent itself for the account; the desk knows that."""
    bot = {"id": 110201543, "is_bot": True, "first_name": "Desk"}
    channel: Any = type("Opened", (), {"name": "tg", "settings": Telegram.Settings(token="env:NO_SUCH")})()
    told = update(1, business_message=business(8, "您好", OWNER, sender_business_bot=bot))
    assert Telegram(channel).translate(raw(told)) == []


async def test_a_business_chat_is_answered_as_its_account(bot: Any, api: BotApi) -> None:
    """The answer names the connection; an answer in the bot's own chat names none."""
    await bot(api).send(reply(thread="business:bc-1_x:1111111"))
    await bot(api).send(reply(idempotency_key="k-2"))
    assert [(one["chat_id"], one.get("business_connection_id")) for one in api.sent] == [
        ("1111111", "bc-1_x"), ("1111111", None),
    ]  # fmt: skip


def pressing(message: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """The press of a button."""
    shown = {} if message is None else {"message": message}
    return update(9, callback_query={"id": "4382bfdwdsb323b2d9", "from": TEST, "chat_instance": "1", **shown, **more})


@pytest.mark.parametrize(
    ("content", "text", "thread", "answered"),
    [
        (pressing(post(7, "请选择", reply_markup={"inline_keyboard": [[{"text": "转人工", "callback_data": "h"}]]}),
                  data="h"), "转人工", "1111111", "7"),
        (pressing({"chat": CHAT, "message_id": 7, "date": 0}, data="human"), "human", "1111111", "7"),
        (pressing(None, inline_message_id="1", data="human"), "human", "", ""),
        (pressing(None, inline_message_id="1", game_short_name="rain"), "rain", "", ""),
    ],
)  # fmt: skip
def test_a_pressed_button_is_said(content: dict[str, Any], text: str, thread: str, answered: str) -> None:
    """Who presses "转人工" said so: his words are the button's, else what it stands for."""
    message = translated(content)
    assert (message.kind, message.text, message.automatic) == ("postback", text, False)
    assert (message.thread, message.in_reply_to, message.sender.handle) == (thread, answered, "1111111")


async def test_a_press_is_told_to_be_taken(bot: Any, api: BotApi) -> None:
    """The button stops to turn once the press is durable: by a call after a poll, by the answer to a webhook."""
    api.arrive(pressing(None, data="h"), update(10, message=post(7, "hi")))
    delivery = await take(bot(api).deliveries(None))
    assert [method for method, _ in api.calls] == ["getUpdates"]
    assert delivery.acknowledge is not None
    await delivery.acknowledge()
    assert api.calls[-1] == ("answerCallbackQuery", {"callback_query_id": "4382bfdwdsb323b2d9"})


async def test_a_press_by_webhook_is_answered_with_it(bot: Any) -> None:
    """The answer to the request is the call."""
    hooked = bot(mode="webhook", secret_tokens=["env:HOOK_NEW"])
    headers = {"x-telegram-bot-api-secret-token": "new-secret_1"}
    body = json.dumps(pressing(None, data="h")).encode()
    taken = hooked.routes[0].receive(Request(method="POST", url="/", headers=headers, query={}, body=body), NOW)
    assert isinstance(taken, Accepted)
    assert json.loads(taken.answer.body) == {
        "method": "answerCallbackQuery", "callback_query_id": "4382bfdwdsb323b2d9",
    }  # fmt: skip


async def test_everything_that_is_read_is_asked_for(bot: Any, api: BotApi) -> None:
    """Telegram sends only what a bot asks for."""
    api.arrive(update(1, message=post(7, "hi")))
    await take(bot(api).deliveries(None))
    asked = set(json.loads(api.calls[-1][1]["allowed_updates"]))
    assert asked >= {"callback_query", "business_message", "edited_business_message", "deleted_business_messages"}


def test_a_kind_of_tomorrow_is_somebodys_message() -> None:
    """What a customer sent and we cannot show is shown as unknown, and waits for an answer like all else."""
    message = translated(update(1, message=post(7, a_kind_of_tomorrow={"file_id": "x"})))
    assert (message.kind, message.text, message.automatic) == ("unknown", "", False)


def test_a_reaction_is_its_emoji_on_a_message() -> None:
    """A thumb on the desk's answer is shown with the answer it is on."""
    thumb = {"type": "emoji", "emoji": "👍"}
    content = {
        "chat": CHAT,
        "message_id": 501,
        "user": TEST,
        "date": 1441645532,
        "old_reaction": [],
        "new_reaction": [thumb],
    }
    message = translated(update(77, message_reaction=content))
    assert (message.kind, message.text, message.in_reply_to, message.external_id) == (
        "reaction",
        "👍",
        "501",
        "reaction-77",
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "truncated"),
        (b"<html>", "malformed"),
        (b"[]", "Expected `object`"),
        (b'{"update_id": 1, "message": {"message_id": "7"}}', "Expected `int`"),
        (
            b'{"update_id": 1, "message": {"message_id": 7, "date": 99999999999999, "chat": {"id": 1}}}',
            "impossible date",
        ),
        (b'{"update_id": 1, "x": ' + b"[" * 100_000, "nested too deep"),
        (b'{"update_id": 1, "message": {"message_id": 7, "date": 1, "chat": {"id": 1}, "text": "\xff"}}', "UTF-8"),
    ],
)
def test_junk_is_refused_in_one_sentence(body: bytes, said: str) -> None:
    """Bytes that are no update become an invalid raw with the reason, never a crash."""
    channel: Any = type("Opened", (), {"name": "tg", "settings": Telegram.Settings(token="env:NO_SUCH")})()
    with pytest.raises(InvalidPayload, match=said):
        Telegram(channel).translate(raw(body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["text", "caption", "photo", "contact", "chat", "from", "date", "edit_date", "sticker", "location"]
)


@given(st.dictionaries(FIELDS, json_values, max_size=4), st.sampled_from(["message", "edited_message", "channel_post"]))
def test_translate_is_total(fields: dict[str, Any], name: str) -> None:
    """Whatever stands in an update, it is a message or an InvalidPayload."""
    with contextlib.suppress(InvalidPayload):
        message = translated(update(1, **{name: {**post(7), **fields}}))
        assert message.external_id
        assert "\0" not in message.text


# ── webhook ──


def posted(secret: str | None, body: bytes = b"{}") -> Request:
    """An update as Telegram posts it."""
    headers = {"content-type": "application/json"}
    if secret is not None:
        headers["x-telegram-bot-api-secret-token"] = secret
    return Request(method="POST", url="/channels/tg", headers=headers, query={}, body=body)


@pytest.mark.parametrize(
    ("secret", "taken"), [("new-secret_1", True), ("old-secret_1", True), ("wrong", False), (None, False)]
)
async def test_the_webhook_takes_what_carries_a_secret_token(bot: Any, secret: str | None, taken: bool) -> None:
    """Two tokens are valid while they rotate; without one nothing is taken, and the answer is empty."""
    hook = bot(mode="webhook", secret_tokens=["env:HOOK_NEW", "env:HOOK_OLD"])
    [route] = hook.routes
    outcome = route.receive(posted(secret, b'{"update_id": 5}'), NOW)
    if taken:
        assert isinstance(outcome, Accepted)
        assert (outcome.answer.status, outcome.raws[0].body) == (200, b'{"update_id": 5}')
    else:
        assert isinstance(outcome, Refused)
        assert (outcome.answer.status, outcome.answer.body, outcome.invalid) == (401, b"", None)


async def test_the_webhook_is_registered_with_its_secret(bot: Any, api: BotApi) -> None:
    """In webhook mode the daemon tells Telegram where to post, and polls nothing."""
    hook = bot(api, mode="webhook", secret_tokens=["env:HOOK_NEW"], public_url="https://support.example.com")
    assert [d async for d in hook.deliveries(None)] == []
    [(method, parameters)] = api.calls
    assert (method, parameters["url"]) == ("setWebhook", "https://support.example.com/channels/tg")
    assert parameters["secret_token"] == "new-secret_1"


def test_a_webhook_without_a_secret_is_a_mistake_of_the_settings() -> None:
    """Nobody can run an open webhook by forgetting a key."""
    with pytest.raises(ValueError, match="needs secret_tokens"):
        Telegram.Settings(token="env:BOT_TOKEN", mode="webhook")


# ── poll ──


async def test_updates_come_in_the_providers_own_bytes(bot: Any, api: BotApi) -> None:
    """The raw is what Telegram sent, one update each, with the chat as its key, and nothing the library made of it."""
    unusual = update(10001, message=post(8, "二", a_field_of_the_future={"x": [1, 2]}))
    api.arrive(update(10000, message=post(7, "一")), unusual)
    delivery = await take(bot(api).deliveries(None))
    assert [json.loads(r.body) for r in delivery.raws] == api.unconfirmed
    assert b'"a_field_of_the_future":{"x":[1,2]}' in delivery.raws[1].body
    assert [(r.transport_id, r.partition_key, r.channel) for r in delivery.raws] == [
        ("10000", "1111111", "tg"),
        ("10001", "1111111", "tg"),
    ]
    assert delivery.cursor == "10002"


async def test_what_was_not_made_durable_comes_again(bot: Any, api: BotApi) -> None:
    """A crash between arrival and commit loses nothing: Telegram is told only by the question after the commit."""
    api.arrive(update(10000, message=post(7, "一")))
    crashed = bot(api).deliveries(None)
    lost = await take(crashed)
    await crashed.aclose()
    assert api.unconfirmed, "nothing may be confirmed before the next question"
    again = await take(bot(api).deliveries(None))
    assert [r.body for r in again.raws] == [r.body for r in lost.raws]


async def test_the_next_question_confirms(bot: Any, api: BotApi) -> None:
    """After the commit the loop asks from the new offset on, and Telegram forgets the rest."""
    api.arrive(update(10000, message=post(7, "一")))
    deliveries = bot(api).deliveries(None)
    first = await take(deliveries)
    api.arrive(update(10001, message=post(8, "二")))
    second = await take(deliveries)
    assert [r.transport_id for r in first.raws + second.raws] == ["10000", "10001"]
    assert [u["update_id"] for u in api.unconfirmed] == [10001]
    assert api.calls[-1][1]["offset"] == "10001"
    assert "message_reaction" in json.loads(api.calls[-1][1]["allowed_updates"])


async def test_crashes_anywhere_lose_and_double_nothing(bot: Any, api: BotApi, ledger: Any) -> None:
    """Killed before the commit, after it, or before the next question: each update is in the log once, in order."""
    dice = random.Random(7)
    last = 0
    while int(ledger.cursor("tg") or 0) <= 300:
        batch = range(last + 1, min(300, last + dice.randint(1, 40)) + 1)
        api.arrive(*(update(n, message=post(n, str(n))) for n in batch))
        last = batch.stop - 1
        polling = bot(api).deliveries(ledger.cursor("tg"))
        while int(ledger.cursor("tg") or 0) <= last:
            delivery = await take(polling)
            if dice.random() < 0.4:
                break  # killed before the commit
            await ledger.append("tg", delivery)
            if dice.random() < 0.4:
                break  # killed before the next question
        await polling.aclose()
    assert [r.transport_id for r in await ledger.raws()] == [str(n) for n in range(1, 301)]


async def test_after_an_outage_everything_is_caught_up(bot: Any, serve: Any) -> None:
    """The server was away; the loop says so, starts again from the cursor, and misses nothing."""
    server = BotApi()
    async with serve(server.app) as url:
        server.arrive(update(1, message=post(1, "一")))
        deliveries = bot(url).deliveries(None)
        cursor = (await take(deliveries)).cursor
    with pytest.raises(Unreachable, match="cannot be reached"):
        await take(deliveries)
    server.arrive(*(update(n, message=post(n, str(n))) for n in range(2, 152)))
    async with serve(server.app) as url:
        resumed = bot(url).deliveries(cursor)
        caught = [*(await take(resumed)).raws, *(await take(resumed)).raws]
    assert [r.transport_id for r in caught] == [str(n) for n in range(2, 152)]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (refusal(401, "Unauthorized"), BadSettings, "@BotFather"),
        (refusal(404, "Not Found"), BadSettings, "@BotFather"),
        (refusal(409, "Conflict: can't use getUpdates method while webhook is active"), BadSettings, "webhook is set"),
        (refusal(409, "Conflict: terminated by other getUpdates request"), Unreachable, "Another program"),
        (refusal(502, "Bad Gateway"), Unreachable, "502"),
        (Response("<html>Bad Gateway</html>", 502), Unreachable, "502"),
        (Response("<html>Log in to the hotel's network</html>", 200), Unreachable, "cannot be reached"),
        (JSONResponse({"ok": True, "result": {"no": "list"}}), Unreachable, "a proxy in between"),
        (JSONResponse({"ok": True, "result": [{}]}), Unreachable, "no update_id"),
        (refusal(400, "Bad Request: wrong offset"), BadSettings, "Wrong offset"),
    ],
)
async def test_a_poll_that_fails_says_whether_to_go_on(
    bot: Any, api: BotApi, answer: Response, error: type[Exception], said: str
) -> None:
    """The operator is called where only he can help; everything else is tried again."""
    api.script["getUpdates"] = [answer]
    with pytest.raises(error, match=said):
        await take(bot(api).deliveries(None))


async def test_a_poll_waits_as_long_as_it_is_told(bot: Any, api: BotApi) -> None:
    """Told to slow down, the loop pauses and goes on by itself (the test ends the pause)."""
    api.script["getUpdates"] = [refusal(429, "Too Many Requests: retry after 3600", retry_after=3600)]
    api.arrive(update(1, message=post(1, "一")))
    polling = bot(api)
    polling.wake.set()
    assert len((await take(polling.deliveries(None))).raws) == 1


def test_telegram_gives_bots_no_history(bot: Any) -> None:
    """Backfill says in one sentence that there is nothing to fetch."""
    with pytest.raises(NotPossible, match="no history"):
        bot().backfill(NOW - timedelta(days=1), None)


# ── send ──


async def test_a_reply_answers_in_the_chat(bot: Any, api: BotApi) -> None:
    """The customer sees the answer under his own message; the receipt has Telegram's id."""
    receipt = await bot(api).send(reply(in_reply_to="1365"))
    [sent] = api.sent
    assert (sent["chat_id"], sent["text"], receipt.external_id) == ("1111111", "已为您核实", "501")
    assert json.loads(sent["reply_parameters"]) == {"message_id": 1365, "allow_sending_without_reply": True}


async def test_a_reply_stays_in_its_topic(bot: Any, api: BotApi) -> None:
    """In a forum the answer goes into the topic of the question, to the group, whoever asked."""
    await bot(api).send(reply(thread="-1001234567890", references=("topic:40",), in_reply_to="8:1441646600"))
    [sent] = api.sent
    assert (sent["chat_id"], sent["message_thread_id"]) == ("-1001234567890", "40")
    assert json.loads(sent["reply_parameters"])["message_id"] == 8


def unhurried(adapter: Telegram, **limits: Any) -> Telegram:
    """The adapter with other rate limits than Telegram's."""
    from adapters.telegram.api import Api, Limits

    settings = adapter._settings
    adapter._api = Api(TOKEN, settings.base_url, lambda: NOW, Limits(**{"chat": (1000, 1), **limits}))
    return adapter


async def test_a_long_reply_and_its_files_go_out_in_order(bot: Any, api: BotApi) -> None:
    """A text beyond 4096 characters is sent in parts, then the files, each once, only the first as an answer."""
    text = "\n\n".join("段落" * 400 for _ in range(8))
    files = (Attachment(name="凭证.pdf", content=b"%PDF-1.7"), Attachment(name="b", url="https://example.com/b.pdf"))
    receipt = await unhurried(bot(api)).send(reply(text, attachments=files, in_reply_to="1365"))
    texts = [s["text"] for s in api.sent if "text" in s]
    assert "\n\n".join(texts) == text
    assert api.sent[2]["凭证.pdf" if "凭证.pdf" in api.sent[2] else "document"]
    assert api.sent[3]["document"] == "https://example.com/b.pdf"
    assert ["reply_parameters" in s for s in api.sent] == [True, False, False, False]
    assert (receipt.external_id, receipt.detail) == ("501", "4 messages: 501, 502, 503, 504")


async def test_a_retry_sends_only_what_is_missing(bot: Any, api: BotApi) -> None:
    """Stopped after the first part, the next attempt goes on with the second: the customer reads nothing twice."""
    memory: dict[str, str] = {}
    text = "\n".join("字" * 1000 for _ in range(8))
    api.script["sendMessage"] = [None, refusal(429, "Too Many Requests: retry after 7", retry_after=7)]
    with pytest.raises(Throttled):
        await unhurried(bot(api, memory=memory)).send(reply(text))
    receipt = await unhurried(bot(api, memory=memory)).send(reply(text))
    assert "\n".join(s["text"] for s in api.sent) == text
    assert receipt.external_id == "501"


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (refusal(429, "Too Many Requests: retry after 35", retry_after=35), Throttled, "35 s"),
        (refusal(403, "Forbidden: bot was blocked by the user"), SendRejected, "blocked by the user"),
        (refusal(400, "Bad Request: chat not found"), SendRejected, "[Cc]hat not found"),
        (refusal(413, "Request Entity Too Large"), SendRejected, "Too Large"),
        (refusal(401, "Unauthorized"), BadSettings, "@BotFather"),
        (refusal(409, "Conflict"), SendUnreachable, "now"),
        (refusal(500, "Internal Server Error"), SendUnreachable, "500"),
        (Response("<html>", 502), SendUnreachable, "502"),
        (Response("", 504), OutcomeUnknown, "may or may not"),
        (Response("<html>", 200), OutcomeUnknown, "may or may not"),
        (JSONResponse({"ok": True, "result": {"strange": 1}}), OutcomeUnknown, "cannot be read"),
    ],
)
async def test_a_reply_that_fails_is_sorted(
    bot: Any, api: BotApi, answer: Response, error: type[Exception], said: str
) -> None:
    """Each refusal says whether to wait, try later, give up, stop the channel, or look into the chat."""
    api.script["sendMessage"] = [answer]
    with pytest.raises(error, match=said) as caught:
        await bot(api).send(reply())
    if isinstance(caught.value, Throttled):
        assert caught.value.until == NOW + timedelta(seconds=35)
    if isinstance(caught.value, SendRejected):
        assert caught.value.blocked is ("blocked" in said)


async def test_a_group_that_moved_gets_its_reply(bot: Any, api: BotApi) -> None:
    """A group that became a supergroup has a new id; the answer follows it at once."""
    api.script["sendMessage"] = [refusal(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-100777)]
    await bot(api).send(reply(thread="-777"))
    assert [s["chat_id"] for s in api.sent] == ["-100777"]


async def test_a_lost_answer_is_never_sent_again_by_itself(bot: Any, hanging_up: str) -> None:
    """The bytes left and the connection broke: a person must look, for a second try could answer twice."""
    with pytest.raises(OutcomeUnknown, match="may or may not"):
        await bot(hanging_up).send(reply())


async def test_a_reply_that_never_left_is_tried_later(bot: Any, own_port: Callable[[], int]) -> None:
    """Nothing listens: nothing was sent, so trying again is safe."""
    with pytest.raises(SendUnreachable, match="cannot be reached"):
        await bot(f"http://127.0.0.1:{own_port()}").send(reply())


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"thread": "", "to": "chen"}, "whole number"),
        ({"text": " \n "}, "no text"),
        ({"attachments": (Attachment(name="a.png", sha256="ab"),)}, "a.png has no content"),
    ],
)
async def test_what_cannot_be_sent_is_said_before_anything_goes_out(
    bot: Any, api: BotApi, bad: dict[str, Any], said: str
) -> None:
    """A reply with a wrong address or nothing in it is refused with its reason, and no half of it is sent."""
    with pytest.raises(SendRejected, match=said):
        await bot(api).send(reply(**bad))
    assert api.calls == []


@pytest.mark.parametrize("chat", ["1111111", "-100777"])
async def test_one_chat_waits_its_turn_and_the_others_do_not(bot: Any, api: BotApi, chat: str) -> None:
    """A chat over its limit waits; everybody else's answers go out meanwhile."""
    limited = unhurried(bot(api), **{"group" if chat.startswith("-") else "chat": (1, 1_000_000)})
    await limited.send(reply(thread=chat))
    waiting = asyncio.create_task(limited.send(reply(thread=chat)))
    await limited.send(reply(thread="2222222"))
    assert not waiting.done()
    assert [s["chat_id"] for s in api.sent] == [chat, "2222222"]
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


# ── secrets, start ──


async def test_the_token_shows_nowhere(bot: Any, api: BotApi, caplog: pytest.LogCaptureFixture) -> None:
    """Not in a log line, an error, its causes or a repr, even when somebody's proxy repeats the address."""
    caplog.set_level(logging.DEBUG)
    opened = unhurried(bot(api))
    api.script["sendMessage"] = [refusal(400, f"Not Found: /bot{TOKEN}/sendMessage"), refusal(401, "Unauthorized")]
    texts: list[str] = []
    for _ in range(2):
        with pytest.raises((SendRejected, BadSettings)) as caught:
            await opened.send(reply("秘密的话"))
        error: BaseException | None = caught.value
        texts.append(str(error))
        while error is not None:
            texts.append(repr(error) if error.__cause__ is None else str(caught.value))
            error = error.__cause__
    await opened.connect()
    texts += [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    texts += [repr(opened), repr(opened._settings), repr(vars(opened._api)["_bot"])]
    assert not [text for text in texts if TOKEN.partition(":")[2] in text]
    assert not [record for record in caplog.records if "秘密的话" in record.getMessage()]


async def test_check_connect_says_who_the_bot_is(bot: Any, api: BotApi) -> None:
    """The operator sees the bot's name, and a webhook that would starve the poll."""
    assert await bot(api).connect() == "Telegram bot @desk_bot (110201543), poll"
    api.webhook = "https://elsewhere.example.com/hook"
    with pytest.raises(BadSettings, match="webhook at elsewhere"):
        await bot(api).connect()


async def test_an_unset_token_names_its_reference(bot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing secret is one sentence with the name to export."""
    monkeypatch.delenv("BOT_TOKEN")
    with pytest.raises(BadSettings, match="BOT_TOKEN is not set"):
        await bot().send(reply())


async def test_a_missing_library_names_the_extra(bot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the SDK the channel says what to install."""
    for module in ("adapters.telegram.api", "adapters.telegram.request"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "telegram", None)
    with pytest.raises(BadSettings, match=r"pip install 'omnirouter\[telegram\]'"):
        await bot().send(reply())
    with pytest.raises(BadSettings, match=r"pip install 'omnirouter\[telegram\]'"):
        await take(bot().deliveries(None))


def test_an_idle_daemon_does_not_load_the_library() -> None:
    """Loading the adapter costs nothing of the SDK until a bot is used."""
    code = "import sys, adapters.telegram.channel; sys.exit('telegram' in sys.modules or 'httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0
    assert adapter is Telegram


# ── long texts ──


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300), st.integers(min_value=4, max_value=60))
def test_a_split_text_loses_no_word(text: str, limit: int) -> None:
    """The parts together say what the text says, none is empty and none too long as Telegram counts."""
    parts = split(text, limit)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(part and units(part) <= limit for part in parts)


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("", 10, []),
        ("first part\n\nsecond part", 20, ["first part", "second part"]),
        ("您好。已为您核实，请稍候。谢谢", 12, ["您好。已为您核实，", "请稍候。谢谢"]),
        ("amount 1,234.56 USD now", 13, ["amount", "1,234.56 USD", "now"]),
        ("看这个链接 https://example.com/a/b/c", 28, ["看这个链接", "https://example.com/a/b/c"]),
        ("😀😀😀😀😀", 4, ["😀😀", "😀😀", "😀"]),
        ("aa👩‍👩‍👧bb", 9, ["aa", "👩‍👩‍👧", "bb"]),
        ("aaaa🇨🇳🇨🇳", 7, ["aaaa", "🇨🇳", "🇨🇳"]),
        ("aaaaae\u0301", 6, ["aaaaa", "e\u0301"]),
    ],
)
def test_a_long_text_is_cut_where_a_reader_pauses(text: str, limit: int, parts: list[str]) -> None:
    """Paragraph before line before sentence before space; never inside a character, a number or a link that fits."""
    assert split(text, limit) == parts


class TestTelegramContract(RouteContract):
    """What holds of every adapter."""

    adapter = Telegram
    settings = {
        "token": "env:BOT_TOKEN", "mode": "webhook", "secret_tokens": ["env:HOOK_NEW", "env:HOOK_OLD"],
        "base_url": "http://127.0.0.1:9",
    }  # fmt: skip
    secrets = {"BOT_TOKEN": TOKEN, "HOOK_NEW": "new-secret_1", "HOOK_OLD": "old-secret_1"}
    raws = (
        raw(update(1, message=post(7, "转账2000一直没到账", reply_to_message=post(6, "x"), media_group_id="1"))),
        raw(update(2, edited_message=post(7, caption="二", edit_date=1441646600, photo=[FILE], chat=GROUP))),
        raw(update(3, message_reaction={"chat": CHAT, "message_id": 7, "user": TEST, "date": 1441645532})),
    )
    verifying = ("HOOK_NEW", "HOOK_OLD")
    foreign = "a-strangers-token"

    def request(self, secret: str) -> Request:
        """As Telegram posts."""
        return posted(secret, self.raws[0].body)
