"""What do the clocks say at an instant, and what is due to be done about them?

In: the clocks of a conversation, the promises, an instant. Out: rows for people and exports, the next deadline, the
next instant at which something fires, and what fires now, each once and in order (rules: deadlines, 10, 16 to 18).

An instant is past when it lies before now: at the very deadline a clock is neither met nor breached, so what is due at
t wakes the timekeeper at t plus a microsecond.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec.structs import replace

from router.deadlines.calendar import Schedule, instant, microseconds
from router.deadlines.clocks import Breach, Clock, Clocks, Firing, Pledge, Run
from router.deadlines.promise import PROVIDER, Ladder, Promises, Step, Target
from router.deadlines.replies import awaited
from router.deadlines.span import reach, warning_of
from router.deadlines.transitions import Draft
from router.deadlines.zone import SECOND
from router.errors import NoOpenTime

__all__ = ["LATE_AFTER", "breaches_at", "clocks_at", "firings", "next_due", "next_wake"]

#: A firing is late when it is this many seconds past its time.
LATE_AFTER = 60
_WARNED = 1
_KINDS = ("warning", "breach", "step")


def clocks_at(clocks: Clocks, promises: Promises, now: datetime, *, steps: bool = False) -> tuple[Clock, ...]:
    """The clocks as they stand at `now`, in the order in which they began; one that was promised nothing is left out.

    A clock whose answer is still on its way runs on, and nothing of it fires. `now` is not before the last event.
    `steps` adds when open ones warn and escalate. Raises NaiveDatetime.
    """
    moment = microseconds(now)
    coming = awaited(clocks)
    return tuple(
        _row(run, lead, clocks.log, promises, moment, steps, under_way=run.end in coming)
        for run in clocks.runs
        if (lead := run.lead) is not None
    )


def breaches_at(clocks: Clocks, promises: Promises, now: datetime) -> tuple[Breach, ...]:
    """The log of breaches as it stands at `now`, oldest first."""
    return _ticked(clocks, promises, microseconds(now)).log


def next_due(clocks: Clocks, now: datetime | None = None) -> datetime | None:
    """The earliest deadline of the running clocks that is not past at `now` (None: at the last event)."""
    moment = clocks.seen or 0 if now is None else microseconds(now)
    found = [
        lead.due
        for run in clocks.runs
        if not run.state and (lead := run.lead) is not None and lead.due is not None and lead.due >= moment
    ]
    return instant(min(found)) if found else None


def next_wake(clocks: Clocks, promises: Promises, after: datetime) -> datetime | None:
    """The first instant from `after` on at which `firings` has something to say; None if never."""
    floor = microseconds(after)
    if any(not entry.told for entry in clocks.log):
        return instant(floor)
    first: int | None = None
    for run in clocks.runs:
        if not run.state and (lead := run.lead) is not None and lead.due is not None:
            if not run.breached and (first is None or lead.due < first):
                first = lead.due
            for _, at, _ in _unfired(run, lead, clocks, promises):
                if first is None or at < first:
                    first = at
    return None if first is None else instant(max(first + 1, floor))


def firings(clocks: Clocks, promises: Promises, now: datetime) -> tuple[tuple[Firing, ...], Clocks]:
    """What is due at `now` and has not fired yet, in order of its time, and the clocks that know it has.

    Store both in one transaction and each fires once, whatever crashes. After an outage all missed steps come, marked
    late; warnings and steps of a clock that ended meanwhile do not, its breach record does. A ladder moves a
    conversation to a queue once only; a step that would move it there again is over in silence. Raises
    NaiveDatetime.
    """
    moment = microseconds(now)
    ticked = _ticked(clocks, promises, moment)
    found = [_breach(entry, ticked, promises, moment) for entry in ticked.log if not entry.told]
    moves, runs = list(clocks.moves), []
    for run in ticked.runs:
        lead = None if run.state else run.lead
        for bit, at, step in sorted(_unfired(run, lead, ticked, promises), key=lambda one: one[:2]) if lead else ():
            if at >= moment or lead is None:
                continue
            run = replace(run, fired=run.fired | bit)
            if step is not None and step.do == "move":
                if step.queue in moves:
                    continue
                moves.append(step.queue)
            found.append(_firing(run, lead, bit, at, step, promises, moment))
        runs.append(run)
    found.sort(key=lambda one: (one.at, _KINDS.index(one.kind), one.index, one.metric))
    log = tuple(entry if entry.told else replace(entry, told=True) for entry in ticked.log)
    return tuple(found), replace(ticked, runs=tuple(runs), log=log, moves=tuple(moves))


def _ticked(clocks: Clocks, promises: Promises, now: int) -> Clocks:
    """The clocks with everything logged that is past at `now`, re-targeted if their configuration is another."""
    same = clocks.version == promises.edition
    if clocks.gone or (same and all(run.state or run.breached for run in clocks.runs)):
        return clocks
    draft = Draft(clocks, promises, now)
    draft.log_overdue()
    if not same:
        draft.learn(None, None)
        draft.log_overdue(known_now=True)
    return replace(clocks, runs=tuple(draft.runs), log=tuple(draft.log), version=promises.edition)


def _target(run: Run, lead: Pledge, promises: Promises) -> tuple[Target | None, Schedule | None, str]:
    """The target behind a pledge, with its schedule and the schedule's name."""
    policy = promises.policy(lead.policy)
    target = None if policy is None else policy.targets.get(run.metric)
    if policy is None or target is None:
        return None, None, ""
    schedule = promises.schedule_of(policy, target)
    return target, schedule, "" if schedule is None else target.schedule or policy.schedule


