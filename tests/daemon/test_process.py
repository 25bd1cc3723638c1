"""From the log to the ledger: what is broken is set aside by itself, and everything around it flows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from platforms.node import CONFIGURATION, NOW, Node

from router.desk import Ledger, take_in
from router.errors import LostOwnership
from router.policy.load import from_text
from router.policy.values import Policy
from router.store import tables as t
from workers.daemon import decide
from workers.daemon.decide import ATTEMPTS, BATCH, LAST, MESSAGES, Partition

HERE = Path(__file__).parent


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> Policy:
    """A desk with the fragile channel."""
    monkeypatch.syspath_prepend(HERE)
    return from_text(CONFIGURATION, folder=HERE)


@pytest.fixture
def node(ledger_url: str, policy: Policy) -> Iterator[Node]:
    """A node on a fresh ledger."""
    made = Node(ledger_url, policy)
    yield made
    made.store.close()


class _Transactions:
    """Counts what `take_in` is asked, and lets a test break it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.breaks: Exception | None = None
        monkeypatch.setattr(decide, "take_in", self._decide)

    def _decide(self, ledger: Ledger, arrivals: Sequence[Any], now: datetime, **more: Any) -> Any:
        self.sizes.append(len(arrivals))
        if self.breaks is not None:
            raise self.breaks
        return take_in(ledger, arrivals, now, **more)


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> _Transactions:
    """The transactions of the node's store."""
    return _Transactions(monkeypatch)


async def test_a_raw_that_cannot_be_translated_is_set_aside_alone(node: Node) -> None:
    """Junk and an adapter's defect are invalid, each with its reason; the raws around them are decided together."""
    places = await node.append("u-1 转账没到账", "u-2 a\n!junk", "!bug secret words", "u-3 忘记密码")
    partition = node.own()
    decided = node.decide(partition)
    assert (decided.read, decided.stored, decided.invalid, decided.dead) == (4, 2, 2, 0)
    assert node.texts() == ["忘记密码", "转账没到账"]
    assert node.aside() == [
        (places[1], 1, "invalid", "it is junk"),
        (places[2], 0, "invalid", "translating it failed: RuntimeError"),
    ]
    assert node.cursor() == partition.position == places[-1]


@pytest.mark.parametrize(
    ("broken", "where"), [("!void", [0, 500, 999]), ("!odd", [999])], ids=["the decision fails", "the database refuses"]
)
async def test_the_culprit_is_found_inside_a_raw_of_a_thousand(node: Node, broken: str, where: list[int]) -> None:
    """One message that cannot be decided is named by raw and item; the 999 others of its raw are decided."""
    lines = [f"u-{i} 第{i}笔转账没到账" for i in range(1000)]
    for place in where:
        lines[place] = f"{broken} nothing"
    before, raw, after = await node.append("u-1 before", "\n".join(lines), "u-1 after")
    decided = node.decide(node.own())
    assert (decided.stored, decided.dead, decided.invalid) == (1002 - len(where), len(where), 0)
    assert [(position, item, kind) for position, item, kind, _ in node.aside()] == [(raw, i, "dead") for i in where]
    assert all(reason.startswith("it cannot be decided: ") for *_, reason in node.aside())
    of_raws = Counter(row["raw_position"] for row in node.rows("messages"))
    assert of_raws == {before: 1, raw: 1000 - len(where), after: 1}
    assert node.cursor() == after


async def test_hundreds_of_dead_ones_are_found_by_halving(node: Node, transactions: _Transactions) -> None:
    """A raw of which every third message is broken is decided with a bounded effort (one by one: 25,000 decisions)."""
    lines = [f"u-{i} 转账没到账" if i % 3 else "!void nothing" for i in range(300)]
    await node.append("\n".join(lines))
    decided = node.decide(node.own())
    assert (decided.stored, decided.dead) == (200, 100)
    assert sum(transactions.sizes) < 5000


