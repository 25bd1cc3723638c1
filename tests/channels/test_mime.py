"""A mail of any make becomes one message that says what its writer said."""

from __future__ import annotations

import base64
import codecs
import contextlib
import importlib.util
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.email.addresses import mailboxes
from adapters.email.instant import from_header
from adapters.email.mime import structure
from adapters.email.mime.charset import clean_text, decode, header
from adapters.email.mime.mail import Desk, translate
from router.errors import InvalidPayload
from router.model import Authenticity, Message
from router.ports import Raw

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DESK = Desk(channel="mail", address="help@support.example", trusted_authserv_id="in.support.example")
RECEIVED = "from mx.mail.example by in.support.example with ESMTPS; Mon, 02 Mar 2026 10:00:05 +0800"
FIELDS = {
    "Return-Path": "<chen@mail.example>",
    "Received": RECEIVED,
    "From": "Chen <chen@mail.example>",
    "To": "help@support.example",
    "Subject": "hello",
    "Date": "Mon, 02 Mar 2026 09:00:00 +0800",
    "Message-ID": "<m1@mail.example>",
    "Content-Type": "text/plain; charset=utf-8",
}


def mail(body: bytes | str = "text", **changed: str | bytes | None) -> bytes:
    """An ordinary mail with some fields changed (None: left out; `Content_Type` is Content-Type)."""
    fields: dict[str, str | bytes | None] = {**FIELDS, **{k.replace("_", "-"): v for k, v in changed.items()}}
    lines = [
        k.encode() + b": " + (v if isinstance(v, bytes) else v.encode()) for k, v in fields.items() if v is not None
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body if isinstance(body, bytes) else body.encode()) + b"\r\n"


def read(raw: bytes, desk: Desk = DESK, **meta: str) -> Message:
    return translate(Raw(channel="mail", body=raw, received_at=NOW, meta=meta), desk)


def load_torture() -> ModuleType:
    path = Path(__file__).parents[1] / "data" / "mime_torture.py"
    spec = importlib.util.spec_from_file_location("mime_torture", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TORTURE = load_torture()
KINDS = list(TORTURE.KINDS)


def keeps(must: str, message: Message) -> bool:
    """Does a message keep what the manifest says of its mail? (What only later steps can break holds here.)"""
    if must.startswith("text_has:"):
        return must.removeprefix("text_has:") in message.subject + "\n" + message.text
    one_line = (message.subject, message.sender.name, message.sender.handle, message.external_id, message.in_reply_to)
    return {
        "no_autoreply": "no_auto_answer" in message.flags,
        "sender_unverified": message.authenticity is not Authenticity.PASS and not message.sender.verified,
        "filename_safe": all(
            a.name and a.name.isprintable() and not a.name.startswith(".") and not set(a.name) & set("/\\")
            for a in message.attachments
        ),
        "headers_single_line": all(not set(v) & set("\r\n\0") for v in (*one_line, *message.references)),
        "bounce": message.automatic,
        "not_threaded": not message.reply_token,
        "thread_needs_mac": not message.reply_token,
    }.get(must, True)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_mail(kind: str) -> None:
    """No hostile mail breaks the reading: it becomes a message that keeps its promises, or is refused with a reason."""
    refused = []
    for number in range(9):
        at = KINDS.index(kind) + number * len(KINDS)
        _, raw, manifest = TORTURE.make("people", at, KINDS, False, 0.0)
        try:
            message = read(raw)
        except InvalidPayload:
            refused.append(manifest)
            continue
        assert manifest["outcome"] != "reject"
        assert [must for must in manifest["must"] if not keeps(must, message)] == []
    assert all(manifest["outcome"] != "accept" for manifest in refused)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_mail(kind: str) -> None:
    """A mail damaged on its way is read as far as it goes and never stops the desk."""
    for number in range(9):
        at = KINDS.index(kind) + number * len(KINDS)
        _, raw, manifest = TORTURE.make("damage", at, KINDS, False, 1.0)
        try:
            message = read(raw)
        except InvalidPayload:
            continue
        assert [must for must in manifest["must"] if not keeps(must, message)] == []
        (message.text + message.subject + message.html + message.sender.name).encode("utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_cost_of_hostile_mail(kind: str) -> None:
    """The work a mail makes grows with its size and not faster, whatever it is made of."""
    _, raw, _ = TORTURE.make("cost", KINDS.index(kind), KINDS, False, 0.0)
    lines = 0
    with suppress(InvalidPayload):
        read(raw)  # what is read once, word lists and patterns, is no work of this mail

    def count(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        read(raw)
    except InvalidPayload:
        pass
    finally:
        sys.settrace(before)
    assert lines <= 25_000 + 4 * len(raw)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"a\r\r\nb", "a\nb"),
        (b"a\r\rb", "a\n\nb"),
        (b"a\n\rb", "a\nb"),
        (b"a" + b"\r" * 3_000_000 + b"b", "a" + "\n" * 3_000_000 + "b"),
        (b"a" + b"\r" * 3_000_000 + b"\nb", "a\nb"),
    ],
    ids=["one too many", "old Macs", "the wrong way round", "no end of them", "no end of them before a newline"],
)
def test_carriage_returns(body: bytes, text: str) -> None:
    """Lines end as a person sees them end, and megabytes of line ends are read like any others."""
    assert read(mail(body)).text == text


