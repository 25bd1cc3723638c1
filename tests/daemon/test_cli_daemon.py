"""`omnirouter run` from its first moment: it ends as it was asked to, also before it has begun."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).with_name("omnirouter")


def _begins_to_read(pipe: Path, process: subprocess.Popen[bytes]) -> int:
    """Wait until the process opens the pipe; the end to write to."""
    while process.poll() is None:
        with contextlib.suppress(OSError):  # nobody is there to read
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    raise AssertionError("it has ended")


def test_a_daemon_that_is_ended_while_it_starts_ends_well(tmp_path: Path) -> None:
    """SIGTERM while it reads its configuration: exit code 0, without a word, before there is anything to finish."""
    configuration = tmp_path / "desk.toml"
    os.mkfifo(configuration)
    command = [COMMAND, "-c", configuration, "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    writing = _begins_to_read(configuration, process)
    process.send_signal(signal.SIGTERM)
    os.close(writing)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (0, b"", b"")
    assert list(tmp_path.iterdir()) == [configuration]
