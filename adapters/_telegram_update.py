"""What does an update of Telegram's Bot API say, as a message of ours?

In: the JSON of one update. Out: one `Message`, or its id and chat alone for the poll. Pure.

The photos of an album are separate messages, one of them with the caption; they carry one reference `album:ID`, by
which they are joined when read. A forum topic is the reference `topic:ID`; the thread is always the chat, for message
ids are unique in the chat, not in the topic. An edit has the id `MESSAGE:EDIT_DATE`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from router.attachment import file_name, media_type
from router.errors import InvalidPayload
from router.model import Attachment, Message, Sender
from router.ports import Raw

__all__ = ["KIND", "envelope", "message_of"]

KIND: Final = "telegram"

# ── What Telegram sends (Bot API, "Available types"); what is not read stays in the raw ──────────────────────────────
#
# {"update_id": 10000, "message": {"date": 1441645532, "chat": {"last_name": "Test Lastname", "id": 1111111,
#  "type": "private", "first_name": "Test Firstname", "username": "Testusername"}, "message_id": 1365,
#  "from": {"last_name": "Test Lastname", "id": 1111111, "first_name": "Test Firstname"}, "text": "/start"}}


class _Part(msgspec.Struct):
    """A piece of what Telegram sends."""


class _User(_Part):
    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str = ""
    language_code: str = ""


class _Chat(_Part):
    id: int
    title: str = ""
    first_name: str = ""
    username: str = ""


class _File(_Part):
    file_id: str
    file_unique_id: str = ""
    file_name: str = ""
    mime_type: str = ""
    file_size: int = 0
    emoji: str = ""


class _Contact(_Part):
    phone_number: str
    first_name: str = ""
    last_name: str = ""
    user_id: int = 0


class _Location(_Part):
    latitude: float
    longitude: float


class _Venue(_Part):
    title: str = ""
    address: str = ""


class _Dice(_Part):
    emoji: str = ""


class _Poll(_Part):
    question: str = ""


class _Answered(_Part):
    message_id: int


class _Post(_Part):
    message_id: int
    date: int
    chat: _Chat
    author: _User | None = msgspec.field(name="from", default=None)
    sender_chat: _Chat | None = None
    edit_date: int = 0
    text: str = ""
    caption: str = ""
    media_group_id: str = ""
    message_thread_id: int = 0
    is_topic_message: bool = False
    is_automatic_forward: bool = False
    reply_to_message: _Answered | None = None
    photo: list[_File] = []
    animation: _File | None = None
    document: _File | None = None
    video: _File | None = None
    video_note: _File | None = None
    audio: _File | None = None
    voice: _File | None = None
    sticker: _File | None = None
    contact: _Contact | None = None
    location: _Location | None = None
    venue: _Venue | None = None
    dice: _Dice | None = None
    poll: _Poll | None = None


class _ReactionType(_Part):
    emoji: str = ""


class _Reaction(_Part):
    chat: _Chat
    message_id: int
    date: int
    user: _User | None = None
    actor_chat: _Chat | None = None
    new_reaction: list[_ReactionType] = []


class _Membership(_Part):
    chat: _Chat
    date: int
    author: _User | None = msgspec.field(name="from", default=None)


class _Update(_Part):
    update_id: int
    message: _Post | None = None
    edited_message: _Post | None = None
    channel_post: _Post | None = None
    edited_channel_post: _Post | None = None
    message_reaction: _Reaction | None = None
    my_chat_member: _Membership | None = None


class _Where(_Part):
    chat: _Chat


class _Envelope(_Part):
    """An update as far as the poll looks into it: its id, and the chat for the partition."""

    update_id: int
    message: _Where | None = None
    edited_message: _Where | None = None
    channel_post: _Where | None = None
    edited_channel_post: _Where | None = None
    message_reaction: _Where | None = None
    my_chat_member: _Where | None = None


class _Id(_Part):
    update_id: int


#: Files by the kind of message they make. An animation comes as a document too, so it stands before it.
_FILES: Final = ("animation", "video", "video_note", "audio", "voice", "sticker", "document")
_TYPES: Final = {
    "photo": "image/jpeg",
    "animation": "video/mp4",
    "video": "video/mp4",
    "video_note": "video/mp4",
    "audio": "audio/mpeg",
    "voice": "audio/ogg",
    "sticker": "image/webp",
}


def message_of(raw: Raw) -> Message:
    """The message of an update; raises only InvalidPayload.

    What has no words, file, place or contact is of kind `unknown` and automatic, so it opens no conversation.
    """
    try:
        return _message(msgspec.json.decode(raw.body, type=_Update), raw)
    except msgspec.DecodeError as error:
        reason, _, path = str(error).partition(" - at ")
        raise InvalidPayload(f"This is no Telegram update: {reason}.", path=path.strip("`") or None) from error
    except UnicodeDecodeError as error:
        raise InvalidPayload("This is no Telegram update: its text is not UTF-8.") from error
    except (RecursionError, OverflowError, OSError, ValueError) as error:
        raise InvalidPayload("This is no Telegram update: nested too deep, or an impossible date.") from error


def _message(update: _Update, raw: Raw) -> Message:
    edit = update.edited_message or update.edited_channel_post
    post = update.message or update.channel_post or edit
    if post is not None:
        return _of_post(post, raw, edit_of=update.update_id if edit is post else 0)
    if update.message_reaction is not None:
        return _of_reaction(update.message_reaction, update.update_id, raw)
    change = update.my_chat_member
    return Message(
        external_id=f"update-{update.update_id}",
        channel=raw.channel,
        channel_kind=KIND,
        sent_at=raw.received_at if change is None else _instant(change.date),
        sender=Sender(handle=KIND) if change is None else _sender(change.author, None, change.chat),
        thread="" if change is None else str(change.chat.id),
        kind="unknown",
        automatic=True,
    )


def _of_post(post: _Post, raw: Raw, edit_of: int) -> Message:
    """The message of a post; `edit_of` is the update's id if it corrects an earlier one, else 0."""
    kind, text, files = _content(post)
    number = str(post.message_id)
    machine = post.sender_chat is None and post.author is not None and post.author.is_bot
    moving = bool(edit_of) and kind == "location"
    return Message(
        external_id=f"{number}:{post.edit_date or edit_of}" if edit_of else number,
        channel=raw.channel,
        channel_kind=KIND,
        sent_at=_instant(post.edit_date if edit_of and post.edit_date else post.date),
        sender=_sender(post.author, post.sender_chat, post.chat, post.contact),
        text=_clean(text),
        thread=str(post.chat.id),
        in_reply_to=_answered(post),
        references=_references(post),
        attachments=files,
        automatic=machine or moving or post.is_automatic_forward or kind in ("unknown", "start"),
        edits=number if edit_of else "",
        kind=kind,
    )


