"""As of when are the clocks of recorded history shown? As of the newest recorded message: no timekeeper watches them.

`remember` writes down how far they were looked at, in the transaction of the firings' records; `looked_at` says for a
conversation at which instant its clocks are to be read (contract: ingest).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select

from router.deadlines.fold import Promises, from_json, next_wake
from router.model import Conversation
from router.store import tables as t
from router.store.database import Database
from router.store.statement import Statement, Tx, insert_into
from router.store.tables import instant, micros

__all__ = ["history_until", "looked_at", "remember"]

_NAME = "history_until"
_until = Statement(select(t.facts.c.value).where(t.facts.c.name == _NAME))


def _upsert() -> Statement:
    """Write the fact, unless a later instant stands there (microseconds of our age have 16 digits)."""
    core = insert_into(t.facts).values(name=_NAME, value=bindparam("until"))
    newer = {"value": core.excluded.value}
    later = t.facts.c.value < core.excluded.value
    return Statement(core.on_conflict_do_update(index_elements=["name"], set_=newer, where=later))


_put = _upsert()


def remember(tx: Tx, until: datetime) -> None:
    """The clocks of recorded history were looked at up to this instant."""
    tx.run(_put, until=f"{micros(until):016d}")


def history_until(database: Database) -> datetime | None:
    """Up to which instant they were looked at; None without any history."""
    with database.read() as tx:
        row = tx.one(_until)
    return None if row is None else instant(int(row[0]))


def looked_at(c: Conversation, promises: Promises, now: datetime, until: datetime | None) -> datetime:
    """The instant at which to show a conversation's clocks: `now`, or for recorded history its newest message."""
    if until is None or until >= now or c.next_wake_at is not None or c.merged_into:
        return now
    seen = max(until, c.last_message_at)
    return now if next_wake(from_json(c.clocks), promises, seen) is None else seen
