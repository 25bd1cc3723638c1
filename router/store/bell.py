"""How does one process tell another that there is work? A bell: it only wakes, it never carries anything.

In one process an event; between processes on one SQLite file a datagram socket beside it; on PostgreSQL LISTEN/NOTIFY
in the transaction that made the work, behind a transaction pooler over `[desk] listen_database` or not at all. Whoever
waits polls as well (1 s), so a lost ring costs a second. `rings` counts: who took it before he looked for work and
found none waits with it, so a ring in between is not slept over.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import tempfile
from pathlib import Path

from sqlalchemy import URL, bindparam, func, select

from router import private
from router.store.database import Database
from router.store.patience import KEEPALIVE
from router.store.statement import Statement, Tx

__all__ = ["Bell"]

_CHANNEL = "omnirouter"
#: Seconds after which a bell that did not ring is tried.
_QUIET = 20.0
_notify = Statement(select(func.pg_notify(_CHANNEL, bindparam("topic"))))


class Bell:
    """The bell of one database. `ring` from any process, `wait` in the event loop of the daemon after `open`."""

    def __init__(self, database: Database) -> None:
        self.rings = 0
        self._database = database
        self._waiters: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket: socket.socket | None = None
        self._listener: asyncio.Task[None] | None = None

    def ring_in(self, tx: Tx, topic: str = "") -> None:
        """Ring when this transaction commits: PostgreSQL does so itself; for SQLite call `ring` after the commit."""
        if tx.dialect == "postgresql":
            tx.rows(_notify, topic=topic)

    def ring(self) -> None:
        """Ring now: wakes the waiters of this process and of another one on the same SQLite file."""
        if self._loop is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake)
        path = self._path()
        if path is not None and self._socket is None:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)
                out.sendto(b"!", str(path))

    async def open(self) -> None:
        """Hear rings from other processes, in this event loop. A second daemon on one SQLite file only polls."""
        self._loop = asyncio.get_running_loop()
        if self._database.dialect == "postgresql":
            if self._database.listen_url is not None:
                self._listener = asyncio.create_task(self._listen(self._database.listen_url))
            return
        path = self._path()
        if path is None or _answers(path):
            return
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listening.setblocking(False)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        try:
            os.fchmod(listening.fileno(), private.MODE)  # Linux makes the socket with it, others take it afterwards
            listening.bind(str(path))
            path.chmod(private.MODE)
        except OSError:
            listening.close()
            return
        self._socket = listening
        self._loop.add_reader(listening, self._heard)

    async def wait(self, timeout: float, since: int | None = None) -> bool:  # noqa: ASYNC109
        """Wait for a ring, at most `timeout` seconds; was there one? Rings after `since` (a former `rings`) count."""
        if since is not None and self.rings != since:
            return True
        rung = asyncio.Event()
        self._waiters.add(rung)
        try:
            async with asyncio.timeout(timeout):
                await rung.wait()
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(rung)
        return True

    async def close(self) -> None:
        """Stop hearing. Safe to call twice."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
            self._listener = None
        if self._socket is not None and self._loop is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            path = self._path()
            if path is not None:
                path.unlink(missing_ok=True)
        self._loop = None

    def _path(self) -> Path | None:
        if self._database.place is None:
            return None
        beside = Path(f"{self._database.place}-bell")
        if len(str(beside)) < 100:  # the kernel takes 107 bytes
            return beside
        short = hashlib.sha256(str(beside).encode()).hexdigest()[:24]
        return Path(tempfile.gettempdir()) / f"omnirouter-{short}-bell"

    def _heard(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(BlockingIOError):
                while self._socket.recv(16):
                    pass
        self._wake()

    def _wake(self) -> None:
        self.rings += 1
        for rung in self._waiters:
            rung.set()

    async def _listen(self, where: URL) -> None:
        import psycopg

        _, named = self._database.engine.dialect.create_connect_args(where)
        given = {**named, **KEEPALIVE}
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(autocommit=True, **given) as connection:
                    await connection.execute(f"LISTEN {_CHANNEL}")
                    self._wake()
                    while True:
                        async for _ in connection.notifies(timeout=_QUIET):
                            self._wake()
                        async with asyncio.timeout(_QUIET):  # does it still hear? A silent wire says nothing either
                            await connection.execute("SELECT 1")
            except (psycopg.Error, TimeoutError):
                await asyncio.sleep(1)


def _answers(path: Path) -> bool:
    """Does a living process listen there?"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        return probe.connect_ex(str(path)) == 0
