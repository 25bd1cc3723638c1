"""What becomes of conversations that have gone quiet, and when: by working days, never at night."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.conversation import closing
from router.model import Conversation, Status
from router.policy.units import Span
from router.policy.values import Closing, Policy

SHANGHAI = ZoneInfo("Asia/Shanghai")
WALLET = Policy.preset("wallet")
THURSDAY = datetime(2026, 3, 5, 15, 20, tzinfo=SHANGHAI)


def quiet(status: Status = Status.PENDING, **changes: Any) -> Conversation:
    """A conversation whose last word was the desk's, on a Thursday afternoon."""
    at = THURSDAY.astimezone(UTC)
    told: dict[str, Any] = {
        "number": 1, "contact": 1, "status": status, "opened_at": at - timedelta(days=1), "last_message_at": at,
        "last_in_at": at - timedelta(hours=2), "last_out_at": at, "language": "zh-Hans", "channels": ("support-mail",),
    }  # fmt: skip
    return Conversation(**{**told, **changes})


def steps(c: Conversation, policy: Policy = WALLET, reminded_at: datetime | None = None) -> list[tuple[str, str]]:
    """What is due and when, looked at whenever it says to look again (local time, to the minute)."""
    found: list[tuple[str, str]] = []
    now = THURSDAY.astimezone(UTC)
    for _ in range(9):
        due = closing.due(c, policy, now, since=THURSDAY.astimezone(UTC), reminded_at=reminded_at)
        if due.do:
            found.append((due.do, f"{now.astimezone(SHANGHAI):%a %d %H:%M}"))
            reminded_at = now if due.do == "remind" else reminded_at
            if due.do == "solve":
                c = replace(c, status=Status.SOLVED, solved_at=now)
            if due.do == "close":
                return found
        elif due.again_at is None:
            return found
        else:
            assert due.again_at > now
            now = due.again_at
    return found


def test_reminded_then_solved_then_closed() -> None:
    """Two working days after our question he is reminded, after five it counts as solved, after two weeks closed."""
    assert steps(quiet()) == [("remind", "Tue 10 15:20"), ("solve", "Fri 13 00:00"), ("close", "Fri 27 00:00")]


def test_a_reminder_comes_at_the_hour_of_our_last_word() -> None:
    """Working days end at midnight and before weekends; a reminder comes neither at midnight nor on a Saturday."""
    for hour in range(8, 22):
        since = THURSDAY.replace(hour=hour).astimezone(UTC)
        due = closing.due(quiet(), WALLET, since, since=since)
        assert due.again_at is not None
        local = due.again_at.astimezone(SHANGHAI)
        assert (local.hour, local.weekday() < 5) == (hour, True)


def test_without_words_nobody_is_reminded() -> None:
    """A desk that wrote no reminder solves without one."""
    silent = replace(WALLET, closing=Closing())
    assert [do for do, _ in steps(quiet(), silent)] == ["solve", "close"]


def test_a_reminder_that_would_come_too_late_is_left_out() -> None:
    """Solved before it would be reminded: then there is no reminder."""
    texts = {"zh": "您好"}
    late = replace(WALLET, closing=Closing(remind_after=Span(seconds=9 * 86400), texts=texts))
    assert [do for do, _ in steps(quiet(), late)] == ["solve", "close"]


def test_after_an_outage_he_is_reminded_before_it_is_solved() -> None:
    """The desk was down for ten days: the customer gets his reminder first, and the time he had after it."""
    c, now = quiet(), (THURSDAY + timedelta(days=10)).astimezone(UTC)
    since = THURSDAY.astimezone(UTC)
    assert closing.due(c, WALLET, now, since=since).do == "remind"
    after = closing.due(c, WALLET, now, since=since, reminded_at=now)
    assert after.do == ""
    assert after.again_at is not None
    assert after.again_at > now + timedelta(days=2)


@pytest.mark.parametrize("status", [Status.OPEN, Status.ON_HOLD, Status.CLOSED])
def test_only_what_waits_for_the_customer_goes_quiet(status: Status) -> None:
    """Open, held and closed conversations are neither reminded nor ended."""
    c = quiet(status)
    assert closing.look_at(c, WALLET) is None
    assert closing.due(c, WALLET, THURSDAY + timedelta(days=99), since=THURSDAY) == closing.Due()


@pytest.mark.parametrize(
    ("channel", "expected"),
    [("support-mail", "Tue 10 15:20"), ("app-chat", "Sun 08 15:20"), ("unheard-of", "Tue 10 15:20")],
)
def test_working_days_are_those_of_the_channel(channel: str, expected: str) -> None:
    """The chat works on weekends, mail does not; a channel without hours counts Monday to Friday."""
    assert steps(quiet(channels=(channel,)))[0] == ("remind", expected)


def test_holidays_are_no_working_days() -> None:
    """Asked before the National Day week, he is reminded after it."""
    since = datetime(2026, 9, 30, 15, 20, tzinfo=SHANGHAI).astimezone(UTC)
    due = closing.due(quiet(), WALLET, since, since=since)
    assert due.again_at is not None
    assert due.again_at.astimezone(SHANGHAI).date() >= datetime(2026, 10, 9, tzinfo=SHANGHAI).date()


def test_spans_in_hours_run_by_the_clock_and_wait_for_the_morning() -> None:
    """`remind_after = "36h"` in a chat that is open by day: due at night, said in the morning."""
    hours = replace(WALLET, closing=Closing(remind_after=Span(seconds=36 * 3600), texts={"zh": "您好"}))
    assert steps(quiet(channels=("app-chat",)), hours)[0] == ("remind", "Sat 07 08:00")


def test_the_language_chooses_the_words() -> None:
    """An English customer is reminded in English, a Chinese one in Chinese."""
    assert closing.reminder(quiet(language="en"), WALLET).startswith("We are still waiting")
    assert closing.reminder(quiet(language="zh-Hant"), WALLET).startswith("您好")


@given(
    days=st.integers(0, 400), minutes=st.integers(0, 1439), channel=st.sampled_from(("support-mail", "app-chat", "x")),
    pending=st.one_of(st.none(), st.integers(0, 10_000)), words=st.booleans(),
)  # fmt: skip
def test_it_is_looked_at_no_later_than_something_is_due(
    days: int, minutes: int, channel: str, pending: int | None, words: bool
) -> None:
    """What the conversation alone tells is never later than what is due by the whole log, so nothing is missed."""
    policy = WALLET if words else replace(WALLET, closing=Closing())
    said = THURSDAY.astimezone(UTC) + timedelta(days=days, minutes=minutes)
    c = quiet(channels=(channel,), last_out_at=said, last_in_at=said - timedelta(hours=1))
    pending_at = None if pending is None else said + timedelta(minutes=pending)
    since = closing.quiet_since(c, pending_at)
    first, look = closing.due(c, policy, said, since=since).again_at, closing.look_at(c, policy)
    assert look is not None
    assert first is not None
    assert look <= first
