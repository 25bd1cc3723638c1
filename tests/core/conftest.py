"""A small world for tests of the decision: customers say things, the desk answers, nothing is stored anywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from router.conversation.acts import reply_given, status_set
from router.decision.decide import decide
from router.known import Known
from router.match.reply_address import Claim
from router.model import Authenticity, Conversation, Decision, Message, Placement, Sender, Status
from router.policy.values import Policy

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def chat(text: str, at: float = 0, who: str = "W1", **more: Any) -> Message:
    """A chat message of a verified customer, `at` minutes after the start."""
    number = more.pop("id", f"{who}-{at}-{text[:12]}")
    verified = more.pop("verified", {"account": who, "email": f"{who.lower()}@post.test"})
    return Message(
        external_id=number,
        channel=more.pop("channel", "app-chat"),
        channel_kind=more.pop("kind", "webhook"),
        sent_at=START + timedelta(minutes=at),
        sender=Sender(handle=who, verified=verified),
        text=text,
        **more,
    )


def mail(text: str, at: float = 0, who: str = "w1@post.test", **more: Any) -> Message:
    """A mail that nobody vouches for, `at` minutes after the start."""
    number = more.pop("id", f"{who}-{at}-{text[:8]}@mail.test")
    return Message(
        external_id=number,
        channel=more.pop("channel", "support-mail"),
        channel_kind="email",
        realm="mail",
        sent_at=START + timedelta(minutes=at),
        sender=Sender(handle=who, name=more.pop("name", ""), verified=more.pop("verified", {})),
        text=text,
        authenticity=more.pop("authenticity", Authenticity.UNKNOWN),
        **more,
    )


class World:
    """Everything known so far, moved on by each message."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.known = Known.empty()

    def decide(self, message: Message, claim: Claim | None = None) -> Decision:
        """Decide a message and know it from then on."""
        decision = decide(message, self.known, self.policy, message.sent_at, claim=claim)
        self.known.absorb(decision.message if isinstance(decision, Placement) else message, decision)
        return decision

    def place(self, message: Message, claim: Claim | None = None) -> Placement:
        """Decide a message that is no redelivery."""
        decision = self.decide(message, claim)
        assert isinstance(decision, Placement)
        return decision

    def reply(self, number: int, text: str, at: float) -> Conversation:
        """A human of the desk answers."""
        after = reply_given(self.known.conversations[number], START + timedelta(minutes=at), text, self.policy)
        self.known.put(after)
        return after

    def status(self, number: int, to: str, at: float) -> Conversation:
        """The desk sets a status."""
        after = status_set(self.known.conversations[number], Status(to), START + timedelta(minutes=at), self.policy)
        self.known.put(after)
        return after


@pytest.fixture(scope="session")
def wallet() -> Policy:
    """The built-in desk of a wallet."""
    return Policy.preset("wallet")


@pytest.fixture
def world(wallet: Policy) -> World:
    """Nothing is known yet."""
    return World(wallet)


@pytest.fixture
def new_world(wallet: Policy) -> Callable[[], World]:
    """As many worlds as a test wants."""
    return lambda: World(wallet)


@pytest.fixture(scope="session")
def say() -> Callable[..., Message]:
    """A chat message of a verified customer."""
    return chat


@pytest.fixture(scope="session")
def post() -> Callable[..., Message]:
    """A mail that nobody vouches for."""
    return mail
