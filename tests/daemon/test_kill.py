"""What was acknowledged is never lost and never done twice, however the daemon ends: kill -9, SIGTERM, under load."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.kit.signature import sign_standard
from router.seal import create_key
from router.store import Database, schema

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ....").decode()
_CLIENTS = 8
_PATIENCE = 120


class Daemon:
    """`omnirouter run` in a process of its own, on one ledger over all its lives."""

    def __init__(self, folder: Path, url: str, port: int, mailbox: Any = None) -> None:
        self.folder = folder
        self._mailbox = mailbox
        self.database = Database(url)
        self.address = ""
        create_key(folder / "omnirouter.key")
        (folder / "desk.toml").write_text(
            f"""
[desk]
timezone = "Asia/Shanghai"
database = "{url}"
[privacy]
key = "file:{folder / "omnirouter.key"}"
[web]
listen = "127.0.0.1:{port}"
[channels.chat]
adapter = "webhook"
secrets = ["env:CHAT_SECRET"]
[[queues]]
name = "general"
[defaults]
queue = "general"
[[deadlines]]
name = "all"
hours = "calendar"
first_reply = "2m"
"""
            + ("" if mailbox is None else _mail_channel(mailbox)),
            encoding="utf-8",
        )
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Begin a life; returns when it serves."""
        command = [sys.executable, "-c", "import sys; from workers.cli import main; sys.exit(main(sys.argv[1:]))"]
        self._log = (self.folder / "daemon.log").open("ab")
        self._process = await asyncio.create_subprocess_exec(
            *command, "run", "-c", str(self.folder / "desk.toml"), cwd=self.folder, stdout=asyncio.subprocess.PIPE,
            stderr=self._log, env={
                **os.environ, "CHAT_SECRET": SECRET, "PYTHONUNBUFFERED": "1",
                "MAIL_PASSWORD": self._mailbox.password if self._mailbox else "",
            },
        )  # fmt: skip
        assert self._process.stdout is not None
        async with asyncio.timeout(_PATIENCE):
            line = (await self._process.stdout.readline()).decode()
        assert " at http://" in line, (line, (self.folder / "daemon.log").read_text(errors="replace")[-2000:])
        self.address = line.rsplit(" at ", 1)[1].strip()

    async def end(self, number: signal.Signals) -> int:
        """End this life by a signal; its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        async with asyncio.timeout(_PATIENCE):
            _, code = await asyncio.gather(self._rest(), self._process.wait())
        self._log.close()
        self._process = None
        return code

    async def _rest(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        await self._process.stdout.read()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query over the ledger."""
        with self.database.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]

    async def decided(self) -> None:
        """Wait until all that the log holds is decided."""
        behind = (
            "SELECT 1 FROM positions p JOIN log_partitions l ON l.partition = p.partition "
            "WHERE p.partition >= 0 AND p.position < l.position"
        )
        async with asyncio.timeout(_PATIENCE):
            while await asyncio.to_thread(self.rows, behind):
                assert self._process is not None
                assert self._process.returncode is None
                await asyncio.sleep(0.05)

    async def holds(self, many: int, sql: str) -> None:
        """Wait until a query has so many rows."""
        async with asyncio.timeout(_PATIENCE):
            while len(await asyncio.to_thread(self.rows, sql)) < many:
                assert self._process is not None
                assert self._process.returncode is None
                await asyncio.sleep(0.05)

    async def stopped(self) -> None:
        """Be sure that nothing runs any more."""
        if self._process is not None and self._process.returncode is None:
            await self.end(signal.SIGKILL)
        self.database.close()


def _mail_channel(mailbox: Any) -> str:
    """A channel that reads this mailbox."""
    return f"""
[channels.support-mail]
adapter = "email"
address = "support@support.example"
smtp = {{ host = "127.0.0.1", port = 9 }}
[channels.support-mail.imap]
host = "{mailbox.host}"
port = {mailbox.port}
username = "{mailbox.user}"
password = "env:MAIL_PASSWORD"
poll = "1s"
"""


