"""How does the ledger take in that a reply has come further: from its sending, its provider, or a person?

In: a transaction, the reply, its new state. Out: the conversation after it, the event, all in the caller's `Effects`.
The contact is locked first, as everywhere, then the outbox row is settled. Blocking functions.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update

from router.conversation import arrival
from router.desk.ledger import Ledger
from router.desk.transaction import act
from router.errors import Misasked, NotFound, Refused
from router.events import ReplySent, Told, reply_came
from router.ref import ref_of
from router.store import tables as t
from router.store.change import Change
from router.store.read import queries
from router.store.statement import Statement, Tx, member
from router.store.write import LostUpdate

__all__ = ["come", "settle_unknown", "settle_unreachable"]

_O, _M = t.outbox.c, t.messages.c
_unknown = Statement(
    select(_O.message, _O.attempts, _O.channel, _M.automatic, _M.conversation)
    .join(t.messages, _M.number == _O.message)
    .where(_O.kind == "reply", _O.state == "unknown", member(_M.conversation, "numbers"))
    .order_by(_O.message)
)
_queued = Statement(
    select(_O.attempts, _O.channel, _M.conversation, _M.handle)
    .join(t.messages, _M.number == _O.message)
    .where(_O.kind == "reply", _O.message == bindparam("reply"), _O.state == "pending")
)
_set = Statement(
    update(t.outbox)
    .where(
        _O.kind == "reply", _O.message == bindparam("reply"), _O.state == bindparam("was"),
        _O.attempts == bindparam("count"),
    )
    .values(state=bindparam("what"), detail=bindparam("words"))
)  # fmt: skip


def come(
    tx: Tx, ledger: Ledger, effects: Change, *, reply: int, conversation: int, automatic: bool, state: str,
    now: datetime, told: ReplySent,
) -> None:  # fmt: skip
    """A reply is `state` now: tell it, and let the conversation know. Its contact must be locked (`locked`)."""
    c = queries.conversation(tx, conversation)
    if not automatic:
        written_in = queries.conversation_itself(tx, conversation)
        moved = arrival.came(c, reply, state, now, ledger.policy, written_in=written_in)
        if moved.conversation != c:
            effects.put(moved.conversation)
        for event in moved.events:
            effects.tell(Told(at=now, event=event, conversation=c.number, message=reply))
    effects.tell(Told(at=now, event=told, conversation=c.number, message=reply))


def settle_unreachable(ledger: Ledger, reply: int, *, now: datetime) -> str:
    """Fail a reply that its channel cannot bring to its recipient, before anybody tries. The reason, or nothing."""
    with ledger.database.read() as tx:
        row = tx.one(_queued, reply=reply)
    told = None if row is None else getattr(ledger.policy.channel(row[1]).settings, "no_way_out", None)
    why = str(told(row[3])) if row is not None and told is not None else ""
    if row is None or not why:
        return ""
    words = f"No reply can leave channel {row[1]}: {why}."

    def change(tx: Tx, _: Any, effects: Change) -> str:
        if tx.run(_set, reply=reply, was="pending", count=row[0], what="failed", words=words) != 1:
            return ""
        told = reply_came("reply.failed", channel=row[1], attempt=row[0], detail=words)
        come(tx, ledger, effects, reply=reply, conversation=row[2], automatic=False, state="failed", now=now, told=told)
        return words

    return act(ledger, row[2], now, change)


def settle_unknown(ledger: Ledger, number: int, state: str, *, agent: str, now: datetime, reply: int = 0) -> int:
    """A person found out what became of a reply whose fate was unknown: `sent` or `failed`. Returns its number.

    Raises `Refused` when the conversation has none such, or several and `reply` names none of them.
    """
    if state not in ("sent", "failed"):
        raise Misasked(f"A reply is settled as sent or failed; {state!r} is neither.")

    def change(tx: Tx, c: Any, effects: Change) -> int:
        found = tx.rows(_unknown, numbers=queries.family(tx, c.number))
        wanted = [row for row in found if not reply or row[0] == reply]
        if not wanted:
            raise NotFound(f"{ref_of(c.number)} has no {f'reply {reply}' if reply else 'reply'} whose fate is unknown.")
        if len(wanted) > 1:
            numbers = ", ".join(str(row[0]) for row in wanted)
            raise Refused(f"{ref_of(c.number)} has {len(wanted)} such replies: {numbers}; name one with --message.")
        own, attempts, channel, automatic, where = wanted[0]
        said = f"{agent or 'a person'} says so"
        if tx.run(_set, reply=own, was="unknown", count=attempts, what=state, words=said) != 1:
            raise LostUpdate
        told = reply_came(f"reply.{state}", channel=channel, attempt=attempts, detail=said, agent=agent)
        come(tx, ledger, effects, reply=own, conversation=where, automatic=bool(automatic), state=state, now=now,
             told=told)  # fmt: skip
        return int(own)

    return act(ledger, number, now, change)
