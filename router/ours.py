"""Which mail addresses are the desk's own, and which of its people writes from an address?

In: what the configuration says (`[desk] domains`, the addresses of mail channels, `[[agents]] mail`). Out: `Ours`.
A channel's address makes its whole domain the desk's, unless everybody may have a mailbox there (gmail.com, qq.com).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from router.value import Value

__all__ = ["Ours"]

#: Length of a signed reply address before its `@` at a catch-all domain (`router.match.reply_address`).
LENGTH = 48

_PROVIDERS = Path(__file__).parent / "lexicons" / "mail_providers.toml"


class Ours(Value, frozen=True, kw_only=True):
    """The desk's addresses, its people by their addresses, the domains that the file names (`domains`) and those of its
    channels (`channel_domains`); all in lower case."""

    addresses: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    channel_domains: frozenset[str] = frozenset()
    colleagues: Mapping[str, str] = {}

    @classmethod
    def of(cls, domains: Iterable[str], addresses: Iterable[str], colleagues: Mapping[str, str]) -> Ours:
        """What the configuration makes the desk's own."""
        written = frozenset(address.strip().lower() for address in addresses)
        theirs = frozenset(address.rpartition("@")[2] for address in written) - _providers()
        return cls(addresses=written, domains=frozenset(domains), channel_domains=theirs, colleagues=colleagues)

    def agent(self, address: str) -> str:
        """The name of the agent who writes from this address; empty for anybody else."""
        return self.colleagues.get(address.strip().lower(), "")

    def house(self, address: str) -> bool:
        """Is this an address of our house: of an agent, or of one of the desk's domains?"""
        written = address.strip().lower()
        return written in self.colleagues or _below(written, self.domains | self.channel_domains)

    def owns(self, address: str) -> bool:
        """Does mail to this address come to the desk or to one of its people, so that no answer needs to go there?"""
        written = address.strip().lower()
        local, _, domain = written.rpartition("@")
        if written in self.colleagues or f"{local.partition('+')[0]}@{domain}" in self.addresses:
            return True
        return _below(written, self.domains) or (len(local) == LENGTH and domain in self.channel_domains)


def _below(address: str, domains: frozenset[str]) -> bool:
    domain = address.rpartition("@")[2]
    return domain in domains or any(domain.endswith(f".{own}") for own in domains)


@cache
def _providers() -> frozenset[str]:
    """The domains at which everybody may have a mailbox."""
    return frozenset(tomllib.loads(_PROVIDERS.read_text(encoding="utf-8"))["domains"])
