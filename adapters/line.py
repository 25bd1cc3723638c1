"""How do chats of a LINE official account come in and go out?

In: signed webhook events, stored as they came, many in one raw. Out: messages, and replies by LINE's push call. A push
carries a retry key made of the reply's own key, so asking again after a lost answer sends nothing twice. (LINE's reply
call is free of charge, but its token lives a minute and cannot be tried again: no tool for people who answer.)
"""

from __future__ import annotations

import base64
import hmac
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final

import msgspec
from pydantic import Field

from adapters.kit import batch, signature
from adapters.kit.http import Caller, Response, no_deliveries, throttled
from adapters.kit.parts import send_parts
from adapters.kit.settings import ChannelSettings, credential, revealed
from adapters.kit.split import split
from router.errors import BadSettings, SendError, SendRejected, SendUnreachable
from router.errors import Refused as NotPossible
from router.model import Attachment, DeskEvent, Message, Sender
from router.ports import Accepted, Answer, Channel, Delivery, Raw, Receipt, Refused, Reply, Request, Route
from router.secret import Secret, Verifies
from router.wire.attachment import file_name, web_link

__all__ = ["Line", "Settings", "adapter"]

KIND: Final = "line"
#: The longest text of a message, in UTF-16 units, and the most messages of one push.
LONGEST, MOST = 5000, 5
_RETRY_KEYS: Final = uuid.UUID("8d7cb3d2-6f0c-5d3e-9a37-3f0b2c9d41e6")
_TYPES: Final = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/m4a"}


class Settings(ChannelSettings):
    """The table of a LINE channel. `channel_secrets` verify what comes in: the new one and the one before it."""

    channel_secrets: Annotated[tuple[Secret, ...], Verifies(16)] = Field(min_length=1, max_length=2)
    access_token: Secret
    base_url: str = Field(default="https://api.line.me", pattern=r"^https?://[^\s?#]+$")


# ── what LINE sends (developers.line.biz, "Messaging API reference", "Webhook Event Objects") ────────────────────────
#
# {"destination": "xxxxxxxxxx", "events": [{"type": "message", "message": {"type": "text", "id": "14353798921116",
#  "text": "Hello, world"}, "timestamp": 1625665242211, "source": {"type": "user", "userId": "U80696558e1aa831..."},
#  "replyToken": "757913772c4646b784d4b7ce46d12671", "mode": "active", "webhookEventId": "01FZ74A0TDDPYRVKNK77XKC3ZR",
#  "deliveryContext": {"isRedelivery": false}}]}


class _Part(msgspec.Struct, rename="camel"):
    """A piece of what LINE sends; what is not read stays in the raw."""


class _Source(_Part):
    user_id: str = ""
    group_id: str = ""
    room_id: str = ""


class _Provider(_Part):
    original_content_url: str = ""


class _ImageSet(_Part):
    id: str = ""


class _Content(_Part):
    id: str
    type: str = ""
    text: str = ""
    quoted_message_id: str = ""
    file_name: str = ""
    file_size: int = 0
    title: str = ""
    address: str = ""
    latitude: float | None = None
    longitude: float | None = None
    keywords: list[str] = []
    content_provider: _Provider = msgspec.field(default_factory=_Provider)
    image_set: _ImageSet = msgspec.field(default_factory=_ImageSet)


class _Unsent(_Part):
    message_id: str = ""


# A date that was picked is in `params` as date, time or datetime; of a menu that was only leafed through (rich menu
# switch) `params` has newRichMenuAliasId.
class _Postback(_Part):
    data: str = ""
    params: dict[str, Any] | None = None


class _Event(_Part):
    type: str
    webhook_event_id: str = ""
    timestamp: int = 0
    source: _Source = msgspec.field(default_factory=_Source)
    message: _Content | None = None
    unsend: _Unsent | None = None
    postback: _Postback | None = None


class _Body(_Part):
    events: list[msgspec.Raw]


_EVENT: Final = "event of LINE"


