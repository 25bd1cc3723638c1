"""How does a deployment's own chat come in and go out? As signed JSON, both ways.

In: `POST /channels/NAME` with the wire messages of the contract (section 3), signed as Standard Webhooks. Out: replies
as signed webhooks to `reply_url`, under the reply's idempotency key, or on the live-chat page. A request is taken whole
or not at all: with a mistake in it, it is answered with every mistake and kept as invalid.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from adapters.kit import signature
from adapters.kit.http import Caller, Response, json_bytes, mistakes_told, no_deliveries, not_now, throttled
from adapters.kit.settings import ChannelSettings, UnguessedPath, WebAddress, revealed
from router.errors import BadSettings, ConfigurationError, SendError, SendRejected
from router.errors import Refused as NotPossible
from router.model import Attachment, DeskEvent, Message
from router.ports import Accepted, Answer, Channel, Delivery, Raw, Receipt, Refused, Reply, Request, Route
from router.secret import Secret, Verifies
from router.text.secrets import scrub_ids
from router.wire.message import all_of, messages_from_body, read_body

#: Handles that the page gives its visitors (`workers.http.livechat.visitor`).
_VISITOR: Final = re.compile(r"visitor-[0-9a-f]{32}")
#: Bytes of one request.
LARGEST: Final = 8 << 20
_JSON: Final = "application/json"


class Settings(ChannelSettings):
    """The table of a webhook channel. `secrets` verify what comes in (all) and sign what goes out (all)."""

    secrets: Annotated[tuple[Secret, ...], Verifies(24, standard=True)] = Field(min_length=1, max_length=2)
    reply_url: WebAddress = ""
    page: bool = False
    origins: tuple[str, ...] = ()
    path: UnguessedPath = ""

    @field_validator("origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
                raise ValueError("an origin is scheme and host only, such as https://www.example.com")
        return origins

    def no_way_out(self, handle: str = "") -> str:
        """Why no reply can reach this handle (empty: some of those who write here), or nothing. Without a page replies
        wait until there is a reply_url."""
        if self.reply_url or (handle and (not self.page or _VISITOR.fullmatch(handle))):
            return ""
        if self.page:
            whom = f"{handle} is no visitor of its page" if handle else "only visitors of its page see replies"
            return f"it has no reply_url, and {whom}; set reply_url to reach who writes by signed webhook"
        return "it has neither reply_url nor page = true; set one of them"


class Webhook:
    """A chat of the deployment's own, in signed JSON."""

    kind: ClassVar[str] = "webhook"
    Settings: ClassVar[type[Any]] = Settings

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._settings: Settings = channel.settings
        proved = self._settings.reply_url.startswith("https://")  # else anybody on the way could tell the time
        self._caller = Caller("The reply_url", heard=channel.heard if proved else lambda _: None)
        self.routes: Sequence[Route] = (
            Route(methods=("POST",), path=self._settings.path, receive=self.receive, max_body=LARGEST),
        )

    # ── in ──

    def receive(self, request: Request, now: datetime) -> Accepted | Refused | Answer:
        """Verify, read strictly, and take the whole body or nothing of it (R1-R5, R14)."""
        if len(request.body) > LARGEST:
            return Refused(answer=Answer(status=413), reason="the body is over 8 MiB")
        verdict = signature.standard(revealed(self._settings.secrets), request, now)
        if not verdict.genuine:
            return Refused(answer=Answer(status=401), reason=verdict.reason)
        headers = request.headers
        identity = headers.get("webhook-id") or headers.get("svix-id", "")
        return self.take(request.body, now, identity, headers.get("omnirouter-partition", "")[:200])

    def take(self, body: bytes, now: datetime, identity: str = "", partition_key: str = "") -> Accepted | Refused:
        """Take the whole of a body whose sender is known to be genuine, or nothing of it."""
        raw = Raw(
            channel=self._channel.name, body=body, received_at=now, transport_id=scrub_ids.identity(identity),
            partition_key=partition_key,
        )  # fmt: skip
        reading = read_body(body, channel=self._channel.name, channel_kind=self.kind)
        if reading.mistakes:
            reason = all_of(reading.mistakes).reason
            return Refused(answer=mistakes_told(reading.mistakes), reason=reason, invalid=raw)
        count = len(reading.messages)
        return Accepted(
            raws=(raw,), answer=Answer(status=202, body=json_bytes({"accepted": count}), content_type=_JSON)
        )

    def translate(self, raw: Raw) -> list[Message | DeskEvent]:
        """The messages and events of one body, in order."""
        return messages_from_body(raw.body, channel=self._channel.name, channel_kind=self.kind)

    def deliveries(self, cursor: str | None) -> AsyncIterator[Delivery]:
        """Nothing: what comes, comes by HTTP."""
        return no_deliveries()

    def backfill(self, since: datetime, until: datetime | None) -> AsyncIterator[Delivery]:
        """The chat's own server has the history: raises `router.errors.Refused`."""
        name = self._channel.name
        raise NotPossible(f"channel {name}: a webhook has no history to fetch; export it there and use `ingest`.")

    # ── out ──

    async def send(self, reply: Reply) -> Receipt:
        """Push the reply to `reply_url`; without one the live-chat page shows it. The key makes repeats harmless."""
        if not self._settings.reply_url:
            if self._settings.page:
                if why := self._settings.no_way_out(reply.to):
                    raise SendRejected(f"No reply can leave channel {self._channel.name}: {why}.")
                return Receipt(external_id=reply.external_id, detail="shown on the live-chat page")
            raise BadSettings(f"channel {self._channel.name} has no reply_url, so no reply can be sent.")
        body = json_bytes({"type": "reply", "timestamp": _stamp(reply.created_at), "data": _wire(reply)})
        headers = {"content-type": _JSON, **self._signed(reply.idempotency_key.replace(".", "-"), body)}
        response = await self._caller.call("POST", self._settings.reply_url, content=body, headers=headers)
        if 200 <= response.status < 300:
            return Receipt(external_id=reply.external_id, detail=f"the reply_url answered {response.status}")
        raise self._failed(response)

    def _signed(self, identity: str, body: bytes) -> dict[str, str]:
        try:
            secrets = revealed(self._settings.secrets)
            return signature.sign_standard(secrets, identity, body, self._channel.now())
        except ConfigurationError as error:
            raise BadSettings(f"channel {self._channel.name}: {error}") from error

    def _failed(self, response: Response) -> SendError:
        status = response.status
        if status == 429 or (status == 503 and "retry-after" in response.headers):
            return throttled("The reply_url", response, self._channel.now())
        if status >= 500:
            return not_now("The reply_url", response)
        if status in (401, 403, 404, 405, 410) or status < 400:
            return BadSettings(f"The reply_url answered {status}: check the address and the secret it verifies with.")
        return SendRejected(f"The reply_url refused the reply ({status}).")

    async def connect(self) -> str:
        """See that a secret is usable and that `reply_url` answers; nothing is sent."""
        self._signed("check", b"")
        if not self._settings.reply_url:
            return "signed messages are taken; no reply_url" + (", replies show on the page" * self._settings.page)
        response = await self._caller.ask("OPTIONS", self._settings.reply_url)
        return f"signed messages are taken; the reply_url answers ({response.status})"

    async def close(self) -> None:
        """Close the connection to `reply_url`."""
        await self._caller.close()


def _stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _wire(reply: Reply) -> dict[str, Any]:
    """The reply in the words of the wire message: `to` is the handle it goes to."""
    full = {
        "id": reply.external_id,
        "sent_at": _stamp(reply.created_at),
        "direction": "out",
        "to": reply.to,
        "thread": reply.thread,
        "in_reply_to": reply.in_reply_to,
        "conversation": reply.conversation_ref,
        "subject": reply.subject,
        "text": reply.text,
        "attachments": [_attachment(one) for one in reply.attachments],
        "agent": reply.agent,
        "automatic": reply.automatic,
    }
    return {key: value for key, value in full.items() if value or key in ("text", "automatic")}


def _attachment(one: Attachment) -> dict[str, Any]:
    content = {"content": base64.b64encode(one.content).decode()} if one.content else {}
    return {"name": one.name, "type": one.type, **({"url": one.url} if one.url else {}), **content}


adapter = Webhook
