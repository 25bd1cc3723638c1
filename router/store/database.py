"""How are transactions opened on SQLite and on PostgreSQL? `Database` gives `write()` and `read()`, each one `Tx`.

SQLite: WAL, synchronous=FULL, one writer at a time. A writer queues at a turnstile (a lock file beside the database,
released once inside), so that a busy daemon cannot starve a command. All its files are its owner's alone (mode
600), and what is deleted is overwritten. PostgreSQL: a small pool of psycopg connections that no silent server holds
(router.store.patience). Both run in plain threads; callers keep them off the event loop.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from router import private
from router.errors import ConfigurationError, NotFound, Unreachable
from router.store.patience import KEEPALIVE, OPTIONS, connection_class
from router.store.statement import Tx
from router.store.turnstile import Turnstile

__all__ = ["Database", "Scrubbed"]

_WAL_LIMIT = 32 << 20
_BUSY_MS = 20_000
_CHECKPOINT_MS = 100
#: Seconds that a writer waits at the turnstile.
_TURN_SECONDS = 10.0
_EMPTY_MS = 5_000
#: Bytes of a file that is written anew after an erasure; with more it would keep everybody waiting.
_COMPACTED = 256 << 20
#: What stands beside an SQLite file, after its name.
_ENDINGS = ("", "-wal", "-shm", "-turnstile", "-daemon", "-bell")
#: SQLSTATE of a change on a server that only reads.
_READ_ONLY = "25006"
#: What each PostgreSQL connection sets, whatever the server's own configuration says: with `synchronous_commit` off a
#: crash of the server loses what was acknowledged.
_PG_SETTINGS = {"synchronous_commit": "on", **OPTIONS}
_PG_OPTIONS = " ".join(f"-c {name}={value}" for name, value in _PG_SETTINGS.items())
#: The same behind a transaction pooler: a session is nobody's own, so each transaction says it for itself.
_PG_PRELUDE = "; ".join(f"SET LOCAL {name} = {value}" for name, value in _PG_SETTINGS.items() if "tcp" not in name)
#: An address with several hosts.
_HOSTS = re.compile(
    r"(?P<before>postgres(?:ql)?(?:\+\w+)?://(?:[^/@]*@)?)(?P<hosts>[^/?@]*,[^/?@]*)/?(?P<name>[^?]*)(?:\?(?P<query>.*))?"
)


class Scrubbed(NamedTuple):
    """Was the file written anew, and its write-ahead log emptied? Neither while another program reads on."""

    compacted: bool
    log_emptied: bool


class Database:
    """One SQL database. `dialect` is `sqlite` or `postgresql`; `path` is the SQLite file as it was named, `place` what
    that leads to through links, both None for the others. A missing file is made only where `make` says so.

    `pooled`: a pooler in transaction mode stands between, so nothing may live longer in a session than a transaction;
    the bell then listens at `listen`, a direct address, or where there is none only polls.
    """

    def __init__(
        self, url: str, *, password: str | None = None, make: bool = True, pooled: bool = False, listen: str = ""
    ) -> None:
        self.url = _driver_url(url, password)
        self.dialect = "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"
        database = self.url.database
        self.path = Path(database) if self.dialect == "sqlite" and database and database != ":memory:" else None
        self.makes = make
        self.place = None if self.path is None else Path(os.path.realpath(self.path))
        self.pooled = pooled and self.dialect == "postgresql"
        self.listen_url = None if self.dialect == "sqlite" else self.url
        if self.pooled:
            self.listen_url = _driver_url(listen, password) if listen else None
        self.engine = _engine(self.url, self.path, make, self.pooled)
        self.statements = 0  # of the transactions that were committed, as `bench` counts them
        self._turn = threading.RLock()
        self._turnstile = None if self.place is None else Turnstile(self.place, _TURN_SECONDS)
        self._waiting_since: float | None = None
        self._mine = threading.local()
        self._writer: Any = None
        self._writer_pid = 0

    def require_folder(self) -> None:
        """Raise ConfigurationError when the folder of an SQLite file is not there: it may be a slip of the finger."""
        if self.path is not None and not self.path.absolute().parent.is_dir():
            folder = self.path.parent
            raise ConfigurationError(f"desk.database: there is no folder {folder}; make it, or name another place.")

    def require(self) -> None:
        """Raise NotFound when an SQLite file is not there."""
        if self.path is not None and not self.path.exists():
            raise _missing(self.path)

    @property
    def where(self) -> str:
        """Its address for people: the whole path of a file, or the URL without its password."""
        return str(self.place) if self.place is not None else self.url.render_as_string(hide_password=True)

    @property
    def files(self) -> list[Path]:
        """The files of an SQLite database, whether they are there or not."""
        return [Path(f"{self.place}{end}") for end in _ENDINGS] if self.place is not None else []

    @property
    def in_memory(self) -> bool:
        """Is this a SQLite database without a file?"""
        return self.dialect == "sqlite" and self.path is None

    @property
    def waiting(self) -> float:
        """Seconds that a writer of this process has waited for other programs to let it write to the SQLite file."""
        since = self._waiting_since
        return 0.0 if since is None else time.monotonic() - since

    @contextlib.contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction that may change the ledger; committed at the end, rolled back on any exception."""
        with self._sqlite_write() if self.dialect == "sqlite" else self._transaction() as tx:
            yield tx

    @contextlib.contextmanager
    def read(self) -> Iterator[Tx]:
        """A transaction that only reads one consistent state. Keep it short: read long lists in pages."""
        if self.in_memory:
            with self._turn, self._transaction() as tx:
                yield tx
        else:
            with self._transaction() as tx:
                yield tx

    @contextlib.contextmanager
    def read_long(self) -> Iterator[Tx]:
        """`read` for a look at everything, which may take minutes on PostgreSQL: no statement of it is cut."""
        with self.read() as tx:
            if self.dialect == "sqlite":
                yield tx
            else:
                with tx.unhurried():
                    yield tx

    @contextlib.contextmanager
    def one_connection(self) -> Iterator[None]:
        """The transactions that this thread writes inside, one after the other, go over one connection."""
        if self.dialect == "sqlite":  # its writer is one connection
            yield
            return
        with self._connection() as connection:
            self._mine.connection = connection
            try:
                yield
            finally:
                self._mine.connection = None

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        """A connection of the pool, or this thread's own; while that is in use, whoever asks gets another."""
        mine = getattr(self._mine, "connection", None)
        if mine is not None and mine.is_valid:
            self._mine.connection = None
            try:
                yield mine
            finally:
                self._mine.connection = mine
            return
        with self._reaching():
            connection = self.engine.raw_connection()
        try:
            yield connection
        finally:
            if getattr(connection.driver_connection, "closed", False):
                connection.invalidate()  # the pool would try to roll it back, and say so at length
            connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Tx]:
        with self._connection() as connection:
            try:
                cursor = connection.cursor()
                if self.dialect == "sqlite":
                    cursor.execute("BEGIN")
                elif self.pooled:
                    cursor.execute(_PG_PRELUDE)
                tx = Tx(cursor, self.dialect)
                yield tx
                self._commit(connection)
                self.statements += tx.statements
            except BaseException as failure:
                whole = _rolled_back(connection)
                if not whole or getattr(failure, "sqlstate", "") == _READ_ONLY:
                    with contextlib.suppress(Exception):
                        connection.invalidate()  # of several servers another one may be the primary now
                raise

    def _commit(self, connection: Any) -> None:
        """Commit. Raises `Unreachable` where the answer was lost: then nobody here knows whether it was done."""
        try:
            connection.commit()
        except Exception as failure:
            if self.dialect == "sqlite" or not getattr(connection.dbapi_connection, "closed", False):
                raise
            where = self.url.render_as_string(hide_password=True)
            why = (str(failure).strip().splitlines() or [type(failure).__name__])[0]
            raise Unreachable(
                f"The database {where} went away while it was to make something durable ({why}): whether that was done "
                "is not known; look before you do it again."
            ) from failure

    @contextlib.contextmanager
    def _sqlite_write(self) -> Iterator[Tx]:
        with self._turn:
            connection = self._kept_writer()
            try:
                cursor = connection.cursor()
                self._begin(cursor)
                tx = Tx(cursor, self.dialect)
                yield tx
                connection.commit()
                self.statements += tx.statements
            except BaseException:
                self._roll_back(connection)
                raise
            self._checkpoint(cursor)

    def _roll_back(self, connection: Any) -> None:
        """Undo what the writer began; one that cannot even do that is broken, and replaced by the next transaction."""
        if not _rolled_back(connection):
            self._writer = None
            with contextlib.suppress(Exception):
                connection.invalidate()

    def _kept_writer(self) -> Any:
        if self._writer is None or self._writer_pid != os.getpid():
            with self._reaching():
                self._writer = self.engine.raw_connection()
            self._writer_pid = os.getpid()
        return self._writer

    def _begin(self, cursor: Any) -> None:
        self._waiting_since = time.monotonic()
        try:
            with contextlib.nullcontext() if self._turnstile is None else self._turnstile():
                cursor.execute("BEGIN IMMEDIATE")
        finally:
            self._waiting_since = None

    def _checkpoint(self, cursor: Any) -> None:
        if self.path is None:
            return
        try:
            size = os.stat(f"{self.place}-wal").st_size
        except FileNotFoundError:
            return
        if size > _WAL_LIMIT:
            self._restart_wal(cursor)

    def scrub(self) -> Scrubbed:
        """Leave nothing in an SQLite database's files of what was deleted: neither in the write-ahead log nor between
        rows, where balancing its trees left copies (up to `_COMPACTED` bytes all of it is written anew)."""
        if self.place is None or self._turnstile is None:
            return Scrubbed(compacted=True, log_emptied=True)
        with self._turn:
            cursor = self._kept_writer().cursor()
            with self._turnstile():
                cursor.execute(f"PRAGMA busy_timeout={_EMPTY_MS}")
                compacted = self.place.stat().st_size <= _COMPACTED and _compacted(cursor)
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                busy: int = cursor.fetchone()[0]
                cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        return Scrubbed(compacted=compacted, log_emptied=not busy)

    def _restart_wal(self, cursor: Any) -> None:
        """Begin the WAL anew if no reader stands in the way; the transaction before is committed, whatever happens."""
        with contextlib.suppress(sqlite3.Error):
            cursor.execute(f"PRAGMA busy_timeout={_CHECKPOINT_MS}")
            cursor.execute("PRAGMA wal_checkpoint(RESTART)")
            cursor.fetchall()
        with contextlib.suppress(sqlite3.Error):
            cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as failure:
            raise Unreachable(self.sentence(failure)) from failure
        except Exception as failure:  # the driver's own errors are no SQLAlchemyErrors on a raw connection
            if type(failure).__module__.partition(".")[0] not in ("sqlite3", "psycopg"):
                raise
            raise Unreachable(self.sentence(failure)) from failure

    def sentence(self, failure: Exception) -> str:
        """What an operator reads when the database cannot be opened."""
        where = self.url.render_as_string(hide_password=True)
        why = str(getattr(failure, "orig", failure)).strip().splitlines()
        hint = ""
        if any("unsupported startup parameter" in line for line in why):
            hint = " A pooler stands between: write pooled = true under [desk]."
        return f"The database {where} cannot be opened: {why[0] if why else type(failure).__name__}.{hint}"

    def close(self) -> None:
        """Close all connections. Safe to call twice."""
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.close()
            self._writer = None
        self.engine.dispose()


