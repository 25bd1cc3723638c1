"""Is this node ready, and if not, why? Sentences for an operator, from a look at the database every few seconds.

Not ready: the database does not answer or has not this version's form, nobody can write to it, raws lie undecided
while no cursor moves for a minute, the clock is held. A look has a thread of its own and is waited for a moment only,
so whoever asks is answered also while the database holds every other thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from router.desk import Ledger
from router.errors import OmnirouterError
from router.store import schema
from router.store.read.backlog import Backlog, backlog
from workers.daemon.clock import Clock

__all__ = ["STANDSTILL", "Readiness"]

#: Seconds without progress after which work stands still, without an answer after which the database is away, and
#: without a turn after which nobody can write.
STANDSTILL: Final = 60.0
SILENCE: Final = 10.0
#: Seconds between two looks, and seconds for which whoever asks waits for one.
_EVERY, _MOMENT = 10.0, 2.0


class _Look(msgspec.Struct, frozen=True):
    """What a look found: what waits, or the sentence of why the database cannot be used."""

    backlog: Backlog | None
    trouble: str = ""


class Readiness:
    """The readiness of one node. `ticks` is a clock in seconds that no correction moves."""

    def __init__(self, store: Ledger, clock: Clock, ticks: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._ticks = ticks
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._under_way: asyncio.Future[_Look] | None = None
        self._found: _Look | None = None
        self._asked = ticks()
        self._standing: dict[int, tuple[int, float]] = {}

    async def watch(self) -> None:
        """Look every few seconds, for ever."""
        while True:
            await self.look(SILENCE)
            await asyncio.sleep(_EVERY)

    async def look(self, patience: float = _MOMENT) -> Backlog | None:
        """Look again; what waits, or None where the database did not say so in time. One look at a time."""
        if self._under_way is None or self._under_way.done():
            self._asked = self._ticks()
            self._under_way = asyncio.get_running_loop().run_in_executor(self._thread, self._look)
            self._under_way.add_done_callback(self._took)
        done, _ = await asyncio.wait({self._under_way}, timeout=patience)
        return self._under_way.result().backlog if done else None

    def _look(self) -> _Look:
        try:
            found = schema.status(self._store.database)
            if found != "current":
                return _Look(None, schema.mismatch(self._store.database, found))
            return _Look(backlog(self._store.database))
        except OmnirouterError as failure:
            return _Look(None, str(failure))
        except Exception as failure:
            return _Look(None, f"The database cannot be used: {type(failure).__name__}.")

    def _took(self, done: asyncio.Future[_Look]) -> None:
        if done.cancelled():
            return
        self._found, now = done.result(), self._ticks()
        if self._found.backlog is None:
            return
        waiting = {one.partition: one.cursor for one in self._found.backlog.undecided if one.raws}
        before = self._standing
        self._standing = {}
        for partition, cursor in waiting.items():
            since = before.get(partition, (-1, 0.0))
            self._standing[partition] = since if since[0] == cursor else (cursor, now)

    async def reasons(self) -> list[str]:
        """Why this node is not ready, one sentence each; none when it is."""
        await self.look()
        return [*self._database(), *self._work(), *self._time()]

    def _database(self) -> list[str]:
        silent = self._ticks() - self._asked
        if self._under_way is not None and not self._under_way.done() and (silent >= SILENCE or self._found is None):
            return [f"The database has not answered for {silent:.0f} s."]
        trouble = self._found.trouble if self._found is not None else ""
        waiting = self._store.database.waiting
        if not trouble and waiting >= SILENCE:
            path = self._store.database.path
            trouble = (
                f"Nobody can write to the database: another program has held it or its turnstile for {waiting:.0f} s; "
                f"find it with: fuser {path} {path}-turnstile"
            )
        return [trouble] if trouble else []

    def _work(self) -> list[str]:
        if self._found is None or self._found.backlog is None:
            return []
        raws = {one.partition: one.raws for one in self._found.backlog.undecided}
        return [
            f"Work stands still: partition {partition} has {raws[partition]} undecided raws and decided none of them "
            f"for {self._ticks() - since:.0f} s."
            for partition, (_, since) in sorted(self._standing.items())
            if self._ticks() - since >= STANDSTILL and raws.get(partition)
        ]

    def _time(self) -> list[str]:
        reason = self._clock.reason
        if not reason:
            return []
        return [f"{reason} No deadline fires and nothing is forgotten; if it is right, run: omnirouter clock confirm"]

    def close(self) -> None:
        """Look no more. A look that the database holds is left to itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)
