"""`init` and `check`: is there a configuration, is it right, and does everything that it names answer?

In: a file. Out: `init` writes a commented preset and a key beside it and never overwrites. `check` lists all mistakes
at once (exit 2) and the secrets that are not set yet; with `--connect` it logs in to every channel, the database and
the log, one line each (exit 3 when something does not answer).
"""

from __future__ import annotations

import asyncio
import re
import shlex
from pathlib import Path
from typing import Any

import click

from router.errors import ConfigurationError
from workers.cli.command import PATH, command, json_option
from workers.cli.printing import json_line, line, warn

__all__ = ["check", "init"]

_KEY_LINE = re.compile(r'^# (key = "file:omnirouter\.key")', re.MULTILINE)


@command("init")
@click.argument("file", metavar="[FILE]", type=PATH, required=False)
@click.option(
    "--preset",
    type=click.Choice(["wallet", "plain"]),
    default="wallet",
    show_default=True,
    help="Which desk to begin with.",
)
def init(file: Path | None, preset: str) -> int:
    """Write a commented configuration and the key that seals what arrives; never overwrites."""
    from router.policy.load import preset_text
    from router.private import opener
    from router.seal import create_key
    from workers.cli.chosen import named_file

    file = file or named_file() or Path("omnirouter.toml")
    text, key = preset_text(preset), file.parent / "omnirouter.key"
    try:
        with open(file, "x", encoding="utf-8", opener=opener) as written:
            written.write(_KEY_LINE.sub(r"\1", text))
    except FileExistsError:
        raise ConfigurationError(f"{file} is there already and stays as it is: name another file.") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written ({error.strerror}): name another place.") from None
    line(f"Wrote {file}.")
    if key.exists():
        line(f"Kept {key}, the key that seals what arrives.")
    else:
        create_key(key)
        line(f"Made {key}, the key that seals what arrives (mode 600): keep a copy in a safe place.")
    line(f"Next: set the addresses and secrets in {file}, then run: omnirouter{_option(file)} check")
    return 0


@command("check")
@click.option("--connect", is_flag=True, help="Log in to channels, database and log.")
@json_option
def check(connect: bool, as_json: bool) -> int:
    """All mistakes of the configuration at once; with --connect, does everything that it names answer?"""
    from router.policy.load import load, preset
    from workers.cli.chosen import configuration_file
    from workers.cli.config.remarks import remarks
    from workers.ownership import refuse_foreign_packages

    file = configuration_file()
    try:
        refuse_foreign_packages()
        policy = preset("wallet") if file is None else load(file, outside=True)
        _refuse_weak(policy)
    except ConfigurationError as error:
        return _mistaken(file, error, as_json)
    told, unset, elsewhere = remarks(policy, file), _unset(policy), _unset_elsewhere(policy)
    if not as_json:
        counts = f"channels {len(policy.channels)}, queues {len(policy.queues)}, rules {len(policy.rules)}"
        line(f"{file or 'The built-in wallet preset'} is right: {counts}.")
        for sentence in (*told, *(() if connect else unset), *elsewhere):
            warn(sentence)
    lines = asyncio.run(_connections(policy)) if connect else []
    if as_json:
        found = {"mistakes": [], "remarks": told, "unset": [*unset, *elsewhere], "connections": lines}
        json_line({"file": str(file) if file else None, "version": policy.version, **found})
    for answer in () if as_json else lines:
        line(f"{answer['what']}: {'ok, ' if not answer['exit_code'] else ''}{answer['line']}")
    codes: list[int] = [answer["exit_code"] for answer in lines]
    return max([*codes, ConfigurationError.exit_code if connect and elsewhere else 0])


def _option(file: Path) -> str:
    return "" if file == Path("omnirouter.toml") else f" -c {shlex.quote(str(file))}"


def _mistaken(file: Path | None, error: ConfigurationError, as_json: bool) -> int:
    if as_json:
        json_line({"file": str(file) if file else None, "mistakes": error.mistakes})
    else:
        for mistake in error.mistakes:
            warn(mistake)
        if len(error.mistakes) > 1:
            warn(f"{file}: {len(error.mistakes)} mistakes.")
    return error.exit_code


def _refuse_weak(policy: Any) -> None:
    """Raise ConfigurationError for secrets that are set and verify nothing."""
    from router.policy.load import weak_secrets

    weak = [f"channels.{name}.{why}." for name, whys in weak_secrets(policy).items() for why in whys]
    if weak:
        raise ConfigurationError(weak)


def _unset(policy: Any) -> list[str]:
    """The channels whose secrets are not set, or whose libraries are not installed, one sentence each."""
    from router.policy.load import unset_secrets

    lines = [
        f"channels.{name}: this channel cannot be opened yet, for its secrets are not set: {', '.join(references)}."
        for name, references in unset_secrets(policy).items()
    ]
    lines += [f"channels.{c.name}: {c.unavailable}" for c in policy.channels.values() if c.unavailable]
    return lines


def _unset_elsewhere(policy: Any) -> list[str]:
    """The unset secrets outside the channels, which no connection asks for by itself."""
    from router.policy.load import unset_elsewhere

    return [f"{path}: {reference} is not set." for path, reference in unset_elsewhere(policy).items()]


async def _connections(policy: Any) -> list[dict[str, Any]]:
    from workers.cli.config.connecting import connections

    return await connections(policy)
