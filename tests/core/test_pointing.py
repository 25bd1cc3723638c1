"""What points at one of several matters, and what the desk asks for."""

from __future__ import annotations

from typing import Any

import pytest

from router.text.meaning.fold import fold
from router.text.meaning.pointing import NOWHERE, Pointing, pointing
from router.text.meaning.requests import asked_for, held


@pytest.mark.parametrize(("text", "points"), [
    ("第一笔有结果吗", Pointing(rank=1)), ("any news on the first one?", Pointing(rank=1)),
    ("what about the second order", Pointing(rank=2)), ("小的那笔到了没", Pointing(size=-1, that=True)),
    ("the bigger payment is still missing", Pointing(size=1)), ("the other one please", Pointing(other=True)),
    ("for the 08 one", Pointing(ends=("08",))), ("尾号3310那笔呢", Pointing(ends=("3310",), that=True)),
    ("提现1200一直显示审核中", NOWHERE), ("my transfer has not arrived", NOWHERE),
])  # fmt: skip
def test_what_points_where(text: str, points: Pointing) -> None:
    """Ordinals, sizes, the other one, the end of a number; most words point nowhere."""
    assert pointing(fold(text)) == points


@pytest.mark.parametrize(("asked", "answer", "other"), [
    ("请问单号是多少", "TP202690702951", "好的"), ("Please send a screenshot.", "截图发了", "ok"),
    ("Please tell us the date of the payment.", "yesterday at 10:30", "ok"),
    ("您用的什么手机型号", "华为 mate60", "嗯"),
])  # fmt: skip
def test_an_answer_holds_what_was_asked_for(asked: str, answer: str, other: str) -> None:
    """Whatever its words are about."""
    wanted = asked_for(fold(asked))
    assert wanted & held(fold(answer))
    assert (wanted & held(fold(answer))).bit_count() > (wanted & held(fold(other))).bit_count()


@pytest.mark.parametrize(("second", "first"), [
    ("您好,提现1500三天了还没到招商银行,谢谢", "提现1500三天了还没到招商银行"),
    ("Hello again! The QR code at the canteen was not accepted. Thank you",
     "The QR code at the canteen was not accepted"),
    ("话费充值５０没到手机上,麻烦了", "话费充值50没到手机上"),
])  # fmt: skip
def test_a_repeat_is_one_with_courtesies_around_it(world: Any, say: Any, first: str, second: str) -> None:
    """A greeting, thanks, other widths."""
    one = world.place(say(first))
    two = world.place(say(second, 240))
    assert (two.conversation.number, two.class_.value) == (one.conversation.number, "resend")


def test_the_best_live_conversation_is_named_without_an_event(world: Any, say: Any) -> None:
    """Another matter beside what is open: the desk sees the other one, and nobody outside is told."""
    one = world.place(say("提现1200一直显示审核中"))
    two = world.place(say("我想打印去年的账单,在哪里下载", 300))
    assert two.conversation.number != one.conversation.number
    assert [link.conversation for link in two.links] == [one.conversation.number]
    assert two.links[0].reason in ("also_open", "suggested_link")
