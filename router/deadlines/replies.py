"""What was it that happened since a reply of which nobody knows yet whether it arrives, and what if it did not?

In: clocks, the event that becomes known. Kept: the clocks before the first such reply and what happened since (`Past`),
so that all of it can be folded again without the reply. Out: the clocks with both put together: what is in the log of
breaches stays, what returns has its old deadline, cycle and firings (rules: deadlines, 7a and 19).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from router.deadlines.calendar import instant, microseconds
from router.deadlines.clocks import Breach, ClockEvent, Clocks, Past, Pledge, Run, Unanswered
from router.deadlines.promise import Promises
from router.deadlines.transitions import short_id
from router.reply_states import ARRIVED, UNDER_WAY, UNDONE, follows

__all__ = ["awaited", "event_of", "noted", "past_of", "put_together", "settled_first", "turns"]


def noted(clocks: Clocks, after: Clocks, event: ClockEvent, promises: Promises) -> Clocks:
    """The clocks after an event, with the event kept where a reply before it, or it itself, may yet not arrive."""
    begins = event.type == "agent_reply" and event.to and event.id
    if not clocks.since and not begins:
        return after
    replies = {**clocks.replies, short_id(event.id): event.to} if begins else clocks.replies
    before, past = clocks.before if clocks.since else clocks, past_of(event, promises)
    since = clocks.since if _adds_nothing(past, clocks.since) else (*clocks.since, past)
    return replace(after, before=before, since=since, replies=replies)


def _adds_nothing(past: Past, since: tuple[Past, ...]) -> bool:
    """Would it change no deadline to leave this event out, now that many are kept? A message like the one before it is
    promised nothing of its own, a note ends nothing."""
    if len(since) < _MOST:
        return False
    if past.type == "internal_note":
        return past.attrs is None and past.deadline is None
    if past.type != "customer_message":
        return False
    last = since[-1]
    return replace(past, id=last.id, at=min(past.at, last.at), seen=last.seen) == last


def turns(before: str, after: str) -> bool:
    """Does a reply that was `before` count otherwise, now that it is `after`? Or is it sure now that it did not
    arrive, which until then nobody knew?"""
    return after in UNDONE or before in UNDONE


def settled_first(clocks: Clocks) -> int:
    """How many of the events kept go with the first reply: when its state is final, or when many are kept and another
    reply, which stands, has answered too; else 0. One that may be all that was answered is kept far longer."""
    if not clocks.since:
        return 0
    later = [place for place, past in enumerate(clocks.since) if place and _is_open(clocks, past)]
    if _is_open(clocks, clocks.since[0]):
        standing = any(clocks.replies.get(clocks.since[place].id) in ARRIVED for place in later)
        if len(clocks.since) <= (_MOST if standing else _MOST_ALONE):
            return 0
    return next(iter(later), len(clocks.since))


#: Events that are kept for the sake of a reply, once another one stands after it; and while none does.
_MOST, _MOST_ALONE = 64, 512


def _is_open(clocks: Clocks, past: Past) -> bool:
    """Is this a reply whose state may still change for the worse?"""
    return past.type == "agent_reply" and follows(clocks.replies.get(past.id, ""), "bounced")


def awaited(clocks: Clocks) -> frozenset[int]:
    """When the replies were written that are still on their way."""
    return frozenset(past.at for past in clocks.since if clocks.replies.get(past.id) in UNDER_WAY)


def past_of(event: ClockEvent, promises: Promises) -> Past:
    """An event as it is kept; of its facts those that some policy reads."""
    seen = microseconds(event.seen_at or event.at)
    return Past(
        type=event.type, at=min(microseconds(event.at), seen), seen=seen, id=short_id(event.id), to=event.to,
        facts=_read(event.facts, promises), window=event.window,
        attrs=None if event.attrs is None else _read(event.attrs, promises), deadline=event.deadline,
        waiting=None if event.unanswered is None else tuple(
            Pledge(short_id(one.id), microseconds(one.at), facts=_read(one.facts, promises), window=one.window)
            for one in event.unanswered
        ),
        ids=tuple(map(short_id, event.ids)),
        replied=None if event.replied_at is None else microseconds(event.replied_at),
    )  # fmt: skip


def event_of(past: Past) -> ClockEvent:
    """The event of which this was kept."""
    waiting = None if past.waiting is None else tuple(
        Unanswered(id=one.id, at=instant(one.at), facts=one.facts, window=one.window) for one in past.waiting
    )  # fmt: skip
    return ClockEvent(
        type=past.type, at=instant(past.at), seen_at=instant(past.seen), id=past.id, facts=past.facts,
        window=past.window, to=past.to, attrs=past.attrs, deadline=past.deadline, unanswered=waiting, ids=past.ids,
        replied_at=_instant(past.replied),
    )  # fmt: skip


def _instant(at: int | None) -> datetime | None:
    return None if at is None else instant(at)


def _read(facts: Any, promises: Promises) -> dict[str, Any]:
    wanted = promises.fields
    return {name: value for name, value in facts.items() if wanted is None or name in wanted or name == "channel"}


def put_together(present: Clocks, replayed: Clocks, promises: Promises) -> Clocks:
    """The clocks as they stand (`present`, with all logged that was overdue until now), and what happened folded again
    with what is known now (`replayed`): deadlines and ends are the latter's; cycles, firings and the log go on."""
    now = present.seen or 0
    runs = list(_runs(present, replayed, now))
    log = list(present.log)
    logged = {(entry.metric, entry.cycle, entry.due) for entry in log}
    for place, run in enumerate(runs):
        lead = run.lead
        due = None if lead is None else lead.due
        late = run.state == "late" or (not run.state and due is not None and due < now)
        if late and lead is not None and due is not None and (run.metric, run.cycle, due) not in logged:
            log.append(Breach(run.metric, run.cycle, now, due, lead.policy, promises.version))
        runs[place] = replace(run, breached=late and not run.state)
    return replace(
        replayed, runs=tuple(runs), log=tuple(log), seen=now, ids=present.ids, gone=present.gone, moves=present.moves
    )


def _runs(present: Clocks, replayed: Clocks, now: int) -> Iterator[Run]:
    """The clocks of the fold under the cycles that they had; one that it no longer knows has moved into another."""
    left = dict(_numbered(replayed.runs))
    for key, run in _numbered(present.runs):
        fresh = left.pop(key, None)
        if fresh is not None:
            yield _continued(run, fresh)
        else:
            yield run if run.state == "moved" else replace(run, state="moved", end=run.end or now)
    cycles = Counter(run.metric for run in present.runs)
    for fresh in left.values():
        cycles[fresh.metric] += 1
        yield replace(fresh, cycle=cycles[fresh.metric])


def _numbered(runs: tuple[Run, ...]) -> Iterator[tuple[tuple[str, int, int], Run]]:
    """Each clock by its metric, its start, and a number where several share both."""
    seen = Counter[tuple[str, int]]()
    for run in runs:
        seen[run.metric, run.start] += 1
        yield (run.metric, run.start, seen[run.metric, run.start]), run


def _continued(run: Run, fresh: Run) -> Run:
    if run.state not in ("", "moved") and fresh.state and run.end == fresh.end:
        return run
    same = _deadline(run) == _deadline(fresh)
    version = max(run.version, fresh.version)
    fired = run.fired | fresh.fired if same else 0
    return replace(fresh, cycle=run.cycle, version=version if same else version + 1, fired=fired)


def _deadline(run: Run) -> tuple[str, int | None] | None:
    lead = run.lead
    return None if lead is None else (lead.policy, lead.due)
