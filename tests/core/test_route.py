"""Routing: whose queue, and what a queue works on first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.conversation.working_order import order_at
from router.deadlines.calendar import Schedule
from router.deadlines.fold import ClockEvent, Clocks, DeadlinePolicy, Promises, Target, advance, to_json
from router.deadlines.words import remaining_words
from router.model import Conversation, Status
from router.routing.condition import Condition
from router.routing.route import Rule, route, unreachable

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)


def when(spec: dict[str, Any]) -> Condition:
    mistakes: list[str] = []
    condition = Condition.compile(spec, "when", mistakes)
    assert mistakes == []
    return condition


RULES = (
    Rule(
        id="risk",
        when=when(
            {
                "any": [
                    {"field": "issue_type", "in": ["security", "phishing_leak"]},
                    {"all": [{"issue_type": ["account_frozen"]}, {"field": "chases", "gte": 2}]},
                ]
            }
        ),
        queue="risk",
        priority=80,
        deadline="urgent",
    ),
    Rule(
        id="money", when=when({"issue_type": ["refund", "withdrawal"]}), queue="payments", priority=20, tags=("money",)
    ),
    Rule(id="vip", when=when({"contact.tier": ["gold"]}), queue="account", priority=40),
)


@pytest.mark.parametrize(
    ("facts", "rule", "queue", "priority"),
    [
        ({"issue_type": "security", "chases": 0}, "risk", "risk", 80),
        ({"issue_type": "account_frozen", "chases": 2}, "risk", "risk", 80),
        ({"issue_type": "account_frozen", "chases": 1}, "default", "general", 0),
        ({"issue_type": "refund", "contact.tier": "gold"}, "money", "payments", 20),
        ({"issue_type": "other", "contact.tier": "gold"}, "vip", "account", 40),
        ({}, "default", "general", 0),
    ],
)
def test_the_first_rule_that_fits(facts: dict[str, Any], rule: str, queue: str, priority: int) -> None:
    """The first rule that fits decides; without one the default queue gets it."""
    found = route(RULES, "general", facts)
    assert (found.rule, found.queue, found.priority) == (rule, queue, priority)


def test_the_trace_says_why_the_others_missed() -> None:
    """The trace has one line a rule tried, with the first failing condition and the value seen."""
    found = route(RULES, "general", {"issue_type": "other", "contact.tier": "gold"})
    assert found.trace == (
        "rule risk: issue_type is other, wanted one of security, phishing_leak and "
        "issue_type is other, wanted one of account_frozen",
        "rule money: issue_type is other, wanted one of refund, withdrawal",
        "rule vip: fits, queue account",
    )
    missing = route(RULES, "general", {})
    assert missing.trace[2] == "rule vip: contact.tier is missing, wanted one of gold"
    assert missing.trace[-1] == "no rule fits: queue general"


def test_a_rule_carries_its_deadline_and_tags() -> None:
    """What a rule promises and tags goes with the decision."""
    assert route(RULES, "general", {"issue_type": "security"}).deadline == "urgent"
    assert route(RULES, "general", {"issue_type": "refund"}).tags == ("money",)


@settings(max_examples=100)
@given(
    st.dictionaries(st.sampled_from(["issue_type", "chases", "contact.tier"]), st.sampled_from(["security", 2, "gold"]))
)
def test_the_same_facts_give_the_same_bytes(facts: dict[str, Any]) -> None:
    """Routing is a function: the same conversation and configuration give the same bytes."""
    one, other = route(RULES, "general", facts), route(RULES, "general", dict(reversed(facts.items())))
    assert msgspec.json.encode(one) == msgspec.json.encode(other)


def test_rules_that_can_never_match() -> None:
    """A rule behind one without a condition, or with the very same condition, is found."""
    money = RULES[1].when
    rules = (
        Rule(id="a", when=money, queue="q"),
        Rule(id="b", when=money, queue="q"),
        Rule(id="c", when=when({}), queue="q"),
        Rule(id="d", when=when({"issue_type": ["x"]}), queue="q"),
        Rule(id="e", queue="q"),
    )
    assert unreachable(rules) == [(1, 0), (3, 2), (4, 2)]
    assert unreachable(RULES) == []


def conversation(number: int, **more: Any) -> Conversation:
    defaults: dict[str, Any] = {"contact": 1, "opened_at": NOW, "last_message_at": NOW}
    return Conversation(number=number, **{**defaults, **more})


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def order(*conversations: Conversation, wait: timedelta = timedelta(hours=4)) -> list[int]:
    """The numbers in working order; what waits for nobody of the desk is left out."""
    placed = [(at, c.number) for c in conversations if (at := order_at(c, wait)) is not None]
    return [number for _, number in sorted(placed)]


def test_the_place_in_a_queue_is_one_formula() -> None:
    """Due, brought forward by 5 minutes a chase (30 at most) and a minute a point of priority; without a promise as if
    due after the queue's default wait."""
    due = ago(-60)
    for chases, priority, minutes in [(0, 0, 0), (1, 0, 5), (6, 0, 30), (100, 0, 30), (0, 50, 50), (2, 90, 100)]:
        placed = conversation(1, waiting_since=NOW, next_due=due, chases=chases, priority=priority)
        assert order_at(placed) == due - timedelta(minutes=minutes)
    assert order_at(conversation(1, waiting_since=NOW)) == NOW + timedelta(hours=4)
    assert order_at(conversation(1, waiting_since=NOW), timedelta(minutes=30)) == NOW + timedelta(minutes=30)
    assert order_at(conversation(1, waiting_since=NOW, priority=-10)) == NOW + timedelta(hours=4, minutes=10)


