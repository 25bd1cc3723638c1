"""Durations and sizes are read as people write them, and nothing else is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.units import Span, duration, shown, size, span


@pytest.mark.parametrize(
    ("text", "seconds", "workdays"),
    [
        ("90s", 90, 0), ("2m", 120, 0), ("24h", 86400, 0), ("3d", 259200, 0), ("1h30m", 5400, 0), ("1h 30m", 5400, 0),
        ("0m", 0, 0), (" 2m ", 120, 0), ("2 m", 120, 0), ("7 working days", 0, 7), ("1 working day", 0, 1),
    ],
)  # fmt: skip
def test_a_length_of_time_is_read(text: str, seconds: int, workdays: int) -> None:
    """Every form that the rules name is read; a day of "3d" has 24 hours."""
    assert span(text) == Span(seconds=seconds, workdays=workdays)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "2",
        "2 minutes",
        "-2m",
        "2.5h",
        "m",
        "2m!",
        "two hours",
        "0 working days",
        "9999 working days",
        "99999d",
        120,
        None,
        True,
        "٢m",
    ],
)
def test_what_is_no_length_of_time_says_what_would_be(wrong: object) -> None:
    """Numbers, signs, fractions, other units and absurd lengths are refused in one sentence."""
    with pytest.raises(ValueError, match=r"expected a duration such as|between 1 and 3660|at most 3660 days"):
        span(wrong)


def test_working_days_are_no_duration() -> None:
    """Where no schedule is at hand, working days cannot be meant."""
    assert duration("14d") == timedelta(days=14)
    with pytest.raises(ValueError, match="expected a duration such as"):
        duration("7 working days")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1 MiB", 1 << 20), ("1MiB", 1 << 20), ("500 kB", 500_000), ("8 mib", 8 << 20), ("1024 B", 1024), ("1 GB", 10**9)],
)
def test_a_size_is_read_in_bytes(text: str, expected: int) -> None:
    """Binary and decimal units are told apart."""
    assert size(text) == expected


@pytest.mark.parametrize("wrong", ["", "1", "MiB", "0 MiB", "-1 MiB", "1.5 MiB", "1 megabyte", 1024, None])
def test_what_is_no_size_says_what_would_be(wrong: object) -> None:
    """A bare number or an unknown unit is refused in one sentence."""
    with pytest.raises(ValueError, match="expected a size such as"):
        size(wrong)


@given(st.integers(0, 3660 * 86400))
def test_what_is_written_is_read_back(seconds: int) -> None:
    """The printed form of a length of time reads as the same length."""
    assert span(str(Span(seconds=seconds))) == Span(seconds=seconds)


@given(st.integers(1, 3660))
def test_working_days_are_read_back(days: int) -> None:
    """The printed form of working days reads as the same number."""
    assert span(str(Span(workdays=days))) == Span(workdays=days)


@pytest.mark.parametrize(
    ("value", "text"), [("a\nb", '"a b"'), (True, "true"), (12, "12"), ("x" * 99, f'"{"x" * 57}…"')]
)
def test_a_value_in_a_sentence_is_one_short_line(value: object, text: str) -> None:
    """Whatever stands in the file, the sentence about it stays one readable line."""
    assert shown(value) == text
