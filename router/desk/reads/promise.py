"""Which promise is due next in a conversation, and how much of its time is left?

In: its clocks as they stand, the policy, the present instant. Out: the promise in business time, which stands while its
schedule is closed. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from router.deadlines.calendar import Schedule
from router.errors import ScheduleError
from router.forms import PromiseForm
from router.policy.values import Policy
from router.store.read.queries import utc

__all__ = ["promise"]


def promise(clocks: Iterable[Mapping[str, Any]], policy: Policy, now: datetime) -> PromiseForm | None:
    """The open clock that is due first; None where nothing is promised or all clocks stand still."""
    due = [clock for clock in clocks if clock["ended_at"] is None and clock["due_at"] is not None]
    if not due:
        return None
    first = min(due, key=lambda clock: clock["due_at"])
    schedule = policy.schedules.get(first["schedule"])
    at, began = datetime.fromisoformat(first["due_at"]), datetime.fromisoformat(first["started_at"])
    shut = schedule is not None and not schedule.is_open(now)
    return {
        "metric": first["metric"],
        "due_at": first["due_at"],
        "left_seconds": _between(schedule, now, at) if now <= at else -_between(schedule, at, now),
        "whole_seconds": _between(schedule, began, at) if began <= at else 0.0,
        "open": not shut,
        "opens_at": _opens(schedule, now) if shut and schedule is not None else None,
    }


def _between(schedule: Schedule | None, start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() if schedule is None else schedule.elapsed(start, end)


def _opens(schedule: Schedule, now: datetime) -> str | None:
    try:
        return utc(schedule.next_open(now))
    except ScheduleError:
        return None
