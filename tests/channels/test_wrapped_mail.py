"""What a mail wraps is read: signed messages, TNEF, invitations, base64 in pieces, torn headers, texts beside pages."""

from __future__ import annotations

import base64
import codecs
import struct
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from adapters.email.mime import calendar, smime, transfer, wrapped_text
from adapters.email.mime import rtf as mime_rtf
from adapters.email.mime import tnef as mime_tnef
from adapters.email.mime.alternatives import to_read
from adapters.email.mime.mail import Desk, translate
from adapters.email.mime.structure import head, parse
from router.model import Authenticity, Message
from router.ports import Raw

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DESK = Desk(channel="mail", address="help@support.example", trusted_authserv_id="in.support.example")
WORDS = "我的账户被盗,请立即冻结,账户 W2388693"


def read(raw: bytes) -> Message:
    return translate(Raw(channel="mail", body=raw, received_at=NOW), DESK)


def mail(content: bytes, kind: str, *, encoding: str = "8bit", more: str = "") -> bytes:
    """A mail with this body."""
    head = f"From: li@kunde.example\r\nMessage-ID: <m@kunde.example>\r\n{more}Content-Type: {kind}\r\n"
    return f"{head}Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + content


def encoded(content: bytes, kind: str, more: str = "") -> bytes:
    return mail(base64.encodebytes(content), kind, encoding="base64", more=more)


def names(message: Message) -> list[str]:
    return [file.name for file in message.attachments]


