"""A program may add `--json` to every command that tells something: it gets JSON, and nothing else on stdout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import workers.cli as cli

#: What tells nothing but that it is done, serves, or writes a file.
SILENT = {"init", "run", "export", "db sql"}


def test_every_command_that_tells_something_takes_json(run: Any) -> None:
    """The switch stands in each command's help."""
    without = {name for name in cli.COMMANDS if "--json" not in run(*name.split(), "--help").out}
    assert without <= SILENT


def test_recorded_messages_and_what_was_set_aside_as_json(run: Any, wire: Any) -> None:
    """Taken in, decided again, replayed and dropped: an object each time."""
    wrong = [{"id": "m-2", "sender": {"handle": "u"}, "text": "x"}, {"id": "m-3", "text": "y"}]
    file: Path = run.folder / "in.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in (wire("m-1", "转账没到账"), *wrong)), "utf-8")
    done = run("ingest", "--channel", "app-chat", file, "--json")
    assert json.loads(done.out)["invalid"] == 2
    assert run.json("replay", "--channel", "app-chat", "--since", "2026-03-01", "--until", "2026-03-03")["stored"] == 0
    first, second = (row["id"] for row in run.json("dead", "list"))
    assert run.json("dead", "drop", first) == {"id": first, "state": "dropped"}
    assert run("dead", "replay", second, "--json").code == 1
