"""What is in a queue, in the order in which to work on it? Pages and counts by an index, never all of it at once.

In: queues' names. Out: what waits for the desk, by its stored place in the working order
(`router.conversation.working_order`), of one queue or of several as one list; apart from it what is in work and waits
for nobody of the desk; how much there is of both, and how it stands. Nothing here writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, bindparam, func, literal_column, or_, select, text, tuple_

from router.errors import Misasked
from router.model import Conversation
from router.store import tables as t
from router.store.codec import CONVERSATION_COLUMNS, conversation_of, maybe_instant
from router.store.database import Database
from router.store.statement import Statement, Tx, member
from router.store.tables import micros
from router.value import Value

__all__ = ["MOST", "Count", "Page", "counts", "page", "pages", "place_of", "sizes", "waiting"]

#: Conversations that are asked for at once, at most.
MOST = 200
#: What is due so soon is told apart.
SOON = timedelta(minutes=15)
_PAGE = 500
#: A first page is small: who looks for the next to do mostly finds it there.
_FEW = 20
#: Before every place in a working order, and every number.
_FIRST = (-(1 << 62), -1)
_CURSOR = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,18})", re.ASCII)
_C = t.conversations.c
_NONE: ColumnElement[str] = literal_column("''")
_ZERO: ColumnElement[int] = literal_column("0")
_waiting_sizes = Statement(select(_C.queue, func.count()).where(_C.order_at.is_not(None)).group_by(_C.queue))
#: What is in work and waits for nobody, written out as the index has it: SQLite takes it for nothing else.
_WORKING = _C.status.in_([literal_column(f"'{status}'") for status in t.WORKING])
_APART = and_(_WORKING, _C.order_at.is_(None), _C.merged_into == _ZERO)
_apart_sizes = Statement(select(_C.queue, func.count()).where(_APART).group_by(_C.queue))
_soon = bindparam("soon", type_=t.Instant.impl())
_present = bindparam("present", type_=t.Instant.impl())
_counts = Statement(
    select(
        _C.queue,
        func.count(),
        func.count().filter(_C.next_due > _present, _C.next_due <= _soon),
        func.count().filter(or_(_C.breached, _C.next_due < _present)),
        func.count().filter(_C.holder != _NONE),
        func.min(_C.waiting_since),
    )
    .where(_C.order_at.is_not(None))
    .group_by(_C.queue)
)
#: After the last one of the page before: a place in the working order is unique by the number behind it.
_behind = tuple_(_C.order_at, _C.number) > tuple_(
    bindparam("after", type_=t.Instant.impl()), bindparam("behind", type_=t.Instant.impl())
)
_waiting = Statement(
    select(*CONVERSATION_COLUMNS, _C.order_at)
    .where(_C.queue == bindparam("line"), _C.order_at.is_not(None), _behind)
    .order_by(_C.order_at, _C.number)
    .limit(bindparam("rows"))
)
_apart = Statement(
    select(*CONVERSATION_COLUMNS).where(_C.queue == bindparam("line"), _APART, _C.number > bindparam("after"))
    .order_by(_C.number)
    .limit(bindparam("rows"))
)  # fmt: skip
_NEXT = (
    "SELECT x.number, x.order_at FROM conversations AS x WHERE x.queue = {line} AND x.order_at IS NOT NULL "
    "AND (x.order_at, x.number) > (:after, :behind) ORDER BY x.order_at, x.number LIMIT :rows"
)
#: The next of several queues as one list: the next of each, and of these the first.
_places = Statement(
    text(
        "SELECT c.number, c.order_at FROM unnest(CAST(:lines AS text[])) AS one (line) "  # noqa: S608  (constants)
        f"CROSS JOIN LATERAL ({_NEXT.format(line='one.line')}) AS c ORDER BY c.order_at, c.number LIMIT :rows"
    ),
    sqlite=text(
        "SELECT c.number, c.order_at FROM json_each(:lines) AS one CROSS JOIN conversations AS c "  # noqa: S608
        f"WHERE c.number IN (SELECT number FROM ({_NEXT.format(line='one.value')})) "
        "ORDER BY c.order_at, c.number LIMIT :rows"
    ),
)
_by_number = Statement(select(*CONVERSATION_COLUMNS).where(member(_C.number, "numbers")))


class Count(Value, frozen=True, kw_only=True):
    """How a queue stands: what waits for the desk, and of that what is due within `SOON`, what has missed a promise
    and what somebody holds; since when the oldest waits (UTC); what is in work and waits for nobody of the desk."""

    waiting: int = 0
    due_soon: int = 0
    breached: int = 0
    held: int = 0
    oldest: datetime | None = None
    apart: int = 0


class Page(Value, frozen=True, kw_only=True):
    """Some of a list, and where it goes on: `next` is empty at the end."""

    conversations: tuple[Conversation, ...] = ()
    next: str = ""


def counts(tx: Tx, now: datetime) -> dict[str, Count]:
    """How each queue stands in which something is in work, counted on the index alone."""
    apart = dict(tx.rows(_apart_sizes))
    found = {queue: Count(apart=n) for queue, n in apart.items()}
    for queue, waits, soon, breached, held, oldest in tx.rows(_counts, present=micros(now), soon=micros(now + SOON)):
        found[queue] = Count(
            waiting=waits, due_soon=soon, breached=breached, held=held, oldest=maybe_instant(oldest),
            apart=apart.get(queue, 0),
        )  # fmt: skip
    return found


def sizes(database: Database) -> dict[str, tuple[int, int]]:
    """How much is in work by queue: what waits for the desk, and what does not (answered, waiting for the customer)."""
    with database.read() as tx:
        waits, apart = dict(tx.rows(_waiting_sizes)), dict(tx.rows(_apart_sizes))
    return {queue: (waits.get(queue, 0), apart.get(queue, 0)) for queue in sorted({*waits, *apart})}


def page(tx: Tx, queues: Sequence[str], *, limit: int = 50, cursor: str = "") -> Page:
    """The next `limit` (at most `MOST`) of what waits in these queues, as one list in working order, behind `cursor`,
    which is a former page's `next`. Each queue costs a look at its own index. Raises `Misasked` for another cursor."""
    after, behind = place_of(cursor) if cursor else _FIRST
    limit = max(1, min(limit, MOST))
    rows = tx.rows(_places, lines=list(dict.fromkeys(queues)), after=after, behind=behind, rows=limit + 1)
    places = rows[:limit]
    states = {row[0]: conversation_of(row) for row in tx.rows(_by_number, numbers=[row[0] for row in places])}
    goes_on = f"{places[-1][1]}.{places[-1][0]}" if len(rows) > limit else ""
    return Page(conversations=tuple(states[number] for number, _ in places if number in states), next=goes_on)