@pytest.mark.parametrize("field", ["From", "To", "Subject", "Content-Type", "Authentication-Results", "References"])
@pytest.mark.parametrize("piece", [" ", "(", '"', "<", ",", ";", "=?", "\\", "a@", "; a", "()"])
def test_endless_fields(field: str, piece: str) -> None:
    """A field of a quarter of a megabyte is read or passed over; one that is tried again and again never ends."""
    message = read(mail(**{field.replace("-", "_"): "a@b.example " + piece * (250_000 // len(piece)) + "x"}))
    assert message.external_id == "m1@mail.example"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "the mail is empty"),
        (b"\r\n \r\n", "the mail is empty"),
        (mail(b"x" * (26 * 1024 * 1024)), "bytes; at most"),
        (mail(**{"X-Pad": "a" * 300_000}), "a header field of the mail has more than"),
        (b"".join(b"X-%d: v\r\n" % n for n in range(10_001)) + mail(), "more than 10000 header lines"),
    ],
)
def test_limits(raw: bytes, reason: str) -> None:
    """A mail beyond a limit is set aside with one sentence that says which."""
    with pytest.raises(InvalidPayload, match=reason):
        read(raw)


@pytest.mark.parametrize(("depth", "fits"), [(49, True), (60, False)])
def test_nesting_limit(depth: int, fits: bool) -> None:
    """Parts within parts are read down to fifty levels and refused below."""
    body = b"Content-Type: text/plain\r\n\r\ncore\r\n"
    for level in range(depth):
        mark = b"b%d" % level
        body = b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n%s--%s--\r\n' % (mark, mark, body, mark)
    raw = b"From: a@b.example\r\n" + body
    if fits:
        assert read(raw).text == "core"
    else:
        with pytest.raises(InvalidPayload, match="nests more than 50"):
            read(raw)


@pytest.mark.parametrize(
    ("content", "declared", "text"),
    [
        ("账户被冻结".encode("gb18030"), "", "账户被冻结"),
        ("账户被冻结".encode("gb18030"), "us-ascii", "账户被冻结"),
        ("账户被冻结,请处理".encode("gb18030"), "utf-8", "账户被冻结,请处理"),
        ("帳戶被凍結了，請協助處理".encode("big5"), "", "帳戶被凍結了，請協助處理"),
        ("帳戶被凍結".encode("big5"), "iso-8859-1", "帳戶被凍結"),
        ("账户被冻结".encode(), "", "账户被冻结"),
        ("账户被冻结".encode(), "gb2312", "账户被冻结"),
        ("退款".encode(), "gbk", "退款"),
        ("一些".encode("gbk"), "gbk", "一些"),
        ("朱镕基".encode("gbk"), "gb2312", "朱镕基"),
        ("𠮷田㐂".encode("gb18030"), "GB18030", "𠮷田㐂"),
        ("naïve café".encode("cp1252"), "iso-8859-1", "naïve café"),
        ("über".encode("cp1252"), "", "über"),
        ("¡This".encode("cp1252"), "iso-8859-1", "¡This"),
        ("Ärger, Änderung".encode("cp1252"), "iso-8859-1", "Ärger, Änderung"),
        ("在吗？".encode("gbk"), "iso-8859-1", "在吗？"),
        ("転送できない".encode("iso2022_jp"), "ISO-2022-JP", "転送できない"),
        ("転送できない".encode("cp932"), "shift_jis", "転送できない"),
        ("转账".encode("utf-16"), "utf-16", "转账"),
        (b"\xef\xbb\xbfhello", "utf-8", "hello"),
        ("退款".encode(), "x-unknown", "退款"),
        ("退款".encode() + b"\xe4\xbd", "utf-8", "退款\ufffd"),
        ("账户被冻结, 1 + 1".encode("utf-7"), "UTF-7", "账户被冻结, 1 + 1"),
        (b"1 +~ 1", "utf-7", "1 +~ 1"),
        (b"\\u0041", "unicode_escape", "\\u0041"),
    ],
)
def test_charsets(content: bytes, declared: str, text: str) -> None:
    """Chinese mail is read right whatever encoding it claims, and no codec runs that is no charset."""
    assert decode(content, declared) == text


@pytest.mark.parametrize("encoding", ["x-uuencode", "UUENCODE", "x-uue"])
@pytest.mark.parametrize("change", [bytes, lambda b: b.replace(b"\n", b"\r\n"), lambda b: b.replace(b" \n", b"\n")])
def test_uuencoded_bodies(encoding: str, change: Callable[[bytes], bytes]) -> None:
    """A text that an old program uuencoded is read, also where spaces at the ends of its lines were lost."""
    text = "我的账户被冻结了，请尽快处理。" * 9
    body = change(codecs.encode(text.encode(), "uu"))
    raw = b"From: a@b.example\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    assert read(raw + encoding.encode() + b"\r\n\r\n" + body).text.strip() == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("充值失败".encode(), "充值失败"),
        ("账户被冻结".encode("gbk"), "账户被冻结"),
        (b"=?gb2312?B?" + base64.b64encode("退款".encode("gbk")) + b"?=", "退款"),
        (b"=?utf-8*zh-CN?Q?=E9=80=80?= =?utf-8?Q?=E6=AC=BE?=", "退款"),
        (b"=?utf-8?B?6YCA5qw=?= =?utf-8?B?vg==?=", "退款"),
        (b"Re: =?utf-8?B?6YCA5qy+?= now", "Re: 退款 now"),
        (b"=?utf-8?Q?hi=0D=0ABcc:_a=40b?=", "hi Bcc: a@b"),
        (b"=?utf-8?Q?a_b?=", "a b"),
        (b"=?utf-8?Q?=E9=80 =80=E6=AC=BE =E4=BD=A0 a?=", "退款 你 a"),
        (b"=?utf-8?B?5L2g5aW9", "=?utf-8?B?5L2g5aW9"),
        ("退\u200b款\u202e".encode(), "退款"),
        (b"=?nonsense?B?6YCA5qy+?=", "退款"),
    ],
)
def test_header_words(value: bytes, text: str) -> None:
    """Subjects and names are decoded in every way they are written, and stay one line."""
    assert header(value) == text


