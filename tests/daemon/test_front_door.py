"""Whoever knocks at the front door over HTTP gets a fitting answer, and only what is genuine and whole is kept.

The signed requests are those of `tests/data/webhooks.json`, or of another file of the same form named by
WEBHOOK_VECTORS; they go over a real socket to the daemon's application, whose clock is the vector's.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import http.client
import json
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
import structlog
import uvicorn
from msgspec.structs import replace
from starlette.requests import Request as HttpRequest

import adapters
from adapters.kit import signature
from router.desk import Ledger
from router.policy.values import ChannelPolicy, Policy
from router.store.log import Log
from workers.daemon.channels import Channels
from workers.daemon.metrics import Metrics
from workers.http import slow_client_guard as connection_module
from workers.http.body_limit import MOST, SMALL, Bodies, TooMany
from workers.http.front_door import front_door
from workers.http.slow_client_guard import AROUND, Connection, shortage

FILE = Path(os.environ.get("WEBHOOK_VECTORS") or Path(__file__).parents[1] / "data" / "webhooks.json")
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
WHSEC = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()

Named = Callable[[str], str]
Settings = Callable[[Mapping[str, Any], Named], dict[str, Any]]


def _standard(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    return {"secrets": [secret(s) for s in config["secrets"]]}


def _telegram(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    return {"token": secret("1:a"), "mode": "webhook", "secret_tokens": [secret(s) for s in config["secret_tokens"]]}


def _x(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    present, *previous = config["consumer_secrets"]
    rest = {key: secret("unused") for key in ("consumer_key", "access_token", "access_token_secret")}
    old = {"previous_consumer_secret": secret(previous[0])} if previous else {}
    return {"mode": "webhook", "consumer_secret": secret(present), **rest, **old}


def _meta(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    own = {"app_secrets": [secret(s) for s in config["app_secrets"]]}
    return {**own, "verify_token": secret(config["verify_token"]), "page_token": secret("unused")}


def _wechat(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    mode = "plain-unsafe" if config.get("mode") == "plain" else "safe"
    keys = [secret(key) for key in config["encoding_aes_keys"]]
    tokens = [secret(token) for token in config.get("tokens", [config.get("token")])]
    return {
        "app_id": config["app_id"], "app_secret": secret("unused"), "tokens": tokens, "aes_keys": keys, "mode": mode,
    }  # fmt: skip


def _twilio(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    return {"auth_tokens": [secret(s) for s in config["auth_tokens"]], "public_url": config["public_urls"]}


def _line(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    return {"channel_secrets": [secret(s) for s in config["channel_secrets"]], "access_token": secret("unused")}


#: Which adapter takes a platform's requests, and how the platform's words for secrets map to our settings.
PLATFORMS: dict[str, tuple[str, Settings]] = {
    "standard": ("webhook", _standard),
    "telegram": ("telegram", _telegram),
    "x": ("x", _x),
    "meta": ("messenger", _meta),
    "wechat": ("wechat", _wechat),
    "twilio": ("phone", _twilio),
    "line": ("line", _line),
}
VECTORS = [v for v in json.loads(FILE.read_text(encoding="utf-8"))["vectors"] if v["platform"] in PLATFORMS]


class Door:
    """The daemon's HTTP application on a port of this machine, with a clock and a look at what it kept."""

    def __init__(self, store: Ledger, log: Log) -> None:
        self.now = NOW
        self.store = store
        self.log = log
        self.channels = Channels(store.policy, store.database, now=lambda: self.now)
        self.metrics = Metrics()
        self.bodies = Bodies()
        self.app = front_door(store, self.channels, log, self.metrics, lambda: self.now, bodies=self.bodies)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        config = uvicorn.Config(self.app, log_config=None, lifespan="off", http=Connection, ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()

    async def _serve(self) -> None:
        await self._server.serve([self.listening])
        await self.log.close()

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Send exactly these bytes and read the answer: status and body."""
        lines = [f"{method} {target} HTTP/1.1", "host: 127.0.0.1", "connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body or method == "POST":
            lines.append(f"content-length: {len(body)}")
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + body)
            answer = http.client.HTTPResponse(connection, method=method)
            answer.begin()
            return answer.status, answer.read()

    def told(self, target: str) -> tuple[int, bytes]:
        """What a page says: status and body."""
        return self.ask("GET", target, {}, b"")

    async def ask_inside(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Ask the application itself: for what HTTP cannot carry."""
        inside = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=inside, base_url="http://desk.example") as client:
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            answer = await client.request(method, target, headers=raw, content=body)
            return answer.status_code, answer.content

    def kept(self) -> tuple[int, int]:
        """How many raws the log holds to be decided, and how many invalid ones are set aside."""
        with contextlib.closing(sqlite3.connect(str(self.store.database.path))) as connection:
            raws = connection.execute("SELECT count(*) FROM raws WHERE partition >= 0").fetchone()[0]
            aside = connection.execute("SELECT count(*) FROM set_aside").fetchone()[0]
        return raws, aside

    def stop(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(120)
        self.listening.close()


@contextlib.contextmanager
def opened(policy: Policy, folder: Path) -> Iterator[Door]:
    """A front door of this policy on a fresh database in the folder."""
    store = Ledger.open(replace(policy, desk_database=f"sqlite:///{folder / 'desk.db'}"))
    door = Door(store, Log(store.database, store.sealer, 16))
    yield door
    door.stop()
    store.close()


def channel(name: str, adapter: str, table: dict[str, Any]) -> ChannelPolicy:
    """A channel of the policy with this table."""
    kind = adapters.load(adapter)
    return ChannelPolicy(name=name, kind=kind.kind, adapter=adapter, settings=kind.Settings.model_validate(table))


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A front door with one channel for each vector: `v0`, `v1`, …"""
    with pytest.MonkeyPatch.context() as patch:
        names: list[str] = []

        def secret(value: str) -> str:
            names.append(f"FRONT_DOOR_SECRET_{len(names)}")
            patch.setenv(names[-1], value)
            return f"env:{names[-1]}"

        channels: dict[str, ChannelPolicy] = {}
        for number, vector in enumerate(VECTORS):
            adapter, settings = PLATFORMS[vector["platform"]]
            channels[f"v{number}"] = channel(f"v{number}", adapter, settings(vector["config"], secret))
        policy = replace(Policy.preset("plain"), channels=channels)
        with opened(policy, tmp_path_factory.mktemp("door")) as door:
            yield door


# ── signed requests of seven platforms ──


@pytest.mark.parametrize("number", range(len(VECTORS)), ids=[v["id"] for v in VECTORS])
async def test_vectors(number: int, door: Door) -> None:
    """Each signed request of a platform is taken, answered exactly or refused, and what is refused is not kept."""
    vector = VECTORS[number]
    asked = vector["request"]
    door.now = datetime.fromtimestamp(vector["now"], UTC)
    body = base64.b64decode(asked["body_b64"]) if "body_b64" in asked else asked.get("body", "").encode()
    query = urlsplit(asked["url"]).query
    target = f"/channels/v{number}" + (f"?{quote(query, safe='%&=?/:;,+!@$()*~')}" if query else "")
    headers = asked.get("headers", {})
    before = door.kept()
    with structlog.testing.capture_logs() as said:
        if any("\n" in value or "\r" in value for value in headers.values()):
            status, answer = await door.ask_inside(asked["method"], target, headers, body)
        else:
            status, answer = await asyncio.to_thread(door.ask, asked["method"], target, headers, body)
    assert said == []
    if vector["expect"] == "challenge":
        expected = vector["response"]
        assert status == 200
        assert (answer.decode() if isinstance(expected, str) else json.loads(answer)) == expected
        assert door.kept() == before
    elif vector["expect"] == "accept":
        assert status not in (401, 403)
        assert status < 500
        assert sum(door.kept()) == sum(before) + 1
    else:
        broken = any("\0" in value for value in headers.values())  # no HTTP request
        assert status in ((400,) if broken else (401, 403))
        assert door.kept()[0] == before[0]


def test_the_vectors_speak_for_all_our_platforms() -> None:
    """The file in use has requests to take and to refuse for every platform of the built-in channels."""
    seen = {(v["platform"], v["expect"] == "reject") for v in VECTORS}
    assert seen >= {(platform, reject) for platform in PLATFORMS for reject in (True, False)}


# ── everything else that is asked of a door ──


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Door]:
    """A front door with one chat channel, and a look at all that it keeps."""
    monkeypatch.setenv("FRONT_DOOR_CHAT", WHSEC)
    channels = {"app-chat": channel("app-chat", "webhook", {"secrets": ["env:FRONT_DOOR_CHAT"]})}
    policy = replace(Policy.preset("plain"), channels=channels)
    with opened(policy, tmp_path) as door:
        yield door


def signed(*messages: dict[str, Any], body: bytes = b"") -> tuple[dict[str, str], bytes]:
    """Headers and body of a genuine request with these messages."""
    body = body or json.dumps(messages, ensure_ascii=False).encode()
    return signature.sign_standard([WHSEC], "msg_1", body, NOW), body


def message(number: int, **fields: Any) -> dict[str, Any]:
    """A message as the chat's server posts it."""
    sender = {"handle": "u-77", "name": "陈先生"}
    given = {"id": f"m-{number}", "sent_at": "2026-03-02T16:00:00+08:00", "sender": sender, "text": "转账一直没到账"}
    return given | fields


def post(door: Door, headers: Mapping[str, str], body: bytes) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{door.port}/channels/app-chat", headers=headers, content=body, timeout=120)


def test_a_genuine_message_is_kept_before_it_is_answered(chat: Door) -> None:
    """202 and the number of messages: by then the raw is in the log."""
    answer = post(chat, *signed(message(1), message(2)))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2})
    assert chat.kept() == (1, 0)


