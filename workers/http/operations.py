"""What do operators see? `/metrics`, `/ready` and `/health`, on an address of their own (`[web] operations`).

The public address says no more than that the process lives (`/health`): what is said here tells of the database.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from workers.daemon.clock import Clock
from workers.daemon.metrics import Metrics
from workers.http.readiness import Readiness

__all__ = ["health", "operations"]

_METRICS = "text/plain; version=0.0.4; charset=utf-8"


async def health(_: Request) -> Response:
    """The process lives; nothing else."""
    return JSONResponse({"status": "up"})


def operations(readiness: Readiness, metrics: Metrics, clock: Clock) -> Starlette:
    """The HTTP application for operators."""

    async def ready(_: Request) -> Response:
        reasons = await readiness.reasons()
        if not reasons:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reasons": reasons}, 503)

    async def told(_: Request) -> Response:
        metrics.waiting(await readiness.look(), clock())
        metrics.clock(clock.reason != "", clock.drift)
        return Response(metrics.text(), media_type=_METRICS)

    return Starlette(routes=[Route("/health", health), Route("/ready", ready), Route("/metrics", told)])
