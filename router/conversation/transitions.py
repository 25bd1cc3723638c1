"""How does what a conversation is waiting for change: its status, holder, queue, waiting since and chases?

The only place that replaces these five. In: the conversation, what happened. Out: the conversation after it; clocks are
moved on by the caller (`router.conversation.acts`). One that has ended has no holder and nobody waits in it, whoever
ended it. Pure.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from router.model import Conversation, Routing, Status

__all__ = [
    "ENDED", "as_busy", "asked", "brought_back", "busier", "chased", "handed_on", "held", "moved",
    "reopened", "routed", "split_off", "unheld", "united", "waiting_from", "with_status",
]  # fmt: skip

ENDED = (Status.SOLVED, Status.CLOSED)
#: What a merged conversation is: as busy as the busier of the two.
_BUSY = (Status.OPEN, Status.PENDING, Status.ON_HOLD, Status.SOLVED, Status.CLOSED)


def with_status(c: Conversation, to: Status, at: datetime) -> Conversation:
    """A status was set at `at`. An end lets go of the holder and of a pinned queue, and nobody waits any more."""
    ended = to in ENDED
    return replace(
        c,
        status=to,
        solved_at=at if ended and c.status not in ENDED else c.solved_at,
        closed_at=at if to is Status.CLOSED else c.closed_at,
        waiting_since=None if ended else c.waiting_since,
        pinned=c.pinned and not ended,
        holder="" if ended else c.holder,
    )


def asked(c: Conversation, at: datetime, *, chases: bool = False) -> Conversation:
    """The customer wants an answer since `at`: it is open, and waits since the oldest that has none."""
    since = at if c.waiting_since is None else min(at, c.waiting_since)
    return replace(c, status=Status.OPEN, waiting_since=since, chases=c.chases + chases)


def reopened(c: Conversation) -> Conversation:
    """What was answered, or ended, is to be worked on again."""
    return replace(c, status=Status.OPEN)


def waiting_from(c: Conversation, at: datetime | None) -> Conversation:
    """The oldest message without an answer is of `at`; None: all are answered."""
    return replace(c, waiting_since=at)


def chased(c: Conversation, times: int) -> Conversation:
    """It was chased so many times in all; never fewer than none."""
    return replace(c, chases=max(0, times))


def held(c: Conversation, agent: str) -> Conversation:
    """An agent works on it, so nobody else answers it."""
    return replace(c, holder=agent)


def unheld(c: Conversation) -> Conversation:
    """Nobody works on it: somebody else may take it."""
    return replace(c, holder="")


def moved(c: Conversation, queue: str) -> Conversation:
    """A person put it into a queue: it stays there until it ends, whatever the rules say."""
    return replace(c, queue=queue, pinned=True, holder="")


def handed_on(c: Conversation, queue: str) -> Conversation:
    """It goes to another queue, without a holder; an empty name leaves it where it is."""
    return replace(c, queue=queue or c.queue, holder="")


def routed(c: Conversation, routing: Routing) -> Conversation:
    """The rules say whose it is, how urgent, and by which promise."""
    return replace(
        c,
        queue=routing.queue,
        priority=routing.priority,
        rule=routing.rule,
        deadline_policy=routing.deadline,
        tags=tuple(dict.fromkeys((*c.tags, *routing.tags))),
    )


def united(into: Conversation, gone: Conversation) -> Conversation:
    """Who waits and how often was chased, of both together; the status follows with `busier`."""
    waits = (at for at in (into.waiting_since, gone.waiting_since) if at is not None)
    return replace(into, waiting_since=min(waits, default=None), chases=into.chases + gone.chases)


def busier(into: Conversation, gone: Conversation) -> Status:
    """The status that two have together."""
    return min(into.status, gone.status, key=_BUSY.index)


def as_busy(c: Conversation, status: Status) -> Conversation:
    """The status of two that are one now; the times at which either ended are theirs."""
    return replace(c, status=status, holder="" if status in ENDED else c.holder)


def brought_back(c: Conversation, lived: Conversation, chases: int) -> Conversation:
    """What goes on after a merge was undone, as it would stand alone: `lived` is what it would be by itself."""
    return replace(
        c,
        status=lived.status,
        waiting_since=lived.waiting_since,
        last_out_at=lived.last_out_at,
        solved_at=lived.solved_at,
        closed_at=lived.closed_at,
        chases=max(0, chases),
        holder="" if lived.status in ENDED else c.holder,
    )


def split_off(c: Conversation, waiting_since: datetime | None, chases: int) -> Conversation:
    """What messages that leave a conversation begin with: open, held by nobody, in no queue by hand."""
    return replace(
        c, status=Status.OPEN, solved_at=None, closed_at=None, waiting_since=waiting_since, chases=chases, holder="",
        pinned=False,
    )  # fmt: skip
