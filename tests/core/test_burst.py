"""What people type in pieces is one matter; asking before anybody could answer is no chasing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router import Message
from router.kinds import traits_of
from router.model import MessageClass, Placement
from router.policy.values import Policy

BURSTS = Path(__file__).parent.parent / "data" / "bursts.jsonl"
CHATS = ("webhook", "telegram", "wechat", "line", "messenger", "x")
SECOND = 1 / 60


@pytest.fixture
def typed(new_world: Any, say: Any) -> Any:
    """Type pieces, 10 seconds apart, in one chat of a kind; where each went."""

    def type_on(pieces: list[str], kind: str = "webhook", gap: float = 10 * SECOND) -> list[Placement]:
        world = new_world()
        return [world.place(say(text, n * gap, kind=kind)) for n, text in enumerate(pieces)]

    return type_on


def test_eight_chats_in_pieces_hold_ten_matters(new_world: Any) -> None:
    """Real chats, typed within a minute each: two of them begin a second matter by a word, nobody chased."""
    world, held, chases = new_world(), dict[str, set[int]](), 0
    for line in BURSTS.read_text("utf-8").splitlines():
        message = Message.from_wire(json.loads(line), channel="app-chat", channel_kind="webhook")
        placed = world.place(message)
        held.setdefault(message.sender.handle, set()).add(placed.conversation.number)
        chases = max(chases, placed.conversation.chases)
    assert {who: len(numbers) for who, numbers in held.items()} == {
        "a1": 1, "a2": 1, "a3": 1, "a4": 1, "a5": 1, "a6": 1, "a7": 2, "a8": 2,
    }  # fmt: skip
    assert chases == 0


@pytest.mark.parametrize("kind", CHATS)
@pytest.mark.parametrize(
    "pieces",
    [
        ["hello", "anyone there?", "my transfer", "of 200 to my sister", "it says failed", "but the money is gone"],
        ["在吗", "有人吗", "急", "我的卡绑不上", "换了三张都不行", "提示信息不符", "怎么办啊"],
        ["我要注销账户", "里面没钱了", "手机号也不用了", "怎么操作", "在线等"],
        ["how do I change my number", "lost the old sim", "and the app wants a code", "hello??", "please hurry"],
        ["充值500没到", "农行的", "昨晚八点", "钱扣了", "截图发你", "快点处理"],
    ],
)
def test_pieces_go_on_with_one_conversation(typed: Any, pieces: list[str], kind: str) -> None:
    """On every kind of chat: one conversation, additions, no chase."""
    placed = typed(pieces, kind)
    assert {p.conversation.number for p in placed} == {placed[0].conversation.number}
    assert {p.class_ for p in placed[1:]} == {MessageClass.ADDITION}
    assert placed[-1].conversation.chases == 0


@pytest.mark.parametrize(
    "more",
    ["另外我的银行卡怎么解绑", "对了,怎么改登录密码", "还有个事,发票怎么开", "by the way, how do I close my account?",
     "another question: how do I download a statement", "顺便问一下提现手续费是多少"],
)  # fmt: skip
def test_words_may_say_that_they_begin_another_matter(typed: Any, more: str) -> None:
    """Another matter that is called one is a conversation of its own, also between two pieces."""
    placed = typed(["转账2000没到账", "昨天转给我老婆的", more])
    assert placed[1].conversation.number == placed[0].conversation.number != placed[2].conversation.number


def test_another_order_number_is_another_matter(typed: Any) -> None:
    """The number decides, however fast it was typed; a correction of it does not part."""
    two = typed(["订单 20260811558702 没到账", "订单 20260811558744 也没到账"])
    assert two[0].conversation.number != two[1].conversation.number
    one = typed(["订单 20260811558702 没到账", "打错了,是 20260811558720"])
    assert one[0].conversation.number == one[1].conversation.number


@pytest.mark.parametrize(("minutes", "class_", "chases"), [
    (0.5, "addition", 0), (1.9, "addition", 0), (2.0, "chaser", 1), (30, "chaser", 1),
])  # fmt: skip
def test_chasing_takes_waiting(world: Any, say: Any, minutes: float, class_: str, chases: int) -> None:
    """Two minutes since the oldest message that nobody answered."""
    world.place(say("提现1200一直显示审核中"))
    again = world.place(say("怎么还没人理我", minutes))
    assert (again.class_, again.conversation.chases) == (class_, chases)


def test_who_asks_again_after_the_desk_s_words_has_waited_since_them(world: Any, say: Any) -> None:
    """It opens the next promise and counts as a chase, two minutes after the desk spoke; not before."""
    one = world.place(say("提现1200一直显示审核中"))
    world.reply(one.conversation.number, "正在查询", 5)
    soon = world.place(say("有进展吗", 6))
    assert (soon.class_, soon.conversation.chases) == (MessageClass.ADDITION, 0)
    world.reply(one.conversation.number, "还在查询", 10)
    later = world.place(say("有进展吗", 30))
    assert (later.class_, later.conversation.chases) == (MessageClass.CHASER, 1)
    assert later.conversation.waiting_since == later.message.sent_at


def test_the_wait_is_the_desk_s_choice(wallet: Policy, say: Any) -> None:
    """`chase_after` of the configuration."""
    from datetime import timedelta

    from msgspec.structs import replace

    from router.decision.decide import decide
    from router.known import Known

    slow = replace(wallet, follow_ups=replace(wallet.follow_ups, chase_after=timedelta(minutes=10)))
    for policy, class_ in ((wallet, "chaser"), (slow, "addition")):
        known = Known.empty()
        for message in (say("提现1200一直显示审核中"), say("怎么还没人理我", 5)):
            decision = decide(message, known, policy, message.sent_at)
            known.absorb(message, decision)
        assert decision.class_ == class_


def test_only_chasing_raises_chases(world: Any, say: Any, post: Any) -> None:
    """Chasers, the same once more and a restatement on another channel count; additions and thanks never do."""
    one = world.place(say("提现1200一直显示审核中"))
    steps = [
        ("补充一下,提到招商银行,尾号3310", 10, "addition", 0),
        ("还在吗?什么时候处理好", 20, "chaser", 1),
        ("提现1200一直显示审核中", 30, "resend", 2),
        ("是昨天晚上提的", 40, "addition", 2),
        ("谢谢", 50, "ack", 2),
    ]
    for text, at, class_, chases in steps:
        placed = world.place(say(text, at))
        assert (placed.conversation.number, placed.class_, placed.conversation.chases) == (
            one.conversation.number, class_, chases,
        )  # fmt: skip


@pytest.mark.parametrize("kind", ["email", "phone"])
def test_mail_and_calls_are_written_whole(kind: str) -> None:
    """A mail that comes a minute after another one is no piece of it, and whoever writes again chases at once."""
    assert not traits_of(kind).chat


def test_an_answer_ends_a_burst(world: Any, say: Any) -> None:
    """What comes minutes after the desk's words is weighed as ever: another matter, fully stated, is one."""
    one = world.place(say("转账2000没到账"))
    world.reply(one.conversation.number, "已到账,请查收", 0.5)
    two = world.place(say("我的银行卡绑不上,提示信息不符", 5))
    assert two.conversation.number != one.conversation.number