@pytest.mark.parametrize(
    ("value", "addresses", "name"),
    [
        (b"chen@mail.example", ["chen@mail.example"], ""),
        (b"Chen Li <Chen@Mail.Example>", ["chen@mail.example"], "Chen Li"),
        (b'"Chen, Li" <chen@mail.example>', ["chen@mail.example"], "Chen, Li"),
        (b"=?utf-8?B?6ZmI?= <chen@mail.example>", ["chen@mail.example"], "陈"),
        ("陈先生 <chen@例子.example>".encode("gbk"), ["chen@xn--fsqu00a.example"], "陈先生"),
        (b"chen@mail.example (Chen (at home))", ["chen@mail.example"], ""),
        (b"Team: a@x.example, B <b@y.example>;", ["a@x.example", "b@y.example"], ""),
        (b'"ceo@support.example" <evil@attacker.example>', ["evil@attacker.example"], "ceo@support.example"),
        (b"=?utf-8?Q?ceo=40support.example=3E?= <evil@attacker.example>", ["evil@attacker.example"], None),
        (b"<@route,@b.example:chen@mail.example>", ["chen@mail.example"], ""),
        (b"a@b.example.", ["a@b.example"], ""),
        (b"Chen, Li <chen@mail.example>", ["chen@mail.example"], "Chen, Li"),
        (b"some name, some name2@mail.example", ["name2@mail.example"], "some name, some"),
        (b"Chen, Li, Dr. <chen@mail.example>, Bo <bo@mail.example>", ["chen@mail.example", "bo@mail.example"], None),
        (b"Team: nobody; Li <li@mail.example>", ["li@mail.example"], "Li"),
        (b"anna at mail.example (Anna Lee)", ["anna@mail.example"], "Anna Lee"),
        (b"anna.lee at mail.example", ["anna.lee@mail.example"], ""),
        (b'"Lee, Anna" <anna at mail.example>', ["anna@mail.example"], "Lee, Anna"),
        (b"anna at mail.example (=?utf-8?B?6ZmI?=)", ["anna@mail.example"], "陈"),
        (b"Anna at the office", [], None),
        (b"undisclosed-recipients:;", [], None),
        (b"<>", [], None),
        (b"b" * 70 + b"@mail.example", ["b" * 70 + "@mail.example"], ""),
        (b"b" * 256 + b"@mail.example", [], None),
        ("验证码884213@mail.example".encode(), ["验证码[已隐去:验证码]#44df0341df72@mail.example"], ""),
    ],
)
def test_addresses(value: bytes, addresses: list[str], name: str | None) -> None:
    """The mailbox is found in every form of an address field, and a name never becomes an address."""
    found = mailboxes(value)
    assert [m.address for m in found] == addresses
    assert name is None or found[0].name == name