class Line:
    """The adapter of an official account."""

    kind: ClassVar[str] = KIND
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._settings: Settings = channel.settings
        self._caller = Caller("LINE", heard=channel.heard)
        self.routes: Sequence[Route] = (Route(methods=("POST",), path="", receive=self.receive),)

    # ── in ──

    def receive(self, request: Request, now: datetime) -> Accepted | Refused | Answer:
        """Take events that carry LINE's signature: the base64 HMAC-SHA256 of the body under the channel secret."""
        given = request.headers.get("x-line-signature", "")[:256]
        genuine = False
        for secret in revealed(self._settings.channel_secrets):
            expected = base64.b64encode(hmac.digest(secret.encode(), request.body, "sha256"))
            genuine |= signature.same(expected, given)
        if not genuine:
            return Refused(answer=Answer(status=401), reason="the signature is missing or differs")
        raw = Raw(channel=self._channel.name, body=request.body, received_at=now)
        return Accepted(raws=(raw,), answer=Answer(status=200))

    def deliveries(self, cursor: str | None) -> AsyncIterator[Delivery]:
        """Nothing: what comes, comes by HTTP."""
        return no_deliveries()

    def backfill(self, since: datetime, until: datetime | None) -> AsyncIterator[Delivery]:
        """LINE has no history for bots: raises `router.errors.Refused`."""
        raise NotPossible(
            f"channel {self._channel.name}: LINE gives bots no history; switch on webhook redelivery in its console."
        )

    def translate(self, raw: Raw) -> list[Message | DeskEvent]:
        """One event, one message; an odd one is a mistake of its own. Follows, joins and kinds of
        tomorrow are of kind `unknown` and automatic, unless they have words."""

        def read(event: msgspec.Raw, index: int) -> Message:
            with batch.reading(_EVENT):
                return _message(msgspec.json.decode(event, type=_Event), raw, index)

        with batch.reading(_EVENT):
            events = msgspec.json.decode(raw.body, type=_Body).events
        return batch.each(events, read)

    # ── out ──

    async def send(self, reply: Reply) -> Receipt:
        """Push the text, cut at 5,000 where a reader would pause; files go as links. Asking again is always safe."""
        for file in reply.attachments:
            if not file.url.startswith("https://"):
                raise SendRejected(f"LINE takes no files here: send the attachment {file.name} as a link.")
        text = "\n".join([reply.text, *(file.url for file in reply.attachments)])
        texts = split(text, LONGEST)
        pushes = [texts[start : start + MOST] for start in range(0, len(texts), MOST)]

        async def push(index: int, some: list[str]) -> str:
            return await self._push(reply, index, some)

        return await send_parts(self._channel, reply, pushes, push)

    async def _push(self, reply: Reply, index: int, texts: list[str]) -> str:
        """One push. Answered with 409, an earlier attempt was accepted, which is just as good."""
        headers = {"x-line-retry-key": str(uuid.uuid5(_RETRY_KEYS, f"{reply.idempotency_key}:{index}"))}
        body = {"to": reply.thread or reply.to, "messages": [{"type": "text", "text": text} for text in texts]}
        response = await self._call("POST", "/v2/bot/message/push", headers, json.dumps(body).encode())
        if response.status not in (200, 409):
            raise self._failure(response)
        sent = response.fields.get("sentMessages")
        first = sent[0] if isinstance(sent, list) and sent and isinstance(sent[0], dict) else {}
        return str(first.get("id") or reply.external_id)

    async def _call(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Response:
        """A call that may be made again: its lost answer only means later."""
        token = credential(self._settings.access_token, self._channel.name)
        content: dict[str, Any] = {"headers": {"authorization": f"Bearer {token}", **headers}}
        if body:
            content["headers"]["content-type"] = "application/json"
            content["content"] = body
        return await self._caller.ask(method, self._settings.base_url.rstrip("/") + path, **content)

    def _failure(self, response: Response) -> SendError:
        """Which of our errors a refusal is ("Messaging API reference", "Status codes")."""
        said = str(response.fields.get("message", f"HTTP {response.status}"))[:200]
        if response.status == 429 and "monthly limit" not in said:
            return throttled("LINE", response, self._channel.now())
        if response.status in (401, 403, 429):
            return BadSettings(f"LINE does not let this channel send: {said}; check its access token and its plan.")
        if response.status >= 500:  # also a gateway's 504: the retry key makes the next attempt safe
            return SendUnreachable(f"LINE has a failure of its own ({response.status}); it is tried again.")
        return SendRejected(f"LINE refuses the message: {said}.")

    async def connect(self) -> str:
        """Ask LINE whose token it is, and whether its webhook is switched on."""
        bot = await self._call("GET", "/v2/bot/info", {})
        hook = await self._call("GET", "/v2/bot/channel/webhook/endpoint", {})
        for response in (bot, hook):
            if response.status not in (200, 404):
                raise self._failure(response)
        state = "on" if hook.fields.get("active") is True else "off: switch it on in LINE's console"
        return f"LINE account {bot.fields.get('basicId', 'unknown')}, webhook {state}"

    async def close(self) -> None:
        """Release connections. Safe to call twice."""
        await self._caller.close()


def _message(event: _Event, raw: Raw, index: int) -> Message:
    kind, text, files = _said(event)
    source = event.source
    content = event.message
    own = _clean(content.id if content else event.webhook_event_id) or f"{KIND}-{event.timestamp}"
    edit = event.type == "messageEdited" and content is not None
    nobody = f"{KIND}:{own}" if content else KIND  # whose words come without a sender are not one person
    return Message(
        external_id=f"{own}:{event.timestamp}" if edit else own,
        channel=raw.channel,
        channel_kind=KIND,
        sent_at=datetime.fromtimestamp(event.timestamp / 1000, UTC) if event.timestamp else raw.received_at,
        sender=Sender(handle=_clean(source.user_id or source.group_id or source.room_id) or nobody),
        text=text.replace("\0", ""),
        thread=_clean(source.group_id or source.room_id or source.user_id),
        in_reply_to=_clean(content.quoted_message_id if content else event.unsend.message_id if event.unsend else ""),
        references=(f"album:{_clean(content.image_set.id)}",) if content and content.image_set.id.strip("\0 ") else (),
        attachments=files,
        kind=kind,
        automatic=kind in ("unknown", "deleted") and not text,
        edits=own if edit else "",
        index=index,
    )


def _clean(identity: str) -> str:
    """An id as we keep it: without the character that no database keeps, and without spaces around."""
    return identity.replace("\0", "").strip()


def _said(event: _Event) -> tuple[str, str, tuple[Attachment, ...]]:
    """Kind, words and files of an event."""
    content = event.message
    if content is None:
        if event.postback is not None:
            return *_clicked(event.postback), ()
        return "deleted" if event.unsend else "unknown", "", ()
    if content.type == "text":
        return "text", content.text, ()
    if content.type == "location":
        place = "" if content.latitude is None else f"{content.latitude}, {content.longitude}"
        return "location", "\n".join(line for line in (content.title, content.address, place) if line), ()
    if content.type == "sticker":
        return "sticker", content.text or " ".join(content.keywords[:1]), ()
    if content.type in ("image", "video", "audio", "file"):
        return content.type, content.text, (_file(content),)
    return "unknown", content.text or content.title, ()


def _clicked(postback: _Postback) -> tuple[str, str]:
    """What a button says: its data, and the date that was picked. Leafing through a menu says nothing."""
    params = postback.params or {}
    if "newRichMenuAliasId" in params:
        return "unknown", ""
    picked = (params.get(name) for name in ("datetime", "date", "time"))
    return "postback", "\n".join([postback.data, *(value for value in picked if isinstance(value, str))])


def _file(content: _Content) -> Attachment:
    """A file, recorded by its message's id, for LINE gives no public link; of one that lies elsewhere, its link."""
    return Attachment(
        name=file_name(content.file_name or f"{content.type}-{content.id}"),
        type=_TYPES.get(content.type, "application/octet-stream"),
        url=web_link(content.content_provider.original_content_url) or f"line:{_clean(content.id)}",
        size=content.file_size,
    )


adapter = Line
