"""Which fields has each event, for a program and for a person? docs/events.json and docs/events.md, from the structs.

`python -m router.event_schema docs` writes both into that folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from router.events import EVENTS

__all__ = ["schema", "table", "write"]

_ENVELOPE: Final = {
    "seq": {"type": "integer", "description": "Grows with each event of the desk; the same when it is sent again."},
    "at": {"type": "string", "format": "date-time", "description": "When it happened, in UTC."},
    "conversation": {"type": "integer", "description": "Number of the conversation; 0 where it is of none."},
    "message": {"type": ["integer", "null"], "description": "Number of the message that it is about, or null."},
}
_HEAD: Final = """# Events

What the desk tells: in `omnirouter export`, and signed to the receivers under `[[events]]`. Each is one JSON object
with `seq`, `at`, `type`, `conversation`, `message` and `data`; `data` has the fields below, those in brackets only
where they say something. No event holds words of a customer. For programs there is the schema
[events.json](events.json). Both files are made from `router/events.py`: `python -m router.event_schema docs`.
"""


def schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of an event as a receiver gets it: one branch a type."""
    shapes, defined = msgspec.json.schema_components(list(EVENTS.values()))
    branches = [
        {"title": type_, "properties": {"type": {"const": type_}, "data": shape}}
        for type_, shape in zip(EVENTS, shapes, strict=True)
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of omnirouter",
        "type": "object",
        "properties": {**_ENVELOPE, "type": {"enum": list(EVENTS)}, "data": {"type": "object"}},
        "required": [*_ENVELOPE, "type", "data"],
        "oneOf": branches,
        "$defs": defined,
    }


def table() -> str:
    """The same for people: a section an event type."""
    _, defined = msgspec.json.schema_components(list(EVENTS.values()))
    parts = [_HEAD]
    for type_, kind in EVENTS.items():
        shape = defined[kind.__name__]
        parts.append(f"## {type_}\n\n{shape['description']}\n")
        required = set(shape.get("required", ()))
        names = {name: f"`{name}`" if name in required else f"[`{name}`]" for name in shape["properties"]}
        fields = shape["properties"].items()
        parts.append("".join(f"- {names[name]}: {field['description']}\n" for name, field in fields))
    return "\n".join(parts)


def write(folder: Path) -> None:
    """Write both files into a folder."""
    text = json.dumps(schema(), indent=1, ensure_ascii=False)
    (folder / "events.json").write_text(f"{text}\n", encoding="utf-8")
    (folder / "events.md").write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