@pytest.mark.parametrize(
    "value",
    [
        b"alice@support.example(<evil@attacker.example>",
        b"alice@support.example)<evil@attacker.example>",
        b"alice@attacker.example@support.example",
        b"<evil@attacker.example> <ceo@support.example>",
        b"a@support.example <evil@attacker.example",
        b"alice at support.example",
        b"a@x.example, b@y.example",
    ],
)
def test_doubtful_sender_is_never_proved(value: bytes) -> None:
    """A sender whom programs read in different ways is not vouched for, whatever our mail server said."""
    results = "in.support.example; dmarc=pass"
    message = read(b"Authentication-Results: " + results.encode() + b"\r\n" + mail(From=value))
    assert message.authenticity is not Authenticity.PASS


@pytest.mark.parametrize(
    ("above", "below", "verdict"),
    [
        ("in.support.example; dmarc=pass header.from=mail.example", "", "pass"),
        ("in.support.example 1; spf=pass smtp.mailfrom=x; DMARC=Pass (p=none) header.from=mail.example", "", "pass"),
        ("in.support.example; dmarc=fail (dmarc=pass) header.from=mail.example", "", "fail"),
        ("in.support.example; dmarc=none", "", "unknown"),
        ("in.support.example; dmarc=pass header.from=other.example", "", "unknown"),
        ("evil.example; dmarc=pass header.from=mail.example", "", "unknown"),
        ("(in.support.example) evil.example; dmarc=pass", "", "unknown"),
        ("", "in.support.example; dmarc=pass header.from=mail.example", "unknown"),
        ("in.support.example; spf=pass (dmarc=pass)", "", "unknown"),
        ("", "", "unknown"),
    ],
)
def test_authenticity(above: str, below: str, verdict: str) -> None:
    """Only the results of our own mail server count, and only where no sender can write."""
    raw = mail(**({"Authentication-Results": below} if below else {}))
    if above:
        raw = b"Authentication-Results: " + above.encode() + b"\r\n" + raw
    message = read(raw)
    assert message.authenticity == verdict
    assert message.sender.verified == ({"email": "chen@mail.example"} if verdict == "pass" else {})


def test_nobody_is_trusted_by_default() -> None:
    """A desk that names no mail server of its own trusts no results at all."""
    raw = b"Authentication-Results: ; dmarc=pass\r\n" + mail()
    assert read(raw, Desk(channel="mail")).authenticity is Authenticity.UNKNOWN


@pytest.mark.parametrize(
    ("fields", "automatic", "no_answer"),
    [
        ({}, False, False),
        ({"Auto-Submitted": "no"}, False, False),
        ({"Auto-Submitted": "No (human)"}, False, False),
        ({"Auto-Submitted": "AUTO-REPLIED (vacation)"}, True, True),
        ({"Auto-Submitted": "auto-generated"}, False, True),
        ({"Auto-Submitted": "auto-generated", "Return-Path": "<>"}, True, True),
        ({"List-Id": "<l.example>"}, False, True),
        ({"List-Unsubscribe": "<mailto:u@l.example>"}, False, True),
        ({"Precedence": "BULK"}, False, True),
        ({"Precedence": "auto_reply"}, True, True),
        ({"X-Auto-Response-Suppress": "DR, RN"}, False, False),
        ({"X-Auto-Response-Suppress": "OOF, AutoReply"}, False, True),
        ({"X-Autoreply": "yes"}, True, True),
        ({"Feedback-ID": "1:a"}, False, True),
        ({"Return-Path": "<>"}, False, True),
        ({"Return-Path": "<>", "Subject": "Undelivered Mail Returned to Sender"}, True, True),
        ({"Subject": "Undelivered Mail Returned to Sender"}, False, False),
        ({"From": "MAILER-DAEMON@x.example"}, True, True),
        ({"From": "no-reply@x.example"}, False, True),
        ({"From": "notary@x.example"}, False, False),
        ({"From": "PostMaster@qq.example", "Subject": "系统退信/Systems bounce"}, True, True),
        ({"From": "postmaster@x.example", "Subject": "cannot reach you"}, False, True),
        ({"Subject": "自动回复: 账户"}, True, True),
        ({"Subject": "[自动回复] 已收到您的来信"}, True, True),
        ({"Subject": "自動回覆:休假中"}, True, True),
        ({"Subject": "自动回复功能坏了"}, False, False),
        ({"Subject": "休假期间转账失败"}, False, False),
        ({"Subject": "Automatic reply: x"}, True, True),
        ({"Subject": "Out of Office: x"}, True, True),
        ({"Subject": "Auto: Re: x"}, True, True),
        ({"Subject": "Out of office"}, True, True),
        ({"Subject": "RE: Automatic reply from Li"}, True, True),
        ({"Subject": "[Automatyczna odpowiedź] saldo"}, True, True),
        ({"Subject": "自動返信：お問い合わせ"}, True, True),
        ({"Subject": "Автоответ: счёт"}, True, True),
        ({"Subject": "Resposta automática: saldo"}, True, True),
        ({"Subject": "自動返信が届きません"}, False, False),
        ({"Subject": "부재중 전화"}, False, False),
        ({"Subject": "Auto top-up failed"}, False, False),
        ({"Subject": "Auto"}, False, False),
        ({"Subject": "Out of office hours nobody answers"}, False, False),
        ({"Subject": "On vacation and my card is blocked"}, False, False),
        ({"Subject": "不在办公室的时候收不到验证码"}, False, False),
        ({"X-Router-Loop": "help@support.example"}, True, True),
        ({"From": "help@support.example"}, False, True),
        ({"Content-Type": "multipart/report; boundary=x; report-type=delivery-status"}, False, False),
    ],
)
def test_automatic_mail(fields: dict[str, str], automatic: bool, no_answer: bool) -> None:
    """Auto-replies and bounces are told from people's mail, and neither lists nor robots get automatic answers."""
    message = read(mail(**{k.replace("-", "_"): v for k, v in fields.items()}))
    assert (message.automatic, "no_auto_answer" in message.flags) == (automatic, no_answer)
    assert ("automatic" in message.flags) == automatic