def place_of(cursor: str) -> tuple[int, int]:
    """Where a list goes on: a place in its order and the number behind it. Raises `Misasked`."""
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise Misasked(f"{cursor[:40]!r} is no cursor of this list; right would be the `next` of a page.")
    return int(found[1]), int(found[2])


def waiting(tx: Tx, queue: str, *, limit: int | None = None) -> Iterator[Conversation]:
    """What waits for the desk in a queue, in working order, at most `limit`. Read in pages: a few cost a few."""
    after, left, size = _FIRST, limit, _FEW
    while left is None or left > 0:
        size = size if left is None else min(left, size)
        rows = tx.rows(_waiting, line=queue, after=after[0], behind=after[1], rows=size)
        yield from map(conversation_of, rows)
        if len(rows) < size:
            return
        after, left = (rows[-1][-1], rows[-1][0]), None if left is None else left - size
        size = min(4 * size, _PAGE)


def pages(database: Database, queue: str, *, apart: bool = False, page: int = _PAGE) -> Iterator[list[Conversation]]:
    """What waits for the desk in a queue, in working order; `apart`: what is in work there and does not, oldest first.
    Page by page; no transaction outlives a page."""
    after = _FIRST
    while True:
        with database.read() as tx:
            if apart:
                rows = tx.rows(_apart, line=queue, after=after[1], rows=page)
            else:
                rows = tx.rows(_waiting, line=queue, after=after[0], behind=after[1], rows=page)
        if rows:
            yield [conversation_of(row) for row in rows]
        if len(rows) < page:
            return
        after = (rows[-1][-1], rows[-1][0])
