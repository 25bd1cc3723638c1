"""How much time is left for an answer, in words?

In: a deadline, the present instant, the schedule in whose hours it runs (None: at any hour) and a language. Out: a few
words for the people of the desk, in Chinese or English, in hours and minutes of that schedule.
"""

from __future__ import annotations

from datetime import datetime

from router.deadlines.calendar import Schedule

__all__ = ["remaining_words"]


def remaining_words(due: datetime | None, now: datetime, schedule: Schedule | None = None, language: str = "en") -> str:
    """For example 还剩 1 小时 20 分(工作时间), or `1 h 20 min left (business time)`; None is a paused clock.

    Counts whole minutes of the schedule's open time, rounded down. Languages that begin with zh get Chinese, all
    others English. Raises NaiveDatetime.
    """
    chinese = language.startswith("zh")
    if due is None:
        return "已暂停" if chinese else "paused"
    early, late = (now, due) if now <= due else (due, now)
    seconds = (late - early).total_seconds() if schedule is None else schedule.elapsed(early, late)
    span = _chinese(int(seconds) // 60) if chinese else _english(int(seconds) // 60)
    if chinese:
        return f"{'还剩' if now <= due else '已超时'} {span}{'' if schedule is None else '(工作时间)'}"
    return f"{span} {'left' if now <= due else 'overdue'}{'' if schedule is None else ' (business time)'}"


def _chinese(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    if not minutes:
        return "不到 1 分"
    return " ".join(part for part in (f"{hours} 小时" if hours else "", f"{rest} 分" if rest else "") if part)


def _english(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    if not minutes:
        return "less than 1 min"
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest else "") if part)
