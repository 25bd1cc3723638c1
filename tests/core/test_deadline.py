"""Clocks: what a desk owes its customers, by when, and what happens when it is late."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

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
    Firing,
    Ladder,
    Promises,
    Step,
    Target,
    Unanswered,
    advance,
    breaches_at,
    clocks_at,
    firings,
    fold,
    from_json,
    next_due,
    next_wake,
    to_json,
)
from router.errors import ConfigurationError, InvalidTarget, NaiveDatetime, NoOpenTime
from router.routing.condition import Condition
from workers.lab.evaluate.deadline_cases import answer

VECTORS = json.loads((Path(__file__).parent.parent / "data" / "deadlines.json").read_text("utf-8"))["vectors"]
ZONE = ZoneInfo("Asia/Shanghai")
CHAT, MAIL, ALWAYS = (
    Schedule.build("Asia/Shanghai", {"daily": [["08:00", "22:00"]]}),
    Schedule.build("Asia/Shanghai", {"weekdays": [["00:00", "24:00"]]}, holidays="CN"),
    Schedule.build("Asia/Shanghai", {"daily": [["00:00", "24:00"]]}),
)
LADDER = Ladder(
    name="standard",
    on=("first_reply", "next_reply"),
    steps=(
        Step(after=0, do="notify", to="lead:payments"),
        Step(after=1800, do="requeue", priority="+20"),
        Step(after=14400, do="move", queue="complaints", tag="formal_complaint"),
    ),
)


def when(**fields: list[Any]) -> Condition:
    mistakes: list[str] = []
    condition = Condition.compile(fields, "when", mistakes)
    assert mistakes == []
    return condition


def promises(*policies: DeadlinePolicy, version: str = "one", **more: Any) -> Promises:
    return Promises(
        policies=policies,
        schedules={"chat": CHAT, "mail": MAIL, "always": ALWAYS},
        ladders={"standard": LADDER},
        version=version,
        **more,
    )


DESK = promises(
    DeadlinePolicy(
        name="chat",
        when=when(channel_kind=["webhook"]),
        schedule="chat",
        targets={"first_reply": Target(seconds=120), "next_reply": Target(seconds=300)},
        warn=60,
        ladder="standard",
    ),
    DeadlinePolicy(
        name="mail",
        when=when(channel_kind=["email"]),
        schedule="mail",
        targets={
            "first_reply": Target(seconds=86400),
            "next_reply": Target(seconds=86400),
            "update": Target(seconds=172800),
            "resolution": Target(workdays=7),
        },
        pause={"resolution": ("pending", "on_hold"), "update": ("pending",)},
        warn=7200,
        ladder="standard",
    ),
    DeadlinePolicy(
        name="hotline",
        when=when(channel_kind=["phone"]),
        schedule="always",
        targets={"first_reply": Target(seconds=1800, hours="calendar"), "next_reply": Target(seconds=1800)},
        pause={"first_reply": ("on_hold",)},
    ),
    DeadlinePolicy(
        name="urgent",
        when=when(issue_type=["security"]),
        schedule="always",
        targets={"first_reply": Target(seconds=60)},
    ),
)


def t(text: str) -> datetime:
    """Shanghai wall-clock time as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def message(at: str, kind: str = "email", **more: Any) -> ClockEvent:
    facts = {"channel": f"support-{kind}", "channel_kind": kind}
    return ClockEvent(type="customer_message", at=t(at), facts=facts, **more)


def reply(at: str, **more: Any) -> ClockEvent:
    return ClockEvent(type="agent_reply", at=t(at), **more)


def status(at: str, to: str) -> ClockEvent:
    return ClockEvent(type="status", at=t(at), to=to)


def clock(events: Sequence[ClockEvent], metric: str, now: str, desk: Promises = DESK, cycle: int = 1) -> Clock:
    rows = clocks_at(fold(events, desk, t(now)), desk, t(now))
    found = [row for row in rows if row.metric == metric and row.cycle == cycle]
    assert len(found) == 1, rows
    return found[0]


def log(events: Sequence[ClockEvent], now: str, desk: Promises = DESK) -> list[tuple[str, int, datetime]]:
    entries = breaches_at(fold(events, desk, t(now)), desk, t(now))
    return [(e.metric, e.cycle, datetime.fromtimestamp(e.at / 1e6, UTC)) for e in entries]


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["id"]) for v in VECTORS if v["op"] == "sla"])
def test_recorded_stories(vector: dict[str, Any]) -> None:
    """Every recorded story ends with the recorded clocks, log, warnings, steps and next deadline."""
    got, expected = answer(vector), vector["expect"]
    if "error" in expected:
        assert got == expected
        return
    for row in got["clocks"]:
        twin = next((e for e in expected["clocks"] if (e["metric"], e["cycle"]) == (row["metric"], row["cycle"])), None)
        assert twin is not None
        assert {key: row.get(key) for key in twin} == twin
    assert len(got["clocks"]) == len(expected["clocks"])
    assert got["breaches"] == expected["breaches"]
    assert got["next_due"] == expected["next_due"]


