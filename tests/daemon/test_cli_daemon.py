"""`omnirouter run` from its first moment: it ends as it was asked to, also before it has begun."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).with_name("omnirouter")
_TERM = 1 << (signal.SIGTERM - 1)


def _listens_to_term(process: subprocess.Popen[bytes]) -> bool:
    """Does the process catch SIGTERM, as the system sees it?"""
    told = Path(f"/proc/{process.pid}/status").read_text("ascii")
    caught = next(line for line in told.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & _TERM)


def test_a_daemon_that_is_ended_while_it_starts_ends_well(tmp_path: Path) -> None:
    """SIGTERM right after the start: exit code 0, without a word, before there is anything to finish."""
    process = subprocess.Popen([COMMAND, "run"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not _listens_to_term(process):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, b"", b"")
    assert list(tmp_path.iterdir()) == []