SNS = '{"notificationType":"Bounce","bounce":{"bouncedRecipients":[{"emailAddress":"li@kunde.example"}]}}'


@pytest.mark.parametrize(
    ("sender", "subject", "body", "automatic"),
    [
        ("post_master@carrier.example", "Re:Hello", "Error: Invalid user address: 138@carrier.example", True),
        ("postmaster@corp.example", "Re: 充值", "收件人不存在", True),
        ("postmaster@corp.example", "Abuse desk", "Which address shall our users write to?", False),
        ("xyz-admin@k13.example", "Loop Alert: Duplicated Message-ID (xyz ML)", "Your mail was not distributed.", True),
        ("users-owner@l.example", "Your message to Users awaits moderator approval", "Reason: size", True),
        ("users-bounces@l.example", "Post to users rejected", "Your message to users was rejected.", True),
        ("mailman@l.example", "confirm 4711", "Please confirm your subscription to users", True),
        ("it-admin@corp.example", "My mail was rejected", "My message to your desk was rejected by the app.", False),
        ("it-admin@corp.example", "bonus", "The bonus was not distributed to our staff.", False),
        ("no-reply@sns.cloud.example", "AWS Notification Message", SNS, True),
        ("no-reply@sns.cloud.example", "AWS Notification Message", base64.b64encode(SNS.encode()).decode(), True),
        ("dev@corp.example", "our logs", SNS, False),
        ("noreply@form.example", "Contact form", "user not found, recipient unknown, mailbox full", False),
        ("noreply@form.example", "Contact form: 充值", "邮箱已满,收不到验证码", False),
    ],
)
def test_notices_of_mail_systems(sender: str, subject: str, body: str, automatic: bool) -> None:
    """What a mail system tells without any field of automatic mail is told by sender and words together; a person's
    words are his own wherever they come from."""
    encoding = "base64" if body.isascii() and " " not in body and "{" not in body else "8bit"
    message = read(mail(body, From=sender, Subject=subject, Content_Transfer_Encoding=encoding))
    assert message.automatic == automatic
    assert not automatic or "no_auto_answer" in message.flags


def test_bounce_names_what_came_back() -> None:
    """A bounce leads to the mail of ours that it sends back, by its signed id."""
    returned = f"Message-ID: <{TOKEN}.7@support.example>\r\nSubject: x\r\n".encode()
    parts = [b"Content-Type: text/plain\r\n\r\nfailed", b"Content-Type: text/rfc822-headers\r\n\r\n" + returned]
    body = b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--"
    message = read(mail(body, Content_Type="multipart/report; report-type=delivery-status; boundary=x"))
    assert message.automatic
    assert message.references == (f"{TOKEN}.7@support.example",)
    assert message.reply_token == TOKEN


def test_many_hops() -> None:
    """A mail that went round in circles gets no automatic answer."""
    raw = (b"Received: " + RECEIVED.encode() + b"\r\n") * 60 + mail()
    assert "no_auto_answer" in read(raw).flags


