"""Kinds of messages that once went elsewhere, each in several words: the kind holds, not the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from router.model import MessageClass as Class
from router.policy.values import Policy
from workers.lab.evaluate.followups import evaluate_followups

KINDS = Path(__file__).parent.parent / "data" / "followups_kinds.jsonl"


def test_the_ten_kinds_and_their_control(wallet: Policy) -> None:
    """Conversation and class of every message."""
    found = evaluate_followups(KINDS, policy=wallet)
    assert found["mistakes"] == []
    assert (found["conversation"], found["class_accuracy"], found["leak"]) == (1.0, 1.0, 0)


@pytest.mark.parametrize(
    ("first", "reply", "after", "then"),
    [
        ("my wallet was emptied last night, 900 gone", "We blocked your card.", 12,
         "ok so how am I supposed to pay for my train, how long is it blocked"),
        ("昨晚有人从我钱包转走2000", "已为您冻结账户。", 10, "那我吃饭怎么办,冻结到什么时候"),
        ("someone logged in to my account from Poland", "We have locked the account for your safety.", 10,
         "and when do you unlock it? i need to pay rent"),
        ("how many withdrawals can I make a day", "Unlimited once your identity is verified.", 1,
         "where in the app do i find identity verification"),
        ("转账一天限额多少", "绑定银行卡之后可以提到五万。", 1, "绑定银行卡在哪个页面"),
        ("退款45块没退回来", "请问是哪一笔订单?", 40, "就是周六看演唱会那笔"),
        ("my card payment at Lidl was charged twice", "Could you tell us the date?", 3, "yesterday around noon"),
    ],
)  # fmt: skip
def test_what_is_asked_about_the_desk_s_words_goes_on(
    world: Any, say: Any, first: str, reply: str, after: float, then: str
) -> None:
    """A question to what the desk just named, or an answer to what it asked, is of this matter."""
    one = world.place(say(first))
    world.reply(one.conversation.number, reply, 10)
    assert world.place(say(then, 10 + after)).conversation.number == one.conversation.number


@pytest.mark.parametrize(
    ("first", "question", "then"),
    [
        ("My parking refund of 12 is missing", "Which parking was it?",
         "somebody stole my phone at the market, block my wallet please"),
        ("快递退款的30没退回来", "请问订单号是多少?", "我的账号被人登录了,密码都被改了,快帮我冻结"),
    ],
)  # fmt: skip
def test_a_matter_stated_in_full_long_after_a_question_is_no_answer(
    world: Any, say: Any, first: str, question: str, then: str
) -> None:
    """Twenty minutes after the question it is another one."""
    one = world.place(say(first))
    world.reply(one.conversation.number, question, 5)
    two = world.place(say(then, 27))
    assert (two.class_, two.conversation.number == one.conversation.number) == (Class.NEW_ISSUE, False)


@pytest.mark.parametrize(
    ("first", "then", "same"),
    [
        ("transfer 51028834 did not arrive", "sorry, wrong number: the correct reference is 51028843", True),
        ("withdrawal 88123411 is missing since friday", "oops typo, it's 88123441", True),
        ("order 88123411 is missing", "I gave you the wrong order number, it should be 88123441", True),
        ("订单 20260811558702 没到账", "写错了,单号是 20260811558720", True),
        ("订单455454990017退款没到", "报错单号了,是455454990071", True),
        ("订单455454990017充值640没到账", "订单426686971103充值也不行,报错图给你", False),
        ("订单455454990017退款没到", "还有订单426686971103,提示错误的页面我截图了", False),
        ("订单455454990017退款没到", "订单426686971103也没到,密码输错三次", False),
        ("order 88123411 is missing", "order 88123477 should be there by now too, it is missing", False),
        ("order 88123411 is missing", "order 88123477 fails with an error", False),
    ],
)
def test_only_a_correction_lifts_the_veto_of_another_number(
    world: Any, say: Any, first: str, then: str, same: bool
) -> None:
    """An error that is reported corrects nothing; "typo", "写错了" do."""
    one, two = world.place(say(first)), world.place(say(then, 4))
    assert (two.conversation.number == one.conversation.number) is same


@pytest.mark.parametrize(
    ("subject", "text", "again", "more"),
    [
        ("Top up declined", "The top up with my visa is declined every time.", "Top up declined (second request)",
         "This is my second request. The top up with my visa is declined every time."),
        ("Login broken", "I cannot log in since the update, error 77.", "Login broken - 3rd attempt",
         "Writing for the third time now: I cannot log in since the update, error 77."),
        ("提现未到账", "提现两天没到账,麻烦处理。", "提现未到账(第二次)", "第二次来信了,提现两天没到账,麻烦处理。"),
        ("Build failure on arm64", "Build 20260301 fails on arm64.", "Any news? Build failure on arm64",
         "Did anybody look at this?"),
        ("关于缓存配置的问题", "请问缓存大小的参数在哪里设置?", "再次催办:关于缓存配置的问题", "请问有人知道吗"),
        ("Where is the card", "My new card has not come.", "Re: Where is the card", "Nothing in the post so far."),
    ],
)  # fmt: skip
def test_a_second_request_is_the_same_matter(
    world: Any, post: Any, subject: str, text: str, again: str, more: str
) -> None:
    """The subject without the words of chasing, or the same words, join a mail without a header."""
    one, two = world.place(post(text, subject=subject)), world.place(post(more, 600, subject=again))
    assert two.conversation.number == one.conversation.number
    assert two.class_ in (Class.CHASER, Class.RESEND)


SIGNED = "\n\nThanks a lot,\nPat Doe\nACME Ltd, Dublin"


@pytest.mark.parametrize(
    "mails",
    [
        [("libssl upgrade breaks curl", "Hi all,\n\nafter upgrading libssl to 1.1.1n curl 7.74.0 crashes on startup."),
         ("How to run the tests in parallel?", "Hi all,\n\nis there a way to run the tests with several jobs?"),
         ("Documentation of the cache", "Hello,\n\nI tried to find where it is documented; there is a stub of 2019."),
         ("Release date of 2.5?", "Hi all,\n\nwhen is version 2.5 expected? We would like to plan our migration."),
         ("Build failure on arm64", "Hello,\n\nbuild 20260301 fails on arm64 with gcc 12.2.0, see the log below.")],
        [("邮件列表归档打不开", "大家好,\n\n今天归档页面打不开,提示502,是维护吗?"),
         ("关于缓存配置的问题", "大家好,\n\n请问缓存大小的参数在哪里设置?文档里没找到。"),
         ("会议室预定", "大家好,\n\n下周三的讨论会我订了三楼会议室,时间下午两点。")],
    ],
)  # fmt: skip
def test_new_mails_of_one_sender_have_nothing_to_do_with_each_other(
    world: Any, post: Any, mails: list[tuple[str, str]]
) -> None:
    """A subject of its own and no header: greetings, signatures and versions join nothing."""
    placed = [world.place(post(f"{text}{SIGNED}", 400 * n, subject=s)) for n, (s, text) in enumerate(mails)]
    assert len({p.conversation.number for p in placed}) == len(mails)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("客户王芳的提现500一直没到账,请查", "客户李强的提现500一直没到账,请查"),
        ('我司委托客户"渡口书店"提现没到账', '我司委托客户"小满烘焙"提现没到账'),
        (
            "My client Tidewater Cycles cannot withdraw",
            "My client Larkspur Florists cannot withdraw",
        ),
    ],
)
def test_another_person_named_as_the_customer_forbids_joining(world: Any, say: Any, one: str, other: str) -> None:
    """An accountant writes of many, and of the same one twice."""
    first, second = world.place(say(one)), world.place(say(other, 60))
    assert first.conversation.number != second.conversation.number
    assert world.place(say(one, 120)).conversation.number == first.conversation.number


def test_the_other_one_is_the_one_that_was_not_spoken_of(world: Any, say: Any) -> None:
    """After one of two was settled, "the other one" asks for the one that still waits."""
    one = world.place(say("提现20260804-771230 没到"))
    two = world.place(say("提现20260804-771239 也没到,不是一张卡", 10))
    world.reply(one.conversation.number, "771230已到账。", 130)
    assert world.place(say("谢谢", 132)).conversation.number == one.conversation.number
    asked = world.place(say("另外那笔什么时候到", 190))
    assert (asked.conversation.number, asked.class_) == (two.conversation.number, Class.CHASER)


@pytest.mark.parametrize(
    ("words", "class_"),
    [
        ("it's in now", Class.ACK), ("there it is, thank you", Class.ACK), ("到了,谢谢", Class.ACK),
        ("works fine now", Class.ACK), ("可以了", Class.ACK), ("看到了", Class.ACK),
        ("到了50,还有50没到", None), ("it came through but only half of it", None), ("现在又不行了", None),
        ("is it in now?", None),
    ],
)  # fmt: skip
def test_who_states_that_it_turned_out_well_asks_nothing(
    world: Any, say: Any, words: str, class_: Class | None
) -> None:
    """After the desk's answer it is an acknowledgement; with a reserve, a fault or a question it never is."""
    one = world.place(say("the 60 I topped up is not in my wallet"))
    world.reply(one.conversation.number, "It arrives within two hours.", 60)
    said = world.place(say(words, 200))
    assert said.class_ is class_ if class_ else said.class_ is not Class.ACK


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ("binding my HSBC card fails with code B12", "the HSBC card fell out of the app again, code B12"),
        ("招商卡绑定失败,代码E3021", "招商卡自己又掉了,还是E3021"),
    ],
)
def test_the_same_code_after_closing_is_the_same_fault(world: Any, say: Any, first: str, code: str) -> None:
    """It comes back by itself within the window: the conversation is opened again, and the words add to it."""
    one = world.place(say(first))
    world.status(one.conversation.number, "closed", 30)
    again = world.place(say(code, 60 * 24 * 6))
    assert (again.conversation.number, again.class_, again.reopened) == (one.conversation.number, Class.ADDITION, True)
