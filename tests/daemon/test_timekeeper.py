"""Deadlines that speak by themselves: warnings, breaches and ladder steps on a real ledger, with a clock passed in."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from router.desk import Arrival, Ledger, take_in
from router.desk.acts import conversation as acts
from router.desk.duties.due import next_wake_at, settle_history, wake
from router.model import Conversation, Message, Placement, Sender
from router.policy.values import Policy
from router.store import tables as t
from router.store.read import queries
from router.store.statement import Statement

MONDAY = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai
POLICY = Policy.preset("wallet")
_outbox = Statement(select(t.outbox.c.channel).where(t.outbox.c.kind == "notify").order_by(t.outbox.c.id))


class Watched:
    """A desk whose deadlines fire when the test says so."""

    def __init__(self, path: Path, policy: Policy = POLICY) -> None:
        self.path = path
        self.store = Ledger.open(policy, url=f"sqlite:///{path}")
        self.now = MONDAY
        self._ids = count(1)

    def hears(self, text: str = "转账2000一直没到账", channel: str = "app-chat", **more: Any) -> int:
        kind = self.store.policy.channel(channel).kind
        message = Message(
            external_id=f"m{next(self._ids)}", channel=channel, channel_kind=kind, sent_at=self.now, text=text,
            thread="u-1", sender=Sender(handle="u-1"),
        )  # fmt: skip
        (placed,) = take_in(self.store, [Arrival(what=message, received_at=self.now)], self.now, **more)
        assert isinstance(placed, Placement)
        return placed.conversation.number

    def passes(self, **by: float) -> list[str]:
        """Time passes; what fired is told by kind and metric, in order."""
        self.now += timedelta(**by)
        seen = len(self.events())
        while wake(self.store, self.now).fired:
            pass
        fired = [e for e in self.events()[seen:] if e["type"].startswith("deadline.")]
        words = [(e["type"].removeprefix("deadline."), e["data"].get("do", ""), e["data"]["metric"]) for e in fired]
        return [" ".join(filter(None, three)) for three in words]

    def events(self, type_: str = "") -> list[dict[str, Any]]:
        return [e for e in queries.events(self.store.database) if not type_ or e["type"] == type_]

    def notices(self) -> list[str]:
        """Who is to be told, in order."""
        with self.store.database.read() as tx:
            return [row[0] for row in tx.rows(_outbox)]

    def state(self, number: int) -> Conversation:
        with self.store.database.read() as tx:
            return queries.conversation(tx, number)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """The wallet desk on a file of its own, Monday at ten."""
    made = Watched(tmp_path / "desk.db")
    yield made
    made.store.close()


FIRED = ["warning first_reply", "breach first_reply", "step notify first_reply", "step requeue first_reply",
         "step move first_reply"]  # fmt: skip


def test_each_step_comes_once_when_it_is_due(watched: Watched) -> None:
    """Nobody answers a chat: the lead is warned after one minute and told after two; then it climbs the ladder."""
    number = watched.hears()
    assert watched.passes(seconds=59) == []
    assert watched.passes(seconds=2) == FIRED[:1]
    assert watched.passes(seconds=60) == FIRED[1:3]
    assert watched.passes(minutes=29) == []
    assert watched.passes(minutes=1) == FIRED[3:4]
    assert watched.passes(hours=1) == []
    assert watched.state(number).priority == 70
    assert watched.notices() == ["desk-lead", "desk-lead"]


def test_after_an_outage_all_that_was_missed_comes_in_order(watched: Watched) -> None:
    """The desk was down for five hours: warning, breach and all steps come once, in order, and say that they are
    late."""
    watched.hears()
    assert watched.passes(hours=5)[:5] == FIRED
    steps = watched.events("deadline.step")
    assert [e["data"]["late"] for e in steps[:3]] == [True] * 3
    assert [e["at"] for e in steps[:3]] == sorted(e["at"] for e in steps[:3])
    assert watched.passes(minutes=1) == []


def test_an_answered_chat_is_left_alone(watched: Watched) -> None:
    """Answered in time, nobody is warned of anything, however long the desk looks."""
    number = watched.hears()
    watched.now += timedelta(seconds=50)
    acts.reply(watched.store, number, "正在核实", agent="li", now=watched.now)
    assert watched.passes(days=3) == []
    assert next_wake_at(watched.store) is None
    assert watched.notices() == []


def test_a_late_answer_is_recorded_and_ends_the_ladder(watched: Watched) -> None:
    """Answered while the timekeeper was down: the breach is recorded, but no step fires for a clock that has ended."""
    number = watched.hears()
    watched.now += timedelta(minutes=10)
    acts.reply(watched.store, number, "正在核实", agent="li", now=watched.now)
    assert watched.passes(hours=6) == ["breach first_reply"]
    (told,) = watched.events("deadline.breach")
    assert told["data"]["policy"] == "chat"
    assert (told["data"]["policy_version"], told["data"]["wall_seconds"]) == (POLICY.promises.version, 480)
    assert watched.notices() == []


def test_a_chaser_makes_no_second_breach(watched: Watched) -> None:
    """A customer who asks again and again is one breach, not one for each message."""
    watched.hears()
    watched.passes(minutes=5)
    for _ in range(3):
        watched.hears("还没处理吗?")
        watched.passes(minutes=3)
    assert len(watched.events("deadline.breach")) == 1


def test_requeued_is_free_for_everybody(watched: Watched) -> None:
    """Whoever took it and let it lie no longer holds it after the requeue, and an event says so."""
    number = watched.hears()
    acts.take(watched.store, number, agent="li", now=watched.now)
    watched.passes(minutes=33)
    assert watched.state(number).holder == ""
    (told,) = watched.events("conversation.released")
    assert (told["data"]["held_by"], told["data"]["reason"]) == ("li", "requeue")


def test_unanswered_for_hours_becomes_a_formal_complaint(watched: Watched) -> None:
    """After four hours it is in the complaints queue, tagged, on that policy's promises; once, and it stays there."""
    number = watched.hears()
    watched.passes(hours=4, minutes=3)
    state = watched.state(number)
    assert (state.queue, state.rule, state.deadline_policy) == ("complaints", "formal-complaint", "formal-complaint")
    assert (state.tags, state.priority, state.holder) == (("formal_complaint",), 80, "")
    (told,) = watched.events("conversation.escalated")
    assert (told["data"]["from"], told["data"]["to"]) == ("payments", "complaints")
    clocks = {c["metric"]: c for c in queries.clock_rows(state, POLICY.promises, watched.now)}
    assert clocks["first_reply"]["policy"] == "formal-complaint"
    watched.passes(days=30)
    assert len(watched.events("conversation.escalated")) == 1
    watched.hears("还没处理吗?")
    assert watched.state(number).queue == "complaints"


