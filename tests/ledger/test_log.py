"""The log keeps raws durably and in order of arrival, on SQLite and on PostgreSQL: order, gaps, fences, durability and
bells, with appenders in processes of their own.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from router.errors import ConfigurationError, LogFull, LostOwnership, OmnirouterError
from router.ports import Cursor, Entry, Raw
from router.seal import Sealer
from router.store import Database, schema
from router.store import tables as t
from router.store.bell import Bell
from router.store.channel_state import cursor_of
from router.store.log import Log

_KEY = b"k" * 32
_AT = datetime(2026, 3, 1, 4, 5, 6, 789_012, UTC)
_PATIENCE = 120
_APPENDERS, _ROUNDS = 3, 40
_PARTITIONS = 16


class _OwnedLog(Log):
    """A log that owns its database and its bell, and closes them with itself."""

    async def close(self) -> None:
        await super().close()
        await self.bell.close()
        self._database.close()


async def open_log(address: str) -> Log:
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


def raw(word: str | int, *, key: str = "", channel: str = "chat") -> Raw:
    """A raw that says this."""
    return Raw(channel=channel, body=str(word).encode(), received_at=_AT, partition_key=key)


class TestLog:
    """What holds of the log, whoever appends."""

    @pytest.fixture
    def address(self, ledger_url: str) -> str:
        """A fresh ledger with its tables."""
        database = Database(ledger_url)
        schema.ensure(database)
        database.close()
        return ledger_url

    @pytest.fixture
    async def log(self, address: str) -> AsyncIterator[Log]:
        """The log under test."""
        opened = await open_log(address)
        yield opened
        await opened.close()

    async def everything(self, log: Log) -> list[Entry]:
        """All entries of all partitions."""
        found = []
        for partition in range(_PARTITIONS):
            found += await log.read(partition, 0, 100_000)
        return found

    async def bodies(self, log: Log) -> list[str]:
        """All bodies as words, sorted."""
        return sorted(entry.raw.body.decode() for entry in await self.everything(log))

    def start(self, address: str, name: str, rounds: int) -> Awaitable[asyncio.subprocess.Process]:
        """A process that appends `rounds` times."""
        code = "import runpy, sys; runpy.run_path(sys.argv[1])['append_in_a_process'](*sys.argv[2:])"
        return asyncio.create_subprocess_exec(sys.executable, "-c", code, __file__, address, name, str(rounds))

    async def test_what_arrived_first_is_read_first(self, log: Log) -> None:
        """Raws of one key keep their order, within an append and from one append to the next."""
        words = [f"{i:03}" for i in range(50)]
        places = [
            place for start in range(0, 50, 7) for place in await log.append([raw(w) for w in words[start : start + 7]])
        ]
        partitions, positions = {p for p, _ in places}, [n for _, n in places]
        assert len(partitions) == 1
        assert positions == sorted(set(positions))
        entries = await log.read(partitions.pop(), 0, 100)
        assert [e.raw.body.decode() for e in entries] == words
        assert [(e.partition, e.position) for e in entries] == places

    async def test_one_look_tells_where_each_partition_ends(self, log: Log) -> None:
        """The last position of each partition is told, so that only those are read in which something lies."""
        *_, (partition, last) = await log.append([raw(i) for i in range(3)])
        ends = log.ends()
        assert ends.pop(partition) == last
        assert set(ends.values()) == {0}

    async def test_reading_goes_on_behind_a_position(self, log: Log) -> None:
        """A reader takes what it can carry and goes on where it stopped."""
        (partition, _), *_ = await log.append([raw(i) for i in range(10)])
        seen: list[str] = []
        after = 0
        while page := await log.read(partition, after, 4):
            assert len(page) <= 4
            assert all(entry.position > after for entry in page)
            seen += [entry.raw.body.decode() for entry in page]
            after = page[-1].position
        assert seen == [str(i) for i in range(10)]

    async def test_a_key_has_one_partition_and_many_keys_have_many(self, log: Log) -> None:
        """One chat is never spread over partitions; many chats are."""
        keys = [f"chat-{i % 40}" for i in range(120)]
        places = await log.append([raw(i, key=key) for i, key in enumerate(keys)])
        homes: dict[str, set[int]] = {}
        for key, (partition, _) in zip(keys, places, strict=True):
            homes.setdefault(key, set()).add(partition)
        assert all(len(partitions) == 1 for partitions in homes.values())
        assert len(set.union(*homes.values())) > _PARTITIONS // 4

    @pytest.mark.parametrize(
        "body", [b"", bytes(range(256)), b"\0" * 7, "转账没到账".encode(), b"x" * 300_000], ids=lambda b: str(len(b))
    )
    async def test_bytes_come_back_as_they_came(self, log: Log, body: bytes) -> None:
        """The log changes nothing: bytes, times to the microsecond, what the transport told, whether it is history."""
        sent = Raw(
            channel="support-mail",
            body=body,
            received_at=_AT.astimezone(timezone(timedelta(hours=8))),
            transport_id='id "1" \\ 的',
            meta={"uid": "7", "来源": "邮件\n二"},
            history=True,
        )
        ((partition, position),) = await log.append([sent])
        (entry,) = await log.read(partition, position - 1, 1)
        assert entry.raw.body == body
        assert entry.raw.received_at == _AT
        assert entry.raw.received_at.utcoffset() == timedelta(0)
        assert (entry.raw.channel, entry.raw.transport_id, entry.raw.history) == ("support-mail", 'id "1" \\ 的', True)
        assert dict(entry.raw.meta) == {"uid": "7", "来源": "邮件\n二"}

    async def test_history_is_not_assumed(self, log: Log) -> None:
        """What is not said to be recorded is live, and has no facts that nobody told."""
        ((partition, _),) = await log.append([raw("now")])
        (entry,) = await log.read(partition, 0, 1)
        assert (entry.raw.history, dict(entry.raw.meta), entry.raw.transport_id) == (False, {}, "")

    async def test_many_appends_at_once_are_all_there(self, log: Log) -> None:
        """A rush of requests is made durable together, and each is told its own places."""
        appends = [[raw(f"{i}.{j}", key=str(i % 30)) for j in range(i % 3 + 1)] for i in range(300)]
        answers = await asyncio.gather(*(log.append(raws) for raws in appends))
        bodies = [r.body for raws in appends for r in raws]
        told = dict(zip([place for places in answers for place in places], bodies, strict=True))
        assert len(told) == len(bodies)
        assert {(e.partition, e.position): e.raw.body for e in await self.everything(log)} == told

    async def test_the_cursor_moves_with_the_append(self, log: Log, address: str) -> None:
        """A source is read on from where its raws are safe."""
        assert stored_cursor(address, "chat") is None
        await log.append([raw(1)], Cursor(channel="chat", value="7:1", fence=1))
        assert stored_cursor(address, "chat") == "7:1"
        await log.append([], Cursor(channel="chat", value="7:2", fence=1))
        await log.append([raw(2, channel="mail")], Cursor(channel="mail", value="9", fence=1))
        assert (stored_cursor(address, "chat"), stored_cursor(address, "mail")) == ("7:2", "9")
        assert await self.bodies(log) == ["1", "2"]

    async def test_an_older_fence_appends_nothing(self, log: Log, address: str) -> None:
        """A node that lost a source to another cannot append what it still had in its hands."""
        await log.append([raw("new owner")], Cursor(channel="chat", value="20", fence=5))
        with pytest.raises(LostOwnership):
            await log.append([raw("old owner")], Cursor(channel="chat", value="11", fence=4))
        assert await self.bodies(log) == ["new owner"]
        assert stored_cursor(address, "chat") == "20"
        await log.append([raw("goes on")], Cursor(channel="chat", value="21", fence=5))
        assert await self.bodies(log) == ["goes on", "new owner"]

    async def test_one_refused_append_harms_no_other(self, log: Log) -> None:
        """Requests that are made durable together with a refused one are still all there."""
        await log.append([], Cursor(channel="mail", value="1", fence=9))
        old = Cursor(channel="mail", value="0", fence=1)
        appends = [log.append([raw(f"{i:02}")], old if i == 13 else None) for i in range(40)]
        answers = await asyncio.gather(*appends, return_exceptions=True)
        assert [i for i, answer in enumerate(answers) if isinstance(answer, BaseException)] == [13]
        assert isinstance(answers[13], LostOwnership)
        assert await self.bodies(log) == [f"{i:02}" for i in range(40) if i != 13]

    async def test_an_append_wakes_who_waits(self, log: Log) -> None:
        """A message does not lie until the next poll."""
        ((partition, position),) = await log.append([raw("first")])
        waiting = asyncio.create_task(log.wait(partition, position, 10 * _PATIENCE))
        await asyncio.sleep(0)
        await log.append([raw("second")])
        async with asyncio.timeout(_PATIENCE):
            await waiting

    async def test_nobody_waits_for_what_is_there(self, log: Log) -> None:
        """An append between reading and waiting is not slept over."""
        ((partition, position),) = await log.append([raw("there")])
        async with asyncio.timeout(_PATIENCE):
            await log.wait(partition, position - 1, 10 * _PATIENCE)

    async def test_waiting_ends_in_silence_too(self, log: Log) -> None:
        """A bell that is lost costs its time-out and no more."""
        async with asyncio.timeout(_PATIENCE):
            await log.wait(0, 10**9, 0.01)

    async def test_another_process_wakes_who_waits(self, log: Log, address: str) -> None:
        """What another process takes in is heard here."""
        ((partition, position),) = await log.append([raw("here", key="0")])
        waiting = asyncio.create_task(log.wait(partition, position, 10 * _PATIENCE))
        process = await self.start(address, "there", 1)
        assert await process.wait() == 0
        async with asyncio.timeout(_PATIENCE):
            await waiting

    async def test_what_was_acknowledged_outlives_the_process(self, log: Log, address: str) -> None:
        """A process that dies right after an append has lost nothing of it."""
        process = await self.start(address, "gone", 5)
        assert await process.wait() == 0
        assert len(await self.everything(log)) == 5 * 4

    async def test_reopened_it_goes_on(self, address: str) -> None:
        """After a restart everything is there and positions go on growing."""
        first = await open_log(address)
        ((partition, before),) = await first.append([raw("before")], Cursor(channel="chat", value="1", fence=1))
        await first.close()
        second = await open_log(address)
        ((again, after),) = await second.append([raw("after")])
        assert again == partition
        assert after > before
        assert [e.raw.body for e in await second.read(partition, 0, 9)] == [b"before", b"after"]
        assert stored_cursor(address, "chat") == "1"
        await second.close()

    async def test_closed_twice(self, address: str) -> None:
        """Closing again is no mistake; an append after it is refused and never waits."""
        opened = await open_log(address)
        await opened.append([raw(1)])
        await opened.close()
        await opened.close()
        with pytest.raises(OmnirouterError):
            async with asyncio.timeout(_PATIENCE):
                await opened.append([raw(2)])

    async def test_a_reader_skips_nothing_that_slower_appenders_commit(self, log: Log, address: str) -> None:
        """A reader that only goes forward meets every raw of every appender once, each appender's in its order."""
        appenders = [await self.start(address, f"p{n}", _ROUNDS) for n in range(_APPENDERS)]
        ended = asyncio.gather(*(process.wait() for process in appenders))
        mine = asyncio.create_task(self._append_here(log))
        after = dict.fromkeys(range(_PARTITIONS), 0)
        seen: list[Entry] = []
        over = False
        while not over:
            over = ended.done() and mine.done()
            for partition in after:
                while page := await log.read(partition, after[partition], 50):
                    seen += page
                    after[partition] = page[-1].position
        assert await ended == [0] * _APPENDERS
        await mine
        words = [entry.raw.body.decode() for entry in seen]
        assert sorted(words) == sorted(_words([f"p{n}" for n in range(_APPENDERS)] + ["here"], _ROUNDS))
        assert await self.bodies(log) == sorted(words)
        for partition in after:
            positions = [e.position for e in seen if e.partition == partition]
            assert positions == sorted(set(positions))
            for name in {word.partition(":")[0] for word in words}:
                own = [
                    e.raw.body for e in seen if e.partition == partition and e.raw.body.startswith(f"{name}:".encode())
                ]
                assert own == sorted(own)

    async def _append_here(self, log: Log) -> None:
        for number in range(_ROUNDS):
            await log.append(_round("here", number))


