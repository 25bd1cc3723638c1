"""How long until a chat message is seen by the desk, and what does one cost that comes alone?

Two daemons run, each in a process of its own: the desk, and the same endpoint whose log stores nothing. Signed requests
go to both in turn over kept connections, so that a ratio is of one run. `visible` counts from the first byte of the
request until the ledger shows the message, routed. The cost of a message alone (read, decide, commit) is measured in
this process, on an empty ledger.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import bindparam, select

from adapters.kit.signature import sign_standard
from router.desk import Arrival, take_in
from router.errors import OmnirouterError
from router.policy.values import Policy
from router.ports import Cursor, Raw
from router.seal import create_key
from router.store import Database
from router.store import tables as t
from router.store.log import Log
from router.store.statement import Statement
from workers.lab.bench import copies
from workers.lab.bench.growth import chats

__all__ = ["bench_live", "serve"]

_SECRET: Final = "whsec_" + base64.b64encode(b"of a bench, which meets no desk.").decode()
_PATH: Final = "/channels/app-chat"
#: Connections that post at once, and rounds of requests.
_CONNECTIONS, _ROUNDS = 32, 4
#: Seconds between two looks whether a message is there, and in which a daemon must start and a message be seen.
_LOOK, _PATIENCE = 0.0005, 60.0
_WARM: Final = 20
_CONFIGURATION: Final = """
[desk]
timezone = "Asia/Shanghai"
database = "sqlite:///{folder}/desk.db"
[privacy]
key = "file:{folder}/omnirouter.key"
[web]
listen = "127.0.0.1:0"
operations = "127.0.0.1:0"
[channels.app-chat]
adapter = "webhook"
secrets = ["env:BENCH_CHAT_SECRET"]
[[queues]]
name = "general"
[defaults]
queue = "general"
[[deadlines]]
name = "all"
hours = "calendar"
first_reply = "2m"
"""
_routed = Statement(
    select(t.conversations.c.queue)
    .join(t.messages, t.messages.c.conversation == t.conversations.c.number)
    .where(t.messages.c.provider_id == bindparam("name"))
)


def bench_live(messages: int = 300) -> list[dict[str, Any]]:
    """Rows of one table: a message alone, POST to visible, acknowledgement with storage and without."""
    return [_alone(messages), *asyncio.run(_live(messages))]


def _alone(messages: int) -> dict[str, Any]:
    """CPU and statements of one chat message that is decided by itself, on SQLite."""
    policy = Policy.load(None)
    _ = policy.tagger
    with tempfile.TemporaryDirectory(prefix="omnirouter-bench-") as folder:
        store = copies.empty(policy, f"sqlite:///{folder}/alone.db")
        said = list(chats(1, messages + _WARM))
        for number, message in enumerate(said):
            if number == _WARM:
                cpu, counted = time.process_time(), store.database.statements
            take_in(store, [Arrival(what=message, received_at=message.sent_at)], message.sent_at)
        cpu, counted = time.process_time() - cpu, store.database.statements - counted
        store.close()
    return {
        "what": "one chat message alone: read, decide, commit",
        "CPU us": round(cpu / messages * 1e6),
        "statements": round(counted / messages, 1),
    }


async def _live(messages: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="omnirouter-bench-") as folder:
        desk, nowhere = Path(folder, "desk"), Path(folder, "nowhere")
        async with _daemon(desk, stored=True) as port, _daemon(nowhere, stored=False) as bare:
            seen = await _seen(port, desk, messages)
            acknowledged = await _acknowledged(port, bare, max(1, messages // 40))
    rows = [{"what": "one chat message, POST to routed and visible", **_times(seen)}]
    for connections, (stored, unstored) in acknowledged.items():
        what = f"acknowledgement, {connections} connection{'s' if connections > 1 else ''}"
        rows.append({"what": f"{what}, stored nowhere", **_times(unstored)})
        ratio = {"p99 to stored nowhere": f"{_percentile(stored, 99) / _percentile(unstored, 99):.2f} x"}
        rows.append({"what": f"{what}, durable", **_times(stored), **ratio})
    return rows


async def _seen(port: int, folder: Path, messages: int) -> list[float]:
    """Seconds from a request until the desk sees its message, one after the other on one connection."""
    database = Database(f"sqlite:///{folder}/desk.db")
    found: list[float] = []
    async with _kept(port) as post:
        for number in range(_WARM + messages):
            name = f"seen-{number}"
            began = time.perf_counter()
            await post(name)
            while not _is_routed(database, name):
                await asyncio.sleep(_LOOK)
                if time.perf_counter() - began > _PATIENCE:
                    raise OmnirouterError(f"No daemon decided a message within {_PATIENCE:.0f} s.")
            found.append(time.perf_counter() - began)
    database.close()
    return found[_WARM:]


def _is_routed(database: Database, name: str) -> bool:
    with database.read() as tx:
        row = tx.one(_routed, name=name)
    return row is not None and bool(row[0])


async def _acknowledged(port: int, bare: int, requests: int) -> dict[int, tuple[list[float], list[float]]]:
    """Seconds to the answer of each request, with storage and without, in turn, by the number of connections; so many
    requests of each in a round."""
    found: dict[int, tuple[list[float], list[float]]] = {}
    for connections in (1, _CONNECTIONS):
        stored, unstored = found.setdefault(connections, ([], []))
        for number in range(_ROUNDS + 1):
            pairs = [(port, stored), (bare, unstored)]
            for to, kept in pairs if number % 2 else reversed(pairs):
                times = await _round(to, connections, requests, f"{connections}-{number}")
                kept += times if number else []  # the first round only warms up
    return found


async def _round(port: int, connections: int, requests: int, name: str) -> list[float]:
    """All connections post at once, each one request after the other."""

    async def one(which: int) -> list[float]:
        times = []
        async with _kept(port) as post:
            for number in range(requests):
                began = time.perf_counter()
                await post(f"{name}-{which}-{number}")
                times.append(time.perf_counter() - began)
        return times

    return [took for times in await asyncio.gather(*map(one, range(connections))) for took in times]


@contextlib.asynccontextmanager
async def _kept(port: int) -> AsyncIterator[Any]:
    """A kept connection: `await post(id)` sends a signed message and returns when it is acknowledged."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def post(name: str) -> None:
        now = datetime.now(UTC)
        sent = {"id": name, "sent_at": now.isoformat(), "sender": {"handle": f"u-{name}"}, "text": "转账2000一直没到账"}
        body = json.dumps(sent, ensure_ascii=False).encode()
        given = {"host": "127.0.0.1", "content-length": len(body), **sign_standard([_SECRET], f"msg_{name}", body, now)}
        lines = "".join(f"{key}: {value}\r\n" for key, value in given.items())
        writer.write(f"POST {_PATH} HTTP/1.1\r\ncontent-type: application/json\r\n{lines}\r\n".encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0].strip() or b"0"
        await reader.readexactly(int(length))
        if not head.startswith(b"http/1.1 2"):
            raise OmnirouterError(f"The daemon answered {head.partition(b' ')[2][:3].decode()} instead of 2xx.")

    try:
        yield post
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def _daemon(folder: Path, *, stored: bool) -> AsyncIterator[int]:
    """A daemon in a process of its own; the port it serves at."""
    path = _configured(folder)
    code = "import sys; from workers.lab.bench.live import serve; serve(sys.argv[1], sys.argv[2] == 'stored')"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(path), "stored" if stored else "nowhere", cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "BENCH_CHAT_SECRET": _SECRET},
    )  # fmt: skip
    assert process.stdout is not None  # noqa: S101  (it was asked for)
    try:
        async with asyncio.timeout(_PATIENCE):
            line = await process.stdout.readline()
        if not line.strip().isdigit():
            raise OmnirouterError("The daemon of the bench did not start.")
        yield int(line)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _configured(folder: Path) -> Path:
    """The configuration of a desk of its own in a new folder."""
    folder.mkdir()
    create_key(folder / "omnirouter.key")
    path = folder / "desk.toml"
    path.write_text(_CONFIGURATION.format(folder=folder), encoding="utf-8")
    return path


