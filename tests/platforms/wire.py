"""A wire between a program and its PostgreSQL server, which a test can cut, stall or take away."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Wire:
    """A proxy on a socket in a folder of its own. `through(url)` is the same database over this wire.

    `cut_at(n)` cuts the connection instead of passing on the n-th thing that the program says from now on, or with
    `answered=True` instead of passing on what the server answers to it. `refuse` says how many connections are still
    refused from now on; `stall` and `go` let nothing through, and all again; `cut` cuts what is open.
    """

    def __init__(self, folder: Path, url: str) -> None:
        asked = urlsplit(url)
        folders = parse_qs(asked.query).get("host")
        self._server = f"{folders[0]}/.s.PGSQL.5432" if folders else (asked.hostname, asked.port)
        self._folder = folder
        self._open: set[socket.socket] = set()
        self._at = self._said = 0
        self._answered = False
        self._unheard: set[socket.socket] = set()
        self.refuse = 0
        self.cuts = 0
        self._flows = threading.Event()
        self._flows.set()
        self._lock = threading.Lock()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / ".s.PGSQL.5432"))
        self._listening.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def through(self, url: str) -> str:
        """The address of a database over this wire."""
        return f"postgresql://postgres@{urlsplit(url).path}?host={self._folder}"

    def cut_at(self, n: int, *, answered: bool = False) -> None:
        """Cut once, at the n-th thing said from now on."""
        with self._lock:
            self._at, self._said, self._answered, self.cuts = n, 0, answered, 0

    def cut(self) -> None:
        """Cut all connections."""
        for end in list(self._open):
            self._drop(end)

    def stall(self) -> None:
        """Pass nothing on; connections stay."""
        self._flows.clear()

    def go(self) -> None:
        """Pass everything on again."""
        self._flows.set()

    def close(self) -> None:
        """Take the wire away."""
        self._flows.set()
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                program, _ = self._listening.accept()
            except OSError:
                return
            if self.refuse > 0:
                self.refuse -= 1
                program.close()
                continue
            try:
                server = self._reached()
            except OSError:
                program.close()
                continue
            self._open |= {program, server}
            for source, sink in ((program, server), (server, program)):
                threading.Thread(target=self._pump, args=(source, sink, source is program), daemon=True).start()

    def _reached(self) -> socket.socket:
        if not isinstance(self._server, str):
            return socket.create_connection(self._server)
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._server)
        return server

    def _pump(self, source: socket.socket, sink: socket.socket, asks: bool) -> None:
        with contextlib.suppress(OSError):
            while said := source.recv(1 << 16):
                self._flows.wait()
                if asks and self._is_the_one():
                    if not self._answered:
                        self.cuts += 1
                        break
                    self._unheard.add(sink)  # the server does what it is asked, and nobody hears of it
                if source in self._unheard:
                    self.cuts += 1
                    break
                sink.sendall(said)
        self._drop(source)
        self._drop(sink)

    def _is_the_one(self) -> bool:
        with self._lock:
            self._said += 1
            found = bool(self._at) and self._said == self._at
            if found:
                self._at = 0
            return found

    def _drop(self, end: socket.socket) -> None:
        self._open.discard(end)
        self._unheard.discard(end)
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
