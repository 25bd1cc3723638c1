"""How do people relate conversations? Merge and split, exactly inverse; link and unlink. Nothing is destroyed.

A merge remembers both states; splitting off what was merged (router.store.parting) gives both back as they were, with
what happened since folded in. No machine overrules what people decided here. Blocking functions over the store.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, bindparam, or_, update

from router.conversation.relating import merged
from router.errors import Refused
from router.known import Known
from router.model import Conversation, Link
from router.ref import ref_of
from router.store import queries
from router.store import tables as t
from router.store.act import contact_of_number, locked
from router.store.effects import Effects, Event
from router.store.ledger import Store
from router.store.parting import split
from router.store.statement import Statement, Tx, as_json, member, upsert
from router.store.tables import micros

__all__ = ["link", "merge", "split", "unlink"]

_put_merge = upsert(t.merges)
_one, _two = ((member(t.links.c.conversation, name), member(t.links.c.other, name)) for name in ("ones", "twos"))
_unlink = Statement(
    update(t.links)
    .where(or_(and_(_one[0], _two[1]), and_(_two[0], _one[1])), t.links.c.undone.is_(False))
    .values(undone=True)
)
_link_again = Statement(
    update(t.links)
    .where(
        t.links.c.conversation == bindparam("one"), t.links.c.other == bindparam("two"), t.links.c.reason == "linked"
    )
    .values(undone=False, by=bindparam("who"))
)


def _both(tx: Tx, a: int, b: int) -> tuple[Conversation, Conversation]:
    low, high = sorted((a, b))
    first, second = locked(tx, low), locked(tx, high)
    return (first, second) if low == a else (second, first)


def merge(store: Store, a: int, b: int, *, agent: str, now: datetime) -> Conversation:
    """Merge conversation `b` into `a`: one conversation, both histories. Undone by `split`."""

    def work(tx: Tx) -> Conversation:
        into, gone = _both(tx, a, b)
        if into.number == gone.number:
            raise Refused(f"{ref_of(a)} and {ref_of(b)} are one conversation already.")
        effects = Effects(Known())
        one, still = merged(into, gone, contact_of_number(tx, into.contact).attributes, now, store.policy)
        effects.change(one)
        effects.change(still)
        before = as_json({"into": into, "gone": gone, "one": one})
        tx.run(_put_merge, absorbed=gone.number, into=into.number, before=before, by=agent, at=micros(now))
        if one.status is not into.status:
            told = {"from": into.status.value, "to": one.status.value, "agent": agent}
            effects.tell(Event(at=now, type="conversation.status", conversation=into.number, body=told))
        body = {"absorbed": gone.number, "agent": agent}
        effects.tell(Event(at=now, type="conversation.merged", conversation=into.number, body=body))
        effects.write(tx, now, store.receivers)
        return one

    return store.again(work)


def link(store: Store, a: int, b: int, *, agent: str, now: datetime) -> None:
    """Say that two conversations have to do with each other; both stay."""

    def work(tx: Tx) -> None:
        one, other = _both(tx, a, b)
        if one.number == other.number:
            raise Refused("A conversation cannot be linked with itself.")
        effects = Effects(Known())
        tx.run(_link_again, one=one.number, two=other.number, who=agent or "human")
        effects.link(one.number, Link(conversation=other.number, reason="linked", score=1.0), now, agent or "human")
        body = {"conversation": other.number, "reason": "linked", "agent": agent}
        effects.tell(Event(at=now, type="conversation.linked", conversation=one.number, body=body))
        effects.write(tx, now, store.receivers)

    store.again(work)


def unlink(store: Store, a: int, b: int, *, agent: str, now: datetime) -> int:
    """Undo all links between two conversations and what was merged into them, whoever made them. How many there were.

    Raises `Refused` for none.
    """

    def work(tx: Tx) -> int:
        one, other = _both(tx, a, b)
        families = queries.family(tx, one.number), queries.family(tx, other.number)
        undone = tx.run(_unlink, ones=families[0], twos=families[1])
        if not undone:
            raise Refused(f"{ref_of(one.number)} and {ref_of(other.number)} are not linked.")
        effects = Effects(Known())
        body = {"conversation": other.number, "agent": agent}
        effects.tell(Event(at=now, type="conversation.unlinked", conversation=one.number, body=body))
        effects.write(tx, now, store.receivers)
        return undone

    return store.again(work)
