"""Which adapter speaks for a channel? Built from the policy on first use, one instance a channel.

In: the policy's channels. Out: adapters, and `translate`, which any thread may call. Building one does no I/O.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import datetime

import adapters
from router.errors import ConfigurationError, InvalidPayload
from router.model import DeskEvent, Message
from router.policy.values import Policy
from router.ports import Adapter, Channel, Raw
from router.store import Database
from router.store.channel_state import recall, remember
from router.store.clock import utc_now
from router.wire.message import messages_from_body

__all__ = ["Channels"]


class Channels:
    """The adapters of the configured channels."""

    def __init__(
        self, policy: Policy, database: Database, *, now: Callable[[], datetime] = utc_now,
        heard: Callable[[datetime], object] = lambda _: None,
    ) -> None:  # fmt: skip
        self._policy = policy
        self._database = database
        self._now = now
        self._heard = heard
        self._open: dict[str, Adapter] = {}
        self._lock = threading.Lock()

    def names(self) -> Iterator[str]:
        """The enabled channels, in the order of the file."""
        return (c.name for c in self._policy.channels.values() if c.enabled)

    def _kind_of(self, name: str) -> str:
        """The kind of the channel that a recorded line names. Raises InvalidPayload when none is configured so."""
        configured = self._policy.channels.get(name)
        if configured is None:
            known = ", ".join(self._policy.channels) or "none"
            raise InvalidPayload(f"channel: {name!r} is not in the configuration; it has: {known}.", path="channel")
        return configured.kind

    def get(self, name: str) -> Adapter:
        """The adapter of a channel. Raises ConfigurationError for an unknown channel or one that cannot be loaded."""
        with self._lock:
            if name not in self._open:
                self._open[name] = self._build(name)
            return self._open[name]

    def _build(self, name: str) -> Adapter:
        channel = self._policy.channels.get(name)
        if channel is None:
            known = ", ".join(self._policy.channels) or "none"
            raise ConfigurationError(f"There is no channel {name!r} in the configuration; it has: {known}.")
        if channel.unavailable:
            raise ConfigurationError(f"channels.{name}: {channel.unavailable}")

        async def recall_here(key: str) -> str | None:
            return await asyncio.to_thread(recall, self._database, name, key)

        async def remember_here(key: str, value: str) -> None:
            await asyncio.to_thread(remember, self._database, name, key, value)

        opened = Channel(
            name=name,
            settings=channel.settings,
            recall=recall_here,
            remember=remember_here,
            public_url=self._policy.web.public_url,
            now=self._now,
            heard=self._heard,
        )
        return adapters.load(channel.adapter)(opened)

    def translate(self, raw: Raw) -> list[Message | DeskEvent]:
        """The messages of a raw, by the adapter of its channel. Raises InvalidPayload."""
        if raw.meta.get("wire"):
            return messages_from_body(raw.body, channel=raw.channel, channel_kind=self._kind_of(raw.channel))
        try:
            adapter = self.get(raw.channel)
        except ConfigurationError as failure:
            raise InvalidPayload(str(failure)) from failure  # what it was raised from says whether it passes
        return adapter.translate(raw)

    async def close(self) -> None:
        """Close all adapters. Safe to call twice."""
        for adapter in self._open.values():
            await adapter.close()
        self._open.clear()
