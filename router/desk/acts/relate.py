"""How do people relate conversations? Merge and split, exactly inverse; link, accept, refuse and unlink.

A merge remembers both states; splitting off what was merged (router.desk.acts.split) gives both back as they were, with
what happened since folded in. Where nothing proved that two people are one, it also remembers who checked that and how
(rules: follow-ups, 9). No machine overrules what people decided here. Blocking functions over the ledger.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, bindparam, or_, update

from router.conversation.merge import merged
from router.desk.acts.split import split
from router.desk.ledger import Ledger
from router.desk.storable import words
from router.errors import Refused
from router.events import ConversationLinked, ConversationMerged, ConversationStatus, ConversationUnlinked, Told
from router.model import Conversation, Link
from router.ref import ref_of
from router.store import tables as t
from router.store.locking import locked
from router.store.read import queries
from router.store.read.people import contact_of_number
from router.store.statement import Statement, Tx, as_json, member, upsert
from router.store.tables import micros

__all__ = ["accept", "link", "merge", "refuse", "split", "unlink", "unproven"]

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


def merge(ledger: Ledger, a: int, b: int, *, agent: str, now: datetime, checked: str = "") -> Conversation:
    """Merge conversation `b` into `a`: one conversation, both histories. Undone by `split`.

    `checked` says how the person was checked (called back, asked for the last payment), where the channels did not
    prove that both are of one; it is stored with `agent`.
    """
    agent, checked = words(agent), words(checked)

    def work(tx: Tx) -> Conversation:
        into, gone = _both(tx, a, b)
        if into.number == gone.number:
            raise Refused(f"{ref_of(a)} and {ref_of(b)} are one conversation already.")
        effects = ledger.change()
        one, still = merged(into, gone, contact_of_number(tx, into.contact).attributes, now, ledger.policy)
        effects.put(one)
        effects.put(still)
        before = as_json({"into": into, "gone": gone, "one": one})
        ends = {"absorbed": gone.number, "into": into.number}
        tx.run(_put_merge, **ends, before=before, by=agent, at=micros(now), checked=checked)
        if one.status is not into.status:
            told = ConversationStatus(
                before=into.status.value, to=one.status.value, agent=agent, reason="merged"
            )  # fmt: skip
            effects.tell(Told(at=now, event=told, conversation=into.number))
        merge = ConversationMerged(absorbed=gone.number, agent=agent, checked=checked)
        effects.tell(Told(at=now, event=merge, conversation=into.number))
        ledger.write(tx, effects, now)
        return one

    return ledger.again(work)


def link(ledger: Ledger, a: int, b: int, *, agent: str, now: datetime) -> None:
    """Say that two conversations have to do with each other; both stay."""

    def work(tx: Tx) -> None:
        one, other = _both(tx, a, b)
        if one.number == other.number:
            raise Refused("A conversation cannot be linked with itself.")
        effects = ledger.change()
        tx.run(_link_again, one=one.number, two=other.number, who=agent or "human")
        effects.link(one.number, Link(conversation=other.number, reason="linked", score=1.0), now, agent or "human")
        linked = ConversationLinked(conversation=other.number, reason="linked", score=1.0, agent=agent)
        effects.tell(Told(at=now, event=linked, conversation=one.number))
        ledger.write(tx, effects, now)

    ledger.again(work)


def accept(ledger: Ledger, a: int, b: int, *, agent: str, now: datetime, checked: str = "") -> Conversation:
    """The same person and the same matter: the two that a link relates become one, the older goes on. Raises `Refused`
    where nothing links them."""
    with ledger.database.read() as tx:
        one, other = (queries.conversation(tx, number) for number in (a, b))
        links = queries.links_of(tx, [one.number]).get(one.number, [])
    if one.number != other.number and other.number not in {shown["conversation"] for shown in links}:
        names = f"{ref_of(one.number)} and {ref_of(other.number)}"
        raise Refused(f"{names} are not linked; to join them all the same: omnirouter merge.")
    into, gone = sorted((one, other), key=lambda c: (c.opened_at, c.number))
    return merge(ledger, into.number, gone.number, agent=agent, now=now, checked=checked)


def refuse(ledger: Ledger, a: int, b: int, *, agent: str, now: datetime) -> int:
    """Not the same: the links between the two are undone, and no machine makes them again. Raises `Refused`."""
    return unlink(ledger, a, b, agent=agent, now=now)


def unproven(tx: Tx, c: Conversation) -> list[Conversation]:
    """The conversations that name the same number as this one, while nothing proves that one person wrote both."""
    found = [one["conversation"] for one in queries.links_of(tx, [c.number]).get(c.number, ())
             if one["reason"] == "unproven_link"]  # fmt: skip
    return [queries.conversation(tx, number) for number in found]


def unlink(ledger: Ledger, a: int, b: int, *, agent: str, now: datetime) -> int:
    """Undo all links between two conversations and what was merged into them, whoever made them. How many there were.

    Raises `Refused` for none.
    """

    def work(tx: Tx) -> int:
        one, other = _both(tx, a, b)
        families = queries.family(tx, one.number), queries.family(tx, other.number)
        undone = tx.run(_unlink, ones=families[0], twos=families[1])
        if not undone:
            raise Refused(f"{ref_of(one.number)} and {ref_of(other.number)} are not linked.")
        effects = ledger.change()
        unlinked = ConversationUnlinked(conversation=other.number, agent=agent)
        effects.tell(Told(at=now, event=unlinked, conversation=one.number))
        ledger.write(tx, effects, now)
        return undone

    return ledger.again(work)
