"""What do schedules and clocks say of one recorded case? The library's own functions, asked in the vectors' format.

In: a case: an operation on a schedule, or a story of events with policies and an instant to look. Out: an answer shaped
like what such a case expects; what a case gets wrong is answered with an error code, never with a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from router.deadlines.calendar import Schedule, instant
from router.deadlines.fold import (
    Clock,
    ClockEvent,
    Clocks,
    DeadlinePolicy,
    Ladder,
    Promises,
    Step,
    Target,
    Unanswered,
    breaches_at,
    clocks_at,
    fold,
    next_due,
)
from router.errors import ConfigurationError, InvalidTarget, NaiveDatetime, ScheduleError
from router.routing.condition import Condition

__all__ = ["answer"]

_FAULTS = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError, ConfigurationError)


def answer(case: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one case, or `{"error": code}`; whatever the case holds, there is one."""
    try:
        operation = _OPERATIONS.get(str(case.get("op")))
        return {"error": "unknown_operation"} if operation is None else operation(case)
    except ScheduleError as wrong:
        return {"error": wrong.code}
    except _FAULTS:
        return {"error": "invalid_case"}


def _schedule(spec: Mapping[str, Any]) -> Schedule:
    return Schedule.build(
        spec.get("tz", spec.get("timezone", "")),
        spec.get("week", {}),
        spec.get("dates") or {},
        holidays=spec.get("holidays"),
        makeup=spec.get("makeup"),
    )


def _due(case: Mapping[str, Any]) -> dict[str, Any]:
    return {"due": _text(_schedule(case["schedule"]).due(_instant(case["start"]), case["seconds"]))}


def _elapsed(case: Mapping[str, Any]) -> dict[str, Any]:
    return {"elapsed": _schedule(case["schedule"]).elapsed(_instant(case["start"]), _instant(case["end"]))}


def _is_open(case: Mapping[str, Any]) -> dict[str, Any]:
    return {"open": _schedule(case["schedule"]).is_open(_instant(case.get("start", case.get("at"))))}


def _next_open(case: Mapping[str, Any]) -> dict[str, Any]:
    return {"at": _text(_schedule(case["schedule"]).next_open(_instant(case.get("start", case.get("at")))))}


def _due_workdays(case: Mapping[str, Any]) -> dict[str, Any]:
    return {"due": _text(_schedule(case["schedule"]).due_workdays(_instant(case["start"]), case["days"]))}


def _story(case: Mapping[str, Any]) -> dict[str, Any]:
    """The clocks, the log and the next deadline of a story at its probe."""
    probe = _instant(case["probe"])
    settings = {"policies": case.get("policies", []), "schedules": dict(case.get("schedules", {}))}
    first = promises = _promises(settings, 0)
    rows = sorted(case.get("events", []), key=lambda row: (_instant(row.get("seen_at", row["at"])), row.get("seq", 0)))
    events, known = list[ClockEvent](), set[str]()
    for row in rows:
        event = _event(row)
        if (event.id and event.id in known) or (event.seen_at or event.at) > probe:
            continue
        known.add(event.id)
        if event.type == "policies":
            settings["policies"] = row["to"]
        if event.type == "schedule":
            settings["schedules"][row["name"]] = row["to"]
        if event.type in ("policies", "schedule"):
            promises = _promises(settings, len(events) + 1)
            event = msgspec.structs.replace(event, promises=promises)
        if not events:
            event = msgspec.structs.replace(event, attrs={**case.get("attrs", {}), **(event.attrs or {})})
        events.append(event)
    return _report(fold(events, first), promises, probe)


def _promises(settings: Mapping[str, Any], number: int) -> Promises:
    policies = settings["policies"]
    return Promises(
        policies=tuple(_policy(spec) for spec in policies),
        schedules={name: _schedule(spec) for name, spec in settings["schedules"].items()},
        ladders={spec["name"]: _ladder(spec) for spec in policies if spec.get("escalate")},
        version=f"case-{number}",
        strict=True,
    )


