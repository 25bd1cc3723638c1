"""When did a mail reach a server? Date texts in, aware UTC instants out; broken ones are None, never an error.

Order of trust (rules: deadlines, 14): the mailbox server's INTERNALDATE, the topmost Received, the sender's Date.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from adapters.email.mime.structure import Fields

__all__ = ["from_header", "of_mail", "of_raw"]

_MONTHS = {b"janfebmaraprmayjunjulaugsepoctnovdec"[3 * n : 3 * n + 3]: n + 1 for n in range(12)}
_DATE = re.compile(
    rb"(\d{1,2})[ \t-]+([A-Za-z]{3})[a-z]{0,6}[ \t-]+(\d{2,4})[ \t]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d{1,9})?"
    rb"[ \t]*([+-]\d{4}(?!\d)|[A-Za-z]{1,5})?"
)
_RECEIVED = re.compile(rb"^received[ \t]*:((?:.*\n[ \t])*.*)", re.IGNORECASE | re.MULTILINE)
_SENT = re.compile(rb"^date[ \t]*:((?:.*\n[ \t])*.*)", re.IGNORECASE | re.MULTILINE)
MAX_HEAD = 1 << 20
_ZONES = {b"est": -5, b"edt": -4, b"cst": -6, b"cdt": -5, b"mst": -7, b"mdt": -6, b"pst": -8, b"pdt": -7, b"hkt": 8}
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)


def of_mail(fields: Fields, *, latest: datetime) -> datetime | None:
    """The topmost Received date, else Date, not after `latest`; None when neither can be read."""
    received = fields.first(b"received")
    at = from_header(received.rpartition(b";")[2][:200]) if received else None
    at = at or from_header(fields.first(b"date")[:200])
    return None if at is None else min(at, latest)


def of_raw(raw: bytes, *, latest: datetime) -> datetime | None:
    """Like `of_mail`, for a mail that is not taken apart yet: only the two fields are looked for in its head."""
    ends = [end for end in (raw.find(b"\n\n"), raw.find(b"\n\r\n")) if end >= 0]
    head = raw[: min(ends, default=len(raw))][:MAX_HEAD]
    for field in (_RECEIVED, _SENT):
        found = field.search(head)
        at = from_header(found[1].rpartition(b";")[2][-200:]) if found else None
        if at:
            return min(at, latest)
    return None


def from_header(text: bytes) -> datetime | None:
    """The instant of an RFC 5322 (or INTERNALDATE) date, None for nonsense and for years before 1990."""
    matched = _DATE.search(text)
    if not matched:
        return None
    month = _MONTHS.get(matched[2].lower())
    if month is None:
        return None
    year = int(matched[3])
    year += 0 if year > 99 else 2000 if year < 70 else 1900
    try:
        day, hour, minute = int(matched[1]), int(matched[4]), int(matched[5])
        second = min(int(matched[6] or 0), 59)
        at = datetime(year, month, day, hour, minute, second, tzinfo=_zone(matched[7])).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at >= _EARLIEST else None


def _zone(text: bytes | None) -> timezone:
    """An offset or one of the old zone names; anything else counts as UTC."""
    if text and text[:1] in b"+-":
        minutes = int(text[1:3]) * 60 + int(text[3:5])
        return timezone(timedelta(minutes=-minutes if text[:1] == b"-" else minutes))
    hours = _ZONES.get(text.lower(), 0) if text else 0
    return timezone(timedelta(hours=hours)) if hours else UTC
