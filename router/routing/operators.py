"""Does a value that was seen fit an operator of the configuration?

In: the value of a fact and the operand of the file. Out: whether they fit (`FITS`), and words for the trace (`WORDS`,
`show`). Numbers compare as numbers also where they were written as text; true and false are no numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from router.routing.pattern import LONGEST_TEXT

__all__ = ["FITS", "WORDS", "number", "show"]


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


#: Operator to test of (value seen, operand).
FITS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": _same,
    "in": _among,
    "has_any": _among,
    "has_all": _has_all,
    "gte": _compare(lambda seen, wanted: seen >= wanted),
    "lte": _compare(lambda seen, wanted: seen <= wanted),
    "between": _compare(lambda seen, wanted: wanted[0] <= seen <= wanted[1]),
    "matches": lambda seen, wanted: wanted.search(str(seen)[:LONGEST_TEXT]) is not None,
    "exists": lambda seen, wanted: wanted is True,
    "never": lambda seen, wanted: False,
}
#: Operator to what was wanted, in words.
WORDS: Mapping[str, str] = {
    "eq": "{}",
    "in": "one of {}",
    "has_any": "any of {}",
    "has_all": "all of {}",
    "gte": "at least {}",
    "lte": "at most {}",
    "between": "between {}",
    "matches": "a match of {}",
    "exists": "present: {}",
    "never": "what a mistake in the file hides{}",
}


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
