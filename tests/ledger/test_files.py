"""The files of an SQLite desk are its owner's alone, hold nothing of who was erased, and have one daemon."""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from router import private
from router.desk import Arrival, Ledger, take_in
from router.desk.acts import conversation as acts
from router.desk.erase import erase
from router.errors import ConfigurationError, NotFound, Unreachable
from router.model import Message, Sender
from router.policy.values import Policy
from router.ports import Raw
from router.store import Database, database, schema
from router.store.bell import Bell
from router.store.log import Log
from router.store.turnstile import Turnstile
from workers.daemon.single_writer import alone, lock

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=["umask 000", "umask 022", "umask 777"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """What the process takes away from the mode of each new file."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Ledger]:
    """A desk on a file."""
    opened = Ledger.open(Policy.load(None), url=f"sqlite:///{tmp_path}/desk.db")
    yield opened
    opened.close()


def message(number: int, text: str, handle: str) -> Message:
    return Message(
        external_id=f"m-{number}", channel="app-chat", channel_kind="webhook", sent_at=NOON,
        sender=Sender(handle=handle, name=f"{handle} 陈"), text=text,
    )  # fmt: skip


def test_every_file_is_its_owners_alone(tmp_path: Path, umask: int) -> None:
    """Database, write-ahead log, shared memory, turnstile, daemon's lock, bell and key: mode 600 under any umask."""
    store = Ledger.open(Policy.load(None), url=f"sqlite:///{tmp_path}/desk.db")
    held = lock(store.database)

    def modes_now() -> dict[str, int]:
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    async def live() -> dict[str, int]:
        await store.bell.open()
        log = Log(store.database, store.sealer, 16, bell=store.bell)
        await log.append([Raw(channel="app-chat", body=b"x", received_at=NOON)])
        await log.close()
        modes = modes_now()
        await store.bell.close()
        return modes

    modes = asyncio.run(live())
    assert held is not None
    os.close(held)
    store.close()
    assert modes == dict.fromkeys(
        ["desk.db", "desk.db-wal", "desk.db-shm", "desk.db-turnstile", "desk.db-daemon", "desk.db-bell",
         "omnirouter.key"], 0o600,
    )  # fmt: skip
    assert {path.name for path in store.database.files} == modes.keys() - {"omnirouter.key"}


def test_what_is_written_elsewhere_is_its_owners_alone_too(tmp_path: Path, umask: int) -> None:
    """So are configuration, model, predictions and pictures; a file that is there keeps its mode."""
    private.write(tmp_path / "new", "a")
    (tmp_path / "old").touch()
    (tmp_path / "old").chmod(0o640)
    private.write(tmp_path / "old", "b")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o640
    assert list(private.exposed([tmp_path / "new", tmp_path / "old", tmp_path / "none"])) == [(tmp_path / "old", 0o640)]


def test_nothing_of_who_was_erased_is_left_in_any_file(store: Ledger, tmp_path: Path) -> None:
    """After an erasure no byte of his words, name or address stands in the database or its write-ahead log, however
    often its pages were divided; everybody else's stands."""
    said = [
        message(n, f"第{n}条 转账没到账 {'ZEBRA' if n % 3 else 'OKAPI'}{n:05} " + "细节" * (n % 50), f"h{n % 3}-gnu")
        for n in range(600)
    ]
    for start in range(0, len(said), 50):
        take_in(store, [Arrival(what=m, received_at=NOON) for m in said[start : start + 50]], NOON)
    spoken = take_in(store, [Arrival(what=message(999, "QUAGGA 提现失败", "h1-gnu"), received_at=NOON)], NOON)[0]
    acts.reply(store, spoken.conversation.number, "IMPALA 已为您核实", agent="li", now=NOON)
    for contact in [row[0] for row in rows(store, "SELECT contact FROM handles WHERE address <> 'h0-gnu'")]:
        report = erase(store, contact, NOON, dry_run=False)
        assert (report["compacted"], report["log_emptied"]) == (True, True)
    held = b"".join(path.read_bytes() for path in (tmp_path / "desk.db", tmp_path / "desk.db-wal"))
    assert (tmp_path / "desk.db-wal").stat().st_size == 0
    assert [word for word in (b"ZEBRA", b"QUAGGA", b"IMPALA", b"h1-gnu", b"h2-gnu") if word in held] == []
    assert held.count(b"OKAPI") >= 200


def rows(store: Ledger, sql: str) -> list[Any]:
    with store.database.engine.connect() as connection:
        return list(connection.exec_driver_sql(sql))


def test_whoever_reads_on_is_told_of(store: Ledger) -> None:
    """While another program reads, the write-ahead log cannot be emptied, and the erasure says so."""
    decided = take_in(store, [Arrival(what=message(1, "转账没到账", "u-1"), received_at=NOON)], NOON)[0]
    reader = Database(store.database.url.render_as_string())
    with pytest.MonkeyPatch.context() as patched, reader.engine.connect() as reading:
        patched.setattr(database, "_EMPTY_MS", 10)
        reading.exec_driver_sql("BEGIN")
        reading.exec_driver_sql("SELECT * FROM messages").fetchall()
        report = erase(store, decided.contact.number, NOON, dry_run=False)
    reader.close()
    assert report["log_emptied"] is False


@pytest.mark.parametrize("way", ["symlink", "relative", "folder"])
def test_one_file_has_one_daemon_however_it_is_named(
    store: Ledger, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is that of the file itself: by a link to it, to its folder or by another path it is taken already."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link.db").symlink_to(tmp_path / "desk.db")
    (tmp_path / "folder").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path / "elsewhere")
    named = {"symlink": "link.db", "relative": "../desk.db", "folder": "../folder/desk.db"}[way]
    other = Ledger.open(Policy.load(None), url=f"sqlite:///{named}")
    with alone(store.database) as first, alone(other.database) as second:
        assert (first, second) == (True, False)
    assert other.sealer.mac("a") == store.sealer.mac("a")
    other.close()
    assert not [path for path in (tmp_path / "elsewhere").iterdir() if path.name != "link.db"]


