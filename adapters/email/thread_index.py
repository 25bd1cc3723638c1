"""Where does Outlook set an answer? The Thread-Index of what is answered in, that of the answer out.

A Thread-Index is base64 of 22 bytes (a byte, five of the time, a GUID) and five more for each answer: one bit that says
how coarse the time is, 31 bits of the time since the beginning, a random number and a count ([MS-OXOMSG] 2.2.1.3).
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from hashlib import sha256

__all__ = ["HEADER", "STEP", "answer_below", "is_thread_index"]

HEADER, STEP = 22, 5
_LONGEST = 4_000
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
#: Hundreds of nanoseconds: below this difference a step is counted finely, above it coarsely.
_FINE = 1 << 49


def is_thread_index(text: str) -> bool:
    """Is this a Thread-Index as Outlook writes it?"""
    return bool(_bytes(text))


def answer_below(parent: str, at: datetime) -> str:
    """The Thread-Index of an answer to `parent` at an instant; empty where `parent` is none. The same at every call."""
    place = _bytes(parent)
    if not place:
        return ""
    begun = int.from_bytes(place[:6], "big") << 16
    passed = max(0, int((at - _EPOCH).total_seconds() * 10**7) - begun)
    step = passed >> 18 if passed < _FINE else 1 << 31 | (passed >> 23 & 0x7FFFFFFF)
    noise = sha256(place + at.isoformat().encode()).digest()[:1]
    return base64.b64encode(place + (step & 0xFFFFFFFF).to_bytes(4, "big") + noise).decode("ascii")


def _bytes(text: str) -> bytes:
    if not text or len(text) > _LONGEST:
        return b""
    try:
        found = binascii.a2b_base64(text, strict_mode=True)
    except (ValueError, binascii.Error):
        return b""
    return found if len(found) >= HEADER and (len(found) - HEADER) % STEP == 0 else b""
