"""A private adapter that breaks where a test tells it to: one message a line, `CUSTOMER WORDS`.

Lines may begin with `!junk` (not to be translated), `!bug` (the adapter has a defect), `!die` (the process ends),
`!void` (a message without text: deciding it fails), `!odd` (a message that the database cannot take), `!file` (reading
it opens a file) or `!hungry` (there is no memory left, as often as `hungry` says).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel

from router.errors import InvalidPayload
from router.model import DeskEvent, Message, Sender
from router.ports import Channel, Delivery, Raw, Receipt, Reply, Route


class Settings(BaseModel):
    """Nothing can be set."""


class Fragile:
    """Breaks where it is told to."""

    kind: ClassVar[str] = "webhook"
    Settings: ClassVar[type[Any]] = Settings
    routes: Sequence[Route] = ()
    hungry: ClassVar[int] = 0

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def translate(self, raw: Raw) -> list[Message | DeskEvent]:
        """One message a line."""
        return [self._message(raw, i, line) for i, line in enumerate(raw.body.decode().splitlines())]

    def _message(self, raw: Raw, index: int, line: str) -> Message:
        if line.startswith("!die"):
            os._exit(9)
        if line.startswith("!bug"):
            raise RuntimeError(line)
        if line.startswith("!file"):
            os.close(os.open(os.devnull, os.O_RDONLY))
        if line.startswith("!hungry") and Fragile.hungry:
            Fragile.hungry -= 1
            raise MemoryError
        if line.startswith("!junk"):
            raise InvalidPayload("it is junk", index=index)
        customer, _, text = line.partition(" ")
        broken: dict[str, Any] = {"!void": {"text": None}, "!odd": {"kind": 1j}}.get(customer, {})
        return Message(
            **{
                "external_id": f"{raw.transport_id}.{index}",
                "channel": raw.channel,
                "channel_kind": "webhook",
                "sent_at": raw.received_at,
                "sender": Sender(handle=customer.strip("!")),
                "text": text,
                "index": index,
                **broken,
            }
        )

    async def deliveries(self, cursor: str | None) -> AsyncIterator[Delivery]:
        """It has no source."""
        return
        yield

    async def backfill(self, since: datetime, until: datetime | None) -> AsyncIterator[Delivery]:
        """It has no source."""
        return
        yield

    async def send(self, reply: Reply) -> Receipt:
        """Taken."""
        return Receipt(external_id=reply.external_id)

    async def connect(self) -> str:
        """There is nothing to connect to."""
        return "it answers"

    async def close(self) -> None:
        """Nothing is open."""
