"""What did an event say, whichever version stored it?

In: the type and the stored JSON of an event. Out: its struct of `router.events`; of an old one what that version did
not know is empty. An event that was stored is never written anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from router.events import EVENTS, Event

__all__ = ["read", "upgraded"]


def read(type_: str, body: str) -> Event:
    """The event of this type whose stored body is this JSON, also as a version before stored it: what that did not
    know is empty. Raises KeyError for a type that there is not."""
    kind = EVENTS[type_]
    try:
        return _DECODERS[type_](body)
    except msgspec.ValidationError:
        told = upgraded(type_, msgspec.json.decode(body))
        return msgspec.convert({**_BLANKS[type_], **told}, kind, strict=False)


def upgraded(type_: str, body: dict[str, Any]) -> dict[str, Any]:
    """A stored body in its present shape."""
    upgrade = _UPGRADES.get(type_)
    return body if upgrade is None else upgrade(body)


def _status(body: dict[str, Any]) -> dict[str, Any]:
    """Before, four places wrote four shapes: {from, to, agent} a person or a merge, {from, to, reason} a quiet end,
    {status, from} what a message made of it, {status} what a recorded file told."""
    if "to" in body:
        return {"agent": "", "reason": "", **body}
    reason = "message" if "from" in body else "recorded"
    return {"from": body.get("from", ""), "to": body.get("status", ""), "agent": "", "reason": reason}


def _routed(body: dict[str, Any]) -> dict[str, Any]:
    """Before, the rules told {queue, rule, priority}, and what nobody took {from, queue, rule, reason}."""
    return {"from": "", "priority": 0, "reason": "rules", **body}


_UPGRADES: Final[Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "conversation.status": _status,
    "conversation.routed": _routed,
}
_EMPTY: Final[Mapping[Any, Any]] = {
    msgspec.inspect.StrType: "", msgspec.inspect.IntType: 0, msgspec.inspect.FloatType: 0.0,
    msgspec.inspect.BoolType: False, msgspec.inspect.VarTupleType: (), msgspec.inspect.UnionType: None,
}  # fmt: skip
_DECODERS: Final = {type_: msgspec.json.Decoder(kind, strict=False).decode for type_, kind in EVENTS.items()}


def _blank(kind: type[Event]) -> dict[str, Any]:
    """What stands for the fields that a version before did not write."""
    shown = msgspec.inspect.type_info(kind)
    assert isinstance(shown, msgspec.inspect.StructType)  # noqa: S101  (it is a struct)
    kinds = {field.encode_name: getattr(field.type, "type", field.type) for field in shown.fields if field.required}
    return {name: _EMPTY[type(kind)] for name, kind in kinds.items() if type(kind) in _EMPTY}


_BLANKS: Final = {type_: _blank(kind) for type_, kind in EVENTS.items()}
