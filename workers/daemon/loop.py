"""How do all parts live together? The daemon: front door, sources, decisions, timekeeper, senders, in one event loop.

In: a policy. `run` returns after `stop` was called and everything under way is finished: no new requests, sources
cancelled, the batch and the call under way ended and recorded, leases given back. A part that fails is logged and
begun again; it never stops the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import sys
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from datetime import datetime
from functools import partial
from typing import Any

import structlog
import uvicorn
from starlette.routing import Mount

from router.desk import Ledger
from router.desk.accounts.account import seed
from router.errors import ConfigurationError, LostOwnership, OmnirouterError, Unreachable
from router.match.learned import learned
from router.policy.values import Policy
from router.store import is_transient
from router.store.clock import utc_now
from router.store.leases import Leases
from workers.daemon.announced import Fetching
from workers.daemon.channels import Channels
from workers.daemon.clock import Clock
from workers.daemon.decide import BATCH, Decided, Partition
from workers.daemon.doubt import Doubt
from workers.daemon.inbound import read_channel
from workers.daemon.leadership import Duties
from workers.daemon.log import open_log
from workers.daemon.logging import place
from workers.daemon.metrics import Metrics
from workers.daemon.outbound import Outbound
from workers.daemon.single_writer import lock
from workers.daemon.timekeeper import Timekeeper
from workers.http.api.app import api
from workers.http.body_limit import Bodies
from workers.http.console.pages import console
from workers.http.front_door import front_door
from workers.http.listening import Listening, raise_limit
from workers.http.livechat.page import LiveChat
from workers.http.operations import operations
from workers.http.readiness import Readiness
from workers.http.slow_client_guard import Connection, shortage

__all__ = ["Daemon"]

_log = structlog.get_logger()
_POLL = 1.0
_BALANCE = 3.0
#: Seconds after which a thread that decides lets the event loop have its turn: an answer waits for several of them.
_TURN = 0.0005
#: The parts that end by themselves, with what they have begun, when the daemon drains.
_ENDING = ("decide", "balance")


class _Server(uvicorn.Server):
    """A server that leaves signals to the daemon."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


