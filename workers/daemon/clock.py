"""Is the wall clock to be believed? It is held while it has moved otherwise than the machine's steady clock.

In: a wall clock and a steady one, which no correction moves (rules: deadlines, 16a). Out: `believed`, the present
instant, or None while they have drifted apart by more than a minute since the last look: then no deadline fires and
nothing is forgotten. It ends when the drift is gone, or when somebody who knows agrees: the database's clock, a
provider, an operator. An outage is no drift, so what was missed in one comes as ever. Any thread may ask.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from router.store.clock import Mark, utc_now

__all__ = ["LONG_AWAY", "TOLERANCE", "Clock", "boot_id", "steady"]

#: Seconds by which wall and steady time may differ.
TOLERANCE: Final = 60.0
#: A stop longer than this, over a boot of the machine, makes nothing old until somebody has agreed with the clock.
LONG_AWAY: Final = timedelta(days=7)


def steady() -> float:
    """Seconds since the machine's boot, its sleep included."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def boot_id() -> str:
    """The name of this boot of the machine; empty where the system gives none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


class Clock:
    """The clock of one daemon. A program that passes a wall clock of its own, without a steady one, is believed."""

    def __init__(
        self, wall: Callable[[], datetime] = utc_now, ticks: Callable[[], float] | None = None, boot: str | None = None
    ) -> None:
        self._wall = wall
        vouched = ticks is None and wall is not utc_now
        self._ticks = ticks or ((lambda: wall().timestamp()) if vouched else steady)
        self.boot = boot if boot is not None else "" if vouched else boot_id()
        self._lock = threading.Lock()
        self._anchor = (self._wall(), self._ticks())
        self._doubt = ""
        self._held = False
        self._away = False
        self._origin: Mark | None = None

    def __call__(self) -> datetime:
        """What the wall clock says, believed or not."""
        return self._wall()

    @property
    def drift(self) -> float:
        """Seconds by which the wall clock has run ahead of the steady one (behind: below zero) since the last look."""
        with self._lock:
            return self._drift(self._wall(), self._ticks())

    def _drift(self, wall: datetime, ticks: float) -> float:
        return (wall - self._anchor[0]).total_seconds() - (ticks - self._anchor[1])

    def believed(self) -> datetime | None:
        """The present instant; None while the clock is held."""
        with self._lock:
            wall, ticks = self._wall(), self._ticks()
            self._held = bool(self._doubt) or abs(self._drift(wall, ticks)) > TOLERANCE
            if self._held:
                return None
            self._anchor = (wall, ticks)
            return wall

    def cautious(self) -> datetime:
        """The present instant; while the clock is held the earlier of what it says and of what the steady one makes
        of the last look, so that nothing looks late that may not be."""
        found = self.believed()
        if found is not None:
            return found
        with self._lock:
            wall, (since, then) = self._wall(), self._anchor
            return min(wall, since + timedelta(seconds=self._ticks() - then))

    @property
    def certain(self) -> bool:
        """May anything be forgotten for its age?"""
        return self.believed() is not None and not self._away

    @property
    def reason(self) -> str:
        """Why the clock is held, as an operator reads it; empty while it is believed."""
        if self.believed() is not None:
            return ""
        if self._doubt:
            return self._doubt
        drift = self.drift
        way = "ahead of" if drift > 0 else "behind"
        return f"The wall clock jumped: it is {_length(abs(drift))} {way} the machine's steady clock."

    @property
    def mark(self) -> Mark:
        """The last look at which the clock was believed."""
        with self._lock:
            if self._origin is not None:
                return self._origin
            return Mark(boot=self.boot, wall=self._anchor[0], steady=self._anchor[1], held=self._held)

    def resume(self, last: Mark) -> None:
        """Go on from the last look of an earlier process, which tells a jump from an outage on the same boot."""
        with self._lock:
            gone = self._wall() - last.wall
            if last.boot == self.boot:
                self._anchor = (last.wall, last.steady)
                return
            if last.held:
                self._doubt = "The wall clock was in doubt when the machine was last up, and nobody has confirmed it."
            elif gone < -timedelta(seconds=TOLERANCE):
                self._doubt = f"The wall clock is {_length(-gone.total_seconds())} behind the last start."
            self._origin = replace(last, held=True, by="daemon") if self._doubt else None
            self._away = gone > LONG_AWAY

    def doubt(self, reason: str) -> None:
        """Hold the clock until somebody agrees with it."""
        with self._lock:
            self._doubt = reason

    def agreed(self) -> None:
        """Somebody who knows says that the wall clock is right."""
        with self._lock:
            self._anchor = (self._wall(), self._ticks())
            self._doubt, self._away, self._origin = "", False, None

    def heard(self, other: datetime) -> bool:
        """Another clock says this: does it agree with ours?"""
        agrees = abs((other - self._wall()).total_seconds()) <= TOLERANCE
        if agrees:
            self.agreed()
        return agrees


def _length(seconds: float) -> str:
    """A length of time for a person: `6 h 0 min`, `400 days`."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{round(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 2880 else f"{minutes // 1440} days"
