"""Customers write again: which conversation, and as what. Each case in a customer's words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from router.model import MessageClass as Class
from router.model import Placement

TRANSFER = "转账2000给我弟,显示成功可他没收到"


@pytest.mark.parametrize(
    ("first", "again", "class_"),
    [
        ("提现1200一直显示审核中", "在吗", Class.CHASER),
        ("提现1200一直显示审核中", "到底还要等几天啊", Class.CHASER),
        ("提现1200一直显示审核中", "提现1200一直显示审核中!!!", Class.RESEND),
        ("提现1200一直显示审核中", "是农行的卡,尾号3310", Class.ADDITION),
        ("My withdrawal of 450 is stuck in review", "any update??", Class.CHASER),
        ("My withdrawal of 450 is stuck in review", "MY WITHDRAWAL OF 450 IS STUCK IN REVIEW", Class.RESEND),
        ("My withdrawal of 450 is stuck in review", "It goes to my DBS account ending 9034", Class.ADDITION),
        ("建行卡绑不上,提示信息不符", "好的,谢谢", Class.ACK),
        ("Cannot link my bank card", "I want to file a formal complaint, nobody answers", Class.CHASER),
        ("建行卡綁不上,提示資訊不符", "請問有進展嗎", Class.CHASER),
        ("單號 TW8840017 的退貨款沒有回到錢包", "單號打錯了,應該是 TW8840071 才對", Class.ADDITION),
        ("账号被人改了绑定手机,进不去了", "把你们主管电话给我!", Class.CHASER),
        ("開戶獎賞話有 $50,等到而家都未見", "見到喇,唔該晒", Class.ACK),
    ],
)
def test_a_customer_writes_again(world: Any, say: Any, first: str, again: str, class_: Class) -> None:
    """Chasing, repeating, adding and thanking go on with what is open."""
    one = world.place(say(first))
    two = world.place(say(again, 90))
    assert (two.conversation.number, two.class_) == (one.conversation.number, class_)


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (TRANSFER, "转账2100给我弟,显示成功可他没收到"),
        (f"{TRANSFER} 单号TP202690702951", f"{TRANSFER} 单号TP202690702952"),
        ("换手机后登录不了,一直说设备异常", "商家退款说已经退了我没收到"),
        ("Charged twice for one train ticket", "I forgot my password and the reset mail never comes"),
        ("充值500没到账", "又来了,今天另外一笔充值也没到账"),
        ("Can't scan the QR of a vendor", "Different thing: who is Sprity Media and why did they take 9.99 from me"),
        ("order # 7741-20985 never came", "and order # 7741-20986 is missing as well"),
    ],
)
def test_another_matter_opens_another_conversation(world: Any, say: Any, first: str, other: str) -> None:
    """Another amount, one digit of the number, another issue, one more of a kind: a new issue, linked."""
    one = world.place(say(first))
    two = world.place(say(other, 30))
    assert two.class_ is Class.NEW_ISSUE
    assert one.conversation.number in [link.conversation for link in two.links]


def test_after_a_greeting_the_issue_is_an_addition(world: Any, say: Any) -> None:
    """A chat that begins with hello has one conversation, whose type is that of the issue."""
    world.place(say("你好"))
    issue = world.place(say("建行卡绑不上,提示信息不符", 1))
    assert issue.class_ is Class.ADDITION
    assert issue.conversation.issue_type == "card_binding"
    assert issue.conversation.chases == 0


def test_the_topic_decides_between_two_open_issues(world: Any, say: Any) -> None:
    """A chaser that names its topic goes there, though another issue is younger."""
    login = world.place(say("换手机后登录不了,一直说设备异常"))
    world.place(say("提现1200一直显示审核中", 30))
    assert world.place(say("登录的问题修好没有", 600)).conversation.number == login.conversation.number


def test_the_same_number_joins_after_twenty_days_and_closing(world: Any, say: Any) -> None:
    """An order number reopens what was closed long ago."""
    one = world.place(say("单号TP202635474614 绑卡失败"))
    world.status(one.conversation.number, "closed", 60)
    two = world.place(say("单号TP202635474614 有结果没", 20 * 1440))
    assert two.conversation.number == one.conversation.number
    assert two.reopened
    assert two.conversation.status == "open"


@pytest.mark.parametrize(("days", "same"), [(13, True), (15, False)])
def test_the_reopening_window(world: Any, say: Any, days: int, same: bool) -> None:
    """Within fourteen days a closed conversation goes on; later a new one opens, linked to it."""
    one = world.place(say("建行卡绑不上,提示信息不符"))
    world.status(one.conversation.number, "closed", 0)
    two = world.place(say("建行卡还是绑不上,提示信息不符", days * 1440))
    assert (two.conversation.number == one.conversation.number) is same
    if not same:
        assert [(k.conversation, k.reason) for k in two.links] == [(one.conversation.number, "reopened_late")]


def test_a_greeting_after_the_window_is_a_first_message(world: Any, say: Any) -> None:
    """Whoever says hello a month later begins anew."""
    one = world.place(say("建行卡绑不上"))
    world.status(one.conversation.number, "closed", 0)
    assert world.place(say("你好", 40 * 1440)).class_ is Class.FIRST


def test_thanks_after_closing_change_nothing(world: Any, say: Any) -> None:
    """Thanks are kept where they belong; nothing reopens, nothing is promised, nothing waits."""
    one = world.place(say("建行卡绑不上"))
    closed = world.status(one.conversation.number, "closed", 60)
    two = world.place(say("好的谢谢", 70))
    assert two.class_ is Class.ACK
    assert (two.conversation.status, two.conversation.clocks, two.conversation.waiting_since) == (
        closed.status, closed.clocks, closed.waiting_since,
    )  # fmt: skip


def test_an_answer_to_the_desk_is_an_addition(world: Any, say: Any) -> None:
    """Four digits alone are what the desk asked for."""
    one = world.place(say(TRANSFER))
    world.reply(one.conversation.number, "请提供卡号后四位", 9)
    two = world.place(say("7416", 12))
    assert (two.conversation.number, two.class_) == (one.conversation.number, Class.ADDITION)


def test_a_restatement_on_another_channel(world: Any, say: Any) -> None:
    """The same matter through another kind of channel is one conversation that lists both."""
    one = world.place(say("账户突然被冻结,里面有一万多"))
    two = world.place(say("我的账户被你们冻结了,一万多块动不了", 500, who="wx", channel="wechat", kind="wechat",
                          verified={"account": "W1"}))  # fmt: skip
    assert (two.conversation.number, two.class_) == (one.conversation.number, Class.CROSS_CHANNEL)
    assert two.conversation.channels == ("app-chat", "wechat")


def test_a_reply_whose_words_state_another_matter(world: Any, post: Any) -> None:
    """A reply to an old mail about something else is a new issue, linked to what it answers."""
    one = world.place(post("商家退款说已经退了我没收到", id="a@x"))
    two = world.place(post("换手机后登录不了,一直说设备异常", 1440, in_reply_to="a@x", subject="Re: 退款"))
    assert two.class_ is Class.NEW_ISSUE
    assert [(k.conversation, k.reason) for k in two.links] == [(one.conversation.number, "new_issue")]


def test_a_reply_goes_on_with_what_it_answers_before_what_was_active_last(world: Any, post: Any) -> None:
    """Words without a matter of their own follow the header, though another matter of the customer is of their type."""
    one = world.place(post("商家的退款三天了还没有退回来", id="q1@x.test"))
    other = world.place(post("My transfer of 300 to a friend has not arrived", 30))
    assert other.conversation.number != one.conversation.number
    again = world.place(post("I tried once more today and nothing has changed.", 60, in_reply_to="q1@x.test"))
    assert again.conversation.number == one.conversation.number


def test_a_subject_cut_short_is_no_other_number(world: Any, post: Any) -> None:
    """A subject that ends in the middle of the order number names no other order."""
    one = world.place(post("建行卡绑不上 单号TP202635474614", subject="建行卡绑不上 单号TP202635"))
    two = world.place(post("单号TP202635474614 有结果没", 60, subject="单号TP20263547461"))
    assert two.conversation.number == one.conversation.number


def unproven(say: Any, text: str, at: float, who: str) -> Any:
    return say(text, at, who=who, channel=f"channel-{who}", kind="wechat", verified={})


@pytest.mark.parametrize(
    ("proved", "of_whom"),
    [((False, False), "either sender"), ((True, False), "this sender"), ((False, True), "that sender")],
)
@pytest.mark.parametrize("number", ["单号TP202620464740", "0x" + "4f" * 32])
def test_nobody_shares_a_conversation_by_naming_a_number(
    world: Any, say: Any, proved: tuple[bool, bool], of_whom: str, number: str
) -> None:
    """Payees, merchants and phishers know the number too: own conversation, own place and count, linked with the
    reason, and what follows stays apart; nobody is moved forward in the queue."""
    facts = [{"verified": {"account": f"W200{n}"} if known else {}} for n, known in enumerate(proved)]
    one = world.place(say(f"商家退款没收到 {number}", 0, who="a", channel="one", kind="wechat", **facts[0]))
    two = world.place(say(f"店家说退了,钱包里没有 {number}", 500, who="b", channel="two", kind="line", **facts[1]))
    assert two.conversation.number != one.conversation.number
    assert (two.class_, two.conversation.chases) == (Class.CROSS_CUSTOMER, 0)
    assert world.known.conversation(one.conversation.number) == one.conversation
    found = [k for k in two.links if k.reason == "unproven_link"]
    assert [k.conversation for k in found] == [one.conversation.number]
    assert found[0].because.endswith(f"nothing is proved of {of_whom}")
    third = world.place(say("怎么还没人回", 900, who="b", channel="two", kind="line", **facts[1]))
    assert (third.conversation.number, third.links) == (two.conversation.number, ())


def test_what_the_channels_proved_of_both_is_no_suspicion(world: Any, say: Any) -> None:
    """Payer and payee of one order, both proved: two conversations, linked as such."""
    one = world.place(say("单号TP202620464740 没到", who="a", verified={"account": "W1"}))
    two = world.place(say("单号TP202620464740 没到", 9, who="b", verified={"account": "W2"}))
    assert [(k.conversation, k.reason) for k in two.links] == [(one.conversation.number, "cross_customer")]


def test_who_names_the_number_later_is_linked_where_he_is(world: Any, say: Any) -> None:
    """He greeted first: his own conversation goes on, with the link, once."""
    one = world.place(unproven(say, "商家退款没收到 单号TP202620464740", 0, "a"))
    hello = world.place(unproven(say, "你好", 10, "b"))
    named = world.place(unproven(say, "单号TP202620464740 退款呢", 10.2, "b"))
    assert named.conversation.number == hello.conversation.number
    assert [(k.conversation, k.reason) for k in named.links] == [(one.conversation.number, "unproven_link")]
    assert world.place(unproven(say, "单号TP202620464740 有人吗", 30, "b")).links == ()


def test_a_mail_that_names_a_stranger_s_number_is_answered_by_itself(world: Any, post: Any) -> None:
    """What he writes in answer to his own mail goes where that went, not to the stranger's."""
    one = world.place(post("商家退款没收到 单号TP202620464740", who="a@x.test", id="a1@x.test"))
    two = world.place(post("店家说退了,钱包里没有 单号TP202620464740", 500, who="b@x.test", id="b1@x.test"))
    again = world.place(post("有进展吗", 900, who="b@x.test", in_reply_to="b1@x.test"))
    assert again.conversation.number == two.conversation.number != one.conversation.number
    assert again.conversation.participants == two.conversation.participants