def test_a_file_with_two_names_is_refused(store: Ledger, tmp_path: Path) -> None:
    """A hard link would have a write-ahead log of its own: one sentence, and nothing is touched."""
    os.link(tmp_path / "desk.db", tmp_path / "twin.db")
    twin = Database(f"sqlite:///{tmp_path}/twin.db")
    with pytest.raises(ConfigurationError, match=r"twin\.db has 2 names \(hard links\)"):
        lock(twin)
    twin.close()


def test_a_writer_leaves_a_held_turnstile(store: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence that names the file, instead of waiting for ever; and it takes its turn again when it is free."""
    monkeypatch.setattr(store.database, "_turnstile", Turnstile(tmp_path / "desk.db", 0.05))
    held = os.open(tmp_path / "desk.db-turnstile", os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(Unreachable, match=r"another program holds .*desk\.db-turnstile; find it with: fuser"):
        take_in(store, [Arrival(what=message(1, "转账没到账", "u-1"), received_at=NOON)], NOON)
    os.close(held)
    monkeypatch.undo()
    assert len(take_in(store, [Arrival(what=message(1, "转账没到账", "u-1"), received_at=NOON)], NOON)) == 1


def test_who_only_reads_makes_no_file(tmp_path: Path) -> None:
    """A missing file is told, an empty one is not filled."""
    policy, path = Policy.load(None), tmp_path / "desk.db"
    with pytest.raises(NotFound, match="There is no file"):
        Ledger.open(policy, url=f"sqlite:///{path}", make=False)
    assert list(tmp_path.iterdir()) == []
    path.touch()
    with pytest.raises(Unreachable, match="has no tables yet"):
        Ledger.open(policy, url=f"sqlite:///{path}", make=False)
    made = Database(f"sqlite:///{path}", make=False)
    assert schema.status(made) == "empty"
    made.close()


def test_the_bell_of_a_linked_file_is_heard(store: Ledger, tmp_path: Path) -> None:
    """A command that names the file by a link rings the daemon's bell."""
    (tmp_path / "link.db").symlink_to(tmp_path / "desk.db")
    other = Database(f"sqlite:///{tmp_path}/link.db")

    async def rung() -> bool:
        await store.bell.open()
        Bell(other).ring()
        heard = await store.bell.wait(60)
        await store.bell.close()
        return heard

    assert asyncio.run(rung())
    other.close()
