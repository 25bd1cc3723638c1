"""Business time: what the wall clock shows, in any zone, with holidays and make-up days."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.deadlines.calendar import SEARCH_DAYS, Schedule
from router.errors import (
    InvalidDays,
    InvalidInterval,
    NaiveDatetime,
    NegativeDuration,
    NoOpenTime,
    ScheduleError,
    UnknownTimezone,
)

VECTORS = json.loads((Path(__file__).parent.parent / "data" / "deadlines.json").read_text("utf-8"))["vectors"]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE = {"weekdays": [["09:00", "12:00"], ["13:30", "18:00"]]}
ALWAYS = {"daily": [["00:00", "24:00"]]}
QUARTER = timedelta(minutes=15)
#: Zones with changes of an hour and of half an hour, at midnight, with offsets to the quarter, and without any change.
ZONES = (
    "Asia/Shanghai", "UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo",
    "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Apia", "Pacific/Chatham",
)  # fmt: skip


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai"))


def worked(vector: dict[str, Any]) -> dict[str, Any]:
    """A case of the file, worked by the public functions."""
    try:
        rows = vector["schedule"]
        schedule = Schedule.build(rows["tz"], rows["week"], rows.get("dates"))
        start = at(vector["start"])
        if vector["op"] == "due":
            return {"due": shown(schedule.due(start, vector["seconds"]))}
        if vector["op"] == "due_workdays":
            return {"due": shown(schedule.due_workdays(start, vector["days"]))}
        if vector["op"] == "elapsed":
            return {"elapsed": schedule.elapsed(start, at(vector["end"]))}
        if vector["op"] == "is_open":
            return {"open": schedule.is_open(start)}
        return {"at": shown(schedule.next_open(start))}
    except ScheduleError as error:
        return {"error": error.code}


def shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["id"]) for v in VECTORS if v["op"] != "sla"])
def test_recorded_cases(vector: dict[str, Any]) -> None:
    """Every recorded case of the field gives its recorded answer."""
    assert worked(vector) == vector["expect"]


# -- against the definition: open is what the wall clock shows --


def minutes(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low // 15, high // 15).map(lambda quarter: quarter * 15)


@st.composite
def intervals(draw: st.DrawFn) -> list[str]:
    opens, closes = draw(minutes(0, 1425)), draw(minutes(0, 1440))
    if opens == closes:
        closes = 1440 if opens < 1440 else 0
    return [f"{value // 60:02}:{value % 60:02}" for value in (opens, closes)]


ROWS = st.lists(intervals(), max_size=3)
#: Starts around the changes of the zones above, on quarters of an hour.
STARTS = st.builds(
    lambda day, quarter: datetime.combine(day, time(), UTC) + quarter * QUARTER,
    st.sampled_from(
        [date(2026, 3, 6), date(2026, 3, 27), date(2026, 4, 3), date(2026, 10, 23), date(2026, 10, 31),
         date(2018, 11, 2), date(2011, 12, 28), date(2025, 2, 21), date(2026, 6, 1), date(2024, 2, 28)]
    ),
    st.integers(0, 400),
)  # fmt: skip


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Schedule, dict[str, Any], dict[str, Any], ZoneInfo]:
    zone = draw(st.sampled_from(ZONES))
    week = draw(st.fixed_dictionaries({}, optional=dict.fromkeys(DAYS, ROWS)))
    days = st.integers(-3, 8).map(lambda n: (date(2026, 3, 6) + timedelta(n)).isoformat())
    dates = draw(st.dictionaries(days, ROWS, max_size=3))
    return Schedule.build(zone, week, dates), week, dates, ZoneInfo(zone)


def defined_open(moment: datetime, week: dict[str, Any], dates: dict[str, Any], zone: ZoneInfo) -> bool:
    """The definition, taken literally: does the wall clock lie in a row of its date, or of the night before?"""
    wall = moment.astimezone(zone).replace(tzinfo=None)
    for back in (0, 1):
        day = wall.date() - timedelta(back)
        rows = dates.get(day.isoformat(), week.get(DAYS[day.weekday()], []))
        midnight = datetime.combine(day, time())
        for opens, closes in rows:
            start, end = (timedelta(hours=int(t[:2]), minutes=int(t[3:])) for t in (opens, closes))
            if midnight + start <= wall < midnight + (end if end > start else end + timedelta(1)):
                return True
    return False


@settings(max_examples=120)
@given(schedules(), STARTS, st.integers(0, 600))
def test_elapsed_is_what_the_wall_clock_shows(
    made: tuple[Schedule, dict[str, Any], dict[str, Any], ZoneInfo], start: datetime, quarters: int
) -> None:
    """Open time equals the quarters of an hour at which the wall clock lies in a row, over any change of any zone."""
    schedule, week, dates, zone = made
    quarters_open = sum(defined_open(start + n * QUARTER, week, dates, zone) for n in range(quarters))
    assert schedule.elapsed(start, start + quarters * QUARTER) == quarters_open * 900
    assert schedule.is_open(start) == defined_open(start, week, dates, zone)


@settings(max_examples=150)
@given(schedules(), STARTS, st.integers(1, 500_000), st.integers(1, 500_000))
def test_due_is_the_earliest_instant_with_that_much_time(
    made: tuple[Schedule, dict[str, Any], dict[str, Any], ZoneInfo], start: datetime, seconds: int, more: int
) -> None:
    """elapsed(start, due(start, d)) is d, not a second earlier; a longer target ends later; a refusal has a reason."""
    schedule = made[0]
    try:
        due = schedule.due(start, seconds)
    except NoOpenTime:
        assert schedule.elapsed(start, start + timedelta(days=SEARCH_DAYS)) < seconds
        return
    assert schedule.elapsed(start, due) == seconds
    assert schedule.elapsed(start, due - timedelta(seconds=1)) < seconds
    try:
        assert schedule.due(start, seconds + more) > due
    except NoOpenTime:
        assert schedule.elapsed(start, start + timedelta(days=SEARCH_DAYS)) < seconds + more


@settings(max_examples=100)
@given(schedules(), STARTS, st.integers(0, 10**6), st.integers(0, 10**7), st.integers(0, 10**7))
def test_due_never_falls_when_the_start_rises_and_splits_add_up(
    made: tuple[Schedule, dict[str, Any], dict[str, Any], ZoneInfo], start: datetime, need: int, one: int, two: int
) -> None:
    """A later start is never due earlier, and the parts of a span have together what the whole has."""
    schedule = made[0]
    middle, end = start + timedelta(seconds=one), start + timedelta(seconds=one + two)
    assert schedule.elapsed(start, middle) + schedule.elapsed(middle, end) == schedule.elapsed(start, end)
    try:
        assert schedule.due(start, need) <= schedule.due(middle, need)
    except NoOpenTime:
        assert schedule.elapsed(middle, middle + timedelta(days=SEARCH_DAYS)) < need


@settings(max_examples=80)
@given(schedules(), STARTS)
def test_next_open_is_open_and_nothing_before_it_is(
    made: tuple[Schedule, dict[str, Any], dict[str, Any], ZoneInfo], start: datetime
) -> None:
    """The next opening is open, and no time passes on the schedule before it."""
    schedule = made[0]
    try:
        opening = schedule.next_open(start)
    except NoOpenTime:
        assert schedule.elapsed(start, start + timedelta(days=SEARCH_DAYS)) == 0
        return
    assert schedule.is_open(opening)
    assert schedule.elapsed(start, opening) == 0


@settings(max_examples=60)
@given(schedules(), STARTS, st.integers(1, 200_000))
def test_the_way_back_from_a_deadline(
    made: tuple[Schedule, dict[str, Any], dict[str, Any], ZoneInfo], end: datetime, seconds: int
) -> None:
    """The latest instant with so much time left has exactly so much time left."""
    schedule = made[0]
    micro = int(end.timestamp()) * 10**6
    found = schedule.latest_before(micro, seconds * 10**6)
    if found is None:
        assert schedule.elapsed(end - timedelta(days=SEARCH_DAYS), end) < seconds
    else:
        assert schedule.open_between(found, micro) == seconds * 10**6
        assert schedule.open_between(found + 10**6, micro) < seconds * 10**6


@settings(max_examples=60)
@given(STARTS, st.sampled_from(ZONES))
def test_the_same_instant_in_another_zone_is_the_same_question(start: datetime, zone: str) -> None:
    """An instant written with another offset has the same deadline."""
    schedule = Schedule.build("Asia/Shanghai", OFFICE)
    assert schedule.due(start.astimezone(ZoneInfo(zone)), 7200) == schedule.due(start, 7200)


# -- Chinese holidays and make-up days --


@pytest.mark.parametrize(
    ("start", "seconds", "due"),
    [
        pytest.param("2026-02-13T17:30", 3600, "2026-02-14T09:30", id="Friday evening into a make-up Saturday"),
        pytest.param("2026-02-14T17:30", 3600, "2026-02-24T09:30", id="over the whole Spring Festival"),
        pytest.param("2026-01-01T10:00", 3600, "2026-01-04T10:00", id="New Year into a make-up Sunday"),
        pytest.param("2026-09-18T17:30", 3600, "2026-09-20T09:30", id="Friday into the make-up Sunday of September"),
        pytest.param("2026-10-09T17:30", 3600, "2026-10-10T09:30", id="a make-up Saturday after National Day"),
        pytest.param("2026-03-06T17:30", 3600, "2026-03-09T09:30", id="an ordinary weekend stays one"),
    ],
)
def test_chinese_working_days(start: str, seconds: int, due: str) -> None:
    """Public holidays are closed and make-up days are worked with Monday's hours."""
    schedule = Schedule.build("Asia/Shanghai", {"weekdays": [["09:00", "18:00"]]}, holidays="CN")
    assert schedule.due(shanghai(start), seconds) == shanghai(due)