async def test_a_raw_of_very_many_messages_is_decided_in_pieces(node: Node, transactions: _Transactions) -> None:
    """No transaction holds more than a bound, whatever one request brought; each message is decided once, in order."""
    bodies = ["\n".join(f"u-{k} 第{i}.{k}笔" for k in range(450)) for i in range(3)]
    await node.append("u-1 转账", *bodies, "u-2 转账")
    decided = node.decide(node.own())
    assert max(transactions.sizes) <= MESSAGES
    assert (decided.read, decided.stored) == (5, 1352)
    assert _said(node) == ["转账", *(f"第{i}.{k}笔" for i in range(3) for k in range(450)), "转账"]


@pytest.mark.parametrize("dirty", [False, True])
async def test_a_flood_lets_others_go_between(node: Node, dirty: bool) -> None:
    """Requests of many messages are not decided in one go: a stop, or another partition, need not wait."""
    await node.append(*("\n".join(f"u-{k} 第{i}.{k}笔" for k in range(400)) for i in range(3)))
    partition = node.own()
    partition = node.own() if dirty else partition
    turns = []
    while entries := node.log.read_now(node.number, partition.position, BATCH):
        turns.append(partition.decide(entries, lambda: NOW))
    assert all(0 < turn.stored <= MESSAGES for turn in turns)
    assert all(turn.work for turn in turns)
    assert (sum(turn.read for turn in turns), sum(turn.stored for turn in turns)) == (3, 1200)


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("killed", [False, True])
async def test_another_node_goes_on_inside_a_raw(
    node: Node, pieces: int, killed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes over in the middle of a large request decides the rest of it, and nothing twice: also when the former
    owner died with a piece half written. A part that cannot be decided is listed once, under its own index."""
    lines = [f"u-{k} 第{k}笔" if k != 130 else "!void nothing" for k in range(400)]
    _, last = await node.append("\n".join(lines), "u-1 到了吗")
    former = node.own()
    for _ in range(pieces):
        entries = node.log.read_now(node.number, former.position, BATCH)
        former.decide(entries, lambda: NOW)
    if killed:
        monkeypatch.setattr(node.store, "move", _die)
        with pytest.raises(KeyboardInterrupt):
            former.decide(node.log.read_now(node.number, former.position, BATCH), lambda: NOW)
        monkeypatch.undo()
    node.decide(node.own())
    assert _said(node) == [*(f"第{k}笔" for k in range(400) if k != 130), "到了吗"]
    assert [(item, kind) for _, item, kind, _ in node.aside()] == [(130, "dead")]
    assert node.cursor() == last
    with pytest.raises(LostOwnership):
        former.decide(entries, lambda: NOW)


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def _said(node: Node) -> list[str]:
    """What was said, in the order in which it was decided."""
    return [row["text"] for row in sorted(node.rows("messages"), key=lambda row: row["number"])]


async def test_a_partition_left_dirty_goes_in_single_steps(node: Node, transactions: _Transactions) -> None:
    """Whoever takes over from a node that died decides raw by raw; from one that stopped in order, by the batch."""
    await node.append(*(f"u-{i} 转账" for i in range(7)))
    node.decide(node.own())
    assert transactions.sizes == [7]
    await node.append(*(f"u-{i} 还没到" for i in range(7)))
    second = node.own()
    node.decide(second)
    assert transactions.sizes == [7] + [1] * 7
    second.give_back()
    await node.append(*(f"u-{i} 到了吗" for i in range(7)))
    node.decide(node.own())
    assert transactions.sizes == [7] + [1] * 7 + [7]


async def test_single_steps_end(node: Node, transactions: _Transactions) -> None:
    """After as many single steps as a batch can hold, batches are taken again."""
    await node.append("u-1 hello")
    node.own()
    dirty = node.own()
    await node.append(*(f"u-{i % 9} 第{i}" for i in range(2 * BATCH)))
    node.decide(dirty)
    assert transactions.sizes[:BATCH] == [1] * BATCH
    assert len(transactions.sizes) < BATCH + 5
    assert len(node.texts()) == 2 * BATCH + 1


_PROGRAM = """
import sys
from platforms.node import CONFIGURATION, Node
from router.policy.load import from_text
from pathlib import Path
HERE = Path(sys.argv[4])
node = Node(sys.argv[1], from_text(CONFIGURATION, folder=HERE), name=sys.argv[2])
node.number = int(sys.argv[3])
partition = node.own()
node.decide(partition)
partition.give_back()
node.store.close()
"""


def _run(url: str, name: str, number: int) -> int:
    """One life of a node in a process of its own; its exit code."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(HERE), str(HERE.parent)))}
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, url, name, str(number), str(HERE)], env=environment, check=False, timeout=120
    ).returncode


