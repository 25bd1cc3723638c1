"""Where do the header lines of a mail stand that somebody quoted or passed on in his own?

In: the lines of a text and a place among them. Out: places. Programs write labels ("From: …", "发件人：…"); Lotus Notes
writes the sender and the time without. A bounded number of lines is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from router.text.own_words.quotes import LIMIT, label, stamped

__all__ = ["after_headers", "header_block", "is_name"]

_MOST = 8


def header_block(lines: Sequence[str], at: int) -> int | None:
    """Where the labelled lines of a quoted mail begin whose header lines begin at `at`; None where none begin."""
    return at if _is_labelled(lines, at) else _notes(lines, at)


def after_headers(lines: Sequence[str], start: int) -> int:
    """The first line below the header lines that begin at or just below `start`. One line of them may go on below it;
    a sender below such a line is the next mail's, and the line is words."""
    at, end = start, start
    while at < min(len(lines), start + 2 * _MOST):
        if kind := label(lines[at]):
            if kind == "from" and start < end < at and lines[at - 1].strip():
                break
            end = at + 1
        elif lines[at].strip() and at > end:
            break
        at += 1
    return end


def is_name(line: str) -> bool:
    """Is this line short enough for a name, a title, a firm: a few words, no sentence?"""
    return len(line.split()) <= 6 and len(line) <= (48 if line.isascii() else 20) and line[-1:] not in "?？。!！,，;；"


def _is_labelled(lines: Sequence[str], at: int) -> bool:
    """Does a block of labelled lines begin here, a sender among them?"""
    if not label(lines[at]):
        return False
    window = lines[at : at + _MOST]
    kinds = [label(line) for line in window if line.strip()]
    apart = next((at for at, pair in enumerate(pairwise(kinds)) if pair == ("", "")), len(kinds))
    found = set(kinds[:apart]) - {""}
    addressed = any("@" in line[:LIMIT] for line in window[:3])
    return "from" in found and (len(found) >= 3 or (len(found) == 2 and addressed))


def _notes(lines: Sequence[str], at: int) -> int | None:
    """Where the labelled lines begin that Lotus Notes writes below a name and a time, or a name "on" a time."""
    time = next((i for i in range(at, min(len(lines), at + 3)) if stamped(lines[i])), -1)
    if time < 0 or (time > at and not is_name(lines[at][:LIMIT].strip())):
        return None
    if time == at + 2 and lines[at + 1].lstrip()[:7].lower() != "sent by":
        return None
    kinds = [label(line) for line in lines[time + 1 : time + 1 + _MOST] if line.strip()]
    return time + 1 if "to" in kinds[:2] and "subject" in kinds else None
