"""In which values are a conversation's clocks kept and told?

In: `ClockEvent`, what happened in a conversation. Kept: `Clocks`, small enough to be stored as JSON with the
conversation. Out: `Clock` (a row for people and exports), `Breach` (an entry of the log), `Firing` (what is due now).
Inside `Clocks` instants are whole microseconds since 1970-01-01 UTC; everywhere else they are aware datetimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from router.deadlines.promise import Promises, Step
from router.value import Value

__all__ = [
    "Breach", "Clock", "ClockEvent", "Clocks", "Firing", "Past", "Pledge", "Run", "Unanswered", "from_json", "to_json",
]  # fmt: skip


class Unanswered(Value, frozen=True, kw_only=True):
    """A customer message that waits for an answer and changes its conversation: `at` is its own time, `facts` are
    those of the message (channel, channel_kind, business_open), `window` the provider's reply window in seconds."""

    id: str
    at: datetime
    facts: Mapping[str, Any] = {}
    window: int = 0


class ClockEvent(Value, frozen=True, kw_only=True):
    """What happened to a conversation at `at` and became known to the desk at `seen_at` (None: at once).

    Types and what they need: `customer_message` (facts, window), `agent_reply` (a human's public one; `to` is how far
    it has come where that can still change, with an id; `ids`: messages of others, which it leaves unanswered),
    `reply_state` (ids: the reply's; `to`: how far it has come now, of `router.reply_states`; unanswered: what waits
    again, where the clocks cannot know it), `auto_reply`, `internal_note`, `status` (to), `set` (attrs, deadline),
    `policies` and `schedule` (the promises given are new), `merge_in` and `split_in` (unanswered), `merged_into`,
    `split_out` (ids of the messages that leave; unanswered: the first that stays).
    `id` makes it idempotent; `seq` breaks ties. `attrs` are facts of the conversation (issue type, priority, flags,
    contact.tier …) that a policy may read, `deadline` the policy its rule asks for first; None leaves both as they
    are. They may come with any event, so that one event a message is enough. `replied_at` (`split_in`): when a human
    last answered while the conversations were one. `promises` replaces the promises from here on (a fold's only).
    """

    type: str
    at: datetime
    seen_at: datetime | None = None
    seq: int = 0
    id: str = ""
    facts: Mapping[str, Any] = {}
    window: int = 0
    to: str = ""
    attrs: Mapping[str, Any] | None = None
    deadline: str | None = None
    unanswered: tuple[Unanswered, ...] | None = None
    ids: tuple[str, ...] = ()
    replied_at: datetime | None = None
    promises: Promises | None = None