def _row(
    run: Run, lead: Pledge, log: tuple[Breach, ...], promises: Promises, now: int, steps: bool, under_way: bool
) -> Clock:
    _, schedule, name = _target(run, lead, promises)
    state = run.state
    if under_way and state in ("met", "late") and run.metric != "resolution":
        state, run = "breached" if state == "late" else "running", replace(run, end=None)
    elif not state:
        state = "paused" if lead.due is None else "breached" if lead.due < now else "running"
    coming = list(_instants(run, lead, promises)) if steps and not run.state else []
    paused = sum(until - since for since, until in lead.pauses)
    if lead.paused is not None:
        paused += max(0, (now if run.end is None else run.end) - lead.paused)
    logged = [entry.at for entry in log if entry.metric == run.metric and entry.cycle == run.cycle]
    if not logged and state == "breached" and lead.due is not None:
        logged = [lead.due]
    return Clock(
        metric=run.metric,
        cycle=run.cycle,
        started_at=instant(run.start),
        due_at=None if lead.due is None else instant(lead.due),
        state=state,
        ended_at=None if run.end is None else instant(run.end),
        policy=lead.policy,
        schedule=name,
        paused_seconds=paused // SECOND,
        breached_at=instant(logged[0]) if logged else None,
        provisional=bool(schedule is not None and lead.due is not None and schedule.provisional_at(lead.due)),
        warn_at=next((instant(at) for _, at, step in coming if step is None), None),
        steps_at=tuple((bit.bit_length() - 2, instant(at)) for bit, at, step in coming if step is not None),
    )


def _instants(run: Run, lead: Pledge, promises: Promises) -> Iterator[tuple[int, int, Step | None]]:
    """The warning (step None) and the ladder's steps of an open clock with a deadline: their bit and instant."""
    due = lead.due
    if due is None:
        return
    if lead.policy == PROVIDER:
        if promises.window_warn < lead.window:
            yield _WARNED, due - promises.window_warn * SECOND, None
        return
    target, schedule, _ = _target(run, lead, promises)
    policy = promises.policy(lead.policy)
    if policy is None or target is None:
        return
    try:
        if policy.warn is not None:
            warn = warning_of(target, schedule, policy.warn, lead.at, due, lead.pauses, lead.paused)
            if warn is not None:
                yield _WARNED, warn, None
        for index, step in enumerate(_steps(promises.ladders.get(policy.ladder), run.metric)):
            later = tuple(pause for pause in lead.pauses if pause[1] > due)
            at = reach(schedule, due, step.after * SECOND, later, lead.paused) if step.after else due
            if at is not None:
                yield _WARNED << (index + 1), at, step
    except NoOpenTime:
        return


def _steps(ladder: Ladder | None, metric: str) -> tuple[Step, ...]:
    return ladder.steps if ladder is not None and (not ladder.on or metric in ladder.on) else ()


def _unfired(run: Run, lead: Pledge, clocks: Clocks, promises: Promises) -> Iterator[tuple[int, int, Step | None]]:
    if not clocks.gone:
        for bit, at, step in _instants(run, lead, promises):
            if not run.fired & bit:
                yield bit, at, step


def _breach(entry: Breach, clocks: Clocks, promises: Promises, now: int) -> Firing:
    """The record of a breach, with how late the answer is up to now, or was when the clock ended."""
    run = next(r for r in clocks.runs if r.metric == entry.metric and r.cycle == entry.cycle)
    end = now if run.end is None else run.end
    policy = promises.policy(entry.policy)
    target = None if policy is None else policy.targets.get(entry.metric)
    schedule = None if policy is None or target is None else promises.schedule_of(policy, target)
    late = max(0, end - entry.due)
    return Firing(
        kind="breach",
        metric=entry.metric,
        cycle=entry.cycle,
        at=instant(entry.at),
        due_at=instant(entry.due),
        key=f"{entry.metric}.{entry.cycle}.breach.{entry.at}",
        policy=entry.policy,
        policy_version=entry.version,
        late=now - entry.at > LATE_AFTER * SECOND,
        wall_seconds=late // SECOND,
        business_seconds=(late if schedule is None else schedule.open_between(entry.due, end)) // SECOND,
    )


def _firing(run: Run, lead: Pledge, bit: int, at: int, step: Step | None, promises: Promises, now: int) -> Firing:
    policy = promises.policy(lead.policy)
    index = bit.bit_length() - 2
    return Firing(
        kind="warning" if step is None else "step",
        metric=run.metric,
        cycle=run.cycle,
        at=instant(at),
        due_at=instant(lead.due or at),
        key=f"{run.metric}.{run.cycle}.{run.version}.{'warning' if step is None else index}",
        policy=lead.policy,
        policy_version=promises.version,
        late=now - at > LATE_AFTER * SECOND,
        index=index,
        step=step,
        ladder="" if policy is None or step is None else policy.ladder,
    )
