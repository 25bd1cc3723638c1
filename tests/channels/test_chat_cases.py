"""Every odd thing that chat platforms send is read as what it is: said, told by a machine, to be fetched, or nothing.

Each case is a file of tests/data/chats, as the platform sends it. The table says which messages it gives; the second
one what becomes of several in a row, in the whole decision.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import adapters
from router import Policy, Router
from router.errors import InvalidPayload
from router.model import Direction, Placement
from router.ports import Announced, Channel, Raw, Translation

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
FOLDER = Path(__file__).parents[1] / "data" / "chats"
SETTINGS: dict[str, dict[str, Any]] = {
    "telegram": {"token": "env:NO_SUCH"},
    "messenger": {"app_secrets": ["env:NO_SUCH"], "verify_token": "env:NO_SUCH", "page_token": "env:NO_SUCH"},
    "line": {"channel_secrets": ["env:NO_SUCH"], "access_token": "env:NO_SUCH"},
    "wechat": {"app_id": "wx1", "app_secret": "env:NO_SUCH", "tokens": ["env:NO_SUCH"], "aes_keys": ["env:NO_SUCH"]},
}
KINDS = {"l": "line", "m": "messenger", "t": "telegram", "w": "wechat"}
#: What only a machine told: kept without words, answered by nobody.
TOLD = {"kind": "unknown", "automatic": True, "text": ""}


def said(text: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    """A person's own message."""
    return {"text": text, "kind": kind, "automatic": False, "direction": Direction.IN, **more}


#: File to what each message of it says.
CASES: dict[str, list[dict[str, Any]]] = {
    "l01-unsend": [{"kind": "deleted", "automatic": True, "in_reply_to": "325708"}],
    "l01a-first": [said("我的卡号发错了,提现没到账", external_id="325708")],
    "l02-video-complete": [TOLD],
    "l03-batch-one-odd": [said("充值没到账", external_id="1", index=0)],
    "l04-postback-richmenu": [said("action=freeze\n2026-03-02T10:00", "postback")],
    "l05-image-external": [said("", "image")],
    "l06-group-mention": [said("@客服 结算呢", thread="Cgrp")],
    "l07-standby": [said("机器人转人工中")],
    "l08-no-source": [said("没有来源", thread="")],
    "l09-imageset": [said("", "image", references=("album:set1",), index=n) for n in range(3)],
    "l10-empty-events": [],
    "m01-ig-test-changes": [said("我的退款呢", external_id="random_mid", sent_at=NOW)],
    "m02-story-reply": [said("这个活动怎么没到账")],
    "m03-unsupported": [said("", "unknown")],
    "m04-referral-only": [TOLD],
    "m05-postback-referral": [said("开始", "postback")],
    "m06-quick-reply": [said("是", "postback")],
    "m07-standby": [said("还没到账")],
    "m08-pass-thread": [{"kind": "unknown", "automatic": True, "text": "客户要求人工"}],
    "m09-edit-zero": [],
    "m09a-first": [said("我的退款 300 元还没到", external_id="m9")],
    "m09b-edit-zero-real": [],
    "m11-ad-referral-message": [said("你好")],
    "m12-template-share": [said("订单 TX881\n¥300\nhttps://shop.example/881", "template")],
    "m14-echo-otherbot": [{"text": "自动回复:我们已收到", "direction": Direction.OUT}],
    "m15-user-id-int": [said("数字的 id", thread="24158500123")],
    "m16-optin": [TOLD],
    "m17-unsend": [{"kind": "deleted", "edits": "m9", "text": ""}],
    "m17b-unsend-late": [{"kind": "deleted", "edits": "m9", "text": ""}],
    "m18-reaction": [{"kind": "reaction", "text": "❤", "in_reply_to": "m_ours"}],
    "m19-unreact": [{"kind": "reaction", "text": "", "in_reply_to": "m_ours"}],
    "t02-callback-query": [said("冻结卡片", "postback", thread="700100", in_reply_to="10")],
    "t03-migrate": [{**TOLD, "thread": "-641169081", "moved": "-1001557912345"}],
    "t03a-before": [said("昨天的结算 88000 元没有到账")],
    "t03b-after-migrate": [said("结算还没到")],
    "t03c-other-after": [said("同问,还没收到")],
    "t04-webapp-data": [said('提交工单\n{"topic":"refund","order":"TX991"}', "web_app")],
    "t06-external-reply-quote": [said("> 公告:\n> 充值通道维护到 12 点\n这个什么时候处理?")],
    "t07-forward": [said("↪ 假客服\n您的账户将被冻结,请点击 http://x.example", "forward")],
    "t08-deleted-business": [{"kind": "deleted", "edits": "10", "automatic": True, "thread": "business:bc1:700100"}],
    "t09-successful-payment": [said("CNY 300.00\np", "payment")],
    "t10-big-ids-anonymous-admin": [said("管理员:结算单少了一笔", thread="-1001557912345")],
    "t11-quote-entity": [said("看这里\nhttps://pay-wallet.example/verify")],
    "t12-unblocked": [TOLD],
    "t12b-first-words": [said("提现三千没有到账,怎么还没到")],
    "w01-control-char": [said("提现 500 没到账")],
    "w02-charref": [said("hi  there")],
    "w03-event-click": [said("转人工", "postback")],
    "w04-msgmenu": [said("满意", "postback")],
    "w06-miniprogram": [said("订单 TX881 退款\npages/order?id=881", "miniprogrampage")],
    "w08-kf-close": [TOLD],
    "w09-voice-empty-recognition": [said("", "voice")],
    "w10-no-tousername": [said("没到账")],
    "w11-event-view-mini": [TOLD],
    "w13-subscribe": [TOLD],
    "w13b-first-words": [said("我昨天充值 300 元一直没有到账")],
    "w13c-first-words-chasing": [said("怎么还没到账")],
}
CASES_WITH_MESSAGES = {name: right for name, right in CASES.items() if right}
#: What cannot be read at all.
INVALID = {"w12-duplicate-tag": "Idx twice"}


