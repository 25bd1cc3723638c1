"""Is it this raw that ends the process, or was the process ended by somebody else?

In: a raw whose decision was under way each time the process ended. It is translated and read once in a process of its
own, which may end: so nothing is set aside for having been there when the machine was restarted.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys

from router.decision.decide import prepare
from router.model import Message
from router.policy.values import Policy
from router.ports import Raw
from router.store import Database
from workers.daemon.channels import Channels

__all__ = ["survives"]

#: Seconds after which reading a raw has hung.
PATIENCE = 120


def survives(raw: Raw, policy: Policy, database: Database) -> bool:
    """Does a process that reads this raw live? An error is no end: whoever decides it deals with that. Where a process
    that reads nothing ends as well, it is not the raw."""
    return _lives(raw, policy, database) or not _lives(None, policy, database)


def _lives(raw: Raw | None, policy: Policy, database: Database) -> bool:
    address = database.url.render_as_string(hide_password=False)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "workers.daemon.crash_probe"], input=pickle.dumps((raw, policy, address)),
            check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=PATIENCE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _read(given: bytes) -> None:
    raw, policy, address = pickle.loads(given)  # noqa: S301  (of `survives`, over a pipe of its own)
    for what in Channels(policy, Database(address)).translate(raw) if raw is not None else ():
        if isinstance(what, Message):
            prepare(what, policy)


if __name__ == "__main__":
    with contextlib.suppress(BaseException):
        _read(sys.stdin.buffer.read())
