"""Which conversations are there of this kind? One page of a list that is narrowed by what its reader asks for.

In: `Wanted`, an order, a cursor. Out: a page. `work` is the working order, of what waits for the desk; `recent` has the
newest word first, of everything. Nothing here writes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, tuple_

from router.errors import Misasked
from router.store import tables as t
from router.store.codec import CONVERSATION_COLUMNS, conversation_of
from router.store.read.queues import MOST, Page, place_of
from router.store.statement import Statement, Tx, as_json, member
from router.store.tables import micros
from router.value import Value

__all__ = ["ORDERS", "Wanted", "listed"]

ORDERS = ("work", "recent")
_C = t.conversations.c
_SPECIAL = re.compile(r"([%_\\])")
_number = t.Instant.impl()


class Wanted(Value, frozen=True, kw_only=True):
    """What a list is narrowed to; what is None is not asked. `mine`: only these queues, and what `me` holds, wherever
    it is. `holder` empty: held by nobody. `since`: whose last message is not older."""

    mine: tuple[str, ...] | None = None
    me: str = ""
    queue: str | None = None
    holder: str | None = None
    status: str | None = None
    issue_type: str | None = None
    tag: str | None = None
    channel: str | None = None
    contact: int | None = None
    breached: bool | None = None
    since: datetime | None = None


_CONDITIONS: dict[str, ColumnElement[bool]] = {
    "mine": or_(member(_C.queue, "mine"), and_(_C.holder == bindparam("me"), _C.holder != "")),
    "queue": _C.queue == bindparam("queue"),
    "holder": _C.holder == bindparam("holder"),
    "status": _C.status == bindparam("status"),
    "issue_type": _C.issue_type == bindparam("issue_type"),
    "tag": _C.tags.like(bindparam("tag"), escape="\\"),
    "channel": _C.channels.like(bindparam("channel"), escape="\\"),
    "contact": _C.contact == bindparam("contact"),
    "breached": _C.breached == bindparam("breached"),
    "since": _C.last_message_at >= bindparam("since", type_=_number),
}


@cache
def _statement(order: str, asked: frozenset[str]) -> Statement:
    place = _C.order_at if order == "work" else _C.last_message_at
    here, behind = tuple_(place, _C.number), tuple_(bindparam("at", type_=_number), bindparam("behind", type_=_number))
    conditions = [_CONDITIONS[name] for name in sorted(asked)]
    if order == "work":
        core = select(*CONVERSATION_COLUMNS, place).order_by(place, _C.number)
        conditions += [_C.order_at.is_not(None), here > behind]
    else:
        core = select(*CONVERSATION_COLUMNS, place).order_by(place.desc(), _C.number.desc())
        conditions += [_C.merged_into == 0, here < behind]
    return Statement(core.where(*conditions).limit(bindparam("rows")))


def listed(tx: Tx, wanted: Wanted, *, order: str = "work", limit: int = 50, cursor: str = "") -> Page:
    """The next `limit` (at most `MOST`) behind `cursor`, which is a former page's `next`. Raises `Misasked` for another
    cursor or an unknown order."""
    if order not in ORDERS:
        raise Misasked(f"{order!r} is not an order; right would be one of: {', '.join(ORDERS)}.")
    values = _values(wanted)
    first = (-(1 << 62), -1) if order == "work" else (1 << 62, 1 << 62)
    at, behind = place_of(cursor) if cursor else first
    limit = max(1, min(limit, MOST))
    asked = frozenset(name for name in _CONDITIONS if name in values)
    rows = tx.rows(_statement(order, asked), at=at, behind=behind, rows=limit + 1, **values)
    return _page(rows, limit)


def _page(rows: Sequence[Sequence[Any]], limit: int) -> Page:
    some = rows[:limit]
    goes_on = f"{some[-1][-1]}.{some[-1][0]}" if len(rows) > limit else ""
    return Page(conversations=tuple(conversation_of(row) for row in some), next=goes_on)


def _values(wanted: Wanted) -> dict[str, Any]:
    """The parameters of what is asked."""
    values: dict[str, Any] = {
        name: getattr(wanted, name)
        for name in ("queue", "holder", "status", "issue_type", "contact", "breached")
        if getattr(wanted, name) is not None
    }
    if wanted.mine is not None:
        values |= {"mine": list(wanted.mine), "me": wanted.me}
    for name in ("tag", "channel"):
        if (word := getattr(wanted, name)) is not None:
            values[name] = _holding(word)
    if wanted.since is not None:
        values["since"] = micros(wanted.since)
    return values


def _holding(word: str) -> str:
    """What a JSON list that holds this word is like."""
    return "%" + _SPECIAL.sub(r"\\\1", as_json(word)) + "%"

