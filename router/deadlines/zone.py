"""Over which stretches of time does a zone keep one offset from UTC?

In: a zone and a span of instants. Out: stretches that cover the span in order, each with its offset. `zoneinfo` has no
list of its changes, so the offset is looked at day by day and a change is found to the second by halving.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["SECOND", "Stretch", "offset_at", "stretches"]

#: Microseconds in a second: instants are whole microseconds since 1970-01-01 UTC.
SECOND = 1_000_000
_DAY = 86_400
#: First and last second that a local datetime of any zone can show.
_LOWEST = int(datetime(1, 1, 3, tzinfo=UTC).timestamp())
_HIGHEST = int(datetime(9999, 12, 29, tzinfo=UTC).timestamp())


class Stretch(NamedTuple):
    """[start, end) in microseconds, and the offset of the zone in it, in seconds."""

    start: int
    end: int
    offset: int


def stretches(zone: ZoneInfo, start: int, end: int) -> list[Stretch]:
    """The stretches of one offset that cover [start, end), in order."""
    place, last = start // SECOND, -(-end // SECOND)
    offset = offset_at(zone, place)
    begun = start
    found = []
    while place < last:
        following = min(place + _DAY, last)
        new = offset_at(zone, following)
        if new != offset:
            change = _change(zone, place, following, offset) * SECOND
            if change < end:
                found.append(Stretch(begun, change, offset))
                begun, offset = change, new
        place = following
    found.append(Stretch(begun, end, offset))
    return found


def offset_at(zone: ZoneInfo, second: int) -> int:
    """The offset from UTC, in seconds, that the zone has at this second since 1970."""
    shown = datetime.fromtimestamp(min(max(second, _LOWEST), _HIGHEST), zone).utcoffset()
    return 0 if shown is None else shown.days * _DAY + shown.seconds


def _change(zone: ZoneInfo, low: int, high: int, offset: int) -> int:
    """The first second in (low, high] that no longer has this offset."""
    while high - low > 1:
        middle = (low + high) // 2
        if offset_at(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return high
