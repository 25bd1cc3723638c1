"""The straight function: same input, same answer, and a state that keeps its promises."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.conversation.working_order import open_deadline
from router.decision.decide import decide, decide_prepared, prepare
from router.events import ConversationRouted
from router.known import Known
from router.match.reply_address import sign, verify
from router.model import Attachment, Authenticity, Direction, Message, MessageClass, Placement, Sender, Status
from router.policy.values import Policy

TEXTS = (
    "你好", "在吗", "???", "提现1200一直显示审核中", "转账2000给我弟,显示成功可他没收到", "好的谢谢", "any update??",
    "Cannot link my bank card, it says details do not match", "单号TP202690702951 怎么还没到账", "7416", "👍", "",
    "我要投诉你们", "是农行的卡,尾号3310", "\ud800 \x00 <b>", "又来了,另外一笔",
)  # fmt: skip


def test_deciding_needs_no_database(wallet: Policy, say: Any) -> None:
    """The library's first lines: nothing known, a message, a decision, and the next."""
    known = Known.empty()
    first = say("提现1200一直显示审核中")
    one = decide(first, known, wallet, first.sent_at)
    assert isinstance(one, Placement)
    second = say("在吗", 60)
    two = decide(second, known.after(first, one), wallet, second.sent_at)
    assert isinstance(two, Placement)
    assert two.conversation.number == one.conversation.number
    assert known.messages == {}


def test_the_same_input_gives_the_same_bytes(wallet: Policy, say: Any) -> None:
    """Nothing but the arguments decides, prepared before or not."""
    message = say("单号TP202690702951 转账2000没到账")
    one = decide(message, Known.empty(), wallet, message.sent_at)
    two = decide_prepared(prepare(message, wallet), Known.empty(), wallet, message.sent_at)
    assert msgspec.json.encode(one) == msgspec.json.encode(two)


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[str, str, int]]:
    """Up to ten messages of three people at growing times, with the desk between."""
    size = draw(st.integers(1, 10))
    steps = draw(st.lists(st.integers(0, 3000), min_size=size, max_size=size))
    people, texts = st.sampled_from(["W1", "W2", "W3"]), st.sampled_from([*TEXTS, "reply", "solve"])
    return [(draw(people), draw(texts), sum(steps[: n + 1])) for n in range(size)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories())
def test_whatever_customers_write_the_state_holds(
    story: list[tuple[str, str, int]], new_world: Callable[[], Any], say: Any
) -> None:
    """Any text is decided; nobody lands in another's conversation; waiting since never moves forward by itself."""
    world = new_world()
    for who, text, at in story:
        mine = [c for c in world.known.conversations.values() if c.participants == (("app-chat", who),)]
        if text in ("reply", "solve"):
            if mine and text == "reply":
                assert world.reply(mine[-1].number, "已处理", at).waiting_since is None
            elif mine:
                world.status(mine[-1].number, "solved", at)
            continue
        before = dict(world.known.conversations)
        placed = world.place(say(text, at, who, id=f"{who}{at}{text}{len(world.known.messages)}"))
        after = placed.conversation
        assert after.participants == (("app-chat", who),)
        assert after.contact == placed.contact.number
        assert (after.number in before) is not placed.opened
        old = before.get(after.number)
        if old is not None and old.waiting_since is not None:
            assert after.waiting_since == old.waiting_since
        if placed.class_ is MessageClass.ACK and old is not None:
            assert (after.status, after.chases, after.clocks) == (old.status, old.chases, old.clocks)


def test_waiting_since_and_the_deadline_stay_with_the_first_message(world: Any, say: Any) -> None:
    """Chasing raises chases, never the waiting, never the deadline."""
    one = world.place(say("提现1200一直显示审核中"))
    two = world.place(say("在吗", 3))
    three = world.place(say("提现1200一直显示审核中", 9))
    assert three.conversation.waiting_since == one.message.sent_at
    assert [p.conversation.chases for p in (one, two, three)] == [0, 1, 2]
    assert open_deadline(three.conversation) == one.conversation.next_due is not None


def test_a_human_reply_ends_the_wait_and_the_next_message_begins_another(world: Any, say: Any) -> None:
    """After an answer the next message waits from its own time."""
    one = world.place(say("提现1200一直显示审核中"))
    assert world.reply(one.conversation.number, "请提供卡号", 1).next_due != one.conversation.next_due
    two = world.place(say("尾号3310", 30))
    assert two.conversation.waiting_since == two.message.sent_at
    assert two.conversation.chases == 0


@pytest.mark.parametrize("status", ["pending", "on_hold", "solved", "closed"])
def test_a_customer_message_opens_what_was_set_aside(world: Any, say: Any, status: str) -> None:
    """Whatever the desk set, a customer who writes again has an open conversation."""
    one = world.place(say("提现1200一直显示审核中"))
    world.status(one.conversation.number, status, 5)
    two = world.place(say("还是没到账", 60))
    assert two.conversation.number == one.conversation.number
    assert two.conversation.status is Status.OPEN
    assert two.reopened is (status in ("solved", "closed"))


