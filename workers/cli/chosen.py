"""Which configuration does a command work with?

`-c FILE`, else $OMNIROUTER_CONFIG, else ./omnirouter.toml, else the built-in wallet preset on ./omnirouter.db.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.policy.values import Policy

__all__ = ["choose", "configuration_file", "configured", "forget", "named_file"]

#: What `-c` named, before or after the command; kept here because a process runs one command.
_chosen: Path | None = None


def configuration_file() -> Path | None:
    """The file that holds: `-c`, else $OMNIROUTER_CONFIG, else ./omnirouter.toml, else None (the wallet preset)."""
    if _chosen is not None:
        return _chosen
    named = os.environ.get("OMNIROUTER_CONFIG")
    if named:
        return Path(named)
    here = Path("omnirouter.toml")
    return here if here.exists() else None


def named_file() -> Path | None:
    """The file that `-c` named on this command line, if it did."""
    return _chosen


def configured() -> Policy:
    """The policy that holds for this command; keys of its file that do nothing any more are said on stderr. Raises
    ConfigurationError with all mistakes of its file."""
    from router.policy.values import Policy
    from workers.cli.printing import warn

    policy = Policy.load(configuration_file())
    for remark in policy.remarks:
        warn(remark)
    return policy


def choose(file: Path | None) -> None:
    """Let this file hold, if one was named."""
    global _chosen
    _chosen = file or _chosen


def forget() -> None:
    """Let nothing be chosen: a new command line begins."""
    global _chosen
    _chosen = None
