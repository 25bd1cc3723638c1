"""Replies, events and notices on their way out: a running desk, real HTTP receivers, a clock that the test moves."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select

from adapters.kit import signature
from router.desk import Arrival, take_in
from router.desk.acts import conversation as acts
from router.errors import Refused
from router.model import Authenticity, Message, Placement, Sender
from router.ports import Request
from router.store import tables as t
from router.store.outbox import claim
from router.store.statement import Statement

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ....").decode()
OpenDesk = Callable[[str, datetime], AbstractAsyncContextManager[Any]]
_outbox = Statement(
    select(t.outbox.c.kind, t.outbox.c.state, t.outbox.c.attempts, t.outbox.c.detail, t.outbox.c.key, t.outbox.c.due_at)
    .order_by(t.outbox.c.id)
)  # fmt: skip
_numbers = count(1)


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secrets that the configurations below refer to."""
    monkeypatch.setenv("CHAT_SECRET", SECRET)
    monkeypatch.setenv("TELEGRAM_TOKEN", "123456:ABC-DEF")
    monkeypatch.setenv("MAIL_PASSWORD", "mail-secret")


def configured(url: str, more: str = "") -> str:
    """A desk with one chat whose replies go to `url`."""
    return f"""
[[queues]]
name = "general"
[defaults]
queue = "general"
[channels.chat]
adapter = "webhook"
secrets = ["env:CHAT_SECRET"]
reply_url = "{url}/replies"
{more}
"""


async def heard(opened: Any, channel: str = "chat", kind: str = "webhook", who: str = "4711", **more: Any) -> int:
    """A customer wrote; the number of the conversation."""
    message = Message(
        external_id=f"m-{next(_numbers)}", channel=channel, channel_kind=kind, sent_at=opened.clock(), thread=who,
        text="转账2000一直没到账", sender=Sender(handle=who), **more,
    )  # fmt: skip
    arrival = Arrival(what=message, received_at=opened.clock())
    (placed,) = await asyncio.to_thread(take_in, opened.store, [arrival], opened.clock())
    assert isinstance(placed, Placement)
    return placed.conversation.number


async def answered(opened: Any, number: int, text: str = "已为您核实") -> int:
    """An agent answered; the number of the reply."""
    said: int = await asyncio.to_thread(
        lambda: acts.reply(opened.store, number, text, agent="li", now=opened.clock())
    )  # fmt: skip
    return said


def rows(opened: Any, kind: str = "reply") -> list[dict[str, Any]]:
    """What the outbox holds of a kind."""
    with opened.store.database.read() as tx:
        found = [dict(zip(("kind", "state", "attempts", "detail", "key", "due_at"), r, strict=True))
                 for r in tx.rows(_outbox)]  # fmt: skip
    return [row for row in found if row["kind"] == kind]


async def in_state(opened: Any, state: str, attempts: int = 1, kind: str = "reply") -> dict[str, Any]:
    """The row once it is in this state after so many attempts."""

    def there() -> list[dict[str, Any]]:
        return [row for row in rows(opened, kind) if (row["state"], row["attempts"]) == (state, attempts)]

    return (await opened.until(there))[0]


async def test_a_reply_goes_out_once(open_desk: OpenDesk, receiver: Any) -> None:
    """An agent's answer reaches the customer's chat, and the conversation says that it was sent."""
    async with open_desk(configured(receiver.url), NOW) as opened:
        number = await heard(opened)
        reply = await answered(opened, number)
        await in_state(opened, "sent")
        (asked,) = receiver.asked
        told = json.loads(asked.body)["data"]
        assert (asked.path, told["text"]) == ("/replies", "已为您核实")
        (event,) = opened.events("reply.sent")
        assert (event["conversation"], event["message"]) == (number, reply)


async def test_what_was_sent_is_kept_without_its_secrets(open_desk: OpenDesk, receiver: Any) -> None:
    """The customer gets the agent's words as they are; once they are sent, the outbox holds no code or card of them."""
    async with open_desk(configured(receiver.url), NOW) as opened:
        number = await heard(opened)
        acts.reply(opened.store, number, "您的验证码 884213，卡 4111 1111 1111 1111", agent="li", now=opened.clock())
        await in_state(opened, "sent")
        (asked,) = receiver.asked
        assert json.loads(asked.body)["data"]["text"] == "您的验证码 884213，卡 4111 1111 1111 1111"
        with opened.store.database.read() as tx:
            [(body,)] = tx.rows(Statement(select(t.outbox.c.body).where(t.outbox.c.kind == "reply")))
        assert json.loads(body)["text"] == "您的验证码 [已隐去:验证码]，卡 [已隐去:银行卡 ****1111]"