# -- stories of a desk --


def test_chat_just_before_closing() -> None:
    """A chat at 21:58 with five minutes has two of them tonight and three in the morning."""
    desk = promises(DeadlinePolicy(name="chat", schedule="chat", targets={"first_reply": Target(seconds=300)}))
    events = [message("2026-03-02T21:58", "webhook")]
    assert clock(events, "first_reply", "2026-03-02T23:00", desk).due_at == t("2026-03-03T08:03")
    assert clock(events, "first_reply", "2026-03-03T08:03", desk).state == "running"
    assert clock(events, "first_reply", "2026-03-03T08:04", desk).state == "breached"


def test_mail_on_the_eve_of_a_make_up_sunday() -> None:
    """A mail on the Saturday before a make-up working Sunday is due on that Sunday's end, not on Monday's."""
    events = [message("2026-01-03T20:00")]
    assert clock(events, "first_reply", "2026-01-03T21:00").due_at == t("2026-01-05T00:00")
    assert clock([message("2026-09-18T20:00")], "first_reply", "2026-09-18T21:00").due_at == t("2026-09-20T20:00")


def test_chat_after_mail_tightens() -> None:
    """A customer who mailed and then asks in the chat is owed the chat's answer; the clock began with the mail."""
    events = [message("2026-03-02T10:00"), message("2026-03-02T11:00", "webhook")]
    found = clock(events, "first_reply", "2026-03-02T11:01")
    assert (found.due_at, found.policy, found.started_at) == (t("2026-03-02T11:02"), "chat", t("2026-03-02T10:00"))


def test_mail_after_chat_does_not_loosen() -> None:
    """A mail after a chat buys the desk no time, and forgives no breach."""
    events = [message("2026-03-02T10:00", "webhook"), message("2026-03-02T10:05")]
    found = clock(events, "first_reply", "2026-03-02T10:06")
    assert (found.due_at, found.state, found.breached_at) == (t("2026-03-02T10:02"), "breached", t("2026-03-02T10:02"))


def test_five_chases_change_nothing() -> None:
    """Five times 在吗 move no deadline, log no second breach and open no second clock."""
    events = [message("2026-03-02T10:00", id="1")]
    alone = clock(events, "first_reply", "2026-03-04T10:00")
    events += [message(f"2026-03-02T1{hour}:00", id=f"chase-{hour}") for hour in range(1, 6)]
    assert clock(events, "first_reply", "2026-03-04T10:00") == alone
    assert log(events, "2026-03-04T10:00") == [("first_reply", 1, t("2026-03-03T10:00"))]


def test_pending_and_back_in_working_days() -> None:
    """A working day on which the case was with the customer when the desk closed is not the desk's."""
    events = [message("2026-03-02T10:00"), reply("2026-03-02T11:00")]
    assert clock(events, "resolution", "2026-03-02T12:00").due_at == t("2026-03-12T00:00")
    waiting = [*events, status("2026-03-03T15:00", "pending")]
    assert clock(waiting, "resolution", "2026-03-03T16:00").state == "paused"
    assert clock(waiting, "resolution", "2026-03-03T16:00").due_at is None
    back = [*waiting, message("2026-03-05T09:00")]
    found = clock(back, "resolution", "2026-03-05T10:00")
    assert (found.state, found.due_at, found.paused_seconds) == ("running", t("2026-03-14T00:00"), 42 * 3600)
    assert clock(back, "next_reply", "2026-03-05T10:00").started_at == t("2026-03-05T09:00")


def test_solved_and_reopened() -> None:
    """Solving cancels what was owed and ends the resolution; reopened it runs on, the solved days not counted."""
    events = [message("2026-03-02T10:00"), status("2026-03-02T12:00", "solved")]
    assert clock(events, "first_reply", "2026-03-03T12:00").state == "cancelled"
    assert clock(events, "resolution", "2026-03-03T12:00").state == "met"
    again = [*events, message("2026-03-04T10:00")]
    assert clock(again, "resolution", "2026-03-04T11:00").due_at == t("2026-03-13T00:00")
    assert clock(again, "first_reply", "2026-03-04T11:00", cycle=2).due_at == t("2026-03-05T10:00")


