"""Recorded messages: mails, mailboxes and lines of chats go the way of live ones, add up, and wake nobody."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import io
import json
import lzma
import mailbox
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.desk import Ledger
from router.policy.values import Policy
from router.ports import Raw
from router.seal import create_key
from router.secret import Secret
from router.store.leases import Leases
from router.store.log import RECORDED
from workers.cli.opened import opened
from workers.daemon.channels import Channels
from workers.daemon.log import open_log
from workers.daemon.single_writer import alone
from workers.ingest.recorded import ingest
from workers.ingest.recordings import lines
from workers.ingest.window import windows

TRANSFER = "转账2000一直没到账，单号TP202603010077"
FIELDS = ["read", "stored", "redelivered", "invalid", "dead", "conversations", "seconds"]


def mail(number: int, text: str, sender: str = "chen@customer.example", **headers: str) -> EmailMessage:
    """A mail of a customer, received on 2 March 2026 at number o'clock."""
    made = EmailMessage()
    made["Received"] = f"from mx by mx.example.com; Mon, 02 Mar 2026 {number:02}:00:05 +0800"
    made["From"], made["To"], made["Subject"] = sender, "support@example.com", f"matter {number}"
    made["Date"] = f"Mon, 02 Mar 2026 {number:02}:00:00 +0800"
    made["Message-ID"] = f"<mail-{number}@customer.example>"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def adds_up(summary: dict[str, Any]) -> bool:
    """Is what was read what became of it?"""
    parts = ("stored", "redelivered", "invalid", "dead")
    return bool(summary["read"] == sum(summary[name] for name in parts))


def summary_of(done: Any) -> dict[str, Any]:
    """The last line of an ingest."""
    found: dict[str, Any] = json.loads(done.out.splitlines()[-1])
    assert list(found) == FIELDS
    return found


def folder_of_mails(folder: Path) -> Path:
    """Mails in folders in a folder."""
    for number in (9, 10, 11):
        place = folder / "mails" / str(number) / "deep"
        place.mkdir(parents=True)
        (place / "mail.eml").write_bytes(mail(number, f"{TRANSFER}{number}", f"c{number}@customer.example").as_bytes())
    return folder / "mails"


def mbox_of_mails(folder: Path) -> Path:
    """An mbox as mail programs write it."""
    box = mailbox.mbox(folder / "old.mbox")
    for number in (9, 10, 11):
        box.add(mail(number, f"From now on\n{TRANSFER}{number}", f"c{number}@customer.example"))
    box.close()
    return folder / "old.mbox"


def maildir_of_mails(folder: Path) -> Path:
    """A Maildir with read and unread mails."""
    box = mailbox.Maildir(folder / "Maildir")
    for number in (9, 10, 11):
        box.add(mail(number, f"{TRANSFER}{number}", f"c{number}@customer.example"))
    box.close()
    return folder / "Maildir"


@pytest.mark.parametrize("kind", [folder_of_mails, mbox_of_mails, maildir_of_mails])
def test_mails_are_taken_in_once(run: Any, kind: Callable[[Path], Path]) -> None:
    """A folder of mails, an mbox or a Maildir gives its mails; taking it in again adds nothing."""
    place = kind(run.folder)
    first = summary_of(run("ingest", "--channel", "support-mail", place))
    assert adds_up(first)
    assert [first[name] for name in FIELDS[:6]] == [3, 3, 0, 0, 0, 3]
    again = summary_of(run("ingest", "--channel", "support-mail", place))
    assert [again[name] for name in FIELDS[:5]] == [3, 0, 3, 0, 0]
    messages = run.exported("messages")
    assert [m["external_id"] for m in messages] == [f"mail-{number}@customer.example" for number in (9, 10, 11)]
    assert [m["sent_at"] for m in messages] == [f"2026-03-02T0{hour}:00:05Z" for hour in (1, 2, 3)]


