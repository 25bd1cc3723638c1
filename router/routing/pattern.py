"""Is a regular expression of the configuration safe to run on what strangers write?

In: a pattern. Out: an empty string, or what is wrong with it. A pattern passes if it compiles, is short, and cannot
backtrack without end: no back-references, no look-around, no repetition of what repeats or chooses itself, at most
two open repetitions, few choices in a row; the text it sees is cut at `LONGEST_TEXT`. So its worst case is some
milliseconds.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

__all__ = ["LONGEST_PATTERN", "LONGEST_TEXT", "objection"]

LONGEST_PATTERN = 200
LONGEST_TEXT = 200
_OPEN_REPEATS = 2
#: In how many ways optional parts and groups of alternatives may combine, alone and beside two open repetitions.
_WAYS, _FEW_WAYS = 64, 2
_REPEAT = re.compile(r"[*+?]|\{(\d*)(,?)(\d*)\}")
_GROUP = re.compile(r"\((?:\?(?::|P<\w+>|[aims]+[:)]|(?P<rest>.)))?")


def objection(pattern: Any) -> str:
    """What is wrong with this pattern, in words; empty when it may be used."""
    if not isinstance(pattern, str) or not pattern:
        return "give a regular expression as text"
    if len(pattern) > LONGEST_PATTERN:
        return f"the pattern has {len(pattern)} characters, at most {LONGEST_PATTERN} are allowed"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as wrong:
        return f"the pattern does not compile: {wrong}"
    return _walk(pattern)


def _walk(pattern: str) -> str:
    """Follow the pattern once, with a stack of open groups: whether each repeats or chooses inside, and its choices."""
    groups, choices = [False], [1]
    repeats = place = 0
    ways = 1
    while place < len(pattern):
        sign, inside = pattern[place], False
        if sign == "(":
            opened = _GROUP.match(pattern, place)
            if opened is None or opened["rest"]:
                return "the pattern looks around, refers back or has a condition; only plain groups are allowed"
            place = opened.end()
            if not opened.group().endswith(")"):
                groups.append(False)
                choices.append(1)
            continue
        if sign == "|":
            groups[-1] = True
            choices[-1] += 1
        if sign == "\\" and pattern[place + 1] in "123456789":
            return "the pattern has a back-reference; write out what it repeats"
        if sign == ")":
            inside = groups.pop()
            groups[-1] = groups[-1] or inside
            ways *= choices.pop()
        place = _class_end(pattern, place) if sign == "[" else place + (2 if sign == "\\" else 1)
        place, kind = _repeat(pattern, place)
        if kind:
            groups[-1] = True
            repeats += kind == "open"
            ways *= 2 if kind == "once" else 1
            if inside and kind != "once":
                return "the pattern repeats a group that repeats or chooses itself; it could run for ever"
    return _excess(repeats, ways)


def _excess(repeats: int, ways: int) -> str:
    """What is too much: open repetitions multiply the time by the text's length, choices in a row by each other."""
    if repeats > _OPEN_REPEATS:
        return f"the pattern has more than {_OPEN_REPEATS} open repetitions (*, +, {{n,m}})"
    if ways > (_WAYS if repeats < _OPEN_REPEATS else _FEW_WAYS):
        return "the pattern has too many choices (?, |) in a row; it could run for ever"
    return ""


def _class_end(pattern: str, place: int) -> int:
    """The place after a character class that begins here."""
    place += 2 if pattern[place + 1] == "^" else 1
    place += pattern[place] == "]"
    while pattern[place] != "]":
        place += 2 if pattern[place] == "\\" else 1
    return place + 1


def _repeat(pattern: str, place: int) -> tuple[int, str]:
    """The place after a repetition that stands here, and its kind: empty (none), `once` (?), `fixed` or `open`."""
    found = _REPEAT.match(pattern, place)
    if found is None or found.group() in ("{}", "{,}"):
        return place, ""
    after = found.end() + (pattern[found.end() : found.end() + 1] in ("?", "+") and found.end() < len(pattern))
    if found.group() == "?" or found.group() == "{0,1}":
        return after, "once"
    fixed = found.group()[0] == "{" and not found[2]
    return after, "fixed" if fixed else "open"