def test_makeup_row_and_dated_row_win() -> None:
    """Make-up days can have hours of their own, and a dated row of the file wins over any holiday."""
    schedule = Schedule.build(
        "Asia/Shanghai",
        {"weekdays": [["09:00", "18:00"]]},
        {"2026-02-17": [["10:00", "11:00"]], "2026-02-28": []},
        holidays="CN",
        makeup=[["10:00", "16:00"]],
    )
    assert schedule.next_open(shanghai("2026-02-14T00:00")) == shanghai("2026-02-14T10:00")
    assert schedule.is_open(shanghai("2026-02-17T10:30"))
    assert not schedule.is_open(shanghai("2026-02-28T12:00"))


def test_daily_hours_know_no_holiday() -> None:
    """A desk that is open daily is open on New Year's Day, and keeps its Sunday hours on a make-up Sunday."""
    schedule = Schedule.build("Asia/Shanghai", {"daily": [["08:00", "22:00"]]}, holidays="CN")
    assert schedule.is_open(shanghai("2026-02-17T21:00"))
    assert schedule.is_open(shanghai("2026-01-04T21:00"))
    assert not schedule.provisional(shanghai("2035-05-01T12:00"))


def test_the_narrower_key_of_the_week_wins() -> None:
    """A day wins over weekdays and weekend, these over daily, whatever their order in the file."""
    week = {"sun": [], "weekend": [["10:00", "12:00"]], "daily": [["08:00", "22:00"]], "fri": [["09:00", "10:00"]]}
    schedule = Schedule.build("UTC", week)
    opened = [schedule.elapsed(at(f"2026-03-0{n}T00:00Z"), at(f"2026-03-0{n + 1}T00:00Z")) for n in range(2, 9)]
    assert opened == [14 * 3600] * 4 + [3600, 7200, 0]


