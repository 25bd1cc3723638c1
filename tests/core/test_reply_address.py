"""A reply address proves a conversation and a participant, or nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.match.reply_address import LENGTH, sign, verify

KEY, OTHER = b"k" * 32, b"o" * 32
WHO = ("email", "li@post.test")
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
TOKEN = sign(42, WHO, 1, KEY, NOW + timedelta(days=90))


def test_a_token_names_its_conversation_and_participant() -> None:
    """It was made for one handle, and for no other."""
    claim = verify(TOKEN, {1: KEY}, NOW)
    assert claim is not None
    assert claim.conversation == 42
    assert claim.made_for(("email", "LI@post.test"))
    assert not claim.made_for(("email", "eve@post.test"))


def test_a_token_fits_a_local_part_in_either_case() -> None:
    """Mail systems change the case of addresses and allow 64 characters before the @."""
    assert len(TOKEN) == LENGTH
    assert len(f"support+{TOKEN}") <= 64
    assert verify(TOKEN.upper(), {1: KEY}, NOW) == verify(TOKEN, {1: KEY}, NOW)


def test_keys_change_while_old_tokens_stay_valid() -> None:
    """A token is verified with the key it names, as long as that is kept."""
    assert verify(TOKEN, {1: KEY, 2: OTHER}, NOW) is not None
    assert verify(TOKEN, {2: OTHER}, NOW) is None
    assert verify(TOKEN, {1: OTHER}, NOW) is None
    assert verify(TOKEN, {1: b""}, NOW) is None


def test_a_token_ends() -> None:
    """It holds to the end of its last day (UTC), and no longer."""
    token = sign(1, WHO, 0, KEY, NOW)
    assert verify(token, {0: KEY}, datetime(2026, 3, 2, 23, 59, tzinfo=UTC)) is not None
    assert verify(token, {0: KEY}, datetime(2026, 3, 3, tzinfo=UTC)) is None


@given(st.integers(0, LENGTH - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_no_changed_character_is_taken(place: int, character: str) -> None:
    """Every one of the 240 bits is under the signature."""
    forged = TOKEN[:place] + character + TOKEN[place + 1 :]
    assert (verify(forged, {1: KEY}, NOW) is not None) == (forged == TOKEN)


@given(st.text(max_size=80))
def test_any_text_is_a_token_or_none(text: str) -> None:
    """Verification never raises and never joins by the length of what it is given."""
    assert verify(text, {1: KEY}, NOW) is None


@pytest.mark.parametrize("bad", [{"key": b""}, {"key_id": 256}, {"conversation": 0}])
def test_what_cannot_be_signed_is_refused(bad: dict[str, object]) -> None:
    """A token without a key, or for no conversation, is never made."""
    wanted = {"conversation": 1, "participant": WHO, "key_id": 1, "key": KEY, "expires_at": NOW, **bad}
    with pytest.raises(ValueError, match="reply address"):
        sign(**wanted)  # type: ignore[arg-type]
