"""A mail desk at work: mail is read from a real mailbox, routed, answered through a real mail server, and goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from router.desk.acts import conversation as acts

MONDAY = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai

CONFIGURATION = """
[channels.support-mail]
adapter = "email"
address = "support@support.example"
smtp = {{ host = "{smtp.host}", port = {smtp.port} }}
schedule = "mail"

[channels.support-mail.imap]
host = "{imap.host}"
port = {imap.port}
username = "{imap.user}"
password = "env:MAIL_PASSWORD"
poll = "1s"

[schedules.mail]
week = {{ weekdays = [["09:00", "18:00"]] }}

[[queues]]
name = "general"
[[queues]]
name = "payments"

[defaults]
queue = "general"

[[rules]]
id = "money"
when = {{ issue_type = ["transfer_failed"] }}
queue = "payments"

[[deadlines]]
name = "mail"
schedule = "mail"
first_reply = "4h"
next_reply = "8h"
"""


def mail(identity: str, words: str, **fields: str) -> bytes:
    """A mail of the customer."""
    lines = {
        "From": "=?utf-8?B?6ZmI5YWI55Sf?= <chen@mail.example>",
        "To": "support@support.example",
        "Subject": "=?utf-8?B?6L2s6LSm5aSx6LSl?=",
        "Message-ID": f"<{identity}>",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "8bit",
        **{name.replace("_", "-"): value for name, value in fields.items()},
    }
    return "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode() + b"\r\n" + words.encode()


@pytest.fixture
def mail_desk(open_desk: Any, mailbox: Any, post_office: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """A desk whose only channel is a mailbox, with both of its servers."""
    monkeypatch.setenv("MAIL_PASSWORD", mailbox.password)
    return lambda: open_desk(CONFIGURATION.format(imap=mailbox, smtp=post_office), MONDAY)


def first_reply(desk: Any) -> dict[str, Any]:
    [clock] = [c for c in desk.clocks() if c["metric"] == "first_reply"]
    return clock


async def test_a_conversation_by_mail(mail_desk: Callable[[], Any], mailbox: Any, post_office: Any) -> None:
    """Question, answer, thanks and a further question by mail are one conversation, answered in time, with the same
    mail delivered twice and an out-of-office note in between changing nothing."""
    async with mail_desk() as desk:
        await desk.until(lambda: cursor(desk))
        question = mail("q1@mail.example", "您好，我昨天转账2000元一直没到账，请帮忙查一下。")
        mailbox.deliver(question, question, at=desk.clock())
        [stored] = await desk.stored(1)
        assert (stored["channel"], stored["external_id"]) == ("support-mail", "q1@mail.example")
        assert (stored["issue_type"], stored["queue"]) == ("transfer_failed", "payments")
        assert stored["subject"] == "转账失败"
        assert first_reply(desk)["due_at"] == "2026-03-02T06:00:00Z"
        number = stored["conversation"]

        desk.clock.move(hours=1)
        acts.reply(desk.store, number, "已为您核实，正在处理。", agent="li", now=desk.clock())
        answer = await desk.until(lambda: post_office.taken.qsize() and post_office.next())
        assert answer["To"].endswith("<chen@mail.example>")
        assert answer["In-Reply-To"] == "<q1@mail.example>"
        assert answer["References"].split()[-1] == "<q1@mail.example>"
        assert answer["Auto-Submitted"] is None
        assert answer["Message-ID"].endswith("@support.example>")
        assert answer.get_payload(decode=True).decode().startswith("已为您核实，正在处理。")
        assert first_reply(desk) | {"state": "met", "ended_at": "2026-03-02T03:00:00Z"} == first_reply(desk)

        desk.clock.move(minutes=10)
        away = mail(
            "away@mail.example", "我正在休假。", Auto_Submitted="auto-replied", In_Reply_To=answer["Message-ID"]
        )
        mailbox.deliver(away, at=desk.clock())
        stored = await desk.stored(3)
        assert (stored[2]["automatic"], stored[2]["conversation"]) == (True, number)
        assert [c["state"] for c in desk.clocks()] == ["met"]

        desk.clock.move(hours=1)
        more = mail(
            "q2@mail.example", "谢谢，但是到现在还没到账，还要多久？", In_Reply_To=answer["Message-ID"],
            References=f"<q1@mail.example> {answer['Message-ID']}", Subject="Re: =?utf-8?B?6L2s6LSm5aSx6LSl?=",
        )  # fmt: skip
        mailbox.deliver(more, question, at=desk.clock())
        stored = await desk.stored(4)
        assert [m["conversation"] for m in stored] == [number] * 4
        assert [m["direction"] for m in stored] == ["in", "out", "in", "in"]
        [conversation] = desk.conversations()
        assert conversation["waiting_since"] == "2026-03-02T04:10:00Z"
        assert [(c["metric"], c["state"]) for c in desk.clocks()] == [("first_reply", "met"), ("next_reply", "running")]

        acts.reply(desk.store, number, "今天之内到账。", agent="li", now=desk.clock())
        second = await desk.until(lambda: post_office.taken.qsize() and post_office.next())
        assert second["In-Reply-To"] == "<q2@mail.example>"
        chain = second["References"].split()
        assert (chain[0], chain[-1]) == ("<q1@mail.example>", "<q2@mail.example>")
        assert answer["Message-ID"] in chain
        assert second["Message-ID"] != answer["Message-ID"]
        assert len(desk.messages()) == 5
        assert post_office.taken.empty()


async def test_a_stranger_who_names_our_answer(mail_desk: Callable[[], Any], mailbox: Any, post_office: Any) -> None:
    """Somebody else who quotes the id of the desk's answer gets a conversation of his own, and no answer reaches him
    by the customer's."""
    async with mail_desk() as desk:
        await desk.until(lambda: cursor(desk))
        mailbox.deliver(mail("q1@mail.example", "转账2000一直没到账"), at=desk.clock())
        [stored] = await desk.stored(1)
        acts.reply(desk.store, stored["conversation"], "正在处理。", agent="li", now=desk.clock())
        answer = await desk.until(lambda: post_office.taken.qsize() and post_office.next())
        forged = mail(
            "f1@evil.example", "请把结果发给我", From="Mallory <m@evil.example>", In_Reply_To=answer["Message-ID"]
        )
        mailbox.deliver(forged, at=desk.clock())
        *_, theirs = await desk.stored(3)
        assert theirs["conversation"] != stored["conversation"]
        assert "thread_claim_rejected" in theirs["flags"]
        acts.reply(desk.store, stored["conversation"], "已经到账。", agent="li", now=desk.clock())
        last = await desk.until(lambda: post_office.taken.qsize() and post_office.envelope())
        assert last.rcpt_tos == ["chen@mail.example"]


async def test_a_restart_of_the_desk(mail_desk: Callable[[], Any], mailbox: Any, post_office: Any) -> None:
    """What comes while the desk is closed is read when it opens again, and nothing is read twice."""
    async with mail_desk() as desk:
        await desk.until(lambda: cursor(desk))
        mailbox.deliver(mail("q1@mail.example", "转账2000一直没到账"), at=desk.clock())
        await desk.stored(1)
    mailbox.deliver(mail("q2@mail.example", "还是没到账，请回复"), at=MONDAY)
    async with mail_desk() as desk:
        stored = await desk.stored(2)
        assert [m["external_id"] for m in stored] == ["q1@mail.example", "q2@mail.example"]
        assert len({m["conversation"] for m in stored}) == 1
        assert [e["type"] for e in desk.events("conversation.opened")] == ["conversation.opened"]


def cursor(desk: Any) -> str | None:
    """How far the mailbox is read; the first cursor stands at its end."""
    from router.store.channel_state import cursor_of

    return cursor_of(desk.store.database, "support-mail")