async def test_a_message_that_ends_the_process_is_dead_after_three_attempts(node: Node, ledger_url: str) -> None:
    """The raw that takes the process down each time is found and set aside; all others are decided exactly once."""
    places = await node.append("u-1 before", "u-2 also before", "!die", "u-3 after", "u-4 long after")
    lives = []
    while not lives or lives[-1] != 0:
        lives.append(_run(ledger_url, f"life {len(lives)}", node.number))
        assert len(lives) < 10
    assert lives == [9] * (1 + ATTEMPTS) + [0]
    assert node.aside() == [(places[2], 0, "dead", f"deciding it ended the process {ATTEMPTS} times")]
    assert node.texts() == ["after", "also before", "before", "long after"]
    assert node.cursor() == places[-1]
    assert not next(row["dirty"] for row in node.rows("positions") if row["partition"] == node.number)


async def _killed_during(node: Node, times: int) -> int:
    """A message whose decision was under way each time when somebody killed the process; where it lies."""
    (place,) = await node.append("u-1 转账没到账")
    node.own()
    with node.store.database.engine.begin() as connection:
        row = t.positions.update().where(t.positions.c.partition == node.number)
        connection.execute(row.values(attempt_position=place, attempts=times))
    return place


@pytest.mark.parametrize("times", [ATTEMPTS, LAST - 1])
async def test_a_message_that_was_only_there_at_every_kill_is_decided(node: Node, times: int) -> None:
    """Three kills in the same moment prove nothing: it is read once in a process of its own, which lives."""
    await _killed_during(node, times)
    decided = node.decide(node.own())
    assert (decided.stored, decided.dead, node.aside()) == (1, 0, [])


async def test_so_many_ends_are_proof(node: Node) -> None:
    """Reading it harms nobody, but deciding it has ended the process ten times: it is set aside, and others flow."""
    place = await _killed_during(node, LAST)
    await node.append("u-2 after")
    decided = node.decide(node.own())
    assert (decided.stored, decided.dead) == (1, 1)
    assert node.aside() == [(place, 0, "dead", f"deciding it ended the process {LAST} times")]


async def test_a_database_that_is_away_is_no_attempt(node: Node, transactions: _Transactions) -> None:
    """However often the connection breaks while a raw is decided in single steps, the raw is not dead for it."""
    import psycopg

    await node.append("u-1 转账没到账")
    node.own()
    partition = node.own()
    transactions.breaks = psycopg.OperationalError("the connection is lost")
    for _ in range(3 * ATTEMPTS):
        with pytest.raises(psycopg.OperationalError):
            node.decide(partition)
    transactions.breaks = None
    decided = node.decide(partition)
    assert (decided.stored, decided.dead) == (1, 0)


async def test_a_full_disk_is_nobodys_fault(tmp_path: Path, policy: Policy) -> None:
    """While the disk is full nothing is decided and nothing set aside; with room again everything is decided."""
    node = Node(f"sqlite:///{tmp_path}/full.db", policy)
    await node.append(*(f"u-{i} " + "转账没到账" * 2000 for i in range(20)))
    partition = node.own()
    with node.store.database.write() as tx:
        tx._cursor.execute("PRAGMA page_count")
        (pages,) = tx._cursor.fetchone()
        tx._cursor.execute(f"PRAGMA max_page_count={pages}")
        tx._cursor.fetchall()
    for _ in range(3):
        with pytest.raises(Exception, match="full"):
            node.decide(partition)
    assert node.rows("set_aside") == []
    assert node.texts() == []
    with node.store.database.write() as tx:
        tx._cursor.execute("PRAGMA max_page_count=1000000")
        tx._cursor.fetchall()
    assert (node.decide(partition).stored, node.rows("set_aside")) == (20, [])
    node.store.close()


