"""A sender that is stopped whole in the midst of an answer, and goes on after another has taken over: the customer is
answered once, and the outbox row is settled under the attempt that it was."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from platforms.fleet import Account, Flood, Member

from router.store import schema

pytestmark = pytest.mark.soak

#: The commit of a first attempt takes so long that its process can be stopped before it hears of it.
_SLOW_CLAIM = """
CREATE FUNCTION slow_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.attempt = 1 AND NEW.outbox IN (SELECT id FROM outbox WHERE kind = 'reply') THEN PERFORM pg_sleep(3); END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER slow_claim AFTER INSERT ON attempts DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION slow_claim();
"""
_CLAIMING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
_ROW = "SELECT state, attempts FROM outbox WHERE kind = 'reply'"
_ATTEMPTS = "SELECT attempt, outcome FROM attempts WHERE outbox IN (SELECT id FROM outbox WHERE kind = 'reply')"


async def _seen(account: Account, sql: str, *wanted: tuple[Any, ...]) -> None:
    """Wait until the ledger gives these rows (without any: some row)."""
    async with asyncio.timeout(120):
        while True:
            found = await asyncio.to_thread(account.rows, sql)
            if found == list(wanted) if wanted else found:
                return
            await asyncio.sleep(0.05)


@pytest.fixture
async def pair(
    postgresql: Any, receiver: Any, own_port: Callable[[], int]
) -> AsyncIterator[tuple[Account, Member, Member]]:
    """A ledger with a question in it, a sender that serves and one that does not yet."""
    url = postgresql.fresh()
    account = Account(url)
    schema.upgrade(account.database)
    with tempfile.TemporaryDirectory(prefix="stopped-") as folder:
        members = [
            Member(Path(folder) / f"node-{n}", url, own_port(), reply_url=receiver.url) for n in range(2)
        ]
        try:
            await members[0].start()
            flood = Flood(members[:1], clients=1, customers=1)
            await flood.more(1)
            await flood.stop()
            await account.decided()
            yield account, members[0], members[1]
        finally:
            for member in members:
                await member.gone()
            account.database.close()


async def _reply(account: Account, member: Member, *words: str) -> None:
    ((number,),) = account.rows("SELECT min(number) FROM conversations")
    code, said = await member.run("reply", f"C-{number}", "--agent", "li", *words)
    assert code == 0, said


async def _taken_over(account: Account, stopped: Member, other: Member) -> None:
    stopped.signal(signal.SIGSTOP)
    await other.start()
    await _seen(account, _ROW, ("unknown", 1))  # nobody knows whether the stopped one has called
    stopped.signal(signal.SIGCONT)


async def test_stopped_between_claim_and_call(pair: tuple[Account, Member, Member], receiver: Any) -> None:
    """It does not call any more; a person says that nothing came, and the answer goes out once, as a new one."""
    account, first, second = pair
    with account.database.engine.begin() as connection:
        connection.exec_driver_sql(_SLOW_CLAIM)
    await _reply(account, first, "--text", "已为您核实")
    await _seen(account, _CLAIMING)
    await _taken_over(account, first, second)
    async with asyncio.timeout(60):
        while "send.lost" not in first.said():  # noqa: ASYNC110  (another process's log)
            await asyncio.sleep(0.1)
    assert receiver.asked == []
    assert account.rows(_ROW) == [("unknown", 1)]
    assert account.rows(_ATTEMPTS) == [(1, "unknown")]
    await _reply(account, second, "--settle", "failed")
    await _reply(account, second, "--text", "已为您核实")
    await _seen(account, f"{_ROW} ORDER BY id", ("failed", 1), ("sent", 1))
    assert len(receiver.asked) == 1
    assert account.rows("SELECT count(*) FROM events WHERE type = 'reply.sent'") == [(1,)]


async def test_stopped_in_the_call(pair: tuple[Account, Member, Member], receiver: Any) -> None:
    """What the provider took while it was stopped is sent, under its own attempt, once it goes on."""
    account, first, second = pair
    receiver.held = asyncio.Event()
    await _reply(account, first, "--text", "已为您核实")
    await receiver.came(1)
    first.signal(signal.SIGSTOP)
    receiver.held.set()
    await _taken_over(account, first, second)
    await _seen(account, _ROW, ("sent", 1))
    assert len(receiver.asked) == 1
    code, said = await second.run("audit")
    assert code == 0, said
