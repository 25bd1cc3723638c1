"""Who may come in by console and API? An account: a person or a program, with one role.

Also what an account comes in with: a session (a browser, by cookie) or a token (a program). Values only; the ledger
keeps them (`router.store.accounts`), `router.desk.accounts` has the acts (rules: desk, 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from router.value import Value

__all__ = ["Account", "Caller", "Role", "Session", "Token"]


class Role(StrEnum):
    """What an account may do, from least to most; each but the auditor includes the one before it."""

    AUDITOR = "auditor"
    AGENT = "agent"
    LEAD = "lead"
    ADMIN = "admin"


class Account(Value, frozen=True, kw_only=True):
    """A person or a program that may come in. `queues` are those that an agent works; `skills`, `capacity` (by channel
    kind) and `shift` (a schedule) say what can be given to them; `mail` is the address that they answer from in their
    own mail program. `language` is a tag such as `zh-Hans`; empty: the desk's. Instants are aware, UTC."""

    name: str
    role: Role
    program: bool = False
    mail: str = ""
    queues: tuple[str, ...] = ()
    skills: Mapping[str, Any] = {}
    capacity: Mapping[str, int] = {}
    shift: str = ""
    language: str = ""
    disabled: bool = False
    has_password: bool = False
    created_at: datetime


class Session(Value, frozen=True, kw_only=True):
    """A browser that came in. `id` names it in lists; the secret that opens it is stored only as its hash."""

    id: str
    account: str
    created_at: datetime
    used_at: datetime
    browser: str = ""


class Token(Value, frozen=True, kw_only=True):
    """What a program comes in with. `id` names it in lists; its words are shown once, when it is made."""

    id: str
    account: str
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None


class Caller(Value, frozen=True, kw_only=True):
    """Whose request this is: the account, and the session or token that it came by (one of them is set)."""

    account: Account
    session: str = ""
    token: str = ""
