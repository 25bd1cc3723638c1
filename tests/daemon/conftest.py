"""A desk on a real SQLite file in a folder of its own, and its command line, run in this process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import workers.cli as cli
from router.policy.load import preset_text
from workers.daemon import logging


class Ran(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


class CommandLine:
    """`run("show", "1")` runs `omnirouter show 1` on the desk in `folder`, with the built-in wallet preset. `reads` is
    the database that the last command said it reads (on stderr, before all else)."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.reads = ""
        self._capsys = capsys

    def __call__(self, *words: str | int) -> Ran:
        self._capsys.readouterr()
        code = cli.main([str(word) for word in words])
        said = self._capsys.readouterr()
        found = re.match(r"Reading (.+)\n", said.err)
        self.reads = found[1] if found else ""
        return Ran(code, said.out, said.err[found.end() :] if found else said.err)

    def answers_by_url(self) -> None:
        """From now on the desk has a configuration of its own: the wallet preset, whose chat has a reply_url."""
        page, url = "page = true\n", 'reply_url = "https://chat.example/in"\n'
        preset = preset_text("wallet").replace(page, page + url, 1)
        (self.folder / "omnirouter.toml").write_text(preset, encoding="utf-8")

    def json(self, *words: str | int) -> Any:
        """What the command prints with `--json`; it must have succeeded."""
        done = self(*words, "--json")
        assert (done.code, done.err) == (0, ""), done
        return json.loads(done.out)

    def exported(self, what: str, *words: str) -> list[dict[str, Any]]:
        """The rows of `omnirouter export WHAT`."""
        done = self("export", what, *words)
        assert (done.code, done.err) == (0, ""), done
        return [json.loads(line) for line in done.out.splitlines()]

    def take_in(self, *messages: Mapping[str, Any], channel: str = "app-chat") -> dict[str, Any]:
        """Ingest wire messages and events; the summary."""
        path = self.folder / "in.jsonl"
        path.write_text(in_lines(messages), encoding="utf-8")
        done = self("ingest", "--channel", channel, path)
        assert done.code == 0, done
        summary: dict[str, Any] = json.loads(done.out.splitlines()[-1])
        return summary


def in_lines(values: Iterable[Mapping[str, Any]]) -> str:
    """Values as JSON lines."""
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line of a desk in an empty folder. What a daemon's start does to the log of its whole process is left
    out: other tests of this process listen to it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging, "configure", lambda: None)
    return CommandLine(tmp_path, capsys)


@pytest.fixture
def wire() -> Callable[..., dict[str, Any]]:
    """`wire("m-1", "转账没到账")`: a wire message of a customer of the app's chat."""

    def build(id_: str, text: str, at: str = "2026-03-02T10:00:00+08:00", handle: str = "u-77", **more: Any) -> Any:
        sender = {"handle": handle, "name": more.pop("name", "陈先生"), "verified": more.pop("verified", {})}
        return {"id": id_, "sent_at": at, "sender": sender, "text": text, **more}

    return build
