"""What operators see: is it ready, and if not, why; what waits; and nothing of it on the public address."""

from __future__ import annotations

import asyncio
import fcntl
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

import workers.http.front_door as web_module
import workers.http.readiness as readiness_module
from adapters.kit.signature import sign_standard
from router.desk import Ledger
from router.errors import Unreachable
from router.policy import build
from router.policy.load import from_text
from router.policy.values import Policy
from router.ports import Raw
from router.seal import Sealer
from router.store import Database, schema
from router.store.log import Log
from workers.daemon.clock import Clock
from workers.daemon.loop import Daemon
from workers.http.readiness import STANDSTILL, Readiness

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
WHSEC = "whsec_" + "QUJD" * 8
CHAT = """
[channels.chat]
adapter = "webhook"
secrets = ["env:OPERATIONS_SECRET"]
[[queues]]
name = "general"
[defaults]
queue = "general"
[[events]]
url = "https://crm.example.com/hook?token=geheim"
secret = "env:OPERATIONS_SECRET"
"""


@pytest.fixture
def store(ledger_url: str) -> Iterator[Ledger]:
    database = Database(ledger_url)
    schema.ensure(database)
    yield Ledger(database, Policy.preset("plain"), Sealer(b"k" * 32))
    database.close()


class Watched:
    """A readiness on ticks that the test moves."""

    def __init__(self, store: Ledger) -> None:
        self.ticks = 0.0
        self.store = store
        self.readiness = Readiness(store, Clock(lambda: NOON), lambda: self.ticks)

    async def reasons(self, after: float = 0.0) -> list[str]:
        self.ticks += after
        return await self.readiness.reasons()

    def decide(self, by: int = 1) -> None:
        """A cursor moves, as when somebody decides."""
        with self.store.database.engine.begin() as connection:
            told = "UPDATE positions SET position = position + :by WHERE partition = (SELECT max(partition) FROM raws)"
            connection.execute(text(told), {"by": by})


@pytest.fixture
def watched(store: Ledger) -> Iterator[Watched]:
    made = Watched(store)
    yield made
    made.readiness.close()


async def test_work_that_stands_still_is_told(watched: Watched) -> None:
    """Undecided raws and no cursor that moves for a minute: not ready, with the partition; one that moves is ready,
    and so is an idle desk, however long."""
    assert [await watched.reasons(after) for after in (0, 900, 900)] == [[], [], []]
    log = Log(watched.store.database, watched.store.sealer, 16)
    await log.append([Raw(channel="chat", body=b"x", received_at=NOON) for _ in range(3)])
    await log.close()
    assert await watched.reasons() == []
    assert await watched.reasons(STANDSTILL - 1) == []
    (reason,) = await watched.reasons(1)
    assert reason.startswith("Work stands still: partition ")
    assert "3 undecided raws and decided none of them for 60 s" in reason
    watched.decide()
    assert await watched.reasons() == []
    assert len(await watched.reasons(STANDSTILL)) == 1
    watched.decide(2)
    assert await watched.reasons(STANDSTILL) == []


async def test_a_database_of_another_version_is_told(watched: Watched) -> None:
    """The form of the database is looked at again each time."""
    with watched.store.database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    (reason,) = await watched.reasons()
    assert reason.endswith("is behind its migrations; run: omnirouter db upgrade")


