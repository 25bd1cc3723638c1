"""Does a log keep the port's promise? The suite that every implementation of `Log` passes.

In: a subclass in a test module that names two of the module's functions, `open_log` and `stored_cursor`, and has a
fixture `address` that gives the address of an empty log. Out: pytest tests about order, gaps, fences, durability and
bells, with appenders in processes of their own.
"""

# ruff: noqa: S101  (a suite of tests says what must hold by assert)
from __future__ import annotations

import asyncio
import inspect
import os
import runpy
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar

import pytest

from router.errors import LostOwnership, OmnirouterError
from router.ports import Cursor, Entry, Log, Raw

__all__ = ["LogContract", "append_in_a_process"]

_AT = datetime(2026, 3, 1, 4, 5, 6, 789_012, UTC)
_PATIENCE = 120
_APPENDERS, _ROUNDS = 3, 40


def raw(word: str | int, *, key: str = "", channel: str = "chat") -> Raw:
    """A raw that says this."""
    return Raw(channel=channel, body=str(word).encode(), received_at=_AT, partition_key=key)


class LogContract:
    """Subclass it in a test module, under a name that begins with `Test`, and fill in what stands here."""

    #: Opens the log of an address, bell included: a function of the test's module, since other processes call it too.
    open_log: ClassVar[Callable[[str], Awaitable[Log]]]
    #: The source cursor of a channel as the log keeps it, or None: (address, channel).
    stored_cursor: ClassVar[Callable[[str, str], str | None]]
    #: How many partitions the log has.
    partitions: ClassVar[int] = 16

    @pytest.fixture
    async def log(self, address: str) -> AsyncIterator[Log]:
        """The log under test."""
        opened = await type(self).open_log(address)
        yield opened
        await opened.close()

    async def everything(self, log: Log) -> list[Entry]:
        """All entries of all partitions."""
        found = []
        for partition in range(self.partitions):
            found += await log.read(partition, 0, 100_000)
        return found

    async def bodies(self, log: Log) -> list[str]:
        """All bodies as words, sorted."""
        return sorted(entry.raw.body.decode() for entry in await self.everything(log))

    def start(self, address: str, name: str, rounds: int) -> Awaitable[asyncio.subprocess.Process]:
        """A process that appends `rounds` times."""
        home = inspect.getfile(type(self))
        code = "import sys; from router.testing.log_contract import append_in_a_process as a; a(*sys.argv[1:])"
        function = getattr(type(self).open_log, "__name__", "open_log")
        return asyncio.create_subprocess_exec(sys.executable, "-c", code, home, function, address, name, str(rounds))

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
        assert len(set.union(*homes.values())) > self.partitions // 4

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
        stored = type(self).stored_cursor
        assert stored(address, "chat") is None
        await log.append([raw(1)], Cursor(channel="chat", value="7:1", fence=1))
        assert stored(address, "chat") == "7:1"
        await log.append([], Cursor(channel="chat", value="7:2", fence=1))
        await log.append([raw(2, channel="mail")], Cursor(channel="mail", value="9", fence=1))
        assert (stored(address, "chat"), stored(address, "mail")) == ("7:2", "9")
        assert await self.bodies(log) == ["1", "2"]

    async def test_an_older_fence_appends_nothing(self, log: Log, address: str) -> None:
        """A node that lost a source to another cannot append what it still had in its hands."""
        await log.append([raw("new owner")], Cursor(channel="chat", value="20", fence=5))
        with pytest.raises(LostOwnership):
            await log.append([raw("old owner")], Cursor(channel="chat", value="11", fence=4))
        assert await self.bodies(log) == ["new owner"]
        assert type(self).stored_cursor(address, "chat") == "20"
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
        first = await type(self).open_log(address)
        ((partition, before),) = await first.append([raw("before")], Cursor(channel="chat", value="1", fence=1))
        await first.close()
        second = await type(self).open_log(address)
        ((again, after),) = await second.append([raw("after")])
        assert again == partition
        assert after > before
        assert [e.raw.body for e in await second.read(partition, 0, 9)] == [b"before", b"after"]
        assert type(self).stored_cursor(address, "chat") == "1"
        await second.close()

    async def test_closed_twice(self, address: str) -> None:
        """Closing again is no mistake; an append after it is refused and never waits."""
        opened = await type(self).open_log(address)
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
        after = dict.fromkeys(range(self.partitions), 0)
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


def append_in_a_process(home: str, function: str, address: str, name: str, rounds: str) -> None:
    """The body of an appending process: `rounds` appends, then an end without any tidying up."""

    async def work() -> None:
        log: Log = await runpy.run_path(home)[function](address)
        for number in range(int(rounds)):
            await log.append(_round(name, number))
        os._exit(0)

    asyncio.run(work())
