"""Was this request answered before? One row a request, written in the transaction of its effects: ids only, no words.

In: a transaction, the account, route and key of a request, the digest of its body. The row is made first, so that a
second request waits for the first to end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from sqlalchemy import bindparam, select, update

from router.store import tables as t
from router.store.statement import Statement, Tx, as_json, insert
from router.store.tables import micros

__all__ = ["Earlier", "begin", "finish"]

_R = t.idempotency.c
_this = (_R.account == bindparam("who"), _R.route == bindparam("way"), _R.key == bindparam("word"))
_begin = insert(t.idempotency, unless_there=True)
_earlier = Statement(select(_R.digest, _R.ids).where(*_this))
_finish = Statement(update(t.idempotency).where(*_this).values(ids=bindparam("found")))
_decode = msgspec.json.Decoder(dict[str, int]).decode


class Earlier(msgspec.Struct, frozen=True):
    """The digest of the body that the request had, and what came of it."""

    digest: str
    ids: Mapping[str, int]


def begin(tx: Tx, account: str, route: str, key: str, digest: str, now: datetime) -> Earlier | None:
    """Note that the request is under way; what came of it where it was answered before."""
    row = {"account": account, "route": route, "key": key, "digest": digest, "status": 0, "ids": "{}"}
    if tx.many(_begin, [{**row, "at": micros(now)}]) == 1:
        return None
    found = tx.one(_earlier, who=account, way=route, word=key)
    return None if found is None else Earlier(found[0], _decode(found[1]))


def finish(tx: Tx, account: str, route: str, key: str, ids: Mapping[str, int]) -> None:
    """Note what came of the request."""
    tx.run(_finish, who=account, way=route, word=key, found=as_json(ids))