def _rolled_back(connection: Any) -> bool:
    """Undo what a connection began; False when it is broken."""
    try:
        connection.rollback()
    except Exception:
        return False
    return True


def _driver_url(url: str, password: str | None) -> URL:
    try:
        parsed = make_url(_HOSTS.sub(_several_hosts, url))
    except (ArgumentError, ValueError) as failure:
        raise ConfigurationError(
            f"desk.database: {url!r} is no database address; right would be sqlite:///omnirouter.db "
            "or postgresql://user@host/desk."
        ) from failure
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql", "postgres"):
        raise ConfigurationError(f"desk.database: {backend} is not supported; use sqlite:///FILE or postgresql://….")
    if backend == "sqlite":
        return parsed.set(drivername="sqlite")
    if password is not None:
        parsed = parsed.set(password=password)
    return parsed.set(drivername="postgresql+psycopg")


def _several_hosts(found: re.Match[str]) -> str:
    """`user@h1:5432,h2:5432/desk?x=y`, as PostgreSQL writes several servers, in the form that SQLAlchemy reads."""
    hosts = "&".join(f"host={host if ':' in host else f'{host}:5432'}" for host in found["hosts"].split(","))
    query = found["query"]
    return f"{found['before']}/{found['name']}?{hosts}{f'&{query}' if query else ''}"


