"""What do several customers report at the same time, and how are they all answered? Incidents and their conversations.

An incident is named by its id, the number of the first of its conversations, or by its key. Each conversation is
answered once, however often that is asked for; a second text goes out only when it is another one and is asked for as
such. Blocking functions over the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from router.desk.acts.reply import queue_reply
from router.desk.ledger import Ledger
from router.desk.storable import words
from router.desk.transaction import act, refuse_held
from router.errors import Misasked, NotFound, Refused
from router.event_reading import read
from router.events import IncidentAnswered, IncidentOpened, Told
from router.model import Conversation, Status
from router.ref import ref_of
from router.store import tables as t
from router.store.change import Change
from router.store.read import queries
from router.store.read.queries import utc
from router.store.statement import Statement, Tx, member
from router.store.tables import instant
from router.text.secrets.redact import redact

__all__ = ["incidents", "reply_to_all"]

_I, _L = t.incidents.c, t.incident_conversations.c
_incidents = Statement(select(_I.key, _I.issue_type, _I.opened_at, _I.last_at).order_by(_I.opened_at, _I.key))
_members = Statement(select(_L.key, _L.conversation).order_by(_L.conversation))
_events = Statement(select(t.events.c.body).where(t.events.c.type == bindparam("kind")).order_by(t.events.c.seq))
_answers = Statement(
    select(t.events.c.message, t.messages.c.text, t.events.c.body)
    .join(t.messages, t.messages.c.number == t.events.c.message)
    .where(t.events.c.type == "incident.answered", member(t.events.c.conversation, "numbers"))
)
_WORKING = (Status.OPEN, Status.PENDING, Status.ON_HOLD)


def incidents(ledger: Ledger) -> list[dict[str, Any]]:
    """All incidents, oldest first, with their conversations and how many of those are in work."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    with ledger.database.read() as tx:
        found = tx.rows(_incidents)
        for key, number in tx.rows(_members):
            members[key].append(number)
        for row in tx.rows(_events, kind="incident.opened"):
            opened = read("incident.opened", row[0])
            if isinstance(opened, IncidentOpened):
                members[opened.key] += opened.conversations
        return [_shown(tx, row, members[row[0]]) for row in found]


def _shown(tx: Any, row: tuple[Any, ...], numbers: list[int]) -> dict[str, Any]:
    states = {}
    for number in sorted(set(numbers)):
        try:
            c = queries.conversation(tx, number)
        except NotFound:
            continue  # erased
        states[c.number] = c
    return {
        "id": min(states, default=0),
        "key": row[0],
        "issue_type": row[1],
        "opened_at": utc(instant(row[2])),
        "last_at": utc(instant(row[3])),
        "open": sum(c.status in _WORKING for c in states.values()),
        "conversations": [
            {"id": c.number, "ref": ref_of(c.number), "status": c.status.value, "contact": c.contact, "queue": c.queue}
            for c in states.values()
        ],
    }


def reply_to_all(
    ledger: Ledger, named: str, text: str, *, agent: str, now: datetime, again: bool = False
) -> list[dict[str, Any]]:
    """Answer every conversation of an incident that is in work, each in its own transaction, on its own channel.

    A conversation that was answered so before (`again`: with this text), that another agent holds, or whose customer
    cannot be reached, is left out with the reason in `refused`. Raises `NotFound` for an unknown incident, `Refused`
    when none of its conversations is in work.
    """
    if not text.strip():
        raise Misasked("A reply needs words.")
    incident = _named(ledger, named)
    working = [c for c in incident["conversations"] if c["status"] in _WORKING]
    if not working:
        raise Refused(f"No conversation of incident {named} is in work.")
    told = []
    for c in working:
        message, refused = 0, ""
        try:
            message = _answer(ledger, c["id"], incident["key"], text, agent=agent, now=now, again=again)
        except Refused as failure:
            refused = str(failure)
        told.append({"conversation": c["id"], "ref": c["ref"], "message": message or None, "refused": refused})
    return told


def _answer(ledger: Ledger, number: int, key: str, text: str, *, agent: str, now: datetime, again: bool) -> int:
    """Answer one conversation. Returns the number of the reply; raises `Refused` when it was answered so before."""

    def change(tx: Tx, c: Conversation, effects: Change) -> int:
        told = tx.rows(_answers, numbers=queries.family(tx, c.number))
        before = {row[0]: row[1] for row in told if _key(row[2]) == key}
        if redact(words(text)).text in before.values():
            raise Refused(f"{ref_of(c.number)} was answered with this text already (message {max(before)}).")
        if before and not again:
            raise Refused(
                f"{ref_of(c.number)} was answered already (message {max(before)}); --again sends it this too."
            )
        refuse_held(c, agent)
        own = queue_reply(tx, ledger, c, effects, text, agent=agent, now=now)
        answered = IncidentAnswered(key=key, agent=agent)
        effects.tell(Told(at=now, event=answered, conversation=c.number, message=own))
        return own

    return act(ledger, number, now, change)


def _key(body: str) -> str:
    answered = read("incident.answered", body)
    return answered.key if isinstance(answered, IncidentAnswered) else ""


def _named(ledger: Ledger, named: str) -> dict[str, Any]:
    found = incidents(ledger)
    for incident in found:
        if named in (incident["key"], str(incident["id"])):
            return incident
    known = ", ".join(str(incident["id"]) for incident in found) or "none"
    raise NotFound(f"There is no incident {named!r}; there is: {known}.")
