"""The database's form from the command line: made, told, compared and spelt out."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from router.store import schema


def statement(folder: Path, sql: str) -> None:
    """Change the desk's database behind its back."""
    connection = sqlite3.connect(folder / "omnirouter.db")
    try:
        connection.execute(sql)
        connection.commit()
    finally:
        connection.close()


def test_a_database_is_made_and_upgraded_once(run: Any, wire: Any) -> None:
    """`db upgrade` makes a SQLite file; again it has nothing to do; the desk works on it."""
    head = schema.head()
    assert run("db", "upgrade").out == f"sqlite:///omnirouter.db went from empty to {head}.\n"
    assert run("db", "upgrade").out == f"sqlite:///omnirouter.db is at {head} already.\n"
    assert run.json("db", "current") == {
        "database": "sqlite:///omnirouter.db", "revision": head, "status": "current", "needed": head,
    }  # fmt: skip
    assert run("db", "check").out == "sqlite:///omnirouter.db is what this version expects.\n"
    assert run.take_in(wire("m-1", "转账没到账"))["stored"] == 1


def test_a_file_that_is_not_there_is_not_made_by_looking(run: Any) -> None:
    """`current` and `check` say that there is no file yet, and make none."""
    for command in ("current", "check"):
        done = run("db", command)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("There is no file omnirouter.db yet; make it with: omnirouter db upgrade")
    assert not (run.folder / "omnirouter.db").exists()


def test_a_folder_that_is_not_there_is_not_made(run: Any) -> None:
    """A slip in the path makes no second desk: every command says which folder is missing."""
    desk = '[desk]\ndatabase = "sqlite:///dta/desk.db"\n[[queues]]\nname = "q"\n[defaults]\nqueue = "q"\n'
    (run.folder / "omnirouter.toml").write_text(desk)
    for words in (("queues",), ("db", "upgrade"), ("db", "check")):
        done = run(*words)
        assert (done.code, done.out) == (2, ""), words
        assert done.err == "desk.database: there is no folder dta; make it, or name another place.\n"
    assert "there is no folder dta" in run("check", "--connect").out
    assert not (run.folder / "dta").exists()


def test_a_database_of_another_version_stops_every_command(run: Any) -> None:
    """Ahead or behind: one sentence and what to do, from the daemon's commands with exit code 3."""
    run("db", "upgrade")
    statement(run.folder, "UPDATE alembic_version SET version_num = '9999'")
    assert run("db", "check").err == "sqlite:///omnirouter.db is ahead; install the newer version.\n"
    done = run("queues")
    assert done.code == 3
    assert done.err.endswith("is ahead of this version of omnirouter; install the newer version.\n")
    statement(run.folder, "UPDATE alembic_version SET version_num = '0000'")
    done = run("queues")
    assert done.code == 3
    assert done.err.endswith("is behind its migrations; run: omnirouter db upgrade\n")


def test_a_database_that_was_changed_by_hand_is_found(run: Any) -> None:
    """A column too many is told, with exit code 1."""
    run("db", "upgrade")
    statement(run.folder, "ALTER TABLE contacts ADD COLUMN shoe_size INTEGER")
    done = run("db", "check")
    assert done.code == 1
    assert "shoe_size" in done.err
    assert len(run_json_of_check(run)) == 1


def test_an_upgrade_does_not_help_a_database_that_is_ahead(run: Any) -> None:
    """`db upgrade` and `check --connect` say the same as every command: install the newer version."""
    run("db", "upgrade")
    statement(run.folder, "UPDATE alembic_version SET version_num = '9999'")
    done = run("db", "upgrade")
    assert (done.code, done.out) == (3, "")
    assert done.err.endswith("is ahead of this version of omnirouter; install the newer version.\n")
    told = run("check", "--connect").out.splitlines()
    assert "database: " + done.err.strip() in told
    assert "log: it is in the database, which cannot be used." in told


def test_a_table_that_is_gone_is_named(run: Any) -> None:
    """No command works on what is left, and `db check` says in words what is missing and what is too much."""
    run("db", "upgrade")
    statement(run.folder, "DROP TABLE messages")
    statement(run.folder, "ALTER TABLE contacts ADD COLUMN shoe_size INTEGER")
    for words in (("queues",), ("export", "messages"), ("db", "upgrade")):
        done = run(*words)
        assert (done.code, done.out) == (3, ""), words
        assert done.err == "The database sqlite:///omnirouter.db lacks messages; restore it from a backup.\n"
    done = run("db", "check")
    assert done.code == 1
    assert "\n  table messages is missing\n" in done.err
    assert done.err.endswith("\n  column contacts.shoe_size is not of this version\n")
    assert " at 0x" not in done.err


def test_a_column_that_is_gone_is_one_sentence(run: Any) -> None:
    """What the database misses is told, with what to run, and no traceback."""
    run("db", "upgrade")
    statement(run.folder, "ALTER TABLE conversations DROP COLUMN chases")
    done = run("queues")
    assert done.code == 3
    assert "conversations.chases); see: omnirouter db check" in done.err


def test_a_damaged_file_is_told_from_an_unreachable_one(run: Any, wire: Any) -> None:
    """Pages full of noise: every command that meets them ends with 3 and one sentence, and `db check` finds them."""
    run.take_in(wire("m-1", "转账没到账"))
    spoil(run.folder / "omnirouter.db", "conversations", "messages", "events")
    for words in (("queues",), ("export", "messages"), ("show", "1"), ("audit",)):
        done = run(*words)
        assert done.code == 3, words
        assert done.err == "The database is damaged (database disk image is malformed): restore it from a backup.\n"
    done = run("db", "check")
    assert done.code == 1
    assert done.err.startswith("sqlite:///omnirouter.db is damaged; restore it from a backup:\n  ")


def spoil(file: Path, *tables: str) -> None:
    """Overwrite the pages of these tables and of their indexes."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    roots = connection.execute("SELECT tbl_name, rootpage FROM sqlite_master WHERE rootpage > 1").fetchall()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    pages = bytearray(file.read_bytes())
    for name, root in roots:
        if name in tables:
            pages[(root - 1) * size : root * size] = b"\x5a" * size
    file.write_bytes(pages)


def run_json_of_check(run: Any) -> list[str]:
    """The differences as JSON."""
    import json

    found: list[str] = json.loads(run("db", "check", "--json").out)["differences"]
    return found


def test_the_statements_make_the_same_tables(run: Any) -> None:
    """`db sql` prints SQL that makes, on an empty file, what `upgrade` makes, and touches nothing itself."""
    done = run("db", "sql")
    assert (done.code, done.err) == (0, "")
    assert not (run.folder / "omnirouter.db").exists()
    connection = sqlite3.connect(run.folder / "omnirouter.db")
    try:
        connection.executescript(done.out)
    finally:
        connection.close()
    assert run("db", "check").out == "sqlite:///omnirouter.db is what this version expects.\n"