@pytest.mark.parametrize("kind", ["unknown", "text"])
def test_an_event_without_words_opens_nothing_that_words_follow(world: Any, say: Any, kind: str) -> None:
    """Subscribed, unblocked, pressed start: the first human words are the first, in a conversation of their own."""
    event = world.place(say("", kind="wechat", automatic=True, id="subscribe"))
    first = world.place(say("提现1200一直显示审核中", 0.1, kind="wechat"))
    assert event.conversation.status == "closed"
    assert (first.class_, first.opened) == (MessageClass.FIRST, True)


def test_a_call_without_words_is_followed_by_the_first_ones(world: Any, say: Any) -> None:
    """Who rang in vain and then writes has one conversation, and his words are the first of it."""
    from msgspec.structs import replace

    rang = world.place(replace(say("", kind="webhook", id="call"), kind="missed_call"))
    wrote = world.place(say("提现1200一直显示审核中", 5))
    assert (wrote.conversation.number, wrote.class_) == (rang.conversation.number, MessageClass.FIRST)


def test_a_picture_alone_after_a_question_is_an_addition(world: Any, say: Any) -> None:
    """What the desk asked for comes without a word, and waits again."""
    from router.model import Attachment

    one = world.place(say("提现1200一直显示审核中"))
    world.reply(one.conversation.number, "请发一下截图", 30)
    picture = world.place(say("", 31, attachments=(Attachment(name="shot.png", type="image/png"),)))
    assert (picture.conversation.number, picture.class_) == (one.conversation.number, MessageClass.ADDITION)
    assert picture.conversation.chases == 0


PIECES = ("转账的", "昨天", "2000块", "没到", "急", "在吗", "hello?", "怎么办", "[图片]", "给我老婆", "尾号3310")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=8))
def test_whatever_is_typed_within_a_minute_is_one_conversation_without_a_chase(
    say: Any, new_world: Any, pieces: list[str]
) -> None:
    """Any pieces that begin nothing else, in any order."""
    world = new_world()
    first = world.place(say("转账2000没到账", id="first"))
    for n, text in enumerate(pieces, 1):
        placed = world.place(say(text, n * 6 * SECOND, id=f"{n}"))
        assert placed.conversation.number == first.conversation.number
        assert placed.conversation.chases == 0
