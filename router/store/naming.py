"""Where do conversations of others name a person who is erased? In whom answers are copied to, and in whose mail came.

In: his mail addresses. Out: nothing that names them; within the transaction that erases him (rules: security, 3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import bindparam, delete, or_, select, update

from router.store import tables as t
from router.store.statement import Statement, Tx, as_json, member

__all__ = ["forget_named"]

_M, _C = t.messages.c, t.conversations.c
_SPECIAL, _ESCAPED = re.compile("([!%_])"), r"!\1"
_decode = msgspec.json.Decoder(list[str]).decode
_naming = Statement(
    select(_C.number, _C.copied, _C.proposed).where(
        or_(_C.copied.like(bindparam("written"), escape="!"), _C.proposed.like(bindparam("written"), escape="!"))
    )
)
_rename = Statement(
    update(t.conversations)
    .where(_C.number == bindparam("row"))
    .values(copied=bindparam("those"), proposed=bindparam("others"), version=_C.version + 1)
)
_unmark = Statement(delete(t.markers).where(member(t.markers.c.key, "ids")))
_forget_via = Statement(update(t.messages).where(member(_M.via, "ids")).values(via=""))
_forget_original = Statement(update(t.messages).where(member(_M.original, "ids")).values(original=""))


def forget_named(tx: Tx, addresses: Iterable[str], markers: Sequence[str]) -> None:
    """Take these addresses out of whatever names them, and the `markers` that mails leave of them."""
    gone = sorted(set(addresses))
    if not gone:
        return
    for address in gone:
        for number, copied, proposed in tx.rows(_naming, written=f"%{_SPECIAL.sub(_ESCAPED, address)}%"):
            those = [a for a in _decode(copied) if a not in gone]
            others = [a for a in _decode(proposed) if a not in gone]
            tx.run(_rename, row=number, those=as_json(those), others=as_json(others))
    tx.run(_unmark, ids=sorted(set(markers)))
    tx.run(_forget_via, ids=gone)
    tx.run(_forget_original, ids=gone)
