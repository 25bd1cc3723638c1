"""Which numbers of the wallet's world does a message name?

In: the text of a message as the customer wrote it (before anything is redacted). Out: `Identifiers`: order and
transaction numbers, hashes, accounts, card tails, phones, mail addresses, amounts; each normalised, so that the same
number written with full-width digits, spaces or hyphens is equal. Dates, times, counts and phones are no orders,
order numbers no cards. The words that introduce a number are data (`lexicons/identifiers.toml`).

Each digit run is looked at once, with a small window on both sides: linear time, at most `MOST` results a kind.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TypeAlias

from router import amounts, cues
from router.card_numbers import is_card, is_resident_id
from router.model import Value

__all__ = ["MOST", "Identifiers", "read"]

#: Results kept a kind and message: a paste of ten thousand order numbers is no identity of a matter.
MOST = 32

_LETTERS_BEFORE = 64
_LONGEST_ORDER = 64
_UNUSUAL = re.compile(
    "[\uff03-\uff05\uff0b\uff0d-\uff0f\uff10-\uff19\uff20-\uff3a\uff3f\uff41-\uff5a\uffe1\uffe5\u200b-\u200f\u2060\ufeff"
    "\u00ad\u00a0\u3000\u2000-\u200a\u2010-\u2015\U0001d7ce-\U0001d7ff]"
)
_ZERO_WIDTH = frozenset("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad")
_HYPHENS = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015")
_RUN = re.compile(r"[0-9](?:[0-9A-Za-z_\-.,:/]*[0-9A-Za-z])?")
_SPACED = re.compile(r"[0-9]{2,6}(?:[ \-][0-9]{2,6}){1,7}(?![0-9A-Za-z])")
_LETTERS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]*\Z")
_EMAIL = re.compile(r"[A-Za-z0-9._%+\-]{1,64}@(?:[A-Za-z0-9\-]{1,63}\.){1,6}[A-Za-z]{2,24}")
_HASH = re.compile(r"(?:0[xX])?[0-9A-Fa-f]{64}")
_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]+")
_ADDRESS = re.compile(
    r"0[xX][0-9A-Fa-f]{40}|(?:bc1|tb1)[0-9a-z]{25,87}|T[1-9A-HJ-NP-Za-km-z]{33}|[13][1-9A-HJ-NP-Za-km-z]{25,34}"
)
_WALLET = re.compile(r"[A-Za-z][0-9]{6,9}")
_MOMENT = re.compile(
    r"[0-9]{4}[-/.][0-9]{1,2}(?:[-/.][0-9]{1,2}(?:[T ]?[0-9]{1,2}:[0-9:.]+(?:Z|[+-][0-9:]+)?)?)?"
    r"|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4}"
    r"|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:[ap]m|AM|PM)?|[0-9]{1,2}[-/][0-9]{1,2}"
)
_DAY = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_MOBILE = re.compile(r"(?:86)?1[3-9][0-9]{9}")
_LANDLINE = re.compile(r"0[1-9][0-9]{1,2}-?[2-9][0-9]{6,7}|400-?[0-9]{3}-?[0-9]{4}")
_HOTLINE = re.compile(r"95[0-9]{3}|1008[0-9]|100[01]0|123[0-9]{2}")
_NUMBER_WORD = re.compile(r"([0-9][0-9,]*(?:\.[0-9]+)?)([A-Za-z]{1,5})")
_CHINESE_PAIR = re.compile(r"[十百千万萬]")
_SPLITS = re.compile(r"[,:/]|(?<![0-9])[.]|[.](?![0-9])")

_Amount: TypeAlias = tuple[str, str]


class Identifiers(Value, frozen=True, kw_only=True):
    """What a message names, each in its order of appearance and once.

    `orders`: upper case without separators. `hashes`: `0x` and 64 lower-case hex digits, or base58 as written.
    `accounts`: upper case; wallet addresses as written (0x… in lower case). `cards`: the last four digits.
    `phones`: digits with `+` where the country code was given. `amounts`: (decimal text, currency code or "").
    """

    orders: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    cards: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    amounts: tuple[tuple[str, str], ...] = ()

    def keys(self) -> tuple[str, ...]:
        """Strong identifiers, as `order:…`, `hash:…`, `account:…`."""
        return (
            *(f"order:{order}" for order in self.orders),
            *(f"hash:{value}" for value in self.hashes),
            *(f"account:{account}" for account in self.accounts),
        )

    def weak(self) -> tuple[str, ...]:
        """What tells matters of one contact apart but is shared by chance: `card:3310`, `amount:2000`."""
        sums = dict.fromkeys(value for value, _ in self.amounts)
        return (*(f"card:{tail}" for tail in self.cards), *(f"amount:{value}" for value in sums))


_NONE = Identifiers()


def read(text: str) -> Identifiers:
    """The identifiers that a text names."""
    if _UNUSUAL.search(text):
        text = _UNUSUAL.sub(_usual, text)
    found = _Found()
    if "@" in text:
        text = _EMAIL.sub(found.email, text)
    _Runs(text, found).all()
    return found.identifiers()


def _usual(match: re.Match[str]) -> str:
    character = match[0]
    if character in _ZERO_WIDTH:
        return ""
    return "-" if character in _HYPHENS else unicodedata.normalize("NFKC", character)


class _Found:
    """What was found so far; dicts keep order and count each once."""

    __slots__ = ("accounts", "amounts", "cards", "emails", "hashes", "orders", "phones")

    def __init__(self) -> None:
        self.orders: dict[str, None] = {}
        self.hashes: dict[str, None] = {}
        self.cards: dict[str, None] = {}
        self.accounts: dict[str, None] = {}
        self.phones: dict[str, None] = {}
        self.emails: dict[str, None] = {}
        self.amounts: dict[_Amount, None] = {}

    def email(self, match: re.Match[str]) -> str:
        self.emails[match[0].lower()] = None
        return " "

    def identifiers(self) -> Identifiers:
        kept = {name: tuple(values)[:MOST] for name in self.__slots__ if (values := getattr(self, name))}
        return Identifiers(**kept) if kept else _NONE


class _Runs:
    """Reads the digit runs of a text, left to right."""

    def __init__(self, text: str, found: _Found) -> None:
        self.text = text
        self.found = found
        self.done = 0

    def all(self) -> None:
        for match in _RUN.finditer(self.text):
            if match.start() >= self.done:
                self._run(match.start(), match.end())
        for match in amounts.CHINESE.finditer(self.text):
            self._chinese(match)

    def _run(self, start: int, end: int) -> None:
        run = self.text[start:end]
        if run.isdigit():
            if self._spaced(start):
                return
            begin = self._letters(start)
            if begin == start:
                self._digits(run, start, end)
            else:
                self._mixed(self.text[begin:end], begin, end, start)
        elif _MOMENT.fullmatch(run) or run.count(".") > 1:
            return
        elif amounts.PLAIN.fullmatch(run) and self._letters(start) == start:
            self._decimal(run, start, end)
        elif ":" in run or "," in run or "/" in run or "." in run:
            self._pieces(run, start)
        else:
            begin = self._letters(start)
            self._mixed(self.text[begin:end], begin, end, start)

    def _pieces(self, run: str, start: int) -> None:
        """A run that commas, colons or slashes join: each piece for itself."""
        for piece in re.finditer(r"[0-9A-Za-z_\-]*[0-9][0-9A-Za-z_\-]*(?:\.[0-9]+)?", run):
            begin, end = start + piece.start(), start + piece.end()
            digit = next(i for i, c in enumerate(piece[0]) if c.isdigit())
            if piece[0].isdigit():
                self._digits(piece[0], begin, end)
            elif amounts.PLAIN.fullmatch(piece[0]):
                self._decimal(piece[0], begin, end)
            elif not _MOMENT.fullmatch(piece[0]):
                self._mixed(piece[0], begin, end, begin + digit)

    def _letters(self, start: int) -> int:
        """Where the letters and hyphens begin that this digit run ends ("TP-" of "TP-2026")."""
        before = self.text[start - 1 : start]
        if not before.isascii() or not (before.isalnum() or before in ("-", "_")):
            return start
        match = _LETTERS.search(self.text, max(0, start - _LETTERS_BEFORE), start)
        return match.start() if match else start

    def _spaced(self, start: int) -> bool:
        """A phone, card or introduced number whose digits stand in groups."""
        match = _SPACED.match(self.text, start)
        if not match:
            return False
        digits = match[0].replace(" ", "").replace("-", "")
        kind = cues.before(self.text, start)
        if kind in ("order", "order_number", "account") and len(digits) >= 8:
            (self.found.accounts if kind == "account" else self.found.orders)[digits] = None
        elif _MOBILE.fullmatch(digits) or (len(digits) <= 15 and self._is_phone(digits, start, kind)):
            self._phone(digits, start)
        elif is_card(digits):
            self.found.cards[digits[-4:]] = None
        else:
            return False
        self.done = match.end()
        return True

    def _phone(self, digits: str, start: int) -> None:
        plus = start > 0 and self.text[start - 1] == "+"
        if len(digits) == 13 and digits.startswith("86"):
            digits = digits[2:]
        elif plus:
            digits = "+" + digits
        self.found.phones[digits] = None

    def _mixed(self, token: str, start: int, end: int, digits_at: int) -> None:
        """Letters and digits: a hash, an address, an order number, an account, or a sum with its unit."""
        found, compact = self.found, token.replace("-", "").replace("_", "")
        digits = sum(map(str.isdigit, compact))
        if compact.isdigit():
            self._hyphenated(token, compact, start, end)
        elif _HASH.fullmatch(token):
            found.hashes["0x" + token[-64:].lower()] = None
        elif len(token) in (87, 88) and _BASE58.fullmatch(token):
            found.hashes[token] = None
        elif len(token) >= 26 and _ADDRESS.fullmatch(token):
            found.accounts[token.lower() if token[:2] in ("0x", "0X") else token] = None
        elif is_resident_id(token) or len(compact) > _LONGEST_ORDER:
            return
        elif not self._sum(token, start, end):
            self._number(token, compact.upper(), digits, start)

    def _number(self, token: str, compact: str, digits: int, start: int) -> None:
        kind = cues.before(self.text, start)
        if kind == "account" and digits >= 4 and len(compact) >= 5:
            self.found.accounts[compact] = None
        elif kind == "order_number" and digits >= 3 and len(compact) >= 4:
            self.found.orders[compact] = None
        elif _WALLET.fullmatch(token) and kind != "order":
            self.found.accounts[compact] = None
        elif digits >= 5 and len(compact) >= 7 and kind != "none":
            self.found.orders[compact] = None

    def _hyphenated(self, token: str, compact: str, start: int, end: int) -> None:
        kind = cues.before(self.text, start)
        if _MOBILE.fullmatch(compact) or _LANDLINE.fullmatch(token) or kind == "phone":
            self._phone(compact, start)
        elif is_card(compact) and kind not in ("order", "order_number"):
            self.found.cards[compact[-4:]] = None
        elif len(compact) >= 10 or (kind == "order_number" and len(compact) >= 6):
            self.found.orders[compact] = None
        else:
            for piece in re.finditer(r"[0-9]+", token):
                self._digits(piece[0], start + piece.start(), start + piece.end())

    def _sum(self, token: str, start: int, end: int) -> bool:
        """A number with its unit or multiple written to it: 2k, 500usdt, RMB300."""
        match = _NUMBER_WORD.fullmatch(token)
        if match:
            number, word = match[1], match[2].lower()
            if word in cues.cues().multiples:
                kind, _ = cues.after(self.text, end)
                self._amount(amounts.multiplied(number, word), kind)
                return True
            kind = cues.cues().after.get(word, "")
            if kind.startswith("money:"):
                self._amount(amounts.plain(number), kind)
            return bool(kind)
        letters = token.rstrip("0123456789").lower()
        kind = cues.cues().before.get(letters, "")
        if kind.startswith("money:") and (number := token[len(letters) :]):
            word = self.text[end : end + 1]
            self._amount(amounts.multiplied(number, word) if word in ("万", "萬", "千") else amounts.plain(number), kind)
            return True
        return False

    def _digits(self, digits: str, start: int, end: int) -> None:
        """Digits alone: what they are is said by the words around them, else by their number."""
        found, size = self.found, len(digits)
        kind = cues.before(self.text, start)
        unit, _ = cues.after(self.text, end)
        if unit.startswith("money:") or kind.startswith("money:"):
            self._decimal(digits, start, end)
        elif kind == "tail" or unit == "card":
            if size >= 4:
                found.cards[digits[-4:]] = None
        elif (kind == "order_number" and size >= 4) or (kind == "order" and size >= 6):
            found.orders[digits[:_LONGEST_ORDER]] = None
        elif kind == "account" and size >= 5:
            found.accounts[digits[:_LONGEST_ORDER]] = None
        elif kind == "none" or (size == 18 and is_resident_id(digits)):
            return
        elif self._is_phone(digits, start, kind):
            self._phone(digits, start)
        elif is_card(digits):
            found.cards[digits[-4:]] = None
        elif size >= 8 and not _DAY.fullmatch(digits) and size <= _LONGEST_ORDER and not self._multiple(end):
            found.orders[digits] = None
        elif size < 8:
            self._decimal(digits, start, end)

    def _is_phone(self, digits: str, start: int, kind: str) -> bool:
        if kind == "phone" and 7 <= len(digits) <= 15:
            return True
        plus = start > 0 and self.text[start - 1] == "+"
        return bool(_MOBILE.fullmatch(digits)) or (plus and 8 <= len(digits) <= 15)

    def _multiple(self, end: int) -> str:
        word = self.text[end : end + 1].lower()
        return word if word in cues.cues().multiples and not self.text[end + 1 : end + 2].isascii() else ""

    def _decimal(self, number: str, start: int, end: int) -> None:
        """A number that may be a sum: by its unit, by the words before it, or because nothing speaks against it."""
        kind = cues.before(self.text, start)
        word = self.text[end : end + 1]
        if word and word in "万萬千仟百亿億":
            behind = self.text[end + 1 : end + 2]
            single = behind.isascii() and behind.isdigit() and not self.text[end + 2 : end + 3].isdigit()
            digit = behind if single else ""
            unit, _ = cues.after(self.text, end + 1 + len(digit))
            if unit != "count":
                self._amount(amounts.multiplied(number, word, digit), unit if unit.startswith("money:") else kind)
            if digit:
                self.done = end + 2
            return
        unit, _ = cues.after(self.text, end)
        if unit.startswith("money:") or kind.startswith("money:"):
            self._amount(amounts.plain(number), unit if unit.startswith("money:") else kind)
        elif unit != "count" and kind not in ("none", "tail", "phone", "account"):
            self._bare(number, start, end, kind)

    def _bare(self, number: str, start: int, end: int, kind: str) -> None:
        """A number without unit: four digits that stand alone name a card, others are a sum."""
        before, behind = self.text[:start].rstrip()[-1:], self.text[end:].strip()[:1]
        alone = not before or before in ",，:：.。;；!！\n、-"
        if len(number) == 4 and alone and (not behind or behind in ".。,，!！?？\n") and kind != "sum":
            self.found.cards[number] = None
        elif kind in ("amount", "sum") or (len(number) >= 3 and not _HOTLINE.fullmatch(number)):
            self._amount(amounts.plain(number), "")

    def _amount(self, value: str, kind: str) -> None:
        if value != "0":
            self.found.amounts[value, kind[6:] if kind.startswith("money:") else ""] = None

    def _chinese(self, match: re.Match[str]) -> None:
        numeral = match[0]
        if not _CHINESE_PAIR.search(numeral, 1):
            return
        end = match.end()
        if self.text[end : end + 1] in ("多", "来", "余", "几"):
            end += 1
        unit, _ = cues.after(self.text, end)
        large = any(c in "百千万萬佰仟亿" for c in numeral[1:])
        if unit.startswith("money:") or (large and unit != "count"):
            value = amounts.of_chinese(numeral)
            if value:
                self._amount(value, unit)
