"""By when must the desk answer? The clocks of a conversation are a pure fold over what happened in it.

In: the clocks so far, an event, the promises of the configuration. Out: the clocks after it. `advance` is the step of
the fold, cheap enough for every message; `fold` takes all events in any order, with repetitions. What the clocks say
at an instant, and what is to be done about it, is told by `router.deadlines.due`, whose functions are importable
from here too. Rules: deadlines, 6 to 19.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from router.deadlines.calendar import microseconds
from router.deadlines.clocks import Breach, Clock, ClockEvent, Clocks, Firing, Past, Unanswered, from_json, to_json
from router.deadlines.due import breaches_at, clocks_at, firings, next_due, next_wake
from router.deadlines.promise import REPLY_METRICS, DeadlinePolicy, Ladder, Promises, Step, Target
from router.deadlines.replies import event_of, noted, past_of, put_together, settled_first, turns
from router.deadlines.transitions import Draft, short_id
from router.reply_states import UNDONE, follows

__all__ = [
    "Breach", "Clock", "ClockEvent", "Clocks", "DeadlinePolicy", "Firing", "Ladder", "Promises", "Step", "Target",
    "Unanswered", "advance", "breaches_at", "clocks_at", "firings", "fold", "from_json", "next_due", "next_wake",
    "to_json",
]  # fmt: skip

#: Statuses that end the work on a conversation.
ENDED = ("solved", "closed")


def fold(events: Iterable[ClockEvent], promises: Promises, until: datetime | None = None) -> Clocks:
    """The clocks after all these events, in any order and with repetitions.

    Events fold by (seen_at, seq); of those with one id only the first counts. Events seen after `until` are left out.
    """
    clocks, known = Clocks.empty(), set[str]()
    for event in in_order(events, until):
        if event.id and event.id in known:
            continue
        known.add(event.id)
        if event.promises is not None:
            promises = event.promises
        clocks = advance(clocks, event, promises)
    return clocks


def in_order(events: Iterable[ClockEvent], until: datetime | None = None) -> list[ClockEvent]:
    """The events in the order in which the desk saw them, those seen after `until` left out. Raises NaiveDatetime."""
    last = None if until is None else microseconds(until)
    keyed = [(microseconds(event.seen_at or event.at), event.seq, event) for event in events]
    keyed.sort(key=lambda one: one[:2])
    return [event for seen, _, event in keyed if last is None or seen <= last]


def advance(clocks: Clocks, event: ClockEvent, promises: Promises) -> Clocks:
    """The clocks after one more event.

    An event whose id is among the last ones has no effect. An event that was seen before the last one counts as seen
    with it, and none has happened after it was seen, or more than ten years before. Clocks of another configuration
    version are re-targeted first.
    Raises NaiveDatetime, and NoOpenTime if the promises are strict.
    """
    short = short_id(event.id)
    if short and short in clocks.ids:
        return clocks
    if event.type == "reply_state":
        return _reply_came_to(clocks, event, promises)
    return _shortened(noted(clocks, _step(clocks, event, promises), event, promises), promises)


def _reply_came_to(clocks: Clocks, event: ClockEvent, promises: Promises) -> Clocks:
    """A reply has come further. One that has not arrived answers nothing: what happened is folded again without it."""
    reply = short_id(event.ids[0])
    was = clocks.replies.get(reply)
    if was is None:  # of another conversation that was merged in, or too long ago
        return noted(clocks, _step(clocks, event, promises), event, promises) if event.to in UNDONE else clocks
    if not follows(was, event.to):
        return clocks
    replies = {**clocks.replies, reply: event.to}
    if not turns(was, event.to):
        return _shortened(replace(clocks, replies=replies), promises)
    present = _step(clocks, replace(event, type=""), promises)
    since = (*clocks.since, past_of(event, promises))
    after = put_together(present, _replayed(clocks.before or clocks, since, replies, promises), promises)
    return _shortened(replace(after, before=clocks.before, since=since, replies=replies), promises)


def _replayed(clocks: Clocks, since: Iterable[Past], replies: Mapping[str, str], promises: Promises) -> Clocks:
    """The clocks after all that happened since, without the replies that did not arrive.

    Who solved a conversation because of such a reply, before that was known, has cancelled no promise.
    """
    unheard = set[str]()
    for past in since:
        event = event_of(past)
        if past.type == "agent_reply":
            if replies.get(past.id) in UNDONE:
                unheard.add(past.id)
                continue
            unheard.clear()
        elif past.type == "reply_state":
            if past.to not in UNDONE:
                unheard.update(reply for reply in past.ids if replies.get(reply) in UNDONE)
                continue
            if past.to != "unknown":
                unheard.difference_update(past.ids)
        elif past.type == "status" and past.to in ENDED and unheard:
            event = replace(event, type="ended_unheard")
        clocks = _step(clocks, event, promises)
    return clocks


def _shortened(clocks: Clocks, promises: Promises) -> Clocks:
    """The clocks without what is kept for replies that are settled for good."""
    while done := settled_first(clocks):
        before = _replayed(clocks.before or clocks, clocks.since[:done], clocks.replies, promises)
        since = clocks.since[done:]
        if not since:
            return replace(clocks, before=None, since=(), replies={})
        left = {past.id for past in since}
        replies = {reply: state for reply, state in clocks.replies.items() if reply in left}
        clocks = replace(clocks, before=before, since=since, replies=replies)
    return clocks


def _step(clocks: Clocks, event: ClockEvent, promises: Promises) -> Clocks:
    """The clocks after one more event, whatever becomes of the replies before it."""
    short = short_id(event.id)
    if short and short in clocks.ids:
        return clocks
    at = microseconds(event.at)
    seen = at if event.seen_at is None else microseconds(event.seen_at)
    draft = Draft(clocks, promises, seen)
    at = draft.within(at)
    draft.remember(short)
    if not draft.gone:
        draft.log_overdue()
        draft.learn(event.attrs, event.deadline)
        act = _ACTS.get(event.type)
        if act is not None:
            act(draft, event, at)
        draft.log_overdue(known_now=True)
    elif event.type == "split_in":
        _give_back(draft, event)
        draft.log_overdue(known_now=True)
    return draft.clocks()


def _customer_message(draft: Draft, event: ClockEvent, at: int) -> None:
    _ask(draft, Unanswered(id=event.id, at=event.at, facts=event.facts, window=event.window), at)


def _ask(draft: Draft, message: Unanswered, at: int) -> None:
    """A customer message wants an answer: it opens what was set aside, and a clock that waits holds it too."""
    if draft.status != "open":
        _set_status(draft, "open", at)
    facts, short = draft.pruned(message.facts), short_id(message.id)
    draft.pledge("next_reply" if draft.replied else "first_reply", short, at, facts)
    if not any(run.metric == "resolution" for run in draft.runs):
        draft.pledge("resolution", short, at, facts)
    if message.window:
        draft.pledge("reply_window", short, at, facts, message.window)


def _agent_reply(draft: Draft, event: ClockEvent, at: int) -> None:
    facts: Mapping[str, Any] = event.facts
    others = {short_id(one) for one in event.ids}
    for place, run in draft.open_runs():
        if run.metric in REPLY_METRICS or run.metric == "update":
            answered = [p for p in run.pledges if p.id not in others or run.metric == "update"]
            if answered:
                facts = facts or answered[-1].facts
                draft.end_in_part(place, at, others if len(answered) < len(run.pledges) else ())
    draft.replied = True
    if draft.status not in ENDED:
        facts = facts or next((run.pledges[0].facts for run in draft.runs if run.metric == "resolution"), {})
        draft.pledge("update", short_id(event.id), at, draft.pruned(facts))


def _auto_reply(draft: Draft, event: ClockEvent, at: int) -> None:
    for place, run in draft.open_runs():
        lead = run.lead
        policy = draft.promises.policy(lead.policy) if lead is not None else None
        if policy is not None and run.metric in policy.auto_reply_counts:
            draft.end(place, at, "met")
            draft.replied = draft.replied or run.metric in REPLY_METRICS


def _status(draft: Draft, event: ClockEvent, at: int) -> None:
    if event.to != draft.status:
        _set_status(draft, event.to, at)


def _ended_unheard(draft: Draft, event: ClockEvent, at: int) -> None:
    """It was solved because of an answer that did not arrive: the work ends, what was promised still is."""
    before, draft.status = draft.status, event.to
    for place, run in draft.open_runs() if before not in ENDED else ():
        if run.metric == "resolution":
            draft.end(place, at, "met")


def _reply_state(draft: Draft, event: ClockEvent, at: int) -> None:
    """A reply did not arrive: whoever waits for it is the desk's to do again."""
    if draft.status != "open":
        _set_status(draft, "open", at)
    _merge_in(draft, event, at)


