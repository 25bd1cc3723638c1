"""Which lines are marks of a quote, a forward or a signature, and not a customer's own words?

In: single lines (and pairs and triples of lines, since mail programs break them). Out: what kind of mark a line is.
The phrases of the programs and languages are data (`lexicons/quotes.toml`). A line is looked at only as far as
`LIMIT` characters and with anchored comparisons only, so that no crafted line costs more than another.
"""

from __future__ import annotations

import re
import tomllib
from enum import Enum
from functools import cache
from pathlib import Path

from router.value import Value

__all__ = [
    "LIMIT", "Cited", "Mark", "Marks", "announces", "before_opener", "cites", "closes", "contacts", "initials",
    "is_device", "label", "mark", "marks", "names", "opens", "speaks", "stamped",
]  # fmt: skip

#: Characters of a line that are looked at.
LIMIT = 400

_FILE = Path(__file__).parents[2] / "lexicons" / "quotes.toml"
_RULES = "-_—–=─━*~· \t\u00a0"
_DASHES = "-_—–=─━"
_COLONS = ":：﹕"
_DATE = re.compile(r"[0-9]{4}|[0-9]{1,2}[:.：][0-9]{2}|[0-9]{1,2}月|[0-9]{1,2}[./-][0-9]{1,2}")
_WIDE_SPACES = re.compile(r"\u3000|(?<=[\u4e00-\u9fff]) +(?=[\u4e00-\u9fff])")
_BRACKETED = re.compile(r"\([^()\s]{1,200}@[^()\s]{1,200}\)")
_DATE_AND_ADDRESS = re.compile(r"(?:19|20)[0-9]{2}[/.-][0-9]{1,2}[/.-][0-9]{1,2} [^<>@]{1,100}<[^<>@\s]+@[^<>@\s]+>")
_STAMP = re.compile(
    r"(?P<who>.{0,100}?)(?<![0-9])[0-9]{1,4}[/.-][0-9]{1,2}[/.-][0-9]{2,4},?\s+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
    r"(?:\s?[AP]M)?(?:\s[A-Z]{3,4})?"
)
_BEFORE_OPENER = re.compile(
    r"\s*([^\s><@-][^<@]{0,300}?)[\s-]+(?:On|Am|Le|El|Il|Em|Op) "
    r"(?:[0-9]|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}[,. ])"
)
_INITIALS = re.compile(r"\s?(?:([A-Za-z]{1,12})>|([|:}]))(?:[>\s]|$)")
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff]")
_PAUSE = re.compile(r"[，。！？；,!?;]")
_NUMBERED = re.compile(r"(?<![^\s(\[])#[0-9]{1,7}(?![0-9])")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_LABEL = re.compile(r"[|*\s>]{0,4}([^:：﹕|*\s][^:：﹕|*]{0,15}?)\*{0,2}\s{0,3}[:：﹕|]")


class Mark(Enum):
    """What a line is to the scanner."""

    WORDS = "words"
    BLANK = "blank"
    QUOTED = "quoted"
    ORIGINAL = "original"
    FORWARD = "forward"
    RULE = "rule"
    DELIMITER = "delimiter"
    DEVICE = "device"


class Cited(Enum):
    """How sure it is that words are an attribution."""

    NO = "no"
    MAYBE = "maybe"
    SURELY = "surely"


class Marks(Value, frozen=True, kw_only=True):
    """The phrases of `quotes.toml`, ready for comparison (lower case, sets and tuples)."""

    openers: tuple[str, ...]
    closers: tuple[str, ...]
    verbs: tuple[str, ...]
    citing: tuple[str, ...]
    lists: tuple[str, ...]
    originals: frozenset[str]
    forwards: frozenset[str]
    forwarded_by: tuple[str, ...]
    bare: frozenset[str]
    labels: dict[str, str]
    device_prefixes: tuple[str, ...]
    device_suffixes: tuple[str, ...]
    device_names: tuple[str, ...]
    closings: frozenset[str]
    disclaimers: tuple[str, ...]
    spoken: frozenset[str]
    contacts: tuple[str, ...]
    quote_selector: str
    rest_selector: str
    signature_selector: str
    hints: tuple[str, ...]


