"""`accounts` and `tokens`: who may come in by console and API?

In: names and roles. Out: accounts as they are; a one-time link by which a person sets their password; the words of a
new token, which are shown once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from workers.cli.command import command, json_option
from workers.cli.printing import json_line, line, show

if TYPE_CHECKING:
    from router.account import Account, Token
    from router.policy.values import Policy

__all__ = [
    "accounts_add", "accounts_change", "accounts_disable", "accounts_link", "accounts_list", "tokens_add",
    "tokens_list", "tokens_revoke",
]  # fmt: skip

_ROLES = ("auditor", "agent", "lead", "admin")
_name = click.argument("name", metavar="NAME", help="Its name, one word.")
_role = click.option("--role", type=click.Choice(_ROLES), required=True, help="What it may do.")
_queues = click.option("--queues", metavar="A,B", default=None, help="The queues that an agent works.")


@command("accounts add")
@_name
@_role
@_queues
@click.option("--mail", metavar="ADDRESS", default="", help="Whence they answer in their own mail program.")
@click.option("--language", metavar="TAG", default="", help="Of their console: zh-Hans, zh-Hant or en.")
@json_option
def accounts_add(name: str, role: str, queues: str | None, mail: str, language: str, as_json: bool) -> int:
    """Add a person, and print the one-time link by which they set their password."""
    from router.desk.accounts import account as people
    from router.desk.accounts import passwords
    from workers.cli.opened import opened

    now = datetime.now(UTC)
    with opened() as desk:
        new = people.add(desk.store, name, role, now, queues=_split(queues), mail=mail, language=language)
        link = _link(desk.policy, passwords.invite(desk.store, name, now))
    if as_json:
        json_line({**_shown(new), "link": link})
        return 0
    line(f"{name} is {_article(role)} {role}. They set a password here, once, within 24 hours:")
    line(f"  {link}")
    return 0


@command("accounts link")
@_name
@json_option
def accounts_link(name: str, as_json: bool) -> int:
    """Print a new one-time link by which a person sets their password; those before it end."""
    from router.desk.accounts import passwords
    from workers.cli.opened import opened

    with opened() as desk:
        link = _link(desk.policy, passwords.invite(desk.store, name, datetime.now(UTC)))
    if as_json:
        json_line({"name": name, "link": link})
    else:
        line(f"{name} sets a password here, once, within 24 hours:")
        line(f"  {link}")
    return 0


@command("accounts list")
@json_option
def accounts_list(as_json: bool) -> int:
    """Who may come in."""
    from router.desk.accounts import account as people
    from workers.cli.opened import opened

    with opened(reading=True) as desk:
        found = people.listed(desk.store)
    rows = [_shown(account) for account in found]
    if not as_json:
        rows = [{key: row[key] for key in ("name", "role", "state", "queues", "language")} for row in rows]
    show(rows, as_json=as_json, empty="Nobody yet; add a person with: omnirouter accounts add NAME --role ROLE")
    return 0


@command("accounts change")
@_name
@click.option("--role", type=click.Choice(_ROLES), default=None, help="What it may do from now on.")
@_queues
@click.option("--mail", metavar="ADDRESS", default=None, help="Whence they answer in their own mail program.")
@click.option("--language", metavar="TAG", default=None, help="Of their console: zh-Hans, zh-Hant or en.")
@click.option("--shift", metavar="SCHEDULE", default=None, help="When they work.")
@json_option
def accounts_change(
    name: str,
    role: str | None,
    queues: str | None,
    mail: str | None,
    language: str | None,
    shift: str | None,
    as_json: bool,
) -> int:
    """Change an account; what is not named stays."""
    from router.desk.accounts import account as people
    from workers.cli.opened import opened

    given: dict[str, Any] = {"role": role, "mail": mail, "language": language, "shift": shift}
    given["queues"] = None if queues is None else _split(queues)
    values = {key: value for key, value in given.items() if value is not None}
    with opened() as desk:
        changed = people.change(desk.store, name, datetime.now(UTC), **values)
    return _told(changed, as_json)


@command("accounts disable")
@_name
@click.option("--undo", is_flag=True, help="Let them in again.")
@json_option
def accounts_disable(name: str, undo: bool, as_json: bool) -> int:
    """Let an account in no more: its sessions and tokens end at once."""
    from router.desk.accounts import account as people
    from workers.cli.opened import opened

    with opened() as desk:
        changed = people.disable(desk.store, name, datetime.now(UTC), undo=undo)
    return _told(changed, as_json)


@command("tokens add")
@_name
@_role
@click.option("--expires", metavar="DAYS", type=click.IntRange(1, 3650), default=None, help="Days that it is good.")
@_queues
@json_option
def tokens_add(name: str, role: str, expires: int | None, queues: str | None, as_json: bool) -> int:
    """Make a token for the program NAME; its words are printed once, here."""
    from router.desk.accounts import tokens
    from workers.cli.opened import opened

    life = None if expires is None else timedelta(days=expires)
    with opened() as desk:
        token, words = tokens.add(
            desk.store, name, role, datetime.now(UTC), expires_in=life, queues=_split(queues)
        )
    if as_json:
        json_line({**_shown_token(token), "words": words})
        return 0
    line(f"Token {token.id} of {name} ({role}). Keep these words; nobody can show them again:")
    line(f"  {words}")
    return 0


@command("tokens list")
@json_option
def tokens_list(as_json: bool) -> int:
    """The tokens of programs, without their words."""
    from router.desk.accounts import tokens
    from workers.cli.opened import opened

    with opened(reading=True) as desk:
        rows = [_shown_token(token) for token in tokens.listed(desk.store)]
    show(rows, as_json=as_json, empty="None yet; make one with: omnirouter tokens add NAME --role ROLE")
    return 0


@command("tokens revoke")
@click.argument("which", metavar="ID|NAME", help="A token's id, or a program's name for all of its tokens.")
@json_option
def tokens_revoke(which: str, as_json: bool) -> int:
    """Revoke a token at once."""
    from router.desk.accounts import tokens
    from workers.cli.opened import opened

    with opened() as desk:
        revoked = tokens.revoke(desk.store, which, datetime.now(UTC))
    if as_json:
        json_line({"revoked": revoked})
    else:
        line(f"Revoked: {', '.join(revoked)}.")
    return 0


def _split(queues: str | None) -> Sequence[str]:
    return [name.strip() for name in (queues or "").split(",") if name.strip()]


def _article(role: str) -> str:
    return "a" if role == "lead" else "an"


def _link(policy: Policy, words: str) -> str:
    """Where a person sets their password: on the desk's public address; without one, or on the desk that no file
    configures, on the one that it listens on."""
    from workers.cli.chosen import configuration_file

    web = policy.web
    public = web.public_url.rstrip("/") if configuration_file() is not None else ""
    return f"{public or f'http://{web.host}:{web.port}'}/desk/welcome#{words}"


def _shown(account: Account) -> dict[str, Any]:
    state = "disabled" if account.disabled else "program" if account.program else "open"
    if state == "open" and not account.has_password:
        state = "no password yet"
    return {
        "name": account.name, "role": account.role.value, "state": state, "queues": list(account.queues),
        "mail": account.mail, "language": account.language, "shift": account.shift, "skills": dict(account.skills),
        "capacity": dict(account.capacity), "created_at": account.created_at,
    }  # fmt: skip


def _told(account: Account, as_json: bool) -> int:
    row = _shown(account)
    if as_json:
        json_line(row)
    else:
        queues = f", queues {', '.join(account.queues)}" if account.queues else ""
        line(f"{account.name}: {account.role}, {row['state']}{queues}.")
    return 0


def _shown_token(token: Token) -> dict[str, Any]:
    return {
        "id": token.id, "program": token.account, "created_at": token.created_at, "expires_at": token.expires_at,
        "used_at": token.used_at, "revoked_at": token.revoked_at,
    }  # fmt: skip
