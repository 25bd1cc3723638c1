"""A wall clock that jumped fires nothing and forgets nothing, until it is right again or somebody who knows agrees."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from msgspec.structs import replace

from adapters.kit.http import Caller
from router.desk import Arrival, Ledger, take_in
from router.model import Message, Sender
from router.policy.load import from_text
from router.policy.values import Policy
from router.ports import Raw
from router.seal import create_key
from router.store import Database, schema
from router.store.clock import Mark, database_time, last_mark, put_mark, utc_now
from router.store.read import queries
from workers.cli.opened import Desk as Command
from workers.daemon.clock import LONG_AWAY, Clock, boot_id, steady
from workers.daemon.doubt import Doubt, confirmed
from workers.daemon.loop import Daemon

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
HOURS = timedelta(hours=6)


class Hands:
    """A wall clock and a steady one: time passes on both, a jump moves the wall clock alone."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at
        self.ticks = 1_000.0

    def pass_(self, **by: float) -> None:
        self.at += timedelta(**by)
        self.ticks += timedelta(**by).total_seconds()

    def jump(self, **by: float) -> None:
        self.at += timedelta(**by)

    def clock(self, boot: str = "boot-1") -> Clock:
        """The clock of a process that starts now."""
        return Clock(lambda: self.at, lambda: self.ticks, boot)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.mark.parametrize("drift", [61, 3_600, 6 * 3_600, 400 * 86_400, -61, -86_400])
def test_a_jump_holds_the_clock_until_it_is_gone(hands: Hands, drift: float) -> None:
    """More than a minute, forward or back, is not believed, however long it stays; set right again, it is."""
    clock = hands.clock()
    hands.jump(seconds=drift)
    assert (clock.believed(), clock.certain) == (None, False)
    hands.pass_(hours=5)
    assert clock.believed() is None
    assert "jumped" in clock.reason
    hands.jump(seconds=-drift)
    assert (clock.believed(), clock.certain, clock.reason) == (hands.at, True, "")


@pytest.mark.parametrize("drift", [0, 1, 59, -59])
def test_a_correction_is_no_jump(hands: Hands, drift: float) -> None:
    """What a time server corrects by seconds is believed, again and again; and a night without a look is no drift."""
    clock = hands.clock()
    for _ in range(10):
        hands.jump(seconds=drift)
        hands.pass_(hours=12)
        assert clock.believed() == hands.at


def test_nothing_looks_late_meanwhile(hands: Hands) -> None:
    """While it is held, what is decided goes by the earlier of both clocks: no promise looks broken that may not be."""
    clock = hands.clock()
    hands.jump(hours=6)
    hands.pass_(minutes=3)
    assert clock.cautious() == NOON + timedelta(minutes=3)
    hands.jump(hours=-12)
    assert clock.cautious() == hands.at < NOON


def test_another_clock_agrees_or_does_not(hands: Hands) -> None:
    """A provider's time that is the wall clock's ends the doubt; one that is not ends nothing."""
    clock = hands.clock()
    hands.jump(hours=6)
    assert not clock.heard(NOON)
    assert clock.believed() is None
    assert clock.heard(hands.at + timedelta(seconds=59))
    assert clock.believed() == hands.at


async def test_a_provider_s_answer_tells_the_time(hands: Hands, receiver: Any) -> None:
    """The Date of an answer that a channel gets ends the doubt where it agrees with the wall clock, and only there."""
    clock = hands.clock()
    caller = Caller("The provider", heard=clock.heard)
    hands.jump(hours=6)
    for date, believed in (("", False), ("yesterday", False), (_date(NOON), False), (_date(hands.at), True)):
        receiver.answers.append((200, {"date": date}, b"{}"))
        assert (await caller.ask("GET", receiver.url)).status == 200
        assert (clock.believed() is not None) is believed
    await caller.close()


