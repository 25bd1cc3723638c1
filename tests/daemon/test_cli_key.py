"""A desk whose key is away: what only looks at the ledger works on, what seals or opens raws says what to do."""

from __future__ import annotations

import re
from typing import Any

import pytest


@pytest.fixture
def keyless(run: Any, wire: Any) -> Any:
    """A desk with a message in it, made by `init`, whose key file was moved away."""
    assert run("init").code == 0
    file = run.folder / "omnirouter.toml"
    text, own = file.read_text(encoding="utf-8"), 'reply_url = "https://app.example.com/replies"'
    file.write_text(re.sub(r"(?m)^(\[channels\.app-chat\].*)$", rf"\1\n{own}", text), encoding="utf-8")
    run.take_in(wire("m-1", "转账没到账"))
    (run.folder / "omnirouter.key").rename(run.folder / "safe.key")
    return run


@pytest.mark.parametrize(
    "words",
    [
        ["queues"], ["show", "1"], ["explain", "1"], ["audit"], ["report"], ["export", "messages"],
        ["note", "1", "--text", "x"], ["reply", "1", "--text", "x"], ["dead", "list"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_looking_and_acting_need_no_key(keyless: Any, words: list[str]) -> None:
    """Nothing of it reads or writes a raw."""
    done = keyless(*words)
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        ["ingest", "--channel", "app-chat", "in.jsonl"], ["simulate", "--config", "omnirouter.toml"],
        ["replay", "--channel", "app-chat", "--since", "2020-01-01"], ["run", "--demo"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_whoever_seals_or_opens_raws_is_told(keyless: Any, words: list[str]) -> None:
    """One sentence that says which file to restore, exit code 2; no other key is made."""
    done = keyless(*words)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith("The key file:omnirouter.key is not there, and raws are sealed with it: restore ")
    assert not (keyless.folder / "omnirouter.key").exists()


def test_a_key_that_was_made_by_itself_is_not_made_twice(run: Any, wire: Any) -> None:
    """Without a configured key a new desk makes its own; once raws are sealed with it, it is asked for."""
    run.take_in(wire("m-1", "转账没到账"))
    key = run.folder / "omnirouter.key"
    key.rename(run.folder / "safe.key")
    assert run("queues").code == 0
    done = run("ingest", "--channel", "app-chat", "in.jsonl")
    assert done.code == 2
    assert done.err == f"The key {key} is away, and raws are sealed with it: restore it from its copy.\n"
    (run.folder / "safe.key").rename(key)
    assert run.take_in(wire("m-1", "转账没到账"))["redelivered"] == 1
