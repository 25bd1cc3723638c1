"""What does a message look like on the wire? The JSON of the contract (section 3), read strictly and told kindly.

In: the body of a chat webhook, or one object of a recorded file. Out: `Message` and `DeskEvent` values, and back.
A mistake is an `InvalidPayload` with one sentence: which message of the array, which path in it, what would be right.
Unknown keys are overlooked (the raw keeps them); a `channel` in the wire is for the caller to heed, here the argument
says which. What identities are linked by (`sender.verified`) is brought to one form: lower case, E.164.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from router.errors import InvalidPayload
from router.kinds import kind_named
from router.model import Attachment, Authenticity, DeskEvent, Direction, Message, Sender, Status
from router.text.secrets.redact import redact
from router.value import Value
from router.wire import attachment, strict_json
from router.wire.fields import Place

__all__ = ["Reading", "all_of", "message_from_wire", "message_to_wire", "messages_from_body", "read_body"]

#: References of a mail that are read, and of more the first and as many of the last that are kept.
MOST_REFERENCES: Final = 1000
KEPT_REFERENCES: Final = 20


class _Verified(msgspec.Struct):
    email: str | None = None
    phone: str | None = None
    account: str | None = None


class _Sender(msgspec.Struct):
    handle: str
    name: str | None = None
    verified: _Verified | None = None
    attributes: dict[str, Any] | None = None


class _Attachment(msgspec.Struct):
    name: str | None = None
    type: str | None = None
    url: str | None = None
    size: int | None = None
    content: str | None = None


class _Wire(msgspec.Struct):
    """{"id": "m-1001", "sent_at": "2026-03-01T21:50:00+08:00", "sender": {"handle": "u-77"}, "text": "转账没到账"}"""

    id: str
    sent_at: Annotated[datetime, msgspec.Meta(tz=True)]
    sender: _Sender
    text: str | None = None
    subject: str | None = None
    html: str | None = None
    thread: str | None = None
    in_reply_to: str | None = None
    references: list[str] | None = None
    attachments: list[_Attachment] | None = None
    direction: str | None = None
    automatic: bool | None = None
    edits: str | None = None
    channel: str | None = None
    agent: str | None = None


class _Event(msgspec.Struct):
    """{"event": "status", "at": "2026-03-01T22:10:00+08:00", "conversation_of": "m-1001", "to": "solved"}"""

    event: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    conversation_of: str
    to: str | None = None
    text: str | None = None
    agent: str | None = None


class Reading(Value, frozen=True, kw_only=True):
    """What a body holds: its messages in order, or the mistakes, at most one a message."""

    messages: tuple[Message | DeskEvent, ...] = ()
    mistakes: tuple[InvalidPayload, ...] = ()


def read_body(body: bytes, *, channel: str, channel_kind: str) -> Reading:
    """Read an object or an array of at most 1,000, and collect every mistake, one a message. Never raises."""

    def read(item: Any, index: int) -> Message | DeskEvent:
        return message_from_wire(item, channel=channel, channel_kind=channel_kind, index=index)

    messages, mistakes = strict_json.each(body, read)
    return Reading(messages=() if mistakes else tuple(messages), mistakes=tuple(mistakes))


def messages_from_body(body: bytes, *, channel: str, channel_kind: str) -> list[Message | DeskEvent]:
    """The messages of a body; raises InvalidPayload whose sentences, one a line, tell every mistake of it."""
    reading = read_body(body, channel=channel, channel_kind=channel_kind)
    if reading.mistakes:
        raise all_of(reading.mistakes)
    return list(reading.messages)


def all_of(mistakes: Sequence[InvalidPayload]) -> InvalidPayload:
    """One error that tells every mistake, one sentence a line; its index and path are the first one's."""
    first = mistakes[0]
    return InvalidPayload("\n".join(mistake.reason for mistake in mistakes), index=first.index, path=first.path)


def message_from_wire(
    wire: Mapping[str, Any], *, channel: str, channel_kind: str, index: int = 0
) -> Message | DeskEvent:
    """One message or event of the wire on this channel. Raises InvalidPayload (index, path, what would be right)."""
    place = Place(index, mail=channel_kind == "email")
    if isinstance(wire, Mapping) and wire.get("event") is not None:
        return _event(place.shaped(wire, _Event), place, channel)
    read = place.shaped(wire, _Wire)
    sender = _sender(read.sender, place)
    text, html = place.text(read.text, "text"), place.text(read.html, "html")
    attachments = _attachments(read.attachments or (), place)
    if not (text or html or attachments):
        place.mistake("text", "is missing; one of text, html and attachments would be right")
    return Message(
        external_id=place.identity(read.id, "id"),
        channel=channel,
        channel_kind=channel_kind,
        sent_at=place.instant(read.sent_at, "sent_at"),
        sender=sender,
        text=text,
        subject=place.text(read.subject, "subject"),
        html=html,
        realm="mail" if place.mail else "",
        thread=place.optional_identity(read.thread, "thread"),
        in_reply_to=place.optional_identity(read.in_reply_to, "in_reply_to"),
        references=_references(read.references or (), place),
        attachments=attachments,
        direction=_direction(read.direction, place),
        automatic=bool(read.automatic),
        edits=place.optional_identity(read.edits, "edits"),
        # nobody vouches for the From of a recorded mail but its own platform
        authenticity=Authenticity.UNKNOWN if place.mail and "email" not in sender.verified else Authenticity.PASS,
        agent=redact(place.text(read.agent, "agent")).text,
        index=index,
    )


