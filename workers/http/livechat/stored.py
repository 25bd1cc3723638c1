"""How much is stored of a visitor of the live-chat page, and may he add to it?

In: a visitor and the size of what he sends. Out: whether it may be stored. Counted from the ledger when he is first
met, then in memory, for the last 10,000 visitors.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from router.desk import Ledger
from router.store.read import chat

__all__ = ["Stored"]

_MOST: Final = 10_000


class Stored:
    """The bytes of each visitor, at most `most`."""

    def __init__(self, store: Ledger, most: int) -> None:
        self._store = store
        self._most = most
        self._held: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def take(self, channel: str, visitor: str, size: int) -> bool:
        """Count as much as stored; False, and nothing counted, where it would be too much. Raises `Unreachable`."""
        who = (channel, visitor)
        if who not in self._held:
            found = await asyncio.to_thread(chat.stored, self._store.database, channel, visitor)
            self._held.setdefault(who, found)
        held = self._held.pop(who, 0)
        allowed = held + size <= self._most
        self._held[who] = held + size if allowed else held
        while len(self._held) > _MOST:
            self._held.popitem(last=False)
        return allowed
