"""What arrived in this batch, read as far as each of it needs?

In: arrivals and the database. Out: each with what was read of it. A redelivery, of what is stored or of what came
earlier in the batch, is known by its id and the digest of its content and read no further; the decision asks the
snapshot again. Blocking; nothing is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec
from sqlalchemy import bindparam, select

from router.decision.decide import Delivered, Prepared, delivered, prepare
from router.desk.storable import kept
from router.errors import Undecidable
from router.model import DeskEvent, Key, Message
from router.policy.values import Policy
from router.store import tables as t
from router.store.database import Database
from router.store.statement import Statement, member

__all__ = ["Arrival", "Came", "read_in", "read_on"]

_digests = Statement(
    select(t.messages.c.external_id, t.messages.c.digest).where(
        t.messages.c.realm == bindparam("realm"), member(t.messages.c.external_id, "ids")
    )
)


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A message or an event of the desk that arrived, with the (partition, position) of its raw, if it has one."""

    what: Message | DeskEvent
    received_at: datetime
    raw: tuple[int, int] | None = None


#: An arrival and what was read: all of a message, what a redelivery is known by, nothing of an event of the desk.
Came: TypeAlias = tuple[Arrival, Prepared | Delivered | None]


def read_in(arrivals: Sequence[Arrival], database: Database, policy: Policy) -> list[Came]:
    """Read what came, in order. Raises `Undecidable` for one that cannot be read."""
    came = [_delivered(index, arrival, policy) for index, arrival in enumerate(arrivals)]
    names = {one.message.key for _, one in came if one is not None}
    seen = _stored(database, names) if len(names) > 1 else set()  # one alone is read as fast as asked about
    found: list[Came] = []
    for index, (arrival, one) in enumerate(came):
        if one is None or (one.message.key, one.digest) in seen:
            found.append((arrival, one))
            continue
        seen.add((one.message.key, one.digest))
        found.append(read_on(index, arrival, one, policy))
    return found


def read_on(index: int, arrival: Arrival, came: Delivered, policy: Policy) -> Came:
    """Read the rest of a message."""
    assert isinstance(arrival.what, Message)  # noqa: S101  (events of the desk are not read)
    try:
        return arrival, prepare(arrival.what, policy, known=came)
    except Exception as cause:
        raise Undecidable(index, cause) from cause


def _delivered(index: int, arrival: Arrival, policy: Policy) -> tuple[Arrival, Delivered | None]:
    try:
        what = kept(arrival.what)
        if what is not arrival.what:
            arrival = msgspec.structs.replace(arrival, what=what)
        return arrival, delivered(what, policy) if isinstance(what, Message) else None
    except Exception as cause:
        raise Undecidable(index, cause) from cause


def _stored(database: Database, keys: Collection[Key]) -> set[tuple[Key, str]]:
    """The stored messages of these keys, with the digests of their content."""
    realms: defaultdict[str, list[str]] = defaultdict(list)
    for realm, name in keys:
        realms[realm].append(name)
    with database.read() as tx:
        return {
            ((realm, row[0]), row[1])
            for realm, ids in realms.items()
            for row in tx.rows(_digests, realm=realm, ids=ids)
        }