def _round(name: str, number: int) -> list[Raw]:
    """What one append of the hammer holds: four raws over several partitions, the same ones for all appenders."""
    return [raw(f"{name}:{number:04}.{k}", key=str((number + k) % 7)) for k in range(4)]


def _words(names: list[str], rounds: int) -> list[str]:
    return [r.body.decode() for name in names for number in range(rounds) for r in _round(name, number)]


def append_in_a_process(address: str, name: str, rounds: str) -> None:
    """The body of an appending process: `rounds` appends, then an end without any tidying up."""

    async def work() -> None:
        log = await open_log(address)
        for number in range(int(rounds)):
            await log.append(_round(name, number))
        os._exit(0)

    asyncio.run(work())

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
    log = Log(database, Sealer(_KEY), 16, waiting_limit=10)
    answers = await asyncio.gather(*(log.append([_raw(b"%d" % i)]) for i in range(15)), return_exceptions=True)
    refused = [i for i, answer in enumerate(answers) if isinstance(answer, LogFull)]
    assert refused == [10, 11, 12, 13, 14]
    await log.append([_raw(b"again")])
    await log.close()


async def test_facts_of_the_transport_may_hold_any_character(database: Database) -> None:
    """An id or a header with characters that no database takes does not stop what arrived."""
    log = Log(database, Sealer(_KEY), 16)
    sent = _raw(b"\0\xff", transport_id="a\0b\ud800", meta={"subject\0": "half \udc00"})
    ((partition, position),) = await log.append([sent])
    (entry,) = await log.read(partition, position - 1, 1)
    assert entry.raw.body == b"\0\xff"
    assert (entry.raw.transport_id, dict(entry.raw.meta)) == ("ab\ufffd", {"subject": "half \ufffd"})
    await log.close()


async def test_bytes_are_sealed_where_they_lie(database: Database) -> None:
    """Nobody who reads the database reads what customers wrote; without the key nothing can be opened."""
    log = Log(database, Sealer(_KEY), 16)
    ((partition, _),) = await log.append([_raw("助记词 apple".encode())])
    with database.engine.connect() as connection:
        (row,) = connection.execute(t.raws.select()).mappings()
    assert b"apple" not in bytes(row["body"])
    stranger = Log(database, Sealer(b"x" * 32), 16)
    with pytest.raises(ConfigurationError):
        await stranger.read(partition, 0, 1)
    await log.close()
    await stranger.close()


async def test_a_caller_that_went_away_stops_nobody(database: Database) -> None:
    """A client that hangs up while its request is made durable leaves the others' appends alone."""
    log = Log(database, Sealer(_KEY), 16)
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
