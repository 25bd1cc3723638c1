"""Exports: exactly the fields of the contract, one row a thing, as JSON lines or as CSV that a spreadsheet may open."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FIELDS = {
    "messages": "id, channel, external_id, direction, automatic, sender, contact, thread, conversation, sent_at, "
    "received_at, class, issue_type, confidence, unsure, tags, flags, queue, subject, text, state",
    "conversations": "id, ref, contact, status, queue, priority, issue_type, tags, channels, first_message_at, "
    "waiting_since, chases, next_due, breached, messages, links, unproven",
    "deadlines": "conversation, metric, cycle, started_at, due_at, state, ended_at, policy, schedule, "
    "paused_seconds, breached_at, provisional",
    "events": "seq, at, type, conversation, message, data",
}
QUOTED = "还没到账\n\n> 您好，\n> 已收到您的来信\n"


@pytest.fixture
def desk(run: Any, wire: Any) -> Any:
    """A desk with a chat, a mail that quotes, and a thing that a spreadsheet would run."""
    run.take_in(
        wire("m-1", "转账2000一直没到账，单号TP202603010077", thread="chat-9"),
        wire("mail-1@customer.example", QUOTED, "2026-03-02T12:00:00+08:00", channel="support-mail",
             handle="liu@customer.example", name="=cmd()", subject="没到账"),
        wire("m-3", "=1+1", "2026-03-02T13:00:00+08:00", handle="u-81"),
    )  # fmt: skip
    return run


@pytest.mark.parametrize("what", sorted(FIELDS))
def test_the_fields_are_those_of_the_contract(desk: Any, what: str) -> None:
    """Every row has the contract's fields, in its order; an event of recorded history is marked."""
    wanted = FIELDS[what].split(", ")
    rows = desk.exported(what)
    assert rows
    for row in rows:
        assert [name for name in row if name != "history"] == wanted
        assert ("history" in row) == (what == "events")


@pytest.mark.parametrize("what", [*sorted(FIELDS), "contacts", "labels"])
def test_csv_has_the_same_rows(desk: Any, what: str) -> None:
    """As CSV there is a heading, and a line for each row of the JSON lines."""
    desk("retag", 1, "refund", "--agent", "li")
    rows = desk.exported(what)
    done = desk("export", what, "--format", "csv")
    assert (done.code, done.err) == (0, "")
    table = list(csv.DictReader(io.StringIO(done.out)))
    assert len(table) == len(rows) > 0
    for cells, row in zip(table, rows, strict=True):
        for name, value in row.items():
            assert cells[name].lstrip("'") == as_cell(value), name


def as_cell(value: Any) -> str:
    """What a cell says of a value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


def test_no_cell_is_a_formula(desk: Any) -> None:
    """Words of strangers that begin as a formula does are text in a spreadsheet; numbers stay numbers."""
    cells = list(csv.reader(io.StringIO(desk("export", "messages", "--format", "csv").out)))
    assert "'=1+1" in cells[3]
    assert not any(cell.startswith("=") for row in cells for cell in row)


def test_the_text_is_the_customers_own(desk: Any) -> None:
    """Quotes are cut from `text`; --raw adds the full text; ids are those of the channels."""
    chat, mail, _ = desk.exported("messages")
    assert (chat["external_id"], mail["external_id"]) == ("chat-9:m-1", "mail-1@customer.example")
    assert mail["text"] == "还没到账"
    raw = desk.exported("messages", "--raw")[1]
    assert "已收到您的来信" in raw["full_text"]
    assert {k: v for k, v in raw.items() if k != "full_text"} == mail
    assert desk("export", "events", "--raw").code == 2


def test_times_are_utc(desk: Any) -> None:
    """All instants end with Z and are those of the message, not of the taking in."""
    (first, *_) = desk.exported("messages")
    assert first["sent_at"] == first["received_at"] == "2026-03-02T02:00:00Z"
    (conversation, *_) = desk.exported("conversations")
    assert (conversation["ref"], conversation["first_message_at"]) == ("C-1", "2026-03-02T02:00:00Z")


def test_json_means_json_lines(desk: Any) -> None:
    """`--json` is the same as `--format jsonl`, whatever else is said."""
    assert desk("export", "messages", "--json", "--format", "csv").out == desk("export", "messages").out


def test_an_empty_desk_exports_nothing(run: Any) -> None:
    """No rows are no lines; as CSV the heading alone."""
    run("db", "upgrade")
    assert run("export", "messages") == (0, "", "")
    assert run("export", "deadlines", "--format", "csv").out == FIELDS["deadlines"].replace(", ", ",") + "\n"
    assert run("export", "weather").code == 2


def test_a_reader_that_has_seen_enough_ends_it_quietly(desk: Any, wire: Any) -> None:
    """`export events | head -1` prints one line, and on stderr only which database it reads."""
    desk.take_in(*(wire(f"n-{n}", f"转账{n}没到账", handle=f"v-{n}") for n in range(300)))
    command = Path(sys.executable).with_name("omnirouter")
    clean = {key: value for key, value in os.environ.items() if key != "OMNIROUTER_CONFIG"}
    with subprocess.Popen(
        [command, "export", "events"], cwd=desk.folder, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["seq"] == 1
        process.stdout.close()
        assert process.stderr.read().decode() == f"Reading {desk.folder / 'omnirouter.db'}\n"
        assert process.wait(timeout=120) == 0
