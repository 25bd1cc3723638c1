"""How far does a target reach from its start, with the pauses taken out?

In: a start, an amount of time in business or calendar hours (or working days) and pauses, in microseconds. Out: the
instant at which it is used up, or None while a pause runs. Paused time is removed in the schedule's own time, and a
target that is used up when a pause starts is not saved by it (rules: deadlines, 5 and 11).
"""

from __future__ import annotations

from collections.abc import Sequence

from router.deadlines.calendar import Schedule
from router.deadlines.promise import Target
from router.deadlines.zone import SECOND

__all__ = ["Pauses", "reach", "target_end", "warning_of"]

#: Pauses as (from, to) in order.
Pauses = Sequence[tuple[int, int]]


def target_end(
    target: Target, schedule: Schedule | None, start: int, pauses: Pauses = (), paused: int | None = None
) -> int | None:
    """When a target that started at `start` is used up; None while it is paused (since `paused`).

    `schedule` is None for calendar hours. A working date at whose close the clock was paused does not count. Raises
    NoOpenTime.
    """
    if not target.workdays:
        return reach(schedule, start, round(target.seconds * SECOND), pauses, paused)
    if schedule is None:
        raise ValueError("a target in working days needs a schedule")
    end = schedule.workdays_at(start, target.workdays, pauses)
    return end if paused is None or end <= paused else None


def reach(
    schedule: Schedule | None, start: int, need: int, pauses: Pauses = (), paused: int | None = None
) -> int | None:
    """When `need` microseconds have run since `start`; None while they are paused (since `paused`)."""
    for since, until in pauses:
        used = _between(schedule, start, since)
        if used >= need:
            return _due(schedule, start, need)
        need -= used
        start = max(start, until)
    if paused is not None and _between(schedule, start, paused) < need:
        return None
    return _due(schedule, start, need)


def warning_of(
    target: Target, schedule: Schedule | None, warn: int, start: int, due: int, pauses: Pauses, paused: int | None
) -> int | None:
    """When to warn of a deadline, `warn` seconds of its own hours before it; None if that is not after its start."""
    if target.workdays:
        found = None if schedule is None else schedule.latest_before(due, warn * SECOND)
        return found if found is not None and found > start else None
    need = round((target.seconds - warn) * SECOND)
    return reach(schedule, start, need, pauses, paused) if need > 0 else None


def _due(schedule: Schedule | None, start: int, need: int) -> int:
    return start + need if schedule is None else schedule.due_at(start, need)


def _between(schedule: Schedule | None, start: int, end: int) -> int:
    return max(0, end - start) if schedule is None else schedule.open_between(start, end)
