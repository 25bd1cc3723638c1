"""What is there to do? Queues as they stand, and lists of conversations within what an account may see.

In: the store, the account, what is asked, the present instant. Out: the forms of `router.forms`. An agent's lists show
their own queues and what they hold. Nothing here writes.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from router.account import Account, Role
from router.desk.ledger import Ledger
from router.desk.reads.conversation import shown
from router.errors import Misasked
from router.forms import ConversationForm, ConversationPage, QueueForm
from router.store.read import lists
from router.store.read import queues as stored
from router.store.read.history import history_until
from router.store.read.lists import Wanted
from router.store.read.queries import utc

__all__ = ["conversations", "queues"]


def queues(store: Ledger, account: Account, now: datetime) -> list[QueueForm]:
    """The queues that the account works or oversees, in the order of the configuration, as they stand now."""
    with store.database.read() as tx:
        found = stored.counts(tx, now)
    names = dict.fromkeys((*store.policy.queues, *sorted(found)))
    return [_queue(name, found.get(name, stored.Count())) for name in names if _works(account, name)]


def _queue(name: str, count: stored.Count) -> QueueForm:
    return {
        "name": name,
        "waiting": count.waiting,
        "due_soon": count.due_soon,
        "breached": count.breached,
        "held": count.held,
        "oldest_waiting_since": utc(count.oldest),
        "apart": count.apart,
    }


def conversations(
    store: Ledger, account: Account, wanted: Wanted, now: datetime, *, order: str = "work", limit: int = 50,
    cursor: str = "",
) -> ConversationPage:  # fmt: skip
    """One page of the conversations that are asked for and that the account may see. Raises `Misasked`."""
    if wanted.queue is not None and wanted.queue not in store.policy.queues:
        raise Misasked(f"There is no queue {wanted.queue!r}; the configuration has: {', '.join(store.policy.queues)}.")
    if account.role is Role.AGENT:
        wanted = replace(wanted, mine=account.queues, me=account.name)
    until = history_until(store.database)
    with store.database.read() as tx:
        page = lists.listed(tx, wanted, order=order, limit=limit, cursor=cursor)
        items: list[ConversationForm] = shown(tx, store, page.conversations, until, now)
    return {"items": items, "next": page.next or None}


def _works(account: Account, queue: str) -> bool:
    return account.role is not Role.AGENT or queue in account.queues
