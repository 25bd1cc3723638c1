"""The daemon's log is a by-product: losing it stops nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SAY = """
import sys
{before}
import structlog
from workers.logs.lines import configure
configure()
{after}
structlog.get_logger().warning("front_door.busy", channel="app-chat")
print("went on")
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [("sys.stderr = None", ""), ("sys.stderr.close()", ""), ("", "sys.stderr.close()"), ("", "sys.stderr = None")],
)
def test_a_log_that_nobody_takes_stops_no_work(before: str, after: str) -> None:
    """Standard error was never there, or was closed: an event is lost, the work goes on."""
    code = _SAY.format(before=before, after=after)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "went on\n")


def test_an_event_is_one_line_on_standard_error() -> None:
    """JSON, with the event's constant name and its fields."""
    code = _SAY.format(before="", after="")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr.count("\n") == 1
    assert '"event": "front_door.busy"' in done.stderr
