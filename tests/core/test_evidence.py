"""The table of what a header may do: every row, with every verdict on the sender."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from router.match.reply_address import sign, verify
from router.model import Authenticity

KEYS = {1: b"k" * 32}
ANSWER = "按你们说的试了还是不行"


def token(number: int, who: str, at: Any) -> Any:
    return verify(sign(number, ("email", who), 1, KEYS[1], at + timedelta(days=9)), KEYS, at)


@pytest.mark.parametrize(
    ("authenticity", "joins"), [(Authenticity.PASS, True), (Authenticity.UNKNOWN, True), (Authenticity.FAIL, False)]
)
def test_a_token_and_its_participant(world: Any, post: Any, authenticity: Authenticity, joins: bool) -> None:
    """A signed reply address joins with the participant it was made for, and only suggests when he failed."""
    first = world.place(post("建行卡绑不上", id="a@x"))
    answer = post(ANSWER, 60, authenticity=authenticity)
    placed = world.place(answer, token(first.conversation.number, "w1@post.test", answer.sent_at))
    assert (placed.conversation.number == first.conversation.number) is joins
    if not joins:
        assert [(link.conversation, link.reason) for link in placed.links] == [
            (first.conversation.number, "suggested_link")
        ]


@pytest.mark.parametrize("authenticity", list(Authenticity))
def test_a_token_in_other_hands(world: Any, post: Any, authenticity: Authenticity) -> None:
    """Whoever else holds a signed reply address gets a conversation of his own, flagged and linked."""
    first = world.place(post("建行卡绑不上", id="a@x"))
    answer = post(ANSWER, 60, who="eve@evil.test", authenticity=authenticity)
    placed = world.place(answer, token(first.conversation.number, "w1@post.test", answer.sent_at))
    assert placed.opened
    assert "thread_claim_rejected" in placed.flags
    assert (first.conversation.number, "thread_claim_rejected") in [(k.conversation, k.reason) for k in placed.links]


@pytest.mark.parametrize(
    ("authenticity", "joins"), [(Authenticity.PASS, True), (Authenticity.UNKNOWN, True), (Authenticity.FAIL, False)]
)
def test_a_message_id_and_a_participant(world: Any, post: Any, authenticity: Authenticity, joins: bool) -> None:
    """A reply header joins with a participant, and only suggests when he failed."""
    first = world.place(post("建行卡绑不上", id="a@x"))
    placed = world.place(post(ANSWER, 60, in_reply_to="a@x", authenticity=authenticity))
    assert (placed.conversation.number == first.conversation.number) is joins
    if joins:
        assert "sender_unverified" not in placed.flags
    else:
        assert "suggested_link" in [link.reason for link in placed.links]


@pytest.mark.parametrize("authenticity", list(Authenticity))
def test_a_message_id_and_a_stranger(world: Any, post: Any, authenticity: Authenticity) -> None:
    """A reply header of somebody who takes no part gets a conversation of his own, flagged and linked."""
    first = world.place(post("建行卡绑不上", id="a@x"))
    placed = world.place(post(ANSWER, 60, who="eve@evil.test", in_reply_to="a@x", authenticity=authenticity))
    assert placed.opened
    assert "thread_claim_rejected" in placed.flags
    assert placed.conversation.participants != first.conversation.participants
    assert world.known.conversations[first.conversation.number] == first.conversation


@pytest.mark.parametrize(
    ("authenticity", "joins"), [(Authenticity.PASS, True), (Authenticity.UNKNOWN, True), (Authenticity.FAIL, False)]
)
def test_the_same_from_and_the_same_matter(world: Any, post: Any, authenticity: Authenticity, joins: bool) -> None:
    """Without any header the address and the matter join, unless the sender failed: then they suggest."""
    first = world.place(post("建行卡绑不上", id="a@x"))
    placed = world.place(post("绑卡的事怎么样了", 60, authenticity=authenticity))
    assert (placed.conversation.number == first.conversation.number) is joins
    assert ("sender_unverified" in placed.flags) is (authenticity is Authenticity.UNKNOWN)
    if not joins:
        assert [(k.conversation, k.reason) for k in placed.links] == [(first.conversation.number, "suggested_link")]


@pytest.mark.parametrize("mark", ["[queue-1]", "[#1]", "Re: [Support #1]", "ticket 1"])
def test_a_number_in_the_subject_is_no_evidence(world: Any, post: Any, mark: str) -> None:
    """Whoever counts through the numbers of our conversations joins none of them."""
    world.place(post("建行卡绑不上", id="a@x"))
    placed = world.place(post(f"{mark} send me everything", 5, who="eve@evil.test", subject=mark))
    assert placed.opened


def test_a_stranger_who_names_a_thread_joins_nothing_by_its_number(world: Any, post: Any) -> None:
    """A rejected claim never joins by an order number either."""
    first = world.place(post("订单TP202690702951没到账", id="a@x"))
    placed = world.place(post("订单TP202690702951没到账", 5, who="eve@evil.test", in_reply_to="a@x"))
    assert placed.opened
    assert placed.conversation.number != first.conversation.number


def test_a_reply_to_a_stranger_s_thread_goes_on_with_his_own(world: Any, post: Any) -> None:
    """Who was rejected once goes on in his own conversation, not in ever new ones."""
    world.place(post("建行卡绑不上", id="a@x"))
    mine = world.place(post("同事的卡绑不上,我来补充材料", 5, who="colleague@post.test", in_reply_to="a@x", id="b@x"))
    again = world.place(post("有进展吗", 60, who="colleague@post.test", in_reply_to="b@x"))
    assert again.conversation.number == mine.conversation.number


def test_copied_people_take_no_part(world: Any, post: Any) -> None:
    """Only who writes by right becomes a participant; nobody else's mail adds one."""
    first = world.place(post("建行卡绑不上", id="a@x"))
    world.place(post(ANSWER, 60, who="eve@evil.test", in_reply_to="a@x"))
    assert world.known.conversations[first.conversation.number].participants == (("email", "w1@post.test"),)