def _policy(spec: Mapping[str, Any]) -> DeadlinePolicy:
    mistakes: list[str] = []
    when = Condition.compile(spec.get("when") or {}, "when", mistakes, None)
    if mistakes:
        raise ConfigurationError(mistakes)
    return DeadlinePolicy(
        name=spec["name"],
        when=when,
        schedule=spec.get("schedule", ""),
        targets={metric: _target(target) for metric, target in spec.get("targets", {}).items()},
        pause={metric: tuple(statuses) for metric, statuses in (spec.get("pause") or {}).items()},
        auto_reply_counts=tuple(spec.get("auto_reply_counts") or ()),
        warn=spec.get("warn_s"),
        ladder=spec["name"] if spec.get("escalate") else "",
    )


def _target(spec: Mapping[str, Any]) -> Target:
    seconds = spec.get("s", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise InvalidTarget(f"{seconds!r} is no number of seconds")
    return Target(
        seconds=seconds,
        workdays=spec.get("workdays", spec.get("days", 0)),
        hours=spec.get("hours", "business"),
        schedule=spec.get("schedule") or "",
    )


def _ladder(spec: Mapping[str, Any]) -> Ladder:
    steps = tuple(Step(after=step.get("after_s", 0), to=str(step.get("action", ""))) for step in spec["escalate"])
    return Ladder(name=spec["name"], steps=steps)


def _event(row: Mapping[str, Any]) -> ClockEvent:
    to = row.get("to")
    return ClockEvent(
        type=row["type"],
        at=_instant(row["at"]),
        seen_at=_instant(row["seen_at"]) if row.get("seen_at") else None,
        seq=row.get("seq", 0),
        id=str(row.get("id") or ""),
        facts=_facts(row),
        to=to if isinstance(to, str) else "",
        attrs=row.get("attrs"),
        unanswered=tuple(
            Unanswered(id=str(one.get("id") or ""), at=_instant(one["at"]), facts=_facts(one))
            for one in row.get("unanswered") or ()
        ),
        ids=tuple(map(str, row.get("ids") or ())),
    )


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"channel": row["channel"]} if row.get("channel") else {}


def _report(clocks: Clocks, promises: Promises, probe: datetime) -> dict[str, Any]:
    upcoming = next_due(clocks, probe)
    return {
        "clocks": [_row(clock, promises, probe) for clock in clocks_at(clocks, promises, probe, steps=True)],
        "breaches": [
            {"metric": entry.metric, "cycle": entry.cycle, "at": _text(instant(entry.at))}
            for entry in breaches_at(clocks, promises, probe)
        ],
        "next_due": None if upcoming is None else _text(upcoming),
    }


def _row(clock: Clock, promises: Promises, probe: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {
        "metric": clock.metric,
        "cycle": clock.cycle,
        "start": _text(clock.started_at),
        "due": None if clock.due_at is None else _text(clock.due_at),
        "state": clock.state,
        "end": None if clock.ended_at is None else _text(clock.ended_at),
        "policy": clock.policy,
    }
    if clock.warn_at is not None:
        row["warn_at"] = _text(clock.warn_at)
    ladder = promises.ladders.get(clock.policy)
    if ladder is not None and clock.state in ("running", "breached"):
        row["escalations"] = [
            {"action": ladder.steps[index].to, "at": _text(at), "fired": at < probe} for index, at in clock.steps_at
        ]
    return row


def _instant(text: Any) -> datetime:
    """An aware instant of the file. Raises NaiveDatetime, ValueError."""
    at = datetime.fromisoformat(str(text))
    if at.tzinfo is None:
        raise NaiveDatetime(f"{text} has no offset; write for example 2026-03-02T10:00:00+08:00")
    return at


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_OPERATIONS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "due": _due,
    "elapsed": _elapsed,
    "is_open": _is_open,
    "next_open": _next_open,
    "due_workdays": _due_workdays,
    "sla": _story,
}
