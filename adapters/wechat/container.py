"""How does WeChat wrap a message? The AES container of safe mode, and its XML, read by a parser that resolves nothing.

In: bytes from outside. Out: plain values, or None from the container and `InvalidPayload` from the XML. The container
answers every failure (base64, cipher, padding, length, foreign id) alike, so that nobody learns from the difference.
Source of the format: developer.work.weixin.qq.com document 91144 (43-character key, padding to 32 bytes).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any
from xml.parsers import expat

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from router.errors import InvalidPayload

__all__ = ["children", "open_container"]

BLOCK = 32
LARGEST = 1 << 20
DEEPEST, MOST = 8, 500
#: What XML 1.0 allows no document to hold (section 2.2), though people type it and WeChat sends it.
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: A character reference; or a section in which none is read, to its end or, where it has none, that of the document.
_REFERENCE = re.compile(r"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|&#(?:x([0-9A-Fa-f]+)|([0-9]+));", re.DOTALL)
_ENCODING = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text + "=", validate=True)
    except (ValueError, binascii.Error):
        return b""
    return key if len(key) == 32 else b""


def open_container(aes_keys: Sequence[str], receiver: str, encrypted: str) -> bytes | None:
    """The message inside, by the first key that opens it for this receiver (the app id); None for any failure."""
    try:
        cipher_text = base64.b64decode(encrypted.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        return None
    if not receiver or not cipher_text or len(cipher_text) % 16:
        return None
    messages = [_opened(key, receiver.encode(), cipher_text) for key in map(_key, aes_keys) if key]
    return next((message for message in messages if message is not None), None)


def _opened(key: bytes, receiver: bytes, cipher_text: bytes) -> bytes | None:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    padded = decryptor.update(cipher_text) + decryptor.finalize()
    padding = padded[-1]
    sound = 1 <= padding <= BLOCK and padded[-padding:] == bytes([padding]) * padding
    plain = padded[: len(padded) - padding] if sound else b""
    length = int.from_bytes(plain[16:20], "big")
    message, owner = plain[20 : 20 + length], plain[20 + length :]
    return message if len(plain) >= 20 and len(message) == length and owner == receiver else None


def children(document: bytes) -> dict[str, str]:
    """The texts of the elements directly below the root, by name, each name once; deeper ones as `Outer.Inner`.

    Characters that XML 1.0 forbids are left out, as such or as references. Raises InvalidPayload for anything but a
    small, flat document without a DOCTYPE that is well-formed without them.
    """
    if len(document) > LARGEST:
        raise InvalidPayload(f"the XML has {len(document)} bytes; at most {LARGEST} are read")
    reader = _Reader()
    try:
        reader.parser.Parse(_allowed(document), True)
    except expat.ExpatError as error:
        raise InvalidPayload(f"the body is not well-formed XML (line {error.lineno}): {error}") from error
    except (ValueError, LookupError) as error:  # an encoding that expat asks Python for
        raise InvalidPayload("the XML names an encoding that cannot be read; UTF-8 would be right") from error
    reader.texts.pop("", None)
    return reader.texts


def _allowed(document: bytes) -> bytes | str:
    """The document without forbidden characters, bytes that are no UTF-8 exchanged for U+FFFD; one that says to be in
    another encoding as it is."""
    declared = _ENCODING.match(document[:200].removeprefix(b"\xef\xbb\xbf"))
    if document.startswith(_UTF16) or (declared and declared[1].lower() not in (b"utf-8", b"utf8")):
        return document
    text = document.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    return _REFERENCE.sub(_referred, _FORBIDDEN.sub("", text))


def _referred(found: re.Match[str]) -> str:
    """A section as it is; a reference only to what XML allows."""
    hexadecimal, decimal = found.groups()
    if hexadecimal is None and decimal is None:
        return found[0]
    digits = (hexadecimal or decimal).lstrip("0") or "0"
    if len(digits) > 7:  # the last character is 1114111
        return ""
    number = int(digits, 16 if hexadecimal else 10)
    return "" if number > 0x10FFFF or _FORBIDDEN.match(chr(number)) else found[0]


class _Reader:
    """Collects the texts, and stops at whatever a message of WeChat never has."""

    def __init__(self) -> None:
        self.parser: Any = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.path: list[str] = []
        self.texts: dict[str, str] = {}
        self.elements = 0

    def _doctype(self, *_: Any) -> None:
        raise InvalidPayload("the XML has a DOCTYPE, which no message of WeChat has: refused unread")

    def _start(self, name: str, _: Any) -> None:
        self.elements += 1
        self.path.append(name)
        if self.elements > MOST or len(self.path) > DEEPEST:
            raise InvalidPayload(f"the XML has more than {MOST} elements or {DEEPEST} levels; messages are flat")
        place = ".".join(self.path[1:])
        if len(self.path) == 2 and place in self.texts:
            raise InvalidPayload(f"the XML has {place} twice; once would be right")
        self.texts.setdefault(place, "")

    def _end(self, _: str) -> None:
        self.path.pop()

    def _characters(self, text: str) -> None:
        self.texts[".".join(self.path[1:])] += text
