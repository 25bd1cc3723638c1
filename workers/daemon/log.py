"""Where is the log of a desk kept? `open_log` opens the one that the configuration names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from router.desk import Ledger
from router.errors import ConfigurationError
from router.policy.forms import LOG
from router.policy.values import Policy
from router.store import schema
from router.store.clock import utc_now
from router.store.log import Log

__all__ = ["open_log"]


def open_log(policy: Policy, store: Ledger, now: Callable[[], datetime] = utc_now) -> Log:
    """The log of this desk; `now` says when a raw arrives. Raises ConfigurationError for one that this version does
    not speak to."""
    if policy.desk_log != "database":
        raise ConfigurationError(f"desk.log: {LOG}.")
    partitions = schema.partitions(store.database)
    return Log(store.database, store.sealer, partitions, bell=store.bell, now=now)
