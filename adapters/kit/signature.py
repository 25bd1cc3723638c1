"""Is this request from whom it says it is? The signatures of the webhook platforms.

In: the secrets that are valid at the moment (revealed; old and new while they rotate), the request as received, the
clock. Out: a `Verdict`. Every verifier is total: it never raises, refuses everything when no secret is configured,
works on the raw bytes before anything is decoded, and compares in constant time. A verdict's reason is a constant
sentence for the log; it never repeats a secret, a signature that would have been right, or a byte of the request.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
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
    from router.secret import Secret

__all__ = [
    "GENUINE",
    "Verdict",
    "meta",
    "meta_challenge",
    "parameters",
    "revealed",
    "same",
    "sign_standard",
    "standard",
    "telegram",
    "timely",
    "twilio",
    "wechat",
    "x",
    "x_challenge",
]

#: How far a signed time may be from ours, in seconds, both ways (the reference library of Standard Webhooks).
TOLERANCE = 300
#: The longest signature header that is looked at; a longer one is refused unread.
LONGEST_HEADER = 8192
#: Secrets of Standard Webhooks are 24 to 64 bytes by the text; the oldest in use have 18.
SHORTEST_SECRET = 16
#: A CRC token of X: no JSON object fits, so the answer can never be the signature of an event.
CRC_TOKEN = re.compile(r"[A-Za-z0-9_+/=.-]{1,256}")
TELEGRAM_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}")


class Verdict(Value, frozen=True, kw_only=True):
    """Is the request genuine, and if not, why, in words that may be logged."""

    genuine: bool
    reason: str = ""


GENUINE = Verdict(genuine=True)


def _refused(reason: str) -> Verdict:
    return Verdict(genuine=False, reason=reason)


def revealed(secrets: Iterable[Secret]) -> tuple[str, ...]:
    """The secrets that can be resolved and are not empty; one that cannot be resolved verifies nothing."""
    found: list[str] = []
    for secret in secrets:
        try:
            value = secret.reveal()
        except ConfigurationError:
            continue
        if value:
            found.append(value)
    return tuple(found)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def same(expected: bytes | str, given: str) -> bool:
    """Are both equal? In constant time; an empty expectation equals nothing."""
    wanted = expected if isinstance(expected, bytes) else _bytes(expected)
    return bool(wanted) and hmac.compare_digest(wanted, _bytes(given))


def _any_same(expected: Iterable[bytes], given: str) -> bool:
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


def _only(query: Mapping[str, Sequence[str]], name: str) -> str:
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
        return _refused("no secret is configured")
    identity, stamp, signatures = _standard_headers(request.headers)
    if not (identity and stamp and signatures) or len(signatures) > LONGEST_HEADER or len(identity) > 256:
        return _refused("a signature header is missing or too long")
    if "." in identity:  # a dot could move the border between id and timestamp
        return _refused("the webhook id has a dot")
    if not timely(stamp, now, tolerance):
        return _refused("the timestamp is not within five minutes")
    signed = _bytes(f"{identity}.{stamp}.") + request.body
    expected = [base64.b64encode(hmac.digest(key, signed, "sha256")) for key in symmetric]
    genuine = False
    for element in signatures.split(" "):
        version, _, signature = element.partition(",")
        if version == "v1":
            genuine |= _any_same(expected, signature)
        elif version == "v1a":
            genuine |= any(_ed25519(key, signature, signed) for key in public)
    return GENUINE if genuine else _refused("the signature differs")


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
    signed = _bytes(f"{identity}.{stamp}.") + body
    parts = ["v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in _symmetric(secrets)]
    for seed in (_decoded(s.removeprefix("whsk_"))[:32] for s in secrets if s.startswith("whsk_")):
        if len(seed) == 32:
            signature = Ed25519PrivateKey.from_private_bytes(seed).sign(signed)
            parts.append("v1a," + base64.b64encode(signature).decode())
    if not parts:
        raise ConfigurationError("no secret can sign: give one as whsec_ followed by 24 to 64 bytes in base64")
    return {"webhook-id": identity, "webhook-timestamp": stamp, "webhook-signature": " ".join(parts)}


# ── Telegram, X, Meta ────────────────────────────────────────────────────────────────────────────────────────────────


def telegram(secrets: Sequence[str], request: Request, now: datetime) -> Verdict:
    """Telegram: the header `X-Telegram-Bot-Api-Secret-Token` equals a configured token. It has no freshness."""
    tokens = [token.encode() for token in secrets if TELEGRAM_TOKEN.fullmatch(token)]
    if not tokens:
        return _refused("no secret token is configured")
    given = request.headers.get("x-telegram-bot-api-secret-token", "")
    return GENUINE if _any_same(tokens, given[:LONGEST_HEADER]) else _refused("the secret token differs")


def _x_signature(secret: str, signed: bytes) -> bytes:
    return b"sha256=" + base64.b64encode(hmac.digest(_bytes(secret), signed, "sha256"))


def x(secrets: Sequence[str], request: Request, now: datetime) -> Verdict:
    """X Account Activity: `x-twitter-webhooks-signature` is the base64 HMAC-SHA256 of the body. It has no freshness."""
    keys = [secret for secret in secrets if secret]
    if not keys:
        return _refused("no consumer secret is configured")
    given = request.headers.get("x-twitter-webhooks-signature", "")
    if len(given) > LONGEST_HEADER:
        return _refused("a signature header is missing or too long")
    genuine = _any_same((_x_signature(key, request.body) for key in keys), given)
    return GENUINE if genuine else _refused("the signature differs")


def x_challenge(secrets: Sequence[str], request: Request) -> str:
    """The `response_token` of X's CRC, made with the first secret; empty when it must not be answered.

    It is the same function of the same key as an event's signature, and anybody may ask. So only tokens are answered
    that cannot be the body of an event, given exactly once.
    """
    token = _only(parameters(request.url), "crc_token")
    keys = [secret for secret in secrets if secret]
    if not keys or not CRC_TOKEN.fullmatch(token):
        return ""
    return _x_signature(keys[0], token.encode()).decode()


def meta(secrets: Sequence[str], request: Request, now: datetime) -> Verdict:
    """Messenger, Instagram: `X-Hub-Signature-256` is the lower-case hex HMAC-SHA256 of the body. No freshness."""
    keys = [secret for secret in secrets if secret]
    if not keys:
        return _refused("no app secret is configured")
    given = request.headers.get("x-hub-signature-256", "")
    if len(given) > LONGEST_HEADER:
        return _refused("a signature header is missing or too long")
    expected = (b"sha256=" + hmac.new(_bytes(key), request.body, "sha256").hexdigest().encode() for key in keys)
    return GENUINE if _any_same(expected, given) else _refused("the signature differs")


def meta_challenge(verify_token: str, request: Request) -> str:
    """Meta's `hub.challenge` to echo: digits only, iff the mode is subscribe and the token equal; else empty."""
    query = parameters(request.url)
    challenge = _only(query, "hub.challenge")
    known = _only(query, "hub.mode") == "subscribe" and same(verify_token, _only(query, "hub.verify_token"))
    return challenge if known and re.fullmatch(r"[0-9]{1,64}", challenge) else ""


