"""WeChat's container opens for its key and its owner only, and its XML is read without resolving anything."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from adapters._container import children, open_container
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
