"""A support mailbox is read without losing or doubling a mail, and answers go out where they belong."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import adapters
from adapters.email import smtp as email_smtp
from adapters.email.channel import Email
from adapters.email.imap import mailbox as imap_mailbox
from router.errors import BadSettings, OutcomeUnknown, SendError, SendRejected, SendUnreachable, Throttled, Unreachable
from router.model import Attachment, Authenticity, Message
from router.ports import Channel, Delivery, Raw, Reply

Open = Callable[..., Channel]
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
TOKEN = "ab2cdefghijklmnopqrstuvwxyz234567abcdefghijklmno"


def mail(number: int, **fields: str) -> bytes:
    """Mail `number` of a customer."""
    lines = {
        "From": "Chen <chen@mail.example>",
        "To": "support@support.example",
        "Subject": f"mail {number}",
        "Message-ID": f"<m{number}@mail.example>",
        "Content-Type": "text/plain; charset=utf-8",
        **{k.replace("_", "-"): v for k, v in fields.items()},
    }
    return "".join(f"{k}: {v}\r\n" for k, v in lines.items()).encode() + f"\r\nwords of mail {number}\r\n".encode()


@pytest.fixture
def opened(open_channel: Open, mailbox: Any, post_office: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Email]:
    """An e-mail channel on the two servers of this test."""
    monkeypatch.setenv("MAIL_PASSWORD", mailbox.password)

    def build(**settings: Any) -> Email:
        imap = {"host": mailbox.host, "port": mailbox.port, "username": mailbox.user, "password": "env:MAIL_PASSWORD"}
        smtp = {"host": post_office.host, "port": post_office.port}
        given = {"address": "support@support.example", "imap": imap, "smtp": smtp, **settings}
        return Email(open_channel(Email, "support-mail", **given))

    return build


@pytest.fixture
def sending(open_channel: Open, post_office: Any) -> Callable[..., Email]:
    """An e-mail channel that only sends, to the sending server of this test."""

    def build(**settings: Any) -> Email:
        smtp = {"host": post_office.host, "port": post_office.port}
        return Email(open_channel(Email, "support-mail", address="support@support.example", smtp=smtp, **settings))

    return build


@contextlib.asynccontextmanager
async def reading(email: Email, cursor: str | None) -> Any:
    """The deliveries behind a cursor, closed at the end."""
    deliveries = email.deliveries(cursor)
    try:
        yield deliveries
    finally:
        await deliveries.aclose()


async def first_cursor(email: Email) -> str:
    async with reading(email, None) as deliveries:
        first: Delivery = await anext(deliveries)
    return first.cursor


async def read(email: Email, cursor: str, count: int) -> tuple[list[Raw], str]:
    """So many raws behind a cursor, and the cursor behind them."""
    raws: list[Raw] = []
    async with reading(email, cursor) as deliveries:
        while len(raws) < count:
            delivery = await anext(deliveries)
            raws += delivery.raws
            cursor = delivery.cursor or cursor
    return raws, cursor


async def test_the_mailbox_server_tells_the_time(opened: Callable[..., Email], mailbox: Any) -> None:
    """A mail that comes while the mailbox is followed was taken in now, by the server's clock; one that lay there
    before says nothing of it."""
    email, told = opened(), list[datetime]()
    email._channel = replace(email._channel, heard=told.append)
    start = await first_cursor(email)
    await asyncio.to_thread(mailbox.deliver, mail(1), at=NOW)
    async with reading(email, start) as deliveries:
        assert len((await anext(deliveries)).raws) == 1
        assert told == []
        waiting = asyncio.ensure_future(anext(deliveries))
        await asyncio.to_thread(mailbox.deliver, mail(2), at=NOW + timedelta(hours=1))
        delivery = await asyncio.wait_for(waiting, 120)
    assert len(delivery.raws) == 1
    assert told == [NOW + timedelta(hours=1)]


def message_of(email: Email, raw: Raw) -> Message:
    [message] = email.translate(raw)
    assert isinstance(message, Message)
    return message


def reply(**fields: Any) -> Reply:
    given = {
        "number": 1,
        "channel": "support-mail",
        "to": "chen@mail.example",
        "to_name": "陈先生",
        "text": "已为您核实。\n谢谢",
        "external_id": f"{TOKEN}.7@support.example",
        "idempotency_key": "k1",
        "created_at": NOW,
        "subject": "Re: 转账失败",
        "in_reply_to": "m1@mail.example",
        "references": ("m0@mail.example", "m1@mail.example"),
        **fields,
    }
    return Reply(**given)


async def test_first_start_leaves_old_mail_alone(opened: Callable[..., Email], mailbox: Any) -> None:
    """A mailbox that is read for the first time begins with what comes next."""
    email = opened()
    cursor = await first_cursor(email)
    mailbox.deliver(mail(1))
    raws, _ = await read(email, cursor, 1)
    assert [message_of(email, raw).subject for raw in raws] == ["mail 1"]


async def test_mail_while_nobody_reads(opened: Callable[..., Email], mailbox: Any) -> None:
    """What came during a stop is read behind the cursor, in order, each mail once."""
    email = opened()
    cursor = await first_cursor(email)
    mailbox.deliver(*(mail(n) for n in range(1, 6)))
    raws, cursor = await read(email, cursor, 5)
    assert [message_of(email, raw).subject for raw in raws] == [f"mail {n}" for n in range(1, 6)]
    assert [raw.partition_key for raw in raws] == ["support-mail"] * 5
    assert len({raw.transport_id for raw in raws}) == 5
    mailbox.deliver(mail(6))
    raws, _ = await read(email, cursor, 1)
    assert message_of(email, raws[0]).subject == "mail 6"


async def test_mail_while_waiting(opened: Callable[..., Email], mailbox: Any) -> None:
    """A mail that comes while the channel waits is read at once, by the server's push and not by the poll."""
    email = opened()
    async with reading(email, None) as deliveries:
        await anext(deliveries)
        waiting = asyncio.ensure_future(anext(deliveries))
        await asyncio.to_thread(mailbox.deliver, mail(1))
        delivery = await asyncio.wait_for(waiting, 120)  # the poll comes after 180
    assert [message_of(email, raw).subject for raw in delivery.raws] == ["mail 1"]