@pytest.mark.parametrize("cut", ["I cannot pay with my new card TP2026", "I cannot pay with my new card TP20264064"])
def test_a_number_cut_short_in_a_subject_is_nobody_s(world: Any, post: Any, cut: str) -> None:
    """Two customers whose mail programs cut the subject within the order number have nothing to do with each other."""
    one = world.place(post("Hi,\nI cannot pay with my new card TP202640639680", who="a@x.test", subject=cut))
    two = world.place(post("Dear all, it says declined. Order TP202640647864", 300, who="b@x.test", subject=cut))
    assert two.conversation.number != one.conversation.number


@pytest.mark.parametrize("second", ["Second request", "Reminder", "还没回复"])
def test_the_same_once_more_under_another_subject(world: Any, post: Any, second: str) -> None:
    """A subject that only presses does not make another matter of the same words."""
    one = world.place(post("My virtual card does not work in any shop.", subject="Help needed"))
    again = world.place(post("My virtual card does not work in any shop. Please answer.", 2000, subject=second))
    assert again.conversation.number == one.conversation.number


def test_a_long_mail_about_something_else(world: Any, post: Any) -> None:
    """Courtesies after the matter neither hide it nor make it an addition to what is open."""
    one = world.place(post("Where is my refund from the shop?", subject="Refund"))
    more = (
        "I am travelling, so mail is best. I tried to call but the line was busy. Thank you for your help in advance."
    )
    two = world.place(post(f"Hello team,\n\nMy card PIN is locked\n\n{more}", 300, subject="My card PIN is locked"))
    assert two.conversation.number != one.conversation.number
    assert two.conversation.issue_type == "account_locked"


