"""How is a batch decided exactly once? Snapshot, decisions, effects and cursor in one transaction.

In: arrivals in order, with the cursor that counts them as read and what of their raws is set aside. Out: a decision
each. After any error nothing of the batch was written. Blocking: callers keep it off the event loop.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from router.decision.decide import Delivered, Prepared, decide_prepared, redelivery
from router.desk import receipts, recorded
from router.desk.duties.automatic import acknowledge
from router.desk.ledger import Ledger
from router.desk.placing import Placing
from router.desk.read_in import Arrival, Came, read_in, read_on
from router.errors import Undecidable
from router.events import MessageArrivedAgain, Told
from router.known import Known
from router.match import incident, reply_address, thread
from router.match.dedupe import renamed
from router.model import Decision, DeskEvent, Key, Message, Redelivery
from router.store import recorded_identity
from router.store.change import Change
from router.store.erasing import erased_keys
from router.store.load import EVER, Span, Wants, load, spans
from router.store.statement import Tx
from router.store.store import Advance, Aside
from router.store.tables import micros
from router.store.write import LostUpdate, write_events, write_state

__all__ = ["Arrival", "take_in"]

#: Seconds after which a transaction that is busy deciding lets the server hear of it: one that is silent is cut.
_SILENCE = 2.0


class _RolledBack(Exception):
    """The trial is over."""


def take_in(
    ledger: Ledger,
    arrivals: Sequence[Arrival],
    now: datetime,
    *,
    advance: Advance | None = None,
    aside: Sequence[Aside] = (),
    history: bool = False,
    trial: bool = False,
) -> list[Decision]:
    """Decide a batch, in order, in one transaction with its effects and the partition's cursor; safe to repeat.

    `now` is the desk's clock; for recorded history it is not before each message's own time. `aside` are raws that
    are set aside in the same transaction; a `trial` is rolled back. Raises `LostOwnership` when the cursor or lease
    moved meanwhile, `Undecidable` for one arrival; after any error nothing of the batch was written.
    """
    came = read_in(arrivals, ledger.database, ledger.policy)

    def work(tx: Tx) -> list[Decision]:
        decisions, changes = _decide(tx, ledger, came, now, history)
        ledger.put_aside(tx, recorded_identity.unlisted(tx, aside))
        if advance is not None and not trial:
            ledger.move(tx, advance)
        for change in changes:
            write_events(tx, change, now, ledger.receivers)
        if trial:
            raise _RolledBack
        ledger.bell.ring_in(tx, "outbox")
        return decisions

    ledger.stock(2 * len(came))  # each message, and perhaps an acknowledgement
    try:
        return ledger.again(work)
    except _RolledBack:
        return []


def _decide(
    tx: Tx, ledger: Ledger, arrivals: list[Came], now: datetime, history: bool
) -> tuple[list[Decision], list[Change]]:
    """The decisions, with their state written and their events not."""
    number = ledger.reserve_numbers(tx, len(arrivals))
    wants = _wants(tx, ledger, arrivals, now)
    known = load(tx, wants, number)
    change = ledger.change(history=history)
    placing, erased = Placing(known, change), erased_keys(tx, wants.keys)
    decisions: list[Decision] = []
    heard = time.monotonic()
    for index, (arrival, prepared) in enumerate(arrivals):
        if time.monotonic() - heard > _SILENCE:
            ledger.be_heard(tx)
            heard = time.monotonic()
        if isinstance(prepared, Delivered) and prepared.message.key not in erased:
            again = redelivery(prepared, known)
            if again is None:  # it was, and is gone
                arrivals[index] = read_on(index, arrival, prepared, ledger.policy)
                raise LostUpdate
            _take(arrival, again, known, placing)
            decisions.append(again)
            continue
        try:
            if isinstance(arrival.what, DeskEvent) and arrival.what.event == "delivery":
                decisions.append(receipts.apply(tx, arrival.what, known, placing, ledger.policy, now))
                continue
            decision = _decide_one(ledger, arrival, prepared, known, now, history, erased)
        except Exception as cause:
            raise Undecidable(index, cause) from cause
        _take(arrival, decision, known, placing)
        decisions.append(decision)
    write_state(tx, change, now)
    if not ledger.policy.acknowledgement.enabled or history:
        return decisions, [change]
    return decisions, [change, *acknowledge(tx, ledger, decisions, now)]


def _decide_one(
    ledger: Ledger, arrival: Arrival, prepared: Prepared | Delivered | None, known: Known, now: datetime, history: bool,
    erased: set[Key],
) -> Decision:  # fmt: skip
    what = arrival.what
    clock = max(now, what.sent_at if isinstance(what, Message) else what.at) if history else now
    if isinstance(what, DeskEvent):
        return recorded.apply(what, known, ledger.policy, clock)
    if what.key in erased:
        return Redelivery(key=what.key, number=0, conversation=0, channel=what.channel)
    assert isinstance(prepared, Prepared)  # noqa: S101  (every message was prepared)
    claim = reply_address.proved(what, ledger.reply_keys, clock) if reply_address.tokens_of(what) else None
    return decide_prepared(prepared, known, ledger.policy, clock, claim=claim)


def _take(arrival: Arrival, decision: Decision, known: Known, placing: Placing) -> None:
    if not isinstance(decision, Redelivery):
        known.absorb(decision.message, decision)
        placing.place(decision, arrival.raw)
        return
    change = placing.change
    change.redelivered[decision.channel] += 1
    conversation = known.conversation(decision.conversation)
    if conversation is not None and decision.channel not in conversation.channels:
        widened = replace(conversation, channels=(*conversation.channels, decision.channel))
        known.put(widened)
        change.put(widened)
        again = MessageArrivedAgain(channel=decision.channel)
        change.tell(
            Told(at=arrival.received_at, event=again, conversation=widened.number, message=decision.number)
        )  # fmt: skip


def _wants(tx: Tx, ledger: Ledger, arrivals: Sequence[Came], now: datetime) -> Wants:
    """What the snapshot must hold for these arrivals."""
    told = [a.what for a, _ in arrivals if isinstance(a.what, DeskEvent)]
    acts, delivered = [e for e in told if e.event != "delivery"], [e for e in told if e.event == "delivery"]
    again = [p for _, p in arrivals if isinstance(p, Delivered)]
    wants = _wants_of(ledger, [p for _, p in arrivals if isinstance(p, Prepared)], now)
    wants |= Wants(
        keys=frozenset(p.message.key for p in again),
        renamed=frozenset(renamed(p.message, p.digest).key for p in again),
    )
    wants |= recorded.wants(tx, acts)
    return wants | receipts.wants(tx, delivered) if delivered else wants


def _wants_of(ledger: Ledger, messages: Sequence[Prepared], now: datetime) -> Wants:
    keys = ledger.reply_keys
    claims = [(p.message, claim) for p in messages if (claim := reply_address.proved(p.message, keys, now))]
    return Wants(
        keys=frozenset(k for p in messages for k in (p.message.key, *thread.parents(p.message), *_edited(p.message))),
        renamed=frozenset(renamed(p.message, p.digest).key for p in messages),
        threads=frozenset(k for p in messages for k in thread.keys(p.message)),
        handles=frozenset(h for p in messages for h in p.handles),
        markers=spans((k, _span(k, p.message.sent_at, ledger)) for p in messages for k in p.markers),
        conversations=frozenset(claim.conversation for _, claim in claims),
        replies=frozenset(claim.conversation for message, claim in claims if message.bounce is not None),
        fragments=any(p.pieces for p in messages),
        since=min((p.message.sent_at for p in messages), default=now),
    )


def _span(key: str, at: datetime, ledger: Ledger) -> Span:
    """The time in which others left this marker that counts for a message of this time."""
    within = incident.reach(key, ledger.policy.follow_ups)
    if within is None:
        return EVER
    around = within // timedelta(microseconds=1)
    return micros(at) - around, micros(at) + around


def _edited(message: Message) -> Sequence[tuple[str, str]]:
    return (message.key_of(message.edits),) if message.edits else ()