def paused_desk(seconds: int, ladder: str = "") -> Promises:
    return promises(
        DeadlinePolicy(
            name="p",
            schedule="chat",
            targets={"first_reply": Target(seconds=seconds)},
            pause={"first_reply": ("on_hold",)},
            ladder=ladder,
        )
    )


def test_a_pause_at_the_very_deadline_saves_nothing() -> None:
    """A target that is used up when the case is put on hold stays used up after it is taken up again."""
    events = [
        message("2026-03-02T10:00"),
        status("2026-03-02T11:00", "on_hold"),
        status("2026-03-02T12:00", "open"),
    ]
    assert clock(events, "first_reply", "2026-03-02T13:00", paused_desk(3600)).due_at == t("2026-03-02T11:00")
    assert clock(events, "first_reply", "2026-03-02T13:00", paused_desk(3601)).due_at == t("2026-03-02T12:00:01")


def test_steps_wait_while_a_broken_promise_is_on_hold() -> None:
    """Once the deadline is past, time on hold delays the steps of the ladder, and none is taken meanwhile."""
    events = [message("2026-03-02T10:00"), status("2026-03-02T11:10", "on_hold")]
    desk = paused_desk(3600, "standard")
    fired, clocks = firings(fold(events, desk), desk, t("2026-03-02T13:00"))
    assert [(f.kind, f.index) for f in fired] == [("breach", -1), ("step", 0)]
    assert next_wake(clocks, desk, t("2026-03-02T13:00")) is None
    clocks = advance(clocks, status("2026-03-02T14:00", "open"), desk)
    assert next_wake(clocks, desk, t("2026-03-02T14:00")) == t("2026-03-02T14:20") + timedelta(microseconds=1)


def test_an_older_message_that_is_seen_later() -> None:
    """A message fetched late joins the clock with its own time, less what the clock was on hold since then."""
    late = ClockEvent(
        type="customer_message",
        at=t("2026-03-02T09:30"),
        seen_at=t("2026-03-02T12:30"),
        facts={"channel": "support-email", "channel_kind": "email"},
    )
    events = [
        message("2026-03-02T10:00"),
        status("2026-03-02T11:00", "on_hold"),
        status("2026-03-02T12:00", "open"),
        late,
    ]
    found = clock(events, "first_reply", "2026-03-02T12:30", paused_desk(4 * 3600))
    assert (found.started_at, found.due_at) == (t("2026-03-02T09:30"), t("2026-03-02T14:30"))


def test_a_message_from_the_year_one() -> None:
    """A message with an absurd time counts as ten years old at most, and one from the future as just sent."""
    now = t("2026-03-02T10:00")
    for at, start in ((datetime(1, 1, 1, tzinfo=UTC), now - timedelta(days=3660)), (now + timedelta(days=9), now)):
        event = ClockEvent(type="customer_message", at=at, seen_at=now, facts={"channel_kind": "email"})
        assert clocks_at(advance(Clocks.empty(), event, DESK), DESK, now)[0].started_at == start


def test_a_late_seen_message_reopens_at_its_own_time() -> None:
    """The time a case was solved ends with the customer's next message, not with its being fetched."""
    desk = promises(DeadlinePolicy(name="p", schedule="chat", targets={"resolution": Target(seconds=7200)}))
    back = ClockEvent(type="customer_message", at=t("2026-03-02T12:00"), seen_at=t("2026-03-02T12:20"))
    events = [message("2026-03-02T10:00"), status("2026-03-02T11:00", "solved"), back]
    assert clock(events, "resolution", "2026-03-02T12:30", desk).due_at == t("2026-03-02T13:00")


def test_policy_changed_in_flight() -> None:
    """A case that turns out to be about security is urgent from its first minute: the breach is logged on the turn."""
    found = ClockEvent(type="set", at=t("2026-03-02T10:30"), attrs={"issue_type": "security"})
    only_security = promises(DESK.policies[3], DESK.policies[1])
    events = [message("2026-03-02T10:00"), found]
    assert clock(events, "first_reply", "2026-03-02T10:31", only_security).due_at == t("2026-03-02T10:01")
    assert log(events, "2026-03-02T10:31", only_security) == [("first_reply", 1, t("2026-03-02T10:30"))]
    relaxed = [*events, ClockEvent(type="set", at=t("2026-03-02T11:00"), attrs={"issue_type": "other"})]
    assert clock(relaxed, "first_reply", "2026-03-02T12:00", only_security).state == "running"
    assert len(log(relaxed, "2026-03-03T12:00", only_security)) == 2