def test_large_mails_are_taken_in_a_few_at_a_time(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of large mails is not held in memory whole, and comes in as any other."""
    monkeypatch.setattr("workers.ingest.window.WINDOW_BYTES", 1_000)
    monkeypatch.setattr("workers.ingest.recorded.GROUP_BYTES", 100)
    done = summary_of(run("ingest", "--channel", "support-mail", folder_of_mails(run.folder)))
    assert adds_up(done)
    assert [done[name] for name in FIELDS[:6]] == [3, 3, 0, 0, 0, 3]


@given(
    st.lists(st.tuples(st.integers(0, 50), st.binary(max_size=40)), max_size=40), st.integers(1, 20), st.integers(1, 99)
)
def test_a_window_gives_back_what_it_took_in_order_of_time(
    taken: list[tuple[int, bytes]], many: int, held: int
) -> None:
    """Whether the bodies wait in memory or in a file: each raw once, with its own bytes, the earliest of a window
    first."""
    start = datetime(2026, 3, 2, tzinfo=UTC)
    raws = [
        Raw(channel="x", body=body, received_at=start + timedelta(seconds=second), meta={"n": str(number)})
        for number, (second, body) in enumerate(taken)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workers.ingest.window.WINDOW", many)
        patch.setattr("workers.ingest.window.HELD", held)
        found = [list(window) for window in windows(raws)]
    portions = [raws[begin : begin + many] for begin in range(0, len(raws), many)]
    assert found == [sorted(portion, key=lambda raw: raw.received_at) for portion in portions]


def test_lines_are_taken_in_once(run: Any, wire: Any) -> None:
    """A line each message, of its own channel where it names one; the same file again adds nothing."""
    lines = [wire("m-1", TRANSFER), wire("t-1", "账户被冻结了", channel="telegram", handle="88")]
    assert run.take_in(*lines) | {"seconds": 0} == dict(zip(FIELDS, [2, 2, 0, 0, 0, 2, 0], strict=True))
    assert run.take_in(*lines) | {"seconds": 0} == dict(zip(FIELDS, [2, 0, 2, 0, 0, 2, 0], strict=True))
    assert [m["channel"] for m in run.exported("messages")] == ["app-chat", "telegram"]


def test_lines_come_from_stdin_too(run: Any, wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads the lines of a pipe."""
    line = json.dumps(wire("m-1", TRANSFER)).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line + b"\n\n" + line)))
    assert adds_up(found := summary_of(run("ingest", "--channel", "app-chat", "-")))
    assert (found["read"], found["stored"], found["redelivered"]) == (2, 1, 1)


def test_broken_lines_are_set_aside_and_the_others_come_in(run: Any, wire: Any) -> None:
    """A line that is no message is invalid, with its reason; the command says so and ends with 1."""
    broken = ["{", json.dumps({"id": "x"}), json.dumps({**wire("m-2", "hi"), "sent_at": "2026-03-02T10:00:00"})]
    (run.folder / "in.jsonl").write_text("\n".join([*broken, json.dumps(wire("m-1", TRANSFER))]))
    done = run("ingest", "--channel", "app-chat", "in.jsonl")
    found = summary_of(done)
    assert adds_up(found)
    assert (done.code, found["read"], found["stored"], found["invalid"]) == (1, 4, 1, 3)
    assert done.err == "3 invalid and 0 dead were set aside; see: omnirouter dead list\n"
    reasons = [row["reason"] for row in run.json("dead", "list")]
    assert len(reasons) == 3
    assert all(reason.strip() for reason in reasons)
    assert any("sent_at" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("app-chat", "nowhere.jsonl"), "There is no file or folder nowhere.jsonl; name a mail, an mbox, "),
        (("app-chat", "."), "Channel app-chat has no recorded form of its own: name a .jsonl of wire messages."),
        (("fax", "."), "There is no channel 'fax' in the configuration; it has: support-mail, "),
    ],
)
def test_what_is_not_there_is_one_sentence(run: Any, words: tuple[str, str], sentence: str) -> None:
    """A path or a channel that is not there is said in one sentence, and nothing is taken in."""
    done = run("ingest", "--channel", *words)
    assert done.code == 2
    assert done.err.startswith(sentence)
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "pack", "tool"),
    [("old.mbox.gz", gzip.compress, "gunzip"), ("m.eml.bz2", bz2.compress, "bunzip2"), ("m", lzma.compress, "unxz")],
)
def test_a_compressed_file_is_one_sentence(run: Any, name: str, pack: Callable[[bytes], bytes], tool: str) -> None:
    """What is compressed is nobody's message: the sentence says what unpacks it."""
    (run.folder / name).write_bytes(pack(mail(9, TRANSFER).as_bytes()))
    done = run("ingest", "--channel", "support-mail", name)
    assert (done.code, done.err) == (2, f"{name} is compressed; unpack it first: {tool} {name}\n")
    assert run.exported("messages") == []


