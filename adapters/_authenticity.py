"""Does somebody we trust vouch for the sender? Header fields and the name of our own mail server in, one of pass, fail
and unknown out.

Only `Authentication-Results` fields count that carry our server's name and stand above the first `Received`: that is
where our own server writes, and where no sender can (RFC 8601, 5). Everything else, forged fields included, is unknown.
"""

from __future__ import annotations

import re

from adapters._structure import Fields
from router.model import Authenticity

__all__ = ["verdict"]

_DMARC = re.compile(r"dmarc\s*=\s*([a-z]+)")
_FROM = re.compile(r"header\.from\s*=\s*\"?([^\s;\"]+)")
_PASS, _FAIL = "pass", "fail"


def verdict(fields: Fields, sender: str, trusted: str, *, doubtful: bool = False) -> Authenticity:
    """The verdict on `sender` (an address) by the server named `trusted`; an empty name trusts nobody.

    `doubtful`: the From field can be read in more than one way, so that a pass may be another mailbox's.
    """
    if not trusted or b"authentication-results" not in fields:
        return Authenticity.UNKNOWN
    words = [_dmarc(value, sender) for value in _ours(fields, trusted.strip().lower())]
    if _FAIL in words:
        return Authenticity.FAIL
    return Authenticity.PASS if _PASS in words and not doubtful else Authenticity.UNKNOWN


def _ours(fields: Fields, trusted: str) -> list[str]:
    """The results above the first Received under our server's name, comments removed, in lower case."""
    if b"received" not in fields:
        return []
    above = fields.order[: fields.order.index(b"received")].count(b"authentication-results")
    found = []
    for value in fields.every(b"authentication-results")[:above]:
        text = _without_comments(value.decode("ascii", "replace")).lower()
        name, _, results = text.partition(";")
        if name.split()[:1] == [trusted]:
            found.append(results)
    return found


def _dmarc(results: str, sender: str) -> str:
    """What one field says about DMARC; a pass for another domain than the sender's says nothing."""
    for result in results.split(";"):
        matched = _DMARC.match(result.strip())
        if not matched:
            continue
        aligned = _FROM.search(result)
        if matched[1] == _PASS and aligned and aligned[1].rpartition("@")[2] != sender.rpartition("@")[2]:
            return ""
        return matched[1]
    return ""


def _without_comments(text: str) -> str:
    """Drop what stands in parentheses, nested ones too; an open one swallows the rest."""
    if "(" not in text:
        return text
    kept: list[str] = []
    depth = 0
    for piece in re.split(r"([()])", text):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif depth == 0:
            kept.append(piece)
    return " ".join(kept)
