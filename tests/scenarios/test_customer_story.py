"""One customer, one matter, five channels, three days: one conversation, right deadlines, replies on their channels."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from router import Message, Policy
from router.model import DeskEvent, Sender
from router.ports import Raw
from router.store import Arrival, Store, desk, queries
from router.store.wake import wake
from workers.channels import Channels

SHANGHAI = ZoneInfo("Asia/Shanghai")
ORDER = "TP202603010077"


def at(day: int, clock: str) -> datetime:
    """An instant of March 2026 in Shanghai; the 1st is a Sunday."""
    hour, minute = clock.split(":")
    return datetime(2026, 3, day, int(hour), int(minute), tzinfo=SHANGHAI)


class Day:
    """A wallet desk under a clock that is passed in; messages come through the real adapters."""

    def __init__(self, folder: Path) -> None:
        self.policy = Policy.preset("wallet")
        self.store = Store.open(self.policy, url=f"sqlite:///{folder}/desk.db")
        self.channels = Channels(self.policy, self.store.database)

    def come(self, channel: str, now: datetime, body: bytes, **meta: str) -> Any:
        """A raw of a channel arrives and is decided; the placement of its first message."""
        raw = Raw(channel=channel, body=body, received_at=now, meta=meta)
        return self.hear(self.channels.translate(raw), now)

    def hear(self, messages: list[Message | DeskEvent], now: datetime) -> Any:
        """Messages are decided at an instant; what became of the first."""
        return self.store.decide([Arrival(what=m, received_at=now) for m in messages], now)[0]

    def reply(self, number: int, text: str, now: datetime, channel: str = "") -> str:
        """An agent answers; the channel it goes out by."""
        own = desk.reply(self.store, number, text, agent="li", now=now, channel=channel)
        with self.store.database.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT channel FROM outbox WHERE message = ?", (own,)).scalar_one()
        return str(found)

    def clocks(self, number: int, now: datetime) -> dict[tuple[str, int], dict[str, Any]]:
        """The clocks of a conversation at an instant."""
        rows = queries.deadlines(self.store.database, self.policy.promises, now)
        return {(row["metric"], row["cycle"]): row for row in rows if row["conversation"] == number}


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    """A desk of its own."""
    opened = Day(tmp_path)
    yield opened
    opened.store.close()


def chat(text: str, now: datetime, identity: str, *, verified: bool = True) -> bytes:
    """A message of the in-app chat, whose platform knows the customer."""
    proved = {"verified": {"email": "chen@customer.example", "phone": "+8613800000000"}} if verified else {}
    sender = {"handle": "u-77", "name": "陈先生", **proved}
    return json.dumps({"id": identity, "sent_at": now.isoformat(), "sender": sender, "text": text}).encode()


def mail(text: str, now: datetime) -> bytes:
    """A mail from the address that the chat's platform has proved."""
    words = base64.b64encode(text.encode()).decode()
    stamp = now.strftime("%a, %d %b %Y %H:%M:%S +0800")
    return (
        f"Received: from relay by mx; {stamp}\r\nFrom: chen@customer.example\r\nTo: support@example.com\r\n"
        f"Message-ID: <night@customer.example>\r\nSubject: transfer\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{words}\r\n"
    ).encode()


def told(day: Day, channel: str, handle: str, text: str, now: datetime, identity: str, *, verified: bool) -> Any:
    """A message of a platform that proves (or does not prove) the customer's mail address."""
    proved = {"email": "chen@customer.example"} if verified else {}
    kind = day.policy.channel(channel).kind
    message = Message(
        external_id=identity, channel=channel, channel_kind=kind, sent_at=now,
        sender=Sender(handle=handle, verified=proved), text=text, thread=handle,
    )  # fmt: skip
    return day.hear([message], now)


def test_one_customer_on_five_channels(day: Day) -> None:
    """Chat at 21:50, mail at 23:10, X next morning, a call at noon, WeChat on day 3: one conversation throughout."""
    first = day.come("app-chat", at(1, "21:50"), chat(f"转账2000一直没到账,单号{ORDER}", at(1, "21:50"), "m-1"))
    number = first.conversation.number
    assert (first.class_, first.conversation.queue) == ("first", "payments")
    assert day.clocks(number, at(1, "21:51"))[("first_reply", 1)]["due_at"] == "2026-03-01T13:52:00Z"

    night = day.come("support-mail", at(1, "23:10"), mail(f"单号{ORDER},转出2000元,对方还没收到", at(1, "23:10")))
    assert (night.conversation.number, night.class_) == (number, "cross_channel")
    # the slower channel does not loosen what the chat was promised
    assert day.clocks(number, at(1, "23:11"))[("first_reply", 1)]["due_at"] == "2026-03-01T13:52:00Z"

    wake(day.store, at(1, "23:11"))
    assert [e["type"] for e in queries.events(day.store.database)].count("deadline.breach") == 1

    morning = told(day, "x", "x-501", "怎么还没到账", at(2, "08:30"), "x-1", verified=True)
    assert (morning.conversation.number, morning.class_) == (number, "chaser")
    assert morning.conversation.waiting_since == at(1, "21:50")

    assert day.reply(number, "已为您核实,款项处理中。", at(2, "09:00")) == "x"
    call = told(day, "hotline", "+8613800000000", f"再问一下{ORDER}这笔转账", at(2, "12:00"), "call-1", verified=True)
    assert call.conversation.number == number
    assert day.reply(number, "今天到账,请留意。", at(2, "12:10"), channel="support-mail") == "support-mail"
    assert day.clocks(number, at(2, "12:11"))[("next_reply", 1)]["state"] == "met"

    complaint = told(day, "wechat", "oWx-9", "三天没人管,我要正式投诉你们", at(3, "10:00"), "wx-1", verified=True)
    assert complaint.conversation.number == number
    assert complaint.conversation.channels == ("app-chat", "support-mail", "x", "hotline", "wechat")
    assert day.reply(number, "非常抱歉,已为您加急。", at(3, "10:20")) == "wechat"
    assert len(list(queries.conversations(day.store.database, day.policy.promises, at(3, "11:00")))) == 1
    with day.store.database.read() as tx:
        why = queries.decision(tx, night.number)
    assert why is not None
    assert any("the same order number" in reason for one in why["candidates"] for reason in one["reasons"])
    assert any("rule money: fits" in line for line in why["routing"]["trace"])


def test_the_same_story_of_strangers(day: Day) -> None:
    """Nothing is proved: nobody's words come into a conversation of somebody else's, and replies go to who wrote."""
    first = day.come("app-chat", at(1, "21:50"), chat("转账2000一直没到账", at(1, "21:50"), "m-1", verified=False))
    others = [
        told(day, "x", "x-501", "怎么还没到账", at(2, "08:30"), "x-1", verified=False),
        told(day, "wechat", "oWx-9", "我要投诉你们", at(3, "10:00"), "wx-1", verified=False),
    ]
    numbers = {first.conversation.number, *(one.conversation.number for one in others)}
    contacts = {first.contact.number, *(one.contact.number for one in others)}
    assert len(numbers) == len(contacts) == 3
    assert day.reply(others[1].conversation.number, "抱歉", at(3, "10:20")) == "wechat"