def _set_status(draft: Draft, status: str, at: int) -> None:
    """Solving ends or cancels the open clocks, reopening resumes resolution, a status that a policy lists pauses."""
    before, draft.status = draft.status, status
    if status in ENDED:
        if before not in ENDED:
            for place, run in draft.open_runs():
                draft.end(place, at, "met" if run.metric == "resolution" else "cancelled")
        return
    if before in ENDED:
        draft.resume_resolution(at)
    draft.pause_by_status(at)


def _new_promises(draft: Draft, event: ClockEvent, at: int) -> None:
    draft.retarget()


def _merge_in(draft: Draft, event: ClockEvent, at: int) -> None:
    for message in event.unanswered or ():
        short = short_id(message.id)
        if short not in draft.ids:
            draft.remember(short)
            _ask(draft, message, draft.within(microseconds(message.at)))


def _merged_into(draft: Draft, event: ClockEvent, at: int) -> None:
    for place, run in draft.open_runs():
        draft.runs[place] = replace(run, state="moved", end=at)
    draft.gone = True


def _split_out(draft: Draft, event: ClockEvent, at: int) -> None:
    """Messages leave for another conversation: their promises go with them, a clock that held no others is moved.
    Resolution counts from the first message that stays (`unanswered`), where it is told."""
    leaving = {short_id(one) for one in event.ids}
    for first in (event.unanswered or ())[:1]:
        _resolve_from(draft, first, leaving)
    draft.ids = [known for known in draft.ids if known not in leaving]
    for place, run in draft.open_runs():
        if run.metric in REPLY_METRICS:
            left = tuple(p for p in run.pledges if p.id not in leaving)
            if not left:
                draft.runs[place] = replace(run, state="moved", end=at)
            elif len(left) < len(run.pledges):
                draft.aim(place, left)


