"""What does Meta report of a page's private messages? The webhook events of Messenger and Instagram, as messages.

In: a raw with up to 1,000 entries. Out: a message for each thing somebody said, edited, took back or reacted to; an
explicit unknown for what else concerns a person (comments, opt-ins, handovers …) and for what is another page's;
nothing for delivery and read receipts, which only the raw keeps. What cannot be read is a mistake with its index; an
edit that is announced without its content is to be fetched. Numbers come as numbers or as text, in Meta's own tests
too. Echoes of what the page says elsewhere are outgoing (security, R16).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import msgspec

from adapters.kit import batch
from adapters.messenger.content import File, attachment_of, form_of, kind_of, words_of
from router.errors import InvalidPayload
from router.model import Direction, Message, Sender
from router.ports import Announced, Raw, Translation
from router.value import Value
from router.wire import strict_json
from router.wire.fields import storable

__all__ = ["EDIT", "KIND", "OURS", "messages_of", "page_of"]

KIND: Final = "messenger"
#: What our own replies carry as metadata; their echo is no news.
OURS: Final = "omnirouter:"
#: Between the id of a message and the number of its edit.
EDIT: Final = ":edit:"
_RECEIPTS: Final = frozenset({"delivery", "read"})
#: The id of the page in the events of the test button of Meta's developer pages.
_SAMPLE: Final = "0"
#: Before this a time is no time of a message (Messenger began in 2011).
_EARLIEST: Final = datetime(2011, 1, 1, tzinfo=UTC)
_Id: TypeAlias = int | str


class _Party(msgspec.Struct):
    id: _Id


# "messaging_referrals": {"referral": {"ref": "<REF>", "source": "SHORTLINK", "type": "OPEN_THREAD"}}; also in a message
# or postback that came by such a link
class _Referral(msgspec.Struct):
    ref: str | None = None


class _QuickReply(msgspec.Struct):
    payload: str | None = None


# "messages" webhook event, text:
# {"sender": {"id": "<PSID>"}, "recipient": {"id": "<PAGE_ID>"}, "timestamp": 1458692752478, "message":
#   {"mid": "mid.1457764197618:41d102a3e1ae206a38", "text": "hello, world!", "reply_to": {"mid": "<MESSAGE_ID>"}}}
# "message_echoes": the page is the sender; "is_echo": true, "app_id": 1517776481860111, "metadata": "…"
# Instagram "messages": "is_deleted": true (taken back), "is_unsupported": true, "reply_to": {"story": {"url": "…"}}
class _Said(msgspec.Struct):
    mid: _Id | None = None
    text: str | None = None
    attachments: list[File] | None = None
    reply_to: dict[str, Any] | None = None
    quick_reply: _QuickReply | None = None
    referral: _Referral | None = None
    is_echo: bool = False
    is_deleted: bool = False
    metadata: str | None = None


# "message_edits": {"message_edit": {"mid": "m_…", "text": "new text", "num_edit": 1}}; Instagram announces some without
# text and sender, as number 0 even what is no edit
class _Edit(msgspec.Struct):
    mid: _Id
    text: str | None = None
    num_edit: _Id = 0


# "message_reactions": {"reaction": {"reaction": "love", "emoji": "\u2764", "action": "react", "mid": "<MID>"}}
class _Reaction(msgspec.Struct):
    mid: _Id
    action: str = "react"
    emoji: str | None = None
    reaction: str | None = None


# "messaging_postbacks": {"postback": {"mid": "m_…", "title": "Get Started", "payload": "<USER_DEFINED_PAYLOAD>"}}
class _Postback(msgspec.Struct):
    mid: _Id | None = None
    title: str | None = None
    payload: str | None = None
    referral: _Referral | None = None


# "messaging_handovers": {"pass_thread_control": {"new_owner_app_id": "123", "metadata": "…"}}, also take_thread_control
# and request_thread_control
class _Handover(msgspec.Struct):
    metadata: str | None = None


class _Item(msgspec.Struct):
    sender: _Party | None = None
    recipient: _Party | None = None
    timestamp: _Id | float = 0
    message: _Said | None = None
    message_edit: _Edit | None = None
    reaction: _Reaction | None = None
    postback: _Postback | None = None
    referral: _Referral | None = None
    pass_thread_control: _Handover | None = None
    take_thread_control: _Handover | None = None
    request_thread_control: _Handover | None = None
    messaging_feedback: dict[str, Any] | None = None
    messaging_customer_information: dict[str, Any] | None = None


class _Part(Value, frozen=True, kw_only=True):
    """One thing in a raw: of which page, and whether it is one of private messages or a change of another kind."""

    page: str
    item: Any
    private: bool = True


class _Frame(Value, frozen=True, kw_only=True):
    """What an item says around its content."""

    channel: str
    page: str
    at: datetime
    index: int
    digest: str
    user: str = ""
    ref: str = ""
    direction: Direction = Direction.IN

    def message(self, **fields: Any) -> Message:
        return Message(
            channel=self.channel,
            channel_kind=KIND,
            sent_at=self.at,
            sender=Sender(handle=self.user, attributes={"ref": self.ref} if self.ref else {}),
            thread=self.user,
            recipients=(self.page,) if self.page else (),
            direction=self.direction,
            index=self.index,
            **fields,
        )


def messages_of(raw: Raw, page_id: str = "") -> Translation:
    """The messages of a raw, in order; with `page_id` those of this page only. Raises InvalidPayload when none of its
    items can be read."""
    parts = list(_parts(strict_json.load(raw.body).value))
    return batch.each(parts, lambda part, index: _read(part, raw, index, page_id))


def page_of(raw: Raw, index: int) -> str:
    """The page that the item at this index is of; empty where it is not said."""
    return list(_parts(strict_json.load(raw.body).value))[index].page


def _parts(body: Any) -> Iterator[_Part]:
    """The items of every entry: messages, what another app of the page handles, and changes, whose content is in
    `value`: {"field": "messages", "value": {"sender": …}}."""
    entries = body.get("entry") if isinstance(body, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InvalidPayload("The body has no list `entry`, which every event of Meta has.", path="entry")
    for entry in entries:
        if not isinstance(entry, dict):
            yield _Part(page="", item=entry)
            continue
        page, empty = _text(entry.get("id")), True
        for key in ("messaging", "standby", "changes"):
            items = entry.get(key)
            for item in items if isinstance(items, list) else ():
                empty = False
                yield _change(page, item) if key == "changes" else _Part(page=page, item=item)
        if empty:
            yield _Part(page=page, item=entry, private=False)


def _change(page: str, item: Any) -> _Part:
    value = item.get("value") if isinstance(item, dict) and "field" in item else item
    if not isinstance(value, dict):
        return _Part(page=page, item=item, private=False)
    private = isinstance(value.get("sender"), dict) or isinstance(value.get("message_edit"), dict)
    return _Part(page=page, item=value, private=private)


def _read(part: _Part, raw: Raw, index: int, page_id: str) -> Message | Announced | None:
    """The message of an item; None for a receipt. Raises InvalidPayload."""
    item = part.item
    if not isinstance(item, dict):
        raise InvalidPayload("it is no message that can be read (no object)")
    if not _RECEIPTS.isdisjoint(item):
        return None
    digest = hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()
    frame = _Frame(channel=raw.channel, page=storable(part.page), at=raw.received_at, index=index, digest=digest)
    if page_id and part.page not in ("", _SAMPLE, page_id):
        return _elsewhere(frame, page_id)
    if not part.private:
        return _foreign(item, frame)
    try:
        read = msgspec.convert(item, _Item)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # the latter of half a character in a name
        if "message" in item:
            raise InvalidPayload(f"it is no message that can be read ({error})") from error
        return _foreign(item, frame)
    edit = read.message_edit
    if edit is not None and _key(edit.mid) and (edit.text is None or read.sender is None):
        number = _text(edit.num_edit)
        return Announced(index=index, key=_key(edit.mid) + (f"{EDIT}{number}" if number.strip("0") else ""))
    return _of_person(read, item, frame)


def _of_person(read: _Item, item: dict[str, Any], frame: _Frame) -> Message | None:
    sender, recipient = (_text(party.id) if party else "" for party in (read.sender, read.recipient))
    outgoing = (read.message is not None and read.message.is_echo) or frame.page == sender != recipient
    referral = read.referral or (read.message and read.message.referral) or (read.postback and read.postback.referral)
    frame = msgspec.structs.replace(
        frame,
        user=storable(recipient if outgoing else sender).strip(),
        at=_instant(read.timestamp, frame.at),
        ref="" if outgoing or not referral else storable(referral.ref or "").strip()[:200],
        direction=Direction.OUT if outgoing else Direction.IN,
    )
    if not frame.user:
        if "message" in item or "postback" in item:
            raise InvalidPayload("it names no person")
        return _foreign(item, frame)
    return _of_kind(read, frame)


def _foreign(item: dict[str, Any], frame: _Frame) -> Message:
    """What is no private message (a comment, a mention, a field that we do not know), as an explicit unknown with its
    words, under the person whom it names, else under the page."""
    named = (item.get(key) for key in ("sender", "from"))
    users = (_text(party.get("id")) for party in named if isinstance(party, dict))
    words = (item.get(key) for key in ("text", "message"))
    user = next(filter(None, (storable(user).strip() for user in (*users, frame.page))), KIND)
    text = next((storable(word) for word in words if isinstance(word, str)), "")
    return _unknown(msgspec.structs.replace(frame, user=user), text)


def _elsewhere(frame: _Frame, page_id: str) -> Message:
    """What is another page's, as an explicit unknown under that page: it says why, and nothing of what was written
    there, which is not for this desk. The raw keeps it."""
    user = frame.page.strip()[:40] or KIND
    told = f"An event of page {user}; this channel is of page_id {page_id} alone."
    return _unknown(msgspec.structs.replace(frame, user=user), told)


def _of_kind(read: _Item, frame: _Frame) -> Message | None:
    if read.message is not None:
        return _said(read.message, frame)
    if read.message_edit is not None and _key(read.message_edit.mid):
        return _edited(read.message_edit, frame)
    if read.reaction is not None and _key(read.reaction.mid):
        return _reacted(read.reaction, frame)
    if read.postback is not None:
        text = storable(read.postback.title or read.postback.payload or "")
        key = _key(read.postback.mid) or f"sha256:{frame.digest}"
        return frame.message(external_id=key, text=text, kind="postback")
    form = form_of(read.messaging_feedback or read.messaging_customer_information)
    if form:
        return frame.message(external_id=f"sha256:{frame.digest}", text=form, kind="form")
    handover = read.pass_thread_control or read.take_thread_control or read.request_thread_control
    return _unknown(frame, storable(handover.metadata or "") if handover else "")


def _said(said: _Said, frame: _Frame) -> Message | None:
    if said.is_echo and (said.metadata or "").startswith(OURS):
        return None
    key = _key(said.mid)
    if not key:
        raise InvalidPayload("the message has no mid, its id; one such as m_… would be right")
    if said.is_deleted:
        return frame.message(external_id=f"{key}:deleted", edits=key, kind="deleted")
    files = said.attachments or []
    own = said.text or (said.quick_reply.payload if said.quick_reply else "")
    text = "\n".join(filter(None, [storable(own or ""), *map(words_of, files)]))
    attachments = tuple(one for one in map(attachment_of, files) if one is not None)
    return frame.message(
        external_id=key,
        text=text,
        attachments=attachments,
        in_reply_to=_key(_text(said.reply_to.get("mid"))) if said.reply_to else "",
        kind="postback" if said.quick_reply else "text" if said.text else kind_of(files),
    )


def _text(value: Any) -> str:
    """An id as text: Meta sends it as text or as a number; empty for anything else."""
    return str(value) if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)) else ""


def _key(mid: _Id | None) -> str:
    """The id of a message, empty where it is blank: a blank id would be everybody's."""
    return storable(_text(mid)).strip()


