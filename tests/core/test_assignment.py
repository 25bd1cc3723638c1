"""Who takes what: presence, shift, skills, capacity, longest idle first, and steps that widen while nobody takes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.conversation.assignment import Here, chosen, first_for, fits, gone, has_room, load, passes_on, wanted
from router.model import Conversation, Status
from router.policy.values import AgentPolicy, Policy
from router.routing.route import Rule

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # Monday, in Shanghai
STEPS: tuple[dict[str, Any], ...] = (
    {"needs": {"language": "zh", "skill": "risk>=3"}, "for": 600},
    {"needs": {"language": "zh"}, "for": 1200},
    {"queue": "general"},
)
POLICY = replace(Policy.preset("wallet"), rules=(Rule(id="risk", queue="risk", steps=STEPS),))


def waiting(**changes: Any) -> Conversation:
    """A conversation in the risk queue that has waited since noon."""
    told: dict[str, Any] = {
        "number": 1, "contact": 1, "opened_at": NOON, "last_message_at": NOON, "waiting_since": NOON, "queue": "risk",
        "rule": "risk", "channels": ("app-chat",),
    }  # fmt: skip
    return Conversation(**{**told, **changes})


def agent(name: str = "li", **changes: Any) -> Here:
    """An agent of the risk queue with all that it takes, who is there."""
    now = {name: changes.pop(name) for name in ("presence", "since", "assigned_at", "holds") if name in changes}
    told: dict[str, Any] = {"queues": ("risk",), "skills": {"language": ["zh", "en"], "risk": 4}}
    return Here(agent=AgentPolicy(name=name, **{**told, **changes}), **now)


@pytest.mark.parametrize(
    ("skills", "needs", "fit"),
    [
        ({"risk": 3}, {"skill": "risk>=3"}, True),
        ({"risk": 2}, {"skill": "risk>=3"}, False),
        ({}, {"skill": "risk>=3"}, False),
        ({"risk": "4"}, {"skill": "risk > 3"}, True),
        ({"risk": 3}, {"skill": "risk=3"}, True),
        ({"risk": 3}, {"skill": "risk<=2"}, False),
        ({"risk": 3, "fees": 1}, {"skill": "risk>=3, fees"}, True),
        ({"risk": 3}, {"skill": "risk>=3, fees"}, False),
        ({"risk": "expert"}, {"skill": "risk>=3"}, False),
        ({"risk": 9}, {"skill": "risk>=?"}, False),
        ({"language": ["zh", "en"]}, {"language": "zh"}, True),
        ({"language": "zh-Hans"}, {"language": "zh"}, True),
        ({"language": "zh"}, {"language": "zh-Hant"}, True),
        ({"language": "zh-Hans"}, {"language": "zh-Hant"}, False),
        ({"language": ["en"]}, {"language": "zh"}, False),
        ({"brand": "wallet"}, {"brand": "wallet"}, True),
        ({"brand": "wallet"}, {"brand": "pay"}, False),
        ({}, {}, True),
    ],
)
def test_what_a_step_needs(skills: dict[str, Any], needs: dict[str, str], fit: bool) -> None:
    """Languages by tag, skills by comparison, the rest by equality; what cannot be read is met by nobody."""
    assert fits(AgentPolicy(name="li", skills=skills), needs) is fit


@pytest.mark.parametrize(
    ("minutes", "step", "needs"),
    [
        (0, 0, {"language": "zh", "skill": "risk>=3"}),
        (9.9, 0, {"language": "zh", "skill": "risk>=3"}),
        (10, 1, {"language": "zh"}),
        (29.9, 1, {"language": "zh"}),
        (30, -1, {}),
    ],
)
def test_needs_widen_while_it_waits(minutes: float, step: int, needs: dict[str, str]) -> None:
    """For ten minutes only the experts, for twenty more anybody who speaks the language, then everybody."""
    found = wanted(waiting(), POLICY, NOON + timedelta(minutes=minutes))
    assert (found.step, found.needs) == (step, needs)


def test_what_nobody_takes_goes_to_the_queue_that_the_last_step_names() -> None:
    """After half an hour it is everybody's; but not while somebody holds it, nor once it was answered or moved."""
    assert passes_on(waiting(), POLICY) == (NOON + timedelta(minutes=30), "general")
    for changes in (
        {"holder": "li"}, {"waiting_since": None}, {"queue": "general"}, {"pinned": True}, {"rule": "other"},
        {"status": Status.PENDING},
    ):  # fmt: skip
        assert passes_on(waiting(**changes), POLICY) is None
    endless = replace(POLICY, rules=(Rule(id="risk", queue="risk", steps=STEPS[:1]),))
    assert passes_on(waiting(), endless) is None
    circle = replace(POLICY, rules=(Rule(id="risk", queue="risk", steps=({"queue": "risk"},)),))
    assert passes_on(waiting(), circle) is None


