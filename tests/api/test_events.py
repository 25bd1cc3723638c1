"""What happens reaches a client: by pages behind the last event it knows, or by a stream, within what it may see."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from router.desk.accounts import tokens
from router.store import tables as t
from tests.api.conftest import Desk
from tests.ledger.conftest import Desk as Ledger

AT = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
CONFIGURATION = """
[channels.app-chat]
adapter = "webhook"
secrets = ["env:LIVE_CHAT"]
page = true

[[queues]]
name = "general"
[[queues]]
name = "risk"
[defaults]
queue = "general"

[[rules]]
id = "security"
when = { field = "issue_type", in = ["security"] }
queue = "risk"
"""


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of the chat channel."""
    monkeypatch.setenv("LIVE_CHAT", "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode())


def test_pages_go_on_where_the_last_one_ended(desk: Desk) -> None:
    """Every event once, in order, with its conversation and the words; then nothing until more happens."""
    ledger = Ledger(desk.store)
    ledger.take(ledger.said("转账失败了"), ledger.said("银行卡绑定失败", sender="u-2"))
    lead = desk.as_("lead")
    found: list[Any] = []
    last = 0
    while page := lead.get("/api/v1/events", params={"after": last, "limit": 2}).json():
        if not page["items"]:
            break
        found += page["items"]
        last = page["next"]
    assert [item["seq"] for item in found] == sorted({item["seq"] for item in found})
    received = [item for item in found if item["type"] == "message.received"]
    assert [item["text"] for item in received] == ["转账失败了", "银行卡绑定失败"]
    assert all(item["ref"] and item["contact"] and item["queue"] for item in received)
    assert lead.get("/api/v1/events", params={"after": last}).json() == {"items": [], "next": last}


def test_an_agent_learns_of_their_own_queues_only(desk: Desk) -> None:
    """Nothing of another team's conversations, and still the position moves on."""
    ledger = Ledger(desk.store)
    ledger.take(ledger.said("转账失败了"), ledger.said("我的账户被盗了，不是我本人操作", sender="u-2"))
    all_of_it = desk.as_("auditor").get("/api/v1/events").json()
    mine = desk.as_("agent", queues=("payments",)).get("/api/v1/events").json()
    assert {item["queue"] for item in all_of_it["items"]} > {"payments"}
    assert {item["queue"] for item in mine["items"]} == {"payments"}
    assert mine["next"] == all_of_it["next"]


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0", "limit=201", "after=99999999999999999999"])
def test_a_page_that_means_nothing_is_a_mistake(desk: Desk, query: str) -> None:
    """422 with the key's name."""
    answer = desk.as_("lead").get(f"/api/v1/events?{query}")
    assert answer.status_code == 422
    assert answer.json()["mistakes"][0]["path"] == f"query.{query.partition('=')[0]}"


@contextlib.asynccontextmanager
async def stream(desk: Any, words: str, **headers: str) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """The events of the API's stream: type and value each."""
    headers["authorization"] = f"Bearer {words}"
    async with desk.http.stream("GET", "/api/v1/stream", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _told(answer)


async def _told(answer: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            yield fields["event"], json.loads(fields["data"])
            fields = {}
        elif fields:
            yield "begun", fields
            fields = {}


async def told(events: AsyncIterator[tuple[str, Any]], kind: str) -> Any:
    """The next event of a type."""
    async with asyncio.timeout(120):
        async for name, value in events:
            if name == kind:
                return value
    raise AssertionError(f"the stream ended without {kind}")


async def chat(desk: Any, text: str) -> None:
    """A new visitor of the live-chat page writes."""
    async with httpx.AsyncClient(base_url=desk.daemon.address, headers={"origin": desk.daemon.address}) as visitor:
        await visitor.get("/chat/app-chat")
        answer = await visitor.post("/chat/app-chat/messages", json={"id": os.urandom(16).hex(), "text": text})
        assert answer.status_code == 202, answer.text


async def test_the_stream_tells_of_a_message_with_its_words(open_desk: Callable[..., Any]) -> None:
    """The lead's tells of all, the agent's only of the agent's queue; each goes on where a reader left."""
    async with open_desk(CONFIGURATION, AT) as desk:
        _, lead = await asyncio.to_thread(tokens.add, desk.store, "crm", "lead", desk.clock())
        _, risk = await asyncio.to_thread(tokens.add, desk.store, "risk-crm", "agent", desk.clock(), queues=["risk"])
        async with stream(desk, lead) as all_of_it, stream(desk, risk) as mine:
            await told(all_of_it, "begun")
            await told(mine, "begun")
            await chat(desk, "转账失败了")
            first = await told(all_of_it, "message.received")
            assert (first["text"], first["queue"]) == ("转账失败了", "general")
            await chat(desk, "我的账户被盗了，不是我本人操作")
            seen = await told(mine, "message.received")
            assert (seen["text"], seen["queue"]) == ("我的账户被盗了，不是我本人操作", "risk")
        async with stream(desk, lead, **{"last-event-id": str(first["seq"])}) as again:
            missed = await told(again, "message.received")
            assert missed["seq"] == seen["seq"]


async def test_what_is_no_longer_kept_is_told_by_a_reset(open_desk: Callable[..., Any]) -> None:
    """A reader that comes back too late learns that it must load anew, and from where."""
    async with open_desk(CONFIGURATION, AT) as desk:
        _, lead = await asyncio.to_thread(tokens.add, desk.store, "crm", "lead", desk.clock())
        await chat(desk, "转账失败了")
        newest = max(event["seq"] for event in await desk.until(desk.events))
        await desk.decided()
        with desk.store.database.engine.begin() as connection:
            newest = connection.execute(t.events.select().order_by(t.events.c.seq.desc())).first().seq
            connection.execute(t.events.delete().where(t.events.c.seq < newest))
        for last in (str(newest - 2), str(newest + 1_000)):
            async with stream(desk, lead, **{"last-event-id": last}) as late:
                assert await told(late, "reset") == {"seq": newest}


async def test_who_is_no_longer_let_in_hears_no_more(
    open_desk: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revoked token ends its open stream."""
    monkeypatch.setattr("workers.http.api.events._RECHECK", 1)
    async with open_desk(CONFIGURATION, AT) as desk:
        token, lead = await asyncio.to_thread(tokens.add, desk.store, "crm", "lead", desk.clock())
        async with stream(desk, lead) as events:
            await told(events, "begun")
            await asyncio.to_thread(tokens.revoke, desk.store, token.id, desk.clock())
            async with asyncio.timeout(120):
                assert [kind async for kind, _ in events] == []


async def test_streams_are_few_and_end_with_the_daemon(
    open_desk: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more than an account may have is refused; open ones do not hold up the end."""
    monkeypatch.setattr("workers.http.api.events._EACH", 1)
    async with contextlib.AsyncExitStack() as readers:
        async with open_desk(CONFIGURATION, AT) as desk:
            _, lead = await asyncio.to_thread(tokens.add, desk.store, "crm", "lead", desk.clock())
            events = await readers.enter_async_context(stream(desk, lead))
            await told(events, "begun")
            refused = await desk.http.get("/api/v1/stream", headers={"authorization": f"Bearer {lead}"})
            assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
        async with asyncio.timeout(120):
            with contextlib.suppress(httpx.TransportError):
                assert [kind async for kind, _ in events] == []


async def test_agents_of_the_configuration_have_accounts_from_the_start(open_desk: Callable[..., Any]) -> None:
    """Whoever stands under [[agents]] can be let in without being added first."""
    agents = '\n[[agents]]\nname = "li"\nqueues = ["risk"]\n'
    async with open_desk(CONFIGURATION + agents, AT) as desk:
        _, admin = await asyncio.to_thread(tokens.add, desk.store, "crm", "admin", desk.clock())

        def listed() -> list[Any]:
            answer = httpx.get(f"{desk.daemon.address}/api/v1/accounts", headers={"authorization": f"Bearer {admin}"})
            return [a["queues"] for a in answer.json() if a["name"] == "li"]

        assert await desk.until(listed) == [["risk"]]
