"""Is this update from Telegram? Its secret token, which stands in a header.

Total, constant in time, and no when no token is configured (`adapters.kit.signature`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from adapters.kit.signature import GENUINE, LONGEST_HEADER, Verdict, any_same, refused
from router.ports import Request

__all__ = ["TOKEN", "genuine"]

TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}")


def genuine(secrets: Sequence[str], request: Request, now: datetime) -> Verdict:
    """Telegram: the header `X-Telegram-Bot-Api-Secret-Token` equals a configured token. It has no freshness."""
    tokens = [token.encode() for token in secrets if TOKEN.fullmatch(token)]
    if not tokens:
        return refused("no secret token is configured")
    given = request.headers.get("x-telegram-bot-api-secret-token", "")
    return GENUINE if any_same(tokens, given[:LONGEST_HEADER]) else refused("the secret token differs")
