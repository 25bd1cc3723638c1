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
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from router import cues, seed_phrases
from router.card_numbers import is_card, is_resident_id
from router.model import Value
from router.seed_phrases import Span

__all__ = ["Redacted", "redact"]

_FILE = Path(__file__).parent / "lexicons" / "secrets.toml"
_AHEAD = 60
_CONNECTIONS = 7
_JOINTS = " \t\r\n:：=,，.。\"'“”‘’「」『』()（）[【*-—>`|;；~"
_ORDER = ("order", "order_number")

_UNUSUAL = re.compile(
    "[\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u00a0\u3000\u2000-\u200a\u2010-\u2015\u2460-\u2468\u2474-\u247c\u2488-\u2490\u2776-\u277e"
    "\uff02-\uff07\uff0a\uff0b\uff0d-\uff19\uff1d\uff1e\uff20-\uff5d\U0001d7ce-\U0001d7ff]"
)
_SEPARATOR = r"[ \t\n\r\-.·•_,，\u200b-\u200f\u2060\ufeff\u00ad]"
_LONG_DIGITS = re.compile(rf"[0-9](?:{_SEPARATOR}{{0,2}}[0-9]){{12}}")
_DIGIT_RUN = re.compile(rf"[0-9](?:{_SEPARATOR}{{0,2}}[0-9])*[Xx]?")
_GROUP = re.compile(r"[0-9]+[Xx]?")
_INVISIBLE = re.compile("(?<=[0-9A-Za-z\uff10-\uff5a])[\u200b-\u200f\u2060\ufeff\u00ad]+(?=[0-9A-Za-z\uff10-\uff5a])")
_LATIN = re.compile(r"[0-9A-Za-z]")
_LONG_TOKEN = re.compile(r"[0-9A-Za-z]{51}")
_HAN_GATE = re.compile("[码碼密令歌位]")
_LATIN_GATES = ("code", "pin", "pass", "otp", "pwd", "cvv", "cvc", "csc", "secret", "token", "key", "2fa", "bearer")
_CODE = re.compile(r"[0-9](?:[ \-]?[0-9]){3,7}(?![0-9A-Za-z])(?![.,:/\-][0-9])")
_PASSWORD_DIGITS = re.compile(r"[0-9]{4,16}(?![0-9A-Za-z])(?![.,:/\-][0-9])")
_TOKEN = re.compile(r"[!-~]{4,128}")
_CVV = re.compile(r"[0-9]{3,4}(?![0-9])")
_JWT = re.compile(r"eyJ[0-9A-Za-z_\-]{8,2000}\.[0-9A-Za-z_\-]{8,4000}(?:\.[0-9A-Za-z_\-]{0,2000})?")
_AFTER_CARD = re.compile(r"[\s,，/|]{1,3}(?:0[1-9]|1[0-2])[/\-]?(?:20)?[0-9]{2}[\s,，/|]{1,3}([0-9]{3,4})(?![0-9])")
_CODE_BEFORE = re.compile(
    r"(?<![0-9])([0-9](?:[ \-]?[0-9]){3,7})\s?(?:就?是|is|was|as)\s?(?:我的|你们发的|收到的|这次的|my|your|the)?\s?\Z"
)
_DATE = re.compile(r"(?:19|20)[0-9]{2}[ \-](?:0?[1-9]|1[0-2])[ \-][0-9]{1,2}")


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
    """Replace the secrets of a text. `mac` (keyed, see `seal.Sealer.mac`) lets equal cards be matched without them."""
    visible = text if text.isascii() else _INVISIBLE.sub("", text)
    plain = visible.translate(_twins()) if not visible.isascii() and _UNUSUAL.search(visible) else visible
    low = plain.lower()
    if len(low) != len(plain):
        low = plain.translate(_LOWER)
    spans = _secrets(plain, low)
    return _replaced(visible, plain, spans, mac) if spans else Redacted(text=text)


