"""How do recorded messages get in? Through the same log and pipeline as live ones, in the order in which they were
written.

In: raws of recorded mails and of `.jsonl` lines. Each window of up to 20,000 (fewer where they are large) is put in
order of time (a record has a natural order, whatever its files are called), appended, and decided as history: nothing
goes out. Where another process decides on the same database it decides them too, and this waits until the cursor has
passed, or takes over when that one ends. Out: a `Summary` of this input, told by what stands in the ledger.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import tee

import msgspec
from sqlalchemy import bindparam, select

from router.desk import Ledger
from router.desk.duties.due import settle_history
from router.errors import LostOwnership
from router.match.learned import learned
from router.model import Placement
from router.ports import Raw
from router.store import recorded_identity
from router.store import tables as t
from router.store.clock import utc_now
from router.store.leases import Lease, Leases
from router.store.log import RECORDED, Log
from router.store.statement import Statement, member
from workers.daemon.channels import Channels
from workers.daemon.decide import Decided, Partition
from workers.daemon.single_writer import alone
from workers.ingest.window import windows

__all__ = ["Summary", "ingest"]

#: Raws that are appended together; fewer where they are large.
GROUP, GROUP_BYTES = 1_000, 16 << 20
BATCH = 500
#: Seconds between two looks at a partition that another process decides.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.5

_positions = Statement(select(t.positions.c.position).where(t.positions.c.partition == bindparam("number")))
_placed = Statement(
    select(t.messages.c.raw_position, t.messages.c.conversation).where(
        t.messages.c.raw_partition == bindparam("part"), member(t.messages.c.raw_position, "places")
    )
)
_aside = Statement(
    select(t.set_aside.c.position, t.set_aside.c.kind).where(
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


async def ingest(store: Ledger, channels: Channels, log: Log, raws: Iterable[Raw], *, live: bool) -> Summary:
    """Take recorded raws in. `live` lets replies, events and notices go out as for fresh ones. Safe to repeat."""
    reader = _Ingest(store, channels, log, live)
    _ = store.policy.tagger
    learned(store.policy.follow_ups.model)
    gc.freeze()  # rules, words and statements stay: the collector need not walk through them again and again
    with alone(store.database):
        for window in windows(raws):
            await reader.window(window)
        reader.release()
    return await reader.finish()


def _portions(raws: Iterable[Raw], most: int, size: int) -> Iterator[list[Raw]]:
    """The raws in lists of at most `most`, which hold hardly more than `size` bytes."""
    portion: list[Raw] = []
    held = 0
    for raw in raws:
        portion.append(raw)
        held += len(raw.body)
        if len(portion) >= most or held >= size:
            yield portion
            portion, held = [], 0
    if portion:
        yield portion


class _Ingest:
    """One run: the partitions it decides itself, and what came of its raws."""

    def __init__(self, store: Ledger, channels: Channels, log: Log, live: bool) -> None:
        self._store = store
        self._channels = channels
        self._log = log
        self._live = live
        self._leases = Leases(store.database, f"ingest-{os.getpid()}")
        self._held: list[Lease] = []
        self._owned: dict[int, Partition] = {}
        self._came_to: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
        self._done: Counter[str] = Counter()
        self._conversations: set[int] = set()
        self._touched: set[int] = set()
        self._newest: datetime | None = None

    async def window(self, window: Iterable[Raw]) -> None:
        """Append a window and have it decided."""
        named, window = tee(window)  # a body is read once, and held while its group is
        names = recorded_identity.content_names(named, self._store.sealer)
        for portion in _portions(window, GROUP, GROUP_BYTES):
            group = [
                msgspec.structs.replace(
                    raw, partition_key=RECORDED, history=not self._live, transport_id=next(names)
                )
                for raw in portion
            ]
            await self._group(group)

    async def _group(self, group: Sequence[Raw]) -> None:
        appended = await self._log.append(group)
        places: defaultdict[int, dict[int, Raw]] = defaultdict(dict)
        for raw, (number, position) in zip(group, appended, strict=True):
            places[number][position] = raw
        for number, last in sorted(dict(appended).items()):
            await self._pass(number, last)
        for number, raws in sorted(places.items()):
            self._count(number, raws)
        self._came_to.clear()

    async def _pass(self, number: int, last: int) -> None:
        """Return when the partition's cursor has passed `last`: decided here, or by whoever holds the partition."""
        pause = SHORTEST_PAUSE
        while self._cursor(number) < last:
            if self._own(number):
                await self._decide(number, last)
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _cursor(self, number: int) -> int:
        with self._store.database.read() as tx:
            row = tx.one(_positions, number=number)
        if row is None:
            raise LostOwnership(f"The ledger has no partition {number}.")
        return int(row[0])

    def _own(self, number: int) -> bool:
        self._renew()
        if number not in self._owned:
            lease = self._leases.take(f"partition:{number}")
            if lease is None:
                return False
            self._held.append(lease)
            self._owned[number] = Partition(self._store, self._channels, number, lease.fence)
        return True

    def _renew(self) -> None:
        """Keep the leases alive; a partition whose lease was lost (reading took long) is another's to decide."""
        if self._held:
            self._held = self._leases.renew(self._held)
        duties = {lease.duty for lease in self._held}
        self._owned = {n: partition for n, partition in self._owned.items() if f"partition:{n}" in duties}

    async def _decide(self, number: int, last: int) -> None:
        partition = self._owned[number]
        try:
            while partition.position < last:
                self._take(number, await asyncio.to_thread(self._decide_next, partition))
                self._renew()
        except LostOwnership:
            del self._owned[number]

    def _decide_next(self, partition: Partition) -> Decided:
        return partition.decide(self._log.read_next(partition.number, partition.position, BATCH), utc_now)

    def _take(self, number: int, decided: Decided) -> None:
        """Note which conversations came of which raw, also of raws that lay there undecided."""
        for position, decision in zip(decided.positions, decided.decisions, strict=True):
            of = decision.conversation.number if isinstance(decision, Placement) else decision.conversation
            self._came_to[number, position].add(of)
        self._touched.update(*(self._came_to[number, position] for position in decided.positions))

    def _count(self, number: int, raws: Mapping[int, Raw]) -> None:
        """Add up what became of these raws of the input: each is one of stored, redelivered, invalid and dead."""
        with self._store.database.read() as tx:
            placed = {row[0]: row[1] for row in tx.rows(_placed, part=number, places=list(raws))}
            kinds = {row[0]: row[1] for row in tx.rows(_aside, part=number, places=list(raws))}
            before = recorded_identity.listed_as(tx, [raw.transport_id for raw in raws.values()])
        for position, raw in raws.items():
            again = "" if position in placed else before.get(raw.transport_id, "")
            kind = kinds.get(position) or again or ("stored" if position in placed else "redelivered")
            self._done[kind] += 1
            self._conversations |= self._came_to[number, position]
            if kind in ("stored", "redelivered"):
                self._newest = max(self._newest or raw.received_at, raw.received_at)
        self._conversations.update(placed.values())
        came_in = [name for place in placed.keys() - kinds.keys() if (name := raws[place].transport_id) in before]
        if came_in:
            self._store.again(lambda tx: recorded_identity.close(tx, came_in))

    def release(self) -> None:
        """Give the partitions back, clean."""
        self._renew()
        for partition in self._owned.values():
            partition.give_back()
        self._leases.release(self._held)

    async def finish(self) -> Summary:
        """Look at the clocks up to the newest message; the summary."""
        touched = (self._touched | self._conversations) - {0}
        if not self._live and self._newest is not None:
            await asyncio.to_thread(settle_history, self._store, touched, self._newest)
        return Summary(**self._done, read=self._done.total(), conversations=len(self._conversations - {0}))
