"""What a person may ask about himself: to be forgotten, with a dry run first, and to be given all that is kept."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

TRANSFER = "转账2000一直没到账，单号TP202603010077"


@pytest.fixture
def lines(wire: Any) -> list[dict[str, Any]]:
    """Two messages of one person on two channels, one of somebody else."""
    proved = {"email": "chen@customer.example"}
    return [
        wire("m-1", TRANSFER, verified=proved),
        wire("t-1", "转账2000还没到账", "2026-03-02T11:00:00+08:00", channel="telegram", handle="88", verified=proved),
        wire("m-3", "我的账户被冻结了", "2026-03-02T12:00:00+08:00", handle="u-81", name="刘女士"),
    ]


@pytest.fixture
def desk(run: Any, lines: list[dict[str, Any]]) -> Any:
    """The desk that has them, with a reply and a note."""
    run.take_in(*lines)
    run("reply", 1, "--text", "已为您核实", "--agent", "li")
    run("note", 1, "--text", "陈先生很着急", "--agent", "li")
    return run


def everything(desk: Any) -> str:
    """The whole database but what it keeps of raws, as text."""
    connection = sqlite3.connect(desk.folder / "omnirouter.db")
    try:
        return "\n".join(line for line in connection.iterdump() if 'INTO "raws"' not in line)
    finally:
        connection.close()


def test_a_dry_run_changes_nothing(desk: Any) -> None:
    """Without --yes it says what would be met, and how to do it."""
    before = everything(desk)
    done = desk("erase", "chen@customer.example")
    assert done.code == 0
    assert done.out.splitlines() == [
        "Contact 1 (u-77, chen@customer.example, 88): 1 conversations, 4 messages, 2 raws.",
        "Nothing was erased. To do it: omnirouter erase chen@customer.example --yes",
    ]
    assert everything(desk) == before
    assert desk.json("erase", 1)["dry_run"] is True


def test_an_erased_person_is_gone_and_the_others_stay(desk: Any) -> None:
    """Nothing of him is left but digests and counts: no name, no word, no address, and no key to his raws."""
    report = desk.json("erase", "C-1", "--yes")
    assert (report["dry_run"], report["conversations"], report["messages"], report["raws"]) == (False, 1, 4, 2)
    left = everything(desk)
    for trace in ("陈先生", "chen@customer.example", "TP202603010077", "u-77", "没到账", "着急", "已为您核实"):
        assert trace not in left, trace
    assert "刘女士" in left
    assert [m["sender"] for m in desk.exported("messages")] == ["u-81"]
    connection = sqlite3.connect(desk.folder / "omnirouter.db")
    try:
        key = "EXISTS (SELECT 1 FROM raw_keys k WHERE k.partition = r.partition AND k.position = r.position)"
        raws = connection.execute(f"SELECT channel, {key}, length(body) = 0 FROM raws r")  # noqa: S608  (no input)
        assert sorted(raws) == [("app-chat", 0, 1), ("app-chat", 1, 0), ("telegram", 0, 1)]
    finally:
        connection.close()
    (event,) = (e for e in desk.exported("events") if e["type"] == "contact.erased")
    assert event["data"] == {"conversations": 1, "messages": 4, "raws": 2}


def test_a_redelivery_does_not_bring_him_back(desk: Any, lines: list[dict[str, Any]]) -> None:
    """The same messages, delivered again, are known by their digests; a new message of his is welcome."""
    desk("erase", 1, "--yes")
    assert desk.take_in(*lines)["redelivered"] == 3
    assert [m["sender"] for m in desk.exported("messages")] == ["u-81"]
    assert desk.take_in({**lines[0], "id": "m-99", "sent_at": "2026-03-09T10:00:00+08:00"})["stored"] == 1
    assert desk.exported("messages")[-1]["class"] in ("first", "cross_customer")


def test_what_is_kept_of_a_person_is_given_to_him(desk: Any) -> None:
    """One JSON value: contact, handles, and each conversation with its messages and events."""
    done = desk("export-contact", "88")
    assert (done.code, done.err) == (0, "")
    given = json.loads(done.out)
    assert given["contact"]["number"] == 1
    assert [handle["address"] for handle in given["handles"]] == ["u-77", "chen@customer.example", "88"]
    (conversation,) = given["conversations"]
    assert [m["direction"] for m in conversation["messages"]] == ["in", "in", "out", "note"]
    assert conversation["events"]
    assert "刘女士" not in done.out


@pytest.mark.parametrize("command", [("erase",), ("export-contact",)])
def test_somebody_unknown_is_one_sentence(desk: Any, command: tuple[str]) -> None:
    """A contact that is not there is said, and nothing happens."""
    done = desk(*command, "u-404")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("'u-404' names no contact; right would be his number, a handle")
    assert desk(*command, "4711").err == "There is no contact 4711.\n"
