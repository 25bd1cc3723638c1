"""The desk as a whole: who is there, what happens to many, how it does, whether it agrees with itself, and what if."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

TRANSFER = "转账2000一直没到账，单号TP2026030100"
FROZEN = "我的账户被冻结了，登录后提示账户受限"


@pytest.fixture
def desk(run: Any, wire: Any) -> Any:
    """A desk with history: two transfers, one answered after 90 seconds, one never and chased; a frozen account."""
    run.take_in(
        wire("m-1", f"{TRANSFER}71", "2026-03-02T10:00:00+08:00"),
        {"event": "reply", "at": "2026-03-02T10:01:30+08:00", "conversation_of": "m-1", "text": "到了", "agent": "li"},
        {"event": "status", "at": "2026-03-02T10:05:00+08:00", "conversation_of": "m-1", "to": "solved"},
        wire("t-1", f"{TRANSFER}82", "2026-03-03T10:00:00+08:00", channel="telegram", handle="88"),
        wire("t-2", "还没到账吗？", "2026-03-03T11:00:00+08:00", channel="telegram", handle="88"),
        wire("m-3", FROZEN, "2026-03-04T11:00:00+08:00", handle="u-81", name="刘女士"),
    )
    return run


def statement(folder: Path, sql: str) -> None:
    """Change the desk's database behind its back."""
    connection = sqlite3.connect(folder / "omnirouter.db")
    try:
        connection.execute(sql)
        connection.commit()
    finally:
        connection.close()


def test_the_report_counts_by_every_dimension(desk: Any) -> None:
    """Volume, first reply, breaches and chases, in all and by channel, queue, type and agent."""
    found = desk.json("report")
    assert found["total"] == {
        "messages": 4, "conversations": 3, "answered": 1, "first_reply_p50": 90.0, "first_reply_p90": 90.0,
        "breaches": 1, "chases": 1,
    }  # fmt: skip
    by = {name: {row["name"]: row for row in rows} for name, rows in found["by"].items()}
    assert {name: row["messages"] for name, row in by["channel"].items()} == {"app-chat": 2, "telegram": 2}
    assert by["channel"]["telegram"]["chases"] == 1
    assert by["queue"]["payments"]["conversations"] == 2
    assert by["issue_type"]["account_frozen"]["answered"] == 0
    assert by["agent"]["li"]["first_reply_p50"] == 90.0
    assert "1 min" in desk("report").out


def test_the_report_begins_where_it_is_told(desk: Any) -> None:
    """--since leaves out conversations that were opened before; what is no instant is one sentence."""
    assert desk.json("report", "--since", "2026-03-03")["total"]["conversations"] == 2
    done = desk("report", "--since", "yesterday")
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_an_audit_of_a_healthy_desk_finds_no_difference(desk: Any) -> None:
    """After messages, acts, merges and splits the stored states are what messages and events say."""
    desk.answers_by_url()
    for words in (
        ("reply", 6, "--text", "您好", "--agent", "li"), ("note", 6, "--text", "x"), ("status", 6, "pending"),
        ("retag", 6, "refund"), ("merge", 6, 1), ("split", 6, 1), ("take", 6, "--agent", "li"),
    ):  # fmt: skip
        assert desk(*words).code == 0, words
    done = desk("audit")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("No difference.\n3 conversations, ")


@pytest.mark.parametrize(
    ("field", "sql"),
    [
        ("messages", "UPDATE conversations SET messages = 7 WHERE number = 4"),
        ("status", "UPDATE conversations SET status = 'solved' WHERE number = 4"),
        ("waiting_since", "UPDATE conversations SET waiting_since = NULL WHERE number = 4"),
        ("chases", "UPDATE conversations SET chases = 0 WHERE number = 4"),
        ("next_due", "UPDATE conversations SET next_due = 1 WHERE number = 4"),
        ("breached", "UPDATE conversations SET breached = 0 WHERE number = 4"),
        ("channels", "UPDATE conversations SET channels = '[]' WHERE number = 4"),
        ("messages", "DELETE FROM messages WHERE number = 5"),
    ],
)
def test_an_audit_finds_what_was_tampered_with(desk: Any, field: str, sql: str) -> None:
    """Each stored field that no longer agrees with the log is named, with both values, and the exit code is 1."""
    assert desk.exported("messages")[3]["id"] == 5
    statement(desk.folder, sql)
    done = desk("audit", "--json")
    assert done.code == 1
    found = json.loads(done.out)["differences"]
    assert {(d["conversation"], d["ref"]) for d in found} == {(4, "C-4")}
    assert field in {d["field"] for d in found}


