"""Only data buries: whatever the surroundings do to a node while it decides, nothing is lost, nothing is set aside, and
everything is decided once when it is over."""

from __future__ import annotations

import contextlib
import errno
import resource
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from platforms.node import CONFIGURATION, Node
from platforms.wire import Wire
from sqlalchemy import exc, text

from router.errors import (
    ConfigurationError,
    InvalidPayload,
    LogFull,
    LostOwnership,
    SchemaMismatch,
    Undecidable,
    Unreachable,
)
from router.policy.load import from_text
from router.policy.values import Policy
from router.store import is_transient
from router.store.load import LOCKS, Wants, load
from router.store.statement import Statement, Tx
from workers.daemon.decide import Partition

HERE = Path(__file__).parent
WORDS = "转账没到账"


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> Policy:
    """A desk with the fragile channel."""
    monkeypatch.syspath_prepend(HERE)
    return from_text(CONFIGURATION, folder=HERE)


@pytest.fixture
def node(ledger_url: str, policy: Policy) -> Iterator[Node]:
    """A node on a fresh ledger."""
    made = Node(ledger_url, policy)
    yield made
    made.store.close()


@pytest.fixture
def wire(postgresql: Any) -> Iterator[Wire]:
    """A wire to the PostgreSQL server of this run."""
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        made = Wire(Path(folder), postgresql.empty())
        yield made
        made.close()


class Both:
    """A ledger with a node before it (`direct`) and one that reaches it over a wire (`far`)."""

    def __init__(self, url: str, wire: Wire, policy: Policy) -> None:
        self.direct = Node(url, policy)
        self.far = Node(wire.through(url), policy)

    async def append(self, *bodies: str) -> None:
        """Append raws, over the sound way."""
        await self.direct.append(*bodies)
        self.far.number = self.direct.number


@pytest.fixture
def both(postgresql: Any, wire: Wire, policy: Policy) -> Iterator[Both]:
    """Two nodes of one ledger, one of them over the wire."""
    made = Both(postgresql.fresh(), wire, policy)
    yield made
    made.far.store.close()
    made.direct.store.close()


# ── which errors pass ──


def _sqlite(code: int, words: str = "words") -> sqlite3.Error:
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    return error


def _state(state: str) -> psycopg.Error:
    return psycopg.errors.lookup(state)("words")