def steps(action: Callable[[], object]) -> int:
    """How many functions, Python's and C's, run during an action: a count, not a clock."""
    count = 0

    def seen(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


# ── base64 ──

TEXT = "您好，转账一直没有到账，订单号 TX90。" * 12


def pieces(text: bytes, size: int) -> bytes:
    return b"".join(base64.b64encode(text[at : at + size]) for at in range(0, len(text), size))


FOOTER = "_______________________________________________\nusers mailing list\nusers@lists.example\nhttps://l.example/a"


@pytest.mark.parametrize(
    ("body", "behind"),
    [
        (base64.encodebytes(TEXT.encode()), ""),
        (base64.b64encode(TEXT.encode()), ""),
        (pieces(TEXT.encode(), 100), ""),
        (pieces(TEXT.encode(), 1), ""),
        (b"\r\n".join([base64.b64encode(TEXT.encode()[:100]), base64.b64encode(TEXT.encode()[100:])]), ""),
        (base64.b64encode(TEXT.encode()).rstrip(b"="), ""),
        (base64.encodebytes(TEXT.encode()).replace(b"\n", b" \r\n\t"), ""),
        (base64.encodebytes(TEXT.encode()).replace(b"\n", b"\n\n"), ""),
        (base64.encodebytes(TEXT.encode()).replace(b"\n", b"\nThis line is junk!\n", 2), ""),
        (base64.encodebytes(TEXT.encode()).replace(b"\n", b"\nwords of somebody else\n", 2), ""),
        (base64.encodebytes(TEXT.encode()).replace(b"\n", b"\n> 8 bit \xff\xfe junk\n", 1), ""),
        (base64.encodebytes(TEXT.encode()).replace(b"A", b"A\x00", 1), ""),
        (base64.encodebytes(TEXT.encode()) + FOOTER.encode(), FOOTER),
        (base64.encodebytes(TEXT.encode()) + b"\n--\nSent by nobody\n", "--\nSent by nobody"),
        (pieces(TEXT.encode(), 100) + b"\n" + FOOTER.encode(), FOOTER),
    ],
    ids=["lines", "one line", "pieces", "many pieces", "pieces in lines", "no padding", "spaces", "empty lines", "junk",
         "junk of letters", "junk of bytes", "a foreign byte", "a list's footer", "a footer", "pieces and a footer"],
)  # fmt: skip
def test_base64_to_its_end(body: bytes, behind: str) -> None:
    """A text in base64 is read whole: each padded piece, over junk between the lines, and what stands behind it."""
    text = read(mail(body, "text/plain; charset=utf-8", encoding="base64")).text
    assert text == (f"{TEXT}\n{behind}" if behind else TEXT)


def test_a_text_that_only_says_it_is_base64() -> None:
    """Plain words under the name of base64 are read as they are."""
    assert read(mail("我的卡 was charged twice.".encode(), "text/plain", encoding="base64")).text.endswith("twice.")


def test_a_file_has_no_footer() -> None:
    """What a list writes behind a file is no byte of the file."""
    content = bytes(range(256)) * 3
    body = base64.encodebytes(content) + FOOTER.encode()
    [file] = read(mail(body, "application/pdf; name=a.pdf", encoding="base64")).attachments
    assert file.content == content


def test_encoded_words_in_padded_pieces() -> None:
    """A subject is decoded piece by piece too."""
    word = pieces("提现失败".encode(), 4).decode()
    assert read(mail(b"x", "text/plain", more=f"Subject: =?utf-8?B?{word}?=\r\n")).subject == "提现失败"


@given(st.lists(st.binary(max_size=40), max_size=8), st.sampled_from([b"", b"\n", b"\r\n", b" "]))
def test_pieces_of_any_size(content: list[bytes], between: bytes) -> None:
    """However base64 was cut and padded, all bytes come out."""
    assert transfer.base64(between.join(map(base64.b64encode, content))) == b"".join(content)


@given(st.binary(max_size=200) | st.text("Aa4+/= \n-_.!", max_size=200).map(str.encode), st.booleans())
def test_any_base64(body: bytes, worded: bool) -> None:
    """Nothing that calls itself base64 stops a mail."""
    assert isinstance(transfer.base64(body, worded=worded), bytes)


@pytest.mark.parametrize("piece", [b"A=", b"=", b"AAAA\n", b"A A ", b"!\n", b"\n", b"AAAAA", b"AA==!\n"])
def test_base64_costs_no_more_than_its_size(piece: bytes) -> None:
    """Twice the body takes twice the steps, or fewer."""
    small, large = piece * 4_000, piece * 8_000
    cost = steps(lambda: transfer.base64(small, worded=True))
    assert steps(lambda: transfer.base64(large, worded=True)) <= 2.2 * cost + 100


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_a_multipart_that_was_encoded_as_a_whole(encoding: str) -> None:
    """Some systems encode all parts at once, which no standard allows; the parts are found."""
    inner = (
        "--b\nContent-Type: text/plain; charset=utf-8\n\n发票没有收到\n"
        "--b\nContent-Type: application/pdf; name=a.pdf\n\nxx\n--b--\n"
    ).encode()
    body = codecs.encode(inner, encoding.replace("-", "_"))
    message = read(mail(body, "multipart/mixed; boundary=b", encoding=encoding))
    assert (message.text, names(message)) == ("发票没有收到", ["a.pdf"])


def test_encoding_upon_encoding_is_opened_within_a_limit() -> None:
    """Multiparts that encode one another are opened as long as they stay small together."""
    body = b"core"
    for level in range(40):
        part = b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\nContent-Transfer-Encoding: quoted-printable\n\n"
        body = part % (level + 1, level) + codecs.encode(b"--b%d\n\n%s" % (level, body), "quoted_printable")
    assert len(body) < 1_000_000
    assert read(mail(body, "multipart/mixed; boundary=b40")).external_id == "m@kunde.example"


# ── torn headers ──


@pytest.mark.parametrize(
    "raw",
    [
        "X-Scan: abcdefgh\nijklmnop continued\nFrom: Zhou <z@kunde.example>\nSubject: transfer missing\n\nbody",
        "From: Zhou <z@kunde.example>\nX-Scan: abc\ndef\nghi\nSubject: transfer missing\n\nbody",
        "Received: from a by b\n\nFrom: Zhou <z@kunde.example>\nSubject: transfer missing\n\nbody",
        "Received: from a by b\n\n\n\nFrom: Zhou <z@kunde.example>\nSubject: transfer missing\n\nbody",
        "\n\nFrom: Zhou <z@kunde.example>\nSubject: transfer missing\n\nbody",
        "+OK 1234 octets\nFrom: Zhou <z@kunde.example>\nSubject: transfer missing\n\nbody",
        "\ufeffFrom: Zhou <z@kunde.example>\nSubject: transfer missing\n\nbody",
        " From: Zhou <z@kunde.example>\nSubject: transfer missing\n\nbody",
        "From: Zhou <z@kunde.example>\nSubject: transfer\n missing\n\nbody",
        "From: Zhou <z@kunde.example>\nSubject: transfer\nmissing\nDate: Mon, 2 Mar 2026 10:00:00 +0800\n\nbody",
        "From : Zhou <z@kunde.example>\nSubject\t: transfer missing\n\nbody",
        "From: Zhou\n <z@kunde.example>\n\t\nSubject: transfer missing\n\nbody",
        "From: Zhou <z@kunde.example>\rSubject: transfer missing\r\rbody\n",
        "From: Zhou <z@kunde.example>\r\r\nSubject: transfer missing\r\r\n\r\r\nbody",
        "From zhou Mon Mar  2 10:00:00 2026\nFrom: Zhou <z@kunde.example>\nSubject: transfer missing\n\nbody",
        "From: [??????]\nReply-To: o@kunde.example\nFrom: Zhou <z@kunde.example>\nSubject: transfer missing\n\nbody",
    ],
)
def test_torn_headers(raw: str) -> None:
    """A header that some program tore apart still names its sender and subject."""
    message = read(raw.encode())
    assert (message.sender.handle, message.sender.name) == ("z@kunde.example", "Zhou")
    assert (message.subject, message.text) == ("transfer missing", "body")


@pytest.mark.parametrize("break_", ["\n", "\n ", "\n\t", ""])
def test_parameters_that_lost_their_indentation(break_: str) -> None:
    """A boundary or charset on a line of its own belongs to the field above."""
    body = b"--a:b\nContent-Type: text/plain;\ncharset=gbk\n\n" + "退款".encode("gbk") + b"\n--a:b--"
    fields = f'From: z@kunde.example\nContent-Type: multipart/mixed;{break_}boundary="a:b"\nSubject: s\n\n'
    assert read(fields.encode() + body).text == "退款"


def test_the_first_subject_that_says_something() -> None:
    """An empty field hides no subject."""
    assert read(b"From: z@kunde.example\nSubject:\nSubject: lost card\n\nx").subject == "lost card"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("From: z@kunde.example\nSubject: s\n\nFrom: evil@x.example\nSubject: t\n\nbody", "From: evil@x.example"),
        ("From: z@kunde.example\nSubject: s\nDate: x\nTo: a@b\nHello\nFrom: evil@x.example\nSubject: t\n\nb", "Hello"),
        ("From: z@kunde.example\n\nHello\nSubject: t\n\nbody", "Hello"),
        ("Subject: s\n\nHello, I lost my card.\nFrom: evil@x.example\nSubject: t\n\nbody", "Hello"),
    ],
)
def test_words_are_no_header(raw: str, text: str) -> None:
    """A text that quotes header lines stays a text."""
    message = read(raw.encode())
    assert message.text.startswith(text)
    assert message.sender.handle != "evil@x.example"


