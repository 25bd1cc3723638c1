"""One node without a daemon: it appends to the log, owns the partition of its channel, and decides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from router.desk import Ledger
from router.errors import LostOwnership
from router.policy.values import Policy
from router.ports import Raw
from router.seal import Sealer
from router.store import Database, is_transient, schema
from router.store import tables as t
from router.store.leases import Leases
from router.store.log import Log
from router.store.set_aside import listed
from workers.daemon.channels import Channels
from workers.daemon.decide import BATCH, Decided, Partition

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
#: The private adapter `fragile` lies beside the tests of the daemon.
CONFIGURATION = """
[desk]
timezone = "Asia/Shanghai"
[channels.lines]
adapter = "fragile:Fragile"
[[queues]]
name = "general"
[defaults]
queue = "general"
"""


class Node:
    """One node that owns the partition of the channel `lines`."""

    def __init__(self, url: str, policy: Policy, name: str = "here", store: Ledger | None = None) -> None:
        self.store = store or Ledger(Database(url), policy, Sealer(b"k" * 32))
        schema.ensure(self.store.database)
        self.channels = Channels(policy, self.store.database)
        self.log = Log(self.store.database, self.store.sealer, 16)
        self.leases = Leases(self.store.database, name)
        self.number = -1
        self._appended = 0

    async def append(self, *bodies: str | bytes, history: bool = False) -> list[int]:
        """Append one raw a body; their positions."""
        raws = []
        for body in bodies:
            self._appended += 1
            written = body if isinstance(body, bytes) else body.encode()
            raws.append(
                Raw(channel="lines", body=written, received_at=NOW, transport_id=f"r{self._appended}", history=history)
            )
        places = await self.log.append(raws)
        self.number = places[0][0]
        return [position for _, position in places]

    def own(self) -> Partition:
        """Take the partition, as a node does when its former owner's time is over."""
        self.leases.take_over()
        lease = self.leases.take(f"partition:{self.number}")
        assert lease is not None
        return Partition(self.store, self.channels, self.number, lease.fence)

    def decide(self, partition: Partition) -> Decided:
        """Decide all that the log holds."""
        done = Decided()
        while entries := self.log.read_now(self.number, partition.position, BATCH):
            done += partition.decide(entries, lambda: NOW)
        return done

    def decide_at_last(self, partition: Partition, waiting: Callable[[Exception], object] = lambda _: None) -> int:
        """Decide all that the log holds as a daemon does: what passes is tried again (after `waiting`, which may mend
        it), and who lost his place takes it anew. How often something passed."""
        passed = 0
        while True:
            try:
                self.decide(partition)
                return passed
            except Exception as failure:
                passed += 1
                if not is_transient(failure) or passed > 200:
                    raise
                waiting(failure)
                if isinstance(failure, LostOwnership):
                    partition = self.own()

    def each_once(self, count: int) -> None:
        """There are so many messages, each decided once, and nothing is set aside."""
        assert self.rows("set_aside") == []
        assert len(self.rows("messages")) == count
        assert sorted(row["message"] for row in self.rows("decisions")) == sorted(
            row["number"] for row in self.rows("messages")
        )

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of a table."""
        with self.store.database.engine.connect() as connection:
            return [dict(row) for row in connection.execute(t.metadata.tables[name].select()).mappings()]

    def texts(self) -> list[str]:
        """What was stored, sorted."""
        return sorted(row["text"] for row in self.rows("messages"))

    def aside(self) -> list[tuple[int, int, str, str]]:
        """What was set aside: position, item, kind, reason."""
        return sorted(
            (int(one["raw"].split(":")[1]), one["item"], one["kind"], one["reason"]) for one in listed(self.store)
        )

    def cursor(self) -> int:
        """How far the partition is decided."""
        return next(row["position"] for row in self.rows("positions") if row["partition"] == self.number)
