"""The database gets its tables by migrations, from anywhere, and is never worked on in a form that does not fit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any
from urllib.parse import quote

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import router
from router.desk import Ledger
from router.desk.acts import conversation as acts
from router.desk.duties.due import wake
from router.desk.reads.audit import audit
from router.errors import NotFound, SchemaMismatch, Unreachable
from router.policy.values import Policy
from router.store import Database, schema
from router.store import tables as t
from router.store.read import queues
from router.store.set_aside import raw_at

ROOT = Path(router.__file__).parent.parent


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/desk.db"
    address: str = request.getfixturevalue("postgresql").empty()
    return address


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    """A database without tables."""
    made = Database(empty_url)
    yield made
    made.close()


def _set_revision(database: Database, revision: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def _migrate(database: Database, step: Callable[[Config, str], None], revision: str) -> None:
    """Let alembic itself take a step."""
    config = Config()
    config.set_main_option("script_location", str(schema.migrations()))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        step(config, revision)


def _before(revision: str) -> str:
    """The revision before another."""
    config = Config()
    config.set_main_option("script_location", str(schema.migrations()))
    found = ScriptDirectory.from_config(config).get_revision(revision).down_revision
    assert isinstance(found, str)
    return found


def _form(database: Database) -> dict[str, Any]:
    """The form of a database as it tells it itself: columns, defaults, keys, checks, indexes with their conditions."""
    with database.engine.connect() as connection:
        seen = inspect(connection)
        form: dict[str, Any] = {}
        for name in sorted(seen.get_table_names()):
            columns = [
                (c["name"], str(c["type"]), c["nullable"], _plain(c["default"]), c.get("identity") is not None)
                for c in seen.get_columns(name)
            ]
            checks = sorted((c["name"] or "", _plain(c["sqltext"])) for c in seen.get_check_constraints(name))
            uniques = sorted((c["name"] or "", *c["column_names"]) for c in seen.get_unique_constraints(name))
            form[name] = (sorted(columns), seen.get_pk_constraint(name), checks, uniques)
        found = (
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            if database.dialect == "sqlite"
            else "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        )
        indexes = {row[0]: _plain(row[1]) for row in connection.execute(text(found))}
        form["indexes"] = {name: sql for name, sql in indexes.items() if "alembic" not in name}
        if database.dialect == "sqlite":
            told = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
            form["without rowid"] = {row[0] for row in told if "WITHOUT ROWID" in row[1]}
    form.pop("alembic_version")
    return form


def _plain(written: str | None) -> str:
    """SQL without the brackets, quotes and blanks that are a matter of taste."""
    return re.sub(r'[\s()"]+', "", str(written)).lower()


def test_migrations_give_what_the_tables_say(empty: Database, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A migrated database and one made from the tables are the same, to the last default and index."""
    before, after = schema.upgrade(empty)
    assert (before, after) == (None, schema.head())
    assert schema.differences(empty) == []
    other_url = f"sqlite:///{tmp_path}/other.db"
    if empty.dialect == "postgresql":
        other_url = request.getfixturevalue("postgresql").empty()
    made = Database(other_url)
    schema.ensure(made, create=True)
    assert _form(empty) == _form(made)
    assert set(t.metadata.tables) < set(_form(empty))
    made.close()


def test_an_upgrade_can_be_repeated(empty: Database) -> None:
    """The second upgrade changes nothing, neither tables nor the first rows nor the number of partitions."""
    schema.upgrade(empty, partitions=4)
    assert schema.upgrade(empty, partitions=16) == (schema.head(), schema.head())
    assert schema.partitions(empty) == 4
    with empty.engine.connect() as connection:
        assert sorted(connection.execute(t.positions.select()).mappings(), key=lambda row: row["partition"])[-1][
            "partition"
        ] == 3  # fmt: skip


def test_a_database_of_the_version_before_keeps_all_that_it_holds(
    desk: Any, picture: Callable[[], dict[str, list[dict[str, Any]]]]
) -> None:
    """It is refused until it is upgraded; then every row of every table stands as before."""
    database = desk.store.database
    desk.take(desk.said("转账2000一直没到账"), desk.said("有进展吗"))
    before = picture()
    _migrate(database, command.downgrade, "-1")
    with pytest.raises(SchemaMismatch, match="is behind its migrations; run: omnirouter db upgrade"):
        schema.ensure(database)
    assert schema.upgrade(database) == (_before(schema.head()), schema.head())
    assert (schema.status(database), schema.differences(database)) == ("current", [])
    assert picture() == before
    assert len(before["messages"]) == 2


