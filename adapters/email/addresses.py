"""Which mailboxes does an address field name? Undecoded bytes in, names and addresses out, in linear time.

Structure is read before encoded words are decoded, so that a decoded name can never become an address. Anything that
programs read in different ways (two addresses, a comment that never ends, two `@`) is returned with `doubtful`, and a
doubtful sender never counts as proved.
"""

from __future__ import annotations

import re

from adapters.email.mime.charset import clean_line, decode, header
from router.text.secrets import scrub_ids
from router.value import Value

__all__ = ["Mailbox", "mailboxes"]

#: Bytes of a field that are read: more mailboxes than anybody is answered to.
MAX_FIELD = 64 * 1024
#: Characters of a name.
MAX_NAME = 200
#: Characters of a field whose one address is written in words.
MAX_SPOKEN = 1_000

_ATOM = r"[^\s<>()\[\]:;@\\,\"]"
_LOCAL = rf"(?<!{_ATOM}){_ATOM}{{1,255}}"  # whole: the end of a longer one is somebody else's
_SPEC = rf"{_LOCAL}@{_ATOM}{{1,255}}"
_PLAIN = re.compile(rf"\s*({_SPEC})\s*")
_NAMED = re.compile(rf'\s*(?:"([^"\\]*)"|([^"<>()\[\]:;@\\,]*))\s*<({_SPEC})>\s*')
#: How list archives write an address so that no robot takes it: "anna at mail.example (Anna Lee)".
_SPOKEN = re.compile(
    rf'\s*(?:"?([^"<>()@]*)"?\s*<)?\s*({_ATOM}{{1,255}}) at ((?:[\w-]{{1,63}}\.){{1,9}}[\w-]{{2,63}})>?'
    r"\s*(?:\(([^()]*)\)\s*)?"
)
_SPECIAL = re.compile(r'["(),:;<>\\]')
_ADDRESS = re.compile(rf"{_SPEC}|{_LOCAL}@\[[^\s\[\]<>()]{{1,100}}\]")


class Mailbox(Value, frozen=True, kw_only=True):
    """An address with the name beside it; `doubtful` when the field can be read in more than one way."""

    address: str
    name: str = ""
    doubtful: bool = False


def mailboxes(value: bytes, limit: int = 1_000, beside: str = "") -> list[Mailbox]:
    """The mailboxes of a field, in order, at most `limit`; groups are flattened, nonsense gives none. `beside`: the
    charset that the text of the same mail declares."""
    if not value or (b"@" not in value and b" at " not in value):
        return []
    text = " ".join(decode(value[:MAX_FIELD], beside=beside).split())
    if "@" not in text:
        spoken = _SPOKEN.fullmatch(text[:MAX_SPOKEN])
        return _found(f"{spoken[2]}@{spoken[3]}", spoken[1] or spoken[4] or "", True) if spoken else []
    if plain := _PLAIN.fullmatch(text):
        return _found(plain[1], "", False)
    if named := _NAMED.fullmatch(text):
        return _found(named[3], named[1] or named[2] or "", False)
    return _scan(text, limit)


def _found(address: str, name: str, doubtful: bool) -> list[Mailbox]:
    """The mailbox, unless nothing is left of its address once it is cleaned."""
    written = _address(address)
    whole = written[:1] != "@" and written[-1:] != "@"
    return [Mailbox(address=written, name=_name(name), doubtful=doubtful)] if whole else []


def _address(text: str) -> str:
    """An address in lower case, without secrets, its domain as it travels (ASCII), without a final dot."""
    local, _, domain = clean_line(text).rpartition("@")
    domain = domain.rstrip(".").lower()
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            domain = domain.casefold()
    return f"{scrub_ids.identity(local).lower()}@{domain}"


def _name(text: str) -> str:
    """A display name for people: decoded, in one line, at most 200 characters."""
    text = text.strip()
    if "=?" in text:
        return header(text.encode("utf-8", "replace"))[:MAX_NAME]
    return clean_line(text)[:MAX_NAME]


class _Reader:
    """The state of one pass over an address field."""

    __slots__ = ("angle", "begun", "comment", "doubtful", "found", "inside", "limit", "quoted", "words")

    def __init__(self, limit: int) -> None:
        self.found: list[Mailbox] = []
        self.words: list[str] = []
        self.angle: list[str] = []
        #: What stands before a comma and has no address: the first half of a name that should have been quoted.
        self.begun = ""
        self.inside = self.quoted = self.doubtful = False
        self.comment = 0
        self.limit = limit

    def end(self, *, comma: bool = False) -> None:
        """A comma, semicolon or the end: what was read is a mailbox, if it has an address."""
        address = "".join(self.angle).strip()
        before = "".join(self.words)
        if not address:
            bare = _ADDRESS.search(before)
            address, before = (bare[0], before.replace(bare[0], "", 1)) if bare else ("", before)
            doubtful = self.doubtful or "@" in before
        else:
            address = address.rpartition(":")[2] if ":" in address and "[" not in address else address
            doubtful = self.doubtful or not _ADDRESS.fullmatch(address)
            matched = _ADDRESS.search(address)
            address = matched[0] if matched else ""
        if address and len(self.found) < self.limit:
            self.found += _found(address, self.begun + before, doubtful)
        self.begun = f"{self.begun}{before.strip()}, "[:MAX_NAME] if comma and not address and before.strip() else ""
        self.words, self.angle, self.inside, self.doubtful = [], [], False, False


def _scan(text: str, limit: int) -> list[Mailbox]:
    """Read the general form: quoted strings, comments, groups, routes."""
    reader = _Reader(limit)
    at = 0
    for special in _SPECIAL.finditer(text):
        if special.start() < at:
            continue
        _take(reader, text[at : special.start()])
        at = special.end()
        if special[0] == "\\":
            _take(reader, text[at : at + 1])
            at += 1
        else:
            _mark(reader, special[0])
        if len(reader.found) >= limit:
            return reader.found
    _take(reader, text[at:])
    reader.doubtful |= reader.comment > 0 or reader.quoted or reader.inside
    reader.end()
    return reader.found


def _take(reader: _Reader, text: str) -> None:
    """Plain characters between two special ones."""
    if text and not (reader.comment and not reader.quoted):
        (reader.angle if reader.inside and not reader.quoted else reader.words).append(text)


def _mark(reader: _Reader, mark: str) -> None:
    """One special character in the state the reader is in."""
    if mark == '"' and not reader.comment:
        reader.quoted = not reader.quoted
    elif reader.quoted:
        _take(reader, mark)
    elif mark == "(":
        reader.comment += 1
    elif mark == ")":
        reader.doubtful |= reader.comment == 0
        reader.comment = max(0, reader.comment - 1)
    elif reader.comment:
        return
    elif mark == "<":
        reader.doubtful |= reader.inside or bool(reader.angle)
        reader.inside = True
    elif mark == ">":
        reader.doubtful |= not reader.inside
        reader.inside = False
    elif mark == ":" and not reader.inside:
        reader.words.clear()
        reader.begun = ""
    elif mark in ",;" and not reader.inside:
        reader.end(comma=mark == ",")
    else:
        _take(reader, mark)
