"""Whose request is it? A token in `Authorization`, or a session in a cookie.

In: a request. Out: the `Caller`. A request by cookie that changes something must come from the desk's own pages: a
same-origin `Origin` and the header `X-Requested-With: omnirouter`; requests by token need neither (rules: desk, 1).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from router.account import Caller
from router.desk import Ledger
from router.desk.accounts import permissions, sessions, tokens
from router.policy.values import Web
from workers.http.api.problems import ForbiddenRequest, Unauthorized

__all__ = ["Callers"]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: The session's cookie, where the page came over https and where it did not.
_COOKIES = {True: "__Host-omnirouter", False: "omnirouter_desk"}
_NOBODY = "Log in, or send a token: Authorization: Bearer omt_…"


class Callers:
    """Knows who sends a request, and gives browsers their cookie."""

    def __init__(self, store: Ledger, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._web: Web = store.policy.web

    def of(self, request: Request) -> Caller:
        """Who sends this request. Raises `Unauthorized`, `ForbiddenRequest`."""
        scheme, _, words = request.headers.get("authorization", "").partition(" ")
        if scheme:
            found = tokens.caller(self._store, words.strip(), self._now()) if scheme.lower() == "bearer" else None
        else:
            found = self._by_cookie(request)
        if found is None:
            raise Unauthorized(_NOBODY)
        return found

    def may(self, act: str) -> Callable[[Request], Caller]:
        """A dependency of a route: the caller, who may do this act. Raises `Forbidden`."""
        assert act in permissions.ACTS, act  # noqa: S101  (a route that nobody may use is a slip)

        def caller(request: Request) -> Caller:
            who = self.of(request)
            permissions.require(who.account, act)
            return who

        caller.act = act  # type: ignore[attr-defined]  # what the table of routes is compared by
        return caller

    def own_page(self, request: Request) -> None:
        """Raise `ForbiddenRequest` unless one of the desk's own pages sent this request."""
        origin = urlsplit(request.headers.get("origin", ""))
        own = {request.headers.get("host", ""), urlsplit(self._web.public_url).netloc} - {""}
        if origin.netloc not in own or request.headers.get("x-requested-with") != "omnirouter":
            raise ForbiddenRequest(
                "A browser's request that changes something must come from the desk's own pages: with their Origin "
                "and X-Requested-With: omnirouter."
            )

    def let_in(self, request: Request, answer: Response, secret: str) -> None:
        """Give a browser the cookie of its session; over https one that no other host can set."""
        answer.set_cookie(
            _COOKIES[_secure(request)],
            secret,
            max_age=int(sessions.LIFE.total_seconds()),
            path="/",
            secure=_secure(request),
            httponly=True,
            samesite="lax",
        )

    def let_out(self, answer: Response) -> None:
        """Take the cookie back."""
        for secure, name in _COOKIES.items():
            answer.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="lax")

    def _by_cookie(self, request: Request) -> Caller | None:
        secret = next((words for name in _COOKIES.values() if (words := request.cookies.get(name))), "")
        if not secret:
            return None
        if request.method not in _SAFE:
            self.own_page(request)
        return sessions.caller(self._store, secret, self._now())


def _secure(request: Request) -> bool:
    """Did the page that sent this request come over https? A proxy may stand between, so its own word counts."""
    return request.headers.get("origin", "").startswith("https://")
