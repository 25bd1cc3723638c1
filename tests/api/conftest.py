"""What the API's tests share: the application on a real ledger, asked as browsers and programs ask."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from router.account import Role
from router.desk import Ledger
from router.desk.accounts import account as people
from router.desk.accounts import passwords, tokens
from router.policy.load import from_text, preset_text
from router.seal import Sealer
from router.store import Database, schema
from workers.http.api.app import api

#: What a page of the desk sends with each request that changes something.
OWN_PAGE = {"origin": "http://desk.example", "x-requested-with": "omnirouter"}
PASSWORD = "correct horse battery"


def now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


class Desk:
    """A desk's API; `as_("lead")` is a program with a token of that role, `browser()` a browser without a session."""

    def __init__(self, store: Ledger) -> None:
        self.store = store
        closing = asyncio.Event()
        closing.set()  # so that a stream ends at once: those that go on are tried on a daemon
        self.app = Starlette(routes=[Mount("/api", api(store, now, closing))])
        self._tokens: dict[str, str] = {}

    def browser(self) -> TestClient:
        """A browser that nobody logged in with."""
        return TestClient(self.app, base_url="http://desk.example", raise_server_exceptions=False)

    def as_(self, role: str, *, queues: tuple[str, ...] = ("payments",)) -> TestClient:
        """A program with a token of this role."""
        if role not in self._tokens:
            self._tokens[role] = tokens.add(self.store, f"{role}-program", role, now(), queues=queues)[1]
        client = self.browser()
        client.headers["authorization"] = f"Bearer {self._tokens[role]}"
        return client

    def person(self, name: str, role: str = "agent", **more: Any) -> TestClient:
        """A browser in which this new person is logged in."""
        people.add(self.store, name, role, now(), **more)
        client = self.browser()
        words = passwords.invite(self.store, name, now())
        answer = client.put("/api/v1/password", json={"link": words, "password": PASSWORD}, headers=OWN_PAGE)
        assert answer.status_code == 200, answer.text
        client.headers.update(OWN_PAGE)
        return client


@pytest.fixture
def desk(ledger_url: str) -> Iterator[Desk]:
    """The wallet desk's API on a fresh ledger of either database."""
    database = Database(ledger_url)
    schema.ensure(database)
    yield Desk(Ledger(database, from_text(preset_text("wallet"), folder=Path()), Sealer(b"k" * 32)))
    database.close()


@pytest.fixture(autouse=True)
def light_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost next to nothing: what is tried here is who comes in, not how long a guess takes."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture(params=list(Role))
def role(request: pytest.FixtureRequest) -> str:
    """Each role in turn."""
    return str(request.param)


