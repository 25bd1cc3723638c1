"""How do messages to a WeChat official account come in and go out?

In: XML in the AES container of safe mode, verified, opened and then stored in clear (the log seals it). Out: messages,
and replies through the customer-service interface, within 48 hours and five to each message of the follower.
Plain mode signs no byte of a message, so it needs the flag `mode = "plain-unsafe"` (security, R10).
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, model_validator

from adapters import TRAITS
from adapters.kit.http import Caller, no_deliveries
from adapters.kit.parts import send_parts
from adapters.kit.settings import ChannelSettings, UnguessedPath, WebAddress, revealed
from adapters.kit.signature import parameters
from adapters.wechat import signature
from adapters.wechat.api import Api
from adapters.wechat.container import children, open_container
from adapters.wechat.event import KIND, identity, message_of
from router.errors import BadSettings, InvalidPayload, SendRejected
from router.errors import Refused as NotPossible
from router.kinds import Traits
from router.model import Attachment, DeskEvent, Message
from router.ports import Accepted, Answer, Channel, Delivery, Raw, Receipt, Refused, Reply, Request, Route
from router.secret import Secret, Verifies

_WINDOW: Final = timedelta(hours=48)
#: Customer-service messages to one message of the follower.
_ALLOWED: Final = 5
_TAKEN: Final = Answer(status=200, body=b"success")
_ECHO: Final = re.compile(r"[A-Za-z0-9_+/=-]{1,256}")


class Settings(ChannelSettings):
    """The table of a WeChat channel; `tokens` and `aes_keys` hold the present and, while they change, the old one."""

    app_id: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_-]+$")
    app_secret: Secret
    tokens: Annotated[tuple[Secret, ...], Verifies(8)] = Field(min_length=1, max_length=5)
    aes_keys: Annotated[tuple[Secret, ...], Verifies(43)] = Field(default=(), max_length=5)
    mode: Literal["safe", "plain-unsafe"] = "safe"
    path: UnguessedPath = ""
    api_url: WebAddress = "https://api.weixin.qq.com"

    @model_validator(mode="after")
    def _keys(self) -> Settings:
        if self.mode == "safe" and not self.aes_keys:
            raise ValueError("safe mode needs aes_keys, the EncodingAESKey of the account's message settings")
        return self


class WeChat:
    """Messages of an official account's followers."""

    kind: ClassVar[str] = KIND
    traits: ClassVar[Traits] = TRAITS["wechat"]
    Settings: ClassVar[type[Any]] = Settings

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._settings: Settings = channel.settings
        self._caller = Caller("WeChat", heard=channel.heard)
        self._api = Api(channel, self._caller)
        self.routes: Sequence[Route] = (Route(methods=("GET", "POST"), path=self._settings.path, receive=self.receive),)

    # ── in ──

    def receive(self, request: Request, now: datetime) -> Accepted | Refused | Answer:
        """Answer the handshake, or verify, open and take one message. Every failure looks alike from outside (R12)."""
        tokens = revealed(self._settings.tokens)
        if request.method == "GET":
            return self._handshake(tokens, request, now)
        if self._settings.mode == "safe":
            return self._safe(tokens, request, now)
        verdict = signature.genuine(tokens, request, now)
        return self._checked(request.body, now) if verdict.genuine else _refused(verdict.reason)

    def _handshake(self, tokens: Sequence[str], request: Request, now: datetime) -> Answer | Refused:
        verdict = signature.genuine(tokens, request, now)
        echo = parameters(request.url).get("echostr", ())
        if not verdict.genuine or len(echo) != 1 or not _ECHO.fullmatch(echo[0]):
            return _refused(verdict.reason or "the echostr is no plain word")
        return Answer(status=200, body=echo[0].encode())

    def _safe(self, tokens: Sequence[str], request: Request, now: datetime) -> Accepted | Refused:
        try:
            encrypted = children(request.body).get("Encrypt", "").strip()
        except InvalidPayload:  # nobody vouches for these bytes: none of them goes to the log
            return _refused("the body is no XML with one Encrypt")
        verdict = signature.genuine(tokens, request, now, encrypted)
        if not verdict.genuine:
            return _refused(verdict.reason)
        keys = revealed(self._settings.aes_keys)
        message = open_container(keys, self._settings.app_id, encrypted)
        return _refused("the container does not open") if message is None else self._checked(message, now)

    def _checked(self, message: bytes, now: datetime) -> Accepted | Refused:
        """Take a genuine message; one whose XML is hostile or broken is kept as invalid."""
        raw = Raw(channel=self._channel.name, body=message, received_at=now)
        try:
            fields = children(message)
        except InvalidPayload as error:
            return _refused(error.reason, raw)
        sender = fields.get("FromUserName", "").strip()
        named = Raw(
            channel=raw.channel,
            body=message,
            received_at=now,
            transport_id=identity(fields)[:200],
            partition_key=sender[:200],
        )
        return Accepted(raws=(named,), answer=_TAKEN)

    def translate(self, raw: Raw) -> list[Message | DeskEvent]:
        """The one message of a raw, or none for a notice that nobody wrote."""
        message = message_of(raw, proved=self._settings.mode == "safe")
        return [] if message is None else [message]

    def deliveries(self, cursor: str | None) -> AsyncIterator[Delivery]:
        """Nothing: what comes, comes by HTTP."""
        return no_deliveries()

    def backfill(self, since: datetime, until: datetime | None) -> AsyncIterator[Delivery]:
        """WeChat has no history for official accounts: raises `router.errors.Refused`."""
        raise NotPossible(f"channel {self._channel.name}: WeChat gives official accounts no history.")

    # ── out ──

    async def send(self, reply: Reply) -> Receipt:
        """Send the text as one message, then the pictures. The receipt tells how many more may follow."""
        if reply.last_in_at is not None and self._channel.now() - reply.last_in_at > _WINDOW:
            raise SendRejected("The follower's last message is over 48 hours old: nobody may answer until he writes.")
        for file in reply.attachments:
            if not file.content or not file.type.startswith("image/"):
                raise SendRejected(f"WeChat takes only pictures from a desk; {file.name} is none: send a link to it.")
        parts: list[str | Attachment] = [*([reply.text] if reply.text.strip() else []), *reply.attachments]
        if len(parts) > _ALLOWED:
            raise SendRejected(f"WeChat takes {_ALLOWED} messages to one of a follower's; this reply is {len(parts)}.")

        async def say(index: int, part: str | Attachment) -> str:
            await self._api.say({"touser": reply.to, **await self._part(part)})
            await self._count(reply)
            return str(index)

        await send_parts(self._channel, reply, parts, say)
        left = max(0, _ALLOWED - await self._counted(reply))
        return Receipt(external_id=reply.external_id, detail=f"{left} more may follow until the customer writes")

    async def _part(self, part: str | Attachment) -> dict[str, Any]:
        if isinstance(part, str):
            return {"msgtype": "text", "text": {"content": part}}
        media = await self._api.upload_picture(part.name, part.content, part.type)
        return {"msgtype": "image", "image": {"media_id": media}}

    async def _counted(self, reply: Reply) -> int:
        """How many messages went out since the follower's last one."""
        known = json.loads(await self._channel.recall(f"count:{reply.to}") or "{}")
        return int(known.get("count", 0)) if known.get("since") == _since(reply) else 0

    async def _count(self, reply: Reply) -> None:
        count = {"since": _since(reply), "count": await self._counted(reply) + 1}
        await self._channel.remember(f"count:{reply.to}", json.dumps(count))

    async def connect(self) -> str:
        """Fetch an access token; the incoming side needs at least one token, in safe mode an AES key."""
        needed = {"tokens": self._settings.tokens}
        if self._settings.mode == "safe":
            needed["aes_keys"] = self._settings.aes_keys
        for name, secrets in needed.items():
            if not revealed(secrets):
                raise BadSettings(f"channel {self._channel.name}: none of its {name} is set.")
        await self._api.token()
        return f"an access token of {self._settings.app_id} was granted"

    async def close(self) -> None:
        """Close the connection to WeChat."""
        await self._caller.close()


def _since(reply: Reply) -> str:
    return reply.last_in_at.isoformat() if reply.last_in_at else ""


def _refused(reason: str, invalid: Raw | None = None) -> Refused:
    return Refused(answer=Answer(status=403), reason=reason, invalid=invalid)


adapter = WeChat
