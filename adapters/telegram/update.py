"""What does an update of Telegram's Bot API say, as a message of ours?

In: the JSON of one update, or of an album's (`_telegram_album`). Out: its message, if somebody or something said one.
Pure. A pressed button is said by who pressed it. An album is the reference `album:ID`, a forum topic `topic:ID`; the
thread is always the chat, for message ids are unique in the chat, not in the topic. An edit has the id
`MESSAGE:EDIT_DATE`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from adapters.kit import batch
from adapters.telegram import album as telegram_album
from adapters.telegram.form import Callback, Chat, Deleted, File, Post, Reaction, Update, User
from adapters.telegram.words import FILES, e164, pressed, said
from router.model import Attachment, Direction, Message, Sender
from router.ports import Raw, Translation
from router.wire.attachment import file_name, media_type

__all__ = ["BUSINESS", "KIND", "messages_of"]

KIND: Final = "telegram"
#: How the thread of a business account's chat begins: then its connection, a colon and the chat.
BUSINESS: Final = "business:"
#: The start button of a link, with the link's own word: it tells by which link somebody came, and says nothing.
_START: Final = re.compile(r"/start(?:@\w+)? (\S{1,512})")

#: Fields of what the service tells of a chat (Bot API, "Message"); forum topics and video chats have several.
_NOTICES: Final = frozenset((
    "new_chat_members", "left_chat_member", "new_chat_title", "new_chat_photo", "delete_chat_photo",
    "group_chat_created", "supergroup_chat_created", "channel_chat_created", "message_auto_delete_timer_changed",
    "migrate_to_chat_id", "migrate_from_chat_id", "pinned_message", "connected_website", "write_access_allowed",
    "proximity_alert_triggered", "boost_added", "chat_background_set", "forum_topic_created", "forum_topic_edited",
    "forum_topic_closed", "forum_topic_reopened", "general_forum_topic_hidden", "general_forum_topic_unhidden",
    "giveaway_created", "giveaway_completed", "video_chat_scheduled", "video_chat_started", "video_chat_ended",
    "video_chat_participants_invited", "checklist_tasks_done", "checklist_tasks_added", "paid_message_price_changed",
    "direct_message_price_changed", "suggested_post_approved", "suggested_post_approval_failed",
    "suggested_post_declined", "suggested_post_paid", "suggested_post_refunded",
))  # fmt: skip
_TYPES: Final = {
    "photo": "image/jpeg",
    "animation": "video/mp4",
    "video": "video/mp4",
    "video_note": "video/mp4",
    "audio": "audio/mpeg",
    "voice": "audio/ogg",
    "sticker": "image/webp",
}


def messages_of(raw: Raw) -> Translation:
    """The messages of an update or of an album's; raises only InvalidPayload.

    The button that opens a chat says nothing: none. What the service tells of a chat (joins, pins) is of kind
    `unknown` and automatic. Content that is not known here is `unknown` too, but somebody sent it and waits.
    """
    updates = telegram_album.updates_of(raw.body)
    if len(updates) == 1:
        return Translation(_one(updates[0], raw, 0))
    found = batch.each(updates, lambda body, index: next(iter(_one(body, raw, index)), None))
    photos = [photo for photo in found if isinstance(photo, Message)]
    return Translation([telegram_album.joined(photos)], found.mistakes)


def _one(body: bytes, raw: Raw, index: int) -> list[Message]:
    with batch.reading("Telegram update"):
        update = msgspec.json.decode(body, type=Update)
        post = update.message
        if (post is not None and _is_button(post)) or _is_ours(update):
            return []
        if update.deleted_business_messages is not None:
            return _of_deleted(update.deleted_business_messages, raw)
        return [msgspec.structs.replace(_message(update, raw), index=index)]


def _message(update: Update, raw: Raw) -> Message:
    edit = update.edited_message or update.edited_channel_post or update.edited_business_message
    post = update.message or update.channel_post or update.business_message or edit
    if post is not None:
        return _of_post(post, raw, edit_of=update.update_id if edit is post else 0)
    if update.message_reaction is not None:
        return _of_reaction(update.message_reaction, update.update_id, raw)
    if update.callback_query is not None:
        return _of_callback(update.callback_query, raw)
    change, connection = update.my_chat_member, update.business_connection
    sender, thread, at = Sender(handle=KIND), "", raw.received_at
    if change is not None:
        sender, thread, at = _sender(change.author, None, change.chat), str(change.chat.id), _instant(change.date)
    elif connection is not None:
        sender, at = _person(connection.user), _instant(connection.date)
    return Message(
        external_id=f"update-{update.update_id}",
        channel=raw.channel,
        channel_kind=KIND,
        sent_at=at,
        sender=sender,
        thread=thread,
        kind="unknown",
        automatic=True,
    )


def _of_post(post: Post, raw: Raw, edit_of: int) -> Message:
    """The message of a post; `edit_of` is the update's id if it corrects an earlier one, else 0."""
    kind, text, files = _content(post)
    number, connection = str(post.message_id), post.business_connection_id
    own = bool(connection) and post.author is not None and post.author.id != post.chat.id
    machine = post.sender_chat is None and post.author is not None and post.author.is_bot
    moving = bool(edit_of) and kind == "location"
    sender = _sender(None, post.chat, post.chat) if own else _author(post)
    began = None if edit_of else _START.fullmatch(post.text)
    if began is not None:
        sender, text = msgspec.structs.replace(sender, attributes={**sender.attributes, "ref": began[1]}), ""
    return Message(
        external_id=f"{number}:{post.edit_date or edit_of}" if edit_of else number,
        channel=raw.channel,
        channel_kind=KIND,
        sent_at=_instant(post.edit_date if edit_of and post.edit_date else post.date),
        sender=sender,
        text=_clean(text),
        thread=_thread(post.chat, connection),
        moved=str(post.migrate_to_chat_id or post.migrate_from_chat_id or ""),
        in_reply_to=_answered(post),
        references=_references(post),
        attachments=files,
        direction=Direction.OUT if own else Direction.IN,
        automatic=machine or moving or post.is_automatic_forward or post.is_from_offline or began is not None
        or (kind == "unknown" and _by_telegram(raw)),
        edits=number if edit_of else "",
        kind="unknown" if began is not None else kind,
    )  # fmt: skip


