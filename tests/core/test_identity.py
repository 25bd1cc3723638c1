"""Handles become one person by proof only."""

from __future__ import annotations

from typing import Any

import pytest

from router.known import Known
from router.match.identity import contradicts, identify, reply_handle
from router.model import Authenticity, Contact


def test_a_shared_verified_address_is_one_person(world: Any, say: Any) -> None:
    """Chat and mail of one proved address are one contact, whose number is the older."""
    one = world.place(say("提现1200一直审核", who="W1"))
    proof = {"email": "w1@post.test"}
    two = world.place(say("在吗", 5, who="tg-77", channel="telegram", kind="telegram", verified=proof))
    assert two.contact.number == one.contact.number
    assert two.conversation.number == one.conversation.number


def test_two_contacts_become_one_when_a_platform_proves_it(world: Any, say: Any) -> None:
    """A message that proves both an account and a known address joins their owners, and their conversations follow."""
    chat = world.place(say("提现1200一直审核", who="guest", verified={"account": "W5"}))
    other = world.place(say("登录不了", 1, who="tg-5", channel="telegram", verified={"email": "five@post.test"}))
    assert chat.contact.number != other.contact.number
    proof = {"account": "W5", "email": "five@post.test"}
    joining = world.place(say("在吗", 9, who="W5", channel="app", verified=proof))
    assert joining.contact.number == chat.contact.number
    assert joining.contacts_joined == (other.contact.number,)
    numbers = {c.number for c in world.known.conversations_of(joining.contact.number)}
    assert numbers == {chat.conversation.number, other.conversation.number}


def test_a_contradiction_never_joins(world: Any, say: Any) -> None:
    """Two accounts that prove the same phone stay two people."""
    one = world.place(say("提现1200一直审核", who="a", verified={"account": "W1", "phone": "+8613800000000"}))
    two = world.place(say("登录不了", 1, who="b", verified={"account": "W2", "phone": "+86 138 0000 0000"}))
    assert one.contact.number != two.contact.number
    assert two.contacts_joined == ()
    assert any("contradicts" in line for line in two.trace)


def test_a_phone_that_changed_hands_stays_with_its_first_owner(world: Any, say: Any) -> None:
    """The handle of a contradiction is not taken away from the contact that had it."""
    one = world.place(say("提现1200一直审核", who="a", verified={"account": "W1", "phone": "+8613800000000"}))
    world.place(say("登录不了", 1, who="b", verified={"account": "W2", "phone": "+8613800000000"}))
    assert world.known.contact_of(("phone", "+8613800000000")).number == one.contact.number


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"account": "W1"}, {"account": "W2"}, True),
        ({"account": "W1"}, {"account": "W1", "email": "a@b"}, False),
        ({"account": "W1", "email": "a@b"}, {"account": "W1", "email": "c@d"}, False),
        ({"account": "W1", "phone": "1"}, {"account": "W2", "phone": "1"}, True),
        ({"email": "a@b"}, {"phone": "1"}, False),
        ({"email": "a@b"}, {"email": "c@d"}, True),
        ({}, {"phone": "1"}, False),
    ],
)
def test_what_contradicts(one: dict[str, str], other: dict[str, str], expected: bool) -> None:
    """Different accounts do; with one account, or none, different values of one kind that no account explains."""
    assert contradicts(one, other) is expected


def test_a_shared_domain_is_no_identity(world: Any, post: Any) -> None:
    """Colleagues are two people."""
    one = world.place(post("重复扣款", who="wen@shop.test"))
    two = world.place(post("重复扣款", 5, who="wei@shop.test"))
    assert one.contact.number != two.contact.number


def test_an_address_in_other_case_is_the_same(world: Any, post: Any) -> None:
    """Mail addresses count without regard to case."""
    one = world.place(post("重复扣款", who="Wen@Shop.test"))
    assert world.place(post("怎么样了", 5, who="wen@shop.test")).contact.number == one.contact.number


def test_writers_behind_a_list_are_kept_apart(post: Any) -> None:
    """A list that writes in its members' names is not one person."""
    handles = {
        reply_handle(post("hi", who="list@group.test", name=name))
        for name in ("Chen via Support", "Wang via Support", '"Chen" via Support')
    }
    assert len(handles) == 2


def test_a_name_with_via_in_it_is_a_person(post: Any) -> None:
    """Only the form of lists counts."""
    assert reply_handle(post("hi", who="v@x.test", name="Via Appia")) == ("email", "v@x.test")


def test_a_sender_who_failed_authentication_is_nobody_we_know(post: Any) -> None:
    """A failed mail finds no contact, though its From names one."""
    known = Known(number=5)
    known.handles[("email", "w1@post.test")] = 1
    known.contacts[1] = Contact(number=1)
    found = identify(post("hi", authenticity=Authenticity.FAIL), known, failed=True)
    assert found.opened
    assert found.handle == ("unproven", "w1@post.test")


def test_an_unverified_from_is_a_claim(world: Any, say: Any, post: Any) -> None:
    """It finds the contact, says so, and adds no address to reply to."""
    world.place(say("提现1200一直审核"))
    claimed = world.place(post("提现到底怎么样了", 60))
    assert "sender_unverified" in claimed.flags
    assert claimed.conversation.participants == (("app-chat", "W1"),)


def test_what_was_proved_is_never_overwritten(world: Any, say: Any) -> None:
    """A second address on the same account is no new proof of the contact."""
    world.place(say("提现1200一直审核", verified={"account": "W1", "email": "old@post.test"}))
    later = world.place(say("在吗", 5, verified={"account": "W1"}))
    assert later.contact.verified == {"account": "W1", "email": "old@post.test"}


def test_a_caller_id_is_only_claimed(world: Any, say: Any) -> None:
    """A number that the network does not attest is written down as what the caller shows, and proves nobody; an
    attested one, or one who hides it, is as it was."""
    call = {"channel": "hotline", "kind": "phone", "verified": {}}
    shown = world.place(say("请回电", who="+8613800000000", authenticity=Authenticity.UNKNOWN, **call))
    assert (shown.evidence, shown.message.claimed) == (("caller-id",), "caller-id")
    hidden = world.place(say("请回电", at=1, who="anonymous:7", authenticity=Authenticity.UNKNOWN, **call))
    assert hidden.message.claimed == ""
    call["verified"] = {"phone": "+8613811111111"}
    attested = world.place(say("请回电", at=2, who="+8613811111111", **call))
    assert attested.evidence == ("phone verified by the channel",)