def _references(ids: Sequence[str], place: Place) -> tuple[str, ...]:
    read = tuple(place.identity(one, f"references[{n}]") for n, one in enumerate(ids) if one)
    return read if len(read) <= MOST_REFERENCES else read[:KEPT_REFERENCES] + read[-KEPT_REFERENCES:]


def _direction(text: str | None, place: Place) -> Direction:
    try:
        return Direction(text) if text else Direction.IN
    except ValueError:
        place.mistake("direction", "is unknown; in, out or note would be right")


def _sender(read: _Sender, place: Place) -> Sender:
    handle = place.identity(read.handle, "sender.handle")
    given = read.attributes or {}
    attributes = {
        place.identity(name, "sender.attributes"): place.plain(value, f"sender.attributes.{redact(name).text}")
        for name, value in given.items()
        if value is not None
    }
    return Sender(
        handle=handle.lower() if place.mail else handle,
        name=" ".join(place.text(read.name, "sender.name").split()),
        verified=_verified(read.verified, place) if read.verified else {},
        attributes=attributes,
    )


def _verified(read: _Verified, place: Place) -> dict[str, str]:
    """What the platform proved, in one form; an empty value proves nothing and is left out."""
    email, phone, account = (value.strip() if value else "" for value in (read.email, read.phone, read.account))
    found = {
        "email": place.mail_address(email, "sender.verified.email") if email else "",
        "phone": place.phone(phone, "sender.verified.phone") if phone else "",
        "account": place.identity(account, "sender.verified.account") if account else "",
    }
    return {kind: value for kind, value in found.items() if value}


def _attachments(read: Sequence[_Attachment], place: Place) -> tuple[Attachment, ...]:
    if len(read) > attachment.MOST:
        place.mistake("attachments", f"are {len(read)}; at most {attachment.MOST} a message would be right")
    return tuple(_attachment(one, f"attachments[{n}]", place) for n, one in enumerate(read))


def _attachment(read: _Attachment, path: str, place: Place) -> Attachment:
    name, kind = attachment.file_name(read.name or ""), attachment.media_type(read.type or "")
    url = attachment.web_link(read.url or "")
    if read.url and not url:
        place.mistake(f"{path}.url", "is no link; one that begins with https:// would be right")
    if read.content is None:
        if not url:
            place.mistake(path, "has neither url nor content; one of them would be right")
        return Attachment(name=name, type=kind, url=url, size=max(0, min(read.size or 0, 1 << 53)))
    try:
        return attachment.of_bytes(attachment.from_base64(read.content), name, kind, url)
    except attachment.TooLarge:
        place.mistake(f"{path}.content", f"is over {attachment.LARGEST >> 20} MiB; a url would be right")
    except ValueError:
        place.mistake(f"{path}.content", "is no base64; the file's bytes in base64 would be right")


def _event(read: _Event, place: Place, channel: str) -> DeskEvent:
    """What the desk did elsewhere: a status set, or a reply given."""
    event = read.event
    if event == "status" and read.to not in tuple(Status):
        place.mistake("to", f"is no status; {', '.join(Status)} would be right")
    if event == "reply" and not read.text:
        place.mistake("text", "is missing; the words of the reply would be right")
    if event not in ("status", "reply"):
        place.mistake("event", "is unknown; status or reply would be right")
    return DeskEvent(
        channel=channel,
        event="status" if event == "status" else "reply",
        at=place.instant(read.at, "at"),
        conversation_of=place.identity(read.conversation_of, "conversation_of"),
        to=read.to or "" if event == "status" else "",
        text=place.text(read.text, "text"),
        agent=redact(place.text(read.agent, "agent")).text,
        index=place.index,
    )


def message_to_wire(message: Message) -> dict[str, Any]:
    """The wire form of a message; what is empty is left out. `message_from_wire` reads it back."""
    sender = message.sender
    full: dict[str, Any] = {
        "id": message.external_id,
        "sent_at": message.sent_at.isoformat().replace("+00:00", "Z"),
        "sender": {"handle": sender.handle, "name": sender.name, "verified": dict(sender.verified),
                   "attributes": dict(sender.attributes)},
        "text": message.text, "subject": message.subject, "html": message.html, "thread": message.thread,
        "in_reply_to": message.in_reply_to, "references": list(message.references),
        "attachments": [_attachment_to_wire(one) for one in message.attachments],
        "direction": message.direction.value, "automatic": message.automatic, "edits": message.edits,
        "channel": message.channel, "agent": message.agent,
    }  # fmt: skip
    full["sender"] = {key: value for key, value in full["sender"].items() if value}
    return {key: value for key, value in full.items() if value or key == "automatic"}


def _attachment_to_wire(one: Attachment) -> dict[str, Any]:
    content = base64.b64encode(one.content).decode() if one.sha256 else ""
    full = {"name": one.name, "type": one.type, "url": one.url, "size": one.size, "content": content}
    return {key: value for key, value in full.items() if value or (key == "content" and one.sha256)}


def _from_wire(wire: Mapping[str, Any], *, channel: str = "", channel_kind: str = "") -> Message:
    own = wire.get("channel") if isinstance(wire, Mapping) else None
    name = str(own or channel or "chat")
    found = message_from_wire(wire, channel=name, channel_kind=channel_kind or kind_named(name))
    if not isinstance(found, Message):
        raise InvalidPayload("event: this is an event of the desk; a message has id, sent_at and sender")
    return found


Message.from_wire = _from_wire
