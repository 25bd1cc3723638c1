"""Which fields of Telegram's updates are read? (Bot API, "Available types".)

In: the JSON of one update. Out: an `Update` with what a message is made of, or, for the poll, its id and chat alone.
Types are checked while decoding; everything that is not named here stays in the raw.
"""

from __future__ import annotations

import msgspec

from router.errors import InvalidPayload

__all__ = [
    "Callback", "Chat", "Contact", "Entity", "File", "Markup", "Membership", "Origin", "Post", "Reaction", "Update",
    "User", "Venue", "callback_of", "envelope",
]  # fmt: skip

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
    title: str = ""
    performer: str = ""


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


class Worded(Part):
    """An option of a poll, a task of a checklist."""

    text: str = ""


class Poll(Part):
    """A poll."""

    question: str = ""
    options: list[Worded] = []


class Checklist(Part):
    """A list of tasks."""

    title: str = ""
    tasks: list[Worded] = []


class Titled(Part):
    """An invoice or a game."""

    title: str = ""
    description: str = ""
    text: str = ""


class WebApp(Part):
    """What a web app behind a keyboard's button sent."""

    data: str = ""
    button_text: str = ""


class Payment(Part):
    """A payment; the amount is in the smallest units of the currency."""

    currency: str = ""
    total_amount: int = 0
    invoice_payload: str = ""


class Entity(Part):
    """A piece of the text that is more than text; of a `text_link`, where it leads."""

    type: str = ""
    url: str = ""


class Preview(Part):
    """Which link is shown with a message, which need not stand in its text."""

    url: str = ""


class Origin(Part):
    """Who wrote first what is forwarded, or answered from another chat."""

    sender_user: User | None = None
    sender_user_name: str = ""
    sender_chat: Chat | None = None
    chat: Chat | None = None


class Elsewhere(Part):
    """The message of another chat that a post answers."""

    origin: Origin | None = None


class Quote(Part):
    """The part of the answered message that was marked."""

    text: str = ""


class Button(Part):
    """A button under a message."""

    text: str = ""
    url: str = ""
    callback_data: str = ""


class Markup(Part):
    """The buttons under a message, row by row."""

    inline_keyboard: list[list[Button]] = []


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
    checklist: Checklist | None = None
    invoice: Titled | None = None
    game: Titled | None = None
    web_app_data: WebApp | None = None
    successful_payment: Payment | None = None
    refunded_payment: Payment | None = None
    entities: list[Entity] = []
    caption_entities: list[Entity] = []
    link_preview_options: Preview | None = None
    reply_markup: Markup | None = None
    quote: Quote | None = None
    external_reply: Elsewhere | None = None
    forward_origin: Origin | None = None
    migrate_to_chat_id: int = 0
    migrate_from_chat_id: int = 0
    business_connection_id: str = ""
    sender_business_bot: User | None = None
    is_from_offline: bool = False


class Pressed(Part):
    """The message whose button was pressed; of an old one only id and chat are left."""

    chat: Chat
    message_id: int
    reply_markup: Markup | None = None
    business_connection_id: str = ""


class Callback(Part):
    """A button under a message was pressed; a message sent through an inline query is not shown to the bot."""

    id: str
    author: User = msgspec.field(name="from")
    message: Pressed | None = None
    data: str = ""
    game_short_name: str = ""


class Connection(Part):
    """An account connected the bot to its chats, changed that or ended it."""

    id: str
    user: User
    date: int


class Deleted(Part):
    """Messages of a business account's chat were deleted."""

    business_connection_id: str
    chat: Chat
    message_ids: list[int]


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
    callback_query: Callback | None = None
    business_message: Post | None = None
    edited_business_message: Post | None = None
    business_connection: Connection | None = None
    deleted_business_messages: Deleted | None = None


class Where(Part):
    """Whatever has a chat."""

    chat: Chat


class Within(Part):
    """Whatever is about a message that has a chat."""

    message: Where | None = None


class Envelope(Part):
    """An update as far as the poll looks into it: its id, and the chat for the partition."""

    update_id: int
    message: Where | None = None
    edited_message: Where | None = None
    channel_post: Where | None = None
    edited_channel_post: Where | None = None
    message_reaction: Where | None = None
    my_chat_member: Where | None = None
    business_message: Where | None = None
    edited_business_message: Where | None = None
    deleted_business_messages: Where | None = None
    callback_query: Within | None = None


class Press(Part):
    """The id of a press."""

    id: str = ""


class Pressing(Part):
    """An update, as far as it may be the press of a button."""

    callback_query: Press | None = None


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
        where: Where | Within | None = getattr(seen, field)
        where = where.message if isinstance(where, Within) else where
        if where is not None:
            return seen.update_id, str(where.chat.id)
    return seen.update_id, ""


def callback_of(body: bytes) -> str:
    """The id of the press that this update tells of; empty where it tells of something else. Total."""
    try:
        seen = msgspec.json.decode(body, type=Pressing)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return seen.callback_query.id if seen.callback_query else ""


def _id_alone(body: bytes) -> int:
    try:
        return msgspec.json.decode(body, type=Id).update_id
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidPayload("This update has no update_id.", path="$.update_id") from error
