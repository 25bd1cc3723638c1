"""One customer, one matter, five channels, three days: one conversation, right deadlines, replies on their channels.

All of it goes the way of the world: signed requests to the front door of the running daemon, a mailbox and a mail
server, the platforms' own interfaces. Every reply is seen where it arrives.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from platforms import wechat, x

from router.desk.acts import conversation as acts
from router.desk.acts import relate
from router.store.channel_state import cursor_of
from router.store.read import queries
from workers.cli.conversation.explain import explained

SHANGHAI = ZoneInfo("Asia/Shanghai")
ORDER = "TP202603010077"
PHONE = "+8613800000000"
HOTLINE = "https://support.example.com/channels/hotline"
PRESET = Path(__file__).parents[2] / "router" / "presets" / "wallet.toml"
SECRETS = {
    **x.SECRETS,
    **wechat.SECRETS,
    "CHAT_SECRET": "whsec_" + base64.b64encode(b"the secret of the application's chat").decode(),
    "CALLS_SECRET": "whsec_" + base64.b64encode(b"the secret of the telephone system..").decode(),
    "PHONE_TOKEN": "0123456789abcdef0123456789abcdef",
}

#: The channels of the story; schedules, queues, rules and deadlines are the wallet preset's own.
CHANNELS = """
[channels.app-chat]
adapter = "webhook"
secrets = ["env:CHAT_SECRET"]
reply_url = "{app.url}/replies"
schedule = "chat"

[channels.support-mail]
adapter = "email"
address = "support@support.example"
trusted_authserv_id = "mx.support.example"
smtp = {{ host = "{smtp.host}", port = {smtp.port} }}
imap = {{ host = "{imap.host}", port = {imap.port}, username = "{imap.user}", password = "env:MAIL_PASSWORD", poll = "1s" }}
schedule = "mail"

[channels.x]
adapter = "x"
consumer_key = "env:X_KEY"
consumer_secret = "env:X_SECRET"
access_token = "env:X_TOKEN"
access_token_secret = "env:X_TOKEN_SECRET"
base_url = "{x_url}"
schedule = "chat"

[channels.hotline]
adapter = "phone"
auth_tokens = ["env:PHONE_TOKEN"]
secrets = ["env:CALLS_SECRET"]
public_url = "https://support.example.com"
schedule = "always"