@pytest.mark.parametrize(
    ("people", "name"),
    [
        pytest.param([], None, id="nobody there"),
        pytest.param([agent("li", presence="away")], None, id="away"),
        pytest.param([agent("li", presence="absent")], None, id="absent"),
        pytest.param([agent("li", queues=("payments",))], None, id="of another queue"),
        pytest.param([agent("li", skills={"language": "en", "risk": 9})], None, id="another language"),
        pytest.param([agent("li", capacity={"webhook": 2}, holds={"webhook": 2})], None, id="no room"),
        pytest.param([agent("li"), agent("wang")], "li", id="by name when all else is equal"),
        pytest.param([agent("li", assigned_at=NOON), agent("wang")], "wang", id="who was given nothing yet"),
        pytest.param(
            [agent("li", assigned_at=NOON), agent("wang", assigned_at=NOON + timedelta(minutes=1))], "li",
            id="longest idle first",
        ),
        pytest.param(
            [agent("li", capacity={"webhook": 2}, holds={"webhook": 1}), agent("wang")], "wang", id="the less laden"
        ),
    ],
)  # fmt: skip
def test_who_gets_it(people: Sequence[Here], name: str | None) -> None:
    """Of those who are there, able and free: whoever was given nothing for the longest."""
    here = chosen(waiting(), people, POLICY, NOON)
    assert (here.agent.name if here else None) == name


def test_an_agent_is_there_in_his_shift_and_when_he_says_so_after_it() -> None:
    """The chat's hours end at 22:00; who says at 22:30 that he is there gets work until the next shift ends."""
    evening = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
    assert not gone(agent(shift="chat"), POLICY, NOON)
    assert gone(agent(shift="chat"), POLICY, evening)
    assert gone(agent(shift="chat", since=NOON), POLICY, evening)
    assert not gone(agent(shift="chat", since=evening - timedelta(minutes=5)), POLICY, evening)
    assert gone(agent(shift="chat", since=evening), POLICY, evening + timedelta(days=1))
    assert gone(agent(presence="absent"), POLICY, NOON)
    assert not gone(agent(presence="away"), POLICY, NOON)


def test_channels_weigh_by_what_one_can_hold_of_them() -> None:
    """Who can hold two chats or eight mails has half his hands full with one chat, and room for four mails more."""
    busy = agent(capacity={"webhook": 2, "email": 8}, holds={"webhook": 1, "email": 3})
    assert load(busy) == pytest.approx(0.875)
    assert (has_room(busy, "email"), has_room(busy, "webhook")) == (True, False)
    assert has_room(busy, "telegram")
    assert not has_room(agent(capacity={"phone": 0}), "phone")


def test_the_next_conversation_is_the_first_that_he_may_take() -> None:
    """In working order, what is held or needs others is passed over."""
    line = [waiting(number=1, holder="wang"), waiting(number=2), waiting(number=3, waiting_since=NOON, rule="other")]
    novice = agent(skills={"language": "zh"})
    assert first_for(agent(), line, POLICY, NOON) == line[1]
    assert first_for(novice, line, POLICY, NOON) == line[2]
    assert first_for(novice, line, POLICY, NOON + timedelta(minutes=15)) == line[1]
    assert first_for(novice, [], POLICY, NOON) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=6), st.integers(1, 30))
def test_rotation_is_fair_and_nobody_is_overloaded(people: list[tuple[int, int]], rounds: int) -> None:
    """However many come: nobody is given more than he can hold, and as long as all have room each gets his turn."""
    here = [
        agent(f"a{i}", capacity={"webhook": limit}, holds={"webhook": min(held, limit)})
        for i, (held, limit) in enumerate(people)
    ]
    turns: list[str] = []
    for number in range(rounds):
        free = {one.agent.name for one in here if has_room(one, "webhook")}
        found = chosen(waiting(), here, POLICY, NOON)
        assert (found is not None) == bool(free)
        if found is None:
            return
        name = found.agent.name
        if set(turns) < free:
            assert name not in turns
        turns.append(name)
        given_at = NOON + timedelta(seconds=number + 1)
        here = [
            replace(one, assigned_at=given_at, holds={"webhook": one.holds["webhook"] + 1}) if one is found else one
            for one in here
        ]
        assert all(load(one) <= 1 for one in here)
