"""Which form has the database, and how does it get the one that this version needs?

`ensure` opens the door: a fresh SQLite file (or an empty database, when asked) is created, any other mismatch is one
sentence and the command to run. `upgrade`, `current`, `differences` and `sql` are behind `omnirouter db`; only they
import alembic. The migrations are looked for inside the package first (`router/_migrations`), else beside it in a
checkout.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.dialects.postgresql import insert as insert_into
from sqlalchemy.exc import SQLAlchemyError

from router.errors import SchemaMismatch, Unreachable
from router.store import tables as t
from router.store.database import Database
from router.store.patience import unhurried

__all__ = [
    "begin_change", "current", "damage", "differences", "ensure", "head", "mismatch", "missing", "partitions", "sql",
    "status", "unsafe_settings", "upgrade",
]  # fmt: skip

#: The partition of raws that were set aside before the log (a refused request): nobody reads it in order.
ASIDE = -1
_REVISIONS = "alembic_version"
#: The name under which PostgreSQL lets one change of the form wait for another.
_LOCK = int.from_bytes(b"omnirout")


def migrations() -> Path:
    """The folder of the migrations."""
    packaged = Path(__file__).parents[1] / "_migrations"
    beside = Path(__file__).parents[2] / "migrations"
    return beside if (beside / "env.py").exists() and not (packaged / "env.py").exists() else packaged


def head() -> str:
    """The newest revision: migrations are named by it (`0001_first_tables.py`)."""
    names = sorted(p.name for p in (migrations() / "versions").glob("[0-9]*.py"))
    return names[-1].partition("_")[0] if names else ""


def current(database: Database) -> str | None:
    """The database's revision, or None for an empty one. Raises `Unreachable`."""
    with _connection(database) as connection:
        return _revision(connection, _tables(connection))


def missing(database: Database) -> list[str]:
    """The tables of this version that a database with a revision has not."""
    with _connection(database) as connection:
        there = _tables(connection)
    return sorted(t.metadata.tables.keys() - there) if _REVISIONS in there else []


def damage(database: Database) -> list[str]:
    """What is broken in an SQLite file, in SQLite's own words; a server looks after its files itself."""
    if database.dialect != "sqlite":
        return []
    with _connection(database) as connection:
        told = [line for row in connection.execute(text("PRAGMA integrity_check(5)")) for line in row[0].splitlines()]
    return [line for line in told if line != "ok"]


def unsafe_settings(database: Database) -> list[str]:
    """The settings of a PostgreSQL server under which a crash of its machine loses or damages what was acknowledged."""
    if database.dialect == "sqlite":
        return []
    with _connection(database) as connection:
        found = connection.execute(
            text("SELECT name FROM pg_settings WHERE name = ANY(:names) AND setting = 'off'"),
            {"names": ["fsync", "full_page_writes"]},
        )
        return sorted(row[0] for row in found)


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _revision(connection: Connection, there: set[str]) -> str | None:
    if _REVISIONS not in there:
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _connection(database: Database) -> Connection:
    try:
        return database.engine.connect()
    except SQLAlchemyError as failure:
        raise Unreachable(database.sentence(failure)) from failure


def status(database: Database) -> str:
    """`empty`, `current`, `incomplete` (a table is gone), `behind` or `ahead`."""
    with _connection(database) as connection:
        there = _tables(connection)
        revision, newest = _revision(connection, there), head()
    if revision is None:
        return "empty"
    if revision == newest:
        return "incomplete" if t.metadata.tables.keys() - there else "current"
    return "behind" if revision < newest else "ahead"


def ensure(database: Database, *, partitions: int = 16, create: bool = False) -> None:
    """Make sure that the database has this version's form and its first rows.

    A fresh SQLite file is created here, unless who opened it only reads; an empty PostgreSQL database only with
    `create`. Raises `SchemaMismatch`.
    """
    found = status(database)
    if found == "empty" and (create or (database.dialect == "sqlite" and database.makes)):
        _create(database, partitions)
    elif found != "current":
        raise SchemaMismatch(mismatch(database, found))
    else:
        _first_rows(database, partitions)


