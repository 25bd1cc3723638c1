"""What of a message can a database keep? All of it but NUL and half characters, which no database takes as text.

In: a message or an event of the desk, as an adapter or a program made it. Out: the same one, or one with those
characters removed or replaced (`router.wire.fields.storable`) in every text it holds, ids and names too, before
anything is decided: what is looked up is then what is stored, and no message is lost for a character.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from router.model import DeskEvent, Message
from router.wire.fields import storable

__all__ = ["kept", "words"]

_What = TypeVar("_What", bound=Message | DeskEvent)
_MISSING = "\ufffd"
_encode = msgspec.json.Encoder().encode


def kept(what: _What) -> _What:
    """The message as it can be kept; the same object when nothing stands in the way. Idempotent."""
    if _is_storable(what):
        return what
    changed: _What = _cleaned(what)
    return changed


def _is_storable(what: Message | DeskEvent) -> bool:
    """Has it certainly none of these characters? Told by one encoding of all of it, which refuses half characters."""
    try:
        return b"\\u0000" not in _encode(what)
    except (UnicodeEncodeError, TypeError):
        return False


def words(text: str) -> str:
    """A text as it can be kept; what was not empty does not become empty."""
    return storable(text) or (_MISSING if text else "")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return words(value) if type(value) is str else value
    if isinstance(value, msgspec.Struct):
        changes = {}
        for name in value.__struct_fields__:
            before = getattr(value, name)
            after = _cleaned(before)
            if after is not before:
                changes[name] = after
        return msgspec.structs.replace(value, **changes) if changes else value
    if isinstance(value, tuple):
        items = tuple(map(_cleaned, value))
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    if isinstance(value, Mapping):
        pairs = {_cleaned(k): _cleaned(v) for k, v in value.items()}
        return value if all(k in value and value[k] is v for k, v in pairs.items()) else pairs
    return value
