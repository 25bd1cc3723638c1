"""What of a desk is old enough to be forgotten? By its `[retention]`, and by how long its markers relate anything.

The caller answers for the clock: nothing may be forgotten while it is in doubt (`router.store.retention`). Blocking.
"""

from __future__ import annotations

from datetime import datetime

from router.desk.ledger import Ledger
from router.match import incident
from router.store import retention

__all__ = ["forget", "forget_markers"]


def forget(ledger: Ledger, now: datetime) -> dict[str, int]:
    """Delete what is older than `[retention]` says; how many rows of which kind went. Safe to repeat."""
    return retention.forget(ledger, ledger.policy.retention, now)


def forget_markers(ledger: Ledger, now: datetime) -> int:
    """Delete the markers by which nothing can be related any more; how many went. Safe to repeat."""
    within = {kind: incident.reach(f"{kind}:", ledger.policy.follow_ups) for kind in retention.KINDS}
    return retention.forget_markers(ledger, within, now)
