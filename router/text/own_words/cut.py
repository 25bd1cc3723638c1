"""Which of a message's words are the customer's own, and which are quote, signature or device line?

In: the text of a message (and its HTML, whose quotes are told by structure). Out: `OwnWords`. A view: the full text is
kept elsewhere. Losing a customer's own word is worse than leaking a quote, so what is in doubt stays, and where nothing
else is left (a bare forward, words below an unmarked quote) the quoted content counts as own.

One pass over the lines, each looked at up to 400 characters and with two neighbours: linear time (rules: follow-ups).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from router.text.own_words.footers import appended
from router.text.own_words.html import SIGNATURE, has_structure, marked, plain
from router.text.own_words.quoted_headers import after_headers, header_block, is_name
from router.text.own_words.quotes import (
    LIMIT,
    Cited,
    Mark,
    announces,
    before_opener,
    cites,
    closes,
    contacts,
    initials,
    label,
    mark,
    marks,
    names,
    opens,
    speaks,
)
from router.value import Value

__all__ = ["LONGEST", "OwnWords", "cut", "plain"]

#: Characters of a text that are read; what a longer one says behind them is in its raw only.
LONGEST = 1 << 20
_BREAKS = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_SIGNATURE_LINES = 12
_LETTERHEAD_LINES = 20
_ATTRIBUTION = 300
_SHINGLE = 16
_CHAT_QUOTE_LINES = 60


class OwnWords(Value, frozen=True, kw_only=True):
    """A message's text in three parts; `own` is empty only when the message has no text at all."""

    own: str
    quoted: str = ""
    signature: str = ""


def cut(text: str, html: str = "", *, known_outbound: Sequence[str] = ()) -> OwnWords:
    """Part a message into own words, quote and signature.

    `html`: the same message's HTML part, used when it tells quotes by structure or when there is no text.
    `known_outbound`: what the desk wrote before in this conversation; lines of it are quotes however they are set.
    """
    if html and has_structure(html):
        source = marked(html) or text
    elif html and not text.strip():
        source = plain(html)
    else:
        source = text.replace(SIGNATURE, "")
    source = source[:LONGEST].strip("\r\n \t\ufeff")
    if "\n" not in source and "\r" not in source and not source.startswith(SIGNATURE):
        return OwnWords(own=source.removeprefix("> "))
    parts = _Scan(_BREAKS.sub("\n", source).split("\n")).parts()
    return _without_known(parts, known_outbound) if known_outbound else parts


