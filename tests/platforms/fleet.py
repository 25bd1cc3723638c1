"""Several daemons on one PostgreSQL ledger, clients that write all the time, and the account at the end."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from adapters.kit.signature import sign_standard
from router.seal import create_key
from router.store import Database

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ....").decode()
_PATIENCE = 240
_COMMAND = (sys.executable, "-c", "import sys; from workers.cli import main; sys.exit(main(sys.argv[1:]))")
_WORDS = (
    "转账{n}元没到账，单号 TP2026{n:010}", "我的账户登录不上，提示密码错误 {n}", "充值{n}没到账", "还没到账吗？",
    "谢谢",    "退款什么时候到？订单 {n}", "Hello, my transfer {n} did not arrive", "账户被冻结了，请尽快处理 {n}",
)  # fmt: skip
_FORM = """
[desk]
timezone = "Asia/Shanghai"
database = "{url}"
[privacy]
key = "file:{key}"
[web]
listen = "127.0.0.1:{port}"
[channels.chat]
adapter = "webhook"
secrets = ["env:CHAT_SECRET"]
{reply_url}
[[queues]]
name = "general"
[defaults]
queue = "general"
[[deadlines]]
name = "all"
hours = "calendar"
first_reply = "2m"
"""


class Member:
    """One daemon of the fleet, over all its lives. Its answers go to `reply_url`, where it has one."""

    def __init__(self, folder: Path, url: str, port: int, reply_url: str = "") -> None:
        self.address = f"http://127.0.0.1:{port}"
        self._folder = folder
        key = folder.parent / "omnirouter.key"
        if not key.exists():
            create_key(key)
        folder.mkdir()
        written = _FORM.format(url=url, key=key, port=port, reply_url=f'reply_url = "{reply_url}"' if reply_url else "")
        (folder / "desk.toml").write_text(written, encoding="utf-8")
        self._environment = {**os.environ, "CHAT_SECRET": SECRET, "PYTHONUNBUFFERED": "1"}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Begin a life; returns when it serves."""
        with (self._folder / "daemon.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *_COMMAND, "run", "-c", str(self._folder / "desk.toml"), cwd=self._folder, stdout=log, stderr=log,
                env=self._environment,
            )  # fmt: skip
        async with asyncio.timeout(_PATIENCE), httpx.AsyncClient(trust_env=False) as http:
            while True:
                assert self._process.returncode is None, self.said()
                try:
                    await http.get(f"{self.address}/health")
                    return
                except httpx.HTTPError:
                    await asyncio.sleep(0.1)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def end(self, number: signal.Signals) -> int:
        """End this life; its exit code."""
        self.signal(number)
        assert self._process is not None
        async with asyncio.timeout(_PATIENCE):
            return await self._process.wait()

    async def run(self, *words: str) -> tuple[int, str]:
        """Run a command of this member's desk: its exit code, and what it said."""
        done = await asyncio.create_subprocess_exec(
            *_COMMAND, *words, "-c", str(self._folder / "desk.toml"), cwd=self._folder, env=self._environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await done.communicate()
        assert done.returncode is not None
        return done.returncode, said.decode()

    def said(self) -> str:
        """The end of its log."""
        return (self._folder / "daemon.log").read_text(errors="replace")[-3000:]

    async def gone(self) -> None:
        """Be sure that it runs no more."""
        if self._process is not None and self._process.returncode is None:
            self.signal(signal.SIGCONT)
            await self.end(signal.SIGKILL)


class Flood:
    """Clients that post signed messages: a customer's next one only when the one before is acknowledged, each tried
    again at another member until it is."""

    def __init__(self, members: Sequence[Member], *, clients: int = 6, customers: int = 60, seed: int = 1) -> None:
        self.acknowledged: list[str] = []
        self._members = members
        self._free = [f"u{n}" for n in range(customers)]
        self._sent: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._stopping = False
        self._news = asyncio.Event()
        self._clients = [asyncio.create_task(self._client()) for _ in range(clients)]

    async def _client(self) -> None:
        async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
            while not self._stopping:
                who = self._free.pop(self._chance.randrange(len(self._free)))
                await self._send(http, who, f"{who}-{self._sent[who]}")
                self._sent[who] += 1
                self._free.append(who)
                await asyncio.sleep(self._chance.uniform(0.05, 0.25))

    async def _send(self, http: httpx.AsyncClient, who: str, name: str) -> None:
        text = self._chance.choice(_WORDS).format(n=self._chance.randrange(10**6))
        message = {"id": name, "sent_at": datetime.now(UTC).isoformat(), "sender": {"handle": who}, "text": text}
        body = json.dumps(message).encode()
        while True:
            headers = sign_standard([SECRET], f"hook-{name}", body, datetime.now(UTC)) | {"omnirouter-partition": who}
            member = self._chance.choice(self._members)
            try:
                answer = await http.post(f"{member.address}/channels/chat", content=body, headers=headers)
            except httpx.HTTPError:  # whether it was stored is not known: again, with the same id
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 202:
                self.acknowledged.append(name)
                self._news.set()
                return
            assert answer.status_code == 503, answer.status_code
            await asyncio.sleep(0.05)

    async def more(self, enough: int) -> None:
        """Wait until so many more are acknowledged."""
        goal = len(self.acknowledged) + enough
        async with asyncio.timeout(_PATIENCE):
            while len(self.acknowledged) < goal:
                self._news.clear()
                for client in self._clients:
                    if client.done():
                        client.result()
                await self._news.wait()

    async def stop(self) -> None:
        """No more messages; what is under way is acknowledged first."""
        self._stopping = True
        async with asyncio.timeout(_PATIENCE):
            await asyncio.gather(*self._clients)


class Account:
    """What the ledger holds, asked directly."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.database.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]

    async def decided(self) -> None:
        """Wait until all that the log holds is decided."""
        behind = (
            "SELECT 1 FROM positions p JOIN log_partitions l ON l.partition = p.partition "
            "WHERE p.partition >= 0 AND p.position < l.position"
        )
        async with asyncio.timeout(_PATIENCE):
            while await asyncio.to_thread(self.rows, behind):  # noqa: ASYNC110  (the ledger rings no bell for us)
                await asyncio.sleep(0.2)

    def balance(self, acknowledged: Sequence[str]) -> None:
        """Acknowledged is stored, each decided and told once, in the customer's order; nothing is set aside."""
        stored = Counter(row[0] for row in self.rows("SELECT provider_id FROM messages"))
        assert set(acknowledged) - set(stored) == set(), "acknowledged and missing"
        assert [name for name, times in stored.items() if times > 1] == [], "stored twice"
        assert self.rows("SELECT kind, reason FROM set_aside") == []
        numbers = {row[0] for row in self.rows("SELECT number FROM messages")}
        assert Counter(row[0] for row in self.rows("SELECT message FROM decisions")) == dict.fromkeys(numbers, 1)
        told = self.rows("SELECT message FROM events WHERE type = 'message.received'")
        assert Counter(row[0] for row in told) == dict.fromkeys(numbers, 1)
        assert self._out_of_order() == []

    def _out_of_order(self) -> list[tuple[str, int]]:
        said: defaultdict[str, list[tuple[int, int, int, int]]] = defaultdict(list)
        for name, seq, partition, position in self.rows(
            "SELECT m.provider_id, e.seq, m.raw_partition, m.raw_position FROM messages m "
            "JOIN events e ON e.message = m.number AND e.type = 'message.received'"
        ):
            who, _, place = name.partition("-")
            said[who].append((int(place), seq, partition, position))
        return [
            (who, later[0])
            for who, lines in said.items()
            for earlier, later in zip(sorted(lines), sorted(lines)[1:], strict=False)
            if earlier[1] > later[1] or (earlier[2] == later[2] and earlier[3] > later[3])
        ]
