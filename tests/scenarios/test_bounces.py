"""An answer comes back: through a real mailbox and a real mail server, in each form that mail servers write."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from router.desk.acts import conversation as acts
from router.desk.reads.audit import audit

MONDAY = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai
CONFIGURATION = """
[channels.support-mail]
adapter = "email"
address = "support@support.example"
smtp = {{ host = "{smtp.host}", port = {smtp.port} }}

[channels.support-mail.imap]
host = "{imap.host}"
port = {imap.port}
username = "{imap.user}"
password = "env:MAIL_PASSWORD"
poll = "1s"

[[queues]]
name = "general"
[defaults]
queue = "general"

[[deadlines]]
name = "mail"
hours = "calendar"
first_reply = "4h"
next_reply = "4h"
"""


def crlf(*lines: str) -> bytes:
    return "\r\n".join(lines).encode()


def customer_mail(identity: str = "q1@mail.example") -> bytes:
    return crlf(
        "From: Mo <mo@mail.example>", "To: support@support.example", "Subject: card charged twice",
        f"Message-ID: <{identity}>", "Content-Type: text/plain", "", "my card was charged twice",
    )  # fmt: skip


def daemon_fields(subject: str, kind: str, *more: str) -> tuple[str, ...]:
    return (
        "Return-Path: <>", "From: Mail Delivery System <MAILER-DAEMON@mx.mail.example>", "To: support@support.example",
        f"Subject: {subject}", "Message-ID: <b1@mx.mail.example>", f"Content-Type: {kind}", "MIME-Version: 1.0", *more,
    )  # fmt: skip


def report(identity: str, action: str = "failed", status: str = "5.1.1", whom: str = "mo@mail.example") -> bytes:
    """RFC 3464, with the mail that is sent back."""
    return crlf(
        *daemon_fields(
            "Undelivered Mail Returned to Sender", "multipart/report; report-type=delivery-status; boundary=B"
        ),
        "", "--B", "Content-Type: text/plain", "", "see below", "--B", "Content-Type: message/delivery-status", "",
        "Reporting-MTA: dns; mx.mail.example", "", f"Final-Recipient: rfc822; {whom}", f"Action: {action}",
        f"Status: {status}", "Diagnostic-Code: smtp; 550 no such user", "", "--B", "Content-Type: message/rfc822", "",
        "From: support@support.example", f"Message-ID: {identity}", "Subject: Re: card charged twice", "",
        "We refunded it.", "--B--",
    )  # fmt: skip


def exchange(identity: str) -> bytes:
    """Exchange: a report with HTML, another final recipient, and only the header of what is sent back."""
    return crlf(
        "From: <postmaster@corp.onmicrosoft.example>", "To: support@support.example",
        "Subject: Undeliverable: Re: card charged twice", "Message-ID: <x9@prod.outlook.example>", "MIME-Version: 1.0",
        "X-MS-Exchange-Message-Is-Ndr:", "Auto-Submitted: auto-replied", f"In-Reply-To: {identity}",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="_x_"', "",
        "--_x_", "Content-Type: text/html; charset=utf-8", "", "<p>Your message to mo couldn't be delivered.</p>",
        "--_x_", "Content-Type: message/delivery-status", "", "Reporting-MTA: dns;prod.outlook.example", "",
        "Original-Recipient: rfc822;mo@mail.example", "Final-Recipient: rfc822;mo@corp.onmicrosoft.example",
        "Action: failed", "Status: 5.1.10", "Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound", "",
        "--_x_", "Content-Type: text/rfc822-headers", "", f"Message-ID: {identity}", "", "--_x_--",
    )  # fmt: skip


def in_words(identity: str) -> bytes:
    """系统退信: plain words in GB18030, our id only in the text, which is in base64."""
    words = f"很抱歉您发送的邮件被退回。无法发送到 mo@mail.example，收件人邮件地址不存在。\n原信：{identity}\n"
    content = base64.encodebytes(words.encode("gb18030")).decode().strip().replace("\n", "\r\n")
    subject = "=?gb18030?B?" + base64.b64encode("系统退信".encode("gb18030")).decode() + "?="
    return crlf(
        "From: PostMaster@qq.example", "To: support@support.example", f"Subject: {subject}",
        "Message-ID: <qq1@qq.example>", "MIME-Version: 1.0", "Content-Type: text/plain; charset=gb18030",
        "Content-Transfer-Encoding: base64", "", content,
    )  # fmt: skip


def qmail(identity: str) -> bytes:
    """qmail: plain words, the mail that is sent back below them."""
    return crlf(
        "Return-Path: <>", "From: MAILER-DAEMON@qmail.example", "To: support@support.example",
        "Subject: failure notice", "Message-ID: <qm1@qmail.example>", "",
        "Hi. This is the qmail-send program at qmail.example.", "",
        "<mo@mail.example>:", "Sorry, no mailbox here by that name. (#5.1.1)", "",
        "--- Below this line is a copy of the message.", "", "Return-Path: <support@support.example>",
        f"Message-ID: {identity}", "", "We refunded it.",
    )  # fmt: skip


@pytest.fixture
def mail_desk(open_desk: Any, mailbox: Any, post_office: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """A desk whose only channel is a mailbox, with both of its servers."""
    monkeypatch.setenv("MAIL_PASSWORD", mailbox.password)
    return lambda: open_desk(CONFIGURATION.format(imap=mailbox, smtp=post_office), MONDAY)


async def answered(desk: Any, mailbox: Any, post_office: Any) -> tuple[int, str]:
    """A customer's mail was answered: the conversation, and the id of the answer as it went out."""
    from router.store.channel_state import cursor_of

    await desk.until(lambda: cursor_of(desk.store.database, "support-mail"))
    mailbox.deliver(customer_mail(), at=desk.clock())
    [stored] = await desk.stored(1)
    desk.clock.move(hours=1)
    acts.reply(desk.store, stored["conversation"], "We refunded it.", agent="li", now=desk.clock())
    answer = await desk.until(lambda: post_office.taken.qsize() and post_office.next())
    await desk.until(lambda: desk.events("reply.sent"))
    assert desk.clocks()[0] | {"state": "met", "ended_at": "2026-03-02T03:00:00Z"} == desk.clocks()[0]
    return stored["conversation"], answer["Message-ID"]