@pytest.mark.parametrize(
    "words",
    [
        "My phone number has not changed and I did not click any links.",
        "It is not the password, I know that one by heart.",
        "Last time you sorted a refund for me within a day, so why does this take so long?\n\nBest,\nPat\nACME Ltd",
        "我的手机号没有换过，也没有收到过什么短信链接。\n\n谢谢\n陈先生",
    ],
)
def test_a_reply_that_names_other_topics_in_passing(world: Any, post: Any, words: str) -> None:
    """It goes on with what it answers: it states no matter of its own."""
    one = world.place(post("My documents are under review for nine days", id="a@x"))
    two = world.place(post(words, 300, in_reply_to="a@x", subject="Re: documents"))
    assert two.conversation.number == one.conversation.number


def test_the_other_side_of_a_payment_shares_nothing(world: Any, say: Any) -> None:
    """Payer and payee quote one number and stay apart, though nothing is proved of either."""
    one = world.place(unproven(say, "我转给房东3000,单号TP202646130597,他没收到", 0, "a"))
    two = world.place(unproven(say, "有人给我转了3000,单号TP202646130597,我没收到", 60, "b"))
    assert two.conversation.number != one.conversation.number
    assert two.class_ is Class.CROSS_CUSTOMER


def test_an_unverified_sender_with_a_verified_strangers_number(world: Any, say: Any) -> None:
    """He gets a conversation of his own, linked as unproven."""
    one = world.place(say(f"{TRANSFER} 单号TP202646130597"))
    two = world.place(unproven(say, "单号TP202646130597 帮我查一下", 60, "b"))
    assert two.class_ is Class.CROSS_CUSTOMER
    assert (one.conversation.number, "unproven_link") in [(k.conversation, k.reason) for k in two.links]


