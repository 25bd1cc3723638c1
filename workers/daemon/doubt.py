"""Who ends a doubt about the clock, and who learns of it? The part of `workers.daemon.clock` that asks the database.

`check` is asked before deadlines fire: it goes on from the last look that the ledger has, writes down a new one once a
minute, and while the clock is held asks the database's own clock and looks for an operator's confirmation
(`omnirouter clock confirm`). The log says once that it is held, and once that it goes on.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
import structlog

from router.store import Database
from router.store.clock import Mark, database_time, last_mark, put_mark
from workers.daemon.clock import TOLERANCE, Clock

__all__ = ["Doubt"]

_log = structlog.get_logger()
_EVERY = 60.0


class Doubt:
    """The doubt about one daemon's clock. A clock without the name of a boot is a test's: it keeps nothing."""

    def __init__(self, clock: Clock, database: Database) -> None:
        self._clock = clock
        self._database = database
        self._seen: Mark | None = None
        self._begun = False
        self._told = False

    def check(self) -> datetime | None:
        """The present instant if the clock is believed; None while it is held. Blocking."""
        if self._clock.boot and not self._begun:
            self._begin()
        now = self._clock.believed()
        if now is None and self._ended():
            now = self._clock.believed()
        if now is None:
            self._tell()
        else:
            self._remember()
        return now

    def _begin(self) -> None:
        self._seen = last_mark(self._database)
        if self._seen is not None:
            self._clock.resume(self._seen)
        theirs = database_time(self._database)
        if theirs is not None and not self._clock.heard(theirs):
            self._clock.doubt("The clocks of this machine and of the database differ by more than a minute.")
        self._begun = True

    def _ended(self) -> bool:
        """Does somebody agree with the clock by now?"""
        if not self._clock.boot:
            return False
        found = last_mark(self._database)
        if found is not None and found != self._seen and found.by == "operator":
            self._seen = found
            here = found.boot == self._clock.boot and found.steady > self._clock.mark.steady
            if here or abs((found.wall - self._clock()).total_seconds()) <= TOLERANCE:
                self._clock.agreed()
                return True
        theirs = database_time(self._database)
        return theirs is not None and self._clock.heard(theirs)

    def _tell(self) -> None:
        if self._told:
            return
        self._told = True
        _log.error("clock.held", reason=self._clock.reason)
        if self._clock.boot:
            self._put(self._clock.mark)

    def _remember(self) -> None:
        if self._told:
            self._told = False
            _log.warning("clock.believed")
        elif not self._clock.boot or not self._clock.certain:
            return
        mark = self._clock.mark
        if self._seen is None or self._seen.boot != mark.boot or self._seen.held or (
            mark.steady - self._seen.steady >= _EVERY
        ):  # fmt: skip
            self._put(mark)

    def _put(self, mark: Mark) -> None:
        put_mark(self._database, mark)
        self._seen = mark


def confirmed(clock: Clock) -> Mark:
    """What an operator says of the clock of his machine."""
    return msgspec.structs.replace(clock.mark, by="operator", held=False)