def test_provisional_after_the_last_official_year() -> None:
    """A deadline in a year without an official notice is provisional; statutes of other countries are not."""
    chinese = Schedule.build("Asia/Shanghai", OFFICE, holidays="CN")
    known = chinese.last_known_year
    assert known is not None
    assert not chinese.provisional(datetime(known, 12, 31, 15, 59, tzinfo=UTC))
    assert chinese.provisional(datetime(known, 12, 31, 16, 0, tzinfo=UTC))
    assert not Schedule.build("Europe/Berlin", OFFICE, holidays="DE-BY").provisional(at("2040-01-01T00:00Z"))


def test_statutory_days_hold_in_an_unknown_year() -> None:
    """Beyond the last notice the statutory holidays are closed, so a deadline is never promised on one."""
    schedule = Schedule.build("Asia/Shanghai", OFFICE, holidays="CN")
    later = (schedule.last_known_year or 0) + 2
    assert not schedule.is_open(shanghai(f"{later}-10-01T10:00"))


# -- working days --


def test_working_days_skip_those_that_were_paused_at_their_close() -> None:
    """A working date on which the clock was paused when the desk closed does not count."""
    schedule = Schedule.build("UTC", {"weekdays": [["09:00", "18:00"]]})

    def micro(text: str) -> int:
        return int(at(text).timestamp()) * 10**6

    start = micro("2026-03-02T10:00Z")
    assert schedule.workdays_at(start, 3) == micro("2026-03-05T18:00Z")
    over_two_closes = [(micro("2026-03-03T17:00Z"), micro("2026-03-05T09:00Z"))]
    assert schedule.workdays_at(start, 3, over_two_closes) == micro("2026-03-09T18:00Z")
    within_a_day = [(micro("2026-03-03T10:00Z"), micro("2026-03-03T17:59Z"))]
    assert schedule.workdays_at(start, 3, within_a_day) == micro("2026-03-05T18:00Z")
    until_the_close = [(micro("2026-03-03T10:00Z"), micro("2026-03-03T18:00Z"))]
    assert schedule.workdays_at(start, 3, until_the_close) == micro("2026-03-05T18:00Z")
    from_the_close_on = [(micro("2026-03-03T18:00Z"), micro("2026-03-04T09:00Z"))]
    assert schedule.workdays_at(start, 3, from_the_close_on) == micro("2026-03-05T18:00Z")


