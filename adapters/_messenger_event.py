"""What does Meta report of a page's private messages? The webhook events of Messenger and Instagram, as messages.

In: a raw with up to 1,000 entries. Out: a message for each thing somebody said, edited, took back or reacted to; an
explicit unknown for what else concerns a person; nothing for delivery and read receipts, which only the raw keeps.
`InvalidPayload` when nothing in it can be read. Echoes of what the page says elsewhere are outgoing (security, R16).
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from router import strict_json
from router.attachment import file_name, web_link
from router.errors import InvalidPayload
from router.fields import storable
from router.model import Attachment, Direction, Message, Sender, Value
from router.ports import Raw

__all__ = ["KIND", "OURS", "messages_of"]

KIND: Final = "messenger"
#: What our own replies carry as metadata; their echo is no news.
OURS: Final = "omnirouter:"
_RECEIPTS: Final = frozenset({"delivery", "read"})
_TYPES: Final = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/mpeg"}
#: Before this a time is no time of a message (Messenger began in 2011).
_EARLIEST: Final = datetime(2011, 1, 1, tzinfo=UTC)


class _Party(msgspec.Struct):
    id: str


class _Place(msgspec.Struct):
    lat: float
    long: float


# "messages" webhook event, image:
# {"mid": "mid.1458696618141:b4ef9d19ec21086067", "attachments": [{"type": "image", "payload": {"url": "<IMAGE_URL>"}}]}
# a sticker has payload.sticker_id, a location payload.coordinates {"lat": 1.2, "long": 3.4}, a shared link a title
class _Content(msgspec.Struct):
    url: str | None = None
    title: str | None = None
    sticker_id: int | str | None = None
    coordinates: _Place | None = None


class _File(msgspec.Struct):
    type: str = "file"
    payload: _Content | None = None


# "messages" webhook event, text:
# {"sender": {"id": "<PSID>"}, "recipient": {"id": "<PAGE_ID>"}, "timestamp": 1458692752478, "message":
#   {"mid": "mid.1457764197618:41d102a3e1ae206a38", "text": "hello, world!", "reply_to": {"mid": "<MESSAGE_ID>"}}}
# "message_echoes": the page is the sender; "is_echo": true, "app_id": 1517776481860111, "metadata": "…"
# Instagram "messages": "is_deleted": true (taken back), "is_unsupported": true
class _Said(msgspec.Struct):
    mid: str | None = None
    text: str | None = None
    attachments: list[_File] | None = None
    reply_to: dict[str, Any] | None = None
    is_echo: bool = False
    is_deleted: bool = False
    metadata: str | None = None


# "message_edits": {"message_edit": {"mid": "m_…", "text": "new text", "num_edit": 1}}
class _Edit(msgspec.Struct):
    mid: str
    text: str = ""
    num_edit: int = 0


# "message_reactions": {"reaction": {"reaction": "love", "emoji": "\u2764", "action": "react", "mid": "<MID>"}}
class _Reaction(msgspec.Struct):
    mid: str
    action: str = "react"
    emoji: str | None = None
    reaction: str | None = None


# "messaging_postbacks": {"postback": {"mid": "m_…", "title": "Get Started", "payload": "<USER_DEFINED_PAYLOAD>"}}
class _Postback(msgspec.Struct):
    mid: str | None = None
    title: str | None = None


class _Item(msgspec.Struct):
    sender: _Party
    recipient: _Party
    timestamp: int = 0
    message: _Said | None = None
    message_edit: _Edit | None = None
    reaction: _Reaction | None = None
    postback: _Postback | None = None


class _Frame(Value, frozen=True, kw_only=True):
    """What an item says around its content."""

    channel: str
    page: str
    at: datetime
    index: int
    digest: str
    user: str = ""
    direction: Direction = Direction.IN

    def message(self, **fields: Any) -> Message:
        return Message(
            channel=self.channel,
            channel_kind=KIND,
            sent_at=self.at,
            sender=Sender(handle=self.user),
            thread=self.user,
            recipients=(self.page,) if self.page else (),
            direction=self.direction,
            index=self.index,
            **fields,
        )


def messages_of(raw: Raw) -> list[Message]:
    """The messages of a raw, in order. Raises InvalidPayload when none of its items can be read."""
    messages: list[Message] = []
    mistakes: list[str] = []
    items = _items(strict_json.load(raw.body).value)
    for index, (page, item) in enumerate(items):
        message, mistake = _message(raw, page, item, index)
        if message is not None:
            messages.append(message)
        if mistake:
            mistakes.append(f"Item {index}: {mistake}.")
    if mistakes and len(mistakes) == len(items):
        raise InvalidPayload(mistakes[0], index=0)
    return messages


def _items(body: Any) -> list[tuple[str, Any]]:
    """(page, item) of every entry: messages, what another app of the page handles, and changes of other kinds."""
    entries = body.get("entry") if isinstance(body, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InvalidPayload("The body has no list `entry`, which every event of Meta has.", path="entry")
    found: list[tuple[str, Any]] = []
    for entry in entries:
        if not isinstance(entry, dict):
            found.append(("", entry))
            continue
        page = entry.get("id")
        lists = (entry.get(key) for key in ("messaging", "standby", "changes"))
        items = [_content(item) for part in lists if isinstance(part, list) for item in part]
        found += [(page if isinstance(page, str) else "", item) for item in items or [entry]]
    return found


def _content(item: Any) -> Any:
    """What a change says of itself: {"field": "messages", "value": {"sender": …}} says it in `value`."""
    value = item.get("value") if isinstance(item, dict) and "field" in item else None
    return value if isinstance(value, dict) else item


def _message(raw: Raw, page: str, item: Any, index: int) -> tuple[Message | None, str]:
    """The message of an item, and what is wrong with it, if anything; a receipt is neither."""
    if isinstance(item, dict) and not _RECEIPTS.isdisjoint(item):
        return None, ""
    digest = hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()
    frame = _Frame(channel=raw.channel, page=storable(page), at=raw.received_at, index=index, digest=digest)
    try:
        read = msgspec.convert(item, _Item)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # the latter of half a character in a name
        return _unreadable(item, frame, str(error))
    outgoing = (read.message is not None and read.message.is_echo) or page == read.sender.id != read.recipient.id
    frame = msgspec.structs.replace(
        frame,
        user=storable(read.recipient.id if outgoing else read.sender.id).strip(),
        at=_instant(read.timestamp, raw.received_at),
        direction=Direction.OUT if outgoing else Direction.IN,
    )
    return _of_kind(read, frame) if frame.user else (None, "it names no person")


def _unreadable(item: Any, frame: _Frame, error: str) -> tuple[Message | None, str]:
    """An explicit unknown where a person is named; a mistake besides where it should have been his message."""
    frame = msgspec.structs.replace(frame, user=storable(_user(item)).strip())
    said = isinstance(item, dict) and "message" in item
    mistake = f"it is no message that can be read ({error})" if said or not frame.user else ""
    return (_unknown(frame, automatic=not said) if frame.user else None), mistake


def _of_kind(read: _Item, frame: _Frame) -> tuple[Message | None, str]:
    if read.message is not None:
        return _said(read.message, frame)
    if read.message_edit is not None and _key(read.message_edit.mid):
        return _edited(read.message_edit, frame), ""
    if read.reaction is not None and _key(read.reaction.mid):
        return _reacted(read.reaction, frame), ""
    if read.postback is not None:
        text = storable(read.postback.title or "")
        key = _key(read.postback.mid) or f"sha256:{frame.digest}"
        return frame.message(external_id=key, text=text, kind="postback"), ""
    return _unknown(frame), ""


def _said(said: _Said, frame: _Frame) -> tuple[Message | None, str]:
    if said.is_echo and (said.metadata or "").startswith(OURS):
        return None, ""
    key = _key(said.mid)
    if said.is_deleted and key:
        return frame.message(external_id=f"{key}:deleted", edits=key, kind="deleted"), ""
    files = said.attachments or []
    text = "\n".join(filter(None, [storable(said.text or ""), *map(_words, files)]))
    attachments = tuple(one for one in map(_attachment, files) if one is not None)
    answered = said.reply_to.get("mid") if said.reply_to else None
    message = frame.message(
        external_id=key or f"sha256:{frame.digest}",
        text=text,
        attachments=attachments,
        in_reply_to=_key(answered) if isinstance(answered, str) else "",
        kind=_kind(said, files),
    )
    return message, "" if key else "the message has no mid, its id; one such as m_… would be right"


def _key(mid: str | None) -> str:
    """The id of a message, empty where it is blank: a blank id would be everybody's."""
    return storable(mid or "").strip()


