"""What answers under /api? A FastAPI application over the acts and reads of the desk, beside the front door's routes.

`/api/v1/…` are the routes, `/api/openapi.json` their schema (OpenAPI 3.1), `/api/docs` a page to read. Every route runs
in a thread of its own; nothing of a request is logged but where it failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp

from router.desk import Ledger
from workers.http.api.accounts import account_routes
from workers.http.api.acts import act_routes
from workers.http.api.callers import Callers
from workers.http.api.conversations import conversation_routes
from workers.http.api.events import event_routes
from workers.http.api.lists import list_routes
from workers.http.api.overview import overview_routes
from workers.http.api.problems import KINDS, Problem, TellTooLarge, handle_problems
from workers.http.api.reading import STYLE, page
from workers.http.api.sessions import session_routes

__all__ = ["VERSION", "api"]

VERSION = "1"
_TITLE = "omnirouter"
_FAILURES: dict[int | str, dict[str, Any]] = {
    status: {
        "model": Problem,
        "description": " ".join(text for of, text in KINDS.values() if of == status),
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in sorted({status for status, _ in KINDS.values()})
}


def api(store: Ledger, now: Callable[[], datetime], closing: asyncio.Event) -> ASGIApp:
    """The application; it is mounted as `/api`. Its streams end when `closing` is set."""
    app = FastAPI(
        title=_TITLE,
        version=VERSION,
        summary="The desk's acts and reads.",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        max_body_size=store.policy.web.max_body,
        redirect_slashes=False,
        root_path_in_servers=False,
        servers=[{"url": "/api"}],
    )
    callers = Callers(store, now)
    routes = APIRouter(prefix=f"/v{VERSION}", responses=_FAILURES)
    for part in (session_routes, account_routes, list_routes, conversation_routes, act_routes, overview_routes):
        routes.include_router(part(store, now, callers))
    routes.include_router(event_routes(store, now, callers, closing))
    app.include_router(routes)
    handle_problems(app)

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response:
        return HTMLResponse(
            page(app.openapi()),
            headers={"content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'"},
        )

    @app.get("/docs.css", include_in_schema=False)
    def style() -> Response:
        return Response(STYLE, media_type="text/css")

    return TellTooLarge(app)
