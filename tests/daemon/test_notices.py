"""Telling people and systems outside: signed webhooks, robots, mail, each to a real server on this machine."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import pytest

from adapters.kit import signature
from router.errors import BadSettings, SendError, SendRejected, SendUnreachable
from router.policy.load import from_text
from router.ports import Request
from router.store import Database
from workers.daemon.channels import Channels
from workers.daemon.notices import Notices

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ....").decode()
BODY = {
    "ref": "C-7", "conversation": 7, "queue": "payments", "issue_type": "transfer_failed", "kind": "breach",
    "metric": "first_reply", "due_at": "2026-03-02T02:02:00Z", "late": False,
}  # fmt: skip
OK = (200, {}, b'{"errcode":0,"errmsg":"ok"}')


@pytest.fixture
async def outside(
    receiver: Any, post_office: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Notices]]:
    """`outside(languages)`: what tells the outside, with a recipient of each way and one receiver of events."""
    for name, value in (("SECRET", SECRET), ("HOOK", f"{receiver.url}/hook"), ("ROBOT", f"{receiver.url}/robot?k=1")):
        monkeypatch.setenv(name, value)
    async with contextlib.AsyncExitStack() as opened:

        def build(languages: str = '["zh"]', mail: bool = True) -> Notices:
            by_mail = f"""
[channels.support-mail]
adapter = "email"
address = "support@support.example"
[channels.support-mail.smtp]
host = "127.0.0.1"
port = {post_office.port}
starttls = false
"""
            text = f"""
[desk]
name = "Desk"
timezone = "Asia/Shanghai"
languages = {languages}
[[queues]]
name = "payments"
[defaults]
queue = "payments"
[notify.hook]
webhook = "env:HOOK"
secret = "env:SECRET"
[notify.robot]
robot = "env:ROBOT"
[notify.lead]
mail = "lead@example.com"
[[events]]
url = "{receiver.url}/events"
secret = "env:SECRET"
{by_mail if mail else ""}
"""
            policy = from_text(text, folder=Path())
            database = Database("sqlite://")
            opened.callback(database.close)
            channels = Channels(policy, database)
            opened.push_async_callback(channels.close)
            notices = Notices(policy, channels)
            opened.push_async_callback(notices.close)
            return notices

        yield build


def genuine(asked: Any) -> bool:
    """Is it signed as the Standard Webhooks rules ask?"""
    request = Request(method="POST", url=asked.path, headers=asked.headers, query={}, body=asked.body)
    return signature.standard([SECRET], request, datetime.now(UTC)).genuine


async def test_an_event_is_a_signed_webhook(outside: Callable[..., Notices], receiver: Any) -> None:
    """The receiver can check that an event is ours, and by its id that it is the same one again."""
    await outside().event(f"{receiver.url}/events", "evt-1", {"seq": 4, "type": "conversation.opened"})
    (asked,) = receiver.asked
    assert genuine(asked)
    assert (asked.headers["webhook-id"], json.loads(asked.body)["seq"]) == ("evt-1", 4)
    forged = asked._replace(body=asked.body.replace(b"4", b"5"))
    assert not genuine(forged)


async def test_a_notice_by_webhook_is_signed(outside: Callable[..., Notices], receiver: Any) -> None:
    """A system of the desk's own gets the notice as data, signed."""
    await outside().notify("hook", "7:breach:hook", BODY)
    (asked,) = receiver.asked
    assert genuine(asked)
    assert asked.path == "/hook"
    assert json.loads(asked.body) == {"notice": BODY}