async def test_bytes_that_rotted_are_set_aside(node: Node) -> None:
    """A raw whose sealed bytes were changed is invalid with its reason; it stops nobody."""
    places = await node.append("u-1 one", "u-2 two", "u-3 three")
    with node.store.database.engine.begin() as connection:
        raws, c = t.raws, t.raws.c
        body = connection.execute(raws.select().where(c.position == places[1])).mappings().one()["body"]
        rotten = bytes(body)[:-1] + bytes([bytes(body)[-1] ^ 1])
        connection.execute(raws.update().where(c.position == places[1]).values(body=rotten))
    decided = node.decide(node.own())
    assert (decided.stored, decided.invalid) == (2, 1)
    assert [(position, kind) for position, _, kind, _ in node.aside()] == [(places[1], "invalid")]
    assert "damaged" in node.aside()[0][3]


async def test_a_raw_without_its_bytes_is_set_aside_and_an_empty_one_is_not(node: Node) -> None:
    """What lost its bytes before it was decided is seen by a person; what arrived without a byte is translated like
    the rest."""
    places = await node.append("u-1 one", "u-2 two", b"\n")
    with node.store.database.engine.begin() as connection:
        connection.execute(t.raw_keys.delete().where(t.raw_keys.c.position == places[0]))
    await node.append(b"")
    entries = node.log.read_now(node.number, 0, 10)
    assert [entry.unreadable for entry in entries] == ["erased", "", "", ""]
    decided = node.decide(node.own())
    assert decided.read == 4
    assert (places[0], 0, "invalid", "its bytes were gone before it was decided") in node.aside()
    assert "two" in node.texts()


async def test_history_and_live_raws_are_decided_apart(node: Node, transactions: _Transactions) -> None:
    """Recorded messages in the same partition tell nobody; the live ones around them do."""
    await node.append("u-1 live one")
    await node.append("u-2 recorded", "u-3 recorded", history=True)
    await node.append("u-4 live two")
    node.decide(node.own())
    assert transactions.sizes == [1, 2, 1]
    assert {row["text"]: bool(row["history"]) for row in node.rows("messages")} == {
        "live one": False,
        "recorded": True,
        "live two": False,
    }


async def test_a_node_that_lost_its_lease_writes_nothing(node: Node) -> None:
    """A node that slept while another took over neither decides, nor counts attempts, nor says that all is clean."""
    await node.append("u-1 转账没到账")
    asleep = node.own()
    awake = node.own()
    with pytest.raises(LostOwnership):
        node.decide(asleep)
    with pytest.raises(LostOwnership):
        asleep.give_back()
    row = next(row for row in node.rows("positions") if row["partition"] == node.number)
    assert (row["dirty"], row["attempts"], node.texts()) == (True, 0, [])
    assert node.decide(awake).stored == 1
    with pytest.raises(LostOwnership):
        node.decide(asleep)
    assert node.texts() == ["转账没到账"]


async def test_a_cursor_that_moved_meanwhile_stops_the_node(node: Node) -> None:
    """Two owners under one lease (a bug, a restored backup) cannot both decide a raw."""
    await node.append("u-1 转账没到账")
    lease = node.own()
    twin = Partition(node.store, node.channels, node.number, lease.fence)
    node.decide(lease)
    with pytest.raises(LostOwnership):
        twin.decide(node.log.read_now(node.number, 0, 10), lambda: NOW)
    assert len(node.rows("messages")) == len(node.rows("decisions")) == 1
