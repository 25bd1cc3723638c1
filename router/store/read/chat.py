"""What does a visitor of the live-chat page see of his chat? His own messages and what the desk answered there.

In: the channel and the visitor's handle, which a signed cookie proves. Out: plain lines, by number. Only messages of
this handle on this channel are read, never the rest of a conversation: what a customer wrote by mail is not for
whoever sits at the browser. Blocking functions.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, literal_column, select

from router.store import tables as t
from router.store.database import Database
from router.store.read.queries import utc
from router.store.statement import Statement, member
from router.store.tables import instant

__all__ = ["File", "Line", "file_of", "lines", "numbers", "stored"]

#: Messages of a chat that are shown again after a reload.
MOST = 200
_decode = msgspec.json.Decoder().decode
_M, _O = t.messages.c, t.outbox.c

# The key of a message begins with its scope, here the handle, so the unique index finds them; ids of the page are hex
# digits and ours begin with `out-`, which every collation sorts before `zzzz`.
_numbers = Statement(
    select(_M.number)
    .where(
        _M.realm == bindparam("name"), _M.external_id >= bindparam("first"), _M.external_id < bindparam("last"),
        _M.handle == bindparam("visitor"), _M.direction != "note",
    )
    .order_by(_M.number.desc())
    .limit(MOST)
)  # fmt: skip
_sizes = Statement(
    select(func.length(_M.text), _M.attachments).where(
        _M.realm == bindparam("name"), _M.external_id >= bindparam("first"), _M.external_id < bindparam("last"),
        _M.handle == bindparam("visitor"), _M.direction == literal_column("'in'"),
    )
)  # fmt: skip
_lines = Statement(
    select(_M.number, _M.direction, _M.external_id, _M.text, _M.sent_at, _M.automatic, _M.attachments)
    .where(member(_M.number, "numbers"), _M.handle == bindparam("visitor"))
    .order_by(_M.number)
)
_sent = Statement(select(_O.message, _O.body).where(member(_O.message, "numbers"), _O.kind == "reply"))
_one = Statement(
    select(_O.body)
    .join(t.messages, _M.number == _O.message)
    .where(
        _O.message == bindparam("number"), _O.kind == "reply", _M.realm == bindparam("name"),
        _M.handle == bindparam("visitor"),
    )
)  # fmt: skip


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One message as the page shows it. `id` is the page's own id of what the visitor sent; `mine` is the visitor's."""

    number: int
    id: str
    mine: bool
    text: str
    at: str
    automatic: bool = False
    files: tuple[dict[str, Any], ...] = ()


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the desk sent."""

    name: str
    type: str
    content: bytes


def numbers(database: Database, channel: str, visitor: str) -> list[int]:
    """The numbers of the chat's messages, oldest first, at most the last 200."""
    with database.read() as tx:
        found = tx.rows(_numbers, name=channel, first=f"{visitor}:", last=f"{visitor}:zzzz", visitor=visitor)
    return [row[0] for row in reversed(found)]


def stored(database: Database, channel: str, visitor: str) -> int:
    """About how many bytes are stored of what the visitor sent: a character of text counts as three."""
    with database.read() as tx:
        rows = tx.rows(_sizes, name=channel, first=f"{visitor}:", last=f"{visitor}:zzzz", visitor=visitor)
    return sum(3 * length + sum(file.get("size") or 0 for file in _decode(files)) for length, files in rows)


def lines(database: Database, visitor: str, wanted: Collection[int]) -> list[Line]:
    """These messages of the visitor's chat. What the desk wrote reads as it was sent, as on any other channel."""
    if not wanted:
        return []
    with database.read() as tx:
        rows = tx.rows(_lines, numbers=list(wanted), visitor=visitor)
        sent = {number: _decode(body) for number, body in tx.rows(_sent, numbers=list(wanted))}
    found = []
    for number, direction, external_id, text, at, automatic, attachments in rows:
        body = sent.get(number, {})
        files = body.get("attachments") or _decode(attachments)
        found.append(
            Line(
                number=number,
                id=external_id.removeprefix(f"{visitor}:"),
                mine=direction == "in",
                text=body.get("text", text),
                at=utc(instant(at)) or "",
                automatic=bool(automatic),
                files=tuple(_shown(file) for file in files),
            )
        )
    return found


def _shown(file: dict[str, Any]) -> dict[str, Any]:
    return {"name": file.get("name", ""), "url": file.get("url", ""), "kept": bool(file.get("content"))}


def file_of(database: Database, channel: str, visitor: str, number: int, index: int) -> File | None:
    """A file of a reply that went to this visitor; None for everybody else, and where there is none."""
    with database.read() as tx:
        row = tx.one(_one, number=number, name=channel, visitor=visitor)
    files = _decode(row[0]).get("attachments", []) if row is not None else []
    if not 0 <= index < len(files) or not files[index].get("content"):
        return None
    file = files[index]
    try:
        content = base64.b64decode(file["content"], validate=True)
    except (binascii.Error, ValueError):
        return None
    return File(name=file.get("name", ""), type=file.get("type", ""), content=content)
