"""Routing: whose queue, and what a queue works on first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.conversation.working_order import AGEING_LIMIT, effective_priority, working_order
from router.deadlines.calendar import Schedule
from router.deadlines.deadline import ClockEvent, Clocks, DeadlinePolicy, Promises, Target, advance, to_json
from router.deadlines.remaining import remaining_words
from router.model import Conversation
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


def order(*conversations: Conversation, ageing_minutes: float = 0) -> list[int]:
    return [c.number for c in working_order(conversations, NOW, ageing_minutes)]


def test_deadlines_come_before_priority_before_age() -> None:
    """The overdue and the nearest deadline first, then what has none by priority, then by how long it has waited."""
    assert order(
        conversation(1, priority=90, waiting_since=ago(500)),
        conversation(2, next_due=ago(-30)),
        conversation(3, next_due=ago(-5)),
        conversation(4, next_due=ago(10), priority=0),
        conversation(5, priority=90, waiting_since=ago(900)),
        conversation(6, priority=95),
    ) == [4, 3, 2, 6, 5, 1]


def test_an_overdue_clock_stays_in_front() -> None:
    """A conversation whose only deadline has passed is worked on first, though no deadline of it is to come."""
    desk = Promises(
        policies=(DeadlinePolicy(name="p", schedule="s", targets={"first_reply": Target(seconds=60)}),),
        schedules={"s": Schedule.build("UTC", {"daily": [["00:00", "24:00"]]})},
    )
    late = advance(Clocks.empty(), ClockEvent(type="customer_message", at=ago(10)), desk)
    assert order(
        conversation(1, next_due=ago(-1)), conversation(2, clocks=to_json(late), breached=True), conversation(3)
    ) == [2, 1, 3]


def test_chases_and_ageing_raise_the_order_up_to_a_limit() -> None:
    """Whoever asked again, or has waited for long, moves up; not without end, and never by changing a deadline."""
    assert order(conversation(1, priority=4), conversation(2, chases=1), conversation(3)) == [2, 1, 3]
    waiting, fresh = (
        conversation(1, priority=1, waiting_since=ago(600)),
        conversation(2, priority=10, waiting_since=NOW),
    )
    assert order(waiting, fresh) == [2, 1]
    assert order(waiting, fresh, ageing_minutes=60) == [1, 2]
    ancient = conversation(3, chases=1000, waiting_since=ago(10**7))
    assert effective_priority(ancient, NOW, 1) == 2 * AGEING_LIMIT


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([None, 1, 2])), max_size=8), st.randoms()
)
def test_the_order_does_not_depend_on_the_listing(rows: list[tuple[int, int, int | None]], chance: Any) -> None:
    """The same conversations in any listing have one working order."""
    found = [
        conversation(n, priority=p, chases=c, next_due=None if d is None else NOW + timedelta(d))
        for n, (p, c, d) in enumerate(rows)
    ]
    mixed = list(found)
    chance.shuffle(mixed)
    assert working_order(mixed, NOW, 60) == working_order(found, NOW, 60)


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
