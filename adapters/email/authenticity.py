"""Does somebody we trust vouch for the sender? Header fields and the name of our own mail server in, one of pass, fail
and unknown out.

Only `Authentication-Results` fields count that carry our server's name and stand above the first `Received`: that is
where our own server writes, and where no sender can (RFC 8601, 5). Everything else, forged fields included, is unknown.
What such a field says is read by the grammar (`_results`). One that tells DMARC's result twice is a failing one.
"""

from __future__ import annotations

from collections.abc import Iterator

from adapters.email import results
from adapters.email.mime.structure import Fields
from router.model import Authenticity

__all__ = ["verdict"]

MAX_DOMAIN = 255

_PASS, _FAIL = "pass", "fail"


def verdict(fields: Fields, sender: str, trusted: str, *, doubtful: bool = False) -> Authenticity:
    """The verdict on `sender` (an address) by the server named `trusted`; an empty name trusts nobody.

    `doubtful`: the From field can be read in more than one way, so that a pass may be another mailbox's.
    """
    if not trusted or b"authentication-results" not in fields:
        return Authenticity.UNKNOWN
    words = {_dmarc(found, sender) for found in _ours(fields, trusted.strip().lower())} - {""}
    if _FAIL in words:
        return Authenticity.FAIL
    return Authenticity.PASS if words == {_PASS} and not doubtful else Authenticity.UNKNOWN


def _ours(fields: Fields, trusted: str) -> Iterator[results.Results]:
    """The fields above the first Received under our server's name."""
    if b"received" not in fields:
        return
    above = fields.order[: fields.order.index(b"received")].count(b"authentication-results")
    for value in fields.every(b"authentication-results")[:above]:
        found = results.read(value)
        if found.server == trusted:
            yield found


def _dmarc(field: results.Results, sender: str) -> str:
    """What one field says about DMARC, or nothing. A pass counts only in a sound field and for the sender's domain."""
    found = [result for result in field.results if result.method == "dmarc"]
    if len(found) > 1 or any(result.result == _FAIL for result in found):
        return _FAIL
    if not found or found[0].result != _PASS:
        return found[0].result if found else ""
    domains = {_domain(value) for name, value in found[0].properties if name == "header.from"}
    aligned = domains <= {sender.rpartition("@")[2]}
    return _PASS if field.sound and aligned else "unaligned"


def _domain(value: str) -> str:
    """The domain of a property's value, as it travels (ASCII)."""
    domain = value.rpartition("@")[2].strip("<> ").rstrip(".")
    try:
        return domain if domain.isascii() or len(domain) > MAX_DOMAIN else domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain
