"""How does the desk do? Volume, first reply, breaches and chases, by channel, queue, issue type and agent.

In: the store, the present instant, from when on conversations count. Out: plain figures. The first reply is from a
customer's first message to the first answer of a person after it, in wall seconds; p50 and p90 are nearest ranks. A
conversation belongs to the channel of its first message, its present queue and type, and the agent who answered first.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, func, select

from router.deadlines.fold import Promises, clocks_at, from_json
from router.store import tables as t
from router.store.codec import CONVERSATION_COLUMNS, conversation_of
from router.store.read import merges, queries
from router.store.read.history import history_until, looked_at
from router.store.statement import Statement, member
from router.store.store import Store
from router.store.tables import micros

__all__ = ["report"]

_M, _C = t.messages.c, t.conversations.c
_OF_PEOPLE = and_(member(_M.conversation, "numbers"), _M.automatic.is_(False), _M.kind != "status")
_heard = (
    select(
        _M.conversation, _M.sent_at, _M.channel,
        func.count().over(partition_by=_M.conversation).label("messages"),
        func.row_number().over(partition_by=_M.conversation, order_by=(_M.sent_at, _M.number)).label("place"),
    )
    .where(_OF_PEOPLE, _M.direction == "in")
    .subquery()
)  # fmt: skip
#: A line a conversation: when and where a customer's first message came, and how many there are.
_asked = Statement(
    select(_heard.c.conversation, _heard.c.sent_at, _heard.c.channel, _heard.c.messages).where(_heard.c.place == 1)
)
_answered = Statement(
    select(_M.conversation, _M.sent_at, _M.agent).where(_OF_PEOPLE, _M.direction == "out").order_by(_M.number)
)
_conversations_page = Statement(
    select(*CONVERSATION_COLUMNS)
    .where(_C.number > bindparam("after"), _C.opened_at >= bindparam("since", type_=t.Instant.impl()))
    .order_by(_C.number)
    .limit(bindparam("rows"))
)
_PAGE = 2_000
DIMENSIONS = ("channel", "queue", "issue_type", "agent")


class Course(msgspec.Struct):
    """How a conversation went: messages of the customer, his first, the first answer after it and who gave it."""

    messages: int = 0
    channel: str = ""
    asked: int = 0
    answers: list[tuple[int, str]] = []

    def first_answer(self) -> tuple[int, str] | None:
        """The first answer of a person to a message of the customer: seconds in microseconds, agent."""
        later = [answer for answer in self.answers if self.asked and answer[0] >= self.asked]
        return min(later, default=None)


class Figures(msgspec.Struct):
    """What is counted of one value of a dimension."""

    messages: int = 0
    conversations: int = 0
    breaches: int = 0
    chases: int = 0
    waits: list[float] = []

    def shown(self) -> dict[str, Any]:
        """The figures for people and programs."""
        return {
            "messages": self.messages,
            "conversations": self.conversations,
            "answered": len(self.waits),
            "first_reply_p50": _rank(self.waits, 0.5),
            "first_reply_p90": _rank(self.waits, 0.9),
            "breaches": self.breaches,
            "chases": self.chases,
        }


def report(store: Store, promises: Promises, now: datetime, *, since: datetime | None = None) -> dict[str, Any]:
    """The figures of the conversations opened since then (None: all of them)."""
    until = history_until(store.database)
    total, by = Figures(), {name: defaultdict[str, Figures](Figures) for name in DIMENSIONS}
    for page in _pages(store, _conversations_page, since=0 if since is None else micros(since)):
        found = [c for c in map(conversation_of, page) if not c.merged_into]
        courses = _courses(store, [c.number for c in found])
        for c in found:
            course = courses.get(c.number, Course())
            answer = course.first_answer()
            clocks = clocks_at(from_json(c.clocks), promises, looked_at(c, promises, now, until))
            breaches = sum(clock.breached_at is not None for clock in clocks)
            agent = answer[1] if answer else ""
            values = (course.channel, c.queue, c.issue_type, agent)
            for figures in (total, *(by[name][value] for name, value in zip(DIMENSIONS, values, strict=True))):
                figures.messages += course.messages
                figures.conversations += 1
                figures.breaches += breaches
                figures.chases += c.chases
                if answer:
                    figures.waits.append((answer[0] - course.asked) / 1e6)
    return {
        "since": queries.utc(since),
        "total": total.shown(),
        "by": {
            name: [{"name": value, **figures.shown()} for value, figures in sorted(found.items())]
            for name, found in by.items()
        },
    }


def _courses(store: Store, numbers: Sequence[int]) -> dict[int, Course]:
    """How these conversations went, with what was merged into them."""
    courses: defaultdict[int, Course] = defaultdict(Course)
    with store.database.read() as tx:
        parts = merges.families(tx, numbers)
        root = merges.of_conversations(tx, parts)
        asked, answered = tx.rows(_asked, numbers=parts), tx.rows(_answered, numbers=parts)
    for number, at, channel, messages in sorted(asked):
        course = courses[root.get(number, number)]
        course.messages += messages
        if not course.asked or at < course.asked:
            course.asked, course.channel = at, channel
    for number, at, agent in answered:
        courses[root.get(number, number)].answers.append((at, agent))
    return courses


def _pages(store: Store, statement: Statement, **values: Any) -> Iterable[list[tuple[Any, ...]]]:
    after = -1
    while True:
        with store.database.read() as tx:
            rows = tx.rows(statement, after=after, rows=_PAGE, **values)
        if not rows:
            return
        yield rows
        after = rows[-1][0]


def _rank(values: Sequence[float], share: float) -> float | None:
    """The nearest rank; None for no values."""
    return round(sorted(values)[math.ceil(share * len(values)) - 1], 3) if values else None