@cache
def marks() -> Marks:
    """The marks as shipped, read once."""
    known = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    said, apart, devices, html = known["attribution"], known["separators"], known["devices"], known["html"]
    return Marks(
        openers=tuple(said["openers"]),
        closers=tuple(said["closers"]),
        verbs=tuple(said["verbs_before_name"]),
        citing=tuple(said["citing"]),
        lists=tuple(known["lists"]["footers"]),
        originals=frozenset(apart["original"]),
        forwards=frozenset(apart["forward"]),
        forwarded_by=tuple(apart["forwarded_by"]),
        bare=frozenset(apart["bare"]),
        labels={word: kind for kind, words in known["headers"].items() for word in words},
        device_prefixes=tuple(devices["prefixes"]),
        device_suffixes=tuple(devices["suffixes"]),
        device_names=tuple(devices["names"]),
        closings=frozenset(known["closings"]["words"]),
        disclaimers=tuple(known["closings"]["disclaimers"]),
        spoken=frozenset(known["closings"]["spoken"]),
        contacts=tuple(sorted(known["closings"]["contacts"], key=len, reverse=True)),
        quote_selector=", ".join(html["quotes"]),
        rest_selector=", ".join(html["rest"]),
        signature_selector=", ".join(html["signatures"]),
        hints=tuple(html["hints"]),
    )


def mark(line: str) -> Mark:
    """What this one line is, by itself. Attributions and header blocks need their neighbours: `cites`, `label`."""
    words = line[:LIMIT].strip()
    if not words:
        return Mark.BLANK
    first = words[0]
    if first in ">＞":
        return Mark.QUOTED
    if words == "--":
        return Mark.DELIMITER
    core = words.replace("&nbsp;", " ").strip(_RULES + _COLONS).lower()
    if not core:
        return Mark.RULE if len(words) >= 10 and first in _DASHES else Mark.WORDS
    known = marks()
    if (first in _DASHES and words.startswith(first * 2)) or core in known.bare:
        if core in known.originals:
            return Mark.ORIGINAL
        if core in known.forwards or core.startswith(known.forwarded_by):
            return Mark.FORWARD
    return Mark.DEVICE if is_device(words) else Mark.WORDS


def is_device(words: str) -> bool:
    """Is this the line that a phone or mail program adds ("发自我的iPhone")?"""
    if len(words) > 90:
        return False
    low = words.lower().partition("<http")[0].partition("(http")[0].strip(" .。!！*_<>()（）")
    known = marks()
    if low.startswith(known.device_prefixes):
        prefix = max((p for p in known.device_prefixes if low.startswith(p)), key=len)
        tail = low[len(prefix) :].lstrip().removeprefix("我的")
    elif low.endswith(known.device_suffixes):
        tail = low
    else:
        return False
    spoken = any(sign in tail for sign in ",，。;；?？!！") or " to " in tail
    if spoken or ("的" in tail and not tail.endswith("outlook")):
        return False
    short = len(tail.split()) <= (7 if tail.isascii() else 9) and (len(tail) <= 24 or max(tail) < "\u3000")
    return short and any(name in low for name in known.device_names)


def label(line: str) -> str:
    """The header that this line is ("from", "date", "to", "subject"), or nothing."""
    found = _LABEL.match(line[:LIMIT])
    if not found:
        return ""
    words = found[1].strip().lower()
    return marks().labels.get(words if words.isascii() else _WIDE_SPACES.sub("", words), "")


def opens(line: str) -> bool:
    """Can an attribution begin with this line?"""
    return line[:LIMIT].lstrip(" \t>*-").lower().startswith(marks().openers) or closes(line)


def closes(line: str) -> bool:
    """Does this line end as an attribution ends?"""
    whole = line[:LIMIT].rstrip(" \t*").lower()
    words = whole.rstrip("- ")
    if not words or (words[-1] not in _COLONS and len(whole) - len(words) < 3):
        return False
    return _says_wrote(words.rstrip(_COLONS + " \t")) or ("<" in words and "@" in words)


def cites(words: str) -> Cited:
    """Is this an attribution as a whole ("On 2 March 2026, Support wrote:")?

    SURELY with an address or a year in it; MAYBE with less: then only `>` lines below make it one. NO for the line
    above a numbered comment ("--- Comment #6 from Li Lei … ---"): what stands below is what a tracker tells anew.
    """
    if _NUMBERED.search(words[:LIMIT]) and not _says_wrote(words[:LIMIT].strip(_RULES + _COLONS).lower()):
        return Cited.NO
    cited = _wrote(words)
    return Cited.MAYBE if cited is Cited.NO and _names_author(words) else cited


