"""Does everything that one table of the configuration says of another hold?

In: the tables as TOML gives them (a table that is itself wrong is looked at all the same, as far as it goes). Out: one
sentence a mistake: names that nobody configured, ids used twice, promises of nothing, ladders in a circle,
channels and issue types in a condition that no message can have (its other words: `router.routing.condition`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from router.deadlines.promise import METRICS
from router.kinds import shipped
from router.policy.mistakes import Path, mistake, unknown
from router.policy.sentences import cut, dotted
from router.routing.operators import OPERATORS

__all__ = ["check", "items", "names"]

#: Operators that compare with values of the field.
_OF_VALUES: Final = tuple(name for name, operator in OPERATORS.items() if operator.of == "values")
#: A reference: (table, key, what it names, the table that has the names).
_REFERENCES: Final = (
    ("channels", "schedule", "schedule", "schedules"),
    ("queues", "lead", "recipient", "notify"),
    ("agents", "queues", "queue", "queues"),
    ("agents", "shift", "schedule", "schedules"),
    ("rules", "queue", "queue", "queues"),
    ("rules", "deadline", "deadline policy", "deadlines"),
    ("deadlines", "schedule", "schedule", "schedules"),
    ("deadlines", "ladder", "ladder", "ladders"),
)
_UNIQUE: Final = (
    ("queues", "name"), ("agents", "name"), ("agents", "mail"), ("rules", "id"), ("deadlines", "name"),
    ("ladders", "name"),
)  # fmt: skip
#: Scopes of verified handles: a channel of another kind by one of these names could pass for a proof of identity.
_SCOPES: Final = {"email": "email", "phone": "phone", "account": ""}


def check(data: Mapping[str, Any], issue_types: Iterable[str], kinds: Iterable[str], mistakes: list[str]) -> None:
    """Add the mistakes between tables. `kinds` are those of the configured channels, beside the kinds that ship."""
    channel_kinds = list(dict.fromkeys((*shipped(), *kinds)))
    _capacity(data, channel_kinds, mistakes)
    for check_one in (_references, _default_queue, _unique, _hours, _rule_steps, _ladders, _reserved):
        check_one(data, mistakes)
    closed = {
        "channel": names(data, "channels"),
        "channel_kind": channel_kinds,
        "issue_type": list(dict.fromkeys((*issue_types, "other"))),
    }
    for table in ("rules", "deadlines"):
        for path, item in items(data, table):
            _words(item.get("when"), (*path, "when"), closed, mistakes)


def items(data: Mapping[str, Any], table: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every entry of `[[table]]` or `[table.NAME]` that is a table, with its path."""
    entries = data.get(table)
    if isinstance(entries, Mapping):
        yield from (((table, key), item) for key, item in entries.items() if isinstance(item, Mapping))
    elif isinstance(entries, list):
        yield from (((table, index), item) for index, item in enumerate(entries) if isinstance(item, Mapping))


def names(data: Mapping[str, Any], table: str) -> list[str]:
    """The names that a table gives."""
    if isinstance(data.get(table), Mapping):
        return [str(path[1]) for path, _ in items(data, table)]
    key = "id" if table == "rules" else "name"
    return [item[key] for _, item in items(data, table) if isinstance(item.get(key), str)]


def _references(data: Mapping[str, Any], mistakes: list[str]) -> None:
    for table, key, what, there in _REFERENCES:
        known = [*names(data, there), *(["none"] if there == "deadlines" else [])]
        for path, item in items(data, table):
            value = item.get(key)
            for place, word in enumerate(value) if isinstance(value, list) else ((None, value),):
                if isinstance(word, str) and word and word not in known:
                    full = (*path, key) if place is None else (*path, key, place)
                    mistakes.append(mistake(full, unknown(what, word, known)))


def _capacity(data: Mapping[str, Any], kinds: Sequence[str], mistakes: list[str]) -> None:
    for path, agent in items(data, "agents"):
        capacity = agent.get("capacity")
        for kind in capacity if isinstance(capacity, Mapping) else ():
            if kind not in kinds:
                mistakes.append(mistake((*path, "capacity", kind), unknown("channel kind", kind, kinds)))


def _default_queue(data: Mapping[str, Any], mistakes: list[str]) -> None:
    defaults, known = data.get("defaults"), names(data, "queues")
    queue = defaults.get("queue") if isinstance(defaults, Mapping) else None
    if queue is None and (defaults is None or isinstance(defaults, Mapping)):
        sentence = 'is missing; name the queue of whatever no rule takes, as queue = "general"'
        mistakes.append(mistake(("defaults", "queue"), sentence))
    elif isinstance(queue, str) and queue not in known:
        mistakes.append(mistake(("defaults", "queue"), unknown("queue", queue, known)))