def file_of(name: str) -> Path:
    """The file of a case."""
    (found,) = FOLDER.glob(f"{name}.*")
    return found


def adapter_of(kind: str, **settings: Any) -> Any:
    """The adapter on a channel named like its kind, without any secret."""

    async def recall(key: str) -> str | None:
        return None

    async def remember(key: str, value: str) -> None:
        return None

    module = adapters.load(kind)
    table = module.Settings.model_validate({**SETTINGS[kind], **settings})
    return module(Channel(name=kind, settings=table, recall=recall, remember=remember, now=lambda: NOW))


def translated(name: str, **settings: Any) -> list[Any]:
    """What the adapter makes of a case."""
    kind = KINDS[name[0]]
    raw = Raw(channel=kind, body=file_of(name).read_bytes(), received_at=NOW)
    found: list[Any] = adapter_of(kind, **settings).translate(raw)
    return found


def test_every_file_is_a_case() -> None:
    """No file lies there that nothing is said about."""
    assert {path.stem for path in FOLDER.iterdir()} == set(CASES) | set(INVALID)


@pytest.mark.parametrize("name", CASES)
def test_each_is_read_as_what_it_is(name: str) -> None:
    """Words are a person's, wherever they stand; what a machine tells is nobody's request."""
    found = translated(name)
    assert [{key: getattr(one, key) for key in right} for one, right in zip(found, CASES[name], strict=True)] == CASES[
        name
    ]


@pytest.mark.parametrize("name", INVALID)
def test_what_says_two_things_at_once_is_refused(name: str) -> None:
    """A document that can be read in two ways is set aside with its reason."""
    with pytest.raises(InvalidPayload, match=INVALID[name]):
        translated(name)


def test_the_odd_one_of_a_batch_is_named() -> None:
    """Of LINE's two events the second, whose id is a number, is a mistake with its index; the first is read."""
    found = translated("l03-batch-one-odd")
    assert isinstance(found, Translation)
    assert [(mistake.index, "got `int`" in mistake.reason) for mistake in found.mistakes] == [(1, True)]


@pytest.mark.parametrize("name", ["m09-edit-zero", "m09b-edit-zero-real"])
def test_what_is_announced_without_content_is_to_be_fetched(name: str) -> None:
    """An edit that Instagram announces without text is no empty message: it is fetched under its id."""
    found = Translation.of(translated(name))
    assert (list(found), found.announced, found.mistakes) == ([], (Announced(index=0, key="m9"),), ())


