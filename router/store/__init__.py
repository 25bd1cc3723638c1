"""The ledger: one SQL database that holds what was decided, and the only place (with the SQL log) that speaks SQL."""

from __future__ import annotations

from router.store.database import Database
from router.store.store import Advance, Aside, Store
from router.store.transient import is_transient

__all__ = ["Advance", "Aside", "Database", "Store", "is_transient"]
