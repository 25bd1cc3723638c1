"""Resend, chaser, addition, thanks: told apart by what a message adds."""

from __future__ import annotations

from typing import Any

import pytest

from router.model import MessageClass as Class

FIRST = "用工行充值500没到账,银行已经扣了"


@pytest.mark.parametrize(
    ("text", "class_"),
    [
        ("工行那边扣了500,充值还是没到账", Class.RESEND),
        ("充值的事有结果了吗", Class.CHASER),
        ("银行短信显示10:32扣的款,流水尾号0092", Class.ADDITION),
        ("已经重启过了,还是不行", Class.ADDITION),
        ("谢谢", Class.ACK),
        ("谢谢,那什么时候能到账", Class.CHASER),
        ("到底管不管", Class.CHASER),
        ("充到哪里去了?", Class.CHASER),
    ],
)
def test_what_is_added_makes_the_class(world: Any, say: Any, text: str, class_: Class) -> None:
    """Nothing new: said again or asked again. Something new: an addition."""
    one = world.place(say(FIRST))
    two = world.place(say(text, 120))
    assert (two.conversation.number, two.class_) == (one.conversation.number, class_)


def test_a_statement_over_another_kind_of_channel(world: Any, say: Any) -> None:
    """It is `cross_channel` once; from then on that kind is known and it is a resend."""
    world.place(say(FIRST))
    where = {"who": "wx", "channel": "wechat", "kind": "wechat", "verified": {"account": "W1"}}
    assert world.place(say(FIRST, 60, **where)).class_ is Class.CROSS_CHANNEL
    assert world.place(say(FIRST + "!", 90, **where)).class_ is Class.RESEND


@pytest.mark.parametrize(
    ("text", "class_"),
    [
        ("3290", Class.ADDITION),
        ("是昨天晚上", Class.ADDITION),
        ("???", Class.CHASER),
        ("好的,谢谢", Class.ACK),
        ("还在等", Class.CHASER),
    ],
)
def test_after_the_desk_has_spoken(world: Any, say: Any, text: str, class_: Class) -> None:
    """What is neither a question nor pressing answers the desk."""
    one = world.place(say(FIRST))
    world.reply(one.conversation.number, "请问是什么时候充的?", 30)
    assert world.place(say(text, 40)).class_ is class_
