"""How are the secrets of accounts made and compared? Random words, of which only the SHA-256 is stored."""

from __future__ import annotations

import hashlib
import secrets

__all__ = ["digest", "fresh"]

#: Bytes of chance in each secret.
_BYTES = 32


def fresh(prefix: str = "") -> str:
    """New random words, safe in a URL and a cookie, after a prefix that says what they are."""
    return prefix + secrets.token_urlsafe(_BYTES)


def digest(words: str) -> str:
    """What is stored of a secret: hex SHA-256. Secrets of 32 random bytes need no slow hash."""
    return hashlib.sha256(words.encode()).hexdigest()
