"""Which hours does the configuration give, and can they be computed?

In: `[schedules.NAME]` as TOML gives it, and the desk's time zone. Out: a `Schedule` each, or the mistakes with the path
of the very row: every row is tried by itself, so that one wrong row hides no other, and a table whose keys are wrong is
looked at all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, get_args

from router.deadlines.calendar import Schedule
from router.errors import ScheduleError, UnknownTimezone
from router.policy.forms import Day
from router.policy.mistakes import Path, mistake
from router.policy.sentences import dotted

__all__ = ["desk_timezone", "schedules"]

_DAYS: Final = get_args(Day)
_WORKDAYS: Final = {"weekdays": [["00:00", "24:00"]]}


def desk_timezone(data: Mapping[str, Any], mistakes: list[str]) -> str:
    """The desk's time zone; UTC when it has none, or a wrong one, which is added to the mistakes."""
    zone = _table(data.get("desk")).get("timezone", "UTC")
    if not isinstance(zone, str):
        return "UTC"
    return zone if _tried(zone, _WORKDAYS, {}, {}, ("desk",), mistakes) is not None else "UTC"


def schedules(data: Mapping[str, Any], desk_zone: str, mistakes: list[str]) -> dict[str, Schedule]:
    """The schedules that can be built, by name."""
    built: dict[str, Schedule] = {}
    for name, given in _table(data.get("schedules")).items():
        if isinstance(given, Mapping):
            schedule = _schedule(given, ("schedules", str(name)), desk_zone, mistakes)
            built |= {} if schedule is None else {str(name): schedule}
    return built


def _schedule(given: Mapping[str, Any], path: Path, desk_zone: str, mistakes: list[str]) -> Schedule | None:
    zone = given.get("timezone", desk_zone)
    if not isinstance(zone, str) or _tried(zone, _WORKDAYS, {}, {}, path, mistakes) is None:
        zone = desk_zone
    week = {day: rows for day, rows in _table(given.get("week")).items() if day in _DAYS and _are_rows(rows)}
    dates = {day: rows for day, rows in _table(given.get("dates")).items() if _is_date(day) and _are_rows(rows)}
    extras = _extras(given)
    before = len(mistakes)
    for day, rows in week.items():
        _tried(zone, {day: rows}, {}, {}, (*path, "week", day), mistakes)
    for day, rows in dates.items():
        _tried(zone, {}, {day: rows}, {}, (*path, "dates", day), mistakes)
    for key, value in extras.items():
        _tried(zone, _WORKDAYS, {}, {key: value}, (*path, key), mistakes)
    if not any((*_table(given.get("week")).values(), *_table(given.get("dates")).values())):
        mistakes.append(mistake((*path, "week"), 'has no open hour; give one, as daily = [["08:00", "22:00"]]'))
    return None if len(mistakes) > before else _tried(zone, week, dates, extras, path, mistakes)


def _extras(given: Mapping[str, Any]) -> dict[str, Any]:
    """`holidays` and `makeup`, as far as they have the form that a schedule takes."""
    extras = {"holidays": given["holidays"]} if isinstance(given.get("holidays"), str) else {}
    return extras | ({"makeup": given["makeup"]} if _are_rows(given.get("makeup")) else {})


def _tried(
    zone: str,
    week: Mapping[str, Any],
    dates: Mapping[str, Any],
    extras: Mapping[str, Any],
    path: Path,
    mistakes: list[str],
) -> Schedule | None:
    """Build; a failure is added with the path of what was tried."""
    try:
        return Schedule.build(zone, week, dates, **extras)
    except UnknownTimezone as error:
        mistakes.append(mistake((*path, "timezone"), str(error)))
    except (ScheduleError, ValueError) as error:
        mistakes.append(mistake(path, str(error).removeprefix(f"{dotted(path[2:])}: ")))
    return None


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _are_rows(value: object) -> bool:
    """Pairs of texts, as a schedule takes them; what else there is was said of the table's form."""
    pairs = value if isinstance(value, Sequence) and not isinstance(value, str) else [None]
    return all(isinstance(pair, list) and all(isinstance(end, str) for end in pair) for pair in pairs)


def _is_date(text: object) -> bool:
    try:
        return isinstance(text, str) and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