def test_the_same_configuration_would_change_nothing(desk: Any) -> None:
    """Decided again as it was, with the desk's own replies and statuses, all comes out the same."""
    desk("reply", 6, "--text", "您好", "--agent", "li")
    desk("status", 6, "solved")
    run_init(desk)
    before = desk.exported("events")
    found = desk.json("simulate", "--config", "new.toml")
    assert (found["messages"], found["changed"], found["skipped"], found["changes"]) == (4, 0, 0, [])
    assert "Nothing would change." in desk("simulate", "--config", "new.toml").out
    assert desk.exported("events") == before


def run_init(desk: Any, *changes: tuple[str, str]) -> None:
    """Write new.toml: the wallet preset with some texts replaced."""
    assert desk("init", "new.toml").code == 0
    path = desk.folder / "new.toml"
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def test_other_rules_are_tried_without_touching_the_desk(desk: Any) -> None:
    """Another queue and another promise show as changes of the messages and conversations they meet."""
    frozen = 'when = { issue_type = ["account_frozen"] }\nqueue = "account"'
    run_init(desk, (frozen, frozen.replace('"account"', '"risk"')), ('resolution = "24h"', 'resolution = "48h"'))
    found = desk.json("simulate", "--config", "new.toml")
    queues = [(c["message"], c["before"], c["after"]) for c in found["changes"] if c["what"] == "queue"]
    assert queues == [(6, "account", "risk")]
    due = [(c["metric"], c["before"], c["after"]) for c in found["changes"] if c["what"] == "deadline"]
    assert due == [("resolution 1", "2026-03-05T03:00:00Z", "2026-03-06T03:00:00Z")]
    assert {"what": "queue", "before": "account", "after": "risk", "messages": 1} in found["summary"]
    assert next(c["queue"] for c in desk.exported("conversations") if c["id"] == 6) == "account"
    assert desk.json("simulate", "--config", "new.toml", "--since", "2026-03-05")["messages"] == 0


def test_erased_raws_cannot_be_decided_again(desk: Any) -> None:
    """What is no longer kept is counted, and said."""
    assert desk("erase", "88", "--yes").code == 0
    run_init(desk)
    done = desk("simulate", "--config", "new.toml")
    assert done.code == 0
    assert done.err.startswith("2 messages could not be decided again")


def test_a_configuration_with_mistakes_is_not_tried(desk: Any) -> None:
    """All mistakes of the other file are told, exit code 2."""
    run_init(desk, ('queue = "general"', 'queue = "nowhere"'))
    done = desk("simulate", "--config", "new.toml")
    assert (done.code, done.out) == (2, "")
    assert "nowhere" in done.err
    assert desk("simulate", "--config", "none.toml").code == 2


def test_an_incident_is_answered_in_all_its_conversations(run: Any, wire: Any) -> None:
    """Three customers with the same trouble are an incident; one text goes to each, held ones are left out."""
    run.take_in(
        *(
            wire(f"m-{n}", "买电影票被扣了两次款，每次45元", f"2026-03-02T10:0{n}:00+08:00", handle=f"u-{n}")
            for n in range(4)
        )
    )
    (incident,) = run.json("incidents")
    assert len(incident["conversations"]) == 4
    assert incident["open"] == 4
    run("take", 2, "--agent", "wang")
    done = run("incidents", "reply", incident["id"], "--text", "已定位，正在退款", "--agent", "li")
    assert (done.code, done.out) == (1, "3 of 4 conversations are answered; the daemon sends it.\n")
    assert done.err == "C-2: wang holds C-2; ask them to release it, or use --force.\n"
    assert [m["text"] for m in run.exported("messages") if m["direction"] == "out"] == ["已定位，正在退款"] * 3
    for c in incident["conversations"]:
        run("status", c["id"], "solved")
    assert run("incidents").out == "No incident is open.\n"
    assert len(run.json("incidents", "--all")) == 1
    assert run("incidents", "reply", incident["id"], "--text", "x").err == (
        f"No conversation of incident {incident['id']} is in work.\n"
    )


def test_an_unknown_incident_is_one_sentence(run: Any) -> None:
    """Without any incident there is none to answer."""
    run("db", "upgrade")
    assert run("incidents", "reply", "7", "--text", "x") == (1, "", "There is no incident '7'; there is: none.\n")
    assert run.json("incidents") == []


def test_agents_say_whether_they_are_there(run: Any) -> None:
    """Presence is set and shown; a name alone, or another word, is a question back."""
    run("db", "upgrade")
    assert run("agents").out.startswith("Nobody: ")
    assert run.json("agents", "li", "present")[0]["available"] is True
    assert [(row["name"], row["presence"]) for row in run.json("agents")] == [("li", "present")]
    assert run.json("agents", "li", "absent")[0]["presence"] == "absent"
    assert run("agents", "li") == (
        2, "", "What is li? Right would be: omnirouter agents li present (or away, absent).\n"
    )  # fmt: skip
    assert run("agents", "li", "asleep").code == 2
