"""`db upgrade`, `current`, `check` and `sql`: has the database the form that this version needs?

In: the configured database. Out: its revision, what differs, or the statements of all migrations. Only `upgrade`
changes anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from workers.cli.command import command, json_option
from workers.cli.printing import json_line, line, warn

if TYPE_CHECKING:
    from router.store import Database

__all__ = ["check", "current", "sql", "upgrade"]


@contextlib.contextmanager
def _database(*, create: bool = False) -> Iterator[Database]:
    """The configured database. A missing SQLite file is made only where that is asked for. Raises `NotFound`."""
    from router.desk.ledger import database_of
    from workers.cli.chosen import configured

    database = database_of(configured(), make=create)
    database.require_folder()
    if not create:
        database.require()
    try:
        yield database
    finally:
        database.close()


def _where(database: Database) -> str:
    return database.url.render_as_string(hide_password=True)


@command("db upgrade")
@json_option
def upgrade(as_json: bool) -> int:
    """Bring the database to this version; safe to repeat."""
    from router.store import schema
    from workers.cli.chosen import configured

    with _database(create=True) as database:
        before, after = schema.upgrade(database, partitions=configured().partitions)
        where = _where(database)
    if as_json:
        json_line({"database": where, "before": before, "after": after})
    elif before == after:
        line(f"{where} is at {after} already.")
    else:
        line(f"{where} went from {before or 'empty'} to {after}.")
    return 0


@command("db current")
@json_option
def current(as_json: bool) -> int:
    """The database's revision, and whether it is the one that this version needs."""
    from router.store import schema

    with _database() as database:
        revision, found, where = schema.current(database), schema.status(database), _where(database)
    if as_json:
        json_line({"database": where, "revision": revision, "status": found, "needed": schema.head()})
    else:
        line(f"{where} is at {revision or 'no revision'}: {found} (this version needs {schema.head()}).")
    return 0


@command("db check")
@json_option
def check(as_json: bool) -> int:
    """Is the database what this version expects? Exit code 1 when it is not."""
    from router.store import schema

    with _database() as database:
        found, where, broken = schema.status(database), _where(database), schema.damage(database)
        differences = broken or (schema.differences(database) if found in ("current", "incomplete") else [])
    if as_json:
        json_line({"database": where, "status": found, "differences": differences})
    elif broken:
        warn(f"{where} is damaged; restore it from a backup:")
        for one in broken:
            warn(f"  {one}")
    elif found in ("empty", "behind", "ahead"):
        remedy = "install the newer version" if found == "ahead" else "run: omnirouter db upgrade"
        warn(f"{where} is {found}; {remedy}.")
    elif differences:
        warn(f"{where} differs from what this version expects:")
        for difference in differences:
            warn(f"  {difference}")
    else:
        line(f"{where} is what this version expects.")
    return 0 if found == "current" and not differences else 1


@command("db sql")
def sql() -> int:
    """The statements of all migrations for this kind of database, without running them."""
    from router.desk.ledger import database_of
    from router.store import schema
    from workers.cli.chosen import configured

    database = database_of(configured())
    try:
        print(schema.sql(database))
    finally:
        database.close()
    return 0