def test_a_picture_that_lies_elsewhere_has_its_link() -> None:
    """LINE keeps no copy of it, so its id would lead nowhere."""
    (message,) = translated("l05-image-external")
    assert message.attachments[0].url == "https://cdn.example/a.jpg"


def test_where_somebody_came_from_is_known_of_him() -> None:
    """The word of a link is no request, and no word of his: it is an attribute that rules can ask for."""
    assert [translated(name)[0].sender.attributes for name in ("m04-referral-only", "m05-postback-referral")] == [
        {"ref": "order-TX881"}, {"ref": "order-TX881"},
    ]  # fmt: skip


def test_another_pages_events_are_explicit_unknowns() -> None:
    """One Meta app has one callback for all its pages: with page_id only that page's are taken; another's say so under
    their page, without the words that were written there, and no machine answers them."""
    assert [m.text for m in translated("m07-standby", page_id="P1")] == ["还没到账"]
    (other,) = translated("m07-standby", page_id=77)
    assert (other.kind, other.automatic, other.sender.handle) == ("unknown", True, "P1")
    assert other.text == "An event of page P1; this channel is of page_id 77 alone."
    assert [m.text for m in translated("m01-ig-test-changes", page_id="77")] == ["我的退款呢"]  # Meta's test button


# ── in the whole decision ──

DESK = """
[desk]
name = "t"
timezone = "Asia/Shanghai"
[acknowledgement]
enabled = true
texts = { zh = "已收到,{due} 前答复。", en = "We answer by {due}." }
[[queues]]
name = "general"
[[deadlines]]
name = "all"
hours = "calendar"
first_reply = "2h"
[defaults]
queue = "general"
"""

#: Cases in a row, a minute apart, to (conversation, class) of each message.
ROWS: dict[str, tuple[list[str], list[tuple[int, str]]]] = {
    "follow, then words": (["w13-subscribe", "w13b-first-words"], [(0, ""), (1, "first")]),
    "follow, then words that press": (["w13-subscribe", "w13c-first-words-chasing"], [(0, ""), (1, "first")]),
    "unblocked, then words": (["t12-unblocked", "t12b-first-words"], [(0, ""), (1, "first")]),
    "the group moved, then words": (["t03-migrate", "t03b-after-migrate"], [(0, ""), (1, "first")]),
    "opt-in, then words": (["m16-optin", "m02-story-reply"], [(0, ""), (1, "first")]),
    "a link, then words": (["m04-referral-only", "m02-story-reply"], [(0, ""), (1, "first")]),
    "a mini program opened, then words": (["w11-event-view-mini", "w10-no-tousername"], [(0, ""), (1, "first")]),
    "a button": (["w03-event-click"], [(0, "first")]),
    "words, then the group moved": (
        ["t03a-before", "t03-migrate", "t03b-after-migrate", "t03c-other-after"],
        [(0, "first"), (1, ""), (0, "chaser"), (2, "first")],
    ),
}


async def decided(folder: Path, names: list[str]) -> list[Placement]:
    """The placements of these cases, decided one after another on a fresh desk."""
    path = folder / "omnirouter.toml"
    tables = [
        f"[channels.{kind}]\nadapter = {json.dumps(kind)}\n"
        + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
        for kind, table in SETTINGS.items()
    ]
    path.write_text(DESK + "\n".join(tables), encoding="utf-8")
    clock = [NOW]
    found: list[Placement] = []
    url = f"sqlite:///{folder / 'desk.db'}"
    async with Router.open(url, policy=Policy.load(str(path)), now=lambda: clock[0]) as desk:
        for minute, name in enumerate(names):
            clock[0] = NOW + timedelta(minutes=minute)
            found += [one for one in await desk.receive(translated(name)) if isinstance(one, Placement)]
    return found


@pytest.mark.parametrize("row", ROWS)
def test_what_no_person_said_opens_nothing_that_words_go_on_with(row: str, tmp_path: Path) -> None:
    """The first human words are the first, whatever a machine told of the chat before them."""
    names, right = ROWS[row]
    placed = asyncio.run(decided(tmp_path, names))
    numbers = list(dict.fromkeys(one.conversation.number for one in placed))
    assert [(numbers.index(one.conversation.number), one.class_ or "") for one in placed] == right
    for one in placed:
        quiet = one.message.automatic
        assert (one.conversation.waiting_since is None, one.conversation.queue == "") == (quiet, quiet)


