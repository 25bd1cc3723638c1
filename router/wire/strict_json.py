"""Is this body JSON, and does it mean one thing only? A strict reader for bodies that come from outside.

In: bytes of any kind. Out: the value, or `InvalidPayload` with one sentence. Names given twice and NaN, which readers
understand differently, are noted, and `oddity` says where they are. Nesting is capped before anything is built.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any, TypeVar

from router.errors import InvalidPayload
from router.text.secrets.redact import redact
from router.value import Value

__all__ = ["DEEPEST", "MOST", "Loaded", "each", "load", "oddity"]

_T = TypeVar("_T")
#: Items of one array.
MOST = 1000

#: How many brackets may be open at once.
DEEPEST = 32
#: A string, or what begins as one and never ends: possessive, so that each byte is looked at once.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
#: Characters of a name that are told.
_LONGEST_NAME = 100
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(set(range(256)) - set(_STEP))


class Loaded(Value, frozen=True, kw_only=True):
    """A JSON value, and whether anything in it is odd (see `oddity`)."""

    value: Any
    odd: bool = False


class _Twice(dict[str, Any]):
    """An object in which a name is given more than once; `name` is the first of them."""

    name = ""


def load(body: bytes, deepest: int = DEEPEST) -> Loaded:
    """Read a JSON body in UTF-8 (a byte order mark is overlooked). Raises InvalidPayload with what is wrong where."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidPayload(f"The body is not UTF-8 from byte {error.start} on; UTF-8 would be right.") from None
    if _depth(body) > deepest:
        raise InvalidPayload(f"The body is nested deeper than {deepest} levels; a message needs four.")
    odd: list[bool] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) == len(pairs):
            return made
        odd.append(True)
        return _twice(pairs)

    def constant(_: str) -> float:
        odd.append(True)
        return math.nan

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise InvalidPayload(
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    except ValueError:  # int() refuses more than 4,300 digits
        raise InvalidPayload("The body holds a number of thousands of digits; text would be right.") from None
    return Loaded(value=value, odd=bool(odd))


def each(body: bytes, read: Callable[[Any, int], _T]) -> tuple[list[_T], list[InvalidPayload]]:
    """Read every item of an array of at most 1,000 (or the one object there is) by `read(item, index)`.

    Gives what was read and every mistake, at most one an item. Raises nothing that `read` does not raise besides
    InvalidPayload.
    """
    try:
        loaded = load(body)
    except InvalidPayload as mistake:
        return [], [mistake]
    items = loaded.value if isinstance(loaded.value, list) else [loaded.value]
    if len(items) > MOST:
        return [], [InvalidPayload(f"The array has {len(items)} messages; at most {MOST} would be right.")]
    values: list[_T] = []
    mistakes: list[InvalidPayload] = []
    for index, item in enumerate(items):
        odd = oddity(item) if loaded.odd else None
        try:
            if odd:
                raise InvalidPayload(f"Message {index}: {odd[0]} {odd[1]}.", index=index, path=odd[0])
            values.append(read(item, index))
        except InvalidPayload as mistake:
            mistakes.append(mistake)
    return values, mistakes


def _depth(body: bytes) -> int:
    """The most brackets open at once, strings left out; right for valid JSON, harmless for all else."""
    if body.count(b"[") + body.count(b"{") <= 4:
        return 4
    brackets = _STRINGS.sub(b"", body).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def _twice(pairs: list[tuple[str, Any]]) -> _Twice:
    made, seen = _Twice(pairs), set[str]()
    for name, _ in pairs:
        if name in seen:
            made.name = name
            break
        seen.add(name)
    return made


def oddity(value: Any, path: str = "") -> tuple[str, str] | None:
    """Where the first odd thing inside a loaded value is, and what is wrong with it; None when all is well."""
    if isinstance(value, float) and not math.isfinite(value):
        return path, "is NaN or infinite, which JSON does not have; null or text would be right"
    if isinstance(value, _Twice):
        return _inner(path, value.name), "is given twice in one object; once would be right"
    inner: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        inner = [(_inner(path, name), item) for name, item in value.items()]
    elif isinstance(value, list):
        inner = [(f"{path}[{place}]", item) for place, item in enumerate(value)]
    found = (oddity(item, place) for place, item in inner)
    return next((odd for odd in found if odd), None)


def _inner(path: str, name: str) -> str:
    """The path of what has this name. Names of a stranger's objects may hold anything, secrets too."""
    return f"{path}.{redact(name[:4096]).text[:_LONGEST_NAME]}".lstrip(".")