def test_working_days_skip_a_date_that_never_was() -> None:
    """Samoa had no 30 December 2011, so that Friday is no working date."""
    schedule = Schedule.build("Pacific/Apia", {"weekdays": [["09:00", "17:00"]]})
    assert schedule.due_workdays(at("2011-12-28T12:00-10:00"), 2) == at("2012-01-02T17:00+14:00")


@pytest.mark.parametrize("days", [0, -1, 1.5, True, "3", None])
def test_working_days_are_whole_and_at_least_one(days: Any) -> None:
    """A target in working days is a whole number from one on."""
    with pytest.raises(InvalidDays, match="whole number"):
        Schedule.build("UTC", OFFICE).due_workdays(at("2026-03-02T10:00Z"), days)


# -- what is refused --


@pytest.mark.parametrize(
    "row",
    [
        [["09:00", "09:00"]], [["24:00", "06:00"]], [["9:00", "18:00"]], [["09:00", "25:00"]], [["09:00", "12:60"]],
        [["09:00"]], [["09:00", "12:00", "13:00"]], ["09:00-18:00"], [[9, 18]], "09:00", None, [["09:00", "24:01"]],
        [["", ""]], [["09:00", None]],
    ],
)  # fmt: skip
def test_rows_that_are_no_intervals(row: Any) -> None:
    """A row that is wrong is refused with its place in the file, never read as something else."""
    with pytest.raises(InvalidInterval, match=r"^week\.mon: "):
        Schedule.build("UTC", {"mon": row})


@pytest.mark.parametrize(
    ("build", "error", "says"),
    [
        (lambda: Schedule.build("Asia/Peking_", OFFICE), UnknownTimezone, "Asia/Shanghai"),
        (lambda: Schedule.build("", OFFICE), UnknownTimezone, "IANA"),
        (lambda: Schedule.build("../etc/passwd", OFFICE), UnknownTimezone, "IANA"),
        (lambda: Schedule.build("UTC", {"monday": []}), InvalidInterval, "week.monday: unknown day"),
        (lambda: Schedule.build("UTC", {}, {"14.2.2026": []}), InvalidInterval, "YYYY-MM-DD"),
        (lambda: Schedule.build("UTC", OFFICE, holidays="Utopia"), InvalidInterval, "Utopia"),
        (lambda: Schedule.build("UTC", OFFICE, holidays="DE-ZZ"), InvalidInterval, "DE-ZZ"),
        (lambda: Schedule.build("UTC", OFFICE, holidays="CN", makeup=[["1", "2"]]), InvalidInterval, "makeup"),
    ],
)
def test_schedules_that_cannot_be(build: Any, error: type[ScheduleError], says: str) -> None:
    """What cannot be a schedule is refused when it is loaded, in a sentence that says what would be right."""
    with pytest.raises(error) as caught:
        build()
    assert says in str(caught.value)