async def test_a_database_that_says_nothing_is_told(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that the database holds is not waited for: whoever asks is told for how long it has said nothing."""
    silent = threading.Event()
    monkeypatch.setattr(readiness_module, "_MOMENT", 0.01)
    monkeypatch.setattr(readiness_module, "backlog", lambda _: silent.wait() and pytest.fail("it was let go"))
    await watched.readiness.look(0.01)
    assert await watched.reasons(14) == ["The database has not answered for 14 s."]
    assert await watched.reasons(14) == ["The database has not answered for 28 s."]
    silent.set()


@contextmanager
def holding(path: Path) -> Iterator[Any]:
    """Another program holds the turnstile of this SQLite file."""
    program = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); "
    program += "sys.stdin.read()"
    command = [sys.executable, "-c", program, f"{path}-turnstile"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        yield other
        other.communicate()


def _free(path: Path) -> bool:
    with open(f"{path}-turnstile", "a") as turnstile:
        try:
            fcntl.flock(turnstile, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_a_held_turnstile_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """A writer gives up with a sentence that says how to find the holder; whoever gave up holds it up for nobody, and
    the next writer is let in when it is free."""
    database = Database(f"sqlite:///{tmp_path}/desk.db")
    schema.ensure(database)
    turnstile, path = database._turnstile, database.path
    assert turnstile is not None
    assert path is not None
    turnstile._patience = 0.05
    with holding(path):
        for _ in range(3):
            with pytest.raises(Unreachable, match="find it with: fuser"), database.write():
                pass
        assert sum(thread.name == "turnstile" for thread in threading.enumerate()) == 1
    turnstile._patience = 120.0
    for _ in range(3):
        with database.write() as tx:
            assert tx.dialect == "sqlite"
    assert database.waiting == 0.0
    assert _free(path)
    database.close()


def signed(number: int, now: datetime) -> tuple[dict[str, str], bytes]:
    """A genuine request."""
    told = {"id": f"m-{number}", "sent_at": now.isoformat(), "sender": {"handle": "u-77"}, "text": "转账一直没到账"}
    body = json.dumps(told, ensure_ascii=False).encode()
    return sign_standard([WHSEC], f"msg_{number}", body, now), body


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATIONS_SECRET", WHSEC)


async def test_a_held_turnstile_ends_a_request(open_desk: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """While another program holds the turnstile a request is asked to come again, /ready says why, and operators and
    strangers are answered; when it lets go all is as before, and the message is taken once."""
    monkeypatch.setattr(web_module, "_PATIENCE", 0.3)
    monkeypatch.setattr(readiness_module, "SILENCE", 0.1)
    async with open_desk(CHAT, NOON) as desk, httpx.AsyncClient(timeout=120) as http:
        headers, body = signed(1, NOON)
        loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(1)
        held = holding(desk.store.database.path)
        await loop.run_in_executor(pool, held.__enter__)
        refused = await http.post(f"{desk.daemon.address}/channels/chat", headers=headers, content=body)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        while not (reasons := (await http.get(f"{desk.daemon.operations}/ready")).json().get("reasons")):
            await desk.store.bell.wait(0.1)
        assert "Nobody can write to the database" in reasons[0]
        assert "fuser" in reasons[0]
        assert (await http.get(f"{desk.daemon.address}/health")).status_code == 200
        await loop.run_in_executor(pool, held.__exit__, None, None, None)
        pool.shutdown()
        monkeypatch.setattr(web_module, "_PATIENCE", 120)
        assert (await http.post(f"{desk.daemon.address}/channels/chat", headers=headers, content=body)).is_success
        await desk.decided()
        assert len(desk.messages()) == 1
        assert (await http.get(f"{desk.daemon.operations}/ready")).json() == {"status": "ready"}


async def test_what_waits_is_measured(open_desk: Callable[..., Any]) -> None:
    """/metrics tells by partition what is undecided and how old it is, and by lane what is still to be sent; a
    receiver's address may hold a token, so only its host is named."""
    async with open_desk(CHAT, NOON) as desk, httpx.AsyncClient(timeout=120) as http:
        headers, body = signed(1, NOON)
        await http.post(f"{desk.daemon.address}/channels/chat", headers=headers, content=body)
        await desk.decided()
        with desk.store.database.engine.begin() as connection:
            connection.execute(text("UPDATE positions SET position = 0, dirty = 1 WHERE position = 1"))
            connection.execute(text("UPDATE outbox SET state = 'pending', due_at = 4000000000000000"))
        desk.clock.move(seconds=90)
        told = (await http.get(f"{desk.daemon.operations}/metrics")).text
        pairs = [line.rpartition(" ") for line in told.splitlines() if line[0] != "#"]
        lines = {name: float(value) for name, _, value in pairs}
        undecided = {name: value for name, value in lines.items() if name.startswith("omnirouter_undecided{")}
        assert (len(undecided), sum(undecided.values())) == (16, 1)
        assert 90.0 in {value for name, value in lines.items() if name.startswith("omnirouter_undecided_age_seconds")}
        lane = '{kind="event",lane="crm.example.com"}'
        assert lines[f"omnirouter_outbox_pending{lane}"] >= 1
        assert lines[f"omnirouter_outbox_age_seconds{lane}"] == 90
        assert lines["omnirouter_clock_held"] == 0
        assert "geheim" not in told
        for path in ("/metrics", "/ready"):
            assert (await http.get(f"{desk.daemon.address}{path}")).status_code == 404


async def test_two_daemons_share_the_default_address(
    open_desk: Callable[..., Any], own_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A taken address that nobody named leaves the operators' part out; one that the file names is a mistake of his
    that starts it."""
    taken = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(build, "_OPERATIONS", f"127.0.0.1:{taken.getsockname()[1]}")
    listen = f'[web]\nlisten = "127.0.0.1:{own_port()}"\n'
    tables = listen + f'[desk]\ndatabase = "sqlite:///{tmp_path}/other.db"\n'
    tables += '[[queues]]\nname = "g"\n[defaults]\nqueue = "g"\n'
    daemon = Daemon(from_text(tables, folder=tmp_path))
    running = asyncio.create_task(daemon.run())
    await daemon.started.wait()
    assert (daemon.operations, daemon.address != "") == ("", True)
    daemon.stop()
    await running
    named = tables.replace("[desk]", f'operations = "localhost:{taken.getsockname()[1]}"\n[desk]')
    with pytest.raises(Unreachable, match=r"^web\.operations: localhost:"):
        await Daemon(from_text(named, folder=tmp_path)).run()
    taken.close()
