"""What do IMAP's answers and arguments look like? Lines of an answer in, values out; names and days in, words out.

Nothing here talks to a server. Only literals and atoms are read; nothing of a mail's content is ever looked at.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from adapters.email.instant import from_header
from router.value import Value

__all__ = ["LITERAL", "Fetched", "day", "fetched", "modified_utf7", "numbers", "sizes"]

#: The end of a line that a literal of so many bytes follows.
LITERAL = re.compile(rb"\{(\d{1,10})\+?\}\Z")
_UID = re.compile(rb"[( ]UID (\d{1,10})\b", re.IGNORECASE)
_INTERNALDATE = re.compile(rb'INTERNALDATE "([^"]{10,40})"', re.IGNORECASE)
_SIZE = re.compile(rb"RFC822\.SIZE (\d{1,12})", re.IGNORECASE)
_QUOTED_BODY = re.compile(rb'BODY\[\](?:<0>)? "([^"\\]*(?:\\.[^"\\]*)*)"', re.IGNORECASE | re.DOTALL)
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


class Fetched(Value, frozen=True, kw_only=True):
    """One mail of the mailbox; an empty `body` means that the server lists it and does not give it."""

    uid: int
    body: bytes
    internaldate: datetime | None = None


def fetched(lines: Sequence[bytes]) -> list[Fetched]:
    """The mails of a FETCH answer, in order of UID."""
    found: dict[int, Fetched] = {}
    for text, literal in _answers(lines):
        uid, at = _UID.search(text), _INTERNALDATE.search(text)
        if uid and literal is not None:
            date = from_header(at[1]) if at else None
            found[int(uid[1])] = Fetched(uid=int(uid[1]), body=literal, internaldate=date)
    return [found[uid] for uid in sorted(found)]


def sizes(lines: Sequence[bytes]) -> dict[int, int]:
    """The size in bytes of each mail of a FETCH answer, by UID."""
    found = {}
    for text, _ in _answers(lines):
        uid, size = _UID.search(text), _SIZE.search(text)
        if uid and size:
            found[int(uid[1])] = int(size[1])
    return found


def numbers(lines: Sequence[bytes]) -> list[int]:
    """The numbers of a SEARCH answer, in order, each once."""
    return sorted({int(word) for line in lines for word in line.split() if word.isdigit()})


def _answers(lines: Sequence[bytes]) -> list[tuple[bytes, bytes | None]]:
    """Each message's answer as its text and its first literal (or quoted body)."""
    found: list[tuple[bytes, bytes | None]] = []
    at = 0
    while at < len(lines):
        text, literal = [lines[at]], None
        while LITERAL.search(lines[at][-14:]) and at + 2 < len(lines):
            literal = lines[at + 1] if literal is None else literal
            text.append(lines[at + 2])
            at += 2
        joined = b" ".join(text)
        if literal is None and (quoted := _QUOTED_BODY.search(joined)):
            literal = re.sub(rb"\\(.)", rb"\1", quoted[1])
        found.append((joined, literal))
        at += 1
    return found


def day(at: datetime) -> str:
    """A day (UTC) as SEARCH takes it: `2-Mar-2026`."""
    utc = at.astimezone(UTC)
    return f"{utc.day}-{_MONTHS[3 * utc.month - 3 : 3 * utc.month]}-{utc.year}"


def modified_utf7(name: str) -> str:
    """A mailbox name as IMAP writes it (RFC 3501, 5.1.3): `客服` becomes `&W6JnDQ-`."""

    def shifted(matched: re.Match[str]) -> str:
        text = base64.b64encode(matched[0].encode("utf-16-be")).decode("ascii").rstrip("=").replace("/", ",")
        return f"&{text}-"

    return re.sub(r"[^\x20-\x7e]+", shifted, name.replace("&", "&-"))
