"""What did the customer say last in each of these conversations? One line each, for lists.

In: numbers of conversations. Out: the beginning of the own words of the newest customer message. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from router.store import tables as t
from router.store.statement import Statement, Tx, member

__all__ = ["last_words"]

#: Characters of a line in a list.
_LINE = 160
_M = t.messages.c
_newest = (
    select(func.max(_M.number))
    .where(member(_M.conversation, "numbers"), _M.direction == "in", _M.kind != "status")
    .group_by(_M.conversation)
)
_words = Statement(
    select(_M.conversation, func.substr(func.coalesce(_M.own_text, _M.text), 1, _LINE)).where(_M.number.in_(_newest))
)


def last_words(tx: Tx, numbers: Sequence[int]) -> dict[int, str]:
    """By conversation; those in which no customer said anything are left out."""
    return {number: " ".join(text.split()) for number, text in tx.rows(_words, numbers=list(numbers))}
