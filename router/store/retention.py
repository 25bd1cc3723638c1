"""What is old enough to be forgotten, and what must stay all the same?

Ages (`[retention]`) count from the newest arrival or from now, whichever is earlier, so that a clock that is ahead
makes nothing old. A raw goes by its arrival, never by the message's own date, and only behind its partition's cursor
and without an open entry of what was set aside; how many went is counted beside the cursor, so that `audit` knows a
raw that was forgotten from one that is lost. What only relates reports of the same time goes with that time
(`forget_markers`). All is deleted in pages, each a transaction of its own. Blocking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from sqlalchemy import bindparam, delete, exists, func, literal_column, or_, select, tuple_, update

from router.store import tables as t
from router.store.erasing import delete_conversations
from router.store.read import queries
from router.store.schema import ASIDE
from router.store.statement import Statement, Tx, among, member
from router.store.store import Store
from router.store.tables import instant, micros

__all__ = ["KINDS", "Ages", "forget", "forget_markers", "horizon"]

_R, _P, _A, _D, _O, _T, _C = (
    t.raws.c, t.positions.c, t.set_aside.c, t.decisions.c, t.outbox.c, t.attempts.c, t.conversations.c,
)  # fmt: skip
_K = t.markers.c
_PAGE = 500
_before = bindparam("before", type_=t.Instant.impl())

_newest_raw = Statement(
    select(func.max(_R.arrived_at)).join(
        t.log_partitions,
        (t.log_partitions.c.partition == _R.partition) & (t.log_partitions.c.position == _R.position),
    )
)
_newest_decision = Statement(select(_D.decided_at).order_by(_D.message.desc()).limit(1))
_partitions = Statement(select(t.log_partitions.c.partition).order_by(t.log_partitions.c.partition))
_decided = or_(
    _R.partition == ASIDE,
    _R.position <= select(_P.position).where(_P.partition == bindparam("part")).scalar_subquery(),
)
_raws = Statement(
    select(_R.position, _R.arrived_at)
    .where(_R.partition == bindparam("part"), _R.position > bindparam("after"), _decided)
    .order_by(_R.position)
    .limit(bindparam("rows"))
)
_open = exists().where(_A.partition == _R.partition, _A.position == _R.position, among(_A.state, "open"))
_forget_raws = Statement(
    delete(t.raws).where(
        _R.partition == bindparam("part"), member(_R.position, "numbers"), _R.arrived_at < _before, _decided, ~_open
    )
)
_forget_keys = Statement(
    delete(t.raw_keys).where(
        t.raw_keys.c.partition == bindparam("part"), member(t.raw_keys.c.position, "numbers"),
        ~exists().where(_R.partition == t.raw_keys.c.partition, _R.position == t.raw_keys.c.position),
    )
)  # fmt: skip
_count = Statement(
    update(t.positions)
    .where(_P.partition == bindparam("part"))
    .values(forgotten=_P.forgotten + bindparam("more", type_=t.Instant.impl()))
)
_decisions = Statement(
    select(_D.message, _D.decided_at).where(_D.message > bindparam("after")).order_by(_D.message).limit(
        bindparam("rows")
    )
)  # fmt: skip
_forget_decisions = Statement(delete(t.decisions).where(member(_D.message, "numbers")))
_outgoing = Statement(
    select(_O.id, _O.created_at, _O.kind, _O.state, _O.due_at, _O.body.like(literal_column("'%\"content\":%'")))
    .where(_O.id > bindparam("after"))
    .order_by(_O.id)
    .limit(bindparam("rows"))
)
_forget_outgoing = Statement(delete(t.outbox).where(member(_O.id, "numbers"), ~among(_O.state, "pending", "sending")))
_forget_attempts_of = Statement(delete(t.attempts).where(member(_T.outbox, "numbers")))
_attempts = Statement(
    select(_T.outbox, _T.attempt, _T.started_at, _T.ended_at)
    .where(_T.outbox > bindparam("after"))
    .order_by(_T.outbox, _T.attempt)
    .limit(bindparam("rows"))
)
_forget_attempts = Statement(
    delete(t.attempts).where(member(_T.outbox, "numbers"), _T.ended_at.is_not(None), _T.ended_at < _before)
)
#: Markers of a kind that the rules look at for a while, the oldest first. (The condition is that of the kind's index.)
_passing = {
    kind: Statement(
        delete(t.markers).where(
            tuple_(_K.key, _K.conversation).in_(
                select(_K.key, _K.conversation)
                .where(func.substr(_K.key, literal_column("1"), literal_column("5")) == literal_column(f"'{kind}:'"),
                       _K.at < _before)
                .order_by(_K.at)
                .limit(bindparam("rows"))
            )
        )
    )
    for kind in ("text", "type")
}  # fmt: skip
_forget_repeats = Statement(delete(t.idempotency).where(t.idempotency.c.at < _before))
#: Those kinds of markers.
KINDS = tuple(_passing)
_closed = Statement(
    select(_C.number)
    .where(among(_C.status, "closed"), _C.merged_into == 0, _C.closed_at.is_not(None), _C.closed_at < _before)
    .order_by(_C.number)
    .limit(bindparam("rows"))
)
#: What is done with: a reply once it was sent, events and notices also once they were given up.
_SENT = frozenset({"sent", "delivered", "read"})
_GIVEN_UP = _SENT | {"failed"}


class Ages(Protocol):
    """How long each is kept; None is for ever. (`router.policy.values.Retention` is one.)"""

    @property
    def raws(self) -> timedelta | None: ...
    @property
    def decisions(self) -> timedelta | None: ...
    @property
    def events(self) -> timedelta | None: ...
    @property
    def idempotency(self) -> timedelta | None: ...
    @property
    def attempts(self) -> timedelta | None: ...
    @property
    def outbox(self) -> timedelta | None: ...
    @property
    def files(self) -> timedelta | None: ...
    @property
    def conversations(self) -> timedelta | None: ...


def horizon(store: Store, now: datetime) -> datetime:
    """The instant that ages count from: now, or the newest arrival where the clock is ahead of it."""
    with store.database.read() as tx:
        known = [row[0] for row in (tx.one(_newest_raw), tx.one(_newest_decision)) if row is not None and row[0]]
    return min(now, instant(max(known))) if known else now


def forget(store: Store, ages: Ages, now: datetime) -> dict[str, int]:
    """Delete what is older than these ages say; how many rows of which kind went. Safe to repeat and to interrupt.

    The caller answers for the clock: nothing may be forgotten while it is in doubt.
    """
    since = horizon(store, now)

    def before(age: timedelta | None) -> int | None:
        return None if age is None else micros(since - age)

    gone = {"raws": _old_raws(store, before(ages.raws)), "decisions": _old_decisions(store, before(ages.decisions))}
    gone |= _old_outgoing(store, before(ages.outbox), before(ages.events), before(ages.files))
    gone["attempts"] = _old_attempts(store, before(ages.attempts))
    repeats = before(ages.idempotency)
    gone["idempotency"] = 0 if repeats is None else _run(store, _forget_repeats, before=repeats)
    gone["conversations"] = _old_conversations(store, before(ages.conversations), now)
    return {kind: count for kind, count in gone.items() if count}


def forget_markers(store: Store, within: Mapping[str, timedelta | None], now: datetime) -> int:
    """Delete the markers by which nothing can be related any more: those of words, and those of a type and a rare
    word. `within` says for each kind how long it relates (None: for ever). How many went. Safe to repeat and to
    interrupt; the clock is the caller's, as in `forget`."""
    since, gone = horizon(store, now), 0
    for kind, statement in _passing.items():
        age, page = within.get(kind), _PAGE
        while age is not None and page == _PAGE:
            page = _run(store, statement, before=micros(since - age), rows=_PAGE)
            gone += page
    return gone