def test_a_torn_header_proves_nobody() -> None:
    """Who can be read in two ways is not vouched for."""
    results = "Authentication-Results: in.support.example; dmarc=pass header.from=kunde.example\nReceived: a\n"
    whole = f"{results}From: z@kunde.example\nSubject: s\n\nbody"
    assert read(whole.encode()).authenticity is Authenticity.PASS
    for torn in ("X: a\nb\nFrom: z@kunde.example\n\nbody", "\nFrom: z@kunde.example\nTo: a\n\nbody"):
        message = read(f"{results}{torn}".encode())
        assert message.sender.handle == "z@kunde.example"
        assert message.authenticity is not Authenticity.PASS


LINES = ["From: a@b", "Subject: x", "junk", "", " fold", "To: c", "\r", ":", "X:"]


@given(st.lists(st.sampled_from(LINES), max_size=40))
def test_any_header(lines: list[str]) -> None:
    """However header lines are strewn, reading ends and finds the same fields alone and with the rest."""
    raw = ("\n".join(lines) + "x").encode()
    assert head(raw).values == parse(raw).fields.values


def test_a_header_of_junk_costs_no_more_than_its_size() -> None:
    """Lines that are no fields are passed over in one go."""

    def junk(count: int) -> bytes:
        return b"A: b\n" + b"junk\n" * count + b"From: a@b\n\nx"

    assert steps(lambda: parse(junk(8_000))) <= 2.2 * steps(lambda: parse(junk(4_000))) + 100


# ── plain texts beside pages ──

MATTER = "<p>我充值 700 元没有到账,订单 TX700700</p>"


@pytest.mark.parametrize(
    "plain",
    [
        "您的邮件客户端不支持 HTML 格式,请使用其它客户端查看。",
        "此邮件为HTML格式",
        "如果您无法正常查看此邮件，请点击这里 https://mail.example/view?id=12345",
        "您的郵件軟體不支援 HTML,請用瀏覽器檢視。",
        "Your client does not support HTML.",
        "This is an HTML email. Please use an HTML-capable mail program to view it.",
        "To view this message, please use an HTML compatible email viewer!",
        "This message is in MIME format.",
        "If you can't see this email, view it in your browser: https://mail.example/x",
        "-- \n",
        "...",
        "[image: logo.png]",
        "https://mail.example/open?id=1",
        "&nbsp;",
    ],
)
def test_a_placeholder_is_not_the_text(plain: str) -> None:
    """Where the plain part says only that there is a page, the page is the text."""
    message = read(alternative(plain, MATTER))
    assert "TX700700" in message.text
    assert not any(word in message.text for word in ("HTML", "MIME", "客户端", "browser"))


