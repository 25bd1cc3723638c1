"""What small things does the ledger keep for a channel? Its source's cursor, and texts that outlive a restart.

Blocking functions over a `Database`; the log moves a cursor itself, in the transaction that appends.
"""

from __future__ import annotations

from sqlalchemy import bindparam, select

from router.store import tables as t
from router.store.database import Database
from router.store.statement import Statement, upsert

__all__ = ["cursor_of", "recall", "remember"]

_cursor = Statement(select(t.channel_cursors.c.value).where(t.channel_cursors.c.channel == bindparam("name")))
_recall = Statement(
    select(t.channel_memory.c.value).where(
        t.channel_memory.c.channel == bindparam("name"), t.channel_memory.c.key == bindparam("word")
    )
)
_remember = upsert(t.channel_memory)


def cursor_of(database: Database, channel: str) -> str | None:
    """How far a channel's source is read; None before the first time."""
    with database.read() as tx:
        row = tx.one(_cursor, name=channel)
    return None if row is None or not row[0] else str(row[0])


def recall(database: Database, channel: str, key: str) -> str | None:
    """A text that this channel remembered."""
    with database.read() as tx:
        row = tx.one(_recall, name=channel, word=key)
    return None if row is None else str(row[0])


def remember(database: Database, channel: str, key: str, value: str) -> None:
    """Keep a text for this channel, over restarts and for all nodes."""
    with database.write() as tx:
        tx.run(_remember, channel=channel, key=key, value=value)
