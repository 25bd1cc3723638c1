"""How does what a provider announced without its content get in? It is fetched, and what comes goes into the log.

In: what is set aside as announced, in the ledger, so that no restart forgets it. Out: a raw as the provider would have
sent it. Fetching twice is harmless, since both give the same message. A provider that cannot be reached is asked again
after growing pauses; what it has no more is left to a person, as invalid.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from router.desk import Ledger
from router.errors import (
    BadSettings,
    ConfigurationError,
    InvalidPayload,
    NotFound,
    OmnirouterError,
    SendRejected,
    Throttled,
)
from router.ports import Announced, Announcing, Raw, Translation
from router.store.leases import Lease
from router.store.log import Log
from router.store.set_aside import fetched, raw_at, to_fetch, unfetched
from workers.daemon.channels import Channels

__all__ = ["Fetching"]

_log = structlog.get_logger()
_BATCH = 100
#: Seconds between two looks; between two attempts at one at first and at most; after wrong settings.
_POLL, _FIRST_PAUSE, _LONGEST_PAUSE, _SETTINGS_PAUSE = 1.0, 2.0, 900.0, 300.0


class Fetching:
    """The work of the duty `announced`."""

    def __init__(self, store: Ledger, channels: Channels, log: Log, now: Callable[[], datetime]) -> None:
        self._store = store
        self._channels = channels
        self._log = log
        self._now = now
        self._pauses: dict[int, float] = {}
        self._due: dict[int, float] = {}

    async def work(self, _: Lease) -> None:
        """Fetch whatever is announced, until cancelled."""
        while True:
            rings = self._store.bell.rings
            await self.look()
            await asyncio.sleep(_POLL / 5)
            await self._store.bell.wait(_POLL, rings)

    async def look(self) -> int:
        """Fetch what is announced and due now; how many wait."""
        waiting = await asyncio.to_thread(to_fetch, self._store, _BATCH)
        for number, channel, place, item in waiting:
            if self._due.get(number, 0.0) <= asyncio.get_running_loop().time():
                await self._fetch(number, channel, place, item)
        present = {number for number, *_ in waiting}
        self._due = {number: at for number, at in self._due.items() if number in present}
        self._pauses = {number: pause for number, pause in self._pauses.items() if number in present}
        return len(waiting)

    async def _fetch(self, number: int, channel: str, place: tuple[int, int], item: int) -> None:
        """Fetch one, or note why not."""
        try:
            raw = await asyncio.to_thread(raw_at, self._store, *place)
            found = await self._asked(channel, raw, item)
            await self._log.append((found,))
        except (SendRejected, InvalidPayload, NotFound) as failure:
            await asyncio.to_thread(unfetched, self._store, number, str(failure), for_good=True)
        except (BadSettings, ConfigurationError) as failure:
            _log.error("announced.stopped", channel=channel, reason=str(failure))
            await self._later(number, _SETTINGS_PAUSE, failure)
        except Throttled as failure:
            await self._later(number, max(_FIRST_PAUSE, (failure.until - self._now()).total_seconds()), failure)
        except OmnirouterError as failure:
            self._pauses[number] = min(self._pauses.get(number, _FIRST_PAUSE / 2) * 2, _LONGEST_PAUSE)
            await self._later(number, self._pauses[number], failure)
        else:
            await asyncio.to_thread(fetched, self._store, number)

    async def _asked(self, channel: str, raw: Raw, item: int) -> Raw:
        adapter = self._channels.get(channel)
        parts = {part.index: part for part in Translation.of(self._channels.translate(raw)).announced}
        part: Announced | None = parts.get(item)
        if part is None or not isinstance(adapter, Announcing):
            raise InvalidPayload("nothing in it is announced any more; replay it", index=item)
        return await adapter.fetch_announced(part, raw)

    async def _later(self, number: int, pause: float, failure: OmnirouterError) -> None:
        self._due[number] = asyncio.get_running_loop().time() + pause
        await asyncio.to_thread(unfetched, self._store, number, str(failure), for_good=False)
