"""What does `/metrics` say? Counters and gauges of this process, without a word of any message.

`omnirouter_raws_total` what arrived, by channel; `omnirouter_messages_total` by what it came to (stored, redelivered,
invalid, dead); `omnirouter_deadlines_total` breaches, warnings and steps; `omnirouter_replies_total` by outcome;
`omnirouter_channel_up` 1 while a channel works, with `omnirouter_channel_seen_seconds` when it last did;
`omnirouter_undecided` raws behind the cursors and `omnirouter_undecided_age_seconds` of the oldest, by partition;
`omnirouter_outbox_pending` and `omnirouter_outbox_age_seconds` what the lanes have still to send (a receiver of events
by its host); `omnirouter_clock_held` 1 while the wall clock is not believed, `omnirouter_clock_drift_seconds` how far
it has run from the steady one; `omnirouter_request_seconds` how long front-door requests take.
"""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from router.store.read.backlog import Backlog, Lane

__all__ = ["Metrics"]


class Metrics:
    """The metrics of one daemon, in a registry of its own."""

    def __init__(self) -> None:
        r = self.registry = CollectorRegistry()
        self.raws = Counter("omnirouter_raws", "Raws appended to the log", ["channel"], registry=r)
        self.messages = Counter("omnirouter_messages", "Messages by what they came to", ["outcome"], registry=r)
        self.deadlines = Counter("omnirouter_deadlines", "Firings of deadlines", ["kind"], registry=r)
        self.replies = Counter(
            "omnirouter_replies", "Replies, events and notices sent", ["kind", "outcome"], registry=r
        )
        self.up = Gauge("omnirouter_channel_up", "1 while the channel works", ["channel"], registry=r)
        self.seen = Gauge(
            "omnirouter_channel_seen_seconds", "When the channel last worked, epoch", ["channel"], registry=r
        )
        self.undecided = Gauge("omnirouter_undecided", "Raws behind the cursors", ["partition"], registry=r)
        self.undecided_age = Gauge(
            "omnirouter_undecided_age_seconds", "Age of the oldest raw behind the cursor", ["partition"], registry=r
        )
        self.pending = Gauge("omnirouter_outbox_pending", "What is still to be sent", ["kind", "lane"], registry=r)
        self.pending_age = Gauge(
            "omnirouter_outbox_age_seconds", "Age of the oldest that is still to be sent", ["kind", "lane"], registry=r
        )
        self.held = Gauge("omnirouter_clock_held", "1 while the wall clock is not believed", registry=r)
        self.drift = Gauge("omnirouter_clock_drift_seconds", "Wall clock ahead of the steady one", registry=r)
        self.requests = Histogram(
            "omnirouter_request_seconds", "Front-door requests", ["channel", "status"], registry=r
        )

    def channel_up(self, name: str) -> None:
        """The channel works."""
        self.up.labels(name).set(1)
        self.seen.labels(name).set(time.time())

    def channel_down(self, name: str) -> None:
        """The channel does not work at the moment."""
        self.up.labels(name).set(0)

    def waiting(self, found: Backlog | None, now: datetime) -> None:
        """What waits at `now`; where nobody knows it (the database is away), nothing is said of it."""
        for gauge in (self.undecided, self.undecided_age, self.pending, self.pending_age):
            gauge.clear()
        if found is None:
            return
        for one in found.undecided:
            self.undecided.labels(one.partition).set(one.raws)
            age = 0.0 if one.oldest is None else max(0.0, (now - one.oldest).total_seconds())
            self.undecided_age.labels(one.partition).set(age)
        lanes: defaultdict[tuple[str, str], list[Lane]] = defaultdict(list)
        for lane in found.lanes:
            lanes[lane.kind, _named(lane)].append(lane)
        for (kind, name), some in lanes.items():
            self.pending.labels(kind, name).set(sum(lane.rows for lane in some))
            oldest = min(lane.oldest for lane in some)
            self.pending_age.labels(kind, name).set(max(0.0, (now - oldest).total_seconds()))

    def clock(self, held: bool, drift: float) -> None:
        """How the clock stands."""
        self.held.set(held)
        self.drift.set(round(drift, 3))

    def text(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)


def _named(lane: Lane) -> str:
    """The lane's name for a metric: the address of a receiver of events may carry a token, its host does not."""
    return urlsplit(lane.channel).hostname or "" if lane.kind == "event" else lane.channel