def _compacted(cursor: Any) -> bool:
    try:
        cursor.execute("VACUUM")
    except sqlite3.OperationalError:  # another program reads or writes, or the disk is full
        return False
    return True


def _missing(path: Path) -> NotFound:
    return NotFound(
        f"There is no file {path} yet; make it with: omnirouter db upgrade (or run, or ingest), or name the "
        "configuration of another desk with -c FILE."
    )


def _engine(url: URL, path: Path | None, make: bool, pooled: bool) -> Engine:
    if url.get_backend_name() != "sqlite":
        own: dict[str, Any] = {"prepare_threshold": None} if pooled else {"options": _PG_OPTIONS}
        try:
            engine = create_engine(
                url,
                poolclass=QueuePool,
                pool_size=8,
                max_overflow=8,
                pool_pre_ping=True,
                connect_args={**own, **KEEPALIVE},
            )
        except (NoSuchModuleError, ModuleNotFoundError) as failure:
            raise ConfigurationError(
                "desk.database: PostgreSQL needs the driver psycopg: pip install 'omnirouter[postgres]'."
            ) from failure
        event.listen(engine, "do_connect", _connect_postgresql)
        return engine
    engine = create_engine(
        url,
        **({"poolclass": StaticPool} if path is None else {"poolclass": QueuePool, "pool_size": 4, "max_overflow": 12}),
        connect_args={"check_same_thread": False, "timeout": _BUSY_MS / 1000},
    )
    if path is not None:
        event.listen(engine, "do_connect", partial(_own_file, path, make))
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _connect_postgresql(_dialect: Any, _record: Any, given: Any, named: Any) -> Any:
    return connection_class().connect(*given, **named)


def _own_file(path: Path, make: bool, *_of_the_connection: Any) -> None:
    """Make a missing file its owner's alone, before SQLite makes it everybody's: its companions take its mode."""
    if path.exists():
        return
    if not make:
        raise _missing(path)
    with contextlib.suppress(OSError):  # SQLite says what is wrong with the place
        os.close(private.descriptor(path))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `Database` says so
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={_BUSY_MS}",
        "foreign_keys=ON",
        "wal_autocheckpoint=4000",
        "cache_size=-65536",
        "temp_store=MEMORY",
        "secure_delete=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
