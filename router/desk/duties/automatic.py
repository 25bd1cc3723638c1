"""Which automatic answers leave the desk, and how many? At most one acknowledgement a conversation, and few in all.

In: a transaction, placements that were just decided, or a conversation that is quiet. Out: replies that are queued in
the same transaction, or none: a person may forbid them, a channel may have closed, and there is a limit a recipient and
a limit in all, so the desk never becomes somebody's way to write to strangers (rules: security, 0.6).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, select

from router.conversation.acknowledgement import may_be_answered, never_automatic, words
from router.desk.acts.reply import queue_reply
from router.desk.ledger import Ledger
from router.errors import Refused
from router.model import Conversation, Decision, Placement
from router.store import tables as t
from router.store.change import Change
from router.store.read import queries
from router.store.read.people import contact_of_number
from router.store.statement import Statement, Tx, member, upsert
from router.store.tables import micros
from router.store.write import write_state

__all__ = ["MOST_AN_HOUR", "MOST_A_DAY", "acknowledge", "say"]

#: Automatic answers that one contact gets in 24 hours, and all contacts together in one hour of the clock.
MOST_A_DAY, MOST_AN_HOUR = 3, 1000
_COUNT = "automatic_hour"
_M, _C = t.messages.c, t.conversations.c
_flags_of_last = Statement(
    select(_M.flags)
    .where(member(_M.conversation, "numbers"), _M.direction == "in")
    .order_by(_M.sent_at.desc(), _M.number.desc())
    .limit(1)
)
_said = Statement(
    select(func.count())
    .select_from(t.messages.join(t.conversations, _C.number == _M.conversation))
    .where(
        _C.contact == bindparam("who"), _M.automatic.is_(True), _M.direction == "out",
        _M.sent_at > bindparam("since", type_=t.Instant.impl()),
    )
)  # fmt: skip
_counted = Statement(select(t.facts.c.value).where(t.facts.c.name == bindparam("name")).with_for_update())
_put_count = upsert(t.facts)


def acknowledge(tx: Tx, ledger: Ledger, decisions: Iterable[Decision], now: datetime) -> list[Change]:
    """Queue the acknowledgements of conversations that these decisions opened. The rows of these are written already,
    the state of what comes back too; its events are not."""
    queued = []
    for decision in decisions:
        if isinstance(decision, Placement) and may_be_answered(decision, ledger.policy):
            c = queries.conversation(tx, decision.conversation.number)
            text = words(c, ledger.policy)
            if text:
                effects = ledger.change()
                if say(tx, ledger, c, effects, text, now):
                    write_state(tx, effects, now)
                    queued.append(effects)
    return queued


def say(tx: Tx, ledger: Ledger, c: Conversation, effects: Change, text: str, now: datetime) -> Conversation | None:
    """Queue an automatic answer to whoever wrote last; the conversation after it, or None when he may get none."""
    if not _allowed(tx, c, now):
        return None
    try:
        queue_reply(tx, ledger, c, effects, text, agent="", now=now, automatic=True)
    except Refused:  # he has closed that channel to us
        return None
    return effects.conversations[c.number]


def _allowed(tx: Tx, c: Conversation, now: datetime) -> bool:
    row = tx.one(_flags_of_last, numbers=queries.family(tx, c.number))
    if row is None or never_automatic(tuple(msgspec.json.decode(row[0]))) or "spam" in c.flags:
        return False
    if contact_of_number(tx, c.contact).blocked:
        return False
    said = tx.one(_said, who=c.contact, since=micros(now - timedelta(days=1)))
    return (said is None or said[0] < MOST_A_DAY) and _one_more(tx, now)


def _one_more(tx: Tx, now: datetime) -> bool:
    """Count one more answer of this hour, unless the hour is full."""
    hour = f"{now:%Y-%m-%dT%H}"
    row: Any = tx.one(_counted, name=_COUNT)
    counted, _, of = (row[0] if row else "").partition("@")
    count = int(counted) if of == hour else 0
    if count >= MOST_AN_HOUR:
        return False
    tx.run(_put_count, name=_COUNT, value=f"{count + 1}@{hour}")
    return True
