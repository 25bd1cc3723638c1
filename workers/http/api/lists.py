"""What is there to do? Queues as they stand, and lists of conversations that are narrowed by what is asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, Field, StringConstraints

from router.account import Caller
from router.desk import Ledger
from router.desk.reads import lists
from router.forms import ConversationPage, QueueForm
from router.model import Status
from router.store.read.lists import Wanted
from workers.http.api.callers import Callers
from workers.http.api.forms import LARGEST, Given

__all__ = ["list_routes"]

_Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Asked(Given):
    """What a list of conversations is narrowed to; `holder`: me, none, or a name."""

    queue: _Word | None = None
    holder: _Word | None = None
    status: Status | None = None
    issue_type: _Word | None = None
    tag: _Word | None = None
    channel: _Word | None = None
    contact: Annotated[int, Field(ge=1, le=LARGEST)] | None = None
    breached: bool | None = None
    since: AwareDatetime | None = None
    order: Literal["work", "recent"] = "work"
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(max_length=40)] = ""


def list_routes(store: Ledger, now: Callable[[], datetime], callers: Callers) -> APIRouter:
    """`/queues` and `/conversations`."""
    routes = APIRouter(tags=["lists"])

    @routes.get("/queues", operation_id="queues")
    def queues(who: Caller = Depends(callers.may("queue:list"))) -> list[QueueForm]:
        """The queues that I work or oversee, as they stand now."""
        return lists.queues(store, who.account, now())

    @routes.get("/conversations", operation_id="conversations")
    def conversations(
        asked: Annotated[Asked, Query()], who: Caller = Depends(callers.may("conversation:list"))
    ) -> ConversationPage:
        """One page of conversations: what waits, in working order, or all with the newest word first."""
        holder = {None: None, "none": "", "me": who.account.name}.get(asked.holder, asked.holder)
        wanted = Wanted(holder=holder, **asked.model_dump(exclude={"holder", "order", "limit", "cursor"}))
        return lists.conversations(
            store, who.account, wanted, now(), order=asked.order, limit=asked.limit, cursor=asked.cursor
        )

    return routes
