"""The daemon's log is a by-product: losing it stops nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

_SAY = """
import sys
{before}
import structlog
from workers.daemon.logging import configure
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


@pytest.mark.parametrize(
    ("happens", "where"),
    [
        ("logging.getLogger('lib').error('%s said it', WORD, exc_info=ValueError(WORD))", "lib"),
        ("logging.getLogger('lib').warning('mail of %s', WORD)", "lib"),
        ("asyncio.run(unheard())", "asyncio"),
        ("warnings.warn(WORD)", "py.warnings"),
        ("thread = threading.Thread(target=fail); thread.start(); thread.join()", "thread"),
        ("fail()", "main"),
    ],
    ids=["a library's error", "a library's warning", "a task that nobody awaits", "a warning", "a thread", "the end"],
)
def test_no_traceback_and_no_word_of_a_message_enters_the_log(happens: str, where: str) -> None:
    """Whatever a library or nobody says becomes one JSON line: a constant event, the kind of error, its place."""
    before = f"""
import asyncio, gc, logging, threading, warnings
WORD = "转账 chen@example.net"
def fail():
    raise ValueError(WORD)
async def unheard():
    task = asyncio.create_task(late())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()
async def late():
    fail()
def happen():
    {happens}
"""
    code = _SAY.format(before=before, after="happen()")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    said = lines[0]
    assert said["event"] in ("library.said", "uncaught")
    assert where in (said.get("logger"), said.get("part"))
    assert set(said) <= {"event", "level", "timestamp", "logger", "part", "error", "at"}
    assert said.get("error", "ValueError") == "ValueError"
    assert "chen" not in done.stderr
    assert "Traceback" not in done.stderr
