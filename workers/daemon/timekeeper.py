"""When does a deadline speak? The timekeeper sleeps until the next clock wants to be looked at, and fires what is
due.

It wakes by the index on `next_wake_at` and by the bell, so running clocks cost nothing while none is due. After an
outage all missed steps fire, in order. It also ends what is quiet, releases what is held by people who have left,
re-targets once a day what another configuration promised, and forgets what is older than `[retention]` says. While the
wall clock is held (workers.daemon.clock) it does none of it.
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from router.desk import Ledger
from router.desk.accounts.sessions import forget_ended
from router.desk.acts.assign import release_absent
from router.desk.duties.due import next_wake_at, wake
from router.desk.duties.renewal import renew
from router.desk.duties.retention import forget, forget_markers
from router.store.leases import Lease
from workers.daemon.clock import Clock
from workers.daemon.doubt import Doubt
from workers.daemon.metrics import Metrics

__all__ = ["Timekeeper"]

_log = structlog.get_logger()
_LONGEST = 60.0
#: Seconds after which a clock that is held is looked at again.
_HELD = 2.0
_HOUSEKEEPING = timedelta(hours=6)
_PAGE = 200


class Timekeeper:
    """The work of the duty `timekeeper`."""

    def __init__(self, store: Ledger, metrics: Metrics, clock: Clock, doubt: Doubt) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._doubt = doubt
        self._cleaned: datetime | None = None
        self._renewed: date | None = None

    async def work(self, _: Lease) -> None:
        """Fire what is due, for ever."""
        while True:
            await self.renew()
            while await self.round():
                pass
            await self.release()
            await self._keep_house()
            rings = self._store.bell.rings
            await self._store.bell.wait(await self._until_next(), rings)

    async def _present(self) -> datetime | None:
        """The present instant; None while the clock is held."""
        return await asyncio.to_thread(self._doubt.check)

    async def round(self) -> bool:
        """Fire one page of what is due now; is there more?"""
        now = await self._present()
        if now is None:
            return False
        woken = await asyncio.to_thread(wake, self._store, now, _PAGE)
        for kind in woken.fired:
            self._metrics.deadlines.labels(kind).inc()
        if woken.fired:
            _log.info("deadlines.fired", conversations=woken.conversations, firings=len(woken.fired))
        return woken.conversations >= _PAGE

    async def renew(self) -> None:
        """Re-target what another configuration promised: at the start, and when the day changes."""
        now = await self._present()
        if now is None:
            return
        today = now.astimezone(ZoneInfo(self._store.policy.timezone)).date()
        if today != self._renewed:
            count = await asyncio.to_thread(renew, self._store, now)
            self._renewed = today
            if count:
                _log.info("deadlines.retargeted", conversations=count)

    async def release(self) -> None:
        """Let go of what is held by agents who are absent or whose shift is over."""
        now = await self._present()
        count = 0 if now is None else await asyncio.to_thread(release_absent, self._store, now)
        if count:
            _log.info("conversations.released", count=count)

    async def _until_next(self) -> float:
        now = self._clock.believed()
        following = await asyncio.to_thread(next_wake_at, self._store)
        if now is None:
            return _HELD
        if following is None:
            return _LONGEST
        return min(_LONGEST, max(0.05, (following - now).total_seconds()))

    async def _keep_house(self) -> None:
        now = await self._present()
        if now is None or not self._clock.certain:
            return
        if self._cleaned is not None and now - self._cleaned < _HOUSEKEEPING:
            return
        self._cleaned = now
        await asyncio.to_thread(forget_markers, self._store, now)
        await asyncio.to_thread(forget_ended, self._store, now)
        forgotten = await asyncio.to_thread(forget, self._store, now)
        if forgotten:
            _log.info("forgotten", **forgotten)