def test_a_rules_deadline_goes_first_on_all_channels() -> None:
    """The policy a rule asks for holds on every channel; what it does not name falls through to the list."""
    events = [message("2026-03-02T10:00", deadline="urgent")]
    assert clock(events, "first_reply", "2026-03-02T10:00").due_at == t("2026-03-02T10:01")
    assert clock(events, "resolution", "2026-03-02T10:00").policy == "mail"
    nothing = [message("2026-03-02T10:00", deadline="none")]
    assert clocks_at(fold(nothing, DESK), DESK, t("2026-03-09T10:00")) == ()


def test_outage_over_a_breach() -> None:
    """After an outage all that was missed fires once, in order, marked late; on time it is not marked."""
    clocks = fold([message("2026-03-02T10:00", "webhook")], DESK)
    fired, after = firings(clocks, DESK, t("2026-03-02T11:00"))
    assert [(f.kind, f.index, f.at, f.late) for f in fired] == [
        ("warning", -1, t("2026-03-02T10:01"), True),
        ("breach", -1, t("2026-03-02T10:02"), True),
        ("step", 0, t("2026-03-02T10:02"), True),
        ("step", 1, t("2026-03-02T10:32"), True),
    ]
    assert firings(after, DESK, t("2026-03-02T11:00"))[0] == ()
    assert next_wake(after, DESK, t("2026-03-02T11:00")) == t("2026-03-02T14:02") + timedelta(microseconds=1)
    moved, after = firings(after, DESK, t("2026-03-02T14:02:01"))
    assert [(f.step.do, f.step.queue, f.late) for f in moved if f.step] == [("move", "complaints", False)]
    assert next_wake(after, DESK, t("2026-03-02T15:00")) is None


def test_answered_during_the_outage() -> None:
    """A step whose clock ended meanwhile does not fire; that the promise was broken is still told, with how late."""
    clocks = fold([message("2026-03-02T10:00", "webhook"), reply("2026-03-02T10:12")], DESK)
    fired, after = firings(clocks, DESK, t("2026-03-02T11:00"))
    assert [(f.kind, f.policy, f.policy_version, f.wall_seconds, f.business_seconds) for f in fired] == [
        ("breach", "chat", "one", 600, 600)
    ]
    assert next_wake(after, DESK, t("2026-03-02T11:00")) is None


def test_steps_sleep_with_the_desk() -> None:
    """Half an hour past a deadline at 21:50 is twenty past eight the next morning, so nobody is woken at night."""
    clocks = fold([message("2026-03-02T21:48", "webhook")], DESK)
    _, clocks = firings(clocks, DESK, t("2026-03-02T21:55"))
    assert next_wake(clocks, DESK, t("2026-03-02T21:55")) == t("2026-03-03T08:20") + timedelta(microseconds=1)


def test_business_and_wall_seconds_late() -> None:
    """An answer at nine to a chat due at 21:59 is eleven hours late on the wall and 61 minutes in the desk's hours."""
    clocks = fold([message("2026-03-02T21:57", "webhook"), reply("2026-03-03T09:00")], DESK)
    (breach,), _ = firings(clocks, DESK, t("2026-03-03T10:00"))
    assert (breach.wall_seconds, breach.business_seconds) == (11 * 3600 + 60, 61 * 60)


def test_a_ladder_moves_a_conversation_once() -> None:
    """A second breach in another cycle does not move the conversation to the complaints queue again."""
    events = [message("2026-03-02T08:00", "webhook"), reply("2026-03-02T13:00"), message("2026-03-02T13:10", "webhook")]
    moves, clocks = list[Firing](), Clocks.empty()
    for event in events:
        clocks = advance(clocks, event, DESK)
        fired, clocks = firings(clocks, DESK, event.at + timedelta(hours=4, minutes=30))
        moves += [f for f in fired if f.step is not None and f.step.do == "move"]
    assert [(f.metric, f.cycle) for f in moves] == [("first_reply", 1)]


def test_a_move_that_needs_no_more_doing_wakes_nobody_again() -> None:
    """The second time a conversation is too late it stands in the complaints queue already: looked at once, then rest.

    Otherwise the timekeeper would look at it again and again without end.
    """
    clocks = advance(Clocks.empty(), message("2026-03-02T08:00", "email"), DESK)
    _, clocks = firings(clocks, DESK, t("2026-03-06T09:00"))
    assert clocks.moves == ("complaints",)
    for event in (reply("2026-03-06T09:00"), message("2026-03-06T09:10", "email")):
        clocks = advance(clocks, event, DESK)
    now, looks = t("2026-03-06T09:10"), list[datetime]()
    while len(looks) < 60 and (wake := next_wake(clocks, DESK, now)) is not None:
        looks.append(wake)
        _, clocks = firings(clocks, DESK, now := wake)
    assert looks == sorted(set(looks))
    assert next_wake(clocks, DESK, now) is None


