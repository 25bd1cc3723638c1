"""In which language does a page speak, and what does it say? Texts of `pages/chat.toml`; the browser chooses.

In: the header Accept-Language, a schedule, the present instant. Out: one of zh-Hans, zh-Hant, en, and its words; among
them when the desk will answer, in the desk's own time and the visitor's language.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from router.deadlines.calendar import Schedule
from router.errors import NoOpenTime

__all__ = ["LANGUAGES", "closed_words", "language_of", "words"]

LANGUAGES = ("zh-Hans", "zh-Hant", "en")
_FILE = Path(__file__).parent / "pages" / "chat.toml"
_TRADITIONAL = ("zh-hant", "zh-tw", "zh-hk", "zh-mo")


@cache
def words(language: str) -> Mapping[str, Any]:
    """All texts in one of `LANGUAGES`."""
    texts: Mapping[str, Any] = tomllib.loads(_FILE.read_text(encoding="utf-8"))[language]
    return texts


def language_of(accepted: str, desk: Sequence[str] = ("en",)) -> str:
    """The best of our languages for an Accept-Language header; where none is in it, the desk's first."""
    wishes: list[tuple[float, int, str]] = []
    for place, part in enumerate(accepted[:1000].split(",")[:30]):
        tag, _, quality = part.partition(";")
        known = _ours(tag.strip().lower())
        weight = _weight(quality.strip())
        if known and weight > 0:
            wishes.append((-weight, place, known))
    if wishes:
        return min(wishes)[2]
    return next((known for tag in desk if (known := _ours(tag.lower()))), "en")


def _ours(tag: str) -> str:
    if tag.startswith(_TRADITIONAL):
        return "zh-Hant"
    if tag == "zh" or tag.startswith("zh-"):
        return "zh-Hans"
    return "en" if tag == "en" or tag.startswith("en-") else ""


def _weight(quality: str) -> float:
    try:
        return float(quality.removeprefix("q=")) if quality else 1.0
    except ValueError:
        return 0.0


def closed_words(schedule: Schedule, now: datetime, language: str) -> str:
    """When the desk will answer; empty while it is open."""
    if schedule.is_open(now):
        return ""
    texts = words(language)
    try:
        opens = schedule.next_open(now)
    except NoOpenTime:
        return str(texts["closed_open_end"])
    zone = ZoneInfo(schedule.timezone)
    there, here = opens.astimezone(zone), now.astimezone(zone)
    told: str = texts["closed"]
    return told.format(day=_day(there, here, texts), time=f"{there:%H:%M}", zone=schedule.timezone)


def _day(there: datetime, here: datetime, texts: Mapping[str, Any]) -> str:
    if there.date() == here.date():
        return str(texts["today"])
    if there.date() == here.date() + timedelta(days=1):
        return str(texts["tomorrow"])
    months = texts.get("months", [])
    name = months[there.month - 1] if months else ""
    told: str = texts["date"]
    return told.format(
        weekday=texts["weekdays"][there.weekday()], month=there.month, number=there.day, monthname=name
    )