def _unique(data: Mapping[str, Any], mistakes: list[str]) -> None:
    for table, key in _UNIQUE:
        first: dict[str, Path] = {}
        for path, item in items(data, table):
            name = item.get(key)
            if not isinstance(name, str):
                continue
            same = name.lower() if key == "mail" else name
            if same in first:
                taken = f'"{cut(name)}" is taken by {dotted(first[same])}; give it another'
                mistakes.append(mistake((*path, key), taken))
            first.setdefault(same, path)
            if table == "deadlines" and name == "none":
                mistakes.append(mistake((*path, key), '"none" stands for no promise at all; choose another name'))


def _hours(data: Mapping[str, Any], mistakes: list[str]) -> None:
    """Business time needs a schedule; a promise needs something promised."""
    for path, item in items(data, "deadlines"):
        promised = [item[metric] for metric in METRICS if metric in item]
        if not promised:
            mistakes.append(mistake(path, "promises nothing; give it first_reply, next_reply, update or resolution"))
        if item.get("schedule"):
            continue
        if item.get("hours", "business") == "business":
            mistakes.append(mistake((*path, "schedule"), 'is missing; name a schedule, or set hours = "calendar"'))
        elif any("working" in length for length in promised if isinstance(length, str)):
            mistakes.append(mistake((*path, "schedule"), "is missing; working days are those of a schedule"))


def _rule_steps(data: Mapping[str, Any], mistakes: list[str]) -> None:
    known = names(data, "queues")
    for path, item in items(data, "rules"):
        for place, step in items(item, "steps"):
            queue = step.get("queue")
            if isinstance(queue, str) and queue and queue not in known:
                mistakes.append(mistake((*path, *place, "queue"), unknown("queue", queue, known)))


def _ladders(data: Mapping[str, Any], mistakes: list[str]) -> None:
    queues = names(data, "queues")
    for path, ladder in items(data, "ladders"):
        visited: list[str] = []
        for place, step in items(ladder, "steps"):
            queue, do = step.get("queue"), step.get("do")
            if isinstance(queue, str) and queue:
                full = (*path, *place, "queue")
                if queue not in queues:
                    mistakes.append(mistake(full, unknown("queue", queue, queues)))
                elif do == "move" and queue in visited:
                    mistakes.append(mistake(full, f'the ladder has a cycle, for it moved to "{queue}" before'))
                visited.append(queue)
            _recipient(data, step.get("to"), (*path, *place, "to"), mistakes)
            if do == "notify":
                _has_lead(data, step.get("to"), (*path, *place, "to"), mistakes)


def _recipient(data: Mapping[str, Any], to: object, path: Path, mistakes: list[str]) -> None:
    """`to` is a recipient, `lead:{queue}` (the present queue's lead) or `lead:NAME` of a queue."""
    if not isinstance(to, str) or not to or to == "lead:{queue}":
        return
    if to.startswith("lead:"):
        if to[5:] not in names(data, "queues"):
            mistakes.append(mistake(path, unknown("queue", to[5:], ["{queue}", *names(data, "queues")])))
    elif to not in names(data, "notify"):
        mistakes.append(mistake(path, unknown("recipient", to, ["lead:{queue}", *names(data, "notify")])))


def _has_lead(data: Mapping[str, Any], to: object, path: Path, mistakes: list[str]) -> None:
    """A notice to the lead of a queue that has none would reach nobody."""
    if not isinstance(to, str) or not to.startswith("lead:"):
        return
    meant = [q for _, q in items(data, "queues") if to[5:] in ("{queue}", q.get("name"))]
    without = [str(queue.get("name")) for queue in meant if not queue.get("lead")]
    if without:
        sentence = f'has nobody to tell in {", ".join(map(cut, without))}; give it lead = "…", a name of [notify.NAME]'
        mistakes.append(mistake(path, sentence))


def _reserved(data: Mapping[str, Any], mistakes: list[str]) -> None:
    for path, channel in items(data, "channels"):
        kind = _SCOPES.get(str(path[1]))
        if kind is not None and channel.get("adapter") != kind:
            mistakes.append(mistake(path, "this name stands for proven addresses; choose another"))


def _words(when: object, path: Path, closed: Mapping[str, Sequence[str]], mistakes: list[str]) -> None:
    """Words of a condition that no message can ever have."""
    for field, value, place in _leaves(when, path):
        known = closed.get(field)
        for word in value if isinstance(value, list) else (value,):
            if known is not None and isinstance(word, str) and word not in known:
                mistakes.append(mistake(place, unknown(field.replace("_", " "), word, known)))


def _leaves(when: object, path: Path) -> Iterator[tuple[str, object, Path]]:
    """Each (field, value, path) that a condition compares by equality."""
    if not isinstance(when, Mapping):
        return
    for combinator in ("all", "any"):
        children = when.get(combinator)
        for index, child in enumerate(children if isinstance(children, list) else ()):
            yield from _leaves(child, (*path, combinator, index))
    if "not" in when:
        yield from _leaves(when["not"], (*path, "not"))
    field = when.get("field")
    if isinstance(field, str):
        yield from ((field, when[op], (*path, op)) for op in _OF_VALUES if op in when)
    elif not {"all", "any", "not", "field"} & set(when):
        yield from ((str(key), value, (*path, str(key))) for key, value in when.items())
