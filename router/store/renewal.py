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
from router.conversation.working_order import DEFAULT_WAIT, order_at
from router.events import DeadlineRetargeted, Told
from router.known import Known
from router.store import tables as t
from router.store.act import contact_of_number
from router.store.codec import CONVERSATION_COLUMNS, conversation_of
from router.store.ledger import Store
from router.store.statement import Statement, Tx, member
from router.store.tables import micros
from router.store.write import Effects

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
_lock_contacts = Statement(
    select(t.contacts.c.number)
    .where(member(t.contacts.c.number, "numbers"))
    .order_by(t.contacts.c.number)
    .with_for_update(key_share=True)
)
_states = Statement(
    select(*CONVERSATION_COLUMNS)
    .where(member(_C.number, "numbers"), _C.clocks.notlike(bindparam("present")))
    .order_by(_C.number)
)


def renew(store: Store, now: datetime, page: int = _PAGE) -> int:
    """Re-target the clocks of all conversations in work that carry another edition than the policy's; how many.

    Safe to repeat and to interrupt: each page is a transaction, and what it renewed is not found again.
    """
    _place(store)
    present = f'%"v":"{store.policy.promises.edition}"%'
    with store.database.read() as tx:
        found = tx.rows(_outdated, present=present)
    done = 0
    for start in range(0, len(found), page):
        part = found[start : start + page]

        def work(tx: Tx, part: Sequence[Sequence[int]] = part) -> int:
            return _renew(tx, store, part, present, now)

        done += store.again(work)
    return done


def _place(store: Store) -> None:
    """Write the places of what waits and is promised nothing anew where its queue has another wait now."""
    after = -1
    while True:
        with store.database.read() as tx:
            rows = tx.rows(_unpromised, after=after, rows=_PAGE)
        moved = []
        for row in rows:
            c = conversation_of(row)
            queue = store.policy.queues.get(c.queue)
            at = order_at(c, queue.default_wait if queue else DEFAULT_WAIT)
            if at is not None and micros(at) != row[-1]:
                moved.append({"which": c.number, "place": micros(at), "read": c.version})
        if moved:
            store.again(partial(_put_places, moved=moved))
        if len(rows) < _PAGE:
            return
        after = rows[-1][0]


def _put_places(tx: Tx, moved: Sequence[dict[str, int]]) -> int:
    return tx.many(_put_place, moved)


def _renew(tx: Tx, store: Store, part: Sequence[Sequence[int]], present: str, now: datetime) -> int:
    if tx.dialect == "postgresql":
        tx.rows(_lock_contacts, numbers=sorted({row[1] for row in part}))
    effects = Effects(Known())
    rows = tx.rows(_states, numbers=[row[0] for row in part], present=present)
    for c in map(conversation_of, rows):
        after = retargeted(c, contact_of_number(tx, c.contact).attributes, store.policy, now)
        effects.change(after)
        if after.next_due != c.next_due:
            version = store.policy.promises.version
            told = DeadlineRetargeted(before=c.next_due, to=after.next_due, policy_version=version)
            effects.tell(Told(at=now, event=told, conversation=c.number))
    effects.write(tx, now, store.receivers)
    store.bell.ring_in(tx, "timekeeper")
    return len(rows)
