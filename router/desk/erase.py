"""How is a person erased, or given their own? By all their handles, with a dry run; SQLite's files are scrubbed.

A raw shared with others loses its key once it is decided; their messages stay. The record of it holds numbers only
(rules: security, 3). Blocking functions.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from router.desk.ledger import Ledger
from router.events import ContactErased, Told
from router.match.features import named_key
from router.store.erasing import conversations_of, delete_person, footprint, people_of
from router.store.read import queries
from router.store.read.people import contact_of_number
from router.store.statement import Tx

__all__ = ["erase", "export"]


def erase(ledger: Ledger, contact: int, now: datetime, *, dry_run: bool = True) -> dict[str, Any]:
    """Erase a contact over all their handles; a dry run only counts. Raises `NotFound`.

    The report of an erasure says whether SQLite's files hold nothing of them any more (`Scrubbed`).
    """

    def work(tx: Tx) -> dict[str, Any]:
        root = contact_of_number(tx, contact).number
        kept = footprint(tx, root)
        counts = {"conversations": len(kept.conversations), "messages": len(kept.messages), "raws": len(kept.raws)}
        if not dry_run:
            delete_person(tx, kept, named_key, now)
            change = ledger.change()
            change.tell(Told(at=now, event=ContactErased(**counts)))
            ledger.write(tx, change, now)
        return {"contact": root, "contacts": len(kept.people), **counts, "dry_run": dry_run}

    report = ledger.again(work)
    if not dry_run:
        report |= ledger.database.scrub()._asdict()
    return report


def export(ledger: Ledger, contact: int) -> dict[str, Any]:
    """Everything kept of a contact, as one JSON value. Raises `NotFound`."""
    with ledger.database.read() as tx:
        found = contact_of_number(tx, contact)
        numbers = conversations_of(tx, people_of(tx, found.number))
    handles: list[Any] = next((c["handles"] for c in queries.contacts(ledger.database) if c["id"] == found.number), [])
    return {
        "contact": msgspec.to_builtins(found),
        "handles": handles,
        "conversations": [
            {"id": number, "messages": queries.messages_of(ledger.database, number),
             "events": queries.events_of(ledger.database, number)}
            for number in numbers
        ],
    }  # fmt: skip
