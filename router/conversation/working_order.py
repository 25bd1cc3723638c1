"""In which order does a queue work?

In: a conversation and how long its queue lets wait where nothing is promised. Out: the instant by which it is ordered,
earliest first: when the nearest running promise is due, brought forward by chases and by priority; none where nothing
waits for the desk. It is stored beside the conversation, written anew whenever the conversation is, and changes the
order only, never a clock (rules: deadlines, routing 5). Pure.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from router.deadlines.calendar import instant
from router.deadlines.clocks import from_json
from router.model import Conversation, Status

__all__ = ["CHASE", "DEFAULT_WAIT", "MOST_CHASES", "PRIORITY", "open_deadline", "order_at"]

#: How far one chase brings a conversation forward, how many of them do, and how far one point of priority does.
CHASE, MOST_CHASES = timedelta(minutes=5), 6
PRIORITY = timedelta(minutes=1)
#: How long a queue lets wait where nothing is promised, unless it says otherwise.
DEFAULT_WAIT = timedelta(hours=4)
#: Statuses in which the desk has something to do.
_AT_WORK = (Status.OPEN, Status.ON_HOLD)


def order_at(conversation: Conversation, default_wait: timedelta = DEFAULT_WAIT) -> datetime | None:
    """The instant by which a queue works on it, earliest first; None where nothing waits for the desk: answered,
    waiting for the customer, ended, or part of another."""
    waiting = conversation.waiting_since
    if waiting is None or conversation.status not in _AT_WORK or conversation.merged_into:
        return None
    due = open_deadline(conversation) or waiting + default_wait
    return due - CHASE * min(conversation.chases, MOST_CHASES) - PRIORITY * conversation.priority


def open_deadline(conversation: Conversation) -> datetime | None:
    """The earliest deadline of its open clocks, also when it is past; the stored one if it has no clocks at hand."""
    if not conversation.clocks or (conversation.next_due is not None and not conversation.breached):
        return conversation.next_due
    runs = from_json(conversation.clocks).runs
    found = [lead.due for run in runs if not run.state and (lead := run.lead) is not None and lead.due is not None]
    return instant(min(found)) if found else None
