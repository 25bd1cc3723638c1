"""What a message shares with a conversation, and what forbids one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from router.match.features import read
from router.match.score import Weighed, is_live, spoken_to, weigh
from router.model import Conversation, Status
from router.policy.values import Policy


def scores(world: Any, message: Any, policy: Policy, answered: Conversation | None = None) -> list[Weighed]:
    own = [Weighed(c, True) for c in world.known.conversations.values()]
    return weigh(read(message, policy), own, answered)


def test_a_shared_number_outweighs_everything(world: Any, wallet: Policy, say: Any) -> None:
    """The older conversation with the number stands before the younger one with the same words."""
    old = world.place(say("单号TP202690702951转账没到账"))
    world.place(say("换手机后登录不了", 60))
    placed = world.place(say("登录不了,单号TP202690702951", 90))
    assert (placed.conversation.number, placed.method) == (old.conversation.number, "identifier")


def test_another_number_forbids(world: Any, wallet: Policy, say: Any) -> None:
    """One digit makes another matter, however equal the words."""
    world.place(say("单号TP202690702951转账没到账"))
    weighed = scores(world, say("单号TP202690702952转账没到账", 9), wallet)[0]
    assert weighed.forbidden


def test_a_sentence_with_another_number_is_another_payment(world: Any, wallet: Policy, say: Any) -> None:
    """The same words about another sum, even where nothing calls it a sum."""
    world.place(say("Charged for seat 1450 twice on one ticket"))
    assert scores(world, say("Charged for seat 1470 twice on one ticket", 9), wallet)[0].forbidden


@pytest.mark.parametrize(("text", "answered"), [("卡号后四位3310", True), ("另外一笔转账800也没有到账", False)])
def test_an_answer_joins_unless_it_says_another_matter(
    world: Any, wallet: Policy, say: Any, text: str, answered: bool
) -> None:
    """What the message answers by right is that, but for words that begin another matter."""
    one = world.place(say("提现1200一直显示审核中")).conversation
    message = say(text, 60)
    assert not scores(world, message, wallet)[0].answered
    assert scores(world, message, wallet, one)[0].answered is answered


def test_details_follow_what_was_stated_last(world: Any, wallet: Policy, say: Any) -> None:
    """After chasing an old matter, a detail still belongs to the one that was stated last."""
    world.place(say("换手机后登录不了,一直说设备异常"))
    second = world.place(say("转账2000给我弟,显示成功可他没收到", 30))
    world.place(say("登录的问题修好没有", 600))
    detail = world.place(say("他用的是农行", 610))
    assert detail.conversation.number == second.conversation.number


@pytest.mark.parametrize(("status", "days", "live"), [
    (Status.OPEN, 300, True), (Status.PENDING, 300, True), (Status.CLOSED, 13, True), (Status.CLOSED, 15, False),
    (Status.SOLVED, 15, False),
])  # fmt: skip
def test_what_an_ordinary_message_may_join(world: Any, say: Any, status: Status, days: int, live: bool) -> None:
    """Open ones at any age, ended ones within the window."""
    one = world.place(say("提现1200一直显示审核中")).conversation
    if status is not Status.OPEN:
        one = world.status(one.number, status.value, 0)
    assert is_live(one, one.opened_at + timedelta(days=days), timedelta(days=14)) is live


def test_who_spoke_last(world: Any, say: Any) -> None:
    """The desk did, until the customer writes again."""
    one = world.place(say("提现1200一直显示审核中")).conversation
    assert not spoken_to(one)
    assert spoken_to(world.reply(one.number, "请稍等", 5))
    assert not spoken_to(world.place(say("好了吗", 9)).conversation)


@pytest.mark.parametrize(
    ("subject", "same", "rules"),
    [("Re: 绑卡求助", True, ["it answers a message of this conversation"]),
     ("六月对账单", False, ["a new mail with a subject of its own"])],
)  # fmt: skip
def test_subjects_without_headers(
    world: Any, wallet: Policy, post: Any, subject: str, same: bool, rules: list[str]
) -> None:
    """A client that drops the headers of a reply keeps its subject; a new subject begins something else."""
    world.place(post("建行卡绑不上,请协助", subject="绑卡求助"))
    weighed = scores(world, post("我的公司刚搬到了深圳南山区,门牌变了", 60, subject=subject), wallet)[0]
    assert (weighed.same_subject, weighed.rules) == (same, rules)