@pytest.mark.parametrize("channel", ["support-mail", "app-chat"])
def test_pipes_are_passed_over_and_said(run: Any, wire: Any, channel: str) -> None:
    """A pipe in a folder is not waited for: it is named, and the others come in."""
    place = folder_of_mails(run.folder)
    (place / "lines.jsonl").write_text(json.dumps(wire("m-1", TRANSFER)))
    for name in ("pipe", "pipe.jsonl"):
        os.mkfifo(place / name)
    done = run("ingest", "--channel", channel, "mails")
    assert (done.code, summary_of(done)["stored"]) == (0, 3 if channel == "support-mail" else 1)
    assert done.err.splitlines() == [
        f"Passed over, since it is no regular file: mails/{name}" for name in ("pipe", "pipe.jsonl")
    ]
    done = run("ingest", "--channel", channel, "mails/pipe")
    assert (done.code, done.err.startswith("mails/pipe is no regular file; ")) == (2, True)


def test_what_the_desk_did_is_in_the_file(run: Any, wire: Any) -> None:
    """Replies and statuses of a recorded file end the wait and the clocks at their own time, once."""
    lines = [
        wire("m-1", TRANSFER),
        {"event": "reply", "at": "2026-03-02T10:01:30+08:00", "conversation_of": "m-1", "text": "到了", "agent": "li"},
        {"event": "status", "at": "2026-03-02T10:05:00+08:00", "conversation_of": "m-1", "to": "solved"},
    ]
    summary = run.take_in(*lines)
    assert (summary["stored"], summary["conversations"]) == (3, 1)
    (conversation,) = run.exported("conversations")
    assert (conversation["status"], conversation["waiting_since"], conversation["messages"]) == ("solved", None, 2)
    (clock,) = run.exported("deadlines")
    assert (clock["state"], clock["ended_at"]) == ("met", "2026-03-02T02:01:30Z")
    assert run.take_in(*lines)["redelivered"] == 3
    assert [m["direction"] for m in run.exported("messages")] == ["in", "out"]


def test_an_event_about_an_unknown_message_is_dead_with_its_reason(run: Any) -> None:
    """An event that names a message nobody has seen is set aside, not lost."""
    event = {"event": "status", "at": "2026-03-02T10:05:00+08:00", "conversation_of": "m-9", "to": "solved"}
    (run.folder / "in.jsonl").write_text(json.dumps(event))
    done = run("ingest", "--channel", "app-chat", "in.jsonl")
    assert (done.code, summary_of(done)["dead"]) == (1, 1)
    (row,) = run.json("dead", "list")
    assert "'m-9' is no message of channel app-chat" in row["reason"]


def test_clocks_stand_at_the_newest_message(run: Any, wire: Any) -> None:
    """What was late by the newest recorded message is breached; what was due later still runs, whatever the year."""
    run.take_in(
        wire("m-1", "我的账户被冻结了"), wire("m-2", "转账没到账", "2026-03-02T10:30:00+08:00", handle="u-78"),
    )  # fmt: skip
    states = {(c["conversation"], c["metric"]): c["state"] for c in run.exported("deadlines")}
    assert states == {(1, "first_reply"): "breached", (1, "resolution"): "running", (2, "first_reply"): "running"}
    assert [c["breached"] for c in run.exported("conversations")] == [True, False]


def outbox(folder: Path) -> list[tuple[str, ...]]:
    """What waits to be sent."""
    import sqlite3

    connection = sqlite3.connect(folder / "omnirouter.db")
    try:
        return connection.execute("SELECT kind, channel FROM outbox").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("live", [False, True])
