"""Connections of strangers leave descriptors for the database, and small answers are sent at once."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import resource
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.kit.signature import sign_standard
from workers.http.listening import RESERVE, Listening, raise_limit
from workers.http.slow_client_guard import Connection

COMMAND = Path(sys.executable).with_name("omnirouter")
WHSEC = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
CONFIGURATION = """
[channels.app-chat]
adapter = "webhook"
secrets = ["env:LIVE_CHAT"]
[[queues]]
name = "general"
[defaults]
queue = "general"
"""


async def test_an_accepted_connection_sends_at_once(open_desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP_NODELAY is set on it: no answer waits for the acknowledgement of the one before."""
    monkeypatch.setenv("LIVE_CHAT", WHSEC)
    seen: list[int] = []
    made = Connection.connection_made

    def connection_made(self: Connection, transport: asyncio.Transport) -> None:
        accepted = transport.get_extra_info("socket")
        seen.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        made(self, transport)

    monkeypatch.setattr(Connection, "connection_made", connection_made)
    async with open_desk(CONFIGURATION, datetime(2026, 3, 2, 4, tzinfo=UTC)) as desk:
        assert (await desk.http.get("/health")).status_code == 200
    assert seen
    assert all(seen)


def test_the_last_descriptors_are_no_connections() -> None:
    """A connection that would take one is closed, as if the kernel had none; before them all are taken."""
    most = max(RESERVE, *map(int, os.listdir("/proc/self/fd"))) + 8  # a smaller limit would have a smaller reserve
    with Listening(socket.AF_INET, most + RESERVE) as listening, contextlib.ExitStack() as held:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        held.enter_context(socket.create_connection(listening.getsockname()))
        while held.enter_context(Path(os.devnull).open()).fileno() < most:
            pass
        with pytest.raises(OSError, match="Too many open files") as refused:
            listening.accept()
        assert refused.value.errno == errno.EMFILE
    with Listening(socket.AF_INET, sys.maxsize) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with socket.create_connection(listening.getsockname()):
            listening.accept()[0].close()


def test_the_soft_limit_rises_to_the_hard_one() -> None:
    """In a process of its own, since a limit that was lowered stays low."""
    told = subprocess.run(
        [sys.executable, "-c", "import resource; from workers.http.listening import raise_limit; print(raise_limit(), "
         "resource.getrlimit(resource.RLIMIT_NOFILE))"],
        check=True, capture_output=True, text=True, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300)),
    )  # fmt: skip
    assert told.stdout.strip() == "300 (300, 300)"
    assert raise_limit() > 0


def test_a_crowd_of_strangers_stops_no_work(tmp_path: Path) -> None:
    """While they hold every connection that there is, a message over one of them is stored, decided and answered for,
    and commands read it."""
    (tmp_path / "omnirouter.toml").write_text(f'[web]\nlisten = "127.0.0.1:0"\n{CONFIGURATION}')
    environment = {**os.environ, "LIVE_CHAT": WHSEC}
    daemon = subprocess.Popen(
        [COMMAND, "run"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 256)),
    )  # fmt: skip
    try:
        assert daemon.stdout is not None
        host, port = re.search(r"http://([\d.]+):(\d+)", daemon.stdout.readline()).groups()  # type: ignore[union-attr]
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=120) as http, contextlib.ExitStack() as crowd:
            assert http.get("/health").status_code == 200
            for _ in range(300):
                crowd.enter_context(socket.create_connection((host, int(port))))
            for number in range(3):
                body = (
                    f'{{"id": "m-{number}", "sent_at": "2026-03-02T10:00:00+08:00", "sender": {{"handle": "u"}}, '
                    '"text": "x"}'
                ).encode()
                headers = sign_standard([WHSEC], f"msg_{number}", body, datetime.now(UTC))
                assert http.post("/channels/app-chat", content=body, headers=headers).status_code == 202
            until = time.monotonic() + 120
            while (stored := exported(tmp_path, environment)) < 3 and time.monotonic() < until:
                pass
            assert stored == 3
    finally:
        daemon.terminate()
        daemon.communicate(timeout=120)
    assert daemon.returncode == 0


def exported(folder: Path, environment: dict[str, str]) -> int:
    """How many messages are stored, as a command tells."""
    command = [COMMAND, "export", "messages"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.count("\n")
