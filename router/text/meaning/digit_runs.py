"""What is each run of digits in a text: an order number, a hash, an account, a card's tail, a phone, a sum?

In: a text with its unusual characters and mail addresses already taken care of. Out: `Found`, filled run by run, left
to right. What a run is, its own shape says (a hash, an address, a mobile number, a date), or the words around it
(`cues`), or its length. Each run is looked at once; spaces and hyphens between groups of digits count as none.
"""

from __future__ import annotations

import re

from router.text.meaning import amounts, number_context
from router.text.secrets.cards import is_card, is_resident_id

__all__ = ["Found", "Runs"]

_LETTERS_BEFORE = 64
_LONGEST_ORDER = 64
#: So many digits at least has an order's number behind a word that says it.
_LEAST_ORDER = {"order_number": 4, "order": 6}
_NEVER = 1 << 30
_RUN = re.compile(r"[0-9](?:[0-9A-Za-z_\-.,:/]*[0-9A-Za-z])?")
_SPACED = re.compile(r"[0-9]{2,6}(?:[ \-][0-9]{2,6}){1,7}(?![0-9A-Za-z])")
_LETTERS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]*\Z")
_HASH = re.compile(r"(?:0[xX])?[0-9A-Fa-f]{64}")
_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]+")
_ADDRESS = re.compile(
    r"0[xX][0-9A-Fa-f]{40}|(?:bc1|tb1)[0-9a-z]{25,87}|T[1-9A-HJ-NP-Za-km-z]{33}|[13][1-9A-HJ-NP-Za-km-z]{25,34}"
)
#: Numbers of standards, faults, articles and builds have their letters before them: code, and no order.
_CODE = re.compile(
    r"(?:CVE|RFC|ISO|IEC|KB|SKU|PN|PR|BUG|JIRA|BUILD|REV|VER?|LIB[A-Z]+)[-_]?[0-9].*"
    r"|(?=.{7,40}\Z)[0-9a-f]*[0-9][a-f]+[0-9]+[a-f]+[0-9a-f]*",
    re.IGNORECASE,
)
_WALLET = re.compile(r"[A-Za-z][0-9]{6,9}")
_MOMENT = re.compile(
    r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?:[T ]?[0-9]{1,2}:[0-9:.]+(?:Z|[+-][0-9:]+)?)?|[0-9]{4}[-/][0-9]{1,2}"
    r"|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4}"
    r"|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:[ap]m|AM|PM)?|[0-9]{1,2}[-/][0-9]{1,2}"
)
_DAY = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_MOBILE = re.compile(r"(?:86)?1[3-9][0-9]{9}")
_LANDLINE = re.compile(r"0[1-9][0-9]{1,2}-?[2-9][0-9]{6,7}|400-?[0-9]{3}-?[0-9]{4}")
_HOTLINE = re.compile(r"95[0-9]{3}|1008[0-9]|100[01]0|123[0-9]{2}")
_NUMBER_WORD = re.compile(r"([0-9][0-9,]*(?:\.[0-9]+)?)([A-Za-z]{1,5})")
#: A sum whose thousands commas part, after the letters of a currency ("N10,000", "Rs1,500").
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]{1,2})?")
_CURRENCY_LETTERS = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{1,3}\Z")
_LARGE = re.compile(r"[百千万萬佰仟亿]")
_MASKS = frozenset("*xX•…＊")
_PIECE = re.compile(r"[0-9A-Za-z_\-]*[0-9][0-9A-Za-z_\-]*(?:\.[0-9]+)?")
_PREFIX = re.compile(r"(?<![0-9A-Za-z'’])([A-Za-z]{1,5})[ \-]\Z")
_ANSWERS = re.compile(r"(?:[,，:：.。;；!！\n、是为]|\bis|\bit's|\bits|\bare)\Z", re.IGNORECASE)
_AND = re.compile(r"\s?(?:和|、|,|，|/|&|and|or|或|跟|以及)\s?", re.IGNORECASE)


class Found:
    """What was found so far; dicts keep order and count each once."""

    __slots__ = ("accounts", "amounts", "cards", "hashes", "orders", "phones")

    def __init__(self) -> None:
        self.orders: dict[str, None] = {}
        self.hashes: dict[str, None] = {}
        self.cards: dict[str, None] = {}
        self.accounts: dict[str, None] = {}
        self.phones: dict[str, None] = {}
        self.amounts: dict[tuple[str, str], None] = {}