def test_a_mistake_is_told_and_kept_as_invalid(chat: Door) -> None:
    """400 says which message, where and what would be right; nothing of the request is taken."""
    answer = post(chat, *signed(message(1), message(2, sent_at="yesterday")))
    assert answer.status_code == 400
    [told] = answer.json()["mistakes"]
    assert (told["index"], told["path"]) == (1, "sent_at")
    assert "would be right" in told["mistake"]
    assert chat.kept() == (0, 1)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/channels/no-such", 404),
        ("POST", "/channels/app-chat/no-such", 404),
        ("POST", "/channels/%00%ff", 404),
        ("GET", "/channels/app-chat", 405),
        ("DELETE", "/channels/app-chat", 405),
        ("GET", "/nothing", 404),
        ("POST", "/channels/app-chat", 401),
    ],
)
def test_what_is_not_here(chat: Door, method: str, path: str, status: int) -> None:
    """Unknown places, other methods and unsigned requests are refused by the fitting status, and nothing is kept."""
    assert chat.ask(method, path, {}, b"")[0] == status
    assert chat.kept() == (0, 0)


def test_a_body_over_the_limit(chat: Door) -> None:
    """More than 8 MiB is not read to its end: 413."""
    headers, body = signed(body=b" " * ((8 << 20) + 1))
    assert post(chat, headers, body).status_code == 413
    assert chat.kept() == (0, 0)


