"""What does the ledger know of the time? When the desk last believed its clock, and what the database's own clock says.

The last look at a clock that was believed is one fact: the wall clock, the machine's steady clock and the boot that
the steady one counts from, so that a later start on the same boot can tell a jump from an outage. An operator's
confirmation is written in the same place. Blocking functions over a `Database`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from sqlalchemy import bindparam, literal_column, select

from router.store import tables as t
from router.store.database import Database
from router.store.statement import Statement, insert_into
from router.store.tables import instant

__all__ = ["Mark", "database_time", "last_mark", "put_mark", "utc_now"]

_NAME = "clock"
_read = Statement(select(t.facts.c.value).where(t.facts.c.name == _NAME))
_put = Statement(
    insert_into(t.facts)
    .values(name=_NAME, value=bindparam("mark"))
    .on_conflict_do_update(index_elements=["name"], set_={"value": bindparam("mark")})
)
_clock = Statement(select(literal_column("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")))


def utc_now() -> datetime:
    """The present instant by the wall clock."""
    return datetime.now(UTC)


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """At `steady` seconds of this `boot` the wall clock stood at `wall` and was believed; by the daemon, or by an
    operator. `held`: since then it was in doubt, and nobody has ended that."""

    boot: str
    wall: datetime
    steady: float
    held: bool = False
    by: str = "daemon"


def last_mark(database: Database) -> Mark | None:
    """The last look; None before the first."""
    with database.read() as tx:
        row = tx.one(_read)
    return None if row is None else msgspec.json.decode(row[0], type=Mark)


def put_mark(database: Database, mark: Mark) -> None:
    """Write down a look."""
    text = msgspec.json.encode(mark).decode()
    with database.write() as tx:
        tx.run(_put, mark=text)


def database_time(database: Database) -> datetime | None:
    """The clock of the database's own machine; None where that is ours (SQLite)."""
    if database.dialect == "sqlite":
        return None
    with database.read() as tx:
        row = tx.one(_clock)
    return None if row is None else instant(row[0])
