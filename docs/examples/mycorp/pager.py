"""Pages of the night shift, signed in and out: an example of a private channel, `adapter = "mycorp.pager:Pager"`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from adapters.kit import batch, http, parts, settings, signature, split
from router.errors import Refused
from router.model import DeskEvent, Message, Sender
from router.ports import Accepted, Answer, Channel, Delivery, Raw, Receipt, Reply, Request, Route
from router.ports import Refused as NotTaken
from router.secret import Secret, Verifies


class Settings(settings.ChannelSettings):
    secrets: Annotated[tuple[Secret, ...], Verifies(24, standard=True)] = Field(min_length=1, max_length=2)
    gateway: settings.WebAddress
    gateway_token: Secret


class Page(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    number: Annotated[str, msgspec.Meta(pattern=r"^\+[0-9]{5,15}$")]
    at: Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800)]  # seconds since 1970
    text: str = ""


class Pager:
    kind: ClassVar[str] = "pager"
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, channel: Channel) -> None:
        self._channel, self._settings = channel, channel.settings
        self._caller = http.Caller("The pager gateway", heard=channel.heard)
        self.routes = [Route(methods=("POST",), path="", receive=self.receive)]

    def receive(self, request: Request, now: datetime) -> Accepted | NotTaken | Answer:
        verdict = signature.standard(settings.revealed(self._settings.secrets), request, now)
        if not verdict.genuine:
            return NotTaken(answer=Answer(status=401), reason=verdict.reason)
        raw = Raw(channel=self._channel.name, body=request.body, received_at=now)
        return Accepted(raws=(raw,), answer=Answer(status=202))

    def translate(self, raw: Raw) -> list[Message | DeskEvent]:
        with batch.reading("page"):
            page = msgspec.json.decode(raw.body, type=Page)
        name, at, who = self._channel.name, datetime.fromtimestamp(page.at, UTC), Sender(handle=page.number)
        own = Message(external_id=page.id, channel=name, channel_kind="pager", sent_at=at, sender=who, text=page.text)
        return [own]

    async def send(self, reply: Reply) -> Receipt:
        async def page(index: int, text: str) -> str:
            token = settings.credential(self._settings.gateway_token, self._channel.name)
            body = {"to": reply.to, "text": text, "id": f"{reply.idempotency_key}-{index}"}
            headers = {"authorization": f"Bearer {token}"}
            answer = await self._caller.call("POST", f"{self._settings.gateway}/pages", headers=headers, json=body)
            if answer.status >= 300:
                raise http.failure("The pager gateway", answer, self._channel.now())
            return body["id"]

        return await parts.send_parts(self._channel, reply, split.split(reply.text, 160), page)

    def deliveries(self, cursor: str | None) -> AsyncIterator[Delivery]:
        return http.no_deliveries()

    def backfill(self, since: datetime, until: datetime | None) -> AsyncIterator[Delivery]:
        raise Refused("A pager keeps no history.")

    async def connect(self) -> str:
        settings.credential(self._settings.gateway_token, self._channel.name)
        return f"its token is set; it sends by {self._settings.gateway}."

    async def close(self) -> None:
        await self._caller.close()
