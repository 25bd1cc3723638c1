"""What may stand in one field of a message from outside? The checks that the wire and every own JSON form share.

In: values as a stranger sent them. Out: values in the one form that is stored and compared, or `InvalidPayload` with
one sentence: which message of the array, which path in it, what would be right. Sentences never repeat the value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from router.errors import InvalidPayload
from router.text.secrets import scrub_ids

__all__ = ["LONGEST_ID", "LONGEST_TEXT", "Place", "e164", "storable"]

#: Characters of a text, and of an id or handle (rules: security, 2.5).
LONGEST_TEXT: Final = 1 << 20
LONGEST_ID: Final = 998
_TIME: Final = "a time with its offset, such as 2026-03-01T21:50:00+08:00,"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MAIL = re.compile(r"[^@\s\x00-\x20<>,;]+@[^@\s\x00-\x20<>,;]+")
_ERROR = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?", re.DOTALL)
#: What msgspec calls a thing, and what people do.
_WORDS: Final = {
    "array": "a list", "bool": "true or false", "datetime": _TIME, "float": "a number", "int": "a number",
    "null": "null", "object": "an object", "str": "text",
}  # fmt: skip

_T = TypeVar("_T")


class Place(msgspec.Struct, frozen=True):
    """Which message of the array the fields belong to, and whether it is mail (whose ids stand in angle brackets)."""

    index: int = 0
    mail: bool = False

    def mistake(self, path: str, problem: str) -> NoReturn:
        """Raise InvalidPayload: this message, this path, this problem (which says what would be right)."""
        where = f"{path} " if path else ""
        raise InvalidPayload(f"Message {self.index}: {where}{problem}.", index=self.index, path=path)

    def shaped(self, value: Mapping[str, Any], kind: type[_T]) -> _T:
        """The object as a struct of this type; unknown keys are overlooked, nothing is converted but times."""
        if not isinstance(value, Mapping):
            self.mistake("", f"is {_named(value)}; an object would be right")
        try:
            return msgspec.convert(value if isinstance(value, dict) else dict(value), kind)
        except msgspec.ValidationError as error:
            path, problem = _explained(str(error))
        except UnicodeEncodeError:
            path, problem = "", r"has a name with half a character (a lone surrogate); both halves would be right"
        return self.mistake(path, problem)

    def text(self, text: str | None, path: str) -> str:
        """Words of any length within reason; NUL is dropped, half a character is a mistake."""
        if not text:
            return ""
        if len(text) > LONGEST_TEXT:
            self.mistake(path, f"has {len(text)} characters; at most {LONGEST_TEXT} would be right")
        self._whole(text, path)
        return text.replace("\x00", "") if "\x00" in text else text

    def plain(self, value: object, path: str) -> str:
        """A text, a number or a truth value, in words."""
        if not isinstance(value, (str, int, float)):
            self.mistake(path, f"is {_named(value)}; text, a number or true or false would be right")
        return self.text(value if isinstance(value, str) else str(value).lower(), path)

    def identity(self, text: str, path: str) -> str:
        """An id or handle: not empty, one line, within 998 characters; of mail without angle brackets. A secret in it
        is replaced."""
        plain = text.strip()
        if self.mail:
            plain = plain.removeprefix("<").removesuffix(">").strip()
        if not plain:
            self.mistake(path, "is empty; text that is not empty would be right")
        if len(plain) > LONGEST_ID or _CONTROL.search(plain):
            self.mistake(path, f"is longer than {LONGEST_ID} characters or than one line; a plain id would be right")
        self._whole(plain, path)
        return scrub_ids.identity(plain)

    def optional_identity(self, text: str | None, path: str) -> str:
        """An id that may be missing or empty."""
        return self.identity(text, path) if text else ""

    def instant(self, at: datetime, path: str) -> datetime:
        """An aware time within the years that computing with it allows."""
        if not 1970 <= at.year < 2200:
            self.mistake(path, "is not within the years 1970 to 2199; the time the message was sent would be right")
        return at

    def mail_address(self, text: str, path: str) -> str:
        """A mail address in lower case."""
        if not _MAIL.fullmatch(text):
            self.mistake(path, "is no mail address; one such as chen@example.com would be right")
        return self.identity(text, path).lower()

    def phone(self, text: str, path: str, region: str | None = None) -> str:
        """A phone number in E.164."""
        number = e164(text, region)
        if not number:
            self.mistake(path, "is no number with country code; one such as +8613800000000 would be right")
        return number

    def _whole(self, text: str, path: str) -> None:
        if text.isascii():
            return
        try:
            text.encode()
        except UnicodeEncodeError:
            self.mistake(path, r"holds half a character (a lone surrogate such as \ud83d); both halves would be right")


def _explained(error: str) -> tuple[str, str]:
    """The path and the problem, in words, of a validation error."""
    found = _ERROR.fullmatch(error)
    path, what = ((found["path"] or "").replace("[...]", ""), found["what"]) if found else ("", error)
    missing = re.search(r"missing required field `(.*)`", what)
    if missing:
        return f"{path}.{missing[1]}".lstrip("."), f"is missing; {_right(missing[1])} would be right"
    wanted = re.fullmatch(r"Expected `(.*)`, got `(.*)`", what)
    if wanted:
        given = _WORDS.get(wanted[2], wanted[2])
        choices = list(dict.fromkeys(_WORDS.get(w, w) for w in wanted[1].split(" | ") if w != "null"))
        return path, f"is {given.rstrip(',')}; {' or '.join(choices)} would be right"
    if "timezone" in what:
        return path, f"has no offset; {_TIME} would be right"
    if "datetime" in what:
        return path, f"is no time that can be read; {_TIME} would be right"
    return path, what


def _right(field: str) -> str:
    if field in ("sent_at", "at"):
        return _TIME
    return 'an object such as {"handle": "u-77"}' if field == "sender" else "text that is not empty"


def _named(value: Any) -> str:
    kinds = {str: "str", bool: "bool", int: "int", float: "float", list: "array", type(None): "null"}
    return _WORDS[kinds.get(type(value), "object")]


def storable(text: str) -> str:
    """The text as every database takes it: without NUL, half a character (a lone surrogate) replaced by U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


@lru_cache(maxsize=4096)
def e164(number: str, region: str | None = None) -> str:
    """A phone number as +8613800000000; `region` (CN) reads numbers without country code; empty where it is none."""
    import phonenumbers  # it takes longer to load than most commands run

    if len(number) > 64:
        return ""
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return ""
    possible = phonenumbers.is_possible_number_with_reason(parsed)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:  # a short code is no number of the country's plan
        return ""
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
