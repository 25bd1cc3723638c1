"""How does a node hold its duties? It takes leases, renews them in the background, and stops the work of a lost one.

In: a duty and the work to do under its lease. Out: `keep` runs the work whenever the duty is ours, for ever, and
cancels it at once when the lease is lost. `share` tells how many partitions are this node's part.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from router.errors import LostOwnership
from router.store import is_transient
from router.store.leases import LEASE_SECONDS, Lease, Leases
from workers.daemon.logging import place

__all__ = ["Duties"]

_T = TypeVar("_T")
_log = structlog.get_logger()
_RENEW = LEASE_SECONDS / 3


class Duties:
    """The duties of this node. `run` renews for ever; leave it and everything held is given back by `release_all`."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self._held: dict[str, Lease] = {}
        self._lost: dict[str, asyncio.Event] = {}
        self._under_way: set[asyncio.Task[Any]] = set()
        self._nodes = 1

    @property
    def held(self) -> frozenset[str]:
        """The duties held now."""
        return frozenset(self._held)

    async def take(self, duty: str) -> Lease | None:
        """Take a duty if it is free; renewed from now on."""
        return await self._whole(self._take(duty))

    async def _take(self, duty: str) -> Lease | None:
        lease = await asyncio.to_thread(self._leases.take, duty)
        if lease is not None:
            self._held[duty] = lease
            self._lost[duty] = asyncio.Event()
        return lease

    async def give_back(self, duty: str) -> None:
        """Give a duty back."""
        await self._whole(self._give_back(duty))

    async def _give_back(self, duty: str) -> None:
        lease = self._held.pop(duty, None)
        self._lost.pop(duty, None)
        if lease is not None:
            await asyncio.to_thread(self._leases.release, [lease])

    async def _whole(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Let this end even where its caller is cancelled meanwhile; `release_all` waits for it."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def keep(self, duty: str, work: Callable[[Lease], Awaitable[None]]) -> None:
        """For ever: take the duty when it is free, do its work, begin again when the work ends or the lease is lost."""
        while True:
            lease = await self._try_take(duty)
            if lease is None:
                await asyncio.sleep(_RENEW)
                continue
            lost = asyncio.create_task(self._lost[duty].wait())
            working = asyncio.ensure_future(work(lease))
            try:
                await asyncio.wait({working, lost}, return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    working.result()
            except LostOwnership:
                _log.warning("duty.lost", duty=duty)
            finally:
                working.cancel()
                lost.cancel()
                await asyncio.gather(working, lost, return_exceptions=True)
                await self.give_back(duty)

    async def _try_take(self, duty: str) -> Lease | None:
        try:
            return await self.take(duty)
        except Exception as failure:
            if not is_transient(failure):
                _log.error("duty.take_failed", duty=duty, error=type(failure).__name__, at=place(failure))
            return None

    async def run(self) -> None:
        """Renew what is held, every third of a lease's time, and count the living nodes."""
        node = f"node:{self._leases.node}"
        await self._try_take(node)
        while True:
            try:
                await self._renew()
                if node not in self._held:
                    await self._try_take(node)
                self._nodes = max(1, await asyncio.to_thread(self._leases.live_nodes))
            except Exception as failure:
                _log.warning("duty.renew_failed", error=type(failure).__name__, at=place(failure))
            await asyncio.sleep(_RENEW)

    async def _renew(self) -> None:
        before = list(self._held.values())
        kept = {lease.duty for lease in await asyncio.to_thread(self._leases.renew, before)}
        for lease in before:
            if lease.duty not in kept and self._held.get(lease.duty) == lease:
                del self._held[lease.duty]
                self._lost[lease.duty].set()

    def share(self, partitions: int) -> int:
        """How many of the partitions are this node's: ceil(partitions / living nodes)."""
        return math.ceil(partitions / self._nodes)

    async def release_all(self) -> None:
        """Give everything back, so that another node need not wait."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        held = list(self._held.values())
        self._held.clear()
        await asyncio.to_thread(self._leases.release, held)