def _edited(edit: _Edit, frame: _Frame) -> Message:
    key = _key(edit.mid)
    own = storable(f"{key}{EDIT}{edit.num_edit}")
    return frame.message(external_id=own, edits=key, text=storable(edit.text or ""))


def _reacted(reaction: _Reaction, frame: _Frame) -> Message:
    key = _key(reaction.mid)
    text = storable(reaction.emoji or reaction.reaction or "") if reaction.action == "react" else ""
    own = f"{key}:reaction:{frame.digest[:16]}"
    return frame.message(external_id=own, in_reply_to=key, text=text, kind="reaction")


def _unknown(frame: _Frame, text: str) -> Message:
    """What concerns a person and is no message of his: kept and shown, answered by nobody."""
    return frame.message(external_id=f"sha256:{frame.digest}", kind="unknown", text=text, automatic=True)


def _instant(stamp: float | str, otherwise: datetime) -> datetime:
    """Milliseconds since 1970 (some events: seconds); what is no time of a message gives `otherwise`."""
    try:
        number = float(stamp)
        at = datetime.fromtimestamp(number / 1000 if number > 10**11 else number, UTC)
    except (ValueError, OverflowError, OSError):
        return otherwise
    return at if at >= _EARLIEST and at.year < 2200 else otherwise