@pytest.mark.parametrize(
    ("target", "warn", "expected"),
    [
        pytest.param(Target(seconds=7200), 1800, "2026-03-02T11:30", id="half an hour before"),
        pytest.param(Target(seconds=7200), 7200, None, id="as long as the target: none"),
        pytest.param(Target(workdays=1), 7200, "2026-03-03T22:00", id="before the end of a working day"),
        pytest.param(Target(workdays=1), 86400 * 2, None, id="longer than the working days: none"),
        pytest.param(Target(seconds=60, hours="calendar"), 20, "2026-03-02T10:00:40", id="in calendar hours"),
    ],
)
def test_when_to_warn(target: Target, warn: int, expected: str | None) -> None:
    """The warning comes so long before the deadline in the metric's own hours, or not at all."""
    desk = promises(DeadlinePolicy(name="p", schedule="mail", targets={"first_reply": target}, warn=warn))
    found = clocks_at(fold([message("2026-03-02T10:00")], desk), desk, t("2026-03-02T10:00"), steps=True)
    assert found[0].warn_at == (None if expected is None else t(expected))


def test_a_faster_channel_is_another_deadline() -> None:
    """When a chat tightens a mail's deadline, what has fired for the old one may fire for the new one."""
    clocks = fold([message("2026-03-02T10:00")], DESK)
    warned, clocks = firings(clocks, DESK, t("2026-03-03T09:00"))
    clocks = advance(clocks, message("2026-03-03T09:05", "webhook"), DESK)
    again, _ = firings(clocks, DESK, t("2026-03-03T09:06:30"))
    assert [f.kind for f in (*warned, *again)] == ["warning", "warning"]
    assert len({f.key for f in (*warned, *again)}) == 2


def test_reply_window_of_a_platform() -> None:
    """A platform that lets a desk answer for a day only sets a deadline of its own, counted from the last message."""
    desk = promises()
    day = 24 * 3600
    events = [message(f"2026-03-02T{hour}:00", "messenger", window=day) for hour in (10, 20)]
    found = clock(events, "reply_window", "2026-03-02T21:00", desk)
    assert (found.due_at, found.state, found.policy) == (t("2026-03-03T20:00"), "running", "provider")
    fired, _ = firings(fold(events, desk), desk, t("2026-03-03T18:30"))
    assert [(f.kind, f.metric, f.at) for f in fired] == [("warning", "reply_window", t("2026-03-03T18:00"))]
    answered = [*events, reply("2026-03-03T19:00")]
    assert clock(answered, "reply_window", "2026-03-04T21:00", desk).state == "met"
    assert clock(events, "reply_window", "2026-03-03T20:01", desk).state == "breached"
    two = [*events, message("2026-03-02T21:00", "wechat", window=2 * day)]
    assert clock(two, "reply_window", "2026-03-02T22:00", desk).due_at == t("2026-03-03T20:00")


def test_update_is_owed_after_each_answer() -> None:
    """Every public human answer is the start of the next update; a note and an automatic mail are none."""
    events = [message("2026-03-02T10:00"), reply("2026-03-02T11:00")]
    assert clock(events, "update", "2026-03-02T12:00").due_at == t("2026-03-04T11:00")
    quiet = [*events, ClockEvent(type="internal_note", at=t("2026-03-03T11:00")),
             ClockEvent(type="auto_reply", at=t("2026-03-03T11:30"))]  # fmt: skip
    assert clock(quiet, "update", "2026-03-03T12:00") == clock(events, "update", "2026-03-03T12:00")
    second = [*quiet, reply("2026-03-04T10:00")]
    assert clock(second, "update", "2026-03-04T12:00").state == "met"
    assert clock(second, "update", "2026-03-04T12:00", cycle=2).due_at == t("2026-03-06T10:00")


def test_the_answer_in_the_very_second() -> None:
    """At the deadline a clock is neither met nor broken: an answer then is in time, and nothing has fired."""
    events = [message("2026-03-02T10:00", "webhook")]
    clocks = fold(events, DESK)
    fired, _ = firings(clocks, DESK, t("2026-03-02T10:02"))
    assert [f.kind for f in fired] == ["warning"]
    assert clock([*events, reply("2026-03-02T10:02")], "first_reply", "2026-03-02T11:00").state == "met"


