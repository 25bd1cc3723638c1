"""Which recorded raw is this, however often it is taken in? The one of its channel with the same bytes.

A recorded raw travels under the name of its content, a keyed digest, as its transport's id. By it, what was set aside
once is not listed again, and what was set aside too early is closed when it comes again and is decided. Blocking
functions over a transaction.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, update

from router.ports import Raw
from router.seal import Sealer
from router.store import tables as t
from router.store.statement import Statement, Tx, member

if TYPE_CHECKING:
    from router.store.store import Aside

__all__ = ["close", "content_names", "listed_as", "unlisted"]

_PREFIX = "content:"
_A, _R = t.set_aside.c, t.raws.c
_names = Statement(
    select(_R.position, _R.transport_id).where(
        _R.partition == bindparam("part"), member(_R.position, "places"), _R.transport_id.startswith(_PREFIX)
    )
)
#: The content of what is set aside; asked for row by row, since the raws are many and these are few.
_content = (
    select(_R.transport_id).where(_R.partition == _A.partition, _R.position == _A.position).scalar_subquery()
)
_listed = Statement(select(_content, _A.item).where(member(_content, "names")))
_open = Statement(select(_content, _A.kind).where(member(_content, "names"), _A.state == "open"))
_close = Statement(
    update(t.set_aside).where(member(_content, "names"), _A.state == "open").values(state="replayed")
)


def content_names(raws: Iterable[Raw], sealer: Sealer) -> Iterator[str]:
    """The name of each recorded raw's content; the second of the same bytes among them has one of its own."""
    times: Counter[tuple[str, str]] = Counter()
    for raw in raws:
        content = raw.channel, hashlib.sha256(raw.body).hexdigest()
        times[content] += 1
        yield _PREFIX + sealer.mac("\0".join((*content, str(times[content]))))


def unlisted(tx: Tx, aside: Sequence[Aside]) -> list[Aside]:
    """Those that are not listed yet: a recorded raw is listed once, another raw each time that it comes."""
    names = _names_of(tx, {one.raw for one in aside})
    seen = {(row[0], row[1]) for row in tx.rows(_listed, names=list(names.values()))} if names else set()
    found: list[Aside] = []
    for one in aside:
        key = (names.get(one.raw), one.item)
        if key not in seen:
            found.append(one)
        if key[0] is not None:
            seen.add(key)
    return found


def _names_of(tx: Tx, raws: Iterable[tuple[int, int]]) -> dict[tuple[int, int], str]:
    places: defaultdict[int, list[int]] = defaultdict(list)
    for partition, position in raws:
        places[partition].append(position)
    return {
        (partition, row[0]): row[1]
        for partition, positions in places.items()
        for row in tx.rows(_names, part=partition, places=positions)
    }


def listed_as(tx: Tx, names: Iterable[str]) -> dict[str, str]:
    """What recorded raws of these contents are set aside as and still open: `invalid` or `dead`."""
    return {row[0]: row[1] for row in tx.rows(_open, names=list(names))}


def close(tx: Tx, names: Iterable[str]) -> None:
    """Close what was set aside of recorded raws that came again and were decided this time."""
    tx.run(_close, names=list(names))
