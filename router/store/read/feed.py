"""What has happened since? Events in the order of `seq`, each with its conversation and the words that were said.

In: the number of the last event that the reader knows. Out: pages of `router.forms.FeedItem`. Nothing here writes.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, func, select

from router.forms import FeedItem
from router.ref import ref_of
from router.store import tables as t
from router.store.statement import Statement, Tx
from router.store.tables import instant

__all__ = ["after", "newest", "oldest"]

_E, _C, _M = t.events.c, t.conversations.c, t.messages.c
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_page = Statement(
    select(
        _E.seq, _E.at, _E.type, _E.conversation, _E.message, _E.body, _C.queue, _C.holder, _C.contact, _M.direction,
        _M.handle, func.coalesce(_M.own_text, _M.text),
    )
    .outerjoin(t.conversations, _C.number == _E.conversation)
    .outerjoin(t.messages, and_(_M.number == _E.message, _E.message != 0))
    .where(_E.seq > bindparam("last"))
    .order_by(_E.seq)
    .limit(bindparam("rows"))
)  # fmt: skip
_newest = Statement(select(func.max(_E.seq)))
_oldest = Statement(select(func.min(_E.seq)))


def after(tx: Tx, last: int, limit: int) -> list[FeedItem]:
    """The events behind `last`, at most `limit`."""
    return [_item(*row) for row in tx.rows(_page, last=last, rows=limit)]


def newest(tx: Tx) -> int:
    """The number of the newest event; 0 where nothing has happened yet."""
    row = tx.one(_newest)
    return int(row[0] or 0) if row else 0


def oldest(tx: Tx) -> int:
    """The number of the oldest event that is kept; 0 where there is none."""
    row = tx.one(_oldest)
    return int(row[0] or 0) if row else 0


def _item(
    seq: int, at: int, type_: str, conversation: int, message: int, body: str, queue: str | None, holder: str | None,
    contact: int | None, direction: str | None, sender: str | None, text: str | None,
) -> FeedItem:  # fmt: skip
    return {
        "seq": seq,
        "at": instant(at).isoformat().replace("+00:00", "Z"),
        "type": type_,
        "conversation": conversation or None,
        "ref": ref_of(conversation) if conversation else None,
        "message": message or None,
        "data": _decode(body),
        "queue": queue,
        "holder": holder or None,
        "contact": contact,
        "direction": direction,
        "sender": sender,
        "text": text,
    }