def test_a_reply_given_in_the_channel_itself(world: Any, say: Any) -> None:
    """An answer that an agent typed into the platform is the desk's: it ends the wait, it has no class."""
    one = world.place(say("提现1200一直显示审核中", thread="c9"))
    out = world.place(say("已核实", 5, who="agent-1", verified={}, thread="c9", direction=Direction.OUT, agent="li"))
    after = out.conversation
    assert (after.number, out.class_, after.waiting_since) == (one.conversation.number, None, None)
    assert out.contact == one.contact


def test_a_note_ends_nothing(world: Any, say: Any) -> None:
    """What agents tell each other leaves the customer waiting."""
    one = world.place(say("提现1200一直显示审核中", thread="c9"))
    note = world.place(say("查过了", 1, who="agent-1", verified={}, thread="c9", direction=Direction.NOTE))
    assert note.conversation.waiting_since == one.conversation.waiting_since
    assert note.conversation.next_due == one.conversation.next_due


def test_when_the_desk_writes_first_the_customer_s_word_is_a_next_one(world: Any, say: Any) -> None:
    """The desk began: the customer's first message joins it."""
    out = world.place(say("您的提现需要补充材料", 0, who="page", verified={}, thread="u1", direction=Direction.OUT))
    answer = world.place(say("好像没收到邮件呢", 5, who="u1", verified={}, thread="u1"))
    assert out.opened
    assert answer.conversation.number == out.conversation.number
    assert [run[0] for run in answer.conversation.clocks["r"]] != ["first_reply"]


def test_automatic_mail_joins_and_promises_nothing(world: Any, post: Any) -> None:
    """An out-of-office answer stands in its conversation, and no clock knows of it."""
    one = world.place(post("建行卡绑不上", id="a@x"))
    auto = world.place(post("自动回复:休假中", 5, in_reply_to="a@x", automatic=True))
    assert auto.conversation.number == one.conversation.number
    assert auto.class_ is None
    assert "automatic" in auto.flags
    assert auto.conversation.clocks == one.conversation.clocks
    assert auto.conversation.flags == one.conversation.flags
    alone = world.place(post("Delivery failed", 9, who="mailer-daemon@x.test", automatic=True))
    assert alone.opened
    assert alone.conversation.clocks == {}
    assert alone.conversation.waiting_since is None


@pytest.mark.parametrize("kind", ["reaction", "sticker"])
def test_a_reaction_starts_no_clock(world: Any, say: Any, kind: str) -> None:
    """A thumb or a sticker alone asks for nothing."""
    one = world.place(say("提现1200一直显示审核中"))
    world.reply(one.conversation.number, "处理好了", 5)
    two = world.place(msgspec.structs.replace(say("👍", 9), kind=kind))
    assert two.class_ is MessageClass.ACK
    assert two.conversation.waiting_since is None


def test_a_blocked_contact_is_stored_without_a_promise(world: Any, say: Any) -> None:
    """Who is blocked may write; nothing is promised to him."""
    one = world.place(say("提现1200一直显示审核中"))
    world.known.contacts[one.contact.number] = msgspec.structs.replace(one.contact, blocked=True)
    two = world.place(say("登录不了,提示设备异常", 9))
    assert two.opened
    assert two.conversation.next_due is None
    assert two.conversation.waiting_since is None


def test_a_secret_is_nowhere_in_the_decision(world: Any, say: Any) -> None:
    """A card number and a code leave no trace in anything that is stored; the original stays with the raw."""
    card, code = "4111111111111111", "835201"
    placed = world.place(say(f"我的卡 {card} 充值失败,验证码 {code}", subject=f"验证码 {code}"))
    stored = msgspec.structs.replace(placed, message=say("-"))
    text = msgspec.json.encode(stored).decode()
    assert card not in text
    assert code not in text
    assert placed.text == placed.own_text


def test_the_type_of_a_human_stays(world: Any, say: Any) -> None:
    """After a retag by a person no later message changes the type."""
    one = world.place(say("提现1200一直显示审核中"))
    world.known.put(msgspec.structs.replace(one.conversation, issue_type="fee", type_by="human"))
    two = world.place(say("单号TP202690702951 提现失败", 9))
    assert two.conversation.issue_type == "fee"


def test_a_pinned_queue_stays(world: Any, say: Any) -> None:
    """A person's transfer holds until the conversation is solved; the rules are asked for the trace only."""
    one = world.place(say("你好"))
    world.known.put(msgspec.structs.replace(one.conversation, queue="vip", pinned=True))
    two = world.place(say("我的账户被盗了,钱被人转走了", 1))
    assert two.conversation.queue == "vip"
    assert two.routing is not None
    assert two.routing.queue != "vip"
    assert world.status(one.conversation.number, "solved", 9).pinned is False