def _old_raws(store: Store, before: int | None) -> int:
    if before is None:
        return 0
    with store.database.read() as tx:
        partitions = [row[0] for row in tx.rows(_partitions)]
    gone = 0
    for partition in partitions:
        for rows in _pages(store, _raws, 1, before, part=partition):
            old = [position for position, _ in rows]
            gone += store.again(partial(_delete_raws, partition=partition, positions=old, before=before))
    return gone


def _delete_raws(tx: Tx, partition: int, positions: Sequence[int], before: int) -> int:
    gone = tx.run(_forget_raws, part=partition, numbers=positions, before=before)
    if gone:
        tx.run(_forget_keys, part=partition, numbers=positions)
        tx.run(_count, part=partition, more=gone)
    return gone


def _old_decisions(store: Store, before: int | None) -> int:
    if before is None:
        return 0
    pages = _pages(store, _decisions, 1, before)
    return sum(_run(store, _forget_decisions, numbers=[row[0] for row in rows]) for rows in pages)


def _old_outgoing(store: Store, outbox: int | None, events: int | None, files: int | None) -> dict[str, int]:
    """Rows of the outbox that are done with. One that holds a file goes by the age of files."""
    latest = max((at for at in (outbox, events, files) if at is not None), default=None)
    gone = {"events": 0, "outbox": 0}
    if latest is None:
        return gone
    for rows in _pages(store, _outgoing, 1, latest):
        done: dict[str, list[int]] = {"events": [], "outbox": []}
        for row, _, kind, state, settled, holds_file in rows:
            before = events if kind == "event" else files if holds_file else outbox
            if before is not None and settled < before and state in (_SENT if kind == "reply" else _GIVEN_UP):
                done["events" if kind == "event" else "outbox"].append(row)
        for what, numbers in done.items():
            gone[what] += store.again(partial(_delete_outgoing, numbers=numbers)) if numbers else 0
    return gone


def _delete_outgoing(tx: Tx, numbers: Sequence[int]) -> int:
    tx.run(_forget_attempts_of, numbers=numbers)
    return tx.run(_forget_outgoing, numbers=numbers)


def _old_attempts(store: Store, before: int | None) -> int:
    if before is None:
        return 0
    gone = 0
    for rows in _pages(store, _attempts, 2, before):
        numbers = sorted({row[0] for row in rows})
        gone += _run(store, _forget_attempts, numbers=numbers, before=before)
    return gone


def _old_conversations(store: Store, before: int | None, now: datetime) -> int:
    """Closed conversations, with all that was made of them and of those that were merged into them."""
    gone = 0
    while before is not None:
        with store.database.read() as tx:
            found = [row[0] for row in tx.rows(_closed, before=before, rows=_PAGE // 10)]
        for number in found:
            store.again(partial(_delete_family, number=number, now=now))
        gone += len(found)
        if not found:
            break
    return gone


def _delete_family(tx: Tx, number: int, now: datetime) -> None:
    delete_conversations(tx, queries.family(tx, number), now)


def _run(store: Store, statement: Statement, **values: Any) -> int:
    return store.again(lambda tx: tx.run(statement, **values))


def _pages(store: Store, statement: Statement, at: int, before: int, **values: Any) -> Iterator[list[tuple[Any, ...]]]:
    """The old rows (their column `at` says when), a page at a time in the order in which they came; a page with younger
    ones is the last."""
    after = -1
    while True:
        with store.database.read() as tx:
            rows = tx.rows(statement, after=after, rows=_PAGE, **values)
        found = [row for row in rows if row[at] < before]
        if found:
            yield found
        if len(found) < len(rows) or len(rows) < _PAGE:
            return
        after = rows[-1][0]
