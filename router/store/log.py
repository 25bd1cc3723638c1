"""How is the log kept in the ledger's own database? One row a raw, sealed, numbered within its partition.

Appends take the partition's counter row and hold it to the commit, partitions in sorted order, so a reader never
skips a position that a slower appender commits later. Group commit: the first append starts a drain in the writer
thread; what queues meanwhile goes into the next commit. The source's cursor moves in the same transaction, under its
fence.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import msgspec
import xxhash
from sqlalchemy import and_, bindparam, func, select, update

from router.errors import InvalidPayload, LogFull, LostOwnership
from router.ports import Cursor, Entry, Raw
from router.seal import Sealed, Sealer
from router.store import tables as t
from router.store.bell import Bell
from router.store.clock import utc_now
from router.store.database import Database
from router.store.statement import Statement, Tx, as_json, insert, insert_into
from router.store.tables import instant, micros
from router.store.transient import is_transient
from router.store.unread import Unread
from router.wire.fields import storable

__all__ = ["RECORDED", "Log", "partition_of"]

_take = Statement(
    update(t.log_partitions)
    .where(t.log_partitions.c.partition == bindparam("number"))
    .values(position=t.log_partitions.c.position + bindparam("n", type_=t.Instant.impl()))
    .returning(t.log_partitions.c.position)
)
_put = insert(t.raws)
_put_key = insert(t.raw_keys)
_sizes = Statement(
    select(t.raws.c.position, func.length(t.raws.c.body))
    .where(t.raws.c.partition == bindparam("number"), t.raws.c.position > bindparam("after"))
    .order_by(t.raws.c.position)
    .limit(bindparam("rows"))
)
_read = Statement(
    select(
        t.raws.c.position, t.raws.c.channel, t.raws.c.transport_id, t.raws.c.received_at, t.raws.c.meta,
        t.raws.c.history, t.raw_keys.c.wrapped_key, t.raws.c.body,
    )
    .outerjoin(
        t.raw_keys,
        and_(t.raw_keys.c.partition == t.raws.c.partition, t.raw_keys.c.position == t.raws.c.position),
    )
    .where(
        t.raws.c.partition == bindparam("number"), t.raws.c.position > bindparam("after"),
        t.raws.c.position <= bindparam("last"),
    )
    .order_by(t.raws.c.position)
)  # fmt: skip
_move_cursor = Statement(
    insert_into(t.channel_cursors)
    .values(channel=bindparam("name"), value=bindparam("place"), fence=bindparam("token"))
    .on_conflict_do_update(
        index_elements=["channel"],
        set_={"value": bindparam("place"), "fence": bindparam("token")},
        where=t.channel_cursors.c.fence <= bindparam("token"),
    )
)
_last = Statement(
    select(t.log_partitions.c.position).where(
        t.log_partitions.c.partition == bindparam("number"), t.log_partitions.c.position > bindparam("after")
    )
)
_ends = Statement(select(t.log_partitions.c.partition, t.log_partitions.c.position))
#: The partition key of recorded messages.
RECORDED = "\0recorded"
#: Bytes of raws that are read at once; one that is larger is read by itself.
READ_AT_ONCE = 16 << 20
_decode_meta = msgspec.json.Decoder(dict[str, str]).decode


def partition_of(raw: Raw, partitions: int) -> int:
    """The partition of a raw: by its key, else by its channel. A wrong key costs order, never correctness.

    Recorded messages share one, whatever their channels: partitions are decided independently of each other, and a
    chat at night must be decided before the mail of the next morning that asks about it.
    """
    channel = "" if raw.partition_key == RECORDED else raw.channel
    return xxhash.xxh64_intdigest(f"{channel}\0{raw.partition_key}".encode("utf-8", "surrogatepass")) % partitions


class _Append(msgspec.Struct, frozen=True):
    raws: Sequence[Raw]
    cursor: Cursor | None
    done: asyncio.Future[list[tuple[int, int]]]


class Log:
    """Raws, durable and in order of arrival by partition: a table of the ledger's database.

    `waiting_limit` bounds the appends that queue for the next commit; beyond it `append` raises `LogFull`. `now` is
    the clock that says when a raw arrived, which is what its age is counted from.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        partitions: int,
        *,
        bell: Bell | None = None,
        waiting_limit: int = 20_000,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.partitions = partitions
        self.bell = bell or Bell(database)
        self._database = database
        self._sealer = sealer
        self._now = now
        self._unread = Unread()
        self._waiting: deque[_Append] = deque()
        self._waiting_limit = waiting_limit
        self._waiting_raws = 0
        self._closed = False
        self._drain: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log")

    async def append(self, raws: Sequence[Raw], cursor: Cursor | None = None) -> list[tuple[int, int]]:
        """Make raws durable, in order, and move the source's cursor with them; returns (partition, position) each.
        Raises `LogFull`, `Unreachable` or, for an outdated fence, `LostOwnership` (then nothing was appended)."""
        if self._closed:
            raise LogFull("The log is closed: the daemon is stopping.")
        if self._waiting_raws + len(raws) > self._waiting_limit:
            raise LogFull("The log cannot take more at the moment; try again in a few seconds.")
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(_Append(raws, cursor, done))
        self._waiting_raws += len(raws)
        if self._drain is None or self._drain.done():
            self._drain = asyncio.create_task(self._drain_waiting())
        try:
            places: list[tuple[int, int]] = await asyncio.shield(done)
        except asyncio.CancelledError:  # whoever asked has gone: what has not begun is not begun
            done.cancel()
            raise
        return places

    async def _drain_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group = [append for append in self._waiting if not append.done.done()]
            self._waiting.clear()
            self._waiting_raws = 0
            outcome = await loop.run_in_executor(self._thread, self._commit, group)
            for append, places in zip(group, outcome, strict=True):
                if append.done.cancelled():
                    continue
                if isinstance(places, BaseException):
                    append.done.set_exception(places)
                else:
                    append.done.set_result(places)

    def _commit(self, group: Sequence[_Append]) -> list[list[tuple[int, int]] | BaseException]:
        """One transaction for the group; when it fails, each append by itself, so that one cannot fail another."""
        try:
            return list(self._store(group)) if group else []
        except Exception as failure:
            away = is_transient(failure) and not isinstance(failure, LostOwnership)
            if len(group) == 1 or away:  # what is away is away for each of them
                return [_said(failure)] * len(group)
            return [self._commit([append])[0] for append in group]

    def _store(self, group: Sequence[_Append]) -> list[list[tuple[int, int]]]:
        by_partition: defaultdict[int, list[tuple[int, int, Raw]]] = defaultdict(list)
        for which, append in enumerate(group):
            for index, raw in enumerate(append.raws):
                by_partition[partition_of(raw, self.partitions)].append((which, index, raw))
        sealed = {id(raw): self._sealer.seal(raw.body) for append in group for raw in append.raws}
        places: list[list[tuple[int, int]]] = [[(0, 0)] * len(append.raws) for append in group]
        arrived = micros(self._now())
        with self._database.write() as tx:
            rows: list[dict[str, Any]] = []
            keys: list[dict[str, Any]] = []
            for partition in sorted(by_partition):
                entries = by_partition[partition]
                position = _next_position(tx, partition, len(entries))
                for which, index, raw in entries:
                    places[which][index] = (partition, position)
                    rows.append(_row(partition, position, raw, sealed[id(raw)].body, arrived))
                    key = sealed[id(raw)].wrapped_key
                    keys.append({"partition": partition, "position": position, "wrapped_key": key})
                    position += 1
            tx.many(_put, rows)
            tx.many(_put_key, keys)
            for append in group:
                if append.cursor is not None:
                    move_cursor(tx, append.cursor)
            self.bell.ring_in(tx, "log")
        self._unread.keep(
            _as_read(partition, position, raw)
            for append, of in zip(group, places, strict=True)
            for (partition, position), raw in zip(of, append.raws, strict=True)
        )
        self.bell.ring()
        return places

    def read_next(self, partition: int, after: int, limit: int) -> list[Entry]:
        """What is to be decided next: what was appended here is handed on, anything else is read. Blocking."""
        return self._unread.take(partition, after, limit) or self.read_now(partition, after, limit)

    async def read(self, partition: int, after: int, limit: int) -> list[Entry]:
        """The next entries behind `after`, opened."""
        return await asyncio.to_thread(self.read_now, partition, after, limit)

    def read_now(self, partition: int, after: int, limit: int) -> list[Entry]:
        """`read`, in a thread of the caller. An entry that cannot be opened has an empty body and says why."""
        with self._database.read() as tx:
            last = _reach(tx.rows(_sizes, number=partition, after=after, rows=limit))
            rows = tx.rows(_read, number=partition, after=after, last=last) if last else []
        return [self._entry(partition, row) for row in rows]

    def _entry(self, partition: int, row: Sequence[Any]) -> Entry:
        position, channel, transport_id, received_at, meta, history, wrapped_key, sealed = row
        body, unreadable = b"", "erased"
        if wrapped_key is not None:
            try:
                body = self._sealer.open(Sealed(wrapped_key=bytes(wrapped_key), body=bytes(sealed)))
                unreadable = ""
            except InvalidPayload as failure:
                unreadable = failure.reason
        raw = Raw(
            channel=channel,
            body=body,
            received_at=instant(received_at),
            transport_id=transport_id,
            meta=_decode_meta(meta),
            history=bool(history),
        )
        return Entry(partition=partition, position=position, raw=raw, unreadable=unreadable)

    def ends(self) -> dict[int, int]:
        """The last position of each partition: one look tells where something may lie behind a cursor. Blocking."""
        with self._database.read() as tx:
            return {row[0]: row[1] for row in tx.rows(_ends)}

    async def wait(self, partition: int, after: int, timeout: float) -> None:  # noqa: ASYNC109
        """Wait for the bell, at most `timeout` seconds; not at all when something is behind `after` already."""
        rings = self.bell.rings
        if await asyncio.to_thread(self._behind, partition, after):
            return
        await self.bell.wait(timeout, rings)

    def _behind(self, partition: int, after: int) -> bool:
        with self._database.read() as tx:
            return tx.one(_last, number=partition, after=after) is not None

    async def close(self) -> None:
        """Finish what waits and stop the thread. Safe to call twice."""
        self._closed = True
        if self._drain is not None:
            await asyncio.gather(self._drain, return_exceptions=True)
        self._thread.shutdown(wait=True)


