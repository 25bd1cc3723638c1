"""What does an event of X's direct messages say, as a message of ours?

In: JSON of the lookup (API v2, one event with the users and media it names) or of the Account Activity webhook (any
number of events). Out: messages; both forms of one event give the same message, so a channel may use both. Pure. The
desk's own messages, written in the app, go out; what is no message (typing, reading, likes, posts) gives none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from adapters.kit import batch
from router.errors import InvalidPayload
from router.model import Attachment, Direction, Message, Sender
from router.ports import Raw, Translation
from router.wire.attachment import file_name, media_type, web_link

__all__ = ["KIND", "instant_of", "messages_of"]

_T = TypeVar("_T")

KIND: Final = "x"
#: The first millisecond of X's ids: they hold their time above bit 22.
_EPOCH: Final = 1288834974657
_TYPES: Final = {"photo": "image/jpeg", "video": "video/mp4", "animated_gif": "video/mp4"}


class _Part(msgspec.Struct):
    """A piece of what X sends."""


# ── the lookup (docs.x.com, "Direct Messages lookup", "Integration guide") ───────────────────────────────────────────
#
# {"id": "1582838499983564806", "event_type": "MessageCreate", "text": "Hi everyone.", "sender_id": "944480690",
#  "dm_conversation_id": "1578398451921985538", "created_at": "2022-10-19T20:58:00.000Z"}


class _Media(_Part):
    media_key: str
    type: str = ""
    url: str = ""
    preview_image_url: str = ""


class _Keys(_Part):
    media_keys: list[str] = []


class _User(_Part):
    id: str
    name: str = ""
    username: str = ""


# a link in the text: {"start": 9, "end": 32, "url": "https://t.co/RzmrQ6wAzD", "expanded_url": "https://…"}
class _Link(_Part):
    url: str = ""
    expanded_url: str = ""


class _Entities(_Part):
    urls: list[_Link] = []


class _Event(_Part):
    id: str
    event_type: str = ""
    text: str = ""
    sender_id: str = ""
    dm_conversation_id: str = ""
    created_at: datetime | None = None
    attachments: _Keys | None = None
    entities: _Entities = msgspec.field(default_factory=_Entities)


class _Includes(_Part):
    users: list[msgspec.Raw] = []
    media: list[msgspec.Raw] = []


# ── the webhook (developer.x.com, "Account Activity data objects", "Message Create Object") ──────────────────────────
#
# {"for_user_id": "4337869213", "direct_message_events": [{"type": "message_create", "id": "954491830116155396",
#  "created_timestamp": "1516403560557", "message_create": {"target": {"recipient_id": "4337869213"},
#  "sender_id": "3001969357", "source_app_id": "13090192", "message_data": {"text": "Hello World!", "entities": {}}}}],
#  "users": {"3001969357": {"id": "3001969357", "name": "Jordan Brinks", "screen_name": "furiouscamper"}}}


class _Target(_Part):
    recipient_id: str = ""


class _Picture(_Part):
    id_str: str = ""
    type: str = ""
    media_url_https: str = ""


# a place: {"shared_coordinate": {"coordinates": {"type": "Point", "coordinates": [-128, 37]}}}
# or {"shared_place": {"place": {"id": "…", "full_name": "San Francisco, CA", "name": "…"}}}
class _Attached(_Part):
    media: _Picture | None = None
    location: dict[str, Any] | None = None


class _QuickReply(_Part):
    type: str = ""


class _Said(_Part):
    text: str = ""
    attachment: _Attached | None = None
    entities: _Entities = msgspec.field(default_factory=_Entities)
    quick_reply_response: _QuickReply | None = None


class _Created(_Part):
    sender_id: str
    target: _Target = msgspec.field(default_factory=_Target)
    message_data: _Said = msgspec.field(default_factory=_Said)


class _Activity(_Part):
    id: str
    type: str = ""
    created_timestamp: str = ""
    message_create: _Created | None = None


class _Person(_Part):
    name: str = ""
    screen_name: str = ""


class _Body(_Part):
    data: list[msgspec.Raw] = []
    includes: _Includes = msgspec.field(default_factory=_Includes)
    for_user_id: str | int = ""
    direct_message_events: list[msgspec.Raw] = []
    users: dict[str, msgspec.Raw] = {}


_EVENT: Final = "event of X"


def messages_of(raw: Raw) -> Translation:
    """The messages of a raw; raises only InvalidPayload. A lookup's raw names the desk's own id as `meta["me"]`."""
    with batch.reading(_EVENT):
        body = msgspec.json.decode(raw.body, type=_Body)
    looked_up = len(body.data)

    def read(event: msgspec.Raw, index: int) -> Message:
        with batch.reading(_EVENT):
            if index < looked_up:
                return _of_event(msgspec.json.decode(event, type=_Event), body.includes, raw, index)
            return _of_activity(msgspec.json.decode(event, type=_Activity), body, raw, index)

    return batch.each([*body.data, *body.direct_message_events], read)


def instant_of(event_id: int) -> datetime:
    """When an event was made, by its id."""
    return datetime.fromtimestamp(((event_id >> 22) + _EPOCH) / 1000, UTC)


def _id(written: str) -> str:
    """An event's id, which is a whole number. Raises InvalidPayload for anything else."""
    if not (written.isascii() and written.isdigit() and len(written) <= 20):
        raise InvalidPayload("An event of X has no id, or one that is no whole number.")
    return written


