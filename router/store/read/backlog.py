"""What waits? Raws behind the cursors, by partition, and what the lanes of the outbox have still to send.

Both in one short read, for the metrics and for whoever asks whether work stands still. No word of any message.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import func, literal_column, select

from router.store import tables as t
from router.store.database import Database
from router.store.statement import Statement
from router.store.tables import instant

__all__ = ["Backlog", "Lane", "Undecided", "backlog"]

_L, _P, _R, _O = t.log_partitions.c, t.positions.c, t.raws.c, t.outbox.c
_oldest = (
    select(_R.arrived_at)
    .where(_R.partition == _P.partition, _R.position > _P.position)
    .order_by(_R.position)
    .limit(1)
    .correlate(t.positions)
    .scalar_subquery()
)
_undecided = Statement(
    select(_P.partition, _P.position, _L.position - _P.position, _oldest)
    .join(t.log_partitions, _L.partition == _P.partition)
    .where(_P.partition >= 0, _L.position > _P.position)
    .order_by(_P.partition)
)
_partitions = Statement(select(_P.partition).where(_P.partition >= 0).order_by(_P.partition))
_lanes = Statement(
    select(_O.kind, _O.channel, func.count(), func.min(_O.created_at))
    .where(_O.state == literal_column("'pending'"))  # written out: a partial index is taken only where it is read
    .group_by(_O.kind, _O.channel)
    .order_by(_O.kind, _O.channel)
)


class Undecided(msgspec.Struct, frozen=True):
    """The raws behind one cursor: how many, and when the oldest arrived (None when there is none, or it is gone)."""

    partition: int
    cursor: int = 0
    raws: int = 0
    oldest: datetime | None = None


class Lane(msgspec.Struct, frozen=True):
    """What one lane of the outbox has to send, and when the oldest of it was queued."""

    kind: str
    channel: str
    rows: int
    oldest: datetime


class Backlog(msgspec.Struct, frozen=True):
    """What waits at one moment; every partition is named, also one of which nothing waits."""

    undecided: tuple[Undecided, ...] = ()
    lanes: tuple[Lane, ...] = ()


def backlog(database: Database) -> Backlog:
    """What waits now."""
    with database.read() as tx:
        waiting = {
            row[0]: Undecided(row[0], row[1], row[2], None if row[3] is None else instant(row[3]))
            for row in tx.rows(_undecided)
        }
        partitions = [row[0] for row in tx.rows(_partitions)]
        lanes = tuple(Lane(row[0], row[1], row[2], instant(row[3])) for row in tx.rows(_lanes))
    return Backlog(tuple(waiting.get(number, Undecided(number)) for number in partitions), lanes)
