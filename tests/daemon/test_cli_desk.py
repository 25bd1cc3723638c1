"""The acts of the desk from the command line: each does one thing, says so, and is refused where it makes no sense."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from router.desk import Ledger
from router.desk.duties.sent import settle
from router.policy.load import load
from router.store.outbox import claim

TRANSFER = "转账2000一直没到账，单号TP202603010077"
FROZEN = "我的账户被冻结了，登录后提示账户受限"


@pytest.fixture
def desk(run: Any, wire: Any) -> Any:
    """A desk with two conversations: 1 about a transfer, chased once; 3 of somebody else about a frozen account."""
    run.answers_by_url()
    run.take_in(
        wire("m-1", TRANSFER, "2026-03-02T10:00:00+08:00", verified={"email": "chen@customer.example"}),
        wire("m-2", "还没到账吗？", "2026-03-02T10:30:00+08:00", verified={"email": "chen@customer.example"}),
        wire("m-3", FROZEN, "2026-03-02T11:00:00+08:00", handle="u-81", name="刘女士"),
    )
    return run


def state(desk: Any, number: int = 1) -> dict[str, Any]:
    """A conversation as it is exported."""
    found: dict[str, Any] = next(c for c in desk.exported("conversations") if c["id"] == number)
    return found


def types(desk: Any) -> list[str]:
    """The types of all events, in order."""
    return [event["type"] for event in desk.exported("events")]


def refused(done: Any, sentence: str, code: int = 1) -> None:
    """It ended with one sentence and changed nothing on stdout."""
    assert done.code == code
    assert done.out == ""
    assert sentence in done.err
    assert done.err.count("\n") == 1


def outgoing(desk: Any) -> list[tuple[str, dict[str, Any]]]:
    """The replies in the outbox."""
    connection = sqlite3.connect(desk.folder / "omnirouter.db")
    try:
        rows = connection.execute("SELECT state, body FROM outbox WHERE kind = 'reply' ORDER BY id").fetchall()
    finally:
        connection.close()
    return [(row[0], json.loads(row[1])) for row in rows]


def test_a_reply_waits_to_be_sent_to_where_the_customer_wrote(desk: Any) -> None:
    """A reply goes to the customer's handle on his channel, ends the wait, and is shown with what came of it."""
    done = desk("reply", "C-1", "--text", "已为您核实", "--agent", "li")
    assert (done.code, done.out) == (
        0,
        "Reply 4 to C-1 waits to be sent to u-77 on app-chat; the daemon sends it.\n",
    )
    ((pending, body),) = outgoing(desk)
    assert (pending, body["to"], body["text"], body["agent"]) == ("pending", "u-77", "已为您核实", "li")
    assert state(desk)["waiting_since"] is None
    shown = desk.json("show", 1)
    assert shown["messages"][-1]["delivery"]["state"] == "pending"
    assert "reply by li to u-77 (waits to be sent)" in desk("show", 1).out
    assert "Answers go to u-77 on app-chat\n" in desk("show", 1).out


def test_a_reply_that_can_reach_nobody_is_not_sent(run: Any, wire: Any) -> None:
    """Who wrote by a signed post has no page, and the preset's chat no reply_url: one sentence says so at once, and the
    clock runs on as if nobody had answered."""
    run.take_in(wire("m-1", TRANSFER))
    done = run("reply", 1, "--text", "已为您核实", "--agent", "li")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "Reply 2 to C-1 is not sent: No reply can leave channel app-chat: it has no reply_url, and u-77 is no visitor "
        "of its page; set reply_url to reach who writes by signed webhook.\n"
    )
    assert {clock["ended_at"] for clock in run.exported("deadlines")} == {None}
    assert state(run)["waiting_since"] == "2026-03-02T02:00:00Z"
    assert "reply by li to u-77 (failed: No reply can leave" in run("show", 1).out
    assert types(run)[-2:] == ["reply.queued", "reply.failed"]
    assert run.exported("messages")[-1]["state"] == "failed"
    assert run("audit").code == 0
    assert "channels.app-chat: its replies may reach nobody: it has no reply_url, and only visitors" in run("check").err


