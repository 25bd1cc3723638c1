"""Who takes part in a conversation because a mail of it named him?

In: the conversation and the people whom a mail names. Out: the conversation: they are copied to answers where the mail
is proved, else only proposed to whoever answers (rules: follow-ups, 7e). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from router.model import Conversation

__all__ = ["naming"]

#: People of one conversation; who names more writes to a list.
MOST = 50


def naming(conversation: Conversation, people: Iterable[str], *, proved: bool) -> Conversation:
    """The conversation after a mail that names these addresses."""
    named = [address for address in people if ("email", address) not in conversation.participants]
    if not named:
        return conversation
    if proved:
        copied = tuple(dict.fromkeys((*conversation.copied, *named)))[:MOST]
        proposed = tuple(address for address in conversation.proposed if address not in copied)
        return replace(conversation, copied=copied, proposed=proposed)
    known = (address for address in named if address not in conversation.copied)
    return replace(conversation, proposed=tuple(dict.fromkeys((*conversation.proposed, *known)))[:MOST])
