"""Acts of the desk move a conversation's state and its clocks together."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from router.conversation.acts import note_taken, reply_given, status_set, ticked
from router.deadlines.fold import ClockEvent, clocks_at, from_json
from router.model import Conversation, Status
from router.policy.values import Policy

TEXT = "提现1200一直显示审核中"


def states(conversation: Conversation, policy: Policy, at: datetime) -> dict[str, str]:
    return {c.metric: c.state for c in clocks_at(from_json(conversation.clocks), policy.promises, at)}


def test_a_human_reply_meets_the_promise(world: Any, wallet: Policy, say: Any) -> None:
    """The wait ends, the first reply is met, nothing is due."""
    one = world.place(say(TEXT)).conversation
    at = one.opened_at + timedelta(minutes=1)
    after = reply_given(one, at, "正在核实", wallet)
    assert (after.waiting_since, after.last_out_at, after.next_due) == (None, at, None)
    assert states(after, wallet, at)["first_reply"] == "met"


def test_an_automatic_reply_meets_nothing(world: Any, wallet: Policy, say: Any) -> None:
    """The customer still waits for a human."""
    one = world.place(say(TEXT)).conversation
    at = one.opened_at + timedelta(minutes=1)
    after = reply_given(one, at, "已收到", wallet, automatic=True)
    assert (after.waiting_since, after.last_out_at, after.next_due) == (one.waiting_since, None, one.next_due)


def test_a_note_meets_nothing(world: Any, wallet: Policy, say: Any) -> None:
    """Nobody outside sees it."""
    one = world.place(say(TEXT)).conversation
    after = note_taken(one, one.opened_at + timedelta(minutes=1), wallet)
    assert (after.waiting_since, after.next_due) == (one.waiting_since, one.next_due)


@pytest.mark.parametrize("status", [Status.SOLVED, Status.CLOSED])
def test_solving_ends_the_wait(world: Any, wallet: Policy, say: Any, status: Status) -> None:
    """Running reply clocks are cancelled; the instant is kept."""
    one = world.place(say(TEXT)).conversation
    at = one.opened_at + timedelta(minutes=1)
    after = status_set(one, status, at, wallet)
    assert (after.status, after.waiting_since, after.next_due, after.solved_at) == (status, None, None, at)
    assert after.closed_at == (at if status is Status.CLOSED else None)
    assert states(after, wallet, at)["first_reply"] == "cancelled"


def test_closing_keeps_the_instant_of_solving(world: Any, wallet: Policy, say: Any) -> None:
    """Solved first, closed later: two instants."""
    one = world.place(say(TEXT)).conversation
    solved = status_set(one, Status.SOLVED, one.opened_at, wallet)
    closed = status_set(solved, Status.CLOSED, one.opened_at + timedelta(days=14), wallet)
    assert (closed.solved_at, closed.closed_at) == (one.opened_at, one.opened_at + timedelta(days=14))


def test_setting_the_same_status_changes_nothing(world: Any, wallet: Policy, say: Any) -> None:
    """It is the same value."""
    one = world.place(say(TEXT)).conversation
    assert status_set(one, Status.OPEN, one.opened_at, wallet) is one


def test_a_missed_deadline_is_seen_at_the_next_event(world: Any, wallet: Policy, say: Any) -> None:
    """Whatever happens after the deadline finds the breach in the log."""
    one = world.place(say(TEXT)).conversation
    late = ticked(one, ClockEvent(type="internal_note", at=one.opened_at + timedelta(hours=1)), wallet)
    assert late.breached
    assert late.next_wake_at is not None
