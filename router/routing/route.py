"""Whose queue is a conversation for?

In: the rules in order and the facts of a conversation. Out: a `Routing` with a trace of every rule tried, and why it
missed. Pure: the same facts and the same rules give the same bytes (rules: deadlines, routing 1 to 6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from router.model import Routing
from router.routing.condition import Condition
from router.value import Value

__all__ = ["Rule", "route", "unreachable"]


class Rule(Value, frozen=True, kw_only=True):
    """A rule: what fits `when` (None: everything) goes to `queue`. `deadline` names the policy tried first (`none`: no
    promise). `steps` are the needs tried in turn when an agent is chosen, as they stand in the file."""

    id: str
    when: Condition | None = None
    queue: str
    priority: int = 0
    deadline: str = ""
    tags: tuple[str, ...] = ()
    steps: tuple[Mapping[str, Any], ...] = ()


def route(rules: Sequence[Rule], default_queue: str, facts: Mapping[str, Any]) -> Routing:
    """The first rule that fits; else the default queue, as rule `default`. The trace has one line a rule tried."""
    trace = []
    for rule in rules:
        holds, why = (True, "") if rule.when is None else rule.when.test(facts)
        if holds:
            trace.append(f"rule {rule.id}: fits, queue {rule.queue}")
            return Routing(
                rule=rule.id,
                queue=rule.queue,
                priority=rule.priority,
                deadline=rule.deadline,
                tags=rule.tags,
                trace=tuple(trace),
            )
        trace.append(f"rule {rule.id}: {why}")
    trace.append(f"no rule fits: queue {default_queue}")
    return Routing(rule="default", queue=default_queue, trace=tuple(trace))


def unreachable(rules: Sequence[Rule]) -> list[tuple[int, int]]:
    """(index, index of the earlier rule that takes everything it could take) of rules that can never match."""
    found = []
    for index, rule in enumerate(rules):
        for earlier, other in enumerate(rules[:index]):
            if other.when is None or other.when.always or other.when == rule.when:
                found.append((index, earlier))
                break
    return found