def test_a_formal_complaint_is_told_of_its_progress(watched: Watched) -> None:
    """Once answered, a formal complaint is owed an update within two working days; the complaints lead is told."""
    number = watched.hears()
    watched.passes(hours=4, minutes=3)
    watched.now += timedelta(minutes=1)
    acts.reply(watched.store, number, "已受理您的投诉", agent="li", now=watched.now)
    rows = {c["metric"]: c for c in queries.clock_rows(watched.state(number), POLICY.promises, watched.now)}
    assert rows["update"]["due_at"] == "2026-03-04T16:00:00Z"
    told = len(watched.notices())
    assert "step notify update" in watched.passes(days=3)
    assert "complaints-lead" in watched.notices()[told:]


def test_a_person_s_transfer_survives_the_ladder(watched: Watched) -> None:
    """What a person moved stays pinned; the ladder may still raise it to a complaint, with its own deadlines."""
    number = watched.hears()
    acts.move(watched.store, number, "risk", agent="li", now=watched.now)
    watched.passes(hours=5)
    state = watched.state(number)
    assert (state.queue, state.pinned) == ("complaints", True)


def test_a_failure_before_the_commit_fires_nothing_twice(watched: Watched) -> None:
    """The disk fails while the breach is being written: nothing of it is there, and the next try writes it once."""
    watched.hears()
    watched.now += timedelta(minutes=2, seconds=1)
    with sqlite3.connect(watched.path) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    other.close()
    with pytest.raises(Exception, match="disk full"):
        wake(watched.store, watched.now)
    assert watched.events("deadline.breach") == []
    with sqlite3.connect(watched.path) as other:
        other.execute("DROP TRIGGER full")
    other.close()
    assert watched.passes() == FIRED[:3]
    assert watched.notices() == ["desk-lead", "desk-lead"]


