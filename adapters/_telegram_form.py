"""Which fields of Telegram's updates are read? (Bot API, "Available types".)

In: the JSON of one update. Out: an `Update` with what a message is made of, or, for the poll, its id and chat alone.
Types are checked while decoding; everything that is not named here stays in the raw.
"""

from __future__ import annotations

import msgspec

from router.errors import InvalidPayload

__all__ = ["Chat", "Contact", "File", "Membership", "Post", "Reaction", "Update", "User", "Venue", "envelope"]

# The documentation's example:
#
# {"update_id": 10000, "message": {"date": 1441645532, "chat": {"last_name": "Test Lastname", "id": 1111111,
#  "type": "private", "first_name": "Test Firstname", "username": "Testusername"}, "message_id": 1365,
#  "from": {"last_name": "Test Lastname", "id": 1111111, "first_name": "Test Firstname"}, "text": "/start"}}


class Part(msgspec.Struct):
    """A piece of what Telegram sends."""


class User(Part):
    """A person or a bot."""

    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str = ""
    language_code: str = ""


class Chat(Part):
    """A private chat, a group or a channel."""

    id: int
    title: str = ""
    first_name: str = ""
    username: str = ""


class File(Part):
    """A file of any kind; of a photo, one of its sizes."""

    file_id: str
    file_unique_id: str = ""
    file_name: str = ""
    mime_type: str = ""
    file_size: int = 0
    emoji: str = ""


class Contact(Part):
    """A contact card; `user_id` is the account that Telegram ties to the number."""

    phone_number: str
    first_name: str = ""
    last_name: str = ""
    user_id: int = 0


class Location(Part):
    """A place on the map."""

    latitude: float
    longitude: float


class Venue(Part):
    """The name of a place."""

    title: str = ""
    address: str = ""


class Dice(Part):
    """A thrown die."""

    emoji: str = ""


class Poll(Part):
    """A poll."""

    question: str = ""


class Answered(Part):
    """The message that another one answers."""

    message_id: int


class Post(Part):
    """A message, an edit or a channel's post."""

    message_id: int
    date: int
    chat: Chat
    author: User | None = msgspec.field(name="from", default=None)
    sender_chat: Chat | None = None
    edit_date: int = 0
    text: str = ""
    caption: str = ""
    media_group_id: str = ""
    message_thread_id: int = 0
    is_topic_message: bool = False
    is_automatic_forward: bool = False
    reply_to_message: Answered | None = None
    photo: list[File] = []
    animation: File | None = None
    document: File | None = None
    video: File | None = None
    video_note: File | None = None
    audio: File | None = None
    voice: File | None = None
    sticker: File | None = None
    contact: Contact | None = None
    location: Location | None = None
    venue: Venue | None = None
    dice: Dice | None = None
    poll: Poll | None = None


class ReactionType(Part):
    """One reaction; a custom one has no emoji."""

    emoji: str = ""


class Reaction(Part):
    """Which reactions somebody has on a message now."""

    chat: Chat
    message_id: int
    date: int
    user: User | None = None
    actor_chat: Chat | None = None
    new_reaction: list[ReactionType] = []


class Membership(Part):
    """The bot was added, removed, blocked or allowed again."""

    chat: Chat
    date: int
    author: User | None = msgspec.field(name="from", default=None)


class Update(Part):
    """One update: exactly one of its fields is there."""

    update_id: int
    message: Post | None = None
    edited_message: Post | None = None
    channel_post: Post | None = None
    edited_channel_post: Post | None = None
    message_reaction: Reaction | None = None
    my_chat_member: Membership | None = None


class Where(Part):
    """Whatever has a chat."""

    chat: Chat


class Envelope(Part):
    """An update as far as the poll looks into it: its id, and the chat for the partition."""

    update_id: int
    message: Where | None = None
    edited_message: Where | None = None
    channel_post: Where | None = None
    edited_channel_post: Where | None = None
    message_reaction: Where | None = None
    my_chat_member: Where | None = None


class Id(Part):
    """An update of which nothing but the id can be read."""

    update_id: int


def envelope(body: bytes) -> tuple[int, str]:
    """Update id and chat id of an update; the chat is empty where it is not found. Raises InvalidPayload without id."""
    try:
        seen = msgspec.json.decode(body, type=Envelope)
    except (msgspec.DecodeError, RecursionError):
        return _id_alone(body), ""
    for field in Envelope.__struct_fields__[1:]:
        where: Where | None = getattr(seen, field)
        if where is not None:
            return seen.update_id, str(where.chat.id)
    return seen.update_id, ""


def _id_alone(body: bytes) -> int:
    try:
        return msgspec.json.decode(body, type=Id).update_id
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidPayload("This update has no update_id.", path="$.update_id") from error
