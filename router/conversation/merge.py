"""What do two conversations become when a person merges them, and what each of them when they part again?

In: the states before, what happened to each while they were one, when, the policy. Out: the states after, with their
clocks. Each part stands as if they had never been one: what happened meanwhile is folded into what it was before, an
end that a person set into both, a reply only into the part whose customer got it (rules: follow-ups, 12). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from msgspec.structs import replace

from router.conversation.acts import attributes, reply_given, reply_id, status_set, ticked
from router.conversation.after_message import CHASING
from router.conversation.arrival import came, unanswered
from router.conversation.transitions import as_busy, brought_back, busier, united, waiting_from
from router.conversation.transitions import asked as open_again
from router.deadlines import fold
from router.deadlines.clocks import ClockEvent, Clocks, Unanswered
from router.deadlines.promise import REPLY_METRICS
from router.deadlines.transitions import short_id
from router.match import fingerprint
from router.model import Conversation, Handle, MessageClass, Status
from router.policy.values import Policy
from router.value import Value

__all__ = [
    "Act", "Asked", "Happened", "Joined", "Outcome", "Part", "Stays", "merged", "parted", "shrunk", "told",
    "unanswered",
]  # fmt: skip


class Stays(Value, frozen=True, kw_only=True):
    """What the messages of a conversation say of it. `asked`: those that want an answer, oldest first."""

    channels: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()
    participants: tuple[Handle, ...] = ()
    messages: int = 0
    asked: tuple[Unanswered, ...] = ()
    first_message_at: datetime | None = None
    last_message_at: datetime | None = None
    last_in_at: datetime | None = None


class Act(Value, frozen=True, kw_only=True):
    """What the desk did at `at`: set the status `to`, or (None) answered the customer with `text`, by the `reply` of
    this number (0: elsewhere)."""

    at: datetime
    to: Status | None = None
    text: str = ""
    automatic: bool = False
    reply: int = 0


class Outcome(Value, frozen=True, kw_only=True):
    """A reply of the desk was seen to be `state` at `at`."""

    at: datetime
    reply: int
    state: str


class Asked(Value, frozen=True, kw_only=True):
    """A message of the customer, seen at `at`, that wants an answer."""

    at: datetime
    message: Unanswered
    class_: MessageClass


class Joined(Value, frozen=True, kw_only=True):
    """Another conversation was merged in at `at`, and still is."""

    at: datetime
    gone: Conversation


Happened: TypeAlias = Act | Outcome | Asked | Joined


class Part(Value, frozen=True, kw_only=True):
    """One of two that were one: what it was before, what happened to it since in order, what its messages say, the
    facts of its contact."""

    before: Conversation
    happened: tuple[Happened, ...] = ()
    stays: Stays
    contact: Mapping[str, Any] = {}


def told(type_: str, c: Conversation, contact: Mapping[str, Any], at: datetime, **more: Any) -> ClockEvent:
    """An event for the clocks of a conversation, with the facts that its promises read now."""
    promise = "none" if "spam" in c.flags else c.deadline_policy
    return ClockEvent(type=type_, at=at, attrs=attributes(c, contact), deadline=promise, **more)


def merged(
    into: Conversation, gone: Conversation, contact: Mapping[str, Any], now: datetime, policy: Policy
) -> tuple[Conversation, Conversation]:
    """Both after `gone` was merged into the other: one goes on with all that waits, the other stands still."""
    one = _united(into, gone)
    one = ticked(one, told("merge_in", one, contact, now, unanswered=unanswered(gone)), policy)
    status = busier(into, gone)
    if status is not into.status or fold.from_json(one.clocks).status != status:
        one = ticked(as_busy(one, status), ClockEvent(type="status", at=now, to=status.value), policy)
    still = ticked(replace(gone, merged_into=into.number), ClockEvent(type="merged_into", at=now), policy)
    return one, replace(still, next_due=None, next_wake_at=None)


def _united(into: Conversation, gone: Conversation) -> Conversation:
    return replace(
        united(into, gone),
        opened_at=min(into.opened_at, gone.opened_at),
        matter=fingerprint.united(into.matter, gone.matter),
        last_message_at=max(into.last_message_at, gone.last_message_at),
        last_in_at=_latest(into.last_in_at, gone.last_in_at),
        last_out_at=_latest(into.last_out_at, gone.last_out_at),
        messages=into.messages + gone.messages,
        priority=max(into.priority, gone.priority),
        tags=_union(into.tags, gone.tags),
        flags=_union(into.flags, gone.flags),
        channels=_union(into.channels, gone.channels),
        threads=_union(into.threads, gone.threads),
        participants=_union(into.participants, gone.participants),
        copied=_union(into.copied, gone.copied),
        proposed=_less(_union(into.proposed, gone.proposed), (*into.copied, *gone.copied), ()),
    )


def parted(
    c: Conversation, mine: Part, theirs: Part, now: datetime, policy: Policy, *, untouched: bool
) -> tuple[Conversation, Conversation]:
    """Both after they part: `c` is the merged one now, `mine` the part that goes on under its number; `untouched` says
    that nothing at all happened to it. Versions and contacts of what stands in the ledger are the caller's."""
    back = _alone(theirs, c, now, policy)
    return mine.before if untouched else _rest(c, mine, back, now, policy), back


