"""Is this request from Twilio? HMAC-SHA1 over the public URL and the form.

Total, constant in time, and no when no token is configured (`adapters.kit.signature`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import parse_qsl

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

__all__ = ["genuine"]


def genuine(tokens: Sequence[str], public_urls: Sequence[str], request: Request, now: datetime) -> Verdict:
    """Twilio: HMAC-SHA1 of the public URL and the sorted form fields; for other bodies of the URL with `bodySHA256`.

    Scheme, host and path come from the configuration, never from the request's Host or X-Forwarded-*; the query too
    where the configured URL has one. With and without the port, as their own library does.
    """
    keys = [token for token in tokens if token]
    if not keys or not public_urls:
        return refused("no auth token or no public URL is configured")
    given = request.headers.get("x-twilio-signature", "")
    digest = single(parameters(request.url), "bodySHA256")
    if digest and not same(hashlib.sha256(request.body).hexdigest(), digest):
        return refused("the body's digest differs")
    form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    fields = _signed_fields(request.body) if form == "application/x-www-form-urlencoded" else None
    if fields is None and request.body and not digest:
        return refused("the body is not covered by the signature")
    urls = [variant for url in public_urls for variant in _urls(url, request.url, digest)]
    signed = [as_bytes(url) + (fields or b"") for url in urls]
    expected = (base64.b64encode(hmac.digest(as_bytes(key), text, "sha1")) for key in keys for text in signed)
    return GENUINE if any_same(expected, given[:LONGEST_HEADER]) else refused("the signature differs")


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
