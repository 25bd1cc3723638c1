"""Does a condition of the configuration hold for these facts, and if not, why?

In: the grammar of `when` (`all`, `any`, `not`, `{field, operator}`, the short form `{F = [values]}`), compiled once,
its mistakes collected with their paths in the file. Then facts: field names (contact attributes as `contact.NAME`) to
values. Out: whether it holds, and the first condition that failed, in words, with the value seen.

There is no code in a condition: closed lists of operators and fields, patterns that take linear time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from router.model import MessageClass
from router.routing.operators import NEVER, OPERATORS, show
from router.value import Value

__all__ = ["FIELDS", "FLAGS", "OPERATORS", "Condition"]

#: The facts that rules and deadline policies may read, beside `contact.ATTRIBUTE`.
FIELDS = frozenset(
    (
        "channel", "channel_kind", "brand", "issue_type", "confidence", "unsure", "class", "flags", "tags", "language",
        "priority", "chases", "waiting", "business_open",
    )
)  # fmt: skip
#: The closed list of flags.
FLAGS = frozenset(
    (
        "security", "complaint", "secret_exposed", "asks_human", "legal", "spam", "thread_claim_rejected",
        "sender_unverified", "id_reused", "automatic", "no_auto_answer",
    )
)  # fmt: skip
_JOINTS = ("all", "any", "not")
_CLOSED: Mapping[str, frozenset[str]] = {
    "flags": FLAGS,
    "language": frozenset(("zh-Hans", "zh-Hant", "en", "other")),
    "class": frozenset(MessageClass),
}
_NUMERIC = frozenset(("confidence", "priority", "chases", "waiting"))
_TRUTHS = frozenset(("unsure", "business_open"))


class Condition(Value, frozen=True, kw_only=True):
    """A compiled condition: `kind` is all, any, not (of `parts`) or an operator on `field` with `operand`."""

    kind: str
    parts: tuple[Condition, ...] = ()
    field: str = ""
    operand: Any = None

    @classmethod
    def compile(
        cls, spec: Mapping[str, Any], path: str, mistakes: list[str], fields: frozenset[str] | None = FIELDS
    ) -> Condition:
        """The condition of this table of the file.

        Every mistake is one sentence in `mistakes`, beginning with its path. `fields` is the closed list of facts
        (None: any name is one). An empty table always holds.
        """
        return _table(spec, path, mistakes, fields)

    @property
    def always(self) -> bool:
        """Does it hold whatever the facts?"""
        if self.kind == "all":
            return all(part.always for part in self.parts)
        return self.kind == "any" and any(part.always for part in self.parts)

    @property
    def fields(self) -> frozenset[str]:
        """The facts that it reads."""
        return frozenset(self._fields())

    def _fields(self) -> Iterator[str]:
        if self.field:
            yield self.field
        for part in self.parts:
            yield from part._fields()

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Does it hold? The quick form of `test`, for hot paths."""
        kind = self.kind
        if kind == "all":
            return all(part.holds(facts) for part in self.parts)
        if kind == "any":
            return any(part.holds(facts) for part in self.parts)
        if kind == "not":
            return not self.parts[0].holds(facts)
        seen = facts.get(self.field)
        if seen is None:
            return kind == "exists" and self.operand is False
        return OPERATORS.get(kind, NEVER).fits(seen, self.operand)

    def test(self, facts: Mapping[str, Any]) -> tuple[bool, str]:
        """Does it hold, and if not, which condition failed first, with the value seen? Facts that are missing or None
        make a condition false, and the words say so."""
        if self.kind == "all":
            for part in self.parts:
                holds, why = part.test(facts)
                if not holds:
                    return False, why
            return True, ""
        if self.kind == "any":
            reasons = []
            for part in self.parts:
                holds, why = part.test(facts)
                if holds:
                    return True, ""
                reasons.append(why)
            return False, " and ".join(reasons)
        if self.kind == "not":
            inner = self.parts[0]
            return (True, "") if not inner.holds(facts) else (False, f"not allowed: {inner.words(facts)}")
        return (True, "") if self.holds(facts) else (False, self._failure(facts))

    def words(self, facts: Mapping[str, Any]) -> str:
        """The condition in words, with the values seen."""
        if self.kind in ("all", "any"):
            return f" {'and' if self.kind == 'all' else 'or'} ".join(p.words(facts) for p in self.parts) or "always"
        if self.kind == "not":
            return f"not ({self.parts[0].words(facts)})"
        return f"{self.field} {self._wanted()} (it is {show(facts.get(self.field))})"

    def _wanted(self) -> str:
        return OPERATORS.get(self.kind, NEVER).words.format(show(self.operand))

    def _failure(self, facts: Mapping[str, Any]) -> str:
        seen = facts.get(self.field)
        wanted = self._wanted()
        if seen is None and self.kind != "exists":
            return f"{self.field} is missing, wanted {wanted}"
        return f"{self.field} is {show(seen)}, wanted {wanted}"


