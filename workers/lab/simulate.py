"""What would another configuration have decided? The stored history is decided again on a throw-away copy.

In: the store, the other policy. Out: what would change of each message (queue, issue type, class) and of each
conversation (deadlines), as plain rows. The raws are translated and decided in their order, with the desk's replies,
statuses and merges between them as they happened; the stored ledger is only read.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from msgspec.structs import replace

from router.conversation.acts import reply_given
from router.desk import Arrival, Ledger, take_in
from router.desk.acts import conversation as acts
from router.desk.acts import relate
from router.desk.transaction import act as transact
from router.errors import InvalidPayload, NotFound, OmnirouterError, Undecidable
from router.model import Conversation
from router.policy.values import Policy
from router.ref import ref_of
from router.store import Database, schema
from router.store.read.chronicle import Act, Decided, conversation_of_key, decided, raws_in_order
from router.store.read.chronicle import acts as told_acts
from router.store.set_aside import raw_at
from workers.daemon.channels import Channels

__all__ = ["simulate"]

Places: TypeAlias = Sequence[tuple[datetime, int, int]]
_BATCH = 200


def simulate(
    store: Ledger, other: Policy, *, since: datetime | None = None,
    passing: Callable[[Places], Iterable[tuple[datetime, int, int]]] = lambda places: places,
) -> dict[str, Any]:  # fmt: skip
    """Decide everything again under `other`; only what was sent since then is compared. `passing` may draw a bar."""
    with tempfile.TemporaryDirectory(prefix="omnirouter-") as folder:
        database = Database(f"sqlite:///{Path(folder) / 'copy.db'}")
        schema.ensure(database)
        copy = Ledger(database, other, store.sealer)
        try:
            skipped = _Course(store, copy).run(passing(raws_in_order(store)))
            return _compared(store, copy, since, skipped)
        finally:
            copy.close()


class _Course:
    """One run through the history: raws in their order, and between them what the desk did."""

    def __init__(self, store: Ledger, copy: Ledger) -> None:
        self._store = store
        self._copy = copy
        self._channels = Channels(copy.policy, copy.database)
        self._acts = told_acts(store)
        self._arrivals: list[Arrival] = []
        self._skipped = 0

    def run(self, places: Iterable[tuple[datetime, int, int]]) -> int:
        """Decide all of it; how many raws and messages could not be."""
        pending = iter(self._acts)
        act = next(pending, None)
        for at, partition, position in places:
            while act is not None and act.at <= at:
                self._settle()
                self._do(act)
                act = next(pending, None)
            self._take(partition, position)
            if len(self._arrivals) >= _BATCH:
                self._settle()
        self._settle()
        while act is not None:
            self._do(act)
            act = next(pending, None)
        asyncio.run(self._channels.close())
        return self._skipped

    def _take(self, partition: int, position: int) -> None:
        try:
            raw = raw_at(self._store, partition, position)
            found = self._channels.translate(raw)
        except (NotFound, InvalidPayload):
            self._skipped += 1
            return
        place = (partition, position)
        self._arrivals += [Arrival(what=what, received_at=raw.received_at, raw=place) for what in found]

    def _settle(self) -> None:
        """Decide what was gathered; what cannot be decided is left out and counted."""
        while self._arrivals:
            try:
                take_in(self._copy, self._arrivals, self._arrivals[0].received_at, history=True)
            except Undecidable as failure:
                del self._arrivals[failure.index]
                self._skipped += 1
                continue
            self._arrivals = []

    def _do(self, act: Act) -> None:
        """An act of the desk, in the conversation that its message is in now. What no longer fits is left out."""
        numbers = [conversation_of_key(self._copy, key) for key in act.keys]
        if None in numbers or not numbers:
            return
        first, *rest = [n for n in numbers if n is not None]
        try:
            if act.kind == "status":
                acts.status(self._copy, first, act.to, agent=act.agent, now=act.at)
            elif act.kind == "reply":
                transact(self._copy, first, act.at, lambda _, c, effects: effects.put(self._replied(c, act)))
            elif rest and rest[0] != first:
                relate.merge(self._copy, first, rest[0], agent=act.agent, now=act.at)
        except OmnirouterError:
            return

    def _replied(self, c: Conversation, act: Act) -> Conversation:
        after = reply_given(c, act.at, "", self._copy.policy, event_id=f"m{act.number}")
        return replace(after, messages=after.messages + 1)


def _compared(store: Ledger, copy: Ledger, since: datetime | None, skipped: int) -> dict[str, Any]:
    before, after = decided(store, store.policy.promises, since), decided(copy, copy.policy.promises, since)
    changes: list[dict[str, Any]] = []
    for key, old in before.items():
        new = after.get(key)
        if new is not None:
            changes += _changes(old, new)
    kinds = Counter((change["what"], _words(change["before"]), _words(change["after"])) for change in changes)
    return {
        "policy": {"before": store.policy.version, "after": copy.policy.version},
        "messages": len(before.keys() & after.keys()),
        "changed": len({change["message"] for change in changes}),
        "skipped": skipped,
        "summary": [
            {"what": what, "before": old, "after": new, "messages": count}
            for (what, old, new), count in sorted(kinds.items(), key=lambda item: (item[0][0], -item[1], item[0]))
            if what != "deadline"
        ] + _deadlines(kinds),
        "changes": changes,
    }  # fmt: skip


def _deadlines(kinds: Mapping[tuple[str, str, str], int]) -> list[dict[str, Any]]:
    """Deadlines are all different instants: one line for all of them."""
    count = sum(n for (what, _, _), n in kinds.items() if what == "deadline")
    return [{"what": "deadline", "before": "", "after": "", "messages": count}] if count else []


def _changes(old: Decided, new: Decided) -> list[dict[str, Any]]:
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in ("queue", "issue_type", "class_")]
    for name in sorted(old.deadlines.keys() | new.deadlines.keys()):
        pairs.append((f"deadline {name}", old.deadlines.get(name), new.deadlines.get(name)))
    return [
        {
            "message": old.number, "conversation": old.conversation, "ref": ref_of(old.conversation),
            "sent_at": old.sent_at, "what": what.partition(" ")[0].rstrip("_"),
            "metric": what.partition(" ")[2] or None, "before": before, "after": after,
        }
        for what, before, after in pairs
        if before != after
    ]  # fmt: skip


def _words(value: Any) -> str:
    return "" if value is None else str(value)