def _reach(sizes: Sequence[tuple[int, int | None]]) -> int:
    """The position of the last of these raws (with their sizes) that are read at once; 0 for none."""
    last, held = 0, 0
    for position, size in sizes:
        held += size or 0
        if last and held > READ_AT_ONCE:
            break
        last = position
    return last


def _next_position(tx: Tx, partition: int, n: int) -> int:
    row = tx.one(_take, number=partition, n=n)
    if row is None:
        raise LostOwnership(f"The ledger has no partition {partition}.")
    return int(row[0]) - n + 1


def _row(partition: int, position: int, raw: Raw, body: bytes, arrived: int) -> dict[str, Any]:
    return {
        "partition": partition,
        "position": position,
        "channel": raw.channel,
        "transport_id": storable(raw.transport_id),
        "received_at": micros(raw.received_at),
        "meta": as_json({storable(k): storable(v) for k, v in raw.meta.items()}) if raw.meta else "{}",
        "history": raw.history,
        "body": body,
        "arrived_at": arrived,
    }


def _as_read(partition: int, position: int, raw: Raw) -> Entry:
    """The entry that reading this raw back gives."""
    meta = {storable(k): storable(v) for k, v in raw.meta.items()}
    kept = Raw(
        channel=raw.channel, body=raw.body, received_at=instant(micros(raw.received_at)),
        transport_id=storable(raw.transport_id), meta=meta, history=raw.history,
    )  # fmt: skip
    return Entry(partition=partition, position=position, raw=kept)


def move_cursor(tx: Tx, cursor: Cursor) -> None:
    """Move a source's cursor. Raises `LostOwnership` when a newer fence has moved it."""
    if tx.run(_move_cursor, name=cursor.channel, place=cursor.value, token=cursor.fence) != 1:
        raise LostOwnership(f"Another node reads channel {cursor.channel} now.")


def _said(failure: Exception) -> BaseException:
    if isinstance(failure, LostOwnership):
        return failure
    if is_transient(failure) or type(failure).__module__.partition(".")[0] in ("sqlite3", "psycopg"):
        return LogFull("The log cannot be written at the moment: the database refused it.")
    return failure