def _of_reaction(reaction: _Reaction, update_id: int, raw: Raw) -> Message:
    """A reaction as its emoji; taking it back says nothing, so that is automatic."""
    return Message(
        external_id=f"reaction-{update_id}",
        channel=raw.channel,
        channel_kind=KIND,
        sent_at=_instant(reaction.date),
        sender=_sender(reaction.user, reaction.actor_chat, reaction.chat),
        text=_clean("".join(one.emoji for one in reaction.new_reaction)),
        thread=str(reaction.chat.id),
        in_reply_to=str(reaction.message_id),
        kind="reaction",
        automatic=not reaction.new_reaction,
    )


# ── pieces of a message ──────────────────────────────────────────────────────────────────────────────────────────────


def _content(post: _Post) -> tuple[str, str, tuple[Attachment, ...]]:
    """Kind, words and files of a post. With words it is a `text` whatever comes with it."""
    words = post.text or post.caption
    kind, file = "photo", max(post.photo, key=lambda size: size.file_size, default=None)
    for name in _FILES:
        if file is None:
            kind, file = name, getattr(post, name)
    files = () if file is None else (_attachment(kind, file),)
    if words.partition("@")[0] == "/start" and file is None:
        return "start", words, ()  # the button that opens a chat; nobody wrote it
    if words:
        return "text", words, files
    if file is not None:
        return kind, file.emoji, files
    return *_placed(post), ()