class Runs:
    """Reads the digit runs of a text, left to right."""

    def __init__(self, text: str, found: Found) -> None:
        self.text = text
        self.found = found
        self.done = 0
        self.tail_end = -1
        self._kind_at = (-1, "")
        self._unit_at = (-1, "")

    def all(self) -> None:
        for match in _RUN.finditer(self.text):
            if match.start() >= self.done:
                self._run(match.start(), match.end())
        for match in () if self.text.isascii() else amounts.CHINESE.finditer(self.text):
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
                self._mixed(self.text[begin:end], begin, end)
        elif _MOMENT.fullmatch(run) or run.count(".") > 1:
            return
        elif _NUMBER_WORD.fullmatch(run) and self._letters(start) == start:
            self._mixed(run, start, end)
        elif self._stands_as_sum(run, start):
            self._decimal(run, start, end)
        elif ":" in run or "," in run or "/" in run or "." in run:
            self._pieces(run, start)
        else:
            begin = self._letters(start)
            self._mixed(self.text[begin:end], begin, end)

    def _stands_as_sum(self, run: str, start: int) -> bool:
        if amounts.PLAIN.fullmatch(run) and self._letters(start) == start:
            return True
        return bool(_GROUPED.fullmatch(run) and _CURRENCY_LETTERS.search(self.text, max(0, start - 4), start))

    def _pieces(self, run: str, start: int) -> None:
        """A run that commas, colons or slashes join: each piece for itself."""
        for piece in _PIECE.finditer(run):
            begin, end = start + piece.start(), start + piece.end()
            if piece[0].isdigit():
                self._digits(piece[0], begin, end)
            elif amounts.PLAIN.fullmatch(piece[0]):
                self._decimal(piece[0], begin, end)
            elif not _MOMENT.fullmatch(piece[0]):
                self._mixed(piece[0], begin, end)

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
        kind, prefix = self._introduced(start)
        if kind in ("order", "order_number", "account") and len(digits) >= 8:
            (self.found.accounts if kind == "account" else self.found.orders)[prefix + digits] = None
        elif _MOBILE.fullmatch(digits) or (len(digits) <= 15 and self._is_phone(digits, start, kind)):
            self._phone(digits, start)
        elif is_card(digits):
            self.found.cards[digits[-4:]] = None
        else:
            return False
        self.done = match.end()
        return True

    def _kind(self, start: int) -> str:
        """What the words before say, looked up once a run."""
        if self._kind_at[0] != start:
            self._kind_at = (start, number_context.before(self.text, start))
        return self._kind_at[1]

    def _unit(self, end: int) -> str:
        """What the words behind say, looked up once a run."""
        if self._unit_at[0] != end:
            self._unit_at = (end, number_context.after(self.text, end))
        return self._unit_at[1]

    def _introduced(self, start: int) -> tuple[str, str]:
        """What the words before say, and the letters of an order number that a space parts from its digits."""
        kind = self._kind(start)
        if kind or not (match := _PREFIX.search(self.text, max(0, start - 6), start)):
            return kind, ""
        kind = number_context.before(self.text, match.start())
        return (kind, match[1].upper()) if kind in ("order", "order_number", "account") else ("", "")

    def _phone(self, digits: str, start: int) -> None:
        plus = start > 0 and self.text[start - 1] == "+"
        if len(digits) == 13 and digits.startswith("86"):
            digits = digits[2:]
        elif plus:
            digits = "+" + digits
        self.found.phones[digits] = None

    def _mixed(self, token: str, start: int, end: int) -> None:
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
        kind = self._kind(start)
        if kind == "account" and digits >= 4 and len(compact) >= 5:
            self.found.accounts[compact] = None
        elif kind == "order_number" and digits >= 3 and len(compact) >= 4:
            self.found.orders[compact] = None
        elif _WALLET.fullmatch(token) and kind != "order":
            self.found.accounts[compact] = None
        elif digits >= 5 and len(compact) >= 7 and kind != "none" and (kind or not _CODE.fullmatch(token)):
            self.found.orders[compact] = None

    def _hyphenated(self, token: str, compact: str, start: int, end: int) -> None:
        kind = self._kind(start)
        if _MOBILE.fullmatch(compact) or _LANDLINE.fullmatch(token) or kind == "phone":
            self._phone(compact, start)
        elif is_card(compact) and kind not in ("order", "order_number"):
            self.found.cards[compact[-4:]] = None
        elif kind == "account" and len(compact) >= 5:
            self.found.accounts[compact] = None
        elif len(compact) >= 10 or (kind in ("order", "order_number") and len(compact) >= 6):
            self.found.orders[compact] = None
        else:
            for piece in re.finditer(r"[0-9]+", token):
                self._digits(piece[0], start + piece.start(), start + piece.end())

    def _sum(self, token: str, start: int, end: int) -> bool:
        """A number with its unit or multiple written to it: 2k, 500usdt, RMB300."""
        match = _NUMBER_WORD.fullmatch(token)
        if match:
            number, word = match[1], match[2].lower()
            if word in number_context.cues().multiples:
                kind = self._unit(end)
                self._amount(amounts.multiplied(number, word), kind)
                return True
            kind = number_context.cues().after.get(word, "")
            if kind.startswith("money:"):
                self._amount(amounts.plain(number), kind)
            return bool(kind)
        letters = token.rstrip("0123456789").lower()
        kind = number_context.cues().before.get(letters, "")
        if kind.startswith("money:") and (number := token[len(letters) :]):
            word = self.text[end : end + 1]
            times = word in ("万", "萬", "千")
            self._amount(amounts.multiplied(number, word) if times else amounts.plain(number), kind)
            return True
        return False

    def _digits(self, digits: str, start: int, end: int) -> None:
        """Digits alone: what they are is said by the words around them, else by their number."""
        kind, prefix = self._introduced(start)
        if self._told(digits, start, end, kind, prefix):
            return
        size = len(digits)
        if self._is_phone(digits, start, kind):
            self._phone(digits, start)
        elif is_card(digits):
            self.found.cards[digits[-4:]] = None
        elif size >= 8 and not _DAY.fullmatch(digits) and size <= _LONGEST_ORDER and not self._multiple(end):
            self.found.orders[digits] = None
        elif size < 8:
            self._decimal(digits, start, end)

    def _told(self, digits: str, start: int, end: int, kind: str, prefix: str) -> bool:
        """Take digits of which the words around them say what they are. Do they?"""
        found, size, unit = self.found, len(digits), self._unit(end)
        if unit.startswith("money:") or kind.startswith("money:"):
            self._decimal(digits, start, end)
        elif kind == "tail" or unit == "card" or (kind == "card" and (size == 4 or size >= 8)):
            if size >= 4:
                found.cards[digits[-4:]] = None
                self.tail_end = end
        elif size >= _LEAST_ORDER.get(kind, _NEVER):
            found.orders[prefix + digits[:_LONGEST_ORDER]] = None
        elif kind == "account" and size >= 5:
            found.accounts[prefix + digits[:_LONGEST_ORDER]] = None
        else:
            return kind == "none" or (size == 18 and is_resident_id(digits))
        return True

    def _is_phone(self, digits: str, start: int, kind: str) -> bool:
        if kind == "phone" and 7 <= len(digits) <= 15:
            return True
        plus = start > 0 and self.text[start - 1] == "+"
        return bool(_MOBILE.fullmatch(digits)) or (plus and 8 <= len(digits) <= 15)

    def _multiple(self, end: int) -> str:
        word = self.text[end : end + 1].lower()
        return word if word in number_context.cues().multiples and not self.text[end + 1 : end + 2].isascii() else ""

    def _decimal(self, number: str, start: int, end: int) -> None:
        """A number that may be a sum: by its unit, by the words before it, or because nothing speaks against it."""
        kind = self._kind(start)
        word = self.text[end : end + 1]
        if word and word in "万萬千仟百亿億":
            behind = self.text[end + 1 : end + 2]
            single = behind.isascii() and behind.isdigit() and not self.text[end + 2 : end + 3].isdigit()
            digit = behind if single else ""
            unit = number_context.after(self.text, end + 1 + len(digit))
            if unit != "count":
                self._amount(amounts.multiplied(number, word, digit), unit if unit.startswith("money:") else kind)
            if digit:
                self.done = end + 2
            return
        unit = self._unit(end)
        if unit.startswith("money:") or kind.startswith("money:"):
            self._amount(amounts.plain(number), unit if unit.startswith("money:") else kind)
        elif unit != "count" and kind not in ("none", "tail", "phone", "account"):
            self._bare(number, start, end, kind)

    def _bare(self, number: str, start: int, end: int, kind: str) -> None:
        """A number without unit: four digits that stand alone name a card, others are a sum."""
        if self.text[end : end + 1] in _MASKS:
            return
        if len(number) == 4 and kind != "sum" and self._answers(start, end):
            self.found.cards[number] = None
            self.tail_end = end
        elif kind in ("amount", "sum") or self._unit(end) == "sum" or _says_more(number):
            self._amount(amounts.plain(number), "")

    def _answers(self, start: int, end: int) -> bool:
        """Do four digits stand as an answer does: alone, at the end after a comma or "是", or beside another tail?"""
        if self.tail_end >= 0 and start - self.tail_end <= 6 and _AND.fullmatch(self.text, self.tail_end, start):
            return True
        before, behind = self.text[max(0, start - 12) : start].rstrip(), self.text[end : end + 8].strip()
        alone = (start <= 12 and not before) or _ANSWERS.search(before)
        return bool(alone) and (not behind or behind[0] in ".。,，!！?？\n吧呀啊哈哦呢~的")

    def _amount(self, value: str, kind: str) -> None:
        if value != "0":
            self.found.amounts[value, kind[6:] if kind.startswith("money:") else ""] = None

    def _chinese(self, match: re.Match[str]) -> None:
        """A Chinese numeral: a sum with its unit ("十块"), or from a hundred up where nothing counts with it."""
        numeral, end = match[0], match.end()
        if self.text[end : end + 1] in ("多", "来", "余", "几"):
            end += 1
        unit = number_context.after(self.text, end)
        large = _LARGE.search(numeral, 1) is not None
        together = numeral == "一" and self.text[end : end + 1] not in ("元", "圆")
        if (unit.startswith("money:") and not together) or (large and unit != "count"):
            value = amounts.of_chinese(numeral)
            if value:
                self._amount(value, unit)


def _says_more(number: str) -> bool:
    """Is a bare number long enough to be a sum by itself, and no bank's hotline?"""
    return len(number) >= 3 and not _HOTLINE.fullmatch(number)
