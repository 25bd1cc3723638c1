"""Which JSON goes in and out? Closed forms: an unknown key is a mistake, an instant is UTC with `Z`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, StringConstraints

from router.account import Account, Role, Session, Token

__all__ = [
    "LARGEST", "AccountForm", "AccountName", "Given", "Instant", "Me", "SessionForm", "Shown", "TokenForm",
    "account_form", "session_form", "token_form",
]  # fmt: skip



def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


Instant = Annotated[datetime, PlainSerializer(_utc, return_type=str, when_used="json")]
#: The largest number of the ledger.
LARGEST = 2**63 - 1
AccountName = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Given(BaseModel):
    """What a request brings."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class Shown(BaseModel):
    """What an answer shows."""

    model_config = ConfigDict(frozen=True)


class AccountForm(Shown):
    """Who may come in."""

    name: str
    role: Role
    program: bool
    mail: str
    queues: list[str]
    skills: dict[str, Any]
    capacity: dict[str, int]
    shift: str
    language: str
    disabled: bool
    has_password: bool
    created_at: Instant


class Me(Shown):
    """Who I am, and what I may do."""

    account: AccountForm
    session: str | None
    token: str | None
    may: list[str]


class SessionForm(Shown):
    """A browser that came in."""

    id: str
    created_at: Instant
    used_at: Instant
    browser: str
    current: bool


class TokenForm(Shown):
    """What a program comes in with; `words` only in the answer that makes it."""

    id: str
    account: str
    created_at: Instant
    expires_at: Instant | None
    used_at: Instant | None
    revoked_at: Instant | None
    words: str | None = None


def account_form(a: Account) -> AccountForm:
    """An account as the API shows it."""
    return AccountForm(
        name=a.name, role=a.role, program=a.program, mail=a.mail, queues=list(a.queues), skills=dict(a.skills),
        capacity=dict(a.capacity), shift=a.shift, language=a.language, disabled=a.disabled,
        has_password=a.has_password, created_at=a.created_at,
    )  # fmt: skip


def session_form(s: Session, current: str) -> SessionForm:
    """A session as the API shows it."""
    return SessionForm(id=s.id, created_at=s.created_at, used_at=s.used_at, browser=s.browser, current=s.id == current)


def token_form(token: Token, words: str | None = None) -> TokenForm:
    """A token as the API shows it."""
    return TokenForm(
        id=token.id, account=token.account, created_at=token.created_at, expires_at=token.expires_at,
        used_at=token.used_at, revoked_at=token.revoked_at, words=words,
    )  # fmt: skip