def test_provisional_deadline() -> None:
    """A deadline in a year whose holidays are not official yet says so; newer data re-target it."""
    known = MAIL.last_known_year
    assert known is not None
    eve = f"{known}-12-31T20:00"
    assert clock([message(eve)], "first_reply", eve).provisional
    assert not clock([message(f"{known}-12-01T20:00")], "first_reply", f"{known}-12-01T21:00").provisional
    assert DESK.edition == f"one@{known}"


def test_another_configuration_re_targets_when_next_touched() -> None:
    """Clocks of an older configuration take the new targets when anything happens, and before anything fires."""
    slower = DeadlinePolicy(name="chat", schedule="chat", targets={"first_reply": Target(seconds=3600)})
    new = promises(slower, version="two")
    clocks = fold([message("2026-03-02T10:00", "webhook")], DESK)
    fired, fresh = firings(clocks, new, t("2026-03-02T10:01:30"))
    assert fired == ()
    assert next_due(fresh) == t("2026-03-02T11:00")
    touched = advance(clocks, ClockEvent(type="internal_note", at=t("2026-03-02T10:01")), new)
    assert next_due(touched) == t("2026-03-02T11:00")


def test_a_schedule_that_runs_out() -> None:
    """Where the hours of a schedule end for good there is no deadline; a strict configuration refuses instead."""
    closed = Schedule.build("UTC", {}, {"2020-01-01": [["09:00", "10:00"]]})
    policy = DeadlinePolicy(name="p", schedule="closed", targets={"first_reply": Target(seconds=60)})
    lenient, strict = (Promises(policies=(policy,), schedules={"closed": closed}, strict=s) for s in (False, True))
    assert clocks_at(fold([message("2026-03-02T10:00")], lenient), lenient, t("2026-03-02T10:00")) == ()
    with pytest.raises(NoOpenTime):
        fold([message("2026-03-02T10:00")], strict)


def test_what_cannot_be_promised() -> None:
    """A target is above zero, in time or in working days; a policy names a schedule there is; instants have zones."""
    wrongs: tuple[dict[str, Any], ...] = ({}, {"seconds": -1}, {"workdays": -1}, {"seconds": 60, "workdays": 1})
    for wrong in wrongs:
        with pytest.raises(InvalidTarget, match="above zero"):
            Target(**wrong)
    lost = promises(DeadlinePolicy(name="p", schedule="nights", targets={"first_reply": Target(seconds=60)}))
    with pytest.raises(ConfigurationError, match='policy p: unknown schedule "nights"'):
        fold([message("2026-03-02T10:00")], lost)
    with pytest.raises(NaiveDatetime):
        advance(Clocks.empty(), ClockEvent(type="agent_reply", at=datetime(2026, 3, 2)), DESK)  # noqa: DTZ001


# -- merging and splitting --


def unanswered(*events: ClockEvent) -> tuple[Unanswered, ...]:
    return tuple(Unanswered(id=e.id, at=e.at, facts=e.facts) for e in events)


def test_merge_then_split_gives_the_clocks_back() -> None:
    """A merge undone leaves both conversations with the clocks they would have had without it."""
    a, b = message("2026-03-02T10:00", "webhook", id="a"), message("2026-03-02T10:01", id="b")
    one, other = fold([a], DESK), fold([b], DESK)
    merge_at, split_at, now = t("2026-03-02T10:01:10"), t("2026-03-02T10:01:30"), t("2026-03-02T10:01:40")
    joined = advance(other, ClockEvent(type="merge_in", at=merge_at, unanswered=unanswered(a)), DESK)
    absorbed = advance(one, ClockEvent(type="merged_into", at=merge_at), DESK)
    assert next_due(joined) == t("2026-03-02T10:02")
    assert next_due(absorbed) is None
    assert firings(absorbed, DESK, t("2026-03-05T10:00"))[0] == ()
    parted = advance(joined, ClockEvent(type="split_out", at=split_at, ids=("a",)), DESK)
    back = advance(absorbed, ClockEvent(type="split_in", at=split_at, unanswered=unanswered(a)), DESK)
    assert clocks_at(parted, DESK, now) == clocks_at(other, DESK, now)
    assert clocks_at(back, DESK, now) == clocks_at(one, DESK, now)
    again = advance(parted, ClockEvent(type="merge_in", at=now, unanswered=unanswered(a)), DESK)
    assert next_due(again) == t("2026-03-02T10:02")


