"""The log as a table of the ledger's database keeps the port's promise, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from router import schema
from router.errors import LogFull
from router.ports import Raw
from router.seal import Sealer
from router.store import Database
from router.store.bell import Bell
from router.store.memory import cursor_of
from router.testing import LogContract
from workers.logs.database import DatabaseLog

_KEY = b"k" * 32


class _OwnedLog(DatabaseLog):
    """A log that owns its database and its bell, and closes them with itself."""

    async def close(self) -> None:
        await super().close()
        await self.bell.close()
        self._database.close()


async def open_log(address: str) -> DatabaseLog:
    """The log of this database, its bell hung up."""
    database = Database(address)
    bell = Bell(database)
    await bell.open()
    return _OwnedLog(database, Sealer(_KEY), schema.partitions(database), bell=bell)


def stored_cursor(address: str, channel: str) -> str | None:
    """The cursor of a channel as the ledger has it."""
    database = Database(address)
    try:
        return cursor_of(database, channel)
    finally:
        database.close()


class TestDatabaseLog(LogContract):
    """`DatabaseLog` on both databases."""

    open_log = staticmethod(open_log)
    stored_cursor = staticmethod(stored_cursor)

    @pytest.fixture
    def address(self, ledger_url: str) -> str:
        """A fresh ledger with its tables."""
        database = Database(ledger_url)
        schema.ensure(database)
        database.close()
        return ledger_url


def _raw(body: bytes, channel: str = "chat") -> Raw:
    return Raw(channel=channel, body=body, received_at=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def database(ledger_url: str) -> Database:
    """A fresh ledger."""
    made = Database(ledger_url)
    schema.ensure(made)
    return made