@pytest.mark.parametrize(
    ("answer", "state", "again_in"),
    [
        pytest.param((200, {}, b"{}"), "sent", None, id="taken"),
        pytest.param((429, {"retry-after": "90"}, b""), "pending", 90, id="asked to wait"),
        pytest.param((500, {}, b""), "pending", 30, id="a failure of the provider"),
        pytest.param((401, {}, b""), "pending", 300, id="wrong settings"),
        pytest.param((422, {}, b""), "failed", None, id="refused for good"),
        pytest.param("hang up", "unknown", None, id="no answer came"),
    ],
)
async def test_every_outcome_ends_where_it_belongs(
    open_desk: OpenDesk, receiver: Any, answer: Any, state: str, again_in: int | None
) -> None:
    """Taken is sent, refused is failed, no answer is unknown; what may work later waits for its time."""
    receiver.answers = [answer]
    async with open_desk(configured(receiver.url), NOW) as opened:
        await answered(opened, await heard(opened))
        row = await in_state(opened, state)
        if again_in is not None:
            assert t.instant(row["due_at"]) == NOW + timedelta(seconds=again_in)
            opened.clock.move(seconds=again_in)
            opened.store.bell.ring()
            await in_state(opened, "sent", attempts=2)
            assert len(receiver.asked) == 2
        else:
            assert [e["type"] for e in opened.events() if e["type"].startswith("reply.")][1:] == [f"reply.{state}"]


async def test_what_may_have_arrived_is_never_sent_again_by_itself(open_desk: OpenDesk, receiver: Any) -> None:
    """No customer gets an answer twice: when nobody knows whether it arrived, a person decides."""
    receiver.answers = ["hang up"]
    async with open_desk(configured(receiver.url), NOW) as opened:
        number = await heard(opened)
        await answered(opened, number)
        await in_state(opened, "unknown")
        opened.clock.move(days=8)
        opened.store.bell.ring()
        await answered(opened, number, "请问收到了吗?")
        await in_state(opened, "sent")
        assert [json.loads(asked.body)["data"]["text"] for asked in receiver.asked] == ["已为您核实", "请问收到了吗?"]


async def test_a_reply_that_was_under_way_in_a_crash_is_unknown(open_desk: OpenDesk, receiver: Any) -> None:
    """The power failed while a reply was being sent: after the start it is unknown, and not sent again."""
    async with open_desk(configured(receiver.url), NOW) as opened:
        await opened.daemon.duties.take("send:reply:chat")  # the desk does not send: we are the sender that dies
        number = await heard(opened)
        await answered(opened, number)
        (due,) = await asyncio.to_thread(claim, opened.store, "reply", "chat", NOW)
        assert due.attempt == 1
        await opened.daemon.duties.give_back("send:reply:chat")
    async with open_desk(configured(receiver.url), NOW) as opened:
        await heard(opened, who="4712")
        await answered(opened, number, "第二条")
        await in_state(opened, "sent")
        await in_state(opened, "unknown")
        assert [json.loads(asked.body)["data"]["text"] for asked in receiver.asked] == ["第二条"]


async def test_every_attempt_carries_the_same_key(open_desk: OpenDesk, receiver: Any) -> None:
    """The provider can tell a second attempt from a second answer: id and key never change."""
    receiver.answers = [(500, {}, b""), (502, {}, b"")]
    async with open_desk(configured(receiver.url), NOW) as opened:
        await answered(opened, await heard(opened))
        for attempt, pause in ((1, 30), (2, 60)):
            await in_state(opened, "pending", attempts=attempt)
            opened.clock.move(seconds=pause)
            opened.store.bell.ring()
        await in_state(opened, "sent", attempts=3)
        assert len({asked.headers["webhook-id"] for asked in receiver.asked}) == 1
        assert len({asked.body for asked in receiver.asked}) == 1


async def test_a_mail_keeps_its_message_id(open_desk: OpenDesk, post_office: Any) -> None:
    """A mail that the server did not take at first goes out under the same Message-ID, so it arrives once."""
    mail = f"""
[channels.mail]
adapter = "email"
address = "support@support.example"
[channels.mail.smtp]
host = "127.0.0.1"
port = {post_office.port}
starttls = false
"""
    post_office.answers["DATA"] = "451 later"
    async with open_desk(configured("http://127.0.0.1:9", mail), NOW) as opened:
        number = await heard(
            opened, "mail", "email", "chen@example.com", realm="mail", authenticity=Authenticity.PASS, subject="退款"
        )
        await answered(opened, number)
        await in_state(opened, "pending")
        (key,) = {row["key"] for row in rows(opened)}
        del post_office.answers["DATA"]
        opened.clock.move(seconds=30)
        opened.store.bell.ring()
        await in_state(opened, "sent", attempts=2)
        assert (await asyncio.to_thread(post_office.next))["Message-ID"] == f"<{key}>"
        assert post_office.taken.empty()