class _Nowhere(Log):
    """A log that says yes and keeps nothing: what an endpoint costs without storage."""

    async def append(self, raws: Sequence[Raw], cursor: Cursor | None = None) -> list[tuple[int, int]]:
        """Keep nothing."""
        return [(0, 0)] * len(raws)


def serve(configuration: str, stored: bool) -> None:
    """Serve a desk until SIGTERM, as `omnirouter run` does, after its port was printed. Without `stored` its log keeps
    nothing."""
    asyncio.run(_serve(Path(configuration), stored))


async def _serve(configuration: Path, stored: bool) -> None:
    import signal

    from workers.daemon.logging import configure
    from workers.daemon.loop import Daemon

    configure()
    daemon = Daemon(Policy.load(configuration))
    if not stored:
        store = daemon.store
        daemon.log = _Nowhere(store.database, store.sealer, daemon.log.partitions, bell=store.bell)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, daemon.stop)
    running = asyncio.create_task(daemon.run())
    await daemon.started.wait()
    sys.stdout.write(f"{daemon.address.rpartition(':')[2]}\n")
    sys.stdout.flush()
    await running


def _times(taken: Sequence[float]) -> dict[str, Any]:
    return {"p50 ms": round(statistics.median(taken) * 1e3, 2), "p99 ms": round(_percentile(taken, 99) * 1e3, 2)}


def _percentile(taken: Sequence[float], which: int) -> float:
    return sorted(taken)[min(len(taken) - 1, len(taken) * which // 100)]
