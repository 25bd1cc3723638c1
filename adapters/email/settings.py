"""Which keys does an e-mail channel have? A `[channels.NAME]` table in, checked settings out.

Passwords and tokens are references, resolved when the channel is opened. TLS is the rule; only a server on this machine
may be spoken to in plain (IMAP: implicit TLS only, because the library cannot do STARTTLS).
"""

from __future__ import annotations

import ipaddress
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from adapters.email.addresses import mailboxes
from adapters.kit.settings import ChannelSettings
from router.errors import BadSettings
from router.policy.units import duration
from router.secret import Secret

__all__ = ["Imap", "Server", "Settings", "Smtp"]


def _is_local(host: str) -> bool:
    """Is this a name or address of this machine?"""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Server(BaseModel):
    """Where and as whom to log in: `password` or `oauth` (a reference to an access token that something renews)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1, max_length=255, pattern=r"^[^\s/@]+$")
    username: str = Field(default="", max_length=320)
    password: Secret | None = None
    oauth: Secret | None = None
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _one_secret(self) -> Server:
        if self.password is not None and self.oauth is not None:
            raise ValueError("has password and oauth; give one of them")
        return self

    def context(self) -> ssl.SSLContext:
        """How certificates are checked: against the system's authorities, or those of `ca_file`."""
        try:
            return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        except (OSError, ssl.SSLError) as error:
            raise BadSettings(f"ca_file {self.ca_file} is no file of certificates (PEM).") from error


class Imap(Server):
    """The mailbox that is read. Implicit TLS; plain only to this machine, on another port than 993."""

    port: int = Field(default=993, ge=1, le=65535)
    mailbox: str = Field(default="INBOX", min_length=1, max_length=500)
    poll: Annotated[timedelta, BeforeValidator(duration)] = timedelta(minutes=3)

    @property
    def encrypted(self) -> bool:
        """Is TLS spoken?"""
        return self.port == 993 or self.ca_file is not None or not _is_local(self.host)


class Smtp(Server):
    """The server that takes replies. STARTTLS, on port 465 implicit TLS; plain only to this machine."""

    port: int = Field(default=587, ge=1, le=65535)
    starttls: bool | None = None

    @model_validator(mode="after")
    def _never_plain(self) -> Smtp:
        if self.starttls is False and self.port != 465 and self.ca_file is None and not _is_local(self.host):
            raise ValueError("starttls = false sends passwords in plain; use port 465, or leave starttls out")
        return self

    @property
    def upgraded(self) -> bool:
        """Does the connection begin in plain and turn to TLS?"""
        if self.starttls is not None:
            return self.starttls
        return self.port != 465 and (self.ca_file is not None or not _is_local(self.host))

    @property
    def encrypted(self) -> bool:
        """Is TLS spoken, from the start or later?"""
        return self.upgraded or self.port == 465 or self.ca_file is not None


class Settings(ChannelSettings):
    """The keys of an e-mail channel. Without `imap` nothing is read, without `smtp` nothing is sent."""

    address: str
    imap: Imap | None = None
    smtp: Smtp | None = None
    trusted_authserv_id: str = Field(default="", max_length=255, pattern=r"^\S*$")
    authenticity: Literal["hint", "require"] = "hint"
    reply_address: Literal["message-id", "plus", "catch-all"] = "message-id"
    mark_seen: bool = False
    #: Addresses from which forms of ours write in the name of whoever fills them in (Reply-To).
    form_senders: tuple[str, ...] = Field(default=(), max_length=100)

    @field_validator("form_senders")
    @classmethod
    def _addresses(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(cls._one_address(text) for text in texts)

    def no_way_out(self, handle: str = "") -> str:
        """Why no reply can reach whoever writes here, or nothing; a reply waits until there is an smtp table."""
        return "" if handle or self.smtp is not None else "it has no smtp table, so nothing is sent"

    @field_validator("address")
    @classmethod
    def _one_address(cls, text: str) -> str:
        found = mailboxes(text.encode("utf-8", "replace"), limit=2)
        if len(found) != 1 or found[0].doubtful or found[0].name or any(c in text for c in "\r\n\0"):
            raise ValueError('expected one mail address, for example "support@example.com"')
        return found[0].address