@pytest.mark.parametrize("form", [report, exchange, in_words, qmail])
async def test_an_answer_that_comes_back(
    mail_desk: Callable[[], Any], mailbox: Any, post_office: Any, form: Callable[[str], bytes]
) -> None:
    """In whichever form: the conversation is back in its queue, solved or not, and waits as if nobody had answered."""
    async with mail_desk() as desk:
        number, identity = await answered(desk, mailbox, post_office)
        acts.status(desk.store, number, "solved", agent="li", now=desk.clock())
        desk.clock.move(hours=1)
        mailbox.deliver(form(identity), at=desk.clock())
        [told] = await desk.until(lambda: desk.events("reply.bounced"))
        assert (told["conversation"], told["message"]) == (number, 2)
        [conversation] = desk.conversations()
        assert (conversation["status"], conversation["queue"]) == ("open", "general")
        assert conversation["waiting_since"] == "2026-03-02T02:00:00Z"
        [clock] = desk.clocks()
        assert (clock["state"], clock["due_at"], clock["ended_at"]) == ("running", "2026-03-02T06:00:00Z", None)
        _, reply, bounce = sorted(desk.messages(), key=lambda m: m["id"])
        assert (reply["state"], bounce["conversation"], bounce["automatic"]) == ("bounced", number, True)
        assert audit(desk.store).differences == []
        desk.clock.move(hours=3)
        desk.store.bell.ring()
        await desk.until(lambda: desk.events("deadline.breach"))
        acts.reply(desk.store, number, "Once more.", agent="li", now=desk.clock())
        await desk.until(lambda: len(desk.events("reply.sent")) == 2)
        assert desk.clocks()[0]["state"] == "late"


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ({"action": "delayed", "status": "4.4.1"}, ["reply.delayed"]),
        ({"action": "relayed", "status": "2.1.5"}, []),
    ],
)
async def test_what_is_no_final_failure_changes_nothing(
    mail_desk: Callable[[], Any], mailbox: Any, post_office: Any, case: dict[str, str], told: list[str]
) -> None:
    """A delay is told, a mail that was passed on not even that; the answer still stands."""
    async with mail_desk() as desk:
        number, identity = await answered(desk, mailbox, post_office)
        mailbox.deliver(report(identity, **case), at=desk.clock())
        await desk.stored(3)
        assert [e["type"] for e in desk.events() if e["type"].startswith("reply.")][2:] == told
        assert [c["state"] for c in desk.clocks()] == ["met"]
        assert [m["state"] for m in desk.messages() if m["direction"] == "out"] == ["sent"]
        assert {c["id"]: c["waiting_since"] for c in desk.conversations()}[number] is None


async def test_a_forged_bounce_changes_nothing(mail_desk: Callable[[], Any], mailbox: Any, post_office: Any) -> None:
    """Without our signature on the id, a report is somebody's mail: no answer is taken back, no conversation joined."""
    async with mail_desk() as desk:
        number, identity = await answered(desk, mailbox, post_office)
        token = identity[1:49]
        forged = identity.replace(token, token[:-1] + ("a" if token[-1] != "a" else "b"))
        for form in (report, exchange, in_words, qmail):
            mailbox.deliver(form(forged), at=desk.clock())
        stored = await desk.stored(6)
        assert all(m["conversation"] != number for m in stored[2:])
        assert desk.events("reply.bounced") == []
        assert [c["state"] for c in desk.clocks()] == ["met"]
