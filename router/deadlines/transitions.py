"""How do the clocks of a conversation change? The moves of the fold, on a copy that is still being written.

In: frozen `Clocks`, the promises and the instant at which an event was seen. Then the moves: pledge, end, pause, aim
anew, log what is overdue. Out: frozen `Clocks` again. All instants are whole microseconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from msgspec.structs import replace

from router.deadlines.calendar import SEARCH_DAYS
from router.deadlines.clocks import Breach, Clocks, Pledge, Run
from router.deadlines.hours import DAY
from router.deadlines.promise import NOTHING, PROVIDER, DeadlinePolicy, Promises, Target
from router.deadlines.span import target_end
from router.deadlines.zone import SECOND
from router.errors import NoOpenTime

__all__ = ["Draft", "short_id"]

#: How many ids are remembered for idempotency, and how many unanswered messages a clock holds.
_IDS, _PLEDGES = 32, 32
#: Ids up to this length are kept as they are, longer ones (Message-IDs) as a digest of sixteen characters.
_SHORT = 16


class Draft:
    """Clocks that are being changed by one event, seen at `now`."""

    __slots__ = (
        "attrs", "deadline", "gone", "ids", "log", "moves", "now", "promises", "replied", "runs", "status", "version",
    )  # fmt: skip

    def __init__(self, clocks: Clocks, promises: Promises, seen: int) -> None:
        self.promises = promises
        self.now = seen if clocks.seen is None or seen > clocks.seen else clocks.seen
        self.status = clocks.status
        self.runs = list(clocks.runs)
        self.log = list(clocks.log)
        self.attrs = clocks.attrs
        self.deadline = clocks.deadline
        self.replied = clocks.replied
        self.ids = list(clocks.ids)
        self.gone = clocks.gone
        self.moves = clocks.moves
        self.version = clocks.version

    def clocks(self) -> Clocks:
        """The clocks as they stand now."""
        return Clocks(
            status=self.status,
            runs=tuple(self.runs),
            log=tuple(self.log),
            attrs=self.attrs,
            deadline=self.deadline,
            replied=self.replied,
            seen=self.now,
            ids=tuple(self.ids[-_IDS:]),
            gone=self.gone,
            version=self.promises.edition,
            moves=self.moves,
        )

    def within(self, at: int) -> int:
        """When something happened: not after it was seen, and not so long before that counting would take for ever."""
        return max(min(at, self.now), self.now - SEARCH_DAYS * DAY * SECOND)

    def remember(self, short: str) -> None:
        """The event of this (short) id has had its effect."""
        if short:
            self.ids.append(short)

    def open_runs(self) -> list[tuple[int, Run]]:
        """The clocks that have not ended, with their places."""
        return [(place, run) for place, run in enumerate(self.runs) if not run.state]

    def pruned(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The facts of a message that some policy reads, and its channel."""
        fields = self.promises.fields
        return {k: _plain(v) for k, v in facts.items() if fields is None or k in fields or k == "channel"}

    def log_overdue(self, *, known_now: bool = False) -> None:
        """Log the open clocks that are past their deadline and not in the log yet: at the deadline, or now if it only
        became known with this event. A clock whose deadline moved out of the past may be logged again."""
        for place, run in enumerate(self.runs):
            if run.state:
                continue
            lead = run.lead
            due = None if lead is None else lead.due
            if lead is not None and due is not None and due < self.now:
                if not run.breached:
                    at = self.now if known_now else due
                    self.log.append(Breach(run.metric, run.cycle, at, due, lead.policy, self.promises.version))
                    self.runs[place] = replace(run, breached=True)
            elif run.breached:
                self.runs[place] = replace(run, breached=False)

    def learn(self, attrs: Mapping[str, Any] | None, deadline: str | None) -> None:
        """Take over what is known of the conversation; what changed (or a new configuration) re-targets its clocks."""
        changed = self.version != self.promises.edition
        if attrs is not None:
            wanted = self.pruned(attrs)
            if any(self.attrs.get(key) != value for key, value in wanted.items()):
                self.attrs = {k: v for k, v in {**self.attrs, **wanted}.items() if v is not None}
                changed = True
        if deadline is not None and deadline != self.deadline:
            self.deadline, changed = deadline, True
        if changed and self.runs:
            self.retarget()

    def retarget(self) -> None:
        """Aim all open clocks anew: same starts and pauses, present policies, targets and schedules (rule 13)."""
        for place, run in self.open_runs():
            self.aim(place, run.pledges)

    def aim(self, place: int, pledges: tuple[Pledge, ...]) -> None:
        """Give an open clock these pledges, with what is promised for them now. Another deadline is another version."""
        run, renewed = self.runs[place], list[Pledge]()
        for pledge in pledges:
            renewed.append(self._promised(run.metric, pledge, renewed))
        following = replace(run, pledges=tuple(renewed))
        if _deadline(following) != _deadline(run):
            following = replace(following, version=run.version + 1, fired=0)
        self.runs[place] = following

    def pledge(self, metric: str, message: str, at: int, facts: dict[str, Any], window: int = 0) -> None:
        """Promise a message something: with the open clock of the metric, or a new one in its next cycle."""
        fresh = Pledge(message, at, facts=facts, window=window)
        cycle = 1
        for place, run in enumerate(self.runs):
            if run.metric == metric:
                if not run.state:
                    self._add(place, run, fresh)
                    return
                cycle += 1
        self.runs.append(Run(metric, cycle, (self._promised(metric, fresh, ()),)))

    def end(self, place: int, at: int, verdict: str) -> None:
        """End a clock: `verdict` if its deadline was kept, else late. One row is left of it."""
        run = self.runs[place]
        lead = run.lead
        state = "late" if lead is not None and lead.due is not None and at > lead.due else verdict
        kept = run.pledges
        if run.metric != "resolution":
            one = lead or run.pledges[0]
            kept = (replace(one, id="", at=run.start, facts={}),)
        self.runs[place] = replace(run, pledges=kept, state=state, end=at)

    def end_in_part(self, place: int, at: int, waiting: Collection[str]) -> None:
        """End a clock for what was answered; the messages of these ids wait on, with the promises that they have. The
        deadline that the clock had stays with whose it is, so it is never counted twice."""
        run = self.runs[place]
        left = tuple(p for p in run.pledges if p.id in waiting)
        if not left:
            self.end(place, at, "met")
            return
        answered = tuple(p for p in run.pledges if p.id not in waiting)
        cycle = 1 + sum(one.metric == run.metric for one in self.runs)
        other = len(self.runs)
        goes_on, ends = (place, other) if run.lead in left else (other, place)
        self.runs.append(Run(run.metric, cycle, ()))
        self.runs[goes_on] = replace(self.runs[goes_on], pledges=left)
        self.runs[ends] = replace(self.runs[ends], pledges=answered)
        self.aim(goes_on, left)
        self.aim(ends, answered)
        self.end(ends, at, "met")

    def resume_resolution(self, at: int) -> None:
        """Reopened: resolution runs on, the time it was solved does not count."""
        for place, run in enumerate(self.runs):
            if run.metric == "resolution" and run.end is not None and run.state != "moved":
                since = run.end
                pledges = tuple(replace(p, paused=since) if p.paused is None else p for p in run.pledges)
                self.runs[place] = replace(run, pledges=pledges, state="", end=None)
                self._pause(place, max(at, since))
                self.aim(place, self.runs[place].pledges)

    def pause_by_status(self, at: int) -> None:
        """Pause and resume the open clocks as the present status asks."""
        for place, _ in self.open_runs():
            self._pause(place, at)

    def _pause(self, place: int, at: int) -> None:
        run = self.runs[place]
        pledges = tuple(self._paused(run.metric, pledge, at) for pledge in run.pledges)
        if pledges != run.pledges:
            self.runs[place] = replace(run, pledges=pledges)

    def _paused(self, metric: str, pledge: Pledge, at: int) -> Pledge:
        """The pledge after the status changed at `at`."""
        policy = self.promises.policy(pledge.policy) if pledge.policy and not pledge.window else None
        stops = policy is not None and self.status in policy.pause.get(metric, ())
        if stops == (pledge.paused is not None):
            return pledge
        if stops:
            pledge = replace(pledge, paused=max(at, pledge.at))
        else:
            since = pledge.paused or 0
            more = ((since, at),) if at > since else ()
            pledge = replace(pledge, pauses=pledge.pauses + more, paused=None)
        target = None if policy is None else policy.targets.get(metric)
        return pledge if policy is None or target is None else self._aimed(pledge, policy, target)

    def _add(self, place: int, run: Run, fresh: Pledge) -> None:
        """One more unanswered message: the earliest promise is the deadline, so it may tighten and never loosens."""
        if fresh.id and any(p.id == fresh.id for p in run.pledges):
            return
        if fresh.window:
            others = tuple(p for p in run.pledges if p.facts.get("channel") != fresh.facts.get("channel"))
            self.aim(place, (*others, fresh))
            return
        inherited = tuple((max(a, fresh.at), b) for a, b in run.pledges[0].pauses if b > fresh.at)
        promised = self._promised(run.metric, replace(fresh, pauses=inherited), run.pledges)
        if not promised.policy and len(run.pledges) >= _PLEDGES:
            return
        following = replace(run, pledges=(*run.pledges, promised))
        if _deadline(following) != _deadline(run):
            following = replace(following, version=run.version + 1, fired=0)
        self.runs[place] = following

    def _promised(self, metric: str, pledge: Pledge, earlier: tuple[Pledge, ...] | list[Pledge]) -> Pledge:
        """The pledge with what is promised for it now. A message like an earlier one is promised nothing of its own:
        its deadline could never be the first."""
        if pledge.window:
            return replace(pledge, policy=PROVIDER, due=pledge.at + pledge.window * SECOND)
        behind = any(p.at <= pledge.at and p.facts == pledge.facts for p in earlier)
        policy, target = (None, None) if behind else self._policy(metric, pledge.facts)
        if policy is None or target is None:
            return replace(pledge, policy="", due=None) if pledge.policy else pledge
        stops = self.status in policy.pause.get(metric, ())
        if stops and pledge.paused is None:
            pledge = replace(pledge, paused=max(self.now, pledge.at))
        elif not stops and pledge.paused is not None:
            more = ((pledge.paused, self.now),) if self.now > pledge.paused else ()
            pledge = replace(pledge, pauses=pledge.pauses + more, paused=None)
        return self._aimed(pledge, policy, target)

    def _policy(self, metric: str, facts: Mapping[str, Any]) -> tuple[DeadlinePolicy | None, Target | None]:
        """The policy that the conversation's rule asks for, where it names the metric, else the first that fits."""
        if self.deadline:
            if self.deadline == NOTHING:
                return None, None
            named = self.promises.policy(self.deadline)
            if named is not None and metric in named.targets:
                return named, named.targets[metric]
        policy = self.promises.fitting({**self.attrs, **facts} if self.attrs else facts)
        return policy, None if policy is None else policy.targets.get(metric)

    def _aimed(self, pledge: Pledge, policy: DeadlinePolicy, target: Target) -> Pledge:
        try:
            schedule = self.promises.schedule_of(policy, target)
            due = target_end(target, schedule, pledge.at, pledge.pauses, pledge.paused)
        except NoOpenTime:
            if self.promises.strict:
                raise
            return replace(pledge, policy="", due=None)
        return replace(pledge, policy=policy.name, due=due)


def short_id(event_id: str) -> str:
    """An event's id as it is kept with the clocks."""
    if len(event_id) <= _SHORT:
        return event_id
    return hashlib.blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=_SHORT // 2).hexdigest()


def _plain(fact: Any) -> Any:
    """A fact as it comes back from JSON, so that it compares equal."""
    if isinstance(fact, (set, frozenset)):
        return sorted(fact)
    return list(fact) if isinstance(fact, tuple) else fact


def _deadline(run: Run) -> tuple[str, str, int | None] | None:
    lead = run.lead
    return None if lead is None else (lead.id, lead.policy, lead.due)
