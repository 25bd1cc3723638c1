"""How does the log become conversations? Read a partition behind its cursor, translate, decide, write: one
transaction a batch.

A raw that cannot be translated is set aside as invalid, by itself. A message that cannot be decided is found (by its
index, else by halving) and set aside as dead, naming raw and item, if it fails alone while another message can be
decided on the same connection: only data buries. Whatever trying again may help (`is_transient`) leaves the batch where
it is. A partition that its last owner left dirty is gone
through in single steps, each attempt committed first, so that a message that kills the process is found too; one that
was only there when somebody else killed it is told from it by a trial.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import structlog

from router.decision.decide import prepare
from router.desk import Arrival, Ledger, take_in
from router.errors import InvalidPayload, Undecidable
from router.model import Decision, Message, Placement, Sender
from router.ports import Entry, Translation
from router.store import Advance, Aside, is_transient, positions
from router.store.set_aside import ANNOUNCED, TO_FETCH
from router.store.transient import short_of
from workers.daemon.channels import Channels
from workers.daemon.crash_probe import survives

__all__ = ["BATCH", "Decided", "Partition"]

_log = structlog.get_logger()

BATCH = 200
#: After so many attempts that ended the process a raw is put on trial; after so many it is dead without.
ATTEMPTS, LAST = 3, 10
#: Raws may hold many messages: one transaction decides so many at most, the first ones of a raw where it holds more
#: (PostgreSQL locks each name it meets, and whatever else is to be decided waits).
MESSAGES = 200
#: So many of one raw at a time, when it holds more than `MESSAGES`.
PIECE = 100
#: Harms nobody: once this is read, all that reading needs is loaded; while this can be decided, the ledger works.
_GREETING = Message(
    external_id="-", channel="-", channel_kind="-", sent_at=datetime(2026, 1, 1, tzinfo=UTC), sender=Sender(handle="-"),
    text="您好, hello",
)  # fmt: skip
#: After so many dead ones of a batch the rest is looked for by halving.
_ONE_BY_ONE = 4


class Decided(msgspec.Struct, frozen=True):
    """What a batch came to: raws read, messages stored, redelivered, set aside as invalid and dead.

    `positions` are those of the raws that the decisions were made of. A raw that is decided in pieces counts as read
    with its last one.
    """

    read: int = 0
    stored: int = 0
    redelivered: int = 0
    invalid: int = 0
    dead: int = 0
    decisions: tuple[Decision, ...] = ()
    positions: tuple[int, ...] = ()

    def __add__(self, other: Decided) -> Decided:
        return Decided(
            self.read + other.read,
            self.stored + other.stored,
            self.redelivered + other.redelivered,
            self.invalid + other.invalid,
            self.dead + other.dead,
            self.decisions + other.decisions,
            self.positions + other.positions,
        )

    @property
    def work(self) -> int:
        """How much was done, in raws; 0 only where nothing was."""
        return self.read or bool(self.decisions)


class _Piece(msgspec.Struct, frozen=True):
    """The next parts of a raw, and the index of the first that is left for later."""

    arrivals: list[tuple[Arrival, int]]
    onward: int


class Partition:
    """One partition that this node owns under a fencing token. All methods block; call them off the event loop."""

    def __init__(self, store: Ledger, channels: Channels, number: int, fence: int) -> None:
        self.number = number
        self.fence = fence
        self._store = store
        self._channels = channels
        self._survived = 0
        self._most, self._piece = BATCH, PIECE
        self.position, self._inside, self._single_steps = self._own()
        if self._single_steps:
            prepare(_GREETING, store.policy)  # an attempt is the raw's own time, not that of a start

    def _own(self) -> tuple[int, int, int]:
        """Read the cursor; mark the partition dirty until it is given back. What was dirty goes in single steps."""
        with self._store.database.write() as tx:
            place = positions.place(tx, self.number)
            steps = max(BATCH, place.single_steps) if place.dirty else 0
            positions.mark_dirty(tx, self.number, self.fence, steps)
        return place.position, place.inside, steps

    def give_back(self) -> None:
        """Mark the partition clean: everything up to the cursor is decided and nothing is under way. Raises
        `LostOwnership` when it is another's already."""
        with self._store.database.write() as tx:
            positions.mark_clean(tx, self.number, self.fence)

    def decide(self, entries: Sequence[Entry], now: Callable[[], datetime]) -> Decided:
        """Decide these entries, which follow the cursor, and move it: all, the first that hold `MESSAGES`, or a piece
        of one. Raises `LostOwnership` when it moved meanwhile, and what passes (`is_transient`): then try again."""
        if not entries:
            return Decided()
        with _uncollected():
            return self._steps(entries, now) if self._single_steps else self._settle_some(entries, now())

    def _steps(self, entries: Sequence[Entry], now: Callable[[], datetime]) -> Decided:
        """One entry after the other."""
        done = Decided()
        for entry in entries:
            done += self._step(entry, now())
            if self._inside or len(done.decisions) >= MESSAGES:
                break
        return done

    def _settle_some(self, entries: Sequence[Entry], now: datetime) -> Decided:
        """As many as the server has locks and connections for: half of them, and half again, while it is short."""
        before = self.position, self._inside
        while True:
            some = entries[: self._most]
            try:
                done = self._settle(some, now)
            except Exception as failure:
                setting = short_of(failure)
                if not setting or (self.position, self._inside) != before or not self._halve(len(some)):
                    raise
                _log.warning("decide.halved", partition=self.number, raws=self._most, raise_setting=setting)
            else:
                self._most = min(max(len(entries), self._most), 2 * self._most)
                self._piece = min(PIECE, 2 * self._piece)
                return done

    def _halve(self, raws: int) -> bool:
        """Take half as much at a time from now on; False where that cannot be."""
        if raws > 1:
            self._most = raws // 2
        elif self._piece > 1:
            self._piece //= 2
        else:
            return False
        return True

    def _step(self, entry: Entry, now: datetime) -> Decided:
        """One entry, its attempt committed first; after too many, and a trial, the entry is dead.

        An attempt counts when it ended the process; one that this process outlived (the database was away) does not.
        """
        store = self._store
        with store.database.read() as tx:
            place = positions.place(tx, self.number)
        tried = place.attempts if place.attempt_position == entry.position else 0
        tried -= tried > 0 and self._survived == entry.position
        if tried >= LAST or (tried >= ATTEMPTS and not survives(entry.raw, store.policy, store.database)):
            return self._give_up(entry, tried, now)
        with store.database.write() as tx:
            positions.mark_attempt(tx, self.number, self.fence, entry.position, tried + 1)
        self._survived = 0
        try:
            done = self._settle([entry], now)
        except Exception:
            self._survived = entry.position
            raise
        if not self._inside:
            self._single_steps = max(0, self._single_steps - 1)
        return done

    def _give_up(self, entry: Entry, tried: int, now: datetime) -> Decided:
        """Set an entry aside as dead that ended the process each time."""
        reason = f"deciding it ended the process {tried} times"
        aside = Aside(
            raw=(entry.partition, entry.position), item=0, channel=entry.raw.channel, kind="dead", reason=reason,
            attempts=tried, at=now,
        )  # fmt: skip
        self._write([], [aside], (entry.position, 0), now, entry.raw.history)
        return Decided(read=1, dead=1)

    def _settle(self, entries: Sequence[Entry], now: datetime) -> Decided:
        """Translate and commit, in parts where recorded history meets live raws; what is too much is left.

        A raw of very many messages is decided in pieces, each in a transaction and a turn of its own.
        """
        done = Decided()
        part: list[Entry] = []
        arrivals: list[tuple[Arrival, int]] = []
        aside: list[Aside] = []
        for entry in entries:
            try:
                found, invalid = self._translate(entry, now)
            except Exception:
                if not part:
                    raise
                break  # it passes; what came before does not wait for that
            if part and part[-1].raw.history != entry.raw.history:
                done += self._commit(part, arrivals, aside, now)
                part, arrivals, aside = [], [], []
            if part and len(arrivals) + len(found) > MESSAGES:
                break
            if not part and (piece := self._first_piece(found)) is not None:
                return done + self._commit([entry], piece.arrivals, invalid, now, onward=piece.onward)
            part.append(entry)
            arrivals += found
            aside += invalid
        return done + self._commit(part, arrivals, aside, now)

    def _first_piece(self, found: list[tuple[Arrival, int]]) -> _Piece | None:
        """The next piece of a raw that holds more than fits into one transaction; None where all of it does."""
        if len(found) <= min(MESSAGES, 2 * self._piece) or any(a[1] >= b[1] for a, b in pairwise(found)):
            return None
        return _Piece(arrivals=found[: self._piece], onward=found[self._piece][1])

    def _commit(
        self,
        entries: Sequence[Entry],
        arrivals: list[tuple[Arrival, int]],
        aside: list[Aside],
        now: datetime,
        *,
        onward: int = 0,
    ) -> Decided:
        """Decide in one transaction; what cannot be decided is found and set aside as dead. `onward`: these are the
        parts of the one entry below this index, and more of it follow."""
        history, before, present = entries[0].raw.history, len(aside), now
        last = (entries[0].position - 1, onward) if onward else (entries[-1].position, 0)
        invalid = sum(one.kind == "invalid" for one in aside)
        if history:
            now = entries[0].raw.received_at  # message time is the clock of recorded messages
        while True:
            try:
                decisions = self._write(arrivals, aside, last, now, history)
                break
            except Exception as failure:
                if is_transient(failure):
                    raise
                few = len(aside) - before < _ONE_BY_ONE
                culprits = self._blamed(failure, arrivals, now, history, few=few)
                if not culprits:
                    raise
                cause = failure.cause if isinstance(failure, Undecidable) else failure
                arrivals = self._bury(arrivals, culprits, cause, aside, present)
        stored = sum(isinstance(d, Placement) for d in decisions)
        dead = len(aside) - before
        places = tuple(arrival.raw[1] for arrival, _ in arrivals if arrival.raw is not None)
        read = 0 if onward else len(entries)
        return Decided(read, stored, len(decisions) - stored, invalid, dead, tuple(decisions), places)

    def _translate(self, entry: Entry, now: datetime) -> tuple[list[tuple[Arrival, int]], list[Aside]]:
        place, raw = (entry.partition, entry.position), entry.raw
        try:
            if entry.unreadable == "erased":
                raise InvalidPayload("its bytes were gone before it was decided")
            if entry.unreadable:
                raise InvalidPayload(entry.unreadable)
            found = Translation.of(self._channels.translate(raw))
            passing = next(filter(is_transient, found.mistakes), None)
            if passing is not None:
                raise passing
        except Exception as failure:
            if is_transient(failure):
                raise
            if isinstance(failure, InvalidPayload):
                return [], [_aside(place, failure.index or 0, raw.channel, "invalid", failure.reason, now)]
            reason = f"translating it failed: {type(failure).__name__}"
            return [], [_aside(place, 0, raw.channel, "invalid", reason, now)]
        received = raw.received_at
        arrivals = [Arrival(what=what, received_at=received, raw=place) for what in found]
        inside = self._inside if entry.position == self.position + 1 else 0
        todo = [(a, item) for a, item in zip(arrivals, found.items, strict=True) if item >= inside]
        return todo, [] if inside else _parts_aside(found, place, raw.channel, now)

    def _write(
        self,
        arrivals: Sequence[tuple[Arrival, int]],
        aside: Sequence[Aside],
        after: tuple[int, int],
        now: datetime,
        history: bool,
        *,
        trial: bool = False,
    ) -> list[Decision]:
        advance = Advance(
            partition=self.number,
            before=self.position,
            inside_before=self._inside,
            after=after[0],
            inside_after=after[1],
            fence=self.fence,
        )
        decisions = take_in(
            self._store, [a for a, _ in arrivals], now, advance=advance, aside=aside, history=history, trial=trial
        )
        if not trial:
            self.position, self._inside = after
        return decisions

    def _blamed(
        self, failure: Exception, arrivals: Sequence[tuple[Arrival, int]], now: datetime, history: bool, *, few: bool
    ) -> list[int]:
        """The arrivals that are to blame for a failure of all. While they are few the one that it names is asked first;
        one that fails only behind the others is to blame too."""
        named = [failure.index] if isinstance(failure, Undecidable) else []
        if named and few and self._culprits(arrivals, named, now, history):
            return named
        found = self._culprits(arrivals, range(len(arrivals)), now, history)
        if named and not found:
            self._probe(now, history)
            return named
        return found

    def _culprits(
        self, arrivals: Sequence[tuple[Arrival, int]], among: Sequence[int], now: datetime, history: bool
    ) -> list[int]:
        """The arrivals that cannot be decided even without the others, found by halving in transactions rolled back.
        Raises what fails for every message: then none of them is to blame."""
        if not among:
            return []
        with self._store.database.one_connection():
            try:
                here = self.position, self._inside
                self._write([arrivals[i] for i in among], [], here, now, history, trial=True)
                return []
            except Exception as failure:
                if is_transient(failure):
                    raise
            if len(among) == 1:
                self._probe(now, history)
                return list(among)
        half = len(among) // 2
        return self._culprits(arrivals, among[:half], now, history) + self._culprits(
            arrivals, among[half:], now, history
        )

    def _probe(self, now: datetime, history: bool) -> None:
        """Decide a message that harms nobody, and roll it back. Raises what keeps the ledger from working."""
        here = self.position, self._inside
        self._write([(Arrival(what=_GREETING, received_at=now), 0)], [], here, now, history, trial=True)

    def _bury(
        self, arrivals: Sequence[tuple[Arrival, int]], dead: Sequence[int], cause: Exception, aside: list[Aside],
        now: datetime,
    ) -> list[tuple[Arrival, int]]:  # fmt: skip
        reason = f"it cannot be decided: {_reason(cause)}"
        for index in dead:
            arrival, item = arrivals[index]
            assert arrival.raw is not None  # noqa: S101  (it came from the log)
            aside.append(_aside(arrival.raw, item, arrival.what.channel, "dead", reason, now))
        gone = set(dead)
        return [pair for i, pair in enumerate(arrivals) if i not in gone]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Hold the collector of cyclic garbage back for a batch: what a batch makes is of use until it ends."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _parts_aside(found: Translation, raw: tuple[int, int], channel: str, now: datetime) -> list[Aside]:
    """The parts of a raw that gave no message: what cannot be read, and what has to be fetched."""
    invalid = [_aside(raw, one.index or 0, channel, "invalid", one.reason, now) for one in found.mistakes]
    return invalid + [_aside(raw, one.index, channel, ANNOUNCED, TO_FETCH, now) for one in found.announced]


def _aside(raw: tuple[int, int], item: int, channel: str, kind: str, reason: str, at: datetime) -> Aside:
    return Aside(raw=raw, item=item, channel=channel, kind=kind, reason=reason, at=at)


def _reason(cause: Exception) -> str:
    """Words for a person. Only our own errors speak: another's text may quote the message."""
    from router.errors import OmnirouterError

    return str(cause) if isinstance(cause, OmnirouterError) else type(cause).__name__