def test_what_was_answered_while_merged_stays_answered() -> None:
    """A split after the desk answered gives back no clock for what was answered."""
    a = message("2026-03-02T10:00", id="a")
    absorbed = advance(fold([a], DESK), ClockEvent(type="merged_into", at=t("2026-03-02T11:00")), DESK)
    split = ClockEvent(type="split_in", at=t("2026-03-02T13:00"), unanswered=(), replied_at=t("2026-03-02T12:00"))
    back = advance(absorbed, split, DESK)
    rows = {row.metric: row for row in clocks_at(back, DESK, t("2026-03-02T14:00"))}
    assert (rows["first_reply"].state, rows["first_reply"].ended_at) == ("met", t("2026-03-02T12:00"))
    assert rows["resolution"].state == "running"
    later = advance(back, message("2026-03-02T15:00"), DESK)
    assert [row.metric for row in clocks_at(later, DESK, t("2026-03-02T15:00"))][-1] == "next_reply"


def test_messages_split_into_a_conversation_of_their_own() -> None:
    """Messages that leave take their promises with them, with their original times."""
    a, b = message("2026-03-02T10:00", id="a"), message("2026-03-02T11:00", "webhook", id="b")
    both = fold([a, b], DESK)
    left = advance(both, ClockEvent(type="split_out", at=t("2026-03-02T11:01"), ids=("a",)), DESK)
    new = advance(Clocks.empty(), ClockEvent(type="split_in", at=t("2026-03-02T11:01"), unanswered=unanswered(a)), DESK)
    assert clocks_at(left, DESK, t("2026-03-02T11:01"))[0].started_at == b.at
    assert clocks_at(new, DESK, t("2026-03-02T11:01"))[0].due_at == t("2026-03-03T10:00")


# -- what must hold for any story --

START = t("2026-03-02T08:00")
KINDS = ("email", "webhook", "phone", "messenger")
TYPES = ("customer_message",) * 5 + ("agent_reply",) * 3 + ("status",) * 3 + (
    "set", "auto_reply", "internal_note", "merge_in", "split_out", "merged_into", "split_in",
)  # fmt: skip


@st.composite
def stories(draw: st.DrawFn, types: tuple[str, ...] = TYPES) -> list[ClockEvent]:
    """A story: events some minutes apart, the odd message seen late."""
    events: list[ClockEvent] = []
    seen = START
    for number in range(draw(st.integers(1, 14))):
        seen += timedelta(minutes=draw(st.integers(1, 900)))
        kind = draw(st.sampled_from(types))
        at = seen - timedelta(minutes=draw(st.sampled_from([0, 0, 0, 7, 400])) if kind == "customer_message" else 0)
        channel = draw(st.sampled_from(KINDS))
        old = Unanswered(id=f"old-{number}", at=seen - timedelta(hours=3), facts={"channel": channel})
        events.append(
            ClockEvent(
                type=kind,
                at=at,
                seen_at=seen,
                id=f"event-{number}",
                facts={"channel": channel, "channel_kind": channel} if kind == "customer_message" else {},
                window=86400 if channel == "messenger" else 0,
                to=draw(st.sampled_from(["open", "pending", "on_hold", "solved", "closed"])),
                attrs={"issue_type": draw(st.sampled_from(["security", "other"]))} if kind == "set" else None,
                deadline=draw(st.sampled_from([None, None, "urgent", "none", ""])) if kind == "set" else None,
                unanswered=(old,) if kind in ("merge_in", "split_in") else None,
                ids=(f"event-{number - 1}",),
            )
        )
    return events


@settings(max_examples=120)
@given(stories(), st.randoms(use_true_random=False))
def test_any_order_and_repetition_is_the_same_story(events: list[ClockEvent], chance: Any) -> None:
    """Events that come in another order, or again and again, give the same clocks."""
    mixed = events + [e for e in events if chance.random() < 0.4]
    chance.shuffle(mixed)
    assert fold(mixed, DESK) == fold(events, DESK)


@settings(max_examples=150)
@given(stories())
def test_step_by_step_through_the_database_is_the_whole_fold(events: list[ClockEvent]) -> None:
    """Clocks that are stored as JSON and moved on event by event equal those of the whole history."""
    clocks = Clocks.empty()
    for event in events:
        stored = json.loads(json.dumps(to_json(clocks)))
        assert from_json(stored) == clocks
        clocks = advance(from_json(stored), event, DESK)
        assert advance(clocks, event, DESK) == clocks
    assert clocks == fold(events, DESK)


