"""What is there to know of a conversation and of whom it is with? Reads by ref; an agent reads others' only so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import StringConstraints
from typing_extensions import TypedDict

from router.account import Caller
from router.desk import Ledger
from router.desk.reads import conversation as reads
from router.forms import (
    ContactForm,
    ConversationForm,
    DeadlineForm,
    DecidedForm,
    LinkForm,
    RecipientsForm,
    TimelineItem,
)
from router.ref import number_of
from workers.http.api.callers import Callers
from workers.http.api.forms import LARGEST

__all__ = ["conversation_routes"]

_Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_REF = Path(description="Its ref (C-10T) or its number.", max_length=40)
_CONTACT = Path(description="The contact's number.", ge=1, le=LARGEST)


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
    """`/conversations/{ref}` with what is under it, and `/contacts/{id}`."""
    routes = APIRouter(tags=["conversations"])

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
        return reads.links(store, number_of(ref))

    @routes.get("/contacts/{id}", operation_id="contact")
    def contact(id: int = _CONTACT, _: Caller = Depends(callers.may("contact:show"))) -> ContactForm:  # noqa: A002
        """A person who writes, with their handles and what proves them."""
        return reads.contact(store, id)

    @routes.get("/contacts/{id}/conversations", operation_id="contact_conversations")
    def contact_conversations(
        id: int = _CONTACT,  # noqa: A002
        who: Caller = Depends(callers.may("contact:conversations")),
    ) -> list[ConversationForm]:
        """Their newest conversations over all channels, a hundred at most; those that I may see."""
        return reads.contact_conversations(store, who.account, id, now())

    return routes