async def test_after_a_week_a_reply_is_given_up(open_desk: OpenDesk, receiver: Any) -> None:
    """A provider that is away for more than a week: the reply has failed, and the conversation says so."""
    receiver.answers = [(500, {}, b"")] * 2
    async with open_desk(configured(receiver.url), NOW) as opened:
        await answered(opened, await heard(opened))
        await in_state(opened, "pending")
        opened.clock.move(days=7, seconds=1)
        opened.store.bell.ring()
        row = await in_state(opened, "failed", attempts=2)
        assert "500" in row["detail"]
        assert len(opened.events("reply.failed")) == 1


async def test_a_customer_who_blocked_the_desk_is_left_alone(open_desk: OpenDesk, receiver: Any) -> None:
    """He blocked the bot: the reply has failed, his handle is closed, and no further reply is taken for it."""
    receiver.answers = [
        (403, {"content-type": "application/json"},
         b'{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}'),
    ]  # fmt: skip
    bot = f"""
[channels.bot]
adapter = "telegram"
token = "env:TELEGRAM_TOKEN"
mode = "webhook"
secret_tokens = ["env:CHAT_SECRET"]
base_url = "{receiver.url}"
"""
    async with open_desk(configured("http://127.0.0.1:9", bot), NOW) as opened:
        number = await heard(opened, "bot", "telegram")
        await answered(opened, number)
        await in_state(opened, "failed")
        with pytest.raises(Refused, match="blocked the desk on bot"):
            await answered(opened, number, "还在吗?")
        assert len(receiver.asked) == 1


async def test_a_reply_under_way_at_the_end_is_recorded(open_desk: OpenDesk, receiver: Any) -> None:
    """The daemon is stopped while a provider is still thinking: it waits for the answer, and nothing is unknown."""
    receiver.held = asyncio.Event()
    async with open_desk(configured(receiver.url), NOW) as opened:
        number = await heard(opened)
        await answered(opened, number)
        await receiver.came(1)
        (sender,) = (task for task in asyncio.all_tasks() if task.get_name() == "outbound")
        sender.cancel()
        receiver.held.set()
        await asyncio.wait({sender})
        assert [row["state"] for row in rows(opened)] == ["sent"]


async def test_events_go_out_signed_and_are_tried_again(open_desk: OpenDesk, receiver: Any) -> None:
    """A receiver that was away gets the event later, with the same id, signed by the Standard Webhooks rules."""
    receiver.answers = [(503, {}, b"")]
    events = f"""
[[events]]
url = "{receiver.url}/events"
secret = "env:CHAT_SECRET"
types = ["conversation.opened"]
"""
    async with open_desk(configured("http://127.0.0.1:9", events), NOW) as opened:
        number = await heard(opened)
        await in_state(opened, "pending", kind="event")
        opened.clock.move(seconds=30)
        opened.store.bell.ring()
        await in_state(opened, "sent", attempts=2, kind="event")
        (told,) = opened.events("conversation.opened")
        first, second = receiver.asked
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        body = json.loads(second.body)
        assert (body["type"], body["conversation"], body["seq"]) == ("conversation.opened", number, told["seq"])
        request = Request(
            method="POST", url="/events", headers=second.headers, query={}, body=second.body
        )  # fmt: skip
        assert signature.standard([SECRET], request, datetime.now(UTC)).genuine
        assert len(rows(opened, "event")) == 1


async def test_one_dead_receiver_holds_up_nobody(
    open_desk: OpenDesk, receiver: Any, own_port: Callable[[], int]
) -> None:
    """Each receiver and channel has its own lane: while one is away, the others get what is theirs."""
    events = f"""
[[events]]
url = "http://127.0.0.1:{own_port()}/gone"
secret = "env:CHAT_SECRET"
[[events]]
url = "{receiver.url}/events"
secret = "env:CHAT_SECRET"
"""
    async with open_desk(configured(receiver.url, events), NOW) as opened:
        await answered(opened, await heard(opened))
        await in_state(opened, "sent")
        await receiver.came(3)
        assert {asked.path for asked in receiver.asked} == {"/replies", "/events"}
        assert any(row["state"] == "pending" for row in rows(opened, "event"))


async def test_the_text_of_a_reply_is_in_no_log(
    open_desk: OpenDesk, receiver: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """What fails is told by its row and lane; neither words nor addresses get into the log."""
    receiver.answers = [(422, {}, b"no")]
    async with open_desk(configured(receiver.url), NOW) as opened:
        await answered(opened, await heard(opened, who="secret-handle"), "机密内容")
        await in_state(opened, "failed")
    said = capfd.readouterr()
    assert "send.not_sent" in said.out + said.err
    assert "机密内容" not in said.out + said.err
    assert "secret-handle" not in said.out + said.err
