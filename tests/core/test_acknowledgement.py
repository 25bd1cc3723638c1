"""The one automatic answer to a new conversation: who may get it, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from router.conversation.acknowledgement import may_be_answered, words
from router.decision.decide import decide
from router.known import Known
from router.model import Authenticity, Contact, Direction, Message, MessageClass, Placement, Sender
from router.policy.values import Acknowledgement, Policy

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)  # Sunday noon in Shanghai
WALLET = Policy.preset("wallet")
POLICY = replace(WALLET, acknowledgement=WALLET.acknowledgement.model_copy(update={"enabled": True}))


@pytest.fixture
def placed() -> Callable[..., Placement]:
    """`placed(text, channel, kind, …)`: a customer's first message, decided."""

    def build(
        text: str = "转账2000一直没到账", channel: str = "support-mail", kind: str = "email", **more: Any
    ) -> Placement:
        known = replace_contact(more.pop("contact", None))
        message = Message(
            external_id="m1", channel=channel, channel_kind=kind, sent_at=NOW, text=text,
            sender=Sender(handle="chen@example.com"), realm="mail" if kind == "email" else "", **more,
        )  # fmt: skip
        decision = decide(message, known, POLICY, NOW)
        assert isinstance(decision, Placement)
        return decision

    def replace_contact(contact: Contact | None) -> Known:
        known = Known.empty()
        if contact is not None:
            known.contacts[contact.number] = contact
            known.handles[("email", "chen@example.com")] = contact.number
        return known

    return build


def test_it_names_the_real_due_time_and_the_ref(placed: Callable[..., Placement]) -> None:
    """A mail of Sunday noon is promised an answer by the end of Monday: that is what the customer reads."""
    p = placed()
    said = words(p.conversation, POLICY)
    assert "11月24日 00:00 前回复" in said
    assert "C-" in said
    assert "{" not in said
    assert p.text not in said


def test_it_speaks_the_customer_s_language(placed: Callable[..., Placement]) -> None:
    """Who writes in English is answered in English, with the time as it is said there."""
    said = words(placed("My transfer of 2000 has not arrived").conversation, POLICY)
    assert "will answer by 24 November 00:00" in said


def test_no_time_is_named_that_nobody_promised(placed: Callable[..., Placement]) -> None:
    """Without a promise there is no acknowledgement that names one; a text without a time is said all the same."""
    c = replace(placed().conversation, clocks={})
    assert words(c, POLICY) == ""
    plain = replace(POLICY, acknowledgement=Acknowledgement(enabled=True, texts={"zh": "收到 {ref}"}))
    assert words(c, plain).startswith("收到 C-")
    silent = POLICY.acknowledgement.model_copy(update={"texts": {}})
    assert words(c, replace(POLICY, acknowledgement=silent)) == ""


def test_a_person_whose_channel_vouches_for_him_is_answered(placed: Callable[..., Placement]) -> None:
    """The chat of a signed-in customer and authentic mail get an acknowledgement."""
    assert may_be_answered(placed(), POLICY)
    assert may_be_answered(placed(channel="app-chat", kind="webhook"), POLICY)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"authenticity": Authenticity.UNKNOWN}, id="nobody vouches for him"),
        pytest.param({"authenticity": Authenticity.FAIL}, id="he is not who he says"),
        pytest.param({"automatic": True}, id="a machine"),
        pytest.param({"flags": ("no_auto_answer",)}, id="a list or a no-reply address"),
        pytest.param({"flags": ("spam",)}, id="spam"),
        pytest.param({"channel": "hotline", "kind": "phone"}, id="a call"),
        pytest.param({"direction": Direction.OUT}, id="the desk itself"),
        pytest.param({"contact": Contact(number=7, blocked=True)}, id="blocked"),
    ],
)
def test_nobody_else_is(placed: Callable[..., Placement], message: dict[str, Any]) -> None:
    """No machine, list, forger, spammer, caller or blocked customer is answered by a machine."""
    p = placed(**message)
    assert not may_be_answered(p, POLICY), (p.class_, p.flags)


def test_only_the_first_message_of_a_conversation_is(placed: Callable[..., Placement]) -> None:
    """The second message of a conversation is no occasion for another acknowledgement; the first words after a call
    without any are one."""
    assert not may_be_answered(replace(placed(), opened=False, class_=MessageClass.ADDITION), POLICY)
    assert may_be_answered(replace(placed(), opened=False, class_=MessageClass.FIRST), POLICY)
