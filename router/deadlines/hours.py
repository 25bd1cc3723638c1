"""When is a local date open, by the configuration's rows?

In: weekly rows, dated rows, a holiday code and a row for make-up days. Out: for a local date (as an ordinal) its open
intervals in seconds since its midnight; an overnight interval belongs to the date on which it starts and ends above
86,400. Dated rows win over holidays and make-up days, those over the week (rules: deadlines, 2 and holidays).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, TypeAlias

from router.deadlines.holidays import Holidays
from router.errors import InvalidInterval

__all__ = ["DAY", "WEEKDAYS", "Opening", "Row", "row_of"]

#: Open intervals of one local date: [open, close) in seconds since its midnight, in order, merged.
Row: TypeAlias = tuple[tuple[int, int], ...]
DAY = 86_400
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: The dates that a schedule can have; every instant of theirs can be shown in any zone.
_FIRST_DAY, _LAST_DAY = date(1, 1, 3).toordinal(), date(9999, 12, 28).toordinal()
_GROUPS = {"weekdays": range(5), "weekend": range(5, 7), "daily": range(7)}
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")


class Opening:
    """The rows of a schedule, ready to be asked date by date."""

    __slots__ = ("_days", "_holidays", "_makeup", "_touched", "_week", "_years")

    def __init__(
        self,
        week: Mapping[str, Sequence[Sequence[str]]],
        dates: Mapping[str, Sequence[Sequence[str]]],
        holidays: str | None,
        makeup: Sequence[Sequence[str]] | None,
    ) -> None:
        self._week, daily = _week(week)
        self._days = {_ordinal(day): row_of(rows, f"dates.{day}") for day, rows in dates.items()}
        self._holidays = Holidays(holidays) if holidays and not all(daily) else None
        self._touched = tuple(not always for always in daily)
        self._makeup = self._week[0] if makeup is None else row_of(makeup, "makeup")
        self._years: dict[int, dict[int, Row]] = {}

    def row(self, ordinal: int) -> Row:
        """The open intervals that start on this local date (a proleptic ordinal, Monday is ordinal % 7 == 1)."""
        own = self._days.get(ordinal)
        if own is not None:
            return own
        weekday = (ordinal - 1) % 7
        if self._holidays is not None and self._touched[weekday]:
            year = date.fromordinal(ordinal).year
            special = self._years.get(year)
            if special is None:
                special = self._years[year] = self._specials(year)
            return special.get(ordinal, self._week[weekday])
        return self._week[weekday]

    def candidates(self, first: int, last: int, *, peek: bool = False) -> Sequence[int]:
        """The dates in [first, last] that may be open: all, or only the dated ones if the week is closed.

        `peek` asks only whether there is one.
        """
        if self.weekly:
            return range(max(first, _FIRST_DAY), min(last, _LAST_DAY) + 1)
        if peek:
            return [day for day, row in self._days.items() if row and first <= day <= last][:1]
        return sorted(day for day, row in self._days.items() if row and first <= day <= last)

    @property
    def weekly(self) -> bool:
        """Is there any hour that comes again, by the week or by make-up days?"""
        return any(self._week) or (self._holidays is not None and bool(self._makeup))

    @property
    def longest(self) -> int:
        """The most open seconds that any one date can have."""
        rows = [*self._week, self._makeup, *self._days.values()]
        return max(sum(close - start for start, close in row) for row in rows)

    @property
    def last_known_year(self) -> int | None:
        """The last year whose official notice is known; None where statutes alone decide."""
        return None if self._holidays is None else self._holidays.last_known_year

    def _specials(self, year: int) -> dict[int, Row]:
        assert self._holidays is not None  # noqa: S101  (only called where there are holidays)
        closed, worked = self._holidays.of(year)
        specials: dict[int, Row] = dict.fromkeys(closed, ())
        specials.update(dict.fromkeys(worked, self._makeup))
        return specials


def row_of(rows: Any, where: str) -> Row:
    """The merged intervals of one row of the file. Raises InvalidInterval, which names the row and the interval."""
    if not isinstance(rows, (list, tuple)):
        raise InvalidInterval(f'{where}: give a list of intervals, for example [["09:00", "18:00"]]')
    return merged(sorted(_interval(one, where) for one in rows))


def merged(intervals: Sequence[tuple[int, int]]) -> Row:
    """Intervals in order of their start, with overlapping and touching ones made one."""
    result: list[tuple[int, int]] = []
    for start, close in intervals:
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], close))
        else:
            result.append((start, close))
    return tuple(result)


def _interval(pair: Any, where: str) -> tuple[int, int]:
    if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(isinstance(end, str) for end in pair):
        raise InvalidInterval(f'{where}: an interval has two times, for example ["09:00", "18:00"], not {pair!r}')
    start, close = _seconds(pair[0]), _seconds(pair[1])
    if start is None or close is None or start == DAY:
        raise InvalidInterval(f"{where}: {pair[0]}-{pair[1]} is no interval; times are HH:MM, 24:00 only closes")
    if start == close:
        raise InvalidInterval(f"{where}: {pair[0]}-{pair[1]} opens when it closes; a whole day is 00:00-24:00")
    return (start, close) if close > start else (start, close + DAY)


def _seconds(time: str) -> int | None:
    if time in ("24:00", "24:00:00"):
        return DAY
    parts = _TIME.fullmatch(time)
    return None if parts is None else int(parts[1]) * 3600 + int(parts[2]) * 60 + int(parts[3] or 0)


def _ordinal(day: Any) -> int:
    try:
        return date.fromisoformat(str(day)).toordinal()
    except ValueError:
        raise InvalidInterval(f"dates.{day}: a date is YYYY-MM-DD, for example 2026-02-14") from None


def _week(week: Any) -> tuple[tuple[Row, ...], tuple[bool, ...]]:
    """The seven rows, Monday first, and for each whether it is a `daily` one; the narrower key wins."""
    if not isinstance(week, Mapping):
        raise InvalidInterval('week: give a table, for example { weekdays = [["09:00", "18:00"]] }')
    rows: list[Row] = [()] * 7
    daily = [False] * 7
    for key in week:
        if key not in WEEKDAYS and key not in _GROUPS:
            raise InvalidInterval(f"week.{key}: unknown day, use {', '.join((*WEEKDAYS, *_GROUPS))}")
    for key in ("daily", "weekdays", "weekend", *WEEKDAYS):
        if key in week:
            row = row_of(week[key], f"week.{key}")
            for day in _GROUPS.get(key) or (WEEKDAYS.index(key),):
                rows[day], daily[day] = row, key == "daily"
    return tuple(rows), tuple(daily)