async def test_many_mails(opened: Callable[..., Email], mailbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full mailbox is read in batches, and the cursor stands behind each."""
    monkeypatch.setattr(imap_mailbox, "MAX_BODIES", 10)
    monkeypatch.setattr(imap_mailbox, "MAX_SIZES", 15)
    email = opened()
    cursor = await first_cursor(email)
    mailbox.deliver(*(mail(n) for n in range(1, 34)))
    subjects: list[str] = []
    sizes = []
    async with reading(email, cursor) as deliveries:
        while len(subjects) < 33:
            delivery = await anext(deliveries)
            sizes.append(len(delivery.raws))
            subjects += [message_of(email, raw).subject for raw in delivery.raws]
            assert delivery.cursor.endswith(f":{delivery.raws[-1].meta['uid']}")
    assert subjects == [f"mail {n}" for n in range(1, 34)]
    assert sizes == [10, 5, 10, 5, 3]


async def test_time_of_a_mail_is_the_server_s(opened: Callable[..., Email], mailbox: Any) -> None:
    """A mail counts from when the mail server took it in, whatever its Date says."""
    email = opened()
    cursor = await first_cursor(email)
    at = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
    await asyncio.to_thread(mailbox.deliver, mail(1, Date="Mon, 1 Jan 2001 00:00:00 +0000"), at=at)
    [raw], _ = await read(email, cursor, 1)
    assert message_of(email, raw).sent_at == at
    assert raw.received_at == NOW


async def test_mailbox_numbered_anew(opened: Callable[..., Email], mailbox: Any) -> None:
    """When the server gives its mails new numbers, the last days are read again and the rest is left alone."""
    email = opened()
    await asyncio.to_thread(mailbox.deliver, mail(1), at=NOW - timedelta(days=60))
    await asyncio.to_thread(mailbox.deliver, mail(2), at=NOW - timedelta(days=2))
    async with reading(email, "1:7000") as deliveries:
        delivery = await anext(deliveries)
        subjects = [message_of(email, raw).subject for raw in delivery.raws]
        assert delivery.cursor == "1:7000"
        done = await anext(deliveries)
    assert "mail 2" in subjects
    assert "mail 1" not in subjects
    assert done.raws == ()
    assert done.cursor.partition(":")[0] not in ("1", "")
    await asyncio.to_thread(mailbox.deliver, mail(3))
    raws, _ = await read(email, done.cursor, 1)
    assert message_of(email, raws[0]).subject == "mail 3"


async def test_backfill(opened: Callable[..., Email], mailbox: Any) -> None:
    """What an outage left out is fetched by its time, however often that is asked."""
    email = opened()
    for number, days in ((1, 30), (2, 5), (3, 4), (4, 1)):
        await asyncio.to_thread(mailbox.deliver, mail(number), at=NOW - timedelta(days=days))
    for _ in range(2):
        found = [d async for d in email.backfill(NOW - timedelta(days=6), NOW - timedelta(days=3))]
        assert [message_of(email, raw).subject for d in found for raw in d.raws] == ["mail 2", "mail 3"]
        assert all(d.cursor == "" for d in found)


@pytest.mark.parametrize("marks", [True, False])
async def test_seen_flag(opened: Callable[..., Email], mailbox: Any, marks: bool) -> None:
    """A mail is marked as read only where that is configured, and only after it is durable."""
    email = opened(mark_seen=marks)
    async with reading(email, None) as deliveries:
        await anext(deliveries)
        await asyncio.to_thread(mailbox.deliver, mail(1))
        delivery = await anext(deliveries)
        assert rb"\Seen" not in mailbox.flags()[-1]
        assert (delivery.acknowledge is not None) == marks
        if delivery.acknowledge is not None:
            await delivery.acknowledge()
        assert (rb"\Seen" in mailbox.flags()[-1]) == marks


async def test_wrong_password(opened: Callable[..., Email], monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that the server refuses stops the channel with a sentence that holds no secret."""
    monkeypatch.setenv("MAIL_PASSWORD", "not-the-word")
    with pytest.raises(BadSettings, match="refuses the login") as failure:
        await first_cursor(opened())
    assert "not-the-word" not in str(failure.value)


async def test_unset_password(opened: Callable[..., Email], monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference that leads nowhere is named, for the operator to set it."""
    monkeypatch.delenv("MAIL_PASSWORD")
    with pytest.raises(BadSettings, match="env:MAIL_PASSWORD"):
        await first_cursor(opened())


async def test_missing_mailbox(opened: Callable[..., Email], mailbox: Any) -> None:
    """A mailbox that does not exist is named."""
    imap = {"host": mailbox.host, "port": mailbox.port, "username": mailbox.user, "password": "env:MAIL_PASSWORD"}
    with pytest.raises(BadSettings, match="客服"):
        await first_cursor(opened(imap={**imap, "mailbox": "客服"}))


async def test_server_gone(opened: Callable[..., Email], mailbox: Any) -> None:
    """A server that goes away while the channel waits is noticed at once."""
    email = opened()
    async with reading(email, None) as deliveries:
        await anext(deliveries)
        waiting = asyncio.ensure_future(anext(deliveries))
        await asyncio.to_thread(mailbox.stop)
        with pytest.raises(Unreachable, match="lost"):
            await asyncio.wait_for(waiting, 120)
    with pytest.raises(Unreachable, match="does not answer"):
        await first_cursor(email)


async def test_nothing_of_a_mail_is_logged(
    opened: Callable[..., Email], mailbox: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither words, addresses nor passwords reach the log, even when it says all (`mail.`: the test's server)."""
    caplog.set_level(logging.DEBUG)
    email = opened()
    cursor = await first_cursor(email)
    mailbox.deliver(mail(1))
    await read(email, cursor, 1)
    await email.send(reply())
    await email.close()
    for word in ("words of mail", "chen@mail.example", mailbox.password, "已为您核实"):
        assert [r.name for r in caplog.records if word in r.getMessage() and not r.name.startswith("mail.")] == []


async def test_answer_finds_its_thread(opened: Callable[..., Email], mailbox: Any, post_office: Any) -> None:
    """A mail is read from the mailbox and its answer goes out as an answer to it, with our own lasting id."""
    email = opened()
    cursor = await first_cursor(email)
    mailbox.deliver(mail(1, References="<m0@mail.example>", In_Reply_To="<m0@mail.example>"))
    [raw], _ = await read(email, cursor, 1)
    message = message_of(email, raw)
    answer = reply(
        to=message.sender.handle,
        in_reply_to=message.external_id,
        references=(*message.references, message.external_id),
    )
    receipt = await email.send(answer)
    sent = await asyncio.to_thread(post_office.next)
    assert receipt.external_id == answer.external_id
    assert sent["Message-ID"] == f"<{answer.external_id}>"
    assert sent["In-Reply-To"] == "<m1@mail.example>"
    assert sent["References"].split() == ["<m0@mail.example>", "<m1@mail.example>"]
    assert str(make_header(decode_header(sent["Subject"]))) == "Re: 转账失败"
    assert sent.get_payload(decode=True).decode().splitlines() == ["已为您核实。", "谢谢"]
    mailbox.deliver(mail(2, References=f"<m1@mail.example> {sent['Message-ID']}", In_Reply_To=sent["Message-ID"]))
    [raw, back], _ = await read(email, cursor, 2)
    assert message_of(email, back).in_reply_to == answer.external_id
    assert message_of(email, back).reply_token == TOKEN
    await email.close()


async def test_people_who_take_part_get_a_copy(sending: Callable[..., Email], post_office: Any) -> None:
    """The customer in To, the others in Cc and in the envelope, each once; what is no address is left out."""
    email = sending()
    bo, cy = "bo@corp.example", "cy@corp.example"
    cc = (bo, cy, bo, "chen@mail.example", "no address", "x\r\n@evil.example")
    await email.send(reply(cc=cc))
    await email.close()
    envelope = post_office.envelope()
    assert envelope.rcpt_tos == ["chen@mail.example", "bo@corp.example", "cy@corp.example"]
    sent = message_from_bytes(envelope.content)
    assert (sent["Cc"], sent["To"].endswith("<chen@mail.example>")) == ("bo@corp.example, cy@corp.example", True)


async def test_outlook_sets_the_answer_below_its_question(sending: Callable[..., Email], post_office: Any) -> None:
    """Thread-Index goes on from that of the question by one step, and the topic stays; other mail has neither."""
    email = sending()
    question = base64.b64encode(bytes.fromhex("01dca9f00b2e") + bytes(range(16))).decode()
    message = message_of(email, Raw(
        channel="support-mail", body=mail(1, Thread_Index=question, Thread_Topic="提现"), received_at=NOW,
    ))  # fmt: skip
    assert message.headers is not None
    asked = message.headers
    await email.send(reply(thread_index=asked.thread_index, thread_topic=asked.thread_topic))
    sent = await asyncio.to_thread(post_office.next)
    below = base64.b64decode(sent["Thread-Index"])
    assert (len(below), below[:22]) == (27, base64.b64decode(question))
    assert str(make_header(decode_header(sent["Thread-Topic"]))) == "提现"
    await email.send(reply())
    plain = await asyncio.to_thread(post_office.next)
    assert (plain["Thread-Index"], plain["Thread-Topic"], plain["Cc"]) == (None, None, None)
    await email.close()


async def test_same_bytes_at_every_attempt(sending: Callable[..., Email], post_office: Any) -> None:
    """A reply that is sent again is the same mail, so that two copies are one."""
    email = sending()
    await email.send(reply())
    await email.send(reply())
    await email.close()
    one, two = post_office.envelope(), post_office.envelope()
    assert one.content == two.content


async def test_automatic_reply(sending: Callable[..., Email], post_office: Any) -> None:
    """Our own automatic mail says that it is, has no way back, and is known as ours when it returns."""
    email = sending()
    await email.send(reply(automatic=True))
    await email.close()
    envelope = post_office.envelope()
    assert envelope.mail_from in ("", "<>")
    raw = Raw(channel="support-mail", body=envelope.content, received_at=NOW)
    returned = message_of(email, raw)
    assert b"Auto-Submitted: auto-replied" in envelope.content
    assert b"X-Auto-Response-Suppress: All" in envelope.content
    assert returned.automatic


async def test_human_reply_is_not_marked(sending: Callable[..., Email], post_office: Any) -> None:
    """What an agent wrote carries no sign of a machine."""
    email = sending()
    await email.send(reply())
    await email.close()
    envelope = post_office.envelope()
    assert envelope.mail_from == "support@support.example"
    assert not message_of(email, Raw(channel="m", body=envelope.content, received_at=NOW)).automatic


async def test_reply_with_files(sending: Callable[..., Email], post_office: Any) -> None:
    """Files go along under their names."""
    email = sending()
    files = (Attachment(name="账单.pdf", type="application/pdf", content=b"%PDF"),)
    await email.send(reply(attachments=files))
    await email.close()
    raw = Raw(channel="m", body=post_office.envelope().content, received_at=NOW)
    [file] = message_of(email, raw).attachments
    assert (file.name, file.type, file.content) == ("账单.pdf", "application/pdf", b"%PDF")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"to": "not an address"}, "no mail address"),
        ({"to": "a@x.example, b@y.example"}, "no mail address"),
        ({"to": "a@x.example\r\nBcc: b@y.example"}, "no mail address"),
        ({"to": "unknown-12@sender.invalid"}, "no mail address"),
        ({"subject": "x\r\nBcc: b@y.example"}, "Subject holds a line break"),
        ({"external_id": "a@b>\r\nBcc: <c@d"}, "Message-ID holds a line break"),
        ({"attachments": (Attachment(name="a.pdf", url="https://x.example/a"),)}, "has no content"),
    ],
)
async def test_reply_that_cannot_be_sent(
    sending: Callable[..., Email], post_office: Any, changed: dict[str, Any], why: str
) -> None:
    """A reply that would break its header or has no address goes nowhere."""
    with pytest.raises(SendRejected, match=why):
        await sending().send(reply(**changed))
    assert post_office.greetings == 0


