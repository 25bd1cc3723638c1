"""May trying again help? Only data buries: a raw is never set aside for what its surroundings did.

In: any error of deciding, translating, sending or appending. Out: yes for what passes by itself or is for an operator
to mend (a connection, a lock, memory, disk, descriptors, a server that is read-only or starts), no for what the
message or our own code is to blame for. One function, asked wherever errors are sorted.
"""

from __future__ import annotations

import errno
import gzip
import io
from collections.abc import Iterator
from typing import Final

from sqlalchemy.exc import DBAPIError, DisconnectionError, ResourceClosedError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from router.errors import OmnirouterError, Undecidable

__all__ = ["is_transient", "raced", "short_of"]

#: SQLSTATE classes: connection, state of the transaction, prepared statement gone, rollback, resources, not in a state
#: to do so, intervention of an operator, system; an internal error says nothing of any message either.
_CLASSES: Final = frozenset(("08", "25", "26", "40", "53", "55", "57", "58", "XX"))
#: A prepared statement that is there already or no longer fits: of a pooler, or of a table changed meanwhile.
_STALE: Final = frozenset(("42P05", "0A000"))
#: SQLite: busy, locked, no memory, read-only, interrupted, I/O, corrupt, full, cannot open, protocol, no database.
_SQLITE: Final = frozenset((5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 26))
#: Of the system's errors those that bytes bring about: an archive that is none, a time out of range, a name too long.
_OF_BYTES: Final = (gzip.BadGzipFile, io.UnsupportedOperation)
_NUMBERS_OF_BYTES: Final = frozenset(
    (errno.EOVERFLOW, errno.EINVAL, errno.ERANGE, errno.EDOM, errno.EILSEQ, errno.ENAMETOOLONG)
)
#: What a server is short of, and the setting of PostgreSQL that gives more.
_SHORT: Final = {"53200": "max_locks_per_transaction", "53300": "max_connections"}
_REFUSED: Final = ("too many clients", "connection slots are reserved", "too many connections")


def is_transient(error: BaseException) -> bool:
    """Says the error nothing about the data: may the same call succeed later, with nobody changing the data?"""
    return any(map(_passes, _chain(error)))


def raced(error: BaseException) -> bool:
    """Did another node store the same a moment before? Worth another look at what is known, and no more than that."""
    return any(getattr(one, "sqlstate", None) == "23505" for one in _chain(error))


def short_of(error: BaseException) -> str:
    """The setting of PostgreSQL that would give what the server was short of; empty when it was not."""
    for one in _chain(error):
        setting = _SHORT.get(getattr(one, "sqlstate", None) or "", "")
        if not setting and _family(one) == "psycopg" and any(words in str(one) for words in _REFUSED):
            setting = "max_connections"  # while it connects the driver has no SQLSTATE
        if setting:
            return setting
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from, as far as somebody said so."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting.append(one.__cause__)
        if isinstance(one, Undecidable):
            waiting.append(one.cause)
        if isinstance(one, DBAPIError):
            waiting.append(one.orig)


def _passes(error: BaseException) -> bool:
    if isinstance(error, OmnirouterError):
        return error.retry
    if isinstance(error, (MemoryError, PoolTimeout, DisconnectionError, ResourceClosedError)):
        return True
    if isinstance(error, OSError):
        return not isinstance(error, _OF_BYTES) and error.errno not in _NUMBERS_OF_BYTES
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return _of_driver(error)


def _of_driver(error: BaseException) -> bool:
    family = _family(error)
    if family == "psycopg":
        state = getattr(error, "sqlstate", None)
        if state:
            return state[:2] in _CLASSES or state in _STALE
        return bool({"OperationalError", "InterfaceError"} & {kind.__name__ for kind in type(error).__mro__})
    if family == "sqlite3":
        closed = str(error).startswith("Cannot operate on a closed")
        return closed or getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE
    return False


def _family(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]
