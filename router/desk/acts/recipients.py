"""Whom does an answer go to? One named handle, and in Cc of a mail the people who take part.

In: a conversation, and what whoever answers asks for (a channel, a handle, people to copy). Out: `Recipients`; where
two are possible, or nothing proves that the handle is the customer's, `problem` says in a sentence what to name.
Naming a handle that was only claimed confirms it (rules: follow-ups, 5 and 7e; security, 4a). Reads only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, select

from router.errors import Misasked, Refused
from router.known import CLAIMED
from router.model import Conversation, Handle
from router.ref import ref_of
from router.store import tables as t
from router.store.read import queries
from router.store.read.people import contact_of_number
from router.store.statement import Statement, Tx, member

__all__ = ["Heard", "Recipients", "recipients"]

_MOST = 200
_M = t.messages.c
_heard = Statement(
    select(
        _M.channel, _M.handle, _M.realm, _M.external_id, _M.sent_at, _M.subject, _M.sender_name, t.thread_keys.c.thread,
        _M.provider_id, _M.contact, _M.automatic, _M.claimed, _M.via, _M.original, _M.thread_index, _M.thread_topic,
    )
    .outerjoin(t.thread_keys, and_(t.thread_keys.c.realm == _M.realm, t.thread_keys.c.key == _M.external_id))
    .where(member(_M.conversation, "numbers"), _M.direction == "in")
    .order_by(_M.automatic, _M.sent_at.desc(), _M.number.desc())
    .limit(_MOST)
)  # fmt: skip
_owners = Statement(select(t.conversations.c.contact).where(member(t.conversations.c.number, "numbers")))
_handle = Statement(
    select(t.handles.c.closed, t.handles.c.evidence).where(
        t.handles.c.scope == bindparam("scope"), t.handles.c.address == bindparam("address")
    )
)


class Heard(msgspec.Struct, frozen=True):
    """A message of the customer that an answer can go back to."""

    channel: str
    handle: str
    realm: str
    external_id: str
    sent_at: int
    subject: str
    name: str
    thread: int | None
    provider_id: str | None
    contact: int
    automatic: bool
    claimed: str
    via: str
    original: str
    thread_index: str
    thread_topic: str

    @property
    def key(self) -> Handle:
        """The handle that wrote it."""
        return "email" if self.realm == "mail" else self.channel, self.handle


class Recipients(msgspec.Struct, frozen=True):
    """`heard` is the message that is answered, its handle the recipient; `cc` are mail addresses. `confirms`: whoever
    answers named a handle that was only claimed. `problem`: why nothing may be sent; empty where it may."""

    heard: Heard
    cc: tuple[str, ...] = ()
    proposed: tuple[str, ...] = ()
    confirms: bool = False
    others: tuple[str, ...] = ()
    problem: str = ""


def recipients(tx: Tx, c: Conversation, *, channel: str = "", to: str = "", cc: Sequence[str] = ()) -> Recipients:
    """Whom an answer goes to. Raises `Refused` where nobody can be answered at all, `Misasked` for somebody whom the
    conversation does not name."""
    family = queries.family(tx, c.number)
    found = [Heard(*row) for row in tx.rows(_heard, numbers=family)]
    there = [h for h in found if not channel or h.channel == channel]
    if not there:
        wrote = ", ".join(dict.fromkeys(h.channel for h in found)) or "no channel"
        raise Refused(f"There is no address of the customer on {channel or 'any channel'}; he wrote on: {wrote}.")
    people = _People(tx, family)
    heard = _named(there, to) if to else there[0]
    closed, evidence = people.state(heard.key)
    if closed:
        raise Refused(f"The customer has blocked the desk on {heard.channel}; answer by another of his channels.")
    copied = _copied(c, heard, there, people)
    asked = [h for h in found if h.handle not in copied and people.may_be_meant(h, heard)]
    others = [h for h in asked if h in there]
    if others:
        copied = ()  # who else wrote is no participant, so nobody is told unasked
    more = _asked_for(c, cc)
    claimed = evidence in CLAIMED
    return Recipients(
        heard=heard,
        cc=tuple(address for address in dict.fromkeys((*copied, *more)) if address != heard.handle)
        if heard.realm == "mail" else (),
        proposed=tuple(address for address in c.proposed if address not in more and address != heard.handle),
        confirms=bool(to) and claimed,
        others=tuple(f"{h.realm}/{h.external_id}" for h in asked if h.handle not in more),
        problem="" if to else _problem(c, heard, others, evidence if claimed else ""),
    )  # fmt: skip


def _problem(c: Conversation, heard: Heard, others: Sequence[Heard], claimed: str) -> str:
    """The sentence that says why one has to name the recipient, or nothing."""
    ref = ref_of(c.number)
    if heard.via and heard.original:
        return (
            f"{ref}: {heard.via} forwards a mail of {heard.original}, and nothing proves either; "
            f"name who is answered: --to {heard.original} or --to {heard.handle}."
        )
    if others:
        named = list(dict.fromkeys((heard.handle, *(h.handle for h in others))))
        more = f" (and {len(named) - 4} more)" if len(named) > 4 else ""
        return (
            f"{len(named)} people wrote in {ref}: {', '.join(named[:4])}{more}; "
            f"name who is answered: --to {heard.handle}."
        )
    if claimed:
        by = {"form": f"a form ({heard.via})", "forward": f"{heard.via} who forwards", "caller-id": "the caller-id"}
        said = by[claimed] if heard.via or claimed == "caller-id" else "somebody else"
        return f"{ref}: only {said} says that {heard.handle} is the customer; to answer there, add --to {heard.handle}."
    return ""


def _named(there: Sequence[Heard], to: str) -> Heard:
    """The newest message of the handle that was named, or of one who forwards his mail."""
    wanted = to.strip().lower()
    for h in there:
        if h.handle.lower() == wanted:
            return h
    for h in there:
        if h.original == wanted:
            return msgspec.structs.replace(h, handle=wanted, name="")
    known = dict.fromkeys(name for h in there for name in (h.handle, h.original) if name)
    raise Misasked(f"{to} wrote nothing here that can be answered; right would be one of: {', '.join(known)}.")


def _copied(c: Conversation, heard: Heard, there: Sequence[Heard], people: _People) -> tuple[str, ...]:
    """Who takes part in the mails beside the recipient: whom proved mails named, and whoever named the recipient."""
    if heard.realm != "mail":
        return ()
    copied = [address for address in c.copied if address != heard.handle]
    if heard.handle in c.copied:
        owner = people.root(c.contact)
        first = next((h for h in there if h.realm == "mail" and people.root(h.contact) == owner), None)
        copied += [first.handle] if first is not None and not people.same(first, heard) else []
    return tuple(dict.fromkeys(copied))


def _asked_for(c: Conversation, cc: Sequence[str]) -> tuple[str, ...]:
    """The people to copy whom whoever answers named, all of them known to the conversation."""
    named = tuple(dict.fromkeys(address.strip().lower() for address in cc))
    strange = [address for address in named if address not in c.proposed and address not in c.copied]
    if strange:
        known = ", ".join((*c.proposed, *c.copied)) or "nobody"
        raise Misasked(f"No mail of {ref_of(c.number)} names {strange[0]}; to copy there is: {known}.")
    return named


class _People:
    """Who is one person, as far as this transaction knows. Whose conversations a person of the desk made one, he said
    to be one."""

    def __init__(self, tx: Tx, family: Sequence[int]) -> None:
        self._tx = tx
        self._roots: dict[int, int] = {}
        self._owners = {self.root(row[0]) for row in tx.rows(_owners, numbers=list(family))}

    def root(self, contact: int) -> int:
        """The contact that this one was joined into."""
        if contact not in self._roots:
            self._roots[contact] = contact_of_number(self._tx, contact).number
        return self._roots[contact]

    def same(self, one: Heard, other: Heard) -> bool:
        """Are these messages of one person?"""
        return one.key == other.key or self.root(one.contact) == self.root(other.contact)

    def may_be_meant(self, other: Heard, heard: Heard) -> bool:
        """Can the answer to `heard` be meant for this one too? Of people who were made one the channel tells whom,
        unless both write by the same."""
        if other.automatic or self.same(other, heard):
            return False
        made_one = {self.root(other.contact), self.root(heard.contact)} <= self._owners
        return other.key[0] == heard.key[0] or not made_one

    def state(self, handle: Handle) -> tuple[bool, str]:
        """Is the handle closed to us, and by what evidence is it his?"""
        row: Any = self._tx.one(_handle, scope=handle[0], address=handle[1])
        return (bool(row[0]), str(row[1])) if row is not None else (False, "")
