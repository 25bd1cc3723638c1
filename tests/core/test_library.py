"""What a program gets wrong is an error of ours that it can catch, with a sentence; never one from the depths."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from router import (
    ConfigurationError,
    InvalidPayload,
    Known,
    Message,
    Misasked,
    OmnirouterError,
    Policy,
    Router,
    ScheduleError,
    decide,
)

NAIVE = datetime(2026, 3, 2, 10)  # noqa: DTZ001  (what a program should not give)
AWARE = NAIVE.replace(tzinfo=UTC)
WIRE = {"id": "m-1", "sent_at": "2026-03-02T10:00:00+08:00", "sender": {"handle": "u-77"}, "text": "转账没到账"}


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda p, m: decide(m, Known.empty(), p, NAIVE), ScheduleError, "has no time zone"),
        (lambda p, m: decide(m, Known.empty(), "wallet", AWARE), ConfigurationError, "policy: a Policy would be right"),
        (lambda p, m: decide({}, Known.empty(), p, AWARE), InvalidPayload, "a Message would be right"),
        (lambda p, m: Router.open("sqlite://", policy="wallet"), ConfigurationError, "policy: a Policy would be right"),
        (lambda p, m: Message.from_wire([]), InvalidPayload, "an object would be right"),
        (lambda p, m: Message.from_wire(None), InvalidPayload, "an object would be right"),
        (lambda p, m: p.schedule("chat").due(AWARE, math.nan), ScheduleError, "nan is no duration"),
        (lambda p, m: p.schedule("chat").due(AWARE, math.inf), ScheduleError, "inf is no duration"),
        (lambda p, m: p.schedule("chat").due(AWARE, "2m"), ScheduleError, "'2m' is no duration"),
        (lambda p, m: p.schedule("chat").due(AWARE, timedelta(-1)), ScheduleError, "zero or more"),
        (lambda p, m: p.schedule("chat").due("today", 60), ScheduleError, "has no time zone"),
    ],
)
def test_a_program_s_mistake_is_an_error_of_ours(
    wallet: Policy, call: Callable[..., Any], error: type[OmnirouterError], sentence: str
) -> None:
    """The error is typed, and says what would be right."""
    with pytest.raises(error, match=sentence):
        call(wallet, Message.from_wire(WIRE))


def test_a_duration_may_be_a_timedelta(wallet: Policy) -> None:
    """Seconds or a timedelta: the same instant."""
    schedule = wallet.schedule("chat")
    assert schedule.due(AWARE, timedelta(minutes=90)) == schedule.due(AWARE, 5400)


async def test_the_desk_refuses_what_is_no_message(wallet: Policy) -> None:
    """`receive` names the one that is wrong, and stores nothing of the call."""
    async with Router.open("sqlite://", policy=wallet) as desk:
        with pytest.raises(InvalidPayload, match="Message 1: is str; a Message would be right") as told:
            await desk.receive([Message.from_wire(WIRE), "x"])  # type: ignore[list-item]
        assert told.value.index == 1
        assert await desk.queue("payments") == []
        (placed,) = await desk.receive([Message.from_wire(WIRE)])
        with pytest.raises(Misasked, match="'weird' is no status"):
            await desk.status(placed.conversation, "weird")
