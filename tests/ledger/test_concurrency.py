"""Two nodes on one ledger at the same moment, and a command beside a busy daemon: nothing is lost, nobody starves."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from router.desk.acts import conversation as acts
from router.store import Database, schema
from router.store import tables as t

HERE = Path(__file__).parent


class Node:
    """A process that works in rounds when told."""

    def __init__(self, url: str, work: str, argument: str) -> None:
        command = [sys.executable, str(HERE / "second_node.py"), url, work, argument]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def begin(self) -> None:
        """Begin a round."""
        self._in.write("go\n")
        self._in.flush()

    def ended(self) -> bool:
        """Wait until the process says so: it is ready, or its round is done."""
        return self._out.readline() in ("ready\n", "done\n")

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        self._in.close()
        self._out.close()
        if self._process.wait(timeout=120) != 0:
            raise AssertionError("the node failed")


@pytest.fixture(scope="module")
def node_module() -> ModuleType:
    """What the nodes write, for comparison."""
    spec = importlib.util.spec_from_file_location("second_node", HERE / "second_node.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shared(postgresql: Any) -> Iterator[Database]:
    """A fresh ledger on PostgreSQL."""
    made = Database(postgresql.fresh())
    schema.ensure(made)
    yield made
    made.close()


def _url(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def _rows(database: Database, name: str) -> list[dict[str, Any]]:
    with database.engine.connect() as connection:
        return [dict(row) for row in connection.execute(t.metadata.tables[name].select()).mappings()]


def _deadlocks(database: Database) -> int:
    with database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_stat_clear_snapshot()")
        told = connection.exec_driver_sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(told.scalar_one())


def _in_step(url: str, work: str, arguments: tuple[str, str], rounds: int) -> None:
    with ExitStack() as stack:
        nodes = [stack.enter_context(Node(url, work, argument)) for argument in arguments]
        assert all(node.ended() for node in nodes)
        for _ in range(rounds):
            for node in nodes:
                node.begin()
            assert all(node.ended() for node in nodes)


def test_a_customer_who_writes_by_two_channels_at_once_has_one_conversation(
    shared: Database, node_module: ModuleType
) -> None:
    """2,000 pairs of messages, each by chat and by mail at the same moment, to two nodes: one contact and one
    conversation a customer, every message counted, nothing deadlocked."""
    rounds = 10
    _in_step(_url(shared), "turns", ("app-chat", "support-mail"), rounds)
    messages, conversations = _rows(shared, "messages"), _rows(shared, "conversations")
    customers = node_module.CUSTOMERS
    assert len(messages) == len(_rows(shared, "decisions")) == 2 * rounds * customers
    assert len(conversations) == customers
    assert len([row for row in _rows(shared, "contacts") if not row["joined_into"]]) == customers
    of: dict[int, list[dict[str, Any]]] = {}
    for message in messages:
        of.setdefault(message["conversation"], []).append(message)
    for conversation in conversations:
        mine = of[conversation["number"]]
        assert conversation["messages"] == len(mine) == 2 * rounds
        waited = min(m["sent_at"] for m in mine) + timedelta(minutes=2)
        chasing = [m for m in mine if m["class"] in ("chaser", "resend", "cross_channel")]
        assert conversation["chases"] == sum(m["realm"] == "mail" or m["sent_at"] >= waited for m in chasing) > rounds
        assert conversation["waiting_since"] == min(m["sent_at"] for m in mine)
        assert conversation["last_message_at"] == max(m["sent_at"] for m in mine)
        assert sorted(json.loads(conversation["channels"])) == ["app-chat", "support-mail"]
    received = Counter(e["message"] for e in _rows(shared, "events") if e["type"] == "message.received")
    assert set(received.values()) == {1}
    assert len(received) == len(messages)
    assert _deadlocks(shared) == 0


def test_one_mail_by_two_mailboxes_at_once_is_stored_once(shared: Database, node_module: ModuleType) -> None:
    """500 mails reach two mailboxes read by two nodes at the same moment: stored once, both mailboxes known."""
    _in_step(_url(shared), "mailbox", ("support-mail", "sales-mail"), 5)
    messages = _rows(shared, "messages")
    assert len(messages) == len({m["external_id"] for m in messages}) == 5 * node_module.MAILS
    conversations = _rows(shared, "conversations")
    assert {row["messages"] for row in conversations} == {1}
    assert {tuple(sorted(json.loads(row["channels"]))) for row in conversations} == {("sales-mail", "support-mail")}
    assert sum(row["count"] for row in _rows(shared, "redeliveries")) == len(messages)
    assert _deadlocks(shared) == 0


def test_a_command_gets_its_turn_beside_a_busy_daemon(tmp_path: Path, node_module: ModuleType) -> None:
    """While another process writes to the SQLite file without a pause, every note of a person is written, in order."""
    url = f"sqlite:///{tmp_path}/desk.db"
    schema.ensure(Database(url))
    store = node_module.opened(url)
    node_module.take(store, [node_module.written("app-chat", 1, 0)])
    (conversation,) = _rows(store.database, "conversations")
    with Node(url, "stream", "app-chat") as busy:
        assert busy.ended()
        rounds, notes = 0, 0
        while rounds < 3:
            busy.begin()
            for _ in range(5):
                acts.note(store, conversation["number"], f"note {notes}", agent="li", now=node_module.NOON)
                notes += 1
            assert busy.ended()
            rounds += 1
    written = [row for row in _rows(store.database, "messages") if row["direction"] == "note"]
    assert [row["text"] for row in sorted(written, key=lambda row: row["number"])] == [
        f"note {i}" for i in range(notes)
    ]
    assert len(_rows(store.database, "messages")) == 1 + notes + rounds * 1000
    store.close()
