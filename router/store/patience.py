"""How long may a PostgreSQL server be silent? A connection that gives up on one that has gone, whatever holds the wire.

TCP notices a dead peer by keepalives and unacknowledged bytes; behind a proxy, a firewall or a stopped server every
byte is acknowledged and nothing ever comes. So each wait ends after `PATIENCE` seconds without a byte, and the
connection is closed, which the pool takes for what it is. Statements are ended by the server before that.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import psycopg

__all__ = ["KEEPALIVE", "OPTIONS", "PATIENCE", "connection_class", "unhurried"]

#: Seconds of silence after which a server is given up.
PATIENCE: Final = 35.0
#: What the server is asked to end by itself, in milliseconds: transactions that nobody goes on with, waits for a lock,
#: statements; and how it notices that we are gone.
OPTIONS: Final = {
    "idle_in_transaction_session_timeout": "10000",
    "lock_timeout": "20000",
    "statement_timeout": "30000",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
#: What our own side of the wire does: seconds, and milliseconds for the last.
KEEPALIVE: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


@cache
def connection_class() -> type[psycopg.Connection[Any]]:
    """The class of a connection that is not held by a silent server."""
    import psycopg

    class Connection(psycopg.Connection[Any]):
        """A connection whose every wait is bounded. `patience` is in seconds of silence."""

        patience = PATIENCE

        def wait(self, gen: Generator[Any, Any, Any], *given: Any, **named: Any) -> Any:
            """Wait for the server; close the connection and raise `OperationalError` when it says nothing."""
            return super().wait(_heard(gen, self), *given, **named)

    return Connection


def _heard(gen: Generator[Any, Any, Any], connection: Any) -> Generator[Any, Any, Any]:
    """The steps of a wait, as long as the server says something now and then."""
    import psycopg

    try:
        state = next(gen)
        last = monotonic()
        while True:
            ready = yield state
            if ready:
                last = monotonic()
            elif monotonic() - last > connection.patience:
                connection.pgconn.finish()
                raise psycopg.OperationalError(f"the server was silent for {connection.patience:.0f} s")
            state = gen.send(ready)
    except StopIteration as end:
        return end.value


def unhurried(connection: Any) -> None:
    """Let this connection (of the driver) wait for long work, as a migration is; it is not for the pool afterwards."""
    connection.patience = math.inf
