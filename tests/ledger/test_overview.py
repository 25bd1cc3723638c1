"""What the ledger says of itself, on either database: people, report, audit, incidents, history, what became of
replies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from router.desk import Ledger
from router.desk.acts import conversation as acts
from router.desk.acts import relate
from router.desk.acts.incidents import incidents, reply_to_all
from router.desk.duties.due import settle_history, wake
from router.desk.erase import erase
from router.desk.reads.audit import audit
from router.errors import NotFound, Refused
from router.model import Sender, Status
from router.store import outbox
from router.store.read import queries, queues
from router.store.read.chronicle import acts as told_acts
from router.store.read.chronicle import conversation_of_key, decided, raws_in_order
from router.store.read.history import history_until, looked_at
from router.store.read.people import contact_named, handles_of, names_of
from router.store.read.report import report

TRANSFER = "转账2000一直没到账，单号TP202603010077"
TWICE = "买电影票被扣了两次款，每次45元"


def test_a_contact_is_found_by_every_name(desk: Any, store: Ledger) -> None:
    """His number, each of his handles and the ref of his conversation name the same contact."""
    sender = Sender(handle="u-7", name="陈先生", verified={"email": "chen@customer.example"})
    desk.take(desk.said(TRANSFER, sender=sender), desk.said("您好", sender="880011"))
    for name in ("1", "u-7", "chen@customer.example", "C-1", " c-1 "):
        assert contact_named(store.database, name) == 1, name
    assert contact_named(store.database, "880011") == 2
    for name in ("4711", "u-8", "C-ZZ", "", "C-"):
        with pytest.raises(NotFound):
            contact_named(store.database, name)
    with store.database.read() as tx:
        assert names_of(tx, [1, 2, 4711]) == {1: "陈先生", 2: ""}
        assert [handle["address"] for handle in handles_of(tx, 1)] == ["u-7", "chen@customer.example"]


def test_the_report_tells_waits_and_chases(desk: Any, store: Ledger) -> None:
    """Ten conversations answered after one to ten minutes: p50 is the fifth, p90 the ninth."""
    for n in range(10):
        desk.take(desk.said(f"转账{n}没到账", sender=f"u-{n}"), now=desk.noon)
    with store.database.read() as tx:
        waiting = list(queues.waiting(tx, "payments"))
    assert len(waiting) == 10
    for c in waiting:
        asked, n = c.opened_at, int(c.participants[0][1][2:])
        acts.reply(store, c.number, "您好", agent="li", now=asked + timedelta(minutes=n + 1))
    found = report(store, store.policy.promises, desk.noon + timedelta(days=1))
    assert (found["total"]["first_reply_p50"], found["total"]["first_reply_p90"]) == (300.0, 540.0)
    (agent,) = found["by"]["agent"]
    assert (agent["name"], agent["answered"], agent["conversations"]) == ("li", 10, 10)
    late = report(store, store.policy.promises, desk.noon + timedelta(days=1), since=desk.noon + timedelta(minutes=8))
    assert late["total"]["conversations"] == 3


def test_no_answer_is_no_first_reply(desk: Any, store: Ledger) -> None:
    """What the desk said before the customer asked, by itself or in a note, answers nothing."""
    desk.take(desk.said(TRANSFER))
    acts.note(store, 1, "看一下", agent="li", now=desk.noon + timedelta(minutes=5))
    found = report(store, store.policy.promises, desk.noon)
    assert (found["total"]["answered"], found["total"]["first_reply_p50"]) == (0, None)


def test_whatever_the_desk_does_the_audit_agrees(desk: Any, store: Ledger) -> None:
    """Messages, chases, breaches, acts, a merge, a split and an erasure leave no difference."""
    sender = Sender(handle="u-7", verified={"email": "chen@customer.example"})
    desk.take(desk.said(TRANSFER, sender=sender), desk.said("还没到账吗？", sender=sender))
    desk.take(desk.said(TWICE, sender="u-2"))
    at = desk.noon + timedelta(hours=3)
    assert wake(store, at).fired
    acts.reply(store, 1, "您好", agent="li", now=at)
    acts.status(store, 1, Status.PENDING, agent="li", now=at)
    desk.take(desk.said("谢谢", sender=sender), desk.said(TWICE, sender="u-4"))
    relate.merge(store, 1, 3, agent="li", now=at)
    relate.split(store, 1, [3], agent="li", now=at)
    acts.spam(store, 3, agent="li", now=at)
    erase(store, contact_named(store.database, "u-4"), at, dry_run=False)
    found = audit(store, page=1)
    assert (found.conversations, found.differences) == (2, [])
    assert found.messages == 5
    assert found.events > 10


def test_automatic_mail_is_no_difference(desk: Any, store: Ledger) -> None:
    """A bounce is kept closed; the customer who answers it opens it: the audit agrees to both."""
    desk.take(desk.mailed("Undelivered Mail Returned to Sender", automatic=True))
    found = audit(store)
    assert (found.conversations, found.differences) == (1, [])


def test_an_edit_of_something_unknown_is_a_message(desk: Any, store: Ledger) -> None:
    """It names what nobody has seen, so it is decided as what it says: reopened and chased. The audit agrees."""
    desk.take(desk.said(TRANSFER))
    acts.status(store, 1, Status.SOLVED, agent="li", now=desk.noon + timedelta(minutes=1, seconds=30))
    (chased,) = desk.take(desk.said("还是没到账", edits="nobody-knows"))
    (corrected,) = desk.take(desk.said("还是没到账，急", edits="m-1"))
    assert (chased.reopened, chased.conversation.chases, corrected.method) == (True, 1, "edit")
    assert audit(store).differences == []


def test_what_a_blocked_person_writes_is_no_difference(desk: Any, store: Ledger) -> None:
    """It is kept in his conversation and asks for nothing there. The audit agrees."""
    desk.take(desk.said(TRANSFER))
    acts.reply(store, 1, "您好", agent="li", now=desk.noon + timedelta(minutes=1, seconds=30))
    acts.block(store, "u-1", agent="li", now=desk.noon)
    (placed,) = desk.take(desk.said("还没到账吗？"))
    assert (placed.conversation.number, placed.conversation.waiting_since, placed.conversation.chases) == (1, None, 0)
    assert audit(store).differences == []


def test_an_album_by_webhook_is_one_asking(desk: Any, store: Ledger) -> None:
    """Its pictures come as messages of their own, in one batch or one by one; they chase nobody. The audit agrees."""
    pictures = [desk.said(text, kind="photo", references=("album:7",)) for text in (TRANSFER, "", "")]
    desk.take(*pictures[:2])
    (last,) = desk.take(pictures[2])
    assert (last.method, last.conversation.chases, last.conversation.messages) == ("album", 0, 3)
    assert last.conversation.waiting_since == pictures[0].sent_at
    assert audit(store).differences == []


def test_an_incident_is_found_and_answered(desk: Any, store: Ledger) -> None:
    """It is named by its id or key; solved ones get no text; without any left it is refused."""
    desk.take(*(desk.said(TWICE, sender=f"u-{n}") for n in range(4)))
    (incident,) = incidents(store)
    numbers = [c["id"] for c in incident["conversations"]]
    assert (incident["id"], numbers, incident["open"]) == (1, [1, 2, 3, 4], 4)
    acts.status(store, 1, Status.SOLVED, agent="li", now=desk.noon)
    told = reply_to_all(store, "1", "正在退款", agent="li", now=desk.noon)
    assert [(row["conversation"], row["refused"]) for row in told] == [(2, ""), (3, ""), (4, "")]
    assert {o["state"] for o in outbox.outcomes(store, [row["message"] for row in told]).values()} == {"pending"}
    for other in ("C-3", "2", "99"):
        with pytest.raises(NotFound, match="there is: 1"):
            reply_to_all(store, other, "正在退款", agent="li", now=desk.noon)
    for number in numbers:
        acts.status(store, number, Status.SOLVED, agent="li", now=desk.noon)
    with pytest.raises(Refused):
        reply_to_all(store, incident["key"], "x", agent="li", now=desk.noon)


def test_nobody_is_answered_twice_for_an_incident(desk: Any, store: Ledger) -> None:
    """Repeated, by id or key, the answer goes to nobody who has one; another text goes out only when it is asked for,
    and that once too."""
    desk.take(*(desk.said(TWICE, sender=f"u-{n}") for n in range(3)))
    (incident,) = incidents(store)

    def sent(named: object, text: str, **more: Any) -> list[bool]:
        told = reply_to_all(store, str(named), text, agent="li", now=desk.noon, **more)
        return [row["message"] is not None for row in told]

    assert sent(incident["id"], "正在退款") == [True] * 3
    assert sent(incident["key"], "正在退款") == sent(incident["id"], "已退款") == [False] * 3
    refused = reply_to_all(store, "1", "已退款", agent="li", now=desk.noon)[0]["refused"]
    assert refused.startswith("C-1 was answered already (message ")
    assert sent(1, "正在退款", again=True) == [False] * 3
    assert (sent(1, "已退款", again=True), sent(1, "已退款", again=True)) == ([True] * 3, [False] * 3)
    desk.take(desk.said(TWICE, sender="u-9"))
    assert sent(1, "正在退款") == [False, False, False, True]
    with pytest.raises(Refused, match="needs words"):
        sent(1, " ")


def test_history_is_shown_as_of_its_newest_message(desk: Any, store: Ledger) -> None:
    """Recorded conversations stand still at the newest recorded message; what comes live moves with the clock."""
    desk.take(desk.said("我的账户被冻结了"), history=True)
    newest = desk.noon + timedelta(minutes=10)
    settle_history(store, [1], newest)
    settle_history(store, [], desk.noon)
    assert history_until(store.database) == newest
    now = desk.noon + timedelta(days=99)
    with store.database.read() as tx:
        c = queries.conversation(tx, 1)
    assert looked_at(c, store.policy.promises, now, newest) == newest
    states = {row["metric"]: row["state"] for row in queries.deadlines(store.database, store.policy.promises, now)}
    assert states == {"first_reply": "breached", "resolution": "running"}
    desk.take(desk.said("账户还没解冻吗？"))
    with store.database.read() as tx:
        assert looked_at(queries.conversation(tx, 1), store.policy.promises, now, newest) == now


def test_what_happened_can_be_told_again(desk: Any, store: Ledger) -> None:
    """The desk's own acts, named by the keys of messages, and what was decided of each message."""
    desk.take(desk.said(TRANSFER), desk.said(TWICE, sender="u-2"))
    acts.reply(store, 1, "您好", agent="li", now=desk.noon)
    acts.status(store, 2, Status.SOLVED, agent="li", now=desk.noon)
    relate.merge(store, 1, 2, agent="li", now=desk.noon)
    assert [(a.kind, [key[1] for key in a.keys], a.to) for a in told_acts(store)] == [
        ("reply", ["u-1:m-1"], ""), ("status", ["u-2:m-2"], "solved"), ("merge", ["u-1:m-1", "u-2:m-2"], ""),
    ]  # fmt: skip
    assert conversation_of_key(store, ("app-chat", "u-2:m-2")) == 1
    assert conversation_of_key(store, ("app-chat", "u-2:m-9")) is None
    found = decided(store, store.policy.promises, None)
    assert [(d.class_, d.issue_type, d.queue) for d in found.values()] == [
        ("first", "transfer_failed", "payments"), ("first", "dispute", "disputes"),
    ]  # fmt: skip
    assert next(iter(found.values())).deadlines == {"first_reply 1": "2026-03-02T04:03:00Z"}
    assert decided(store, store.policy.promises, desk.noon + timedelta(days=1)) == {}
    assert raws_in_order(store) == []


def test_an_erased_person_leaves_no_thread_of_his_own(
    desk: Any, store: Ledger, rows: Callable[[str], list[dict[str, Any]]]
) -> None:
    """Keys of his own threads are gone; in a chain of mails with somebody else only his mails are forgotten."""
    desk.take(desk.said(TRANSFER, sender="u-7", thread="chat-9"))
    desk.take(desk.mailed(TRANSFER, external_id="a@x"))
    other = Sender(handle="liu@example.net")
    desk.take(desk.mailed(TWICE, external_id="b@x", sender=other, in_reply_to="a@x", references=("a@x",)))
    erase(store, contact_named(store.database, "u-7"), desk.noon, dry_run=False)
    assert not [row for row in rows("thread_keys") if "chat-9" in row["key"]]
    erase(store, contact_named(store.database, "chen@example.net"), desk.noon, dry_run=False)
    kept = {row["key"] for row in rows("thread_keys")}
    assert "b@x" in kept
    assert [row["external_id"] for row in rows("messages")] == ["b@x"]
