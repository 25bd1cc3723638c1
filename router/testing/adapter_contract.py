"""Does an adapter keep the port's promise? The suite that the built-in adapters pass and private ones can use.

In: a subclass that fills in `adapter`, `settings`, `secrets` and `raws` (with HTTP routes also `request`). Out: pytest
tests about what authors forget: junk, unset and rotated secrets, leaks, empty ids, naive times, sockets that leave.
"""

# ruff: noqa: S101  (a suite of tests says what must hold by assert)
from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from router.errors import InvalidPayload, OmnirouterError
from router.model import DeskEvent, Message
from router.ports import Accepted, Adapter, Answer, Channel, Raw, Refused, Reply, Request, Translation
from router.testing.junk import broken, exchanged
from router.testing.sockets import loopback_only

__all__ = ["AdapterContract", "RouteContract"]

_LOOSELY = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
_HEADERS = st.dictionaries(st.text(max_size=20), st.text(max_size=60), max_size=4)


class AdapterContract:
    """Subclass it in a test module, under a name that begins with `Test`, and fill in what stands here."""

    #: The adapter's class.
    adapter: ClassVar[type[Any]]
    #: The channel's table, secrets as `env:NAME`; addresses of providers at a closed port of loopback.
    settings: ClassVar[Mapping[str, Any]]
    #: What those environment variables hold.
    secrets: ClassVar[Mapping[str, str]]
    #: Raws that can be translated, at least one.
    raws: ClassVar[Sequence[Raw]]
    #: The clock.
    now: ClassVar[datetime] = datetime(2026, 1, 1, 0, 0, tzinfo=UTC)

    @pytest.fixture(autouse=True)
    def _surroundings(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        for name, value in self.secrets.items():
            monkeypatch.setenv(name, value)
        with loopback_only():
            yield

    def opened(self, name: str = "", **changes: Any) -> Adapter:
        """The adapter on a channel with an empty memory."""
        memory: dict[str, str] = {}

        async def recall(key: str) -> str | None:
            return memory.get(key)

        async def remember(key: str, value: str) -> None:
            memory[key] = value

        table = self.adapter.Settings.model_validate({**self.settings, **changes})
        channel = Channel(
            name=name or self.raws[0].channel,
            settings=table,
            recall=recall,
            remember=remember,
            public_url="https://desk.example",
            now=lambda: self.now,
        )
        made: Adapter = self.adapter(channel)
        return made

    def reply(self) -> Reply:
        """A reply to the first raw's sender."""
        return Reply(
            number=1,
            channel=self.raws[0].channel,
            to="customer-1",
            text="已为您核实",
            external_id="out-1",
            idempotency_key="key-1",
            created_at=self.now,
            last_in_at=self.now,
        )

    def test_an_unknown_key_of_the_table_is_a_mistake(self) -> None:
        """A mistyped key is told, not overlooked."""
        with pytest.raises(ValidationError, match="colour"):
            self.adapter.Settings.model_validate({**self.settings, "colour": "blue"})

    def test_opening_resolves_no_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Recorded messages can be translated on a machine that has none of the channel's secrets."""
        for name in self.secrets:
            monkeypatch.delenv(name)
        assert self.opened().translate(self.raws[0]) is not None

    def test_secrets_show_nowhere(self) -> None:
        """Neither the settings nor the adapter show a secret, however they are printed."""
        adapter = self.opened()
        table = self.adapter.Settings.model_validate(self.settings)
        printed = (
            f"{adapter!r} {adapter} {table!r} {table} {table.model_dump()} {table.model_dump_json()} {vars(adapter)}"
        )
        assert [name for name, value in self.secrets.items() if value in printed] == []

    def test_translation_is_pure_and_complete(self) -> None:
        """Every message has an id, a sender, an aware time and its channel, and is the same the second time."""
        for raw in self.raws:
            adapter = self.opened(raw.channel)
            messages = adapter.translate(raw)
            assert messages == adapter.translate(raw)
            assert [m.index for m in messages] == sorted({m.index for m in messages})
            assert Translation.of(messages).mistakes == ()
            for message in messages:
                _assert_complete(message, raw)

    def test_raws_survive_being_stored(self) -> None:
        """A raw that went through the log gives the same messages."""
        for raw in self.raws:
            stored = msgspec.msgpack.decode(msgspec.msgpack.encode(raw), type=Raw)
            assert stored == raw
            assert self.opened(raw.channel).translate(stored) == self.opened(raw.channel).translate(raw)

    @_LOOSELY
    @given(data=st.data())
    def test_junk_raises_only_invalid_payload(self, data: st.DataObject) -> None:
        """Whatever the bytes are, they become messages or one sentence."""
        raw = data.draw(st.sampled_from(list(self.raws)))
        body = data.draw(st.one_of(st.binary(max_size=400), broken(raw.body), exchanged(raw.body)))
        junk = msgspec.structs.replace(raw, body=body)
        try:
            messages = self.opened(raw.channel).translate(junk)
        except InvalidPayload as error:
            messages, told = [], error.reason
        else:
            told = "\n".join(["translated", *(mistake.reason for mistake in Translation.of(messages).mistakes)])
        assert all(line.strip() for line in told.split("\n"))
        for message in messages:
            _assert_complete(message, junk)

    def test_sending_into_the_void_is_told_without_secrets(self) -> None:
        """A provider that cannot be reached is one of our errors, and its sentence holds no secret."""
        told = asyncio.run(self._told(self.opened()))
        assert told.strip()
        assert [name for name, value in self.secrets.items() if value in told] == []

    async def _told(self, adapter: Adapter) -> str:
        """What sending and logging in give, or the errors they raise; closes the adapter."""
        told = ""
        try:
            for attempt in (adapter.send(self.reply()), adapter.connect()):
                try:
                    told += f"{await attempt!r} "
                except OmnirouterError as error:
                    told += f"{error} {error!r} {error.__cause__} {error.__cause__!r} "
        finally:
            await adapter.close()
        return told

    def test_closing_twice_is_fine(self) -> None:
        """An adapter that was used and closed can be closed again, and still translates."""

        async def closed() -> Adapter:
            adapter = self.opened()
            await self._told(adapter)
            await adapter.close()
            return adapter

        assert asyncio.run(closed()).translate(self.raws[0]) == self.opened().translate(self.raws[0])


class RouteContract(AdapterContract):
    """For an adapter that is pushed to: fill in `request`, `verifying` and `foreign` too."""

    #: Environment variables of two secrets that are valid at a time.
    verifying: ClassVar[tuple[str, str]]
    #: A secret of the right form that the channel does not know.
    foreign: ClassVar[str]

    def request(self, secret: str) -> Request:
        """A genuine request at `now`, signed with this secret."""
        raise NotImplementedError

    def receive(self, request: Request, name: str = "") -> Accepted | Refused | Answer:
        """What the adapter says to a request at `now`."""
        return self.opened(name).routes[0].receive(request, self.now)

    def test_both_secrets_are_taken_while_they_rotate(self) -> None:
        """The new secret is taken, and so is the old one until it is removed; each raw can be translated."""
        for name in self.verifying:
            taken = self.receive(self.request(self.secrets[name]))
            assert isinstance(taken, Accepted)
            assert 200 <= taken.answer.status < 300
            for raw in taken.raws:
                assert self.opened().translate(raw) is not None

    def test_a_foreign_secret_is_refused(self) -> None:
        """A request signed by a stranger is refused with 401 or 403 and says nothing."""
        refused = self.receive(self.request(self.foreign))
        assert isinstance(refused, Refused)
        assert (refused.answer.status in (401, 403), refused.answer.body, refused.invalid) == (True, b"", None)

    def test_without_a_secret_everything_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Unset secrets never mean that anybody may come in."""
        request = self.request(self.secrets[self.verifying[0]])
        for name in self.secrets:
            monkeypatch.delenv(name)
        assert isinstance(self.receive(request), Refused)

    def test_raws_belong_to_the_channel_that_took_them(self) -> None:
        """Two channels of one kind never mix up their messages."""
        taken = self.receive(self.request(self.secrets[self.verifying[0]]), name="客服-2")
        assert isinstance(taken, Accepted)
        assert {raw.channel for raw in taken.raws} == {"客服-2"}

    @_LOOSELY
    @given(
        method=st.sampled_from(["GET", "POST", "PUT", ""]),
        url=st.one_of(st.text(max_size=80), st.just("/channels/a?timestamp=1767225600&nonce=1&signature=0")),
        headers=_HEADERS,
        body=st.binary(max_size=200),
    )
    def test_receiving_never_raises(self, method: str, url: str, headers: dict[str, str], body: bytes) -> None:
        """What a stranger makes up is answered, never taken, and no body makes it a failure of ours."""
        made_up = self.receive(Request(method=method, url=url, headers=headers, query={}, body=body))
        assert isinstance(made_up, Refused)
        assert 400 <= made_up.answer.status < 500
        genuine = self.request(self.secrets[self.verifying[0]])
        answered = self.receive(msgspec.structs.replace(genuine, body=body))
        answer = answered if isinstance(answered, Answer) else answered.answer
        assert answer.status < 500


def _assert_complete(message: Message | DeskEvent, raw: Raw) -> None:
    assert message.channel == raw.channel
    at = message.at if isinstance(message, DeskEvent) else message.sent_at
    assert at.utcoffset() == timedelta(0)
    if isinstance(message, DeskEvent):
        assert message.conversation_of.strip()
        return
    assert message.external_id.strip()
    assert message.sender.handle.strip()
    written = json.dumps(msgspec.to_builtins(message), ensure_ascii=False).encode()  # no half characters
    assert b"\\u0000" not in written