def test_a_chat_that_moved_is_one_thread(tmp_path: Path) -> None:
    """A group that becomes a supergroup has another id and goes on in the same thread."""
    first, _, after, _ = asyncio.run(decided(tmp_path, ROWS["words, then the group moved"][0]))
    assert first.thread == after.thread


def test_quoted_words_are_not_the_senders_own(tmp_path: Path) -> None:
    """Of an answer with a quote only what he wrote himself is read as his matter; the whole is kept."""
    (placed,) = asyncio.run(decided(tmp_path, ["t06-external-reply-quote"]))
    assert (placed.own_text, "充值通道维护" in placed.text) == ("这个什么时候处理?", True)


def test_all_of_them_on_one_desk_are_placed(tmp_path: Path) -> None:
    """One after another on one desk each message finds its place; only two come under the id of one before."""
    placed = asyncio.run(decided(tmp_path, list(CASES_WITH_MESSAGES)))
    assert len(placed) == sum(map(len, CASES_WITH_MESSAGES.values())) - 2


def business(update_id: int, kind: str, author: int, text: str, number: int) -> bytes:
    """An update of a business account's chat with the customer 700100."""
    post = {
        "message_id": number, "date": int(NOW.timestamp()) + update_id, "chat": {"id": 700100, "type": "private"},
        "from": {"id": author, "first_name": "x"}, "text": text, "business_connection_id": "bc1",
    }  # fmt: skip
    return json.dumps({"update_id": update_id, kind: post}).encode()


async def told(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A business chat: the customer writes, the owner answers by hand, the customer writes again, the desk answers, the
    customer takes his words back. Gives the conversations, and what the outbox holds."""
    path = folder / "omnirouter.toml"
    path.write_text(DESK + '[channels.telegram]\nadapter = "telegram"\ntoken = "env:NO_SUCH"\n', encoding="utf-8")
    deleted = {"business_connection_id": "bc1", "chat": {"id": 700100}, "message_ids": [10]}
    bodies = [
        business(1, "business_message", 700100, "提现 500 没到账", 10),
        business(2, "business_message", 77, "正在核实", 11),
        business(3, "business_message", 700100, "还没到账,订单 TX88123456", 12),
        json.dumps({"update_id": 4, "deleted_business_messages": deleted}).encode(),
    ]
    adapter = adapter_of("telegram")
    url = f"sqlite:///{folder / 'desk.db'}"
    async with Router.open(url, policy=Policy.load(str(path)), now=lambda: NOW + timedelta(minutes=5)) as desk:
        for minute, body in enumerate(bodies):
            raw = Raw(channel="telegram", body=body, received_at=NOW + timedelta(minutes=minute))
            placed = await desk.receive(adapter.translate(raw))
        conversation = placed[0].conversation
        number = conversation if isinstance(conversation, int) else conversation.number
        await desk.reply(number, "已到账", agent="li")
        messages = await desk.messages(number)
    with contextlib.closing(sqlite3.connect(folder / "desk.db")) as connection:
        rows = connection.execute("SELECT body FROM outbox WHERE kind = 'reply' ORDER BY id").fetchall()
    return messages, json.loads(rows[-1][0])


def test_a_business_chat_is_one_conversation_and_is_answered_there(tmp_path: Path) -> None:
    """The owner's own words answer the customer, what he takes back is told in his conversation, and the desk's answer
    goes into that chat of that account."""
    messages, outgoing = asyncio.run(told(tmp_path))
    spoken = [one for one in messages if (one["direction"], one["automatic"]) != ("out", True)]
    seen = [(one["direction"], one["kind"], one["automatic"]) for one in spoken]
    assert seen == [
        ("in", "text", False), ("out", "text", False), ("in", "text", False), ("in", "deleted", True),
        ("out", "text", False),
    ]  # fmt: skip
    assert (outgoing["to"], outgoing["thread"], outgoing["in_reply_to"]) == ("700100", "business:bc1:700100", "12")
