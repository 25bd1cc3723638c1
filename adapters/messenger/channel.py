"""How do a Facebook page's and an Instagram account's private messages come in and go out?

In: signed webhook events, stored as they came, many in one raw. Out: messages, and replies through Graph's
`POST /me/messages`. A reply must come within 24 hours of the customer's last message; with Meta's human-agent
permission (`reply_window = "7d"`) a human's reply may come within 7 days.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import quote

from pydantic import BeforeValidator, Field

from adapters import TRAITS
from adapters.kit.http import Caller, no_deliveries
from adapters.kit.parts import send_parts
from adapters.kit.settings import ChannelSettings, UnguessedPath, WebAddress, credential, revealed
from adapters.kit.split import split
from adapters.messenger import graph, signature
from adapters.messenger.event import EDIT, KIND, OURS, messages_of, page_of
from adapters.messenger.history import MESSAGE, announced, asked, bodies
from adapters.messenger.receipt import receipts_of
from router.errors import BadSettings, OutcomeUnknown, SendRejected
from router.kinds import Traits
from router.model import Attachment
from router.ports import (
    Accepted,
    Announced,
    Answer,
    Channel,
    Delivery,
    Raw,
    Receipt,
    Refused,
    Reply,
    Request,
    Route,
    Translation,
)
from router.secret import Secret, Verifies

#: Bytes of one request: a batch of up to 1,000 events.
LARGEST: Final = 4 << 20
_DAY: Final = timedelta(hours=24)
_WEEK: Final = timedelta(days=7)


def _as_text(value: object) -> object:
    """An id that was written without quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Settings(ChannelSettings):
    """The table of a Messenger or Instagram channel.

    `page_id` is the page's own id (of Instagram the account's): one Meta app has one callback for all its pages, and
    what is of another page than this one is an explicit unknown.
    """

    app_secrets: Annotated[tuple[Secret, ...], Verifies(16)] = Field(min_length=1, max_length=5)
    verify_token: Annotated[Secret, Verifies(8)]
    page_token: Secret
    page_id: Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[A-Za-z0-9_.-]{0,64}$")] = ""
    reply_window: Literal["24h", "7d"] = "24h"
    platform: Literal["messenger", "instagram"] = "messenger"
    path: UnguessedPath = ""
    graph_url: WebAddress = "https://graph.facebook.com/v25.0"


