"""Which dates does a country close, and which does it work in exchange?

In: a code of the `holidays` library (`CN`, or with a subdivision `DE-BY`). Out: for a year the closed dates and the
make-up working days, as ordinals, and the last year whose official notice the library knows. Where make-up days are
decreed year by year, a later year has statutory days only: deadlines that reach into it are provisional.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from router.errors import InvalidInterval

if TYPE_CHECKING:
    from holidays import HolidayBase

__all__ = ["Holidays"]


class Holidays:
    """The public holidays of a country. Raises InvalidInterval for a code the library does not know."""

    __slots__ = ("code", "last_known_year")

    def __init__(self, code: str) -> None:
        self.code = code
        calendar = _load(code, date.today().year)  # noqa: DTZ011  (any year tells whether the code is known)
        decreed = getattr(calendar, "special_public_holidays", None) or {}
        by_notice = bool(getattr(calendar, "has_substituted_holidays", False) and decreed)
        self.last_known_year: int | None = max(decreed) if by_notice else None

    def of(self, year: int) -> tuple[frozenset[int], frozenset[int]]:
        """The closed and the worked dates of this year, as ordinals."""
        return _dates(self.code, year)


def _load(code: str, year: int) -> HolidayBase:
    from holidays import country_holidays

    country, _, part = code.partition("-")
    try:
        return country_holidays(country, subdiv=part or None, years=(year - 1, year, year + 1))
    except (NotImplementedError, AttributeError, TypeError):
        raise InvalidInterval(
            f'holidays: "{code}" is no code of the holidays library; use one such as "CN" or "DE-BY"'
        ) from None


@lru_cache(maxsize=256)
def _dates(code: str, year: int) -> tuple[frozenset[int], frozenset[int]]:
    calendar = _load(code, year)
    worked = {day for day in getattr(calendar, "weekend_workdays", ()) if day.year == year}
    closed = {day for day in calendar if day.year == year and day not in worked}
    return frozenset(d.toordinal() for d in closed), frozenset(d.toordinal() for d in worked)
