"""Is every raw that the log gave a number to still there, decided, or forgotten for its age?

Out: how many raws were looked at, and one line for each that is lost: its place, what is wrong, what the ledger has,
what would be right. A raw is lost when its number was given and neither its row nor the count of forgotten ones has it,
when its bytes went before it was decided, or when they went while it was set aside for a person to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, TypeAlias

from sqlalchemy import bindparam, exists, func, or_, select

from router.store import tables as t
from router.store.schema import ASIDE
from router.store.statement import Statement, Tx, among

__all__ = ["Lost", "missing"]

#: A raw's place (`PARTITION:POSITION`, or a range of positions), what is wrong, what is there, what would be right.
Lost: TypeAlias = tuple[str, str, Any, Any]

_L, _P, _R, _A = t.log_partitions.c, t.positions.c, t.raws.c, t.set_aside.c
_PAGE = 2_000
#: The raw has no key any more, so its bytes are noise.
_wiped = ~exists().where(t.raw_keys.c.partition == _R.partition, t.raw_keys.c.position == _R.position)


def _counted(*conditions: Any) -> Any:
    core = select(func.count()).where(_R.partition == _L.partition, *conditions)
    return core.correlate(t.log_partitions, t.positions).scalar_subquery()


_behind = _R.position > _P.position
#: One statement, so that what arrives meanwhile is in all of its counts or in none.
_counts = Statement(
    select(
        _L.partition,
        _L.position,
        _P.position,
        _P.forgotten,
        _counted(),
        _counted(_behind),
        _counted(_behind, _wiped),
    )
    .join(t.positions, _P.partition == _L.partition)
    .order_by(_L.partition)
)
_there = Statement(
    select(_R.position, _wiped)
    .where(_R.partition == bindparam("part"), _R.position > bindparam("after"))
    .order_by(_R.position)
    .limit(bindparam("rows"))
)
_open = Statement(
    select(_A.partition, _A.position, _R.position)
    .select_from(t.set_aside.outerjoin(t.raws, (_R.partition == _A.partition) & (_R.position == _A.position)))
    .where(among(_A.state, "open"), or_(_R.position.is_(None), _wiped))
    .order_by(_A.partition, _A.position)
)


def missing(tx: Tx) -> tuple[int, list[Lost]]:
    """The raws that the log gave numbers to, and what is lost of them."""
    given, lost = 0, []
    for partition, last, cursor, forgotten, kept, undecided, wiped in tx.rows(_counts):
        given += last
        behind = 0 if partition == ASIDE else last - cursor - undecided
        if last - forgotten - kept - behind:
            gone = f"{kept} there, {forgotten} forgotten for their age"
            lost.append((f"{partition}:*", "raws", gone, f"{last - behind} were given a number"))
        if partition != ASIDE and (behind or wiped):
            lost += _undecided(tx, partition, cursor, last)
    seen = {place for place, *_ in lost}
    for partition, position, there in tx.rows(_open):
        if f"{partition}:{position}" not in seen:
            gone = "no row" if there is None else "no bytes"
            lost.append((f"{partition}:{position}", "set aside", gone, "kept until a person has looked at it"))
    return given, lost


def _undecided(tx: Tx, partition: int, cursor: int, last: int) -> Iterator[Lost]:
    """What is lost of the raws behind a cursor, neighbours together."""
    lost: list[tuple[int, str]] = []
    after = cursor
    while after < last:
        rows = [(position, bool(wiped)) for position, wiped in tx.rows(_there, part=partition, after=after, rows=_PAGE)]
        rows = [row for row in rows if row[0] <= last]
        until = rows[-1][0] if len(rows) == _PAGE else last
        there = dict(rows)
        lost += [(p, "no row") for p in range(after + 1, until + 1) if p not in there]
        lost += [(p, "no bytes") for p, wiped in rows if wiped]
        after = until
    for (_, gone), run in groupby(enumerate(sorted(lost)), key=lambda one: (one[1][0] - one[0], one[1][1])):
        places = [position for _, (position, _) in run]
        place = f"{places[0]}" if len(places) == 1 else f"{places[0]}-{places[-1]}"
        yield f"{partition}:{place}", "undecided", gone, "kept until it is decided"
