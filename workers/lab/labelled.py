"""What did a desk say its messages are about?

In: labelled messages, one JSON object a line with `text` and `label` (any closed set of labels). Out: typed rows, or
one sentence with the line's number and what would be right.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

from router.errors import ConfigurationError

__all__ = ["Labelled", "labelled_messages"]

_RIGHT: Final = '{"text": "转账没到账", "label": "transfer_failed"} would be right'


class Labelled(NamedTuple):
    """One labelled message; `id` is its own or the number of its line; labels in `also` are right as well.

    `subject` makes it a mail; `matter` names the matter of which messages tell in other words.
    """

    id: str | int
    text: str
    label: str
    also: tuple[str, ...] = ()
    subject: str = ""
    matter: str = ""


def labelled_messages(path: Path) -> list[Labelled]:
    """The labelled messages of a file; ConfigurationError with the line's number and what would be right."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    return [_labelled(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _labelled(path: Path, number: int, line: str) -> Labelled:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{path}: line {number} is no JSON; {_RIGHT}") from None
    if not isinstance(row, dict):
        raise ConfigurationError(f"{path}: line {number} is no JSON object; {_RIGHT}")
    text, label = row.get("text"), row.get("label")
    if not isinstance(text, str):
        raise ConfigurationError(f'{path}: line {number} has no "text" that is a string; {_RIGHT}')
    if not isinstance(label, str) or not label.strip() or "\n" in label.strip():
        raise ConfigurationError(f'{path}: line {number} has no "label" of one line; {_RIGHT}')
    also = row.get("also") or ()
    if not isinstance(also, list | tuple) or not all(isinstance(other, str) for other in also):
        raise ConfigurationError(
            f'{path}: line {number} has an "also" that is no list of labels; ["refund"] would be right'
        )
    identity = row.get("id", number)
    if not isinstance(identity, str | int):
        raise ConfigurationError(f'{path}: line {number} has an "id" that is neither string nor number')
    subject, matter = row.get("subject") or "", row.get("matter") or ""
    for key, value in (("subject", subject), ("matter", matter)):
        if not isinstance(value, str):
            raise ConfigurationError(f'{path}: line {number} has a "{key}" that is no string; {_RIGHT}')
    return Labelled(identity, text, label.strip(), tuple(also), subject, matter)
