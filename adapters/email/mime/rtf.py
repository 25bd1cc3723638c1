"""What does a rich text say that Outlook compressed? Bytes in, its words out.

Two steps: LZFu, the compression of [MS-OXRTFCP]; then RTF, of which only what makes words is read (HTML that is wrapped
in it stands in groups that no reader of RTF shows). No more than `MAX_TEXT` bytes come out of the first, and both are
one pass.
"""

from __future__ import annotations

import re
import struct

import msgspec

from adapters.email.mime.charset import clean_text, decode
from router.value import Value

__all__ = ["decompressed", "words"]

#: Bytes of RTF that are read.
MAX_TEXT = 2 * 1024 * 1024
MAX_DEPTH = 200

_COMPRESSED, _PLAIN = b"LZFu", b"MELA"
_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    b"SymbolArialTimes New RomanCourier"
    b"{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_WINDOW = 4096
_TOKEN = re.compile(
    rb"\\([a-z]{1,32})(-?[0-9]{1,9})? ?|\\'([0-9a-fA-F]{2})|\\([^a-z'])|([{}])|[\r\n]+|([^\\{}\r\n]{1,1000})", re.DOTALL
)
_UNREAD = frozenset(
    b"fonttbl colortbl stylesheet info pict object header footer headerl headerr footerl footerr themedata datastore"
    b" listtable listoverridetable rsidtbl generator xmlnstbl latentstyles".split()
)
_MEANT = {
    b"par": b"\n", b"line": b"\n", b"sect": b"\n", b"page": b"\n", b"row": b"\n", b"tab": b"\t", b"cell": b"\t",
    b"lquote": b"'", b"rquote": b"'", b"ldblquote": b'"', b"rdblquote": b'"', b"emdash": b"-", b"endash": b"-",
    b"bullet": b"*",
}  # fmt: skip
_SIGNS = {b"~": b" ", b"_": b"-", b"\\": b"\\", b"{": b"{", b"}": b"}", b"\n": b"\n", b"\r": b"\n"}
#: Windows charset numbers of fonts, as codepages.
_FONT_CHARSETS = {
    0: 1252, 128: 932, 129: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255, 178: 1256, 186: 1257,
    204: 1251, 222: 874, 238: 1250,
}  # fmt: skip


def words(compressed: bytes, charset: str) -> str:
    """The text of a compressed rich text, its lines ended by newlines. `charset`: where it names none. Total."""
    return _Rtf(charset).read(decompressed(compressed))


def decompressed(compressed: bytes) -> bytes:
    """The RTF behind LZFu, as far as it goes; empty for what is none."""
    if len(compressed) < 16:
        return b""
    _, size, form = struct.unpack_from("<II4s", compressed)
    if form == _PLAIN:
        return compressed[16 : 16 + min(size, MAX_TEXT)]
    return _expanded(compressed, min(size, MAX_TEXT)) if form == _COMPRESSED else b""


def _expanded(compressed: bytes, size: int) -> bytes:
    """Runs of eight, each a letter or a place and length in the window before; a place that is its own ends it."""
    out = bytearray(_DICTIONARY)
    begin, at = len(out), 16
    while at < len(compressed) and len(out) - begin < size:
        control = compressed[at]
        at += 1
        for bit in range(8):
            if not control >> bit & 1:
                out += compressed[at : at + 1]
                at += 1
                continue
            if at + 2 > len(compressed):
                return bytes(out[begin:])
            place, length = divmod(int.from_bytes(compressed[at : at + 2], "big"), 16)
            at += 2
            back = (len(out) - place) % _WINDOW
            if back == 0 or back > len(out):
                return bytes(out[begin : begin + size])
            for _ in range(length + 2):
                out.append(out[-back])
    return bytes(out[begin : begin + size])


class _Group(Value, frozen=True, kw_only=True):
    """What holds within a pair of braces: are its words read, its font, how many characters stand in for `\\u`."""

    read: bool = True
    fonts: bool = False
    font: int = -1
    stand_ins: int = 1


class _Rtf:
    """One pass over RTF; what a group sets ends with it."""

    def __init__(self, charset: str) -> None:
        self._charset = charset
        self._fonts: dict[int, str] = {}
        self._said: list[str] = []
        self._bytes = bytearray()
        self._group = _Group()
        self._outer: list[_Group] = []
        self._skip = 0

    def read(self, rtf: bytes) -> str:
        """The words of a rich text."""
        at = 0
        while token := _TOKEN.search(rtf, at):
            at = token.end()
            word, number, code, sign, brace, text = token.groups()
            if brace:
                self._brace(brace)
            elif word == b"bin":
                at += max(0, int(number or 0))  # so many bytes are no words
            elif word:
                self._word(word, int(number) if number else None)
            elif sign == b"*":
                self._set(read=False)
            elif code or sign:
                self._say(bytes.fromhex(code.decode()) if code else _SIGNS.get(sign, b""))
            elif text:
                skipped, self._skip = self._skip, max(0, self._skip - len(text))
                self._say(text[skipped:])
        self._flush()
        return clean_text("".join(self._said).encode("utf-16", "surrogatepass").decode("utf-16", "replace")).strip()

    def _brace(self, brace: bytes) -> None:
        self._flush()
        self._skip = 0
        if brace == b"{":
            if len(self._outer) < MAX_DEPTH:
                self._outer.append(self._group)
        elif self._outer:
            self._group = self._outer.pop()

    def _word(self, word: bytes, number: int | None) -> None:
        if word == b"u" and number is not None:
            self._flush()
            if self._group.read:
                self._said.append(chr(number & 0xFFFF))
            self._skip = self._group.stand_ins
        elif word in _UNREAD:
            self._set(read=False, fonts=word == b"fonttbl")
        elif number is None:
            self._say(_MEANT.get(word, b""))
        elif word == b"uc":
            self._set(stand_ins=min(max(number, 0), 10))
        elif word == b"f":
            self._flush()
            self._set(font=number)
        elif word == b"fcharset" and self._group.fonts and number in _FONT_CHARSETS:
            self._fonts[self._group.font] = f"cp{_FONT_CHARSETS[number]}"
        elif word == b"ansicpg":
            self._charset = f"cp{number}"

    def _set(self, **changed: object) -> None:
        self._group = msgspec.structs.replace(self._group, **changed)

    def _say(self, words: bytes) -> None:
        """Take words of the charset that holds; the first characters behind `\\u` only stand in for it."""
        if self._skip and words:
            self._skip -= 1
        elif self._group.read:
            self._bytes += words

    def _flush(self) -> None:
        if self._bytes:
            self._said.append(decode(bytes(self._bytes), self._fonts.get(self._group.font, self._charset)))
            self._bytes.clear()
