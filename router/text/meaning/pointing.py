"""Does a message point at one of several matters: the first one, 另一笔, the smaller one, the 08 one, yesterday's?

In: a folded text. Out: `Pointing`. What it points at is known only beside the open conversations. Pure and linear.
"""

from __future__ import annotations

import re
from typing import Final

from router.value import Value

__all__ = ["NOWHERE", "Pointing", "pointing"]


class Pointing(Value, frozen=True, kw_only=True):
    """`rank`: 1 is the first in time, 2 the second, -1 the last, 0 none; `other`: the other one; `size`: 1 the bigger
    one, -1 the smaller one; `ends`: the last digits of a number; `that`: that one, whichever."""

    rank: int = 0
    other: bool = False
    size: int = 0
    ends: tuple[str, ...] = ()
    that: bool = False


NOWHERE: Final = Pointing()
_UNIT: Final = r"(?:[个個笔筆单單件张張份条條封宗次]|那)"
_ONE: Final = (
    r"(?:one|order|payment|transfer|refund|case|issue|matter|request|question|problem|thing|ticket|top ?up"
    r"|withdrawal)s?"
)
_RANKS: Final = (
    (1, re.compile(rf"(?:第一|头一|最早|最先|最初|先前|前面|之前|上面|原来){_UNIT}"
                   rf"|\b(?:first|earlier|previous|original|old|older|initial) {_ONE}\b")),
    (2, re.compile(rf"第[二两]{_UNIT}|\bsecond {_ONE}\b")),
    (-1, re.compile(rf"(?:最后|后面|后来|新|刚才|刚刚){_UNIT}|\b(?:last|latter|latest|newer|new|recent) {_ONE}\b")),
)  # fmt: skip
_OTHER: Final = re.compile(rf"另(?:外)?一?{_UNIT}|别的那|\b(?:the|that|my) other\b|\bother {_ONE}\b")
_SIZES: Final = (
    (1, re.compile(rf"(?:大|多)的?那{_UNIT}|大额那|那{_UNIT}大|\b(?:big(?:ger|gest)?|larger?|largest) {_ONE}\b")),
    (-1, re.compile(rf"(?:小|少)的?那{_UNIT}|小额那|那{_UNIT}小|\b(?:small|smaller|little|smallest) {_ONE}\b")),
)
_ENDS: Final = re.compile(
    rf"\b(?:ending(?: in)?|ends(?: in| with)?|the) (\d{{2,6}})\b(?= {_ONE}|$|[,.?!])|尾(?:号|数)?(?:是|为)?(\d{{2,6}})"
    rf"|(\d{{2,6}})(?:结尾|那{_UNIT}|{_UNIT}那)|(\d{{2,6}})[的嘅]那"
)
_THAT: Final = re.compile(rf"[那嗰该這这](?:一)?{_UNIT}|\b(?:that|this) {_ONE}\b|\bit\b")


def pointing(folded: str) -> Pointing:
    """What these words point at; `NOWHERE` for most."""
    text = folded[:200]
    rank = next((rank for rank, form in _RANKS if form.search(text)), 0)
    size = next((size for size, form in _SIZES if form.search(text)), 0)
    ends = tuple(digits for found in _ENDS.findall(text) for digits in found if digits)
    other, that = _OTHER.search(text) is not None, _THAT.search(text) is not None
    if not (rank or size or ends or other or that):
        return NOWHERE
    return Pointing(rank=rank, other=other, size=size, ends=ends, that=that)