@settings(max_examples=120)
@given(stories(), st.sampled_from(KINDS), st.integers(0, 600))
def test_a_follow_up_never_loosens(events: list[ClockEvent], kind: str, minutes: int) -> None:
    """Whatever happened before, one more customer message never makes an open reply clock due later."""
    before = fold(events, DESK)
    now = (events[-1].seen_at or events[-1].at) + timedelta(minutes=minutes)
    facts = {"channel": kind, "channel_kind": kind}
    after = advance(before, ClockEvent(type="customer_message", at=now, id="more", facts=facts), DESK)
    later = {(c.metric, c.cycle): c for c in clocks_at(after, DESK, now)}
    for row in clocks_at(before, DESK, now):
        if row.metric in ("first_reply", "next_reply") and row.ended_at is None and row.due_at is not None:
            due = later[row.metric, row.cycle].due_at
            assert due is not None
            assert due <= row.due_at


@settings(max_examples=120)
@given(stories())
def test_the_log_only_grows_and_holds_each_breach_once(events: list[ClockEvent]) -> None:
    """Entries of the log are never taken back; two entries of one clock have a relaxed deadline between them."""
    clocks = Clocks.empty()
    entries = clocks.log
    for event in events:
        clocks = advance(clocks, event, DESK)
        assert clocks.log[: len(entries)] == entries
        entries = clocks.log
    assert len({(e.metric, e.cycle, e.at) for e in entries}) == len(entries)


@settings(max_examples=120)
@given(stories(), st.lists(st.integers(0, 5000), max_size=6))
def test_each_thing_fires_once_however_often_it_is_looked_at(events: list[ClockEvent], looks: list[int]) -> None:
    """Looking often or once after a long outage tells the same things in the same order, each once."""
    clocks = fold(events, DESK)
    start = events[-1].seen_at or events[-1].at
    end = start + timedelta(minutes=6000)
    at_once, _ = firings(clocks, DESK, end)
    told: list[Firing] = []
    for minutes in [*sorted(looks), 6000]:
        fired, clocks = firings(clocks, DESK, start + timedelta(minutes=minutes))
        told += fired
    assert [f.key for f in told] == [f.key for f in at_once]
    assert len({f.key for f in told}) == len(told)


@settings(max_examples=120)
@given(stories())
def test_the_wake_up_is_exactly_when_something_fires(events: list[ClockEvent]) -> None:
    """Before the stored wake-up nothing fires, at it something does; when there is none, nothing ever will."""
    clocks = fold(events, DESK)
    now = events[-1].seen_at or events[-1].at
    for _ in range(60):
        wake = next_wake(clocks, DESK, now)
        if wake is None:
            assert firings(clocks, DESK, now + timedelta(days=400))[0] == ()
            return
        if wake > now:
            assert firings(clocks, DESK, wake - timedelta(microseconds=1))[0] == ()
        _, following = firings(clocks, DESK, wake)
        assert following != clocks
        clocks, now = following, wake
    raise AssertionError("it never comes to rest")


@settings(max_examples=120)
@given(stories(("customer_message", "status", "status", "agent_reply")))
def test_a_deadline_is_the_target_without_the_pauses(events: list[ClockEvent]) -> None:
    """Business time from start to deadline, less the business time of the pauses, is the target."""
    desk = promises(
        DeadlinePolicy(
            name="p",
            schedule="chat",
            targets={"resolution": Target(seconds=30 * 3600)},
            pause={"resolution": ("pending", "on_hold", "solved", "closed")},
        )
    )
    clocks = fold(events, desk)
    for run in clocks.runs:
        lead = run.lead
        if lead is None or lead.due is None or run.metric != "resolution":
            continue
        paused = [(a, min(b, lead.due)) for a, b in lead.pauses if a < lead.due]
        ran = CHAT.open_between(lead.at, lead.due) - sum(CHAT.open_between(a, b) for a, b in paused)
        assert ran == 30 * 3600 * 10**6


def test_facts_compare_equal_after_storage() -> None:
    """Facts with several values are the same fact after they were stored, so a chase stays one."""
    facts = {"channel": "mail", "channel_kind": "email", "tags": ("b", "a"), "flags": frozenset(("legal",))}
    event = ClockEvent(type="customer_message", at=START, id="<a-very-long-message-id@mail.example.com>", facts=facts)
    clocks = advance(Clocks.empty(), replace(event, attrs={"contact.tags": ("x",)}), DESK)
    assert from_json(json.loads(json.dumps(to_json(clocks)))) == clocks
    assert advance(clocks, event, DESK) == clocks


def test_clocks_are_small() -> None:
    """What is stored of a conversation's clocks stays within a few hundred bytes, also after many chases."""
    clocks = fold([message("2026-03-02T10:00", id="1")], DESK)
    assert len(json.dumps(to_json(clocks))) < 400
    for number in range(200):
        clocks = advance(clocks, message("2026-03-02T10:01", id=f"chase-{number}"), DESK)
    assert len(json.dumps(to_json(clocks))) < 4000
