"""How do telephone calls come in? As Twilio's signed forms, or as signed call events in JSON from any switchboard.

In: forms signed over the configured public URL, stored as they came; call events signed as Standard Webhooks, read
strictly and refused with every mistake. Out: messages. Nothing is sent: a call is answered by calling back, and the
agent's summary of that call, posted here, is the answer that stops the clocks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from adapters import TRAITS
from adapters.kit import signature
from adapters.kit.http import json_bytes, mistakes_told, no_deliveries
from adapters.kit.settings import ChannelSettings, UnguessedPath, WebAddress, revealed
from adapters.phone import signature as twilio
from adapters.phone.event import KIND, is_json, messages_of, read_calls
from router.errors import BadSettings, SendRejected
from router.errors import Refused as NotPossible
from router.kinds import Traits
from router.model import DeskEvent, Message
from router.ports import Accepted, Answer, Channel, Delivery, Raw, Receipt, Refused, Reply, Request, Route
from router.secret import Secret, Verifies
from router.wire.message import all_of

_JSON: Final = "application/json"
#: What Twilio does next: nothing.
_TWIML: Final = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'


class Settings(ChannelSettings):
    """The table of a phone channel: `auth_tokens` are Twilio's, `secrets` (whsec_…) sign call events.

    `public_url` is the address as Twilio calls it; without a path it is that of `[web]` plus `/channels/NAME`.
    """

    auth_tokens: Annotated[tuple[Secret, ...], Verifies(16)] = Field(default=(), max_length=5)
    secrets: Annotated[tuple[Secret, ...], Verifies(24, standard=True)] = Field(default=(), max_length=5)
    public_url: tuple[WebAddress, ...] = ()
    region: str = ""
    path: UnguessedPath = ""

    @field_validator("public_url", mode="before")
    @classmethod
    def _one_or_more(cls, given: Any) -> Any:
        return ((given,) if given else ()) if isinstance(given, str) else given

    @field_validator("region")
    @classmethod
    def _country(cls, region: str) -> str:
        from phonenumbers import SUPPORTED_REGIONS

        if region and region not in SUPPORTED_REGIONS:
            raise ValueError("give a country of two capital letters, such as CN, or leave it out")
        return region

    @model_validator(mode="after")
    def _signed(self) -> Settings:
        if not self.auth_tokens and not self.secrets:
            raise ValueError("give auth_tokens (Twilio) or secrets (call events in JSON): unsigned calls are not taken")
        return self

    def no_way_out(self, handle: str = "") -> str:
        """Why no reply can reach this handle."""
        return "a telephone takes no written reply; call back and post the call's summary"


class Phone:
    """Calls, voicemails, text messages and call summaries."""

    kind: ClassVar[str] = KIND
    traits: ClassVar[Traits] = TRAITS["phone"]
    Settings: ClassVar[type[Any]] = Settings

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._settings: Settings = channel.settings
        self._urls = tuple(self._address(url) for url in self._settings.public_url or (channel.public_url,) if url)
        self.routes: Sequence[Route] = (Route(methods=("POST",), path=self._settings.path, receive=self.receive),)

    def _address(self, url: str) -> str:
        own = self._settings.path
        return url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/channels/{self._channel.name}{own}"

    # ── in ──

    def receive(self, request: Request, now: datetime) -> Accepted | Refused | Answer:
        """Verify by the signature that is given; take a form as it is, call events only without a mistake."""
        verdict = self._verdict(request, now)
        if not verdict.genuine:
            return Refused(answer=Answer(status=401), reason=verdict.reason)
        headers = request.headers
        raw = Raw(
            channel=self._channel.name,
            body=request.body,
            received_at=now,
            transport_id=headers.get("webhook-id") or headers.get("i-twilio-idempotency-token", ""),
        )
        if not is_json(request.body):
            return Accepted(raws=(raw,), answer=Answer(status=200, body=_TWIML, content_type="text/xml"))
        reading = read_calls(request.body, self._channel.name, self._settings.region)
        if reading.mistakes:
            reason = all_of(reading.mistakes).reason
            return Refused(answer=mistakes_told(reading.mistakes), reason=reason, invalid=raw)
        body = json_bytes({"accepted": len(reading.messages)})
        return Accepted(raws=(raw,), answer=Answer(status=202, body=body, content_type=_JSON))

    def _verdict(self, request: Request, now: datetime) -> signature.Verdict:
        if "webhook-signature" in request.headers or "svix-signature" in request.headers:
            return signature.standard(revealed(self._settings.secrets), request, now)
        tokens = revealed(self._settings.auth_tokens)
        return twilio.genuine(tokens, self._urls, request, now)

    def translate(self, raw: Raw) -> list[Message | DeskEvent]:
        """The messages of a form or of call events; none for what passes, such as ringing."""
        return list(messages_of(raw, self._settings.region))

    def deliveries(self, cursor: str | None) -> AsyncIterator[Delivery]:
        """Nothing: what comes, comes by HTTP."""
        return no_deliveries()

    def backfill(self, since: datetime, until: datetime | None) -> AsyncIterator[Delivery]:
        """A telephone has no history to fetch: raises `router.errors.Refused`."""
        raise NotPossible(f"channel {self._channel.name}: calls cannot be fetched; post them as call events.")

    # ── out ──

    async def send(self, reply: Reply) -> Receipt:
        """Refuse: the agent calls back and posts the summary."""
        raise SendRejected("A telephone takes no written reply: call back and post the call's summary.")

    async def connect(self) -> str:
        """See that what verifies is set; nothing is called."""
        forms = len(revealed(self._settings.auth_tokens))
        events = len(revealed(self._settings.secrets))
        if not forms and not events:
            raise BadSettings(f"channel {self._channel.name}: none of its auth_tokens and secrets is set.")
        if forms and not self._urls:
            raise BadSettings(f"channel {self._channel.name}: give public_url, which Twilio's signature covers.")
        ways = [f"Twilio's forms at {self._urls[0]}"] if forms else []
        return " and ".join(ways + ["signed call events"] * bool(events)) + " are taken"

    async def close(self) -> None:
        """Nothing is open."""


adapter = Phone