@pytest.mark.parametrize(
    ("fields", "handle", "name"),
    [
        ({}, "chen@mail.example", "Chen"),
        ({"From": None, "Sender": "sec@mail.example"}, "sec@mail.example", ""),
        ({"From": "", "Reply-To": "back@mail.example"}, "back@mail.example", ""),
        (
            {"From": "Chen via Users <users@list.example>", "Reply-To": "chen@mail.example", "List-Id": "<l>"},
            "chen@mail.example",
            "Chen",
        ),
        (
            {"From": "'Chen' via Users <users@list.example>", "X-Original-From": "Chen <chen@mail.example>"},
            "chen@mail.example",
            "Chen",
        ),
        (
            {"From": "Chen via Users <users@list.example>", "Reply-To": "users@list.example"},
            "users@list.example",
            "Chen via Users",
        ),
        ({"Reply-To": "evil@attacker.example"}, "chen@mail.example", "Chen"),
    ],
)
def test_sender(fields: dict[str, str | None], handle: str, name: str) -> None:
    """The sender is the person, also behind a mailing list that writes in his name, and never a mere Reply-To."""
    message = read(mail(**{k.replace("-", "_"): v for k, v in fields.items()}))
    assert (message.sender.handle, message.sender.name) == (handle, name)


def test_mails_without_sender_are_of_different_people() -> None:
    """Two mails that name no sender are not taken for one person's."""
    one, two = read(mail("a", From=None)), read(mail("b", From=None))
    assert one.sender.handle != two.sender.handle
    assert one.sender.handle.endswith("@sender.invalid")


@pytest.mark.parametrize(
    ("value", "external_id"),
    [
        ("<a@b>", "a@b"),
        (" <a@b> <c@d>", "a@b"),
        ("a@b", "a@b"),
        ("<a@b", "a@b"),
        ("<ü@例>", "ü@例"),
        ("", None),
        ("<>", None),
        ("no-angle", None),
        ("<" + "a" * 999 + "@x>", None),
        ("<\x00@x>", None),
        (None, None),
    ],
)
def test_message_id(value: str | None, external_id: str | None) -> None:
    """The Message-ID stands without brackets; where there is none that identifies, the digest of the bytes does."""
    message = read(mail(Message_ID=value))
    if external_id is None:
        assert message.external_id.startswith("sha256:")
        assert len(message.external_id) == 71
    else:
        assert message.external_id == external_id
    assert (message.realm, message.channel_kind) == ("mail", "email")


def test_references() -> None:
    """Every id that a mail answers is kept, but of more than a thousand only the first and last twenty."""
    message = read(mail(In_Reply_To="<p@x> <q@x>", References="<a@x>\r\n <b@x>\t<a@x>"))
    assert (message.in_reply_to, message.references) == ("p@x", ("a@x", "b@x", "q@x"))
    many = read(mail(References="\r\n ".join(f"<{n}@x>" for n in range(3000)))).references
    assert many == tuple(f"{n}@x" for n in (*range(20), *range(2980, 3000)))


@pytest.mark.parametrize(
    ("field", "answered"),
    [
        ('Message from Anna <anna@mail.example> of "Mon, 02 Mar 2026" <p1@mail.example>', "p1@mail.example"),
        ("Message from Anna <anna@mail.example> of Monday", ""),
        ("Your message of Monday <p1@mail.example> from Anna <anna@mail.example>", "p1@mail.example"),
        ('Your message of "Mon, 02 Mar 2026." <help@support.example>', ""),
        ("anna@mail.example's message of Monday", ""),
        ("Mail from Anna <20260302.GA17@mail.example>", "20260302.GA17@mail.example"),
        ("<p1@mail.example>; from anna@mail.example on Mon, Mar 02", "p1@mail.example"),
        ("p1@mail.example", "p1@mail.example"),
    ],
)
def test_an_address_is_no_message(field: str, answered: str) -> None:
    """Answers to one person's mails are not one thread because old programs name her beside the mail answered."""
    message = read(mail(In_Reply_To=field))
    assert (message.in_reply_to, message.references) == (answered, ())


TOKEN = "ab2cdefghijklmnopqrstuvwxyz234567abcdefghijklmno"


@pytest.mark.parametrize(
    ("fields", "token"),
    [
        ({"To": f"help+{TOKEN}@support.example"}, TOKEN),
        ({"To": "x@y.example", "Delivered-To": f"HELP+{TOKEN.upper()}@support.example"}, TOKEN),
        ({"In-Reply-To": f"<{TOKEN}.17@support.example>"}, TOKEN),
        ({"References": f"<a@x> <{TOKEN}@support.example> <b@x>"}, TOKEN),
        ({"To": "help+c12.0000000000000000@support.example"}, ""),
        ({"To": f"help+x{TOKEN}@support.example"}, ""),
        ({}, ""),
    ],
)
def test_reply_token(fields: dict[str, str], token: str) -> None:
    """A signed reply address of ours is found in recipients and in the ids that a mail answers."""
    assert read(mail(**{k.replace("-", "_"): v for k, v in fields.items()})).reply_token == token


