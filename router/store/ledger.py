"""How is a batch decided exactly once? `Store.decide`: snapshot, decisions, effects and cursor in one transaction.

The one concrete store of the ledger: open it on an address, decide batches, act for the desk (router.store.desk),
read pages (router.store.read.queries). All methods are plain functions that block: callers keep them off the event
loop.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy import bindparam, exists, literal, select, update

from router.decision.decide import Delivered, Prepared, decide_prepared, redelivery
from router.errors import ConfigurationError, LostOwnership, OmnirouterError, Undecidable
from router.events import MessageArrivedAgain, Told
from router.known import Known
from router.match import incident, reply_address, thread
from router.match.dedupe import renamed
from router.model import Decision, DeskEvent, Key, Message, Redelivery
from router.policy.values import Policy
from router.seal import Sealer, create_key, load_key
from router.store import delivery, recorded, recorded_identity, schema
from router.store import tables as t
from router.store.bell import Bell
from router.store.database import Database
from router.store.load import EVER, MissedLock, Span, Wants, load, spans
from router.store.read_in import Arrival, Came, read_in, read_on
from router.store.statement import Statement, Tx, insert
from router.store.tables import micros
from router.store.transient import is_transient, raced, short_of
from router.store.write import Effects, LostUpdate, reserve
from router.text.secrets.redact import redact

__all__ = ["Advance", "Arrival", "Aside", "Store", "Undecidable"]

_T = TypeVar("_T")
_TRIES = 8
_BLOCK = 500
#: Seconds after which a transaction that is busy deciding lets the server hear of it: one that is silent is cut.
_SILENCE = 2.0

_advance = Statement(
    update(t.positions)
    .where(
        t.positions.c.partition == bindparam("number"),
        t.positions.c.position == bindparam("before"),
        t.positions.c.inside == bindparam("inside_before"),
        exists(
            select(t.leases.c.duty).where(t.leases.c.duty == bindparam("duty"), t.leases.c.fence == bindparam("token"))
        ),
    )
    .values(position=bindparam("after"), inside=bindparam("inside_after"), attempts=0, attempt_position=0)
)
_put_aside = insert(t.set_aside, unless_there=True)
_erased = Statement(select(t.tombstones.c.digest).where(t.tombstones.c.digest == bindparam("key_digest")))
_any_sealed = Statement(select(t.raw_keys.c.partition).limit(1))
_alive = Statement(select(literal(1)))
_any_erased = Statement(select(t.tombstones.c.digest).limit(1))


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """A raw (or one part of it) that is set aside: `invalid` could not be translated, `dead` not be decided,
    `announced` came without its content, which is to be fetched."""

    raw: tuple[int, int]
    item: int
    channel: str
    kind: str
    reason: str
    at: datetime
    attempts: int = 1


class Advance(msgspec.Struct, frozen=True, kw_only=True):
    """Move a partition's cursor from `before` to `after`, under the lease's fencing token.

    `inside_before` and `inside_after` are indices within the raw behind each: its parts below are decided already.
    """

    partition: int
    before: int
    after: int
    fence: int
    inside_before: int = 0
    inside_after: int = 0


class Store:
    """The ledger. `receivers` maps an event type to the addresses that are told of it (from the policy)."""

    def __init__(self, database: Database, policy: Policy, sealer: Sealer | None = None) -> None:
        self.database = database
        self.policy = policy
        database.default_waits = {queue.name: queue.default_wait for queue in policy.queues.values()}
        self._sealer = sealer
        self._sealer_lock = threading.Lock()
        self.bell = Bell(database)
        self._numbers = (0, 0)
        self._numbers_lock = threading.Lock()

    @property
    def sealer(self) -> Sealer:
        """What seals and opens raws. Its key is read when first asked for: who only looks at the ledger needs none.

        Raises `ConfigurationError` when the key is away.
        """
        with self._sealer_lock:
            if self._sealer is None:
                self._sealer = _sealer(self.policy, self.database)
            return self._sealer

    @cached_property
    def reply_keys(self) -> Mapping[int, bytes]:
        """The keys that sign reply addresses, by their number."""
        return {1: self.sealer.derive("reply address")}

    @classmethod
    def open(cls, policy: Policy, *, url: str | None = None, create: bool = False, make: bool = True) -> Store:
        """Open the ledger; a fresh SQLite file is created, unless `make` is False. Raises `Unreachable`,
        `SchemaMismatch`, `ConfigurationError`, and `NotFound` for a file that is not there and not to be made."""
        database = Database.of(policy, url, make=make)
        database.require_folder()
        if not make:
            database.require()
        schema.ensure(database, partitions=policy.partitions, create=create)
        return cls(database, policy)

    def decide(
        self,
        arrivals: Sequence[Arrival],
        now: datetime,
        *,
        advance: Advance | None = None,
        aside: Sequence[Aside] = (),
        history: bool = False,
        trial: bool = False,
    ) -> list[Decision]:
        """Decide a batch, in order, in one transaction with its effects and the partition's cursor; safe to repeat.

        `now` is the desk's clock; for recorded history it is not before each message's own time. `aside` are raws that
        are set aside in the same transaction; a `trial` is rolled back. Raises `LostOwnership` when the cursor or lease
        moved meanwhile, `Undecidable` for one arrival; after any error nothing of the batch was written.
        """
        prepared = read_in(arrivals, self.database, self.policy)

        def work(tx: Tx) -> list[Decision]:
            decisions, effects = self._decide(tx, prepared, now, history)
            tx.many(_put_aside, [_aside_row(a) for a in recorded_identity.unlisted(tx, aside)])
            if advance is not None and not trial:
                self._move(tx, advance)
            for one in effects:
                one.write_events(tx, now, self.receivers)
            if trial:
                raise _RolledBack
            self.bell.ring_in(tx, "outbox")
            return decisions

        self._stock(2 * len(prepared))  # each message, and perhaps an acknowledgement
        try:
            return self.again(work)
        except _RolledBack:
            return []

    def _decide(
        self, tx: Tx, arrivals: list[Came], now: datetime, history: bool
    ) -> tuple[list[Decision], list[Effects]]:
        """The decisions, with their state written and their events not."""
        number = self.reserve_numbers(tx, len(arrivals))
        told = [a.what for a, _ in arrivals if isinstance(a.what, DeskEvent)]
        wants = self._wants(arrivals, now) | recorded.wants(tx, [e for e in told if e.event != "delivery"])
        receipts = [e for e in told if e.event == "delivery"]
        wants |= delivery.wants(tx, receipts) if receipts else Wants()
        known = load(tx, wants, number)
        effects = Effects(known, history=history)
        erased = self._erased_keys(tx, wants)
        decisions: list[Decision] = []
        heard = time.monotonic()
        for index, (arrival, prepared) in enumerate(arrivals):
            if time.monotonic() - heard > _SILENCE:
                tx.one(_alive)
                heard = time.monotonic()
            if isinstance(prepared, Delivered) and prepared.message.key not in erased:
                again = redelivery(prepared, known)
                if again is None:  # it was, and is gone
                    arrivals[index] = read_on(index, arrival, prepared, self.policy)
                    raise LostUpdate
                self._take(arrival, again, known, effects)
                decisions.append(again)
                continue
            try:
                if isinstance(arrival.what, DeskEvent) and arrival.what.event == "delivery":
                    decisions.append(delivery.apply(tx, arrival.what, known, effects, self.policy, now))
                    continue
                decision = self._decide_one(arrival, prepared, known, now, history, erased)
            except Exception as cause:
                raise Undecidable(index, cause) from cause
            self._take(arrival, decision, known, effects)
            decisions.append(decision)
        effects.write_state(tx, now)
        if not self.policy.acknowledgement.enabled or history:
            return decisions, [effects]
        from router.store.automatic import acknowledge  # it builds on the store

        return decisions, [effects, *acknowledge(tx, self, decisions, now)]

    def _decide_one(
        self, arrival: Arrival, prepared: Prepared | Delivered | None, known: Known, now: datetime, history: bool,
        erased: set[Key],
    ) -> Decision:  # fmt: skip
        what = arrival.what
        clock = max(now, what.sent_at if isinstance(what, Message) else what.at) if history else now
        if isinstance(what, DeskEvent):
            return recorded.apply(what, known, self.policy, clock)
        if what.key in erased:
            return Redelivery(key=what.key, number=0, conversation=0, channel=what.channel)
        assert isinstance(prepared, Prepared)  # noqa: S101  (every message was prepared)
        claim = reply_address.proved(what, self.reply_keys, clock) if reply_address.tokens_of(what) else None
        return decide_prepared(prepared, known, self.policy, clock, claim=claim)

    def _take(self, arrival: Arrival, decision: Decision, known: Known, effects: Effects) -> None:
        if isinstance(decision, Redelivery):
            effects.redeliver(decision)
            conversation = known.conversation(decision.conversation)
            if conversation is not None and decision.channel not in conversation.channels:
                widened = msgspec.structs.replace(conversation, channels=(*conversation.channels, decision.channel))
                known.put(widened)
                effects.change(widened)
                effects.tell(
                    Told(
                        at=arrival.received_at, event=MessageArrivedAgain(channel=decision.channel),
                        conversation=widened.number, message=decision.number,
                    )
                )  # fmt: skip
            return
        known.absorb(decision.message, decision)
        effects.place(decision, arrival.raw)

    def receivers(self, type_: str) -> tuple[str, ...]:
        """The addresses that the policy tells of events of this type."""
        return tuple(target.url for target in self.policy.events if not target.types or type_ in target.types)

    def again(self, work: Callable[[Tx], _T]) -> _T:
        """Run a whole transaction; once more when another node was faster, the connection broke or a deadlock was
        cut."""
        for attempt in range(_TRIES):
            try:
                with self.database.write() as tx:
                    done = work(tx)
            except (LostUpdate, MissedLock):
                if attempt == _TRIES - 1:
                    raise
                continue
            except Exception as failure:
                if attempt == _TRIES - 1 or not _worth_another(failure):
                    raise
                continue
            self.bell.ring()
            return done
        raise AssertionError("unreachable")

    def reserve_numbers(self, tx: Tx, n: int) -> int:
        """`n` fresh numbers in a row. On PostgreSQL they come from blocks, so that nodes never wait for each other."""
        if self.database.dialect == "sqlite":
            return reserve(tx, "number", n)
        with self._numbers_lock:
            self._fill(n)
            low, high = self._numbers
            self._numbers = (low + n, high)
            return low

    def _wants(self, arrivals: Sequence[Came], now: datetime) -> Wants:
        messages = [p for _, p in arrivals if isinstance(p, Prepared)]
        again = [p for _, p in arrivals if isinstance(p, Delivered)]
        keys = self.reply_keys
        claims = [(p.message, claim) for p in messages if (claim := reply_address.proved(p.message, keys, now))]
        claimed = frozenset(claim.conversation for _, claim in claims)
        bounced = frozenset(claim.conversation for message, claim in claims if message.bounce is not None)
        return _wants(messages, claimed, bounced, now, self.policy) | Wants(
            keys=frozenset(p.message.key for p in again),
            renamed=frozenset(renamed(p.message, p.digest).key for p in again),
        )

    def _stock(self, n: int) -> None:
        """Have so many numbers at hand before a transaction begins: one that waits for a second connection while it
        holds its own is what a small pool of them cannot bear."""
        if self.database.dialect != "sqlite":
            with self._numbers_lock:
                self._fill(n)

    def _fill(self, n: int) -> None:
        low, high = self._numbers
        if high - low < n:
            size = max(n, _BLOCK)
            with self.database.write() as own:
                low = reserve(own, "number", size)
            self._numbers = (low, low + size)

    def _erased_keys(self, tx: Tx, wants: Wants) -> set[Key]:
        if tx.one(_any_erased) is None:
            return set()
        return {key for key in wants.keys if tx.one(_erased, key_digest=recorded.tombstone(key)) is not None}

    def _move(self, tx: Tx, advance: Advance) -> None:
        moved = tx.run(
            _advance,
            number=advance.partition,
            before=advance.before,
            after=advance.after,
            inside_before=advance.inside_before,
            inside_after=advance.inside_after,
            duty=f"partition:{advance.partition}",
            token=advance.fence,
        )
        if moved != 1:
            raise LostOwnership(f"Another node decides partition {advance.partition} now.")

    def close(self) -> None:
        """Close the database. Safe to call twice."""
        self.database.close()


def _worth_another(failure: Exception) -> bool:
    """Can the same transaction succeed at once? Not where something is away or short: that takes time."""
    if isinstance(failure, (OmnirouterError, OSError, MemoryError)) or short_of(failure):
        return False
    return is_transient(failure) or raced(failure)


class _RolledBack(Exception):
    """The trial is over."""


def _aside_row(aside: Aside) -> dict[str, object]:
    return {
        "partition": aside.raw[0],
        "position": aside.raw[1],
        "item": aside.item,
        "channel": aside.channel,
        "kind": aside.kind,
        "reason": redact(aside.reason).text,
        "state": "open",
        "attempts": aside.attempts,
        "at": micros(aside.at),
    }


def _wants(
    messages: Sequence[Prepared], claimed: frozenset[int], replies: frozenset[int], now: datetime, policy: Policy
) -> Wants:
    return Wants(
        keys=frozenset(k for p in messages for k in (p.message.key, *thread.parents(p.message), *_edited(p.message))),
        renamed=frozenset(renamed(p.message, p.digest).key for p in messages),
        threads=frozenset(k for p in messages for k in thread.keys(p.message)),
        handles=frozenset(h for p in messages for h in p.handles),
        markers=spans((k, _span(k, p.message.sent_at, policy)) for p in messages for k in p.markers),
        conversations=claimed,
        replies=replies,
        fragments=any(p.pieces for p in messages),
        since=min((p.message.sent_at for p in messages), default=now),
    )


def _span(key: str, at: datetime, policy: Policy) -> Span:
    """The time in which others left this marker that counts for a message of this time."""
    within = incident.reach(key, policy.follow_ups)
    if within is None:
        return EVER
    around = within // timedelta(microseconds=1)
    return micros(at) - around, micros(at) + around


def _edited(message: Message) -> Sequence[tuple[str, str]]:
    return (message.key_of(message.edits),) if message.edits else ()


def _sealer(policy: Policy, database: Database) -> Sealer:
    """The sealer of the deployment's key. An SQLite desk without a configured key makes one beside its database."""
    if policy.privacy.key is not None:
        return Sealer(load_key(policy.privacy.key))
    if database.dialect != "sqlite":
        raise ConfigurationError(
            'privacy.key: PostgreSQL needs a key that all nodes share; write key = "file:omnirouter.key" under '
            "[privacy] and make the file with: omnirouter init"
        )
    if database.path is None:
        return Sealer(os.urandom(32))
    path = database.path.absolute().parent / "omnirouter.key"
    if database.place is not None and not path.exists():
        path = database.place.parent / "omnirouter.key"  # the file was named by a link
    if not path.exists() or not path.stat().st_size:
        with _alone_in(path.parent):
            if not path.exists():
                _make_key(path, database)
    return Sealer(load_key(path))


def _make_key(path: Path, database: Database) -> None:
    with database.read() as tx:
        sealed = tx.one(_any_sealed)
    if sealed is not None:
        raise ConfigurationError(f"The key {path} is away, and raws are sealed with it: restore it from its copy.")
    create_key(path)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One process at a time: nobody reads a key that another is writing."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
