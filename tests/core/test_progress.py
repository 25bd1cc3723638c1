"""A conversation moves on with each message, and only as far as the rules allow."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.events import ConversationStatus
from router.model import Status


def test_channels_threads_and_messages_are_counted(world: Any, say: Any, post: Any) -> None:
    """One matter over chat and mail lists both channels and both chains."""
    one = world.place(say("提现1200一直显示审核中"))
    two = world.place(post("提现到底怎么样了", 60))
    after = two.conversation
    assert (after.channels, after.threads, after.messages) == (
        ("app-chat", "support-mail"), (one.thread, two.thread), 2,
    )  # fmt: skip


@pytest.mark.parametrize(("text", "type_"), [("在吗", "withdrawal_failed"), ("我要投诉", "withdrawal_failed")])
def test_chasing_and_complaining_leave_the_type(world: Any, say: Any, text: str, type_: str) -> None:
    """How a customer feels is a flag; what his matter is stays."""
    world.place(say("提现1200一直显示审核中"))
    assert world.place(say(text, 60)).conversation.issue_type == type_


def test_a_type_is_set_while_it_is_open(world: Any, say: Any) -> None:
    """After a greeting the first content names it."""
    assert world.place(say("你好")).conversation.issue_type == "other"
    assert world.place(say("提现1200一直显示审核中", 1)).conversation.issue_type == "withdrawal_failed"


def test_spam_is_kept_and_promises_nothing(world: Any, say: Any) -> None:
    """Advertising opens a conversation without a deadline."""
    placed = world.place(say("代开发票,各行业税票,加微信abc888优惠", verified={}))
    assert "spam" in placed.conversation.flags
    assert (placed.conversation.waiting_since, placed.conversation.next_due) == (None, None)


def test_a_report_of_swindlers_is_no_spam(world: Any, say: Any) -> None:
    """Who tells that somebody calls himself the desk is waited for, and what he adds goes on with it."""
    placed = world.place(say("有个微信加我说是你们官方,让我发身份证"))
    assert placed.conversation.issue_type == "phishing_leak"
    assert "spam" not in placed.conversation.flags
    assert placed.conversation.waiting_since is not None
    assert world.place(say("有进展吗", 90)).conversation.number == placed.conversation.number


def test_a_pause_ends_when_the_customer_writes(world: Any, say: Any) -> None:
    """The status change is told."""
    one = world.place(say("账户突然被冻结,里面有一万多"))
    world.status(one.conversation.number, "pending", 5)
    two = world.place(say("我是做代购的,可以提供合同", 60))
    assert two.conversation.status is Status.OPEN
    assert ConversationStatus(before="pending", to="open", agent="", reason="message") in two.events


def test_the_same_rule_leaves_queue_and_priority_alone(world: Any, say: Any) -> None:
    """What a person or a ladder made of them stays while the rules say the same as before."""
    one = world.place(say("换手机后登录不了,一直说设备异常"))
    world.known.put(msgspec.structs.replace(one.conversation, priority=70, queue="complaints"))
    two = world.place(say("新手机是小米14", 9))
    assert two.conversation.rule == one.conversation.rule
    assert (two.conversation.queue, two.conversation.priority) == ("complaints", 70)


def test_a_faster_channel_tightens_the_deadline(world: Any, say: Any, post: Any) -> None:
    """A mail's day becomes minutes when its sender comes to the chat; the waiting stays his mail's."""
    one = world.place(post("提现1200一直显示审核中", verified={"email": "w1@post.test"}))
    two = world.place(say("提现的事怎么样了", 10))
    assert two.conversation.number == one.conversation.number
    assert two.conversation.next_due < one.conversation.next_due
    assert two.conversation.waiting_since == one.conversation.waiting_since
