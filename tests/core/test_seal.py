"""Raw bytes lie sealed, one destroyed key erases them, and a wrong key is said plainly."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import ConfigurationError, InvalidPayload, NotFound
from router.seal import KEY_SIZE, Sealed, Sealer, create_key, fingerprint, load_key
from router.secret import Secret

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


@given(st.binary(max_size=2_000))
def test_what_was_sealed_opens_as_it_was(body: bytes) -> None:
    """A raw comes back byte for byte, empty ones too."""
    sealer = Sealer(KEY)
    assert sealer.open(sealer.seal(body)) == body


def test_nothing_of_the_body_shows() -> None:
    """A copy of the database without the key file tells nothing, not even that two raws are equal."""
    sealer = Sealer(KEY)
    first, second = sealer.seal(b"4111111111111111" * 50), sealer.seal(b"4111111111111111" * 50)
    assert b"4111" not in first.body + first.wrapped_key
    assert first.body != second.body
    assert first.wrapped_key != second.wrapped_key


def test_an_erased_key_erases_the_raw() -> None:
    """Without its wrapped key a raw is gone, and the sentence says so."""
    sealer = Sealer(KEY)
    with pytest.raises(NotFound, match="erased"):
        sealer.open(Sealed(wrapped_key=b"", body=sealer.seal(b"x").body))


def test_the_key_of_one_raw_opens_no_other() -> None:
    """Each raw has a data key of its own."""
    sealer = Sealer(KEY)
    with pytest.raises(InvalidPayload):
        sealer.open(Sealed(wrapped_key=sealer.seal(b"a").wrapped_key, body=sealer.seal(b"b").body))


def test_another_deployment_key_is_named() -> None:
    """The operator reads which key sealed the raw and which one is present."""
    sealed = Sealer(KEY).seal(b"x")
    with pytest.raises(ConfigurationError) as caught:
        Sealer(OTHER).open(sealed)
    assert fingerprint(KEY) in str(caught.value)
    assert fingerprint(OTHER) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_former_key_still_opens() -> None:
    """After a change of the key old raws stay readable, new ones are sealed with the new key."""
    sealed = Sealer(KEY).seal(b"old")
    rotated = Sealer(OTHER, former=[KEY])
    assert rotated.open(sealed) == b"old"
    assert Sealer(OTHER).open(rotated.seal(b"new")) == b"new"


@pytest.mark.parametrize("place", [0, 1, 5, 20, -1])
@pytest.mark.parametrize("part", ["body", "wrapped_key"])
def test_a_changed_byte_is_noticed(part: str, place: int) -> None:
    """A raw that was tampered with or damaged is refused, never read wrongly."""
    sealed = Sealer(KEY).seal(b"x" * 100)
    changed = bytearray(getattr(sealed, part))
    changed[place] ^= 1
    parts = {"body": sealed.body, "wrapped_key": sealed.wrapped_key, part: bytes(changed)}
    with pytest.raises((InvalidPayload, ConfigurationError)):
        Sealer(KEY).open(Sealed(**parts))


@pytest.mark.parametrize("body", [b"", b"\x01", b"\x02" + b"x" * 60, b"\x01" + b"x" * 11])
def test_a_cut_body_is_damaged(body: bytes) -> None:
    """A truncated row gives one sentence."""
    with pytest.raises(InvalidPayload, match="damaged"):
        Sealer(KEY).open(Sealed(wrapped_key=Sealer(KEY).seal(b"x").wrapped_key, body=body))


def test_a_mac_is_equal_for_equal_values_and_keys_only() -> None:
    """Equal cards can be matched inside one desk, and by nobody else."""
    assert Sealer(KEY).mac("4111111111111111") == Sealer(KEY).mac("4111111111111111")
    assert Sealer(KEY).mac("4111111111111111") != Sealer(OTHER).mac("4111111111111111")
    assert Sealer(KEY).mac("4111111111111111") != Sealer(KEY).mac("4111111111111112")
    assert len(Sealer(KEY).mac("")) == 32
    assert Sealer(KEY).mac("\ud800")


def test_a_new_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Mode 600 whatever the umask, 32 bytes, and it loads as what was returned."""
    path = tmp_path / "omnirouter.key"
    before = os.umask(0)
    try:
        key = create_key(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(key) == KEY_SIZE
    assert load_key(path) == key
    assert load_key(Secret.of(f"file:{path}")) == key
    assert create_key(tmp_path / "second.key") != key


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    """The old key would be lost, and every raw with it."""
    path = tmp_path / "omnirouter.key"
    key = create_key(path)
    with pytest.raises(ConfigurationError, match="never overwritten"):
        create_key(path)
    assert load_key(path) == key


def test_a_key_file_in_no_folder_is_one_sentence(tmp_path: Path) -> None:
    """The operator reads what could not be written and why."""
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        create_key(tmp_path / "none" / "omnirouter.key")


def test_a_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As base64 or as hex digits."""
    monkeypatch.setenv("DESK_KEY", base64.b64encode(KEY).decode())
    assert load_key(Secret.of("env:DESK_KEY")) == KEY
    monkeypatch.setenv("DESK_KEY", KEY.hex())
    assert load_key(Secret.of("env:DESK_KEY")) == KEY


@pytest.mark.parametrize("text", ["", "short", base64.b64encode(KEY[:31]).decode(), "zz" * 32, "密" * 44])
def test_a_file_that_is_no_key_is_one_sentence(tmp_path: Path, text: str) -> None:
    """What is wrong and what would be right, without showing what the file holds."""
    path = tmp_path / "omnirouter.key"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_key(path)
    assert str(path) in str(caught.value)
    assert "base64" in str(caught.value)
    assert not text or text not in str(caught.value)


def test_a_missing_key_file_names_the_command() -> None:
    """The operator reads how to make one."""
    with pytest.raises(ConfigurationError, match="omnirouter init"):
        load_key(Path("/nonexistent/omnirouter.key"))


def test_a_short_key_is_refused() -> None:
    """No raw is ever sealed with a key that can be guessed."""
    with pytest.raises(ConfigurationError, match="32 bytes"):
        Sealer(b"short")
