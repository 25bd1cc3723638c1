"""Who is let in when file descriptors run short? The database first, strangers last.

In: the address to listen at. Out: a listening socket whose `accept` refuses connections that would take one of the last
`reserve` descriptors: the kernel gives the lowest free one, so a connection with a high number says how many are in
use. asyncio takes that refusal as it takes the kernel's own: it waits a second and tries again.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import sys
from typing import Any, Final

__all__ = ["RESERVE", "Listening", "raise_limit"]

#: Descriptors that no connection of the front door may take: those of the database, of files and of calls to providers.
RESERVE: Final = 128


def raise_limit() -> int:
    """Raise the soft limit of descriptors to the hard one; the limit that holds then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):  # a system that has a lower limit of its own
            pass
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


class Listening(socket.socket):
    """A TCP socket to listen with. It names its protocol, for only then does asyncio switch Nagle's delay off for the
    connections it accepts."""

    def __init__(self, family: int, limit: int) -> None:
        super().__init__(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._last = limit - min(RESERVE, limit // 2)

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection. Raises OSError (EMFILE) instead of giving one of the reserve."""
        connection, address = super().accept()
        if connection.fileno() >= self._last:
            connection.close()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return connection, address