class Daemon:
    """One node. `started` is set when it takes requests; `address` then says where, `operations` where operators ask.

    A program that passes `now` answers for it; with a `clock` it also passes what its drift is measured by.
    """

    def __init__(
        self, policy: Policy, *, now: Callable[[], datetime] = utc_now, skip: frozenset[str] = frozenset(),
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self.policy = policy
        self.clock = clock or Clock(now)
        self.now = now = self.clock
        self.started = asyncio.Event()
        self.address = ""
        self.operations = ""
        self._skip = skip
        self._stop = asyncio.Event()
        self._draining = asyncio.Event()
        self.metrics = Metrics()
        self.store = Ledger.open(policy)
        self._lock_file = self._lock()
        self._doubt = Doubt(self.clock, self.store.database)
        self.readiness = Readiness(self.store, self.clock)
        self.channels = Channels(policy, self.store.database, now=now, heard=self.clock.heard)
        self.log = open_log(policy, self.store, self.clock.cautious)
        self.duties = Duties(
            Leases(self.store.database, f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
        )
        self._partitions: dict[int, Partition] = {}
        self._resting: dict[int, float] = {}

    def _lock(self) -> int | None:
        """On SQLite the daemon holds a lock file: whoever gets it knows that former holders of leases are dead."""
        if self.store.database.path is None:
            return None
        held = lock(self.store.database)
        if held is None:
            raise ConfigurationError(
                f"Another omnirouter works on {self.store.database.path}; one SQLite file has one daemon. "
                "Stop it, or use PostgreSQL."
            )
        return held

    @property
    def stopping(self) -> bool:
        """Was it asked to stop?"""
        return self._stop.is_set()

    def stop(self) -> None:
        """Finish what is under way and return from `run`."""
        self._stop.set()

    async def run(self) -> None:
        """Run until `stop`. Raises `Unreachable` when the listening address is taken."""
        _ = self.policy.tagger  # built before the first message waits for it
        learned(self.policy.follow_ups.model)
        gc.collect()
        gc.freeze()  # rules, words and statements stay: the collector need not walk through them again and again
        sys.setswitchinterval(_TURN)
        asyncio.get_running_loop().set_exception_handler(shortage())
        await self.store.bell.open()
        with contextlib.suppress(Exception):  # a clock that jumped while nobody worked is known before work begins
            await asyncio.to_thread(self._doubt.check)
        with contextlib.suppress(Exception):  # with the database away, the next start does it
            await asyncio.to_thread(seed, self.store, self.now())
        servers = self._server(), _serving(operations(self.readiness, self.metrics, self.clock))
        parts = [asyncio.create_task(self._renewing(), name="duties")]
        parts += [asyncio.create_task(part, name=name) for name, part in self._parts()]
        serving = asyncio.create_task(self._serve(*servers), name="web")
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
        finally:
            await self._drain(servers, serving, parts)
            stopping.cancel()

    def _parts(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        timekeeper = Timekeeper(self.store, self.metrics, self.clock, self._doubt)
        believed = lambda: self.clock.believed() is not None  # noqa: E731
        outbound = Outbound(self.store, self.channels, self.duties, self.metrics, self.now, believed)
        fetching = Fetching(self.store, self.channels, self.log, self.now)
        parts: list[tuple[str, Coroutine[Any, Any, None]]] = [
            ("decide", self._again("decide", self._decide)),
            ("balance", self._again("balance", self._balance)),
            ("timekeeper", self._again("timekeeper", lambda: self.duties.keep("timekeeper", timekeeper.work))),
            ("outbound", self._again("outbound", outbound.run)),
            ("announced", self._again("announced", lambda: self.duties.keep("announced", fetching.work))),
            ("readiness", self._again("readiness", self.readiness.watch)),
        ]
        for name in self.channels.names():
            if name not in self._skip:
                work = read_channel(name, self.channels, self.log, self.store.database, self.metrics)
                duty = f"channel:{name}"
                parts.append((duty, self._again(duty, partial(self.duties.keep, duty, work))))
        return parts

    async def _again(self, name: str, part: Callable[[], Awaitable[None]]) -> None:
        """Begin a part again when it fails: with a word in the log, after a second."""
        while True:
            try:
                await part()
                return
            except Exception as failure:
                reason = str(failure) if isinstance(failure, OmnirouterError) else type(failure).__name__
                _log.error("part.failed", part=name, reason=reason, at=place(failure))
                await asyncio.sleep(_POLL)

    async def _renewing(self) -> None:
        await self.duties.run()

    async def _balance(self) -> None:
        """Own this node's share of the partitions: take free ones, give surplus back; until the end."""
        while not self._draining.is_set():
            share = self.duties.share(self.log.partitions)
            for number in range(self.log.partitions):
                if len(self._partitions) >= share or self._draining.is_set():
                    break
                if number not in self._partitions:
                    await self._own(number)
            while len(self._partitions) > share:
                await self._give_back(max(self._partitions))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._draining.wait(), _BALANCE)

    async def _own(self, number: int) -> None:
        lease = await self.duties.take(f"partition:{number}")
        if lease is None:
            return
        try:
            opened = await asyncio.to_thread(Partition, self.store, self.channels, number, lease.fence)
        except BaseException:
            await self.duties.give_back(f"partition:{number}")
            raise
        self._partitions[number] = opened

    async def _give_back(self, number: int) -> None:
        partition = self._partitions.pop(number, None)
        if partition is not None:
            with contextlib.suppress(OmnirouterError):
                await asyncio.to_thread(partition.give_back)
        await self.duties.give_back(f"partition:{number}")

    async def _decide(self) -> None:
        """Decide what the log holds behind the cursors, a batch a partition in turn; sleep on the bell."""
        while not self._draining.is_set():
            some, rings = 0, self.store.bell.rings
            ends = await self._ends()
            for partition in list(self._partitions.values()):
                if self._draining.is_set():
                    return
                if ends is None or ends.get(partition.number, 0) > partition.position:
                    some += await self._decide_one(partition)
            if not some:
                await self.store.bell.wait(_POLL, rings)

    async def _ends(self) -> dict[int, int] | None:
        """Where the log's partitions end; None while the database does not say: then each is looked at, and tells."""
        try:
            return await asyncio.to_thread(self.log.ends)
        except Exception:
            return None

    async def _decide_one(self, partition: Partition) -> int:
        if f"partition:{partition.number}" not in self.duties.held:
            self._partitions.pop(partition.number, None)
            return 0
        if self._resting.get(partition.number, 0.0) > asyncio.get_running_loop().time():
            return 0
        try:
            decided = await asyncio.to_thread(self._decide_next, partition)
        except LostOwnership:
            self._partitions.pop(partition.number, None)
            await self.duties.give_back(f"partition:{partition.number}")
            return 0
        except Exception as failure:
            away = is_transient(failure)
            word = _log.warning if away else _log.error
            what = "decide.database_away" if away else "decide.failed"
            reason = str(failure) if isinstance(failure, OmnirouterError) else type(failure).__name__
            word(what, partition=partition.number, reason=reason, at=place(failure))
            self._resting[partition.number] = asyncio.get_running_loop().time() + _POLL
            return 0
        for outcome in ("stored", "redelivered", "invalid", "dead"):
            self.metrics.messages.labels(outcome).inc(getattr(decided, outcome))
        if decided.invalid or decided.dead:
            _log.warning("raws.set_aside", partition=partition.number, invalid=decided.invalid, dead=decided.dead)
        return decided.work

    def _decide_next(self, partition: Partition) -> Decided:
        """Read what lies behind a partition's cursor and decide it. Blocking."""
        entries = self.log.read_next(partition.number, partition.position, BATCH)
        return partition.decide(entries, self.clock.cautious)

    def _server(self) -> uvicorn.Server:
        parts = (self.store, self.channels, self.log, self.metrics, self.now)
        bodies = Bodies()
        desk = [Mount("/api", api(self.store, self.now, self._stop)), *console()]
        pages = [*LiveChat(*parts, self._stop, bodies).routes, *desk]
        return _serving(front_door(*parts, extra=pages, bodies=bodies))

    async def _serve(self, server: uvicorn.Server, operators: uvicorn.Server) -> None:
        web = self.policy.web
        serving = [(server, _listening(web.host, web.port, "web.listen"))]
        self.address = _address(serving[0][1])
        try:
            serving.append((operators, _listening(*web.operations, "web.operations")))
            self.operations = _address(serving[1][1])
        except Unreachable as failure:
            if web.operations_named:
                serving[0][1].close()
                raise
            _log.warning("operations.left_out", reason=str(failure))  # nobody named it: another daemon may have it
        self.started.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*(one.serve([listening]) for one, listening in serving))

    async def _drain(
        self, servers: tuple[uvicorn.Server, ...], serving: asyncio.Task[None], parts: list[asyncio.Task[None]]
    ) -> None:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
        self._draining.set()
        self.store.bell.ring()
        for part in parts:
            if part.get_name() not in _ENDING:
                part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await self.log.close()
        with contextlib.suppress(Exception):
            for number in list(self._partitions):
                await self._give_back(number)
            await self.duties.release_all()
        await self.channels.close()
        await self.store.bell.close()
        self.readiness.close()
        self.store.close()
        if self._lock_file is not None:
            os.close(self._lock_file)


def _serving(app: Any) -> uvicorn.Server:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=20, server_header=False,
        http=Connection, proxy_headers=False,  # whose client speaks, `workers.http.hosts` finds out
    )  # fmt: skip
    return _Server(config)


def _listening(host: str, port: int, key: str) -> socket.socket:
    """A socket on this address. Raises `Unreachable` when it is taken."""
    listening = Listening(socket.AF_INET6 if ":" in host else socket.AF_INET, raise_limit())
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as failure:
        listening.close()
        raise Unreachable(
            f"{key}: {host}:{port} cannot be used ({failure.strerror}); choose another port."
        ) from failure
    return listening


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{host}:{port}"
