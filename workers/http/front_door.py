"""What does the front door do? Channel routes, and `/health`, which tells strangers that the process lives.

A request's body is capped and read, its channel's adapter verifies it (pure), its raws are made durable in the log,
and only then it is answered 2xx. A log that cannot take more gives 503 with Retry-After. Nothing of a request is
logged but its status.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as HttpRoute

from router.desk import Ledger
from router.errors import ConfigurationError, OmnirouterError
from router.ports import Accepted, Answer, Refused, Request
from router.store.log import Log
from router.store.set_aside import keep_invalid
from workers.daemon.channels import Channels
from workers.daemon.logging import place
from workers.daemon.metrics import Metrics
from workers.http.body_limit import Bodies, TooLarge, TooMany
from workers.http.operations import health

__all__ = ["front_door", "take"]

_log = structlog.get_logger()
_BUSY = Response(status_code=503, headers={"retry-after": "5"})
#: Seconds after which a request that cannot be made durable is asked to come again.
_PATIENCE = 10.0


def front_door(
    store: Ledger,
    channels: Channels,
    log: Log,
    metrics: Metrics,
    now: Callable[[], datetime],
    *,
    extra: Sequence[BaseRoute] = (),
    bodies: Bodies | None = None,
) -> Starlette:
    """The HTTP application of the daemon. `extra` routes that read bodies share `bodies` with those of the channels."""
    held = bodies or Bodies()

    async def channel(request: HttpRequest) -> Response:
        began = time.perf_counter()
        name = request.path_params["name"]
        answer = await _receive(request, name, store, channels, log, metrics, now, held)
        metrics.requests.labels(name if answer.status_code != 404 else "unknown", str(answer.status_code)).observe(
            time.perf_counter() - began
        )
        return answer

    methods = ["GET", "POST"]
    return Starlette(
        routes=[
            HttpRoute("/health", health),
            HttpRoute("/channels/{name}", channel, methods=methods),
            HttpRoute("/channels/{name}/{path:path}", channel, methods=methods),
            *extra,
        ]
    )


async def _receive(
    request: HttpRequest,
    name: str,
    store: Ledger,
    channels: Channels,
    log: Log,
    metrics: Metrics,
    now: Callable[[], datetime],
    bodies: Bodies,
) -> Response:
    try:
        routes = channels.get(name).routes
    except ConfigurationError:
        return Response(status_code=404)
    path = request.path_params.get("path", "")
    named = [r for r in routes if r.path.strip("/") == path.strip("/")]
    route = next((r for r in named if request.method in r.methods), None)
    if route is None:
        return Response(status_code=405 if named else 404)
    try:
        async with bodies.of(request, route.max_body) as body:
            verdict = route.receive(_request(request, body), now())
            if isinstance(verdict, Answer):
                return _answer(verdict)
            return await take(verdict, name, store, log, metrics, now)
    except TooLarge:
        return Response(status_code=413)
    except TooMany:
        _log.warning("front_door.busy", channel=name, reason="too many large bodies at once")
        return _BUSY
    except ClientDisconnect:
        return Response(status_code=400)


async def take(
    verdict: Accepted | Refused, name: str, store: Ledger, log: Log, metrics: Metrics, now: Callable[[], datetime]
) -> Response:
    """Make durable what a channel accepted, then give its answer; 503 while the log cannot take more, or does not in
    time."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await _take(verdict, name, store, log, metrics, now)
    except TimeoutError:
        _log.warning("front_door.busy", channel=name, reason=f"the log took nothing for {_PATIENCE:.0f} s")
        return _BUSY
    except OmnirouterError as failure:
        _log.warning("front_door.busy", channel=name, reason=str(failure))
        return _BUSY
    except Exception as failure:
        _log.error("front_door.failed", channel=name, error=type(failure).__name__, at=place(failure))
        return _BUSY


async def _take(
    verdict: Accepted | Refused, name: str, store: Ledger, log: Log, metrics: Metrics, now: Callable[[], datetime]
) -> Response:
    if isinstance(verdict, Refused):
        if verdict.invalid is not None:
            await asyncio.to_thread(keep_invalid, store, verdict.invalid, verdict.reason, now())
            metrics.messages.labels("invalid").inc()
        return _answer(verdict.answer)
    if verdict.raws:
        await log.append(verdict.raws)
        metrics.raws.labels(name).inc(len(verdict.raws))
    metrics.channel_up(name)
    return _answer(verdict.answer)


def _request(request: HttpRequest, body: bytes) -> Request:
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    headers: dict[str, str] = {}
    for key, value in request.headers.raw:
        name = key.decode("latin-1").lower()
        headers[name] = f"{headers[name]}, {value.decode('latin-1')}" if name in headers else value.decode("latin-1")
    return Request(method=request.method, url=target, headers=headers, query=dict(request.query_params), body=body)


def _answer(answer: Answer) -> Response:
    return Response(
        answer.body,
        answer.status,
        headers={"content-type": answer.content_type, "x-content-type-options": "nosniff"} if answer.body else None,
    )
