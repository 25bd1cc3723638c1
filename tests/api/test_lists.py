"""What there is to do: queues as they stand, and lists that are narrowed, within what an account may see."""

from __future__ import annotations

from typing import Any

import pytest

from router.desk.accounts import account as people
from router.model import Sender
from router.store import tables as t
from tests.api.conftest import Desk, now
from tests.ledger.conftest import Desk as Ledger

TEXTS = (
    "转账失败了，钱没到账",
    "我的账户被盗了，不是我本人操作",
    "银行卡绑定失败",
    "转账一直处理中",
    "登录不上，提示密码错误",
)


@pytest.fixture
def refs(desk: Desk) -> list[str]:
    """Five customers, a matter each; their conversations' refs."""
    ledger = Ledger(desk.store)
    for number, text in enumerate(TEXTS):
        ledger.take(ledger.said(text, sender=Sender(handle=f"u-{number}", name=f"客户{number}")))
    found = desk.as_("lead").get("/api/v1/conversations", params={"order": "recent"}).json()["items"]
    return [c["ref"] for c in reversed(found)]


def asked(client: Any, **query: Any) -> list[str]:
    """The refs of a whole list, read page by page of two."""
    found: list[str] = []
    cursor = ""
    while True:
        answer = client.get("/api/v1/conversations", params={**query, "limit": 2, "cursor": cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= 2
        found += [c["ref"] for c in page["items"]]
        if page["next"] is None:
            return found
        cursor = page["next"]


def test_queues_say_how_they_stand(desk: Desk, refs: list[str]) -> None:
    """Every queue of the configuration for a lead, their own for an agent; the counts add up to what waits."""
    lead = desk.as_("lead").get("/api/v1/queues").json()
    assert [queue["name"] for queue in lead] == list(desk.store.policy.queues)
    assert sum(queue["waiting"] for queue in lead) == len(refs)
    payments = next(queue for queue in lead if queue["name"] == "payments")
    assert payments["oldest_waiting_since"].endswith("Z")
    assert desk.as_("agent", queues=("payments",)).get("/api/v1/queues").json() == [payments]


def test_pages_hold_each_conversation_once(desk: Desk, refs: list[str]) -> None:
    """In both orders, whatever the size of the pages; the working order is that of the queue."""
    lead = desk.as_("lead")
    assert sorted(asked(lead)) == sorted(refs)
    assert asked(lead, order="recent") == refs[::-1]
    in_order = lead.get("/api/v1/conversations").json()["items"]
    assert [c["ref"] for c in in_order] == asked(lead)
    assert {c["name"] for c in in_order} == {f"客户{n}" for n in range(5)}


NARROWED: list[tuple[dict[str, str], list[int]]] = [
        ({"queue": "payments"}, [0, 2, 3]),
        ({"issue_type": "card_binding"}, [2]),
        ({"channel": "app-chat"}, [0, 1, 2, 3, 4]),
        ({"channel": "app_chat"}, []),
        ({"channel": "%"}, []),
        ({"status": "solved", "order": "recent"}, []),
        ({"holder": "none"}, [0, 1, 2, 3, 4]),
        ({"holder": "me"}, []),
        ({"tag": "vip"}, []),
        ({"since": "2026-03-02T04:04:30Z", "order": "recent"}, [4]),
        ({"since": "2026-03-02T12:04:30+08:00", "order": "recent"}, [4]),
]


def test_a_list_is_narrowed(desk: Desk, refs: list[str]) -> None:
    """By queue, holder, status, type, tag, channel, and since when; words stand for themselves."""
    for query, right in NARROWED:
        assert sorted(asked(desk.as_("lead"), **query)) == sorted(refs[index] for index in right), query


def test_an_agent_sees_their_own_queues_and_what_they_hold(desk: Desk, refs: list[str]) -> None:
    """Nothing else, however it is asked for."""
    agent = desk.as_("agent", queues=("payments",))
    assert sorted(asked(agent)) == sorted([refs[0], refs[2], refs[3]])
    assert asked(agent, queue="risk") == []
    risk = asked(desk.as_("lead"), queue="risk")
    assert risk == [refs[1]]
    number = desk.as_("lead").get(f"/api/v1/conversations/{risk[0]}").json()["conversation"]["id"]
    held = t.conversations.update().where(t.conversations.c.number == number).values(holder="agent-program")
    with desk.store.database.engine.begin() as connection:
        connection.execute(held)
    assert asked(agent, holder="me") == risk
    assert sorted(asked(agent)) == sorted([refs[0], refs[1], refs[2], refs[3]])
    people.change(desk.store, "agent-program", now(), queues=[])
    assert asked(agent) == risk


ODD: list[tuple[dict[str, str], str | None]] = [
        ({"queue": "nowhere"}, None), ({"cursor": "x"}, None), ({"limit": "0"}, "query.limit"),
        ({"limit": "1000"}, "query.limit"), ({"order": "odd"}, "query.order"), ({"status": "odd"}, "query.status"),
        ({"since": "yesterday"}, "query.since"), ({"since": "2026-03-02T04:04:30"}, "query.since"),
        ({"colour": "red"}, "query.colour"), ({"contact": "0"}, "query.contact"),
]  # fmt: skip


def test_a_question_that_means_nothing_is_a_mistake(desk: Desk) -> None:
    """422, with the key that is wrong; an unknown key is named."""
    for query, path in ODD:
        answer = desk.as_("lead").get("/api/v1/conversations", params=query)
        assert answer.status_code == 422, query
        assert [one["path"] for one in answer.json().get("mistakes", [])] == ([path] if path else []), query
