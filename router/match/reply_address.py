"""Does this reply address prove that its bearer was written to by us?

Out: a token for one conversation and one participant, short enough for the local part of a mail address and the same
in either case of letters; it stands in our outbound Message-IDs (`<token@domain>`) and plus addresses. In: a token
from a mail; `verify` is total. A token is 30 bytes in base 32: version, key id, conversation, last day, participant,
and the first 80 bits of an HMAC-SHA256 over all before it (rules: security, 2.3). An unknown version joins nothing.
"""

from __future__ import annotations

import hmac
from base64 import b32decode, b32encode
from binascii import Error as NotBase32
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from router.model import Handle, Message
from router.value import Value

__all__ = ["Claim", "participant_mark", "proved", "sign", "tokens_of", "verify"]

VERSION = 1
LENGTH = 48
_BODY, _MAC = 20, 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Claim(Value, frozen=True, kw_only=True):
    """What a genuine token says: the conversation it was made for, and a mark of the participant."""

    conversation: int
    participant: bytes
    expires_at: datetime

    def made_for(self, handle: Handle) -> bool:
        """Was the token made for this handle?"""
        return hmac.compare_digest(self.participant, participant_mark(handle))


def participant_mark(handle: Handle) -> bytes:
    """Eight bytes that stand for a handle; mail addresses count without regard to case."""
    scope, address = handle
    return sha256(f"{scope}\0{address.strip().lower()}".encode("utf-8", "surrogatepass")).digest()[:8]


def sign(conversation: int, participant: Handle, key_id: int, key: bytes, expires_at: datetime) -> str:
    """Make the token of a conversation for a participant: 48 characters of `a-z2-7`, valid to the end of that UTC day.

    `key_id` is 0 to 255 and names `key` at verification, so that keys can be changed while old tokens stay valid.
    Raises ValueError for an empty key, or a number or day that does not fit.
    """
    if not key:
        raise ValueError("a reply address needs a key; give at least 16 random bytes")
    day = (expires_at.astimezone(UTC) - _EPOCH).days
    if not (0 <= key_id <= 255 and 0 <= day < 1 << 16 and 0 < conversation < 1 << 63):
        raise ValueError("key id 0 to 255, conversation above 0 and a day up to 2149 fit into a reply address")
    body = bytes((VERSION, key_id)) + conversation.to_bytes(8, "big") + day.to_bytes(2, "big")
    body += participant_mark(participant)
    return b32encode(body + _mac(key, body)).decode("ascii").lower()


def verify(token: str, keys: Mapping[int, bytes], now: datetime) -> Claim | None:
    """What a token proves at `now` (aware), or None. Total: no token raises, and none is taken by its length alone."""
    if len(token) != LENGTH or not token.isascii():
        return None
    try:
        raw = b32decode(token.upper())
    except (NotBase32, ValueError):
        return None
    body, mac = raw[:_BODY], raw[_BODY:]
    key = keys.get(body[1])
    if body[0] != VERSION or not key or not hmac.compare_digest(mac, _mac(key, body)):
        return None
    end = _EPOCH + timedelta(days=int.from_bytes(body[10:12], "big") + 1)
    if now >= end:
        return None
    return Claim(conversation=int.from_bytes(body[2:10], "big"), participant=body[12:20], expires_at=end)


def tokens_of(message: Message) -> tuple[str, ...]:
    """What may be tokens of ours in a message: of a bounce all that were found, the likeliest first."""
    if message.bounce is not None:
        return tuple(dict.fromkeys(proof[:LENGTH] for proof in message.bounce.proofs))
    return (message.reply_token,) if message.reply_token else ()


def proved(message: Message, keys: Mapping[int, bytes], now: datetime) -> Claim | None:
    """What the reply token of a message proves at `now`; of a bounce the first that is genuine, wherever it stands."""
    return next((claim for token in tokens_of(message) if (claim := verify(token, keys, now))), None)


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, b"omnirouter reply address" + body, sha256).digest()[:_MAC]
