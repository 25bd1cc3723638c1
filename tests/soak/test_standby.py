"""A primary with a synchronous standby: killed under load, the standby is promoted, and the nodes follow by the address
that names both. Nothing acknowledged is lost, nothing is dead."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from platforms.cluster import Server
from platforms.fleet import Account, Flood, Member

from router.store import schema

pytestmark = pytest.mark.soak


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that servers which are not root may enter."""
    with tempfile.TemporaryDirectory(prefix="standby-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def pair(folder: Path, own_port: Callable[[], int], postgresql: Any) -> Iterator[tuple[Server, Server]]:
    """A primary, and a standby without whose word nothing is committed."""
    primary, standby = Server(folder / "primary", own_port()), Server(folder / "standby", own_port())
    primary.make()
    primary.run("CREATE DATABASE desk")
    standby.follow(primary, "standby")
    primary.run("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
    primary.run("SELECT pg_reload_conf()")
    yield primary, standby
    primary.stop("immediate")
    standby.stop("immediate")


async def test_the_primary_is_killed_under_load(
    folder: Path, pair: tuple[Server, Server], own_port: Callable[[], int]
) -> None:
    """Two nodes write without a pause; the primary dies, and the standby takes its place some seconds later."""
    primary, standby = pair
    both = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    url = f"postgresql://postgres@{both}/desk?target_session_attrs=read-write"
    account = Account(url)
    schema.upgrade(account.database)
    assert primary.run("SELECT sync_state FROM pg_stat_replication") == [("sync",)]
    members = [Member(folder / f"node-{n}", url, own_port()) for n in range(2)]
    try:
        for member in members:
            await member.start()
        flood = Flood(members)
        await flood.more(300)
        await asyncio.to_thread(primary.stop, "immediate")
        await asyncio.sleep(3)
        await asyncio.to_thread(standby.promote)
        await flood.more(300)
        await flood.stop()
        await account.decided()
        account.balance(flood.acknowledged)
        code, said = await members[0].run("audit")
        assert code == 0, said
        print(f"{len(flood.acknowledged)} acknowledged; {said.strip()}")
    finally:
        for member in members:
            await member.gone()
        account.database.close()
