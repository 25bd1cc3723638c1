"""Which updates are one album? Telegram sends each photo as an update of its own; the customer sent one message.

In: the updates of a poll, each in Telegram's bytes. Out: the same in groups, an album's photos in one, and the body of
a raw that holds such a group; later, out of the photos' messages, the one message that they are: all files and
captions, under the id of the photo that has the caption (edits name it), else of the first. By webhook photos come one
a request and stay messages of their own, with the album as a common reference.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from router.errors import InvalidPayload
from router.model import Message

__all__ = ["body_of", "goes_on", "grouped", "joined", "updates_of"]


class _Chat(msgspec.Struct):
    id: int


class _Photo(msgspec.Struct):
    chat: _Chat
    media_group_id: str = ""


class _Seen(msgspec.Struct):
    message: _Photo | None = None
    channel_post: _Photo | None = None


def grouped(updates: Sequence[bytes]) -> list[list[bytes]]:
    """The updates in their order, neighbours of one album together."""
    groups: list[list[bytes]] = []
    before = ""
    for body in updates:
        album = _album(body)
        if album and album == before:
            groups[-1].append(body)
        else:
            groups.append([body])
        before = album
    return groups


def goes_on(updates: Sequence[bytes]) -> bool:
    """May more photos of the last update's album be on their way?"""
    return bool(updates) and bool(_album(updates[-1]))


def _album(body: bytes) -> str:
    """Chat and album of an update; empty where it is none."""
    try:
        seen = msgspec.json.decode(body, type=_Seen)
    except (msgspec.DecodeError, RecursionError):
        return ""
    photo = seen.message or seen.channel_post
    return f"{photo.chat.id} {photo.media_group_id}" if photo is not None and photo.media_group_id else ""


def body_of(group: Sequence[bytes]) -> bytes:
    """The body of a raw: an update as it came, or the list of an album's updates, each as it came."""
    return group[0] if len(group) == 1 else b"[%b]" % b",".join(group)


def updates_of(body: bytes) -> list[bytes]:
    """The updates in a raw's body. Raises InvalidPayload for a list that is no album."""
    if body.lstrip()[:1] != b"[":
        return [body]
    try:
        updates = [bytes(one) for one in msgspec.json.decode(body, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidPayload("This is no Telegram update, nor a list of an album's.") from error
    if not updates or not any(map(_album, updates)):
        raise InvalidPayload("This is no Telegram update: Expected `object`, or a list of an album's updates.")
    return updates


def joined(photos: Sequence[Message]) -> Message:
    """The one message of an album's photos, in their order."""
    first = photos[0]
    named = next((photo for photo in photos if photo.text), first)
    return msgspec.structs.replace(
        named,
        sent_at=first.sent_at,
        text="\n".join(photo.text for photo in photos if photo.text),
        attachments=tuple(file for photo in photos for file in photo.attachments),
        in_reply_to=next((photo.in_reply_to for photo in photos if photo.in_reply_to), ""),
    )