class Messenger:
    """Private messages of a page or an Instagram account."""

    kind: ClassVar[str] = KIND
    traits: ClassVar[Traits] = TRAITS["messenger"]
    Settings: ClassVar[type[Any]] = Settings

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._settings: Settings = channel.settings
        self._caller = Caller("Meta", heard=channel.heard)
        self.routes: Sequence[Route] = (
            Route(methods=("GET", "POST"), path=self._settings.path, receive=self.receive, max_body=LARGEST),
        )

    # ── in ──

    def receive(self, request: Request, now: datetime) -> Accepted | Refused | Answer:
        """Answer the verification, or take a signed batch as one raw (R9, R15)."""
        if request.method == "GET":
            return self._challenge(request)
        verdict = signature.genuine(revealed(self._settings.app_secrets), request, now)
        if not verdict.genuine:
            return Refused(answer=Answer(status=401), reason=verdict.reason)
        raw = Raw(channel=self._channel.name, body=request.body, received_at=now)
        return Accepted(raws=(raw,), answer=Answer(status=200, body=b"EVENT_RECEIVED"))

    def _challenge(self, request: Request) -> Answer | Refused:
        tokens = revealed((self._settings.verify_token,))
        challenge = signature.challenge(tokens[0], request) if tokens else ""
        if not challenge:
            return Refused(answer=Answer(status=403), reason="the verify token or the challenge is not as expected")
        return Answer(status=200, body=challenge.encode())

    def translate(self, raw: Raw) -> Translation:
        """The messages of a batch, in order; one odd item never takes the others down."""
        found = messages_of(raw, self._settings.page_id)
        found.extend(receipts_of(raw))
        return found

    async def fetch_announced(self, announcement: Announced, raw: Raw) -> Raw:
        """Ask Graph for a message that was announced without its content. Raises SendRejected when it is no more
        there."""
        url = f"{self._settings.graph_url}/{quote(announcement.key.partition(EDIT)[0], safe='')}"
        response = await self._caller.ask("GET", url, headers=self._authorised(), params={"fields": MESSAGE})
        if response.status != 200:
            failure = graph.failure(response, self._channel.now())
            if isinstance(failure, SendRejected) or response.status == 404:
                raise SendRejected(f"Meta announced a message and does not give it ({response.status}).") from failure
            raise failure
        owner = page_of(raw, announcement.index)
        body = announced(announcement.key, response.fields, self._settings.platform, owner)
        return Raw(channel=self._channel.name, body=body, received_at=self._channel.now())

    def deliveries(self, cursor: str | None) -> AsyncIterator[Delivery]:
        """Nothing: what comes, comes by HTTP."""
        return no_deliveries()

    async def backfill(self, since: datetime, until: datetime | None) -> AsyncIterator[Delivery]:
        """The messages between the two instants, as far as Graph shows them: the 20 newest of each conversation."""

        async def ask(path: str, query: Mapping[str, str]) -> dict[str, Any]:
            url = f"{self._settings.graph_url}{path}"
            return await asked(self._caller, url, self._authorised(), query, self._channel.now)

        async for body in bodies(ask, self._settings.platform, since, until):
            raw = Raw(channel=self._channel.name, body=body, received_at=self._channel.now())
            yield Delivery(raws=(raw,))

    # ── out ──

    async def send(self, reply: Reply) -> Receipt:
        """Send the text, cut where a reader would pause, then the files."""
        frame = {"recipient": {"id": reply.to}, **self._permission(reply)}
        parts: list[str | Attachment] = [*split(reply.text, self._longest(reply.text)), *reply.attachments]

        async def post(_: int, part: str | Attachment) -> str:
            return await self._post(reply, frame, part)

        return await send_parts(self._channel, reply, parts, post)

    def _longest(self, text: str) -> int:
        """UTF-16 units of one message: Messenger counts 2,000 characters, Instagram 1,000 bytes (up to 3 a unit)."""
        if self._settings.platform == "messenger":
            return 2000
        return 1000 if text.isascii() else 333

    def _permission(self, reply: Reply) -> dict[str, str]:
        """By which right the reply goes out; refused when the customer's last message is too long ago."""
        age = self._channel.now() - reply.last_in_at if reply.last_in_at else timedelta()
        if age <= _DAY:
            return {"messaging_type": "RESPONSE"}
        if self._settings.reply_window == "7d" and not reply.automatic and age <= _WEEK:
            return {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
        window = "7 days" if self._settings.reply_window == "7d" and not reply.automatic else "24 hours"
        raise SendRejected(f"The customer's last message is over {window} old: nobody may answer until he writes.")

    async def _post(self, reply: Reply, frame: dict[str, Any], part: str | Attachment) -> str:
        message, files = _message(part)
        if self._settings.platform == "messenger":
            message["metadata"] = f"{OURS}{reply.external_id}"[:1000]
        url = f"{self._settings.graph_url}/me/messages"
        if files:
            fields = {key: value if isinstance(value, str) else json.dumps(value) for key, value in frame.items()}
            form = {**fields, "message": json.dumps(message)}
            response = await self._caller.call("POST", url, headers=self._authorised(), data=form, files=files)
        else:
            body = {**frame, "message": message}
            response = await self._caller.call("POST", url, headers=self._authorised(), json=body)
        if response.status != 200:
            raise graph.failure(response, self._channel.now())
        mid = response.fields.get("message_id")
        if not isinstance(mid, str) or not mid:
            raise OutcomeUnknown("Meta answered 200 without a message_id: look whether the customer has the reply.")
        return mid

    def _authorised(self) -> dict[str, str]:
        return {"authorization": f"Bearer {credential(self._settings.page_token, self._channel.name)}"}

    async def connect(self) -> str:
        """Ask Graph whose token it is; that of a page must be of the page that the channel takes."""
        if not revealed(self._settings.app_secrets):
            raise BadSettings(f"channel {self._channel.name}: none of its app_secrets is set.")
        url = f"{self._settings.graph_url}/me"
        response = await self._caller.ask("GET", url, headers=self._authorised(), params={"fields": "id,name"})
        if response.status != 200:
            raise graph.failure(response, self._channel.now())
        owner, wanted = str(response.fields.get("id", "no id")), self._settings.page_id
        if wanted and owner != wanted and self._settings.platform == "messenger":
            raise BadSettings(f"channel {self._channel.name}: the token is of page {owner}, page_id is {wanted}.")
        return f"the token is of {response.fields.get('name') or 'page'} ({owner})"

    async def close(self) -> None:
        """Close the connection to Graph."""
        await self._caller.close()


def _message(part: str | Attachment) -> tuple[dict[str, Any], dict[str, Any]]:
    """The message of a part, and the file that goes with it, if its content does."""
    if isinstance(part, str):
        return {"text": part}, {}
    kind = part.type.partition("/")[0]
    kind = kind if kind in ("image", "audio", "video") else "file"
    if part.content:
        attachment = {"type": kind, "payload": {"is_reusable": False}}
        return {"attachment": attachment}, {"filedata": (part.name, part.content, part.type)}
    if not part.url:
        raise SendRejected(f"The attachment {part.name} has no content to send.")
    return {"attachment": {"type": kind, "payload": {"url": part.url, "is_reusable": False}}}, {}


adapter = Messenger
