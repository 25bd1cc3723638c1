"""What do "90s", "7 working days" and "1 MiB" mean?

In: durations and sizes as people write them in the configuration and on the command line. Out: `Span` (seconds or
working days) and bytes. Anything else raises `ValueError` with one sentence that says what would be right.
Source of the forms: rules, configuration (a day of "3d" is 24 hours; working days belong to a schedule).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from router.policy.sentences import cut
from router.value import Value

__all__ = ["Span", "age", "duration", "shown", "size", "span"]

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES: Final = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_PART = re.compile(r"([0-9]{1,9})\s?([smhd])", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,9}\s?[smhd](?:\s?[0-9]{1,9}\s?[smhd])*", re.ASCII)
_WORKDAYS = re.compile(r"([0-9]{1,5})\s+working\s+days?", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,12})\s*([A-Za-z]{1,3})", re.ASCII)
#: Ten years: no promise of a desk is longer, and no schedule is searched further.
_LONGEST: Final = 3660 * 86400
_DURATION_FORMS = '"90s", "2m", "24h" or "3d"'


class Span(Value, frozen=True, kw_only=True):
    """A length of time: seconds, or whole working days of a schedule; never both."""

    seconds: int = 0
    workdays: int = 0

    def __str__(self) -> str:
        """The form that `span` reads."""
        if self.workdays:
            return f"{self.workdays} working day{'s' if self.workdays > 1 else ''}"
        for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
            if self.seconds and self.seconds % length == 0:
                return f"{self.seconds // length}{unit}"
        return f"{self.seconds}s"


def span(text: object) -> Span:
    """Read "90s", "1h30m", "3d" or "7 working days"; a span is one."""
    if isinstance(text, Span):
        return text
    match = _WORKDAYS.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return Span(seconds=_seconds(text, f'{_DURATION_FORMS}, or "7 working days"'))
    days = int(match[1])
    if not 0 < days <= 3660:
        raise ValueError("a number of working days lies between 1 and 3660")
    return Span(workdays=days)


def duration(text: object) -> timedelta:
    """Read "90s", "1h30m" or "3d" (24 hours each); working days are none, for they need a schedule."""
    return text if isinstance(text, timedelta) else timedelta(seconds=_seconds(text, _DURATION_FORMS))


def age(text: object) -> timedelta | None:
    """Read a duration, or "never" as None."""
    if text is None or text == "never":
        return None
    return text if isinstance(text, timedelta) else timedelta(seconds=_seconds(text, f'{_DURATION_FORMS}, or "never"'))


def size(text: object) -> int:
    """Read "1 MiB", "500 kB" or "1024 B" as bytes."""
    match = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    unit = _BYTES.get(match[2].lower()) if match else None
    if match is None or unit is None or int(match[1]) == 0:
        raise ValueError(f'expected a size such as "1 MiB" or "500 kB", not {shown(text)}')
    return int(match[1]) * unit


def shown(value: object) -> str:
    """A value of the file in a sentence: quoted when it is a text, cut when it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{cut(value)}"' if isinstance(value, str) else cut(str(value))


def _seconds(text: object, forms: str) -> int:
    if not isinstance(text, str) or not _WHOLE.fullmatch(text.strip()):
        raise ValueError(f"expected a duration such as {forms}, not {shown(text)}")
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if seconds > _LONGEST:
        raise ValueError(f"a duration is at most 3660 days, not {shown(text)}")
    return seconds
