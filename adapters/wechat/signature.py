"""Is this request from WeChat? The SHA-1 of token, timestamp and nonce, in safe mode also of the cipher text.

Total, constant in time, and no when no token is configured (`adapters.kit.signature`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime

from adapters.kit.signature import GENUINE, Verdict, any_same, as_bytes, parameters, refused, single, timely
from router.ports import Request

__all__ = ["genuine"]


def genuine(tokens: Sequence[str], request: Request, now: datetime, encrypted: str | None = None) -> Verdict:
    """WeChat: the SHA-1 of token, timestamp and nonce, sorted and joined; in safe mode the cipher text is a fourth.

    With `encrypted` the query's `msg_signature` is checked, without it `signature`, which covers no byte of the body.
    """
    keys = [token for token in tokens if token]
    if not keys:
        return refused("no token is configured")
    query = parameters(request.url)
    stamp, nonce = single(query, "timestamp"), single(query, "nonce")
    if len(stamp) != 10 or not timely(stamp, now):
        return refused("the timestamp is not within five minutes")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", nonce):
        return refused("the nonce is missing or no plain word")
    further = [] if encrypted is None else [encrypted]
    given = single(query, "signature" if encrypted is None else "msg_signature")
    joined = ("".join(sorted([key, stamp, nonce, *further])) for key in keys)
    expected = (hashlib.sha1(as_bytes(text)).hexdigest().encode() for text in joined)  # noqa: S324  (theirs to choose)
    return GENUINE if any_same(expected, given) else refused("the signature differs")