def test_the_nearest_deadline_comes_first_and_waiting_ages_by_itself() -> None:
    """Priority and chases move a conversation forward by minutes, not in front of what has been overdue for hours."""
    assert order(
        conversation(1, waiting_since=ago(500)),
        conversation(2, waiting_since=ago(30), next_due=ago(-30), priority=40),
        conversation(3, waiting_since=ago(5), next_due=ago(-5)),
        conversation(4, waiting_since=ago(9), next_due=ago(60)),
        conversation(5, waiting_since=ago(90), chases=3),
    ) == [1, 4, 2, 3, 5]


@pytest.mark.parametrize(
    "more",
    [
        {"waiting_since": None},
        {"status": Status.PENDING},
        {"status": Status.SOLVED},
        {"status": Status.CLOSED},
        {"merged_into": 7},
    ],
)
def test_what_waits_for_nobody_of_the_desk_has_no_place(more: dict[str, Any]) -> None:
    """Answered, waiting for the customer, ended, part of another: listed apart, whatever its priority."""
    assert order_at(conversation(1, **{"waiting_since": NOW, "next_due": NOW, "priority": 90, **more})) is None


def test_an_overdue_clock_stays_in_front() -> None:
    """A conversation whose only deadline has passed is worked on first, though no deadline of it is to come."""
    desk = Promises(
        policies=(DeadlinePolicy(name="p", schedule="s", targets={"first_reply": Target(seconds=60)}),),
        schedules={"s": Schedule.build("UTC", {"daily": [["00:00", "24:00"]]})},
    )
    late = advance(Clocks.empty(), ClockEvent(type="customer_message", at=ago(10)), desk)
    assert order(
        conversation(1, waiting_since=ago(10), next_due=ago(-1)),
        conversation(2, waiting_since=ago(10), clocks=to_json(late), breached=True),
        conversation(3, waiting_since=ago(10)),
    ) == [2, 1, 3]


DESK_HOURS = Schedule.build("UTC", {"daily": [["00:00", "03:00"]]})


@pytest.mark.parametrize(
    ("due", "schedule", "chinese", "english"),
    [
        (ago(-80), DESK_HOURS, "还剩 1 小时(工作时间)", "1 h left (business time)"),
        (ago(-50), DESK_HOURS, "还剩 50 分(工作时间)", "50 min left (business time)"),
        (
            NOW + timedelta(hours=22, minutes=20),
            DESK_HOURS,
            "还剩 1 小时 20 分(工作时间)",
            "1 h 20 min left (business time)",
        ),
        (ago(-80), None, "还剩 1 小时 20 分", "1 h 20 min left"),
        (ago(35), DESK_HOURS, "已超时 35 分(工作时间)", "35 min overdue (business time)"),
        (ago(-0.5), None, "还剩 不到 1 分", "less than 1 min left"),
        (NOW, None, "还剩 不到 1 分", "less than 1 min left"),
        (None, None, "已暂停", "paused"),
    ],
)
def test_time_left_in_words(due: datetime | None, schedule: Schedule | None, chinese: str, english: str) -> None:
    """People read how much of the desk's own time is left, in their language."""
    assert remaining_words(due, NOW, schedule, "zh-Hans") == chinese
    assert remaining_words(due, NOW, schedule, "en") == english
