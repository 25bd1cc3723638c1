"""What could never be done as it was asked ends with 2, whatever the data; a reader that leaves early ends with 0."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from router.desk import Ledger
from router.policy.values import Policy

COMMAND = Path(sys.executable).with_name("omnirouter")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["status", "1", "weird"], "'weird' is no status; right would be one of: open, pending"),
        (["take", "1"], "Name the agent with --agent NAME."),
        (["move", "1", "nope"], "There is no queue 'nope'; the configuration has: general"),
        (["retag", "1", "nope"], "There is no issue type 'nope'; the configuration has: login"),
        (["queues", "nope"], "There is no queue 'nope'; the configuration has: general"),
        (["reply", "1", "--text", ""], "A reply needs words."),
        (["note", "1", "--text", " "], "A note needs words."),
        (["replay", "--channel", "nope", "--since", "2026-01-01"], "There is no channel 'nope' in the configuration"),
        (["backfill", "--channel", "nope", "--since", "2026-01-01"], "There is no channel 'nope' in the configuration"),
        (["backfill", "--channel", "x", "--since", "2026-01-01"], "channels.x: it cannot be asked, for not set is:"),
    ],
    ids=lambda given: " ".join(given)[:30] if isinstance(given, list) else "",
)
def test_what_could_never_be_is_wrong_usage(
    run: Any, wire: Any, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    """A word that means nothing, or a secret that is not set: exit code 2, one sentence, nothing changed."""
    monkeypatch.delenv("X_CONSUMER_KEY", raising=False)
    run.take_in(wire("m-1", "转账没到账"))
    before = run.exported("events")
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert run.exported("events") == before


def test_what_is_not_there_is_no_wrong_usage(run: Any, wire: Any) -> None:
    """A conversation that does not exist is a matter of the data: exit code 1."""
    run.take_in(wire("m-1", "转账没到账"))
    assert run("status", "9", "open").code == 1


@pytest.mark.parametrize("words", [["db", "sql"], ["show", "--help"], ["dead", "list"], ["demo"]], ids=" ".join)
def test_a_reader_that_leaves_early_is_no_mistake(tmp_path: Path, words: list[str]) -> None:
    """`omnirouter … | head -1` ends with 0 and without a word of it."""
    _database(tmp_path)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [COMMAND, *words], cwd=tmp_path, stdout=closed, stderr=subprocess.PIPE, check=False, timeout=120
        )
    assert (done.returncode, _remarks(done.stderr)) == (0, b"")


def test_a_command_without_stdout_does_its_work(tmp_path: Path) -> None:
    """`omnirouter … >&-`: there is nobody to tell, and that is all."""
    _database(tmp_path)
    words = f'exec "{COMMAND}" queues >&-'
    done = subprocess.run(["sh", "-c", words], cwd=tmp_path, stderr=subprocess.PIPE, check=False, timeout=120)
    assert (done.returncode, _remarks(done.stderr)) == (0, b"")


def _database(folder: Path) -> None:
    store = Ledger.open(Policy.load(None), url=f"sqlite:///{folder / 'omnirouter.db'}")
    store.close()


def _remarks(said: bytes) -> bytes:
    """What was said but for the line that names the database."""
    return re.sub(rb"\AReading [^\n]+omnirouter\.db\n", b"", said)
