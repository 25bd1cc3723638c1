"""What does a caller read when a request fails? One problem of a closed list, as RFC 9457 has it.

In: any exception of a request. Out: status, `type`, the sentence that the command line would print too. Never a
traceback, and of an unknown failure only that it happened: the log has where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from router.desk.request import RepeatedDifferently
from router.errors import (
    Forbidden,
    Misasked,
    NotFound,
    OmnirouterError,
    Refused,
    TooOften,
    WrongPassword,
)
from router.store.transient import is_transient
from router.value import Value
from workers.daemon.logging import place

__all__ = ["KINDS", "ForbiddenRequest", "Problem", "TellTooLarge", "Unauthorized", "answer", "handle_problems"]

_log = structlog.get_logger()
_MEDIA = "application/problem+json"
#: Seconds after which a caller may try again while the ledger is away.
_AGAIN = 5
_TOO_LARGE: Final = "The body is larger than this route takes."

#: The closed list: what each `type` means, and its status.
KINDS: Final[Mapping[str, tuple[int, str]]] = {
    "unauthorized": (401, "Nobody known sent the request: no session, no token, or none that is good any more."),
    "forbidden": (403, "The account's role does not allow it, or the request did not come from the desk's own pages."),
    "not-found": (404, "It is not there, or it is not yours to see."),
    "method-not-allowed": (405, "This path knows other methods."),
    "refused": (409, "It is not allowed as things stand: somebody holds it, answered meanwhile, or it changed."),
    "too-large": (413, "The body is larger than the route takes."),
    "invalid-request": (422, "The request has mistakes; `mistakes` names each with its path."),
    "repeated-differently": (422, "The idempotency key was used with another body."),
    "too-often": (429, "Too many tries; Retry-After says when to come again."),
    "failed": (500, "The server failed; its log says where."),
    "unavailable": (503, "The ledger cannot be reached; Retry-After says when to come again."),
}


class Mistake(BaseModel):
    """One mistake of a request: where, and what would be right."""

    path: str
    detail: str


class Problem(BaseModel):
    """A failed request (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    mistakes: list[Mistake] | None = None


class Unauthorized(OmnirouterError):
    """Nobody known came with the request."""


class ForbiddenRequest(OmnirouterError):
    """A browser's request that the desk's own pages did not send."""


class _Told(Value, frozen=True, kw_only=True):
    kind: str
    detail: str
    mistakes: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] = {}


def answer(kind: str, detail: str, mistakes: Sequence[Mapping[str, str]] = (), headers: Mapping[str, str] | None = None
           ) -> Response:  # fmt: skip
    """The answer that tells of a problem."""
    status, title = KINDS[kind]
    body: dict[str, Any] = {"type": f"/api/problems#{kind}", "title": title, "status": status, "detail": detail}
    if mistakes:
        body["mistakes"] = list(mistakes)
    return JSONResponse(body, status, headers=dict(headers or {}), media_type=_MEDIA)


def handle_problems(app: FastAPI) -> None:
    """Let every failure of the application's requests be told as a problem."""

    async def told(request: Request, failure: Exception) -> Response:
        said = _told(request, failure)
        return answer(said.kind, said.detail, said.mistakes, said.headers)

    for kind in (OmnirouterError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, told)


class TellTooLarge:
    """ASGI middleware around the framework's limit of a body, whose own answer is plain text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        too_large = False

        async def told(message: Message) -> None:
            nonlocal too_large
            if message["type"] == "http.response.start" and message["status"] == 413 and _plain(message):
                too_large = True
                await answer("too-large", _TOO_LARGE)(scope, receive, send)
            if not too_large:
                await send(message)

        await self._app(scope, receive, told)


def _plain(message: Message) -> bool:
    return (b"content-type", _MEDIA.encode()) not in message["headers"]


def _told(request: Request, failure: Exception) -> _Told:
    if isinstance(failure, OmnirouterError):
        return _told_of_ours(failure)
    if isinstance(failure, RequestValidationError):
        return _Told(kind="invalid-request", detail=_count(failure.errors()), mistakes=_mistakes(failure.errors()))
    if isinstance(failure, HTTPException):
        return _told_by_framework(failure)
    if is_transient(failure):
        return _unavailable("The ledger cannot be reached at the moment.")
    _log.error("api.failed", path=request.url.path, error=type(failure).__name__, at=place(failure))
    return _Told(kind="failed", detail="The server failed; its log says where.")


def _told_of_ours(failure: OmnirouterError) -> _Told:
    detail = str(failure)
    if isinstance(failure, TooOften):
        seconds = max(1, int((failure.until - datetime.now(UTC)).total_seconds()) + 1)
        return _Told(kind="too-often", detail=detail, headers={"retry-after": str(seconds)})
    for kind, name in _BY_CLASS:
        if isinstance(failure, kind):
            return _Told(kind=name, detail=detail)
    return _unavailable(detail)


_BY_CLASS: Final = (
    (Unauthorized, "unauthorized"),
    (WrongPassword, "unauthorized"),
    (ForbiddenRequest, "forbidden"),
    (Forbidden, "forbidden"),
    (NotFound, "not-found"),
    (RepeatedDifferently, "repeated-differently"),
    (Misasked, "invalid-request"),
    (Refused, "refused"),
)


def _unavailable(detail: str) -> _Told:
    return _Told(kind="unavailable", detail=detail, headers={"retry-after": str(_AGAIN)})


def _told_by_framework(failure: HTTPException) -> _Told:
    names = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 503: "unavailable"}
    details = {
        404: "There is nothing at this path.",
        405: "This path knows other methods; `allow` names them.",
        413: _TOO_LARGE,
    }
    kind = names.get(failure.status_code, "invalid-request")
    return _Told(kind=kind, detail=details.get(failure.status_code, str(failure.detail)), headers=failure.headers or {})


def _count(errors: Sequence[Any]) -> str:
    return "The request has a mistake." if len(errors) == 1 else f"The request has {len(errors)} mistakes."


def _mistakes(errors: Sequence[Any]) -> list[dict[str, str]]:
    return [{"path": ".".join(map(str, error["loc"])), "detail": _sentence(error)} for error in errors]


def _sentence(error: Mapping[str, Any]) -> str:
    text = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return "There is no such key here."
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
