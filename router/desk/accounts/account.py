"""Who is at the desk? Accounts are added, changed, disabled; agents of the configuration are there from the start.

In: a store, names, roles, the present instant. Out: accounts as they are. Each change is one transaction.
Raises `Misasked` for a word that means nothing, `NotFound`, `Refused`. Blocking functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from router.account import Account, Role
from router.desk.ledger import Ledger
from router.errors import Misasked, NotFound, Refused
from router.policy.values import Policy
from router.store import accounts as rows
from router.store.statement import Tx

__all__ = ["add", "change", "disable", "fresh", "keep", "listed", "named", "seed"]

_NAME = re.compile(r"[^\W_][\w.@+-]{0,63}")


def fresh(
    policy: Policy, name: str, role: str, now: datetime, *, program: bool = False, queues: Sequence[str] = (),
    mail: str = "", language: str = "",
) -> Account:
    """A new account, checked against the configuration; not kept yet. Raises `Misasked`."""
    if not _NAME.fullmatch(name):
        raise Misasked(
            f"{name!r} is not a name of an account; right would be letters, digits and . _ - + @, 64 at most, "
            "beginning with a letter or digit."
        )
    account = Account(
        name=name, role=_role(role), program=program, queues=tuple(queues), mail=mail.lower(), language=language,
        created_at=now,
    )  # fmt: skip
    _check(policy, account)
    return account


def keep(tx: Tx, new: Account) -> None:
    """Keep a new account within a transaction. Raises `Refused` when the name is taken."""
    if not rows.add_account(tx, new):
        raise Refused(f"There is an account {new.name!r} already; `omnirouter accounts list` shows it.")


def add(
    store: Ledger, name: str, role: str, now: datetime, *, queues: Sequence[str] = (), mail: str = "",
    language: str = "",
) -> Account:
    """Add a person. They set their password by a one-time link (`passwords.invite`)."""
    new = fresh(store.policy, name, role, now, queues=queues, mail=mail, language=language)
    store.again(lambda tx: keep(tx, new))
    return new


def change(store: Ledger, name: str, now: datetime, **values: Any) -> Account:
    """Change fields of an account: role, queues, mail, language, skills, capacity, shift. Raises `Refused` where
    nobody would be left who may add accounts."""
    if "role" in values:
        values["role"] = _role(str(values["role"]))
    if "queues" in values:
        values["queues"] = tuple(values["queues"])

    def work(tx: Tx) -> Account:
        before = _found(tx, name)
        after = replace(before, **values)
        _check(store.policy, after)
        _leave_an_admin(tx, before, after)
        rows.change_account(tx, after)
        return after

    return store.again(work)


def disable(store: Ledger, name: str, now: datetime, *, undo: bool = False) -> Account:
    """Let an account in no more (or again): its sessions end at once, its tokens open nothing."""

    def work(tx: Tx) -> Account:
        before = _found(tx, name)
        after = replace(before, disabled=not undo)
        _leave_an_admin(tx, before, after)
        rows.change_account(tx, after)
        if after.disabled:
            rows.drop_sessions(tx, name)
        return after

    return store.again(work)


def listed(store: Ledger) -> list[Account]:
    """All accounts, by name."""
    with store.database.read() as tx:
        return rows.accounts(tx)


def named(store: Ledger, name: str) -> Account:
    """The account of this name. Raises `NotFound`."""
    with store.database.read() as tx:
        return _found(tx, name)


def seed(store: Ledger, now: datetime) -> list[str]:
    """Add the agents of the configuration that have no account yet; what people changed since stays. Their names."""

    def work(tx: Tx) -> list[str]:
        there = {account.name for account in rows.accounts(tx)}
        new = [_of_agent(agent, now) for agent in store.policy.agents.values() if agent.name not in there]
        return [account.name for account in new if rows.add_account(tx, account)]

    with store.database.read() as tx:
        there = {account.name for account in rows.accounts(tx)}
    return store.again(work) if set(store.policy.agents) - there else []


def _of_agent(agent: Any, now: datetime) -> Account:
    return Account(
        name=agent.name, role=Role.AGENT, mail=agent.mail.lower(), queues=agent.queues, skills=dict(agent.skills),
        capacity=dict(agent.capacity), shift=agent.shift, created_at=now,
    )  # fmt: skip


def _found(tx: Tx, name: str) -> Account:
    account = rows.account(tx, name)
    if account is None:
        raise NotFound(f"There is no account {name!r}; `omnirouter accounts list` has them.")
    return account


def _role(word: str) -> Role:
    try:
        return Role(word)
    except ValueError:
        raise Misasked(f"{word!r} is not a role; right would be one of: {', '.join(Role)}.") from None


def _check(policy: Policy, account: Account) -> None:
    """Raise `Misasked` for queues, a shift or a mail address that mean nothing."""
    unknown = [queue for queue in account.queues if queue not in policy.queues]
    if unknown:
        has = ", ".join(policy.queues)
        raise Misasked(f"There is no queue {', '.join(map(repr, unknown))}; the configuration has: {has}.")
    if account.shift and account.shift not in policy.schedules:
        raise Misasked(f"There is no schedule {account.shift!r}; the configuration has: {', '.join(policy.schedules)}.")
    if account.mail and not re.fullmatch(r"[^@\s]+@[^@\s]+", account.mail):
        raise Misasked(f"{account.mail!r} is not a mail address; right would be name@example.com.")
    if not _all_counts(account.capacity):
        raise Misasked("A capacity is a whole number of conversations a channel kind, 0 or more.")


def _all_counts(capacity: Mapping[str, Any]) -> bool:
    return all(isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0 for limit in capacity.values())


def _leave_an_admin(tx: Tx, before: Account, after: Account) -> None:
    """Raise `Refused` where the change would leave nobody who may let others in."""
    if _lets_in(before) and not _lets_in(after):
        others = [a for a in rows.accounts(tx) if a.name != before.name and _lets_in(a)]
        if not others:
            raise Refused(f"{before.name} is the only admin; make another one first.")


def _lets_in(account: Account) -> bool:
    return account.role is Role.ADMIN and not account.disabled and not account.program
