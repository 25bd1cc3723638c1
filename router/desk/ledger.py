"""What does every use case of the desk work on? The ledger: a store with the policy that decides in it.

`Ledger.open` opens both. Use cases are functions over it (`router.desk.take_in`, `router.desk.acts`,
`router.desk.duties`): each loads what it needs, decides purely and writes one `Change`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property

from router.conversation.working_order import DEFAULT_WAIT, order_at
from router.model import Conversation
from router.policy.values import Policy
from router.seal import Sealer
from router.store import schema
from router.store.change import Change
from router.store.database import Database
from router.store.statement import Tx
from router.store.store import Store
from router.store.write import write

__all__ = ["Ledger", "database_of"]


def database_of(policy: Policy, url: str | None = None, *, make: bool = True) -> Database:
    """The database of a desk, or the one at `url` reached in the same way."""
    return Database(url or policy.database_url(), make=make, pooled=policy.desk_pooled, listen=policy.listen_url())


class Ledger(Store):
    """A store with the policy of its desk."""

    def __init__(self, database: Database, policy: Policy, sealer: Sealer | None = None) -> None:
        super().__init__(database, key=policy.privacy.key, sealer=sealer)
        self.policy = policy

    @classmethod
    def open(cls, policy: Policy, *, url: str | None = None, create: bool = False, make: bool = True) -> Ledger:
        """Open the ledger; a fresh SQLite file is created, unless `make` is False. Raises `Unreachable`,
        `SchemaMismatch`, `ConfigurationError`, and `NotFound` for a file that is not there and not to be made."""
        database = database_of(policy, url, make=make)
        database.require_folder()
        if not make:
            database.require()
        schema.ensure(database, partitions=policy.partitions, create=create)
        return cls(database, policy)

    @cached_property
    def reply_keys(self) -> Mapping[int, bytes]:
        """The keys that sign reply addresses, by their number."""
        return {1: self.sealer.derive("reply address")}

    def receivers(self, type_: str) -> tuple[str, ...]:
        """The addresses that the policy tells of events of this type."""
        return tuple(target.url for target in self.policy.events if not target.types or type_ in target.types)

    def place_of(self, c: Conversation) -> datetime | None:
        """A conversation's place in the working order of its queue."""
        return order_at(c, self.wait_in(c.queue))

    def wait_in(self, queue: str) -> timedelta:
        """How long a queue lets wait where nothing is promised."""
        found = self.policy.queues.get(queue)
        return DEFAULT_WAIT if found is None else found.default_wait

    def change(self, *, history: bool = False) -> Change:
        """An empty change of this desk; `history`: of recorded messages."""
        return Change(self.place_of, history=history)

    def write(self, tx: Tx, change: Change, now: datetime) -> None:
        """Write a change, its events last. Raises `LostUpdate`."""
        write(tx, change, now, self.receivers)
