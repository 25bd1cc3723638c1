"""Which lines of a message did no writer write, but a mailing list, its archive or a signing program?

In: the lines of a text and a place among them. Out: where the lines end that a program put there: a list's footer (a
rule, the list's name, how to leave it), an archive's note about a file it took out, the armour of an OpenPGP signature,
a card drawn with bars. What is in doubt is the writer's. A line is looked at up to `LIMIT` characters, and a bounded
number of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from router.text.own_words.quoted_headers import is_name
from router.text.own_words.quotes import LIMIT, Mark, contacts, mark, marks

__all__ = ["appended"]

_DRAWN = "-_=~*#"
_FIRST = frozenset(_DRAWN + "|")
_RULE = 20
_CARD = 12
_FOOTER = 6
_ARMOUR = 60
_NOTE = 10
_SIGNED, _SIGNATURE, _END = (f"-----{words}-----" for words in (
    "BEGIN PGP SIGNED MESSAGE", "BEGIN PGP SIGNATURE", "END PGP SIGNATURE",
))  # fmt: skip
_NEXT_PART = re.compile(r"-{8,} next part -{8,}")
_NOTE_LINE = re.compile(r"(?:Name|Type|Size|Desc|URL|From|Subject|Date|To) ?:|<?https?://", re.IGNORECASE)


def appended(lines: Sequence[str], at: int) -> int:
    """Where the lines end that a program added from `at` on; 0 where the writer's own words stand."""
    if lines[at][:1] not in _FIRST:
        return 0
    line = lines[at][:LIMIT].strip()
    if line[:1] == "|":
        signed = (end + 1 for end in range(at + 1, _last(lines, at, _CARD)) if lines[end].startswith("签名由"))
        return next(signed, 0) or _card(lines, at)
    if line == "-":
        return _footer(lines, at + 1, line)
    if len(line) < _RULE:
        return 0
    if line == _SIGNED:
        return _below(lines, at + 1, "Hash:")
    if line == _SIGNATURE:
        return next((end + 1 for end in range(at + 1, _last(lines, at, _ARMOUR)) if lines[end].strip() == _END), 0)
    if _NEXT_PART.fullmatch(line):
        return _note(lines, at + 1)
    return _footer(lines, at + 1, line) if not line.strip(_DRAWN) else 0


def _card(lines: Sequence[str], at: int) -> int:
    """Behind a card that is drawn with bars: lines of nothing else, names and ways to reach somebody between them."""
    end = at
    while end < _last(lines, at, _CARD) and (line := lines[end].strip()):
        if line.strip("| ") and not (is_name(line) or contacts(line)):
            return 0
        end += 1
    block = [line.strip() for line in lines[at:end]]
    bars = sum(not line.strip("| ") for line in block)
    return end if 3 <= bars < len(block) and not (block[0] + block[-1]).strip("| ") else 0


def _last(lines: Sequence[str], at: int, most: int) -> int:
    return min(len(lines), at + most)


def _below(lines: Sequence[str], at: int, field: str) -> int:
    """Behind the lines that begin with a field's name."""
    while at < len(lines) and lines[at].startswith(field):
        at += 1
    return at


def _note(lines: Sequence[str], at: int) -> int:
    """Behind the separator of parts, and behind what an archive says of one that it took out."""
    first = next((i for i in range(at, _last(lines, at, 3)) if lines[i].strip()), at)
    if first == len(lines) or not lines[first][:LIMIT].rstrip().endswith("was scrubbed..."):
        return at
    end = first + 1
    while end < _last(lines, first, _NOTE) and _NOTE_LINE.match(lines[end]):
        end += 1
    return end


def _footer(lines: Sequence[str], at: int, rule: str) -> int:
    """Behind a list's footer that begins below a rule, up to its second rule or else as long as lines stand together:
    it says that it is a list's and how to reach the list."""
    if at == len(lines) or not any(words in lines[at][:LIMIT].lower() for words in marks().lists):
        return 0
    boxed = next((end + 1 for end in range(at, _last(lines, at, _NOTE)) if lines[end].strip() == rule), 0)
    end = at + 1
    while end < _last(lines, at, _FOOTER) and mark(lines[end]) is Mark.WORDS:
        end += 1
    if not any(_reaches(line) for line in lines[at:end]):
        return 0
    return max(end + (end < len(lines) and mark(lines[end]) is Mark.RULE), boxed)


def _reaches(line: str) -> bool:
    """Is the line, or what stands behind its last space, an address or a link?"""
    words = line[:LIMIT].strip()
    return contacts(words) or contacts(words.rpartition(" ")[2].strip("<>()."))