def test_what_waits_gets_its_place_in_the_working_order(desk: Any) -> None:
    """The version before knew no places: what waits gets the one that the formula gives, overdue, chased and moved up
    or not; what was answered, waits for the customer or is solved gets none."""
    database, store = desk.store.database, desk.store
    texts = ("转账2000一直没到账", "我的账户被冻结了", "商家退款没收到", "怎么修改手机号", "提现一直失败")
    placed = desk.take(*(desk.said(text, sender=f"u-{n}") for n, text in enumerate(texts)))
    numbers, later = [p.conversation.number for p in placed], desk.noon + timedelta(hours=9)
    wake(store, later)
    desk.take(desk.said("怎么还没人处理啊", sender="u-0", sent_at=later), now=later)
    acts.reply(store, numbers[3], "您好", agent="li", now=later)
    acts.status(store, numbers[4], "pending", agent="li", now=later)
    with database.engine.connect() as connection:
        before = dict(connection.execute(text("SELECT number, order_at FROM conversations")).all())
    assert [n for n, at in before.items() if at is None] == numbers[3:]
    assert len({before[n] for n in numbers[:3]}) == 3
    _migrate(database, command.downgrade, _before("0007"))
    schema.upgrade(database)
    with database.engine.connect() as connection:
        assert dict(connection.execute(text("SELECT number, order_at FROM conversations")).all()) == before


@pytest.mark.parametrize("history", [False, True], ids=["live", "recorded"])
def test_raws_of_the_version_before_have_an_arrival(desk: Any, rows: Callable[..., Any], history: bool) -> None:
    """What came in live arrived when it was received; when a recorded one came in is not known, so it is young, and
    none of it is forgotten before its time."""
    database, at = desk.store.database, desk.noon
    _migrate(database, command.downgrade, "0002")
    put = "INSERT INTO raws (partition, position, channel, received_at, history, body) VALUES (0, 1, 'a', :at, :h, :b)"
    micros = int(at.timestamp()) * 1_000_000
    with database.engine.begin() as connection:
        connection.execute(text(put), {"at": micros, "h": history, "b": b""})
        connection.execute(text("UPDATE log_partitions SET position = 1 WHERE partition = 0"))
    before = time.time_ns() // 1000 - 2_000_000
    schema.upgrade(database)
    (raw,) = rows("raws")
    assert (raw["arrived_at"] == micros) is not history
    assert raw["arrived_at"] > before or not history
    assert {row["forgotten"] for row in rows("positions")} == {0}
    found = audit(desk.store)
    assert (found.raws, [d["field"] for d in found.differences]) == (1, ["undecided"])  # it has no key


def test_the_keys_of_raws_move_into_a_table_of_their_own(desk: Any) -> None:
    """Every raw of the version before can still be opened, the erased one stays erased, and no table but that of the
    keys holds a key."""
    database, sealer = desk.store.database, desk.store.sealer
    _migrate(database, command.downgrade, _before("0008"))
    sealed = {place: sealer.seal(f"您好 {place}".encode()) for place in (1, 2, 3)}
    put = text(
        "INSERT INTO raws (partition, position, channel, received_at, wrapped_key, body) VALUES (4, :p, 'x', 0, :k, :b)"
    )
    with database.engine.begin() as connection:
        for place, one in sealed.items():
            connection.execute(put, {"p": place, "k": one.wrapped_key if place != 2 else None, "b": one.body})
    schema.upgrade(database)
    assert raw_at(desk.store, 4, 1).body.decode() == "您好 1"
    assert raw_at(desk.store, 4, 3).body.decode() == "您好 3"
    with pytest.raises(NotFound):
        raw_at(desk.store, 4, 2)
    with database.engine.connect() as connection:
        held = {str(row) for row in connection.execute(t.raws.select())}
        keys = [bytes(row[2]) for row in connection.execute(t.raw_keys.select().order_by(t.raw_keys.c.position))]
    assert keys == [sealed[1].wrapped_key, sealed[3].wrapped_key]
    assert not any(repr(key)[2:-1] in row for key in keys for row in held)
    if database.dialect == "sqlite":
        assert database.scrub().log_emptied
        kept = database.path.read_bytes()
        assert [kept.count(key) for key in keys] == [1, 1]


def test_the_indexes_of_a_flat_ledger_come_with_rows_in_place(
    desk: Any, picture: Callable[[], dict[str, list[dict[str, Any]]]]
) -> None:
    """A ledger of before them keeps every row, and is asked by them from then on."""
    database = desk.store.database
    desk.take(*(desk.said(f"转账{n}没到账 错误代码 E4471", sender=f"u-{n}") for n in range(6)))
    before = picture()
    _migrate(database, command.downgrade, _before("0013"))
    assert schema.differences(database) != []
    schema.upgrade(database)
    assert schema.differences(database) == []
    assert picture() == before
    with database.read() as tx:
        assert len(queues.page(tx, list(desk.store.policy.queues)).conversations) == 6


