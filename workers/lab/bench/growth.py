"""Does a message cost the same however much is stored?

Ledgers of several sizes stand side by side (`workers.lab.bench.copies`), and fresh mails go into one after the other,
round by round, so that each ratio is of one run. Twice measured: recorded mails in batches, end to end; and chat
messages one at a time, as a live desk has them (read, decide, commit), with the statements of one. CPU is this
process's own: of PostgreSQL the client's.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from router.desk import Arrival
from router.desk import take_in as taken_in
from router.model import Message, Sender
from router.policy.values import Policy
from workers.daemon.channels import Channels
from workers.lab.bench import copies
from workers.lab.bench.corpus import corpus
from workers.lab.bench.messages import take_in

__all__ = ["bench_growth", "chats"]

_FIRST = 2_000
_ROUNDS, _FRESH, _SINGLE = 5, 500, 150
_LINES = (
    "转账2000一直没到账", "你好 在吗", "账户被冻结了怎么解冻", "I was charged twice for one order", "还没处理好吗",
    "充值失败但是扣钱了 订单号 TP2026%08d", "收到，谢谢", "登录一直提示密码错误", "Where is my refund",
    "补充一下，是尾号3310的卡",
)  # fmt: skip


def bench_growth(messages: int = 100_000, database: str | None = None) -> list[dict[str, Any]]:
    """CPU a message at 10,000 stored and at `messages` (and at 100,000 between them), with ratios to the first.

    `database` names a PostgreSQL database; each size gets one of its own beside it, which is dropped at the end.
    """
    sizes = sorted({*(n for n in (10_000, 100_000) if n < messages), messages})
    policy = Policy.load(None)
    _ = policy.tagger
    with tempfile.TemporaryDirectory(prefix="omnirouter-bench-") as folder, contextlib.ExitStack() as opened:
        desks = []
        for n in sizes:
            url = opened.enter_context(copies.beside(database, f"growth_{n}", folder))
            desks.append(opened.enter_context(contextlib.closing(_Desk(policy, url, n))))
        for number in range(_ROUNDS + 1):
            for desk in desks if number % 2 else reversed(desks):
                desk.round(number)
        return [desk.row(desks[0]) for desk in desks]


class _Desk:
    """One ledger, and what was measured on it: CPU microseconds a message, a figure a round."""

    def __init__(self, policy: Policy, url: str, stored: int) -> None:
        self._store = copies.empty(policy, url)
        self._channels = Channels(policy, self._store.database)
        self._fresh = min(_FRESH, stored)
        self._take_in(list(corpus(min(_FIRST, stored))))
        began = time.perf_counter()
        self._stored = copies.fill(self._store.database, stored)
        self._filled = time.perf_counter() - began
        self._batches: list[float] = []
        self._singles: list[float] = []
        self._statements: list[float] = []

    def close(self) -> None:
        """Close the ledger."""
        self._store.close()

    def round(self, number: int) -> None:
        """Fresh mails in batches, then chat messages one at a time. The first round only warms up."""
        batch = self._take_in(list(corpus(self._fresh, seed=100 + number)))
        single, statements = self._chat(number)
        if number:
            self._batches.append(batch)
            self._singles.append(single)
            self._statements.append(statements)

    def row(self, first: _Desk) -> dict[str, Any]:
        """What came of it; the ratio is the median of the rounds' own ratios."""
        return {
            "stored": self._stored,
            "CPU us/mail": round(statistics.median(self._batches)),
            "of the smallest": f"{_ratio(self._batches, first._batches):.2f} x",
            "chat, one at a time, CPU us": round(statistics.median(self._singles)),
            "of the smallest, chat": f"{_ratio(self._singles, first._singles):.2f} x",
            "statements a message": round(statistics.median(self._statements), 1),
            "database MB": copies.size(self._store.database),
            "filled in s": round(self._filled, 1),
        }

    def _take_in(self, mails: Sequence[bytes]) -> float:
        return take_in(self._store, self._channels, mails)[0] / len(mails) * 1e6

    def _chat(self, number: int) -> tuple[float, float]:
        """CPU and statements of one chat message that is decided by itself."""
        said = list(chats(number))
        counted = self._store.database.statements
        cpu = time.process_time()
        for message in said:
            taken_in(self._store, [Arrival(what=message, received_at=message.sent_at)], message.sent_at)
        cpu = time.process_time() - cpu
        return cpu / len(said) * 1e6, (self._store.database.statements - counted) / len(said)


def _ratio(of: Sequence[float], to: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(of, to, strict=True))


def chats(number: int, messages: int = _SINGLE) -> Iterator[Message]:
    """A few customers who write in turn, as a chat desk hears them; another round, other customers."""
    at = datetime(2026, 3, 2, 2, tzinfo=UTC) + timedelta(days=number)
    for n in range(messages):
        line = _LINES[(n * 7 + n // 20) % len(_LINES)]
        yield Message(
            external_id=f"m-{number}-{n}", channel="app-chat", channel_kind="webhook", thread=f"c-{number}-{n % 20}",
            sent_at=at + timedelta(seconds=15 * n), sender=Sender(handle=f"u-{number}-{n % 20}"),
            text=line % (number * 1000 + n) if "%" in line else line,
        )  # fmt: skip
