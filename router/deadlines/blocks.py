"""Which stretches of time are open, in UTC?

In: a zone, the rows of the dates, a span. Out: a block of open intervals with their prefix sums, and the instant at
which a date closes. An interval is open where the wall clock lies in it: the span is cut into stretches of one offset,
and in each the wall clock's intervals are shifted by it. So a skipped hour vanishes and a repeated one comes twice.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from router.deadlines.hours import DAY, Opening
from router.deadlines.zone import SECOND, Stretch, stretches

__all__ = ["EPOCH_DAY", "Block", "block_of", "close_of"]

#: The ordinal of 1 January 1970.
EPOCH_DAY = date(1970, 1, 1).toordinal()


class Block(NamedTuple):
    """Open intervals in order, in microseconds: `before[k]` is the open time before interval k, the last one all."""

    starts: list[int]
    ends: list[int]
    before: list[int]


def block_of(zone: ZoneInfo, opening: Opening, first: int, last: int) -> Block:
    """All open intervals in [first, last)."""
    starts: list[int] = []
    ends: list[int] = []
    for stretch in stretches(zone, first, last):
        for start, end in _open_in(stretch, opening):
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
    before = [0]
    for start, end in zip(starts, ends, strict=True):
        before.append(before[-1] + end - start)
    return Block(starts, ends, before)


def close_of(zone: ZoneInfo, opening: Opening, day: int) -> int | None:
    """The instant at which the last interval of this local date ends; None if the date had no open time."""
    row = opening.row(day)
    if not row:
        return None
    start, end = _walls(day, *row[-1])
    found = None
    for stretch in stretches(zone, start - 2 * DAY * SECOND, end + 2 * DAY * SECOND):
        shift = stretch.offset * SECOND
        if max(start, stretch.start + shift) < min(end, stretch.end + shift):
            found = min(end, stretch.end + shift) - shift
    return found


def _open_in(stretch: Stretch, opening: Opening) -> list[tuple[int, int]]:
    """The open intervals of a stretch of time with one offset: the wall clock's, cut to it, as UTC."""
    shift = stretch.offset * SECOND
    low, high = stretch.start + shift, stretch.end + shift
    first, last = low // (DAY * SECOND) + EPOCH_DAY - 1, (high - 1) // (DAY * SECOND) + EPOCH_DAY
    found = []
    for day in opening.candidates(first, last):
        for opens, closes in opening.row(day):
            start, end = _walls(day, opens, closes)
            if start < high and end > low:
                found.append((max(start, low) - shift, min(end, high) - shift))
    found.sort()
    return found


def _walls(day: int, opens: int, closes: int) -> tuple[int, int]:
    """What the wall clock shows at the ends of an interval, as microseconds since it showed 1 January 1970."""
    midnight = (day - EPOCH_DAY) * DAY
    return (midnight + opens) * SECOND, (midnight + closes) * SECOND
