"""How long do people wait for a list, with many conversations open?

Two desks stand side by side, a small one and one with `messages` conversations that wait (`workers.lab.bench.copies`;
taken in live, so that each has running clocks). What agents and the daemon read all day is asked of both in turn: the
queues as `omnirouter queues` shows them, the counts, a page of 50 over all queues from the front and from the middle,
one conversation, the timekeeper's look. Milliseconds of the clock, the best of several rounds (what else the machine
does only adds to it); and by how much the memory of this process grew meanwhile.
"""

from __future__ import annotations

import contextlib
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from router.desk import Arrival, take_in
from router.desk.duties.due import next_wake_at, wake
from router.model import Message
from router.policy.values import Policy
from router.ports import Raw
from router.store.database import Database
from router.store.read import queries, queues
from router.store.statement import Tx
from workers.cli.queue import listed
from workers.daemon.channels import Channels
from workers.daemon.decide import BATCH
from workers.lab.bench import copies
from workers.lab.bench.corpus import corpus
from workers.lab.bench.messages import CHANNEL

__all__ = ["bench_reads"]

_FIRST, _SMALL = 2_000, 1_000
_ROUNDS = 15
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def bench_reads(messages: int = 100_000, database: str | None = None) -> list[dict[str, Any]]:
    """Milliseconds of each read with 1,000 and with `messages` conversations waiting, and their ratio.

    `database` names a PostgreSQL database; each desk gets one of its own beside it, which is dropped at the end.
    """
    policy = Policy.load(None)
    _ = policy.tagger
    with tempfile.TemporaryDirectory(prefix="omnirouter-bench-") as folder, contextlib.ExitStack() as opened:
        desks = []
        for n in (min(_SMALL, messages // 10 or 1), messages):
            url = opened.enter_context(copies.beside(database, f"reads_{n}", folder))
            desks.append(opened.enter_context(contextlib.closing(_Desk(policy, url, n))))
        small, large = desks
        for desk in desks:
            desk.round()  # what is read once is at hand afterwards, as all day
            desk.figures.clear()
        held = _memory()
        for _ in range(_ROUNDS):
            for desk in desks:
                desk.round()
        grown = _memory() - held
        rows = [
            {
                "what": what,
                f"{small.waiting} waiting, ms": round(min(few), 2),
                f"{large.waiting} waiting, ms": round(min(large.figures[what]), 2),
            }
            for what, few in small.figures.items()
        ]
        return [*rows, {"what": "memory grew while reading, MB", f"{large.waiting} waiting, ms": round(grown, 1)}]


class _Desk:
    """One desk, and how long each read took: milliseconds, a figure a round."""

    def __init__(self, policy: Policy, url: str, waiting: int) -> None:
        self._store = copies.empty(policy, url)
        self._take_in(min(_FIRST, 2 * waiting))
        self._names = list(policy.queues)
        copies.fill(self._store.database, copies.stored(self._store.database) * waiting // max(1, self._count()))
        self.waiting = self._count()
        self.figures: dict[str, list[float]] = {}
        with self._store.database.read() as tx:
            self._half = self._middle(tx)
            page = queues.page(tx, self._names, cursor=self._half)
        self._number = page.conversations[0].number if page.conversations else 0

    def close(self) -> None:
        """Close the ledger."""
        self._store.close()

    def _take_in(self, mails: int) -> None:
        channels, now = Channels(self._store.policy, self._store.database), datetime.now(UTC)
        raws = [Raw(channel=CHANNEL, body=body, received_at=now) for body in corpus(mails)]
        said = [what for raw in raws for what in channels.translate(raw)]
        arrivals = [Arrival(what=m, received_at=m.sent_at) for m in said if isinstance(m, Message)]
        for start in range(0, len(arrivals), BATCH):
            part = arrivals[start : start + BATCH]
            take_in(self._store, part, max(one.received_at for one in part))

    def _count(self) -> int:
        return sum(waits for waits, _ in queues.sizes(self._store.database).values())

    def _middle(self, tx: Tx) -> str:
        """A cursor in the midst of the list."""
        cursor, pages = "", self.waiting // queues.MOST // 2
        for _ in range(max(1, pages)):
            cursor = queues.page(tx, self._names, limit=queues.MOST, cursor=cursor).next or cursor
        return cursor

    def round(self) -> None:
        """Each read once."""
        now, database = datetime.now(UTC), self._store.database
        self._timed("queues, 25 of each", lambda: listed(self._store, self._names, now, 25))
        self._timed("counts of each queue", lambda: _in(database, lambda tx: queues.counts(tx, now)))
        self._timed("page of 50, all queues", lambda: _in(database, lambda tx: queues.page(tx, self._names)))
        self._timed(
            "page of 50, in the midst",
            lambda: _in(database, lambda tx: queues.page(tx, self._names, cursor=self._half)),
        )
        self._timed("show", self._show)
        self._timed("next of a queue", lambda: _in(database, lambda tx: list(islice(self._next(tx), 1))))
        self._timed("timekeeper, nothing due", lambda: (wake(self._store, _LONG_AGO), next_wake_at(self._store)))

    def _next(self, tx: Tx) -> Any:
        return queues.waiting(tx, self._names[0])

    def _show(self) -> None:
        database = self._store.database
        _in(database, lambda tx: queries.links_of(tx, [queries.conversation(tx, self._number).number]))
        queries.messages_of(database, self._number)
        queries.events_of(database, self._number)

    def _timed(self, what: str, work: Callable[[], Any]) -> None:
        began = time.perf_counter()
        work()
        self.figures.setdefault(what, []).append((time.perf_counter() - began) * 1e3)


def _in(database: Database, work: Callable[[Tx], Any]) -> Any:
    with database.read() as tx:
        return work(tx)


def _memory() -> float:
    """The most that this process ever had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
