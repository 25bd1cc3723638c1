"""X's server as a test has it: API v2 as docs.x.com tells ("Direct Messages lookup", "Manage Direct Messages", "Rate
limits"), newest event first; it checks the OAuth 1.0a signature of every call."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

from oauthlib.oauth1.rfc5849 import signature
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
#: The documentation's app secret of "Securing webhooks" stands in for all four.
SECRETS = {"X_KEY": "app", "X_SECRET": "app-secret", "X_TOKEN": "7-token", "X_TOKEN_SECRET": "token-secret"}
KEYS = {
    "consumer_key": "env:X_KEY", "consumer_secret": "env:X_SECRET",
    "access_token": "env:X_TOKEN", "access_token_secret": "env:X_TOKEN_SECRET",
}  # fmt: skip
DESK, CUSTOMER = "4337869213", "3001969357"


def event_id(at: datetime, sequence: int = 0) -> str:
    """An id as X makes them: the time in milliseconds, then a running number."""
    return str(((int(at.timestamp() * 1000) - 1288834974657) << 22) + sequence)


def event(
    number: int, text: str = "转账失败", *, sender: str = CUSTOMER, at: datetime = NOW, **more: Any
) -> dict[str, Any]:
    """A message as the lookup gives it, `number` seconds after `at`."""
    moment = at + timedelta(seconds=number)
    return {
        "id": event_id(moment), "event_type": "MessageCreate", "text": text, "sender_id": sender,
        "dm_conversation_id": f"{CUSTOMER}-{DESK}", "created_at": moment.isoformat().replace("+00:00", "Z"), **more,
    }  # fmt: skip


class Api2:
    """X's server: events in pages, newest first; takes messages; answers from a script where one is given."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.media: list[dict[str, Any]] = []
        self.page_size = 100
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.sent: list[tuple[str, str]] = []
        self.script: list[Response | None] = []  # None: answer as usual
        self.app = Starlette(
            routes=[
                Route("/2/dm_events", self.lookup),
                Route("/2/users/me", self.me),
                Route("/2/dm_conversations/with/{to}/messages", self.take, methods=["POST"]),
                Route("/2/dm_conversations/{to}/messages", self.take, methods=["POST"]),
            ]
        )

    async def lookup(self, request: HttpRequest) -> Response:
        """A page of events, newest first."""
        refused = self._admit(request)
        if refused is not None:
            return refused
        start = int(request.query_params.get("pagination_token", "0"))
        newest_first = sorted(self.events, key=lambda e: -int(e["id"]))
        page = newest_first[start : start + self.page_size]
        meta: dict[str, Any] = {"result_count": len(page)}
        if start + self.page_size < len(newest_first):
            meta["next_token"] = str(start + self.page_size)
        users = [{"id": CUSTOMER, "name": "Jordan Brinks", "username": "furiouscamper"}, {"id": DESK, "name": "Desk"}]
        answer = {"meta": meta, "includes": {"users": users, "media": self.media}}
        return JSONResponse({**answer, "data": page} if page else answer)

    async def me(self, request: HttpRequest) -> Response:
        """Whose keys these are."""
        return self._admit(request) or JSONResponse({"data": {"id": DESK, "name": "Desk", "username": "walletdesk"}})

    async def take(self, request: HttpRequest) -> Response:
        """Take a message."""
        refused = self._admit(request)
        if refused is not None:
            return refused
        self.sent.append((request.url.path, (await request.json())["text"]))
        told = {"dm_conversation_id": f"{CUSTOMER}-{DESK}", "dm_event_id": str(9000 + len(self.sent))}
        return JSONResponse({"data": told}, status_code=201)

    def _admit(self, request: HttpRequest) -> Response | None:
        """Check the call's signature, then see whether the script has another answer."""
        self.calls.append((request.url.path, dict(request.query_params)))
        given = signature.collect_parameters(
            uri_query=request.url.query, headers={"Authorization": request.headers["authorization"]},
            exclude_oauth_signature=False,
        )  # fmt: skip
        signed = signature.normalize_parameters([(name, value) for name, value in given if name != "oauth_signature"])
        text = signature.signature_base_string(request.method, f"https://api.twitter.com{request.url.path}", signed)
        key = f"{SECRETS['X_SECRET']}&{SECRETS['X_TOKEN_SECRET']}".encode()
        expected = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha1).digest()).decode()
        if dict(given).get("oauth_signature") != expected:
            return JSONResponse({"title": "Unauthorized", "status": 401, "detail": "Unauthorized"}, status_code=401)
        return self.script.pop(0) if self.script else None
