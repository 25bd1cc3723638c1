"""Does a test stay on its machine? A guard that lets sockets connect to loopback only.

In: nothing. Out: within the guard, every attempt to connect or to look a name up elsewhere fails the test at once,
with the address in its sentence, instead of reaching a provider.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ["loopback_only"]


def _local(host: object) -> bool:
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _check(address: object) -> None:
    host = address[0] if isinstance(address, tuple) else None  # a path of a Unix socket is on this machine
    if not _local(host):
        raise AssertionError(f"a socket was about to leave the machine for {host}")


@contextmanager
def loopback_only() -> Iterator[None]:
    """While inside, sockets connect to loopback only; anything else raises AssertionError."""
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _check(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _check(address)
        return connect_ex(self, address)

    def guarded_look_up(host: Any, *args: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if not _local(name):
            raise AssertionError(f"a name was about to be looked up outside the machine: {name}")
        return look_up(host, *args, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        yield
