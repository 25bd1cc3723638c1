"""What was appended here a moment ago and is decided next, so that it need not be read back?

In: entries as the log would give them, when they are durable. Out: those that follow a position without a gap, once.
Held within bounds, the oldest go first: whatever is not here is read from the database, which holds all of it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from router.ports import Entry

__all__ = ["Unread"]

#: Bytes that are held at most.
_MOST = 16 << 20


class Unread:
    """Entries by partition and position; safe to use from several threads."""

    def __init__(self) -> None:
        self._entries: dict[tuple[int, int], Entry] = {}
        self._size = 0
        self._lock = threading.Lock()

    def keep(self, entries: Iterable[Entry]) -> None:
        """Hold these until they are taken."""
        with self._lock:
            for entry in entries:
                self._entries[entry.partition, entry.position] = entry
                self._size += len(entry.raw.body)
            while self._size > _MOST:
                self._drop(next(iter(self._entries)))

    def take(self, partition: int, after: int, limit: int) -> list[Entry]:
        """The entries of a partition right behind `after`, at most `limit`; none where the next one is not held."""
        found: list[Entry] = []
        with self._lock:
            while len(found) < limit and (place := (partition, after + 1 + len(found))) in self._entries:
                found.append(self._drop(place))
        return found

    def _drop(self, place: tuple[int, int]) -> Entry:
        entry = self._entries.pop(place)
        self._size -= len(entry.raw.body)
        return entry
