"""What form has the value of a key: an address, a duration, a name? The types of the fields of the configuration.

In: what TOML gives. Out: the value, or one sentence of what would be right. None repeats the value where it may be a
secret at the wrong place.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from router.deadlines.promise import Metric
from router.events import EVENTS
from router.policy.sentences import cut, did_you_mean
from router.policy.units import Span, age, duration, size, span

__all__ = [
    "LOG",
    "Address",
    "Age",
    "Database",
    "Date",
    "Day",
    "Domain",
    "Duration",
    "EventType",
    "Language",
    "Length",
    "Listen",
    "ListenDatabase",
    "LogPlace",
    "MailAddress",
    "Many",
    "Metric",
    "Name",
    "Network",
    "Priority",
    "Promise",
    "Rows",
    "Size",
    "Statuses",
    "words_with",
]

#: What is wrong with every log but the database's.
LOG: Final = (
    'this version keeps the log in the ledger\'s own database; write log = "database" (several nodes share one over '
    "PostgreSQL)"
)


def _database(url: str) -> str:
    if not re.match(r"(sqlite|postgresql)(\+[a-z0-9]+)?://", url):
        raise ValueError('expected "sqlite:///FILE" or "postgresql://user@host/database"')
    if re.match(r"[a-z0-9+]+://[^/@:]*:[^@/]+@", url):
        raise ValueError('take the password out of the URL and give it by reference, as database_password = "env:NAME"')
    if re.search(r"%(?![0-9A-Fa-f]{2})", url):
        raise ValueError("in an address a per cent sign is written %25")
    return url


def _listen_database(url: str) -> str:
    if not url.startswith("postgresql"):
        raise ValueError('expected a direct address of the server, such as "postgresql://user@host/database"')
    return _database(url)


def _log(url: str) -> str:
    if url != "database":
        raise ValueError(LOG)
    return url


def _language(tag: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", tag, re.ASCII):
        raise ValueError('expected a language tag such as "zh", "en" or "zh-Hant"')
    return tag


def _event_type(word: str) -> str:
    if word not in EVENTS:
        raise ValueError(f'there is no event "{cut(word)}"{did_you_mean(word, EVENTS)}')
    return word


def words_with(*known: str) -> AfterValidator:
    """Texts to customers: in braces stands only what is filled in, for all else would be sent as it is."""

    def check(text: str) -> str:
        rest = text
        for name in known:
            rest = rest.replace(name, "")
        strange = re.search(r"\{[^{}]*\}?|\}", rest)
        if strange:
            filled = f"known: {', '.join(known)}" if known else "nothing is filled in here"
            raise ValueError(f"there is no {cut(strange[0])}; {filled}")
        return text

    return AfterValidator(check)


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not int(port) < 65536:
        raise ValueError('expected "host:port", such as "127.0.0.1:8080"')
    return text


def _web_address(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^\s/?#]+\S*", url):
        raise ValueError('expected a web address such as "https://support.example.com"')
    return url


def _mail_address(text: str) -> str:
    if not re.fullmatch(r"[^\s@<>,;]+@[^\s@<>,;]+", text):
        raise ValueError('expected a mail address such as "lead@example.com"')
    return text


def _domain(text: str) -> str:
    if not re.fullmatch(r"(?:[\w-]{1,63}\.)+[\w-]{2,63}", text):
        raise ValueError('expected a domain such as "example.com"')
    return text.lower()


def _name(text: str) -> str:
    if not re.fullmatch(r"[^\s\x00-\x1f/][^\x00-\x1f/]{0,62}", text) or text != text.strip():
        raise ValueError("expected a name of 1 to 63 characters without slashes or line breaks")
    return text


def _date(text: str) -> str:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise ValueError('expected a date such as "2026-02-14"')


def _promise(text: object) -> Span:
    length = span(text)
    if not length.seconds and not length.workdays:
        raise ValueError("must be above zero; leave the key out to promise nothing")
    return length


def _priority(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError('expected a priority such as 80, or a change such as "+20"')
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]{1,4}", value):
        raise ValueError('expected a priority such as 80, or a change such as "+20"')
    return value


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError('expected an address or network such as "10.0.0.5", "10.0.0.0/8" or "fd00::/8"') from None


Item = TypeVar("Item")
Duration: TypeAlias = Annotated[timedelta, BeforeValidator(duration)]
Age: TypeAlias = Annotated[timedelta | None, BeforeValidator(age)]
Length: TypeAlias = Annotated[Any, PlainValidator(span)]
Promise: TypeAlias = Annotated[Any, PlainValidator(_promise)]
Size: TypeAlias = Annotated[int, BeforeValidator(size)]
Name: TypeAlias = Annotated[str, AfterValidator(_name)]
Network: TypeAlias = Annotated[Any, PlainValidator(lambda text: _network(str(text)))]
Address: TypeAlias = Annotated[str, AfterValidator(_web_address)]
Statuses: TypeAlias = list[Literal["pending", "on_hold", "solved"]]
#: A list of the file, kept as a tuple.
Many: TypeAlias = Annotated[tuple[Item, ...], Field(strict=False)]
Rows: TypeAlias = list[list[str]]
Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "weekdays", "weekend", "daily"]
Database: TypeAlias = Annotated[str, AfterValidator(_database)]
ListenDatabase: TypeAlias = Annotated[str, AfterValidator(_listen_database)]
LogPlace: TypeAlias = Annotated[str, AfterValidator(_log)]
Language: TypeAlias = Annotated[str, AfterValidator(_language)]
EventType: TypeAlias = Annotated[str, AfterValidator(_event_type)]
Listen: TypeAlias = Annotated[str, AfterValidator(_listen)]
MailAddress: TypeAlias = Annotated[str, AfterValidator(_mail_address)]
Domain: TypeAlias = Annotated[str, AfterValidator(_domain)]
Date: TypeAlias = Annotated[str, AfterValidator(_date)]
Priority: TypeAlias = Annotated[int | str, BeforeValidator(_priority)]
