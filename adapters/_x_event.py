"""What does an event of X's direct messages say, as a message of ours?

In: JSON of the lookup (API v2, one event with the users and media it names) or of the Account Activity webhook (any
number of events). Out: messages; both forms of one event give the same message, so a channel may use both. Pure. The
desk's own messages, written in the app, go out; what is no message (typing, reading, likes, posts) gives none.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from router.attachment import file_name, media_type, web_link
from router.errors import InvalidPayload
from router.model import Attachment, Direction, Message, Sender
from router.ports import Raw

__all__ = ["KIND", "instant_of", "messages_of"]

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


class _Event(_Part):
    id: str
    event_type: str = ""
    text: str = ""
    sender_id: str = ""
    dm_conversation_id: str = ""
    created_at: datetime | None = None
    attachments: _Keys | None = None


class _Includes(_Part):
    users: list[_User] = []
    media: list[_Media] = []


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


class _Attached(_Part):
    media: _Picture | None = None


class _Said(_Part):
    text: str = ""
    attachment: _Attached | None = None


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
    data: list[_Event] = []
    includes: _Includes = msgspec.field(default_factory=_Includes)
    for_user_id: str = ""
    direct_message_events: list[_Activity] = []
    users: dict[str, _Person] = {}


def messages_of(raw: Raw) -> list[Message]:
    """The messages of a raw; raises only InvalidPayload. A lookup's raw names the desk's own id as `meta["me"]`."""
    try:
        body = msgspec.json.decode(raw.body, type=_Body)
        found = [_of_event(event, body.includes, raw, index) for index, event in enumerate(body.data)]
        for index, activity in enumerate(body.direct_message_events):
            found.append(_of_activity(activity, body, raw, index))
    except msgspec.DecodeError as error:
        reason, _, path = str(error).partition(" - at ")
        raise InvalidPayload(f"This is no event of X: {reason}.", path=path.strip("`") or None) from error
    except UnicodeDecodeError as error:
        raise InvalidPayload("This is no event of X: its text is not UTF-8.") from error
    except (RecursionError, OverflowError, OSError, ValueError) as error:
        raise InvalidPayload("This is no event of X: nested too deep, or an impossible date.") from error
    return found


def instant_of(event_id: int) -> datetime:
    """When an event was made, by its id."""
    return datetime.fromtimestamp(((event_id >> 22) + _EPOCH) / 1000, UTC)


def _id(written: str) -> str:
    """An event's id, which is a whole number. Raises InvalidPayload for anything else."""
    if not (written.isascii() and written.isdigit() and len(written) <= 20):
        raise InvalidPayload("An event of X has no id, or one that is no whole number.")
    return written


def _of_event(event: _Event, includes: _Includes, raw: Raw, index: int) -> Message:
    user = next((user for user in includes.users if user.id == event.sender_id), _User(id=event.sender_id))
    wanted = event.attachments.media_keys if event.attachments else []
    files = [_file(m.media_key.rpartition("_")[2], m.type, m.url or m.preview_image_url)
             for m in includes.media if m.media_key in wanted]  # fmt: skip
    known = event.event_type in ("MessageCreate", "")
    own = bool(event.sender_id) and event.sender_id == raw.meta.get("me")
    return Message(
        external_id=_id(event.id),
        channel=raw.channel,
        channel_kind=KIND,
        sent_at=event.created_at or raw.received_at,
        sender=_sender(event.sender_id, user.name, user.username),
        text=_plain(event.text),
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
    person = body.users.get(created.sender_id, _Person())
    own = bool(created.sender_id) and created.sender_id == body.for_user_id
    other = created.target.recipient_id or ("" if own else body.for_user_id)
    picture = created.message_data.attachment.media if created.message_data.attachment else None
    stamp = activity.created_timestamp
    return Message(
        external_id=_id(activity.id),
        channel=raw.channel,
        channel_kind=KIND,
        sent_at=datetime.fromtimestamp(int(stamp) / 1000, UTC) if stamp else raw.received_at,
        sender=_sender(created.sender_id, person.name, person.screen_name),
        text=_plain(created.message_data.text),
        thread=_ordered(f"{created.sender_id}-{other}") if other else "",
        attachments=() if picture is None else (_file(picture.id_str, picture.type, picture.media_url_https),),
        direction=Direction.OUT if own else Direction.IN,
        kind="text" if known else "unknown",
        automatic=not known,
        index=index,
    )


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


def _plain(text: str) -> str:
    """The words as typed: X escapes three characters."""
    return text.replace("\0", "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
