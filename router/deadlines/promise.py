"""What has the desk promised, and which promise fits?

In: the configured deadline policies (ordered, first fit), their schedules and ladders, and the facts of a message and
its conversation. Out: for a metric the policy and the target that hold, or nothing.

Everything is a value, made once when the configuration is loaded; `version` names the configuration in breach records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from router.deadlines.calendar import Schedule
from router.errors import ConfigurationError, InvalidTarget
from router.routing.condition import Condition
from router.value import Value

__all__ = ["METRICS", "REPLY_METRICS", "DeadlinePolicy", "Ladder", "Metric", "Promises", "Step", "Target"]

#: Metrics that a policy can set a target for.
Metric: TypeAlias = Literal["first_reply", "next_reply", "update", "resolution"]
METRICS: tuple[Metric, ...] = get_args(Metric)
#: Metrics that a customer message starts and a human reply ends.
REPLY_METRICS = ("first_reply", "next_reply", "reply_window")
#: The name of a rule's deadline that promises nothing.
NOTHING = "none"
#: The name shown for a reply window that the provider sets.
PROVIDER = "provider"


class Target(Value, frozen=True, kw_only=True):
    """How much time a metric has: `seconds` in business or calendar hours, or a number of working days.

    `schedule` overrides the policy's. Raises InvalidTarget unless exactly one of the two is above zero.
    """

    seconds: float = 0
    workdays: int = 0
    hours: Literal["business", "calendar"] = "business"
    schedule: str = ""

    def __post_init__(self) -> None:
        if self.seconds < 0 or self.workdays < 0 or (self.seconds > 0) == (self.workdays > 0):
            raise InvalidTarget(
                "a target must be above zero, in time or in working days: for example 2m, 24h or 7 working days"
            )


class Step(Value, frozen=True, kw_only=True):
    """A step of a ladder, `after` seconds (the metric's own hours) past the deadline."""

    after: int = 0
    do: Literal["notify", "requeue", "move"] = "notify"
    to: str = ""
    priority: str = ""
    queue: str = ""
    tag: str = ""


class Ladder(Value, frozen=True, kw_only=True):
    """What happens when a deadline of one of the metrics `on` is missed; empty `on` means every metric."""

    name: str
    on: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


class DeadlinePolicy(Value, frozen=True, kw_only=True):
    """Targets by metric for what `when` fits (None: everything), in the hours of `schedule`.

    `pause` lists by metric the statuses that stop its clock, `auto_reply_counts` the metrics that an automatic reply
    ends, `warn` the seconds before the deadline at which to warn (None: never), `ladder` what follows a breach.
    """

    name: str
    when: Condition | None = None
    schedule: str = ""
    targets: Mapping[str, Target] = {}
    pause: Mapping[str, tuple[str, ...]] = {}
    auto_reply_counts: tuple[str, ...] = ()
    warn: int | None = None
    ladder: str = ""


class Promises(msgspec.Struct, frozen=True, kw_only=True):
    """All policies in order, with the schedules and ladders they name.

    `fields` are the facts that some policy reads: only they are kept with a clock (None: keep all).
    `window_warn` is how many seconds before a provider's reply window closes the desk is warned.
    `strict`: a schedule that runs out of open time raises NoOpenTime; else such a clock has no deadline.
    `edition` is set by itself: the version with the last year whose holidays are known. Clocks of another edition are
    re-targeted when they are next touched.
    """

    policies: tuple[DeadlinePolicy, ...] = ()
    schedules: Mapping[str, Schedule] = {}
    ladders: Mapping[str, Ladder] = {}
    version: str = ""
    fields: frozenset[str] | None = None
    window_warn: int = 7200
    strict: bool = False
    edition: str = ""

    def __post_init__(self) -> None:
        known = [s.last_known_year for s in self.schedules.values() if s.last_known_year is not None]
        msgspec.structs.force_setattr(self, "edition", f"{self.version}@{max(known)}" if known else self.version)

    def policy(self, name: str) -> DeadlinePolicy | None:
        """The policy of this name."""
        for policy in self.policies:
            if policy.name == name:
                return policy
        return None

    def fitting(self, facts: Mapping[str, Any]) -> DeadlinePolicy | None:
        """The first policy that fits these facts."""
        for policy in self.policies:
            if policy.when is None or policy.when.holds(facts):
                return policy
        return None

    def schedule_of(self, policy: DeadlinePolicy, target: Target) -> Schedule | None:
        """The schedule in whose hours this target runs; None for calendar hours. Raises ConfigurationError."""
        if target.hours == "calendar" and not target.workdays:
            return None
        name = target.schedule or policy.schedule
        try:
            return self.schedules[name]
        except KeyError:
            raise ConfigurationError(f'deadline policy {policy.name}: unknown schedule "{name}"') from None
