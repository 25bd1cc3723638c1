"""Which types can an event have? The closed list of what is told to the event log and to `[[events]]`.

A type that is told anywhere stands here; a configuration that asks for another one has a mistake.
"""

from __future__ import annotations

from typing import Final

__all__ = ["EVENT_TYPES"]

EVENT_TYPES: Final = (
    "agent.presence", "contact.blocked", "contact.changed", "contact.confirmed", "contact.erased", "contact.joined",
    "contact.unblocked",
    "conversation.assigned", "conversation.escalated", "conversation.linked", "conversation.merged",
    "conversation.moved", "conversation.opened", "conversation.released", "conversation.reminded",
    "conversation.reopened", "conversation.retagged", "conversation.routed", "conversation.spam", "conversation.split",
    "conversation.status", "conversation.tagged", "conversation.taken", "conversation.unlinked", "deadline.breach",
    "deadline.retargeted", "deadline.step", "deadline.warning", "incident.answered", "incident.joined",
    "incident.opened", "message.arrived_again", "message.noted", "message.received", "message.sent", "note.taken",
    "reply.automatic", "reply.bounced", "reply.copy_bounced", "reply.delayed", "reply.delivered", "reply.failed",
    "reply.queued", "reply.read", "reply.sent", "reply.unknown",
)  # fmt: skip