[channels.wechat]
adapter = "wechat"
app_id = "wx2c2769f8efd9abc2"
app_secret = "env:WX_SECRET"
tokens = ["env:WX_TOKEN"]
aes_keys = ["env:WX_AES"]
api_url = "{wechat_url}"
schedule = "chat"
"""  # noqa: E501


def at(day: int, clock: str) -> datetime:
    """An instant of March 2026 in Shanghai; the 1st is a Sunday."""
    hour, minute = clock.split(":")
    return datetime(2026, 3, day, int(hour), int(minute), tzinfo=SHANGHAI)


class Story:
    """A running wallet desk and the world around it: what the customer does, and what reaches him."""

    def __init__(self, desk: Any, mailbox: Any, post_office: Any, app: Any, tweets: x.Api2, platform: Any) -> None:
        self.desk = desk
        self.mailbox, self.post_office, self.app = mailbox, post_office, app
        self.x, self.wechat = tweets, platform
        self._count = 0

    async def _arrived(self) -> dict[str, Any]:
        """The message that arrived last, once it is decided, with its conversation as it is now."""
        self._count += 1
        message: dict[str, Any] = (await self.desk.stored(self._count))[-1]
        return message

    async def _post(self, path: str, body: bytes, headers: dict[str, str], status: int) -> dict[str, Any]:
        answer = await self.desk.http.post(path, content=body, headers=headers)
        assert answer.status_code == status, answer.text
        return await self._arrived()

    # ── what the customer does ──

    async def chats(self, text: str, identity: str, *, verified: bool = True) -> dict[str, Any]:
        """He writes in the app, which knows his mail address and telephone."""
        proved = {"verified": {"email": "chen@customer.example", "phone": PHONE}} if verified else {}
        sender = {"handle": "u-77", "name": "陈先生", **proved}
        wire = {"id": identity, "sent_at": self.desk.clock().isoformat(), "sender": sender, "text": text}
        body = json.dumps(wire).encode()
        return await self._post("/channels/app-chat", body, self._signed(body, SECRETS["CHAT_SECRET"]), 202)

    async def mails(self, text: str) -> dict[str, Any]:
        """He writes a mail; the desk's mail server has checked that it is his."""
        now = self.desk.clock()
        fields = (
            "Authentication-Results: mx.support.example; dmarc=pass header.from=customer.example\r\n"
            f"Received: from relay by mx; {now:%a, %d %b %Y %H:%M:%S +0000}\r\n"
            "From: chen@customer.example\r\nTo: support@support.example\r\nMessage-ID: <night@customer.example>\r\n"
            "Subject: transfer\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n"
        )
        self.mailbox.deliver(fields.encode() + base64.encodebytes(text.encode()), at=now)
        return await self._arrived()

    async def messages_on_x(self, text: str) -> dict[str, Any]:
        """He writes a direct message on X; the desk looks up."""
        self.x.events.append(x.event(0, text, at=self.desk.clock()))
        self.desk.daemon.channels.get("x").wake.set()
        return await self._arrived()

    async def calls(self) -> dict[str, Any]:
        """He calls; nobody takes the call, and Twilio tells so. His carrier stands for the number."""
        fields = {
            "CallSid": "CA1", "From": PHONE, "To": "+861065529988", "Direction": "inbound", "CallStatus": "no-answer",
            "StirVerstat": "TN-Validation-Passed-A",
        }  # fmt: skip
        text = HOTLINE + "".join(name + value for name, value in sorted(fields.items()))
        signature = base64.b64encode(hmac.digest(SECRETS["PHONE_TOKEN"].encode(), text.encode(), "sha1")).decode()
        headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}
        return await self._post("/channels/hotline", urlencode(fields).encode(), headers, 200)

    async def writes_on_wechat(self, text: str, identity: str) -> dict[str, Any]:
        """He writes to the official account; WeChat seals and signs it."""
        stamp = str(int(self.desk.clock().timestamp()))
        message = wechat.xml(MsgType="text", Content=text, MsgId=identity, CreateTime=stamp)
        request = wechat.safe(message, stamp=stamp)
        return await self._post(request.url, request.body, dict(request.headers), 200)

    # ── what the desk does ──

    async def is_called_back(self, text: str) -> dict[str, Any]:
        """An agent calls back; the telephone system posts what was said."""
        now = self.desk.clock()
        call = {"call": "summary", "id": "c-2", "at": now.isoformat(), "number": PHONE, "text": text, "agent": "li"}
        body = json.dumps({**call, "verified": True}).encode()
        return await self._post("/channels/hotline", body, self._signed(body, SECRETS["CALLS_SECRET"]), 202)

    def accept(self, number: int, other: int) -> None:
        """An agent makes sure that it is the customer, whom this platform cannot prove, and accepts the suggestion."""
        assert other != number
        [here] = [c for c in self.desk.conversations() if c["id"] == number]
        assert (other, "unproven_link") in [(link["conversation"], link["reason"]) for link in here["links"]]
        relate.merge(self.desk.store, number, other, agent="li", now=self.desk.clock())

    def answer(self, number: int, text: str, channel: str = "") -> None:
        """An agent answers, by the customer's last channel or another."""
        acts.reply(self.desk.store, number, text, agent="li", now=self.desk.clock(), channel=channel)
        self._count += 1

    async def mailed(self, address: str) -> Any:
        """The next mail to that address."""
        while True:
            mail = await self.desk.until(lambda: self.post_office.taken.qsize() and self.post_office.next())
            if address in mail["To"]:
                return mail

    def clock(self, metric: str, cycle: int) -> dict[str, Any]:
        """A clock of the first conversation."""
        wanted = (1, metric, cycle)
        [found] = [c for c in self.desk.clocks() if (c["conversation"], c["metric"], c["cycle"]) == wanted]
        return dict(found)

    def conversation(self) -> dict[str, Any]:
        """The desk's one conversation."""
        [found] = self.desk.conversations()
        return dict(found)

    def _signed(self, body: bytes, secret: str) -> dict[str, str]:
        """The header fields of Standard Webhooks."""
        identity, stamp = f"evt_{self._count}", str(int(self.desk.clock().timestamp()))
        signature = self.signature(identity, stamp, body, secret)
        return {"webhook-id": identity, "webhook-timestamp": stamp, "webhook-signature": signature}

    @staticmethod
    def signature(identity: str, stamp: str, body: bytes, secret: str) -> str:
        """The signature of Standard Webhooks."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        return "v1," + base64.b64encode(hmac.digest(key, f"{identity}.{stamp}.".encode() + body, "sha256")).decode()


@pytest.fixture
def story(
    open_desk: Any, mailbox: Any, post_office: Any, receiver: Any, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Any]:  # fmt: skip
    """`async with story() as told`: the desk on Sunday at 21:50, connected to everything."""
    for name, value in {**SECRETS, "MAIL_PASSWORD": mailbox.password}.items():
        monkeypatch.setenv(name, value)

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Story]:
        tweets, platform = x.Api2(), wechat.Platform()
        async with serve(tweets.app) as x_url, serve(platform.app) as wechat_url:
            preset = PRESET.read_text(encoding="utf-8")
            channels = CHANNELS.format(
                app=receiver, smtp=post_office, imap=mailbox, x_url=x_url, wechat_url=wechat_url
            )  # fmt: skip
            rest = preset[preset.index("[schedules.chat]") :]
            async with open_desk(channels + rest, at(1, "21:50")) as desk:
                for name in ("support-mail", "x"):
                    await desk.until(lambda name=name: cursor_of(desk.store.database, name))
                yield Story(desk, mailbox, post_office, receiver, tweets, platform)

    return opened


async def test_one_customer_on_five_channels(story: Callable[[], Any]) -> None:
    """Chat at 21:50, mail at 23:10, X next morning, a call at noon, WeChat on day 3: one conversation throughout.

    The chat's platform, the mail server and the telephone carrier prove who he is; X and WeChat prove nothing, so their
    messages, which name the order, are suggested to an agent.
    """
    async with story() as told:
        desk = told.desk
        first = await told.chats(f"转账2000一直没到账,单号{ORDER}", "m-1")
        number = first["conversation"]
        assert (first["class"], first["issue_type"], first["queue"]) == ("first", "transfer_failed", "payments")
        assert told.clock("first_reply", 1)["due_at"] == "2026-03-01T13:52:00Z"

        desk.clock.at = at(1, "23:10")
        night = await told.mails(f"单号{ORDER},转出2000元,对方还没收到")
        assert (night["conversation"], night["class"]) == (number, "cross_channel")
        assert "sender_unverified" not in night["flags"]
        # the slower channel does not loosen what the chat was promised, and the desk is told what was missed
        assert told.clock("first_reply", 1)["due_at"] == "2026-03-01T13:52:00Z"
        [breach] = await desk.until(lambda: desk.events("deadline.breach"))
        assert breach["conversation"] == number

        desk.clock.at = at(2, "08:30")
        morning = await told.messages_on_x(f"单号{ORDER},怎么还没到账")
        told.accept(number, morning["conversation"])
        assert told.conversation()["channels"] == ["app-chat", "support-mail", "x"]
        assert told.conversation()["waiting_since"] == "2026-03-01T13:50:00Z"

        desk.clock.at = at(2, "09:00")
        told.answer(number, "已为您核实,款项处理中。")
        await desk.until(lambda: told.x.sent)
        assert told.x.sent == [(f"/2/dm_conversations/with/{x.CUSTOMER}/messages", "已为您核实,款项处理中。")]
        await desk.until(lambda: told.clock("first_reply", 1)["ended_at"] == "2026-03-02T01:00:00Z")

        desk.clock.at = at(2, "12:00")
        missed = await told.calls()
        assert (missed["conversation"], missed["kind"], missed["channel"]) == (number, "missed_call", "hotline")
        assert told.clock("next_reply", 1)["due_at"] == "2026-03-02T04:30:00Z"  # calls are answered within 30 minutes
        desk.clock.at = at(2, "12:10")
        back = await told.is_called_back("已告知客户:银行处理中,今天到账。")
        assert (back["conversation"], back["direction"]) == (number, "out")
        assert told.clock("next_reply", 1)["state"] == "met"

        told.answer(number, "如电话所说,今天到账,请留意。", channel="support-mail")
        mail = await told.mailed("chen@customer.example")
        assert mail["In-Reply-To"] == "<night@customer.example>"
        assert mail.get_payload(decode=True).decode().startswith("如电话所说,今天到账,请留意。")

        desk.clock.at = at(3, "10:00")
        complaint = await told.writes_on_wechat(f"三天没人管,单号{ORDER},我要正式投诉你们", "6054768590064713728")
        told.accept(number, complaint["conversation"])
        assert told.clock("next_reply", 2)["due_at"] == "2026-03-03T04:00:00Z"  # two hours on social media
        assert told.clock("reply_window", 1)["due_at"] == "2026-03-05T02:00:00Z"  # WeChat takes answers for 48 hours
        desk.clock.at = at(3, "10:20")
        told.answer(number, "非常抱歉,已为您加急。")
        await desk.until(lambda: told.wechat.sent)
        said = [json.loads(body) for body in told.wechat.sent]
        assert [(one["touser"], one["text"]["content"]) for one in said] == [("oUser1", "非常抱歉,已为您加急。")]

        told.answer(number, "款项已到账。", channel="app-chat")
        [pushed] = await told.app.came(1)
        assert pushed.headers["webhook-signature"] == told.signature(
            pushed.headers["webhook-id"], pushed.headers["webhook-timestamp"], pushed.body, SECRETS["CHAT_SECRET"]
        )
        assert (pushed.path, json.loads(pushed.body)["data"]["to"]) == ("/replies", "u-77")
        assert json.loads(pushed.body)["data"]["text"] == "款项已到账。"

        await desk.until(lambda: len(desk.events("reply.sent")) == 4)
        whole = told.conversation()
        assert (whole["queue"], whole["issue_type"]) == ("payments", "transfer_failed")
        assert whole["channels"] == ["app-chat", "support-mail", "x", "hotline", "wechat"]
        assert len(told.x.sent) == len(told.wechat.sent) == len(told.app.asked) == 1
        with desk.store.database.read() as tx:
            why = queries.decision(tx, night["id"])
        assert any("the same order number" in reason for one in why["candidates"] for reason in one["reasons"])
        assert any("rule money: fits" in line for line in why["routing"]["trace"])
        _, lines = explained(desk.store, whole["ref"], desk.clock())
        trace = "\n".join(lines)
        for word in ("app-chat", "support-mail", "x", "hotline", "wechat", "payments"):
            assert word in trace


async def test_the_same_story_of_strangers(story: Callable[[], Any]) -> None:
    """Nothing is proved: nobody's words come into a conversation of somebody else's, and replies go to who wrote."""
    async with story() as told:
        first = await told.chats("转账2000一直没到账", "m-1", verified=False)
        told.desk.clock.at = at(2, "08:30")
        others = [await told.messages_on_x("怎么还没到账")]
        told.desk.clock.at = at(3, "10:00")
        others.append(await told.writes_on_wechat("我要投诉你们", "1"))
        assert len({first["conversation"], *(one["conversation"] for one in others)}) == 3
        assert len(told.desk.conversations()) == 3
        told.answer(others[1]["conversation"], "抱歉")
        await told.desk.until(lambda: told.wechat.sent)
        assert (told.x.sent, told.app.asked) == ([], [])
