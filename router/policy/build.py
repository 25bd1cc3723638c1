"""Which frozen values do the checked tables of a configuration become?

In: the tables as pydantic models (`Parsed`), beside what TOML gave. Out: a `Policy`, or None when a schedule, a
condition or a target cannot be built, with the mistakes added. Its `version` is the hash of everything that decides:
channels and their hours, schedules, queues, rules, deadlines, ladders, tagging and the windows, but no address, secret
or text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final, cast

from pydantic import BaseModel

from router.deadlines.calendar import Schedule
from router.deadlines.fold import DeadlinePolicy, Ladder, Promises, Step, Target
from router.deadlines.promise import METRICS
from router.policy import tables as table
from router.policy.check import items
from router.policy.mistakes import Path, mistake
from router.policy.schedules import desk_timezone, schedules
from router.policy.sentences import dotted, ended
from router.policy.units import Span
from router.policy.values import (
    ChannelPolicy,
    FollowUps,
    Policy,
    Recipient,
    TaggingPolicy,
    Web,
    version_of,
)
from router.routing.condition import Condition
from router.routing.route import Rule, unreachable

__all__ = ["Parsed", "build"]

_RENAMED: Final = "privacy.retain_raw: this key is called raws by now and stands under [retention]; it is still read."
_REJOINED: Final = "follow_ups.suggest_below: this key is called join_at by now; it is still read."
_OPERATIONS: Final = "127.0.0.1:8081"
_DECIDING: Final = ("schedules", "queues", "agents", "rules", "deadlines", "ladders")


@dataclass
class Parsed:
    """The tables by kind; None stands for one that has mistakes."""

    single: dict[str, Any] = field(default_factory=dict)
    named: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrays: dict[str, list[Any]] = field(default_factory=dict)

    def array(self, name: str) -> list[Any]:
        """The entries of `[[name]]` that have no mistake of their own."""
        return [entry for entry in self.arrays[name] if entry is not None]


def build(
    data: Mapping[str, Any],
    parsed: Parsed,
    channels: Mapping[str, ChannelPolicy],
    folder: FilePath,
    source: FilePath | None,
    mistakes: list[str],
) -> Policy | None:
    """Build the policy; None when the file has mistakes, now or before."""
    desk: table.Desk | None = parsed.single["desk"]
    hours = schedules(data, desk_timezone(data, mistakes), mistakes)
    conditions = _conditions(data, mistakes)
    if mistakes or desk is None:
        return None
    policies = _deadlines(parsed, conditions)
    version = _version(parsed, channels)
    return Policy(
        version=version, source=source, name=desk.name, timezone=desk.timezone, brand=desk.brand,
        domains=tuple(desk.domains),
        languages=tuple(desk.languages), desk_database=desk.database, desk_database_password=desk.database_password,
        desk_pooled=desk.pooled, desk_listen=desk.listen_database,
        desk_log=desk.log, partitions=desk.partitions, channels=channels, schedules=hours,
        promises=_promises(parsed, policies, hours, version), rules=_rules(parsed, conditions),
        default_queue=parsed.single["defaults"].queue, **_people(parsed), **_singles(parsed, folder),
    )  # fmt: skip


def _gone(parsed: Parsed) -> tuple[str, ...]:
    """Keys that former versions had: read, and of no effect."""
    if all(queue.ageing_minutes is None for queue in parsed.array("queues")):
        return ()
    return (
        "queues: ageing_minutes is gone and does nothing: what waits comes nearer to its deadline by itself, "
        "and default_wait orders what was promised nothing. Take it out.",
    )


def _conditions(data: Mapping[str, Any], mistakes: list[str]) -> dict[tuple[str, int], Condition]:
    """Every condition of the rules and deadlines, by table and index."""
    compiled: dict[tuple[str, int], Condition] = {}
    sound: list[tuple[Path, Rule]] = []
    for name in ("rules", "deadlines"):
        for path, entry in items(data, name):
            when = entry.get("when")
            found: list[str] = []
            if when not in (None, {}):
                compiled[cast("tuple[str, int]", path)] = Condition.compile(when, dotted((*path, "when")), found)
            mistakes += [ended(line) for line in found]
            if name == "rules" and not found:
                sound.append((path, Rule(id="", queue="", when=compiled.get(cast("tuple[str, int]", path)))))
    _reachable(sound, mistakes)
    return compiled


def _reachable(rules: Sequence[tuple[Path, Rule]], mistakes: list[str]) -> None:
    """A rule behind one that takes everything, or the same, can never match."""
    for index, earlier in unreachable([rule for _, rule in rules]):
        (path, rule), (before, taking) = rules[index], rules[earlier]
        reason = (
            "has the same condition" if taking.when is not None and taking.when == rule.when else "takes everything"
        )
        mistakes.append(mistake(path, f"can never match, for {dotted(before)} comes first and {reason}"))


def _deadlines(parsed: Parsed, conditions: Mapping[tuple[str, int], Condition]) -> tuple[DeadlinePolicy, ...]:
    policies = []
    for index, given in enumerate(parsed.arrays["deadlines"]):
        if given is None:
            continue
        lengths: dict[str, Span | None] = {metric: getattr(given, metric) for metric in METRICS}
        targets = {
            metric: Target(seconds=length.seconds, workdays=length.workdays, hours=given.hours)
            for metric, length in lengths.items()
            if length is not None
        }
        policies.append(
            DeadlinePolicy(
                name=given.name,
                when=conditions.get(("deadlines", index)),
                schedule=given.schedule,
                targets=targets,
                pause={metric: tuple(statuses) for metric, statuses in given.pause.items()},
                auto_reply_counts=tuple(given.auto_reply_counts),
                warn=None if given.warn is None else int(given.warn.total_seconds()),
                ladder=given.ladder,
            )
        )
    return tuple(policies)


def _promises(
    parsed: Parsed, policies: tuple[DeadlinePolicy, ...], schedules: Mapping[str, Schedule], version: str
) -> Promises:
    ladders = {
        given.name: Ladder(name=given.name, on=tuple(given.on), steps=tuple(_step(step) for step in given.steps))
        for given in parsed.array("ladders")
    }
    read = frozenset(name for policy in policies if policy.when for name in policy.when.fields)
    return Promises(policies=policies, schedules=schedules, ladders=ladders, version=version, fields=read)


def _step(given: table.LadderStep) -> Step:
    priority = str(given.priority) if given.priority else ""
    after = int(given.after.total_seconds())
    return Step(after=after, do=given.do, to=given.to, priority=priority, queue=given.queue, tag=given.tag)


def _rules(parsed: Parsed, conditions: Mapping[tuple[str, int], Condition]) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            id=given.id,
            when=conditions.get(("rules", index)),
            queue=given.queue,
            priority=given.priority,
            deadline=given.deadline,
            tags=tuple(given.tags),
            steps=tuple(_rule_step(step) for step in given.steps),
        )
        for index, given in enumerate(parsed.arrays["rules"])
        if given is not None
    )


def _rule_step(given: table.RuleStep) -> dict[str, Any]:
    """A step as the file has it, with its `for` in seconds."""
    step: dict[str, Any] = {"needs": dict(given.needs)} if given.needs else {"queue": given.queue}
    return step if given.wait is None else step | {"for": int(given.wait.total_seconds())}


def _people(parsed: Parsed) -> dict[str, Any]:
    """Queues, agents, recipients and receivers of events."""
    notify = [
        Recipient(name=name, mail=to.mail or "", webhook=to.webhook, robot=to.robot, secret=to.secret)
        for name, to in parsed.named["notify"].items()
    ]
    return {
        "queues": {queue.name: queue for queue in parsed.array("queues")},
        "agents": {agent.name: agent for agent in parsed.array("agents")},
        "notify": {to.name: to for to in notify},
        "events": tuple(parsed.array("events")),
    }


def _singles(parsed: Parsed, folder: FilePath) -> dict[str, Any]:
    """The tables that there is one of; relative paths begin at the folder of the file."""
    web, tagging, follow_ups = parsed.single["web"], parsed.single["tagging"], parsed.single["follow_ups"]
    privacy, retention = parsed.single["privacy"], parsed.single["retention"]
    renamed = "retain_raw" in privacy.model_fields_set
    former = {"raws": privacy.retain_raw} if renamed and "raws" not in retention.model_fields_set else {}
    host, _, port = web.listen.rpartition(":")
    return {
        "web": Web(
            host=host, port=int(port), public_url=web.public_url.rstrip("/"), max_body=web.max_body,
            trusted_proxies=tuple(web.trusted_proxies), limits=web.limits,
            operations=_operations(web), operations_named=web.operations not in (None, _OPERATIONS),
        ),
        "privacy": privacy,
        "retention": retention.model_copy(update=former),
        "remarks": (*((_RENAMED,) if renamed else ()), *_rejoined(follow_ups), *_gone(parsed)),
        "follow_ups": _follow_ups(follow_ups, folder),
        "tagging": TaggingPolicy(
            model=None if tagging.model is None else folder / FilePath(tagging.model).expanduser(),
            embed=None if tagging.embed is None else _encoder(folder, tagging.embed),
            lexicons=tuple(folder / FilePath(path).expanduser() for path in tagging.lexicons),
            issue_types=tuple(tagging.issue_types), unsure_below=tagging.unsure_below,
        ),
        "closing": parsed.single["closing"],
        "acknowledgement": parsed.single["acknowledgement"],
    }  # fmt: skip


def _encoder(folder: FilePath, named: str) -> FilePath:
    from router.tagging.embedding import encoder  # with numpy: few desks name one

    return encoder(folder, named)


def _follow_ups(given: table.FollowUps, folder: FilePath) -> FollowUps:
    fields = {name: value for name, value in _fields(given).items() if value is not None}
    former = fields.pop("suggest_below", None)
    if former is not None:
        fields.setdefault("join_at", former)
    if "model" in fields:
        fields["model"] = folder / FilePath(fields["model"]).expanduser()
    return FollowUps(**fields)


def _rejoined(given: table.FollowUps) -> tuple[str, ...]:
    return () if given.suggest_below is None else (_REJOINED,)


def _operations(web: table.Web) -> tuple[str, int]:
    """Where operators ask; any free port where the front door itself takes any."""
    default = "127.0.0.1:0" if web.listen.endswith(":0") else _OPERATIONS
    host, _, port = (web.operations or default).rpartition(":")
    return host, int(port)


def _fields(model: BaseModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in type(model).model_fields}


def _version(parsed: Parsed, channels: Mapping[str, ChannelPolicy]) -> str:
    desk = parsed.single["desk"]
    deciding: dict[str, Any] = {
        "timezone": desk.timezone, "languages": desk.languages, "brand": desk.brand, "domains": desk.domains,
        "channels": {c.name: [c.kind, c.schedule, c.brand, c.authenticity] for c in channels.values()},
        "follow_ups": parsed.single["follow_ups"].model_dump(), "tagging": parsed.single["tagging"].model_dump(),
        "closing": parsed.single["closing"].model_dump(exclude={"texts"}),
        "defaults": parsed.single["defaults"].model_dump(),
    }  # fmt: skip
    for name in _DECIDING:
        if name in parsed.named:
            deciding[name] = {key: entry.model_dump() for key, entry in parsed.named[name].items()}
        else:
            deciding[name] = [entry.model_dump(by_alias=True) for entry in parsed.array(name)]
    return version_of(deciding)
