"""Which of the people who are there takes which conversation? Needs by steps, capacity, longest idle first.

In: agents as they are now (`Here`), conversations that wait, the policy. Out: the agent for a conversation, or the
conversation for an agent. A rule's `steps` narrow who may take what waits: each holds for a while, the last may hand
it to another queue. Pure: the store keeps presence and rotation (rules: deadlines, routing 7).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from router.model import Conversation, Status
from router.policy.values import AgentPolicy, Policy
from router.value import Value

__all__ = [
    "PRESENCES", "Here", "Wanted", "chosen", "first_for", "fits", "gone", "has_room", "kind_by", "load", "may_take",
    "on_shift", "passes_on", "wanted",
]  # fmt: skip

#: What an agent may say of himself: takes work; finishes what he holds; is gone, and what he holds is released.
PRESENCES = ("present", "away", "absent")
_SKILL = re.compile(r"\s*([\w-]{1,64})\s*(?:(>=|<=|==?|>|<)\s*(-?\d{1,9}))?\s*")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Here(Value, frozen=True, kw_only=True):
    """An agent now: what he said of himself and since when, when he was last given something, what he holds by channel
    kind."""

    agent: AgentPolicy
    presence: str = "present"
    since: datetime | None = None
    assigned_at: datetime | None = None
    holds: Mapping[str, int] = {}


class Wanted(Value, frozen=True, kw_only=True):
    """What whoever takes a conversation must bring now, until when that holds, and the queue it then goes to."""

    needs: Mapping[str, str] = {}
    step: int = -1
    until: datetime | None = None


def wanted(conversation: Conversation, policy: Policy, now: datetime) -> Wanted:
    """The step of its rule that holds now, counted from when it began to wait; no needs where no step holds."""
    start, steps = conversation.waiting_since, _steps(conversation, policy)
    if start is None:
        return Wanted()
    for index, step in enumerate(steps):
        if "queue" in step:
            break
        if "for" not in step:
            return Wanted(needs=step["needs"], step=index)
        start += timedelta(seconds=step["for"])
        if now < start:
            return Wanted(needs=step["needs"], step=index, until=start)
    return Wanted()


def passes_on(conversation: Conversation, policy: Policy) -> tuple[datetime, str] | None:
    """When, and to which queue, a conversation that nobody has taken is handed on; None when it stays."""
    at = conversation.waiting_since
    if at is None or conversation.holder or conversation.status is not Status.OPEN:
        return None
    for step in _steps(conversation, policy):
        if "queue" in step:
            return None if step["queue"] == conversation.queue else (at, str(step["queue"]))
        if "for" not in step:
            return None
        at += timedelta(seconds=step["for"])
    return None


def _steps(conversation: Conversation, policy: Policy) -> Sequence[Mapping[str, Any]]:
    """The steps of the rule that put it where it is; none once a person or a ladder moved it elsewhere."""
    if not conversation.rule or conversation.pinned:
        return ()
    for rule in policy.rules:
        if rule.id == conversation.rule:
            return rule.steps if rule.queue == conversation.queue else ()
    return ()


def on_shift(here: Here, policy: Policy, now: datetime) -> bool:
    """Is it within the agent's shift, or did he say after its end that he is there? Without a shift: always."""
    if not here.agent.shift:
        return True
    shift = policy.schedule(here.agent.shift)
    if shift.is_open(now):
        return True
    return here.since is not None and here.since <= now and shift.elapsed(here.since, now) == 0


def gone(here: Here, policy: Policy, now: datetime) -> bool:
    """Is he not there to go on with what he holds?"""
    return here.presence == "absent" or not on_shift(here, policy, now)


def kind_by(channels: Sequence[str], policy: Policy) -> str:
    """The channel kind that a conversation counts under: that of the channel it came to last."""
    return policy.channel(channels[-1]).kind if channels else ""


def fits(agent: AgentPolicy, needs: Mapping[str, str]) -> bool:
    """Has the agent what a step needs? `language` by tag (`zh` is met by `zh-Hans` too), `skill` by comparison
    (`risk>=3`; several by commas), anything else by equality."""
    for name, need in needs.items():
        if name == "skill":
            if not all(_skilled(agent, part) for part in need.split(",")):
                return False
        elif not any(_same(name, need, has) for has in _several(agent.skills.get(name))):
            return False
    return True


def _same(name: str, need: str, has: Any) -> bool:
    text = str(has)
    return text == need or (name == "language" and text.partition("-")[0] == need.partition("-")[0]
                            and ("-" not in text or "-" not in need))  # fmt: skip


def _several(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return value if isinstance(value, (list, tuple)) else (value,)


def _skilled(agent: AgentPolicy, need: str) -> bool:
    match = _SKILL.fullmatch(need)
    if match is None:
        return False
    name, operator, bound = match.groups()
    has = agent.skills.get(name)
    if operator is None:
        return has not in (None, "", 0, [])
    try:
        level = int(has)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    least = int(bound)
    return {
        ">=": level >= least, "<=": level <= least, ">": level > least, "<": level < least,
    }.get(operator, level == least)  # fmt: skip


def load(here: Here) -> float:
    """How much of him is taken, 1.0 being all: each conversation weighs by what he can hold of its channel kind."""
    share = 0.0
    for kind, count in here.holds.items():
        limit = here.agent.capacity.get(kind)
        if limit is None:
            continue
        share += count / limit if limit else float("inf") * count if count else 0.0
    return share


def has_room(here: Here, kind: str) -> bool:
    """Can he take one more of this kind? Without a number for the kind there is no bound; 0 means none of it."""
    limit = here.agent.capacity.get(kind)
    if limit is None:
        return True
    return limit > 0 and load(here) + 1 / limit <= 1.0 + 1e-9


def may_take(here: Here, conversation: Conversation, policy: Policy, now: datetime) -> bool:
    """Is he there, of that queue, able, and has he room?"""
    return (
        here.presence == "present"
        and conversation.queue in here.agent.queues
        and on_shift(here, policy, now)
        and has_room(here, kind_by(conversation.channels, policy))
        and fits(here.agent, wanted(conversation, policy, now).needs)
    )


def chosen(conversation: Conversation, people: Iterable[Here], policy: Policy, now: datetime) -> Here | None:
    """Who gets it: of those who may take it, whoever was given nothing for the longest; then the less laden, then by
    name. None when nobody may."""
    able = [here for here in people if may_take(here, conversation, policy, now)]
    return min(able, key=lambda h: (h.assigned_at or _LONG_AGO, load(h), h.agent.name), default=None)


def first_for(here: Here, ordered: Iterable[Conversation], policy: Policy, now: datetime) -> Conversation | None:
    """The first of the conversations, which are in working order, that is open, held by nobody and that he may take."""
    return next(
        (c for c in ordered if c.status is Status.OPEN and not c.holder and may_take(here, c, policy, now)), None
    )