def test_a_person_settles_a_reply_of_which_nobody_knows(desk: Any) -> None:
    """`reply --settle` says what became of it, once; the clock goes by it."""
    desk("reply", 1, "--text", "已为您核实", "--agent", "li")
    refused(desk("reply", 1, "--settle", "sent"), "C-1 has no reply whose fate is unknown.")
    policy = load(desk.folder / "omnirouter.toml")
    store = Ledger.open(policy)
    (due,) = claim(store, "reply", "app-chat", datetime.now(UTC))
    settle(store, due, "unknown", datetime.now(UTC), detail="no answer")
    store.close()
    assert state(desk)["waiting_since"] is not None
    refused(desk("reply", 1, "--settle", "read"), "settled as sent or failed", code=2)
    assert desk("reply", 1, "--settle", "sent", "--agent", "li").out == "Reply 4 to C-1 is sent now.\n"
    assert state(desk)["waiting_since"] is None
    assert desk.json("show", 1)["messages"][-1]["delivery"]["state"] == "sent"
    refused(desk("reply", 1, "--settle", "failed"), "no reply whose fate is unknown")
    assert desk("audit").code == 0


def test_a_reply_comes_from_a_pipe_and_carries_files(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--text -` reads stdin; an attachment's content is kept with the reply, under a safe name."""
    (desk.folder / "凭证.png").write_bytes(b"\x89PNG\r\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("您好，\n凭证见附件\n".encode())))
    done = desk.json("reply", 1, "--text", "-", "--attach", "凭证.png")
    assert (done["message"], done["channel"], done["state"]) == (4, "app-chat", "pending")
    ((_, body),) = outgoing(desk)
    (file,) = body["attachments"]
    assert body["text"] == "您好，\n凭证见附件"
    assert (file["name"], file["type"], file["size"]) == ("凭证.png", "image/png", 6)
    from msgspec import convert

    from router.model import Attachment

    assert convert(file, Attachment).content == b"\x89PNG\r\n"


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (("C-ZZ", "--text", "x"), "There is no conversation 1023 (C-ZZ).", 1),
        (("nobody", "--text", "x"), "'nobody' names no conversation; right would be its number (1050) or its ref", 1),
        ((1, "--text", " "), "A reply needs words.", 2),
        ((1, "--text", "x", "--channel", "x"), "no address of the customer on x; he wrote on: app-chat.", 1),
        ((1, "--text", "x", "--attach", "none.png"), "--attach none.png: No such file or directory; name a file.", 2),
        ((1,), "Give --text TEXT, or - for stdin", 2),
    ],
)
def test_a_reply_that_cannot_go_is_refused(desk: Any, words: Any, sentence: str, code: int) -> None:
    """Each refusal is one sentence, and nothing is queued."""
    refused(desk("reply", *words), sentence, code)
    assert outgoing(desk) == []


def test_nobody_is_answered_twice(desk: Any) -> None:
    """Who last saw the conversation before somebody answered is refused, unless he insists."""
    seen = desk.json("show", 1)["seq"]
    assert desk("reply", 1, "--text", "一", "--seen", seen, "--agent", "li").code == 0
    refused(desk("reply", 1, "--text", "二", "--seen", seen, "--agent", "wang"), "li answered C-1 meanwhile: “一”")
    assert desk("reply", 1, "--text", "二", "--seen", desk.json("show", 1)["seq"]).code == 0
    assert desk("reply", 1, "--text", "三", "--seen", seen, "--force").code == 0
    assert [body["text"] for _, body in outgoing(desk)] == ["一", "二", "三"]


def test_a_held_conversation_is_its_holders(desk: Any) -> None:
    """Taking keeps others from answering and taking; releasing gives it back; --force takes it over."""
    refused(desk("take", 1), "Who takes it? Name the agent with --agent NAME.", 2)
    assert desk("take", "c-1", "--agent", "li").out == "li holds C-1 now.\n"
    held = "li holds C-1; ask them to release it, or use --force."
    refused(desk("take", 1, "--agent", "wang"), held)
    refused(desk("reply", 1, "--text", "x", "--agent", "wang"), held)
    assert desk.json("take", 1, "--agent", "wang", "--force")["holder"] == "wang"
    for other in ([], ["--agent", "li"]):
        refused(desk("release", 1, *other), "wang holds C-1; ask them to release it, or use --force.")
    free = "C-1 is back in queue payments; nobody holds it.\n"
    assert desk("release", 1, "--agent", "wang").out == free
    assert desk("reply", 1, "--text", "x", "--agent", "li").code == 0
    desk("take", 1, "--agent", "wang")
    assert desk("release", 1, "--agent", "li", "--force").out == free


def test_a_note_is_for_the_desk(desk: Any) -> None:
    """A note is shown to the desk, sent to nobody, and the customer still waits."""
    before = state(desk)["waiting_since"]
    assert desk("note", 1, "--text", "银行说明天", "--agent", "li").out == "Note 4 on C-1.\n"
    assert "note by li\n    银行说明天" in desk("show", 1).out
    assert outgoing(desk) == []
    assert state(desk)["waiting_since"] == before
    refused(desk("note", 1, "--text", ""), "A note needs words.", 2)


def test_a_status_is_set(desk: Any) -> None:
    """Solving ends the wait and the clocks; a word that is no status is refused."""
    assert desk("status", 1, "solved", "--agent", "li").out == "C-1 is solved.\n"
    assert (state(desk)["status"], state(desk)["waiting_since"]) == ("solved", None)
    assert desk("status", 1, "open").code == 0
    refused(desk("status", 1, "done"), "'done' is no status; right would be one of: open, pending, on_hold, ", 2)


def test_a_moved_conversation_stays_where_a_person_put_it(desk: Any) -> None:
    """Moving is to a configured queue; what its customer writes then does not move it back."""
    assert desk("move", 1, "risk", "--agent", "li").out == "C-1 is in queue risk now, whatever the rules say.\n"
    again = {"id": "m-9", "sent_at": "2026-03-02T12:00:00+08:00", "sender": {"handle": "u-77"}, "text": "到账了吗"}
    desk.take_in(again)
    assert desk.exported("messages")[-1]["conversation"] == 1
    assert state(desk)["queue"] == "risk"
    refused(desk("move", 1, "nowhere"), "There is no queue 'nowhere'; the configuration has: general, account, ", 2)


def test_a_retagged_conversation_is_routed_anew(desk: Any) -> None:
    """A person's type decides queue and promises, and becomes a label for training."""
    done = desk.json("retag", 1, "refund", "--agent", "li")
    assert (done["issue_type"], done["queue"]) == ("refund", "disputes")
    assert {c["policy"] for c in desk.exported("deadlines") if c["conversation"] == 1} >= {"refund"}
    (label,) = desk.exported("labels")
    assert (label["id"], label["label"], label["text"], label["by"]) == (1, "refund", TRANSFER, "li")
    refused(desk("retag", 1, "weather"), "There is no issue type 'weather'; the configuration has: login, ", 2)


def test_spam_promises_nothing(desk: Any) -> None:
    """Spam is closed and waits for nobody."""
    assert desk("spam", 3).code == 0
    assert (state(desk, 3)["status"], state(desk, 3)["next_due"]) == ("closed", None)
    assert "account" not in {row["queue"] for row in desk.json("queues") if row["waiting"]}
    refused(desk("spam", 99), "There is no conversation 99 (C-33).")


def test_a_blocked_person_is_kept_and_promised_nothing(desk: Any) -> None:
    """What a blocked person writes is stored without a clock; --undo lets him write again."""
    assert desk("block", "u-81").out == "Contact 3 is blocked (--undo lets him write again).\n"
    clocks = len(desk.exported("deadlines"))
    desk.take_in({"id": "m-9", "sent_at": "2026-03-05T12:00:00+08:00", "sender": {"handle": "u-81"}, "text": TRANSFER})
    assert len(desk.exported("messages")) == 4
    assert len(desk.exported("deadlines")) == clocks
    assert desk.json("block", "u-81", "--undo") == {"contact": 3, "blocked": False}
    refused(desk("block", "u-99"), "No contact has this handle; right would be an address as `omnirouter show` prints")


def snapshot(desk: Any) -> list[Any]:
    """All that merging could change: states, clocks as they are kept, messages, history without the merge itself."""
    connection = sqlite3.connect(desk.folder / "omnirouter.db")
    try:
        rows = connection.execute("SELECT * FROM conversations ORDER BY number").fetchall()
        columns = [column[1] for column in connection.execute("PRAGMA table_info(conversations)")]
    finally:
        connection.close()
    kept = [{k: v for k, v in zip(columns, row, strict=True) if k not in ("version", "seq")} for row in rows]
    own = ("conversation.merged", "conversation.split")
    events = [event for event in desk.exported("events") if event["type"] not in own]
    return [kept, desk.exported("conversations"), desk.exported("messages"), desk.exported("deadlines"), events]


def test_a_merge_is_undone_by_a_split(desk: Any) -> None:
    """Merged, both are one; splitting the other's messages off gives both back as they were, history and all."""
    desk("retag", 3, "account_locked", "--agent", "li")
    before = snapshot(desk)
    merged = desk.json("merge", "C-1", "C-3", "--agent", "li")
    assert (merged["conversation"], merged["absorbed"], merged["messages"]) == (1, 3, 3)
    assert [c["id"] for c in desk.exported("conversations")] == [1]
    assert {m["conversation"] for m in desk.exported("messages")} == {1}
    assert desk.json("show", "C-3")["conversation"]["id"] == 1
    refused(desk("merge", 1, 3), "C-1 and C-3 are one conversation already.")
    alone = desk.json("split", 1, 3, "--agent", "li")
    assert (alone["conversation"], alone["queue"], alone["issue_type"]) == (3, "account", "account_locked")
    assert snapshot(desk) == before


def test_messages_are_split_off(desk: Any) -> None:
    """A message that is about something else gets a conversation of its own, linked with the old one."""
    refused(desk("split", 1, 3), "C-1 has no message 3.")
    refused(desk("split", 1, 1, 2), "All messages of C-1 were named; at least one")
    refused(desk("split", 1, "m-404"), "There is no message m-404; `omnirouter show 1` lists them.")
    new = desk.json("split", 1, "m-2")
    assert new["messages"] == 1
    assert [m["conversation"] for m in desk.exported("messages")] == [1, new["conversation"], 3]
    assert [link["conversation"] for link in state(desk)["links"]] == [new["conversation"]]


def test_links_come_and_go(desk: Any) -> None:
    """Two conversations are linked, unlinked and linked again; nothing else of them changes."""
    refused(desk("unlink", 1, 3), "C-1 and C-3 are not linked.")
    refused(desk("link", 1, 1), "A conversation cannot be linked with itself.")
    for _ in range(2):
        assert desk("link", 1, 3, "--agent", "li").out == "C-1 and C-3 are linked.\n"
        assert [(x["conversation"], x["reason"]) for x in state(desk)["links"]] == [(3, "linked")]
        assert [x["conversation"] for x in state(desk, 3)["links"]] == [1]
        assert desk("unlink", 3, 1).out == "C-3 and C-1 are no longer linked.\n"
        assert state(desk)["links"] == []


def test_attributes_of_a_contact(desk: Any) -> None:
    """Attributes are set and removed by number, handle or ref, and rules may read them."""
    assert desk("contact", "set", "u-77", "tier=gold", "brand=a").out == "Contact 1: tier=gold, brand=a.\n"
    assert desk.json("contact", "set", "C-1", "brand=") == {"contact": 1, "attributes": {"tier": "gold"}}
    assert desk.exported("contacts")[0]["attributes"] == {"tier": "gold"}
    refused(desk("contact", "set", 1, "vip"), "'vip' is no KEY=VALUE; right would be tier=gold.", 2)
    refused(desk("contact", "set", "u-99", "tier=gold"), "'u-99' names no contact; right would be his number, a handle")


def test_every_act_is_an_event(desk: Any) -> None:
    """Nothing that a person does is without its line in the event log."""
    for words in (
        ("take", 1, "--agent", "li"), ("release", 1, "--agent", "li"), ("note", 1, "--text", "x"),
        ("reply", 1, "--text", "x"),
        ("move", 1, "risk"), ("retag", 1, "refund"), ("link", 1, 3), ("unlink", 1, 3), ("merge", 1, 3),
        ("split", 1, 3), ("status", 1, "solved"), ("block", "u-81"), ("contact", "set", 1, "a=b"), ("spam", 3),
    ):  # fmt: skip
        before = len(types(desk))
        assert desk(*words).code == 0, words
        assert len(types(desk)) > before, words
    assert types(desk)[-1] == "conversation.spam"


def test_queues_are_in_working_order(desk: Any) -> None:
    """Each queue shows the time that is left in words; a queue that does not exist is named."""
    found = {row["queue"]: row for row in desk.json("queues")}
    assert [c["ref"] for c in found["payments"]["conversations"]] == ["C-1"]
    assert found["account"]["conversations"][0]["metric"] == "first_reply"
    assert "overdue (business time)" in desk("queues", "account").out
    refused(desk("queues", "nowhere"), "There is no queue 'nowhere'; the configuration has: general, account, ", 2)


def test_a_number_that_a_stranger_names_is_shown_taken_and_joined_by_hand(run: Any, wire: Any) -> None:
    """Both stand in their queue with the other's ref, in lines that fit 80 columns; one agent takes both; only a person
    who checked makes them one, or says that they are not."""
    number = "订单号 TP2026030112345678"
    run.take_in(
        wire("m-1", f"{number} 转账2000没到账", handle="visitor-a"),
        wire("m-2", f"转账一直没到对方账上,{number}", "2026-03-02T10:05:00+08:00", handle="visitor-b"),
    )
    told = run("queues", "payments").out
    assert told.startswith("payments: 2 waiting\n")
    assert all(f"also {ref} (unproven)" in told for ref in ("C-1", "C-2"))
    assert max(map(len, told.splitlines())) < 80
    assert "Also C-2 (unproven): the same order number; nothing is proved of either sender" in run("show", 1).out
    assert "li holds C-1 now, and C-2, which names the same number" in run("take", 1, "--agent", "li").out
    assert run("status", 1, "pending", "--agent", "li").code == 0
    found = {row["queue"]: row for row in run.json("queues")}["payments"]
    assert [c["ref"] for c in found["conversations"]] == ["C-2"]
    assert ([c["ref"] for c in found["apart"]], found["waiting"]) == (["C-1"], 1)
    joined = run("link", "accept", 2, 1, "--agent", "li", "--checked", "called back")
    assert joined.out == "C-2 is part of C-1 now: 2 messages.\n"
    assert run("split", 1, "m-2").code == 0
    assert run("link", "refuse", 1, 2).out == "C-1 and C-2 are not the same, and stay apart.\n"
    refused(run("link", "accept", 1, 2), "C-1 and C-2 are not linked; to join them all the same: omnirouter merge.")


def test_explaining_says_what_was_meant(desk: Any) -> None:
    """A number is a message first; a ref is a conversation; a provider's id is found; the words say why."""
    message = desk("explain", "2")
    assert "Conversation C-1 (1): chaser, by " in message.out
    assert message.out.endswith("(2 is taken as a message; its conversation: explain C-1)\n")
    first = desk("explain", "m-1").out
    assert "Issue type: transfer_failed (" in first
    assert "decided by the words: 转账" in first
    assert "Queue: payments, by rule money, priority 50" in first
    assert "- rule risk: issue_type is transfer_failed, wanted one of security, phishing_leak" in first
    assert "first_reply due 2026-03-02 10:02, policy chat in the hours of chat" in first
    whole = desk("explain", "C-1").out
    assert whole.startswith("Conversation C-1 (1): open, 2 messages\n")
    assert "chaser by" in whole
    told = desk.json("explain", 2)
    assert told["decision"]["candidates"][0]["conversation"] == 1
    refused(desk("explain", "C-ZZ"), "'C-ZZ' is no message and no conversation; right would be a message's number")


def test_the_installed_command_does_the_same(desk: Any) -> None:
    """The real command, in a process of its own, reads the words from a pipe."""
    command = Path(sys.executable).with_name("omnirouter")
    clean = {key: value for key, value in os.environ.items() if key != "OMNIROUTER_CONFIG"}
    done = subprocess.run(
        [command, "reply", "1", "--text", "-"], cwd=desk.folder, env=clean, input="从管道来", text=True,
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert [body["text"] for _, body in outgoing(desk)] == ["从管道来"]
