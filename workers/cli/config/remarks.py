"""What of a right configuration wants a look: dates, replies that reach nobody, open files, words of the preset?

In: a policy and its file. Out: one sentence each, for stderr; none of them stops anything.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from router import private
from router.errors import NoOpenTime, OmnirouterError
from router.policy.sentences import dotted
from router.policy.values import Policy

__all__ = ["remarks"]

#: What a preset writes where a desk's own belongs: names kept for examples, an id of noughts.
_PLACEHOLDER: Final = re.compile(r"(?:[@./]|^)example\.(?:com|net|org)(?![\w-])|\.example(?![\w-])|0{12}")


def remarks(policy: Policy, file: Path | None) -> list[str]:
    """All of them, in the order of the file; the built-in preset is nobody's desk and leaves nothing to be written."""
    found = [*policy.remarks, *_operations(policy), *_dates(policy), *_no_way_out(policy), *_exposed(policy)]
    return found if file is None else [*_placeholders(file), *found]


def _operations(policy: Policy) -> Iterator[str]:
    host, port = policy.web.operations
    if host not in ("127.0.0.1", "::1", "localhost"):
        told = "tells of the database whoever reaches it; keep it inside your own network."
        yield f"web.operations: {host}:{port} {told}"


def _dates(policy: Policy) -> Iterator[str]:
    now = datetime.now(UTC)
    soon = now + timedelta(days=60)
    for name, schedule in policy.schedules.items():
        if schedule.provisional(soon):
            yield (
                f"schedules.{name}: the official holidays of {soon.year} are not known yet; "
                "deadlines there are provisional until a newer `holidays` library is installed."
            )
        try:
            schedule.check_open(now)
        except NoOpenTime:
            yield f"schedules.{name}: has no open time from now on; give it new dates."


def _no_way_out(policy: Policy) -> Iterator[str]:
    """Channels whose replies reach nobody, or only some of those who wrote."""
    for channel in policy.channels.values():
        told = getattr(channel.settings, "no_way_out", None)
        if channel.enabled and told is not None and (why := str(told())):
            yield f"channels.{channel.name}: its replies may reach nobody: {why}."


def _exposed(policy: Policy) -> Iterator[str]:
    """Files of the desk that somebody else than their owner may read or change."""
    from router.desk.ledger import database_of

    try:
        database = database_of(policy, make=False)
    except OmnirouterError:  # said with what is not set
        return
    paths = database.files
    if database.place is not None:
        paths.append(database.place.parent / "omnirouter.key")
    if policy.privacy.key is not None and policy.privacy.key.path is not None:
        paths.append(policy.privacy.key.path)
    for path, mode in private.exposed(dict.fromkeys(paths)):
        yield f"{path}: others may read it (mode {mode:03o}); run: chmod 600 {shlex.quote(str(path))}"


def _placeholders(file: Path) -> Iterator[str]:
    data = tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    left = [dotted(path) for path, text in _texts(data, ()) if _PLACEHOLDER.search(text)]
    if left:
        yield f"{file}: these are the preset's still, so write your own: {', '.join(left)}."


def _texts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _texts(inner, (*path, place))
