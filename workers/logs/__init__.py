"""Where is the log of a desk kept? `open_log` opens the one that the configuration names."""

from __future__ import annotations

from router.configuration.tables import LOG
from router.errors import ConfigurationError
from router.policy import Policy
from router.store import Store, schema
from workers.logs.database import DatabaseLog

__all__ = ["open_log"]


def open_log(policy: Policy, store: Store) -> DatabaseLog:
    """The log of this desk. Raises ConfigurationError for one that this version does not speak to."""
    if policy.desk_log != "database":
        raise ConfigurationError(f"desk.log: {LOG}.")
    partitions = schema.partitions(store.database)
    return DatabaseLog(store.database, store.sealer, partitions, bell=store.bell)