def _date(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


def test_a_program_that_passes_its_own_clock_answers_for_it(hands: Hands) -> None:
    """A wall clock without a steady one beside it is a program's own: it may stand and leap."""
    clock = Clock(lambda: hands.at)
    hands.jump(days=400)
    assert (clock.believed(), clock.boot) == (hands.at, "")


@pytest.mark.parametrize(
    ("boot", "away", "held", "believed", "certain"),
    [
        ("boot-1", timedelta(), False, True, True),
        ("boot-1", timedelta(hours=6), False, False, False),
        ("boot-1", -timedelta(hours=6), False, False, False),
        ("boot-2", timedelta(hours=6), False, True, True),
        ("boot-2", LONG_AWAY + timedelta(days=1), False, True, False),
        ("boot-2", -timedelta(hours=6), False, False, False),
        ("boot-2", timedelta(), True, False, False),
    ],
    ids=["at once", "ahead", "back", "an outage", "a long outage", "back over a boot", "held over a boot"],
)
def test_a_start_tells_a_jump_from_an_outage(
    hands: Hands, boot: str, away: timedelta, held: bool, believed: bool, certain: bool
) -> None:
    """On the same boot the steady clock knows how long nobody worked; over a boot an outage is believed, and nothing is
    forgotten after a long one."""
    last = Mark(boot="boot-1", wall=NOON, steady=hands.ticks, held=held)
    hands.pass_(minutes=30)
    hands.jump(seconds=away.total_seconds())
    clock = hands.clock(boot)
    clock.resume(last)
    assert (clock.believed() is not None, clock.certain) == (believed, certain)
    clock.agreed()
    assert clock.certain


def test_the_machine_has_both_clocks() -> None:
    """The steady clock moves and the boot has a name that stays."""
    assert 0 < steady() <= steady()
    assert boot_id() == boot_id() != ""


# ── with a ledger ──


def held(database: Database) -> bool:
    """Does the ledger say that the clock is held?"""
    mark = last_mark(database)
    return mark is not None and mark.held



@pytest.fixture
def database(ledger_url: str) -> Iterator[Database]:
    made = Database(ledger_url)
    schema.ensure(made)
    yield made
    made.close()


def test_an_operator_confirms(hands: Hands, database: Database) -> None:
    """The log says once that the clock is held and once that it goes on; what was confirmed before the jump counts
    for nothing."""
    hands.at = database_time(database) or NOON
    doubt = Doubt(clock := hands.clock(), database)
    assert doubt.check() == hands.at
    put_mark(database, confirmed(clock))
    hands.pass_(seconds=30)
    assert doubt.check() == hands.at
    hands.jump(hours=6)
    with structlog.testing.capture_logs() as said:
        assert [doubt.check() for _ in range(3)] == [None] * 3
        assert held(database)
        put_mark(database, confirmed(hands.clock()))
        assert [doubt.check() for _ in range(2)] == [hands.at] * 2
    assert [one["event"] for one in said] == ["clock.held", "clock.believed"]
    assert not held(database)


def test_a_restart_does_not_end_the_doubt(hands: Hands, database: Database) -> None:
    """A supervisor that starts the daemon again while its clock is wrong releases nothing; an operator does."""
    hands.at = database_time(database) or NOON
    assert Doubt(hands.clock(), database).check() is not None
    hands.jump(days=400)
    for boot in ("boot-1", "boot-1", "boot-2"):
        assert Doubt(hands.clock(boot), database).check() is None
        hands.pass_(minutes=5)
    doubt = Doubt(hands.clock("boot-2"), database)
    assert doubt.check() is None
    hands.pass_(seconds=5)
    put_mark(database, confirmed(hands.clock("boot-2")))
    assert doubt.check() == hands.at
    assert Doubt(hands.clock("boot-2"), database).check() == (hands.at if database.dialect == "sqlite" else None)


def test_another_machine_confirms_only_what_it_sees_itself(hands: Hands, database: Database) -> None:
    """`clock confirm` elsewhere is believed by a node whose own clock says the same, and by no other."""
    hands.at = database_time(database) or NOON
    doubt = Doubt(hands.clock(), database)
    doubt.check()
    true = hands.at
    hands.jump(hours=6)
    put_mark(database, replace(confirmed(hands.clock("elsewhere")), wall=true))
    assert doubt.check() is None
    put_mark(database, confirmed(hands.clock("elsewhere")))
    assert doubt.check() == hands.at


def test_the_server_s_clock_agrees(hands: Hands, postgresql: Any) -> None:
    """A machine that slept a while is believed as soon as PostgreSQL's clock says the same; one that is ahead never."""
    database = Database(postgresql.fresh())
    hands.at = (database_time(database) or NOON) - HOURS
    doubt = Doubt(hands.clock(), database)
    assert doubt.check() is None
    hands.jump(hours=6)
    assert doubt.check() == hands.at
    hands.jump(hours=6)
    assert (doubt.check(), doubt.check()) == (None, None)
    database.close()


# ── the whole desk ──

CONFIGURATION = """
[web]
listen = "127.0.0.1:0"
[desk]
timezone = "Asia/Shanghai"
[privacy]
key = "file:key"
[retention]
raws = "180d"
[channels.chat]
adapter = "webhook"
secrets = ["env:CLOCK_SECRET"]
[[queues]]
name = "general"
[defaults]
queue = "general"
[[deadlines]]
name = "chat"
hours = "calendar"
first_reply = "2h"
"""


class Desk:
    """A running daemon on hands that the test moves."""

    def __init__(self, daemon: Daemon, hands: Hands) -> None:
        self.daemon = daemon
        self.hands = hands
        self.store = daemon.store

    def breaches(self) -> int:
        return sum(e["type"] == "deadline.breach" for e in queries.events(self.store.database))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what the daemon's own loops do."""
        async with asyncio.timeout(120):
            while not await asyncio.to_thread(holds):
                self.store.bell.ring()
                await self.store.bell.wait(0.2)

    async def ready(self) -> tuple[int, dict[str, Any]]:
        async with httpx.AsyncClient(timeout=120) as http:
            answer = await http.get(f"{self.daemon.operations}/ready")
            return answer.status_code, answer.json()

    async def metric(self, name: str) -> float:
        async with httpx.AsyncClient(timeout=120) as http:
            told = (await http.get(f"{self.daemon.operations}/metrics")).text
            return float(next(line for line in told.splitlines() if line.startswith(name)).split()[1])


def test_an_act_of_the_command_line_is_dated_by_the_guarded_clock(policy: Policy) -> None:
    """A wall clock that jumped ahead dates no reply hours late, and one that stands dates it as ever."""
    command = Command(policy, make=True)
    for jumped in (timedelta(0), HOURS):
        before = utc_now()
        put_mark(command.store.database, Mark(boot=boot_id(), wall=before - jumped, steady=steady()))
        assert before - jumped <= command.now() <= utc_now() - jumped
    put_mark(command.store.database, Mark(boot="another boot", wall=utc_now() - HOURS, steady=1.0))
    assert command.now() >= before
    command.store.close()


@pytest.fixture
def policy(ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Policy:
    monkeypatch.setenv("CLOCK_SECRET", "whsec_" + "QUJD" * 8)
    create_key(tmp_path / "key")
    return replace(from_text(CONFIGURATION, folder=tmp_path), desk_database=ledger_url)


@asynccontextmanager
async def running(policy: Policy, hands: Hands) -> AsyncIterator[Desk]:
    daemon = Daemon(policy, clock=hands.clock())
    task = asyncio.create_task(daemon.run())
    starting = asyncio.create_task(daemon.started.wait())
    await asyncio.wait({task, starting}, return_when=asyncio.FIRST_COMPLETED)
    yield Desk(daemon, hands)
    daemon.stop()
    await task


def customer(store: Ledger, number: int, at: datetime) -> None:
    """A customer writes, and waits for an answer within two hours."""
    message = Message(
        external_id=f"m{number}", channel="chat", channel_kind="webhook", sent_at=at, text="转账没到账",
        thread=f"u-{number}", sender=Sender(handle=f"u-{number}"),
    )  # fmt: skip
    take_in(store, [Arrival(what=message, received_at=at)], at)


async def test_a_jump_of_six_hours_breaches_nobody(policy: Policy, hands: Hands) -> None:
    """Twenty customers wait; the clock leaps six hours ahead: /ready and a metric say so, no deadline fires and nothing
    is forgotten, until it is set back. Then what is due comes when it is due."""
    schema.ensure(database := Database(policy.database_url()))
    hands.at = start = database_time(database) or NOON
    database.close()
    async with running(policy, hands) as desk:
        for number in range(20):
            customer(desk.store, number, hands.at)
        old = Raw(channel="chat", body=b"{}", received_at=hands.at)
        await desk.daemon.log.append([old])
        hands.jump(days=400, hours=6)
        await desk.until(lambda: held(desk.store.database))
        status, said = await desk.ready()
        assert status == 503
        assert "jumped" in said["reasons"][0]
        assert "omnirouter clock confirm" in said["reasons"][0]
        assert await desk.metric("omnirouter_clock_held") == 1
        assert desk.breaches() == 0
        customer(desk.store, 99, desk.daemon.clock.cautious())
        assert abs(desk.daemon.clock.cautious() - start) < timedelta(minutes=1)
        hands.jump(days=-400, hours=-6)
        await desk.until(lambda: not held(desk.store.database))
        assert (await desk.ready())[0] == 200
        assert await desk.metric("omnirouter_clock_held") == 0
        assert desk.breaches() == 0
        hands.pass_(hours=2, minutes=1)
        await desk.until(lambda: desk.breaches() == 21)


async def test_a_confirmed_clock_fires_what_was_missed(policy: Policy, hands: Hands) -> None:
    """The machine had slept, and its clock is right: an operator says so, and what was missed comes as after any
    outage."""
    schema.ensure(database := Database(policy.database_url()))
    hands.at = (database_time(database) or NOON) + timedelta(seconds=1)
    database.close()
    async with running(policy, hands) as desk:
        customer(desk.store, 1, hands.at)
        hands.jump(hours=6)
        await desk.until(lambda: held(desk.store.database))
        assert desk.breaches() == 0
        hands.pass_(seconds=1)
        put_mark(desk.store.database, confirmed(hands.clock()))
        await desk.until(lambda: desk.breaches() == 1)


async def test_an_outage_is_no_jump(policy: Policy, hands: Hands) -> None:
    """The daemon was down for six hours: everything that was missed fires at its start."""
    schema.ensure(database := Database(policy.database_url()))
    hands.at = (database_time(database) or NOON) - HOURS if database.dialect == "sqlite" else database_time(database)
    database.close()
    async with running(policy, hands) as desk:
        customer(desk.store, 1, hands.at - HOURS)
        await desk.until(lambda: desk.breaches() == 1)
    hands.pass_(hours=6)
    if policy.desk_database.startswith("sqlite"):
        async with running(policy, hands) as desk:
            customer(desk.store, 2, hands.at - HOURS)
            await desk.until(lambda: desk.breaches() == 2)


_CONFIRM = [str(Path(sys.executable).with_name("omnirouter")), "-c", "desk.toml", "clock", "confirm"]


def test_the_command_confirms(tmp_path: Path) -> None:
    """`omnirouter clock confirm` says which time it confirmed, and whether anything waited for it."""
    tables = '[desk]\ntimezone = "Asia/Shanghai"\n[[queues]]\nname = "g"\n[defaults]\nqueue = "g"\n'
    (tmp_path / "desk.toml").write_text(tables)
    subprocess.run([*_CONFIRM[:-2], "db", "upgrade"], cwd=tmp_path, capture_output=True, check=True)
    done = subprocess.run(_CONFIRM, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Confirmed: it is ")
    assert "Nothing was held" in done.stdout
    database = Database(f"sqlite:///{tmp_path}/omnirouter.db")
    mark = last_mark(database)
    assert mark is not None
    assert (mark.by, mark.boot) == ("operator", boot_id())
    put_mark(database, replace(mark, held=True))
    database.close()
    done = subprocess.run([*_CONFIRM, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["held"] is True
