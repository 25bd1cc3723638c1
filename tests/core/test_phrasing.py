"""The form in which something is said."""

from __future__ import annotations

import pytest

from router.text.meaning.speech_acts import ADDRESSES, ASKS, CORRECTS, DEFINES, PROGRESS, RECURS, REFERS, Form


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
