"""An answer stands below its question in Outlook."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from adapters.email.thread_index import answer_below, is_thread_index

#: Header of a conversation that began on 2026-03-02 at 02:00 UTC, in the six high bytes of its FILETIME.
BEGUN = datetime(2026, 3, 2, 2, tzinfo=UTC)
_TICKS = int((BEGUN - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds() * 10**7)
HEADER = (_TICKS >> 16).to_bytes(6, "big") + bytes(range(16))


def text(place: bytes) -> str:
    return base64.b64encode(place).decode("ascii")


@pytest.mark.parametrize("steps", [0, 1, 7])
def test_an_answer_is_one_step_below(steps: int) -> None:
    """Five bytes more, however many answers came before."""
    parent = HEADER + b"\x00\x00\x01\x02\x03" * steps
    below = base64.b64decode(answer_below(text(parent), BEGUN + timedelta(hours=1)))
    assert below[: len(parent)] == parent
    assert len(below) == len(parent) + 5


@pytest.mark.parametrize(
    ("after", "coarse"),
    [
        (timedelta(minutes=5), False), (timedelta(days=30), False), (timedelta(days=600), False),
        (timedelta(days=900), True),
    ],
)  # fmt: skip
def test_the_time_of_the_step(after: timedelta, coarse: bool) -> None:
    """31 bits of the time that passed, in units of 2^18 ticks, beyond 1.7 years of 2^23."""
    below = base64.b64decode(answer_below(text(HEADER), BEGUN + after))
    step = int.from_bytes(below[22:26], "big")
    assert bool(step >> 31) is coarse
    unit = 1 << (23 if coarse else 18)
    told = (step & 0x7FFFFFFF) * unit / 10**7
    assert abs(told - after.total_seconds()) <= unit / 10**7


def test_it_is_the_same_at_every_attempt() -> None:
    """A reply that is sent again is the same mail."""
    assert answer_below(text(HEADER), BEGUN) == answer_below(text(HEADER), BEGUN)


@pytest.mark.parametrize(
    "written",
    ["", "x", "!!!", text(HEADER[:21]), text(HEADER + b"xyz"), text(HEADER) + "\n", text(HEADER * 300)],
)
def test_what_is_no_index_gives_none(written: str) -> None:
    """Nonsense and endless ones set nothing."""
    assert not is_thread_index(written)
    assert answer_below(written, BEGUN) == ""
