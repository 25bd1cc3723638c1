"""`export`: the desk's data for other programs, as JSON lines or CSV, streamed to stdout.

In: what to export. Out: one row a message, conversation, clock, contact, event or label, with exactly the fields of
the contract (section 4), oldest first. Read in pages, so that an export of millions disturbs nobody.
"""

from __future__ import annotations

import csv
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

import click
import msgspec

from router.errors import ConfigurationError
from workers.cli.command import command
from workers.cli.visible import cell, json_text

if TYPE_CHECKING:
    from workers.cli.opened import Desk

__all__ = ["FIELDS", "export"]

#: The fields of each export, in order. Contacts have those of the ledger.
FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "messages": (
        "id", "channel", "external_id", "direction", "automatic", "sender", "contact", "thread", "conversation",
        "sent_at", "received_at", "class", "issue_type", "confidence", "unsure", "tags", "flags", "queue", "subject",
        "text", "state",
    ),
    "conversations": (
        "id", "ref", "contact", "status", "queue", "priority", "issue_type", "tags", "channels", "first_message_at",
        "waiting_since", "chases", "next_due", "breached", "messages", "links", "unproven",
    ),
    "deadlines": (
        "conversation", "metric", "cycle", "started_at", "due_at", "state", "ended_at", "policy", "schedule",
        "paused_seconds", "breached_at", "provisional",
    ),
    "contacts": ("id", "name", "verified", "attributes", "language", "blocked", "created_at", "handles"),
    "events": ("seq", "at", "type", "conversation", "message", "data"),
    "labels": ("id", "text", "label", "by", "at", "lang"),
}  # fmt: skip
#: Fields that only some rows have: they follow the others where they are there.
_SOMETIMES: Final[Mapping[str, Sequence[str]]] = {"events": ("history",)}
_PAGE: Final = 200
#: By it Excel knows that a CSV file is UTF-8.
_BOM: Final = "\ufeff"


@command("export")
@click.argument(
    "what",
    metavar="WHAT",
    type=click.Choice(["messages", "conversations", "deadlines", "contacts", "events", "labels"]),
    help="messages, conversations, deadlines, contacts, events or labels.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="JSON lines or CSV.",
)
@click.option("--raw", is_flag=True, help="Messages: also the full text, as full_text.")
@click.option("--bom/--no-bom", "bom", default=None, help="CSV for Excel or not; else it is where a file is written.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format jsonl.")
def export(what: str, form: str, raw: bool, bom: bool | None, as_json: bool) -> int:
    """Messages, conversations, deadlines, contacts, events or labels, one a line, oldest first."""
    from workers.cli.opened import opened

    if raw and what != "messages":
        raise ConfigurationError(f"--raw adds the full text of messages; {what} have none.")
    fields = [*FIELDS[what], *(("full_text",) if raw else ())]
    try:
        with opened(reading=True) as desk:
            rows = _rows(desk, what, raw)
            if form == "csv" and not as_json:
                if _is_file(sys.stdout) if bom is None else bom:
                    sys.stdout.write(_BOM)
                _write_csv(rows, [*fields, *_SOMETIMES.get(what, ())], sys.stdout)
            else:
                _write_lines(rows, fields, _SOMETIMES.get(what, ()), sys.stdout)
    except BrokenPipeError:
        _leave_quietly()
    return 0


def _is_file(out: TextIO) -> bool:
    """Does it go into a file (`> messages.csv`), which people open in Excel, and not to another program?"""
    try:
        return stat.S_ISREG(os.fstat(out.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def _leave_quietly() -> None:
    """Who reads our output has seen enough: what is still buffered goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _rows(desk: Desk, what: str, raw: bool) -> Iterator[dict[str, Any]]:
    from router.store.read import queries

    database, promises, now = desk.store.database, desk.policy.promises, datetime.now(UTC)
    if what == "messages":
        return queries.messages(database, raw=raw)
    if what == "conversations":
        return queries.conversations(database, promises, now)
    if what == "deadlines":
        return queries.deadlines(database, promises, now)
    rest = {"contacts": queries.contacts, "events": queries.events, "labels": queries.labels}
    return rest[what](database)


def _write_lines(rows: Iterable[Mapping[str, Any]], fields: Sequence[str], more: Sequence[str], out: TextIO) -> None:
    """JSON lines in UTF-8, whatever the terminal's encoding, some hundred at a time."""
    encode = msgspec.json.Encoder().encode
    lines: list[str] = []
    for row in rows:
        kept = {name: row[name] for name in fields} | {name: row[name] for name in more if name in row}
        lines.append(json_text(encode(kept)))
        if len(lines) == _PAGE:
            out.write("\n".join(lines) + "\n")
            lines.clear()
    out.write("".join(f"{line}\n" for line in lines))
    out.flush()


def _write_csv(rows: Iterable[Mapping[str, Any]], fields: Sequence[str], out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(fields)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in fields])
    out.flush()


def _cell(value: Any) -> Any:
    """A cell: lists and objects as JSON, and no text that a spreadsheet would run as a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict)):
        return json_text(msgspec.json.encode(value))
    return cell(value) if isinstance(value, str) else value