async def test_name_adds_no_recipient(sending: Callable[..., Email], post_office: Any) -> None:
    """Whatever a customer calls himself, his answer has one recipient."""
    email = sending()
    await email.send(reply(to_name='x" <evil@attacker.example>, "y\r\nBcc: z@z.example'))
    await email.close()
    envelope = post_office.envelope()
    assert envelope.rcpt_tos == ["chen@mail.example"]
    assert b"\r\nBcc:" not in envelope.content


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"RCPT": "550 5.1.1 no such user"}, SendRejected),
        ({"RCPT": "550 5.7.1 relaying denied"}, SendRejected),
        ({"RCPT": "450 4.2.1 greylisted"}, SendUnreachable),
        ({"MAIL": "421 4.7.0 too many connections"}, Throttled),
        ({"MAIL": "452 4.3.1 out of space"}, Throttled),
        ({"DATA": "451 4.3.0 later"}, SendUnreachable),
        ({"DATA": "554 5.7.1 spam"}, SendRejected),
        ({"DATA": "hang up"}, OutcomeUnknown),
    ],
)
async def test_refusals(
    sending: Callable[..., Email], post_office: Any, answers: dict[str, str], error: type[SendError]
) -> None:
    """Each refusal means what the outbox must do: later, at a time, never, or ask a person; and names no address."""
    email = sending()
    post_office.answers.update(answers)
    with pytest.raises(error) as failure:
        await email.send(reply())
    assert type(failure.value) is error
    assert "chen" not in str(failure.value)
    assert "no such user" not in str(failure.value)
    if isinstance(failure.value, Throttled):
        assert failure.value.until > NOW
    if isinstance(failure.value, SendRejected):
        assert failure.value.blocked == ("5.1.1" in answers.get("RCPT", ""))
    post_office.answers.clear()
    await email.send(reply())
    await email.close()
    assert await asyncio.to_thread(post_office.next)


