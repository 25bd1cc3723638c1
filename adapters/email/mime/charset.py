"""What do these bytes say? Bytes and the charset they claim in, text out, whatever the claim is worth.

Mail lies about its encoding: gb2312 that is GBK, nothing declared at all, ASCII that is UTF-8, Big5 in a field without
any encoding. Order: byte order mark, the declared charset if the bytes fit it, else what they look like (UTF-8,
GB18030, Big5, Windows-1252). They are asked what they look like only where nothing is declared, or what everything
declares that knows no better (ASCII, Latin-1, Windows-1252), or where UTF-8 or a Chinese charset is declared and cannot
be. Decoding never fails, runs no codec that is no charset, leaves no control characters.
"""

from __future__ import annotations

import binascii
import codecs
import re

from adapters.email.mime.japanese import iso_2022_jp
from adapters.email.mime.transfer import letters

__all__ = ["clean_line", "clean_text", "decode", "header"]

_NAMES = {
    "utf-8": "utf-8 utf8 utf8mb4 unicode-1-1-utf-8",
    "gb18030": "gb18030 gbk gb2312 x-gbk cp936 ms936 windows-936 euc-cn gb_2312-80 gb2312-80 chinese gb-2312 csgb2312",
    "hz": "hz hz-gb-2312",
    "cp950": "big5 big-5 x-big5 cn-big5 cp950 windows-950",
    "big5hkscs": "big5-hkscs big5hkscs",
    "cp1252": "iso-8859-1 iso8859-1 iso_8859-1 latin1 latin-1 ansi windows-1252 cp1252",
    "cp932": "shift_jis shift-jis sjis x-sjis windows-31j cp932 ms_kanji csshiftjis",
    "euc_jp": "euc-jp x-euc-jp eucjp",
    "iso2022_jp_2": "iso-2022-jp iso-2022-jp-ms iso-2022-jp-1 iso-2022-jp-2 csiso2022jp cp50220 cp50221 cp50222",
    "cp949": "euc-kr ks_c_5601-1987 ks_c_5601 cp949 windows-949 x-windows-949 uhc euckr korean",
    "iso2022_kr": "iso-2022-kr csiso2022kr",
    "utf-7": "utf-7 utf7 unicode-1-1-utf-7",
    "utf-16": "utf-16 utf16",
    "utf-16-le": "utf-16le",
    "utf-16-be": "utf-16be",
    "utf-32": "utf-32",
    "cp874": "tis-620 windows-874 iso-8859-11 cp874 x-windows-874 tis620",
    "koi8-r": "koi8-r koi8 cskoi8r",
    "koi8-u": "koi8-u",
    "mac_roman": "macintosh x-mac-roman",
    "mac_cyrillic": "x-mac-cyrillic",
    **{f"cp{n}": f"cp{n} ibm{n}" for n in (437, 850, 852, 855, 857, 862, 864, 866)},
    **{f"cp{n}": f"windows-{n} cp{n}" for n in (1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258)},
    **{f"iso8859-{n}": f"iso-8859-{n} iso8859-{n} iso_8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)},
}
_ALIASES = {name: codec for codec, names in _NAMES.items() for name in names.split()}
_ALIASES |= {f"iso-8859-8-{order}": "iso8859-8" for order in "ie"}  # how its lines run, not what its bytes say
_JIS = "iso2022_jp_2"
#: What is declared where nothing is known (and ASCII, which has no codec here): only then the bytes are asked.
_GUESSED = frozenset({"", "cp1252"})
#: Charsets whose text may be all ASCII bytes and yet mean something else.
_SHIFTED = frozenset({"hz", "iso2022_jp_2", "iso2022_kr", "utf-7", "utf-16", "utf-16-le", "utf-16-be", "utf-32"})
#: Charsets that any bytes fit, so that a fit proves nothing.
_SINGLE_BYTE = frozenset(c for c in _NAMES if c.startswith(("cp125", "iso8859", "koi8", "mac", "cp4", "cp8")))
_SINGLE_BYTE -= _GUESSED
_CHINESE = frozenset({"gb18030", "cp950", "big5hkscs"})
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

_WORD = re.compile(rb"=\?([A-Za-z0-9_.:+-]{1,60})(?:\*[A-Za-z0-9-]{0,40})?\?([bBqQ])\?([^?]*)\?=")
#: Where a field was folded within a character of UTF-8.
_FOLDED = re.compile(rb"(=[89A-Fa-f][0-9A-Fa-f])[ \t]+(?==[89ABab][0-9A-Fa-f])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_NEWLINES = re.compile(r"\r+\n?|\n\r|\x85|\u2028|\u2029")
_INVISIBLE = re.compile(r"[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]")
_SAMPLE = 4_000


def decode(content: bytes, declared: str = "", *, beside: str = "") -> str:
    """The text of these bytes. Total: what fits no charset is replaced by U+FFFD.

    `beside`: the charset that something beside them declares, for bytes that declare none themselves.
    """
    codec = _codec(declared)
    if codec not in _SHIFTED and content.isascii():
        return content.decode("ascii")
    for mark, marked in _MARKS:
        if content.startswith(mark):
            return content.decode(marked, "replace").lstrip("\ufeff")
    if beside and not codec:
        codec = _beside(content, beside)
    if codec in _GUESSED:
        return _sniff(content, otherwise="cp1252")
    if codec == _JIS:
        return iso_2022_jp(content) if content.isascii() else _unshifted_japanese(content)
    if codec in _SINGLE_BYTE:
        return _as_utf8(content, at_least=4) or content.decode(codec, "replace")
    return _declared(content, codec)


def _declared(content: bytes, codec: str) -> str:
    """Bytes under a charset that not all bytes fit. Only UTF-8 and the Chinese ones may be something else by guess."""
    try:
        text = content.decode(codec)
    except UnicodeDecodeError:
        if codec == "utf-8" or codec in _CHINESE:
            return _sniff(content, otherwise=codec)
        return _fitting(content, "utf-8") or content.decode(codec, "replace")
    if codec == "utf-8" or codec in _SHIFTED:
        return text
    return _as_utf8(content, at_least=0 if codec in _CHINESE else 4) or text


def _codec(declared: str) -> str:
    """The codec of a charset's name, however it is quoted; empty for what is no charset."""
    return _ALIASES.get(declared.strip(" \t'\"").lower(), "")


def _fitting(content: bytes, *codecs: str) -> str:
    """The text by the first of these codecs that the bytes fit, or nothing."""
    for codec in codecs:
        try:
            return content.decode(codec)
        except UnicodeDecodeError:
            continue
    return ""


def _beside(content: bytes, beside: str) -> str:
    """The codec declared beside bytes that say nothing of theirs, where it is one that no guess would find and they
    fit it."""
    codec = _codec(beside)
    found_by_guess = codec in _GUESSED or codec in _CHINESE or codec in _SHIFTED or codec == "utf-8"
    return "" if found_by_guess or _as_utf8(content, at_least=1) or not _fitting(content, codec) else codec


def _unshifted_japanese(content: bytes) -> str:
    """Bytes of eight bits under a charset of seven: the other charsets of Japan, if they fit one."""
    return _fitting(content, "utf-8", "euc_jp", "cp932") or iso_2022_jp(content)


def _as_utf8(content: bytes, *, at_least: int = 0) -> str:
    """UTF-8 that was declared as another charset, which half of it fits by chance: characters of three bytes, or
    `at_least` so many of any, cannot be chance. Empty when it is none."""
    text = _fitting(content, "utf-8")
    if at_least:
        return text if text and len(content) - len(text) >= at_least else ""
    return text if text and max(text) > "\u07ff" else ""


def _sniff(content: bytes, *, otherwise: str) -> str:
    """Bytes that do not fit what was declared: UTF-8 if they are (a torn last character is forgiven), else the
    Chinese charset whose common characters they hit, else `otherwise`."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as wrong:
        if wrong.start > 8 and len(content) - wrong.start < 4 and not content[: wrong.start].isascii():
            return content.decode("utf-8", "replace")
    chinese, codec = max(
        (_frequent(content, 0xB0, 0xD7, 0xA1), "gb18030"), (_frequent(content, 0xA4, 0xC6, 0x40), "cp950")
    )
    if chinese >= 0.6:
        try:
            return content.decode(codec)
        except UnicodeDecodeError:
            if otherwise == "cp1252" or chinese >= 0.8:
                return content.decode(codec, "replace")
    if otherwise == "utf-8" and content.count(b"\xef\xbf\xbd") == 0 and _mostly_broken(content):
        otherwise = "cp1252"
    return content.decode(otherwise, "replace")


def _mostly_broken(content: bytes) -> bool:
    """Does UTF-8 lose more of these bytes than it reads?"""
    text = content[:_SAMPLE].decode("utf-8", "replace")
    lost = text.count("\ufffd")
    return lost > sum(1 for c in text if c > "\x7f") - lost


def _frequent(content: bytes, low: int, high: int, trail: int) -> float:
    """The share of two-byte characters that lie in a charset's rows of common characters; punctuation is left aside.

    Zero where most stand alone: so do the accented letters of European words, while Chinese ones stand in rows.
    """
    hits = pairs = neighbours = at = 0
    last = -1
    end = min(len(content), _SAMPLE) - 1
    while at < end:
        lead, second = content[at], content[at + 1]
        if lead < 0x80:
            at += 1
            continue
        neighbours += at == last
        if not 0xA1 <= lead <= 0xA3:
            pairs += 1
            hits += low <= lead <= high and second >= trail and not 0x7F <= second <= 0xA0
        at += 2
        last = at
    return hits / pairs if pairs and 2 * neighbours >= pairs else 0.0


def header(value: bytes, beside: str = "") -> str:
    """A header field's text in one line: encoded words (RFC 2047) and undeclared 8-bit characters decoded, control
    and invisible characters removed, so that nothing of it can start a line of its own. `beside`: the charset that the
    text of the same mail declares."""
    if b"=?" in value:
        return clean_line(_words(value, beside))
    return clean_line(decode(value, beside=beside))


def _words(value: bytes, beside: str) -> str:
    """Decode the encoded words; neighbours of one charset are joined before decoding, since some split characters."""
    out: list[str] = []
    pending = bytearray()
    charset = ""
    at = 0
    for word in _WORD.finditer(value):
        between = value[at : word.start()]
        name = word[1].decode("ascii").lower()
        if pending and (between.strip() or name != charset):
            out.append(decode(bytes(pending), charset))
            pending.clear()
        if between.strip() or at == 0:
            out.append(decode(between, beside=beside))
        charset = name
        pending += _word_bytes(word[2], word[3])
        at = word.end()
    if pending:
        out.append(decode(bytes(pending), charset))
    out.append(decode(value[at:], beside=beside))
    return "".join(out)


def _word_bytes(encoding: bytes, text: bytes) -> bytes:
    """The bytes of one encoded word; what is broken in its base64 is passed over."""
    if encoding in b"qQ":
        return binascii.a2b_qp(_FOLDED.sub(rb"\1", text), header=True)
    return letters(text)


def clean_line(text: str) -> str:
    """One line without control, direction and zero-width characters, white space collapsed."""
    text = " ".join(text.split())
    return text if text.isprintable() else _INVISIBLE.sub("", _CONTROLS.sub("", text)).strip()


def clean_text(text: str) -> str:
    """Text of several lines: newlines as `\\n`, no other control characters but the tab."""
    text = text.replace("\r\n", "\n")
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return _CONTROLS.sub("", _NEWLINES.sub(_newlines, text))


def _newlines(found: re.Match[str]) -> str:
    """Returns before a newline are one with it; of others each is a newline."""
    return "\n" * len(found[0]) if found[0][0] == found[0][-1] == "\r" else "\n"
