"""`ingest`, `backfill`, `replay` and `dead`: messages that come in late, or once more.

In: recorded files, what a provider still has, or raws of this ledger. Out: the same log and pipeline as for live
messages, and a summary. Nothing goes out because of recorded messages, unless `--live`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from router.errors import ConfigurationError, OmnirouterError
from workers.cli.command import command, json_option
from workers.cli.ending import Misused
from workers.cli.printing import json_line, line, progress, show, warn

if TYPE_CHECKING:
    from router.ports import Raw
    from workers.cli.opened import Desk
    from workers.ingest.recorded import Summary

__all__ = ["backfill", "dead_drop", "dead_list", "dead_replay", "dead_show", "ingest", "replay"]

since_option = click.option(
    "--since", metavar="T", required=True, help="From this instant on: 2026-03-01T08:00:00+08:00."
)
summary_option = click.option("--json", "as_json", is_flag=True, help="The summary is one JSON object in any case.")
until_option = click.option("--until", metavar="T", help="Up to this instant (default: now).")


@command("ingest")
@click.argument("paths", metavar="PATH…", nargs=-1, required=True, help="Mails, mbox, Maildir, folders, .jsonl, -.")
@click.option("--channel", metavar="NAME", required=True, help="The channel they came by.")
@click.option("--live", is_flag=True, help="Let replies, events and notices go out.")
@summary_option
def ingest(paths: tuple[str, ...], channel: str, live: bool, as_json: bool) -> int:
    """Take in recorded messages through the same log and pipeline; repeating it adds nothing."""
    from workers.cli.opened import opened
    from workers.ingest.recordings import raws_at

    began = time.perf_counter()
    with opened(make=True) as desk:
        _configured(desk, channel)
        found = raws_at(paths, channel, desk.channels, datetime.now(UTC), warn)
        raws = progress(found, "Reading")
        summary = asyncio.run(_ingest(desk, raws, live))
    if summary.invalid + summary.dead:
        warn(f"{summary.invalid} invalid and {summary.dead} dead were set aside; see: omnirouter dead list")
    fields = ("read", "stored", "redelivered", "invalid", "dead", "conversations")
    json_line({**{f: getattr(summary, f) for f in fields}, "seconds": round(time.perf_counter() - began, 3)})
    return 1 if summary.invalid + summary.dead else 0


def _configured(desk: Desk, channel: str) -> None:
    """Raise ConfigurationError for a channel that the configuration does not have."""
    if channel not in desk.policy.channels:
        known = ", ".join(desk.policy.channels) or "none"
        raise ConfigurationError(f"There is no channel {channel!r} in the configuration; it has: {known}.")


async def _ingest(desk: Desk, raws: Iterable[Raw], live: bool) -> Summary:
    from workers.ingest.recorded import ingest as take_in

    log = desk.log()
    try:
        return await take_in(desk.store, desk.channels, log, raws, live=live)
    finally:
        await log.close()


@command("backfill")
@click.option("--channel", metavar="NAME", required=True, help="The channel to ask.")
@since_option
@until_option
@summary_option
def backfill(channel: str, since: str, until: str | None, as_json: bool) -> int:
    """Fetch from the provider what a first start or an outage left out; safe to repeat."""
    from router.policy.load import unset_secrets
    from workers.cli.opened import instant, opened

    start, end = instant(since, "--since"), instant(until, "--until") if until else None
    with opened(make=True) as desk:
        _configured(desk, channel)
        unset = unset_secrets(desk.policy).get(channel)
        if unset:
            raise ConfigurationError(f"channels.{channel}: it cannot be asked, for not set is: {', '.join(unset)}.")
        summary = asyncio.run(_backfill(desk, channel, start, end))
    json_line(summary)
    return 0


async def _backfill(desk: Desk, channel: str, since: datetime, until: datetime | None) -> dict[str, Any]:
    from workers.ingest.recorded import ingest as take_in

    adapter, log = desk.channels.get(channel), desk.log()
    total = dict.fromkeys(("read", "stored", "redelivered", "invalid", "dead"), 0)
    try:
        async for delivery in adapter.backfill(since, until):
            summary = await take_in(desk.store, desk.channels, log, delivery.raws, live=True)
            if delivery.acknowledge is not None:
                await delivery.acknowledge()
            for field in total:
                total[field] += getattr(summary, field)
    finally:
        await log.close()
        await adapter.close()
    return total


@command("replay")
@click.option("--channel", metavar="NAME", required=True, help="The channel whose raws are decided again.")
@since_option
@until_option
@summary_option
def replay(channel: str, since: str, until: str | None, as_json: bool) -> int:
    """Decide again from the stored bytes: what is known already is a redelivery."""
    from router.desk.replay import replay_raw
    from router.model import Placement
    from router.store.set_aside import raws_between
    from workers.cli.opened import instant, opened

    now = datetime.now(UTC)
    start, end = instant(since, "--since"), instant(until, "--until") if until else now
    counts = {"read": 0, "stored": 0, "redelivered": 0, "failed": 0}
    with opened() as desk:
        _configured(desk, channel)
        for place in progress(raws_between(desk.store, channel, start, end), "Deciding"):
            counts["read"] += 1
            try:
                decisions = replay_raw(desk.store, place, desk.channels.translate, now)
            except ConfigurationError:
                raise  # the key is away: the next raw would say the same
            except Exception as failure:
                counts["failed"] += 1
                warn(f"raw {place[0]}:{place[1]}: {_words(failure)}")
                continue
            stored = sum(isinstance(d, Placement) for d in decisions)
            counts["stored"] += stored
            counts["redelivered"] += len(decisions) - stored
    json_line(counts)
    return 1 if counts["failed"] else 0


def _words(failure: Exception) -> str:
    return str(failure) if isinstance(failure, OmnirouterError) else f"it failed ({type(failure).__name__})"


@command("dead list")
@click.option("--all", "all_of_them", is_flag=True, help="Also those that were replayed or dropped.")
@json_option
def dead_list(all_of_them: bool, as_json: bool) -> int:
    """What is set aside: invalid raws and dead messages."""
    from router.store.set_aside import listed
    from workers.cli.opened import opened

    with opened(reading=True) as desk:
        show(list(listed(desk.store, closed=all_of_them)), as_json=as_json, empty="Nothing is set aside.")
    return 0


@command("dead show")
@click.argument("number", metavar="ID", type=int)
@click.option("--raw", is_flag=True, help="Also the raw itself, opened.")
@json_option
def dead_show(number: int, raw: bool, as_json: bool) -> int:
    """One of them, with its reason; --raw prints what arrived."""
    from router.store.set_aside import one, raw_at
    from workers.cli.opened import opened

    with opened(reading=True) as desk:
        entry = one(desk.store, number)
        if raw:
            partition, _, position = str(entry["raw"]).rpartition(":")
            entry["body"] = raw_at(desk.store, int(partition), int(position)).body.decode("utf-8", "replace")
    if as_json:
        json_line(entry)
    else:
        for name, value in entry.items():
            line(f"{name:<10}{value}")
    return 0


@command("dead replay")
@click.argument("number", metavar="[ID]", type=int, required=False)
@click.option("--all", "all_of_them", is_flag=True, help="Every one that is open.")
@click.option("--reason", metavar="TEXT", default="", help="Those whose reason has this text.")
@json_option
def dead_replay(number: int | None, all_of_them: bool, reason: str, as_json: bool) -> int:
    """Decide one again, from the stored bytes; or all, or all of a reason, with a summary."""
    from router.desk.replay import replay as decide_again
    from workers.cli.opened import opened

    if sum((number is not None, all_of_them, bool(reason))) != 1:
        raise Misused("dead replay takes one of: an ID as `omnirouter dead list` shows it, --all, --reason TEXT.")
    with opened() as desk:
        if number is None:
            return _replay_many(desk, reason, as_json)
        decisions = decide_again(desk.store, number, desk.channels.translate, datetime.now(UTC))
    if as_json:
        json_line({"id": number, "state": "replayed", "messages": len(decisions)})
    else:
        line(f"{number} was decided: {_messages(len(decisions))}.")
    return 0


def _messages(count: int) -> str:
    return f"{count} message{'s' if count != 1 else ''}"


def _replay_many(desk: Desk, reason: str, as_json: bool) -> int:
    """Decide what is open, or what of it has this reason, one by one; what stays aside says why."""
    from router.desk.replay import replay as decide_again
    from router.store import is_transient
    from router.store.set_aside import waiting

    done = {"replayed": 0, "messages": 0, "stay": 0}
    for number in progress(waiting(desk.store, reason), "Deciding"):
        try:
            done["messages"] += len(decide_again(desk.store, number, desk.channels.translate, datetime.now(UTC)))
            done["replayed"] += 1
        except Exception as failure:
            if is_transient(failure) or isinstance(failure, ConfigurationError):
                raise  # the next one would say the same
            done["stay"] += 1
            warn(_words(failure) if isinstance(failure, OmnirouterError) else f"{number}: {_words(failure)}")
    if as_json:
        json_line(done)
    elif not done["replayed"] + done["stay"]:
        line(f"Nothing is set aside{' for such a reason' if reason else ''}.")
    else:
        stay = f"; {done['stay']} {'stays' if done['stay'] == 1 else 'stay'} set aside" if done["stay"] else ""
        was = "was" if done["replayed"] == 1 else "were"
        line(f"{done['replayed']} {was} decided ({_messages(done['messages'])}){stay}.")
    return 1 if done["stay"] else 0


@command("dead drop")
@click.argument("number", metavar="ID", type=int)
@json_option
def dead_drop(number: int, as_json: bool) -> int:
    """Give one up: it needs no decision."""
    from router.store.set_aside import drop
    from workers.cli.opened import opened

    with opened() as desk:
        drop(desk.store, number)
    if as_json:
        json_line({"id": number, "state": "dropped"})
    else:
        line(f"{number} was dropped; its raw is kept until it expires.")
    return 0
