"""Is this event from X, and may its challenge be answered? HMAC-SHA256 with the consumer secret.

Total, constant in time, and no when no secret is configured (`adapters.kit.signature`).
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from adapters.kit.signature import GENUINE, LONGEST_HEADER, Verdict, any_same, as_bytes, parameters, refused, single
from router.ports import Request

__all__ = ["challenge", "genuine"]

#: A CRC token of X: no JSON object fits, so the answer can never be the signature of an event.
CRC_TOKEN = re.compile(r"[A-Za-z0-9_+/=.-]{1,256}")


def _x_signature(secret: str, signed: bytes) -> bytes:
    return b"sha256=" + base64.b64encode(hmac.digest(as_bytes(secret), signed, "sha256"))


def genuine(secrets: Sequence[str], request: Request, now: datetime) -> Verdict:
    """X Account Activity: `x-twitter-webhooks-signature` is the base64 HMAC-SHA256 of the body. It has no freshness."""
    keys = [secret for secret in secrets if secret]
    if not keys:
        return refused("no consumer secret is configured")
    given = request.headers.get("x-twitter-webhooks-signature", "")
    if len(given) > LONGEST_HEADER:
        return refused("a signature header is missing or too long")
    genuine = any_same((_x_signature(key, request.body) for key in keys), given)
    return GENUINE if genuine else refused("the signature differs")


def challenge(secrets: Sequence[str], request: Request) -> str:
    """The `response_token` of X's CRC, made with the first secret; empty when it must not be answered.

    It is the same function of the same key as an event's signature, and anybody may ask. So only tokens are answered
    that cannot be the body of an event, given exactly once.
    """
    token = single(parameters(request.url), "crc_token")
    keys = [secret for secret in secrets if secret]
    if not keys or not CRC_TOKEN.fullmatch(token):
        return ""
    return _x_signature(keys[0], token.encode()).decode()
