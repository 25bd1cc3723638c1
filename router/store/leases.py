"""Who does which duty? A lease: one holder a duty, until an instant of the database's clock, with a fencing token.

Duties: `partition:N` (decide it), `channel:NAME` (read its source), `send:NAME`, `timekeeper`, `node:ID` (is alive).
Whoever takes a lease gets a higher token; work under an older token is refused where it is written. Blocking
functions over a `Tx`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, delete, func, literal_column, or_, select, update

from router.store import tables as t
from router.store.database import Database
from router.store.statement import Statement, Tx, insert_into

__all__ = ["LEASE_SECONDS", "Lease", "Leases"]

LEASE_SECONDS = 15
_L = t.leases.c
_number = t.Instant.impl()

_take = Statement(
    insert_into(t.leases)
    .values(duty=bindparam("name"), holder=bindparam("who"), fence=1, until=bindparam("end", type_=_number))
    .on_conflict_do_update(
        index_elements=["duty"],
        set_={"holder": bindparam("who"), "fence": _L.fence + 1, "until": bindparam("end", type_=_number)},
        where=or_(_L.until < bindparam("present", type_=_number), _L.holder == ""),
    )
    .returning(_L.fence)
)
_renew = Statement(
    update(t.leases)
    .where(_L.duty == bindparam("name"), _L.holder == bindparam("who"), _L.fence == bindparam("token"))
    .values(until=bindparam("end", type_=_number))
)
_release = Statement(
    update(t.leases)
    .where(_L.duty == bindparam("name"), _L.holder == bindparam("who"), _L.fence == bindparam("token"))
    .values(holder="", until=0)
)
_alive = Statement(select(func.count()).where(_L.duty.like("node:%"), _L.until >= bindparam("present", type_=_number)))
_expire_all = Statement(update(t.leases).values(holder="", until=0))
_forget_nodes = Statement(
    delete(t.leases).where(_L.duty.like("node:%"), _L.until < bindparam("present", type_=_number))
)
_clock = Statement(select(literal_column("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")))


class Lease(msgspec.Struct, frozen=True):
    """A duty that this node holds, with its fencing token."""

    duty: str
    fence: int


class Leases:
    """The leases that one node takes, renews and gives back. `node` names it; two nodes never have the same name."""

    def __init__(self, database: Database, node: str) -> None:
        self._database = database
        self.node = node

    def take(self, duty: str) -> Lease | None:
        """Take a duty that nobody holds (or whose holder's time is over); None when somebody does."""
        with self._database.write() as tx:
            present = _now(tx)
            row = tx.one(_take, name=duty, who=self.node, present=present, end=present + LEASE_SECONDS * 1_000_000)
        return None if row is None else Lease(duty, int(row[0]))

    def renew(self, leases: Sequence[Lease]) -> list[Lease]:
        """Renew leases; the ones that are lost are left out of the answer."""
        kept = []
        with self._database.write() as tx:
            end = _now(tx) + LEASE_SECONDS * 1_000_000
            for lease in leases:
                if tx.run(_renew, name=lease.duty, who=self.node, token=lease.fence, end=end) == 1:
                    kept.append(lease)
        return kept

    def release(self, leases: Sequence[Lease]) -> None:
        """Give duties back, so that another node need not wait."""
        with self._database.write() as tx:
            for lease in leases:
                tx.run(_release, name=lease.duty, who=self.node, token=lease.fence)

    def live_nodes(self) -> int:
        """How many nodes are alive; forgets the dead ones."""
        with self._database.write() as tx:
            present = _now(tx)
            tx.run(_forget_nodes, present=present)
            row = tx.one(_alive, present=present)
        return int(row[0]) if row else 0

    def take_over(self) -> None:
        """All former holders are dead (the caller holds the file's daemon lock): nobody waits for their time to end."""
        with self._database.write() as tx:
            tx.run(_expire_all)


def _now(tx: Tx) -> int:
    if tx.dialect == "sqlite":
        return time.time_ns() // 1000
    row = tx.one(_clock)
    return int(row[0]) if row else 0
