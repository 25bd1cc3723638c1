"""What is there to know of a conversation and of whom it is with? Reads by ref; an agent reads others' only so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, Field, StringConstraints
from typing_extensions import TypedDict

from router.account import Caller
from router.desk import Ledger
from router.desk.reads import conversation as reads
from router.desk.reads import lists
from router.forms import (
    ContactForm,
    ConversationForm,
    ConversationPage,
    DeadlineForm,
    DecidedForm,
    LinkForm,
    QueueForm,
    RecipientsForm,
    TimelineItem,
)
from router.model import Status
from router.ref import number_of
from router.store.read.lists import Wanted
from workers.http.api.callers import Callers
from workers.http.api.forms import LARGEST, Given

__all__ = ["conversation_routes"]

_Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_REF = Path(description="Its ref (C-10T) or its number.", max_length=40)
_CONTACT = Path(description="The contact's number.", ge=1, le=LARGEST)


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


class ConversationShown(TypedDict):
    """A conversation, whom it is with, whom an answer goes to; `seen` is what a reply names."""

    conversation: ConversationForm
    contact: ContactForm
    recipients: RecipientsForm
    seen: int


class Timeline(TypedDict):
    """All that happened, by time."""

    items: list[TimelineItem]
    seen: int


def conversation_routes(store: Ledger, now: Callable[[], datetime], callers: Callers) -> APIRouter:
    """`/queues`, `/conversations`, `/conversations/{ref}` with what is under it, and `/contacts/{id}`."""
    routes = APIRouter(tags=["conversations"])

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

    @routes.get("/conversations/{ref}", operation_id="conversation")
    def conversation(
        ref: str = _REF, _: Caller = Depends(callers.may("conversation:show"))
    ) -> ConversationShown:
        """One conversation as it is now."""
        state = reads.state(store, number_of(ref), now())
        return {
            "conversation": state,
            "contact": reads.contact(store, state["contact"]),
            "recipients": reads.recipient(store, state["id"]),
            "seen": reads.seen(store, state["id"]),
        }

    @routes.get("/conversations/{ref}/timeline", operation_id="timeline")
    def timeline(ref: str = _REF, _: Caller = Depends(callers.may("conversation:timeline"))) -> Timeline:
        """Messages of all channels, notes and the desk's events in one list."""
        number = number_of(ref)
        return {"items": reads.timeline(store, number), "seen": reads.seen(store, number)}

    @routes.get("/conversations/{ref}/deadlines", operation_id="deadlines")
    def deadlines(ref: str = _REF, _: Caller = Depends(callers.may("conversation:deadlines"))) -> list[DeadlineForm]:
        """Its promises, and what became of them."""
        return reads.deadlines(store, number_of(ref), now())

    @routes.get("/conversations/{ref}/explanation", operation_id="explanation")
    def explanation(ref: str = _REF, _: Caller = Depends(callers.may("conversation:explain"))) -> list[DecidedForm]:
        """Why its messages are where they are: scores, candidates, rules, in words."""
        return reads.decisions(store, number_of(ref))

    @routes.get("/conversations/{ref}/links", operation_id="links")
    def links(ref: str = _REF, _: Caller = Depends(callers.may("conversation:links"))) -> list[LinkForm]:
        """Other conversations that have to do with it."""
        return reads.state(store, number_of(ref), now())["links"]

    @routes.get("/contacts/{id}", operation_id="contact")
    def contact(id: int = _CONTACT, _: Caller = Depends(callers.may("contact:show"))) -> ContactForm:  # noqa: A002
        """A person who writes, with their handles and what proves them."""
        return reads.contact(store, id)

    @routes.get("/contacts/{id}/conversations", operation_id="contact_conversations")
    def contact_conversations(
        id: int = _CONTACT,  # noqa: A002
        _: Caller = Depends(callers.may("contact:conversations")),
    ) -> list[ConversationForm]:
        """Their newest conversations over all channels, a hundred at most."""
        return reads.contact_conversations(store, id, now())

    return routes
