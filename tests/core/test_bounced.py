"""What a bounce says, in the forms that are met, and which of our replies it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.email.mime.mail import Desk, translate
from router.bounce import Bounce, Failure, KnownReply
from router.known import Known
from router.match import reply_address
from router.match.bounced import outcome_of, reply_named
from router.model import Message
from router.ports import Raw

NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
KEY = b"k" * 32
TOKEN = reply_address.sign(7, ("email", "mo@mail.example"), 1, KEY, NOW + timedelta(days=180))
OURS = f"{TOKEN}.9@support.example"


def mail(*lines: str, body: str = "", charset: str = "utf-8") -> Message:
    fields = ("To: support@support.example", f"Content-Type: text/plain; charset={charset}", *lines)
    content = "\r\n".join(fields).encode() + b"\r\n\r\n" + body.encode(charset)
    desk = Desk(channel="support-mail", address="support@support.example")
    return translate(Raw(channel="support-mail", body=content, received_at=NOW), desk)


DAEMON = ("Return-Path: <>", "From: MAILER-DAEMON@mx.example", "Message-ID: <b@mx.example>")


@pytest.mark.parametrize(
    ("lines", "body", "final"),
    [
        ((*DAEMON, "Subject: Undelivered Mail Returned to Sender"), f"<mo@mail.example>: 550 5.1.1\n{OURS}", True),
        ((*DAEMON, "Subject: failure notice", f"In-Reply-To: <{OURS}>"), "Sorry, no mailbox here.", True),
        ((*DAEMON, "Subject: failure notice", f"References: <a@b.example> <{OURS}>"), "Sorry.", True),
        ((*DAEMON, "Subject: 系统退信", f"In-Reply-To: <{OURS}>"), "收件人邮件地址不存在，邮件无法送达。", True),
        ((*DAEMON, "Subject: Mail delivery failed", "X-Failed-Recipients: mo@mail.example"), f"…<{OURS}>…", True),
        ((*DAEMON, "Subject: Warning: could not send message for past 4 hours"), f"will be retried\n{OURS}", False),
        ((*DAEMON, "Subject: 系统退信(延迟投递)"), f"系统将继续尝试投递。{OURS}", False),
        ((*DAEMON, "Subject: Undeliverable: Re: x"), f"to {TOKEN.upper()} only", True),
    ],
)  # fmt: skip
def test_words_of_a_machine(lines: tuple[str, ...], body: str, final: bool) -> None:
    """Plain words are a bounce where a machine says them; our id is found wherever it stands."""
    message = mail(*lines, body=body)
    assert message.automatic
    assert message.bounce is not None
    assert {failure.final for failure in message.bounce.failures} == {final}
    assert message.bounce.proofs[0].startswith(TOKEN)


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (("From: mo@mail.example", "Subject: Re: 退信", f"In-Reply-To: <{OURS}>"), "我收到退信，邮件无法送达，怎么办"),
        (("From: mo@mail.example", "Subject: Automatic reply: hello", "Auto-Submitted: auto-replied",
          f"In-Reply-To: <{OURS}>"), "I have left; this mailbox does not exist any more. Undeliverable."),
        ((*DAEMON, "Subject: Successful delivery"), f"Your message was delivered. {OURS}"),
    ],
)  # fmt: skip
def test_what_is_no_bounce(lines: tuple[str, ...], body: str) -> None:
    """A person who writes of a bounce, somebody's absence and a receipt take no answer back."""
    assert mail(*lines, body=body).bounce is None


def known(**more: object) -> KnownReply:
    given = {
        "number": 9, "conversation": 7, "external_id": OURS, "handle": "mo@mail.example", "written_at": NOW,
        "state": "sent", "attempts": 1, "channel": "support-mail",
    }  # fmt: skip
    return KnownReply(**{**given, **more})


def failed(*whom: str, final: bool = True) -> Bounce:
    return Bounce(failures=tuple(Failure(recipient=one, final=final, status="5.1.1") for one in whom))


@pytest.mark.parametrize(
    ("bounce", "reply", "event", "state"),
    [
        (failed("mo@mail.example"), known(), "reply.bounced", "bounced"),
        (failed("other@relay.example"), known(), "reply.bounced", "bounced"),
        (failed(""), known(), "reply.bounced", "bounced"),
        (failed("cc@mail.example"), known(copies=("CC@mail.example",)), "reply.copy_bounced", ""),
        (failed("cc@mail.example", "mo@mail.example"), known(copies=("cc@mail.example",)), "reply.bounced", "bounced"),
        (failed("mo@mail.example", final=False), known(), "reply.delayed", ""),
        (failed("mo@mail.example"), known(state="unknown"), "reply.bounced", "bounced"),
        (failed("mo@mail.example"), known(state="read"), None, None),
        (failed("mo@mail.example"), known(state="bounced"), None, None),
    ],
)
def test_what_it_makes_of_the_reply(bounce: Bounce, reply: KnownReply, event: str | None, state: str | None) -> None:
    """Only the final failure of the main recipient takes the reply back, and only where it can still be taken back."""
    outcome = outcome_of(bounce, reply)
    assert (outcome.event, outcome.state) == (event, state) if outcome else event is None


def test_which_reply_it_is_about() -> None:
    """The one that it names; with a token alone the last that went to him; without a genuine token none."""
    past = Known()
    past.replies = {
        9: known(),
        11: known(number=11, external_id=f"{TOKEN}.11@support.example", written_at=NOW + timedelta(hours=1)),
        12: known(number=12, handle="wang@mail.example", written_at=NOW + timedelta(hours=2)),
    }  # fmt: skip
    claim = reply_address.verify(TOKEN, {1: KEY}, NOW)
    named = mail(*DAEMON, "Subject: failure notice", f"In-Reply-To: <{OURS}>", body="Sorry.")
    bare = mail(*DAEMON, "Subject: failure notice", body=f"Sorry. {TOKEN}")
    assert [reply.number for m in (named, bare) if (reply := reply_named(m, claim, past))] == [9, 11]
    assert reply_named(named, None, past) is None
