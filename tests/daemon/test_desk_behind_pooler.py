"""A desk behind a pooler in transaction mode: no session is its own, and everything works all the same."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from platforms.pooler import Pooler
from sqlalchemy import text

from adapters.kit.signature import sign_standard
from router.errors import Unreachable
from router.seal import create_key
from router.store import Database, schema
from router.store.bell import Bell
from router.store.statement import Statement

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ....").decode()
_SHOWN = Statement(text("SELECT current_setting('synchronous_commit'), current_setting('lock_timeout')"))


@pytest.fixture
def pooler(postgresql: Any) -> Iterator[Pooler]:
    """A pooler before the server of this run."""
    made = Pooler(postgresql.empty())
    yield made
    made.stop()


@pytest.fixture
def pooled(pooler: Pooler, postgresql: Any) -> Iterator[Database]:
    """A fresh ledger, made and reached over the pooler."""
    direct = postgresql.empty().replace("postgres:@", "postgres@")  # without its empty password
    database = Database(pooler.before(direct), pooled=True, listen=direct)
    schema.upgrade(database)
    yield database
    database.close()


@pytest.mark.parametrize("listens", [True, False])
async def test_a_desk_takes_in_and_decides(
    pooled: Database, open_desk: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listens: bool
) -> None:
    """Twenty customers write at once over four connections: everything is acknowledged, decided once, nothing dead."""
    monkeypatch.setenv("CHAT_SECRET", SECRET)
    create_key(tmp_path / "own.key")
    database = f'database = "{pooled.url.set(drivername="postgresql")}"\npooled = true\n'
    assert pooled.listen_url is not None
    if listens:
        database += f'listen_database = "{pooled.listen_url.set(drivername="postgresql")}"\n'
    configuration = (
        '[privacy]\nkey = "file:own.key"\n[channels.chat]\nadapter = "webhook"\nsecrets = ["env:CHAT_SECRET"]\n'
        '[[queues]]\nname = "general"\n[defaults]\nqueue = "general"\n'
    )
    async with open_desk(configuration, datetime.now(UTC), database) as desk:
        await asyncio.gather(*(_write(desk, customer) for customer in range(20)))
        await desk.decided()
        messages = desk.messages()
        assert len(messages) == len({m["external_id"] for m in messages}) == 100
        with pooled.read() as tx:
            assert tx.one(Statement(text("SELECT count(*) FROM set_aside"))) == (0,)
            assert tx.one(Statement(text("SELECT count(*) FROM decisions"))) == (100,)


async def _write(desk: Any, customer: int) -> None:
    for n in range(5):
        body = {"id": f"m-{customer}-{n}", "sent_at": datetime.now(UTC).isoformat(), "text": f"转账 {n} 没到账"}
        sent = json.dumps({**body, "sender": {"handle": f"u-{customer}"}}).encode()
        headers = sign_standard([SECRET], f"hook-{customer}-{n}", sent, desk.clock())
        headers["omnirouter-partition"] = f"u-{customer}"
        answer = await desk.http.post("/channels/chat", content=sent, headers=headers)
        assert answer.status_code == 202, answer.text


def test_each_transaction_says_how_it_is_kept(pooled: Database, postgresql: Any) -> None:
    """Whatever the server's own configuration says: what is committed is durable, and nobody waits for ever."""
    postgresql.run(f"ALTER DATABASE {pooled.url.database} SET synchronous_commit = off")
    assert pooled.listen_url is not None
    direct = Database(pooled.listen_url.render_as_string())
    pooled.close()
    for database in (pooled, direct):
        for opened in (database.read, database.write):
            with opened() as tx:
                assert tx.one(_SHOWN) == ("on", "20s")
    direct.close()


@pytest.fixture
async def bell(pooled: Database) -> AsyncIterator[Bell]:
    """The bell of a daemon behind the pooler."""
    made = Bell(pooled)
    await made.open()
    yield made
    await made.close()


async def test_the_bell_rings_over_the_direct_address(pooled: Database, bell: Bell) -> None:
    """Another node's commit over the pooler wakes this one, which listens beside it."""
    assert await bell.wait(60, 0)  # it listens
    rings = bell.rings
    with pooled.write() as tx:
        bell.ring_in(tx, "log")
    assert await bell.wait(60, rings)


def test_a_pooler_that_nobody_named_is_named(pooled: Database) -> None:
    """Without `pooled` the connection is refused, and the sentence says what to write."""
    unaware = Database(pooled.url.render_as_string())
    with pytest.raises(Unreachable, match="write pooled = true under"), unaware.read():
        pass
    unaware.close()
