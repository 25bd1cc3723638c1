"""When is the desk open, and when has it been open for so long?

In: a schedule (zone, weekly and dated rows, holidays) and aware instants. Out: UTC instants and seconds. Open is what
the wall clock shows: an hour that a zone skips has no time in it, a repeated hour counts twice (rules: deadlines, 1-5).

The open time of 512 days is a block: starts, ends and their prefix sums, searched by bisection and built when first
asked for. Inside, instants are whole microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from router.deadlines.blocks import EPOCH_DAY, Block, block_of, close_of
from router.deadlines.hours import DAY, Opening
from router.deadlines.zone import SECOND, offset_at
from router.errors import InvalidDays, NaiveDatetime, NegativeDuration, NoOpenTime, UnknownTimezone

__all__ = ["SEARCH_DAYS", "Schedule", "instant", "microseconds"]

#: How far a search for open time looks.
SEARCH_DAYS = 3_660
_BLOCK = 512 * DAY * SECOND
#: How many blocks are kept: 180 years.
_KEPT = 128
_SEARCH = SEARCH_DAYS * DAY * SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_300_799 * SECOND
_STEP = timedelta(microseconds=1)


class Schedule:
    """Business hours in a time zone; immutable, and safe to share between threads."""

    __slots__ = ("_blocks", "_closes", "_opening", "_zone", "spec", "timezone")

    def __init__(self, timezone: str, zone: ZoneInfo, opening: Opening, spec: Mapping[str, Any]) -> None:
        self.timezone = timezone
        self.spec = spec
        self._zone = zone
        self._opening = opening
        self._blocks: dict[int, Block] = {}
        self._closes: dict[int, int | None] = {}

    @classmethod
    def build(
        cls,
        timezone: str,
        week: Mapping[str, Sequence[Sequence[str]]],
        dates: Mapping[str, Sequence[Sequence[str]]] | None = None,
        *,
        holidays: str | None = None,
        makeup: Sequence[Sequence[str]] | None = None,
    ) -> Schedule:
        """A schedule from rows as they stand in the file.

        Week keys are mon…sun, weekdays, weekend, daily; the narrower wins. `dates` replace a local date, `holidays` is
        a code of the `holidays` library, `makeup` the row of make-up working days (Monday's if None). Raises
        UnknownTimezone or InvalidInterval; `check_open` tells whether it is ever open.
        """
        spec = {"timezone": timezone, "week": week, "dates": dates or {}, "holidays": holidays, "makeup": makeup}
        return cls(timezone, _zone(timezone), Opening(week, dates or {}, holidays, makeup), spec)

    def due(self, start: datetime, seconds: float | timedelta) -> datetime:
        """The earliest UTC instant with `seconds` of open time since `start`; zero seconds is `start` itself.

        Raises NaiveDatetime, NegativeDuration, or NoOpenTime when 3,660 days do not hold that much.
        """
        return _EPOCH + timedelta(microseconds=self.due_at(microseconds(start), _length(seconds)))

    def elapsed(self, start: datetime, end: datetime) -> float:
        """Open seconds in [start, end); zero if `end` is not after `start`. Raises NaiveDatetime."""
        open_time = self.open_between(microseconds(start), microseconds(end))
        return open_time / SECOND if open_time % SECOND else open_time // SECOND

    def is_open(self, at: datetime) -> bool:
        """Does the wall clock at this instant lie in an interval? Raises NaiveDatetime."""
        now = microseconds(at)
        block = self._block(now // _BLOCK)
        place = bisect_right(block.starts, now) - 1
        return place >= 0 and now < block.ends[place]

    def next_open(self, at: datetime) -> datetime:
        """`at` if it is open, else the next opening, in UTC. Raises NaiveDatetime or NoOpenTime."""
        now = microseconds(at)
        number, last = now // _BLOCK, min(now + _SEARCH, _LAST)
        while number * _BLOCK <= last and self._may_open(now):
            block = self._block(number)
            place = bisect_right(block.ends, now)
            if place < len(block.ends):
                opening = max(block.starts[place], now)
                if opening <= last:
                    return instant(opening)
                break
            number += 1
        raise self._no_time()

    def due_workdays(self, start: datetime, days: int) -> datetime:
        """The end of the `days`-th working date after the local date of `start`, in UTC.

        Raises NaiveDatetime, InvalidDays (whole days from 1 on), NoOpenTime.
        """
        return instant(self.workdays_at(microseconds(start), days))

    def provisional(self, at: datetime) -> bool:
        """Does this instant lie in a year whose official holidays are not known yet?"""
        return self.provisional_at(microseconds(at))

    @property
    def last_known_year(self) -> int | None:
        """The last year whose official holidays are known; None where no notice is needed."""
        return self._opening.last_known_year

    def check_open(self, at: datetime) -> None:
        """Raise NoOpenTime if the schedule is never open after `at`: what a configuration check asks."""
        self.next_open(at)

    # -- the same in microseconds, for the clocks --

    def due_at(self, start: int, need: int) -> int:
        """`due` in microseconds."""
        if need <= 0:
            if need:
                raise NegativeDuration("a duration is zero or more, in seconds")
            return start
        number = start // _BLOCK
        block = self._blocks.get(number) or self._block(number)
        starts, ends, before = block
        place = bisect_right(starts, start) - 1
        if place >= 0:
            need += before[place] + min(start, ends[place]) - starts[place]
        if need > before[-1]:
            return self._due_beyond(start, number, need - before[-1])
        place = bisect_left(before, need) - 1
        return starts[place] + need - before[place]

    def open_between(self, start: int, end: int) -> int:
        """`elapsed` in microseconds."""
        if end <= start:
            return 0
        first, last = start // _BLOCK, end // _BLOCK
        open_time = self._open_before(last, end) - self._open_before(first, start)
        return open_time + sum(self._block(number).before[-1] for number in range(first, last))

    def workdays_at(self, start: int, days: int, paused: Sequence[tuple[int, int]] = ()) -> int:
        """`due_workdays` in microseconds; a date at whose close a pause (from, to) ran does not count."""
        if isinstance(days, bool) or not isinstance(days, int) or days < 1:
            raise InvalidDays(f"{days!r} is no number of working days; give a whole number from 1 on")
        today = self._local_day(start)
        for day in self._opening.candidates(today + 1, today + SEARCH_DAYS):
            close = self._close(day) if self._opening.row(day) else None
            if close is None or any(since < close < until for since, until in paused):
                continue
            days -= 1
            if days == 0:
                return close
        raise self._no_time()

    def latest_before(self, end: int, need: int) -> int | None:
        """The latest instant with `need` of open time up to `end`; None when 3,660 days do not hold that much."""
        number, last = end // _BLOCK, end - _SEARCH
        need = self._open_before(number, end) - need
        while need < 0:
            number -= 1
            if number * _BLOCK + _BLOCK < last:
                return None
            need += self._block(number).before[-1]
        starts, _, before = self._block(number)
        place = bisect_right(before, need) - 1
        return min(starts[place] + need - before[place], end) if place < len(starts) else end

    def provisional_at(self, at: int) -> bool:
        """`provisional` in microseconds."""
        known = self._opening.last_known_year
        return known is not None and self._local_day(at) > date(known, 12, 31).toordinal()

    # -- building --

    def _due_beyond(self, start: int, number: int, need: int) -> int:
        last = min(start + _SEARCH, _LAST)
        if need > self._opening.longest * SECOND * (SEARCH_DAYS + 2) or not self._may_open(start):
            raise self._no_time()
        while (number := number + 1) * _BLOCK <= last:
            starts, _, before = self._block(number)
            if need <= before[-1]:
                place = bisect_left(before, need) - 1
                found = starts[place] + need - before[place]
                if found <= last:
                    return found
                break
            need -= before[-1]
        raise self._no_time()

    def _open_before(self, number: int, at: int) -> int:
        starts, ends, before = self._block(number)
        place = bisect_right(starts, at) - 1
        return 0 if place < 0 else before[place] + min(at, ends[place]) - starts[place]

    def _may_open(self, at: int) -> bool:
        return bool(self._opening.candidates(self._local_day(at) - 1, self._local_day(at) + SEARCH_DAYS, peek=True))

    def _no_time(self) -> NoOpenTime:
        return NoOpenTime(f"the schedule has not enough open time within {SEARCH_DAYS} days; give it hours")

    def _local_day(self, at: int) -> int:
        return (at // SECOND + offset_at(self._zone, at // SECOND)) // DAY + EPOCH_DAY

    def _block(self, number: int) -> Block:
        block = self._blocks.get(number)
        if block is None:
            if len(self._blocks) >= _KEPT:
                self._blocks = {}
            block = self._blocks[number] = block_of(self._zone, self._opening, number * _BLOCK, (number + 1) * _BLOCK)
        return block

    def _close(self, day: int) -> int | None:
        if day not in self._closes:
            if len(self._closes) >= _KEPT * 100:
                self._closes = {}
            self._closes[day] = close_of(self._zone, self._opening, day)
        return self._closes[day]


def microseconds(at: datetime) -> int:
    """An aware instant as microseconds since 1970. Raises NaiveDatetime."""
    try:
        return (at - _EPOCH) // _STEP
    except TypeError:
        raise NaiveDatetime(f"{at} has no time zone; give it an offset, for example +08:00") from None


def _length(of: float | timedelta) -> int:
    """A duration in microseconds. Raises NegativeDuration for what is none."""
    if isinstance(of, timedelta):
        return of // _STEP
    try:
        return round(of * SECOND)
    except (TypeError, ValueError, OverflowError):
        raise NegativeDuration(f"{of!r} is no duration; give seconds, zero or more, or a timedelta") from None


def instant(at: int) -> datetime:
    """Microseconds since 1970 as a UTC instant."""
    return _EPOCH + timedelta(microseconds=at)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError, AttributeError):
        raise UnknownTimezone(f'"{name}" is no time zone; use an IANA name such as "Asia/Shanghai"') from None
