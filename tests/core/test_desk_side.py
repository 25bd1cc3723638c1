"""The desk's own words, told by a channel, find the conversation they belong to."""

from __future__ import annotations

from typing import Any

from router.model import Direction


def desk(say: Any, text: str, at: float, **more: Any) -> Any:
    return say(text, at, who="page", verified={}, direction=Direction.OUT, **more)


def test_a_reply_to_a_message_goes_to_its_conversation(world: Any, say: Any) -> None:
    """Of two conversations in one chat, the one whose message is answered."""
    one = world.place(say("提现1200一直显示审核中", thread="c1", id="m1"))
    two = world.place(say("换手机后登录不了,一直说设备异常", 5, thread="c1", id="m2"))
    answer = world.place(desk(say, "请重启", 9, thread="c1", in_reply_to="m1"))
    assert answer.conversation.number == one.conversation.number
    assert world.known.conversations[two.conversation.number].waiting_since is not None


def test_else_the_latest_open_one_of_the_chat(world: Any, say: Any) -> None:
    """Without a reference an answer goes where the customer wrote last."""
    world.place(say("提现1200一直显示审核中", thread="c1"))
    two = world.place(say("换手机后登录不了,一直说设备异常", 5, thread="c1"))
    assert world.place(desk(say, "请重启", 9, thread="c1")).conversation.number == two.conversation.number


def test_an_automatic_reply_ends_no_wait(world: Any, say: Any) -> None:
    """A bot's answer in the channel is none."""
    one = world.place(say("提现1200一直显示审核中", thread="c1"))
    bot = world.place(desk(say, "您好,已收到", 1, thread="c1", automatic=True))
    assert bot.conversation.waiting_since == one.conversation.waiting_since


def test_a_number_that_the_desk_names_belongs_to_the_matter(world: Any, say: Any) -> None:
    """When the customer quotes the desk's number later, it is this conversation."""
    one = world.place(say("给我弟转账没到", thread="c1"))
    world.place(desk(say, "已为您登记,单号TP202690702951", 9, thread="c1"))
    world.status(one.conversation.number, "closed", 60)
    later = world.place(say("单号TP202690702951有结果吗", 30 * 1440, thread="c1"))
    assert later.conversation.number == one.conversation.number


def test_a_chat_with_an_id_of_its_own_is_found_by_its_marker(world: Any, say: Any) -> None:
    """The store loads by markers and handles only: those of the desk's word lead to the customer's conversation."""
    from router.decision.decide import prepare

    one = world.place(say("提现1200一直显示审核中", thread="c1"))
    prepared = prepare(desk(say, "请稍等", 5, thread="c1"), world.policy)
    assert set(prepared.markers) <= {m.key for m in one.markers}
    assert prepared.handles == (("app-chat", "c1"),)