def test_nothing_goes_out_unless_live(run: Any, wire: Any, live: bool) -> None:
    """History tells nobody: no event, notice or acknowledgement is queued; its events are marked. --live lets them."""
    text = run("init", "desk.toml")
    assert text.code == 0
    config = run.folder / "desk.toml"
    config.write_text(
        config.read_text().replace("enabled = false", "enabled = true")
        + '\n[[events]]\nurl = "https://events.example"\nsecret = "env:EVENTS_SECRET"\n'
    )
    (run.folder / "in.jsonl").write_text(json.dumps(wire("m-1", TRANSFER)))
    done = run("-c", "desk.toml", "ingest", "--channel", "app-chat", "in.jsonl", *(["--live"] if live else []))
    assert done.code == 0, done
    sent = outbox(run.folder)
    marked = {event.get("history", False) for event in run.exported("events")}
    if live:
        assert ("event", "https://events.example") in sent
        assert marked == {False}
    else:
        assert sent == []
        assert marked == {True}


def test_channels_are_decided_in_the_order_of_time(run: Any, wire: Any) -> None:
    """A chat at night and the mail of the next morning are one conversation, in whatever order a file has them."""
    proved = {"email": "chen@customer.example"}
    run.take_in(
        wire("mail-1@customer.example", f"再问一次，{TRANSFER}", "2026-03-02T09:00:00+08:00", channel="support-mail",
             handle="chen@customer.example", verified=proved),
        wire("m-1", TRANSFER, "2026-03-01T21:50:00+08:00", verified=proved),
        wire("x-1", "单号TP202603010077到账了吗", "2026-03-02T09:30:00+08:00", channel="x", handle="55",
             verified=proved),
    )  # fmt: skip
    messages = run.exported("messages")
    assert [m["channel"] for m in messages] == ["app-chat", "support-mail", "x"]
    assert {m["conversation"] for m in messages} == {1}
    assert [m["class"] == "first" for m in messages] == [True, False, False]


def test_a_line_of_an_unknown_channel_is_invalid(run: Any, wire: Any) -> None:
    """A line that names a channel the configuration does not have is kept as invalid, with the ones that it has."""
    (run.folder / "in.jsonl").write_text(
        "\n".join(json.dumps(line) for line in (wire("m-1", TRANSFER), wire("m-2", "充值失败", channel="nope")))
    )
    done = run("ingest", "--channel", "app-chat", "in.jsonl")
    found = summary_of(done)
    assert (done.code, found["stored"], found["invalid"]) == (1, 1, 1)
    (row,) = run.json("dead", "list")
    assert row["reason"].startswith("channel: 'nope' is not in the configuration; it has: support-mail, ")


