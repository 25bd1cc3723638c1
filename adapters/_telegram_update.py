"""What does an update of Telegram's Bot API say, as a message of ours?

In: the JSON of one update, or of an album's (`_telegram_album`). Out: its message, if somebody or something said one.
Pure. An album is the reference `album:ID`, a forum topic `topic:ID`; the thread is always the chat, for message ids are
unique in the chat, not in the topic. An edit has the id `MESSAGE:EDIT_DATE`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from adapters import _telegram_album
from adapters._telegram_form import Chat, Contact, File, Post, Reaction, Update, User, Venue
from router.attachment import file_name, media_type
from router.errors import InvalidPayload
from router.model import Attachment, Message, Sender
from router.ports import Raw

__all__ = ["KIND", "messages_of"]

KIND: Final = "telegram"

#: Fields of what the service tells of a chat (Bot API, "Message"); forum topics and video chats have several.
_NOTICES: Final = frozenset((
    "new_chat_members", "left_chat_member", "new_chat_title", "new_chat_photo", "delete_chat_photo",
    "group_chat_created", "supergroup_chat_created", "channel_chat_created", "message_auto_delete_timer_changed",
    "migrate_to_chat_id", "migrate_from_chat_id", "pinned_message", "connected_website", "write_access_allowed",
    "proximity_alert_triggered", "boost_added", "chat_background_set", "forum_topic_created", "forum_topic_edited",
    "forum_topic_closed", "forum_topic_reopened", "general_forum_topic_hidden", "general_forum_topic_unhidden",
    "giveaway_created", "giveaway_completed", "video_chat_scheduled", "video_chat_started", "video_chat_ended",
    "video_chat_participants_invited",
))  # fmt: skip
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


def messages_of(raw: Raw) -> list[Message]:
    """The message of an update or of an album's; raises only InvalidPayload.

    The button that opens a chat says nothing: none. What the service tells of a chat (joins, pins) is of kind
    `unknown` and automatic. Content that is not known here is `unknown` too, but somebody sent it and waits.
    """
    updates = _telegram_album.updates_of(raw.body)
    found = [message for body in updates for message in _one(body, raw)]
    return found if len(updates) == 1 else [_telegram_album.joined(found)]


def _one(body: bytes, raw: Raw) -> list[Message]:
    try:
        update = msgspec.json.decode(body, type=Update)
        if update.message is not None and _is_button(update.message):
            return []
        return [_message(update, raw)]
    except msgspec.DecodeError as error:
        reason, _, path = str(error).partition(" - at ")
        raise InvalidPayload(f"This is no Telegram update: {reason}.", path=path.strip("`") or None) from error
    except UnicodeDecodeError as error:
        raise InvalidPayload("This is no Telegram update: its text is not UTF-8.") from error
    except (RecursionError, OverflowError, OSError, ValueError) as error:
        raise InvalidPayload("This is no Telegram update: nested too deep, or an impossible date.") from error


def _message(update: Update, raw: Raw) -> Message:
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


def _of_post(post: Post, raw: Raw, edit_of: int) -> Message:
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
        automatic=machine or moving or post.is_automatic_forward or (kind == "unknown" and _by_telegram(raw)),
        edits=number if edit_of else "",
        kind=kind,
    )


def _of_reaction(reaction: Reaction, update_id: int, raw: Raw) -> Message:
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


def _is_button(post: Post) -> bool:
    """Is this the start button's command? With a word behind it, it came by a link and tells more."""
    return post.text.partition("@")[0] == "/start"


def _by_telegram(raw: Raw) -> bool:
    """Does the service speak, and not a person? Looked at only where nothing else was found."""
    told = msgspec.json.decode(raw.body, type=dict[str, Any])
    return any(isinstance(part, dict) and not _NOTICES.isdisjoint(part) for part in told.values())


def _content(post: Post) -> tuple[str, str, tuple[Attachment, ...]]:
    """Kind, words and files of a post. With words it is a `text` whatever comes with it."""
    words = post.text or post.caption
    kind, file = "photo", max(post.photo, key=lambda size: size.file_size, default=None)
    for name in _FILES:
        if file is None:
            kind, file = name, getattr(post, name)
    files = () if file is None else (_attachment(kind, file),)
    if words:
        return "text", words, files
    if file is not None:
        return kind, file.emoji, files
    return *_placed(post), ()


def _placed(post: Post) -> tuple[str, str]:
    """Kind and words of a post that has neither text nor file."""
    if post.location is not None:
        place = f"{post.location.latitude}, {post.location.longitude}"
        venue = post.venue or Venue()
        return "location", "\n".join(line for line in (venue.title, venue.address, place) if line)
    if post.contact is not None:
        name = f"{post.contact.first_name} {post.contact.last_name}".strip()
        return "contact", f"{name} {_e164(post.contact.phone_number)}".strip()
    if post.dice is not None:
        return "dice", post.dice.emoji
    if post.poll is not None:
        return "poll", post.poll.question
    return "unknown", ""


def _attachment(kind: str, file: File) -> Attachment:
    """A file as recorded: by its id, since Telegram's download links contain the token."""
    return Attachment(
        name=file_name(file.file_name or f"{kind}-{file.file_unique_id or file.file_id}"),
        type=media_type(file.mime_type or _TYPES.get(kind, "")),
        url=f"telegram:{_clean(file.file_id)}",
        size=file.file_size,
    )


def _sender(author: User | None, as_chat: Chat | None, chat: Chat, contact: Contact | None = None) -> Sender:
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


def _answered(post: Post) -> str:
    """The id of the message that this one answers; that all messages of a topic "answer" its opening is not counted."""
    answered = post.reply_to_message
    if answered is None or (post.is_topic_message and answered.message_id == post.message_thread_id):
        return ""
    return str(answered.message_id)


def _references(post: Post) -> tuple[str, ...]:
    album = (f"album:{_clean(post.media_group_id)}",) if post.media_group_id else ()
    topic = (f"topic:{post.message_thread_id}",) if post.is_topic_message and post.message_thread_id else ()
    return album + topic


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _e164(phone: str) -> str:
    return "+" + "".join(digit for digit in phone if digit.isascii() and digit.isdigit())


def _clean(text: str) -> str:
    """Without the one character that a database cannot keep."""
    return text.replace("\0", "")
