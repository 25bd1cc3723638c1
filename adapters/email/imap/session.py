"""How is a mailbox read? One session with an IMAP server in, mails with their UIDs and INTERNALDATEs out.

The only module that imports aioimaplib (GPL-3.0-only, the extra `omnirouter[email]`). Its commands are used, its way of
reading answers is not: here answers are split in a loop of constant depth, complete with their literals, before any
command sees them; a lost connection or a BYE ends every wait at once; every wait has an end. What the library logs is
switched off, because it logs mails and passwords.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeVar

from aioimaplib import aioimaplib as _lib

from adapters.email.imap.text import LITERAL, Fetched, day, fetched, modified_utf7, numbers, sizes
from router.errors import BadSettings, Unreachable
from router.value import Value

__all__ = ["Account", "Session"]

_T = TypeVar("_T")

#: Seconds to wait for one answer.
PATIENCE = 30.0
#: Bytes of one mail that are fetched: one more than a mail may have, so that a longer one is known as such.
LARGEST = 25 * 1024 * 1024 + 1
MAX_LINE = 1024 * 1024

_DATA = re.compile(rb"\d+ (FETCH|EXPUNGE|EXISTS|RECENT)\b", re.IGNORECASE)
_CODE = re.compile(rb"\[(UIDVALIDITY|UIDNEXT) (\d{1,10})\]", re.IGNORECASE)
_LATER = (b"[UNAVAILABLE]", b"[INUSE]", b"[LIMIT]", b"[SERVERBUG]")

logging.getLogger(_lib.__name__).disabled = True


class Account(Value, frozen=True, kw_only=True):
    """Where and as whom to log in. `tls` is None only for a server on this machine."""

    host: str
    port: int
    username: str
    password: str = ""
    token: str = ""
    tls: ssl.SSLContext | None = None
    mailbox: str = "INBOX"
    version: str = ""

    def __repr__(self) -> str:
        return f"Account({self.host}:{self.port}, ***)"


class _Protocol(_lib.IMAP4ClientProtocol):  # type: ignore[misc]  # the library is not typed
    """The connection: splits what arrives into whole answers and hands each to the command that waits for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.lost: asyncio.Future[str] = loop.create_future()
        self.ended = asyncio.Event()
        self.news = asyncio.Event()
        self.continued = asyncio.Event()
        self._buffer = bytearray()
        self._segments: list[bytes] = []
        self._literal = -1
        self._scanned = 0

    def connection_lost(self, exc: Exception | None) -> None:
        self.lose("the connection broke")
        self.ended.set()

    def lose(self, reason: str) -> None:
        """Give the connection up: whoever waits for it is told why."""
        if not self.lost.done():
            self.lost.set_result(reason)
        if self.transport is not None:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self.lost.done():
            return
        self._buffer += data
        try:
            while self._next():
                pass
        except (_lib.AioImapException, ValueError, IndexError, KeyError):
            self.lose("its answer is not IMAP")

    def _next(self) -> bool:
        """Take the next line or literal from the buffer; False when it is not all there yet."""
        if self._literal >= 0:
            if len(self._buffer) < self._literal:
                return False
            self._segments.append(bytes(self._buffer[: self._literal]))
            del self._buffer[: self._literal]
            self._literal, self._scanned = -1, 0
            return True
        end = self._buffer.find(b"\r\n", self._scanned)
        if end < 0:
            self._scanned = max(0, len(self._buffer) - 1)
            if self._scanned > MAX_LINE * 8:
                raise ValueError("a line without end")
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        self._scanned = 0
        self._segments.append(line)
        literal = LITERAL.search(line[-14:])
        if literal:
            self._literal = int(literal[1])
            if self._literal > 2 * LARGEST:
                raise ValueError("a literal without end")
        else:
            segments, self._segments = self._segments, []
            self._answer(segments)
        return True

    def _answer(self, segments: list[bytes]) -> None:
        """One whole answer: greeting, untagged, continuation or the end of a command."""
        line = segments[0]
        if self.state == _lib.CONNECTED:
            if not line.startswith((b"* OK", b"* PREAUTH")):
                self.lose("it refuses connections now")
                return
            self._handle_line(line, None)
        elif line.startswith(b"* "):
            self._untagged(segments)
        elif line.startswith(b"+"):
            self._continued()
        elif line:
            self._response_done(line)
            self.continued.set()

    def _untagged(self, segments: list[bytes]) -> None:
        text = segments[0][2:]
        if text[:4].upper() == b"BYE ":
            if self.pending_sync_command is None or self.pending_sync_command.name != "LOGOUT":
                self.lose("it said good-bye")
            return
        matched = _DATA.match(text)
        name = matched[1] if matched else text.partition(b" ")[0]
        if name.upper() in (b"EXISTS", b"RECENT"):
            self.news.set()
        command = self.pending_sync_command or self.pending_async_commands.get(name.decode("ascii", "replace").upper())
        if command is not None:
            for segment in (text, *segments[1:]):
                command.append_to_resp(segment)

    def _continued(self) -> None:
        """The server waits: for our end of IDLE, or (a refused token) for the empty line that it must get."""
        command = self.pending_sync_command
        if command is not None and command.name == "AUTHENTICATE":
            self.transport.write(b"\r\n")
        self.continued.set()


