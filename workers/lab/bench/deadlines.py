"""How many deadlines a second does one core compute, and how does that compare with a package in common use?

Asked: due times of the same random questions over two years, with a lunch break and public holidays, through the public
API, taking turns with the package `businesstimedelta` in one run; then one step of a conversation's clocks. Out: rows
of a table. Figures are CPU time of this process.
"""

from __future__ import annotations

import importlib
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from typing import Any

from router.deadlines.calendar import Schedule
from router.deadlines.fold import (
    ClockEvent,
    Clocks,
    DeadlinePolicy,
    Promises,
    Target,
    advance,
    clocks_at,
    from_json,
    to_json,
)

__all__ = ["bench_deadlines"]

_WEEK = {"weekdays": [["09:00", "12:00"], ["13:30", "18:00"]]}
_COUNTRY = "DE"
_ROUNDS = 5


def bench_deadlines(questions: int = 40_000) -> list[dict[str, Any]]:
    """Rows `{"what", "value", "unit", "note"}`: deadlines a second, the ratio to `businesstimedelta`, microseconds a
    step of the clocks. `questions` are asked of our calendar, a two-hundredth of them of the slower package."""
    schedule = Schedule.build("Asia/Shanghai", _WEEK, holidays=_COUNTRY)
    asked = _questions(questions)
    peer = _peer()
    few = asked[: max(20, questions // 200)]
    ours, theirs = [], []
    for _ in range(_ROUNDS):
        ours.append(_rate(schedule.due, asked))
        if peer is not None:
            theirs.append(_rate(peer, few))
    rows = [_row("deadlines", max(ours), "per second and core", "lunch break, public holidays, aware instants")]
    if peer is None:
        rows.append(_row("businesstimedelta", None, "per second", "not installed: nothing to compare with"))
    else:
        equal = sum(schedule.due(start, seconds) == peer(start, seconds) for start, seconds in few)
        rows.append(_row("businesstimedelta", max(theirs), "per second", f"{equal} of {len(few)} answers equal ours"))
        rows.append(_row("ratio", max(ours) / max(theirs), "times", "best of five turns each, same questions"))
    rows.append(_row("first build", _build_time() * 1e3, "ms", "512 days of open time, built when first asked for"))
    return [*rows, *_steps(schedule)]


def _row(what: str, value: float | None, unit: str, note: str) -> dict[str, Any]:
    return {"what": what, "value": None if value is None else round(value, 1), "unit": unit, "note": note}


def _questions(count: int) -> list[tuple[datetime, int]]:
    chance = random.Random(20260302)  # noqa: S311  (the same questions on every run)
    first = datetime(2025, 1, 1, tzinfo=UTC)
    return [
        (first + timedelta(seconds=chance.randrange(2 * 365 * 86_400)), chance.choice((120, 3_600, 14_400, 86_400)))
        for _ in range(count)
    ]


def _rate(due: Callable[[datetime, int], datetime], asked: Sequence[tuple[datetime, int]]) -> float:
    begun = time.process_time()
    for start, seconds in asked:
        due(start, seconds)
    return len(asked) / max(time.process_time() - begun, 1e-9)


def _peer() -> Callable[[datetime, int], datetime] | None:
    """The same question for `businesstimedelta`, where it is installed."""
    try:
        package = importlib.import_module("businesstimedelta")
        zones = importlib.import_module("pytz")
        public = importlib.import_module("holidays").country_holidays(_COUNTRY, years=range(2024, 2029))
    except ImportError:
        return None
    zone = zones.timezone("Asia/Shanghai")
    rules = package.Rules(
        [
            package.WorkDayRule(clock_time(9), clock_time(18), [0, 1, 2, 3, 4], tz=zone),
            package.LunchTimeRule(clock_time(12), clock_time(13, 30), [0, 1, 2, 3, 4], tz=zone),
            package.HolidayRule(public, tz=zone),
        ]
    )

    def due(start: datetime, seconds: int) -> datetime:
        found: datetime = start + package.BusinessTimeDelta(rules, seconds=seconds)
        return found.astimezone(UTC)

    return due


def _build_time() -> float:
    fresh = Schedule.build("Asia/Shanghai", _WEEK, holidays=_COUNTRY)
    begun = time.process_time()
    fresh.due(datetime(2026, 3, 2, tzinfo=UTC), 3_600)
    return time.process_time() - begun


def _steps(schedule: Schedule) -> list[dict[str, Any]]:
    """Microseconds of what every message does to the clocks."""
    policy = DeadlinePolicy(
        name="p", schedule="s", targets={"first_reply": Target(seconds=7_200), "resolution": Target(workdays=7)}
    )
    promises = Promises(policies=(policy,), schedules={"s": schedule}, version="bench")
    at = datetime(2026, 3, 2, 2, tzinfo=UTC)
    facts = {"channel": "support-mail"}
    first = ClockEvent(type="customer_message", at=at, id="1", facts=facts)
    chase = ClockEvent(type="customer_message", at=at + timedelta(minutes=5), id="2", facts=facts)
    clocks = advance(Clocks.empty(), first, promises)
    stored = to_json(clocks)

    def micros(act: Callable[[], object], times: int = 5_000) -> float:
        begun = time.process_time()
        for _ in range(times):
            act()
        return (time.process_time() - begun) / times * 1e6

    return [
        _row("first message", micros(lambda: advance(Clocks.empty(), first, promises)), "µs", "two clocks begin"),
        _row("a chase", micros(lambda: advance(from_json(stored), chase, promises)), "µs", "read from JSON, moved on"),
        _row("rows of the clocks", micros(lambda: clocks_at(clocks, promises, at)), "µs", "what exports show"),
    ]
