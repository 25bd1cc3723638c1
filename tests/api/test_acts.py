"""What can be done by the API: each act once a request, within the caller's reach, and nobody is answered twice."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.api.conftest import OWN_PAGE, Desk
from tests.ledger.conftest import Desk as Desk_

TEXTS = {"payments": "转账失败了，钱没到账", "risk": "我的账户被盗了，不是我本人操作"}


@pytest.fixture
def refs(desk: Desk) -> dict[str, str]:
    """A mail in the queue of payments, one in that of risk."""
    ledger = Desk_(desk.store)
    for text in TEXTS.values():
        ledger.take(ledger.mailed(text, subject=text[:4]))
    found = desk.as_("lead").get("/api/v1/conversations", params={"order": "recent"}).json()["items"]
    return {c["queue"]: c["ref"] for c in found}


def ask(client: Any, ref: str, act: str, body: Any, key: str = "") -> Any:
    """Do something to a conversation."""
    headers = {"idempotency-key": key} if key else {}
    return client.post(f"/api/v1/conversations/{ref}/{act}", json=body, headers=headers)


def shown(desk: Desk, ref: str) -> Any:
    """A conversation as a lead sees it."""
    found = desk.as_("lead").get(f"/api/v1/conversations/{ref}").json()
    found["conversation"]["promise"] = None  # time goes on
    return found


def test_a_conversation_is_worked_from_taken_to_solved(desk: Desk, refs: dict[str, str]) -> None:
    """Taken, noted, retagged, labelled, answered and solved; every event names who did it."""
    li = desk.person("li", "agent", queues=["payments"])
    ref = refs["payments"]
    for act, body in (
        ("take", {}), ("notes", {"text": "查一下流水"}), ("retag", {"issue_type": "transfer_failed"}),
        ("move", {"queue": "payments"}), ("tags", {"add": ["vip", "回访"], "remove": []}), ("priority", {"to": 60}),
    ):  # fmt: skip
        answer = ask(li, ref, act, body)
        assert answer.status_code in (200, 201), (act, answer.text)
    state = answer.json()["conversation"]
    assert (state["tags"], state["priority"]) == (["vip", "回访"], 60)
    replied = ask(li, ref, "replies", {"text": "已为您处理。", "seen": answer.json()["seen"], "then": "solved"})
    assert replied.status_code == 201, replied.text
    assert replied.json()["conversation"]["status"] == "solved"
    assert replied.json()["conversation"]["holder"] is None
    timeline = desk.as_("lead").get(f"/api/v1/conversations/{ref}/timeline").json()["items"]
    done = {item["event"]["type"]: item["event"]["data"] for item in timeline if item["event"]}
    acts = {"taken", "labelled", "prioritised"}
    assert {"note.taken", "reply.queued", *(f"conversation.{act}" for act in acts)} <= set(done)
    assert {data["agent"] for type_, data in done.items() if data.get("agent")} == {"li"}
    said = {item["message"]["id"]: item["message"]["agent"] for item in timeline if item["message"]}
    assert said[replied.json()["message"]] == "li"


def test_repeating_a_request_changes_nothing(desk: Desk, refs: dict[str, str]) -> None:
    """The same key and body answers the customer once; the same key with other words is refused; another key is new."""
    crm, ref = desk.as_("agent", queues=("payments",)), refs["payments"]
    body = {"text": "已为您处理。", "seen": shown(desk, ref)["seen"]}
    first, again = (ask(crm, ref, "replies", body, "k-1") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["message"] == again.json()["message"]
    other = ask(crm, ref, "replies", {**body, "text": "another"}, "k-1")
    assert (other.status_code, other.json()["type"]) == (422, "/api/problems#repeated-differently")
    assert ask(crm, ref, "replies", body).status_code == 422
    for _ in range(2):
        assert ask(crm, ref, "notes", {"text": "note"}, "k-2").status_code == 201
    timeline = crm.get(f"/api/v1/conversations/{ref}/timeline").json()["items"]
    said = [i["message"]["direction"] for i in timeline if i["message"] and not i["message"]["automatic"]]
    assert sorted(said) == ["in", "note", "out"]


def test_the_customer_is_answered_once_when_two_write(desk: Desk, refs: dict[str, str]) -> None:
    """Two people send at once: one reply goes, the other hears what was said, and by whom."""
    ref = refs["payments"]
    seen = shown(desk, ref)["seen"]
    people = [desk.person(name, "agent", queues=["payments"]) for name in ("li", "wang")]
    answers: list[Any] = []

    def send(person: Any) -> None:
        answers.append(ask(person, ref, "replies", {"text": "答复", "seen": seen}))

    threads = [threading.Thread(target=send, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won, lost = sorted(answers, key=lambda a: a.status_code)
    assert (won.status_code, lost.status_code) == (201, 409), [a.text for a in answers]
    assert "meanwhile: “答复" in lost.json()["detail"]
    assert shown(desk, ref)["conversation"]["messages"] == 2


def test_an_agent_cannot_change_another_teams_conversation(desk: Desk, refs: dict[str, str]) -> None:
    """By no act, and nothing is written; a lead can; one that is handed to them they can."""
    crm, ref = desk.as_("agent", queues=("payments",)), refs["risk"]
    before = shown(desk, ref)
    bodies: dict[str, Any] = {
        "replies": {"text": "x", "seen": 0}, "notes": {"text": "x"}, "status": {"to": "solved"}, "take": {},
        "release": {}, "assign": {"to": "agent-program"}, "move": {"queue": "payments"},
        "retag": {"issue_type": "refund"}, "tags": {"add": ["x"]}, "priority": {"to": 1}, "spam": {},
        "split": {"messages": [1]},
    }  # fmt: skip
    for act, body in bodies.items():
        answer = ask(crm, ref, act, body, f"key-{act}")
        assert (answer.status_code, answer.json()["type"]) == (403, "/api/problems#forbidden"), act
    assert shown(desk, ref) == before
    lead = desk.as_("lead")
    assert ask(lead, ref, "assign", {"to": "agent-program"}).status_code == 200
    assert ask(crm, ref, "notes", {"text": "mine now"}, "n").status_code == 201


def test_who_holds_it_is_asked_first(desk: Desk, refs: dict[str, str]) -> None:
    """Another agent's act is refused with the holder's name; force is a lead's."""
    li, wang = (desk.person(name, "agent", queues=["payments"]) for name in ("li", "wang"))
    ref = refs["payments"]
    assert ask(li, ref, "take", {}).status_code == 200
    held = ask(wang, ref, "take", {})
    assert held.status_code == 409
    assert "li holds" in held.json()["detail"]
    assert ask(wang, ref, "take", {"force": True}).status_code == 403
    assert ask(desk.as_("lead"), ref, "take", {"force": True}).status_code == 200


