"""What a program reads of a conversation: its state, timeline, promises, reasons, and whom it is with."""

from __future__ import annotations

from typing import Any

import pytest

from router.desk.accounts import account as people
from router.desk.acts import reply as answer
from router.ref import ref_of
from tests.api.conftest import Desk, now
from tests.ledger.conftest import NOON
from tests.ledger.conftest import Desk as Ledger


@pytest.fixture
def told(desk: Desk) -> str:
    """A customer's two messages, answered in between; the conversation's ref."""
    ledger = Ledger(desk.store)
    (first,) = ledger.take(ledger.mailed("银行卡绑定失败，提示系统繁忙", subject="绑卡失败"))
    number = first.conversation.number
    answer.reply(desk.store, number, "已为您核实，请再试一次。", agent="li", now=NOON, seen=None)
    ledger.take(ledger.mailed("还是不行", subject="Re: 绑卡失败", references=(first.message.external_id,)))
    return ref_of(number)


def test_a_conversation_is_read_by_its_ref_and_its_number(desk: Desk, told: str) -> None:
    """State, contact, whom an answer goes to, and the event that a reply names; the ref in any case."""
    lead = desk.as_("lead")
    shown = lead.get(f"/api/v1/conversations/{told}").json()
    state, contact = shown["conversation"], shown["contact"]
    assert (state["ref"], state["queue"], state["issue_type"]) == (told, "payments", "card_binding")
    assert (state["contact"], state["name"], contact["name"]) == (contact["id"], "陈先生", "陈先生")
    assert [handle["address"] for handle in contact["handles"]] == ["chen@example.net"]
    assert shown["recipients"]["to"] == "chen@example.net"
    assert shown["seen"] > 0
    for name in (str(state["id"]), told.lower()):
        again = lead.get(f"/api/v1/conversations/{name}").json()
        again["conversation"]["promise"] = state["promise"]  # time goes on
        assert again == shown


def test_the_timeline_tells_all_in_one_list(desk: Desk, told: str) -> None:
    """Messages of both sides and events by time; of a reply also what became of it."""
    found = desk.as_("agent").get(f"/api/v1/conversations/{told}/timeline").json()
    items = found["items"]
    assert [item["at"] for item in items] == sorted(item["at"] for item in items)
    said = [item["message"] for item in items if item["message"]]
    assert sorted(m["direction"] for m in said if not m["automatic"]) == ["in", "in", "out"]
    reply = next(m for m in said if m["direction"] == "out" and not m["automatic"])
    assert (reply["agent"], reply["delivery"]["state"]) == ("li", "pending")
    assert reply["delivery"]["to"] == "chen@example.net"
    types = {item["event"]["type"] for item in items if item["event"]}
    assert {"conversation.opened", "message.received", "reply.queued"} <= types
    assert found["seen"] == max(item["event"]["seq"] for item in items if item["event"])


def test_promises_reasons_and_links_are_told(desk: Desk, told: str) -> None:
    """Each clock with its due time; each message with method, score, trace; links, of which there are none."""
    lead = desk.as_("lead")
    clocks = lead.get(f"/api/v1/conversations/{told}/deadlines").json()
    assert {clock["metric"] for clock in clocks} >= {"first_reply"}
    why = lead.get(f"/api/v1/conversations/{told}/explanation").json()
    assert len(why) == 2
    assert all(one["trace"] and one["policy_version"] for one in why)
    assert lead.get(f"/api/v1/conversations/{told}/links").json() == []


def test_a_contact_is_read_with_what_they_wrote_about(desk: Desk, told: str) -> None:
    """Handles with their evidence, and conversations over all channels, the newest first; to an agent their own."""
    lead = desk.as_("lead")
    who = lead.get(f"/api/v1/conversations/{told}").json()["contact"]["id"]
    assert lead.get(f"/api/v1/contacts/{who}").json()["handles"][0]["scope"] == "email"
    found = lead.get(f"/api/v1/contacts/{who}/conversations").json()
    assert [c["ref"] for c in found] == [told]
    mine = desk.as_("agent", queues=("payments",)).get(f"/api/v1/contacts/{who}/conversations").json()
    assert [c["ref"] for c in mine] == [told]
    people.change(desk.store, "agent-program", now(), queues=["risk"])
    assert desk.as_("agent").get(f"/api/v1/contacts/{who}/conversations").json() == []


NOWHERE = (
    "conversations/C-ZZZZ", "conversations/nothing", "conversations/0", "conversations/C-ZZZZ/timeline",
    "conversations/999999/deadlines", "conversations/C-ZZZZZZZZZZZZ/explanation", "contacts/999999",
    "contacts/999999/conversations", "conversations/%00",
)  # fmt: skip


def test_what_is_not_there_is_404(desk: Desk) -> None:
    """With one sentence that says what would be right."""
    for path in NOWHERE:
        answered: Any = desk.as_("lead").get(f"/api/v1/{path}")
        assert (answered.status_code, answered.json()["type"]) == (404, "/api/problems#not-found"), answered.text
