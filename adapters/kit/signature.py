"""Is this request from whom it says it is? What every verifier is made of, and Standard Webhooks whole.

In: the secrets that are valid at the moment (revealed; old and new while they rotate), the request as received, the
clock. Out: a `Verdict`. Every verifier is total: it never raises, refuses everything when no secret is configured,
works on the raw bytes before anything is decoded, and compares in constant time. A verdict's reason is a constant
sentence for the log; it never repeats a secret, a signature that would have been right, or a byte of the request.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from router.errors import ConfigurationError
from router.ports import Request
from router.value import Value

if TYPE_CHECKING:
    pass

__all__ = [
    "GENUINE",
    "LONGEST_HEADER",
    "Verdict",
    "any_same",
    "as_bytes",
    "parameters",
    "refused",
    "same",
    "sign_standard",
    "single",
    "standard",
    "timely",
]

#: How far a signed time may be from ours, in seconds, both ways (the reference library of Standard Webhooks).
TOLERANCE = 300
#: The longest signature header that is looked at; a longer one is refused unread.
LONGEST_HEADER = 8192
#: Secrets of Standard Webhooks are 24 to 64 bytes by the text; the oldest in use have 18.
SHORTEST_SECRET = 16


class Verdict(Value, frozen=True, kw_only=True):
    """Is the request genuine, and if not, why, in words that may be logged."""

    genuine: bool
    reason: str = ""


GENUINE = Verdict(genuine=True)


def refused(reason: str) -> Verdict:
    """The request is not taken, for this constant reason."""
    return Verdict(genuine=False, reason=reason)


def as_bytes(text: str) -> bytes:
    """The text in UTF-8; half a surrogate, which is none, keeps its three bytes."""
    return text.encode("utf-8", "surrogatepass")


def same(expected: bytes | str, given: str) -> bool:
    """Are both equal? In constant time; an empty expectation equals nothing."""
    wanted = expected if isinstance(expected, bytes) else as_bytes(expected)
    return bool(wanted) and hmac.compare_digest(wanted, as_bytes(given))


def any_same(expected: Iterable[bytes], given: str) -> bool:
    """Is one of these equal? Each is compared in constant time, and all of them are."""
    matched = False
    for wanted in expected:
        matched |= same(wanted, given)
    return matched


def parameters(url: str) -> Mapping[str, Sequence[str]]:
    """The query of a URL, every value of every name; empty where it cannot be read."""
    found: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True, max_num_fields=64):
            found.setdefault(name, []).append(value)
    except ValueError:
        return {}
    return found


def single(query: Mapping[str, Sequence[str]], name: str) -> str:
    """The value of a parameter that is given exactly once, else empty."""
    values = query.get(name, ())
    return values[0] if len(values) == 1 else ""


def timely(stamp: str, now: datetime, tolerance: int = TOLERANCE) -> bool:
    """Is this a time in epoch seconds, in 1 to 12 plain digits, within `tolerance` seconds of `now`, both ways?"""
    if not (1 <= len(stamp) <= 12 and stamp.isascii() and stamp.isdigit()):
        return False
    return abs(int(stamp) - int(now.timestamp())) <= tolerance


# ── Standard Webhooks (and Svix, the same under another prefix) ──────────────────────────────────────────────────────


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return b""


def _symmetric(secrets: Iterable[str]) -> list[bytes]:
    keys = [_decoded(s.removeprefix("whsec_")) for s in secrets if not s.startswith(("whpk_", "whsk_"))]
    return [key for key in keys if len(key) >= SHORTEST_SECRET]


def _public(secrets: Iterable[str]) -> list[Ed25519PublicKey]:
    keys = [_decoded(s.removeprefix("whpk_")) for s in secrets if s.startswith("whpk_")]
    return [Ed25519PublicKey.from_public_bytes(key) for key in keys if len(key) == 32]


def _standard_headers(headers: Mapping[str, str]) -> tuple[str, str, str]:
    prefix = "webhook" if "webhook-id" in headers else "svix"
    names = (f"{prefix}-id", f"{prefix}-timestamp", f"{prefix}-signature")
    return headers.get(names[0], ""), headers.get(names[1], ""), headers.get(names[2], "")


def standard(secrets: Sequence[str], request: Request, now: datetime, tolerance: int = TOLERANCE) -> Verdict:
    """Standard Webhooks: `v1` (HMAC-SHA256, `whsec_…`) and `v1a` (Ed25519, `whpk_…`) over id.timestamp.body."""
    symmetric, public = _symmetric(secrets), _public(secrets)
    if not symmetric and not public:
        return refused("no secret is configured")
    identity, stamp, signatures = _standard_headers(request.headers)
    if not (identity and stamp and signatures) or len(signatures) > LONGEST_HEADER or len(identity) > 256:
        return refused("a signature header is missing or too long")
    if "." in identity:  # a dot could move the border between id and timestamp
        return refused("the webhook id has a dot")
    if not timely(stamp, now, tolerance):
        return refused("the timestamp is not within five minutes")
    signed = as_bytes(f"{identity}.{stamp}.") + request.body
    expected = [base64.b64encode(hmac.digest(key, signed, "sha256")) for key in symmetric]
    genuine = False
    for element in signatures.split(" "):
        version, _, signature = element.partition(",")
        if version == "v1":
            genuine |= any_same(expected, signature)
        elif version == "v1a":
            genuine |= any(_ed25519(key, signature, signed) for key in public)
    return GENUINE if genuine else refused("the signature differs")


def _ed25519(key: Ed25519PublicKey, signature: str, signed: bytes) -> bool:
    try:
        key.verify(_decoded(signature), signed)
    except InvalidSignature:
        return False
    return True


def sign_standard(secrets: Sequence[str], identity: str, body: bytes, now: datetime) -> dict[str, str]:
    """The three headers of an outgoing Standard Webhook, signed with every usable secret (`whsec_…` or `whsk_…`).

    `identity` is the idempotency key: the same at every attempt. Raises ConfigurationError when no secret is usable.
    """
    stamp = str(int(now.timestamp()))
    signed = as_bytes(f"{identity}.{stamp}.") + body
    parts = ["v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in _symmetric(secrets)]
    for seed in (_decoded(s.removeprefix("whsk_"))[:32] for s in secrets if s.startswith("whsk_")):
        if len(seed) == 32:
            signature = Ed25519PrivateKey.from_private_bytes(seed).sign(signed)
            parts.append("v1a," + base64.b64encode(signature).decode())
    if not parts:
        raise ConfigurationError("no secret can sign: give one as whsec_ followed by 24 to 64 bytes in base64")
    return {"webhook-id": identity, "webhook-timestamp": stamp, "webhook-signature": " ".join(parts)}
