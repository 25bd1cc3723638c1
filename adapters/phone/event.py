"""What happened on the telephone? Calls, voicemails, text messages and call summaries, as messages.

In: a raw with Twilio's form fields, or with call events in JSON (the format any switchboard can send). Out: messages
whose handle is the customer's number in E.164. A number that is shown can be forged: it is proved only when the carrier
attests it, or when the agent's summary says that he verified the caller. A summary is a human's answer. Nothing is put
into the customer's mouth: a missed call has no words and no subject, its kind says what it is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from router.errors import InvalidPayload
from router.model import Attachment, Authenticity, Direction, Message, Sender
from router.ports import Raw
from router.wire import strict_json
from router.wire.attachment import file_name, media_type, web_link
from router.wire.fields import Place, e164, storable
from router.wire.message import Reading, all_of

__all__ = ["KIND", "is_json", "messages_of", "read_calls"]

KIND: Final = "phone"
#: Nobody of the desk spoke to the caller: of a call, of its leg to an agent, of its place in the queue.
_MISSED: Final = frozenset({"no-answer", "busy", "failed", "canceled", "hangup", "queue-full", "error", "system-error"})
#: What passes, and a call that was answered: the agent's summary tells of it.
_PASSING: Final = frozenset(
    {"queued", "initiated", "ringing", "in-progress", "answered", "completed", "bridged", "leave", "redirected"}
)
#: What stands in place of a number that is held back.
_NAMELESS: Final = frozenset({"", "anonymous", "restricted", "unavailable", "unknown", "private", "+266696687"})
#: Full attestation of the caller's number by his carrier (STIR/SHAKEN).
_ATTESTED: Final = "TN-Validation-Passed-A"


# Call event, one of three:
# {"call": "missed", "id": "c-1", "at": "2026-03-01T12:00:00+08:00", "number": "+8613800000000", "attested": true}
# {"call": "voicemail", "id": "c-2", "at": …, "number": …, "text": "我的转账没到账", "recording": "https://…"}
# {"call": "summary", "id": "c-3", "at": …, "number": …, "text": "已为客户核实…", "agent": "li", "verified": true,
#  "account": "W2388693"}
class _Call(msgspec.Struct):
    call: str
    id: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    number: str | None = None
    name: str | None = None
    text: str | None = None
    recording: str | None = None
    agent: str | None = None
    attested: bool = False
    verified: bool = False
    account: str | None = None


def is_json(body: bytes) -> bool:
    """Call events in JSON begin with a bracket; the fields of a form never do."""
    return body.lstrip()[:1] in (b"{", b"[")


def messages_of(raw: Raw, region: str) -> list[Message]:
    """The messages of a raw; `region` (CN) reads numbers without country code. Raises InvalidPayload."""
    if not is_json(raw.body):
        return _twilio(raw, region)
    reading = read_calls(raw.body, raw.channel, region)
    if reading.mistakes:
        raise all_of(reading.mistakes)
    return [message for message in reading.messages if isinstance(message, Message)]


# ── call events in JSON ──────────────────────────────────────────────────────────────────────────────────────────────


def read_calls(body: bytes, channel: str, region: str) -> Reading:
    """Read an object or an array of at most 1,000 call events and collect every mistake, one an event."""

    def read(item: Any, index: int) -> Message:
        place = Place(index)
        return _called(place.shaped(item, _Call), place, channel, region)

    messages, mistakes = strict_json.each(body, read)
    return Reading(messages=() if mistakes else tuple(messages), mistakes=tuple(mistakes))


def _called(call: _Call, place: Place, channel: str, region: str) -> Message:
    kind = {"missed": "missed_call", "voicemail": "voicemail", "summary": "summary"}.get(call.call, "")
    if not kind:
        place.mistake("call", "is unknown; missed, voicemail or summary would be right")
    text = place.text(call.text, "text")
    if call.call == "summary" and not text:
        place.mistake("text", "is missing; what was said on the telephone would be right")
    own = place.identity(call.id, "id")
    handle = _handle(place.text(call.number, "number"), own, region)
    proved = (call.attested or (call.verified and call.call == "summary")) and handle.startswith("+")
    verified = {"phone": handle} if proved else {}
    if call.account and call.verified and call.call == "summary":
        verified["account"] = place.identity(call.account, "account")
    return Message(
        external_id=own,
        channel=channel,
        channel_kind=KIND,
        sent_at=place.instant(call.at, "at"),
        sender=Sender(handle=handle, name=" ".join(place.text(call.name, "name").split()), verified=verified),
        thread=handle,
        text=text,
        attachments=_recording(place.text(call.recording, "recording")),
        direction=Direction.OUT if call.call == "summary" else Direction.IN,
        kind=kind,
        authenticity=Authenticity.PASS if verified else Authenticity.UNKNOWN,
        agent=place.text(call.agent, "agent"),
        index=place.index,
    )


def _handle(number: str, call: str, region: str) -> str:
    """The number in E.164; what is no such number (a short code, a SIP address) in lower case; of a caller who holds
    it back one of his own, since nameless callers are not one person."""
    plain = number.strip().lower()
    if plain in _NAMELESS:
        return f"anonymous:{call}"
    return e164(number, region or None) or " ".join(plain.split())


def _recording(url: str) -> tuple[Attachment, ...]:
    link = web_link(url)
    return (Attachment(name="recording", type="audio/x-wav", url=link),) if link else ()


# ── Twilio's forms ───────────────────────────────────────────────────────────────────────────────────────────────────


# StatusCallback of a call:
#   CallSid=CA…&From=%2B14158675309&To=%2B18005551212&CallStatus=no-answer&Direction=inbound&CallerName=…
#   &Timestamp=Tue%2C%2024+Nov+2026+08%3A00%3A00+%2B0000&StirVerstat=TN-Validation-Passed-A
# action of <Record>: CallSid, From, To, CallStatus, RecordingSid, RecordingUrl, RecordingDuration
# transcribeCallback: the same with TranscriptionSid, TranscriptionText, TranscriptionStatus
# action of <Dial>: DialCallStatus, of <Enqueue>: QueueResult; of both CallStatus too
# incoming text message: MessageSid, From, To, Body, NumMedia, MediaUrl0, MediaContentType0
def _twilio(raw: Raw, region: str) -> list[Message]:
    try:
        pairs = parse_qsl(raw.body.decode("latin-1"), keep_blank_values=True, max_num_fields=1000, errors="replace")
    except ValueError as error:
        raise InvalidPayload("The body has more than 1,000 form fields; a call has some thirty.") from error
    fields = {name: storable(value).strip() for name, value in pairs}
    sid = fields.get("MessageSid") or fields.get("SmsSid") or fields.get("CallSid")
    if not sid:
        raise InvalidPayload("The body is neither call events in JSON nor a form with CallSid or MessageSid.")
    if "From" not in fields:
        raise InvalidPayload(
            "The form names no caller (From): send voicemails by the action or transcribeCallback of <Record>."
        )
    if fields.get("Direction", "").lower() == "outbound-dial":  # the leg to an agent's own telephone
        return []
    content = _content(fields, sid)
    return [] if content is None else [_message(raw, fields, sid, content, region)]


def _content(fields: dict[str, str], sid: str) -> dict[str, Any] | None:
    """What the form says; None for what passes (ringing, answered, delivered), which only the raw keeps."""
    if "Body" in fields:
        return {"external_id": sid, "text": fields["Body"], "attachments": _media(fields)}
    if fields.get("TranscriptionText"):
        own, heard = fields.get("TranscriptionSid") or f"{sid}:transcript", fields.get("RecordingSid", "")
        return {
            "external_id": own,
            "text": fields["TranscriptionText"],
            "in_reply_to": heard,
            "kind": "voicemail",
            "attachments": _recording(fields.get("RecordingUrl", "")),
        }
    if fields.get("RecordingUrl"):
        own = fields.get("RecordingSid") or f"{sid}:recording"
        recording = _recording(fields["RecordingUrl"])
        return {"external_id": own, "kind": "voicemail", "attachments": recording}
    told = (fields.get(name, "") for name in ("DialCallStatus", "QueueResult", "CallStatus"))
    status = next(filter(None, told), "").lower()
    if status in _MISSED:
        return {"external_id": f"{sid}:{status}", "kind": "missed_call"}
    if status in _PASSING or "MessageStatus" in fields or "SmsStatus" in fields:
        return None
    return {"external_id": f"{sid}:{status or 'event'}", "kind": "unknown", "automatic": True}


def _message(raw: Raw, fields: dict[str, str], sid: str, content: dict[str, Any], region: str) -> Message:
    outgoing = fields.get("Direction", "").lower().startswith("outbound")
    customer, desk = ("To", "From") if outgoing else ("From", "To")
    handle = _handle(fields.get(customer, ""), sid, region)
    attested = not outgoing and fields.get("StirVerstat") == _ATTESTED and handle.startswith("+")
    return Message(
        **{"automatic": outgoing, **content},
        channel=raw.channel,
        channel_kind=KIND,
        sent_at=_instant(fields.get("Timestamp", ""), raw.received_at),
        sender=Sender(
            handle=handle,
            name="" if outgoing else " ".join(fields.get("CallerName", "").split()),
            verified={"phone": handle} if attested else {},
        ),
        thread=handle,
        direction=Direction.OUT if outgoing else Direction.IN,
        authenticity=Authenticity.PASS if attested else Authenticity.UNKNOWN,
        recipients=tuple(filter(None, [fields.get(desk, "")])),
    )


def _media(fields: dict[str, str]) -> tuple[Attachment, ...]:
    found = []
    for number in range(10):
        url = web_link(fields.get(f"MediaUrl{number}", ""))
        if url:
            kind = media_type(fields.get(f"MediaContentType{number}", ""))
            found.append(Attachment(name=file_name(unquote(urlsplit(url).path)), type=kind, url=url))
    return tuple(found)


def _instant(text: str, otherwise: datetime) -> datetime:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return otherwise
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at if 2000 <= at.year < 2200 else otherwise
