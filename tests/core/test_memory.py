"""What a conversation remembers is small, bounded, and enough."""

from __future__ import annotations

from typing import Any

from router.match.features import read
from router.match.fingerprint import Memory, remember, spoken, united
from router.policy.values import Policy


def told(policy: Policy, say: Any, *texts: str) -> dict[str, Any]:
    matter: dict[str, Any] = {}
    for number, text in enumerate(texts):
        matter = remember(matter, read(say(text, number), policy), inbound=True)
    return matter


def test_a_greeting_is_remembered_as_poor_until_there_is_content(wallet: Policy, say: Any) -> None:
    """The first message with content ends it for good."""
    assert told(wallet, say, "你好")["poor"] is True
    assert "poor" not in told(wallet, say, "你好", "提现1200一直审核")
    assert "poor" not in told(wallet, say, "提现1200一直审核", "在吗")


def test_of_the_desk_only_numbers_are_kept(wallet: Policy, say: Any) -> None:
    """The desk's words are not the customer's matter."""
    reading = read(say("您的单号TP202690702951已受理,金额2000"), wallet)
    assert remember({}, reading, inbound=False) == {"ids": ["order:TP202690702951"]}


def test_lists_keep_the_newest(wallet: Policy, say: Any) -> None:
    """Of very many numbers the oldest are forgotten."""
    matter = told(wallet, say, *(f"单号TP2026907{n:05d}没到账" for n in range(60)))
    assert len(matter["ids"]) == 40
    assert matter["ids"][-1] == "order:TP202690700059"


def test_of_what_the_desk_speaks_is_remembered_until_it_speaks_again(wallet: Policy) -> None:
    """Its topics and whether it asked, of its last words alone; no words of it."""
    asked = spoken({}, "请问绑定银行卡时提示什么?", wallet.tagger)
    assert asked["asked"]
    assert "card_binding" in asked["offered"]
    assert spoken(asked, "好的", wallet.tagger).keys().isdisjoint({"asked"})
    assert spoken(asked, "", wallet.tagger) == asked


def test_merged_conversations_remember_both(wallet: Policy, say: Any) -> None:
    """A number of either is a number of the one they become."""
    one, two = told(wallet, say, "单号TP202690702951没到账"), told(wallet, say, "单号TP202690702952没到账", "你好")
    both = Memory(united(one, two))
    assert set(both.ids) == {"order:TP202690702951", "order:TP202690702952"}
    assert not both.poor
    assert united({"poor": True}, {"poor": True})["poor"] is True
