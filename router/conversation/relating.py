"""What do two conversations become when a person merges them, and what each of them when they part again?

In: the states before, what stays where, when, the policy. Out: the states after, with their clocks. Parting gives back
what was merged as it was, with what happened meanwhile folded in: a reply or an end while they were one counts for
both, a message that came meanwhile stays with the conversation that went on (rules: deadlines, 15). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from router.conversation.acts import ENDED, attributes, reply_given, status_set, ticked
from router.deadlines import deadline
from router.deadlines.calendar import instant
from router.deadlines.clocks import ClockEvent, Unanswered
from router.follow_ups import memory
from router.model import Conversation, Handle, Status, Value
from router.policy import Policy

__all__ = ["Act", "Stays", "merged", "parted", "shrunk", "told", "unanswered"]

#: What a merged conversation is: as busy as the busier of the two.
_BUSY = (Status.OPEN, Status.PENDING, Status.ON_HOLD, Status.SOLVED, Status.CLOSED)


class Stays(Value, frozen=True, kw_only=True):
    """What the messages that stay with a conversation say of it."""

    channels: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()
    participants: tuple[Handle, ...] = ()
    last_message_at: datetime | None = None
    last_in_at: datetime | None = None


class Act(Value, frozen=True, kw_only=True):
    """What a person of the desk did at `at`: set the status `to`, or (None) answered the customer."""

    at: datetime
    to: Status | None = None


def told(type_: str, c: Conversation, contact: Mapping[str, Any], at: datetime, **more: Any) -> ClockEvent:
    """An event for the clocks of a conversation, with the facts that its promises read now."""
    promise = "none" if "spam" in c.flags else c.deadline_policy
    return ClockEvent(type=type_, at=at, attrs=attributes(c, contact), deadline=promise, **more)


def unanswered(c: Conversation) -> tuple[Unanswered, ...]:
    """The customer messages that wait for an answer in this conversation, with their own times."""
    found: dict[str, Unanswered] = {}
    windows: dict[str, int] = {}
    for run in deadline.from_json(c.clocks).runs:
        for pledge in () if run.state else run.pledges:
            if run.metric in ("first_reply", "next_reply"):
                found[pledge.id] = Unanswered(id=pledge.id, at=instant(pledge.at), facts=pledge.facts)
            elif run.metric == "reply_window":
                windows[pledge.id] = pledge.window
    return tuple(replace(one, window=windows.get(one.id, 0)) for one in sorted(found.values(), key=lambda u: u.at))


def merged(
    into: Conversation, gone: Conversation, contact: Mapping[str, Any], now: datetime, policy: Policy
) -> tuple[Conversation, Conversation]:
    """Both after `gone` was merged into the other: one goes on with all that waits, the other stands still."""
    one = _united(into, gone)
    one = ticked(one, told("merge_in", one, contact, now, unanswered=unanswered(gone)), policy)
    status = _status(into, gone)
    if status is not into.status or deadline.from_json(one.clocks).status != status:
        one = ticked(replace(one, status=status), ClockEvent(type="status", at=now, to=status.value), policy)
    still = ticked(replace(gone, merged_into=into.number), ClockEvent(type="merged_into", at=now), policy)
    return one, replace(still, next_due=None, next_wake_at=None)


def _united(into: Conversation, gone: Conversation) -> Conversation:
    return replace(
        into,
        opened_at=min(into.opened_at, gone.opened_at),
        matter=memory.united(into.matter, gone.matter),
        last_message_at=max(into.last_message_at, gone.last_message_at),
        last_in_at=_latest(into.last_in_at, gone.last_in_at),
        last_out_at=_latest(into.last_out_at, gone.last_out_at),
        waiting_since=min((at for at in (into.waiting_since, gone.waiting_since) if at is not None), default=None),
        chases=into.chases + gone.chases,
        messages=into.messages + gone.messages,
        priority=max(into.priority, gone.priority),
        tags=_union(into.tags, gone.tags),
        flags=_union(into.flags, gone.flags),
        channels=_union(into.channels, gone.channels),
        threads=_union(into.threads, gone.threads),
        participants=_union(into.participants, gone.participants),
    )


def parted(
    c: Conversation, into: Conversation, gone: Conversation, acts: Sequence[Act], stays: Stays,
    contact: Mapping[str, Any], now: datetime, policy: Policy, *, untouched: bool,
) -> tuple[Conversation, Conversation]:  # fmt: skip
    """Both after they part: `c` is the merged one now, `into` and `gone` the two as they were before, `acts` what the
    desk did while they were one; `untouched` says that nothing at all happened. Versions and contacts of what stands
    in the ledger are the caller's."""
    back = gone
    for act in acts:
        if act.to is None:
            back = reply_given(back, act.at, "", policy)
        else:
            back = status_set(back, act.to, act.at, policy)
    return into if untouched else _rest(c, into, gone, acts, stays, contact, now, policy), back


def _rest(
    c: Conversation, into: Conversation, gone: Conversation, acts: Sequence[Act], stays: Stays,
    contact: Mapping[str, Any], now: datetime, policy: Policy,
) -> Conversation:  # fmt: skip
    left = replace(
        c,
        opened_at=into.opened_at,
        chases=max(0, c.chases - gone.chases),
        messages=max(0, c.messages - gone.messages),
        last_out_at=_latest(into.last_out_at, max((act.at for act in acts if act.to is None), default=None)),
        priority=into.priority if c.priority == max(into.priority, gone.priority) else c.priority,
        tags=_less(c.tags, gone.tags, into.tags),
        flags=_less(c.flags, gone.flags, into.flags),
    )
    left = shrunk(left, stays, gone, into)
    ids = tuple(one.id for one in unanswered(gone))
    left = ticked(left, told("split_out", left, contact, now, ids=ids), policy)
    waits = [one.at for one in unanswered(left)]
    answered = any(act.to is None or act.to in ENDED for act in acts)
    if into.waiting_since is not None and not answered:
        waits.append(into.waiting_since)
    left = replace(left, waiting_since=min(waits, default=None) if c.waiting_since is not None else None)
    moved = any(act.to is not None for act in acts) or left.last_in_at != into.last_in_at
    if moved or c.status is into.status or c.status is not _status(into, gone):
        return left
    back = status_set(left, into.status, now, policy)
    return replace(back, solved_at=into.solved_at, closed_at=into.closed_at, pinned=left.pinned)


def shrunk(c: Conversation, stays: Stays, gone: Conversation, kept: Conversation) -> Conversation:
    """The conversation without the channels, threads and participants that only what leaves had."""
    return replace(
        c,
        last_message_at=stays.last_message_at or kept.last_message_at,
        last_in_at=_latest(stays.last_in_at, None),
        channels=_less(c.channels, gone.channels, (*kept.channels, *stays.channels)),
        threads=_less(c.threads, gone.threads, (*kept.threads, *stays.threads)),
        participants=_less(c.participants, gone.participants, (*kept.participants, *stays.participants)),
    )


def _status(into: Conversation, gone: Conversation) -> Status:
    return min(into.status, gone.status, key=_BUSY.index)


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _union(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _less(all_of: tuple[Any, ...], leaving: tuple[Any, ...], kept: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(one for one in all_of if one in kept or one not in leaving)
