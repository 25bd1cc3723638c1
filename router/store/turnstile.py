"""Whose turn is it to write to an SQLite file? A lock file that writers of all processes queue at, each for so long.

The kernel serves waiters in order, which a loop of attempts would not; so a thread waits in `flock`, and the caller
waits for the thread. Whoever gives up leaves it waiting: it lets go as soon as it is let in, or serves the next caller.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from router import private
from router.errors import Unreachable

__all__ = ["Turnstile"]


class Turnstile:
    """The turnstile beside one SQLite file. One caller of this process at a time."""

    def __init__(self, path: Path, patience: float) -> None:
        self._path = f"{path}-turnstile"
        self._file = path
        self._patience = patience
        self._waiter: _Waiter | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold the turnstile. Raises `Unreachable` when nobody lets go of it in time."""
        descriptor = self._enter()
        try:
            yield
        finally:
            os.close(descriptor)

    def _enter(self) -> int:
        descriptor = private.descriptor(self._path)
        if self._waiter is None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                return descriptor
        if self._waiter is not None and self._waiter.wanted_again():
            os.close(descriptor)
        else:
            self._waiter = _Waiter(descriptor)
        entered = self._waiter.entered(self._patience)
        if entered is None:
            raise Unreachable(
                f"Nobody could write to {self._file} for {self._patience:.0f} s: another program holds "
                f"{self._path}; find it with: fuser {self._path}"
            )
        self._waiter = None
        return entered


class _Waiter:
    """One thread that waits to be let in."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._wanted = True
        self._gone = False
        self._lock = threading.Lock()
        self._inside = threading.Event()
        threading.Thread(target=self._wait, name="turnstile", daemon=True).start()

    def _wait(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        with self._lock:
            if self._wanted:
                self._inside.set()
            else:
                os.close(self._descriptor)
                self._gone = True

    def wanted_again(self) -> bool:
        """Let the thread wait for a new caller, if it still waits."""
        with self._lock:
            self._wanted = not self._gone
            return self._wanted

    def entered(self, patience: float) -> int | None:
        """The descriptor that holds the turnstile; None when it took too long."""
        self._inside.wait(patience)
        with self._lock:
            self._wanted = self._inside.is_set()
            return self._descriptor if self._wanted else None