def _secrets(plain: str, low: str) -> list[Span]:
    found: list[Span] = []
    if len(plain) >= seed_phrases.SHORTEST:
        found.extend(seed_phrases.seeds(low))
    if not _LATIN.search(plain):
        return found
    if len(plain) >= 51 and (_LONG_TOKEN.search(plain) or "PRIVATE KEY" in plain):
        found.extend(seed_phrases.keys(plain, low))
    if "eyJ" in plain:
        found.extend((match.start(), match.end(), "token") for match in _JWT.finditer(plain))
    if len(plain) >= 13 and _LONG_DIGITS.search(plain):
        found.extend(_numbers(plain))
    has_card = any(kind == "card" for _, _, kind in found)
    if not plain.isascii() and _HAN_GATE.search(low):
        found.extend(_introduced(plain, low, _words(latin=False), has_card))
    if any(gate in low for gate in _LATIN_GATES):
        found.extend(_introduced(plain, low, _words(latin=True), has_card))
    return found


def _numbers(plain: str) -> Iterator[Span]:
    """Cards and resident identity numbers: whole digit groups, not glued to letters, not introduced as an order."""
    for run in _DIGIT_RUN.finditer(plain):
        if run.end() - run.start() < 13:
            continue
        groups = [(group.start(), group.end()) for group in _GROUP.finditer(plain, run.start(), run.end())]
        first = 0
        while first < len(groups):
            found: list[Span] = []
            first += _number_at(plain, groups, first, found)
            for span in found:
                yield span
                if check := _AFTER_CARD.match(plain, span[1]):
                    yield check.start(1), check.end(1), "cvv"


def _number_at(plain: str, groups: list[tuple[int, int]], first: int, found: list[Span]) -> int:
    """Look for a number that begins with group `first`; gives the number of groups to go on by."""
    start, digits = groups[first][0], ""
    best: tuple[int, str] | None = None
    for last in range(first, min(len(groups), first + 19)):
        digits += plain[groups[last][0] : groups[last][1]]
        if len(digits) > 19:
            break
        end = groups[last][1]
        if is_resident_id(digits) and not _is_glued(plain, start, end):
            best = (last, "resident_id")
        elif is_card(digits) and not _is_glued(plain, start, end):
            best = (last, "card")
    if best is None or cues.before(plain, start) in _ORDER:
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


def _introduced(plain: str, low: str, words: dict[str, str], has_card: bool) -> Iterator[Span]:
    """Codes, passwords, card checks and tokens: told by the word before them."""
    for word, kind in words.items():
        at = low.find(word)
        while at >= 0:
            end = at + len(word)
            if not word.isascii() or not (_is_latin(low[at - 1 : at] or " ") or _is_latin(low[end : end + 1] or " ")):
                if kind != "cvv" or has_card or word not in ("后三位", "後三位", "末三碼"):
                    yield from _behind(plain, low, end, kind)
                if kind == "code" and (match := _CODE_BEFORE.search(low, max(0, at - 30), at)):
                    yield match.start(1), match.end(1), "code"
            at = low.find(word, end)


def _behind(plain: str, low: str, start: int, kind: str) -> Iterator[Span]:
    at, explicit = _connected(low, start)
    if kind == "cvv":
        match = _CVV.match(plain, at)
    elif kind == "token":
        match = _TOKEN.match(plain, at)
        if not match or not _is_token(match[0], 16):
            return
    else:
        match = (_CODE if kind == "code" else _PASSWORD_DIGITS).match(plain, at)
        if match and not _is_code(plain, match):
            return
        if not match and (match := _TOKEN.match(plain, at)) and not _is_password(match[0], kind, explicit):
            return
    if match and at > start - 1:
        shown = match[0].rstrip(".,;)\"'>]") if kind in ("password", "token") else match[0]
        yield at, at + len(shown), kind


