"""Which numbers of the wallet's world does a message name?

In: the text of a message as the customer wrote it. Out: `Identifiers`: order and
transaction numbers, hashes, accounts, card tails, phones, mail addresses, amounts; each normalised, so that the same
number written with full-width digits, spaces or hyphens is equal. Dates, times, counts and phones are no orders,
order numbers no cards. The words that introduce a number are data (`lexicons/identifiers.toml`).

Each digit run is looked at once, with a small window on both sides: linear time, at most `MOST` results a kind.
"""

from __future__ import annotations

import re
import unicodedata

from router.text.meaning.digit_runs import Found, Runs
from router.text.secrets.redact import redact
from router.value import Value

__all__ = ["MOST", "Identifiers", "read"]

#: Results kept a kind and message: a paste of ten thousand order numbers is no identity of a matter.
MOST = 32

_UNUSUAL = re.compile(
    "[\uff03-\uff05\uff0b\uff0d-\uff0f\uff10-\uff19\uff20-\uff3a\uff3f\uff41-\uff5a\uffe1\uffe5\u200b-\u200f\u2060\ufeff"
    "\u00ad\u00a0\u3000\u2000-\u200a\u2010-\u2015\U0001d7ce-\U0001d7ff]"
)
_ZERO_WIDTH = frozenset("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad")
_HYPHENS = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015")
_EMAIL = re.compile(r"[A-Za-z0-9._%+\-]{1,64}@(?:[A-Za-z0-9\-]{1,63}\.){1,6}[A-Za-z]{2,24}")


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


def read(text: str, *, redacted: bool = False) -> Identifiers:
    """The identifiers that a text names, none of which is (a piece of) a secret. Total: any text gives an answer.

    `redacted`: the text came from `redact.redact` already, so it is not looked through for secrets once more.
    """
    found = _read(text)
    if redacted or found is _NONE:
        return found
    hidden = redact(text)
    return _read(hidden.text) if hidden.found else found


def _read(text: str) -> Identifiers:
    if _UNUSUAL.search(text):
        text = _UNUSUAL.sub(_usual, text)
    emails: dict[str, None] = {}
    if "@" in text:
        emails = dict.fromkeys(match[0].lower() for match in _EMAIL.finditer(text))
        text = _EMAIL.sub(" ", text)
    found = Found()
    Runs(text, found).all()
    kept = {name: tuple(values)[:MOST] for name in found.__slots__ if (values := getattr(found, name))}
    if emails:
        kept["emails"] = tuple(emails)[:MOST]
    return Identifiers(**kept) if kept else _NONE


def _usual(match: re.Match[str]) -> str:
    character = match[0]
    if character in _ZERO_WIDTH:
        return ""
    return "-" if character in _HYPHENS else unicodedata.normalize("NFKC", character)
