"""What strangers wrote acts on nobody who reads it: not on a terminal, not in a spreadsheet, not in a program's log."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.cli.visible import cell, json_text, printable

#: Control, escape, direction, and what has no shape.
ACTING = [*"\x00\x07\x1b\x7f\x85\x9b\xad\u200b\u200e\u2028\u202e\u2066\ufeff\U000e0041"]
COMMAND = Path(sys.executable).with_name("omnirouter")


def acts(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs") and character not in "\u200c\u200d"


@given(st.text(st.one_of(st.sampled_from(ACTING), st.characters(codec="utf-8"))))
def test_nothing_acts(text: str) -> None:
    """On a terminal, in a cell (but for its line breaks) and in JSON no such character stands; JSON means the same."""
    assert not any(map(acts, printable(text)))
    assert not any(map(acts, cell(text).replace("\n", "")))
    written = json_text(json.dumps(text, ensure_ascii=False).encode())
    assert json.loads(written) == text
    assert not any(c in written for c in ACTING)


@pytest.mark.parametrize("sign", list("=+-@＝＋－＠"))
@pytest.mark.parametrize("before", ["", "\ufeff", " ", "\u3000", "\u200b", "\t", "\r\n", "\xa0\u200b\ufeff "])
def test_no_cell_is_a_formula(sign: str, before: str) -> None:
    """Also in full width, and behind what nobody sees."""
    assert cell(f"{before}{sign}cmd|' /C calc'!A0").startswith("'")
    assert cell("a=1") == "a=1"
    assert (cell("+8613800000000"), cell("-5")) == ("+8613800000000", "-5")


def test_words_are_escaped_where_they_stand() -> None:
    """A person sees that something was there, and what."""
    assert printable("a\x1b]0;b\x07\u202e\U000e0041 \u3000\n") == r"a\x1b]0;b\x07\u202e\U000e0041   "
    assert cell("a\r\nb\rc\x1b") == "a\nb\nc\\x1b"
    assert printable("👨\u200d👩") == "👨\u200d👩"


def test_every_output_is_safe(run: Any, wire: Any) -> None:
    """Tables, lines, CSV and JSON of every command that shows words of customers."""
    words = "转账没到账" + "".join(ACTING[1:]) + "=1+1"
    run.take_in(wire("m-1", words, name=f"陈{words}", subject=words))
    for command in (["show", 1], ["queues"], ["explain", 1], ["export", "messages"], ["export-contact", 1], ["audit"]):
        for more in ([], ["--json"]):
            said = run(*command, *more)
            assert said.code == 0
            assert not any(map(acts, (said.out + said.err).replace("\n", ""))), (command, more)
    said = run("export", "messages", "--format", "csv").out
    assert not any(map(acts, said.replace("\n", "")))
    assert next(csv.DictReader(io.StringIO(said)))["text"].startswith("转账没到账")
    assert not any(map(acts, run("show", f"C{words}").err.replace("\n", "")))


def test_a_file_for_excel_begins_with_a_mark(run: Any, wire: Any) -> None:
    """CSV that is written to a file says that it is UTF-8; what goes to a program does not, and either can be asked."""
    run.take_in(wire("m-1", "转账没到账"))
    clean = {key: value for key, value in os.environ.items() if key != "OMNIROUTER_CONFIG"}

    def exported(*more: str) -> bytes:
        with (run.folder / "out.csv").open("wb") as out:
            words = [COMMAND, "export", "messages", *more]
            nowhere = subprocess.DEVNULL
            subprocess.run(words, cwd=run.folder, env=clean, stdout=out, stderr=nowhere, check=True, timeout=120)
        return (run.folder / "out.csv").read_bytes()

    mark = "\ufeff".encode()
    assert exported("--format", "csv").startswith(mark + b"id,channel")
    assert exported("--format", "csv", "--no-bom").startswith(b"id,channel")
    assert exported().startswith(b"{")
    assert run("export", "messages", "--format", "csv").out.startswith("id,channel")
    assert run("export", "messages", "--format", "csv", "--bom").out.startswith("\ufeffid,channel")


def test_a_command_says_which_database_it_reads(run: Any, wire: Any) -> None:
    """On stderr, so that a program reads the JSON alone; one that changes something does not."""
    run.take_in(wire("m-1", "转账没到账"))
    for command in (["queues"], ["show", 1], ["report"], ["dead", "list"], ["export", "events"], ["erase", 1]):
        assert run(*command).code == 0
        assert run.reads == str(run.folder / "omnirouter.db")
    run("note", 1, "--text", "x", "--agent", "li")
    assert run.reads == ""


@pytest.mark.parametrize(
    "command", [["queues"], ["show", "1"], ["export", "messages"], ["audit"], ["take", "1", "--agent", "li"]]
)
def test_looking_makes_no_database(run: Any, command: list[str]) -> None:
    """In the wrong folder a command says so, and leaves nothing there."""
    done = run(*command)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("There is no file omnirouter.db yet; make it with: omnirouter db upgrade")
    assert list(run.folder.iterdir()) == []