@pytest.mark.parametrize("words", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_an_impossible_instant_is_one_invalid_line(run: Any, wire: Any, words: str) -> None:
    """A time that no calendar has in UTC makes its line invalid; the others come in."""
    (run.folder / "in.jsonl").write_text(
        "\n".join(json.dumps(line) for line in (wire("m-17", "hi", words), wire("m-1", TRANSFER)))
    )
    done = run("ingest", "--channel", "app-chat", "in.jsonl")
    found = summary_of(done)
    assert (done.code, found["read"], found["stored"], found["invalid"]) == (1, 2, 1, 1)


def test_an_invalid_line_moves_no_clock(run: Any, wire: Any) -> None:
    """Clocks stand at the newest valid message: a line without a time does not bring them to today."""
    untimed = {"id": "m-4", "sender": {"handle": "u-9"}, "text": "hi"}
    (run.folder / "in.jsonl").write_text("\n".join(json.dumps(line) for line in (wire("m-1", TRANSFER), untimed)))
    assert run("ingest", "--channel", "app-chat", "in.jsonl").code == 1
    assert {clock["state"] for clock in run.exported("deadlines")} == {"running"}
    assert "deadline.breach" not in {event["type"] for event in run.exported("events")}


def test_what_is_set_aside_is_listed_once(run: Any, wire: Any) -> None:
    """Repeating a file with broken lines and unknown events lists them once, and each run tells them all."""
    event = {"event": "status", "at": "2026-03-02T10:05:00+08:00", "conversation_of": "m-9", "to": "solved"}
    lines = ["{", "{", json.dumps({"id": "x"}), json.dumps(event), json.dumps(wire("m-1", TRANSFER))]
    (run.folder / "in.jsonl").write_text("\n".join(lines))
    (run.folder / "mails").mkdir()
    (run.folder / "mails" / "empty.eml").write_bytes(b"")
    began = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    for stored in (1, 0):
        found = summary_of(run("ingest", "--channel", "app-chat", "in.jsonl"))
        assert adds_up(found)
        assert [found[name] for name in FIELDS[1:5]] == [stored, 1 - stored, 3, 1]
        assert summary_of(run("ingest", "--channel", "support-mail", "mails"))["invalid"] == 1
    listed = run.json("dead", "list")
    assert sorted(row["kind"] for row in listed) == ["dead", "invalid", "invalid", "invalid", "invalid"]
    assert all(began <= row["at"][:19] <= datetime.now(UTC).isoformat() for row in listed)


def test_an_event_comes_in_when_its_message_has_come(run: Any, wire: Any) -> None:
    """A file that was too early is taken in again after its message: the event counts, and is no longer set aside."""
    event = {"event": "status", "at": "2026-03-02T10:05:00+08:00", "conversation_of": "m-1", "to": "solved"}
    (run.folder / "event.jsonl").write_text(json.dumps(event))
    assert summary_of(run("ingest", "--channel", "app-chat", "event.jsonl"))["dead"] == 1
    run.take_in(wire("m-1", TRANSFER))
    assert summary_of(run("ingest", "--channel", "app-chat", "event.jsonl"))["stored"] == 1
    assert run.json("dead", "list") == []
    assert summary_of(run("ingest", "--channel", "app-chat", "event.jsonl"))["redelivered"] == 1


def test_the_summary_tells_of_its_own_input(run: Any, wire: Any) -> None:
    """Raws that another run left undecided are decided too, and are no part of this run's figures."""
    run.take_in(wire("m-1", TRANSFER))
    with opened() as desk:
        left = lines([b"{", json.dumps(wire("m-2", "充值失败")).encode()], "app-chat", datetime.now(UTC))
        asyncio.run(append(desk, [msgspec.structs.replace(raw, partition_key=RECORDED) for raw in left]))
    found = run.take_in(wire("m-3", "账户被冻结了"))
    assert [found[name] for name in FIELDS[:5]] == [1, 1, 0, 0, 0]
    assert [m["external_id"] for m in run.exported("messages")] == ["u-77:m-1", "u-77:m-2", "u-77:m-3"]
    assert len(run.json("dead", "list")) == 1


async def append(desk: Any, raws: list[Raw]) -> list[tuple[int, int]]:
    """Append raws to the log of a desk, as a run does that is cut off then."""
    log = desk.log()
    try:
        places: list[tuple[int, int]] = await log.append(raws)
        return places
    finally:
        await log.close()


async def test_whoever_held_the_partition_may_end(run: Any, wire: Any, ledger_url: str) -> None:
    """An ingest beside a daemon or another ingest waits for it, and goes on by itself when that one ends."""
    policy = msgspec.structs.replace(Policy.load(None), desk_database=ledger_url, privacy=with_key(run.folder))
    store = Ledger.open(policy, create=True)
    log = open_log(policy, store)
    raws = list(lines([json.dumps(wire("m-1", TRANSFER)).encode()], "app-chat", datetime.now(UTC)))
    try:
        with alone(store.database):
            other = Leases(store.database, "another")
            duties = [lease for n in range(policy.partitions) if (lease := other.take(f"partition:{n}")) is not None]
            async with asyncio.timeout(120):
                going = asyncio.create_task(ingest(store, Channels(policy, store.database), log, raws, live=False))
                while not await asyncio.to_thread(appended, store):
                    assert not going.done()
                other.release(duties)
                assert (await going).stored == 1
    finally:
        await log.close()
        store.close()


def with_key(folder: Path) -> Any:
    """The preset's privacy with a key in this folder."""
    create_key(folder / "desk.key")
    return Policy.load(None).privacy.model_copy(update={"key": Secret(f"file:{folder / 'desk.key'}")})


def appended(store: Ledger) -> bool:
    """Does the log hold something?"""
    with store.database.engine.connect() as connection:
        return bool(connection.exec_driver_sql("SELECT count(*) FROM raws").scalar())
