"""Runs the migrations: under `alembic` in a checkout, under `omnirouter db` from anywhere (then with an open
connection).

All of it is one transaction, and two at once wait for each other. SQLite is altered in batches, with foreign keys off
during the migration and checked after it.
"""

from __future__ import annotations

import os
from typing import Any

from alembic import context
from sqlalchemy import Connection, text

from router.store import schema
from router.store.database import Database
from router.store.tables import Instant, metadata


def _render(kind: str, item: Any, _autogen: Any) -> str | bool:
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Instant) else False


def _url() -> str:
    return os.environ.get("OMNIROUTER_DATABASE") or str(context.config.get_main_option("sqlalchemy.url"))


def _migrate(connection: Connection) -> None:
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        connection.execute(text("PRAGMA foreign_keys=OFF"))
    schema.begin_change(connection)
    context.configure(
        connection=connection, target_metadata=metadata, render_as_batch=sqlite, render_item=_render,
    )  # fmt: skip
    with context.begin_transaction():
        context.run_migrations()
    if sqlite:
        broken = connection.execute(text("PRAGMA foreign_key_check")).fetchall()
        if broken:
            raise RuntimeError(f"{len(broken)} rows point nowhere after the migration, first: {broken[0]}")
    connection.commit()
    if sqlite:
        connection.execute(text("PRAGMA foreign_keys=ON"))


def run() -> None:
    """Migrate the connection that was handed over, or the configured address; print SQL when offline."""
    if context.is_offline_mode():
        context.configure(
            url=_url(), target_metadata=metadata, literal_binds=True, dialect_opts={"paramstyle": "named"},
        )  # fmt: skip
        with context.begin_transaction():
            context.run_migrations()
        return
    given = context.config.attributes.get("connection")
    if given is not None:
        _migrate(given)
        return
    database = Database(_url())
    with database.engine.connect() as connection:
        _migrate(connection)
    database.close()


run()