@pytest.mark.parametrize(
    ("languages", "kind", "words"),
    [
        ('["zh", "en"]', "breach", ["C-7 已超时", "队列:payments", "2026-03-02 10:02"]),
        ('["zh"]', "warning", ["C-7 即将到期"]),
        ('["en"]', "breach", ["C-7 is overdue", "queue: payments", "2026-03-02 10:02"]),
        ('["en"]', "warning", ["C-7 is due soon"]),
    ],
)
async def test_a_robot_is_told_in_the_desk_s_language_and_zone(
    outside: Callable[..., Notices], receiver: Any, languages: str, kind: str, words: list[str]
) -> None:
    """DingTalk and WeCom get one short text: which conversation, which queue, and when the answer was due."""
    receiver.answers = [OK]
    await outside(languages).notify("robot", "k", {**BODY, "kind": kind})
    told = json.loads(receiver.asked[0].body)
    assert told["msgtype"] == "text"
    for word in words:
        assert word in told["text"]["content"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((200, {}, b'{"errcode":45009,"errmsg":"api freq out of limit"}'), SendUnreachable),
        ((200, {}, b'{"errcode":130101,"errmsg":"send too fast"}'), SendUnreachable),
        ((200, {}, b'{"errcode":93000,"errmsg":"invalid webhook url"}'), BadSettings),
        ((200, {}, b'{"errcode":310000,"errmsg":"keywords not in content"}'), BadSettings),
        ((200, {}, b"<html>"), BadSettings),
        ((500, {}, b""), SendUnreachable),
    ],
)
async def test_a_robot_that_refuses_with_a_friendly_200_is_heard(
    outside: Callable[..., Notices], receiver: Any, answer: Any, error: type[SendError]
) -> None:
    """Robots say no with HTTP 200 and a number: such a notice does not count as sent."""
    receiver.answers = [answer]
    with pytest.raises(error):
        await outside().notify("robot", "k", BODY)


async def test_a_lead_gets_a_mail_that_no_machine_answers(
    outside: Callable[..., Notices], post_office: Any
) -> None:
    """The mail says in its subject what is overdue, is marked automatic, and has the same id at every attempt."""
    notices = outside()
    await notices.notify("lead", "7:breach:lead", BODY)
    await notices.notify("lead", "7:breach:lead", BODY)
    mail, again = post_office.next(), post_office.next()
    assert str(make_header(decode_header(mail["Subject"]))) == "[omnirouter] C-7 已超时"
    assert (mail["To"], mail["Auto-Submitted"], mail["In-Reply-To"]) == ("lead@example.com", "auto-replied", None)
    assert mail["Message-ID"] == again["Message-ID"]
    assert "2026-03-02 10:02" in mail.get_payload(decode=True).decode()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, {}, b""), SendUnreachable),
        ((302, {"location": "http://127.0.0.1:9/elsewhere"}, b""), SendUnreachable),
        ((410, {}, b""), SendRejected),
        ("hang up", SendUnreachable),
    ],
)
async def test_a_receiver_that_fails_is_tried_again_unless_it_is_gone(
    outside: Callable[..., Notices], receiver: Any, answer: Any, error: type[SendError]
) -> None:
    """A redirect is never followed with our signature; 410 means that nobody wants the events any more."""
    receiver.answers = [answer]
    with pytest.raises(error):
        await outside().event(f"{receiver.url}/events", "evt-1", {})
    assert len(receiver.asked) == 1


@pytest.mark.parametrize(
    ("name", "mail", "error", "sentence"),
    [
        ("nobody", True, SendRejected, "notify.nobody is not configured"),
        ("lead", False, SendRejected, "no e-mail channel"),
    ],
)
async def test_who_is_no_longer_there_is_not_told(
    outside: Callable[..., Notices], name: str, mail: bool, error: type[SendError], sentence: str
) -> None:
    """A recipient that left the configuration gets nothing, and one sentence says why."""
    with pytest.raises(error, match=sentence):
        await outside(mail=mail).notify(name, "k", BODY)


async def test_an_address_that_left_the_configuration_gets_nothing(
    outside: Callable[..., Notices], receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events for a former receiver are not sent any more; an address that is none is refused."""
    with pytest.raises(SendRejected, match="No receiver"):
        await outside().event(f"{receiver.url}/former", "evt-1", {})
    monkeypatch.setenv("HOOK", "no address")
    with pytest.raises((SendRejected, SendUnreachable)):
        await outside().notify("hook", "k", BODY)
    assert receiver.asked == []