def mismatch(database: Database, found: str) -> str:
    """What an operator reads of a database that is `found` to be not this version's."""
    where = database.url.render_as_string(hide_password=True)
    if found == "incomplete":
        return f"The database {where} lacks {', '.join(missing(database))}; restore it from a backup."
    if found == "ahead":
        return f"The database {where} is ahead of this version of omnirouter; install the newer version."
    kind = "has no tables yet" if found == "empty" else "is behind its migrations"
    return f"The database {where} {kind}; run: omnirouter db upgrade"


def _create(database: Database, count: int) -> None:
    with _changing(database) as connection:
        t.metadata.create_all(connection)
        connection.execute(
            text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        )
        if _revision(connection, _tables(connection)) is None:
            connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": head()})
        _put_first_rows(connection, count)


@contextlib.contextmanager
def _changing(database: Database) -> Iterator[Connection]:
    """One transaction that changes the form."""
    with _connection(database) as connection:
        begin_change(connection)
        yield connection
        connection.commit()


def begin_change(connection: Connection) -> None:
    """Begin a transaction that changes the form: whoever else begins one waits, and finds all of it or nothing."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        unhurried(connection.connection.driver_connection)
        connection.detach()  # it waits as long as it must, which none of the pool may
        for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(text(f"SET LOCAL {limit} = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": _LOCK})


def _first_rows(database: Database, count: int) -> None:
    with _connection(database) as connection:
        if connection.execute(select(t.facts.c.value).where(t.facts.c.name == "partitions")).scalar() is not None:
            return
    with _changing(database) as connection:
        _put_first_rows(connection, count)


def _put_first_rows(connection: Connection, count: int) -> None:
    connection.execute(insert_into(t.facts).values(name="partitions", value=str(count)).on_conflict_do_nothing())
    for name in ("number", "event"):
        connection.execute(insert_into(t.counters).values(name=name, value=0).on_conflict_do_nothing())
    count = int(connection.execute(select(t.facts.c.value).where(t.facts.c.name == "partitions")).scalar_one())
    for number in (ASIDE, *range(count)):
        connection.execute(insert_into(t.log_partitions).values(partition=number, position=0).on_conflict_do_nothing())
        connection.execute(insert_into(t.positions).values(partition=number, position=0).on_conflict_do_nothing())


def partitions(database: Database) -> int:
    """How many partitions this ledger was made with."""
    with _connection(database) as connection:
        return int(connection.execute(select(t.facts.c.value).where(t.facts.c.name == "partitions")).scalar_one())


def _alembic(output: Any = None) -> Any:
    from alembic.config import Config

    config = Config(stdout=output) if output is not None else Config()
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    return config


def upgrade(database: Database, *, partitions: int = 16) -> tuple[str | None, str]:
    """Migrate to the newest revision; returns (before, after). Safe to repeat.

    Raises `SchemaMismatch` for a database that no migration can help.
    """
    from alembic import command

    before, found = current(database), status(database)
    if found in ("ahead", "incomplete"):
        raise SchemaMismatch(mismatch(database, found))
    config = _alembic(io.StringIO())
    with _connection(database) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    _first_rows(database, partitions)
    return before, head()


def sql(database: Database) -> str:
    """The SQL of all migrations for this kind of database, without touching it."""
    from alembic import command

    output = io.StringIO()
    config = _alembic()
    config.output_buffer = output
    config.set_main_option("sqlalchemy.url", database.url.render_as_string().replace("%", "%%"))
    command.upgrade(config, "head", sql=True)
    return output.getvalue()


def differences(database: Database) -> list[str]:
    """Where the database differs from the tables of this version: no difference is normal."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with _connection(database) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        return [_words(found) for found in compare_metadata(context, t.metadata)]


def _words(difference: Any) -> str:
    """One finding of alembic's for a person: a tuple, or a list of changes of one column."""
    if isinstance(difference, list):
        return "; ".join(map(_words, difference))
    what, *of = difference
    change, _, kind = what.partition("_")
    if change == "modify":
        return f"column {of[1]}.{of[2]}: its {kind} is {of[-2]}, expected {of[-1]}"
    named = f"{of[1]}.{of[2].name}" if kind == "column" else getattr(of[0], "name", None) or str(of[0])
    return f"{kind} {named} is {'missing' if change == 'add' else 'not of this version'}"
