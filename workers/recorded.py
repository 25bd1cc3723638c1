"""How do recorded messages get in? Through the same log and pipeline as live ones, in the order in which they were
written.

In: raws of recorded mails and of `.jsonl` lines. Each window of up to 20,000 is put in order of time (a record has a
natural order, whatever its files are called), appended, and decided as history: nothing goes out. Where a daemon
works on the same database it decides them, and this waits until its cursors have passed. Out: a `Summary`.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import bindparam, select

from router.errors import ConfigurationError
from router.model import Placement
from router.ports import Raw
from router.store import Store
from router.store import tables as t
from router.store.statement import Statement, member
from router.store.wake import settle_history
from workers.alone import alone
from workers.channels import Channels, utc_now
from workers.leases import Lease, Leases
from workers.logs.database import RECORDED, DatabaseLog
from workers.process import Decided, Partition

__all__ = ["Summary", "ingest", "lines"]

WINDOW = 20_000
GROUP = 1_000
BATCH = 500

_positions = Statement(select(t.positions.c.position).where(t.positions.c.partition == bindparam("number")))
_placed = Statement(
    select(t.messages.c.conversation).where(
        t.messages.c.raw_partition == bindparam("part"), member(t.messages.c.raw_position, "places")
    )
)
_aside = Statement(
    select(t.set_aside.c.kind).where(
        t.set_aside.c.partition == bindparam("part"), member(t.set_aside.c.position, "places")
    )
)


class Summary(msgspec.Struct, kw_only=True):
    """What became of the recorded messages: read = stored + redelivered + invalid + dead."""

    read: int = 0
    stored: int = 0
    redelivered: int = 0
    invalid: int = 0
    dead: int = 0
    conversations: int = 0


class _Line(msgspec.Struct):
    """What is read of a line before it is stored: where it belongs and when."""

    channel: str | None = None
    sent_at: datetime | None = None
    at: datetime | None = None


_line = msgspec.json.Decoder(_Line)


def lines(source: Iterable[bytes], channel: str, now: datetime) -> Iterator[Raw]:
    """The raws of a `.jsonl`: one a line, of the line's own channel if it names one. Empty lines are left out."""
    for text in source:
        body = text.strip()
        if not body:
            continue
        try:
            head = _line.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            head = _Line()
        at = head.sent_at or head.at
        at = now if at is None or at.tzinfo is None else min(at.astimezone(UTC), now)
        yield Raw(channel=head.channel or channel, body=body, received_at=at, meta={"wire": "1"}, history=True)


def lines_of(path: Path, channel: str, now: datetime) -> Iterator[Raw]:
    """The raws of a `.jsonl` file. Raises ConfigurationError when it cannot be read."""
    try:
        with path.open("rb") as source:
            yield from lines(source, channel, now)
    except OSError as failure:
        raise ConfigurationError(f"{path} cannot be read ({failure.strerror}).") from failure


async def ingest(store: Store, channels: Channels, log: DatabaseLog, raws: Iterable[Raw], *, live: bool) -> Summary:
    """Take recorded raws in. `live` lets replies, events and notices go out as for fresh ones. Safe to repeat."""
    reader = _Ingest(store, channels, log, live)
    _ = store.policy.tagger
    gc.freeze()  # rules, words and statements stay: the collector need not walk through them again and again
    with alone(store.database):
        for window in _windows(raws):
            await reader.window(window)
        reader.release()
    return await reader.finish()


def _windows(raws: Iterable[Raw]) -> Iterator[list[Raw]]:
    source = iter(raws)
    while window := list(itertools.islice(source, WINDOW)):
        window.sort(key=lambda raw: raw.received_at)
        yield window


class _Ingest:
    """One run: the partitions it decides itself, and what came of them."""

    def __init__(self, store: Store, channels: Channels, log: DatabaseLog, live: bool) -> None:
        self._store = store
        self._channels = channels
        self._log = log
        self._live = live
        self._leases = Leases(store.database, f"ingest-{os.getpid()}")
        self._held: list[Lease] = []
        self._owned: dict[int, Partition] = {}
        self._foreign: set[int] = set()
        self._done = Decided()
        self._conversations: set[int] = set()
        self._newest: datetime | None = None

    async def window(self, window: Sequence[Raw]) -> None:
        """Append a window and have it decided."""
        places: defaultdict[int, list[int]] = defaultdict(list)
        for start in range(0, len(window), GROUP):
            group = [
                msgspec.structs.replace(raw, partition_key=RECORDED, history=not self._live)
                for raw in window[start : start + GROUP]
            ]
            for partition, position in await self._log.append(group):
                places[partition].append(position)
        self._newest = max(self._newest or window[0].received_at, window[-1].received_at)
        for partition, positions in sorted(places.items()):
            if self._own(partition):
                await self._decide(self._owned[partition], positions[-1])
            else:
                await self._await(partition, positions)

    def _own(self, number: int) -> bool:
        if number in self._owned:
            self._held = self._leases.renew(self._held)
            return True
        lease = None if number in self._foreign else self._leases.take(f"partition:{number}")
        if lease is None:
            self._foreign.add(number)
            return False
        self._held.append(lease)
        self._owned[number] = Partition(self._store, self._channels, number, lease.fence)
        return True

    async def _decide(self, partition: Partition, last: int) -> None:
        while partition.position < last:
            entries = await self._log.read(partition.number, partition.position, BATCH)
            if not entries:
                return
            decided = await asyncio.to_thread(partition.decide, entries, utc_now)
            self._done += msgspec.structs.replace(decided, decisions=())
            self._take(decided)
            self._held = self._leases.renew(self._held)

    def _take(self, decided: Decided) -> None:
        for decision in decided.decisions:
            if isinstance(decision, Placement):
                self._conversations.add(decision.conversation.number)
            else:
                self._conversations.add(decision.conversation)

    async def _await(self, number: int, positions: Sequence[int]) -> None:
        """A daemon decides this partition: wait until its cursor has passed, then count what came of them."""
        while True:
            with self._store.database.read() as tx:
                row = tx.one(_positions, number=number)
            if row is not None and row[0] >= positions[-1]:
                break
            await asyncio.sleep(0.05)
        with self._store.database.read() as tx:
            placed = [row[0] for row in tx.rows(_placed, part=number, places=list(positions))]
            kinds = [row[0] for row in tx.rows(_aside, part=number, places=list(positions))]
        self._conversations.update(placed)
        aside = Decided(invalid=kinds.count("invalid"), dead=kinds.count("dead"))
        redelivered = len(positions) - len(placed) - len(kinds)
        self._done += aside + Decided(read=len(positions), stored=len(placed), redelivered=redelivered)

    def release(self) -> None:
        """Give the partitions back, clean."""
        for partition in self._owned.values():
            partition.give_back()
        self._leases.release(self._held)

    async def finish(self) -> Summary:
        """Look at the clocks up to the newest message; the summary."""
        self._conversations.discard(0)
        if not self._live and self._newest is not None:
            await asyncio.to_thread(settle_history, self._store, self._conversations, self._newest)
        done: dict[str, Any] = {f: getattr(self._done, f) for f in ("read", "stored", "redelivered", "invalid", "dead")}
        return Summary(**done, conversations=len(self._conversations))
