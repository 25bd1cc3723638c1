"""What the channels' tests share: a local HTTP server in this process, a channel with a memory and a fixed clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from router.ports import Channel, Cursor, Delivery, Raw
from router.seal import Sealer
from router.store.channel_state import cursor_of
from router.store.database import Database
from router.store.log import Log
from router.store.schema import ensure

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture
def open_channel() -> Callable[..., Channel]:
    """`open_channel(AdapterClass, "name", memory={}, now=…, token="env:…")`: what an adapter is opened with."""

    def build(
        adapter: Any,
        name: str,
        *,
        memory: dict[str, str] | None = None,
        now: Callable[[], datetime] = lambda: NOW,
        public_url: str = "",
        **settings: Any,
    ) -> Channel:
        kept = {} if memory is None else memory

        async def recall(key: str) -> str | None:
            return kept.get(key)

        async def remember(key: str, value: str) -> None:
            kept[key] = value

        return Channel(
            name=name,
            settings=adapter.Settings.model_validate(settings),
            recall=recall,
            remember=remember,
            public_url=public_url,
            now=now,
        )

    return build


@pytest.fixture
async def hanging_up() -> AsyncIterator[str]:
    """The address of a server that reads a request to its end and closes without an answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.partition(b":")[2]))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


class Ledger:
    """A real log on SQLite, as the daemon uses it, with what a test wants to know of it."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'desk.db'}")
        ensure(self.database, create=True)
        self.log = Log(self.database, Sealer(bytes(range(32))), 16)

    def cursor(self, channel: str) -> str | None:
        """How far the channel's source is read."""
        return cursor_of(self.database, channel)

    async def append(self, channel: str, delivery: Delivery) -> None:
        """Make a delivery durable, raws and cursor in one transaction."""
        await self.log.append(delivery.raws, Cursor(channel=channel, value=delivery.cursor))

    async def raws(self) -> list[Raw]:
        """All that is durable, in order by partition."""
        return [entry.raw for number in range(16) for entry in await self.log.read(number, 0, 100_000)]


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A fresh log; closed at the end."""
    opened = Ledger(tmp_path)
    yield opened
    await opened.log.close()
    opened.database.close()
