"""How are transactions opened on SQLite and on PostgreSQL? `Database` gives `write()` and `read()`, each one `Tx`.

SQLite: WAL, synchronous=FULL, one writer at a time. A writer queues at a turnstile (a lock file beside the database,
released once inside), so that a busy daemon cannot starve a command. All its files are its owner's alone (mode
600), and what is deleted is overwritten. PostgreSQL: a small pool of psycopg connections that no silent server holds
(router.store.patience). Both run in plain threads; callers keep them off the event loop.
"""

from __future__ import annotations

import contextlib
import os
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


class Scrubbed(NamedTuple):
    """Was the file written anew, and its write-ahead log emptied? Neither while another program reads on."""

    compacted: bool
    log_emptied: bool


class Database:
    """One SQL database. `dialect` is `sqlite` or `postgresql`; `path` is the SQLite file as it was named, `place` what
    that leads to through links, both None for the others. A missing file is made only where `make` says so."""

    def __init__(self, url: str, *, password: str | None = None, make: bool = True) -> None:
        self.url = _driver_url(url, password)
        self.dialect = "sqlite" if self.url.get_backend_name() == "sqlite" else "postgresql"
        database = self.url.database
        self.path = Path(database) if self.dialect == "sqlite" and database and database != ":memory:" else None
        self.makes = make
        self.place = None if self.path is None else Path(os.path.realpath(self.path))
        self.engine = _engine(self.url, self.path, make)
        self._turn = threading.RLock()
        self._turnstile = None if self.place is None else Turnstile(self.place, _TURN_SECONDS)
        self._waiting_since: float | None = None
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
    def _transaction(self) -> Iterator[Tx]:
        with self._reaching():
            connection = self.engine.raw_connection()
        try:
            cursor = connection.cursor()
            if self.dialect == "sqlite":
                cursor.execute("BEGIN")
            yield Tx(cursor, self.dialect)
            connection.commit()
        except BaseException:
            with contextlib.suppress(Exception):
                connection.rollback()
            raise
        finally:
            if getattr(connection.driver_connection, "closed", False):
                connection.invalidate()  # the pool would try to roll it back, and say so at length
            connection.close()

    @contextlib.contextmanager
    def _sqlite_write(self) -> Iterator[Tx]:
        with self._turn:
            connection = self._kept_writer()
            cursor = connection.cursor()
            self._begin(cursor)
            try:
                yield Tx(cursor, self.dialect)
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
            self._checkpoint(cursor)

    def _kept_writer(self) -> Any:
        if self._writer is None or self._writer_pid != os.getpid():
            with self._reaching():
                self._writer = self.engine.raw_connection()
            self._writer_pid = os.getpid()
        return self._writer

    def _begin(self, cursor: Any) -> None:
        self._waiting_since = time.monotonic()
        try:
            with contextlib.nullcontext() if self._turnstile is None else self._turnstile.passing():
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
            with self._turnstile.passing():
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
        return f"The database {where} cannot be opened: {why[0] if why else type(failure).__name__}."

    def close(self) -> None:
        """Close all connections. Safe to call twice."""
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.close()
            self._writer = None
        self.engine.dispose()


def _driver_url(url: str, password: str | None) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as failure:
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


def _engine(url: URL, path: Path | None, make: bool) -> Engine:
    if url.get_backend_name() != "sqlite":
        try:
            engine = create_engine(
                url,
                poolclass=QueuePool,
                pool_size=8,
                max_overflow=8,
                pool_pre_ping=True,
                connect_args={"options": " ".join(f"-c {k}={v}" for k, v in OPTIONS.items()), **KEEPALIVE},
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