def _alone(part: Part, c: Conversation, now: datetime, policy: Policy) -> Conversation:
    """The part that was absorbed: what it was, what happened to it since, and what only its later messages have."""
    lived, stays = _own(_lived(part, policy), part, now, policy), part.stays
    return replace(
        lived,
        messages=stays.messages,
        last_message_at=stays.last_message_at or part.before.last_message_at,
        last_in_at=stays.last_in_at,
        channels=_union(lived.channels, _shared(c.channels, stays.channels)),
        threads=_union(lived.threads, _shared(c.threads, stays.threads)),
        participants=_union(lived.participants, _shared(c.participants, stays.participants)),
    )


def _rest(c: Conversation, mine: Part, back: Conversation, now: datetime, policy: Policy) -> Conversation:
    """The part that goes on: who waits and by when as if it had been alone, all else as it is without the other."""
    into, lived = mine.before, _lived(mine, policy)
    left = replace(
        brought_back(c, lived, c.chases - back.chases),
        opened_at=max(into.opened_at, mine.stays.first_message_at or into.opened_at),
        messages=mine.stays.messages,
        matter=lived.matter if all(isinstance(what, Act) for what in mine.happened) else c.matter,
        priority=into.priority if c.priority == max(into.priority, back.priority) else c.priority,
        tags=_less(c.tags, back.tags, into.tags),
        flags=_less(c.flags, back.flags, into.flags),
        clocks=fold.to_json(_as_told(fold.from_json(lived.clocks), fold.from_json(c.clocks))),
    )
    left = shrunk(left, mine.stays, back, into)
    return _own(ticked(left, told("set", left, mine.contact, now), policy), mine, now, policy)


def _own(c: Conversation, part: Part, now: datetime, policy: Policy) -> Conversation:
    """A part that waits for no message but its own."""
    asked = part.stays.asked
    ids = _promised(c) - {short_id(one.id) for one in asked}
    if ids:
        c = ticked(c, told("split_out", c, part.contact, now, ids=tuple(sorted(ids)), unanswered=asked[:1]), policy)
    if c.waiting_since is None or any(one.at == c.waiting_since for one in asked):
        return c
    return waiting_from(c, min((one.at for one in unanswered(c)), default=None))


def _promised(c: Conversation) -> set[str]:
    """The messages that its clocks hold."""
    runs = fold.from_json(c.clocks).runs
    held = [run for run in runs if run.metric == "resolution" or (not run.state and run.metric in REPLY_METRICS)]
    return {pledge.id for run in held for pledge in run.pledges}


def _lived(part: Part, policy: Policy) -> Conversation:
    """What a part was, with what happened to it since folded in."""
    c = part.before
    for what in part.happened:
        if isinstance(what, Joined):
            c, _ = merged(c, what.gone, part.contact, what.at, policy)
        elif isinstance(what, Asked):
            c = _asked(c, what, part.contact, policy)
        elif isinstance(what, Outcome):
            c = came(c, what.reply, what.state, what.at, policy).conversation
        elif what.to is None:
            own, state = (reply_id(what.reply), "pending") if what.reply else ("", "")
            c = reply_given(
                c, what.at, what.text, policy, automatic=what.automatic, event_id=own, state=state
            )  # fmt: skip
        else:
            c = status_set(c, what.to, what.at, policy)
    return c


def _asked(c: Conversation, asked: Asked, contact: Mapping[str, Any], policy: Policy) -> Conversation:
    one = asked.message
    after = open_again(c, one.at, chases=asked.class_ in CHASING)
    event = told(
        "customer_message", after, contact, min(one.at, asked.at), seen_at=asked.at, id=one.id, facts=one.facts,
        window=one.window,
    )  # fmt: skip
    return ticked(after, event, policy)


def _as_told(clocks: Clocks, one: Clocks) -> Clocks:
    """A part's clocks, which know what was fired and told while they were one: it is not told again."""
    told_of = {(entry.metric, entry.cycle, entry.due) for entry in one.log if entry.told}
    fired = {(run.metric, run.cycle, run.lead.due): run.fired for run in one.runs if run.lead is not None}
    return replace(
        clocks,
        log=tuple(
            replace(entry, told=entry.told or (entry.metric, entry.cycle, entry.due) in told_of)
            for entry in clocks.log
        ),
        runs=tuple(
            run if run.lead is None
            else replace(run, fired=run.fired | fired.get((run.metric, run.cycle, run.lead.due), 0))
            for run in clocks.runs
        ),
        moves=_union(clocks.moves, one.moves),
    )  # fmt: skip


def shrunk(c: Conversation, stays: Stays, gone: Conversation, kept: Conversation) -> Conversation:
    """The conversation without the channels, threads and people that only what leaves had."""
    return replace(
        c,
        last_message_at=stays.last_message_at or kept.last_message_at,
        last_in_at=stays.last_in_at,
        channels=_less(c.channels, gone.channels, (*kept.channels, *stays.channels)),
        threads=_less(c.threads, gone.threads, (*kept.threads, *stays.threads)),
        participants=_less(c.participants, gone.participants, (*kept.participants, *stays.participants)),
        copied=_less(c.copied, gone.copied, kept.copied),
        proposed=_union(_less(c.proposed, gone.proposed, kept.proposed), kept.proposed),
    )


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _shared(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(what for what in one if what in other)


def _union(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _less(all_of: tuple[Any, ...], leaving: tuple[Any, ...], kept: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(one for one in all_of if one in kept or one not in leaving)
