"""Where do accounts, their sessions and tokens stand? In rows of the ledger; of every secret only the hash.

In: a transaction, values of `router.account`, digests (hex SHA-256) of secrets. Out: values, by field name. What an
act means, and who may do it, is said by `router.desk.accounts`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, or_, select, update

from router.account import Account, Role, Session, Token
from router.store import tables as t
from router.store.codec import maybe_instant
from router.store.statement import Statement, Tx, as_json, insert, insert_into, upsert
from router.store.tables import instant, micros

__all__ = [
    "account", "account_by_mail", "accounts", "add_account", "add_session", "add_token", "change_account",
    "count_guess", "drop_sessions", "forget_guesses", "forget_stale", "guesses", "invite", "invited", "password_hash",
    "revoke_token", "session", "sessions", "set_password_hash", "token", "tokens", "used_session", "used_token",
]  # fmt: skip

_A, _S, _T, _I, _G = t.accounts.c, t.sessions.c, t.tokens.c, t.invitations.c, t.guesses.c
_number = t.Instant.impl()

_account = Statement(select(t.accounts).where(_A.name == bindparam("who")))
_by_mail = Statement(select(t.accounts).where(_A.mail == bindparam("address"), _A.disabled.is_(False)))
_accounts = Statement(select(t.accounts).order_by(_A.name))
_add_account = insert(t.accounts, unless_there=True)
_put_account = upsert(t.accounts, keep=("password_hash", "created_at"))
_hash = Statement(select(_A.password_hash).where(_A.name == bindparam("who")))
_set_hash = Statement(update(t.accounts).where(_A.name == bindparam("who")).values(password_hash=bindparam("hashed")))

_add_invitation = insert(t.invitations)
_drop_invitations = Statement(delete(t.invitations).where(_I.account == bindparam("who")))
_invitation = Statement(select(_I.account, _I.expires_at).where(_I.digest == bindparam("hashed")))

_add_session = insert(t.sessions)
_session = Statement(select(t.sessions).where(_S.digest == bindparam("hashed")))
_sessions = Statement(select(t.sessions).where(_S.account == bindparam("who")).order_by(_S.created_at))
_used_session = Statement(
    update(t.sessions).where(_S.digest == bindparam("hashed")).values(used_at=bindparam("present", type_=_number))
)
_drop_session = Statement(
    delete(t.sessions).where(_S.account == bindparam("who"), _S.digest.like(bindparam("beginning")))
)
_stale_sessions = Statement(
    delete(t.sessions).where(
        or_(_S.used_at < bindparam("idle", type_=_number), _S.created_at < bindparam("old", type_=_number))
    )
)
_stale_invitations = Statement(delete(t.invitations).where(_I.expires_at < bindparam("present", type_=_number)))
_stale_guesses = Statement(delete(t.guesses).where(_G.at < bindparam("old", type_=_number)))

_add_token = insert(t.tokens)
_token = Statement(select(t.tokens).where(_T.digest == bindparam("hashed")))
_tokens = Statement(select(t.tokens).order_by(_T.account, _T.created_at))
_used_token = Statement(
    update(t.tokens).where(_T.digest == bindparam("hashed")).values(used_at=bindparam("present", type_=_number))
)
_revoke_token = Statement(
    update(t.tokens)
    .where(or_(_T.id == bindparam("which"), _T.account == bindparam("which")), _T.revoked_at.is_(None))
    .values(revoked_at=bindparam("present", type_=_number))
    .returning(_T.id)
)

_guesses = Statement(select(_G.wrong, _G.at).where(_G.key == bindparam("who")))
_count_guess = Statement(
    insert_into(t.guesses)
    .values(key=bindparam("who"), wrong=1, at=bindparam("present", type_=_number))
    .on_conflict_do_update(
        index_elements=["key"], set_={"wrong": _G.wrong + 1, "at": bindparam("present", type_=_number)}
    )
)
_forget_guesses = Statement(delete(t.guesses).where(_G.key == bindparam("who")))

_decode_words = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_skills = msgspec.json.Decoder(dict[str, Any]).decode
_decode_capacity = msgspec.json.Decoder(dict[str, int]).decode


# ------------------------------------------------------------------------------------------------------- accounts
def account(tx: Tx, name: str) -> Account | None:
    """The account of this name, disabled or not."""
    row = tx.one(_account, who=name)
    return None if row is None else _account_of(row)


def account_by_mail(tx: Tx, address: str) -> Account | None:
    """The account that answers from this mail address (lower case), unless it is disabled."""
    row = tx.one(_by_mail, address=address) if address else None
    return None if row is None else _account_of(row)


def accounts(tx: Tx) -> list[Account]:
    """All accounts, by name."""
    return [_account_of(row) for row in tx.rows(_accounts)]


def add_account(tx: Tx, new: Account) -> bool:
    """Keep a new account; False when there is one of this name."""
    return tx.many(_add_account, [{**_account_row(new), "password_hash": ""}]) == 1


def change_account(tx: Tx, changed: Account) -> None:
    """Keep what an account is now; its password stays."""
    tx.many(_put_account, [{**_account_row(changed), "password_hash": ""}])


def password_hash(tx: Tx, name: str) -> str:
    """The argon2id hash of an account's password; empty where there is none."""
    row = tx.one(_hash, who=name)
    return "" if row is None else str(row[0])


def set_password_hash(tx: Tx, name: str, hashed: str) -> None:
    """Keep the hash of a new password; the one-time links of the account end."""
    tx.run(_set_hash, who=name, hashed=hashed)
    tx.run(_drop_invitations, who=name)