def test_one_s_own_account_number_joins_no_matters(world: Any, say: Any) -> None:
    """A customer may name his account in every message; his matters stay apart."""
    one = world.place(say("账号W2388693,建行卡绑不上", verified={"account": "W2388693"}))
    two = world.place(say("账号W2388693,商家退款说已经退了我没收到", 9, verified={"account": "W2388693"}))
    assert two.conversation.number != one.conversation.number


def test_memory_stays_small(world: Any, say: Any) -> None:
    """A chat of a hundred messages is remembered in a few kilobytes."""
    import msgspec

    placed: Placement = world.place(say("提现1200一直显示审核中"))
    for n in range(100):
        placed = world.place(say(f"补充一下,流水尾号{n:04d},还有备注abc{n}xyz", n + 1))
    assert len(msgspec.json.encode(placed.conversation.matter)) < 8_000
    assert placed.conversation.messages == 101


def test_every_choice_is_explained(world: Any, say: Any) -> None:
    """The candidates carry scores and reasons in words."""
    world.place(say("换手机后登录不了,一直说设备异常"))
    world.place(say("提现1200一直显示审核中", 30))
    chased = world.place(say("登录的问题修好没有", 600))
    best = chased.candidates[0]
    assert best.conversation == chased.conversation.number
    assert best.score > chased.candidates[1].score
    assert 1 <= len(best.reasons) <= 4
    assert all(re.fullmatch(r"[A-Za-z].+ \([+-]\d\.\d\d\)", reason) for reason in best.reasons), best.reasons