def _kind(said: _Said, files: list[_File]) -> str:
    if said.text:
        return "text"
    if any(file.payload and file.payload.sticker_id for file in files):
        return "sticker"
    return storable(files[0].type) or "unknown" if files else "unknown"


def _words(file: _File) -> str:
    """What an attachment says in words: a place, the title of a shared link."""
    content = file.payload or _Content()
    if content.coordinates is not None:
        return f"{content.coordinates.lat}, {content.coordinates.long}"
    return storable(content.title or "")


def _attachment(file: _File) -> Attachment | None:
    url = web_link(file.payload.url or "") if file.payload else ""
    if not url:
        return None
    name = file_name(unquote(urlsplit(url).path))
    kind = mimetypes.guess_type(name)[0] or _TYPES.get(file.type, "application/octet-stream")
    return Attachment(name=name if name != "attachment" else file_name(file.type), type=kind, url=url)


def _edited(edit: _Edit, frame: _Frame) -> Message:
    key = _key(edit.mid)
    return frame.message(external_id=f"{key}:edit:{edit.num_edit}", edits=key, text=storable(edit.text))


def _reacted(reaction: _Reaction, frame: _Frame) -> Message:
    key = _key(reaction.mid)
    text = storable(reaction.emoji or reaction.reaction or "") if reaction.action == "react" else ""
    own = f"{key}:reaction:{frame.digest[:16]}"
    return frame.message(external_id=own, in_reply_to=key, text=text, kind="reaction")


def _unknown(frame: _Frame, automatic: bool = True) -> Message:
    """What concerns a person; automatic where it is no message of his: kept and shown, answered by nobody."""
    return frame.message(external_id=f"sha256:{frame.digest}", kind="unknown", automatic=automatic)


def _user(item: Any) -> str:
    """Whom an item that cannot be read may be about."""
    named = [item.get(key) for key in ("sender", "from")] if isinstance(item, dict) else []
    users = [party.get("id") for party in named if isinstance(party, dict)]
    return next((user for user in users if isinstance(user, str)), "")


def _instant(stamp: int, otherwise: datetime) -> datetime:
    """Milliseconds since 1970 (some events: seconds); what is no time of a message gives `otherwise`."""
    try:
        at = datetime.fromtimestamp(stamp / 1000 if stamp > 10**11 else stamp, UTC)
    except (ValueError, OverflowError, OSError):
        return otherwise
    return at if at >= _EARLIEST and at.year < 2200 else otherwise
