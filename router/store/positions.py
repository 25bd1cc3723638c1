"""How far is a partition decided, and did its last owner leave it in the middle? The cursor's row, and its marks.

In: a transaction, a partition's number, the fencing token of its lease. Each change raises `LostOwnership` when another
node holds the lease. The cursor itself moves with the effects of a batch (`router.store.store`).
"""

from __future__ import annotations

import msgspec
from sqlalchemy import bindparam, exists, select, update

from router.errors import LostOwnership
from router.store import tables as t
from router.store.statement import Statement, Tx

__all__ = ["Place", "mark_attempt", "mark_clean", "mark_dirty", "place"]

_P = t.positions.c
_where = _P.partition == bindparam("number")
_held = exists(
    select(t.leases.c.duty).where(t.leases.c.duty == bindparam("duty"), t.leases.c.fence == bindparam("token"))
)
_place = Statement(
    select(_P.position, _P.inside, _P.dirty, _P.single_steps, _P.attempt_position, _P.attempts).where(_where)
)
_mark_dirty = Statement(update(t.positions).where(_where, _held).values(dirty=True, single_steps=bindparam("steps")))
_mark_clean = Statement(update(t.positions).where(_where, _held).values(dirty=False, single_steps=0))
_attempt = Statement(
    update(t.positions).where(_where, _held).values(attempt_position=bindparam("at"), attempts=bindparam("count"))
)


class Place(msgspec.Struct, frozen=True):
    """Where a partition's cursor stands: behind `position`, and of the next raw behind the parts below the index
    `inside`. `dirty`: its owner works or died; `single_steps` are then left; `attempts` at `attempt_position`."""

    position: int
    inside: int
    dirty: bool
    single_steps: int
    attempt_position: int
    attempts: int


def place(tx: Tx, partition: int) -> Place:
    """Where the cursor of a partition stands. Raises `LostOwnership` where there is no such partition."""
    row = tx.one(_place, number=partition)
    if row is None:
        raise LostOwnership(f"The ledger has no partition {partition}.")
    return Place(*row)


def mark_dirty(tx: Tx, partition: int, fence: int, steps: int) -> None:
    """Somebody works on it from now on; after `steps` single steps by the batch."""
    _mark(tx, _mark_dirty, partition, fence, steps=steps)


def mark_clean(tx: Tx, partition: int, fence: int) -> None:
    """Nothing is under way."""
    _mark(tx, _mark_clean, partition, fence)


def mark_attempt(tx: Tx, partition: int, fence: int, position: int, count: int) -> None:
    """The raw at `position` is tried for the `count`th time."""
    _mark(tx, _attempt, partition, fence, at=position, count=count)


def _mark(tx: Tx, statement: Statement, partition: int, fence: int, **values: int) -> None:
    if tx.run(statement, number=partition, duty=f"partition:{partition}", token=fence, **values) != 1:
        raise LostOwnership(f"Another node decides partition {partition} now.")
