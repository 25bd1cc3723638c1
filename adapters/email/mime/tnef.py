"""What does a `winmail.dat` hold? The bytes of a TNEF stream in; its text and its files out.

Outlook and Exchange wrap text and files of a rich mail in this form ([MS-OXTNEF]); without it being read the mail is
empty. A text stands there plain, as HTML or as compressed RTF. Read front to back, each byte at most a few times;
lengths that reach beyond the end stop the reading and what was found before stays.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from adapters.email.mime import rtf
from adapters.email.mime.charset import clean_text, decode
from router.value import Value

__all__ = ["Tnef", "TnefFile", "read"]

MAX_FILES = 100
MAX_ATTRIBUTES = 10_000
MAX_PROPERTIES = 10_000
MAX_VALUES = 1_000

_SIGNATURE = 0x223E9F78
_BODY, _CODEPAGE, _PROPERTIES = 0x0002800C, 0x00069007, 0x00069003
_FILE_BEGINS, _FILE_NAME, _FILE_CONTENT, _FILE_PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
_TEXT, _HTML, _RTF = 0x1000, 0x1013, 0x1009
_LONG_NAME, _MEDIA_TYPE, _CONTENT = 0x3707, 0x370E, 0x3701
#: Bytes of the property types whose values all have one length, padded to four.
_SIZES = {
    0x00: 0, 0x01: 0, 0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8,
    0x48: 16,
}  # fmt: skip
_STRING, _UNICODE, _BINARY, _OBJECT = 0x1E, 0x1F, 0x102, 0x0D
_VARIABLE = frozenset({_STRING, _UNICODE, _BINARY, _OBJECT})
_SEVERAL, _NAMED = 0x1000, 0x8000


class TnefFile(Value, frozen=True, kw_only=True):
    """A file within: its name and type as written (empty: none), its bytes."""

    name: str = ""
    type: str = ""
    content: bytes = b""


class Tnef(Value, frozen=True, kw_only=True):
    """What a stream holds; `whole` is false where it ended early or holds what is not read (mails within)."""

    text: str = ""
    html: str = ""
    files: tuple[TnefFile, ...] = ()
    whole: bool = True


class _Torn(ValueError):
    """A length reaches beyond the end, or a limit is passed."""


class _Found:
    """What was read so far."""

    def __init__(self) -> None:
        self.charset = "cp1252"
        self.body = b""
        self.properties: dict[int, tuple[int, bytes]] = {}
        self.files: list[dict[int, tuple[int, bytes]]] = []
        self.whole = True

    def text(self, prop: int) -> str:
        """A property of the mail as text."""
        return self.words(self.properties.get(prop))

    def words(self, written: tuple[int, bytes] | None) -> str:
        """A property's value as text, in whichever form it is written."""
        if written is None:
            return ""
        kind, value = written
        return clean_text(decode(value, "utf-16le" if kind == _UNICODE else self.charset).replace("\x00", ""))


def read(stream: bytes) -> Tnef | None:
    """What a TNEF stream holds; None where the bytes are none. Total."""
    if len(stream) < 6 or struct.unpack_from("<I", stream)[0] != _SIGNATURE:
        return None
    found = _Found()
    try:
        for kind, value in _attributes(stream):
            _take(found, kind, value)
    except _Torn:
        found.whole = False
    html = found.text(_HTML)
    text = clean_text(decode(found.body, found.charset).replace("\x00", "")).strip() or found.text(_TEXT).strip()
    if not text and not html and _RTF in found.properties:
        text = rtf.words(found.properties[_RTF][1], found.charset)
    files = tuple(_file(found, written) for written in found.files[:MAX_FILES])
    return Tnef(text=text, html=html, files=files, whole=found.whole and all(file.content for file in files))


def _attributes(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in order: signature and key, then level, id, length, value, checksum of each."""
    at = 6
    for _ in range(MAX_ATTRIBUTES):
        if at + 9 > len(stream):
            return
        kind, length = struct.unpack_from("<II", stream, at + 1)
        at += 9
        if at + length > len(stream):
            raise _Torn
        yield kind, stream[at : at + length]
        at += length + 2
    raise _Torn


def _take(found: _Found, kind: int, value: bytes) -> None:
    if kind == _CODEPAGE and len(value) >= 4:
        page = struct.unpack_from("<I", value)[0]
        found.charset = "utf-8" if page == 65001 else f"cp{page}"
    elif kind == _BODY:
        found.body = value
    elif kind == _PROPERTIES:
        found.properties.update(_properties(value))
    elif kind == _FILE_BEGINS and len(found.files) <= MAX_FILES:
        found.files.append({})
    elif found.files and kind == _FILE_NAME:
        found.files[-1].setdefault(_LONG_NAME, (_STRING, value))
    elif found.files and kind == _FILE_CONTENT:
        found.files[-1][_CONTENT] = (_BINARY, value)
    elif found.files and kind == _FILE_PROPERTIES:
        given = dict(_properties(value))
        found.files[-1].update({prop: v for prop, v in given.items() if prop != _CONTENT or v[0] == _BINARY})


def _file(found: _Found, written: dict[int, tuple[int, bytes]]) -> TnefFile:
    content = written.get(_CONTENT, (_BINARY, b""))[1]
    return TnefFile(
        name=found.words(written.get(_LONG_NAME)), type=found.words(written.get(_MEDIA_TYPE)), content=content
    )


def _properties(value: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """The properties in a value: each one's id, type and (of several the first) value. Stops where they are torn."""
    reader = _Reader(value)
    try:
        for _ in range(min(reader.number(), MAX_PROPERTIES)):
            kind, prop = reader.short(), reader.short()
            if prop >= _NAMED:
                reader.skip_name()
            values = reader.values(kind)
            if values:
                yield prop, (kind & ~_SEVERAL, values[0])
    except _Torn:
        return


class _Reader:
    """Takes little-endian values off the front of a buffer. Raises _Torn at its end."""

    def __init__(self, buffer: bytes) -> None:
        self._buffer = buffer
        self._at = 0

    def take(self, size: int) -> bytes:
        """So many bytes; the next value begins at a multiple of four."""
        start, self._at = self._at, self._at + size
        if self._at > len(self._buffer):
            raise _Torn
        self._at += -size % 4
        return self._buffer[start : start + size]

    def short(self) -> int:
        """Two bytes, which stand in pairs."""
        start, self._at = self._at, self._at + 2
        if self._at > len(self._buffer):
            raise _Torn
        return int.from_bytes(self._buffer[start : self._at], "little")

    def number(self) -> int:
        """Four bytes."""
        return int.from_bytes(self.take(4), "little")

    def skip_name(self) -> None:
        """Pass over the name of a property that has one: a set, and a number or a word in it."""
        self.take(16)
        if self.number() == 0:
            self.take(4)
        else:
            self.take(self.number())

    def values(self, kind: int) -> list[bytes]:
        """The values of a property of this type."""
        simple = kind & ~_SEVERAL
        several = bool(kind & _SEVERAL) or simple in _VARIABLE
        count = self.number() if several else 1
        if count > MAX_VALUES or (simple not in _VARIABLE and simple not in _SIZES):
            raise _Torn
        return [self.take(self.number() if simple in _VARIABLE else _SIZES[simple]) for _ in range(count)]
