"""What does `/metrics` say? Counters and gauges of this process, without a word of any message.

`omnirouter_raws_total` what arrived, by channel; `omnirouter_messages_total` by what it came to (stored, redelivered,
invalid, dead); `omnirouter_deadlines_total` breaches, warnings and steps; `omnirouter_replies_total` by outcome;
`omnirouter_channel_up` 1 while a channel works, with `omnirouter_channel_seen_seconds` when it last did;
`omnirouter_undecided` raws behind the cursors; `omnirouter_request_seconds` how long front-door requests take.
"""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

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
        self.undecided = Gauge("omnirouter_undecided", "Raws behind the cursors", registry=r)
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

    def text(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)
