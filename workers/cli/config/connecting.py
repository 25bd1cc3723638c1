"""Does everything that a configuration names answer?

In: a policy. Out: one line each for the database, the log and every enabled channel, in the order of the file: what
was proved, or the sentence that says why not. Nothing is written and nothing is sent; all are asked at the same time,
and none is waited for longer than `PATIENCE` seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import adapters
from router.errors import ConfigurationError, OmnirouterError, SchemaMismatch, Unreachable
from router.policy.load import unset_secrets
from router.policy.values import ChannelPolicy, Policy
from router.ports import Channel

__all__ = ["PATIENCE", "connections"]

PATIENCE: Final = 30.0
_Recall: TypeAlias = Callable[[str], Awaitable[str | None]]
_Remember: TypeAlias = Callable[[str, str], Awaitable[None]]


async def connections(policy: Policy) -> list[dict[str, Any]]:
    """Ask everything; `what`, `line` and `exit_code` (0 it answers, 2 wrong configuration, 3 it does not) each."""
    unset = unset_secrets(policy)
    asked: dict[str, Callable[[], Awaitable[str]]] = {"database": lambda: asyncio.to_thread(_database, policy)}
    for channel in policy.channels.values():
        if channel.enabled:
            asked[f"channels.{channel.name}"] = _opening(policy, channel, unset.get(channel.name, ()))
    answers = await asyncio.gather(*(_answer(ask) for ask in asked.values()))
    found = [{"what": what, "line": line, "exit_code": code} for what, (code, line) in zip(asked, answers, strict=True)]
    code = answers[0][0]
    log = "it is in the database, which cannot be used." if code else "in the database."
    found.insert(1, {"what": "log", "line": log, "exit_code": code})
    return found


async def _answer(ask: Callable[[], Awaitable[str]]) -> tuple[int, str]:
    try:
        async with asyncio.timeout(PATIENCE):
            return 0, await ask()
    except TimeoutError:
        return Unreachable.exit_code, f"no answer within {PATIENCE:.0f} seconds; check the address and the network."
    except ConfigurationError as error:
        return error.exit_code, str(error)
    except OmnirouterError as error:
        return Unreachable.exit_code, str(error)
    except Exception as error:  # an adapter's defect is told of its channel; the others are still asked
        return Unreachable.exit_code, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _database(policy: Policy) -> str:
    """Connect and compare the schema with this version's. Raises Unreachable or SchemaMismatch."""
    from router.desk.ledger import database_of
    from router.store.schema import mismatch, status, unsafe_settings

    database = database_of(policy)
    database.require_folder()
    if database.path is not None and not database.path.exists():
        return f"{database.path} is not there yet; the daemon makes it."
    try:
        found = status(database)
        if found != "current":
            raise SchemaMismatch(mismatch(database, found))
        unsafe = unsafe_settings(database)
    finally:
        database.engine.dispose()
    where = database.url.render_as_string(hide_password=True)
    if unsafe:
        off = " and ".join(unsafe)
        return (
            f"{where} has this version's tables, but a crash of the server's machine would lose what was acknowledged: "
            f"{off} {'is' if len(unsafe) == 1 else 'are'} off; set {'it' if len(unsafe) == 1 else 'them'} on."
        )
    return f"{where} has this version's tables."


def _memory(policy: Policy, name: str) -> tuple[_Recall, _Remember, Callable[[], None]]:
    """The channel's own memory, so that what is proved here holds for the daemon; without a ledger it lasts for this
    call. Also how to close it."""
    from router.desk.ledger import database_of
    from router.store import channel_state
    from router.store.database import Database
    from router.store.schema import status

    passing: dict[str, str] = {}
    database: Database | None = None
    opened = contextlib.ExitStack()
    with contextlib.suppress(OmnirouterError):
        found = database_of(policy)
        opened.callback(found.close)
        if (found.path is None or found.path.exists()) and status(found) == "current":
            database = found

    async def recall(key: str) -> str | None:
        if database is None:
            return passing.get(key)
        return await asyncio.to_thread(channel_state.recall, database, name, key)

    async def remember(key: str, value: str) -> None:
        if database is None:
            passing[key] = value
        else:
            await asyncio.to_thread(channel_state.remember, database, name, key, value)

    return recall, remember, opened.close


def _opening(policy: Policy, channel: ChannelPolicy, unset: tuple[str, ...]) -> Callable[[], Awaitable[str]]:
    async def ask() -> str:
        if channel.unavailable:
            raise ConfigurationError(channel.unavailable)
        if unset:
            raise ConfigurationError(f"not set: {', '.join(unset)}.")
        recall, remember, forget = _memory(policy, channel.name)
        adapter = adapters.load(channel.adapter)(
            Channel(
                name=channel.name,
                settings=channel.settings,
                recall=recall,
                remember=remember,
                public_url=policy.web.public_url,
                now=lambda: datetime.now(UTC),
            )
        )
        try:
            return await adapter.connect()
        finally:
            await adapter.close()
            forget()

    return ask
