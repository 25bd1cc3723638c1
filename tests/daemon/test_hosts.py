"""Which host asks, whatever it says of itself, and how much may it do on the pages that strangers reach?"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from router.errors import ConfigurationError
from router.policy.load import from_text
from router.policy.values import Policy
from workers.http.hosts import Daily, host_of

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
PROXIES = ["10.0.0.0/8", "fd00::/8", "127.0.0.1/32"]
CONFIGURATION = """
[web]
trusted_proxies = ["127.0.0.1"]
limits = {{ {limits} }}
[channels.app-chat]
adapter = "webhook"
secrets = ["env:LIVE_CHAT"]
page = true
[[queues]]
name = "general"
[defaults]
queue = "general"
"""


def asking(client: str, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    return Request({"type": "http", "client": (client, 1), "headers": headers})


@pytest.mark.parametrize(
    ("client", "forwarded", "host"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("192.0.2.1", ("198.51.100.7",), "192.0.2.1"),
        ("10.0.0.1", ("198.51.100.7",), "198.51.100.7"),
        ("10.0.0.1", ("203.0.113.9, 198.51.100.7",), "198.51.100.7"),
        ("10.0.0.1", ("203.0.113.9, 198.51.100.7, 10.2.3.4",), "198.51.100.7"),
        ("10.0.0.1", ("203.0.113.9", "198.51.100.7"), "198.51.100.7"),
        ("10.0.0.1", ("10.0.0.9, 10.0.0.8",), "10.0.0.9"),
        ("10.0.0.1", ("203.0.113.9, nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.7:4711",), "198.51.100.7"),
        ("10.0.0.1", ('"[2001:db8:1:2:3::4]:4711"',), "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", (), "2001:db8:1:2::/64"),
        ("fd00::1", ("2001:db8:1:2:aaaa::1",), "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", ("::ffff:198.51.100.7",), "198.51.100.7"),
        ("fe80::1%eth0", (), "fe80::/64"),
        ("", (), ""),
        ("10.0.0.1", (", ".join(["198.51.100.7", *["10.0.0.2"] * 5000]),), "10.0.0.2"),
    ],
)
def test_only_trusted_proxies_are_believed(client: str, forwarded: tuple[str, ...], host: str) -> None:
    """From the right, up to the first that is none; an IPv6 network of 64 bits is one host."""
    assert host_of(asking(client, *forwarded), [ip_network(one) for one in PROXIES]) == host


def test_a_day_has_its_bytes() -> None:
    """What is used up comes back with the next day, and says when."""
    at = [NOON]
    daily = Daily(100, lambda: at[0])
    assert [daily.take("a", 60), daily.take("a", 40), daily.take("b", 100)] == [0, 0, 0]
    assert daily.take("a", 1) == 20 * 3600
    at[0] = NOON.replace(day=3)
    assert daily.take("a", 100) == 0


def test_the_keys_are_read_and_their_mistakes_told() -> None:
    """Networks and limits by their paths; nothing of it is trusted by itself."""
    wrong = CONFIGURATION.format(limits="messages = 0").replace("127.0.0.1", "10.0.0.300")
    with pytest.raises(ConfigurationError) as told:
        from_text(wrong, folder=None)  # type: ignore[arg-type]
    paths = [mistake.partition(":")[0] for mistake in told.value.mistakes]
    assert paths == ["web.trusted_proxies[0]", "web.limits.messages"]
    assert Policy.load(None).web.trusted_proxies == ()


@pytest.fixture
def page(open_desk: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A desk with live chat and these limits, behind a proxy of this machine."""
    monkeypatch.setenv("LIVE_CHAT", "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    return lambda limits: open_desk(CONFIGURATION.format(limits=limits), NOON)


class Visitor:
    """A browser behind the proxy, at this address."""

    def __init__(self, desk: Any, host: str) -> None:
        self.base = f"{desk.daemon.address}/chat/app-chat"
        headers = {"origin": desk.daemon.address, "x-forwarded-for": f"203.0.113.1, {host}"}
        self.http = httpx.AsyncClient(headers=headers, timeout=120)

    async def __aenter__(self) -> Visitor:
        assert (await self.http.get(self.base)).status_code == 200
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def write(self, text: str) -> httpx.Response:
        message = {"id": os.urandom(16).hex(), "text": text}
        return await self.http.post(f"{self.base}/messages", json=message)


@pytest.mark.parametrize(
    ("limits", "size", "statuses"),
    [
        ("messages = 2", 1, [202, 202, 429]),
        ('bytes = "3 KiB"', 1000, [202, 202, 429]),
        ('visitor_bytes = "3 KiB"', 1000, [202, 202, 429]),
    ],
)
async def test_a_host_has_its_limits(page: Callable[[str], Any], limits: str, size: int, statuses: list[int]) -> None:
    """Beyond them it is asked to come later; a host behind the same proxy is not, and nothing more is stored."""
    async with page(limits) as desk, Visitor(desk, "198.51.100.7") as one, Visitor(desk, "198.51.100.8") as other:
        answers = [await one.write("x" * size) for _ in statuses]
        assert [answer.status_code for answer in answers] == statuses
        assert int(answers[-1].headers["retry-after"]) > 0
        assert (await other.write("您好")).status_code == 202
        await desk.decided()
        assert len(desk.messages()) == 3


async def test_what_is_stored_of_a_visitor_counts_after_a_restart(page: Callable[[str], Any]) -> None:
    """The quota is read from the ledger when he is first met."""
    from workers.http.livechat.stored import Stored

    async with page('visitor_bytes = "3 KiB"') as desk, Visitor(desk, "198.51.100.7") as visitor:
        assert (await visitor.write("您" * 900)).status_code == 202
        await desk.decided()
        [handle] = {message["sender"] for message in desk.messages()}
        assert await Stored(desk.store, 3072).take("app-chat", handle, 300)
        assert not await Stored(desk.store, 3072).take("app-chat", handle, 500)


async def test_a_host_has_so_many_streams_and_requests(page: Callable[[str], Any]) -> None:
    """Each by itself; a stream that ends makes room."""
    async with page("streams = 1, requests = 9") as desk, Visitor(desk, "198.51.100.7") as visitor:
        stream = f"{visitor.base}/stream"
        async with visitor.http.stream("GET", stream) as first:
            await anext(first.aiter_bytes())
            refused = await visitor.http.get(stream)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "11")
        answers = [(await visitor.http.get(f"{visitor.base}/chat.css")).status_code for _ in range(7)]
        assert answers == [200] * 6 + [429]
