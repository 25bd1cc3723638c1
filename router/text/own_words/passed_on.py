"""Whose mail is passed on in this one, and what did he write?

In: the text and subject of a mail. Out: `PassedOn`: the address and name in the header lines of the mail that was
forwarded, the words above it (of whoever forwards it) and the words below it (of whoever wrote it). A separator of a
forward is enough; header lines that an answer has too need a subject that says "forwarded". One pass over the lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from router.text.own_words.cut import LONGEST
from router.text.own_words.quoted_headers import after_headers, header_block
from router.text.own_words.quotes import LIMIT, Cited, Mark, cites, label, mark, marks
from router.text.secrets import scrub_ids
from router.value import Value

__all__ = ["PassedOn", "is_forward", "passed_on"]

_SUBJECT = re.compile(
    r"\s*\[?(?:fwd?|wg|tr|rv|enc|i|doorst|vb|pd|vs|fs|wtr|转发|轉寄|轉發|转寄|転送|전달)\]?\s*[:：]",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"'＜＞（）]{1,64}@(?:[\w-]{1,63}\.){1,9}[\w-]{2,63}")
_BREAKS = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_VALUE = re.compile(r"[:：﹕|]\*{0,2}")
_BEHIND_NAME = re.compile(r"[<＜\[(（]")
#: Lines of a text that are looked at for the first forwarded mail, and mails in one another.
_MOST_LINES, _MOST_MAILS = 400, 5


class PassedOn(Value, frozen=True, kw_only=True):
    """A mail within a mail. `address` is in lower case and empty where the header lines name none."""

    address: str
    name: str = ""
    above: str = ""
    words: str = ""


def is_forward(subject: str) -> bool:
    """Does a subject say that the mail is passed on ("Fwd: …", "转发：…")?"""
    return _SUBJECT.match(subject[:LIMIT]) is not None


def passed_on(text: str, subject: str, ours: Callable[[str], bool] = lambda _: False) -> PassedOn | None:
    """The mail that this one passes on; where `ours` says that its sender is one of us, the one below that.

    None where nothing is passed on. Total.
    """
    text = text[:LONGEST]
    if not _senders().search(text):
        return None  # as most mail: no line of it names a sender
    written = _BREAKS.sub("\n", text).split("\n")
    lines = [line.lstrip("> \t") if line[:1] in (">", "＞") else line for line in written]
    first: PassedOn | None = None
    for begin, fields in _mails(written, lines, forwarded=is_forward(subject)):
        end = after_headers(lines, fields)
        address, name = _sender(lines[fields:end])
        found = PassedOn(
            address=address, name=name, above="\n".join(lines[:begin]).strip(), words="\n".join(lines[end:]).strip()
        )
        if address and not ours(address):
            return found if first is None else PassedOn(
                address=address, name=name, above=first.above, words=found.words
            )  # fmt: skip
        first = first or found
    return first


@cache
def _senders() -> re.Pattern[str]:
    """A line that begins as the sender's header line does, in any language; Chinese labels may be set wide."""
    words = (word for word, kind in marks().labels.items() if kind == "from")
    wide = (word if word.isascii() else r"[ \u3000]*".join(map(re.escape, word)) for word in words)
    line = rf"^[|* \t>＞]{{0,6}}(?:{'|'.join(wide)})\*{{0,2}}[ \t]{{0,3}}[:：﹕|]"
    return re.compile(line, re.IGNORECASE | re.MULTILINE)


def _mails(written: Sequence[str], lines: Sequence[str], *, forwarded: bool) -> Iterator[tuple[int, int]]:
    """Where mails within this one begin: the line of the mark, and that of the header lines. The first must be passed
    on, not answered; those below it may be answers. `lines` are those of `written` without marks of a quote."""
    found, at = 0, 0
    while at < min(len(lines), _MOST_LINES) and found < _MOST_MAILS:
        fields, passed = _begins(written, lines, at)
        if fields is None:
            if not found and not forwarded and cites(written[at]) is Cited.SURELY:
                return
            at += 1
        elif not (passed or forwarded or found):
            return
        else:
            yield at, fields
            found, at = found + 1, max(at + 1, after_headers(lines, fields))


def _begins(written: Sequence[str], lines: Sequence[str], at: int) -> tuple[int | None, bool]:
    """Do header lines of a mail begin here, a sender among them, and does the line say that it is passed on?"""
    kind, fields = mark(written[at]), None
    if kind in (Mark.FORWARD, Mark.ORIGINAL, Mark.RULE):
        below = next((i for i in range(at + 1, min(len(lines), at + 4)) if lines[i].strip()), at)
        fields = below if label(lines[below]) else None
    elif kind is Mark.WORDS:
        fields = header_block(lines, at)
    if fields is None or all(label(line) != "from" for line in lines[fields : after_headers(lines, fields)]):
        return None, False
    return fields, kind is Mark.FORWARD


def _sender(fields: Sequence[str]) -> tuple[str, str]:
    """Address and name of the sender in header lines; the address may stand on the line below."""
    at = next((at for at, line in enumerate(fields) if label(line) == "from"), -1)
    if at < 0:
        return "", ""
    value = _VALUE.split(fields[at][:LIMIT], maxsplit=1)[-1]
    below = fields[at + 1][:LIMIT] if at + 1 < len(fields) and not label(fields[at + 1]) else ""
    found = _ADDRESS.search(value) or _ADDRESS.search(below)
    name = _BEHIND_NAME.split(value, maxsplit=1)[0].strip(" \t\"'*")
    return (scrub_ids.identity(found[0].lower()) if found else ""), "" if "@" in name else " ".join(name.split())[:200]
