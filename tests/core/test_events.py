"""What the desk tells: one struct a type, from which the list, the schema and the documentation come."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

import router
from router import event_schema
from router.event_reading import read
from router.events import EVENTS, ConversationStatus, Event, reply_came
from router.reply_states import REPLY_STATES

DOCS = Path(router.__file__).parent.parent / "docs"
SOURCES = "".join(path.read_text("utf-8") for path in Path(router.__file__).parent.rglob("*.py"))


def test_docs_are_those_of_the_structs(tmp_path: Path) -> None:
    """docs/events.json and docs/events.md say what the structs say; `python -m router.event_schema docs` makes them."""
    event_schema.write(tmp_path)
    for name in ("events.json", "events.md"):
        assert (tmp_path / name).read_text("utf-8") == (DOCS / name).read_text("utf-8")


@pytest.mark.parametrize("kind", EVENTS.values(), ids=list(EVENTS))
def test_every_event_is_told_somewhere(kind: type[Event]) -> None:
    """The list has nothing that is never told: each struct is made outside the list, or by the state of a reply."""
    made = len(re.findall(rf"\b{kind.__name__}\b", SOURCES))
    listed = len(re.findall(rf"\b{kind.__name__}\b", (Path(router.__file__).parent / "events.py").read_text("utf-8")))
    states = {f"reply.{state}" for state in REPLY_STATES}
    assert made > listed or kind.type in states | {"reply.delayed", "reply.copy_bounced"}


def test_no_type_is_named_that_is_not_in_the_list() -> None:
    """A query or a reader that looks for an event looks for one that there is."""
    families = "|".join({type_.partition(".")[0] for type_ in EVENTS})
    assert set(re.findall(rf'"((?:{families})\.[a-z_]+)"', SOURCES)) <= set(EVENTS)


@pytest.mark.parametrize(("stored", "told"), [
    ({"from": "open", "to": "solved", "agent": "li"}, ("open", "solved", "li", "", True)),
    ({"from": "pending", "to": "solved", "reason": "quiet"}, ("pending", "solved", "", "quiet", True)),
    ({"status": "open", "from": "pending"}, ("pending", "open", "", "message", False)),
    ({"status": "solved"}, ("", "solved", "", "recorded", True)),
    ({"from": "open", "to": "on_hold", "agent": "", "reason": "merged"}, ("open", "on_hold", "", "merged", True)),
])  # fmt: skip
def test_a_status_of_any_version_is_read(stored: dict[str, str], told: tuple[str | bool, ...]) -> None:
    """Four shapes were stored before; whether the desk set it shows in each."""
    event = read("conversation.status", msgspec.json.encode(stored).decode())
    assert isinstance(event, ConversationStatus)
    assert (event.before, event.to, event.agent, event.reason, event.by_desk) == told


@pytest.mark.parametrize("type_", EVENTS)
def test_an_event_of_a_version_that_knew_less_is_read(type_: str) -> None:
    """A body that lacks what is always there now reads as empty, and the event says of which type it is."""
    if type_ not in ("deadline.breach", "deadline.warning", "deadline.step"):
        assert read(type_, "{}").type == type_


def test_only_a_reply_comes_further() -> None:
    """How far a reply has come is told by its own types."""
    with pytest.raises(TypeError, match="how far"):
        reply_came("note.taken", channel="c", attempt=1, detail="")
