"""Replies that arrive, and replies that do not: what the clocks say of both."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from router.deadlines.calendar import Schedule
from router.deadlines.fold import (
    Clock,
    ClockEvent,
    Clocks,
    DeadlinePolicy,
    Promises,
    Target,
    Unanswered,
    advance,
    breaches_at,
    clocks_at,
    firings,
    fold,
    from_json,
    next_wake,
    to_json,
)
from router.reply_states import REPLY_STATES, UNDONE, follows

ALWAYS = Schedule.build("UTC", {"daily": [["00:00", "24:00"]]})
PAUSED = {"first_reply": ("pending",), "resolution": ("pending", "on_hold")}
DESK = Promises(
    policies=(
        DeadlinePolicy(
            name="mail", schedule="always", warn=600, pause=PAUSED,
            targets={
                "first_reply": Target(seconds=3600), "next_reply": Target(seconds=3600),
                "update": Target(seconds=86400), "resolution": Target(seconds=7 * 86400),
            },
        ),
    ),
    schedules={"always": ALWAYS}, version="one",
)  # fmt: skip
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def asked(minutes: float, name: str) -> ClockEvent:
    return ClockEvent(type="customer_message", at=at(minutes), id=name, facts={"channel": "mail"})


def written(minutes: float, name: str, state: str = "pending") -> ClockEvent:
    return ClockEvent(type="agent_reply", at=at(minutes), id=name, to=state)


def came(minutes: float, name: str, state: str) -> ClockEvent:
    return ClockEvent(type="reply_state", at=at(minutes), ids=(name,), to=state)


def status(minutes: float, to: str) -> ClockEvent:
    return ClockEvent(type="status", at=at(minutes), to=to)


def lived(*events: ClockEvent, look: Sequence[float] = ()) -> tuple[Clocks, list[str]]:
    """The clocks after these events, stored between each two, with the timekeeper looking at these minutes; and the
    keys of what fired."""
    clocks, fired = Clocks.empty(), list[str]()
    steps: list[tuple[datetime, ClockEvent | None]] = [(event.at, event) for event in events]
    steps += [(at(minutes), None) for minutes in look]
    for moment, event in sorted(steps, key=lambda one: one[0]):
        if event is None:
            found, clocks = firings(clocks, DESK, moment)
            fired += [f"{one.kind} {one.key}" for one in found]
        else:
            clocks = advance(clocks, event, DESK)
        clocks = from_json(json.loads(json.dumps(to_json(clocks))))
    return clocks, fired


def clock(clocks: Clocks, metric: str, minutes: float, cycle: int = 1) -> Clock:
    return next(c for c in clocks_at(clocks, DESK, at(minutes)) if (c.metric, c.cycle) == (metric, cycle))


def state(clocks: Clocks, metric: str, minutes: float, cycle: int = 1) -> str:
    return clock(clocks, metric, minutes, cycle).state


def test_a_reply_counts_from_when_it_was_written_once_it_is_sent() -> None:
    """Written in time and sent an hour late: the promise was kept, and nothing fires while it is on its way."""
    clocks, fired = lived(asked(0, "a"), written(55, "r"), look=[58, 61, 90])
    assert [one for one in fired if not one.startswith("warning")] == []
    assert state(clocks, "first_reply", 90) == "running"
    assert next_wake(clocks, DESK, at(90)) == at(55 + 24 * 60 - 10) + timedelta(microseconds=1)  # the update's warning
    clocks = advance(clocks, came(120, "r", "sent"), DESK)
    assert clock(clocks, "first_reply", 121).state == "met"
    assert clock(clocks, "first_reply", 121).ended_at == at(55)


@pytest.mark.parametrize("end", sorted(UNDONE))
def test_a_reply_that_does_not_arrive_answers_nothing(end: str) -> None:
    """The clock is back with its old deadline; if that is past, the breach is logged when it became known."""
    clocks, _ = lived(asked(0, "a"), written(30, "r"), came(31, "r", end))
    assert (clock(clocks, "first_reply", 40).state, clock(clocks, "first_reply", 40).due_at) == ("running", at(60))
    clocks, fired = lived(asked(0, "a"), written(30, "r"), came(90, "r", end), look=[70, 91])
    assert (clock(clocks, "first_reply", 91).state, clock(clocks, "first_reply", 91).due_at) == ("breached", at(60))
    assert [entry.at for entry in clocks.log] == [round(at(90).timestamp() * 1e6)]
    assert [one for one in fired if one.startswith("breach")] == [f"breach first_reply.1.breach.{clocks.log[0].at}"]


def test_an_unknown_reply_that_a_person_found_sent_counts_from_when_it_was_written() -> None:
    """What came meanwhile is the next question again."""
    clocks, _ = lived(asked(0, "a"), written(5, "r"), came(6, "r", "unknown"), asked(10, "b"))
    assert {c.metric for c in clocks_at(clocks, DESK, at(11)) if c.state == "running"} == {"first_reply", "resolution"}
    clocks = advance(clocks, came(20, "r", "sent"), DESK)
    assert clock(clocks, "first_reply", 21).ended_at == at(5)
    assert (state(clocks, "next_reply", 21), clock(clocks, "next_reply", 21).due_at) == ("running", at(70))


def test_what_moved_comes_back_when_the_reply_was_sent_after_all() -> None:
    """A desk that wrote first: unknown, answered by a second reply, then found sent."""
    clocks, _ = lived(
        written(0, "r"), asked(5, "a"), written(9, "s"), came(10, "r", "unknown"), came(11, "r", "sent")
    )  # fmt: skip
    assert answered(clocks) == answered(fold([written(0, "r", ""), asked(5, "a"), written(9, "s", "")], DESK))


def test_later_cycles_fold_into_the_clock_that_returns() -> None:
    """Question, answer that bounces, next question: one clock from the first question on; the cycle after it moved."""
    clocks, _ = lived(asked(0, "a"), written(5, "r", "sent"), asked(20, "b"), came(30, "r", "bounced"))
    assert clock(clocks, "first_reply", 31).due_at == at(60)
    assert state(clocks, "next_reply", 31) == "moved"
    clocks = advance(clocks, written(40, "s", ""), DESK)
    assert (state(clocks, "first_reply", 41), clock(clocks, "first_reply", 41).ended_at) == ("met", at(40))
    clocks = advance(clocks, asked(50, "c"), DESK)
    assert (state(clocks, "next_reply", 51, cycle=2), state(clocks, "next_reply", 51)) == ("running", "moved")


def test_what_another_reply_answered_stays_answered_by_that_one() -> None:
    """The promise is met, or late, by the reply that arrived."""
    early, _ = lived(asked(0, "a"), written(5, "r", "sent"), written(50, "s", "sent"), came(55, "r", "bounced"))
    assert (state(early, "first_reply", 56), clock(early, "first_reply", 56).ended_at) == ("met", at(50))
    late, _ = lived(asked(0, "a"), written(5, "r", "sent"), written(70, "s", "sent"), came(75, "r", "bounced"))
    assert (state(late, "first_reply", 76), clock(late, "first_reply", 76).ended_at) == ("late", at(70))
    assert [entry.metric for entry in late.log] == ["first_reply"]
    both = advance(late, came(80, "s", "bounced"), DESK)
    assert state(both, "first_reply", 81) == "breached"
    assert len(both.log) == 1


def test_solved_because_of_an_answer_that_bounces() -> None:
    """It is open again, its promise returns, and the days it was solved count for no resolution."""
    day = 24 * 60
    clocks, _ = lived(asked(0, "a"), written(5, "r", "sent"), status(6, "solved"), came(2 * day, "r", "bounced"))
    assert clocks.status == "open"
    assert state(clocks, "first_reply", 2 * day + 1) == "breached"
    resolution = clock(clocks, "resolution", 2 * day + 1)
    assert (resolution.state, resolution.due_at) == ("running", at(7 * day + 2 * day - 6))
    assert state(advance(clocks, status(2 * day + 5, "solved"), DESK), "first_reply", 2 * day + 6) == "late"


def test_solved_after_it_was_known_cancels_as_ever() -> None:
    """Who solves a conversation of which he knows that the answer failed means it."""
    clocks, _ = lived(asked(0, "a"), written(5, "r"), came(6, "r", "failed"), status(10, "solved"))
    assert (clocks.status, state(clocks, "first_reply", 11)) == ("solved", "cancelled")


def test_a_warning_that_was_given_is_not_given_again() -> None:
    """The same deadline came back; only what it still owes fires."""
    clocks, fired = lived(
        asked(0, "a"), written(55, "r", "sent"), came(57, "r", "bounced"), look=[51, 58, 61, 62]
    )  # fmt: skip
    assert [one.partition(".")[0] for one in fired] == ["warning first_reply", "breach first_reply"]
    assert clocks.log[0].due == round(at(60).timestamp() * 1e6)


def test_what_a_merged_conversation_gets_back_is_asked_again_under_its_own_time() -> None:
    """The clocks did not see the reply; what waits again is told with its state."""
    again = Unanswered(id="a", at=at(0), facts={"channel": "mail"})
    clocks, _ = lived(asked(30, "b"), written(31, "s", ""), status(32, "solved"))
    clocks = advance(clocks, replace(came(40, "elsewhere", "bounced"), unanswered=(again,)), DESK)
    assert (clocks.status, clock(clocks, "next_reply", 41).due_at) == ("open", at(60))
    assert advance(clocks, came(41, "elsewhere", "read"), DESK) == clocks


def test_states_never_go_backwards() -> None:
    """Of two states each may follow the other in one direction at most, but for a try that is repeated."""
    both = {(a, b) for a in REPLY_STATES for b in REPLY_STATES if follows(a, b) and follows(b, a)}
    assert both == {("pending", "sending"), ("sending", "pending")}
    assert not any(follows(s, s) for s in REPLY_STATES)
    assert not any(follows("sent", s) for s in ("pending", "sending", "unknown", "failed"))
    assert not any(follows("read", s) for s in REPLY_STATES)


# ── any story ──

NAMES = ("r0", "r1", "r2", "r3")


@st.composite
def stories(draw: st.DrawFn, *, statuses: bool = True) -> list[ClockEvent]:
    """Questions, answers in any number, statuses, and what becomes of each answer at any time after it."""
    kinds = ["asked", "asked", "written", "written", "came", "came", *(["status"] if statuses else [])]
    events, minute, replies = list[ClockEvent](), 0.0, list[str]()
    for number in range(draw(st.integers(2, 14))):
        minute += draw(st.sampled_from([1, 7, 40, 90, 1500]))
        kind = draw(st.sampled_from(kinds))
        if kind == "asked":
            events.append(asked(minute, f"q{number}"))
        elif kind == "written" and len(replies) < len(NAMES):
            replies.append(NAMES[len(replies)])
            events.append(written(minute, replies[-1], draw(st.sampled_from(["pending", "sent", ""]))))
        elif kind == "came" and replies:
            events.append(came(minute, draw(st.sampled_from(replies)), draw(st.sampled_from(REPLY_STATES))))
        elif kind == "status":
            events.append(status(minute, draw(st.sampled_from(["open", "pending", "on_hold", "solved", "closed"]))))
    return events


def ends(events: Sequence[ClockEvent]) -> dict[str, str]:
    """What each reply has come to; one that was told as said elsewhere has no state that changes."""
    found: dict[str, str] = {}
    for event in events:
        if event.type == "agent_reply":
            found[event.id] = event.to
        elif event.type == "reply_state" and follows(found.get(event.ids[0], ""), event.to):
            found[event.ids[0]] = event.to
    return found


def answered(clocks: Clocks) -> list[tuple[str, int, str, int | None]]:
    """What the clocks say of answers, without the numbers of their cycles and what moved."""
    return sorted(
        (run.metric, run.start, run.state, run.end)
        for run in clocks.runs
        if run.state != "moved" and run.lead is not None
    )


@settings(max_examples=100)
@given(stories(statuses=False))
def test_a_reply_that_did_not_arrive_was_never_written(events: list[ClockEvent]) -> None:
    """Whatever the order of states: the clocks stand as if only the replies that stand had been written."""
    clocks, _ = lived(*events)
    found = ends(events)
    stand = [
        replace(event, to="") for event in events
        if event.type == "customer_message" or (event.type == "agent_reply" and found[event.id] not in UNDONE)
    ]  # fmt: skip
    assert answered(clocks) == answered(fold(stand, DESK))


@settings(max_examples=100)
@given(stories())
def test_what_nobody_answered_waits(events: list[ClockEvent]) -> None:
    """An open conversation holds a promise for each question after the last reply that stands, unless somebody solved
    it since; a solved one holds none."""
    clocks, _ = lived(*events)
    held = {p.id for run in clocks.runs if not run.state and run.metric.endswith("reply") for p in run.pledges}
    if clocks.status in ("solved", "closed"):
        assert not held
        return
    found, waiting = ends(events), list[str]()
    for event in events:
        if event.type == "customer_message":
            waiting.append(event.id)
        elif (event.type == "agent_reply" and found[event.id] not in UNDONE) or event.to in ("solved", "closed"):
            waiting = []
    assert set(waiting) <= held


@settings(max_examples=100)
@given(stories(), st.lists(st.integers(0, 9000), max_size=6))
def test_the_log_only_grows_and_nothing_fires_twice(events: list[ClockEvent], looks: list[int]) -> None:
    """Whatever comes back, a breach that was told stays told, and no warning, breach or step has its key twice."""
    clocks, told = Clocks.empty(), list[str]()
    steps: list[tuple[datetime, int, ClockEvent | None]] = [(e.at, 0, e) for e in events]
    steps += [(at(minute), 1, None) for minute in looks]
    for moment, _, event in sorted(steps, key=lambda one: one[:2]):
        before = clocks
        if event is None:
            found, clocks = firings(clocks, DESK, moment)
            told += [f"{one.kind} {one.key}" for one in found]
        else:
            clocks = advance(clocks, event, DESK)
        assert [(b.metric, b.cycle, b.due) for b in clocks.log][: len(before.log)] == [
            (b.metric, b.cycle, b.due) for b in before.log
        ]
        assert breaches_at(clocks, DESK, moment)[: len(clocks.log)] == clocks.log
        keys = [(run.metric, run.cycle) for run in clocks.runs]
        assert len(set(keys)) == len(keys)
    assert len(set(told)) == len(told)


#: What may come between a reply and its bounce, by the minute and its number.
_LATER: dict[str, Callable[[float, int], ClockEvent]] = {
    "questions": lambda minute, n: asked(minute, f"q{n}"),
    "notes": lambda minute, n: ClockEvent(type="internal_note", at=at(minute), id=f"n{n}"),
    "questions and statuses": lambda minute, n: (
        status(minute, ("pending", "on_hold")[n % 4 // 2]) if n % 2 else asked(minute, f"q{n}")
    ),
    "replies that came back too": lambda minute, n: (
        came(minute, f"s{n - 1}", "failed") if n % 2 else written(minute, f"s{n}")
    ),
}


@pytest.mark.parametrize("many", [33, 65, 100, 400])
@pytest.mark.parametrize("later", _LATER)
def test_a_bounce_brings_the_promise_back_however_much_happened_since(later: str, many: int) -> None:
    """Promise, deadline and waiting are those of a desk that never wrote the reply."""
    between = [_LATER[later](2 + n / 10, n) for n in range(many)]
    bounced, _ = lived(asked(0, "q"), written(1, "r", "sent"), *between, came(50, "r", "bounced"))
    unwritten, _ = lived(asked(0, "q"), *between, status(50, "open"))
    for metric in ("first_reply", "resolution"):
        found, right = clock(bounced, metric, 51), clock(unwritten, metric, 51)
        assert (found.state, found.due_at, found.started_at) == (right.state, right.due_at, right.started_at)


def test_a_reply_to_one_of_two_leaves_the_other_waiting() -> None:
    """Each clock goes on with the promise that is still open, whoever asked first, and comes back by a bounce."""
    for first, second in (("a", "b"), ("b", "a")):
        reply = replace(written(20, "r", "sent"), ids=("b",))
        clocks, _ = lived(asked(0, first), asked(10, second), reply)
        shown = (c for c in clocks_at(clocks, DESK, at(21)) if c.metric == "first_reply")
        found = {(c.state, c.started_at, c.due_at) for c in shown}
        a, b = (0, 10) if first == "a" else (10, 0)
        assert found == {("met", at(a), at(a + 60)), ("running", at(b), at(b + 60))}
        back = advance(clocks, came(30, "r", "bounced"), DESK)
        assert {p.id for run in back.runs if run.metric == "first_reply" and not run.state for p in run.pledges} == {
            "a", "b",
        }  # fmt: skip
        assert clock(back, "first_reply", 31).due_at == at(60)
        both = advance(clocks, written(40, "s", "sent"), DESK)
        assert {c.state for c in clocks_at(both, DESK, at(41)) if c.metric == "first_reply"} == {"met"}


@settings(max_examples=50)
@given(stories(), st.randoms())
def test_in_whatever_order_the_log_is_read(events: list[ClockEvent], chance: object) -> None:
    """The fold of the log gives what was lived step by step."""
    numbered = [replace(event, seq=seq) for seq, event in enumerate(events)]
    shuffled = list(numbered)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert answered(fold(shuffled, DESK)) == answered(lived(*numbered)[0])


def test_what_is_kept_for_a_reply_has_an_end() -> None:
    """A long chat keeps the last events only: a reply before others that stand is answered for, and messages alike
    take no more room."""
    chat = [event for n in range(150) for event in (asked(2 * n, f"q{n}"), written(2 * n + 1, f"r{n}", "sent"))]
    alike = asked(0, "q"), written(1, "r", "sent"), *(asked(2 + n, f"q{n}") for n in range(900))
    for events in (chat, alike):
        clocks, _ = lived(*events)
        assert 0 < len(clocks.since) <= 64
    assert len(json.dumps(to_json(clocks))) < 8000
    mixed = (status(2 + n, ("pending", "on_hold")[n % 2]) for n in range(900))
    assert len(lived(asked(0, "q"), written(1, "r", "sent"), *mixed)[0].since) <= 512
    read, _ = lived(asked(0, "q"), written(1, "r", "sent"), asked(2, "p"), came(3, "r", "read"))
    assert (read.since, read.before, read.replies) == ((), None, {})
