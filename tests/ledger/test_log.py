"""The log as a table of the ledger's database keeps the port's promise, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from router.errors import ConfigurationError, LogFull
from router.ports import Raw
from router.seal import Sealer
from router.store import Database, schema
from router.store import tables as t
from router.store.bell import Bell
from router.store.channel_state import cursor_of
from router.store.log import DatabaseLog
from router.testing import LogContract

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


def _raw(body: bytes, **more: Any) -> Raw:
    return Raw(**{"channel": "chat", "body": body, "received_at": datetime(2026, 1, 1, tzinfo=UTC), **more})


@pytest.fixture
def database(ledger_url: str) -> Iterator[Database]:
    """A fresh ledger."""
    made = Database(ledger_url)
    schema.ensure(made)
    yield made
    made.close()


async def test_a_log_that_cannot_keep_up_says_so(database: Database) -> None:
    """Beyond its limit of waiting raws the log refuses, and takes again once it has caught up."""
    log = DatabaseLog(database, Sealer(_KEY), 16, waiting_limit=10)
    answers = await asyncio.gather(*(log.append([_raw(b"%d" % i)]) for i in range(15)), return_exceptions=True)
    refused = [i for i, answer in enumerate(answers) if isinstance(answer, LogFull)]
    assert refused == [10, 11, 12, 13, 14]
    await log.append([_raw(b"again")])
    await log.close()


async def test_facts_of_the_transport_may_hold_any_character(database: Database) -> None:
    """An id or a header with characters that no database takes does not stop what arrived."""
    log = DatabaseLog(database, Sealer(_KEY), 16)
    sent = _raw(b"\0\xff", transport_id="a\0b\ud800", meta={"subject\0": "half \udc00"})
    ((partition, position),) = await log.append([sent])
    (entry,) = await log.read(partition, position - 1, 1)
    assert entry.raw.body == b"\0\xff"
    assert (entry.raw.transport_id, dict(entry.raw.meta)) == ("ab\ufffd", {"subject": "half \ufffd"})
    await log.close()


async def test_bytes_are_sealed_where_they_lie(database: Database) -> None:
    """Nobody who reads the database reads what customers wrote; without the key nothing can be opened."""
    log = DatabaseLog(database, Sealer(_KEY), 16)
    ((partition, _),) = await log.append([_raw("助记词 apple".encode())])
    with database.engine.connect() as connection:
        (row,) = connection.execute(t.raws.select()).mappings()
    assert b"apple" not in bytes(row["body"])
    stranger = DatabaseLog(database, Sealer(b"x" * 32), 16)
    with pytest.raises(ConfigurationError):
        await stranger.read(partition, 0, 1)
    await log.close()
    await stranger.close()


async def test_a_caller_that_went_away_stops_nobody(database: Database) -> None:
    """A client that hangs up while its request is made durable leaves the others' appends alone."""
    log = DatabaseLog(database, Sealer(_KEY), 16)
    tasks = [asyncio.create_task(log.append([_raw(b"%d" % i)])) for i in range(20)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[3], asyncio.CancelledError)
    assert all(isinstance(answer, list) for i, answer in enumerate(answers) if i != 3)
    await log.append([_raw(b"after")])
    await log.close()


async def test_large_raws_are_read_a_few_at_a_time(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many raws wait, only so many bytes of them are read at once; none is too large to be read."""
    database = Database(ledger_url)
    schema.ensure(database)
    database.close()
    log = await open_log(ledger_url)
    monkeypatch.setattr("router.store.log.READ_AT_ONCE", 1_000)
    sizes = [400, 400, 400, 5_000, 10, 10]
    raws = [Raw(channel="chat", body=b"x" * size, received_at=datetime(2026, 3, 2, tzinfo=UTC)) for size in sizes]
    places = await log.append(raws)
    pages, after = [], 0
    while page := await log.read(places[0][0], after, 100):
        pages.append([len(entry.raw.body) for entry in page])
        after = page[-1].position
    await log.close()
    assert pages == [[400, 400], [400], [5_000], [10, 10]]
