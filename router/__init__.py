"""omnirouter as a library: messages in, one conversation a matter, routed, with its reply deadlines.

`Router` is the desk over a database; `decide` is the straight function behind it, pure and without any database.
Everything public is named here; other modules may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.errors import (
    ConfigurationError,
    InvalidPayload,
    Misasked,
    NotFound,
    OmnirouterError,
    Refused,
    ScheduleError,
    SchemaMismatch,
    SendError,
    Undecidable,
    Unreachable,
)
from router.known import Known
from router.model import (
    Attachment,
    Authenticity,
    Contact,
    Conversation,
    Decision,
    DeskEvent,
    Direction,
    Link,
    MessageClass,
    Metric,
    Placement,
    Redelivery,
    Routing,
    Sender,
    Status,
    Tagging,
)

if TYPE_CHECKING:
    from router.deadlines.calendar import Schedule
    from router.decision.decide import decide
    from router.model import Message
    from router.policy.values import Policy
    from router.router import Router

__all__ = [
    "Attachment",
    "Authenticity",
    "ConfigurationError",
    "Contact",
    "Conversation",
    "Decision",
    "DeskEvent",
    "Direction",
    "InvalidPayload",
    "Known",
    "Link",
    "Message",
    "MessageClass",
    "Metric",
    "Misasked",
    "NotFound",
    "OmnirouterError",
    "Placement",
    "Policy",
    "Redelivery",
    "Refused",
    "Router",
    "Routing",
    "Schedule",
    "ScheduleError",
    "SchemaMismatch",
    "SendError",
    "Sender",
    "Status",
    "Tagging",
    "Undecidable",
    "Unreachable",
    "decide",
]

#: Loaded when first asked for: they bring the outside form, the lexicons and the database along.
_LATER = {
    "Message": "wire.message", "Policy": "policy.values", "Router": "router", "Schedule": "deadlines.calendar",
    "decide": "decision.decide",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'router' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"router.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