def _account_row(a: Account) -> dict[str, Any]:
    return {
        "name": a.name, "role": a.role.value, "program": a.program, "mail": a.mail.lower(),
        "queues": as_json(list(a.queues)), "skills": as_json(a.skills), "capacity": as_json(a.capacity),
        "shift": a.shift, "language": a.language, "disabled": a.disabled, "created_at": micros(a.created_at),
    }  # fmt: skip


def _named(table: Any, row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(table.c.keys(), row, strict=True))


def _account_of(row: tuple[Any, ...]) -> Account:
    has = _named(t.accounts, row)
    return Account(
        name=has["name"],
        role=Role(has["role"]),
        program=bool(has["program"]),
        mail=has["mail"],
        queues=_decode_words(has["queues"]),
        skills=_decode_skills(has["skills"]),
        capacity=_decode_capacity(has["capacity"]),
        shift=has["shift"],
        language=has["language"],
        disabled=bool(has["disabled"]),
        has_password=bool(has["password_hash"]),
        created_at=instant(has["created_at"]),
    )


# ---------------------------------------------------------------------------------------------------- one-time links
def invite(tx: Tx, name: str, digest: str, expires_at: datetime) -> None:
    """Keep a one-time link of an account; the ones before it end."""
    tx.run(_drop_invitations, who=name)
    tx.many(_add_invitation, [{"digest": digest, "account": name, "expires_at": micros(expires_at)}])


def invited(tx: Tx, digest: str, now: datetime) -> str:
    """Whose one-time link this is; empty when it is none, or ran out, or was used."""
    row = tx.one(_invitation, hashed=digest)
    return str(row[0]) if row is not None and row[1] > micros(now) else ""


# ---------------------------------------------------------------------------------------------------------- sessions
def add_session(tx: Tx, digest: str, name: str, browser: str, now: datetime) -> None:
    """Keep a new session."""
    row = {"digest": digest, "account": name, "created_at": micros(now), "used_at": micros(now), "browser": browser}
    tx.many(_add_session, [row])


def session(tx: Tx, digest: str) -> Session | None:
    """The session whose secret has this digest."""
    row = tx.one(_session, hashed=digest)
    return None if row is None else _session_of(row)


def sessions(tx: Tx, name: str) -> list[Session]:
    """The sessions of an account, the oldest first."""
    return [_session_of(row) for row in tx.rows(_sessions, who=name)]


def used_session(tx: Tx, digest: str, now: datetime) -> None:
    """Somebody came by this session."""
    tx.run(_used_session, hashed=digest, present=micros(now))


def drop_sessions(tx: Tx, name: str, beginning: str = "") -> int:
    """End the sessions of an account whose id begins so (all where nothing is said). How many those were."""
    return tx.run(_drop_session, who=name, beginning=f"{beginning}%")


def forget_stale(tx: Tx, *, idle_since: datetime, created_before: datetime, now: datetime) -> None:
    """Forget sessions that nobody used or that are too old, links that ran out, guesses of long ago."""
    tx.run(_stale_sessions, idle=micros(idle_since), old=micros(created_before))
    tx.run(_stale_invitations, present=micros(now))
    tx.run(_stale_guesses, old=micros(idle_since))


def _session_of(row: tuple[Any, ...]) -> Session:
    has = _named(t.sessions, row)
    return Session(
        id=has["digest"][:12],
        account=has["account"],
        created_at=instant(has["created_at"]),
        used_at=instant(has["used_at"]),
        browser=has["browser"],
    )


# ------------------------------------------------------------------------------------------------------------ tokens
def add_token(tx: Tx, new: Token, digest: str) -> None:
    """Keep a new token."""
    expires = None if new.expires_at is None else micros(new.expires_at)
    tx.many(
        _add_token,
        [{
            "id": new.id, "account": new.account, "digest": digest, "created_at": micros(new.created_at),
            "expires_at": expires, "used_at": None, "revoked_at": None,
        }],
    )  # fmt: skip


def token(tx: Tx, digest: str) -> Token | None:
    """The token whose words have this digest, revoked or not."""
    row = tx.one(_token, hashed=digest)
    return None if row is None else _token_of(row)


def tokens(tx: Tx) -> list[Token]:
    """All tokens, by account and age."""
    return [_token_of(row) for row in tx.rows(_tokens)]


def used_token(tx: Tx, digest: str, now: datetime) -> None:
    """A program came by this token."""
    tx.run(_used_token, hashed=digest, present=micros(now))


def revoke_token(tx: Tx, which: str, now: datetime) -> list[str]:
    """Revoke the token of this id, or all of an account. The ids of those that were not revoked yet."""
    return [str(row[0]) for row in tx.rows(_revoke_token, which=which, present=micros(now))]


def _token_of(row: tuple[Any, ...]) -> Token:
    has = _named(t.tokens, row)
    return Token(
        id=has["id"],
        account=has["account"],
        created_at=instant(has["created_at"]),
        expires_at=maybe_instant(has["expires_at"]),
        used_at=maybe_instant(has["used_at"]),
        revoked_at=maybe_instant(has["revoked_at"]),
    )


# ----------------------------------------------------------------------------------------------------------- guesses
def guesses(tx: Tx, key: str) -> tuple[int, datetime | None]:
    """How many wrong passwords in a row came for this key, and when the last one."""
    row = tx.one(_guesses, who=key)
    return (0, None) if row is None else (int(row[0]), instant(row[1]))


def count_guess(tx: Tx, key: str, now: datetime) -> None:
    """One wrong password more."""
    tx.run(_count_guess, who=key, present=micros(now))


def forget_guesses(tx: Tx, key: str) -> None:
    """The right password came."""
    tx.run(_forget_guesses, who=key)
