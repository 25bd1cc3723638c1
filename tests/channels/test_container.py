"""WeChat's container opens for its key and its owner only, and its XML is read without resolving anything."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from adapters.wechat.container import children, open_container
from router.errors import InvalidPayload

KEY, OTHER = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "G" * 43
APP = "wx2c2769f8efd9abc2"


def sealed(message: bytes, key: str = KEY, owner: str = APP, length: int | None = None, padding: bytes = b"") -> str:
    """The container of the platform's description: random, length, message, owner, padded to 32 bytes."""
    secret = base64.b64decode(key + "=")
    plain = b"r" * 16 + (len(message) if length is None else length).to_bytes(4, "big") + message + owner.encode()
    missing = 32 - len(plain) % 32
    plain += padding or bytes([missing]) * missing
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(secret[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


@given(st.binary(max_size=200))
def test_what_was_sealed_opens(message: bytes) -> None:
    """Any message comes out as it went in, with the present or the old key, and for its owner only."""
    assert open_container([KEY], APP, sealed(message)) == message
    assert open_container([OTHER, KEY], APP, sealed(message)) == message
    assert open_container([OTHER], APP, sealed(message)) is None
    assert open_container([KEY], "wx0", sealed(message)) is None


@pytest.mark.parametrize(
    "encrypted",
    [
        "",
        "!!!!",
        "账户",
        "AAAA",
        sealed(b"x" * 12, length=13),
        sealed(b"x" * 12, length=2**31),
        sealed(b"x" * 9, padding=b"\x00" * 17),
        sealed(b"x" * 9, padding=b"\x01" * 16 + b"\x21"),
        sealed(b"", owner=""),
    ],
)
def test_every_failure_looks_alike(encrypted: str) -> None:
    """Broken base64, lengths, padding and owners all give nothing, and say nothing about why."""
    assert open_container([KEY], APP, encrypted) is None


@given(st.text(st.characters(), max_size=80), st.text(max_size=44))
def test_no_text_makes_opening_raise(encrypted: str, key: str) -> None:
    """Whatever stands in the element or in the configured key, opening gives a message or nothing."""
    assert open_container([key, KEY], APP, encrypted) is None


@pytest.mark.parametrize("keys", [[], [""], ["short"], ["!" * 43]])
def test_a_key_that_is_none_opens_nothing(keys: list[str]) -> None:
    """Without a whole key nothing opens."""
    assert open_container(keys, APP, sealed(b"x")) is None


BOMB = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>'


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (BOMB, "DOCTYPE"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml/>', "DOCTYPE"),
        (BOMB.decode().encode("utf-16"), "DOCTYPE"),
        (b"<xml><a>&undefined;</a></xml>", "well-formed"),
        (b"<xml><Encrypt>1</Encrypt><Encrypt>2</Encrypt></xml>", "Encrypt twice"),
        (b"<a>" * 9 + b"</a>" * 9, "levels"),
        (b"<xml>" + b"<a><b/></a>"[:7] + b"<c/>" * 600 + b"</a></xml>", "elements"),
        (b"<xml>" + b"x" * (1 << 20) + b"</xml>", "at most"),
        (b"<xml><a>", "well-formed"),
        (b"", "well-formed"),
        (b"plain words", "well-formed"),
        (b'<?xml version="1.0" encoding="cp4711"?><xml/>', "encoding"),
    ],
)
def test_hostile_xml_is_refused_with_its_reason(document: bytes, told: str) -> None:
    """Nothing is resolved, expanded or read twice; one sentence says why."""
    with pytest.raises(InvalidPayload, match=told):
        children(document)


def test_texts_come_by_name() -> None:
    """The texts below the root come by name; deeper ones by their path."""
    document = "<xml><A><![CDATA[转账<1>]]></A><B>x&amp;y</B><C><D>1</D></C></xml>".encode()
    assert children(document) == {"A": "转账<1>", "B": "x&y", "C": "", "C.D": "1"}


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail(document: bytes) -> None:
    """Any bytes are texts or one sentence."""
    try:
        told = str(children(document))
    except InvalidPayload as error:
        told = error.reason
    assert told


FORBIDDEN = st.characters(max_codepoint=0x1F, exclude_characters="\t\n\r") | st.sampled_from("\ufffe\uffff")
ALLOWED = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="<>&]\ufffe\uffff"), max_size=20)


@given(st.lists(st.tuples(ALLOWED, FORBIDDEN), max_size=4), ALLOWED)
def test_what_xml_forbids_is_left_out(pieces: list[tuple[str, str]], end: str) -> None:
    """A character that XML 1.0 forbids takes no message down, as such, in CDATA or as a reference: the rest is read."""
    words = "".join(text for text, _ in pieces) + end
    raw = "".join(text + odd for text, odd in pieces) + end
    decimal = "".join(f"{text}&#{ord(odd)};" for text, odd in pieces) + end
    hexadecimal = "".join(f"{text}&#x{ord(odd):06X};" for text, odd in pieces) + end
    for content in (raw, f"<![CDATA[{raw}]]>", decimal, hexadecimal):
        assert children(f"<xml><A>{content}</A></xml>".encode()) == {"A": words}


@pytest.mark.parametrize(
    ("content", "read"),
    [
        ("<![CDATA[&#8;]]>", "&#8;"),  # somebody typed it
        ("&#20320;&#x597D;", "你好"),
        ("a&#xD800;b&#1114112;c&#99999999999999999999;d", "abcd"),
        ("<!-- &#8; -->x", "x"),
    ],
)
def test_only_references_to_what_xml_forbids_are_left_out(content: str, read: str) -> None:
    """What stands in CDATA is text, and other references are what they mean."""
    assert children(f"<xml><A>{content}</A></xml>".encode()) == {"A": read}


def test_bytes_that_are_no_utf8_take_nothing_down() -> None:
    """A torn character is shown as one; a document in another encoding is read in that."""
    assert children(b"<xml><A>a\xe4\xbdb</A></xml>") == {"A": "a\ufffdb"}
    assert children("<?xml version='1.0' encoding='iso-8859-1'?><xml><A>é</A></xml>".encode("latin-1")) == {"A": "é"}


def test_a_hostile_document_is_read_in_linear_time() -> None:
    """A megabyte of sections that never end is refused at once."""
    with pytest.raises(InvalidPayload):
        children(b"<xml><A>" + b"<![CDATA[" * 110_000)
