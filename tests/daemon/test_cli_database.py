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
        assert done.err == "There is no file omnirouter.db yet; make it with: omnirouter db upgrade\n"
    assert not (run.folder / "omnirouter.db").exists()


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
