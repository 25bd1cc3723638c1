"""Which secrets does a text hold, and how does it read without them?

In: any text that will be stored (own words, full text, subject, file name), after `own_words.plain` took tags away.
Out: `Redacted`: the text with each secret replaced by what it was ("[已隐去:银行卡 ****1111]"), and the kinds found.
Seed phrases, private keys, card numbers, resident identity numbers, one-time codes, passwords, card checks, tokens.

False alarms cost too: order numbers, hashes, phones and sums stay (rules: security, 3). Redacting twice
changes nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import Path

from router.text.meaning import number_context
from router.text.secrets import announced, seeds
from router.text.secrets.cards import is_card, is_resident_id
from router.text.secrets.seeds import Span
from router.text.secrets.tokens import tokens
from router.text.secrets.unhidden import HAN_DIGITS, UNSEEN, han_digits, unhidden
from router.value import Value

__all__ = ["Redacted", "mark", "redact"]

_FILE = Path(__file__).parents[2] / "lexicons" / "secrets.toml"
_ORDER = ("order", "order_number")
_NUMBERS = ("card", "resident_id", "cvv")

_SEPARATOR = r"[ \t\n\r!-/:-@\[-`{-~·•∙‧・。，、：；…“”‘’（）【】「」『』《》〈〉]{0,6}"
_LONG_DIGITS = re.compile(rf"[0-9](?:{_SEPARATOR}[0-9]){{12}}")
_LONG_NUMERALS = re.compile(rf"[0-9{HAN_DIGITS}](?:{_SEPARATOR}[0-9{HAN_DIGITS}]){{12}}")
_DIGIT_RUN = re.compile(rf"[0-9](?:{_SEPARATOR}[0-9])*[Xx]?")
_GROUP = re.compile(r"[0-9]+[Xx]?")
#: A date, a time, a sum: no number begins or ends within.
_WHOLE = re.compile(
    r"(?<![0-9])(?:(?:19|20)[0-9]{2}([-/.])[0-9]{1,2}\1[0-9]{1,2}|[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9])?"
    r"|[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]{1,2})?|[0-9]{1,9}\.[0-9]{1,2})(?![0-9.,:])"
)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,80}>")
_LATIN = re.compile(r"[0-9A-Za-z]")
#: A text by the kind of its characters: digits, Latin letters, any other.
_SHAPE = bytes(ord("0") if c.isdigit() else ord("a") if c.isalpha() else ord(" ") for c in map(chr, range(128)))
_SHAPE = _SHAPE.ljust(256)
_LONG_TOKEN = b"a" * 51
_HAN_GATE = re.compile("[码碼密令歌位]")
_AFTER_CARD = re.compile(r"[\s,，/|]{1,3}(?:0[1-9]|1[0-2])[/\-]?(?:20)?[0-9]{2}[\s,，/|]{1,3}([0-9]{3,4})(?![0-9])")


class Redacted(Value, frozen=True, kw_only=True):
    """A text without its secrets.

    `found`: the kinds, in order of appearance (`seed`, `key`, `card`, `resident_id`, `code`, `password`, `cvv`,
    `token`). `exposed`: a seed phrase or key was among them (flag `secret_exposed`). `certain`: a seed's checksum is
    right. `marks`: `kind:` and the keyed MAC of each value, when `redact` was given one.
    """

    text: str
    found: tuple[str, ...] = ()
    exposed: bool = False
    certain: bool = False
    marks: tuple[str, ...] = ()


def redact(text: str, mac: Callable[[str], str] | None = None) -> Redacted:
    """Replace the secrets of a text. `mac` (keyed, see `seal.Sealer.mac`) lets equal cards be matched without them.

    Tags and invisible characters do not hide a secret: it is looked for without them, and taken out with them.
    """
    first = _redacted(text, mac)
    if not first.found:
        return first
    again = _redacted(first.text, mac)  # what a secret hid by standing beside it
    return Redacted(
        text=again.text,
        found=tuple(dict.fromkeys((*first.found, *again.found))),
        exposed=first.exposed or again.exposed,
        certain=first.certain or again.certain,
        marks=(*first.marks, *again.marks),
    )


def _redacted(text: str, mac: Callable[[str], str] | None) -> Redacted:
    plain = unhidden(text)
    tagged = "<" in plain and _TAG.search(plain) is not None
    spans = _hidden_secrets(plain, tagged) if tagged or UNSEEN in plain else _secrets(plain)
    return _replaced(text, plain, spans, mac) if spans else Redacted(text=text)


def _hidden_secrets(plain: str, tagged: bool) -> list[Span]:
    """Look without unseen characters and tags, once joining what they part (`4111<b>1111`), once not."""
    kept = [at for at, character in enumerate(plain) if character != UNSEEN]
    visible = plain.replace(UNSEEN, "")
    found = _secrets(_TAG.sub(lambda tag: " " * len(tag[0]), visible) if tagged else visible)
    spans = [(kept[start], kept[end - 1] + 1, kind) for start, end, kind in found]
    if tagged:
        tags = [range(tag.start(), tag.end()) for tag in _TAG.finditer(visible)]
        inside = frozenset(at for tag in tags for at in tag)
        shown = [at for at in range(len(visible)) if at not in inside]
        found = _secrets("".join(visible[at] for at in shown))
        spans += [(kept[shown[start]], kept[shown[end - 1]] + 1, kind) for start, end, kind in found]
    if len(visible) != len(plain):
        spans += _secrets(plain.replace(UNSEEN, " "))
    return spans


def _secrets(plain: str) -> list[Span]:
    found: list[Span] = []
    low = plain.lower()
    if len(low) != len(plain):
        low = plain.translate(_LOWER)
    written = seeds.latin_words(low)
    if len(plain) >= seeds.SHORTEST:
        found.extend(seeds.seeds(low, written))
    ascii_ = plain.isascii()
    if not ascii_ and len(plain) >= 13 and _LONG_NUMERALS.search(plain):
        found.extend(_numbers(han_digits(plain)))
    if not _LATIN.search(plain) and "码" not in low and "碼" not in low:
        return found
    shape = plain.encode("ascii", "replace").translate(_SHAPE)
    if len(plain) >= 51 and ("key" in low or "私" in low or _LONG_TOKEN in shape.replace(b"0", b"a")):
        found.extend(seeds.keys(plain, low))
    found.extend(tokens(plain))
    if shape.count(b"0") >= 13 and _LONG_DIGITS.search(plain):
        found.extend(_numbers(plain))
    has_card = any(kind == "card" for _, _, kind in found)
    if not ascii_ and _HAN_GATE.search(low):
        found.extend(announced.told(plain, low, announced.words(latin=False), has_card))
    if announcing := announced.announcing(written):
        found.extend(announced.told(plain, low, announcing, has_card))
    return found


def _numbers(plain: str) -> Iterator[Span]:
    """Cards and resident identity numbers: whole digit groups, not glued to letters, not introduced as an order."""
    for run in _DIGIT_RUN.finditer(plain):
        if run.end() - run.start() < 13:
            continue
        groups = [(group.start(), group.end()) for group in _GROUP.finditer(plain, run.start(), run.end())]
        whole = _WHOLE.finditer(plain, run.start(), run.end())
        inside = {at for one in whole for at in range(one.start() + 1, one.end())}
        first = 0
        while first < len(groups):
            found: list[Span] = []
            first += _number_at(plain, groups, inside, first, found)
            for span in found:
                yield span
                if check := _AFTER_CARD.match(plain, span[1]):
                    yield check.start(1), check.end(1), "cvv"


def _number_at(
    plain: str, groups: list[tuple[int, int]], inside: Collection[int], first: int, found: list[Span]
) -> int:
    """Look for a number that begins with group `first`, and neither begins nor ends `inside` a date, a time or a sum;
    gives the number of groups to go on by."""
    start, digits = groups[first][0], ""
    best: tuple[int, str] | None = None
    for last in range(first, min(len(groups), first + 19)):
        digits += plain[groups[last][0] : groups[last][1]]
        if len(digits) > 19:
            break
        end = groups[last][1]
        if len(digits) < 13 or start in inside or end in inside:
            continue
        if is_resident_id(digits) and not _is_glued(plain, start, end):
            best = (last, "resident_id")
        elif is_card(digits) and not _is_glued(plain, start, end):
            best = (last, "card")
    if best is None or number_context.before(plain, start) in _ORDER:
        return 1
    found.append((start, groups[best[0]][1], best[1]))
    return best[0] - first + 1


def _is_glued(plain: str, start: int, end: int) -> bool:
    before, behind = plain[max(0, start - 2) : start], plain[end : end + 2]
    if before and (_is_latin(before[-1]) or (before[-1] == "." and before[0].isdigit())):
        return True
    return bool(behind) and (_is_latin(behind[0]) or behind[0].isdigit())


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _replaced(text: str, plain: str, spans: list[Span], mac: Callable[[str], str] | None) -> Redacted:
    pieces: list[str] = []
    found: list[str] = []
    marks: list[str] = []
    at, certain = 0, False
    for start, end, kind in _apart(spans):
        value = plain[start:end] if kind not in _NUMBERS else han_digits(plain[start:end])
        pieces += (text[at:start], mark(kind, "".join(filter(str.isdigit, _TAG.sub("", value)))))
        found.append(kind)
        if kind == "seed":
            certain = certain or any(map(seeds.has_valid_checksum, _spellings(value)))
        if mac is not None:
            marks.append(f"{kind}:{mac(''.join(filter(str.isalnum, _TAG.sub('', value))))}")
        at = end
    pieces.append(text[at:])
    kinds = tuple(dict.fromkeys(found))
    exposed = "seed" in kinds or "key" in kinds
    return Redacted(text="".join(pieces), found=kinds, exposed=exposed, certain=certain, marks=tuple(marks))


def _spellings(value: str) -> Iterator[list[str]]:
    """The words of a seed phrase, with tags read as nothing and as spaces."""
    for gap in ("", " "):
        yield re.findall(r"[a-z]+", _TAG.sub(gap, value.replace(UNSEEN, gap)).lower())


def mark(kind: str, digits: str = "") -> str:
    """What stands in place of a secret; of a card its last four `digits` stay."""
    words: str = _known()["words"][kind]
    return f"[已隐去:{words} ****{digits[-4:]}]" if kind == "card" else f"[已隐去:{words}]"


def _apart(spans: list[Span]) -> Iterator[Span]:
    """Spans in order; where two overlap, the first takes the second's end as well."""
    present: Span | None = None
    for span in sorted(set(spans), key=lambda span: (span[0], -span[1], span[2])):
        if present is None or span[0] >= present[1]:
            if present is not None:
                yield present
            present = span
        elif span[1] > present[1]:
            present = (present[0], span[1], present[2])
    if present is not None:
        yield present


_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


@cache
def _known() -> dict[str, dict[str, str]]:
    known: dict[str, dict[str, str]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return known
