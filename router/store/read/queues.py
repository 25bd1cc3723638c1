"""What is in a queue, in the order in which to work on it? Pages by an index, never all of it at once.

In: a queue's name. Out: what waits for the desk, by its stored place in the working order
(`router.conversation.working_order`); apart from it what is in work and waits for nobody of the desk; how much there is
of both. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import and_, bindparam, func, or_, select

from router.model import Conversation
from router.store import tables as t
from router.store.codec import CONVERSATION_COLUMNS, conversation_of
from router.store.database import Database
from router.store.statement import Statement, Tx, among

__all__ = ["pages", "sizes", "waiting"]

_PAGE = 500
#: Before every place in a working order, and every number.
_FIRST = (-(1 << 62), -1)
_C = t.conversations.c
_WORKING = among(_C.status, *t.WORKING)
_queue_sizes = Statement(
    select(_C.queue, func.count(_C.order_at), func.count()).where(_WORKING, _C.merged_into == 0).group_by(_C.queue)
)
#: After the last one of the page before: a place in the working order is unique by the number behind it.
_waiting = Statement(
    select(*CONVERSATION_COLUMNS, _C.order_at)
    .where(
        _C.queue == bindparam("line"), _C.order_at.is_not(None),
        or_(
            _C.order_at > bindparam("after", type_=t.Instant.impl()),
            and_(_C.order_at == bindparam("after", type_=t.Instant.impl()), _C.number > bindparam("behind")),
        ),
    )
    .order_by(_C.order_at, _C.number)
    .limit(bindparam("rows"))
)  # fmt: skip
_apart = Statement(
    select(*CONVERSATION_COLUMNS).where(
        _C.queue == bindparam("line"), _WORKING, _C.order_at.is_(None), _C.merged_into == 0,
        _C.number > bindparam("after"),
    )
    .order_by(_C.number)
    .limit(bindparam("rows"))
)  # fmt: skip


def sizes(database: Database) -> dict[str, tuple[int, int]]:
    """How much is in work by queue: what waits for the desk, and what does not (answered, waiting for the customer)."""
    with database.read() as tx:
        return {queue: (waiting, working - waiting) for queue, waiting, working in tx.rows(_queue_sizes)}


def waiting(tx: Tx, queue: str, *, limit: int | None = None) -> Iterator[Conversation]:
    """What waits for the desk in a queue, in working order, at most `limit`. Read in pages: a few cost a few."""
    after, left = _FIRST, limit
    while left is None or left > 0:
        size = _PAGE if left is None else min(left, _PAGE)
        rows = tx.rows(_waiting, line=queue, after=after[0], behind=after[1], rows=size)
        yield from map(conversation_of, rows)
        if len(rows) < size:
            return
        after, left = (rows[-1][-1], rows[-1][0]), None if left is None else left - size


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
