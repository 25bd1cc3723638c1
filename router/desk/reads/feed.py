"""What may an account see of what happens? All of it, or for an agent what concerns their queues and what they hold.

In: the store, the account, the number of the last event that it knows. Out: a page of events, and the number to go on
from: an agent's page may be empty and still lead on. Nothing here writes.
"""

from __future__ import annotations

from router.account import Account, Role
from router.desk import Ledger
from router.forms import FeedItem
from router.store.read import feed

__all__ = ["page", "start"]


def page(store: Ledger, account: Account, last: int, limit: int) -> tuple[list[FeedItem], int]:
    """At most `limit` events behind `last` are looked at; those that the account may see, and where to go on."""
    with store.database.read() as tx:
        found = feed.after(tx, last, limit)
    return [item for item in found if _sees(account, item)], found[-1]["seq"] if found else last


def start(store: Ledger, last: int | None) -> tuple[int, bool]:
    """Where to begin: behind `last`, or with what comes from now on; and whether something behind `last` is no longer
    kept, so that the reader must look at everything anew."""
    with store.database.read() as tx:
        newest = feed.newest(tx)
        if last is None:
            return newest, False
        lost = last > newest or last < feed.oldest(tx) - 1
    return (newest, True) if lost else (last, False)


def _sees(account: Account, item: FeedItem) -> bool:
    if account.role is not Role.AGENT:
        return True
    return item["queue"] in account.queues or item["holder"] == account.name
