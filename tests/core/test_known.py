"""What a batch looks at of its past does not grow with the batch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.known import REACH, Known
from router.model import Conversation

_BEGAN = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


@given(st.lists(st.integers(0, 10_000), max_size=3 * REACH))
def test_of_one_sender_the_latest_conversations_are_weighed(minutes: list[int]) -> None:
    """However many conversations of one contact a batch brings: those with the latest words, oldest number first."""
    known = Known()
    for number, late in enumerate(minutes, 1):
        at = _BEGAN + timedelta(minutes=late)
        known.put(Conversation(number=number, contact=1, opened_at=_BEGAN, last_message_at=at))
    found = known.recent_of(1)
    assert len(found) == min(len(minutes), REACH)
    assert [c.number for c in found] == sorted(c.number for c in found)
    left_out = set(known.conversations) - {c.number for c in found}
    latest = min((c.last_message_at for c in found), default=_BEGAN)
    assert all(known.conversations[number].last_message_at <= latest for number in left_out)
