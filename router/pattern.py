"""Is a regular expression of the configuration safe to run on what strangers write?

In: a pattern. Out: an empty string, or what is wrong with it. A pattern passes if it compiles, is short, and cannot
backtrack without end: no back-references, no look-around, no repetition of what repeats or chooses itself, at most
two open repetitions; the text it sees is cut at `LONGEST_TEXT`. So its worst case is a few milliseconds.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

__all__ = ["LONGEST_PATTERN", "LONGEST_TEXT", "objection"]

LONGEST_PATTERN = 200
LONGEST_TEXT = 200
_OPEN_REPEATS = 2
_REPEAT = re.compile(r"[*+?]|\{(\d*)(,?)(\d*)\}")
_GROUP = re.compile(r"\((?:\?(?::|P<\w+>|[aiLmsux-]+[:)]|(?P<rest>.)))?")


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
    """Follow the pattern once, with a stack of open groups; each tells whether it repeats or chooses inside."""
    groups = [False]
    repeats = place = 0
    while place < len(pattern):
        sign = pattern[place]
        inside = False
        if sign == "\\":
            if pattern[place + 1] in "123456789":
                return "the pattern has a back-reference; write out what it repeats"
            place += 2
        elif sign == "[":
            place = _class_end(pattern, place)
        elif sign == "(":
            opened = _GROUP.match(pattern, place)
            if opened is None or opened["rest"]:
                return "the pattern looks around, refers back or has a condition; only plain groups are allowed"
            place = opened.end()
            if not opened.group().endswith(")"):
                groups.append(False)
            continue
        elif sign == ")":
            inside = groups.pop()
            groups[-1] = groups[-1] or inside
            place += 1
        elif sign == "|":
            groups[-1] = True
            place += 1
            continue
        else:
            place += 1
        place, kind = _repeat(pattern, place)
        if kind:
            groups[-1] = True
            repeats += kind == "open"
            if inside and kind != "once":
                return "the pattern repeats a group that repeats or chooses itself; it could run for ever"
            if repeats > _OPEN_REPEATS:
                return f"the pattern has more than {_OPEN_REPEATS} open repetitions (*, +, {{n,m}})"
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