class Load:
    """Clients that post signed messages without a pause, each its own ids, and note what was acknowledged."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._ids = count(1)
        self.acknowledged: list[str] = []
        self.news = asyncio.Event()
        self._clients = [asyncio.create_task(self._client(n)) for n in range(_CLIENTS)]

    async def _client(self, number: int) -> None:
        async with httpx.AsyncClient(timeout=120, trust_env=False) as http:
            while True:
                await self._post(http, number, f"m-{next(self._ids)}")

    async def _post(self, http: httpx.AsyncClient, number: int, name: str) -> None:
        now = datetime.now(UTC)
        message = {
            "id": name, "sent_at": now.isoformat(), "sender": {"handle": f"u-{number}-{len(name)}"},
            "text": f"转账没到账，编号 {name}",
        }  # fmt: skip
        body = json.dumps(message).encode()
        headers = sign_standard([SECRET], f"hook-{name}", body, now)
        try:
            answer = await http.post(f"{self._daemon.address}/channels/chat", content=body, headers=headers)
        except httpx.HTTPError:  # it died, or is not there yet: nothing was acknowledged
            await asyncio.sleep(0.02)
            return
        if answer.status_code == 202:
            self.acknowledged.append(name)
            self.news.set()
        else:
            assert answer.status_code == 503, answer.status_code
            await asyncio.sleep(0.02)

    async def more(self, enough: int) -> None:
        """Wait until so many more are acknowledged."""
        goal = len(self.acknowledged) + enough
        async with asyncio.timeout(_PATIENCE):
            while len(self.acknowledged) < goal:
                self.news.clear()
                for client in self._clients:
                    if client.done():
                        client.result()
                await self.news.wait()

    async def stop(self) -> None:
        """No more requests."""
        for client in self._clients:
            client.cancel()
        ended = await asyncio.gather(*self._clients, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended


@pytest.fixture
async def start(tmp_path: Path, own_port: Callable[[], int]) -> AsyncIterator[Callable[[str], Daemon]]:
    """Makes a daemon (not yet running) on a ledger; nothing of it is left after the test. Its port is its own over all
    its lives: while it is dead no request meets anybody else."""
    made: list[Daemon] = []

    def make(url: str = "", mailbox: Any = None) -> Daemon:
        made.append(Daemon(tmp_path, url or f"sqlite:///{tmp_path}/desk.db", own_port(), mailbox))
        return made[-1]

    yield make
    for daemon in made:
        await daemon.stopped()


def _check(daemon: Daemon, acknowledged: list[str]) -> None:
    """Everything acknowledged is there exactly once, decided once, told once, promised once; nothing was set aside."""
    stored = Counter(row[0] for row in daemon.rows("SELECT provider_id FROM messages"))
    assert set(acknowledged) - set(stored) == set(), "acknowledged and missing"
    assert [name for name, times in stored.items() if times > 1] == []
    numbers = {row[0] for row in daemon.rows("SELECT number FROM messages")}
    assert Counter(row[0] for row in daemon.rows("SELECT message FROM decisions")) == dict.fromkeys(numbers, 1)
    received = Counter(row[0] for row in daemon.rows("SELECT message FROM events WHERE type = 'message.received'"))
    assert received == dict.fromkeys(numbers, 1)
    counted = dict(daemon.rows("SELECT conversation, count(*) FROM messages GROUP BY conversation"))
    assert dict(daemon.rows("SELECT number, messages FROM conversations")) == counted
    assert daemon.rows("SELECT * FROM set_aside") == []
    seqs = sorted(row[0] for row in daemon.rows("SELECT seq FROM events"))
    assert len(seqs) == len(set(seqs))
    opened = Counter(row[0] for row in daemon.rows("SELECT conversation FROM events WHERE type='conversation.opened'"))
    assert opened == dict.fromkeys(counted, 1)


async def _killed(daemon: Daemon, kills: int, seed: int) -> None:
    moments = random.Random(seed)
    await daemon.start()
    load = Load(daemon)
    for _ in range(kills):
        await load.more(moments.randrange(1, 120))
        await asyncio.sleep(moments.random() * 0.05)  # not only just after an acknowledgement
        assert await daemon.end(signal.SIGKILL) == -signal.SIGKILL
        await daemon.start()
    await load.more(20)
    await load.stop()
    await daemon.decided()
    assert await daemon.end(signal.SIGTERM) == 0
    _check(daemon, load.acknowledged)


async def test_killed_at_random_moments_nothing_acknowledged_is_lost(start: Callable[..., Daemon]) -> None:
    """Three times kill -9 under load, each time started again on the same file."""
    await _killed(start(), 3, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2))
async def test_killed_fifty_times(start: Callable[..., Daemon], seed: int) -> None:
    """The same, fifty times, on SQLite."""
    await _killed(start(), 50, seed=100 + seed)


@pytest.mark.soak
async def test_killed_fifty_times_on_postgresql(start: Callable[..., Daemon], postgresql: Any) -> None:
    """The same, fifty times, on PostgreSQL, where leases have to run out before the next life may decide."""
    daemon = start(postgresql.fresh())
    schema.ensure(daemon.database)
    await _killed(daemon, 50, seed=7)


def _mail(number: int) -> bytes:
    return (
        f"From: customer{number}@mail.example\r\nTo: support@support.example\r\nSubject: 转账\r\n"
        f"Message-ID: <m{number}@mail.example>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        f"转账没到账，编号 m-{number}\r\n"
    ).encode()


async def _killed_over_a_mailbox(daemon: Daemon, mailbox: Any, kills: int, seed: int) -> None:
    moments, sent = random.Random(seed), 0
    await daemon.start()
    await daemon.holds(1, "SELECT 1 FROM channel_cursors")  # a first start begins behind what the mailbox has
    for _ in range(kills):
        many = moments.randrange(5, 40)
        await asyncio.to_thread(mailbox.deliver, *(_mail(number) for number in range(sent, sent + many)))
        sent += many
        await asyncio.sleep(moments.random() * 0.4)
        assert await daemon.end(signal.SIGKILL) == -signal.SIGKILL
        await daemon.start()
    await daemon.holds(sent, "SELECT 1 FROM raws")
    await daemon.decided()
    assert await daemon.end(signal.SIGTERM) == 0
    stored = Counter(row[0] for row in daemon.rows("SELECT external_id FROM messages"))
    assert stored == {f"m{number}@mail.example": 1 for number in range(sent)}
    numbers = {row[0] for row in daemon.rows("SELECT number FROM messages")}
    assert Counter(row[0] for row in daemon.rows("SELECT message FROM decisions")) == dict.fromkeys(numbers, 1)


async def test_killed_while_it_reads_a_mailbox(start: Callable[..., Daemon], mailbox: Any) -> None:
    """Three times kill -9 while mail comes in: each mail is there exactly once, decided once."""
    await _killed_over_a_mailbox(start("", mailbox), mailbox, 3, seed=3)


@pytest.mark.soak
async def test_killed_fifty_times_while_it_reads_a_mailbox(start: Callable[..., Daemon], mailbox: Any) -> None:
    """The same, fifty times."""
    await _killed_over_a_mailbox(start("", mailbox), mailbox, 50, seed=4)


async def test_asked_to_stop_under_load_it_loses_nothing(start: Callable[..., Daemon]) -> None:
    """SIGTERM while requests come in: exit code 0, and the next life has everything that was acknowledged."""
    daemon = start()
    await daemon.start()
    load = Load(daemon)
    await load.more(100)
    assert await daemon.end(signal.SIGTERM) == 0
    await load.stop()
    assert not daemon.rows("SELECT 1 FROM positions WHERE dirty")
    held = daemon.rows("SELECT duty FROM leases WHERE holder <> ''")
    assert held == []
    await daemon.start()
    await daemon.decided()
    assert await daemon.end(signal.SIGTERM) == 0
    _check(daemon, load.acknowledged)


async def test_a_second_daemon_on_one_file_is_refused(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """Two daemons on one SQLite file: the second says in one sentence why it does not start, and harms nothing."""
    first = start()
    await first.start()
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import sys; from workers.cli import main; sys.exit(main(sys.argv[1:]))", "run", "-c",
        str(tmp_path / "desk.toml"), stderr=asyncio.subprocess.PIPE, env={**os.environ, "CHAT_SECRET": SECRET},
    )  # fmt: skip
    async with asyncio.timeout(_PATIENCE):
        _, said = await second.communicate()
    assert second.returncode == 2
    assert b"one SQLite file has one daemon" in said
    assert b"Traceback" not in said
    load = Load(first)
    await load.more(5)
    await load.stop()
    await first.decided()
    assert await first.end(signal.SIGTERM) == 0
    _check(first, load.acknowledged)