def _placed(post: _Post) -> tuple[str, str]:
    """Kind and words of a post that has neither text nor file."""
    if post.location is not None:
        place = f"{post.location.latitude}, {post.location.longitude}"
        venue = post.venue or _Venue()
        return "location", "\n".join(line for line in (venue.title, venue.address, place) if line)
    if post.contact is not None:
        name = f"{post.contact.first_name} {post.contact.last_name}".strip()
        return "contact", f"{name} {_e164(post.contact.phone_number)}".strip()
    if post.dice is not None:
        return "dice", post.dice.emoji
    if post.poll is not None:
        return "poll", post.poll.question
    return "unknown", ""


def _attachment(kind: str, file: _File) -> Attachment:
    """A file as recorded: by its id, since Telegram's download links contain the token."""
    return Attachment(
        name=file_name(file.file_name or f"{kind}-{file.file_unique_id or file.file_id}"),
        type=media_type(file.mime_type or _TYPES.get(kind, "")),
        url=f"telegram:{_clean(file.file_id)}",
        size=file.file_size,
    )


def _sender(author: _User | None, as_chat: _Chat | None, chat: _Chat, contact: _Contact | None = None) -> Sender:
    """Who wrote: the user, or the channel or group that speaks for itself.

    A phone number is proved only by the sender's own contact card, which Telegram ties to his account.
    """
    if author is None or as_chat is not None:
        group = as_chat or chat
        return Sender(handle=str(group.id), name=_clean(group.title or group.first_name or group.username))
    own = contact is not None and contact.user_id == author.id
    attributes = {"username": author.username, "locale": author.language_code}
    return Sender(
        handle=str(author.id),
        name=_clean(f"{author.first_name} {author.last_name}".strip() or author.username),
        verified={"phone": _e164(contact.phone_number)} if own and contact is not None else {},
        attributes={key: _clean(value) for key, value in attributes.items() if value},
    )


def _answered(post: _Post) -> str:
    """The id of the message that this one answers; that all messages of a topic "answer" its opening is not counted."""
    answered = post.reply_to_message
    if answered is None or (post.is_topic_message and answered.message_id == post.message_thread_id):
        return ""
    return str(answered.message_id)


def _references(post: _Post) -> tuple[str, ...]:
    album = (f"album:{_clean(post.media_group_id)}",) if post.media_group_id else ()
    topic = (f"topic:{post.message_thread_id}",) if post.is_topic_message and post.message_thread_id else ()
    return album + topic


def envelope(body: bytes) -> tuple[int, str]:
    """Update id and chat id of an update; the chat is empty where it is not found. Raises InvalidPayload without id."""
    try:
        seen = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.DecodeError, RecursionError):
        return _id_alone(body), ""
    for field in _Envelope.__struct_fields__[1:]:
        where: _Where | None = getattr(seen, field)
        if where is not None:
            return seen.update_id, str(where.chat.id)
    return seen.update_id, ""


def _id_alone(body: bytes) -> int:
    try:
        return msgspec.json.decode(body, type=_Id).update_id
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidPayload("This update has no update_id.", path="$.update_id") from error


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _e164(phone: str) -> str:
    return "+" + "".join(digit for digit in phone if digit.isascii() and digit.isdigit())


def _clean(text: str) -> str:
    """Without the one character that a database cannot keep."""
    return text.replace("\0", "")
