"""May a new conversation get its one automatic answer, and what does it say?

In: a placement as it was decided, the policy. Out: the words, or none. Only a person whose channel vouches for him gets
one, never a machine, a list, a spammer or somebody who is blocked; nothing of what he wrote is repeated (rules:
security, 0.6 and 2.1). Pure.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from router.deadlines import fold
from router.deadlines.calendar import instant
from router.model import Authenticity, Conversation, Direction, MessageClass, Placement
from router.policy.values import Policy, in_language
from router.ref import ref_of

__all__ = ["may_be_answered", "never_automatic", "words"]

#: Whoever's message carries one of these is never answered by a machine.
_NEVER = frozenset(
    ("automatic", "no_auto_answer", "spam", "sender_unverified", "thread_claim_rejected", "id_reused")
)  # fmt: skip


def never_automatic(flags: tuple[str, ...]) -> bool:
    """Do the flags of a message forbid an automatic answer to it?"""
    return not _NEVER.isdisjoint(flags)


def may_be_answered(p: Placement, policy: Policy) -> bool:
    """Are these the first words of a conversation, of a person who may get an automatic answer?"""
    message, c = p.message, p.conversation
    return (
        (p.opened or p.class_ is MessageClass.FIRST)
        and message.direction is Direction.IN
        and not message.automatic
        and p.class_ is not MessageClass.ACK
        and message.authenticity is Authenticity.PASS
        and not policy.traits(message.channel_kind).heard
        and not p.contact.blocked
        and not never_automatic((*p.flags, *c.flags))
    )


def words(conversation: Conversation, policy: Policy) -> str:
    """The acknowledgement in the customer's language, with the time by which he has an answer in the desk's zone;
    empty when the desk has no words, or names a time that nobody promised."""
    text = in_language(policy.acknowledgement.texts, conversation.language)
    if "{due}" in text:
        due = _answer_due(conversation)
        if due is None:
            return ""
        text = text.replace("{due}", _told(due, conversation.language, policy.timezone))
    return text.replace("{ref}", ref_of(conversation.number))


def _answer_due(conversation: Conversation) -> datetime | None:
    """By when an answer is promised (a solution may be promised for another time)."""
    for run in fold.from_json(conversation.clocks).runs:
        if run.metric in ("first_reply", "next_reply") and not run.state and run.lead is not None:
            return None if run.lead.due is None else instant(run.lead.due)
    return None


def _told(due: datetime, language: str, timezone: str) -> str:
    """As people say it: 11月23日 18:00, or 23 November 18:00."""
    local = due.astimezone(ZoneInfo(timezone))
    if language.startswith("zh"):
        return f"{local.month}月{local.day}日 {local:%H:%M}"
    return f"{local.day} {_MONTHS[local.month - 1]} {local:%H:%M}"


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
