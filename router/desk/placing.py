"""What does a decision change in the ledger? A batch's decisions, one by one, into one `Change`.

In: the snapshot that they were made on, placements in order. Out: in the change, what differs from the snapshot. A
handle that was only claimed becomes its owner's once a message proves it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from router.bounce import Outcome
from router.events import IncidentJoined, Told, reply_came
from router.known import CLAIMED, Known
from router.model import Authenticity, Contact, Handle, Key, Placement
from router.store.change import Change
from router.store.codec import decision_row, message_row
from router.store.tables import micros

__all__ = ["Placing"]


class Placing:
    """The placements of one batch on their way into `change`."""

    def __init__(self, known: Known, change: Change) -> None:
        self.change = change
        self._contacts_before: dict[int, Contact] = dict(known.contacts)
        self._handles_before: dict[Handle, int] = dict(known.handles)
        self._claimed_before = frozenset(known.claimed)
        self._threads_before: dict[Key, int] = dict(known.threads)
        self._awake = {number for number, c in known.conversations.items() if c.next_wake_at is not None}

    def place(self, p: Placement, raw: tuple[int, int] | None) -> None:
        """Take in a placement; `raw` is the (partition, position) it came from."""
        change = self.change
        at = p.message.sent_at
        change.messages.append(message_row(p, raw, change.history))
        change.decisions.append(decision_row(p))
        asleep = change.history and p.conversation.number not in self._awake  # recorded clocks wake nobody
        change.put(msgspec.structs.replace(p.conversation, next_wake_at=None) if asleep else p.conversation)
        self._place_people(p)
        self._place_threads(p)
        for marker in p.markers:
            change.markers[(marker.key, marker.conversation)] = marker
        for link in p.links:
            change.link(p.conversation.number, link, at)
        change.rewritten += p.rewritten
        for cleaned in p.scrubbed:
            change.put(cleaned)
        for event in p.events:
            change.tell(Told(at=at, event=event, conversation=p.conversation.number, message=p.number))
            if isinstance(event, IncidentJoined):
                self._report(event, micros(at))
        if p.outcome is not None:
            self.came(p.outcome, p.conversation.number, at)

    def _place_people(self, p: Placement) -> None:
        """The contact as they are now, whom they were joined with, and the handles that are theirs from now on."""
        change = self.change
        if self._contacts_before.get(p.contact.number) != p.contact:
            change.contacts[p.contact.number] = p.contact
        for gone in p.contacts_joined:
            self._join(gone, p.contact.number)
        for handle in p.handles:
            if self._handles_before.get(handle) == p.contact.number:
                changed = handle in self._claimed_before and _proves(p)
            else:
                known = handle in change.handles or handle in self._handles_before
                changed = not known or p.message.claimed not in CLAIMED
            if changed:
                change.handles[handle] = self._handle_row(handle, p)

    def _place_threads(self, p: Placement) -> None:
        """The chain that it belongs to, and the keys that lead there."""
        change = self.change
        for gone in p.threads_joined:
            change.fusions.append((gone, p.thread))
            change.threads.update({key: p.thread for key, thread in change.threads.items() if thread == gone})
        for key in p.thread_keys:
            if self._threads_before.get(key) != p.thread:
                change.threads[key] = p.thread

    def came(self, outcome: Outcome, conversation: int, at: datetime) -> None:
        """How far a reply of the desk has come, as the outside is told of it."""
        change = self.change
        told = reply_came(
            outcome.event, channel=outcome.channel, attempt=outcome.attempts, detail=outcome.status
        )  # fmt: skip
        change.tell(Told(at=at, event=told, conversation=conversation, message=outcome.reply))
        if outcome.state:
            change.outcomes.append(outcome)

    def _report(self, event: IncidentJoined, at: int) -> None:
        """Conversations that an incident has, or has from now on."""
        change = self.change
        key = event.key
        begun = {"key": key, "issue_type": event.issue_type, "opened_at": at}
        change.incidents.setdefault(key, begun)["last_at"] = at
        for number in event.conversations:
            change.reports.setdefault((key, number), {"key": key, "conversation": number, "at": at})

    def _join(self, gone: int, into: int) -> None:
        change = self.change
        change.joins.append((gone, into))
        for row in change.handles.values():
            if row["contact"] == gone:
                row["contact"] = into
        for number, conversation in change.conversations.items():
            if conversation.contact == gone:
                change.conversations[number] = msgspec.structs.replace(conversation, contact=into)

    def _handle_row(self, handle: Handle, p: Placement) -> dict[str, Any]:
        return {
            "scope": handle[0],
            "address": handle[1],
            "contact": p.contact.number,
            "evidence": "; ".join(p.evidence),
            "closed": False,
            "since": micros(p.received_at),
        }


def _proves(p: Placement) -> bool:
    """Does this message show that a handle which was only claimed is its sender's?"""
    vouched = p.message.authenticity is Authenticity.PASS or p.method == "reply_address"
    return vouched and p.message.claimed not in CLAIMED