def alternative(plain: str, page: str) -> bytes:
    built = EmailMessage()
    built["From"] = "li@kunde.example"
    built.set_content(plain)
    built.add_alternative(page, subtype="html")
    return bytes(built)


@pytest.mark.parametrize(
    ("plain", "page", "text"),
    [
        ("发自我的iPhone", "<div>我的卡被吞了,请联系我</div><div>发自我的iPhone</div>",
         "我的卡被吞了,请联系我\n发自我的iPhone"),
        ("Sent from my phone", "<p>My card was swallowed by a machine</p><p>Sent from my phone</p>",
         "My card was swallowed by a machine\nSent from my phone"),
        ("Hello,It has still not arrived.Sam", "<div>Hello,</div><div>It has still not arrived.</div><div>Sam</div>",
         "Hello,\nIt has still not arrived.\nSam"),
        ("Hello,\n\nIt has still not arrived.", "<p>Hello,</p><p>It has <b>still</b> not arrived.</p>",
         "Hello,\n\nIt has still not arrived."),
        ("yes\n\n> Did it arrive?", "<p>yes</p><blockquote>Did it arrive?</blockquote>", "yes\n\n> Did it arrive?"),
        ("It has not arrived <https://a.example/1>", "<p>It has not <a href='https://a.example/1'>arrived</a></p>",
         "It has not arrived <https://a.example/1>"),
        ("订单清单\n------\n1. TX1\n------\n付款失败", "<p>订单清单</p>", "订单清单\n------\n1. TX1\n------\n付款失败"),
        ("My card was stolen", "<img src='cid:a'>", "My card was stolen"),
        ("My card was stolen", "", "My card was stolen"),
        ("My card was stolen in Lisbon", "<p>Best bank of the year! Read our news</p>",
         "My card was stolen in Lisbon\n\nBest bank of the year! Read our news"),
    ],
)  # fmt: skip
def test_the_form_that_says_what_was_meant(plain: str, page: str, text: str) -> None:
    """The plain text counts unless it says less than the page, and of two different texts none is lost."""
    assert read(alternative(plain, page)).text == text


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_words_are_lost_between_two_forms(plain: str, page: str) -> None:
    """What is read is one of the two, or both."""
    assert to_read(plain, page) in (plain, page, f"{plain}\n\n{page}")


# ── signed messages ──


def signed(content: bytes, *options: pkcs7.PKCS7Options) -> bytes:
    """An S/MIME message as a real signer writes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "li")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    signer = pkcs7.PKCS7SignatureBuilder().set_data(content)
    signer = signer.add_signer(built.sign(key, hashes.SHA256()), key, hashes.SHA256())
    return signer.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary, *options])


def _value(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x84]) + size.to_bytes(4, "big")
    return bytes([tag]) + length + content


def streamed(content: bytes, size: int = 7) -> bytes:
    """The same as programs write it that sign while they send: open lengths, strings in pieces."""
    octets = b"".join(_value(0x04, content[at : at + size]) for at in range(0, len(content), size))
    opened = b"\x24\x80" + octets + b"\0\0"
    enclosed = b"\x30\x80\x06\x09" + bytes.fromhex("2a864886f70d010701") + b"\xa0\x80" + opened + b"\0\0\0\0"
    inside = b"\x30\x80" + _value(0x02, b"\x01") + _value(0x31, b"") + enclosed + _value(0x31, b"") + b"\0\0"
    return b"\x30\x80\x06\x09" + bytes.fromhex("2a864886f70d010702") + b"\xa0\x80" + inside + b"\0\0\0\0"


INNER = f"Content-Type: text/plain; charset=utf-8\r\n\r\n{WORDS}\r\n".encode()
TWO_PARTS = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + INNER + b"--b\r\nContent-Type: application/pdf\r\n"
    b"Content-Disposition: attachment; filename=bill.pdf\r\n\r\n%PDF\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ('application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"', "smime.p7m"),
        ("application/x-pkcs7-mime", "part-1"),
        ('application/octet-stream; name="smime.p7m"', "smime.p7m"),
    ],
)
@pytest.mark.parametrize("wrap", [signed, streamed], ids=["of known length", "streamed"])
def test_an_opaquely_signed_mail_is_read(wrap: Callable[[bytes], bytes], kind: str, name: str) -> None:
    """What was signed is the mail's text and files; nothing is claimed of the signature, which stays a file."""
    message = read(encoded(wrap(INNER), kind))
    assert (message.text, names(message)) == (WORDS, [name])
    assert message.authenticity is Authenticity.UNKNOWN
    two = read(encoded(wrap(TWO_PARTS), kind))
    assert (two.text, names(two)) == (WORDS, [name, "bill.pdf"])


