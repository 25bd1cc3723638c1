"""How do mails come in and replies go out?

In: an IMAP mailbox, followed by UID; recorded mail files. Out: messages (what a mail means: `mime`), and replies by
SMTP. The mailbox is never changed but for the Seen flag where configured, and that only after the mails are durable.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from adapters import TRAITS
from adapters.email import archive
from adapters.email.compose import compose, probe, reply_address
from adapters.email.imap.mailbox import between, follow
from adapters.email.imap.text import Fetched
from adapters.email.mime import mail as mime
from adapters.email.settings import Imap, Server, Settings
from router.errors import BadSettings, ConfigurationError, SendRejected
from router.errors import Refused as NotPossible
from router.kinds import Traits
from router.model import Authenticity, DeskEvent, Message
from router.ports import Channel, Delivery, Raw, Receipt, Reply, Route

if TYPE_CHECKING:
    from adapters.email.imap.session import Session
    from adapters.email.smtp import Outbound

__all__ = ["Email", "Settings", "adapter"]

#: What the channel remembers once a plus address of this address was seen to arrive.
_PLUS: Final = "plus_address"


class Email:
    """The adapter of one mailbox and its address."""

    kind: ClassVar[str] = "email"
    traits: ClassVar[Traits] = TRAITS["email"]
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._settings: Settings = channel.settings
        self._desk = mime.Desk(
            channel=channel.name,
            address=self._settings.address,
            trusted_authserv_id=self._settings.trusted_authserv_id,
            form_senders=self._settings.form_senders,
        )
        self._outbound: Outbound | None = None
        self.routes: Sequence[Route] = ()
        #: Seconds after which an unused sending connection is closed.
        self.idle = 30.0
        #: Seconds in which a mail to ourselves must arrive.
        self.arrival = 60.0

    # ── in ──

    def translate(self, raw: Raw) -> list[Message | DeskEvent]:
        """One mail, one message. With `authenticity = "require"` a sender nobody vouches for counts as failed."""
        message = mime.translate(raw, self._desk)
        if self._settings.authenticity == "require" and message.authenticity is Authenticity.UNKNOWN:
            message = msgspec.structs.replace(message, authenticity=Authenticity.FAIL)
        return [message]

    def recorded(self, paths: Iterable[str | Path]) -> Iterator[Raw]:
        """The mails of `.eml` files, mboxes, Maildirs and folders of them, as history, one in memory at a time."""
        return archive.recorded(paths, self._channel.name, self._channel.now())

    async def deliveries(self, cursor: str | None) -> AsyncIterator[Delivery]:
        """Follow the mailbox for ever; the cursor is `UIDVALIDITY:UID` (how it moves: `_mailbox`)."""
        imap = self._settings.imap
        if imap is None:
            return
        session = self._session(imap)
        try:
            await session.open()
            async for mails, reached in follow(session, cursor, self._channel.now(), imap.poll, self._channel.heard):
                yield self._delivery(session, mails, reached)
        finally:
            await session.close()

    async def backfill(self, since: datetime, until: datetime | None) -> AsyncIterator[Delivery]:
        """The mails that the mailbox took in between two instants, oldest first."""
        imap = self._settings.imap
        if imap is None:
            raise NotPossible(f"channel {self._channel.name} has no imap table, so there is no mailbox to read.")
        session = self._session(imap)
        try:
            await session.open()
            async for mails in between(session, since, until):
                yield self._delivery(session, mails, "")
        finally:
            await session.close()

    def _delivery(self, session: Session, mails: Sequence[Fetched], cursor: str) -> Delivery:
        now, name = self._channel.now(), self._channel.name
        raws = tuple(
            Raw(
                channel=name,
                body=mail.body,
                received_at=now,
                transport_id=f"{session.uidvalidity}:{mail.uid}",
                partition_key=name,
                meta=_meta(mail),
            )
            for mail in mails
        )
        marks = mails and self._settings.mark_seen
        acknowledge = functools.partial(session.mark_seen, [m.uid for m in mails]) if marks else None
        return Delivery(raws=raws, cursor=cursor, acknowledge=acknowledge)

    def _session(self, imap: Imap) -> Session:
        try:
            from adapters.email.imap.session import Account, Session
        except ImportError as error:
            raise self._missing("aioimaplib") from error
        user, password, token = self._login(imap)
        return Session(
            Account(
                host=imap.host,
                port=imap.port,
                username=user,
                password=password,
                token=token,
                tls=imap.context() if imap.encrypted else None,
                mailbox=imap.mailbox,
                version=_version(),
            )
        )

    # ── out ──

    async def send(self, reply: Reply) -> Receipt:
        """Send one reply as a mail whose Message-ID is the reply's `external_id`, the same at every attempt."""
        way = self._settings.reply_address
        if way == "plus" and await self._channel.recall(_PLUS) != self._settings.address:
            way = "message-id"
        answer_to = reply_address(reply, self._settings.address, way)
        code = await self._sending().send(compose(reply, self._settings.address, answer_to=answer_to))
        return Receipt(external_id=reply.external_id, detail=code)

    async def connect(self) -> str:
        """Log in to both servers, and where answers shall go to plus addresses, see one arrive.

        Raises `Unreachable` or one of `SendError`'s kinds.
        """
        imap, smtp = self._settings.imap, self._settings.smtp
        proved = []
        if smtp is not None:
            await self._sending().prove()
            proved.append(f"SMTP {smtp.host}")
        if imap is not None:
            session = self._session(imap)
            try:
                await session.open()
                proved.append(f"IMAP {imap.host}, {session.exists} mails in {imap.mailbox}")
                if smtp is not None and self._settings.reply_address == "plus":
                    proved.append(await self._prove_plus(session))
            finally:
                await session.close()
        return "; ".join(proved) or "neither imap nor smtp is configured: only recorded mail is read"

    async def _prove_plus(self, session: Session) -> str:
        """Send a mail to a plus address of ours and see it come into the mailbox; only then are they used."""
        name = f"check-{secrets.token_hex(8)}"
        await self._channel.remember(_PLUS, "")
        try:
            await self._sending().send(probe(self._settings.address, name, self._channel.now()))
            async with asyncio.timeout(self.arrival):
                await session.after(session.uidnext)
                domain = self._settings.address.rpartition("@")[2]
                while not await session.with_message_id(f"{name}@{domain}"):
                    await session.wait_for_news(10)
        except (SendRejected, TimeoutError) as failure:
            raise BadSettings(
                f"channel {self._channel.name}: mail to a plus address of {self._settings.address} does not arrive; "
                'use reply_address = "message-id".'
            ) from failure
        await self._channel.remember(_PLUS, self._settings.address)
        return "plus addresses arrive"

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        if self._outbound is not None:
            await self._outbound.close()
            self._outbound = None

    def _sending(self) -> Outbound:
        smtp = self._settings.smtp
        if smtp is None:
            raise BadSettings(f"channel {self._channel.name} has no smtp table, so it cannot send.")
        if self._outbound is None:
            try:
                import aiosmtplib  # noqa: F401  (its absence is told here, in one sentence)
            except ImportError as error:
                raise self._missing("aiosmtplib") from error
            from adapters.email.smtp import Account, Outbound

            user, password, _ = self._login(smtp)
            account = Account(
                host=smtp.host,
                port=smtp.port,
                domain=self._settings.address.rpartition("@")[2],
                username=user if smtp.password or smtp.oauth else "",
                password=password,
                token=functools.partial(_token, smtp) if smtp.oauth else None,
                tls=smtp.context() if smtp.encrypted else None,
                starttls=smtp.upgraded,
            )
            self._outbound = Outbound(account, self._channel.now, idle=self.idle)
        return self._outbound

    def _login(self, server: Server) -> tuple[str, str, str]:
        """User name, password and token. Raises BadSettings for a reference that is unset."""
        try:
            password = server.password.reveal() if server.password else ""
            token = server.oauth.reveal() if server.oauth else ""
        except ConfigurationError as error:
            raise BadSettings(f"channel {self._channel.name}: {error}") from error
        return server.username or self._settings.address, password, token

    def _missing(self, package: str) -> BadSettings:
        return BadSettings(f"channel {self._channel.name} needs {package}: pip install 'omnirouter[email]'.")


def _meta(mail: Fetched) -> dict[str, str]:
    meta = {"uid": str(mail.uid)}
    if mail.internaldate is not None:
        meta["internaldate"] = mail.internaldate.astimezone(UTC).isoformat()
    return meta


async def _token(server: Server) -> str:
    """The access token as it is now: something outside renews what the reference points to."""
    try:
        return server.oauth.reveal() if server.oauth else ""
    except ConfigurationError as error:
        raise BadSettings(str(error)) from error


def _version() -> str:
    try:
        return version("omnirouter")
    except PackageNotFoundError:
        return "0"


adapter = Email
