"""Two nodes and one outbox: whoever was stopped while he was sending settles nothing of what others did meanwhile."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from router.deadlines import fold
from router.desk import Arrival, Ledger, take_in
from router.desk.acts import conversation as acts
from router.desk.acts.settle import settle_unknown
from router.desk.duties.sent import recover, settle
from router.desk.reads.audit import audit
from router.model import DeskEvent
from router.reply_states import REPLY_STATES, follows
from router.seal import Sealer
from router.store import Database
from router.store import tables as t
from router.store.outbox import Due, claim, is_under_way, outcomes
from router.store.read import queries


@pytest.fixture
def other(ledger_url: str, store: Ledger) -> Iterator[Ledger]:
    """A second node on the same ledger."""
    database = Database(ledger_url)
    yield Ledger(database, store.policy, Sealer(b"k" * 32))
    database.close()


def answered(desk: Any) -> tuple[int, int]:
    """A question and an answer that waits to be sent: the conversation and the reply."""
    (placed,) = desk.take(desk.said("转账2000一直没到账"))
    number = placed.conversation.number
    return number, acts.reply(desk.store, number, "已为您核实", agent="li", now=desk.noon + timedelta(minutes=2))


def begun(store: Ledger, kind: str, channel: str, at: Any) -> Due:
    (due,) = claim(store, kind, channel, at, 1)
    return due


def state(store: Ledger, reply: int) -> tuple[str, int]:
    found = outcomes(store, [reply])[reply]
    return found["state"], found["attempts"]


def clock_states(store: Ledger, number: int, at: Any) -> list[str]:
    with store.database.read() as tx:
        c = queries.conversation(tx, number)
    return [row.state for row in fold.clocks_at(fold.from_json(c.clocks), store.policy.promises, at)]


def test_a_node_that_comes_back_neither_sends_nor_settles_what_another_tries(desk: Any, other: Ledger) -> None:
    """The first node is stopped before it calls; the second takes the reply for unknown, a person for failed: the
    first one sees that it is not its own any more, and what it would say of it changes nothing."""
    number, reply = answered(desk)
    at = desk.noon + timedelta(minutes=3)
    stopped = begun(desk.store, "reply", "app-chat", at)
    assert is_under_way(desk.store, stopped)
    assert recover(other, "reply", "app-chat", at) == 1
    assert not is_under_way(desk.store, stopped)
    assert settle_unknown(other, number, "failed", agent="li", now=at) == reply
    assert not settle(desk.store, stopped, "sent", at, external_id="x-1")
    assert not settle(desk.store, stopped, "pending", at)
    assert state(other, reply) == ("failed", 1)
    assert claim(desk.store, "reply", "app-chat", at + timedelta(days=1)) == []
    assert audit(other).differences == []


def test_what_is_sent_again_is_settled_by_who_sends_it(desk: Any, other: Ledger) -> None:
    """A try that was too early is repeated by the other node; the first one's late word is of an attempt that ended."""
    _, reply = answered(desk)
    at = desk.noon + timedelta(minutes=3)
    first = begun(desk.store, "reply", "app-chat", at)
    assert settle(desk.store, first, "pending", at, again_at=at)
    second = begun(other, "reply", "app-chat", at)
    assert (second.row, second.attempt) == (first.row, 2)
    for late in ("sent", "failed", "unknown", "pending"):
        assert not settle(desk.store, first, late, at)
    assert state(other, reply) == ("sending", 2)
    assert settle(other, second, "sent", at)
    assert state(desk.store, reply) == ("sent", 2)


def test_events_too_are_settled_under_their_attempt(desk: Any, other: Ledger, rows: Any) -> None:
    """An event that another node sends again is not called sent by the one that was stopped."""
    answered(desk)
    url, at = "https://crm.example.com/hook", desk.noon + timedelta(minutes=3)
    stopped = begun(desk.store, "event", url, at)
    left = recover(other, "event", url, at)
    again = begun(other, "event", url, at)
    assert (left, again.row, again.attempt) == (1, stopped.row, 2)
    assert not is_under_way(desk.store, stopped)
    assert not settle(desk.store, stopped, "sent", at)
    assert [row["state"] for row in rows("outbox") if row["id"] == stopped.row] == ["sending"]
    assert settle(other, again, "sent", at)