def _of_callback(callback: Callback, raw: Raw) -> Message:
    """The press of a button, said by who pressed it; Telegram gives it no time."""
    message = callback.message
    return Message(
        external_id=f"callback-{_clean(callback.id)}",
        channel=raw.channel,
        channel_kind=KIND,
        sent_at=raw.received_at,
        sender=_person(callback.author),
        text=_clean(pressed(callback)),
        thread="" if message is None else _thread(message.chat, message.business_connection_id),
        in_reply_to="" if message is None else str(message.message_id),
        kind="postback",
    )


def _of_deleted(deleted: Deleted, raw: Raw) -> list[Message]:
    """What was taken back in a business account's chat, one message each."""
    return [
        Message(
            external_id=f"{number}:deleted",
            channel=raw.channel,
            channel_kind=KIND,
            sent_at=raw.received_at,
            sender=_sender(None, deleted.chat, deleted.chat),
            thread=_thread(deleted.chat, deleted.business_connection_id),
            edits=str(number),
            kind="deleted",
            automatic=True,
            index=index,
        )
        for index, number in enumerate(deleted.message_ids)
    ]


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
    """Is this the start button's command? With a word behind it, it came by a link and tells by which."""
    return post.text.partition("@")[0] == "/start"


def _is_ours(update: Update) -> bool:
    """Is this our own answer, told by Telegram in the chat of the business account that the bot speaks for?"""
    post = update.business_message or update.edited_business_message
    return post is not None and post.sender_business_bot is not None


def _thread(chat: Chat, connection: str) -> str:
    """The chat; that of a business account is another one than the bot's own, though it has the same id."""
    return f"{BUSINESS}{_clean(connection)}:{chat.id}" if connection else str(chat.id)


def _by_telegram(raw: Raw) -> bool:
    """Does the service speak, and not a person? Looked at only where nothing else was found."""
    told = msgspec.json.decode(raw.body, type=dict[str, Any])
    return any(isinstance(part, dict) and not _NOTICES.isdisjoint(part) for part in told.values())


def _content(post: Post) -> tuple[str, str, tuple[Attachment, ...]]:
    """Kind, words and files of a post."""
    kind, file = "photo", max(post.photo, key=lambda size: size.file_size, default=None)
    for name in FILES:
        if file is None:
            kind, file = name, getattr(post, name)
    return *said(post, kind, file), () if file is None else (_attachment(kind, file),)


def _attachment(kind: str, file: File) -> Attachment:
    """A file as recorded: by its id, since Telegram's download links contain the token."""
    return Attachment(
        name=file_name(file.file_name or f"{kind}-{file.file_unique_id or file.file_id}"),
        type=media_type(file.mime_type or _TYPES.get(kind, "")),
        url=f"telegram:{_clean(file.file_id)}",
        size=file.file_size,
    )


def _author(post: Post) -> Sender:
    """Who wrote a post. A phone number is proved only by the sender's own contact card, which Telegram ties to his
    account."""
    sender, contact = _sender(post.author, post.sender_chat, post.chat), post.contact
    own = contact is not None and contact.user_id != 0 and str(contact.user_id) == sender.handle
    if not own or contact is None or post.author is None:
        return sender
    return msgspec.structs.replace(sender, verified={"phone": e164(contact.phone_number)})


def _sender(author: User | None, as_chat: Chat | None, chat: Chat) -> Sender:
    """The user, or the channel or group that speaks for itself."""
    if author is None or as_chat is not None:
        group = as_chat or chat
        return Sender(handle=str(group.id), name=_clean(group.title or group.first_name or group.username))
    return _person(author)


def _person(author: User) -> Sender:
    attributes = {"username": author.username, "locale": author.language_code}
    return Sender(
        handle=str(author.id),
        name=_clean(f"{author.first_name} {author.last_name}".strip() or author.username),
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


def _clean(text: str) -> str:
    """Without the one character that a database cannot keep."""
    return text.replace("\0", "")
