"""Is this event from Meta, and may its challenge be answered? HMAC-SHA256 with the app secret.

Total, constant in time, and no when no secret is configured (`adapters.kit.signature`).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from adapters.kit.signature import (
    GENUINE,
    LONGEST_HEADER,
    Verdict,
    any_same,
    as_bytes,
    parameters,
    refused,
    same,
    single,
)
from router.ports import Request

__all__ = ["challenge", "genuine"]


def genuine(secrets: Sequence[str], request: Request, now: datetime) -> Verdict:
    """Messenger, Instagram: `X-Hub-Signature-256` is the lower-case hex HMAC-SHA256 of the body. No freshness."""
    keys = [secret for secret in secrets if secret]
    if not keys:
        return refused("no app secret is configured")
    given = request.headers.get("x-hub-signature-256", "")
    if len(given) > LONGEST_HEADER:
        return refused("a signature header is missing or too long")
    expected = (b"sha256=" + hmac.new(as_bytes(key), request.body, "sha256").hexdigest().encode() for key in keys)
    return GENUINE if any_same(expected, given) else refused("the signature differs")


def challenge(verify_token: str, request: Request) -> str:
    """Meta's `hub.challenge` to echo: digits only, iff the mode is subscribe and the token equal; else empty."""
    query = parameters(request.url)
    given = single(query, "hub.challenge")
    known = single(query, "hub.mode") == "subscribe" and same(verify_token, single(query, "hub.verify_token"))
    return given if known and re.fullmatch(r"[0-9]{1,64}", given) else ""