def _connected(low: str, start: int) -> tuple[int, bool]:
    """Where what a word introduces begins, looking through "是", ":", "is my"; and whether it was said outright."""
    at, explicit = start, False
    limit = min(len(low), start + _AHEAD)
    for _ in range(_CONNECTIONS):
        while at < limit and low[at] in _JOINTS:
            explicit = explicit or low[at] in ":：="
            at += 1
        word = next((word for word in _between() if low.startswith(word, at)), "")
        if not word or (word.isascii() and _is_latin(low[at + len(word) : at + len(word) + 1] or " ")):
            break
        explicit = explicit or word in ("是", "就是", "为", "為", "=", "改成", "改为", "设成", "设为")
        at += len(word)
    return at, explicit


def _is_code(plain: str, match: re.Match[str]) -> bool:
    return not cues.after(plain, match.end()) and not _DATE.fullmatch(match[0])


def _is_token(word: str, least: int) -> bool:
    return len(word) >= least and any(map(str.isdigit, word)) and any(map(str.isalpha, word)) and "://" not in word


def _is_password(word: str, kind: str, explicit: bool) -> bool:
    word = word.rstrip(".,;!?)\"'>]")
    if "://" in word or len(word) < 4 or word.startswith((".", "/")):
        return False
    digits, letters = any(map(str.isdigit, word)), any(map(str.isalpha, word))
    if kind == "code":
        return digits and word.replace("-", "").isalnum() and letters and len(word) <= 12
    if digits and letters:
        return True
    symbols = any(not c.isalnum() and c not in "-'./," for c in word)
    mixed = word.isalpha() and any(map(str.isupper, word[1:])) and any(map(str.islower, word))
    if letters and (symbols or mixed):
        return True
    return explicit and letters and len(word) >= 6 and word.lower() not in _ordinary()


def _replaced(visible: str, plain: str, spans: list[Span], mac: Callable[[str], str] | None) -> Redacted:
    pieces: list[str] = []
    found: list[str] = []
    marks: list[str] = []
    at, certain = 0, False
    for start, end, kind in _apart(spans):
        value = plain[start:end]
        pieces += (visible[at:start], f"[已隐去:{_shown(kind, value)}]")
        found.append(kind)
        if kind == "seed":
            certain = certain or seed_phrases.has_valid_checksum(re.findall(r"[a-z]+", value.lower()))
        if mac is not None:
            marks.append(f"{kind}:{mac(''.join(filter(str.isalnum, value)))}")
        at = end
    pieces.append(visible[at:])
    kinds = tuple(dict.fromkeys(found))
    exposed = "seed" in kinds or "key" in kinds
    return Redacted(text="".join(pieces), found=kinds, exposed=exposed, certain=certain, marks=tuple(marks))


def _shown(kind: str, value: str) -> str:
    words: str = _known()["words"][kind]
    return f"{words} ****{''.join(filter(str.isdigit, value))[-4:]}" if kind == "card" else words


def _apart(spans: list[Span]) -> Iterator[Span]:
    """Spans in order; where two overlap, the first takes the second's end as well."""
    present: Span | None = None
    for span in sorted(set(spans), key=lambda span: (span[0], -span[1])):
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
def _twins() -> dict[int, str]:
    """Unusual forms of digits, letters and spaces to their ASCII twins, one character each (offsets stay)."""
    table: dict[int, str] = {}
    for code in (*range(0xA0, 0x3001), *range(0xFF01, 0xFF5F), *range(0x1D7CE, 0x1D800)):
        character = chr(code)
        if _UNUSUAL.match(character):
            digit = unicodedata.digit(character, None)
            twin = str(digit) if digit is not None else unicodedata.normalize("NFKC", character)
            table[code] = "-" if 0x2010 <= code <= 0x2015 else twin if len(twin) == 1 else character
    return table


@cache
def _known() -> dict[str, dict[str, str]]:
    known: dict[str, dict[str, str]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return known


@cache
def _words(*, latin: bool) -> dict[str, str]:
    kinds = ("code", "password", "cvv", "token")
    return {word: kind for kind in kinds for word in _known()[kind] if latin == word.isascii()}


@cache
def _between() -> tuple[str, ...]:
    return tuple(sorted(_known()["between"], key=len, reverse=True))


@cache
def _ordinary() -> frozenset[str]:
    return frozenset(_known()["ordinary"])
