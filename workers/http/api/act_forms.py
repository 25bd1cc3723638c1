"""What does each act of the API bring? Closed forms: an unknown key is a mistake."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from router.model import Status
from workers.http.api.forms import LARGEST, Given

__all__ = [
    "Checked",
    "Forced",
    "NewNote",
    "NewPriority",
    "NewReply",
    "NewStatus",
    "NewTags",
    "NewType",
    "Nothing",
    "Other",
    "Parts",
    "Spam",
    "ToColleague",
    "ToQueue",
]

_Text = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]
_Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Short = Annotated[str, StringConstraints(max_length=500)]
_Number = Annotated[int, Field(ge=1, le=LARGEST)]


class Nothing(Given):
    """An act that needs no more words."""


class Forced(Given):
    """`force`: although a colleague holds it (a lead's)."""

    force: bool = False


class NewReply(Given):
    """An answer to the customer. `seen` is the number of the last event that its writer saw."""

    text: _Text
    seen: Annotated[int, Field(ge=0, le=LARGEST)]
    channel: _Short = ""
    to: _Short = ""
    cc: list[_Word] = []
    then: Literal["", "open", "pending", "solved"] = ""
    force: bool = False


class NewNote(Given):
    """Words that no customer sees."""

    text: _Text


class NewStatus(Given):
    """The status that it shall have."""

    to: Status


class ToColleague(Forced):
    """To whom it is given."""

    to: _Word


class ToQueue(Given):
    """The queue that it goes to."""

    queue: _Word


class NewType(Given):
    """What it is about."""

    issue_type: _Word


class NewTags(Given):
    """Free tags to add and to remove."""

    add: list[_Word] = []
    remove: list[_Word] = []


class NewPriority(Given):
    """0 to 100."""

    to: Annotated[int, Field(ge=0, le=100)]


class Spam(Given):
    """`undo`: it was no spam."""

    undo: bool = False


class Other(Given):
    """Another conversation; `checked` says how the person was checked, where nothing proves that both are one."""

    other: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    checked: _Short = ""


class Checked(Given):
    """How the person was checked, where nothing proves that both are one."""

    checked: _Short = ""


class Parts(Given):
    """The messages that leave, by their numbers."""

    messages: Annotated[list[_Number], Field(min_length=1, max_length=1_000)]