def test_the_word_of_the_attempt_itself_settles_what_nobody_knew(desk: Any, other: Ledger) -> None:
    """The stopped node had called, and comes back with the provider's yes: nobody tried again, so it was sent."""
    number, reply = answered(desk)
    at = desk.noon + timedelta(minutes=3)
    stopped = begun(desk.store, "reply", "app-chat", at)
    recover(other, "reply", "app-chat", at)
    assert "running" in clock_states(other, number, at)
    assert settle(desk.store, stopped, "sent", at)
    assert state(other, reply) == ("sent", 1)
    assert clock_states(other, number, at)[0] == "met"


def test_a_row_never_goes_backwards(desk: Any, database: Any) -> None:
    """Whatever an attempt says, the row takes it only where it may follow."""
    _, reply = answered(desk)
    at = desk.noon + timedelta(minutes=3)
    due = begun(desk.store, "reply", "app-chat", at)
    for before, after in itertools.product(REPLY_STATES, ("sent", "failed", "unknown", "pending")):
        with database.engine.begin() as connection:
            connection.execute(t.outbox.update().where(t.outbox.c.id == due.row).values(state=before))
        assert settle(desk.store, due, after, at) == follows(before, after), (before, after)
        assert state(desk.store, reply)[0] == (after if follows(before, after) else before)


# ── what providers tell ──


def told(desk: Any, *receipts: DeskEvent) -> None:
    """Receipts that came in one batch."""
    arrivals = [Arrival(what=receipt, received_at=desk.noon) for receipt in receipts]
    take_in(desk.store, arrivals, desk.noon + timedelta(hours=1))


def receipt(to: str, of: str, at: Any, handle: str = "") -> DeskEvent:
    return DeskEvent(channel="app-chat", event="delivery", at=at, conversation_of=of, handle=handle, to=to)


def sent(desk: Any, name: str) -> tuple[int, int]:
    """A question that was answered, and its answer sent under the provider's id; each from a customer of his own."""
    (placed,) = desk.take(desk.said("转账2000一直没到账", sender=name))
    number, at = placed.conversation.number, desk.noon + timedelta(minutes=30)
    reply = acts.reply(desk.store, number, "已为您核实", agent="li", now=at)
    assert settle(desk.store, begun(desk.store, "reply", "app-chat", at), "sent", at, external_id=f"p-{name}")
    return number, reply


def test_receipts_go_forwards_only(desk: Any) -> None:
    """Delivered twice, read before delivered, for a reply of nobody: the state only grows, each step is told once."""
    number, reply = sent(desk, "u-1")
    at = desk.noon + timedelta(minutes=40)
    told(desk, receipt("delivered", "p-u-1", at), receipt("read", "p-u-1", at), receipt("delivered", "p-u-1", at))
    told(desk, receipt("delivered", "p-u-1", at), receipt("read", "p-of-somebody", at))
    assert state(desk.store, reply)[0] == "read"
    types = [e["type"] for e in queries.events(desk.store.database) if e["message"] == reply]
    assert types == ["reply.queued", "reply.sent", "reply.delivered", "reply.read"]
    assert clock_states(desk.store, number, at)[0] == "late"  # half an hour after the question
    assert audit(desk.store).differences == []


def test_a_receipt_that_names_a_time_is_about_all_that_was_sent_until_then(desk: Any) -> None:
    """Of this customer's replies those that had gone; neither later ones nor another customer's."""
    _, mine = sent(desk, "u-1")
    _, other_one = sent(desk, "u-10")
    until = desk.noon + timedelta(minutes=31)
    told(desk, receipt("read", "u-1", desk.noon + timedelta(minutes=29), "u-1"))
    assert state(desk.store, mine)[0] == "sent"
    told(desk, receipt("read", "u-1", until, "u-1"))
    assert (state(desk.store, mine)[0], state(desk.store, other_one)[0]) == ("read", "sent")