def _from(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


PASSING = [
    Unreachable("away"), LostOwnership("moved"), LogFull("full"), OSError("away"), OSError(errno.EMFILE, "too many"),
    OSError(errno.ENOSPC, "full"), ConnectionResetError(), TimeoutError(), MemoryError(), exc.TimeoutError("the pool"),
    exc.DisconnectionError("gone"), psycopg.OperationalError("consuming input failed"),
    psycopg.InterfaceError("the connection is closed"),
    *map(_state, (
        "08006", "08P01", "25006", "25P02", "25P03", "26000", "40001", "40P01", "53100", "53200", "53300", "55P03",
        "57P01", "57P02", "57P03", "57014", "58030", "XX000", "42P05",
    )),
    exc.OperationalError("SELECT", {}, psycopg.errors.AdminShutdown("words")),
    *map(_sqlite, (5, 6, 7, 8, 10, 13, 14, 261, 266, 522, 778)),
    sqlite3.ProgrammingError("Cannot operate on a closed database."), Undecidable(3, OSError(errno.EMFILE, "too many")),
    Undecidable(0, MemoryError()), _from(InvalidPayload("no adapter"), OSError(errno.EMFILE, "too many")),
    _from(ConfigurationError("no model"), MemoryError()),
]  # fmt: skip
OF_DATA = [
    ValueError("words"), RecursionError(), RuntimeError("a defect"), InvalidPayload("junk"), Undecidable(0, KeyError()),
    SchemaMismatch("behind"), ConfigurationError("no key"), OSError(errno.EOVERFLOW, "a date too large"),
    OSError(errno.ENAMETOOLONG, "a name too long"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "junk"),
    _from(InvalidPayload("an impossible date"), OSError(errno.EOVERFLOW, "too large")),
    *map(_state, ("22021", "22P02", "23505", "23514", "54000", "42P01")),
    psycopg.ProgrammingError("cannot adapt type 'complex'"), psycopg.DataError("a NUL"),
    sqlite3.ProgrammingError("Error binding parameter 1"), _sqlite(19), _sqlite(1, "no such column: x"),
]  # fmt: skip


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_trying_again_may_help(error: BaseException) -> None:
    """Connections, locks, memory, disk, descriptors, a server that starts, stops or only reads."""
    assert is_transient(error)


@pytest.mark.parametrize("error", OF_DATA, ids=repr)
def test_what_the_data_is_to_blame_for(error: BaseException) -> None:
    """Bytes that mean nothing, values that no column takes, defects of our own: it would fail for ever."""
    assert not is_transient(error)


# ── the connection breaks ──


async def test_the_connection_is_cut_at_each_statement(both: Both, wire: Wire) -> None:
    """PostgreSQL hears nothing of the n-th thing that a decide says: at each n the raw is decided once. So it is where
    the commit is made and nobody hears of it."""
    await both.append("u-0 first")
    owned = both.far.own()
    both.far.decide(owned)
    statements = 0
    while not statements or wire.cuts:
        statements += 1
        owned = await _cut_at(both, wire, owned, statements)
    assert statements > 15
    unheard = 0
    for n in range(statements - 6, statements):  # the commit is one of them; now and then a decide says one thing less
        owned = await _cut_at(both, wire, owned, n, answered=True)
        unheard += wire.cuts
    assert unheard >= 3
    both.direct.each_once(1 + statements + 6)


async def _cut_at(both: Both, wire: Wire, owned: Partition, n: int, *, answered: bool = False) -> Partition:
    await both.append(f"u-{n % 5} 第 {n} 句 {answered}")
    wire.cut_at(n, answered=answered)
    both.far.decide_at_last(owned)
    if not wire.cuts:
        wire.cut_at(0)
    return both.far.own()


async def test_an_sqlite_connection_is_closed_at_each_statement(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's connection breaks before the n-th statement, or after it (at the commit too): decided once each."""
    node = Node(f"sqlite:///{tmp_path}/desk.db", policy)
    said, at = 0, [0, False]

    def breaking(real: Callable[..., Any]) -> Callable[..., Any]:
        def run(self: Tx, *given: Any) -> Any:
            nonlocal said
            said += 1
            for after in (False, True):
                done = real(self, *given) if after else None
                if said == at[0] and after == at[1]:
                    connection = self._cursor.connection
                    self._cursor.close()  # an open cursor would keep its lock on the file
                    connection.close()
            return done

        return run

    monkeypatch.setattr(Tx, "_execute", breaking(Tx._execute))
    monkeypatch.setattr(Tx, "many", breaking(Tx.many))
    await node.append("u-0 first")
    owned, messages = node.own(), 1
    for after in (False, True):
        for n in range(1, 200):
            await node.append(f"u-1 {n} {WORDS}\nu-{n} {WORDS} {n}", f"u-2 还没到 {n}")
            said, at = 0, [n, after]
            passed = node.decide_at_last(owned)
            at, messages = [0, False], messages + 3
            if not passed and said < n:
                break
        assert 15 < n < 199
    node.each_once(messages)
    node.store.close()


async def test_an_outage_that_ends_at_any_moment(both: Both, wire: Wire) -> None:
    """The server takes no connections any more, and is back after the n-th that asked: while a batch is tried, halved
    or looked through for culprits. It stays whole, and is decided when the server is back."""
    await both.append("u-0 first")
    owned = both.far.own()
    both.far.decide(owned)
    for n in range(1, 14):
        await both.append(*(f"u-{n}-{i} {WORDS}" for i in range(20)))
        wire.refuse = n
        wire.cut()
        assert both.far.decide_at_last(owned) > 0
        assert wire.refuse == 0
    both.direct.each_once(1 + 13 * 20)


async def test_a_failover_that_only_reads(both: Both, postgresql: Any) -> None:
    """For some seconds the server takes connections and changes nothing: nothing is decided and nothing set aside; the
    connections to it are given up, so that another server of the address is found."""
    await both.append(*(f"u-{i} {WORDS}" for i in range(40)))
    owned, name = both.far.own(), both.direct.store.database.url.database
    ends = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608
    postgresql.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    postgresql.run(ends)
    seen: list[str] = []

    def mended(failure: Exception) -> None:
        seen.append(type(failure).__name__)
        if len(seen) == 5:
            postgresql.run(f"ALTER DATABASE {name} SET default_transaction_read_only = off")

    both.far.decide_at_last(owned, mended)
    assert seen.count("ReadOnlySqlTransaction") >= 4
    both.direct.each_once(40)


# ── something is short ──


@contextlib.contextmanager
def _no_descriptors() -> Iterator[None]:
    """No file and no connection can be opened in this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("words", [WORDS, "!file"], ids=["deciding", "translating"])
async def test_no_descriptor_is_left(node: Node, words: str) -> None:
    """Strangers hold every descriptor while a batch is translated and decided: it waits for them."""
    await node.append(*(f"u-{i} {WORDS}" for i in range(30)), words, *(f"u-{i} 还没到" for i in range(30)))
    owned = node.own()
    entries = node.log.read_now(node.number, owned.position, 200)
    node.store.database.engine.dispose()
    with _no_descriptors():
        for _ in range(3):
            with pytest.raises(Exception) as failure:
                owned.decide(entries, lambda: entries[0].raw.received_at)
            assert is_transient(failure.value)
    node.decide(owned)
    node.each_once(61)


async def test_no_memory_is_left_for_one(node: Node) -> None:
    """A raw for which there is no memory at the moment stays where it is; what came before it is decided at once."""
    from fragile import Fragile

    await node.append("u-1 before", "!hungry", "u-2 after")
    owned = node.own()
    Fragile.hungry = 2
    assert node.decide_at_last(owned, lambda _: None) == 1
    node.each_once(3)


async def test_a_ledger_that_is_broken_for_everyone_buries_nobody(node: Node) -> None:
    """A table is gone: no message can be decided, so none of them is to blame. Back again, all are decided."""
    await node.append(*(f"u-{i} {WORDS}" for i in range(10)))
    owned = node.own()
    with node.store.database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE decisions RENAME TO elsewhere"))
    with pytest.raises(Exception, match="decisions"):
        node.decide(owned)
    with node.store.database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO decisions"))
    node.decide(owned)
    node.each_once(10)


# ── locks of PostgreSQL ──


def _names(count: int, prefix: str = "n") -> Wants:
    return Wants(keys=frozenset(("mail", f"{prefix}{i}@x") for i in range(count)))


_held = Statement(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"))


@pytest.mark.parametrize("names", [1, 400, 20_000])
async def test_no_batch_takes_more_locks(both: Both, names: int) -> None:
    """However many references the messages of a batch have, its locks are bounded."""
    with both.direct.store.database.write() as tx:
        load(tx, _names(names), 1)
        row = tx.one(_held)
        assert row is not None
        assert min(names, 1024) <= row[0] <= LOCKS


@pytest.mark.parametrize(("one", "other"), [(3, 3), (3, 20_000), (20_000, 3), (20_000, 20_000)])
async def test_batches_with_a_name_in_common_never_meet(both: Both, one: int, other: int) -> None:
    """Whatever the sizes: who names the same waits for the other's commit; small ones without a common name do not."""
    mine, theirs = both.direct.store.database, both.far.store.database
    with mine.write() as tx:
        load(tx, _names(one), 1)
        if (one, other) == (3, 3):
            with theirs.write() as second:
                load(second, _names(3, "other"), 1)
        with theirs.write() as second:
            second.one(Statement(text("SELECT set_config('lock_timeout', '50', true)")))
            with pytest.raises(psycopg.errors.LockNotAvailable):
                load(second, _names(other), 1)


async def test_a_server_without_locks_gets_smaller_batches(both: Both, postgresql: Any) -> None:
    """Somebody else holds nearly every lock of the server: batches are halved until they fit, and nothing is dead."""
    from structlog.testing import capture_logs

    await both.append("u-0 first")
    owned = both.direct.own()
    both.direct.decide(owned)
    await both.append(*(f"v-{i} {WORDS}" for i in range(100)))
    address = both.direct.store.database.url.set(drivername="postgresql").render_as_string()
    with psycopg.connect(address, autocommit=True) as glutton:
        with pytest.raises(psycopg.errors.OutOfMemory):
            glutton.execute("SELECT pg_advisory_lock(1, g) FROM generate_series(1, 1000000) g")
        glutton.execute("SELECT pg_advisory_unlock(1, g) FROM generate_series(1, 250) g")
        with capture_logs() as said:
            both.direct.decide_at_last(owned)
    assert {line["raise_setting"] for line in said if line["event"] == "decide.halved"} == {"max_locks_per_transaction"}
    both.direct.each_once(101)
