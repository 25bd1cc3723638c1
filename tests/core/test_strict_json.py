"""Bodies from outside mean one thing only, or are refused with one sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import InvalidPayload
from router.wire.strict_json import DEEPEST, each, load, oddity


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", r"not JSON.*line 1, column 1"),
        (b'{"a": 1,}', r"not JSON"),
        (b"{'a': 1}", r"not JSON"),
        (b'{"a": 1} x', r"not JSON"),
        ('{"a": "é"}'.encode("latin-1"), r"not UTF-8 from byte 7"),
        (b"[" * 33 + b"]" * 33, r"deeper than 32 levels"),
        (b"[" * 100_000, r"deeper than 32 levels"),
        (b'{"a":' * 5_000, r"deeper than 32 levels"),
        (b'{"a": 1' + b"0" * 5_000 + b"}", r"thousands of digits"),
    ],
)
def test_a_broken_body_is_told_in_one_sentence(body: bytes, told: str) -> None:
    """Whatever is wrong with a body, one sentence says what and where."""
    with pytest.raises(InvalidPayload, match=told):
        load(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * DEEPEST + b"]" * DEEPEST,
        b"[" + b'{"a": [1]},' * 500 + b"{}]",
        json.dumps({"a": "[[[[" * 100, "b": '"{{{{' * 100, "c": "\\" * 99}).encode(),
        b"\xef\xbb\xbf{}",
    ],
)
def test_brackets_count_only_where_they_nest(body: bytes) -> None:
    """Brackets inside texts, and many beside each other, are no nesting."""
    assert load(body).odd is False


@pytest.mark.parametrize(
    ("body", "path", "told"),
    [
        (b'{"id": "1", "id": "2"}', "id", "given twice"),
        (b'{"a": [{"b": {"c": 1, "d": 2, "c": 3}}]}', "a[0].b.c", "given twice"),
        (b'{"a": {"b": [1, NaN]}}', "a.b[1]", "NaN"),
        (b'{"a": -Infinity}', "a", "NaN or infinite"),
        (b'{"card 4111 1111 1111 1111": NaN}', "card [已隐去:银行卡 ****1111]", "NaN"),
    ],
)
def test_what_readers_understand_differently_is_found(body: bytes, path: str, told: str) -> None:
    """A name given twice and NaN are found wherever they are; the path repeats no secret that was written as a name."""
    loaded = load(body)
    assert loaded.odd is True
    found = oddity(loaded.value)
    assert found is not None
    assert found[0] == path
    assert told in found[1]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No bytes make the reader fail in another way than by its sentence."""
    values, mistakes = each(body, lambda item, index: (item, index))
    assert values or mistakes or load(body).value == []
    assert all(mistake.reason.endswith((".", ")")) for mistake in mistakes)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    )
)
def test_sound_json_is_read_as_it_is(value: object) -> None:
    """What is sound JSON and not too deep is read as Python's own reader does."""
    body = json.dumps(value).encode()
    loaded = load(body, deepest=1000)
    assert (loaded.value, loaded.odd) == (json.loads(body), False)


def test_an_array_takes_at_most_a_thousand() -> None:
    """The thousand-and-first message is refused with the whole array."""
    assert len(each(json.dumps([0] * 1000).encode(), lambda item, index: index)[0]) == 1000
    assert "at most 1000" in each(json.dumps([0] * 1001).encode(), lambda item, index: index)[1][0].reason
