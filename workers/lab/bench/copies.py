"""How does a bench come to a large ledger? What stands in it is copied by SQL, with other numbers and ids.

The copies share the keys of the marks by which customers find others who report the same (words, issue type and rare
word), as real desks do: the same complaint comes from hundreds. They stand at the same instants as what was copied, so
no window of the rules thins them out. Handles, message ids and what hangs on these are each copy's own. Long texts and
traces are cut short: a million messages are there in minutes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import BigInteger, Column, Integer, Table, bindparam, func, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from router.desk import Ledger
from router.errors import ConfigurationError
from router.policy.values import Policy
from router.seal import KEY_SIZE, Sealer
from router.store import schema
from router.store import tables as t
from router.store.database import Database
from router.store.statement import Statement

__all__ = ["COPIED", "beside", "empty", "fill", "size", "stored"]

#: What messages leave. The log is not among it: another ledger's is sealed under another key, and would be decided.
COPIED = (
    "contacts", "handles", "thread_keys", "conversations", "messages", "decisions", "markers", "links", "events",
    "incidents", "incident_conversations",
)  # fmt: skip
#: Columns that hold numbers, and words that must be unique.
_NUMBERS = {"number", "contact", "conversation", "thread", "message", "other", "seq", "merged_into", "joined_into"}
_WORDS = {"external_id", "key", "address"}
#: Of the words of a copied message so many characters, and no trace: nothing that decides reads them again.
_WORDS_KEPT = 200
#: By which of these a row is told to be one of the first: its own number, or that of what it belongs to.
_COUNTED = ("number", "seq", "conversation", "message", "contact", "thread", "absorbed")
#: Copies a transaction.
_AT_ONCE = 25
_messages = Statement(select(func.count()).select_from(t.messages))
_newest = Statement(select(t.counters.c.name, t.counters.c.value))
_raise = Statement(
    update(t.counters)
    .where(t.counters.c.name == bindparam("counter"))
    .values(value=bindparam("to", type_=BigInteger()))
)
#: A row of any of these is somebody's work.
_TRACES = tuple(
    Statement(select(column).limit(1)) for column in (t.raws.c.partition, t.messages.c.number, t.contacts.c.number)
)


def empty(policy: Policy, url: str) -> Ledger:
    """A ledger of its own, under a key of its own. Raises ConfigurationError for one that somebody works with."""
    database = Database(url)
    database.require_folder()
    schema.ensure(database, create=True)
    with database.read() as tx:
        used = any(tx.one(one) is not None for one in _TRACES)
    if used:
        where = database.url.render_as_string(hide_password=True)
        database.close()
        raise ConfigurationError(
            f"The database {where} is not empty, and a bench writes invented customers: name one of its own."
        )
    return Ledger(database, replace(policy, desk_database=url), Sealer(os.urandom(KEY_SIZE)))


@contextlib.contextmanager
def beside(database: str | None, name: str, folder: str) -> Iterator[str]:
    """The address of a database for a while: a file in `folder`, or one beside the PostgreSQL database that is named.
    Raises ConfigurationError where the server lets nobody make one."""
    if database is None:
        yield f"sqlite:///{folder}/{name}.db"
        return
    server = Database(database)
    if server.dialect == "sqlite":
        raise ConfigurationError(f"--database {database}: an SQLite file of its own is made anyway; leave it out.")
    own = f"{server.url.database}_{name}"
    try:
        _administer(server, f'CREATE DATABASE "{own}"')
        yield server.url.set(database=own, drivername="postgresql").render_as_string(hide_password=False)
        _administer(server, f'DROP DATABASE "{own}" WITH (FORCE)')
    finally:
        server.close()


def _administer(server: Database, statement: str) -> None:
    try:
        with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)
    except SQLAlchemyError as failure:
        raise ConfigurationError(f"--database: {server.sentence(failure)}") from failure


def fill(database: Database, messages: int) -> int:
    """Copy what stands in the ledger until about so many messages do; how many there are then."""
    first = stored(database)
    with database.read() as tx:
        numbers = dict(tx.rows(_newest))
    span = 1 + max(numbers.values())
    copies = messages // first - 1 if first else 0
    for begin in range(1, copies + 1, _AT_ONCE):
        end = min(begin + _AT_ONCE - 1, copies)
        with database.write() as tx:
            for name in COPIED:
                tx.run(_copied(t.metadata.tables[name]), begin=begin, end=end, span=span, newest=span - 1)
            tx.many(_raise, [{"counter": name, "to": span * (end + 1)} for name in ("number", "event")])
    _settled(database)
    return stored(database)


def stored(database: Database) -> int:
    """How many messages there are."""
    with database.read() as tx:
        row = tx.one(_messages)
    return int(row[0]) if row else 0


def _copied(table: Table) -> Statement:
    """Copies `begin` to `end` of the rows that were there first, which are told by their numbers."""
    columns = [c for c in table.columns if not (c.primary_key and c.name == "id")]
    names = ", ".join(f'"{c.name}"' for c in columns)
    values = ", ".join(_value(c) for c in columns)
    counted = next((c.name for c in columns if c.name in _COUNTED), "")
    where = f'"{counted}" <= CAST(:newest AS bigint)' if counted else "substr(key, 1, 1) = 't'"  # incidents
    return Statement(
        text(
            "WITH RECURSIVE copies (k) AS (SELECT CAST(:begin AS bigint) UNION ALL SELECT k + 1 FROM copies "  # noqa: S608
            f'WHERE k < CAST(:end AS bigint)) INSERT INTO "{table.name}" ({names}) SELECT {values} '
            f'FROM copies CROSS JOIN "{table.name}" WHERE {where} ON CONFLICT DO NOTHING'
        )
    )


def _value(column: Column[object]) -> str:
    name = f'"{column.name}"'
    if column.name in _NUMBERS and isinstance(column.type, (BigInteger, Integer)):
        return f"CASE WHEN {name} > 0 THEN {name} + CAST(:span AS bigint) * k ELSE {name} END"
    if column.name in _WORDS:
        own = f"CAST(k AS text) || '.' || {name}"
        if column.table.name == "markers":
            return f"CASE WHEN substr({name}, 1, 5) IN ('type:', 'text:') THEN {name} ELSE {own} END"
        return own
    if column.name in ("text", "own_text"):
        return f"substr({name}, 1, {_WORDS_KEPT})"
    return "'[]'" if column.name == "trace" else name


def _settled(database: Database) -> None:
    """Let the server count what is there now, as it does by itself in time."""
    with database.engine.connect() as connection:
        if database.dialect == "postgresql":
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")
        elif database.place is not None:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def size(database: Database) -> int:
    """Bytes of the database, MB."""
    if database.place is not None:
        return Path(database.place).stat().st_size >> 20
    with database.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()) >> 20
