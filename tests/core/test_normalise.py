"""One form for matching, and the language of a text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.text.meaning.fold import fold, is_han, language

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("無法登入,帳號被凍結", "无法登录,账号被冻结"),
        ("登陆不了", "登录不了"),
        ("帐号", "账号"),
        ("冲值没到帐", "充值没到账"),
        ("儲值失敗", "充值失败"),
        ("想提領現金", "想提现现金"),
        ("收唔到驗證碼", "收不到验证码"),
        ("我 的 转 账", "我的转账"),
        ("ＡＰＰ　闪退", "app 闪退"),
        ("转\u200b账", "转账"),
        ("It didn’t arrive", "it didn't arrive"),
        ("甚麼時候到帳?", "什么时候到账?"),
        ("怎么了", "怎么了"),
        ("余额", "余额"),
        ("", ""),
    ],
)
def test_spellings_become_one_form(written: str, meant: str) -> None:
    """Traditional, typing mistakes, dialect, full width and hidden characters match as if written the usual way."""
    assert fold(written) == meant


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("转账没到账", "zh-Hans"),
        ("轉帳沒到帳", "zh-Hant"),
        ("點解我收唔到錢", "zh-Hant"),
        ("我的wallet被lock了", "zh-Hans"),
        ("我嘅account俾人lock咗", "zh-Hant"),
        ("My transfer didn’t arrive", "en"),
        ("hello", "en"),
        ("hola, mi cuenta no funciona", "other"),
        ("bonjour, je n'ai pas reçu mon argent", "other"),
        ("送金できません", "other"),
        ("Привет, где деньги", "other"),
        ("출금이 안 돼요", "other"),
        ("😡😡😡", "other"),
        ("12345", "other"),
        ("", "other"),
    ],
)
def test_language_is_told_by_script_and_words(text: str, expected: str) -> None:
    """A desk answers in the language a customer wrote in."""
    assert language(text) == expected


def test_every_simplified_message_of_the_set_is_told_as_such() -> None:
    """Labelled messages have the language that their author gave them; mixed ones are Chinese."""
    lines = (DATA / "tagging_zh.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, lines):
        expected = {"zh-Hans": ["zh-Hans"], "zh-Hant": ["zh-Hant"], "mixed": ["zh-Hans", "zh-Hant"]}[row["lang"]]
        assert language(row["text"]) in expected, row["text"]


@given(st.text())
def test_folding_is_total_and_settles(text: str) -> None:
    """Any text folds without an error, and nothing is left that folds twice differently in its script."""
    folded = fold(text)
    assert language(text) in ("zh-Hans", "zh-Hant", "en", "other")
    assert fold(folded).replace(" ", "") in (folded.replace(" ", ""), fold(fold(folded)).replace(" ", ""))


def test_long_text_is_folded_whole() -> None:
    """Nothing is lost of a long mail."""
    assert fold("轉帳沒到。" * 20_000) == "转账没到." * 20_000


def test_han_is_told_from_other_letters() -> None:
    """Kana and Latin letters are no Chinese characters."""
    assert is_han("转")
    assert not is_han("a")
    assert not is_han("の")
