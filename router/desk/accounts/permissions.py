"""Which role may do which act? One table; every face of the desk asks it, and a test walks it.

In: the name of an act, an account. Out: yes or no. `may_change` narrows it for agents to the conversations that are
theirs: in one of their queues, or held by them (rules: desk, 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Final

from router.account import Account, Role
from router.errors import Forbidden
from router.model import Conversation

__all__ = ["ACTS", "REACHES_ALL", "may", "may_change", "require"]

_ALL: Final = frozenset(Role)
_DESK: Final = frozenset({Role.AGENT, Role.LEAD, Role.ADMIN})
_OVERSIGHT: Final = frozenset({Role.AUDITOR, Role.LEAD, Role.ADMIN})
_LEAD: Final = frozenset({Role.LEAD, Role.ADMIN})
_ADMIN: Final = frozenset({Role.ADMIN})

#: Roles whose reads and acts are not narrowed to their own queues.
REACHES_ALL: Final = _OVERSIGHT

#: Who may do what. An act that is missing here is allowed to nobody.
ACTS: Final[Mapping[str, Set[Role]]] = {
    # what an account does with itself
    "me": _ALL, "session:list": _ALL, "session:end": _ALL, "password:change": _ALL,
    # reads; an agent's reach is narrowed where it lists conversations
    "queue:list": _ALL, "conversation:list": _ALL, "conversation:show": _ALL, "conversation:timeline": _ALL,
    "conversation:deadlines": _ALL, "conversation:explain": _ALL, "conversation:links": _ALL, "file:show": _ALL,
    "contact:show": _ALL, "contact:conversations": _ALL, "search": _ALL, "incident:list": _ALL, "answer:list": _ALL,
    "channel:list": _ALL, "event:list": _ALL, "stream": _ALL, "agent:list": _ALL,
    "report": _OVERSIGHT, "set_aside:list": _OVERSIGHT, "account:list": _OVERSIGHT, "configuration:show": _OVERSIGHT,
    "message:recalled": _LEAD, "message:raw": _ADMIN,
    # acts on a conversation
    "conversation:reply": _DESK, "conversation:note": _DESK, "conversation:status": _DESK, "conversation:take": _DESK,
    "conversation:release": _DESK, "conversation:assign": _DESK, "conversation:move": _DESK,
    "conversation:retag": _DESK, "conversation:tags": _DESK, "conversation:priority": _DESK,
    "conversation:spam": _DESK, "conversation:spam_undo": _DESK, "conversation:split": _DESK,
    "conversation:link": _DESK, "conversation:unlink": _DESK, "link:accept": _DESK, "link:refuse": _DESK,
    "conversation:merge": _LEAD, "conversation:force": _LEAD,
    # acts beside it
    "file:upload": _DESK, "agent:next": _DESK, "agent:presence": _DESK, "agent:presence_of_others": _LEAD,
    "contact:change": _DESK, "contact:block": _LEAD, "contact:unblock": _LEAD,
    "contact:erase": _ADMIN, "contact:export": _ADMIN,
    "incident:reply": _LEAD, "set_aside:replay": _LEAD, "set_aside:drop": _LEAD,
    "answer:add": _LEAD, "answer:change": _LEAD, "answer:remove": _LEAD,
    "account:add": _ADMIN, "account:change": _ADMIN, "account:disable": _ADMIN, "account:link": _ADMIN,
    "token:list": _ADMIN, "token:add": _ADMIN, "token:revoke": _ADMIN,
}  # fmt: skip


def may(account: Account, act: str) -> bool:
    """May this account do the act at all? Never when it is disabled."""
    return not account.disabled and account.role in ACTS.get(act, frozenset())


def require(account: Account, act: str) -> None:
    """Raise `Forbidden` when the account may not do the act."""
    if not may(account, act):
        raise Forbidden(f"{account.name} is {_article(account.role)} {account.role}; {act} is not theirs to do.")


def may_change(account: Account, conversation: Conversation) -> bool:
    """Is this conversation one that the account may change? An agent: only in their queues, or held by them."""
    if account.role is Role.AUDITOR or account.disabled:
        return False
    return (
        account.role is not Role.AGENT
        or conversation.queue in account.queues
        or conversation.holder == account.name
    )  # fmt: skip


def _article(role: Role) -> str:
    return "a" if role is Role.LEAD else "an"
