"""What does a program come in with? A token `omt_…`, shown once, stored as its hash, revocable at once.

A token belongs to an account of a program and may do what that account's role may. Blocking functions.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from router.account import Account, Caller, Role, Token
from router.desk.accounts import account as people
from router.desk.accounts.secrets import digest, fresh
from router.desk.ledger import Ledger
from router.errors import Misasked, NotFound
from router.store import accounts as rows
from router.store.statement import Tx

__all__ = ["PREFIX", "add", "caller", "listed", "revoke"]

#: What every token begins with, so that one that leaked is recognised.
PREFIX = "omt_"
_WRITTEN_EVERY = timedelta(minutes=1)
_LONGEST = 200


def add(
    store: Ledger, name: str, role: str, now: datetime, *, expires_in: timedelta | None = None,
    queues: Sequence[str] = (),
) -> tuple[Token, str]:
    """Make a token of the program `name`, whose account is made where there is none. Returns it and its words, which
    nobody can show again. Raises `Misasked` where the account is a person's or has another role."""
    if expires_in is not None and expires_in <= timedelta(0):
        raise Misasked("A token expires in a number of days above 0.")
    wanted = people.fresh(store.policy, name, role, now, program=True, queues=queues)
    words = fresh(PREFIX)
    until = None if expires_in is None else now + expires_in
    token = Token(id=secrets.token_hex(6), account=name, created_at=now, expires_at=until)

    def work(tx: Tx) -> None:
        found = rows.account(tx, name)
        if found is None:
            people.keep(tx, wanted)
        else:
            _same(found, wanted.role)
        rows.add_token(tx, token, digest(words))

    store.again(work)
    return token, words


def _same(found: Account, role: Role) -> None:
    if not found.program:
        raise Misasked(f"{found.name} is a person's account; a token is for a program: choose another name.")
    if found.disabled:
        raise Misasked(f"{found.name} is disabled; enable it first: omnirouter accounts disable {found.name} --undo")
    if found.role != role:
        raise Misasked(f"{found.name} has the role {found.role}; ask for that one, or choose another name.")


def caller(store: Ledger, words: str, now: datetime) -> Caller | None:
    """Who comes by these words; None when no living token has them."""
    if not words.startswith(PREFIX) or len(words) > _LONGEST:
        return None
    key = digest(words)
    with store.database.read() as tx:
        found = rows.token(tx, key)
        account = None if found is None else rows.account(tx, found.account)
    if found is None or account is None or account.disabled or not _lives(found, now):
        return None
    if found.used_at is None or now - found.used_at >= _WRITTEN_EVERY:
        store.again(lambda tx: rows.used_token(tx, key, now))
    return Caller(account=account, token=found.id)


def listed(store: Ledger) -> list[Token]:
    """All tokens, by account and age, revoked and expired ones too."""
    with store.database.read() as tx:
        return rows.tokens(tx)


def revoke(store: Ledger, which: str, now: datetime) -> list[str]:
    """Revoke a token by its id, or all of a program by its name. Their ids. Raises `NotFound`."""
    revoked = store.again(lambda tx: rows.revoke_token(tx, which, now)) if which else []
    if not revoked:
        raise NotFound(f"There is no token {which!r} that is not revoked; `omnirouter tokens list` has them.")
    return revoked


def _lives(token: Token, now: datetime) -> bool:
    return token.revoked_at is None and (token.expires_at is None or now < token.expires_at)
