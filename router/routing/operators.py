"""Does a value that was seen fit an operator of the configuration?

In: the value of a fact and the operand of the file. Out: `OPERATORS`, a row an operator: how its operand is read,
whether a value fits it, and words for the trace (`show`: of a value). Numbers compare as numbers also where they were
written as text; true and false are no numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from router.routing.pattern import LONGEST_TEXT, objection

__all__ = ["NEVER", "OPERATORS", "Operator", "number", "show"]

#: What is wrong with the value of an operator, and the value as it is kept.
Parsed: TypeAlias = tuple[str, Any]


def number(seen: Any) -> float | None:
    """The number that this value is, or is the text of."""
    if isinstance(seen, bool):
        return None
    try:
        return float(seen)
    except (TypeError, ValueError):
        return None


def _same(seen: Any, wanted: Any) -> bool:
    return isinstance(seen, bool) == isinstance(wanted, bool) and bool(seen == wanted)


def _among(seen: Any, wanted: Any) -> bool:
    if isinstance(seen, str):
        return seen in wanted
    if isinstance(seen, (list, tuple, set, frozenset)):
        return any(_among(one, wanted) for one in seen)
    return any(_same(seen, one) for one in wanted)


def _has_all(seen: Any, wanted: Any) -> bool:
    return all(one in seen for one in wanted) if isinstance(seen, (list, tuple, set, frozenset)) else False


def _compare(test: Callable[[float, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(seen: Any, wanted: Any) -> bool:
        found = number(seen)
        return found is not None and test(found, wanted)

    return compare


def _one(value: Any) -> Parsed:
    return ("", value) if isinstance(value, (str, int, float)) else ("give one value", None)


def _several(value: Any) -> Parsed:
    right = isinstance(value, (list, tuple)) and value and all(isinstance(v, (str, int, float)) for v in value)
    return ("", tuple(value)) if right else ("give a list of one value or more", None)


def _number(value: Any) -> Parsed:
    found = None if isinstance(value, str) else number(value)
    return ("give a number", None) if found is None else ("", value)


def _ends(value: Any) -> Parsed:
    ends = list(value) if isinstance(value, (list, tuple)) else []
    right = len(ends) == 2 and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in ends)
    return ("", (ends[0], ends[1])) if right and ends[0] <= ends[1] else ("give [lowest, highest]", None)


def _pattern(value: Any) -> Parsed:
    complaint = objection(value)
    return (complaint, None) if complaint else ("", re.compile(value))


def _truth(value: Any) -> Parsed:
    return ("", value) if isinstance(value, bool) else ("give true or false", None)


class Operator(NamedTuple):
    """An operator: `parse` says what is wrong with its value in the file, or gives the operand; `fits` tests a value
    that was seen against it; `words` say what was wanted. `of`: it compares with values of the field, with numbers, or
    with neither."""

    parse: Callable[[Any], Parsed]
    fits: Callable[[Any, Any], bool]
    words: str
    of: Literal["values", "numbers", ""] = ""


#: The closed list of operators.
OPERATORS: Mapping[str, Operator] = {
    "eq": Operator(_one, _same, "{}", "values"),
    "in": Operator(_several, _among, "one of {}", "values"),
    "has_any": Operator(_several, _among, "any of {}", "values"),
    "has_all": Operator(_several, _has_all, "all of {}", "values"),
    "gte": Operator(_number, _compare(lambda seen, wanted: seen >= wanted), "at least {}", "numbers"),
    "lte": Operator(_number, _compare(lambda seen, wanted: seen <= wanted), "at most {}", "numbers"),
    "between": Operator(_ends, _compare(lambda seen, wanted: wanted[0] <= seen <= wanted[1]), "between {}", "numbers"),
    "matches": Operator(_pattern, lambda seen, wanted: bool(wanted.search(str(seen)[:LONGEST_TEXT])), "a match of {}"),
    "exists": Operator(_truth, lambda seen, wanted: wanted is True, "present: {}"),
}
#: What stands for a condition with a mistake; no file can name it.
NEVER = Operator(_one, lambda seen, wanted: False, "what a mistake in the file hides{}")


def show(value: Any) -> str:
    """A value in the words of a trace, cut short."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, re.Pattern):
        return str(value.pattern)
    if isinstance(value, (set, frozenset)):
        value = sorted(map(str, value))
    if isinstance(value, (list, tuple)):
        return ", ".join(show(one) for one in value[:8]) + (", …" if len(value) > 8 else "") if value else "none"
    return str(value)[:60]
