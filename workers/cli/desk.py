"""`agents`, `incidents`, `report`, `audit` and `simulate`: the desk as a whole.

In: the ledger (for `simulate` also another configuration). Out: who is there, what happens to many at once, how the
desk does, whether what is stored agrees with itself, and what other rules would change.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from router.errors import ConfigurationError
from workers.cli.command import PATH, command, json_option
from workers.cli.printing import json_line, line, progress, show, table, warn

__all__ = ["agents", "audit", "incidents", "incidents_reply", "report", "simulate"]


@command("agents")
@click.argument("name", metavar="[NAME]", required=False)
@click.argument(
    "state", metavar="[present|away|absent]", type=click.Choice(["present", "away", "absent"]), required=False
)
@json_option
def agents(name: str | None, state: str | None, as_json: bool) -> int:
    """Who is there; with a name and a word: say that somebody is present, away or absent."""
    from router.desk.acts.assign import agents as present_agents
    from router.desk.acts.assign import presence
    from workers.cli.opened import opened

    if name is not None and state is None:
        raise ConfigurationError(f"What is {name}? Right would be: omnirouter agents {name} present (or away, absent).")
    with opened(reading=state is None) as desk:
        now = desk.now()
        if name is not None and state is not None:
            rows = [presence(desk.store, name, state, now)]
        else:
            rows = present_agents(desk.store, now)
    if as_json:
        json_line(rows)
    else:
        shown = ("name", "presence", "since", "on_shift", "available", "queues", "holds", "load")
        empty = "Nobody: the configuration names no agents, and nobody said that he is there."
        show([{key: row[key] for key in shown} for row in rows], as_json=False, empty=empty)
    return 0


@command("incidents")
@click.option("--all", "everything", is_flag=True, help="Also those whose conversations have all ended.")
@json_option
def incidents(everything: bool, as_json: bool) -> int:
    """What several customers report at the same time, with their conversations."""
    from router.desk.acts.incidents import incidents as found
    from workers.cli.opened import local, opened

    with opened(reading=True) as desk:
        rows = [row for row in found(desk.store) if everything or row["open"]]
        if as_json:
            json_line(rows)
            return 0
        cells = [
            {
                "incident": row["id"], "type": row["issue_type"], "begun": _local(row["opened_at"], desk.policy, local),
                "last": _local(row["last_at"], desk.policy, local), "open": row["open"],
                "conversations": [c["ref"] for c in row["conversations"]],
            }
            for row in rows
        ]  # fmt: skip
    show(cells, as_json=False, empty="No incident is open.")
    return 0


def _local(at: str | None, policy: Any, told: Any) -> str:
    return str(told(datetime.fromisoformat(at), policy)) if at else ""


@command("incidents reply")
@click.argument("incident", metavar="ID", help="As `omnirouter incidents` prints it.")
@click.option("--text", metavar="TEXT", required=True, help="The words; - reads them from stdin.")
@click.option("--agent", metavar="NAME", default="")
@click.option("--again", is_flag=True, help="Another text, also to who was answered already.")
@json_option
def incidents_reply(incident: str, text: str, agent: str, again: bool, as_json: bool) -> int:
    """One text to all conversations of an incident that are in work; nobody gets it twice."""
    from router.desk.acts.incidents import reply_to_all
    from workers.cli.conversation.acts import words_of
    from workers.cli.opened import opened

    words = words_of(text)
    with opened() as desk:
        told = reply_to_all(desk.store, incident, words, agent=agent, now=desk.now(), again=again)
    refused = [row for row in told if row["refused"]]
    if as_json:
        json_line(told)
    else:
        line(f"{len(told) - len(refused)} of {len(told)} conversations are answered; the daemon sends it.")
    for row in refused:
        warn(f"{row['ref']}: {row['refused']}")
    return 1 if refused else 0


@command("report")
@click.option("--since", metavar="T", help="From this instant on.")
@json_option
def report(since: str | None, as_json: bool) -> int:
    """Volume, first reply, breaches and chases, by channel, queue, type and agent."""
    from router.store.read.report import report as reported
    from workers.cli.opened import instant, opened

    start = instant(since, "--since") if since else None
    with opened(reading=True) as desk:
        found = reported(desk.store, desk.store.policy.promises, datetime.now(UTC), since=start)
    if as_json:
        json_line(found)
        return 0
    columns = ["", "messages", "conversations", "answered", "first reply p50", "p90", "breaches", "chases"]
    table(columns, [_report_cells("all", found["total"])])
    for dimension, rows in found["by"].items():
        line()
        table([dimension, *columns[1:]], [_report_cells(row["name"] or "nobody", row) for row in rows])
    line()
    line("First reply: from a customer's first message to the first answer of a person, in wall time.")
    return 0


def _report_cells(name: str, row: Mapping[str, Any]) -> list[Any]:
    return [
        name, row["messages"], row["conversations"], row["answered"], _span(row["first_reply_p50"]),
        _span(row["first_reply_p90"]), row["breaches"], row["chases"],
    ]  # fmt: skip


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, hours = divmod(round(seconds), 60)[0], round(seconds) // 3600
    if hours:
        return f"{hours} h {minutes % 60:02} min"
    return f"{minutes} min" if minutes else f"{round(seconds)} s"


@command("audit")
@json_option
def audit(as_json: bool) -> int:
    """Rebuild each conversation from its messages and events and compare; no difference is normal."""
    from router.desk.reads.audit import audit as compared
    from workers.cli.opened import opened

    with opened(reading=True) as desk:
        found = compared(desk.store)
    sizes = {"conversations": found.conversations, "messages": found.messages, "events": found.events}
    sizes["raws"] = found.raws
    if as_json:
        json_line({**sizes, "differences": found.differences})
    else:
        show(found.differences, as_json=False, empty="No difference.")
    if found.differences:
        warn(f"{len(found.differences)} differences between stored states and the event log.")
    elif not as_json:
        line(", ".join(f"{count} {name}" for name, count in sizes.items()) + " compared.")
    return 1 if found.differences else 0


@command("simulate")
@click.option("--config", metavar="NEW.toml", type=PATH, required=True, help="The other configuration.")
@click.option("--since", metavar="T", help="Only later messages.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    default=40,
    show_default=True,
    help="Changes shown; --json has them all.",
)
@json_option
def simulate(config: Path, since: str | None, limit: int, as_json: bool) -> int:
    """Decide the stored history again under another configuration, on a copy, and print what would change."""
    from router.policy.values import Policy
    from workers.cli.opened import instant, opened
    from workers.lab.simulate import simulate as decided_again

    start = instant(since, "--since") if since else None
    other = Policy.load(config)
    with opened(reading=True) as desk:
        bar = partial(progress, text="Deciding")
        found = decided_again(desk.store, other, since=start, passing=bar)
    if as_json:
        json_line(found)
        return 0
    rows = found["changes"]
    show(found["summary"], as_json=False, title="What would change", empty="Nothing would change.")
    if rows:
        line()
        columns = ("ref", "message", "sent_at", "what", "before", "after")
        table(columns, [[row[c] for c in columns] for row in rows[:limit]])
        if len(rows) > limit:
            line(f"… and {len(rows) - limit} more (--json has them all)")
    line(f"{found['messages']} messages were decided again; {found['changed']} would be decided otherwise.")
    if found["skipped"]:
        warn(f"{found['skipped']} messages could not be decided again: their raws are no longer kept, or were refused.")
    return 0
