"""What does a mail say that came back, and what does that make of the reply that it is about?

In (from the adapter): `Bounce`, what the report says, with what may be ids of ours. Out (of the decision): `Outcome`,
which the store writes with the decision. Whether an id is ours only its signature tells (rules: security, 2.2).
"""

from __future__ import annotations

from datetime import datetime

import msgspec

__all__ = ["Bounce", "Failure", "KnownReply", "Outcome"]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient that a report names: lower-case address, or empty where it names none. `final`: nobody will try
    again. `status` is an enhanced status code (`5.1.1`) or empty, `words` what the other server said, one line."""

    recipient: str = ""
    final: bool = True
    status: str = ""
    words: str = ""


class Bounce(msgspec.Struct, frozen=True, kw_only=True):
    """A report that a mail did not arrive. `proofs` are `TOKEN.NUMBER` or `TOKEN`, the likeliest first: what looks like
    our signed id in the headers of the returned mail, in the report's own, or in its text."""

    proofs: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()


class KnownReply(msgspec.Struct, frozen=True, kw_only=True):
    """A reply of ours as the decision may know it: `state` of `router.reply_states`, `attempts` made to send it,
    `written_at` aware, `copies` the further people whom it went to."""

    number: int
    conversation: int
    external_id: str
    handle: str
    written_at: datetime
    channel: str = ""
    automatic: bool = False
    state: str = "sent"
    attempts: int = 0
    copies: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a message makes of the reply of this number: `event` is told of it; `state`, where it is not empty, follows
    `was` at so many `attempts`."""

    reply: int
    event: str
    state: str = ""
    was: str = ""
    attempts: int = 0
    channel: str = ""
    status: str = ""
    detail: str = ""