class Pledge(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What one message (or the conversation) was promised: `policy` is empty where nothing was, or where an earlier
    message was promised the same; `due` is None then, and while it is paused.

    `pauses` are [from, to) pairs; `paused` is the start of the present pause, else None. `window`: a provider's, in
    seconds.
    """

    id: str
    at: int
    due: int | None = None
    policy: str = ""
    facts: dict[str, Any] = {}
    pauses: tuple[tuple[int, int], ...] = ()
    paused: int | None = None
    window: int = 0


class Run(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One clock: a metric in its n-th cycle with its pledges, the earliest of which is its deadline.

    `state` is empty while it is open. `version` counts its deadlines, `fired` is a bit set of what fired for this one
    (1: warning, 2 << n: step n), `breached` says that the present deadline's breach is in the log.
    """

    metric: str
    cycle: int
    pledges: tuple[Pledge, ...]
    state: str = ""
    end: int | None = None
    breached: bool = False
    version: int = 1
    fired: int = 0

    @property
    def lead(self) -> Pledge | None:
        """The pledge whose deadline is the clock's; while all are paused the first; None if nothing was promised."""
        found: Pledge | None = None
        for pledge in self.pledges:
            if pledge.policy and (
                found is None or (pledge.due is not None and (found.due is None or pledge.due < found.due))
            ):
                found = pledge
        return found

    @property
    def start(self) -> int:
        """The time of the oldest message that it holds."""
        return min(pledge.at for pledge in self.pledges)


class Past(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """An event as it is kept while a reply before it may still turn out not to have arrived; `waiting` are its
    unanswered messages."""

    type: str
    at: int
    seen: int
    id: str = ""
    to: str = ""
    facts: dict[str, Any] = {}
    window: int = 0
    attrs: dict[str, Any] | None = None
    deadline: str | None = None
    waiting: tuple[Pledge, ...] | None = None
    ids: tuple[str, ...] = ()
    replied: int | None = None


class Breach(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """An entry of the append-only log: `at` is when it was one, `told` whether it went out as a firing."""

    metric: str
    cycle: int
    at: int
    due: int
    policy: str = ""
    version: str = ""
    told: bool = False


_SHORT = {
    "status": "s", "runs": "r", "log": "b", "attrs": "a", "deadline": "d", "replied": "h", "seen": "t", "ids": "i",
    "gone": "g", "version": "v", "moves": "m", "before": "u", "since": "e", "replies": "o",
}  # fmt: skip


class Clocks(msgspec.Struct, frozen=True, omit_defaults=True, rename=_SHORT):
    """All clocks of a conversation, open and ended, as they stand after its last event, known at `seen`.

    `attrs` and `deadline` are what policies were chosen by, `replied` says that the desk has answered before, `ids` are
    the last events' (for idempotency), `gone` that it was absorbed, `moves` the queues that ladders moved it to.
    While a reply may still turn out not to have arrived, `before` are the clocks before the first such one, `since`
    what happened from it on, and `replies` how far each of them has come.
    """

    status: str = "open"
    runs: tuple[Run, ...] = ()
    log: tuple[Breach, ...] = ()
    attrs: dict[str, Any] = {}
    deadline: str = ""
    replied: bool = False
    seen: int | None = None
    ids: tuple[str, ...] = ()
    gone: bool = False
    version: str = ""
    moves: tuple[str, ...] = ()
    before: Clocks | None = None
    since: tuple[Past, ...] = ()
    replies: dict[str, str] = {}

    @classmethod
    def empty(cls) -> Clocks:
        """Nothing has happened yet."""
        return _EMPTY


_EMPTY = Clocks()


class Clock(Value, frozen=True, kw_only=True):
    """A clock as people see it at some instant. `due_at` is None while paused; `paused_seconds` are wall seconds.

    `state`: running, paused, breached (open and past due), met, late, cancelled, moved. `warn_at` and `steps_at` (step
    number, instant) are given for running and breached clocks only. `provisional`: it reaches into a year whose
    official holidays are not known yet.
    """

    metric: str
    cycle: int
    started_at: datetime
    due_at: datetime | None
    state: str
    ended_at: datetime | None = None
    policy: str = ""
    schedule: str = ""
    paused_seconds: int = 0
    breached_at: datetime | None = None
    provisional: bool = False
    warn_at: datetime | None = None
    steps_at: tuple[tuple[int, datetime], ...] = ()


class Firing(Value, frozen=True, kw_only=True):
    """Something due now: a `breach` for the log, a `warning`, or a `step` of a ladder.

    `at` is when it was due; `late` marks one that an outage held up. `key` is unique for the conversation: record it in
    the transaction of the outbox row, and it happens once. `index` is the number of the step in its ladder.
    `wall_seconds` and `business_seconds` tell how late the answer is, up to now or to the end of the clock.
    """

    kind: Literal["breach", "warning", "step"]
    metric: str
    cycle: int
    at: datetime
    due_at: datetime
    key: str
    policy: str = ""
    policy_version: str = ""
    late: bool = False
    index: int = -1
    step: Step | None = None
    ladder: str = ""
    wall_seconds: int = 0
    business_seconds: int = 0


def to_json(clocks: Clocks) -> dict[str, Any]:
    """Plain JSON values of these clocks, kept short: facts are written once, trailing defaults left out."""
    return _short(msgspec.to_builtins(clocks))


def _short(plain: dict[str, Any]) -> dict[str, Any]:
    table: list[dict[str, Any]] = []
    for run in plain.get("r", ()):
        for pledge in run[2]:
            facts = pledge[_FACTS]
            if facts not in table:
                table.append(facts)
            pledge[_FACTS] = table.index(facts)
            _trim(pledge, _PLEDGE_DEFAULTS)
        _trim(run, _RUN_DEFAULTS)
    if table:
        plain["f"] = table
    for past in plain.get("e", ()):
        _trim(past, _PAST_DEFAULTS)
    if "u" in plain:
        plain["u"] = _short(plain["u"])
    return plain


def from_json(mapping: Mapping[str, Any]) -> Clocks:
    """The clocks of these JSON values; an empty mapping is no clocks yet."""
    return msgspec.convert(_full(mapping), Clocks) if mapping else _EMPTY


def _full(mapping: Mapping[str, Any]) -> dict[str, Any]:
    table = mapping.get("f", ())
    runs = []
    for metric, cycle, pledges, *rest in mapping.get("r", ()):
        found = [
            (*p[:_FACTS], table[p[_FACTS]], *p[_FACTS + 1 :]) if len(p) > _FACTS else (*p, *_FILL[len(p) :], table[0])
            for p in pledges
        ]
        runs.append((metric, cycle, found, *rest))
    before = {"u": _full(mapping["u"])} if "u" in mapping else {}
    return {**mapping, "r": runs, **before}


#: Where the facts stand in a pledge, and what its places and those of a run hold by default.
_FACTS = Pledge.__struct_fields__.index("facts")
_PLEDGE_DEFAULTS: tuple[Any, ...] = ("", 0, None, "", 0, (), None, 0)
_RUN_DEFAULTS: tuple[Any, ...] = ("", 0, (), "", None, False, 1, 0)
_PAST_DEFAULTS: tuple[Any, ...] = ("", 0, 0, "", "", {}, 0, None, None, None, (), None)
_FILL = _PLEDGE_DEFAULTS[:_FACTS]


def _trim(row: list[Any], defaults: tuple[Any, ...]) -> None:
    """Leave out the end of a row that says nothing."""
    while len(row) > 2 and row[-1] == defaults[len(row) - 1]:
        row.pop()
