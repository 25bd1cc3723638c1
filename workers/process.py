"""How does the log become conversations? Read a partition behind its cursor, translate, decide, write: one
transaction a batch.

A raw that cannot be translated is set aside as invalid, by itself. A message that cannot be decided is found (by its
index, else by halving) and set aside as dead, naming raw and item. A partition that its last owner left dirty is gone
through in single steps, each attempt committed first, so that a message that kills the process is found too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import bindparam, select, update

from router import tables as t
from router.errors import InvalidPayload, LostOwnership
from router.model import Decision, Placement
from router.ports import Entry
from router.store import Advance, Arrival, Aside, Store, Undecidable, passing
from router.store.statement import Statement
from workers.channels import Channels

__all__ = ["BATCH", "Decided", "Partition"]

BATCH = 200
ATTEMPTS = 3

_P = t.positions.c
_where = _P.partition == bindparam("number")
_read_place = Statement(select(_P.position, _P.dirty, _P.single_steps, _P.attempt_position, _P.attempts).where(_where))
_mark_dirty = Statement(update(t.positions).where(_where).values(dirty=True, single_steps=bindparam("steps")))
_mark_clean = Statement(update(t.positions).where(_where).values(dirty=False, single_steps=0))
_attempt = Statement(
    update(t.positions).where(_where).values(attempt_position=bindparam("place"), attempts=bindparam("count"))
)


class Decided(msgspec.Struct, frozen=True):
    """What a batch came to: raws read, messages stored, redelivered, set aside as invalid and dead."""

    read: int = 0
    stored: int = 0
    redelivered: int = 0
    invalid: int = 0
    dead: int = 0
    decisions: tuple[Decision, ...] = ()

    def __add__(self, other: Decided) -> Decided:
        return Decided(
            self.read + other.read,
            self.stored + other.stored,
            self.redelivered + other.redelivered,
            self.invalid + other.invalid,
            self.dead + other.dead,
        )


class Partition:
    """One partition that this node owns under a fencing token. All methods block; call them off the event loop."""

    def __init__(self, store: Store, channels: Channels, number: int, fence: int) -> None:
        self.number = number
        self.fence = fence
        self._store = store
        self._channels = channels
        self.position, self._single_steps = self._own()

    def _own(self) -> tuple[int, int]:
        """Read the cursor; mark the partition dirty until it is given back. What was dirty goes in single steps."""
        with self._store.database.write() as tx:
            row = tx.one(_read_place, number=self.number)
            if row is None:
                raise LostOwnership(f"The ledger has no partition {self.number}.")
            position, dirty, steps, _, _ = row
            steps = max(BATCH, steps) if dirty else 0
            tx.run(_mark_dirty, number=self.number, steps=steps)
        return int(position), int(steps)

    def give_back(self) -> None:
        """Mark the partition clean: everything up to the cursor is decided and nothing is under way."""
        with self._store.database.write() as tx:
            tx.run(_mark_clean, number=self.number)

    def decide(self, entries: Sequence[Entry], now: Callable[[], datetime]) -> Decided:
        """Decide these entries, which follow the cursor; moves it. Raises `LostOwnership` when it moved meanwhile."""
        if not entries:
            return Decided()
        if self._single_steps:
            done = Decided()
            for entry in entries:
                done += self._step(entry, now())
            return done
        return self._settle(entries, now())

    def _step(self, entry: Entry, now: datetime) -> Decided:
        """One entry, its attempt committed first; after too many the entry is dead."""
        with self._store.database.write() as tx:
            row = tx.one(_read_place, number=self.number)
            tried = int(row[4]) if row is not None and row[3] == entry.position else 0
            tx.run(_attempt, number=self.number, place=entry.position, count=tried + 1)
        self._single_steps = max(0, self._single_steps - 1)
        if tried < ATTEMPTS:
            return self._settle([entry], now)
        reason = f"deciding it ended the process {tried} times"
        aside = Aside(
            raw=(entry.partition, entry.position), item=0, channel=entry.raw.channel, kind="dead", reason=reason,
            attempts=tried,
        )  # fmt: skip
        self._write([], [aside], entry.position, now, entry.raw.history)
        return Decided(read=1, dead=1)

    def _settle(self, entries: Sequence[Entry], now: datetime) -> Decided:
        if len({e.raw.history for e in entries}) > 1:
            return self._settle_runs(entries, now)
        history = entries[0].raw.history
        if history:
            now = entries[0].raw.received_at  # message time is the clock of recorded messages
        arrivals, aside = self._translate(entries)
        invalid = len(aside)
        while True:
            try:
                decisions = self._write(arrivals, aside, entries[-1].position, now, history)
                break
            except Undecidable as failure:
                arrivals = self._bury(arrivals, [failure.index], failure.cause, aside)
            except LostOwnership:
                raise
            except Exception as failure:
                if passing(failure):
                    raise
                culprits = self._culprits(arrivals, range(len(arrivals)), now, history)
                if not culprits:
                    raise
                arrivals = self._bury(arrivals, culprits, failure, aside)
        stored = sum(isinstance(d, Placement) for d in decisions)
        read = len(arrivals) + len(aside)
        return Decided(read, stored, len(decisions) - stored, invalid, len(aside) - invalid, tuple(decisions))

    def _settle_runs(self, entries: Sequence[Entry], now: datetime) -> Decided:
        """Recorded history and live raws are never decided in one batch."""
        done = Decided()
        run: list[Entry] = []
        for entry in entries:
            if run and run[-1].raw.history != entry.raw.history:
                done += self._settle(run, now)
                run = []
            run.append(entry)
        return done + self._settle(run, now)

    def _translate(self, entries: Sequence[Entry]) -> tuple[list[tuple[Arrival, int]], list[Aside]]:
        arrivals: list[tuple[Arrival, int]] = []
        aside: list[Aside] = []
        for entry in entries:
            place = (entry.partition, entry.position)
            if not entry.raw.body:
                continue  # erased before it was decided
            try:
                for item, what in enumerate(self._channels.translate(entry.raw)):
                    arrivals.append((Arrival(what=what, received_at=entry.raw.received_at, raw=place), item))
            except InvalidPayload as failure:
                aside.append(_aside(place, failure.index or 0, entry.raw.channel, "invalid", failure.reason))
            except Exception as failure:
                reason = f"translating it failed: {type(failure).__name__}"
                aside.append(_aside(place, 0, entry.raw.channel, "invalid", reason))
        return arrivals, aside

    def _write(
        self,
        arrivals: Sequence[tuple[Arrival, int]],
        aside: Sequence[Aside],
        after: int,
        now: datetime,
        history: bool,
        *,
        trial: bool = False,
    ) -> list[Decision]:
        advance = Advance(partition=self.number, before=self.position, after=after, fence=self.fence)
        decisions = self._store.decide(
            [a for a, _ in arrivals], now, advance=advance, aside=aside, history=history, trial=trial
        )
        if not trial:
            self.position = after
        return decisions

    def _culprits(
        self, arrivals: Sequence[tuple[Arrival, int]], among: Sequence[int], now: datetime, history: bool
    ) -> list[int]:
        """The arrivals that cannot be decided even without the others, found by halving in transactions rolled back."""
        if not among:
            return []
        try:
            self._write([arrivals[i] for i in among], [], self.position, now, history, trial=True)
        except LostOwnership:
            raise
        except Exception as failure:
            if passing(failure):
                raise
            if len(among) == 1:
                return list(among)
            half = len(among) // 2
            return self._culprits(arrivals, among[:half], now, history) + self._culprits(
                arrivals, among[half:], now, history
            )
        return []

    def _bury(
        self, arrivals: Sequence[tuple[Arrival, int]], dead: Sequence[int], cause: Exception, aside: list[Aside]
    ) -> list[tuple[Arrival, int]]:
        reason = f"it cannot be decided: {_reason(cause)}"
        for index in dead:
            arrival, item = arrivals[index]
            assert arrival.raw is not None  # noqa: S101  (it came from the log)
            aside.append(_aside(arrival.raw, item, arrival.what.channel, "dead", reason))
        gone = set(dead)
        return [pair for i, pair in enumerate(arrivals) if i not in gone]


def _aside(raw: tuple[int, int], item: int, channel: str, kind: str, reason: str) -> Aside:
    return Aside(raw=raw, item=item, channel=channel, kind=kind, reason=reason)


def _reason(cause: Exception) -> str:
    """Words for a person. Only our own errors speak: another's text may quote the message."""
    from router.errors import OmnirouterError

    return str(cause) if isinstance(cause, OmnirouterError) else type(cause).__name__
