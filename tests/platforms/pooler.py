"""A real pgbouncer in transaction mode before a PostgreSQL server of this run."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PGBOUNCER = shutil.which("pgbouncer", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))

_FORM = """
[databases]
* = host={server} port=5432 user=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
unix_socket_mode = 0777
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
logfile = {folder}/log
pidfile = {folder}/pid
"""


class Pooler:
    """`before(url)` is the address of a database over the pooler: four connections to the server for all clients, each
    lent out for one transaction at a time."""

    def __init__(self, url: str) -> None:
        server = parse_qs(urlsplit(url).query)["host"][0]
        self._folder = Path(tempfile.mkdtemp(prefix="pooler-"))
        form = self._folder / "pgbouncer.ini"
        form.write_text(_FORM.format(server=server, folder=self._folder))
        command = [str(PGBOUNCER), str(form)]
        if os.getuid() == 0:  # it never runs as root
            owner = pwd.getpwuid(Path(server).stat().st_uid).pw_name
            shutil.chown(self._folder, owner)
            command[1:1] = ["-u", owner]
        self._folder.chmod(0o755)
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait()

    def _wait(self) -> None:
        """Return when it takes connections."""
        for _ in range(600):
            with socket.socket(socket.AF_UNIX) as asked:
                if asked.connect_ex(f"{self._folder}/.s.PGSQL.6432") == 0:
                    return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError((self._folder / "log").read_text())

    def before(self, url: str) -> str:
        """The address of a database over the pooler."""
        name = urlsplit(url).path
        return f"postgresql://postgres@{name}?host={self._folder}&port=6432"

    def stop(self) -> None:
        """Take the pooler away."""
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
