"""What became of a conversation that was merged, of a contact that was joined, and what went into one?

Followed from the numbers that are asked about, a look for each step of a chain, so that it costs nothing where nothing
was merged. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, bindparam, literal_column, select

from router.store import tables as t
from router.store.statement import Statement, Tx, member

__all__ = ["absorbed_by", "families", "family", "of_contacts", "of_conversations"]

_C, _P = t.conversations.c, t.contacts.c
#: Written out, so that SQLite takes the partial indexes.
_ZERO: ColumnElement[int] = literal_column("0")
_ABSORBED = _C.merged_into != _ZERO
_merged_of = Statement(select(_C.number, _C.merged_into).where(member(_C.number, "numbers"), _ABSORBED))
_absorbed_by = Statement(select(_C.number).where(_C.merged_into == bindparam("number"), _ABSORBED))
_absorbed_of = Statement(select(_C.number).where(member(_C.merged_into, "numbers"), _ABSORBED))
_joined_of = Statement(select(_P.number, _P.joined_into).where(member(_P.number, "numbers"), _P.joined_into != _ZERO))


def of_conversations(tx: Tx, numbers: Iterable[int]) -> dict[int, int]:
    """Those of these conversations that were merged away, with the one that each is part of now."""
    return _roots(tx, _merged_of, numbers)


def of_contacts(tx: Tx, numbers: Iterable[int]) -> dict[int, int]:
    """Those of these contacts that were joined into another, with the one that each is part of now."""
    return _roots(tx, _joined_of, numbers)


def _roots(tx: Tx, statement: Statement, numbers: Iterable[int]) -> dict[int, int]:
    into: dict[int, int] = {}
    todo = set(numbers)
    while todo:
        found = dict(tx.rows(statement, numbers=sorted(todo)))
        into |= found
        todo = set(found.values()) - into.keys()
    return {number: _root(number, into) for number in into}


def _root(number: int, into: Mapping[int, int]) -> int:
    while number in into:
        number = into[number]
    return number


def absorbed_by(tx: Tx, number: int) -> list[int]:
    """The conversations that were merged into this one itself."""
    return [row[0] for row in tx.rows(_absorbed_by, number=number)]


def family(tx: Tx, number: int) -> list[int]:
    """A conversation and all that were merged into it."""
    return families(tx, [number])


def families(tx: Tx, numbers: Iterable[int]) -> list[int]:
    """Conversations and all that were merged into them."""
    found = dict.fromkeys(numbers)
    todo = list(found)
    while todo:
        todo = [row[0] for row in tx.rows(_absorbed_of, numbers=todo) if row[0] not in found]
        found |= dict.fromkeys(todo)
    return list(found)
