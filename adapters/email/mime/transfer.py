"""What bytes did a transfer encoding carry? Encoded bodies in, bytes out; what is broken in them is passed over.

Base64 arrives in pieces that are padded each by itself, with junk between its lines, without its last padding, and
with a mailing list's footer in plain words behind it. All of it is read, to the end. Linear in time, and in memory but
for lines, which are told apart only in a body of at most `MAX_LINED` bytes.
"""

from __future__ import annotations

import binascii
import contextlib
import re

__all__ = ["base64", "letters", "uuencoded"]

#: Bytes of a body whose lines are told apart into base64 and other words.
MAX_LINED = 4 * 1024 * 1024
#: Pieces with a padding of their own; what follows further ones is read as one.
MAX_PIECES = 10_000
#: Letters that a line has at least which goes on with the base64 behind other words.
MIN_RESUMED = 40

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_LETTERS = bytes(set(range(256)) - set(_LETTERS))
_NOT_CODED = bytes(set(_NOT_LETTERS) - {ord("=")})
_WHITE = b" \t\r\n\x0b\x0c"
_PIECE = re.compile(rb"[A-Za-z0-9+/]+")
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/=\s]|[A-Za-z0-9+/=][ \t]+[A-Za-z0-9+/=]")
_RESUMED = re.compile(rb"^[A-Za-z0-9+/]{%d,}={0,2}[ \t\r]*$" % MIN_RESUMED, re.MULTILINE)


def base64(body: bytes, *, worded: bool = False) -> bytes:
    """The bytes behind base64. `worded`: the body is a text; what stands in plain words behind the base64, or instead
    of it, is kept."""
    coded = body.translate(None, _WHITE)
    padding = len(coded) - len(coded.rstrip(b"="))
    foreign = _FOREIGN.search(body)
    if foreign is None and len(coded) % 4 == 0 and padding <= 2 and coded.find(b"=") in (-1, len(coded) - padding):
        return binascii.a2b_base64(coded)
    if foreign is None or len(body) > MAX_LINED:
        return letters(body)
    start = body.rfind(b"\n", 0, foreign.start()) + 1
    rest = body[start:].strip()
    if _RESUMED.search(rest) or _is_coded(rest.partition(b"\n")[0]):
        return letters(body[:start] + b"\n".join(line for line in rest.split(b"\n") if _is_coded(line)))
    if not worded or not (start or b" " in rest or not rest.isascii()):
        return letters(body[:start] or body)
    return letters(body[:start]) + b"\n" + rest if start else body


def letters(coded: bytes) -> bytes:
    """The bytes behind letters of base64, each padded piece by itself; other characters are skipped."""
    coded = coded.translate(None, _NOT_CODED)
    found: list[bytes] = []
    at = 0
    while len(found) < MAX_PIECES and (piece := _PIECE.search(coded, at)):
        found.append(_piece(piece[0]))
        at = piece.end()
    found.append(_piece(coded[at:].translate(None, b"=")))
    return b"".join(found)


def _piece(piece: bytes) -> bytes:
    """One piece; a torn end is cut off."""
    piece = piece[:-1] if len(piece) % 4 == 1 else piece
    return binascii.a2b_base64(piece + b"=" * (-len(piece) % 4))


def _is_coded(line: bytes) -> bool:
    """Is this a line of base64, a few foreign characters in it or not, and no line of words?"""
    words = line.split()
    if len(words) > 1 and any(len(word) % 4 for word in words[:-1]):
        return False
    whole = b"".join(words)
    foreign = len(whole.translate(None, _LETTERS + b"="))
    if foreign == 0:
        return len(whole) % 4 == 0 or len(whole) >= MIN_RESUMED
    return foreign <= 3 and len(whole) >= MIN_RESUMED and b"@" not in whole and b"://" not in whole


def uuencoded(body: bytes) -> bytes:
    """Decode the lines between `begin` and `end`, each by the length that it tells; what is broken is left out. A body
    without `begin` is as it is."""
    lines = iter(body.splitlines())
    if not any(line.startswith(b"begin ") for line in lines):
        return body
    found: list[bytes] = []
    for line in lines:
        if line.strip() == b"end":
            break
        told = (((line[0] - 32) & 63) * 4 + 5) // 3 if line.strip() else 0
        with contextlib.suppress(binascii.Error):
            found.append(binascii.a2b_uu(line[:told]) if told else b"")
    return b"".join(found)
