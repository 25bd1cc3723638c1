"""What follows when a person or a ladder changes what a conversation is about, or where it belongs?

In: the conversation, the change, the facts of its contact, the policy. Out: the conversation after it: routed anew
unless a person pinned it, its promises re-targeted (rules: deadlines, 13; routing, 4 and 6). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from router.conversation.acts import attributes, ticked
from router.conversation.transitions import handed_on, routed
from router.deadlines.clocks import ClockEvent
from router.model import Conversation
from router.policy.values import Policy
from router.routing.route import route

__all__ = ["escalated", "retagged", "retargeted"]


def retagged(
    conversation: Conversation, issue_type: str, contact: Mapping[str, Any], policy: Policy, now: datetime
) -> Conversation:
    """The conversation after a person said what it is about: no machine overrules it."""
    after = replace(conversation, issue_type=issue_type, type_by="human", unsure=False, confidence=1.0)
    return retargeted(_routed(after, contact, policy, now), contact, policy, now)


def escalated(
    conversation: Conversation, queue: str, tag: str, contact: Mapping[str, Any], policy: Policy, now: datetime
) -> Conversation:
    """The conversation after a ladder moved it to a queue: nobody holds it, and the promises are those of the rule
    that now puts it there, if one does (rules: deadlines, routing 6)."""
    tags = dict.fromkeys((*conversation.tags, *((tag,) if tag else ())))
    moved = replace(handed_on(conversation, queue), tags=tuple(tags))
    placed = _routed(replace(moved, pinned=False), contact, policy, now)
    if placed.queue == moved.queue:
        priority = max(placed.priority, moved.priority)
        moved = replace(placed, priority=priority, pinned=moved.pinned)
    return retargeted(moved, contact, policy, now)


def retargeted(conversation: Conversation, contact: Mapping[str, Any], policy: Policy, now: datetime) -> Conversation:
    """The conversation with its running promises on what it is now; nothing that has ended changes."""
    event = ClockEvent(
        type="set", at=now, attrs=attributes(conversation, contact), deadline=conversation.deadline_policy
    )
    return ticked(conversation, event, policy)


def _routed(conversation: Conversation, contact: Mapping[str, Any], policy: Policy, now: datetime) -> Conversation:
    channel = conversation.channels[-1] if conversation.channels else ""
    facts = {
        **attributes(conversation, contact),
        "channel": channel,
        "channel_kind": policy.channel(channel).kind,
        "business_open": policy.business_open(channel, now),
    }
    routing = route(policy.rules, policy.default_queue, facts)
    if conversation.pinned:
        return conversation
    return routed(conversation, routing)
