"""A node in a process of its own, for tests of two nodes on one ledger: `python second_node.py URL WORK ARGUMENT`.

It says `ready`, then does one round of its work for each line that it reads, and answers `done`; it ends with its
input.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from router.desk import Arrival, Ledger, take_in
from router.model import Authenticity, Message, Sender
from router.policy.load import from_text, preset_text
from router.seal import Sealer
from router.store import Database

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
CUSTOMERS, PER_BATCH, MAILS = 200, 5, 100


def opened(url: str) -> Ledger:
    """The store of a node."""
    return Ledger(Database(url), from_text(preset_text("wallet"), folder=Path()), Sealer(b"k" * 32))


def words(customer: int, turn: int) -> str:
    """What a customer writes: the matter first, then that he still waits."""
    return f"订单 TP20260301{customer:05} 转账2000没到账" if turn == 0 else f"还没到账吗？第{turn}次问了"


def written(channel: str, customer: int, turn: int) -> Message:
    """The message of a customer's turn by one of his two channels; the chat proves his mail address."""
    address = f"c{customer}@example.net"
    common: dict[str, Any] = {"sent_at": NOON + timedelta(minutes=turn), "text": words(customer, turn)}
    if channel == "app-chat":
        sender = Sender(handle=f"u-{customer}", verified={"email": address})
        return Message(external_id=f"t{turn}", channel=channel, channel_kind="webhook", sender=sender, **common)
    return Message(
        external_id=f"{customer}.{turn}@example.net", channel=channel, channel_kind="email", realm="mail",
        sender=Sender(handle=address), authenticity=Authenticity.PASS, **common,
    )  # fmt: skip


def mail(number: int, channel: str) -> Message:
    """A mail that went to two mailboxes."""
    return Message(
        external_id=f"both-{number}@example.net", channel=channel, channel_kind="email", realm="mail",
        sent_at=NOON, sender=Sender(handle=f"b{number}@example.net"), text=f"充值{number}元没到账",
    )  # fmt: skip


def take(store: Ledger, messages: list[Message]) -> None:
    """Decide messages in batches, in order."""
    for start in range(0, len(messages), PER_BATCH):
        batch = messages[start : start + PER_BATCH]
        take_in(store, [Arrival(what=m, received_at=m.sent_at) for m in batch], NOON + timedelta(hours=1))


def turns(store: Ledger, channel: str, turn: int) -> None:
    """All customers write once."""
    take(store, [written(channel, customer, turn) for customer in range(CUSTOMERS)])


def mailbox(store: Ledger, channel: str, turn: int) -> None:
    """All mails of the round arrive at one mailbox."""
    take(store, [mail(turn * MAILS + i, channel) for i in range(MAILS)])


def stream(store: Ledger, channel: str, turn: int) -> None:
    """Full speed: twenty batches of fifty, no pause."""
    for part in range(20):
        arrivals = [
            Arrival(
                what=Message(
                    external_id=f"s{turn}.{part}.{i}", channel=channel, channel_kind="webhook", sent_at=NOON,
                    sender=Sender(handle=f"s-{i}"), text="充值没到账",
                ),
                received_at=NOON,
            )
            for i in range(50)
        ]  # fmt: skip
        take_in(store, arrivals, NOON)


WORK: dict[str, Callable[[Ledger, str, int], None]] = {"turns": turns, "mailbox": mailbox, "stream": stream}


def main(url: str, work: str, argument: str) -> None:
    """Work in rounds, in step with whoever reads our output."""
    store = opened(url)
    _ = store.policy.tagger
    print("ready", flush=True)
    for turn, _line in enumerate(sys.stdin):
        WORK[work](store, argument, turn)
        print("done", flush=True)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
