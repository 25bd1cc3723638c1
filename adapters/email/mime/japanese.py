"""What does ISO-2022-JP say that holds more than its standard does? Bytes in, text out.

Mail programs of Windows write circled digits, ㈱ and names such as 髙橋 in rows that JIS X 0208 leaves free. The codec
of the standard refuses the whole text then; cp932 has the rows, at places that follow from theirs. Total, linear.
"""

from __future__ import annotations

import re

__all__ = ["iso_2022_jp"]

_ESCAPE = re.compile(rb"\x1b(?:&@\x1b)?(\$\([A-Z@]|\$[@AB]|\([A-Z])")
_TWO_BYTES = frozenset({b"$@", b"$B"})
_KATAKANA = b"(I"
_AS_THEY_ARE = frozenset({b"(B", b"(J"})


def iso_2022_jp(content: bytes) -> str:
    """The text; what no charset of the family has is U+FFFD."""
    try:
        return content.decode("iso2022_jp_2")
    except UnicodeDecodeError:
        pass
    said: list[str] = []
    charset, at = b"(B", 0
    for escape in _ESCAPE.finditer(content):
        said.append(_said(charset, content[at : escape.start()]))
        charset, at = escape[1], escape.end()
    said.append(_said(charset, content[at:]))
    return "".join(said)


def _said(charset: bytes, piece: bytes) -> str:
    """What a piece says that stands behind the escape of one charset."""
    if charset in _TWO_BYTES:
        return _rows(piece)
    if charset == _KATAKANA:
        return bytes(b | 0x80 if 0x21 <= b < 0x60 else b for b in piece).decode("cp932", "replace")
    if charset in _AS_THEY_ARE:
        return piece.decode("cp932", "replace")
    return (b"\x1b" + charset + piece + b"\x1b(B").decode("iso2022_jp_2", "replace")


def _rows(piece: bytes) -> str:
    """Characters of two bytes, read at the places where cp932 has their rows; line ends stand between them."""
    moved = bytearray()
    at = 0
    while at < len(piece):
        row, place = piece[at], piece[at + 1] if at + 1 < len(piece) else 0
        if not (0x21 <= row <= 0x7E and 0x21 <= place <= 0x7E):
            moved.append(row)
            at += 1
            continue
        half, odd = divmod(row - 0x21, 2)
        moved.append(half + (0x81 if half < 31 else 0xC1))
        moved.append(place + 0x7E if odd else place + 0x1F + (place >= 0x60))
        at += 2
    return moved.decode("cp932", "replace")
