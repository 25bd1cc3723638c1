"""What was set aside with its reason: events that name no message, or too many, and trying them again."""

from __future__ import annotations

import json
from typing import Any


def event(of: str) -> dict[str, str]:
    """The desk solved the conversation of this message."""
    return {"event": "status", "at": "2026-03-02T10:05:00+08:00", "conversation_of": of, "to": "solved"}


def take_in(run: Any, *lines: Any) -> Any:
    """Ingest these lines; some of them are set aside."""
    (run.folder / "in.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return run("ingest", "--channel", "app-chat", "in.jsonl")


def test_an_event_that_may_be_about_either_of_two_solves_neither(run: Any, wire: Any) -> None:
    """Two chats have a message 1: "1" is solved in neither and the reason names both; chat and id name one."""
    said = [wire("1", "提现还没到账", handle="u-1"), wire("1", "我的账户被冻结了", handle="u-2")]
    assert take_in(run, *said, event("1")).code == 1
    assert [c["status"] for c in run.exported("conversations")] == ["open", "open"]
    (row,) = run.json("dead", "list")
    assert "'1' is a message in 2 chats of channel app-chat" in row["reason"]
    assert "such as 'u-1:1'" in row["reason"]
    assert take_in(run, event("u-2:1")).code == 0
    assert [c["status"] for c in run.exported("conversations")] == ["open", "solved"]


def test_what_still_cannot_be_decided_keeps_its_reason(run: Any, wire: Any) -> None:
    """Replayed too early, an event says again why, and the list says so too; replayed once its message is there, it is
    done."""
    assert take_in(run, event("m-1")).code == 1
    (row,) = run.json("dead", "list")
    done = run("dead", "replay", str(row["id"]))
    assert done.code == 1
    assert f"{row['id']} stays set aside: it cannot be decided: conversation_of: 'm-1' is no message" in done.err
    (again,) = run.json("dead", "list")
    assert again["reason"] == row["reason"]
    assert take_in(run, wire("m-1", "提现还没到账")).code == 0
    assert run("dead", "replay", str(row["id"])).code == 0
    assert [c["status"] for c in run.exported("conversations")] == ["solved"]


def replayed(run: Any, *words: str) -> dict[str, int]:
    """The summary of deciding a channel's raws again."""
    counts: dict[str, int] = run.json(*words, "replay", "--channel", "app-chat", "--since", "2026-03-01")
    return counts


def test_what_was_dropped_stays_dropped(run: Any, wire: Any) -> None:
    """A dropped event is decided by no replay of its channel, even when its message has come; only when asked for."""
    assert take_in(run, [wire("m-2", "充值失败"), event("m-1")]).code == 1
    (row,) = run.json("dead", "list")
    assert run("dead", "drop", row["id"]).code == 0
    assert take_in(run, wire("m-1", "提现还没到账", handle="u-1")).code == 0
    counts = replayed(run)
    assert (counts["read"], counts["stored"], counts["redelivered"], counts["failed"]) == (2, 0, 2, 0)
    assert [c["status"] for c in run.exported("conversations")] == ["open", "open"]
    assert run("dead", "replay", row["id"]).code == 0
    assert [c["status"] for c in run.exported("conversations")] == ["open", "solved"]


def test_a_dropped_line_is_not_looked_at_again(run: Any, wire: Any) -> None:
    """A dropped invalid line is no part of a replay, and taken in again it is neither listed nor a reason to fail."""
    assert take_in(run, {"id": "m-1"}).code == 1
    (row,) = run.json("dead", "list")
    assert run("dead", "drop", row["id"]).code == 0
    done = run("replay", "--channel", "app-chat", "--since", "2026-03-01")
    assert (done.code, json.loads(done.out)["read"]) == (0, 0)
    assert take_in(run, {"id": "m-1"}).code == 0
    assert run.json("dead", "list") == []


def test_all_of_a_reason_are_decided_again(run: Any, wire: Any) -> None:
    """What has been mended since is decided in one go, by its reason or all; what still fails says why and stays."""
    assert take_in(run, event("m-1"), event("m-2"), {"id": "m-9"}).code == 1
    assert len(run.json("dead", "list")) == 3
    assert take_in(run, wire("m-1", "提现还没到账")).code == 0
    none = run("dead", "replay", "--reason", "no such words")
    assert (none.code, none.out) == (0, "Nothing is set aside for such a reason.\n")
    some = run("dead", "replay", "--reason", "IS NO MESSAGE OF CHANNEL")
    assert (some.code, some.out) == (1, "1 was decided (1 message); 1 stays set aside.\n")
    assert "stays set aside: it cannot be decided: conversation_of: 'm-2' is no message" in some.err
    assert take_in(run, wire("m-2", "账户被冻结了", handle="u-2")).code == 0
    done = run("dead", "replay", "--all", "--json")
    assert (done.code, json.loads(done.out)) == (1, {"replayed": 1, "messages": 1, "stay": 1})
    assert [c["status"] for c in run.exported("conversations")] == ["solved", "solved"]


def test_one_dead_item_does_not_hold_back_another_of_its_raw(run: Any, wire: Any) -> None:
    """Two lines of one raw are dead: the one that can be decided now is, whatever the other still says."""
    assert take_in(run, [event("m-1"), event("m-2")]).code == 1
    assert take_in(run, wire("m-1", "提现还没到账")).code == 0
    done = run("dead", "replay", "--all", "--json")
    assert json.loads(done.out) == {"replayed": 1, "messages": 1, "stay": 1}
    assert [c["status"] for c in run.exported("conversations")] == ["solved"]


def test_what_is_replayed_is_named_in_one_way(run: Any) -> None:
    """An id, all, or a reason: nothing and two of them are refused with the ways that there are."""
    for words in ((), ("1", "--all"), ("--all", "--reason", "x")):
        done = run("dead", "replay", *words)
        assert done.code == 2
        assert "takes one of: an ID as `omnirouter dead list` shows it, --all, --reason TEXT" in done.err
