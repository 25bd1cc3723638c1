"""What does it change in a conversation that a reply has come further, or did not arrive?

In: the conversation, the number of the reply, how far it has come. Out: the conversation after it and what is worth
telling. A reply that did not arrive answers nothing: who waited for it waits again, what was solved because of it is
open again, held by whoever held it if it was open, else by nobody (rules: deadlines, 7a and 19). Pure.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from router.conversation.acts import let_go, reply_id, ticked
from router.conversation.transitions import ENDED, waiting_from
from router.conversation.transitions import reopened as back_at_work
from router.deadlines import fold
from router.deadlines.calendar import instant, microseconds
from router.deadlines.clocks import ClockEvent, Unanswered
from router.deadlines.promise import REPLY_METRICS
from router.events import ConversationReleased, ConversationReopened, ConversationStatus, Event
from router.model import Conversation, Status
from router.policy.values import Policy
from router.reply_states import UNDONE
from router.value import Value

__all__ = ["Came", "came", "unanswered"]


class Came(Value, frozen=True, kw_only=True):
    """The conversation after, and the events of it."""

    conversation: Conversation
    reopened: bool = False
    events: tuple[Event, ...] = ()


def came(
    c: Conversation, reply: int, state: str, at: datetime, policy: Policy, *, written_in: Conversation | None = None
) -> Came:
    """The conversation once a human's reply of this number is `state`, of `router.reply_states`, seen at `at`.

    `written_in`: the conversation that it was written in, which may have been merged into this one since.
    """
    again = None
    if state in UNDONE and written_in is not None and written_in.merged_into:
        again = _returned(c, written_in, reply, state, at, policy)
    event = ClockEvent(type="reply_state", at=at, ids=(reply_id(reply),), to=state, unanswered=again)
    after = ticked(c, event, policy)
    before, clocks = fold.from_json(c.clocks), fold.from_json(after.clocks)
    if clocks.runs != before.runs:
        after = waiting_from(after, min((one.at for one in unanswered(after)), default=None))
    if state not in UNDONE or c.status is Status.OPEN:
        return Came(conversation=after)
    reopened = c.status in ENDED
    events: list[Event] = [ConversationReopened(before=c.status.value)]
    if not reopened:
        events = [ConversationStatus(before=c.status.value, to="open", agent="", reason=state)]
    if c.holder:
        events.append(ConversationReleased(held_by=c.holder, agent="", reason=state))
    after = let_go(back_at_work(after), policy)
    return Came(conversation=after, reopened=reopened, events=tuple(events))


def _returned(
    c: Conversation, gone: Conversation, reply: int, state: str, at: datetime, policy: Policy
) -> tuple[Unanswered, ...]:
    """The messages of an absorbed conversation that only this reply answered: none if somebody answered since."""
    clocks = fold.from_json(gone.clocks)
    if c.last_out_at is not None and clocks.seen is not None and microseconds(c.last_out_at) > clocks.seen:
        return ()
    waited = {p.id for run in clocks.runs if run.state == "moved" and run.metric in REPLY_METRICS for p in run.pledges}
    alone = replace(clocks, since=tuple(past for past in clocks.since if past.type != "merged_into"))
    event = ClockEvent(type="reply_state", at=at, ids=(reply_id(reply),), to=state)
    after = replace(gone, clocks=fold.to_json(fold.advance(alone, event, policy.promises)))
    return tuple(one for one in unanswered(after) if one.id not in waited)


def unanswered(c: Conversation) -> tuple[Unanswered, ...]:
    """The customer messages that wait for an answer in this conversation, with their own times."""
    found: dict[str, Unanswered] = {}
    windows: dict[str, int] = {}
    for run in fold.from_json(c.clocks).runs:
        for pledge in () if run.state else run.pledges:
            if run.metric in ("first_reply", "next_reply"):
                found[pledge.id] = Unanswered(id=pledge.id, at=instant(pledge.at), facts=pledge.facts)
            elif run.metric == "reply_window":
                windows[pledge.id] = pledge.window
    return tuple(replace(one, window=windows.get(one.id, 0)) for one in sorted(found.values(), key=lambda u: u.at))
