"""What becomes of a conversation that has gone quiet: a reminder, then solved, then closed; and when?

In: a conversation, since when nobody has said anything, whether the customer was reminded, the policy, the present
instant. Out: what is due now, and when to look again. Working days are those of the conversation's channel; a reminder
never comes at night (rules: configuration, [closing]; deadlines, pitfalls). Pure.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from router.deadlines.calendar import Schedule
from router.errors import ScheduleError
from router.model import Conversation, Status
from router.policy.units import Span
from router.policy.values import Policy, in_language
from router.value import Value

__all__ = ["Due", "due", "look_at", "reminder"]

#: A reminder comes at the time of day of the desk's last word; so many days are tried for an open one.
_DAYS = 30


class Due(Value, frozen=True, kw_only=True):
    """What is due now, if anything, and when to look again, if ever."""

    do: Literal["", "remind", "solve", "close"] = ""
    again_at: datetime | None = None


def reminder(conversation: Conversation, policy: Policy) -> str:
    """The reminder in the customer's language; empty when the desk has written none."""
    return in_language(policy.closing.texts, conversation.language)


def look_at(conversation: Conversation, policy: Policy) -> datetime | None:
    """The first instant at which something can be due, as far as the conversation itself tells; None if never."""
    if conversation.status is Status.SOLVED and conversation.solved_at is not None:
        return _after(policy.closing.close_after, conversation.solved_at, conversation, policy)
    if conversation.status is not Status.PENDING:
        return None
    since = quiet_since(conversation, None)
    solve = _after(policy.closing.solve_after, since, conversation, policy)
    if not reminder(conversation, policy):
        return solve
    remind = _after(policy.closing.remind_after, since, conversation, policy)
    return min((at for at in (remind, solve) if at is not None), default=None)


def quiet_since(conversation: Conversation, pending_at: datetime | None) -> datetime:
    """Since when nobody has said anything: the last word of desk or customer, or when it was set to wait for him."""
    said = (conversation.last_out_at, conversation.last_in_at, pending_at)
    return max((at for at in said if at is not None), default=conversation.opened_at)


def due(
    conversation: Conversation, policy: Policy, now: datetime, *, since: datetime, reminded_at: datetime | None = None
) -> Due:
    """What is due at `now` in a conversation that is quiet `since` then, and when to look again.

    A customer is reminded before his conversation is solved: after an outage he still has the time in between.
    """
    closing = policy.closing
    if conversation.status is Status.SOLVED:
        end = _after(closing.close_after, conversation.solved_at or since, conversation, policy)
        return _reached(end, now, "close")
    if conversation.status is not Status.PENDING:
        return Due()
    solve = _after(closing.solve_after, since, conversation, policy)
    remind = _by_day(closing.remind_after, since, conversation, policy) if reminder(conversation, policy) else None
    if remind is None or (solve is not None and remind >= solve):
        return _reached(solve, now, "solve")
    if reminded_at is None:
        return _reached(remind, now, "remind")
    if solve is not None and reminded_at > remind:
        solve += reminded_at - remind
    return _reached(solve, now, "solve")


def _reached(at: datetime | None, now: datetime, do: Literal["remind", "solve", "close"]) -> Due:
    if at is None or at > now:
        return Due(again_at=at)
    return Due(do=do)


def _after(span: Span, start: datetime, conversation: Conversation, policy: Policy) -> datetime | None:
    """The end of a span: seconds by the wall clock, working days by the schedule; None where it never comes."""
    if not span.workdays:
        return start + timedelta(seconds=span.seconds)
    try:
        return _schedule(conversation, policy).due_workdays(start, span.workdays)
    except ScheduleError:
        return None


def _by_day(span: Span, start: datetime, conversation: Conversation, policy: Policy) -> datetime | None:
    """The end of a span at an hour at which the desk may speak: never at midnight, where working days end."""
    end = _after(span, start, conversation, policy)
    if end is None:
        return None
    schedule, zone = _schedule(conversation, policy), ZoneInfo(policy.timezone)
    if not span.workdays:
        return end if schedule.is_open(end) else _next_open(schedule, end)
    spoken = start.astimezone(zone).time()
    for day in range(_DAYS):
        date = end.astimezone(zone).date() + timedelta(days=day)
        at = datetime.combine(date, spoken, zone).astimezone(end.tzinfo)
        if at >= end and schedule.is_open(at):
            return at
    return _next_open(schedule, end)


def _next_open(schedule: Schedule, at: datetime) -> datetime | None:
    try:
        return schedule.next_open(at)
    except ScheduleError:
        return None


def _schedule(conversation: Conversation, policy: Policy) -> Schedule:
    """The hours of the channel that the conversation came to last; without any, Monday to Friday."""
    name = policy.channel(conversation.channels[-1]).schedule if conversation.channels else ""
    return policy.schedule(name) if name else _weekdays(policy.timezone)


@lru_cache(maxsize=8)
def _weekdays(timezone: str) -> Schedule:
    return Schedule.build(timezone, {"weekdays": [["00:00", "24:00"]]})