def test_matters_are_joined_and_parted(desk: Desk, refs: dict[str, str]) -> None:
    """Linked, unlinked, merged by a lead, split again: as before."""
    lead, (a, b) = desk.as_("lead"), (refs["payments"], refs["risk"])
    assert ask(lead, a, "links", {"other": b}).status_code == 200
    assert {link["ref"] for link in lead.get(f"/api/v1/conversations/{a}/links").json()} == {b}
    assert ask(lead, a, f"links/{b}/refuse", {}).status_code == 200
    assert lead.get(f"/api/v1/conversations/{a}/links").json() == []
    merged = ask(lead, a, "merge", {"other": b, "checked": "called back"}).json()["conversation"]
    assert merged["messages"] == 2
    moved = [i["message"]["id"] for i in lead.get(f"/api/v1/conversations/{a}/timeline").json()["items"]
             if i["message"] and i["message"]["text"] == TEXTS["risk"]]  # fmt: skip
    assert ask(lead, a, "split", {"messages": moved}).status_code == 200
    assert shown(desk, b)["conversation"]["messages"] == 1
    assert ask(desk.as_("agent"), a, "merge", {"other": b}).status_code == 403


def test_spam_is_marked_and_the_mark_taken_back(desk: Desk, refs: dict[str, str]) -> None:
    """Closed and waiting for nobody; then open again in its queue."""
    lead, ref = desk.as_("lead"), refs["payments"]
    assert ask(lead, ref, "spam", {}).json()["conversation"]["status"] == "closed"
    back = ask(lead, ref, "spam", {"undo": True}).json()["conversation"]
    assert (back["status"], back["flags"]) == ("open", [])
    assert ask(lead, ref, "spam", {"undo": True}).status_code == 409


MISTAKES: list[tuple[str, Any]] = [
        ("replies", {"text": "x"}), ("replies", {"text": "", "seen": 0}), ("status", {"to": "odd"}),
        ("move", {"queue": "x"}), ("retag", {"issue_type": "odd"}), ("tags", {"add": ["a b"]}),
        ("priority", {"to": 101}), ("split", {"messages": []}), ("take", {"agent": "li"}), ("notes", {"text": "  "}),
        ("replies", {"text": "x", "seen": 0, "then": "closed"}),
]  # fmt: skip


def test_what_means_nothing_is_a_mistake(desk: Desk, refs: dict[str, str]) -> None:
    """422, and nothing changes."""
    before = shown(desk, refs["payments"])
    for act, body in MISTAKES:
        answer = ask(desk.as_("admin"), refs["payments"], act, body, f"k-{act}")
        assert answer.status_code == 422, (act, answer.text)
    assert shown(desk, refs["payments"]) == before


def test_the_closed_lists_and_overviews_are_read(desk: Desk, refs: dict[str, str]) -> None:
    """Queues, types and statuses for everybody; what is set aside and the report for those who oversee."""
    choices = desk.as_("agent").get("/api/v1/choices").json()
    assert choices["queues"] == list(desk.store.policy.queues)
    assert "card_binding" in choices["issue_types"]
    assert desk.as_("lead").get("/api/v1/set-aside").json() == []
    assert desk.as_("auditor").get("/api/v1/report").status_code == 200
    assert desk.as_("agent").get("/api/v1/incidents").json() == []
    assert desk.browser().get("/api/v1/choices", headers=OWN_PAGE).status_code == 401
