"""What does one transaction write? A `Change`: conversations, messages, people, links, events and what goes out.

Use cases of the desk fill it with values; `router.store.write` makes rows of them, in bulk, once. A conversation stands
in it once, in its last state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from router.bounce import Outcome
from router.events import Told
from router.model import Contact, Conversation, Handle, Key, Link, Marker, Rewritten

__all__ = ["Change", "Outgoing"]


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be sent after the commit: a reply, an event to a receiver, a notice to a recipient."""

    kind: str
    channel: str
    key: str
    body: Mapping[str, Any]
    conversation: int = 0
    message: int = 0
    due_at: datetime


class Change:
    """What one transaction will write; `history`: of recorded messages, so that nothing goes out.

    `place_of` gives a conversation's place in the working order. `joins` and `fusions` are pairs (absorbed, into) of
    contacts and threads; `messages`, `decisions`, `handles`, `incidents` and `reports` are rows of those tables.
    """

    def __init__(self, place_of: Callable[[Conversation], datetime | None], *, history: bool = False) -> None:
        self.place_of = place_of
        self.history = history
        self.conversations: dict[int, Conversation] = {}
        self.contacts: dict[int, Contact] = {}
        self.handles: dict[Handle, dict[str, Any]] = {}
        self.threads: dict[Key, int] = {}
        self.joins: list[tuple[int, int]] = []
        self.fusions: list[tuple[int, int]] = []
        self.messages: list[dict[str, Any]] = []
        self.decisions: list[dict[str, Any]] = []
        self.markers: dict[tuple[str, int], Marker] = {}
        self.links: dict[tuple[int, int, str], tuple[Link, datetime, str]] = {}
        self.incidents: dict[str, dict[str, Any]] = {}
        self.reports: dict[tuple[str, int], dict[str, Any]] = {}
        self.rewritten: list[Rewritten] = []
        self.redelivered: Counter[str] = Counter()
        self.outcomes: list[Outcome] = []
        self.events: list[Told] = []
        self.outgoing: list[Outgoing] = []

    def put(self, conversation: Conversation) -> None:
        """A conversation's new state."""
        self.conversations[conversation.number] = conversation

    def link(self, conversation: int, link: Link, at: datetime, by: str = "machine") -> None:
        """A relation between two conversations."""
        self.links[(conversation, link.conversation, link.reason)] = (link, at, by)

    def add_message(self, row: dict[str, Any]) -> None:
        """A message of the desk itself: a reply or a note, as a row of `messages`."""
        self.messages.append(row)

    def tell(self, event: Told) -> None:
        """Something happened."""
        self.events.append(event)

    def send(self, outgoing: Outgoing) -> None:
        """Something goes out after the commit. Recorded history sends nothing."""
        if not self.history:
            self.outgoing.append(outgoing)
