"""The form in which something is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.text.meaning.speech_acts import (
    ADDRESSES,
    ADDS,
    ASKS,
    CORRECTS,
    DEFINES,
    JOINS,
    PROGRESS,
    RECURS,
    REFERS,
    UNRELATED,
    Form,
    forms_in,
)

_FORMS = (ASKS, ADDS, JOINS, CORRECTS, RECURS, DEFINES, PROGRESS, REFERS, UNRELATED, ADDRESSES)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (ASKS, "how long will it take"),
        (ASKS, "it is gone?"),
        (ASKS, "钱到账了吗"),
        (ASKS, "app能不能用"),
        (DEFINES, "it's the green card"),
        (DEFINES, "the shop is called wong"),
        (DEFINES, "尾号3310"),
        (REFERS, "is my refund problem solved"),
        (REFERS, "那笔呢"),
        (ASKS, "my brother waits, what is the status"),
        (CORRECTS, "should be 8871, not 8817"),
        (CORRECTS, "单号打错了"),
        (RECURS, "it happened again"),
        (RECURS, "今天又扣了"),
        (PROGRESS, "进度如何"),
        (PROGRESS, "any news of it"),
        (ADDRESSES, "have you looked"),
        (ADDRESSES, "你们看了吗"),
    ],
)
def test_what_is_said_in_a_form_is_found(form: Form, text: str) -> None:
    """A question, a detail, a reference and words to the desk are told by their form, in English and Chinese."""
    assert form.found_in(text)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (ASKS, "my transfer failed"),
        (CORRECTS, "it should arrive soon"),
        (RECURS, "又问一次"),
        (ASKS, "转账失败了"),
        (DEFINES, "so called friends"),
        (REFERS, "no problem"),
        (ADDRESSES, "something went wrong"),
        (ADDRESSES, ""),
    ],
)
def test_other_words_have_no_such_form(form: Form, text: str) -> None:
    """A word alone is no form."""
    assert not form.found_in(text)


@given(st.data(), st.sampled_from(_FORMS))
def test_no_form_is_there_without_one_of_its_signs_and_parts(data: st.DataObject, form: Form) -> None:
    """What a form's words can say holds one of the signs, or of the parts, by which it is looked for."""
    said = data.draw(st.from_regex(form.han, alphabet=st.characters(codec="utf-8")))
    assert any(sign in said for sign in form.signs) or form.han.search(said) is None
    if form.within is not None:
        said = data.draw(st.from_regex(form.within, alphabet=st.characters(codec="ascii")))
        assert any(part in said for part in form.parts) or form.within.search(said) is None


@given(st.text(alphabet="不是又再次那笔进度也没另你错啥 ?,.我的了吗呢", max_size=30) | st.text(max_size=30))
def test_one_walk_over_a_text_finds_the_same_forms_as_asking_each(text: str) -> None:
    """Looking for all forms at once finds those that are found one by one, in any text."""
    assert forms_in(text) == {form for form in _FORMS if form.found_in(text)}
