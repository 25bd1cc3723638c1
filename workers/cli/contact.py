"""A person on the command line: attributes and blocking, and what they may ask of the desk (`erase`, `export-contact`).

In: a contact: his number, one of his handles, or the ref of one of his conversations. Out: what an erasure would meet
(a dry run, unless `--yes`), or everything that is kept of him as one JSON value (rules: security, 3).
"""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from router.errors import ConfigurationError
from workers.cli.command import agent_option, command, json_option
from workers.cli.conversation.acts import done, say
from workers.cli.printing import json_line, line, warn

if TYPE_CHECKING:
    from router.desk import Ledger

__all__ = ["block", "contact_set", "erase", "export_contact"]

contact_argument = click.argument("contact", metavar="CONTACT", help="His number, a handle, or a conversation's ref.")


@command("erase")
@contact_argument
@click.option("--yes", is_flag=True, help="Erase; without it nothing changes.")
@json_option
def erase(contact: str, yes: bool, as_json: bool) -> int:
    """Erase a person over all his handles: messages, conversations, keys of his raws. A dry run, unless --yes."""
    from router.desk.erase import erase as erase_contact
    from router.store.read.people import contact_named, handles_of
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


@command("export-contact")
@contact_argument
@json_option
def export_contact(contact: str, as_json: bool) -> int:
    """All that is kept of a person, as one JSON value (--json or not)."""
    from router.desk.erase import export
    from router.store.read.people import contact_named
    from workers.cli.opened import opened

    with opened(reading=True) as desk:
        json_line(export(desk.store, contact_named(desk.store.database, contact)))
    return 0


@command("block")
@click.argument("handle", metavar="HANDLE", help="An address, as `omnirouter show` prints it.")
@agent_option
@click.option("--undo", is_flag=True, help="Let him write again.")
@json_option
def block(handle: str, agent: str, undo: bool, as_json: bool) -> int:
    """Block the person behind a handle: what he writes is kept and promises nothing."""
    from router.desk.acts import conversation as acts

    contact = done(lambda store, now: acts.block(store, handle, agent=agent, now=now, undo=undo))
    word = "no longer blocked" if undo else "blocked (--undo lets him write again)"
    return say(as_json, f"Contact {contact} is {word}.", contact=contact, blocked=not undo)


@command("contact set")
@click.argument("contact", metavar="CONTACT", help="Its number, a handle, or a conversation's ref.")
@click.argument("values", metavar="KEY=VALUE…", nargs=-1, required=True, help="tier=gold; tier= removes it.")
@agent_option
@json_option
def contact_set(contact: str, values: tuple[str, ...], agent: str, as_json: bool) -> int:
    """Set attributes of a contact, which rules can read as contact.KEY."""
    from router.desk.acts import conversation as acts
    from router.store.read.people import contact_named

    pairs = dict(_pair(value) for value in values)

    def act(store: Ledger, now: datetime) -> tuple[int, dict[str, str]]:
        number = contact_named(store.database, contact)
        return number, acts.set_contact(store, number, pairs, agent=agent, now=now)

    number, attributes = done(act)
    told = ", ".join(f"{key}={value}" for key, value in attributes.items()) or "no attributes"
    return say(as_json, f"Contact {number}: {told}.", contact=number, attributes=attributes)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigurationError(f"{text!r} is no KEY=VALUE; right would be tier=gold.")
    return key.strip(), value.strip()
