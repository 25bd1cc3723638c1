"""A mail that is passed on says whose it was, in the form of each mail program; an answer with a quote says no such
thing."""

from __future__ import annotations

import pytest

from router.text.own_words.passed_on import is_forward, passed_on

GMAIL = (
    "fyi\n\n---------- Forwarded message ---------\nFrom: Deng Hao <deng@mail.example>\nDate: 2 Mar 2026\n"
    "Subject: withdrawal\nTo: <ma@wallet.example>\n\nmy money is gone\n"
)
NETEASE = (
    "-----原始邮件-----\n发件人: 邓先生 <deng@mail.example>\n发送时间: 2026年3月2日 8:30\n收件人: ma@wallet.example\n"
    "主题: 提现失败\n\n提现 900 元失败"
)
APPLE = (
    "Begin forwarded message:\n\n> From: Deng Hao <deng@mail.example>\n> Subject: withdrawal\n> Date: 2 March 2026\n"
    "> To: ma@wallet.example\n> \n> my money is gone\n> please help"
)
OUTLOOK = (
    "请处理\n\n发件人: 邓先生 [mailto:deng@mail.example]\n发送时间: 2026年3月2日 8:30\n收件人: 客服\n"
    "主题: 提现失败\n\n提现失败"
)
OUTLOOK_WEB = (
    "see below\n\n________________________________\nFrom: Deng Hao <deng@mail.example>\nSent: Monday, 2 March 2026\n"
    "To: Ma\nSubject: withdrawal\n\nmy money is gone"
)
QQ = (
    '------------------ 原始邮件 ------------------\n发件人: "邓先生" <deng@mail.example>;\n'
    '发送时间: 2026年3月2日(星期一) 上午8:30\n收件人: "ma"<ma@wallet.example>;\n主题: 提现失败\n\n提现失败'
)
FORWARD_ZH = (
    "---------- 转发的邮件 ---------\n发件人： 邓先生 <deng@mail.example>\n日期：2026年3月2日\n主题： 提现\n\n提现失败"
)
TWICE = (
    "---------- Forwarded message ---------\nFrom: Ann <ann@wallet.example>\nDate: 2 March 2026\nSubject: Fwd: x\n\n"
    "please look\n\n---------- Forwarded message ---------\nFrom: Deng Hao <deng@mail.example>\nDate: 1 March 2026\n"
    "Subject: x\n\nmy money is gone"
)


def ours(address: str) -> bool:
    return address.endswith("@wallet.example")


@pytest.mark.parametrize(
    ("text", "subject", "name", "words"),
    [
        (GMAIL, "Fwd: withdrawal", "Deng Hao", "my money is gone"),
        (GMAIL, "看看这个", "Deng Hao", "my money is gone"),
        (NETEASE, "转发: 提现失败", "邓先生", "提现 900 元失败"),
        (NETEASE, "Fw:提现失败", "邓先生", "提现 900 元失败"),
        (APPLE, "Fwd: withdrawal", "Deng Hao", "my money is gone\nplease help"),
        (OUTLOOK, "转发：提现失败", "邓先生", "提现失败"),
        (OUTLOOK, "轉寄: 提现失败", "邓先生", "提现失败"),
        (OUTLOOK_WEB, "FW: withdrawal", "Deng Hao", "my money is gone"),
        (QQ, "转发：提现失败", "邓先生", "提现失败"),
        (FORWARD_ZH, "Re: 提现", "邓先生", "提现失败"),
        (TWICE, "Fwd: Fwd: x", "Deng Hao", "my money is gone"),
        (GMAIL.replace("\n", "\r\n"), "Fwd: withdrawal", "Deng Hao", "my money is gone"),
    ],
)
def test_whose_mail_is_passed_on(text: str, subject: str, name: str, words: str) -> None:
    """The sender of what was forwarded is found, with his own words, behind colleagues who passed it on before."""
    found = passed_on(text, subject, ours)
    assert found is not None
    assert (found.address, found.name, found.words) == ("deng@mail.example", name, words)


def test_what_was_written_above_is_kept_apart() -> None:
    """The remark of whoever forwards is not the customer's word."""
    found = passed_on(OUTLOOK, "转发: 提现失败", ours)
    assert found is not None
    assert found.above == "请处理"


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        (NETEASE, "Re: 提现失败"),
        (OUTLOOK, "回复: 转发: 提现失败"),
        (OUTLOOK_WEB, "withdrawal"),
        ("On 2 Mar 2026, D <d@mail.example> wrote:\n> ---------- Forwarded message\n> From: x@y.example", "Re: x"),
        ("thanks\n\n> ---------- Forwarded message ----------\n> From: D <d@mail.example>\n> Date: 2026", "Re: Fwd: x"),
        ("From: where I stand, nothing works.\nTo: be clear", "Fwd"),
        ("I forwarded the message to my bank", "Invoice: forwarded"),
        ("", "Fwd: x"),
    ],
)  # fmt: skip
def test_an_answer_is_no_forward(text: str, subject: str) -> None:
    """A quote below an answer, and words about forwarding, pass nothing on."""
    assert passed_on(text, subject, ours) is None


def test_a_forward_that_names_no_address() -> None:
    """Outlook may name the sender without an address: then nobody is claimed."""
    text = "发件人: 邓先生\n发送时间: 2026年3月2日 8:30\n收件人: 客服\n主题: 提现失败\n\n提现失败"
    found = passed_on(text, "转发: 提现失败", ours)
    assert found is not None
    assert (found.address, found.words) == ("", "提现失败")


@pytest.mark.parametrize(
    ("subject", "holds"),
    [("Fwd: x", True), ("FW：x", True), ("转发: x", True), ("WG: x", True), ("[Fwd: x]", True), ("Re: Fwd: x", False),
     ("forward me", False), ("", False)],
)  # fmt: skip
def test_subjects(subject: str, holds: bool) -> None:
    """A subject says "forwarded" where its first mark does."""
    assert is_forward(subject) is holds
