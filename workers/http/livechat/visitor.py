"""Who sits at the live-chat page? A signed cookie says it, so that no visitor can read or write another's chat.

In: the deployment's key, a cookie as the browser sends it. Out: the visitor's handle. A cookie is of one channel,
made by us (HMAC-SHA256) and half a year old at most; anything else is nobody. `Allowance` bounds how often somebody
may do something, in memory, for the last 10,000 who did.
"""

from __future__ import annotations

import hmac
import os
import re
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

__all__ = ["COOKIE", "LIFE", "Allowance", "Visitors"]

COOKIE = "omnirouter_chat"
#: Seconds that a cookie is valid.
LIFE = 180 * 86_400
_FORM = re.compile(r"v1\.([0-9a-f]{32})\.([0-9]{1,12})\.([0-9a-f]{32})")
_MOST = 10_000


class Visitors:
    """Makes and reads the cookies of all live-chat pages of a desk."""

    def __init__(self, key: bytes, now: Callable[[], datetime]) -> None:
        self._key = key
        self._now = now

    def cookie(self, channel: str) -> str:
        """The cookie of a new visitor of this channel's page."""
        identity, at = os.urandom(16).hex(), int(self._now().timestamp())
        return f"v1.{identity}.{at}.{self._mac(channel, identity, at)}"

    def handle(self, channel: str, cookie: str) -> str:
        """The handle of the visitor who shows this cookie; empty for nobody."""
        found = _FORM.fullmatch(cookie)
        if found is None:
            return ""
        identity, at = found[1], int(found[2])
        if not hmac.compare_digest(self._mac(channel, identity, at), found[3]):
            return ""
        age = self._now().timestamp() - at
        return f"visitor-{identity}" if -300 <= age <= LIFE else ""

    def _mac(self, channel: str, identity: str, at: int) -> str:
        signed = f"v1\0{channel}\0{identity}\0{at}".encode()
        return hmac.digest(self._key, signed, "sha256").hex()[:32]


class Allowance:
    """So many at once, and one more every `seconds`; each `who` by itself."""

    def __init__(self, at_once: int, seconds: float, now: Callable[[], datetime]) -> None:
        self._at_once = at_once
        self._seconds = seconds
        self._now = now
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, who: str) -> float:
        """Take one. 0 when it is allowed, else the seconds until it will be."""
        now = self._now().timestamp()
        used, since = self._used.pop(who, (0.0, now))
        used = max(0.0, used - max(0.0, now - since) / self._seconds)
        allowed = used + 1 <= self._at_once
        self._used[who] = (used + 1 if allowed else used, now)
        while len(self._used) > _MOST:
            self._used.popitem(last=False)
        return 0.0 if allowed else (used + 1 - self._at_once) * self._seconds
