"""Which dates does a country close, and which does it work in exchange?

In: a code of the `holidays` library (`CN`, or with a subdivision `DE-BY`). Out: for a year the closed dates and the
make-up working days, as ordinals, and the last year whose official notice the library knows. Where make-up days are
decreed year by year, a later year has statutory days only: deadlines that reach into it are provisional.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache, partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

from router.errors import InvalidInterval

if TYPE_CHECKING:
    from holidays import HolidayBase

__all__ = ["Holidays"]


class Holidays:
    """The public holidays of a country. Raises InvalidInterval for a code the library does not know."""

    __slots__ = ("code",)

    def __init__(self, code: str) -> None:
        self.code = code
        _load(code, date.today().year)  # noqa: DTZ011  (any year tells whether the code is known)

    @property
    def last_known_year(self) -> int | None:
        """The last year whose official notice the library knows; None where no notice is needed."""
        return _last_known_year(self.code)

    def of(self, year: int) -> tuple[frozenset[int], frozenset[int]]:
        """The closed and the worked dates of this year, as ordinals."""
        return _dates(self.code, year)


def _load(code: str, year: int) -> HolidayBase:
    country, _, part = code.partition("-")
    try:
        return _country(country)(subdiv=part or None, years=(year - 1, year, year + 1))
    except (NotImplementedError, AttributeError, TypeError):
        raise InvalidInterval(
            f'holidays: "{code}" is no code of the holidays library; use one such as "CN" or "DE-BY"'
        ) from None


@cache
def _country(code: str) -> Callable[..., HolidayBase]:
    """The calendar of one country: from its own file, since the package of them all takes 0.1 s to load."""
    import holidays
    from holidays.registry import COUNTRIES

    for module, (name, *codes) in COUNTRIES.items():
        file = Path(holidays.__file__).parent / "countries" / f"{module}.py"
        spec = spec_from_file_location(f"{__name__}.{module}", file) if code in (name, *codes) else None
        if spec is not None and spec.loader is not None and file.exists():
            loaded = module_from_spec(spec)
            spec.loader.exec_module(loaded)
            calendar: Callable[..., HolidayBase] = getattr(loaded, name)
            return calendar
    return partial(holidays.country_holidays, code)


@lru_cache(maxsize=256)
def _last_known_year(code: str) -> int | None:
    calendar = _load(code, date.today().year)  # noqa: DTZ011  (what it knows is the same in any year)
    decreed = getattr(calendar, "special_public_holidays", None) or {}
    by_notice = bool(getattr(calendar, "has_substituted_holidays", False) and decreed)
    return max(decreed) if by_notice else None


@lru_cache(maxsize=256)
def _dates(code: str, year: int) -> tuple[frozenset[int], frozenset[int]]:
    calendar = _load(code, year)
    worked = {day for day in getattr(calendar, "weekend_workdays", ()) if day.year == year}
    closed = {day for day in calendar if day.year == year and day not in worked}
    return frozenset(d.toordinal() for d in closed), frozenset(d.toordinal() for d in worked)