class _Scan:
    """One walk down the lines; `at` only grows."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0
        self.own: list[str] = []
        self.quoted: list[str] = []
        self.headers: list[str] = []
        self.body: list[str] = []
        self.signature: list[str] = []
        self.initials = ""

    def parts(self) -> OwnWords:
        self._chat_quote()
        while self.at < len(self.lines):
            self._step()
        self._sign_off()
        own = _joined(self.own)
        if own:
            return OwnWords(own=own, quoted=_joined(self.quoted), signature=_joined(self.signature))
        body = _joined(line.lstrip(">＞ \t") for line in self.body)
        if body:
            return OwnWords(own=body, quoted=_joined(self.headers), signature=_joined(self.signature))
        return OwnWords(own=_joined(self.signature) or _joined(self.lines))

    def _step(self) -> None:
        line = self.lines[self.at]
        if line.startswith(SIGNATURE):
            self.signature.append(line[1:])
            self.at += 1
            return
        kind = self._kind(line)
        if end := appended(self.lines, self.at):
            self.signature += self.lines[self.at : end]
            self.at = end
        elif kind is Mark.QUOTED and (self.quoted or not line.lstrip()[1:2].isdigit()):
            self._quoted_lines()
        elif kind in (Mark.ORIGINAL, Mark.FORWARD):
            self._quoted_mail(after_headers(self.lines, self.at + 1))
        elif kind is Mark.DELIMITER:
            self._signature()
        elif kind is Mark.DEVICE:
            self.signature.append(line.strip())
            self.at += 1
        elif not self._introduction(kind, line):
            self.own.append(line)
            self.at += 1

    def _quoted_lines(self) -> None:
        """The lines that a sign of quotation begins, from here on."""
        end = self.at + 1
        while end < len(self.lines) and self.lines[end].startswith((">", "＞")):
            end += 1
        self._expect_initials(end, self.lines[end - 1].lstrip(">＞ "))
        self._quote(end)

    def _introduction(self, kind: Mark, line: str) -> bool:
        """Take what introduces another mail: a rule over its head, its head, or "on Monday he wrote". Was there any?"""
        if kind is Mark.RULE and label(self._next_words(self.at + 1)) == "from":
            self._quoted_mail(after_headers(self.lines, self.at + 1))
        elif kind is Mark.WORDS and (fields := header_block(self.lines, self.at)) is not None:
            self._letterhead()
            self._quoted_mail(after_headers(self.lines, fields))
        elif kind is Mark.WORDS and (size := self._attribution()):
            self.own += filter(None, [before_opener(line)])
            self._quoted_mail(self.at + size)
        else:
            return False
        return True

    def _kind(self, line: str) -> Mark:
        """What a line is, lines quoted behind the initials of their writer included."""
        return Mark.QUOTED if self.initials and initials(line) == self.initials else mark(line)

    def _expect_initials(self, below: int, attribution: str) -> None:
        """Below an attribution, lines may be quoted behind the initials or the name of whom it names."""
        found = initials(self._next_words(below))
        cited = cites(attribution) if found else Cited.NO
        if cited is Cited.SURELY or (cited is Cited.MAYBE and names(attribution, found)):
            self.initials = found

    def _quote(self, end: int) -> None:
        self.quoted += self.lines[self.at : end]
        self.body += self.lines[self.at : end]
        self.at = end

    def _quoted_mail(self, content: int) -> None:
        """A mark up to `content`; below it `>` lines (own words may stand between them), else all the rest is quote."""
        following = self._next_words(content)
        if following and cites(following) is Cited.SURELY:
            content = self.lines.index(following, content) + 1
        self.headers.extend(self.lines[self.at : content])
        self.quoted.extend(self.lines[self.at : content])
        self.at = content
        while content < len(self.lines) and not self.lines[content].strip():
            content += 1
        if content < len(self.lines) and self._kind(self.lines[content]) is not Mark.QUOTED:
            self._quote(self._closed(content) or len(self.lines))

    def _closed(self, at: int) -> int:
        """Where a quote ends that stands between `<<` and `>>` (0: it has no such signs)."""
        if not self.lines[at].lstrip().startswith("<<"):
            return 0
        return next((end + 1 for end in range(at, len(self.lines)) if self.lines[end].rstrip().endswith(">>")), 0)

    def _attribution(self) -> int:
        """How many lines from here are an attribution (0: none); mail programs break it over two or three."""
        line = self.lines[self.at]
        cited = cites(line)
        if cited is not Cited.NO:
            self._expect_initials(self.at + 1, line)
            below = self._next_words(self.at + 1)
            return int(cited is Cited.SURELY or below.startswith("<<") or self._kind(below) is Mark.QUOTED)
        if not opens(line) and not ("@" in line[:LIMIT] and "<" in line[:LIMIT]):
            return 0
        joined = line.strip()
        for size in (2, 3):
            following = self.lines[self.at + size - 1 : self.at + size]
            if not following or not following[0].strip() or len(joined) > _ATTRIBUTION:
                return 0
            joined += " " + following[0].strip()
            if closes(following[0]):
                self._expect_initials(self.at + size, joined)
                return size if cites(joined) is Cited.SURELY else 0
        return 0

    def _next_words(self, start: int) -> str:
        return next((line for line in self.lines[start : start + 3] if line.strip()), "")

    def _signature(self) -> None:
        """Below the delimiter: a signature when short; else somebody drew a line in his own text. Words that speak to
        the reader end it where they stand apart, and below two dashes without their space (which only people type)
        wherever they stand."""
        end, words, apart = self.at + 1, 0, self.lines[self.at] != "-- "
        while end < len(self.lines) and words <= _SIGNATURE_LINES:
            line = self.lines[end]
            if mark(line) not in (Mark.WORDS, Mark.BLANK, Mark.DEVICE) or (apart and speaks(line)):
                break
            apart |= not line.strip()
            words += bool(line.strip())
            end += 1
        spoken = end < len(self.lines) and words <= _SIGNATURE_LINES and speaks(self.lines[end])
        if words <= _SIGNATURE_LINES and not (spoken and (not words or not any(map(str.strip, self.own)))):
            self.signature.extend(self.lines[self.at + 1 : end])
        else:
            self.own.extend(self.lines[self.at : end])
        self.at = end

    def _letterhead(self) -> None:
        """Move the writer's name and address, which Foxmail sets between his words and the mail that he answers, to the
        signature: an address alone, three empty lines above it, and nothing above that announces it."""
        first = max(0, len(self.own) - _LETTERHEAD_LINES)
        filled = [at for at in range(first, len(self.own)) if self.own[at].strip()]
        if len(filled) < 2 or "@" not in self.own[filled[-1]] or not contacts(self.own[filled[-1]]):
            return
        begin = filled.pop()
        if filled[-1] == begin - 1 and is_name(self.own[begin - 1].strip()):
            begin = filled.pop()
        if filled and begin - filled[-1] > 3 and not announces(self.own[filled[-1]]):
            self.signature[:0] = self.own[begin:]
            del self.own[begin:]

    def _chat_quote(self) -> None:
        """A chat's quote: 「name：words」, a rule, then the answer."""
        if not self.lines[0].lstrip().startswith(("「", "『")):
            return
        for at in range(1, min(len(self.lines), _CHAT_QUOTE_LINES)):
            rule = self.lines[at].strip()[:LIMIT]
            if len(rule) >= 5 and not rule.strip("- —–─"):
                if self.lines[at - 1].rstrip().endswith(("」", "』")):
                    self._quote(at + 1)
                return

    def _sign_off(self) -> None:
        """Move a closing with contact lines below it from the end of the own words to the signature."""
        last = [at for at in range(max(0, len(self.own) - 16), len(self.own)) if self.own[at].strip()][-8:]
        for place, at in enumerate(last):
            if self.own[at].strip(" ,，.。!！-—").lower() in marks().closings:
                below = [self.own[i].strip() for i in last[place + 1 :]]
                reachable = len(below) >= 2 and any(map(contacts, below))
                if reachable and all(is_name(line) or contacts(line) for line in below):
                    self.signature[:0] = self.own[at:]
                    del self.own[at:]
                return


def _joined(lines: Iterable[str]) -> str:
    """Lines as text: no spaces at their ends, at most one empty line in a row."""
    kept: list[str] = []
    for line in lines:
        words = line.strip(" \t\u00a0")
        if words or (kept and kept[-1]):
            kept.append(words)
    return "\n".join(kept).strip()


def _without_known(parts: OwnWords, outbound: Sequence[str]) -> OwnWords:
    """Take lines that the desk wrote itself out of the own words, unless nothing would be left."""
    known: set[str] = set()
    for words in outbound:
        squeezed = "".join(words.split())
        known.update(squeezed[i : i + _SHINGLE] for i in range(len(squeezed) - _SHINGLE + 1))
    own: list[str] = []
    quoted: list[str] = []
    for line in parts.own.split("\n"):
        squeezed = "".join(line.split())
        pieces = (squeezed[i : i + _SHINGLE] for i in range(len(squeezed) - _SHINGLE + 1))
        ours = len(squeezed) >= _SHINGLE and all(piece in known for piece in pieces)
        (quoted if ours else own).append(line)
    kept = _joined(own)
    if not quoted or not kept:
        return parts
    return OwnWords(own=kept, quoted=_joined([*quoted, parts.quoted]), signature=parts.signature)