def test_a_signed_mail_within_signed_mails() -> None:
    """Signatures around signatures are opened a few levels down; what lies deeper stays a file."""
    wrapped = INNER
    for _ in range(4):
        wrapped = encoded(streamed(wrapped, 1000), "application/pkcs7-mime")
    assert read(wrapped).text == WORDS
    for _ in range(10):
        wrapped = encoded(streamed(wrapped, 1000), "application/pkcs7-mime")
    assert read(wrapped).text == ""


def test_what_is_not_opaquely_signed_stays_a_file() -> None:
    """An encrypted mail, a bare certificate and a detached signature hold no text."""
    enveloped = streamed(b"x").replace(bytes.fromhex("2a864886f70d010702"), bytes.fromhex("2a864886f70d010703"))
    for content in (enveloped, signed(INNER, pkcs7.PKCS7Options.DetachedSignature), b"", b"\x30\x80", INNER):
        assert smime.signed_content(content) is None
    message = read(encoded(enveloped, "application/pkcs7-mime; name=smime.p7m"))
    assert (message.text, names(message)) == ("", ["smime.p7m"])


@given(st.binary(max_size=120), st.integers(0, 200), st.integers(0, 200))
def test_any_signed_bytes(junk: bytes, at: int, end: int) -> None:
    """No bytes stop the reading, cut, filled and changed ones among them."""
    whole = streamed(INNER)
    for content in (junk, whole[:at], whole[:at] + junk + whole[end:]):
        found = smime.signed_content(content)
        assert found is None or isinstance(found, bytes)


@pytest.mark.parametrize(
    "piece", [b"\x30\x80", b"\x24\x80", b"\x04\x00", b"\x30\x82\xff\xff", b"\x24\x80\x04\x00", b"\x00", b"\x04\x81\x00"]
)
@pytest.mark.parametrize("begin", [b"", streamed(b"")[:-12]])
def test_crafted_signatures_cost_no_more_than_their_size(piece: bytes, begin: bytes) -> None:
    """Values that open without end, and hundreds of thousands of them, are given up on."""
    small, large = (begin + piece * count for count in (4_000, 8_000))
    cost = steps(lambda: smime.signed_content(small))
    assert steps(lambda: smime.signed_content(large)) <= 2.2 * cost + 400
    assert smime.signed_content(begin + piece * 300_000) is None


# ── TNEF ──


def attribute(kind: int, value: bytes, level: int = 1) -> bytes:
    return struct.pack("<BII", level, kind, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def prop(kind: int, number: int, value: bytes, name: bytes = b"") -> bytes:
    """A property of variable length."""
    return struct.pack("<HH", kind, number) + name + struct.pack("<II", 1, len(value)) + value + bytes(-len(value) % 4)


def tnef(*attributes: bytes) -> bytes:
    page = attribute(0x00069007, struct.pack("<II", 936, 0))
    return struct.pack("<IH", 0x223E9F78, 1) + page + b"".join(attributes)


def properties(*given: bytes) -> bytes:
    return struct.pack("<I", len(given)) + b"".join(given)


def file(name: bytes, content: bytes, *given: bytes) -> bytes:
    begin = attribute(0x00069002, bytes(14), 2) + attribute(0x00018010, name + b"\0", 2)
    more = attribute(0x00069005, properties(*given), 2) if given else b""
    return begin + attribute(0x0006800F, content, 2) + more


LONG = struct.pack("<HHI", 0x03, 0x0E07, 1)
NAMED = bytes(16) + struct.pack("<II", 1, 6) + "ab\0".encode("utf-16-le") + bytes(2)
RTF = rb"{\rtf1\ansi\ansicpg936{\fonttbl{\f0\fcharset134 SimSun;}}\uc1\f0\'ce\'d2 \u36134?\par {\*\htmltag1 <p>}W1}"
PACKED = struct.pack("<II4sI", len(RTF) + 12, len(RTF), b"MELA", 0) + RTF


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (tnef(attribute(0x0002800C, WORDS.encode("gbk") + b"\0")), WORDS),
        (tnef(attribute(0x00069003, properties(LONG, prop(0x1E, 0x1000, WORDS.encode("gbk") + b"\0")))), WORDS),
        (tnef(attribute(0x00069003, properties(prop(0x1F, 0x1000, (WORDS + "\0").encode("utf-16-le"))))), WORDS),
        (tnef(attribute(0x00069003, properties(prop(0x1F, 0x8005, b"x\0", NAMED), prop(0x102, 0x1013, f"<p>{WORDS}</p>".encode())))), WORDS),  # noqa: E501
        (tnef(attribute(0x00069003, properties(prop(0x102, 0x1009, PACKED)))), "我 账\nW1"),
    ],
    ids=["body", "property", "wide property", "page behind a named property", "rich text"],
)
def test_a_winmail_is_read(stream: bytes, text: str) -> None:
    """The text that Outlook wrapped is the mail's, in whichever form it stands there."""
    assert read(encoded(stream, 'application/ms-tnef; name="winmail.dat"')).text == text
    assert read(encoded(stream, 'application/octet-stream; name="WINMAIL.DAT"')).text == text


