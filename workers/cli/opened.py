"""What does a command over the ledger work with? `opened()`: policy, store and channels, closed when the command ends.

Also the two kinds of words that many commands take: a conversation (number or ref) and an instant.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from router.desk import Ledger
from router.errors import ConfigurationError
from router.policy.values import Policy
from router.store.clock import last_mark
from workers.cli.chosen import configured
from workers.cli.printing import warn
from workers.daemon.channels import Channels
from workers.daemon.clock import Clock

if TYPE_CHECKING:
    from router.store.log import Log

__all__ = ["Desk", "instant", "opened"]


class Desk:
    """An open desk: its policy, its ledger, its channels."""

    def __init__(self, policy: Policy, *, make: bool = False) -> None:
        self.policy = policy
        self.store = Ledger.open(policy, make=make)
        self.channels = Channels(policy, self.store.database)

    def now(self) -> datetime:
        """The present instant by the daemon's guarded clock: after a jump of the wall clock that nobody has agreed
        with, an act is dated by the machine's steady clock where that is earlier (rules: deadlines, 16a)."""
        clock, last = Clock(), last_mark(self.store.database)
        if last is not None:
            clock.resume(last)
        return clock.cautious()

    def log(self) -> Log:
        """The log; the caller closes it."""
        from workers.daemon.log import open_log

        return open_log(self.policy, self.store)


@contextlib.contextmanager
def opened(*, reading: bool = False, make: bool = False) -> Iterator[Desk]:
    """The desk of this command's configuration. `reading`: say which database the command looks at (on stderr). `make`:
    a missing SQLite file is made. Raises the sentences of `Store.open`."""
    desk = Desk(configured(), make=make)
    try:
        if reading:
            warn(f"Reading {desk.store.database.where}")
        yield desk
    finally:
        asyncio.run(desk.channels.close())
        desk.store.close()


def instant(text: str, option: str) -> datetime:
    """An instant as a person writes it: a date, or a date and time; without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{option}: {text!r} is no instant; right would be 2026-03-01 or 2026-03-01T08:00:00+08:00."
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def local(at: datetime | None, policy: Policy) -> str:
    """An instant in the desk's time zone, to the minute."""
    return "" if at is None else at.astimezone(ZoneInfo(policy.timezone)).strftime("%Y-%m-%d %H:%M")