class Session:
    """A logged-in connection with its mailbox selected. Not for two tasks at once."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._name = f"the mail server {account.host}:{account.port}"
        self._protocol: _Protocol | None = None
        self._polls = False
        self.uidvalidity = 0
        self.uidnext = 0
        self.exists = 0

    async def open(self) -> None:
        """Connect, log in, say who we are, select. Raises Unreachable, or BadSettings where the operator must mend."""
        account = self._account
        loop = asyncio.get_running_loop()
        connecting = loop.create_connection(lambda: _Protocol(loop), account.host, account.port, ssl=account.tls)
        try:
            _, protocol = await asyncio.wait_for(connecting, PATIENCE)
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(
                f"{self._name} shows a certificate that is not trusted ({error.verify_message})."
            ) from None
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"{self._name} does not answer ({type(error).__name__}).") from None
        self._protocol = protocol
        await self._wait(protocol.wait("AUTH|NONAUTH"))
        await self._login()
        await self._select()

    async def _login(self) -> None:
        account, protocol = self._account, self._connected
        if protocol.state == _lib.AUTH:
            return
        what = "token" if account.token else "password"
        try:
            if account.token:
                answer = await self._wait(protocol.xoauth2(account.username, account.token))
            else:
                answer = await self._wait(protocol.login(_lib.quoted(account.username), account.password))
        except ValueError:
            raise BadSettings(f"the user name or {what} for {self._name} holds a line break or no ASCII.") from None
        except _Slow:
            if account.token:
                raise BadSettings(f"{self._name} did not take the token: renew it.") from None
            raise
        if answer.result != "OK":
            if any(code in line for line in answer.lines for code in _LATER):
                raise Unreachable(f"{self._name} takes no logins at the moment.")
            raise BadSettings(
                f"{self._name} refuses the login: check user name and {what} (some hosts need an app code)."
            )
        await self._wait(protocol.capability())
        if "ID" in protocol.capabilities:
            pairs = f'("name" "omnirouter" "version" {_lib.quoted(account.version or "0")})'
            await self._wait(protocol.execute(_lib.Command("ID", protocol.new_tag(), pairs, loop=protocol.loop)))

    async def _select(self) -> None:
        name = _lib.quoted(modified_utf7(self._account.mailbox))
        answer = await self._wait(self._connected.select(name))
        if answer.result != "OK":
            raise BadSettings(f"{self._name} does not open the mailbox {self._account.mailbox!r}: check its name.")
        for line in answer.lines:
            for code, number in _CODE.findall(line):
                setattr(self, code.decode().lower(), int(number))
            if matched := re.match(rb"(\d{1,10}) EXISTS", line):
                self.exists = int(matched[1])
        if not self.uidvalidity:
            raise BadSettings(f"{self._name} gives its mails no lasting numbers (UIDVALIDITY); it cannot be followed.")
        if not self.uidnext:
            last = await self._search("*") if self.exists else []
            self.uidnext = max(last, default=0) + 1

    async def after(self, uid: int) -> list[int]:
        """The UIDs above `uid`, in order."""
        self._connected.news.clear()
        return [found for found in await self._search(f"UID {uid + 1}:*") if found > uid]

    async def between(self, since: datetime, before: datetime | None) -> list[int]:
        """The UIDs of mails that the server took in from a day to another (its own days: ask for one more)."""
        criteria = f"SINCE {day(since)}" + (f" BEFORE {day(before)}" if before else "")
        return await self._search(criteria)

    async def with_message_id(self, external_id: str) -> list[int]:
        """The UIDs of mails with this Message-ID."""
        return await self._search(f"HEADER Message-ID {_lib.quoted(external_id)}")

    async def _search(self, criteria: str) -> list[int]:
        answer = await self._wait(self._connected.search(criteria, charset=None, by_uid=True))
        if answer.result != "OK":
            raise Unreachable(f"{self._name} does not search its mailbox.")
        return numbers(answer.lines[:-1])

    async def sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """The size of each mail in bytes; one that is gone by now is missing. At most 200 at a time."""
        return sizes(await self._fetch(uids, "(UID RFC822.SIZE)"))

    async def bodies(self, uids: Sequence[int]) -> list[Fetched]:
        """The mails, in order of UID; one that is gone by now is missing. At most 100 at a time."""
        what = f"(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.{LARGEST}>)"
        return [mail for mail in fetched(await self._fetch(uids, what)) if mail.uid in set(uids)]

    async def _fetch(self, uids: Sequence[int], what: str) -> list[bytes]:
        protocol = self._connected
        among = ",".join(map(str, uids))
        command = _lib.Command("FETCH", protocol.new_tag(), among, what, prefix="UID", loop=protocol.loop)
        answer = await self._wait(protocol.execute(command), PATIENCE * 10)
        return [bytes(line) for line in answer.lines[:-1]]

    async def mark_seen(self, uids: Sequence[int]) -> None:
        """Set the Seen flag."""
        among = ",".join(map(str, uids))
        await self._wait(self._connected.store(among, "+FLAGS.SILENT", r"(\Seen)", by_uid=True))

    async def wait_for_news(self, seconds: float, *, pushes: bool = True) -> bool:
        """Wait until the server says that something came (true) or `seconds` are over. Raises Unreachable when lost."""
        protocol = self._connected
        if not pushes or self._polls or "IDLE" not in protocol.capabilities:
            await asyncio.wait({protocol.lost}, timeout=seconds)
            self._check()
            return False
        protocol.continued.clear()
        command = _lib.Command("IDLE", protocol.new_tag(), loop=protocol.loop)
        idling = asyncio.ensure_future(protocol.execute(command))
        try:
            await self._wait(protocol.continued.wait())
            if idling.done():
                self._polls = True  # it offers IDLE and refuses it
                return True
            with contextlib.suppress(_Slow):
                await self._wait(protocol.news.wait(), seconds)
            protocol.send("DONE")
            await self._wait(asyncio.shield(idling))
            return protocol.news.is_set()
        finally:
            idling.cancel()
            with contextlib.suppress(asyncio.CancelledError, _lib.AioImapException):
                await idling

    async def close(self) -> None:
        """Log out if the server still listens, and drop the connection. Safe to call twice."""
        protocol, self._protocol = self._protocol, None
        if protocol is None:
            return
        if not protocol.lost.done() and protocol.pending_sync_command is None and not protocol.pending_async_commands:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(protocol.logout(), 2)
        protocol.lose("closed")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(protocol.ended.wait(), 2)

    @property
    def _connected(self) -> _Protocol:
        if self._protocol is None:
            raise Unreachable(f"{self._name} is not connected.")
        return self._protocol

    def _check(self) -> None:
        if self._connected.lost.done():
            raise Unreachable(f"{self._name} is lost: {self._connected.lost.result()}.")

    async def _wait(self, call: Coroutine[Any, Any, _T] | asyncio.Future[_T], seconds: float = 0) -> _T:
        """The answer to a call, unless the connection is lost or the patience is over."""
        protocol = self._connected
        task = asyncio.ensure_future(call)
        try:
            both: set[asyncio.Future[Any]] = {task, protocol.lost}
            done, _ = await asyncio.wait(both, timeout=seconds or PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            if task in done:
                try:
                    return task.result()
                except _lib.AioImapException as error:
                    raise Unreachable(f"{self._name} answers what is not IMAP ({type(error).__name__}).") from None
            self._check()
            raise _Slow(f"{self._name} did not answer in {seconds or PATIENCE:.0f} seconds.")
        finally:
            task.cancel()


class _Slow(Unreachable):
    """No answer in time."""