def initials(line: str) -> str:
    """What stands before the `>` of a line quoted in the old way ("AL> words"), or the sign for it ("| words")."""
    found = _INITIALS.match(line[:LIMIT])
    return found[1] or found[2] if found else ""


def before_opener(attribution: str) -> str:
    """The writer's own words on the line of an attribution ("sure! On Mon, Mar 2, 2026, Anna wrote:"), or nothing."""
    found = _BEFORE_OPENER.match(attribution[:LIMIT])
    return found[1] if found else ""


def names(attribution: str, found: str) -> bool:
    """Are these letters a name in an attribution, or the first letters of names in it?"""
    words = re.findall(r"\w+", attribution[:LIMIT])
    return found in words or found.lower() in "".join(word[0] for word in words).lower()


def _names_author(words: str) -> bool:
    """Does a line say whose words follow, without saying that he wrote them: an address and a date?"""
    if "@" not in words[:LIMIT]:
        return False
    low = words[:LIMIT].strip(" \t*").lower()
    if low[-1] not in _COLONS:
        return bool(_DATE_AND_ADDRESS.fullmatch(low))
    return low.startswith(marks().citing) or bool(_BRACKETED.search(low) and _DATE.search(low))


def _wrote(words: str) -> Cited:
    """Is this an attribution that ends by saying who wrote?"""
    if not closes(words):
        return Cited.NO
    low = words[:LIMIT].strip(" \t*-").lower()
    dated, opened = bool(_DATE.search(low)), low.startswith(marks().openers)
    if "@" in low and "<" in low and (dated or opened or _says_wrote(low.rstrip(_COLONS + " "))):
        return Cited.SURELY
    wrote = Cited.MAYBE if _says_wrote(low.rstrip(_COLONS + " ")) else Cited.NO
    if not opened and not (low[:4].isdigit() and _DATE.match(low)):
        return wrote
    return Cited.SURELY if _YEAR.search(low) else Cited.MAYBE if dated or "@" in low else wrote


def _says_wrote(words: str) -> bool:
    known = marks()
    return words.endswith(known.closers) or any(verb in words for verb in known.verbs)


def stamped(line: str) -> bool:
    """Is this line the time of a mail, alone or behind "… on"?"""
    if ":" not in line[:LIMIT]:
        return False
    found = _STAMP.fullmatch(line[:LIMIT].strip())
    return found is not None and (not found["who"] or found["who"].endswith((" on ", " am ", " le ")))


def speaks(line: str) -> bool:
    """Does this line speak to its reader, as no line of a signature does: most of its words are no names, or some are
    such as only sentences have? What lawyers put below a signature is none of the writer's words."""
    words = line[:LIMIT].strip()
    low = words.lower()
    known = marks()
    if contacts(words) or any(phrase in low for phrase in known.disclaimers):
        return False
    ideographs = len(_IDEOGRAPH.findall(words))
    if ideographs >= 4:
        said = any(word in low for word in known.spoken if not word.isascii())
        return said or (ideographs >= 6 and bool(_PAUSE.search(words)))
    spoken = [word for word in words.split() if word[:1].isalpha() and "@" not in word and "/" not in word]
    if len(spoken) >= 3 and not known.spoken.isdisjoint(low.split()):
        return True
    return len(spoken) >= 5 and 2 * sum(word[:1].islower() for word in spoken) >= len(spoken)


def announces(line: str) -> bool:
    """Does this line say that an address follows?"""
    words = line[:LIMIT].strip().lower()
    return words.endswith(tuple(_COLONS)) or "邮" in words or "郵" in words or "mail" in words or "address" in words


def contacts(line: str) -> bool:
    """Is this line nothing but a way to reach somebody ("Tel: +44 …", an address), as in signatures?"""
    low = line[:LIMIT].strip().lower()
    if len(low) > 80:
        return False
    if " " not in low and ("@" in low or low.startswith(("www.", "http"))):
        return True
    label = next((word for word in marks().contacts if low.startswith(word)), "")
    return bool(label) and low[len(label) :].lstrip(" .").startswith((":", "：", "+", *"0123456789("))
