"""The contract suite finds what authors of adapters forget: each fault put into a good adapter makes its test fail."""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict

from router.errors import InvalidPayload, SendRejected
from router.model import Message, Sender
from router.ports import Accepted, Answer, Channel, Delivery, Raw, Receipt, Refused, Reply, Request, Route
from router.secret import Secret
from router.testing import RouteContract, loopback_only

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Table(BaseModel):
    """The table of a small private channel."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    keys: tuple[Secret, ...]


class Good:
    """A private adapter: the body is `id text`, signed by a plain HMAC."""

    kind: ClassVar[str] = "good"
    Settings: ClassVar[type[Any]] = Table

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.routes: Sequence[Route] = (Route(methods=("POST",), path="", receive=self.receive),)

    def keys(self) -> list[str]:
        """The keys that are set."""
        return [key.reveal() for key in self.channel.settings.keys if key.is_set()]

    def receive(self, request: Request, now: datetime) -> Accepted | Refused | Answer:
        """Take what one of the keys signed."""
        given = request.headers.get("signature", "").encode("utf-8", "surrogatepass")
        signed = [hmac.new(key.encode(), request.body, "sha256").hexdigest().encode() for key in self.keys()]
        if not any(hmac.compare_digest(one, given) for one in signed):
            return Refused(answer=Answer(status=401))
        return Accepted(raws=(self.raw(request, now),), answer=Answer(status=202))

    def raw(self, request: Request, now: datetime) -> Raw:
        """What is stored."""
        return Raw(channel=self.channel.name, body=request.body, received_at=now)

    def translate(self, raw: Raw) -> list[Any]:
        """One message, its id before the first space."""
        try:
            own, space, text = raw.body.decode().replace("\x00", "").partition(" ")
        except UnicodeDecodeError:
            raise InvalidPayload("The body is not UTF-8.") from None
        if not own.strip() or not space:
            raise InvalidPayload("The body is not an id, a space and a text.")
        return [self.message(raw, own, text)]

    def message(self, raw: Raw, own: str, text: str) -> Message:
        """The message of a raw."""
        sender = Sender(handle="customer-1")
        return Message(
            external_id=own, channel=raw.channel, channel_kind="good", sent_at=raw.received_at, sender=sender, text=text
        )

    async def deliveries(self, cursor: str | None) -> AsyncIterator[Delivery]:
        """Nothing."""
        for delivery in list[Delivery]():
            yield delivery

    async def send(self, reply: Reply) -> Receipt:
        """Refuse."""
        raise SendRejected("nothing goes out here")

    async def connect(self) -> str:
        """Nothing to log in to."""
        return "ready"

    async def close(self) -> None:
        """Nothing is open."""


class Contract(RouteContract):
    """The suite, filled in for the small adapter; run by hand below."""

    adapter = Good
    settings = {"keys": ["env:GOOD_NEW", "env:GOOD_OLD"]}
    secrets = {"GOOD_NEW": "the-new-key-of-the-channel", "GOOD_OLD": "the-old-key-of-the-channel"}
    verifying = ("GOOD_NEW", "GOOD_OLD")
    foreign = "a-strangers-key"
    raws = (Raw(channel="good", body="m-1 转账没到账".encode(), received_at=NOW),)

    def request(self, secret: str) -> Request:
        """A genuine request."""
        body = self.raws[0].body
        signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
        return Request(method="POST", url="/", headers={"signature": signature}, query={}, body=body)


class TestGood(Contract):
    """A good private adapter passes the suite."""


def _leaky(self: Good, channel: Channel) -> None:
    self.channel = channel
    self.routes = ()
    self.token = os.environ["GOOD_NEW"]


def _naive_id(self: Good, raw: Raw) -> list[Any]:
    return [self.message(raw, raw.body.decode("latin-1"), "")]


async def _leaves(self: Good) -> str:
    await asyncio.get_running_loop().getaddrinfo("api.provider.example", 443)
    return "ready"


async def _tells(self: Good, reply: Reply) -> Receipt:
    raise SendRejected(f"401 for token {self.keys()[0]}")


async def _counts(self: Good) -> None:
    self.__dict__.pop("channel")


def changed(raw: Raw, **fields: Any) -> Message:
    """A message of this raw, with something wrong about it."""
    whole = {"channel": raw.channel, "channel_kind": "good", "sent_at": raw.received_at, "sender": Sender(handle="c")}
    return Message(**{**whole, **fields})


#: A fault, what it replaces, and the test of the suite that must find it.
FAULTS: dict[str, tuple[str, Any, str]] = {
    "a key of the table is overlooked": (
        "Settings", type("Loose", (Table,), {"model_config": ConfigDict(extra="ignore")}),
        "test_an_unknown_key_of_the_table_is_a_mistake",
    ),
    "a secret is kept in the open": ("__init__", _leaky, "test_secrets_show_nowhere"),
    "a secret is needed to open": ("__init__", _leaky, "test_opening_resolves_no_secret"),
    "the channel's name is written down": (
        "message", lambda self, raw, own, text: changed(raw, external_id=own, channel="fixed"),
        "test_translation_is_pure_and_complete",
    ),
    "ids are made up": (
        "message", lambda self, raw, own, text: changed(raw, external_id=os.urandom(8).hex()),
        "test_translation_is_pure_and_complete",
    ),
    "nobody sent it": (
        "message", lambda self, raw, own, text: changed(raw, external_id=own, sender=Sender(handle=" ")),
        "test_translation_is_pure_and_complete",
    ),
    "junk raises what it likes": ("translate", _naive_id, "test_junk_raises_only_invalid_payload"),
    "the sentence holds the token": ("send", _tells, "test_sending_into_the_void_is_told_without_secrets"),
    "a socket leaves": ("connect", _leaves, "test_sending_into_the_void_is_told_without_secrets"),
    "closing twice fails": ("close", _counts, "test_closing_twice_is_fine"),
    "the old secret is forgotten": (
        "keys", lambda self: [self.channel.settings.keys[0].reveal()], "test_both_secrets_are_taken_while_they_rotate",
    ),
    "anybody may come in": (
        "receive", lambda self, request, now: Accepted(raws=(self.raw(request, now),), answer=Answer(status=202)),
        "test_a_foreign_secret_is_refused",
    ),
    "no secret means no check": (
        "receive", lambda self, request, now: Good.receive(self, request, now) if self.keys()
        else Accepted(raws=(self.raw(request, now),), answer=Answer(status=202)),
        "test_without_a_secret_everything_is_refused",
    ),
    "channels are mixed up": (
        "raw", lambda self, request, now: Raw(channel="good", body=request.body, received_at=now),
        "test_raws_belong_to_the_channel_that_took_them",
    ),
    "a header makes it raise": (
        "receive", lambda self, request, now: request.headers["signature"] and Refused(answer=Answer(status=401)),
        "test_receiving_never_raises",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_each_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A good adapter with one fault fails the test that is about it."""
    attribute, faulty, finder = FAULTS[fault]
    broken = type("Broken", (Good,), {attribute: faulty})
    suite = type("Suite", (Contract,), {"adapter": broken})()
    for name, value in Contract.secrets.items():
        monkeypatch.setenv(name, value)
    test: Callable[..., None] = getattr(suite, finder)
    needs_patching = finder in ("test_opening_resolves_no_secret", "test_without_a_secret_everything_is_refused")
    with loopback_only(), pytest.raises((Exception, pytest.fail.Exception)) as caught:
        test(*([monkeypatch] if needs_patching else []))
    assert caught.type is not NotImplementedError


def test_only_loopback_can_be_reached() -> None:
    """Inside the guard this machine can be reached, by socket and by name, and nothing else."""
    with socket.create_server(("127.0.0.1", 0)) as listening, loopback_only():
        with socket.create_connection(listening.getsockname()) as connected:
            assert connected.getpeername() == listening.getsockname()
        with pytest.raises(AssertionError, match="leave the machine"), socket.socket() as away:
            away.connect(("192.0.2.1", 80))
        with pytest.raises(AssertionError, match="leave the machine"), socket.socket() as away:
            away.connect_ex(("2001:db8::1", 80))
        with pytest.raises(AssertionError, match="looked up"):
            socket.getaddrinfo("api.provider.example", 443)


def test_the_suites_are_asked_for_by_name() -> None:
    """A name that the package does not have is told as Python tells it."""
    import router.testing

    with pytest.raises(AttributeError, match="NoSuchContract"):
        router.testing.NoSuchContract  # noqa: B018
