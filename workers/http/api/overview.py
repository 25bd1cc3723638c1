"""What does the desk as a whole look like? Its closed lists, who is there, incidents, what is set aside, the report."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime
from typing_extensions import TypedDict

from router.account import Caller
from router.desk.acts.assign import agents
from router.desk.acts.incidents import incidents
from router.desk.ledger import Ledger
from router.model import Status
from router.store import set_aside
from router.store.read.report import report
from workers.http.api.callers import Callers

__all__ = ["overview_routes"]

_MOST = 200


class Choices(TypedDict):
    """The closed lists of this desk."""

    name: str
    queues: list[str]
    issue_types: list[str]
    statuses: list[str]
    channels: list[str]


def overview_routes(store: Ledger, now: Callable[[], datetime], callers: Callers) -> APIRouter:
    """`/choices`, `/agents`, `/incidents`, `/set-aside`, `/report`."""
    routes = APIRouter(tags=["overview"])

    @routes.get("/choices", operation_id="choices")
    def choices(_: Caller = Depends(callers.may("me"))) -> Choices:
        """The desk's queues, issue types, statuses and channels."""
        policy = store.policy
        return {
            "name": policy.name,
            "queues": list(policy.queues),
            "issue_types": list(policy.tagger.issue_types),
            "statuses": [status.value for status in Status],
            "channels": list(policy.channels),
        }

    @routes.get("/agents", operation_id="agents")
    def listed(_: Caller = Depends(callers.may("agent:list"))) -> list[dict[str, Any]]:
        """Who is there, and what each holds."""
        return agents(store, now())

    @routes.get("/incidents", operation_id="incidents")
    def incident_list(_: Caller = Depends(callers.may("incident:list"))) -> list[dict[str, Any]]:
        """What several customers report at the same time, with their conversations."""
        return incidents(store)

    @routes.get("/set-aside", operation_id="set_aside")
    def aside(
        closed: Annotated[bool, Query()] = False, _: Caller = Depends(callers.may("set_aside:list"))
    ) -> list[dict[str, Any]]:
        """Raws that could not be translated or decided, the oldest first, with their reasons."""
        return list(islice(set_aside.listed(store, closed=closed), _MOST))

    @routes.get("/report", operation_id="report")
    def reported(
        since: Annotated[AwareDatetime | None, Query()] = None, _: Caller = Depends(callers.may("report"))
    ) -> dict[str, Any]:
        """Volume, first reply, breaches and chases by channel, queue, type and agent."""
        return report(store, store.policy.promises, now(), since=since)

    return routes
