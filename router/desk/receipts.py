"""A provider tells how far our replies have come: which ones does it mean, and what does that change?

In: events `delivery` of channels. Out: the replies' states, where they may follow; a reply that was read is never
delivered again, and what nobody here sent changes nothing. Nothing is stored of a receipt but its effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import bindparam, select

from router.bounce import KnownReply, Outcome
from router.conversation import arrival
from router.desk.placing import Placing
from router.events import Told
from router.known import Known
from router.model import DeskEvent, Redelivery
from router.policy.values import Policy
from router.reply_states import follows
from router.store import tables as t
from router.store.load import Wants
from router.store.statement import Statement, Tx, among, member
from router.store.tables import instant, micros

__all__ = ["apply", "wants"]

_M, _O, _A = t.messages.c, t.outbox.c, t.attempts.c
_COLUMNS = (
    _M.number, _M.conversation, _M.external_id, _M.handle, _M.sent_at, _M.channel, _M.automatic, _O.state, _O.attempts,
)  # fmt: skip
_by_id = Statement(
    select(*_COLUMNS)
    .join(t.outbox, (_O.message == _M.number) & (_O.kind == "reply"))
    .where(_M.channel == bindparam("where"), member(_M.provider_id, "ids"), _M.direction == "out")
)
_until = Statement(
    select(*_COLUMNS)
    .join(t.outbox, (_O.message == _M.number) & (_O.kind == "reply"))
    .join(t.attempts, (_A.outbox == _O.id) & (_A.attempt == _O.attempts))
    .where(
        _M.realm == bindparam("where"), _M.external_id >= bindparam("first"), _M.external_id < bindparam("last"),
        _M.direction == "out", among(_O.state, "sent", "delivered"),
        _A.ended_at <= bindparam("present", type_=t.Instant.impl()),
    )
    .order_by(_M.number)
)  # fmt: skip


def _meant(tx: Tx, event: DeskEvent) -> list[KnownReply]:
    """The replies that a receipt is about."""
    if event.handle:
        first, last = f"{event.handle}:", f"{event.handle};"  # what begins with the handle and a colon
        rows = tx.rows(_until, where=event.channel, first=first, last=last, present=micros(event.at))
    else:
        rows = tx.rows(_by_id, where=event.channel, ids=[event.conversation_of])
    return [
        KnownReply(
            number=row[0], conversation=row[1], external_id=row[2], handle=row[3], written_at=instant(row[4]),
            channel=row[5], automatic=bool(row[6]), state=row[7], attempts=row[8],
        )
        for row in rows
    ]  # fmt: skip


def wants(tx: Tx, events: Sequence[DeskEvent]) -> Wants:
    """The conversations whose replies these receipts are about."""
    return Wants(conversations=frozenset(reply.conversation for event in events for reply in _meant(tx, event)))


def apply(
    tx: Tx, event: DeskEvent, known: Known, placing: Placing, policy: Policy, now: datetime
) -> Redelivery:  # fmt: skip
    """Take in a receipt: as what adds no message, it counts as a redelivery."""
    for reply in _meant(tx, event):
        state = known.replies[reply.number].state if reply.number in known.replies else reply.state
        c = known.conversation(reply.conversation)
        if c is None or not follows(state, event.to):
            continue
        known.replies[reply.number] = replace(reply, state=event.to)
        if not reply.automatic:
            written_in = known.conversations.get(reply.conversation)
            came = arrival.came(c, reply.number, event.to, now, policy, written_in=written_in)
            if came.conversation != c:
                known.put(came.conversation)
                placing.change.put(came.conversation)
            for told in came.events:
                placing.change.tell(Told(at=now, event=told, conversation=c.number, message=reply.number))
        outcome = Outcome(
            reply=reply.number, event=f"reply.{event.to}", state=event.to, was=state, attempts=reply.attempts,
            channel=reply.channel,
        )  # fmt: skip
        placing.came(outcome, c.number, now)
    key = (event.channel, f"delivery:{event.conversation_of}")
    return Redelivery(key=key, number=0, conversation=0, channel=event.channel, trace=("how far a reply has come",))
