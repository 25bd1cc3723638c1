"""Who may come in? Accounts and tokens, for those who may let others in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from router.account import Caller, Role
from router.desk import Ledger
from router.desk.accounts import account as people
from router.desk.accounts import passwords, tokens
from workers.http.api.callers import Callers
from workers.http.api.forms import AccountForm, AccountName, Given, Instant, Shown, TokenForm, account_form, token_form

__all__ = ["account_routes"]


class NewAccount(Given):
    """A person to add."""

    name: AccountName
    role: Role
    queues: list[str] = []
    mail: str = ""
    language: str = ""


class AccountChange(Given):
    """What is to be different; what is not named stays."""

    role: Role | None = None
    queues: list[str] | None = None
    mail: str | None = None
    language: str | None = None
    skills: dict[str, Any] | None = None
    capacity: dict[str, Annotated[int, Field(ge=0, le=10_000)]] | None = None
    shift: str | None = None
    disabled: bool | None = None


class NewToken(Given):
    """A token to make, for the program of this name."""

    name: AccountName
    role: Role
    expires_days: Annotated[int, Field(ge=1, le=3_650)] | None = None
    queues: list[str] = []


class Link(Shown):
    """A one-time link by which a person sets their password."""

    words: str
    url: str
    expires_at: Instant


class AddedAccount(Shown):
    """The new account, and its one-time link."""

    account: AccountForm
    link: Link


def account_routes(store: Ledger, now: Callable[[], datetime], callers: Callers) -> APIRouter:
    """`/accounts` and `/tokens`."""
    routes = APIRouter(tags=["accounts"])

    def link(name: str) -> Link:
        words = passwords.invite(store, name, now())
        return Link(words=words, url=f"/desk/welcome#{words}", expires_at=now() + passwords.LINK_LIFE)

    @routes.get("/accounts", operation_id="accounts")
    def accounts(_: Caller = Depends(callers.may("account:list"))) -> list[AccountForm]:
        """All accounts, by name."""
        return [account_form(a) for a in people.listed(store)]

    @routes.post("/accounts", status_code=201, operation_id="add_account")
    def add_account(given: NewAccount, _: Caller = Depends(callers.may("account:add"))) -> AddedAccount:
        """Add a person; the answer has the link by which they set their password."""
        new = people.add(
            store, given.name, given.role, now(), queues=given.queues, mail=given.mail, language=given.language
        )
        return AddedAccount(account=account_form(new), link=link(new.name))

    @routes.patch("/accounts/{name}", operation_id="change_account")
    def change_account(
        name: str, given: AccountChange, _: Caller = Depends(callers.may("account:change"))
    ) -> AccountForm:
        """Change an account, or disable it."""
        values = given.model_dump(exclude_none=True)
        disabled = values.pop("disabled", None)
        changed = people.change(store, name, now(), **values)
        if disabled is not None and disabled != changed.disabled:
            changed = people.disable(store, name, now(), undo=not disabled)
        return account_form(changed)

    @routes.post("/accounts/{name}/link", status_code=201, operation_id="link_account")
    def link_account(name: str, _: Caller = Depends(callers.may("account:link"))) -> Link:
        """Make a new one-time link; those before it end."""
        return link(name)

    @routes.get("/tokens", operation_id="tokens")
    def listed(_: Caller = Depends(callers.may("token:list"))) -> list[TokenForm]:
        """All tokens, without their words."""
        return [token_form(token) for token in tokens.listed(store)]

    @routes.post("/tokens", status_code=201, operation_id="add_token")
    def add_token(given: NewToken, _: Caller = Depends(callers.may("token:add"))) -> TokenForm:
        """Make a token; only this answer has its words."""
        days = None if given.expires_days is None else timedelta(days=given.expires_days)
        token, words = tokens.add(store, given.name, given.role, now(), expires_in=days, queues=given.queues)
        return token_form(token, words)

    @routes.delete("/tokens/{id}", status_code=204, operation_id="revoke_token")
    def revoke_token(id: str, _: Caller = Depends(callers.may("token:revoke"))) -> None:  # noqa: A002
        """Revoke a token by its id, or all of a program by its name."""
        tokens.revoke(store, id, now())

    return routes
