"""What does the desk do by itself with a conversation that is quiet, or that nobody takes? The acts, in a transaction.

In: a transaction that holds the conversation's lock, its state, what is gathered so far. Out: the state after it, with
the event of each act and, for a reminder, its reply; and when to look again. What was done is read from the log of
events, so each act happens once (router.conversation.closing and router.conversation.assignment say what is due).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select

from router.conversation import closing
from router.conversation.acts import status_set
from router.conversation.assignment import passes_on
from router.conversation.transitions import handed_on
from router.desk.duties.automatic import say
from router.desk.ledger import Ledger
from router.event_reading import read
from router.events import ConversationReminded, ConversationRouted, ConversationStatus, Told
from router.model import Conversation, Status
from router.store import tables as t
from router.store.change import Change
from router.store.statement import Statement, Tx, among
from router.store.tables import instant

__all__ = ["end_what_is_quiet", "hand_on"]

_E = t.events.c
_acts = Statement(
    select(_E.type, _E.at, _E.body, _E.history)
    .where(_E.conversation == bindparam("number"), among(_E.type, "conversation.status", "conversation.reminded"))
    .order_by(_E.seq.desc())
    .limit(50)
)
_TO = {"solve": Status.SOLVED, "close": Status.CLOSED}


def hand_on(c: Conversation, ledger: Ledger, effects: Change, now: datetime) -> Conversation:
    """The conversation in the queue that the last step of its rule names, when nobody took it until then."""
    passed = passes_on(c, ledger.policy)
    if passed is None or passed[0] > now:
        return c
    after = handed_on(c, passed[1])
    routed = ConversationRouted(
        before=c.queue, queue=after.queue, rule=c.rule, priority=c.priority, reason="nobody took it"
    )
    effects.tell(Told(at=now, event=routed, conversation=c.number))
    return after


def end_what_is_quiet(
    tx: Tx, ledger: Ledger, c: Conversation, effects: Change, now: datetime
) -> tuple[Conversation, tuple[str, ...], datetime | None]:
    """Remind, solve and close as is due; the state after it, what was done, and when to look again."""
    done: list[str] = []
    while c.status in (Status.PENDING, Status.SOLVED):
        pending_at, reminded_at, recorded = _log(tx, c)
        if recorded and not done:
            break
        since = closing.quiet_since(c, pending_at)
        if reminded_at is not None and reminded_at < since:
            reminded_at = None
        if "remind" in done:
            reminded_at = now
        due = closing.due(c, ledger.policy, now, since=since, reminded_at=reminded_at)
        if not due.do:
            return c, tuple(done), due.again_at
        c = _remind(tx, ledger, c, effects, now) if due.do == "remind" else _end(c, ledger, due.do, effects, now)
        done.append(due.do)
    return c, tuple(done), None


def _remind(tx: Tx, ledger: Ledger, c: Conversation, effects: Change, now: datetime) -> Conversation:
    effects.put(c)
    after = say(tx, ledger, c, effects, closing.reminder(c, ledger.policy), now)
    reminded = ConversationReminded(sent=after is not None)
    effects.tell(Told(at=now, event=reminded, conversation=c.number))
    return after or c


def _end(c: Conversation, ledger: Ledger, do: str, effects: Change, now: datetime) -> Conversation:
    after = status_set(c, _TO[do], now, ledger.policy)
    ended = ConversationStatus(before=c.status.value, to=after.status.value, agent="", reason="quiet")
    effects.tell(Told(at=now, event=ended, conversation=c.number))
    return after


def _log(tx: Tx, c: Conversation) -> tuple[datetime | None, datetime | None, bool]:
    """When the present status was set, when the customer was last reminded, and whether all that is recorded history
    only; as far as the log says."""
    reminded_at: datetime | None = None
    for type_, at, body, history in tx.rows(_acts, number=c.number):
        if type_ == "conversation.reminded":
            reminded_at = reminded_at or instant(at)
            continue
        told = read(type_, body)
        if isinstance(told, ConversationStatus) and told.to == c.status.value:
            return instant(at), reminded_at, bool(history)
    return None, reminded_at, False
