"""When does a deadline speak? The timekeeper sleeps until the next clock wants to be looked at, and fires what is
due.

It wakes by the index on `next_wake_at` and by the bell, so running clocks cost nothing while none is due. After an
outage all missed steps fire, in order. It also ends what is quiet, releases what is held by people who have left, and
once a day re-targets what another configuration promised and forgets raws older than `privacy.retain_raw`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from router.store import Store
from router.store.assignment import release_absent
from router.store.privacy import forget_raws
from router.store.renewal import renew
from router.store.wake import next_wake_at, wake
from workers.leases import Lease
from workers.metrics import Metrics

__all__ = ["Timekeeper"]

_log = structlog.get_logger()
_LONGEST = 60.0
_HOUSEKEEPING = timedelta(hours=6)
_PAGE = 200


class Timekeeper:
    """The work of the duty `timekeeper`."""

    def __init__(self, store: Store, metrics: Metrics, now: Callable[[], datetime]) -> None:
        self._store = store
        self._metrics = metrics
        self._now = now
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

    async def round(self) -> bool:
        """Fire one page of what is due now; is there more?"""
        woken = await asyncio.to_thread(wake, self._store, self._now(), _PAGE)
        for kind in woken.fired:
            self._metrics.deadlines.labels(kind).inc()
        if woken.fired:
            _log.info("deadlines.fired", conversations=woken.conversations, firings=len(woken.fired))
        return woken.conversations >= _PAGE

    async def renew(self) -> None:
        """Re-target what another configuration promised: at the start, and when the day changes."""
        now = self._now()
        today = now.astimezone(ZoneInfo(self._store.policy.timezone)).date()
        if today != self._renewed:
            count = await asyncio.to_thread(renew, self._store, now)
            self._renewed = today
            if count:
                _log.info("deadlines.retargeted", conversations=count)

    async def release(self) -> None:
        """Let go of what is held by agents who are absent or whose shift is over."""
        count = await asyncio.to_thread(release_absent, self._store, self._now())
        if count:
            _log.info("conversations.released", count=count)

    async def _until_next(self) -> float:
        following = await asyncio.to_thread(next_wake_at, self._store)
        if following is None:
            return _LONGEST
        return min(_LONGEST, max(0.05, (following - self._now()).total_seconds()))

    async def _keep_house(self) -> None:
        now = self._now()
        if self._cleaned is not None and now - self._cleaned < _HOUSEKEEPING:
            return
        self._cleaned = now
        forgotten = await asyncio.to_thread(forget_raws, self._store, now - self._store.policy.privacy.retain_raw)
        if forgotten:
            _log.info("raws.forgotten", count=forgotten)
