"""How does a transaction of the ledger run, and what belongs to all of them? The store: one database with its numbers.

A transaction runs whole (`again`), once more where another node was faster. Numbers come in blocks, so that nodes never
wait for each other. All methods are plain functions that block: callers keep them off the event loop.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy import bindparam, exists, literal, select, update

from router.errors import ConfigurationError, LostOwnership, OmnirouterError
from router.seal import Sealer, create_key, load_key
from router.secret import Secret
from router.store import tables as t
from router.store.bell import Bell
from router.store.database import Database
from router.store.load import MissedLock
from router.store.statement import Statement, Tx, insert
from router.store.tables import micros
from router.store.transient import is_transient, raced, short_of
from router.store.write import LostUpdate, reserve
from router.text.secrets.redact import redact

__all__ = ["Advance", "Aside", "Store"]

_T = TypeVar("_T")
_TRIES = 8
_BLOCK = 500

_advance = Statement(
    update(t.positions)
    .where(
        t.positions.c.partition == bindparam("number"),
        t.positions.c.position == bindparam("before"),
        exists(
            select(t.leases.c.duty).where(t.leases.c.duty == bindparam("duty"), t.leases.c.fence == bindparam("token"))
        ),
    )
    .values(position=bindparam("after"), attempts=0, attempt_position=0)
)
_put_aside = insert(t.set_aside, unless_there=True)
_any_sealed = Statement(select(t.raw_keys.c.partition).limit(1))
_alive = Statement(select(literal(1)))


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """A raw (or one part of it) that is set aside: `invalid` could not be translated, `dead` not be decided,
    `announced` came without its content, which is to be fetched."""

    raw: tuple[int, int]
    item: int
    channel: str
    kind: str
    reason: str
    at: datetime
    attempts: int = 1


class Advance(msgspec.Struct, frozen=True, kw_only=True):
    """Move a partition's cursor from `before` to `after`, under the lease's fencing token."""

    partition: int
    before: int
    after: int
    fence: int


class Store:
    """The ledger: transactions, numbers, bell and sealer. `key`: where the deployment's key is kept, if anywhere."""

    def __init__(self, database: Database, *, key: Secret | None = None, sealer: Sealer | None = None) -> None:
        self.database = database
        self._key = key
        self._sealer = sealer
        self._sealer_lock = threading.Lock()
        self.bell = Bell(database)
        self._numbers = (0, 0)
        self._numbers_lock = threading.Lock()

    @property
    def sealer(self) -> Sealer:
        """What seals and opens raws. Its key is read when first asked for: who only looks at the ledger needs none.

        Raises `ConfigurationError` when the key is away.
        """
        with self._sealer_lock:
            if self._sealer is None:
                self._sealer = _sealer(self._key, self.database)
            return self._sealer

    def again(self, work: Callable[[Tx], _T]) -> _T:
        """Run a whole transaction; once more when another node was faster, the connection broke or a deadlock was
        cut."""
        for attempt in range(_TRIES):
            try:
                with self.database.write() as tx:
                    done = work(tx)
            except (LostUpdate, MissedLock):
                if attempt == _TRIES - 1:
                    raise
                continue
            except Exception as failure:
                if attempt == _TRIES - 1 or not _worth_another(failure):
                    raise
                continue
            self.bell.ring()
            return done
        raise AssertionError("unreachable")

    def reserve_numbers(self, tx: Tx, n: int) -> int:
        """`n` fresh numbers in a row. On PostgreSQL they come from blocks, so that nodes never wait for each other."""
        if self.database.dialect == "sqlite":
            return reserve(tx, "number", n)
        with self._numbers_lock:
            self._fill(n)
            low, high = self._numbers
            self._numbers = (low + n, high)
            return low

    def stock(self, n: int) -> None:
        """Have so many numbers at hand before a transaction begins: one that waits for a second connection while it
        holds its own is what a small pool of them cannot bear."""
        if self.database.dialect != "sqlite":
            with self._numbers_lock:
                self._fill(n)

    def _fill(self, n: int) -> None:
        low, high = self._numbers
        if high - low < n:
            size = max(n, _BLOCK)
            with self.database.write() as own:
                low = reserve(own, "number", size)
            self._numbers = (low, low + size)

    def put_aside(self, tx: Tx, aside: Sequence[Aside]) -> None:
        """List raws that are set aside."""
        tx.many(_put_aside, [_aside_row(one) for one in aside])

    def be_heard(self, tx: Tx) -> None:
        """Let the server hear of a transaction that is busy elsewhere."""
        tx.one(_alive)

    def move(self, tx: Tx, advance: Advance) -> None:
        """Move a partition's cursor. Raises `LostOwnership` where it, or the lease, moved meanwhile."""
        moved = tx.run(
            _advance,
            number=advance.partition,
            before=advance.before,
            after=advance.after,
            duty=f"partition:{advance.partition}",
            token=advance.fence,
        )
        if moved != 1:
            raise LostOwnership(f"Another node decides partition {advance.partition} now.")

    def close(self) -> None:
        """Close the database. Safe to call twice."""
        self.database.close()


def _worth_another(failure: Exception) -> bool:
    """Can the same transaction succeed at once? Not where something is away or short: that takes time."""
    if isinstance(failure, (OmnirouterError, OSError, MemoryError)) or short_of(failure):
        return False
    return is_transient(failure) or raced(failure)


def _aside_row(aside: Aside) -> dict[str, object]:
    return {
        "partition": aside.raw[0],
        "position": aside.raw[1],
        "item": aside.item,
        "channel": aside.channel,
        "kind": aside.kind,
        "reason": redact(aside.reason).text,
        "state": "open",
        "attempts": aside.attempts,
        "at": micros(aside.at),
    }


def _sealer(key: Secret | None, database: Database) -> Sealer:
    """The sealer of the deployment's key. An SQLite desk without a configured key makes one beside its database."""
    if key is not None:
        return Sealer(load_key(key))
    if database.dialect != "sqlite":
        raise ConfigurationError(
            'privacy.key: PostgreSQL needs a key that all nodes share; write key = "file:omnirouter.key" under '
            "[privacy] and make the file with: omnirouter init"
        )
    if database.path is None:
        return Sealer(os.urandom(32))
    path = database.path.absolute().parent / "omnirouter.key"
    if database.place is not None and not path.exists():
        path = database.place.parent / "omnirouter.key"  # the file was named by a link
    if not path.exists() or not path.stat().st_size:
        with _alone_in(path.parent):
            if not path.exists():
                _make_key(path, database)
    return Sealer(load_key(path))


def _make_key(path: Path, database: Database) -> None:
    with database.read() as tx:
        sealed = tx.one(_any_sealed)
    if sealed is not None:
        raise ConfigurationError(f"The key {path} is away, and raws are sealed with it: restore it from its copy.")
    create_key(path)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One process at a time: nobody reads a key that another is writing."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
