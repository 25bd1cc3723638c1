"""Single values from outside: ids, texts, numbers, in the one form that is stored and compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import InvalidPayload
from router.wire.fields import Place, e164, storable


@pytest.mark.parametrize(
    ("number", "region", "form"),
    [
        ("+8613800000000", None, "+8613800000000"),
        ("+86 138-0000-0000", None, "+8613800000000"),
        ("13800000000", "CN", "+8613800000000"),
        ("010 6552 9988", "CN", "+861065529988"),
        ("(415) 867-5309", "US", "+14158675309"),
        ("13800000000", None, ""),
        ("10086", None, ""),
        ("10086", "CN", ""),
        ("anonymous", "CN", ""),
        ("+", None, ""),
        ("+1" * 200, None, ""),
        ("", "CN", ""),
    ],
)
def test_a_number_has_one_form(number: str, region: str | None, form: str) -> None:
    """However a number is written, it is one number; what is none is none."""
    assert e164(number, region) == form


@given(st.text(max_size=80))
def test_no_text_breaks_the_reading_of_numbers(text: str) -> None:
    """Any text is a number in E.164 or nothing."""
    number = e164(text, "CN")
    assert number == "" or (number[0] == "+" and number[1:].isdigit())


@given(st.text(alphabet=st.characters(), max_size=50))
def test_what_is_stored_can_be_stored(text: str) -> None:
    """Half characters and NUL never reach a database; all else is as it was."""
    kept = storable(text)
    assert "\x00" not in kept
    assert kept.encode().decode() == kept
    assert storable(kept) == kept


def test_half_a_character_becomes_the_replacement_mark() -> None:
    """A lone surrogate is shown as the mark for what cannot be shown; a pair of them is the character."""
    assert storable("a\ud83db") == "a\ufffdb"
    assert storable("\ud83d\ude00") == "😀"
    assert storable("账户\x00") == "账户"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("  \t ", "empty"),
        ("a\nb", "one line"),
        ("x" * 999, "998 characters"),
        ("a\ud83d", "half a character"),
    ],
)
def test_an_id_is_one_plain_line(text: str, told: str) -> None:
    """An id that is empty, long, broken or of two lines is told with its place."""
    with pytest.raises(InvalidPayload, match=told) as caught:
        Place(7).identity(text, "id")
    assert (caught.value.index, caught.value.path) == (7, "id")
    assert caught.value.reason.startswith("Message 7: id ")


def test_ids_of_mail_lose_their_brackets() -> None:
    """A Message-ID is the same with and without its angle brackets."""
    assert Place(mail=True).identity(" <a@b> ", "id") == "a@b"
    assert Place().identity("<a@b>", "id") == "<a@b>"
    with pytest.raises(InvalidPayload, match="empty"):
        Place(mail=True).identity("< >", "id")


def test_sentences_never_repeat_the_value() -> None:
    """What is wrong about a mail address or a number is told without writing it down again."""
    for check, value in ((Place().mail_address, "chen at example"), (Place().phone, "138-nope")):
        with pytest.raises(InvalidPayload) as caught:
            check(value, "sender")
        assert value not in caught.value.reason
