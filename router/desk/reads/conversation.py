"""What is there to know of one conversation? Its state and clocks, its timeline, why it is where it is.

In: the store, a conversation's number, the present instant. Out: the forms of `router.forms`. Raises `NotFound`.
Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from router.account import Account
from router.desk import Ledger
from router.desk.accounts.permissions import REACHES_ALL, may_change
from router.desk.acts.recipients import recipients
from router.desk.reads.promise import promise
from router.errors import Refused
from router.forms import (
    ContactForm,
    ConversationForm,
    DeadlineForm,
    DecidedForm,
    DeliveryForm,
    LinkForm,
    MessageForm,
    RecipientsForm,
    TimelineItem,
    UnprovenForm,
)
from router.model import Conversation
from router.store import outbox
from router.store.read import contacts, queries
from router.store.read.history import history_until, looked_at
from router.store.read.last_words import last_words
from router.store.read.people import names_of
from router.store.statement import Tx

__all__ = [
    "contact", "contact_conversations", "deadlines", "decisions", "links", "messages", "recipient", "seen", "shown",
    "state", "timeline",
]  # fmt: skip


def state(store: Ledger, number: int, now: datetime) -> ConversationForm:
    """The conversation as it is now."""
    until = history_until(store.database)
    with store.database.read() as tx:
        c = queries.conversation(tx, number)
        return shown(tx, store, [c], until, now)[0]


def shown(tx: Tx, store: Ledger, found: Sequence[Conversation], until: datetime | None, now: datetime
          ) -> list[ConversationForm]:  # fmt: skip
    """Conversations in the form that goes out, with names and links, in a few queries for all of them."""
    numbers = [c.number for c in found]
    links, said = queries.links_of(tx, numbers), last_words(tx, numbers)
    names = names_of(tx, {c.contact for c in found})
    forms = [_shown(store, c, links.get(c.number, ()), names.get(c.contact, ""), until, now) for c in found]
    for form in forms:
        form["last_words"] = said.get(form["id"], "")
    return forms


def _shown(
    store: Ledger, c: Conversation, links: Sequence[Mapping[str, Any]], name: str, until: datetime | None, now: datetime
) -> ConversationForm:
    promises = store.policy.promises
    at = looked_at(c, promises, now, until)
    form = queries.shown_conversation(c, promises, at, links)
    form["promise"] = promise(queries.clock_rows(c, promises, at), store.policy, at)
    form["links"] = [_link(one) for one in links]
    form["unproven"] = [_unproven(one) for one in links if one["reason"] == "unproven_link"]
    form["name"] = name or (c.participants[0][1] if c.participants else "")
    return cast(ConversationForm, {**form, "rule": c.rule, "type_by": c.type_by, "pinned": c.pinned})


def _link(one: Mapping[str, Any]) -> LinkForm:
    return {
        "conversation": one["conversation"], "ref": one["ref"], "reason": one["reason"], "score": one["score"],
        "by": one["by"], "because": one.get("because"),
    }  # fmt: skip


def _unproven(one: Mapping[str, Any]) -> UnprovenForm:
    return {"conversation": one["conversation"], "ref": one["ref"], "because": one.get("because")}


def deadlines(store: Ledger, number: int, now: datetime) -> list[DeadlineForm]:
    """The promises of a conversation as they stand now."""
    promises, until = store.policy.promises, history_until(store.database)
    with store.database.read() as tx:
        c = queries.conversation(tx, number)
    return cast(list[DeadlineForm], list(queries.clock_rows(c, promises, looked_at(c, promises, now, until))))


def messages(store: Ledger, number: int) -> list[MessageForm]:
    """The messages of a conversation over all its channels, by time, with what became of each reply."""
    found = queries.messages_of(store.database, number)
    out = [m["id"] for m in found if m["direction"] == "out"]
    sent, addressed = outbox.outcomes(store, out), outbox.addressed(store, out)
    return [cast(MessageForm, {**m, "delivery": _delivery(m["id"], sent, addressed)}) for m in found]


def _delivery(
    number: int, sent: Mapping[int, Mapping[str, Any]], addressed: Mapping[int, Mapping[str, Any]]
) -> DeliveryForm | None:
    """What became of a reply and whom it went to; None for what the desk did not send itself."""
    if number not in sent:
        return None
    return cast(DeliveryForm, {"to": "", "cc": [], **sent[number], **addressed.get(number, {})})


def timeline(store: Ledger, number: int) -> list[TimelineItem]:
    """Messages of all channels, notes and the desk's events in one list, by time."""
    with store.database.read() as tx:
        root = queries.conversation(tx, number).number
    items: list[TimelineItem] = [{"at": m["sent_at"], "message": m, "event": None} for m in messages(store, root)]
    for event in queries.events_of(store.database, root):
        event.pop("history", None)
        items.append({"at": event["at"], "message": None, "event": cast(Any, event)})
    return sorted(items, key=lambda item: item["at"])


def seen(store: Ledger, number: int) -> int:
    """The number of the last event of a conversation: what a reply names so that nobody answers twice."""
    with store.database.read() as tx:
        return queries.newest_event(tx, queries.conversation(tx, number).number)


def links(store: Ledger, number: int) -> list[LinkForm]:
    """Other conversations that have to do with it."""
    with store.database.read() as tx:
        root = queries.conversation(tx, number).number
        return [_link(one) for one in queries.links_of(tx, [root]).get(root, ())]


def recipient(store: Ledger, number: int) -> RecipientsForm:
    """Whom an answer would go to, and what has to be named before one can be given."""
    with store.database.read() as tx:
        try:
            found = recipients(tx, queries.conversation(tx, number))
        except Refused as failure:
            return {"to": None, "channel": None, "cc": [], "proposed": [], "problem": str(failure)}
    return {
        "to": found.heard.handle, "channel": found.heard.channel, "cc": list(found.cc),
        "proposed": list(found.proposed), "problem": found.problem or None,
    }  # fmt: skip


def decisions(store: Ledger, number: int) -> list[DecidedForm]:
    """The decisions about a conversation's messages, oldest first."""
    with store.database.read() as tx:
        root = queries.conversation(tx, number).number
    found = queries.messages_of(store.database, root)
    with store.database.read() as tx:
        decided = {m["id"]: queries.decision(tx, m["id"]) for m in found}
    return [cast(DecidedForm, {"message": n, **why}) for n, why in decided.items() if why is not None]


def contact(store: Ledger, number: int) -> ContactForm:
    """A person who writes, with their handles."""
    with store.database.read() as tx:
        return contacts.contact(tx, number)


def contact_conversations(store: Ledger, account: Account, number: int, now: datetime) -> list[ConversationForm]:
    """The newest conversations of a contact over all channels; to an agent those of their queues and what they hold."""
    until = history_until(store.database)
    with store.database.read() as tx:
        root = contacts.contact(tx, number)["id"]
        found = [c for c in contacts.conversations(tx, root) if account.role in REACHES_ALL or may_change(account, c)]
        return shown(tx, store, found, until, now)
