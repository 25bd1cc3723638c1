"""How does a mail leave? An envelope in, the server's word out, every failure sorted into what it means for the outbox.

One connection an account, reused while replies keep coming and closed when it has been idle. Up to the end of RCPT
nothing has left, so every failure there may be tried again; once the content goes out, a silence is an unknown outcome.
What a server says is never put into an error, because it repeats addresses; its code is.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from adapters.email.compose import Envelope
from router.errors import BadSettings, OutcomeUnknown, SendRejected, SendUnreachable, Throttled
from router.value import Value

if TYPE_CHECKING:
    import aiosmtplib

__all__ = ["Account", "Outbound"]

#: Seconds to wait for one answer; the content of a large mail has three times as long.
PATIENCE = 30.0
#: How long a server that says "too busy" (421, 450, 452 at MAIL) is left alone.
BUSY = timedelta(minutes=2)
#: Enhanced status codes of an address that exists no more (RFC 3463).
_GONE = re.compile(r"\s*5\.(?:1\.[01236]|2\.1)\b")


class _Stale(SendUnreachable):
    """The connection was closed while it was idle."""


class Account(Value, frozen=True, kw_only=True):
    """Where and as whom to send. `domain` is how we introduce ourselves, so that no name is looked up. `starttls` and
    `tls` are both false only for a server on this machine."""

    host: str
    port: int
    domain: str
    username: str = ""
    password: str = ""
    token: Callable[[], Awaitable[str]] | None = None
    tls: ssl.SSLContext | None = None
    starttls: bool = False

    def __repr__(self) -> str:
        return f"Account({self.host}:{self.port}, ***)"


class Outbound:
    """The sending side of an account."""

    def __init__(self, account: Account, now: Callable[[], datetime], *, idle: float = 30.0) -> None:
        self._account = account
        self._now = now
        self._idle = idle
        self._client: aiosmtplib.SMTP | None = None
        self._turn = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._name = f"the mail server {account.host}:{account.port}"

    async def send(self, envelope: Envelope) -> str:
        """Hand a mail over; returns the code of the server's answer. Raises one of `SendError`'s kinds."""
        async with self._turn:
            self._stop_timer()
            try:
                client = self._client if self._client is not None and self._client.is_connected else None
                try:
                    client = await self._address(client or await self._connect(), envelope)
                except _Stale:
                    if client is None:
                        raise
                    client = await self._address(await self._connect(), envelope)
                code = await self._content(client, envelope)
            except BaseException:
                self._drop()
                raise
            self._timer = asyncio.get_running_loop().call_later(self._idle, self._close_later)
            return code

    async def prove(self) -> None:
        """Log in and out again. Raises BadSettings or SendUnreachable."""
        async with self._turn:
            await self._connect()
        await self.close()

    async def close(self) -> None:
        """Say good-bye and close. Safe to call twice."""
        self._stop_timer()
        async with self._turn:
            client, self._client = self._client, None
            if client is not None:
                with contextlib.suppress(Exception):
                    await client.quit(timeout=2)
                client.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_later(self) -> None:
        task = asyncio.ensure_future(self.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def _connect(self) -> aiosmtplib.SMTP:
        """A new connection, logged in."""
        import aiosmtplib

        self._drop()
        account = self._account
        login: dict[str, Any] = {"username": account.username or None}
        login |= {"oauth_token_generator": account.token} if account.token else {"password": account.password or None}
        client = _client()(
            hostname=account.host, port=account.port, local_hostname=account.domain, timeout=PATIENCE,
            tls_context=account.tls, use_tls=account.tls is not None and not account.starttls,
            start_tls=account.starttls, **(login if account.username else {}),
        )  # fmt: skip
        try:
            await client.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            if error.code >= 500:
                raise BadSettings(
                    f"{self._name} refuses the login ({error.code}): check user name and password or token."
                ) from None
            raise SendUnreachable(f"{self._name} takes no logins at the moment ({error.code}).") from None
        except aiosmtplib.SMTPNotSupported:
            raise BadSettings(f"{self._name} does not offer the login or STARTTLS that the settings ask for.") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            self._unreachable(error)
        self._client = client
        return client

    def _unreachable(self, error: BaseException) -> NoReturn:
        """A server that cannot be reached or said no before anything began."""
        cause = error.__cause__ or error.__context__
        if isinstance(error, ssl.SSLCertVerificationError) or isinstance(cause, ssl.SSLCertVerificationError):
            raise SendUnreachable(f"{self._name} shows a certificate that is not trusted.") from None
        code = getattr(error, "code", 0)
        if code == 421:
            self._busy(code)
        word = f"answers {code}" if code else f"does not answer ({type(error).__name__})"
        if code < 0:  # what came back has no status code
            word = "does not answer as a mail server: check host, port and starttls"
        raise SendUnreachable(f"{self._name} {word}.") from None

    def _busy(self, code: int) -> NoReturn:
        raise Throttled(f"{self._name} asks to wait ({code}).", until=self._now() + BUSY) from None

    async def _address(self, client: aiosmtplib.SMTP, envelope: Envelope) -> aiosmtplib.SMTP:
        """MAIL and RCPT: nothing has left yet. Raises `_Stale` when the connection turns out to be closed."""
        import aiosmtplib

        options = self._options(client, envelope)
        encoding = "utf-8" if envelope.international else "ascii"
        try:
            await client.mail(envelope.sender, options=options, encoding=encoding)
            await client.rcpt(envelope.recipient, encoding=encoding)
            for copied in envelope.copied:
                with contextlib.suppress(aiosmtplib.SMTPRecipientRefused):  # the customer gets his answer all the same
                    await client.rcpt(copied, encoding=encoding)
        except aiosmtplib.SMTPSenderRefused as error:
            if error.code in (421, 450, 451, 452):
                self._busy(error.code)
            self._refused(error.code, "the desk's own address")
        except aiosmtplib.SMTPRecipientRefused as error:
            if error.code == 421:
                self._busy(error.code)
            self._refused(error.code, "the recipient", gone=bool(_GONE.match(error.message)))
        except aiosmtplib.SMTPServerDisconnected:
            raise _Stale(f"{self._name} closed the connection.") from None
        except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
            self._unreachable(error)
        return client

    def _options(self, client: aiosmtplib.SMTP, envelope: Envelope) -> list[str]:
        """What MAIL says of the mail. Raises SendRejected for an address that this server cannot take."""
        options = []
        if client.supports_extension("size"):
            options.append(f"SIZE={len(envelope.content)}")
        if envelope.international:
            if not client.supports_extension("smtputf8"):
                raise SendRejected("The mail server does not take addresses outside ASCII (SMTPUTF8).")
            options.append("SMTPUTF8")
        return options

    def _refused(self, code: int, whom: str, *, gone: bool = False) -> NoReturn:
        """A refusal: 4xx means later, 5xx means never."""
        if code >= 500:
            raise SendRejected(f"{self._name} refuses {whom} ({code}).", blocked=gone) from None
        raise SendUnreachable(f"{self._name} does not take {whom} now ({code}).") from None

    async def _content(self, client: aiosmtplib.SMTP, envelope: Envelope) -> str:
        """DATA: from here on a silence means that nobody knows."""
        import aiosmtplib

        try:
            answer = await client.data(envelope.content, timeout=PATIENCE * 3)
        except aiosmtplib.SMTPDataError as error:
            if error.code == 421:
                self._busy(error.code)
            self._refused(error.code, "the mail")
        except (aiosmtplib.SMTPException, OSError) as error:
            raise OutcomeUnknown(
                f"{self._name} fell silent after the mail was handed over ({type(error).__name__})."
            ) from None
        return str(answer.code)


@functools.cache
def _client() -> type[aiosmtplib.SMTP]:
    """The library's client, which closes at once: it would wait for the other side's good-bye after a failed login."""
    import aiosmtplib

    class Client(aiosmtplib.SMTP):
        """A client that leaves no half-closed connection behind."""

        def close(self) -> None:
            """Close now."""
            transport = self.transport
            super().close()
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()

    return Client
