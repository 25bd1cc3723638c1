"""What the ledger's tests share: a store on either database, messages in few words, and a picture of all rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from router.desk import Arrival, Ledger, take_in
from router.model import Message, Sender
from router.policy.load import from_text, preset_text
from router.policy.values import Policy
from router.seal import Sealer
from router.store import Database, schema
from router.store import tables as t

#: Monday 12:00 in Shanghai.
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def policy() -> Policy:
    """The wallet desk, with a receiver of events."""
    more = '\n[[events]]\nurl = "https://crm.example.com/hook"\nsecret = "env:CRM_SECRET"\n'
    return from_text(preset_text("wallet") + more, folder=Path())


@pytest.fixture
def database(ledger_url: str) -> Iterator[Database]:
    """A fresh ledger with its tables."""
    made = Database(ledger_url)
    schema.ensure(made)
    yield made
    made.close()


@pytest.fixture
def store(database: Database, policy: Policy) -> Ledger:
    """A store on a fresh ledger."""
    return Ledger(database, policy, Sealer(b"k" * 32))


class Desk:
    """Takes messages in as a program would; the clock stands at noon unless it is moved."""

    noon = NOON

    def __init__(self, store: Ledger) -> None:
        self.store = store
        self._ids = 0

    def said(self, text: str, **more: Any) -> Message:
        """A message of the app's chat, from customer `u-1` one minute after the former, unless told otherwise."""
        self._ids += 1
        sender = more.pop("sender", "u-1")
        given: dict[str, Any] = {
            "external_id": f"m-{self._ids}",
            "channel": "app-chat",
            "channel_kind": "webhook",
            "sent_at": NOON + timedelta(minutes=self._ids),
            "sender": sender if isinstance(sender, Sender) else Sender(handle=sender),
            "text": text,
        }
        return Message(**{**given, **more})

    def mailed(self, text: str, **more: Any) -> Message:
        """A mail from `chen@example.net`."""
        given: dict[str, Any] = {
            "channel": "support-mail",
            "channel_kind": "email",
            "realm": "mail",
            "sender": Sender(handle="chen@example.net", name="陈先生"),
        }
        return self.said(text, **{**given, **more})

    def take(self, *messages: Message, **more: Any) -> list[Any]:
        """Decide messages in one batch."""
        arrivals = [Arrival(what=m, received_at=m.sent_at) for m in messages]
        return take_in(self.store, arrivals, more.pop("now", NOON + timedelta(hours=2)), **more)


@pytest.fixture
def desk(store: Ledger) -> Desk:
    """A desk on a fresh ledger."""
    return Desk(store)


@pytest.fixture
def rows(database: Database) -> Callable[..., list[dict[str, Any]]]:
    """All rows of a table as mappings, sorted."""

    def read(name: str) -> list[dict[str, Any]]:
        with database.engine.connect() as connection:
            found = [dict(row._mapping) for row in connection.execute(t.metadata.tables[name].select())]
        return sorted(found, key=str)

    return read


@pytest.fixture
def picture(rows: Callable[..., list[dict[str, Any]]]) -> Callable[[], dict[str, list[dict[str, Any]]]]:
    """Everything that the ledger holds; the random keys of outgoing events are replaced by their numbers."""

    def take() -> dict[str, list[dict[str, Any]]]:
        held = {name: rows(name) for name in t.metadata.tables}
        for name in ("outbox", "set_aside"):  # numbered by the database, with gaps
            for place, row in enumerate(sorted(held[name], key=lambda one: one["id"]), 1):
                row["id"] = place
            held[name].sort(key=str)
        for row in held["outbox"]:
            if row["kind"] == "event":
                row["key"] = f"event {json.loads(row['body'])['seq']}"
        return held

    return take