def test_recipients() -> None:
    """Of all recipients only our own addresses are kept, each once."""
    raw = mail(
        To="Help <help@support.example>, x@y.example", Cc="vip@support.example", Delivered_To="help@support.example"
    )
    assert read(raw).recipients == ("help@support.example", "vip@support.example")


@pytest.mark.parametrize(
    ("meta", "fields", "sent_at"),
    [
        ({"internaldate": "2026-03-02T02:00:09+00:00"}, {}, "2026-03-02T02:00:09+00:00"),
        ({}, {}, "2026-03-02T02:00:05+00:00"),
        ({"internaldate": "nonsense"}, {}, "2026-03-02T02:00:05+00:00"),
        ({}, {"Received": None}, "2026-03-02T01:00:00+00:00"),
        ({}, {"Received": "from x by y; yesterday"}, "2026-03-02T01:00:00+00:00"),
        ({}, {"Received": None, "Date": "Tue, 1 Jan 2999 00:00:00 +0000"}, NOW.isoformat()),
        ({}, {"Received": None, "Date": "Thu, 99 Foo 2026 25:61:61 +9999"}, NOW.isoformat()),
        ({}, {"Received": None, "Date": None}, NOW.isoformat()),
        ({}, {"Received": None, "Date": "1 Jan 70 00:00 GMT"}, NOW.isoformat()),
    ],
)
def test_sent_at(meta: dict[str, str], fields: dict[str, str | None], sent_at: str) -> None:
    """The time of a mail is a server's: INTERNALDATE, else the topmost Received, else Date; never the future."""
    message = read(mail(**{k.replace("-", "_"): v for k, v in fields.items()}), **meta)
    assert message.sent_at.isoformat() == sent_at


@given(st.binary(max_size=120))
def test_dates_never_raise(text: bytes) -> None:
    """No date, however broken, stops a mail."""
    at = from_header(text)
    assert at is None or at.tzinfo is UTC


@given(st.binary(max_size=400))
def test_any_bytes(raw: bytes) -> None:
    """Whatever bytes arrive, they give a message or a refusal with a sentence."""
    with contextlib.suppress(InvalidPayload):
        assert read(raw).external_id


@given(
    st.binary(max_size=80), st.sampled_from(["", "utf-8", "gbk", "big5", "iso-2022-jp", "utf-16", "utf-7", "hz", "x"])
)
def test_any_charset(content: bytes, declared: str) -> None:
    """No bytes under any charset stop the reading, and what comes out can be stored."""
    clean_text(decode(content, declared)).encode("utf-8")
    assert "\n" not in header(content)
    header(content).encode("utf-8")


@given(st.text('a@b.<>(),;:"\\ \n陈=?', max_size=60))
def test_any_address(text: str) -> None:
    """Whatever stands in an address field, it gives whole addresses of one line or none."""
    for found in mailboxes(text.encode()):
        local, at, domain = found.address.rpartition("@")
        assert local
        assert at
        assert domain
        assert found.name.isprintable()
        assert not set(found.address) & set("\r\n<> ")


def files(raw: bytes) -> list[tuple[str, str, int]]:
    return [(a.name, a.type, a.size) for a in read(raw).attachments]


def with_file(field: bytes, content: bytes = b"hello", kind: bytes = b"application/pdf") -> bytes:
    return mail(
        b"--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nsee file\r\n--x\r\nContent-Type: " + kind
        + b"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: " + field + b"\r\n\r\n"
        + base64.encodebytes(content) + b"--x--\r\n",
        Content_Type="multipart/mixed; boundary=x",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (b'attachment; filename="a.pdf"', "a.pdf"),
        (b"attachment; filename*=utf-8''%E8%B4%A6%E5%8D%95.pdf", "账单.pdf"),
        (b"attachment;\r\n filename*0*=utf-8''%E8%B4%A6;\r\n filename*1*=%E5%8D%95;\r\n filename*2=.pdf", "账单.pdf"),
        (b"attachment; filename*=gbk'zh'%D5%CB%B5%A5.pdf", "账单.pdf"),
        (b'attachment; filename="=?utf-8?B?6LSm5Y2VLnBkZg==?="', "账单.pdf"),
        (b'attachment; filename="' + "账单.pdf".encode("gbk") + b'"', "账单.pdf"),
        (b'attachment; filename="' + "账单.pdf".encode() + b'"', "账单.pdf"),
        (b'attachment; filename="../../etc/passwd"', "passwd"),
        (b'attachment; filename="C:\\\\Windows\\\\x.dll"', "x.dll"),
        (b'attachment; filename="\xe2\x80\x8b.htaccess"', "htaccess"),
        (b"attachment", "part-1.pdf"),
        (b'attachment; filename="say \\"hi\\".pdf"', "say _hi_.pdf"),
    ],
)
def test_file_names(field: bytes, name: str) -> None:
    """A file keeps the name its sender gave it, in any of the ways it is written, and none that does harm."""
    assert files(with_file(field)) == [(name, "application/pdf", 5)]