# ── WeChat, Twilio ───────────────────────────────────────────────────────────────────────────────────────────────────


def wechat(tokens: Sequence[str], request: Request, now: datetime, encrypted: str | None = None) -> Verdict:
    """WeChat: the SHA-1 of token, timestamp and nonce, sorted and joined; in safe mode the cipher text is a fourth.

    With `encrypted` the query's `msg_signature` is checked, without it `signature`, which covers no byte of the body.
    """
    keys = [token for token in tokens if token]
    if not keys:
        return _refused("no token is configured")
    query = parameters(request.url)
    stamp, nonce = _only(query, "timestamp"), _only(query, "nonce")
    if len(stamp) != 10 or not timely(stamp, now):
        return _refused("the timestamp is not within five minutes")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", nonce):
        return _refused("the nonce is missing or no plain word")
    further = [] if encrypted is None else [encrypted]
    given = _only(query, "signature" if encrypted is None else "msg_signature")
    joined = ("".join(sorted([key, stamp, nonce, *further])) for key in keys)
    expected = (hashlib.sha1(_bytes(text)).hexdigest().encode() for text in joined)  # noqa: S324  (theirs to choose)
    return GENUINE if _any_same(expected, given) else _refused("the signature differs")


def twilio(tokens: Sequence[str], public_urls: Sequence[str], request: Request, now: datetime) -> Verdict:
    """Twilio: HMAC-SHA1 of the public URL and the sorted form fields; for other bodies of the URL with `bodySHA256`.

    Scheme, host and path come from the configuration, never from the request's Host or X-Forwarded-*; the query too
    where the configured URL has one. With and without the port, as their own library does.
    """
    keys = [token for token in tokens if token]
    if not keys or not public_urls:
        return _refused("no auth token or no public URL is configured")
    given = request.headers.get("x-twilio-signature", "")
    digest = _only(parameters(request.url), "bodySHA256")
    if digest and not same(hashlib.sha256(request.body).hexdigest(), digest):
        return _refused("the body's digest differs")
    form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    fields = _signed_fields(request.body) if form == "application/x-www-form-urlencoded" else None
    if fields is None and request.body and not digest:
        return _refused("the body is not covered by the signature")
    urls = [variant for url in public_urls for variant in _urls(url, request.url, digest)]
    signed = [_bytes(url) + (fields or b"") for url in urls]
    expected = (base64.b64encode(hmac.digest(_bytes(key), text, "sha1")) for key in keys for text in signed)
    return GENUINE if _any_same(expected, given[:LONGEST_HEADER]) else _refused("the signature differs")


def _signed_fields(body: bytes) -> bytes | None:
    """Each name with its values, all sorted, equal ones once; None where the form cannot be read."""
    try:  # latin-1 both ways keeps every byte as it was
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=1000, encoding="latin-1")
    except ValueError:
        return None
    return b"".join((name + value).encode("latin-1") for name, value in sorted(set(pairs)))


def _urls(configured: str, received: str, digest: str) -> list[str]:
    """The configured URL as it may have been signed: with the request's query if it has none of its own, with the
    body's digest, with and without the standard port."""
    base, _, query = configured.partition("?")
    if not query:
        query = received.partition("?")[2]
    elif digest:
        query += f"&bodySHA256={digest}"
    scheme, _, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    port = {"https": ":443", "http": ":80"}.get(scheme, "")
    hosts = {host, host.removesuffix(port), host if re.search(r":\d+$", host) else host + port}
    return [f"{scheme}://{name}{slash}{path}" + (f"?{query}" if query else "") for name in sorted(hosts)]
