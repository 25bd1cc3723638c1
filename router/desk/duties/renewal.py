"""Which running promises were made by another configuration, and what are they now? Re-targeted once, in pages.

In: the store under its present policy. Out: how many conversations were re-targeted. They are found among those in work
by the edition that their clocks carry; recorded history stays as it was (rules: deadlines, 13). What was promised
nothing gets its place by the present waits of the queues. Meant for the start of the daemon and the change of the day,
not for every wake-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import bindparam, exists, literal_column, or_, select, update

from router.conversation.rerouting import retargeted
from router.desk.ledger import Ledger
from router.events import DeadlineRetargeted, Told
from router.store import tables as t
from router.store.codec import CONVERSATION_COLUMNS, conversation_of
from router.store.locking import lock_contacts
from router.store.read.people import contact_of_number
from router.store.statement import Statement, Tx, member
from router.store.tables import micros

__all__ = ["renew"]

_PAGE = 500
_C = t.conversations.c
_outdated = Statement(
    select(_C.number, _C.contact)
    .where(
        _C.status.in_([literal_column(f"'{status}'") for status in t.WORKING]),
        _C.merged_into == 0,
        _C.clocks != "{}",
        _C.clocks.notlike(bindparam("present")),
        or_(
            _C.next_wake_at.is_not(None),
            exists().where(t.messages.c.conversation == _C.number, t.messages.c.history.is_(False)),
        ),
    )
    .order_by(_C.contact, _C.number)
)
#: A page of what waits and is promised nothing, with its place.
_unpromised = Statement(
    select(*CONVERSATION_COLUMNS, _C.order_at)
    .where(_C.number > bindparam("after"), _C.order_at.is_not(None), _C.next_due.is_(None))
    .order_by(_C.number)
    .limit(bindparam("rows"))
)
_put_place = Statement(
    update(t.conversations)
    .where(_C.number == bindparam("which"), _C.version == bindparam("read"))
    .values(order_at=bindparam("place", type_=t.Instant.impl()))
)
_states = Statement(
    select(*CONVERSATION_COLUMNS)
    .where(member(_C.number, "numbers"), _C.clocks.notlike(bindparam("present")))
    .order_by(_C.number)
)


def renew(ledger: Ledger, now: datetime, page: int = _PAGE) -> int:
    """Re-target the clocks of all conversations in work that carry another edition than the policy's; how many.

    Safe to repeat and to interrupt: each page is a transaction, and what it renewed is not found again.
    """
    _place(ledger)
    present = f'%"v":"{ledger.policy.promises.edition}"%'
    with ledger.database.read() as tx:
        found = tx.rows(_outdated, present=present)
    done = 0
    for start in range(0, len(found), page):
        part = found[start : start + page]

        def work(tx: Tx, part: Sequence[Sequence[int]] = part) -> int:
            return _renew(tx, ledger, part, present, now)

        done += ledger.again(work)
    return done


def _place(ledger: Ledger) -> None:
    """Write the places of what waits and is promised nothing anew where its queue has another wait now."""
    after = -1
    while True:
        with ledger.database.read() as tx:
            rows = tx.rows(_unpromised, after=after, rows=_PAGE)
        moved = []
        for row in rows:
            c = conversation_of(row)
            at = ledger.place_of(c)
            if at is not None and micros(at) != row[-1]:
                moved.append({"which": c.number, "place": micros(at), "read": c.version})
        if moved:
            ledger.again(partial(_put_places, moved=moved))
        if len(rows) < _PAGE:
            return
        after = rows[-1][0]


def _put_places(tx: Tx, moved: Sequence[dict[str, int]]) -> int:
    return tx.many(_put_place, moved)


def _renew(tx: Tx, ledger: Ledger, part: Sequence[Sequence[int]], present: str, now: datetime) -> int:
    lock_contacts(tx, (row[1] for row in part))
    effects = ledger.change()
    rows = tx.rows(_states, numbers=[row[0] for row in part], present=present)
    for c in map(conversation_of, rows):
        after = retargeted(c, contact_of_number(tx, c.contact).attributes, ledger.policy, now)
        effects.put(after)
        if after.next_due != c.next_due:
            version = ledger.policy.promises.version
            told = DeadlineRetargeted(before=c.next_due, to=after.next_due, policy_version=version)
            effects.tell(Told(at=now, event=told, conversation=c.number))
    ledger.write(tx, effects, now)
    ledger.bell.ring_in(tx, "timekeeper")
    return len(rows)
