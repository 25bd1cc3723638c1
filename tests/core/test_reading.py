"""A message is read once: own words, numbers before secrets are hidden, kind, type, traces."""

from __future__ import annotations

from typing import Any

import pytest

from router.match.features import read
from router.policy.values import Policy
from router.text.meaning.fold import fold


def test_numbers_are_read_before_secrets_are_hidden(wallet: Policy, say: Any) -> None:
    """An order number beside a card number is kept, the card is not."""
    found = read(say("单号TP202690702951 卡4111111111111111扣了2000"), wallet)
    assert "order:TP202690702951" in found.strong
    assert "4111111111111111" not in found.own_text + found.text + found.words
    assert "card" in found.secrets


def test_the_quote_of_a_reply_is_not_its_own_word(wallet: Policy, post: Any) -> None:
    """What the customer answers to is neither content nor a repetition."""
    found = read(post("???\n\nOn Mon, 2 Mar 2026, Support wrote:\n> order TP202690702951", in_reply_to="a@x"), wallet)
    assert found.poor
    assert found.strong == ()
    assert "TP202690702951" in found.text


@pytest.mark.parametrize(
    ("subject", "text", "more", "counts"),
    [
        ("订单TP202690702951没到账", "请帮忙看看", {}, True),
        ("订单TP2026907029", "订单TP202690702951没到账", {}, False),
        ("Re: 订单TP202690702951没到账", "请帮忙看看", {}, False),
        ("订单TP202690702951没到账", "请帮忙看看", {"in_reply_to": "a@x"}, False),
    ],
)
def test_which_subjects_are_words_of_the_customer(
    wallet: Policy, post: Any, subject: str, text: str, more: dict[str, str], counts: bool
) -> None:
    """A subject counts unless it is that of a reply, or the beginning of the text once more."""
    found = read(post(text, subject=subject, **more), wallet)
    assert found.words == fold(f"{subject}\n{text}" if counts else text)


def test_the_same_words_leave_the_same_trace(wallet: Policy, say: Any) -> None:
    """Case, punctuation and emoji make no other text."""
    one, two = read(say("Charged TWICE for one ticket!!"), wallet), read(say("charged twice for one ticket 🙏"), wallet)
    assert one.text_hash == two.text_hash
    assert f"text:{one.text_hash}" in one.traces


def test_what_says_nothing_leaves_no_trace(wallet: Policy, say: Any) -> None:
    """Greetings relate nobody."""
    assert read(say("你好"), wallet).traces == ()
    assert read(say("你好", who="W9"), wallet).markers == ()


def test_an_account_of_one_s_own_is_no_number_of_a_matter(wallet: Policy, say: Any) -> None:
    """Who names his own account says who he is, not what it is about."""
    mine = read(say("账号W2388693被锁", verified={"account": "W2388693"}), wallet)
    other = read(say("账号W2388693是骗子", verified={"account": "W1"}), wallet)
    assert mine.strong == ()
    assert other.strong == ("account:W2388693",)


def test_a_very_long_text_is_read(wallet: Policy, say: Any) -> None:
    """A megabyte of text is decided like any other."""
    found = read(say("提现失败了 " * 100_000), wallet)
    assert not found.poor
    assert len(found.traces) < 40
