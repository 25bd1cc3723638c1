"""How do a channel's deliveries reach the log? Read the source under a lease, append, and only then acknowledge.

The cursor of the source moves in the transaction that appends. A source that cannot be reached is tried again with
growing pauses, for ever; wrong settings are told to the operator and tried again after five minutes. Channels never
wait for each other.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import structlog

from router.errors import BadSettings, ConfigurationError, LogFull, OmnirouterError
from router.ports import Cursor, Raw
from router.store import Database, is_transient
from router.store.channel_state import cursor_of
from router.store.leases import Lease
from router.store.log import Log
from workers.daemon.channels import Channels
from workers.daemon.logging import place
from workers.daemon.metrics import Metrics

__all__ = ["read_channel"]

_log = structlog.get_logger()
_FIRST_PAUSE, _LONGEST_PAUSE, _SETTINGS_PAUSE = 1.0, 60.0, 300.0


def read_channel(
    name: str, channels: Channels, log: Log, database: Database, metrics: Metrics
) -> Callable[[Lease], Awaitable[None]]:
    """The work of the duty `channel:NAME`: read its source until cancelled."""

    async def work(lease: Lease) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                if not await _read(name, lease, channels, log, database, metrics):
                    await asyncio.Event().wait()  # the channel has no source of its own: it comes by HTTP
                pause = _FIRST_PAUSE
            except (BadSettings, ConfigurationError) as failure:
                metrics.channel_down(name)
                _log.error("channel.stopped", channel=name, reason=str(failure))
                await asyncio.sleep(_SETTINGS_PAUSE)
            except (OmnirouterError, OSError, TimeoutError) as failure:
                if isinstance(failure, OmnirouterError) and not failure.retry:
                    raise
                metrics.channel_down(name)
                _log.warning("channel.unreachable", channel=name, reason=_words(failure), again_in=round(pause, 1))
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  (spreads retries)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except Exception as failure:
                if not is_transient(failure):
                    _log.error("channel.failed", channel=name, error=type(failure).__name__, at=place(failure))
                metrics.channel_down(name)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    return work


def _words(failure: BaseException) -> str:
    return str(failure) if isinstance(failure, OmnirouterError) else type(failure).__name__


async def _read(name: str, lease: Lease, channels: Channels, log: Log, database: Database, metrics: Metrics) -> bool:
    """Read until the source breaks; False when it has none."""
    cursor = await asyncio.to_thread(cursor_of, database, name)
    some = False
    async for delivery in channels.get(name).deliveries(cursor):
        some = True
        metrics.channel_up(name)
        moved = Cursor(channel=name, value=delivery.cursor, fence=lease.fence) if delivery.cursor else None
        if delivery.raws or moved is not None:
            await _append(log, delivery.raws, moved)
            metrics.raws.labels(name).inc(len(delivery.raws))
        if delivery.acknowledge is not None:
            await delivery.acknowledge()
    return some


async def _append(log: Log, raws: Sequence[Raw], cursor: Cursor | None) -> None:
    """Append; a full log stops the reading, not the channel."""
    while True:
        try:
            await log.append(raws, cursor)
        except LogFull:
            await asyncio.sleep(1)
        else:
            return
