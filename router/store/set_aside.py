"""What was set aside, and how does it come back? Invalid raws (could not be translated), dead ones (not be decided),
and what a provider announced without its content, until that is fetched.

Each keeps its raw and its reason; `replay` decides it again from the stored bytes, as it came. Nothing is lost by
being set aside. Blocking functions over the store; `router.desk.replay` decides again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import and_, bindparam, exists, or_, select, update

from router.errors import NotFound
from router.ports import Raw
from router.seal import Sealed
from router.store import tables as t
from router.store.read.queries import utc
from router.store.schema import ASIDE
from router.store.statement import Statement, among, insert
from router.store.store import Store
from router.store.tables import instant, micros
from router.text.secrets.redact import redact

__all__ = [
    "ANNOUNCED", "TO_FETCH", "drop", "fetched", "keep_invalid", "listed", "raw_at", "raws_between",
    "replayed", "staying", "still_aside", "to_fetch", "unfetched", "waiting",
]  # fmt: skip

#: The kind of what was announced, and why it is set aside.
ANNOUNCED: Final = "announced"
TO_FETCH: Final = "it was announced without its content, which is fetched from the provider"

_decode_meta = msgspec.json.Decoder(dict[str, str]).decode
_A, _R, _K = t.set_aside.c, t.raws.c, t.raw_keys.c
_its_key = and_(_K.partition == _R.partition, _K.position == _R.position)

_next_position = Statement(
    update(t.log_partitions)
    .where(t.log_partitions.c.partition == ASIDE)
    .values(position=t.log_partitions.c.position + 1)
    .returning(t.log_partitions.c.position)
)
_put_raw = insert(t.raws)
_put_key = insert(t.raw_keys)
_put_aside = insert(t.set_aside, unless_there=True)
_page = Statement(
    select(_A.id, _A.partition, _A.position, _A.item, _A.channel, _A.kind, _A.reason, _A.state, _A.attempts, _A.at)
    .where(_A.id > bindparam("after"))
    .order_by(_A.id)
    .limit(bindparam("rows"))
)
_one = Statement(
    select(
        _A.id, _A.partition, _A.position, _A.item, _A.channel, _A.kind, _A.reason, _A.state, _A.attempts, _A.at
    ).where(_A.id == bindparam("number"))
)
_raw = Statement(
    select(_R.channel, _R.transport_id, _R.received_at, _R.meta, _R.history, _K.wrapped_key, _R.body)
    .join(t.raw_keys, _its_key)
    .where(_R.partition == bindparam("part"), _R.position == bindparam("place"))
)
_raws_between = Statement(
    select(_R.partition, _R.position)
    .join(t.raw_keys, _its_key)
    .where(
        _R.channel == bindparam("name"),
        _R.received_at >= bindparam("since", type_=t.Instant.impl()),
        _R.received_at < bindparam("until", type_=t.Instant.impl()),
        ~exists().where(
            _A.partition == _R.partition, _A.position == _R.position, among(_A.kind, "invalid"),
            among(_A.state, "dropped"),
        )
        | exists().where(  # only a part of it was dropped
            t.messages.c.raw_partition == _R.partition, t.messages.c.raw_position == _R.position
        ),
    )
    .order_by(_R.received_at, _R.partition, _R.position)
)
#: The items of a raw that stay aside when it is decided again: the dropped ones, and others that are dead, each of
#: which is replayed by itself.
_staying = Statement(
    select(_A.item, _A.state).where(
        _A.partition == bindparam("part"), _A.position == bindparam("place"),
        or_(among(_A.state, "dropped"), and_(among(_A.state, "open"), among(_A.kind, "dead"))),
    )
)  # fmt: skip
_set_state = Statement(
    update(t.set_aside)
    .where(_A.id == bindparam("number"))
    .values(state=bindparam("what"), reason=bindparam("why"), attempts=_A.attempts + bindparam("more"))
)
_to_fetch = Statement(
    select(_A.id, _A.channel, _A.partition, _A.position, _A.item)
    .where(among(_A.kind, ANNOUNCED), among(_A.state, "open"))
    .order_by(_A.id)
    .limit(bindparam("rows"))
)
_given_up = Statement(
    update(t.set_aside)
    .where(_A.id == bindparam("number"))
    .values(kind="invalid", reason=bindparam("why"), attempts=_A.attempts + 1)
)


def keep_invalid(store: Store, raw: Raw, reason: str, now: datetime) -> None:
    """Keep a raw whose sender was genuine and whose content is refused: it is listed, and never decided by itself."""
    sealed = store.sealer.seal(raw.body)

    def work(tx: Any) -> None:
        row = tx.one(_next_position)
        position = int(row[0])
        tx.run(
            _put_raw, partition=ASIDE, position=position, channel=raw.channel, transport_id=raw.transport_id,
            received_at=micros(raw.received_at), meta=msgspec.json.encode(raw.meta).decode(), history=raw.history,
            body=sealed.body, arrived_at=micros(now),
        )  # fmt: skip
        tx.run(_put_key, partition=ASIDE, position=position, wrapped_key=sealed.wrapped_key)
        tx.run(
            _put_aside, partition=ASIDE, position=position, item=0, channel=raw.channel, kind="invalid",
            reason=redact(reason).text, state="open", attempts=1, at=micros(now),
        )  # fmt: skip

    store.again(work)


def listed(store: Store, *, closed: bool = False) -> Iterator[dict[str, Any]]:
    """What is set aside, oldest first; `closed` adds what was replayed or dropped."""
    after = 0
    while True:
        with store.database.read() as tx:
            rows = tx.rows(_page, after=after, rows=500)
        if not rows:
            return
        after = rows[-1][0]
        yield from (_shown(row) for row in rows if closed or row[7] == "open")


def _shown(row: Sequence[Any]) -> dict[str, Any]:
    return {
        "id": row[0],
        "raw": f"{row[1]}:{row[2]}",
        "item": row[3],
        "channel": row[4],
        "kind": row[5],
        "reason": row[6],
        "state": row[7],
        "attempts": row[8],
        "at": utc(instant(row[9])),
    }


def one(store: Store, number: int) -> dict[str, Any]:
    """One entry. Raises `NotFound`."""
    with store.database.read() as tx:
        row = tx.one(_one, number=number)
    if row is None:
        raise NotFound(f"Nothing is set aside as {number}; `omnirouter dead list` shows what is.")
    return _shown(row)


def raw_at(store: Store, partition: int, position: int) -> Raw:
    """The stored raw, opened. Raises `NotFound` when it was erased or expired."""
    with store.database.read() as tx:
        row = tx.one(_raw, part=partition, place=position)
    if row is None:
        raise NotFound(f"The raw {partition}:{position} is no longer kept (erased, or older than retention.raws).")
    body = store.sealer.open(Sealed(wrapped_key=bytes(row[5]), body=bytes(row[6])))
    return Raw(
        channel=row[0], body=body, received_at=instant(row[2]), transport_id=row[1], meta=_decode_meta(row[3]),
        history=bool(row[4]),
    )  # fmt: skip


def raws_between(store: Store, channel: str, since: datetime, until: datetime) -> list[tuple[int, int]]:
    """The raws of a channel received from `since` to before `until`, in order, without those that were dropped."""
    with store.database.read() as tx:
        rows = tx.rows(_raws_between, name=channel, since=micros(since), until=micros(until))
    return [(row[0], row[1]) for row in rows]


def staying(store: Store, place: tuple[int, int]) -> list[tuple[int, str]]:
    """The items of a raw that stay aside when it is decided again, with their states."""
    with store.database.read() as tx:
        return [(row[0], row[1]) for row in tx.rows(_staying, part=place[0], place=place[1])]


def replayed(store: Store, number: int, reason: str) -> None:
    """It was decided again: closed."""
    store.again(lambda tx: tx.run(_set_state, number=number, what="replayed", why=reason, more=1))


def still_aside(store: Store, number: int, reason: str) -> None:
    """It was tried again and stays open, for this reason."""
    store.again(lambda tx: tx.run(_set_state, number=number, what="open", why=redact(reason).text, more=1))


def to_fetch(store: Store, rows: int) -> list[tuple[int, str, tuple[int, int], int]]:
    """What was announced and is not fetched yet, oldest first: number, channel, the place of its raw, its index."""
    with store.database.read() as tx:
        return [(row[0], row[1], (row[2], row[3]), row[4]) for row in tx.rows(_to_fetch, rows=rows)]


def fetched(store: Store, number: int) -> None:
    """What was announced is in the log now."""
    store.again(lambda tx: tx.run(_set_state, number=number, what="replayed", why=TO_FETCH, more=1))


def unfetched(store: Store, number: int, reason: str, *, for_good: bool) -> None:
    """It could not be fetched: a person looks when that is `for_good`, else it is tried again."""
    why = redact(reason).text
    if for_good:
        store.again(lambda tx: tx.run(_given_up, number=number, why=why))
    else:
        store.again(lambda tx: tx.run(_set_state, number=number, what="open", why=f"{TO_FETCH}: {why}", more=1))


def waiting(store: Store, words: str = "") -> list[int]:
    """The ids of all that is set aside and still open, oldest first; with `words` those whose reason has them. What is
    to be fetched waits for its provider, not for a person."""
    looked_for = words.casefold()
    return [
        entry["id"]
        for entry in listed(store)
        if entry["kind"] != ANNOUNCED and looked_for in str(entry["reason"]).casefold()
    ]


def drop(store: Store, number: int) -> None:
    """Say that this one needs no decision; its raw stays until it expires. Raises `NotFound`."""
    entry = one(store, number)
    store.again(lambda tx: tx.run(_set_state, number=number, what="dropped", why=str(entry["reason"]), more=0))