def _resolve_from(draft: Draft, first: Unanswered, leaving: set[str]) -> None:
    for place, run in enumerate(draft.runs):
        if run.metric == "resolution" and run.pledges[0].id in leaving:
            at, facts = draft.within(microseconds(first.at)), draft.pruned(first.facts)
            pledge = replace(run.pledges[0], id=short_id(first.id), at=at, facts=facts)
            draft.runs[place] = replace(run, pledges=(pledge,))
            if not run.state:
                draft.aim(place, (pledge,))


def _give_back(draft: Draft, event: ClockEvent) -> None:
    """An absorbed conversation stands alone again: its clocks run on from their old starts, for what nobody answered
    meanwhile (`unanswered` None: for all of it)."""
    draft.gone = False
    waiting = None if event.unanswered is None else {short_id(message.id) for message in event.unanswered}
    for place, run in enumerate(draft.runs):
        if run.state != "moved":
            continue
        draft.runs[place] = run = replace(run, state="", end=None)
        if waiting is None or run.metric not in REPLY_METRICS:
            continue
        left = tuple(p for p in run.pledges if p.id in waiting)
        if left:
            draft.aim(place, left)
        elif event.replied_at is not None:
            draft.end(place, microseconds(event.replied_at), "met")
        else:
            draft.end(place, draft.now, "cancelled")
    draft.replied = draft.replied or event.replied_at is not None
    draft.retarget()
    _merge_in(draft, event, draft.now)


_ACTS = {
    "customer_message": _customer_message,
    "agent_reply": _agent_reply,
    "auto_reply": _auto_reply,
    "status": _status,
    "ended_unheard": _ended_unheard,
    "reply_state": _reply_state,
    "policies": _new_promises,
    "schedule": _new_promises,
    "merge_in": _merge_in,
    "split_in": _merge_in,
    "merged_into": _merged_into,
    "split_out": _split_out,
}