def test_what_comes_back_after_closing_is_a_new_issue(world: Any, say: Any) -> None:
    """A charge of the next month is not the one that was refunded and closed."""
    one = world.place(say("视频会员3月自动扣了25"))
    world.status(one.conversation.number, "closed", 60)
    two = world.place(say("4月又给我扣了25,视频会员", 60 * 24 * 9))
    assert (two.class_, two.conversation.number == one.conversation.number) == (Class.NEW_ISSUE, False)


def test_a_reply_that_shares_words_of_the_matter_joins(world: Any, post: Any) -> None:
    """What the tagger takes for another issue type does not part a reply from what it answers."""
    one = world.place(post("The standing order to my landlord went out twice. Rent is 840.", id="a@x", subject="Rent"))
    more = "Forgot to say, my landlord has confirmed both came in and won't send one back without a letter from you."
    two = world.place(post(more, 100, in_reply_to="a@x", subject="Re: Rent"))
    assert (two.conversation.number, two.class_) == (one.conversation.number, Class.ADDITION)


@pytest.mark.parametrize(
    "words",
    [
        "Replying here as I have no other address. Now a separate matter: GST on the invoice is 28% in place of 18%.",
        "不好意思借這封信再問一件不相干的事：掃碼付款的海外手續費是多少？",
    ],
)
def test_a_reply_that_says_it_is_about_something_else(world: Any, post: Any, words: str) -> None:
    """An old thread used for another matter opens a conversation of its own, linked."""
    one = world.place(post("My API key has been rotated without notice", id="a@x", subject="API key"))
    two = world.place(post(words, 100, in_reply_to="a@x", subject="Re: API key"))
    assert two.class_ is Class.NEW_ISSUE
    assert one.conversation.number in [link.conversation for link in two.links]


def test_the_seller_s_side_is_told_by_who_he_says_he_is(world: Any, say: Any) -> None:
    """Buyer and seller, both unproven, quote one number in Cantonese and stay apart."""
    one = world.place(unproven(say, "我畀錢買二手相機,過咗 $2,450 俾賣家,參考編號 FP0098812,賣家話收唔到", 0, "a"))
    two = world.place(unproven(say, "我係賣相機嗰個,買家話過咗 $2,450 俾我,編號 FP0098812,我未收到錢", 40, "b"))
    assert (two.conversation.number != one.conversation.number, two.class_) == (True, Class.CROSS_CUSTOMER)


@pytest.mark.parametrize("words", [("三张截图,提现1200没到账", "", ""), ("", "", "三张截图,提现1200没到账")])
def test_the_pictures_of_an_album_chase_nobody(world: Any, say: Any, words: tuple[str, ...]) -> None:
    """Pictures that come one by one and name one album are one asking: no chase, whichever has the words, and after the
    desk's answer nothing waits. Another album, or another person's, is another asking."""
    placed = [
        world.place(say(text, n, id=f"p-{n}", kind="photo", references=("album:77",))) for n, text in enumerate(words)
    ]
    (number,) = {p.conversation.number for p in placed}
    assert [p.method for p in placed[1:]] == ["album", "album"]
    last = placed[-1].conversation
    assert (last.chases, last.waiting_since, last.messages) == (0, placed[0].message.sent_at, 3)
    assert last.issue_type == "withdrawal_failed"
    world.reply(number, "您好,正在处理", 3)
    late = world.place(say("", 4, id="p-9", kind="photo", references=("album:77",)))
    assert (late.conversation.number, late.conversation.waiting_since) == (number, None)
    other = world.place(say("", 5, id="p-10", kind="photo", references=("album:78",)))
    assert (other.class_, other.conversation.waiting_since) == (Class.CHASER, other.message.sent_at)
    stranger = world.place(say("", 6, who="W2", id="p-11", kind="photo", references=("album:77",)))
    assert stranger.conversation.number != number
