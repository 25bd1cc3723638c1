"""How does a person come in and go? By name and password, or by a one-time link that sets the password."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import StringConstraints

from router.account import Account, Caller
from router.desk import Ledger
from router.desk.accounts import account as people
from router.desk.accounts import passwords, permissions, sessions
from workers.http.api.callers import Callers
from workers.http.api.forms import AccountName, Given, Me, SessionForm, account_form, session_form
from workers.http.hosts import host_of

__all__ = ["session_routes"]

_Password = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
_Words = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class LogIn(Given):
    """Name and password."""

    name: AccountName
    password: _Password


class SetPassword(Given):
    """The words of a one-time link, and the password that it shall set."""

    link: _Words
    password: _Password


def session_routes(store: Ledger, now: Callable[[], datetime], callers: Callers) -> APIRouter:
    """`/session`, `/password`, `/me`, `/me/sessions`."""
    routes = APIRouter(tags=["sessions"])

    def begin(account: Account, request: Request, answer: Response) -> Me:
        secret = sessions.begin(store, account, request.headers.get("user-agent", ""), now())
        callers.let_in(request, answer, secret)
        found = sessions.caller(store, secret, now())
        assert found is not None  # noqa: S101  (it was made just now)
        return _me(found)

    @routes.post("/session", operation_id="log_in")
    def log_in(given: LogIn, request: Request, answer: Response) -> Me:
        """Log in: sets the session's cookie."""
        callers.own_page(request)
        host = host_of(request, store.policy.web.trusted_proxies)
        return begin(passwords.check(store, given.name, given.password, host, now()), request, answer)

    @routes.put("/password", operation_id="set_password")
    def set_password(given: SetPassword, request: Request, answer: Response) -> Me:
        """Set a password by a one-time link, and log in."""
        callers.own_page(request)
        name = passwords.set_by_link(store, given.link, given.password, now())
        return begin(people.named(store, name), request, answer)

    @routes.delete("/session", status_code=204, operation_id="log_out")
    def log_out(answer: Response, who: Caller = Depends(callers.may("session:end"))) -> None:
        """Log out: ends the session that the request came by."""
        if who.session:
            sessions.end(store, who.account.name, who.session)
        callers.let_out(answer)

    @routes.get("/me", operation_id="me")
    def me(who: Caller = Depends(callers.may("me"))) -> Me:
        """Who I am, and what I may do."""
        return _me(who)

    @routes.get("/me/sessions", operation_id="my_sessions")
    def my_sessions(who: Caller = Depends(callers.may("session:list"))) -> list[SessionForm]:
        """The browsers that I came in by."""
        return [session_form(s, who.session) for s in sessions.of(store, who.account.name, now())]

    @routes.delete("/me/sessions/{id}", status_code=204, operation_id="end_my_session")
    def end_my_session(id: str, who: Caller = Depends(callers.may("session:end"))) -> None:  # noqa: A002
        """End one of my sessions."""
        sessions.end(store, who.account.name, id)

    return routes


def _me(who: Caller) -> Me:
    acts = [act for act in permissions.ACTS if permissions.may(who.account, act)]
    return Me(account=account_form(who.account), session=who.session or None, token=who.token or None, may=acts)
