"""What came of sending? An attempt is settled with what it changes in its conversation, in one transaction.

In: a row that was claimed from the outbox, what its provider said. Out: its state, the event, the clocks of its
conversation. Blocking functions.
"""

from __future__ import annotations

from datetime import datetime

from router.desk.acts.settle import come
from router.desk.ledger import Ledger
from router.errors import NotFound
from router.events import reply_came
from router.store.locking import locked
from router.store.outbox import (
    Due,
    close_handle,
    end_attempt,
    hide_secrets,
    left_sending,
    set_state,
    take_provider_id,
)
from router.store.statement import Tx

__all__ = ["recover", "settle"]


def settle(
    ledger: Ledger,
    due: Due,
    state: str,
    now: datetime,
    *,
    detail: str = "",
    again_at: datetime | None = None,
    external_id: str = "",
    blocked: bool = False,
) -> bool:
    """Say what came of an attempt: `sent`, `failed`, `unknown`, or `pending` with the instant to try again.

    `external_id` is the provider's id of a sent reply: an echo of it is then known as a redelivery. `blocked` closes
    the handle. What a person should know of is an event of the conversation, whose clocks go by it. Returns False where
    this attempt settles nothing any more: the row is another's by now, or has come further.
    """

    def work(tx: Tx) -> bool:
        if due.kind == "reply":
            locked(tx, due.conversation)  # before the row, as whoever decides a bounce does
        end_attempt(tx, due, state, now, detail)
        if due.kind == "reply" and state == "sent" and external_id:
            take_provider_id(tx, due, external_id)
        if not set_state(tx, due.row, due.attempt, state, again_at or now, detail):
            return False
        if due.kind != "reply":
            return True
        if blocked:
            close_handle(tx, due.channel, str(due.body.get("to", "")))
        if state == "sent":
            hide_secrets(tx, due)
        if state != "pending":
            _tell(tx, ledger, due, state, detail, now)
        return True

    try:
        return ledger.again(work)
    except NotFound:  # the conversation was erased meanwhile, and its rows with it
        return False


def _tell(tx: Tx, ledger: Ledger, reply: Due, state: str, detail: str, now: datetime) -> None:
    effects = ledger.change()
    told = reply_came(f"reply.{state}", channel=reply.channel, attempt=reply.attempt, detail=detail)
    come(
        tx, ledger, effects, reply=reply.message, conversation=reply.conversation, state=state, now=now, told=told,
        automatic=bool(reply.body.get("automatic")),
    )  # fmt: skip
    ledger.write(tx, effects, now)


def recover(ledger: Ledger, kind: str, channel: str, now: datetime) -> int:
    """Rows that a dead sender left in `sending`: replies become unknown, the others are sent again. How many there
    were."""

    state, words = ("unknown" if kind == "reply" else "pending"), "the sender stopped while it was sending"
    left = left_sending(ledger, kind, channel)
    return sum(settle(ledger, due, state, now, detail=words) for due in left)
