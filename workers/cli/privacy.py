"""`erase` and `export-contact`: what a person may ask of the desk about himself.

In: a contact: his number, one of his handles, or the ref of one of his conversations. Out: what an erasure would meet
(a dry run, unless `--yes`), or everything that is kept of him as one JSON value (rules: security, 3).
"""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import Annotated

import typer

from workers.cli.printing import JsonFlag, json_line, line, warn

__all__ = ["erase", "export_contact"]

Who = Annotated[str, typer.Argument(metavar="CONTACT", help="His number, a handle, or a conversation's ref.")]


def erase(
    contact: Who,
    yes: Annotated[bool, typer.Option("--yes", help="Erase; without it nothing changes.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Erase a person over all his handles: messages, conversations, keys of his raws. A dry run, unless --yes."""
    from router.store.people import contact_named, handles_of
    from router.store.privacy import erase as erase_contact
    from workers.cli.opened import opened

    with opened(reading=not yes) as desk:
        number = contact_named(desk.store.database, contact)
        with desk.store.database.read() as tx:
            handles = [handle["address"] for handle in handles_of(tx, number)]
        path = desk.store.database.place
        report = erase_contact(desk.store, number, datetime.now(UTC), dry_run=not yes)
    if as_json:
        json_line({**report, "handles": len(handles)})
        return 0
    counts = ", ".join(f"{report[name]} {name}" for name in ("conversations", "messages", "raws"))
    if yes:
        line(f"Erased contact {number}: {counts}. Digests of the messages' ids stay, so that nothing comes back.")
        if not report["log_emptied"]:
            warn("Another program reads the database: its write-ahead log holds the words until it is next emptied.")
        elif not report["compacted"]:
            remedy = f"sqlite3 {shlex.quote(str(path))} VACUUM"
            warn(f"The file is large, and unused parts of it may hold words still; at a quiet hour run: {remedy}")
    else:
        line(f"Contact {number} ({', '.join(handles)}): {counts}.")
        line(f"Nothing was erased. To do it: omnirouter erase {contact} --yes")
    return 0


def export_contact(contact: Who, as_json: JsonFlag = False) -> int:
    """All that is kept of a person, as one JSON value (--json or not)."""
    from router.store.people import contact_named
    from router.store.privacy import export
    from workers.cli.opened import opened

    with opened(reading=True) as desk:
        json_line(export(desk.store, contact_named(desk.store.database, contact)))
    return 0