def test_a_fresh_file_is_made_and_an_empty_server_is_not(empty: Database) -> None:
    """The daemon makes an SQLite file itself; on PostgreSQL it says what to run."""
    assert schema.status(empty) == "empty"
    if empty.dialect == "sqlite":
        schema.ensure(empty)
    else:
        with pytest.raises(SchemaMismatch, match="has no tables yet; run: omnirouter db upgrade"):
            schema.ensure(empty)
        schema.upgrade(empty)
    assert (schema.status(empty), schema.current(empty)) == ("current", schema.head())


@pytest.mark.parametrize(
    ("revision", "status", "sentence"),
    [
        ("0000", "behind", "is behind its migrations; run: omnirouter db upgrade$"),
        ("9999", "ahead", "is ahead of this version of omnirouter; install the newer version"),
    ],
)
def test_a_database_of_another_version_is_refused(empty: Database, revision: str, status: str, sentence: str) -> None:
    """Behind or ahead: one sentence that says what to do, and nothing is touched."""
    schema.ensure(empty, create=True)
    _set_revision(empty, revision)
    assert schema.status(empty) == status
    with pytest.raises(SchemaMismatch, match=sentence):
        schema.ensure(empty, create=True)
    assert schema.current(empty) == revision


def test_a_column_that_somebody_added_is_told(empty: Database) -> None:
    """`omnirouter db check` finds what was changed by hand."""
    schema.ensure(empty, create=True)
    assert schema.differences(empty) == []
    with empty.engine.begin() as connection:
        connection.execute(text("ALTER TABLE contacts ADD COLUMN shoe_size INTEGER"))
    assert "shoe_size" in " ".join(schema.differences(empty))


def test_the_sql_can_be_read_before_it_is_run(empty: Database) -> None:
    """`omnirouter db sql` gives all of it without touching the database; run by hand it makes the same tables."""
    written = schema.sql(empty)
    assert schema.status(empty) == "empty"
    assert written.count("CREATE TABLE") == len(t.metadata.tables) + 1
    statements = [s for s in written.split(";\n") if s.strip() and s.strip() not in ("BEGIN", "COMMIT")]
    with empty.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    assert schema.differences(empty) == []
    assert schema.status(empty) == "current"


@pytest.mark.parametrize("folder", ["a folder", "100% sure", "50%20 off", "客服"])
def test_any_path_will_do(tmp_path: Path, folder: str) -> None:
    """Blanks, per cent signs and Chinese in the path of the database stop no migration."""
    place = tmp_path / folder
    place.mkdir()
    database = Database(f"sqlite:///{quote(str(place))}/my desk 100%.db")
    assert schema.upgrade(database) == (None, schema.head())
    assert schema.sql(database).count("CREATE TABLE") > 20
    assert (place / "my desk 100%.db").exists()
    database.close()


def _copied(folder: Path, *, packaged: bool, beside: bool) -> Path:
    """The package as an installation has it: the migrations inside, beside, or both."""
    left_out = shutil.ignore_patterns("__pycache__", "_migrations")
    shutil.copytree(ROOT / "router", folder / "router", ignore=left_out)
    if packaged:
        shutil.copytree(ROOT / "migrations", folder / "router" / "_migrations", ignore=left_out)
    if beside:
        shutil.copytree(ROOT / "migrations", folder / "migrations", ignore=left_out)
    return folder


_UPGRADE = (
    "import sys; from router.store import schema; from router.store import Database; "
    "print(schema.migrations()); d = Database('sqlite:///desk.db'); print(schema.upgrade(d)); d.close()"
)