def _of_event(event: _Event, includes: _Includes, raw: Raw, index: int) -> Message:
    users = _readable(includes.users, _User)
    user = next((user for user in users if user.id == event.sender_id), _User(id=event.sender_id))
    wanted = event.attachments.media_keys if event.attachments else []
    files = [_file(m.media_key.rpartition("_")[2], m.type, m.url or m.preview_image_url)
             for m in _readable(includes.media, _Media) if m.media_key in wanted]  # fmt: skip
    known = event.event_type in ("MessageCreate", "")
    own = bool(event.sender_id) and event.sender_id == raw.meta.get("me")
    return Message(
        external_id=_id(event.id),
        channel=raw.channel,
        channel_kind=KIND,
        sent_at=event.created_at or raw.received_at,
        sender=_sender(event.sender_id, user.name, user.username),
        text=_words(event.text, event.entities.urls),
        thread=_ordered(event.dm_conversation_id),
        attachments=tuple(files),
        direction=Direction.OUT if own else Direction.IN,
        kind="text" if known else "unknown",
        automatic=not known,
        index=index,
    )


def _of_activity(activity: _Activity, body: _Body, raw: Raw, index: int) -> Message:
    created = activity.message_create
    known = activity.type == "message_create" and created is not None
    created = created or _Created(sender_id="")
    person, said = _person(body, created.sender_id), created.message_data
    me = str(body.for_user_id)
    own = bool(created.sender_id) and created.sender_id == me
    other = created.target.recipient_id or ("" if own else me)
    attached = said.attachment or _Attached()
    picture = attached.media
    stamp = activity.created_timestamp
    return Message(
        external_id=_id(activity.id),
        channel=raw.channel,
        channel_kind=KIND,
        sent_at=datetime.fromtimestamp(int(stamp) / 1000, UTC) if stamp else raw.received_at,
        sender=_sender(created.sender_id, person.name, person.screen_name),
        text="\n".join(filter(None, [_words(said.text, said.entities.urls), _place(attached.location or {})])),
        thread=_ordered(f"{created.sender_id}-{other}") if other else "",
        attachments=() if picture is None else (_file(picture.id_str, picture.type, picture.media_url_https),),
        direction=Direction.OUT if own else Direction.IN,
        kind=("postback" if said.quick_reply_response else "text") if known else "unknown",
        automatic=not known,
        index=index,
    )


def _person(body: _Body, number: str) -> _Person:
    """What the webhook tells of a user beside the events."""
    return next(iter(_readable([body.users[number]] if number in body.users else [], _Person)), _Person())


def _readable(told: Sequence[msgspec.Raw], type_: type[_T]) -> list[_T]:
    """What is told beside the events, as far as it can be read: an odd one takes no event down."""
    found = []
    for one in told:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found.append(msgspec.json.decode(one, type=type_))
    return found


def _sender(number: str, name: str, username: str) -> Sender:
    username = username.replace("\0", "")
    return Sender(
        handle=number.replace("\0", "").strip() or KIND,
        name=name.replace("\0", "") or username,
        attributes={"username": username} if username else {},
    )


def _file(number: str, kind: str, url: str) -> Attachment:
    """A picture or video as recorded, not fetched: X shows it to the two who talk only."""
    return Attachment(
        name=file_name(f"{kind or 'media'}-{number}"), type=media_type(_TYPES.get(kind, "")), url=web_link(url)
    )


def _ordered(conversation: str) -> str:
    """The id of a conversation; of two people, the smaller number first, as X's documentation has it."""
    conversation = conversation.replace("\0", "").strip()
    one, dash, other = conversation.partition("-")
    if dash and one.isdecimal() and other.isdecimal() and int(one) > int(other):
        return f"{other}-{one}"
    return conversation


def _words(text: str, links: Sequence[_Link]) -> str:
    """The words as typed: X shortens each link and escapes three characters. That of a picture stays as it is, since
    the lookup and the webhook name it differently."""
    for link in links:
        whole = link.expanded_url.replace("://twitter.com/", "://x.com/")
        if link.url and whole and not whole.startswith(("https://x.com/messages/", "https://ton.x.com/")):
            text = text.replace(link.url, whole)
    return text.replace("\0", "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _place(location: dict[str, Any]) -> str:
    """The name of a shared place, or its coordinates, latitude first."""
    shared, place = _inner(location, "shared_coordinate", "coordinates"), _inner(location, "shared_place", "place")
    point = shared.get("coordinates")
    name = place.get("full_name") or place.get("name")
    if isinstance(name, str):
        return name.replace("\0", "")
    return f"{point[1]}, {point[0]}" if isinstance(point, list) and len(point) == 2 else ""


def _inner(value: dict[str, Any], *path: str) -> dict[str, Any]:
    for name in path:
        inner = value.get(name)
        value = inner if isinstance(inner, dict) else {}
    return value