def test_files_of_a_winmail() -> None:
    """Files come out with their long names; the wrapping is no file any more, unless something in it was not read."""
    long_name = prop(0x1F, 0x3707, "转账凭证 2026.pdf\0".encode("utf-16-le"))
    kind = prop(0x1E, 0x370E, b"application/pdf\0")
    stream = tnef(file(b"BILL~1.PDF", b"%PDF", long_name, kind), file("截图.png".encode("gbk"), b"\x89PNG"))
    found = read(encoded(stream, "application/ms-tnef")).attachments
    assert [(f.name, f.type, f.content) for f in found] == [
        ("转账凭证 2026.pdf", "application/pdf", b"%PDF"),
        ("截图.png", "application/octet-stream", b"\x89PNG"),
    ]
    torn = read(encoded(stream[:-8], 'application/ms-tnef; name="winmail.dat"'))
    assert names(torn)[:2] == ["winmail.dat", "转账凭证 2026.pdf"]


def test_a_text_beside_a_winmail_is_read_once() -> None:
    """Outlook mostly writes the text outside as well."""
    stream = base64.encodebytes(tnef(attribute(0x0002800C, WORDS.encode("gbk")), file(b"a.txt", b"hi"))).decode()
    body = (
        f"--b\nContent-Type: text/plain; charset=utf-8\n\n{WORDS}\n"
        f"--b\nContent-Type: application/ms-tnef\nContent-Transfer-Encoding: base64\n\n{stream}--b--"
    )
    message = read(mail(body.encode(), "multipart/mixed; boundary=b"))
    assert (message.text, names(message)) == (WORDS, ["a.txt"])


def test_rich_text_as_outlook_compresses_it() -> None:
    """The two examples of the format's specification come out as it says, runs that overlap themselves too."""
    hello = "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    again = "1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0"
    assert mime_rtf.decompressed(bytes.fromhex(hello)) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert mime_rtf.decompressed(bytes.fromhex(again)) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    assert mime_rtf.words(bytes.fromhex(hello), "cp1252") == "hello world"


@pytest.mark.parametrize(
    ("rtf", "text"),
    [
        (rb"{\rtf1 a\par b\line c\tab d}", "a\nb\nc\td"),
        (rb"{\rtf1\ansicpg1251 \'cf\'f0\'e8\'e2\'e5\'f2}", "Привет"),
        (rb"{\rtf1\uc2\u36716 ??\u-10179??\u-8704??!}", "转😀!"),
        (rb"{\rtf1 {\fonttbl{\f0 Arial;}}{\colortbl;\red0;}{\*\generator x;}{\info{\author y}}a{\pict 00ff}}", "a"),
        (rb"{\rtf1 \{a\}\\ b\~c}", "{a}\\ b c"),
        (rb"{\rtf1 a\bin3 }}}b}", "ab"),
        (b"no rich text", "no rich text"),
        (b"}}}{{{", ""),
    ],
)
def test_words_of_rich_text(rtf: bytes, text: str) -> None:
    """Of rich text the words are read, in the charsets of its fonts, without what is no word."""
    assert mime_rtf.words(struct.pack("<II4sI", len(rtf) + 12, len(rtf), b"MELA", 0) + rtf, "cp1252") == text


WHOLE = tnef(
    attribute(0x0002800C, b"words"),
    attribute(0x00069003, properties(LONG, prop(0x102, 0x1009, PACKED))),
    file(b"a", b"b"),
)


@given(st.binary(max_size=80), st.integers(0, 400), st.integers(0, 400))
def test_any_winmail(junk: bytes, at: int, end: int) -> None:
    """No bytes stop the reading, cut, filled and changed ones among them."""
    for stream in (junk, WHOLE[:at], WHOLE[:at] + junk + WHOLE[end:], WHOLE[:6] + junk):
        found = mime_tnef.read(stream)
        assert found is None or isinstance(found.text, str)
    mime_rtf.words(struct.pack("<II4sI", 0, 2**32 - 1, b"LZFu", 0) + junk, "cp936")
    mime_rtf.words(struct.pack("<II4sI", 0, 999, b"MELA", 0) + junk, "x")


