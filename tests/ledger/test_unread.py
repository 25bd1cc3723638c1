"""What was appended a moment ago is handed on to be decided without being read back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from router.desk import Ledger
from router.ports import Entry, Raw
from router.seal import Sealer
from router.store import Database, schema
from router.store.log import Log
from router.store.unread import Unread

_AT = datetime(2026, 3, 2, 4, tzinfo=UTC)


@pytest.fixture
async def log(store: Ledger) -> AsyncIterator[Log]:
    """The log of a fresh ledger."""
    opened = Log(store.database, Sealer(b"k" * 32), schema.partitions(store.database))
    yield opened
    await opened.close()


async def test_what_is_handed_on_is_what_reading_gives(log: Log, database: Database) -> None:
    """An entry that was kept equals the one in the database, whatever a transport wrote into its ids and facts."""
    raw = Raw(
        channel="chat", body="转账".encode(), received_at=_AT, transport_id="a\x00b", partition_key="c-1",
        meta={"k\x00": "v"}, history=True,
    )  # fmt: skip
    ((partition, position),) = await log.append([raw])
    read = log.read_now(partition, 0, 10)
    assert log.read_next(partition, 0, 10) == read
    assert [entry.position for entry in read] == [position]


async def test_what_was_taken_is_read_the_second_time(log: Log) -> None:
    """A batch that failed is decided again: its entries are handed on once, and then come from the database."""
    *_, (partition, last) = await log.append([Raw(channel="chat", body=b"%d" % n, received_at=_AT) for n in range(5)])
    first = log.read_next(partition, 0, 3)
    assert [entry.position for entry in first] == [1, 2, 3]
    assert log.read_next(partition, 0, 3) == first
    assert [entry.position for entry in log.read_next(partition, 3, 3)] == [4, last]


def test_nothing_is_handed_on_over_a_gap() -> None:
    """Behind a position that another process appended, only the database knows what comes."""
    unread = Unread()
    unread.keep(_entry(position) for position in (2, 3, 5))
    assert unread.take(1, 0, 10) == []
    assert [entry.position for entry in unread.take(1, 1, 10)] == [2, 3]
    assert unread.take(1, 3, 10) == []


def test_what_is_held_is_bounded() -> None:
    """Of more than is held at once the oldest go; they are read when their turn comes."""
    unread = Unread()
    unread.keep(_entry(position, b"x" * (6 << 20)) for position in (1, 2, 3))
    assert unread.take(1, 0, 10) == []
    assert [entry.position for entry in unread.take(1, 1, 10)] == [2, 3]


def _entry(position: int, body: bytes = b"") -> Entry:
    return Entry(partition=1, position=position, raw=Raw(channel="chat", body=body, received_at=_AT))