_KILLED = """
import os, sys
from datetime import datetime
from router.policy.values import Policy
from router.desk import Ledger
from router.desk.duties.due import wake
store = Ledger.open(Policy.preset("wallet"), url=f"sqlite:///{sys.argv[1]}")
store.bell.ring_in = lambda tx, topic="": os._exit(9)  # all is written, nothing committed
wake(store, datetime.fromisoformat(sys.argv[2]))
"""


def test_a_kill_between_firing_and_commit_fires_once(watched: Watched) -> None:
    """The process is killed after the last write and before the commit: after the start each step comes once."""
    watched.hears()
    watched.now += timedelta(minutes=40)
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(watched.path), watched.now.isoformat()], timeout=120, check=False
    )
    assert done.returncode == 9
    assert watched.events("deadline.step") == []
    assert watched.passes() == FIRED[:4]
    assert watched.passes() == []
    assert len(watched.notices()) == 2


def test_recorded_history_sets_nothing_off(watched: Watched) -> None:
    """Two years of old mail come in: their breaches are on record, and nobody is told, warned or moved."""
    number = watched.hears(history=True)
    settle_history(watched.store, [number], watched.now + timedelta(days=5))
    assert len(watched.events("deadline.breach")) == 1
    assert watched.passes(days=9) == []
    assert watched.notices() == []
    assert watched.state(number).queue == "payments"


def test_only_what_is_due_is_looked_at(watched: Watched) -> None:
    """Mails that are due tomorrow cost nothing today: one round looks at the one chat that is due, by the index."""
    for _ in range(20):
        watched.hears(channel="support-mail")
    watched.hears()
    watched.now += timedelta(seconds=61)
    woken = wake(watched.store, watched.now)
    assert (woken.conversations, woken.fired) == (1, ("warning",))
    plan = Statement(select(t.conversations.c.number).where(t.conversations.c.next_wake_at <= 1))
    with sqlite3.connect(watched.path) as other:
        (line,) = other.execute("EXPLAIN QUERY PLAN " + plan.text("sqlite")[0], plan.text("sqlite")[1]).fetchall()
    other.close()
    assert "ix_conversations_next_wake_at" in line[3]


async def test_the_daemon_fires_by_itself(open_desk: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the running desk the timekeeper wakes when a deadline is due, and counts what it fired."""
    monkeypatch.setenv("CHAT_SECRET", "whsec_" + "QUJD" * 8)
    configuration = """
[channels.chat]
adapter = "webhook"
secrets = ["env:CHAT_SECRET"]
[schedules.always]
week = { daily = [["00:00", "24:00"]] }
[[queues]]
name = "general"
[defaults]
queue = "general"
[[deadlines]]
name = "chat"
schedule = "always"
first_reply = "2m"
"""
    async with open_desk(configuration, MONDAY) as opened:
        message = Message(
            external_id="m1", channel="chat", channel_kind="webhook", sent_at=MONDAY, text="在吗", thread="u-1",
            sender=Sender(handle="u-1"),
        )  # fmt: skip
        take_in(opened.store, [Arrival(what=message, received_at=MONDAY)], MONDAY)
        opened.clock.move(minutes=2, seconds=1)
        opened.store.bell.ring()
        (breach,) = await opened.until(lambda: opened.events("deadline.breach"))
        assert breach["data"]["metric"] == "first_reply"
        counted = 'omnirouter_deadlines_total{kind="breach"} 1.0'
        metrics = f"{opened.daemon.operations}/metrics"
        assert await opened.until(lambda: counted in httpx.get(metrics, timeout=120).text)