def test_large_bodies_do_not_fill_the_memory(chat: Door) -> None:
    """While others' bodies fill the memory, a large one is asked to come again and a small one is taken as always."""
    chat.bodies._most = 0
    headers, body = signed(message(1, text="转账没到账" * SMALL))
    refused = post(chat, headers, body[:-1])
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert post(chat, *signed(message(2))).status_code == 202
    chat.bodies._most = MOST
    assert post(chat, headers, body).status_code == 202
    assert chat.kept() == (2, 0)


async def test_a_body_counts_until_it_is_answered() -> None:
    """All bodies that are held at once count, and none of them any more when its request is over."""
    bodies = Bodies(most=3 * SMALL)
    async with bodies.of(_asking(b"x" * 2 * SMALL), 4 * SMALL) as first:
        assert len(first) == 2 * SMALL
        with pytest.raises(TooMany):
            async with bodies.of(_asking(b"y" * 2 * SMALL), 4 * SMALL):
                pass
        async with bodies.of(_asking(b"z" * SMALL), 4 * SMALL) as small:
            assert len(small) == SMALL
    async with bodies.of(_asking(b"y" * 2 * SMALL), 4 * SMALL) as later:
        assert later == b"y" * 2 * SMALL


def _asking(body: bytes) -> HttpRequest:
    """A request with this body."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return HttpRequest({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)


def _sent(door: Door, *pieces: bytes) -> bytes:
    """What the door says to these bytes until it hangs up; whoever is refused need not be heard out."""
    with socket.create_connection(("127.0.0.1", door.port), timeout=120) as connection:
        heard = b""
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
            while more := connection.recv(65_536):
                heard += more
        return heard


HEAD = b"POST /channels/app-chat HTTP/1.1\r\nhost: desk.example\r\n"
ENDLESS = [b"x" * 65_536] * 64


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD + b"x-long: ", *ENDLESS],
        [HEAD, *(b"x-%d: 1\r\n" % number * 1_000 for number in range(1_000))],
        [b"GET /" + b"a" * 9, *ENDLESS],
        [HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\nx-trailer: ", *ENDLESS],
        [HEAD + b"transfer-encoding: chunked\r\n\r\n1; ", *ENDLESS],
    ],
    ids=["a header without end", "headers without end", "an address without end", "a trailer", "a chunk's extension"],
)
def test_heads_without_end(chat: Door, pieces: list[bytes]) -> None:
    """Whoever sends more around a body than any program does is hung up on, before it fills the memory."""
    heard = _sent(chat, *pieces)
    assert heard[:12] in (b"", b"HTTP/1.1 431", b"HTTP/1.1 400")
    assert chat.told("/health")[0] == 200
    assert chat.kept() == (0, 0)


@pytest.mark.parametrize("begun", [b"", b"P", HEAD, HEAD + b"content-length: 9\r\n\r\n1234"])
def test_whoever_stalls_is_hung_up_on(chat: Door, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    """A connection that does not say what it wants in time makes room for others."""
    monkeypatch.setattr(connection_module, "HEAD_SECONDS", 0.01)
    monkeypatch.setattr(connection_module, "BODY_SECONDS", 0.01)
    assert _sent(chat, begun) == b""
    assert chat.kept() == (0, 0)


async def test_no_file_descriptors_are_told_once() -> None:
    """While the system lets nobody in, the log is not filled with it; other faults are told as always."""
    loop, others = asyncio.get_running_loop(), []
    loop.default_exception_handler = others.append  # type: ignore[method-assign]
    tell = shortage()
    with structlog.testing.capture_logs() as told:
        for _ in range(1_000):
            tell(loop, {"message": "accept", "exception": OSError(errno.EMFILE, "Too many open files")})
        tell(loop, {"message": "another", "exception": ValueError()})
    assert [one["event"] for one in told] == ["front_door.full"]
    assert [one["message"] for one in others] == ["another"]


def test_a_body_in_small_chunks_is_taken(chat: Door) -> None:
    """What programs send is no flood: a large body in chunks, and request after request on one connection."""
    headers, body = signed(message(1, text="转账没到账" * AROUND))
    address = f"http://127.0.0.1:{chat.port}/channels/app-chat"
    chunks = [body[at : at + 500] for at in range(0, len(body), 500)]
    with httpx.Client(timeout=120) as client:
        for _ in range(3):
            assert client.post(address, headers=headers, content=iter(chunks)).status_code == 202


def test_a_full_log_asks_to_come_again(chat: Door) -> None:
    """While the log cannot take more: 503 with Retry-After, and the same request is taken later."""
    chat.log._waiting_limit = 0
    headers, body = signed(message(1))
    refused = post(chat, headers, body)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert chat.kept() == (0, 0)
    chat.log._waiting_limit = 100
    assert post(chat, headers, body).status_code == 202
    assert chat.kept() == (1, 0)


@pytest.mark.parametrize("fields", [{}, {"text": None}])
def test_a_database_that_is_locked_away(chat: Door, fields: dict[str, Any]) -> None:
    """While another program holds the database nothing is acknowledged, valid or not; then it goes on by itself."""
    headers, body = signed(message(1, **fields))
    impatient(chat.store)
    with contextlib.closing(sqlite3.connect(str(chat.store.database.path), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        refused = post(chat, headers, body)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        other.execute("ROLLBACK")
    assert post(chat, headers, body).status_code == (400 if fields else 202)
    assert sum(chat.kept()) == 1


def impatient(store: Ledger) -> None:
    """Let the store's writer wait for nobody."""
    with store.database.write() as tx:
        tx._cursor.execute("PRAGMA busy_timeout = 0")


def test_strangers_learn_that_it_lives_and_no_more(chat: Door) -> None:
    """The public address answers /health; readiness and metrics, which tell of the database, are not there."""
    assert chat.told("/health") == (200, b'{"status":"up"}')
    assert [chat.told(path)[0] for path in ("/ready", "/metrics")] == [404, 404]


def test_the_metrics_hold_no_words(chat: Door) -> None:
    """The metrics count requests, raws and what was invalid, and says no word of a message, no handle and no name."""
    post(chat, *signed(message(1)))
    post(chat, *signed(message(2, sent_at="gestern")))
    chat.ask("POST", "/channels/u-77", {}, b"")
    told = chat.metrics.text().decode()
    assert 'omnirouter_raws_total{channel="app-chat"} 1.0' in told
    assert 'omnirouter_messages_total{outcome="invalid"} 1.0' in told
    assert 'omnirouter_request_seconds_count{channel="app-chat",status="202"} 1.0' in told
    for word in ("转账", "u-77", "陈", "gestern", "m-1", "msg_1"):
        assert word not in told
