"""A wire to PostgreSQL on which nothing comes any more holds nobody: the proxy takes every byte and passes none on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.engine import make_url

import workers.http.front_door as web_module
import workers.http.readiness as readiness_module
from adapters.kit.signature import sign_standard
from router.errors import Unreachable
from router.policy.load import from_text
from router.seal import create_key
from router.store import Database
from router.store import tables as t
from router.store.patience import KEEPALIVE, OPTIONS, PATIENCE, connection_class
from router.store.read import queries
from router.store.statement import Statement
from workers.daemon.clock import Clock
from workers.daemon.loop import Daemon

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
WHSEC = "whsec_" + "QUJD" * 8
_one = Statement(select(t.facts.c.value))


class Wire:
    """A TCP proxy before PostgreSQL's socket, in a thread of its own. While it is `still`, it reads and drops."""

    def __init__(self, address: str) -> None:
        url = make_url(address)
        (self._server,) = Path(str(url.query["host"])).glob(".s.PGSQL.*[0-9]")
        self.still = False
        self._loop = asyncio.new_event_loop()
        self._ends: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._listening = self._run(asyncio.start_server(self._pass, "127.0.0.1", 0))
        port = self._listening.sockets[0].getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{port}/{url.database}"

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(str(self._server))
        self._ends |= {writer, back}
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        swallowed = False
        while some := await source.read(65_536):
            swallowed = swallowed or self.still  # what has lost a byte stays silent for ever, as such a wire does
            if not swallowed:
                sink.write(some)
                await sink.drain()
        sink.close()

    def stop(self) -> None:
        async def end() -> None:
            self._listening.close()
            for one in self._ends:
                one.transport.abort()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others, return_exceptions=True)

        self._run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def wire(postgresql: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A wire to a fresh ledger, with clients that lose patience at once."""
    monkeypatch.setattr(connection_class(), "patience", 0.5)
    monkeypatch.setitem(KEEPALIVE, "connect_timeout", 2)
    made = Wire(postgresql.fresh())
    yield made
    made.stop()


def _falls_silent(database: Database, wire: Wire, *, asked: bool) -> None:
    """A transaction during which the wire falls silent: before a statement, or before the commit."""
    with database.write() as tx:
        assert tx.rows(_one)
        wire.still = True
        if asked:
            tx.rows(_one)


@pytest.mark.parametrize("asked", [True, False], ids=["before a statement", "before the commit"])
def test_a_silent_server_is_given_up(wire: Wire, asked: bool) -> None:
    """In the middle of a transaction, at its end and at a fresh connection: an error within its time, and the next
    transaction on a wire that works is as before."""
    database = Database(wire.url)
    with pytest.raises((psycopg.OperationalError, Unreachable), match="silent"):
        _falls_silent(database, wire, asked=asked)
    with pytest.raises((psycopg.OperationalError, Unreachable)), database.read() as tx:
        tx.rows(_one)
    wire.still = False
    with database.read() as tx:
        assert tx.rows(_one)
    database.close()


def test_both_ends_bound_what_they_wait_for(postgresql: Any) -> None:
    """Each connection asks the server to end what nobody goes on with, and to notice when we are gone; our own patience
    outlasts the server's."""
    database = Database(postgresql.fresh())
    with database.engine.connect() as connection:
        told = dict(connection.exec_driver_sql("SELECT name, setting FROM pg_settings").all())
        for name, wanted in OPTIONS.items():
            assert told[name] == wanted or name.startswith("tcp_")  # a local socket has none of TCP's
        parameters = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
    assert {name: parameters[name] for name in KEEPALIVE} == {name: str(value) for name, value in KEEPALIVE.items()}
    assert int(OPTIONS["lock_timeout"]) < int(OPTIONS["statement_timeout"]) < PATIENCE * 1000
    database.close()


CONFIGURATION = """
[web]
listen = "127.0.0.1:0"
[privacy]
key = "file:key"
[channels.chat]
adapter = "webhook"
secrets = ["env:BLACK_HOLE_SECRET"]
[[queues]]
name = "general"
[defaults]
queue = "general"
"""


@pytest.fixture
async def daemon(wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Daemon]:
    """A desk at the end of the wire."""
    monkeypatch.setenv("BLACK_HOLE_SECRET", WHSEC)
    create_key(tmp_path / "key")
    policy = replace(from_text(CONFIGURATION, folder=tmp_path), desk_database=wire.url)
    made = Daemon(policy, clock=Clock(lambda: NOON))
    running = asyncio.create_task(made.run())
    starting = asyncio.create_task(made.started.wait())
    await asyncio.wait({running, starting}, return_when=asyncio.FIRST_COMPLETED)
    yield made
    made.stop()
    await running


def _request(number: int) -> dict[str, Any]:
    told = {"id": f"m-{number}", "sent_at": NOON.isoformat(), "sender": {"handle": "u-77"}, "text": "转账一直没到账"}
    body = json.dumps(told, ensure_ascii=False).encode()
    return {"headers": sign_standard([WHSEC], f"msg_{number}", body, NOON), "content": body}


async def test_a_desk_outlives_a_wire_that_fell_silent(
    daemon: Daemon, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the wire is silent a customer's server is asked to come again and operators are told why; when a wire works
    again the desk does, by itself, and each message is there once."""
    monkeypatch.setattr(web_module, "_PATIENCE", 1.0)
    monkeypatch.setattr(readiness_module, "_MOMENT", 0.2)
    monkeypatch.setattr(readiness_module, "SILENCE", 0.1)
    async with httpx.AsyncClient(timeout=120) as http:
        post: Callable[..., Any] = lambda number: http.post(f"{daemon.address}/channels/chat", **_request(number))  # noqa: E731
        assert (await post(1)).status_code == 202
        wire.still = True
        assert (await post(2)).status_code == 503
        ready = await http.get(f"{daemon.operations}/ready")
        assert ready.status_code == 503
        assert "database" in ready.json()["reasons"][0]
        assert (await http.get(f"{daemon.address}/health")).status_code == 200
        assert (await http.get(f"{daemon.operations}/metrics")).status_code == 200
        wire.still = False
        while (await post(2)).status_code != 202:
            pass
        while len(stored := await asyncio.to_thread(_stored, daemon)) < 2:
            await daemon.store.bell.wait(0.2)
        assert sorted(stored) == ["m-1", "m-2"]
        while (await http.get(f"{daemon.operations}/ready")).status_code != 200:
            await daemon.store.bell.wait(0.2)


def _stored(daemon: Daemon) -> list[str]:
    with contextlib.suppress(Exception):
        return [m["external_id"].rpartition(":")[2] for m in queries.messages(daemon.store.database)]
    return []
