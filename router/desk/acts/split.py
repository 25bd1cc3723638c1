"""How does a merged conversation part again, and how do single messages become a conversation of their own?

In: the ledger, a conversation, the messages that leave, who says so. Out: the conversation that they are in then. What
was merged whole comes back as it was (router.conversation.merge); other messages open a conversation. Blocking
functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from router.conversation.acts import ticked
from router.conversation.after_message import CHASING
from router.conversation.merge import Stays, shrunk, told, unanswered
from router.conversation.transitions import chased, split_off, waiting_from
from router.desk.acts.parts import Row, Rows, messages_named, messages_of, move, stays, unanswered_of
from router.desk.acts.unmerge import family_of, unmerged
from router.desk.ledger import Ledger
from router.errors import Refused
from router.events import ConversationSplit, Told
from router.model import Conversation, Link
from router.ref import ref_of
from router.store.change import Change
from router.store.locking import locked
from router.store.read import queries
from router.store.read.people import contact_of_number
from router.store.statement import Tx
from router.store.tables import instant

__all__ = ["split"]


def split(ledger: Ledger, number: int, messages: Sequence[int], *, agent: str, now: datetime) -> Conversation:
    """Split messages off into a conversation of their own; returns it. What was merged whole comes back as it was.

    Raises `Refused` when a message is not in the conversation, or none would stay.
    """

    def work(tx: Tx) -> Conversation:
        c = locked(tx, number)
        rows = messages_named(tx, messages)
        family = queries.family(tx, c.number)
        missing = set(messages) - {row.number for row in rows if row.conversation in family}
        if missing or not rows:
            raise Refused(f"{ref_of(c.number)} has no message {', '.join(map(str, sorted(missing)))}.")
        effects = ledger.change()
        absorbed = _whole(tx, c, rows)
        new = (
            unmerged(tx, c, absorbed, effects, now, ledger.policy)
            if absorbed
            else _cut_off(tx, ledger, c, rows, effects, now)
        )
        parted = ConversationSplit(before=c.number, messages=tuple(sorted(set(messages))), agent=agent)
        effects.tell(Told(at=now, event=parted, conversation=new.number))
        ledger.write(tx, effects, now)
        return new

    return ledger.again(work)


def _whole(tx: Tx, c: Conversation, rows: Rows) -> int:
    """The conversation merged into this one whose messages these all are, what came for it since named or not; 0 when
    they are not one's."""
    named = {row.number for row in rows}
    for child in queries.absorbed_by(tx, c.number):
        family = family_of(tx, c, child)
        theirs, came = ({row.number for row in part} for part in (family.theirs, family.came))
        if theirs - came <= named <= theirs:
            return child
    return 0


def _cut_off(tx: Tx, ledger: Ledger, c: Conversation, rows: Rows, effects: Change, now: datetime) -> Conversation:
    """Messages that never were a conversation of their own become one."""
    gone = {row.number for row in rows}
    stay = [row for row in messages_of(tx, queries.family(tx, c.number)) if row.number not in gone]
    if not any(row.inbound for row in stay):
        raise Refused(f"All messages of {ref_of(c.number)} were named; at least one of the customer must stay.")
    heard = sorted((row for row in rows if row.inbound), key=lambda row: row.sent_at)
    if not heard:
        raise Refused("Name at least one message of the customer: a conversation begins with one.")
    contact = contact_of_number(tx, c.contact).attributes
    ids = tuple(row.id for row in rows)
    wait = [row for row in heard if row.asks and _waits(row, c)]
    new = _opened(c, ledger.reserve_numbers(tx, 1), stays(rows, ledger.policy), heard, wait)
    facts = tuple(unanswered_of(row, ledger.policy) for row in wait)
    new = ticked(new, told("split_in", new, contact, now, unanswered=facts), ledger.policy)
    said = stays(stay, ledger.policy)
    opened_at = max(c.opened_at, said.first_message_at or c.opened_at)
    left = replace(chased(c, c.chases - new.chases), opened_at=opened_at, messages=said.messages)
    left = shrunk(left, said, new, replace(left, channels=(), threads=(), participants=()))
    left = ticked(left, told("split_out", left, contact, now, ids=ids, unanswered=said.asked[:1]), ledger.policy)
    waiting = min((one.at for one in unanswered(left)), default=None)
    effects.put(waiting_from(left, waiting if c.waiting_since else None))
    effects.put(new)
    effects.link(new.number, Link(conversation=c.number, reason="linked"), now, "human")
    move(tx, rows, new.number)
    return new


def _waits(row: Row, c: Conversation) -> bool:
    """Has nobody answered it? All that came since the conversation waits is unanswered."""
    return c.waiting_since is not None and instant(row.sent_at) >= c.waiting_since


def _opened(c: Conversation, own: int, said: Stays, heard: Rows, wait: Rows) -> Conversation:
    """The conversation of the messages that leave, before its clocks start: the queue and type are those it came of."""
    waiting, chases = instant(wait[0].sent_at) if wait else None, sum(row.class_ in CHASING for row in heard)
    return replace(
        split_off(c, waiting, chases), number=own, version=0, opened_at=instant(heard[0].sent_at),
        last_message_at=said.last_message_at or c.last_message_at, last_in_at=said.last_in_at, messages=said.messages,
        issue_type=next((row.issue_type for row in heard if row.issue_type not in ("", "other")), c.issue_type),
        channels=said.channels, threads=said.threads, clocks={}, next_due=None, next_wake_at=None,
        breached=False, matter={},
    )  # fmt: skip