def test_a_new_flag_routes_anew(world: Any, say: Any) -> None:
    """What turns out to be theft goes to the risk queue at once, with its deadline."""
    one = world.place(say("你好"))
    two = world.place(say("我的账户被盗了,钱被人转走了", 1))
    assert (one.conversation.queue, two.conversation.queue) != ("risk", "risk")
    assert two.conversation.queue == "risk"
    before = one.conversation.queue
    told = ConversationRouted(before=before, queue="risk", rule="risk", priority=90, reason="rules")
    assert told in two.events


def test_two_hundred_forged_claims_join_nothing(new_world: Callable[[], Any], post: Any) -> None:
    """Guessed ids, counted numbers, copied tokens, foreign threads: no stranger gets in or becomes a participant."""
    world = new_world()
    keys = {1: b"k" * 32}
    owners = [world.place(post("建行卡绑不上", n, who=f"c{n}@post.test", id=f"m{n}@post.test")) for n in range(20)]
    before = {p.conversation.number: p.conversation for p in owners}
    chance = random.Random(7)
    for n in range(200):
        victim = chance.choice(owners)
        token = sign(victim.conversation.number, victim.conversation.participants[0], 1, keys[1],
                     victim.message.sent_at + timedelta(days=9))  # fmt: skip
        forged = post(
            chance.choice(["查一下", f"[#{victim.conversation.number}] 建行卡绑不上", "请把记录发给我"]), 60 + n,
            who=f"eve{n}@evil.test", in_reply_to=chance.choice([victim.message.external_id, "guess@us.test", ""]),
            references=(victim.message.external_id,), subject=f"Re: [queue-{victim.conversation.number}]",
            authenticity=chance.choice([Authenticity.UNKNOWN, Authenticity.FAIL, Authenticity.PASS]),
        )  # fmt: skip
        claim = verify(token, keys, forged.sent_at) if n % 2 else None
        assert world.place(forged, claim).conversation.number not in before
    assert {n: world.known.conversations[n] for n in before} == before


def test_blank_ids_lead_nowhere(world: Any, post: Any) -> None:
    """Mails with empty headers are strangers to each other."""
    one = world.place(post("a", who="a@x.test", in_reply_to="", references=("", " ")))
    two = world.place(post("b", 1, who="b@x.test", in_reply_to=" ", references=("",)))
    assert one.thread != two.thread


def test_an_old_message_that_comes_late_is_waited_for_from_its_own_time(world: Any, say: Any) -> None:
    """Waiting since is the oldest unanswered message, in whatever order they arrive."""
    world.place(say("提现1200一直显示审核中", 60))
    late = world.place(say("提现1200还没到账", 0))
    assert late.conversation.waiting_since == late.message.sent_at


def test_a_content_poor_message_speaks_the_contact_s_language(world: Any, say: Any) -> None:
    """Three question marks of an English speaker are English."""
    world.place(say("Cannot link my bank card, it says details do not match"))
    two = world.place(say("???", 9))
    assert (two.tagging.language, two.conversation.language) == ("en", "en")


def test_events_hold_no_words_of_anybody(world: Any, say: Any) -> None:
    """What the outside is told are types, numbers and names of the configuration."""
    placed = world.place(say("陈先生的提现1200一直审核"))
    assert "陈先生" not in msgspec.json.encode(placed.events).decode()
    assert [event.type for event in placed.events] == ["conversation.opened", "message.received", "conversation.routed"]


def test_a_message_of_a_foreign_thread_in_a_group_stays_apart(world: Any, say: Any) -> None:
    """Two people in one group chat share its thread and not their conversations."""
    one = world.place(say("提现1200一直显示审核中", thread="group", who="W1"))
    two = world.place(say("在吗", 1, thread="group", who="W2"))
    assert one.thread == two.thread
    assert one.conversation.number != two.conversation.number


def test_require_makes_unknown_senders_fail(wallet: Policy, post: Any) -> None:
    """With authenticity required a copied From joins nothing; it is only suggested."""
    channel = msgspec.structs.replace(wallet.channel("support-mail"), authenticity="require")
    strict = msgspec.structs.replace(wallet, channels={**wallet.channels, "support-mail": channel})
    known = Known.empty()
    first = post("建行卡绑不上", verified={"email": "w1@post.test"}, authenticity=Authenticity.PASS)
    one = decide(first, known, strict, first.sent_at)
    assert isinstance(one, Placement)
    known.absorb(one.message, one)
    copied = post("绑卡的事怎么样了", 5)
    two = decide(copied, known, strict, copied.sent_at)
    assert isinstance(two, Placement)
    assert two.opened
    assert [(k.conversation, k.reason) for k in two.links] == [(one.conversation.number, "suggested_link")]


def test_a_message_without_a_word_is_decided(wallet: Policy) -> None:
    """A file alone is a message."""
    message = Message(
        external_id="1", channel="app-chat", channel_kind="webhook", sent_at=datetime(2026, 3, 2, 3, tzinfo=UTC),
        sender=Sender(handle="u"), attachments=(Attachment(name="shot.png"),),
    )  # fmt: skip
    placed = decide(message, Known.empty(), wallet, message.sent_at)
    assert isinstance(placed, Placement)
    assert placed.conversation.next_due is not None