CRAFTED: dict[str, Callable[[int], bytes]] = {
    "attributes": lambda n: tnef(attribute(0x00018010, b"") * n),
    "files": lambda n: tnef(file(b"a", b"b") * n),
    "properties": lambda n: tnef(attribute(0x00069003, properties(*[LONG] * n))),
    "values": lambda n: tnef(attribute(0x00069003, properties(struct.pack("<HHI", 0x1003, 1, n) + bytes(4 * n)))),
    "strings": lambda n: tnef(attribute(0x00069003, properties(prop(0x1E, 0x1000, b"a" * n)))),
}


@pytest.mark.parametrize("build", CRAFTED.values(), ids=CRAFTED)
def test_crafted_winmails_cost_no_more_than_their_size(build: Callable[[int], bytes]) -> None:
    """Twice the stream takes twice the steps, and beyond a limit none."""
    cost = steps(lambda: mime_tnef.read(build(400)))
    assert steps(lambda: mime_tnef.read(build(800))) <= 2.2 * cost + 400
    assert steps(lambda: mime_tnef.read(build(60_000))) <= 1_500_000


def test_rich_text_that_grows_without_end() -> None:
    """A compressed text that claims gigabytes and repeats itself is read up to a limit, in steps of its size."""
    bomb = struct.pack("<II4sI", 0, 2**32 - 1, b"LZFu", 0) + b"\xfe" + b"a" + b"\x0c\xff" * 7
    bomb += (b"\xff" + b"\x00\x1f" * 8) * 40_000
    assert len(mime_rtf.decompressed(bomb)) <= mime_rtf.MAX_TEXT
    for piece in (b"{", b"}", b"\\u1?", b"\\'", b"\\f1", b"\\*", b"\\a", b"{\\fonttbl", b"\\bin9", b"a\n"):
        small, large = piece * 2_000, piece * 4_000
        cost = steps(lambda text=small: mime_rtf._Rtf("cp936").read(text))  # type: ignore[misc]
        assert steps(lambda text=large: mime_rtf._Rtf("cp936").read(text)) <= 2.2 * cost + 400  # type: ignore[misc]


# ── invitations ──

EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nDESCRIPTION:zone\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\n"
    "SUMMARY;LANGUAGE=zh:KYC video call\r\nDESCRIPTION;ALTREP=\"cid:a;b:c\":请在视频里帮我解冻\\n账户 W23\r\n"
    " 88693\\, 已经冻结三天\r\nBEGIN:VALARM\r\nDESCRIPTION:reminder\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)  # fmt: skip
SAID = "KYC video call\n\n请在视频里帮我解冻\n账户 W2388693, 已经冻结三天"


def test_an_invitation_without_text_is_read() -> None:
    """Summary and description are what its sender says, and the invitation stays a file."""
    message = read(mail(EVENT.encode(), "text/calendar; method=REQUEST; charset=utf-8"))
    assert (message.text, names(message)) == (SAID, ["part-1.ics"])
    assert read(encoded(EVENT.encode("gbk"), "text/calendar; charset=gbk")).text == SAID


def test_an_invitation_beside_a_text_is_only_a_file() -> None:
    """What is said outside is not said again."""
    built = EmailMessage()
    built["From"] = "li@kunde.example"
    built.set_content("see you")
    built.add_alternative(EVENT, subtype="calendar")
    message = read(bytes(built))
    assert (message.text, len(message.attachments)) == ("see you", 1)


def test_invitations_of_the_older_form() -> None:
    """vCalendar encodes lines as quoted-printable and breaks them softly."""
    old = b"SUMMARY;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=E9=80=80=\n=E6=AC=BE"
    assert calendar.words(b"BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + old + b"\nEND:VEVENT") == "退款"


@given(st.text("BEGIN:VEVENT\n\r;=\"\\,nSUMMARYx ", max_size=200))
def test_any_invitation(text: str) -> None:
    """No lines stop the reading."""
    assert isinstance(calendar.words(text.encode()), str)
    assert isinstance(calendar.words(f"BEGIN:VEVENT\nSUMMARY{text}".encode()), str)


@pytest.mark.parametrize("piece", ["BEGIN:VEVENT\n", "SUMMARY:a\n", "SUMMARY;", ';a="', "\n ", "\\n", "=\n", "END:X\n"])
def test_crafted_invitations_cost_no_more_than_their_size(piece: str) -> None:
    """Twice the file takes twice the steps, and beyond a limit none."""
    small, large = (b"BEGIN:VEVENT\nSUMMARY:" + piece.encode() * count for count in (4_000, 8_000))
    cost = steps(lambda: calendar.words(small))
    assert steps(lambda: calendar.words(large)) <= 2.2 * cost + 400
    assert len(calendar.words(b"BEGIN:VEVENT\nSUMMARY:" + b"a" * 3_000_000)) <= calendar.MAX_BYTES


# ── flowed lines, files between lines, named pages ──


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("订单号是 TX7712 \n0031,请尽快 \n处理。\n谢谢", "订单号是 TX77120031,请尽快处理。\n谢谢"),
        ("> 引用 \n> 一行\n我的 \n话", "> 引用一行\n我的话"),
        (">> a \n> b \nc", ">> a\n> b\nc"),
        ("  stuffed\n From me", " stuffed\nFrom me"),
        ("ends \n-- \nname", "ends\n-- \nname"),
        ("a\n\nb", "a\n\nb"),
        ("", ""),
    ],
)
def test_flowed_lines(written: str, text: str) -> None:
    """Lines that a program broke are whole again; what the writer broke stays broken."""
    kind = "text/plain; charset=utf-8; format=flowed; delsp=yes"
    assert wrapped_text.unflowed(written) == text
    assert read(mail(written.encode(), kind)).text == text.strip()


