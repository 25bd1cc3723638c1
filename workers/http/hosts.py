"""Which host asks, and how much may it? By its address, behind as many trusted proxies as stand between.

In: a request and `[web] trusted_proxies`, `[web.limits]`. Out of `host_of`: the address that counts, an IPv6 network of
64 bits as one. Only what a trusted proxy says of its client is believed: X-Forwarded-For is read from the right, up to
the first address that is no such proxy; `Forwarded` is not read. `Limits` counts in memory, for the last 10,000 hosts.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from starlette.requests import Request

from router.policy.values import WebLimits
from workers.http.livechat.visitor import Allowance

__all__ = ["Daily", "Limits", "host_of"]

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_MOST: Final = 10_000
#: Proxies in a row that are looked through.
_HOPS: Final = 32


def host_of(request: Request, trusted: Sequence[Network]) -> str:
    """The host that a request comes from, as limits count it; empty where the server does not know."""
    address = _address(request.client.host if request.client else "")
    said = [part for line in request.headers.getlist("x-forwarded-for") for part in line.split(",")]
    for part in said[: -_HOPS - 1 : -1]:
        if address is None or not any(address in network for network in trusted):
            break
        named = _address(part)
        if named is None:
            break
        address = named
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return "" if address is None else str(address)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address as proxies write it: bare, with a port, in brackets; an IPv4 address within IPv6 is itself."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


class Daily:
    """So much a day (of UTC), each `who` by itself."""

    def __init__(self, most: int, now: Callable[[], datetime]) -> None:
        self._most = most
        self._now = now
        self._used: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def take(self, who: str, size: int) -> float:
        """Take as much. 0 when it is allowed, else the seconds until the day is over."""
        now = self._now()
        today = now.toordinal()
        day, used = self._used.pop(who, (today, 0))
        used = used if day == today else 0
        allowed = used + size <= self._most
        self._used[who] = (today, used + size if allowed else used)
        while len(self._used) > _MOST:
            self._used.popitem(last=False)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return 0.0 if allowed else max(1.0, (midnight - now).total_seconds())


class Limits:
    """What one host may do on the pages that strangers reach: `messages`, `requests` and `sent` bytes (each with the
    seconds to wait), and open `streams`."""

    def __init__(self, limits: WebLimits, now: Callable[[], datetime]) -> None:
        self.most_streams = limits.streams
        self.messages = Allowance(limits.messages, 60 / limits.messages, now)
        self.requests = Allowance(limits.requests, 60 / limits.requests, now)
        self.sent = Daily(limits.bytes, now)
        self.streams: Counter[str] = Counter()

    def opened(self, host: str) -> None:
        """A stream of this host is open."""
        self.streams[host] += 1

    def closed(self, host: str) -> None:
        """It is not any more."""
        self.streams[host] -= 1
        if not self.streams[host]:
            del self.streams[host]
