"""`queues`: what waits for the desk, in the order in which to work on it?

In: the ledger. Out: each queue with what waits, the most urgent first, each in a few lines that fit 80 columns: what it
is and how much time is left; whose it is and what to know of it. What waits for nobody of the desk (answered, waiting
for the customer) is listed apart. Read in pages, never all of it at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from router.errors import Misasked
from workers.cli.command import command, json_option
from workers.cli.printing import json_of, line

if TYPE_CHECKING:
    from router.desk import Ledger
    from router.model import Conversation
    from router.policy.values import Policy

__all__ = ["listed", "print_queues", "queues", "waiting_by_queue"]

#: So many are read at a time, which is no more than a screen wants.
_PAGE = 100
_WIDTH, _INDENT = 79, " " * 9


@command("queues")
@click.argument("queue", metavar="[QUEUE]", required=False)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    default=25,
    show_default=True,
    help="Conversations a queue; --json has them all.",
)
@json_option
def queues(queue: str | None, limit: int, as_json: bool) -> int:
    """What waits, in working order: the most urgent of each queue first."""
    from router.store.read import queues as stored
    from workers.cli.opened import opened

    with opened(reading=True) as desk:
        now, sizes = datetime.now(UTC), stored.sizes(desk.store.database)
        names = list(dict.fromkeys((*desk.policy.queues, *sorted(sizes))))
        if queue is not None:
            if queue not in names:
                raise Misasked(f"There is no queue {queue!r}; the configuration has: {', '.join(names)}.")
            names = [queue]
        if as_json:
            _write_json(desk.store, names, sizes, now)
            return 0
        found, apart = listed(desk.store, names, now, limit)
        print_queues(found, desk.policy, apart=apart, sizes=sizes)
    return 0


def listed(
    store: Ledger, names: Sequence[str], now: datetime, limit: int
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[dict[str, Any]]]]:
    """The first `limit` of each queue: of what waits, in working order, and of what is in work and does not."""
    waiting, apart = (
        {name: list(islice(_rows(store, name, now, apart=aside, page=min(limit, _PAGE)), limit)) for name in names}
        for aside in (False, True)
    )
    return waiting, apart


def waiting_by_queue(store: Ledger, now: datetime, *, apart: bool = False) -> dict[str, list[dict[str, Any]]]:
    """What waits (`apart`: what is in work and does not), by queue in the order of the file, in working order, each
    with the words of the time left."""
    return {name: list(_rows(store, name, now, apart=apart)) for name in store.policy.queues}


def _rows(store: Ledger, queue: str, now: datetime, *, apart: bool, page: int = _PAGE) -> Iterator[dict[str, Any]]:
    """The conversations of a queue as they are shown, read in pages of the order they stand in."""
    from router.store.read import queries
    from router.store.read import queues as stored
    from router.store.read.people import names_of

    for some in stored.pages(store.database, queue, apart=apart, page=page):
        with store.database.read() as tx:
            names = names_of(tx, {c.contact for c in some})
            links = queries.links_of(tx, [c.number for c in some])
        for c in some:
            yield _shown(c, names.get(c.contact, ""), links.get(c.number, []), store.policy, now)


def _shown(
    c: Conversation, name: str, links: Sequence[Mapping[str, Any]], policy: Policy, now: datetime
) -> dict[str, Any]:
    """A conversation in its queue: its first open deadline, also when it is past, and the time left in words."""
    from router.store.read import queries
    from workers.cli.conversation.why import left

    clocks = [k for k in queries.clock_rows(c, policy.promises, now) if k["ended_at"] is None]
    first = min((k for k in clocks if k["due_at"]), key=lambda k: k["due_at"], default=clocks[0] if clocks else None)
    words = "" if first is None else left(first, queries.utc(now) or "", policy)
    return {
        **queries.shown_conversation(c, policy.promises, now, links),
        "name": name or (c.participants[0][1] if c.participants else ""),
        "due_at": first["due_at"] if first else None,
        "metric": first["metric"] if first else None,
        "remaining": words,
    }


def _write_json(store: Ledger, names: Sequence[str], sizes: Mapping[str, tuple[int, int]], now: datetime) -> None:
    """One line of JSON, written as it is read."""
    sys.stdout.write("[")
    for place, name in enumerate(names):
        told = json_of({"queue": name, "waiting": sizes.get(name, (0, 0))[0]})
        sys.stdout.write(f'{"," if place else ""}{told[:-1]},"conversations":[')
        _write_list(_rows(store, name, now, apart=False))
        sys.stdout.write('],"apart":[')
        _write_list(_rows(store, name, now, apart=True))
        sys.stdout.write("]}")
    sys.stdout.write("]\n")


def _write_list(rows: Iterable[Mapping[str, Any]]) -> None:
    for place, row in enumerate(rows):
        sys.stdout.write(f"{',' if place else ''}{json_of(row)}")


def print_queues(
    found: Mapping[str, Sequence[Mapping[str, Any]]],
    policy: Policy,
    *,
    limit: int | None = None,
    apart: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    sizes: Mapping[str, tuple[int, int]] | None = None,
) -> None:
    """Each queue with what waits, then what does not; empty ones in one line. `sizes` say how much there is in all."""
    apart = apart or {}
    empty = []
    for name, rows in found.items():
        other = apart.get(name, ())
        waiting, answered = (sizes or {}).get(name, (len(rows), len(other)))
        if not waiting and not answered:
            empty.append(name)
            continue
        line(f"{name}: {waiting} waiting")
        _print_rows(rows[:limit], waiting, policy)
        if answered:
            line(f"  not waiting for the desk: {answered}")
            _print_rows(other[:limit], answered, policy)
        line()
    if empty:
        line(f"Nothing in: {', '.join(empty)}.")


def _print_rows(rows: Sequence[Mapping[str, Any]], of: int, policy: Policy) -> None:
    for row in rows:
        line(f"  {row['ref']:<7}{row['issue_type']:<21}{row['remaining'] or 'nothing is promised'}")
        for told in wrap(_about(row, policy), width=_WIDTH - len(_INDENT), break_long_words=False):
            line(f"{_INDENT}{told}")
    if len(rows) < of:
        line(f"  … and {of - len(rows)} more (--limit)")


def _about(row: Mapping[str, Any], policy: Policy) -> str:
    """Whose it is, since when it waits, and what whoever takes it should know."""
    from workers.cli.conversation.why import local

    told = [str(row["name"] or f"contact {row['contact']}")]
    if row["status"] != "open":
        told.append(row["status"])
    if row["due_at"]:
        told.append(f"{row['metric']} {local(row['due_at'], policy)}")
    if row["waiting_since"]:
        told.append(f"waits since {local(row['waiting_since'], policy)}")
    told += [f"chased {row['chases']} times"] if row["chases"] else []
    told += [f"priority {row['priority']}"] if row["priority"] else []
    told += [f"held by {row['holder']}"] if row["holder"] else []
    told += [f"by {', '.join(row['channels'])}"] if row["channels"] else []
    told += [f"also {one['ref']} (unproven)" for one in row["unproven"]]
    return "; ".join(told)