@given(st.text("ab> \n-", max_size=200))
def test_flowed_lines_keep_every_letter(text: str) -> None:
    """No letter is lost or moved."""
    assert [c for c in wrapped_text.unflowed(text) if c in "ab"] == [c for c in text if c in "ab"]


def uu(name: str, content: bytes) -> str:
    return codecs.encode(content, "uu").decode().replace("<data>", name).replace("begin 666", "begin 644")


def test_files_between_lines() -> None:
    """Files that an old program wrote into the text are files, and the text around them is the text."""
    body = f"see the voucher\n\n{uu('转账.txt', b'hello world' * 9)}\nand this\n{uu('b.bin', bytes(range(256)))}thanks"
    message = read(mail(body.encode(), "text/plain; charset=utf-8"))
    assert message.text == "see the voucher\n\n\nand this\nthanks"
    assert [(f.name, f.content) for f in message.attachments] == [
        ("转账.txt", b"hello world" * 9),
        ("b.bin", bytes(range(256))),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "begin 644 of my letters\nI wrote that you should\nend",
        "begin 644 a.txt\nno end",
        "begin 100 days\n\nend",
        "we begin 644 a\n`\nend",
        "begin 644 a.txt\n`\nend",
        "begin 644 a.txt\n+充值没到账\nend",
    ],
)
def test_words_are_no_file(text: str) -> None:
    """A text that only looks like it holds a file stays whole."""
    assert wrapped_text.without_files(text) == (text, [])


@given(st.text('begin 644a\nd`+:&5L;&\\@=V]R;&0*"', max_size=200))
def test_any_text_between_begin_and_end(text: str) -> None:
    """No lines stop the reading."""
    said, files = wrapped_text.without_files(f"begin 644 a\n{text}\nend\n{text}")
    assert files or said == f"begin 644 a\n{text}\nend\n{text}"


@pytest.mark.parametrize("piece", ["begin 644 a\n", "begin 644 a\nend\n", "end\n", "M\n", "begin 644 a\nM\nend\n"])
def test_crafted_files_cost_no_more_than_their_size(piece: str) -> None:
    """Twice the text takes twice the steps."""
    small, large = piece * 4_000, piece * 8_000
    cost = steps(lambda: wrapped_text.without_files(small))
    assert steps(lambda: wrapped_text.without_files(large)) <= 2.2 * cost + 400


def parts(*given: str, kind: str = "mixed") -> bytes:
    body = "".join(f"--b\n{part}\n" for part in given) + "--b--"
    return mail(body.encode(), f"multipart/{kind}; boundary=b")


def _named(disposition: Iterable[str]) -> str:
    fields = "".join(f"Content-Disposition: {value}\n" for value in disposition)
    return f'Content-Type: text/html; charset=utf-8; name="message.html"\n{fields}\n<p>我的验证码收不到</p>'


@pytest.mark.parametrize("disposition", [[], ["inline"], ['inline; filename="message.html"']])
def test_a_named_page_is_the_text_where_there_is_no_other(disposition: list[str]) -> None:
    """Some programs name the page that is the mail."""
    picture = "Content-Type: image/png; name=a.png\n\nx"
    message = read(parts(_named(disposition), picture))
    assert (message.text, message.html.strip()) == ("我的验证码收不到", "<p>我的验证码收不到</p>")
    assert names(message) == ["message.html", "a.png"]
    beside = read(parts("Content-Type: text/plain\n\nsee the page", _named(disposition)))
    assert beside.text == "see the page"
    assert read(parts(_named(["attachment"]))).text == ""