def test_naive_instants_and_negative_durations_are_refused() -> None:
    """An instant without a zone and a duration below zero have no answer."""
    schedule = Schedule.build("UTC", OFFICE)
    naive = datetime(2026, 3, 2, 10)  # noqa: DTZ001
    for ask in (schedule.is_open, schedule.next_open, schedule.provisional, schedule.check_open):
        with pytest.raises(NaiveDatetime, match="offset"):
            ask(naive)
    with pytest.raises(NaiveDatetime):
        schedule.due(naive, 60)
    with pytest.raises(NegativeDuration):
        schedule.due(at("2026-03-02T10:00Z"), -1)


@pytest.mark.parametrize(
    ("week", "dates"),
    [({}, {}), ({"mon": []}, {}), ({}, {"2020-01-01": [["09:00", "18:00"]]}), ({}, {"2026-03-05": []})],
)
def test_a_schedule_without_any_open_time(week: Any, dates: Any) -> None:
    """A desk that never opens again has no deadline, rather than one in wall-clock time."""
    schedule = Schedule.build("Asia/Shanghai", week, dates)
    start = at("2026-03-02T10:00Z")
    for ask in (lambda: schedule.due(start, 1), lambda: schedule.next_open(start),
                lambda: schedule.due_workdays(start, 1), lambda: schedule.check_open(start)):  # fmt: skip
        with pytest.raises(NoOpenTime, match="open time"):
            ask()
    assert schedule.elapsed(start, at("2036-03-02T10:00Z")) == 0


def test_the_search_is_bounded() -> None:
    """What lies more than 3,660 days ahead is refused; what lies just within is found."""
    schedule = Schedule.build("UTC", {}, {"2026-03-03": [["09:00", "10:00"]], "2036-03-01": [["09:00", "10:00"]]})
    assert schedule.due(at("2026-03-02T10:00Z"), 3601) == at("2036-03-01T09:00:01Z")
    with pytest.raises(NoOpenTime):
        schedule.due(at("2026-02-20T10:00Z"), 3601)
    with pytest.raises(NoOpenTime):
        Schedule.build("UTC", {"sun": [["10:00", "11:00"]]}).due(at("2026-03-02T10:00Z"), 10**8)


@pytest.mark.parametrize("year", [1, 1970, 2100, 9999])
def test_any_year_has_an_answer(year: int) -> None:
    """Instants at the ends of what a date can be give an answer or a refusal, never a crash."""
    schedule = Schedule.build("Asia/Shanghai", OFFICE, holidays="CN")
    for moment in (datetime(year, 1, 1, tzinfo=UTC), datetime(year, 12, 31, 23, tzinfo=UTC)):
        asks: list[Callable[[], datetime]] = [
            partial(schedule.due, moment, 60),
            partial(schedule.next_open, moment),
            partial(schedule.due_workdays, moment, 2),
        ]
        for ask in asks:
            try:
                assert ask() >= moment
            except NoOpenTime:
                assert year == 9999
        assert schedule.is_open(moment) in (True, False)


def test_microseconds_are_kept() -> None:
    """A message that came in between two seconds is due in between two seconds."""
    schedule = Schedule.build("UTC", ALWAYS)
    start = at("2026-03-02T10:00:00.250001Z")
    assert schedule.due(start, 0.5) == at("2026-03-02T10:00:00.750001Z")
    assert schedule.elapsed(start, at("2026-03-02T10:00:01Z")) == 0.749999
