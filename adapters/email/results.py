"""What does an `Authentication-Results` field say? Its value in, who wrote it and the results out, by RFC 8601, 2.2.

One pass drops comments (nested, with quoted pairs) and puts each character of a quoted string behind a guard, so that
nothing which a sender had written inside one is read as a result. A field that breaks the grammar (a string or comment
without end, a stray `)` or backslash, a control character) is read as far as it goes and told to be unsound. Servers
write values that the grammar would have quoted (`header.b=a/b`, `smtp.mailfrom=<a@b>`): they are read. Time and memory
are linear.
"""

from __future__ import annotations

import re

from router.value import Value

__all__ = ["Result", "Results", "read"]

#: Where the characters of quoted strings stand while the rest is read: private use, which no server writes.
_GUARDED = 0xE100
_GUARD = {code: _GUARDED + code for code in range(0x80)}
_UNGUARD = {guarded: code for code, guarded in _GUARD.items()}

_SPECIAL = re.compile(r'["()\\]')
_IN_STRING = re.compile(r'["\\]')
_IN_COMMENT = re.compile(r"[()\\]")
_STRANGE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ue100-\ue17f]")
_WHITE = re.compile(r"[ \t\r\n]+")
_SERVER = re.compile(r" ?(?P<server>[^ ]+)(?: (?P<version>[0-9]{1,9}))? ?")
_METHOD = re.compile(r" ?(?P<method>[a-z][a-z0-9-]{0,63}) ?(?:/ ?(?P<version>[0-9]{1,9}) ?)?= ?")
_RESULT = re.compile(r"[a-z][a-z0-9-]{0,63}(?= |$)")
_PROPERTY = re.compile(r"(?<= )(?P<kind>[a-z][a-z0-9-]{0,63}) ?\. ?(?P<name>[a-z][a-z0-9-]{0,63}) ?= ?(?P<value>[^ ]+)")


class Result(Value, frozen=True, kw_only=True):
    """One method's result, lower case; `result` is empty where no word of the grammar follows the method.

    `properties`: (`header.from`, value without quotes) in the order written.
    """

    method: str
    result: str
    properties: tuple[tuple[str, str], ...] = ()


class Results(Value, frozen=True, kw_only=True):
    """A field: the name of the server that wrote it (lower case, empty where none is readable), what it found, and
    whether it keeps the grammar."""

    server: str
    results: tuple[Result, ...] = ()
    sound: bool = True


def read(value: bytes) -> Results:
    """Read the unfolded value of a field. Total."""
    text = value.decode("utf-8", "replace")
    words, sound = _bare(_STRANGE.sub(" ", text))
    head, *resinfos = _WHITE.sub(" ", words.lower()).strip(" ").split(";")
    writer = _SERVER.fullmatch(head)
    if writer is None or writer["version"] not in (None, "1"):
        return Results(server="", sound=False)
    results = (_result(resinfo) for resinfo in resinfos)
    return Results(
        server=writer["server"].translate(_UNGUARD).lower(),
        results=tuple(result for result in results if result is not None),
        sound=sound and not _STRANGE.search(text),
    )


def _result(resinfo: str) -> Result | None:
    """One result with its properties; None for what names no method, or another version of one."""
    found = _METHOD.match(resinfo)
    if found is None or found["version"] not in (None, "1"):
        return None
    result = _RESULT.match(resinfo, found.end())
    if result is None:
        return Result(method=found["method"], result="")
    properties = _PROPERTY.finditer(resinfo, result.end())
    return Result(
        method=found["method"],
        result=result[0],
        properties=tuple((f"{p['kind']}.{p['name']}", p["value"].translate(_UNGUARD).lower()) for p in properties),
    )


def _bare(text: str) -> tuple[str, bool]:
    """The text without comments, its quoted strings behind the guard, and whether all of them end."""
    out: list[str] = []
    sound = True
    at = 0
    while special := _SPECIAL.search(text, at):
        out.append(text[at : special.start()])
        at = special.end()
        if special[0] == '"':
            inside, at, ended = _string(text, at)
            out.append(inside)
        elif special[0] == "(":
            at, ended = _comment(text, at)
            out.append(" ")
        else:
            ended = False
            out.append(" ")
        sound = sound and ended
    out.append(text[at:])
    return "".join(out), sound


def _string(text: str, at: int) -> tuple[str, int, bool]:
    """A quoted string from behind its first quote on: its characters guarded, where it ends, whether it does."""
    out: list[str] = []
    while special := _IN_STRING.search(text, at):
        out.append(text[at : special.start()])
        at = special.end()
        if special[0] == '"':
            return "".join(out).translate(_GUARD), at, True
        out.append(text[at : at + 1])
        at += 1
    return "".join((*out, text[at:])).translate(_GUARD), len(text), False


def _comment(text: str, at: int) -> tuple[int, bool]:
    """Where a comment ends whose first parenthesis is behind us, and whether it does."""
    depth = 1
    while depth and (special := _IN_COMMENT.search(text, at)):
        at = special.end()
        if special[0] == "\\":
            at += 1
        else:
            depth += 1 if special[0] == "(" else -1
    return (at, True) if depth == 0 else (len(text), False)
