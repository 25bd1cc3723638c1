"""Nodes on one PostgreSQL that are killed, stopped and cut off, on a server that restarts, crashes and only reads:
what was acknowledged is stored once, in order, decided once, and nothing is set aside."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from platforms.cluster import Server
from platforms.fleet import Account, Flood, Member
from platforms.wire import Wire

from router.store import schema

pytestmark = pytest.mark.soak
#: Longer than a lease: others take over meanwhile.
LONGER_THAN_A_LEASE = 20
ONLY_READING = 6
AWAY = 8


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that servers which are not root may enter."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def server(folder: Path, own_port: Callable[[], int], postgresql: Any) -> Iterator[Server]:
    """A server of its own, with the user that the other one's made."""
    made = Server(folder / "primary", own_port())
    made.make()
    yield made
    made.stop("immediate")


class Fleet:
    """The members, each over a wire of its own."""

    def __init__(self, folder: Path, url: str, ports: list[int]) -> None:
        self.wires: list[Wire] = []
        self.members: list[Member] = []
        for number, port in enumerate(ports):
            (folder / f"wire-{number}").mkdir()
            self.wires.append(Wire(folder / f"wire-{number}", url))
            self.members.append(Member(folder / f"node-{number}", self.wires[-1].through(url), port))

    async def gone(self) -> None:
        for wire in self.wires:
            wire.go()
        for member in self.members:
            await member.gone()
        for wire in self.wires:
            wire.close()


@contextlib.asynccontextmanager
async def _sailing(folder: Path, url: str, ports: list[int]) -> AsyncIterator[Fleet]:
    fleet = Fleet(folder, url, ports)
    try:
        for member in fleet.members:
            await member.start()
        yield fleet
    finally:
        await fleet.gone()


async def _killed(fleet: Fleet, server: Server) -> None:
    await fleet.members[-1].end(signal.SIGKILL)
    await asyncio.sleep(2)
    await fleet.members[-1].start()


async def _stopped(fleet: Fleet, server: Server) -> None:
    fleet.members[0].signal(signal.SIGSTOP)
    await asyncio.sleep(LONGER_THAN_A_LEASE)
    fleet.members[0].signal(signal.SIGCONT)


async def _stalled(fleet: Fleet, server: Server) -> None:
    fleet.wires[-1].stall()
    await asyncio.sleep(LONGER_THAN_A_LEASE)
    fleet.wires[-1].go()


async def _cut(fleet: Fleet, server: Server) -> None:
    for _ in range(10):
        for wire in fleet.wires:
            wire.cut()
        await asyncio.sleep(0.3)


async def _restarted(fleet: Fleet, server: Server) -> None:
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)


async def _only_reads(fleet: Fleet, server: Server) -> None:
    server.run("ALTER SYSTEM SET default_transaction_read_only = on")
    server.run("SELECT pg_reload_conf()")
    await asyncio.sleep(ONLY_READING)
    server.run("ALTER SYSTEM RESET default_transaction_read_only")
    server.run("SELECT pg_reload_conf()")


async def _crashed(fleet: Fleet, server: Server) -> None:
    await asyncio.to_thread(server.stop, "immediate")
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(server.start)


TROUBLES = (_killed, _stopped, _stalled, _cut, _restarted, _only_reads, _crashed, _killed)


@pytest.mark.parametrize("nodes", [2, 4])
async def test_chaos(nodes: int, folder: Path, server: Server, own_port: Callable[[], int]) -> None:
    """One trouble after the other under load; at the end the account balances and the audit finds no difference."""
    server.run("CREATE DATABASE desk")
    account = Account(f"{server.url}/desk")
    schema.upgrade(account.database)
    async with _sailing(folder, f"{server.url}/desk", [own_port() for _ in range(nodes)]) as fleet:
        flood = Flood(fleet.members)
        await flood.more(50)
        for trouble in TROUBLES:
            await trouble(fleet, server)
            await flood.more(50)
        await flood.stop()
        await account.decided()
        account.balance(flood.acknowledged)
        code, said = await fleet.members[0].run("audit")
        assert code == 0, said
        print(f"{nodes} nodes: {len(flood.acknowledged)} acknowledged; {said.strip()}")
    account.database.close()