@pytest.mark.parametrize(
    ("packaged", "beside", "found"),
    [
        (True, False, "router/_migrations"),
        (False, True, "migrations"),
        (True, True, "router/_migrations"),
    ],
    ids=["installed", "editable", "both"],
)
def test_migrations_are_found_wherever_the_package_lies(
    tmp_path: Path, packaged: bool, beside: bool, found: str
) -> None:
    """An installed package has its own; an editable install has the checkout's; another folder's never win."""
    home = _copied(tmp_path / "site 100% packages", packaged=packaged, beside=beside)
    elsewhere = tmp_path / "work"
    (elsewhere / "migrations").mkdir(parents=True)
    (elsewhere / "migrations" / "env.py").write_text("raise SystemExit('the wrong migrations')")
    done = subprocess.run(
        [sys.executable, "-c", _UPGRADE], cwd=elsewhere, env={**os.environ, "PYTHONPATH": str(home)}, check=False,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    where, upgraded = done.stdout.splitlines()
    assert where == str(home / found)
    assert upgraded == f"(None, '{schema.head()}')"


def test_the_wheel_takes_the_migrations_along() -> None:
    """What is built has them where an installed package looks for them."""
    import tomllib

    written = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = written["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"migrations": "router/_migrations"}
    assert (ROOT / "migrations" / "env.py").exists()
    assert not (ROOT / "router" / "_migrations").exists(), "a stale copy would win over the checkout's migrations"


def test_alembic_itself_upgrades_in_the_checkout(tmp_path: Path) -> None:
    """`alembic upgrade head` does the same for whoever works on the migrations."""
    address = f"sqlite:///{tmp_path}/desk 100%.db"
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"], cwd=ROOT, check=False, capture_output=True, text=True,
        env={**os.environ, "OMNIROUTER_DATABASE": address}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    database = Database(address)
    assert (schema.status(database), schema.differences(database)) == ("current", [])
    database.close()


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    """An address nobody answers at is told without its password."""
    database = Database("postgresql://desk:geheim@127.0.0.1:9/desk")
    with pytest.raises(Unreachable) as told:
        schema.status(database)
    assert "127.0.0.1:9" in str(told.value)
    assert "geheim" not in str(told.value)
    assert "\n" not in str(told.value)
    database.close()


def test_many_may_be_the_first_at_once(empty_url: str) -> None:
    """Whoever opens a fresh database at the same moment finds it whole: its tables, and the rows of every partition."""
    together = Barrier(8)

    def open_it(_: int) -> int:
        database = Database(empty_url)
        try:
            together.wait(120)
            schema.ensure(database, create=True)
            with database.engine.connect() as connection:
                return int(connection.execute(text("SELECT count(*) FROM positions")).scalar_one())
        finally:
            database.close()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(open_it, range(8))) == {17}


def test_many_may_upgrade_at_once(empty_url: str) -> None:
    """Nodes that are started together may each upgrade first: they wait for each other, and all find it current."""
    program = [sys.executable, "-c", _UPGRADE.replace("sqlite:///desk.db", empty_url)]
    nodes = [subprocess.Popen(program, stderr=subprocess.PIPE) for _ in range(4)]
    assert [node.communicate(timeout=120)[1] for node in nodes] == [b""] * 4
    database = Database(empty_url)
    assert (schema.status(database), schema.differences(database)) == ("current", [])
    database.close()


def test_the_first_ones_seal_with_one_key(tmp_path: Path) -> None:
    """Whoever opens a fresh SQLite desk at the same moment seals with the same key, which is made once."""
    together = Barrier(8)

    def seal(_: int) -> str:
        store = Ledger.open(Policy.load(None), url=f"sqlite:///{tmp_path}/desk.db")
        try:
            together.wait(120)
            return store.sealer.mac("a")
        finally:
            store.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(seal, range(8)))) == 1


def test_messages_of_the_version_before_are_of_whoever_sent_them(desk: Any, rows: Callable[..., Any]) -> None:
    """Nobody is copied, claimed or unproven by the migration, and everything can be answered as before."""
    database = desk.store.database
    _migrate(database, command.downgrade, _before("0006"))
    at = int(desk.noon.timestamp()) * 1_000_000
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE counters SET value = 9 WHERE name = 'number'"))
        connection.execute(text("INSERT INTO contacts (number, created_at) VALUES (1, :at)"), {"at": at})
        connection.execute(
            text(
                "INSERT INTO conversations (number, contact, opened_at, last_message_at, confidence, version)"
                " VALUES (1, 1, :at, :at, 0, 1)"
            ),
            {"at": at},
        )
        connection.execute(
            text(
                "INSERT INTO messages (number, realm, external_id, conversation, contact, thread, direction, channel,"
                " handle, sent_at, received_at) VALUES (1, 'mail', 'm@x.example', 1, 1, 1, 'in', 'support-mail',"
                " 'chen@x.example', :at, :at)"
            ),
            {"at": at},
        )
    schema.upgrade(database)
    ((message,), (conversation,)) = rows("messages"), rows("conversations")
    assert [message[name] for name in ("claimed", "via", "original", "thread_index", "thread_topic")] == [""] * 5
    assert not message["unproven"]
    assert (conversation["copied"], conversation["proposed"]) == ("[]", "[]")
    acts.reply(desk.store, 1, "您好", agent="li", now=desk.noon)
    assert {row["handle"] for row in rows("messages") if row["direction"] == "out"} == {"chen@x.example"}
