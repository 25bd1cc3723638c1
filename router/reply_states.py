"""How far has a reply of the desk come? Its states, and which may follow which (rules: deadlines, 7a).

pending → sending → sent → (delivered → read) | bounced; sending → pending (to be tried again) | failed | unknown;
unknown → sent | failed, by the provider or a person. A state never goes backwards; what a provider tells may come
before what our own sending was told, so steps may be left out. A resend is a new reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["ARRIVED", "REPLY_STATES", "UNDER_WAY", "UNDONE", "follows"]

#: On its way: it counts as an answer for now, so no breach fires.
UNDER_WAY: Final = frozenset(("pending", "sending"))
#: It did not arrive, or nobody knows: it answers nothing.
UNDONE: Final = frozenset(("failed", "unknown", "bounced"))

#: It stands, as far as anybody knows.
ARRIVED: Final = ("sent", "delivered", "read")
_FOLLOWING: Final[Mapping[str, frozenset[str]]] = {
    "pending": frozenset(("sending", *ARRIVED, "bounced", "failed", "unknown")),
    "sending": frozenset(("pending", *ARRIVED, "bounced", "failed", "unknown")),
    "unknown": frozenset((*ARRIVED, "bounced", "failed")),
    "sent": frozenset(("delivered", "read", "bounced")),
    "delivered": frozenset(("read",)),
    "read": frozenset(),
    "bounced": frozenset(),
    "failed": frozenset(),
}
REPLY_STATES: Final = tuple(_FOLLOWING)


def follows(before: str, after: str) -> bool:
    """May a reply that is `before` become `after`?"""
    return after in _FOLLOWING.get(before, ())