_NEVER = Condition(kind="never", field="")


def _table(spec: Any, path: str, mistakes: list[str], fields: frozenset[str] | None) -> Condition:
    if not isinstance(spec, Mapping):
        mistakes.append(f'{path}: a condition is a table, for example {{ issue_type = ["refund"] }}')
        return _NEVER
    if "field" in spec:
        return _field(spec, path, mistakes, fields)
    parts = []
    for key, value in spec.items():
        where = f"{path}.{key}"
        if key == "not":
            parts.append(Condition(kind="not", parts=(_table(value, where, mistakes, fields),)))
        elif key in _JOINTS:
            parts.append(_joint(key, value, where, mistakes, fields))
        elif _known(key, where, mistakes, fields):
            short = list(value) if isinstance(value, (list, tuple)) else [value]
            parts.append(_test(key, "in", short, where, mistakes, fields))
        else:
            parts.append(_NEVER)
    return parts[0] if len(parts) == 1 else Condition(kind="all", parts=tuple(parts))


def _joint(kind: str, value: Any, path: str, mistakes: list[str], fields: frozenset[str] | None) -> Condition:
    if not isinstance(value, (list, tuple)) or not value:
        mistakes.append(f"{path}: give a list of one condition or more, for example [ {{ … }}, {{ … }} ]")
        return _NEVER
    return Condition(
        kind=kind, parts=tuple(_table(part, f"{path}[{n}]", mistakes, fields) for n, part in enumerate(value))
    )


def _field(spec: Mapping[str, Any], path: str, mistakes: list[str], fields: frozenset[str] | None) -> Condition:
    name = spec["field"]
    right = isinstance(name, str) and _known(name, f"{path}.field", mistakes, fields)
    tests = [key for key in spec if key != "field"]
    if not tests:
        mistakes.append(f"{path}: {name} needs an operator, one of {', '.join(OPERATORS)}")
    for key in tests:
        if key not in OPERATORS:
            mistakes.append(f"{path}.{key}: unknown operator, use one of {', '.join(OPERATORS)}")
    if not isinstance(name, str):
        mistakes.append(f"{path}.field: give the name of a field as text")
    if not right or not tests or any(key not in OPERATORS for key in tests):
        return _NEVER
    parts = tuple(_test(name, key, spec[key], f"{path}.{key}", mistakes, fields) for key in tests)
    return parts[0] if len(parts) == 1 else Condition(kind="all", parts=parts)


def _known(name: str, path: str, mistakes: list[str], fields: frozenset[str] | None) -> bool:
    if fields is None or name in fields or (name.startswith("contact.") and len(name) > len("contact.")):
        return True
    mistakes.append(f"{path}: unknown field {name}, use one of {', '.join(sorted(fields))} or contact.ATTRIBUTE")
    return False


def _test(
    field: str, operator: str, value: Any, path: str, mistakes: list[str], fields: frozenset[str] | None
) -> Condition:
    complaint, operand = OPERATORS[operator].parse(value)
    if not complaint and fields is not None:
        complaint = _unfitting(field, operator, operand)
    if complaint:
        mistakes.append(f"{path}: {complaint}")
        return _NEVER
    return Condition(kind=operator, field=field, operand=operand)


def _unfitting(field: str, operator: str, operand: Any) -> str:
    """Why this operand can never fit this field."""
    values: Sequence[Any] = operand if isinstance(operand, tuple) else (operand,)
    compared = OPERATORS[operator].of
    if compared == "values":
        closed = _CLOSED.get(field)
        wrong = [v for v in values if closed is not None and v not in closed]
        if wrong and closed is not None:
            return f"{show(wrong[0])} is no value of {field}, use one of {', '.join(sorted(closed))}"
        if field in _TRUTHS and not all(isinstance(v, bool) for v in values):
            return f"{field} is true or false"
        if field in _NUMERIC and any(isinstance(v, (str, bool)) for v in values):
            return f"{field} is a number"
    if compared == "numbers" and field not in _NUMERIC and not field.startswith("contact."):
        return f"{field} is no number" if field in FIELDS else ""
    return ""
