"""How is a request's body read, so that strangers cannot fill the memory with theirs?

Nobody is known before his body is read whole, since a signature is over all of it. So each route has its limit, and all
bodies that are in memory at once have one together. Beyond it only small bodies are taken; who sends a large one is
asked to come again.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request

__all__ = ["Bodies", "TooLarge", "TooMany"]

#: Bytes of all bodies together, and of one that is taken even beyond that.
MOST: Final = 32 << 20
SMALL: Final = 64 << 10


class TooLarge(Exception):
    """The body is larger than the route takes."""


class TooMany(Exception):
    """Other bodies fill the memory at the moment."""


class Bodies:
    """All bodies that one front door holds at the moment."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._held = 0

    @contextlib.asynccontextmanager
    async def of(self, request: Request, largest: int) -> AsyncIterator[bytes]:
        """The whole body; it counts as held until the context ends.

        Raises `TooLarge` beyond `largest` bytes, `TooMany` where there is no room, and starlette's `ClientDisconnect`.
        """
        size = 0
        body = bytearray()
        try:
            async for chunk in request.stream():
                size += len(chunk)
                self._held += len(chunk)
                if size > largest:
                    raise TooLarge
                if size > SMALL and self._held > self._most:
                    raise TooMany
                body += chunk
            whole = bytes(body)
            body.clear()
            yield whole
        finally:
            self._held -= size
