"""Is this process the only one that decides on an SQLite file? A lock file beside it tells.

Whoever holds it knows that former holders of leases are dead, so nobody waits for their time to end. PostgreSQL needs
no such lock: there the leases' own time decides.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from router import private
from router.errors import ConfigurationError
from router.store import Database
from router.store.leases import Leases

__all__ = ["alone", "lock"]


def lock(database: Database) -> int | None:
    """Take the lock of an SQLite file, by whatever links it is named: its descriptor, or None when another process
    holds it (or there is no file). Raises ConfigurationError for a file that has several names."""
    if database.place is None:
        return None
    if database.place.exists() and (names := database.place.stat().st_nlink) > 1:
        raise ConfigurationError(
            f"desk.database: {database.place} has {names} names (hard links), and what one daemon writes beside one of "
            "them another does not see; remove the other names."
        )
    descriptor = private.descriptor(f"{database.place}-daemon")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    Leases(database, "new").take_over()
    return descriptor


@contextlib.contextmanager
def alone(database: Database) -> Iterator[bool]:
    """Hold the lock while the block runs, if it is free; says whether it is ours."""
    descriptor = lock(database)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)
