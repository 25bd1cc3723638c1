"""How long may a connection take to say what it wants, and how much may it say around that?

uvicorn's connection has no limits of its own: one that sends a header without end fills the memory, and one that sends
nothing, or a byte now and then, stays for ever, until no file descriptor is left for anybody else.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any, Final

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["Connection", "shortage"]

_log = structlog.get_logger()

#: Seconds until a request's head is there, and from then until its body is.
HEAD_SECONDS: Final = 20.0
BODY_SECONDS: Final = 120.0
#: Bytes of a request that are not its body: head, chunk sizes, trailers. A body in small chunks may have as many again.
AROUND: Final = 64 << 10
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

_SHORT: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


def shortage() -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """An exception handler for an event loop that tells of a want of file descriptors once a minute: asyncio would
    write thousands of tracebacks a second while nobody can be let in."""
    told = float("-inf")

    def tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal told
        failure = context.get("exception")
        if not isinstance(failure, OSError) or failure.errno not in _SHORT:
            loop.default_exception_handler(context)
        elif loop.time() - told >= 60:
            told = loop.time()
            _log.error("front_door.full", reason=f"no connection can be taken ({failure.strerror}); raise ulimit -n")

    return tell


class Connection(HttpToolsProtocol):
    """A connection that is closed when its request is not there in time, or its head is too large."""

    _timer: asyncio.TimerHandle | None = None
    _requests = _given = _body = 0
    _inside = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._expect(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self._expect(0)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; refuse what is too much. The bytes with which a request begins may end the one before: uncounted."""
        present = self._requests
        super().data_received(data)
        if self._inside and present == self._requests:
            self._given += len(data)
            if self._given - self._body > AROUND + self._body:
                self._refuse()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._requests += 1
        self._given = self._body = 0
        self._inside = True
        self._expect(HEAD_SECONDS)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._expect(BODY_SECONDS)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of its body is there."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._inside = False
        self._expect(0)
        super().on_message_complete()

    def _expect(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._late) if seconds else None

    def _late(self) -> None:
        self.transport.close()

    def _refuse(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_TOO_LARGE)
        self.transport.close()
