"""A mailbox is read safely from servers that break, lie or refuse."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aioimaplib import aioimaplib as upstream

from adapters.email import smtp
from adapters.email.channel import Email
from adapters.email.imap import mailbox
from adapters.email.imap import session as imap_session
from adapters.email.imap.session import Account, Session
from adapters.email.imap.text import Fetched, day, fetched, modified_utf7, numbers, sizes
from router.errors import BadSettings, InvalidPayload, Unreachable
from router.ports import Channel

SEVEN = "From: a@b.example\r\nMessage-ID: <{}@b.example>\r\n\r\n(words) {{9}} of {}\r\n"


class Server:
    """A small IMAP server with mails by UID, and faults that a test switches on."""

    def __init__(self) -> None:
        self.mails: dict[int, bytes] = {n: SEVEN.format(n, n).encode() for n in (5, 6, 7)}
        self.faults: set[str] = set()
        self.heard: list[str] = []
        self.uidvalidity = 100
        self.capabilities = "IMAP4rev1 IDLE ID AUTH=XOAUTH2"
        self.port = 0
        self.idling = asyncio.Event()
        self._knows_client = False
        self._writers: set[asyncio.StreamWriter] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(b"* BYE too busy\r\n" if "bye greeting" in self.faults else b"* OK ready\r\n")
            if "bye greeting" not in self.faults:
                while line := await reader.readline():
                    tag, _, command = line.decode().strip().partition(" ")
                    self.heard.append(command)
                    await self._answer(tag, command, reader, writer)
        writer.close()

    def hang_up(self) -> None:
        """Drop every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _answer(self, tag: str, command: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verb = " ".join(command.upper().split()[: 2 if command.upper().startswith("UID") else 1])
        lines = await getattr(self, "_" + verb.lower().replace(" ", "_"))(command, reader, writer)
        if lines is not None:
            *untagged, status = lines
            writer.write(b"".join(b"* " + u + b"\r\n" for u in untagged) + f"{tag} {status}\r\n".encode())
            await writer.drain()

    async def _capability(self, *_: Any) -> list[Any]:
        return [f"CAPABILITY {self.capabilities}".encode(), "OK done"]

    async def _login(self, *_: Any) -> list[Any]:
        return ["NO [UNAVAILABLE] later"] if "busy" in self.faults else ["OK in"]

    async def _authenticate(self, _: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[Any]:
        if "bad token" in self.faults:
            writer.write(b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n")
            self.heard.append("empty" if await reader.readline() == b"\r\n" else "not empty")
            return ["NO refused"]
        return ["OK in"]

    async def _id(self, *_: Any) -> list[Any]:
        self._knows_client = True
        return [b'ID ("name" "faulty")', "OK done"]

    async def _select(self, *_: Any) -> list[Any]:
        if "unsafe login" in self.faults and not self._knows_client:
            return ["NO Unsafe Login"]
        codes = [b"OK [UIDVALIDITY %d] x" % self.uidvalidity, b"OK [UIDNEXT %d] x" % (max(self.mails, default=0) + 1)]
        if "no uidnext" in self.faults:
            codes.pop()
        if "no uidvalidity" in self.faults:
            codes.pop(0)
        return [b"%d EXISTS" % len(self.mails), b"0 RECENT", b"FLAGS ()", *codes, "OK selected"]

    async def _uid_search(self, command: str, _: Any, writer: asyncio.StreamWriter) -> list[Any] | None:
        if "silent search" in self.faults:
            return None
        if "garbage" in self.faults:
            writer.write(b"x9 OK nobody asked this\r\n")
            return None
        wanted = re.search(r"UID (\d+):\*", command)
        found = [uid for uid in self.mails if wanted is None or uid >= int(wanted[1])]
        if wanted and not found and self.mails:
            found = [max(self.mails)]
        return [b"SEARCH " + b" ".join(b"%d" % uid for uid in found), "OK done"]

    async def _uid_fetch(self, command: str, *_: Any) -> list[Any]:
        uids = [int(uid) for uid in command.split()[2].split(",")]
        answers: list[Any] = []
        for number, uid in enumerate(uid for uid in uids if uid in self.mails):
            mail = self.mails[uid]
            if "BODY" not in command:
                answers.append(b"%d FETCH (UID %d RFC822.SIZE %d)" % (number, uid, len(mail)))
            elif not ("withheld" in self.faults and uid == 6):
                literal = b"{%d}\r\n%s" % (len(mail), mail)
                before = b'%d FETCH (FLAGS () INTERNALDATE " 2-Mar-2026 10:00:00 +0800" BODY[]<0> ' % number
                answers += [before + literal + b" UID %d)" % uid, b"9 FETCH (FLAGS (\\Seen))", b"12 EXISTS"]
        return [*answers, "OK done"]

    async def _uid_store(self, *_: Any) -> list[Any]:
        return ["OK done"]

    async def _idle(self, _: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[Any]:
        if "no idle" in self.faults:
            return ["BAD what"]
        writer.write(b"+ idling\r\n")
        if "lying exists" in self.faults:
            writer.write(b"* 99 EXISTS\r\n")
        self.idling.set()
        if "bye in idle" in self.faults:
            writer.write(b"* BYE for now\r\n")
        assert await reader.readline() in (b"DONE\r\n", b"")
        return ["OK done"]

    async def _logout(self, *_: Any) -> list[Any]:
        return [b"BYE", "OK bye"]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """The small server, without TLS, on this machine."""
    faulty = Server()
    listening = await asyncio.start_server(faulty.talk, "127.0.0.1", 0)
    faulty.port = listening.sockets[0].getsockname()[1]
    yield faulty
    faulty.hang_up()
    listening.close()
    await listening.wait_closed()


@contextlib.asynccontextmanager
async def session(server: Server, **account: Any) -> AsyncIterator[Session]:
    given = {"host": "127.0.0.1", "port": server.port, "username": "u", "password": "p", **account}
    opened = Session(Account(**given))
    try:
        await opened.open()
        yield opened
    finally:
        await opened.close()


def test_account_shows_no_secret() -> None:
    """No report of an error can show the password of a mailbox."""
    account = Account(host="h", port=1, username="u", password="hunter2", token="t0ken")
    sending = smtp.Account(host="h", port=1, domain="d", password="hunter2")
    assert not [secret for secret in ("hunter2", "t0ken") if secret in f"{account} {account!r} {sending!r} {sending}"]


async def test_greeting_of_a_full_server(server: Server) -> None:
    """A server that says good-bye at once is left alone and tried later, without waiting."""
    server.faults.add("bye greeting")
    with pytest.raises(Unreachable, match="refuses connections"):
        async with session(server):
            pass


async def test_login_refused_for_now(server: Server) -> None:
    """A server that cannot take logins now is tried later, not given up."""
    server.faults.add("busy")
    with pytest.raises(Unreachable, match="takes no logins"):
        async with session(server):
            pass


async def test_refused_token(server: Server) -> None:
    """A refused token gets the empty answer that the server waits for, and is told to the operator."""
    server.faults.add("bad token")
    with pytest.raises(BadSettings, match="token"):
        async with session(server, password="", token="stale"):
            pass
    assert "empty" in server.heard


async def test_token_without_any_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that the server does not answer is taken for a refused one."""
    login = Session._login

    async def impatient(self: Session) -> None:
        monkeypatch.setattr(imap_session, "PATIENCE", 0.1)
        await login(self)

    async def silent(*_: Any) -> None:
        return None

    monkeypatch.setattr(Session, "_login", impatient)
    monkeypatch.setattr(server, "_authenticate", silent)
    with pytest.raises(BadSettings, match="did not take the token"):
        async with session(server, password="", token="stale"):
            pass


async def test_says_who_it_is(server: Server) -> None:
    """Hosts that serve only clients that name themselves (163, 126) are told the name before a mailbox is opened."""
    server.faults.add("unsafe login")
    async with session(server, version="0.1") as opened:
        assert opened.exists == 3
    assert 'ID ("name" "omnirouter" "version" "0.1")' in server.heard


async def test_capabilities_are_asked_again_after_login(server: Server) -> None:
    """What a server can do is asked again once logged in."""
    async with session(server):
        pass
    login = next(n for n, heard in enumerate(server.heard) if heard.startswith("LOGIN"))
    assert "CAPABILITY" in server.heard[login:]


async def test_names_are_quoted(server: Server) -> None:
    """User and mailbox names with spaces, quotes and Chinese characters reach the server whole."""
    async with session(server, username='a "b"', password='p"\\w', mailbox="客服 & 退款"):
        pass
    assert r'LOGIN "a \"b\"" "p\"\\w"' in server.heard
    assert f'SELECT "{modified_utf7("客服 & 退款")}"' in server.heard


@pytest.mark.parametrize(
    ("name", "written"),
    [("INBOX", "INBOX"), ("客服", "&W6JnDQ-"), ("A&B", "A&-B"), ("日本語/x", "&ZeVnLIqe-/x")],
)
def test_mailbox_names(name: str, written: str) -> None:
    """Mailbox names are written as RFC 3501 asks."""
    assert modified_utf7(name) == written


async def test_line_break_in_a_name_is_no_command(server: Server) -> None:
    """A user name can never smuggle a second command."""
    with pytest.raises(BadSettings, match="line break"):
        async with session(server, username="u\r\nx DELETE INBOX"):
            pass
    assert not any("DELETE" in heard for heard in server.heard)


async def test_without_uidnext(server: Server) -> None:
    """A server that does not tell the next number is asked for its last mail."""
    server.faults.add("no uidnext")
    async with session(server) as opened:
        assert opened.uidnext == 8


async def test_without_uidvalidity(server: Server) -> None:
    """A server without lasting numbers cannot be followed, and that is said."""
    server.faults.add("no uidvalidity")
    with pytest.raises(BadSettings, match="UIDVALIDITY"):
        async with session(server):
            pass


async def test_search_returns_the_last_mail_always(server: Server) -> None:
    """The last mail, which IMAP gives for any range, is not taken for a new one."""
    async with session(server) as opened:
        assert await opened.after(7) == []
        assert await opened.after(5) == [6, 7]
    assert any(heard.startswith("UID SEARCH UID 8:*") for heard in server.heard)
    assert not any("CHARSET" in heard for heard in server.heard)


async def test_bodies_are_exact(server: Server) -> None:
    """Mails come byte for byte, whatever brackets and numbers stand in them and whatever the server says between."""
    async with session(server) as opened:
        mails = await opened.bodies([5, 6, 7])
    assert [(m.uid, m.body) for m in mails] == list(server.mails.items())
    assert {m.internaldate for m in mails} == {datetime(2026, 3, 2, 2, 0, tzinfo=UTC)}


async def test_thousands_of_lines_in_one_read(server: Server) -> None:
    """An answer of thousands of lines that arrives at once is read like any other."""
    server.mails = dict.fromkeys(range(1, 3001), b"x")
    async with session(server) as opened:
        assert len(await opened.sizes(range(1, 3001))) == 3000


def test_upstream_still_fails_on_many_lines() -> None:
    """The library itself still breaks on such an answer; when it no longer does, our own reading can go."""
    loop = asyncio.new_event_loop()
    try:
        protocol = upstream.IMAP4ClientProtocol(loop)
        protocol.state = upstream.SELECTED
        with pytest.raises(RecursionError):
            protocol.data_received(b"* 1 EXISTS\r\n" * 3000)
    finally:
        loop.close()


async def test_huge_lines_and_torn_reads(server: Server) -> None:
    """A line of a megabyte and a mail that arrives in pieces are put together."""
    server.mails = {**dict.fromkeys(range(1, 40_000), b"x"), 40_000: b"y" * 3_000_000}
    async with session(server) as opened:
        assert len(await opened.after(0)) == 40_000
        [mail] = await opened.bodies([40_000])
    assert len(mail.body) == 3_000_000


async def test_quoted_body() -> None:
    """A short mail that comes as a quoted string is read too."""
    lines = [b'1 FETCH (UID 4 BODY[]<0> "say \\"hi\\"")', b'2 FETCH (UID 5 RFC822.SIZE 7 BODY[] "")']
    assert fetched(lines) == [Fetched(uid=4, body=b'say "hi"'), Fetched(uid=5, body=b"")]
    assert sizes(lines) == {5: 7}
    assert numbers([b"5 3", b"3 x"]) == [3, 5]
    assert day(datetime(2026, 3, 2, tzinfo=UTC)) == "2-Mar-2026"


async def test_drop_while_waiting(server: Server) -> None:
    """A connection that breaks during IDLE ends the waiting at once."""
    async with session(server) as opened:
        waiting = asyncio.ensure_future(opened.wait_for_news(600))
        await server.idling.wait()
        server.hang_up()
        with pytest.raises(Unreachable, match="lost"):
            await waiting


async def test_good_bye_while_waiting(server: Server) -> None:
    """A server that says good-bye during IDLE ends the waiting at once."""
    server.faults.add("bye in idle")
    async with session(server) as opened:
        with pytest.raises(Unreachable, match="good-bye"):
            await opened.wait_for_news(600)


async def test_waiting_has_an_end(server: Server) -> None:
    """IDLE ends by itself in time to be asked anew, and the session goes on."""
    async with session(server) as opened:
        await opened.after(7)
        assert not await opened.wait_for_news(0.05)
        assert await opened.after(6) == [7]


async def test_idle_refused(server: Server) -> None:
    """A server that offers IDLE and refuses it is asked by the poll alone."""
    server.faults.add("no idle")
    async with session(server) as opened:
        assert await opened.wait_for_news(600)
        assert not await opened.wait_for_news(0.01)
    assert server.heard.count("IDLE") == 1


async def test_silence(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """No question waits for ever for its answer."""
    server.faults.add("silent search")
    async with session(server) as opened:
        monkeypatch.setattr(imap_session, "PATIENCE", 0.1)
        with pytest.raises(Unreachable, match="did not answer"):
            await opened.after(0)


async def test_garbage(server: Server) -> None:
    """A server that answers nonsense is given up with a sentence and without a traceback."""
    server.faults.add("garbage")
    async with session(server) as opened:
        with pytest.raises(Unreachable, match="not IMAP"):
            await opened.after(0)


Open = Callable[..., Channel]


def reader(open_channel: Open, server: Server, monkeypatch: pytest.MonkeyPatch) -> Email:
    monkeypatch.setenv("MAIL_PASSWORD", "p")
    imap = {"host": "127.0.0.1", "port": server.port, "username": "u", "password": "env:MAIL_PASSWORD"}
    return Email(open_channel(Email, "m", address="support@support.example", imap=imap))


async def test_lying_exists(server: Server, open_channel: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that announces mails that do not exist is believed a few times, then only the poll counts."""
    server.faults.add("lying exists")
    polled = asyncio.Event()
    wait = Session.wait_for_news

    async def watched(self: Session, seconds: float, *, pushes: bool = True) -> bool:
        if not pushes:
            polled.set()
        return await wait(self, seconds, pushes=pushes)

    monkeypatch.setattr(Session, "wait_for_news", watched)
    deliveries = reader(open_channel, server, monkeypatch).deliveries("100:7")
    waiting = asyncio.ensure_future(anext(deliveries))
    await asyncio.wait_for(polled.wait(), 120)
    assert server.heard.count("IDLE") == mailbox.VAIN_PUSHES
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    await deliveries.aclose()


async def test_withheld_mail(server: Server, open_channel: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail that the server lists and does not give is set aside with its number; those behind it are read."""
    server.faults.add("withheld")
    email = reader(open_channel, server, monkeypatch)
    deliveries = email.deliveries("100:4")
    delivery = await anext(deliveries)
    await deliveries.aclose()
    assert [raw.meta["uid"] for raw in delivery.raws] == ["5", "6", "7"]
    assert delivery.cursor == "100:7"
    with pytest.raises(InvalidPayload, match="empty"):
        email.translate(delivery.raws[1])


async def test_mail_deleted_meanwhile(server: Server, open_channel: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail that somebody deletes between two questions is simply not there."""
    email = reader(open_channel, server, monkeypatch)
    bodies = Session.bodies

    async def deleting(self: Session, uids: Any) -> list[Fetched]:
        server.mails.pop(6, None)
        return await bodies(self, uids)

    monkeypatch.setattr(Session, "bodies", deleting)
    deliveries = email.deliveries("100:4")
    delivery = await anext(deliveries)
    await deliveries.aclose()
    assert [raw.meta["uid"] for raw in delivery.raws] == ["5", "7"]


async def test_mailbox_with_tls(
    open_channel: Open, certificates: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A mailbox is read through TLS, and a certificate of a stranger is refused."""
    faulty = Server()
    listening = await asyncio.start_server(faulty.talk, "127.0.0.1", 0, ssl=certificates.server)
    port = listening.sockets[0].getsockname()[1]
    monkeypatch.setenv("MAIL_PASSWORD", "p")
    imap = {"host": "localhost", "port": port, "username": "u", "password": "env:MAIL_PASSWORD"}
    known = open_channel(Email, "m", address="s@s.example", imap={**imap, "ca_file": str(certificates.ca_file)})
    assert "3 mails" in await Email(known).connect()
    system = ssl.create_default_context()
    with pytest.raises(Unreachable, match="not trusted"):
        await Session(Account(host="localhost", port=port, username="u", password="p", tls=system)).open()
    faulty.hang_up()
    listening.close()
    await listening.wait_closed()
