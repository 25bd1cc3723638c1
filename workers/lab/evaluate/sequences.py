"""Does a file hold sequences of messages and events that can be decided and scored?

In: a file of JSON lines, a sequence each: `id` and `items` in order of time. Out: its sequences as they are written,
once every item of them was looked at: messages that the wire knows, labels (`expect`) with a class and a letter, events
that name an earlier item. What is wrong is told with its line, its item and what would be right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from router.errors import InvalidPayload
from router.model import Message, MessageClass, Status
from router.wire.message import message_from_wire

__all__ = ["message_of", "place_of", "sequences"]

#: The channels of a file are kinds by their usual names.
_KINDS: Final = {"chat": "webhook", "facebook": "messenger"}
_CLASSES: Final = ("redelivery", *(class_.value for class_ in MessageClass))
_STATUSES: Final = tuple(status.value for status in Status)
_EVENTS: Final = ("reply", "status")


def sequences(path: Path) -> list[Mapping[str, Any]]:
    """All sequences of a file, at least one. Raises InvalidPayload, naming the line and the item."""
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InvalidPayload(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8.") from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_sequence(line))
            except InvalidPayload as wrong:
                raise InvalidPayload(f"{path}, line {number}: {wrong}", index=number, path=wrong.path) from wrong
    if not found:
        raise InvalidPayload(f'{path} has no sequence; lines with "id" and a list "items" would be right.')
    return found


def message_of(item: Mapping[str, Any], index: int) -> Message:
    """The message that an item is, on a channel of the kind that it names. Raises InvalidPayload."""
    channel = item.get("channel") or "chat"
    if not isinstance(channel, str):
        raise _wrong(index, "channel", 'expected the kind of a channel, such as "chat"')
    read = message_from_wire(item, channel=channel, channel_kind=_KINDS.get(channel, channel), index=index)
    assert isinstance(read, Message)  # noqa: S101  (what has the key "event" is none of ours)
    return read


def place_of(event: Mapping[str, Any]) -> Any:
    """What an event names its conversation by: the place of an earlier item, else a letter of the labels."""
    return event.get("of_item", event.get("conversation"))


def _sequence(line: str) -> Mapping[str, Any]:
    try:
        sequence = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidPayload(f"this is no JSON ({error}).") from error
    if not isinstance(sequence, dict) or not isinstance(sequence.get("items"), list) or "id" not in sequence:
        raise InvalidPayload('a sequence is an object with "id" and a list "items".')
    places: set[Any] = set()
    for index, item in enumerate(sequence["items"]):
        if not isinstance(item, dict):
            raise _wrong(index, "", "expected a message or an event, as an object { … }")
        if "event" in item:
            _check_event(item, index, places)
        else:
            message_of(item, index)
            places |= {index, *_labels(item, index)}
    checked: Mapping[str, Any] = sequence
    return checked


def _labels(item: Mapping[str, Any], index: int) -> list[str]:
    """The letter of an item's label, if it has one."""
    if "expect" not in item:
        return []
    want = item["expect"]
    if not isinstance(want, dict):
        raise _wrong(index, "expect", 'expected an object with "class" and "conversation"')
    for word in (want.get("class"), *_texts(want, "accept_class", index)):
        if word not in _CLASSES:
            raise _wrong(index, "expect", f"there is no class {word!r}; known: {', '.join(_CLASSES)}")
    _texts(want, "accept", index)
    if not isinstance(want.get("conversation"), str) or not want["conversation"]:
        raise _wrong(index, "expect.conversation", 'expected a letter, such as "A"')
    return [want["conversation"]]


def _texts(want: Mapping[str, Any], key: str, index: int) -> list[str]:
    words = want.get(key, [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _wrong(index, f"expect.{key}", "expected a list of texts")
    return words


def _check_event(event: Mapping[str, Any], index: int, places: set[Any]) -> None:
    kind, place = event["event"], place_of(event)
    if kind not in _EVENTS:
        raise _wrong(index, "event", f"there is no event {kind!r}; known: {', '.join(_EVENTS)}")
    if kind == "status" and event.get("to") not in _STATUSES:
        raise _wrong(index, "to", f"there is no status {event.get('to')!r}; known: {', '.join(_STATUSES)}")
    if not isinstance(event.get("text") or "", str):
        raise _wrong(index, "text", "expected a text")
    try:
        aware = datetime.fromisoformat(event.get("at", "")).tzinfo is not None
    except (TypeError, ValueError):
        aware = False
    if not aware:
        raise _wrong(index, "at", "expected an instant with its offset, such as 2026-03-01T21:50:00+08:00")
    if isinstance(place, bool) or not isinstance(place, (int, str)) or place not in places:
        sentence = f"{place!r} names no earlier message; of_item is its place in the list, conversation its letter"
        raise _wrong(index, "of_item" if "of_item" in event else "conversation", sentence)


def _wrong(index: int, path: str, sentence: str) -> InvalidPayload:
    where = f"items[{index}]" + (f".{path}" if path else "")
    return InvalidPayload(f"{where}: {sentence}.", index=index, path=where)