async def test_silence_after_the_mail_left(
    sending: Callable[..., Email], post_office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the server says nothing once the mail was handed over, nobody claims to know what became of it."""
    email = sending()
    await email.send(reply())  # connected with all the patience that this takes
    post_office.answers["DATA"] = "silence"
    monkeypatch.setattr(email_smtp, "PATIENCE", 0.1)
    with pytest.raises(OutcomeUnknown):
        await email.send(reply())


async def test_connection_is_reused(sending: Callable[..., Email], post_office: Any) -> None:
    """Replies that follow each other share one connection."""
    email = sending()
    for number in range(3):
        await email.send(reply(external_id=f"r{number}@support.example"))
    await email.close()
    assert post_office.greetings == 1
    assert post_office.taken.qsize() == 3


async def test_idle_connection_is_closed(sending: Callable[..., Email], post_office: Any) -> None:
    """A connection that nobody uses is closed by itself, and the next reply opens another."""
    email = sending()
    email.idle = 0.01
    await email.send(reply())
    assert await asyncio.to_thread(post_office.closed.get, True, 120)
    await email.send(reply(external_id="r2@support.example"))
    await email.close()
    assert post_office.greetings == 2


async def test_connection_closed_by_the_server(sending: Callable[..., Email], post_office: Any) -> None:
    """A reply on a connection that the server has closed meanwhile goes out on a new one."""
    email = sending()
    await email.send(reply())
    post_office.answers["MAIL"] = "hang up"
    await email.send(reply(external_id="r2@support.example"))
    await email.close()
    assert post_office.taken.qsize() == 2
    assert post_office.greetings == 2


async def test_nobody_listens(open_channel: Open) -> None:
    """A sending server that is down means: later."""
    settings = {"address": "support@support.example", "smtp": {"host": "127.0.0.1", "port": 9}}
    with pytest.raises(SendUnreachable, match="does not answer"):
        await Email(open_channel(Email, "m", **settings)).send(reply())


async def test_what_listens_is_no_mail_server(open_channel: Open) -> None:
    """Another server on the port (a web server, say) is told as such, without a code that nobody has heard of."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        smtp = {"host": "127.0.0.1", "port": port}
        with pytest.raises(SendUnreachable, match="does not answer as a mail server: check host, port"):
            await Email(open_channel(Email, "m", address="support@support.example", smtp=smtp)).send(reply())


def guarded(open_channel: Open, server: Any, **smtp: Any) -> Email:
    given = {"host": "localhost", "port": server.port, "password": "env:MAIL_PASSWORD", **smtp}
    return Email(open_channel(Email, "m", address="support@support.example", smtp=given))


async def test_sending_with_login_and_tls(
    open_channel: Open, guarded_post_office: Any, certificates: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply goes out through STARTTLS and a login; a wrong password or a stranger's certificate sends nothing."""
    monkeypatch.setenv("MAIL_PASSWORD", guarded_post_office.password)
    ca_file = str(certificates.ca_file)
    email = guarded(open_channel, guarded_post_office, ca_file=ca_file)
    await email.send(reply())
    await email.close()
    assert guarded_post_office.taken.qsize() == 1
    with pytest.raises(SendUnreachable, match="not trusted"):
        await guarded(open_channel, guarded_post_office, starttls=True).send(reply())
    monkeypatch.setenv("MAIL_PASSWORD", "not-the-word")
    with pytest.raises(BadSettings, match="refuses the login") as failure:
        await guarded(open_channel, guarded_post_office, ca_file=ca_file).send(reply())
    assert "not-the-word" not in str(failure.value)
    assert guarded_post_office.taken.qsize() == 1


async def test_sending_with_a_token(
    open_channel: Open, guarded_post_office: Any, certificates: Any, tmp_path: Path
) -> None:
    """A token that something outside renews is read anew for each connection."""
    kept = tmp_path / "token"
    kept.write_text("first-token")
    ca_file = str(certificates.ca_file)
    email = guarded(open_channel, guarded_post_office, ca_file=ca_file, password=None, oauth=f"file:{kept}")
    await email.send(reply())
    await email.close()
    guarded_post_office.token = "second-token"
    with pytest.raises(BadSettings, match="refuses the login") as failure:
        await email.send(reply())
    assert "token" not in str(failure.value).replace("password or token", "")
    kept.write_text("second-token")
    await email.send(reply(external_id="r2@support.example"))
    await email.close()
    assert guarded_post_office.taken.qsize() == 2


async def test_check_connects(opened: Callable[..., Email]) -> None:
    """The check logs in to both servers and says in one line what it proved."""
    email = opened()
    line = await email.connect()
    assert "IMAP 127.0.0.1" in line
    assert "SMTP 127.0.0.1" in line
    await email.close()


async def test_plus_address_is_proved_first(
    open_channel: Open, mailbox: Any, post_office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers go to plus addresses only once one was seen to arrive."""
    monkeypatch.setenv("MAIL_PASSWORD", mailbox.password)
    imap = {"host": mailbox.host, "port": mailbox.port, "username": mailbox.user, "password": "env:MAIL_PASSWORD"}
    smtp = {"host": post_office.host, "port": post_office.port}
    settings = {"address": "support@support.example", "imap": imap, "smtp": smtp, "reply_address": "plus"}
    email = Email(open_channel(Email, "support-mail", memory={}, **settings))
    await email.send(reply())
    assert (await asyncio.to_thread(post_office.next))["Reply-To"] is None
    checking = asyncio.ensure_future(email.connect())
    probe = await asyncio.to_thread(post_office.envelope)
    await asyncio.to_thread(mailbox.deliver, probe.content)
    assert "plus addresses arrive" in await checking
    assert message_of(email, Raw(channel="m", body=probe.content, received_at=NOW)).automatic
    await email.send(reply())
    await email.close()
    assert (await asyncio.to_thread(post_office.next))["Reply-To"] == f"support+{TOKEN}@support.example"


async def test_plus_address_that_does_not_arrive(opened: Callable[..., Email]) -> None:
    """A mail server that does not know plus addresses is told to the operator, and they stay unused."""
    email = opened(reply_address="plus")
    email.arrival = 0.05
    with pytest.raises(BadSettings, match="does not arrive"):
        await email.connect()
    await email.close()


@pytest.mark.parametrize(("way", "answer_to"), [("message-id", None), ("catch-all", f"{TOKEN}@support.example")])
async def test_reply_address(sending: Callable[..., Email], post_office: Any, way: str, answer_to: str | None) -> None:
    """Where the desk owns all addresses of its domain, answers go to one that carries the signed token."""
    email = sending(reply_address=way)
    await email.send(reply())
    await email.close()
    assert post_office.next()["Reply-To"] == answer_to


def test_require(open_channel: Open) -> None:
    """A desk that requires authentic senders takes one nobody vouches for as forged."""
    strict = Email(open_channel(Email, "m", address="support@support.example", authenticity="require"))
    message = message_of(strict, Raw(channel="m", body=mail(1), received_at=NOW))
    assert message.authenticity is Authenticity.FAIL


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"address": "nobody"}, "one mail address"),
        ({"address": "a@b.example, c@d.example"}, "one mail address"),
        ({"address": "a@b.example", "imap": {"host": "x", "password": "env:A", "oauth": "env:B"}}, "give one"),
        ({"address": "a@b.example", "smtp": {"host": "mail.example", "starttls": False}}, "in plain"),
        ({"address": "a@b.example", "imap": {"host": "x", "poll": "soon"}}, "duration"),
        ({"address": "a@b.example", "imaps": {}}, "Extra inputs"),
        ({"address": "a@b.example", "imap": {"host": "x", "password": "secret"}}, "by reference"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], why: str) -> None:
    """A mistake in the channel's table is told by what would be right."""
    with pytest.raises(ValueError, match=why):
        Email.Settings.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "encrypted"),
    [
        ({"host": "imap.example.com"}, True),
        ({"host": "imap.example.com", "port": 143}, True),
        ({"host": "127.0.0.1", "port": 1143}, False),
        ({"host": "localhost", "port": 1143, "ca_file": "ca.pem"}, True),
        ({"host": "127.0.0.1", "port": 1143, "ca_file": "ca.pem"}, True),
    ],
)
def test_plain_only_on_this_machine(settings: dict[str, Any], encrypted: bool) -> None:
    """A mailbox elsewhere is never spoken to without encryption."""
    read = Email.Settings.model_validate({"address": "a@b.example", "imap": settings, "smtp": {**settings}})
    assert read.imap is not None
    assert read.smtp is not None
    assert read.imap.encrypted == encrypted
    assert read.smtp.encrypted == encrypted


def test_sdks_are_loaded_when_needed() -> None:
    """A desk without a mailbox loads no mail library; and aioimaplib is imported by one module alone (its licence)."""
    code = "import sys, adapters.email.channel; print([m for m in ('aioimaplib', 'aiosmtplib') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
    top = Path(adapters.__file__).parents[1]
    sources = [path for folder in ("router", "adapters", "workers") for path in (top / folder).rglob("*.py")]
    importing = [p.name for p in sources if re.search(r"^\s*(?:from|import) aioimaplib", p.read_text("utf-8"), re.M)]
    assert importing == ["session.py"]


@pytest.mark.parametrize("package", ["aioimaplib", "aiosmtplib"])
async def test_missing_sdk(open_channel: Open, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """A missing library is told in one sentence with the extra to install."""
    for module in [m for m in sys.modules if m.startswith((package, "adapters.email.imap.session"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    server = {"host": "127.0.0.1", "port": 9}
    email = Email(open_channel(Email, "m", address="a@b.example", imap=server, smtp=server))
    with pytest.raises(BadSettings, match=rf"needs {package}: pip install 'omnirouter\[email\]'"):
        await (anext(email.deliveries(None)) if package == "aioimaplib" else email.send(reply()))