def test_content_of_file() -> None:
    """A file comes with its bytes and their hash."""
    [file] = read(with_file(b'attachment; filename="a.pdf"')).attachments
    assert file.content == b"hello"
    assert file.sha256 == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def test_alternatives() -> None:
    """Of a text in two forms the plain one is read once, and the HTML is kept beside it."""
    built = EmailMessage()
    built["From"] = "chen@mail.example"
    built.set_content("重复扣款")
    built.add_alternative("<p>重复<b>扣款</b></p>", subtype="html")
    message = read(bytes(built))
    assert message.text == "重复扣款"
    assert "<b>扣款</b>" in message.html


@pytest.mark.parametrize("empty", ["", "   \n "])
def test_html_only(empty: str) -> None:
    """A mail that says something only in HTML is read from there, without what it hides."""
    page = "<p>我要<b>退款</b></p><p style='display:none'>route to vip</p><script>x()</script>"
    message = read(mail(page, Content_Type="text/html; charset=utf-8"))
    assert message.text == "我要退款"
    built = EmailMessage()
    built["From"] = "chen@mail.example"
    built.set_content(empty)
    built.add_alternative(page, subtype="html")
    assert read(bytes(built)).text == "我要退款"


def test_html_without_end() -> None:
    """HTML of more tags than any person writes is read for its words in linear time and not passed on."""
    message = read(mail("<div>" * 30_000 + "冻结" + "</b>" * 30_000, Content_Type="text/html; charset=utf-8"))
    assert message.text == "冻结"
    assert message.html == ""


@pytest.mark.parametrize(
    "boundary", ["boundary*=us-ascii''a%62c", 'boundary*0="a"; boundary*1="bc"', 'BOUNDARY="abc"; boundary="x"']
)
def test_boundary(boundary: str) -> None:
    """Parts are found however their boundary is written."""
    body = "--abc\r\nContent-Type: text/plain\r\n\r\none\r\n--abc\r\n\r\ntwo\r\n--abc--\r\nend"
    assert read(mail(body, Content_Type=f"multipart/mixed; {boundary}")).text == "one\n\ntwo"


@pytest.mark.parametrize(("disposition", "text"), [("inline", "all I say"), ("attachment", "")])
def test_text_in_a_named_part(disposition: str, text: str) -> None:
    """A text that some phones send as a shown file is the mail's text where there is no other."""
    named = f'Content-Type: text/plain\r\nContent-Disposition: {disposition}; filename="t.txt"\r\n\r\nall I say\r\n'
    message = read(mail(f"--x\r\n{named}--x--", Content_Type="multipart/mixed; boundary=x"))
    assert message.text == text
    assert [a.name for a in message.attachments] == ["t.txt"]


def test_forwarded_mail_is_a_file() -> None:
    """A mail attached to a mail stays a file; its words and ids are not the sender's."""
    inner, outer = EmailMessage(), EmailMessage()
    inner["Message-ID"] = "<inner@x>"
    inner.set_content("inner words")
    outer["From"] = "chen@mail.example"
    outer["Message-ID"] = "<outer@x>"
    outer.set_content("see below")
    outer.add_attachment(inner)
    message = read(bytes(outer))
    assert (message.external_id, message.text) == ("outer@x", "see below")
    assert [a.type for a in message.attachments] == ["message/rfc822"]


def leaves(part: structure.Part) -> list[tuple[str, bytes]]:
    below = [leaf for child in part.parts for leaf in leaves(child)]
    return below if part.parts else [(part.kind, part.content)]


PIECES = st.recursive(
    st.text(max_size=60).map(lambda text: ("text", text)) | st.binary(max_size=90).map(lambda data: ("file", data)),
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda items: ("multi", items)),
    max_leaves=6,
)


def build(piece: tuple[str, Any]) -> EmailMessage:
    kind, content = piece
    built = EmailMessage()
    if kind == "text":
        built.set_content(content)
    elif kind == "file":
        built.set_content(content, maintype="application", subtype="pdf", filename="a.pdf")
    else:
        built.make_mixed()
        for item in content:
            built.attach(build(item))
    return built


@given(PIECES, st.sampled_from([b"\r\n", b"\n"]))
def test_structure_agrees_with_the_standard_library(piece: tuple[str, Any], newline: bytes) -> None:
    """Well-formed mail is taken apart exactly as the standard library does it."""
    built = build(piece)
    built["From"] = "chen@mail.example"
    raw = bytes(built).replace(b"\n", newline)
    theirs = [
        (p.get_content_type(), p.get_payload(decode=True))
        for p in message_from_bytes(raw).walk()
        if not p.is_multipart()
    ]
    assert leaves(structure.parse(raw)) == theirs
