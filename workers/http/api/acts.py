"""What can be done to a conversation by the API? One table: an act a row, each done once a request, within the caller's
reach.

The answer to an act shows the conversation after it. A repeat with the same `Idempotency-Key` changes nothing and shows
it as it is now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Request
from typing_extensions import TypedDict

from router.account import Caller, Role
from router.desk.accounts.permissions import require
from router.desk.acts import conversation as acts
from router.desk.acts import relate
from router.desk.acts.reply import reply
from router.desk.ledger import Ledger
from router.desk.reads import conversation as reads
from router.desk.request import Once, Repeated, asked
from router.errors import Forbidden, Misasked
from router.forms import ConversationForm
from router.ref import number_of, ref_of
from router.store.read import queries
from router.value import Value
from workers.http.api import act_forms as forms
from workers.http.api.callers import Callers
from workers.http.api.forms import Given

__all__ = ["ACTS", "act_routes"]

_REF = Path(description="Its ref (C-10T) or its number.", max_length=40)
_Key = Annotated[
    str | None, Header(alias="Idempotency-Key", max_length=200, description="Repeats with one key are one request.")
]


class Done(TypedDict):
    """The conversation after an act; `message` is the number of the reply or note; `seen` what the next reply names."""

    conversation: ConversationForm
    message: int | None
    seen: int


class Doing(Value, frozen=True, kw_only=True):
    """What an act is done with: the ledger as the request sees it, the conversation, who, when, and what was given;
    `other` is the second conversation, where there is one."""

    ledger: Ledger
    number: int
    agent: str
    now: datetime
    given: Any
    other: int = 0


class Act(Value, frozen=True, kw_only=True):
    """One act: its path under the conversation, what permission it asks, the form that it takes, and what it does.

    `other`: it concerns a second conversation, of which both must be the caller's, or with `either` one of them.
    """

    path: str
    name: str
    permission: str
    form: type[Given]
    does: Callable[[Doing], Any]
    says: str
    makes: bool = False
    other: bool = False
    either: bool = False


def _reply(d: Doing) -> int:
    g = d.given
    return reply(
        d.ledger, d.number, g.text, agent=d.agent, now=d.now, channel=g.channel, to=g.to, cc=g.cc, seen=g.seen,
        then=g.then, force=g.force,
    )  # fmt: skip


def _spam(d: Doing) -> object:
    act = acts.unspam if d.given.undo else acts.spam
    return act(d.ledger, d.number, agent=d.agent, now=d.now)


def _tags(d: Doing) -> object:
    return acts.tags(d.ledger, d.number, add=d.given.add, remove=d.given.remove, agent=d.agent, now=d.now)


def _refuse(d: Doing) -> None:
    relate.refuse(d.ledger, d.number, d.other, agent=d.agent, now=d.now)


ACTS: Final[Sequence[Act]] = (
    Act(path="replies", name="reply", permission="conversation:reply", form=forms.NewReply, makes=True, does=_reply,
        says="Answer the customer; the daemon sends it. Refused when somebody answered since `seen`."),
    Act(path="notes", name="note", permission="conversation:note", form=forms.NewNote, makes=True,
        does=lambda d: acts.note(d.ledger, d.number, d.given.text, agent=d.agent, now=d.now),
        says="Note something that no customer sees."),
    Act(path="status", name="set_status", permission="conversation:status", form=forms.NewStatus,
        does=lambda d: acts.status(d.ledger, d.number, d.given.to, agent=d.agent, now=d.now),
        says="Open, pending, on_hold, solved or closed."),
    Act(path="take", name="take", permission="conversation:take", form=forms.Forced,
        does=lambda d: acts.take(d.ledger, d.number, agent=d.agent, now=d.now, force=d.given.force),
        says="Hold it, so that nobody else answers."),
    Act(path="release", name="release", permission="conversation:release", form=forms.Forced,
        does=lambda d: acts.release(d.ledger, d.number, agent=d.agent, now=d.now, force=d.given.force),
        says="Give it back to its queue."),
    Act(path="assign", name="assign", permission="conversation:assign", form=forms.ToColleague,
        does=lambda d: acts.assign(d.ledger, d.number, d.given.to, agent=d.agent, now=d.now, force=d.given.force),
        says="Give it to a colleague."),
    Act(path="move", name="move", permission="conversation:move", form=forms.ToQueue,
        does=lambda d: acts.move(d.ledger, d.number, d.given.queue, agent=d.agent, now=d.now),
        says="Transfer it to another queue; it stays there until it is solved."),
    Act(path="retag", name="retag", permission="conversation:retag", form=forms.NewType,
        does=lambda d: acts.retag(d.ledger, d.number, d.given.issue_type, agent=d.agent, now=d.now),
        says="Say what it is about: it is routed and timed anew."),
    Act(path="tags", name="tag", permission="conversation:tags", form=forms.NewTags, does=_tags,
        says="Give free tags, take some away."),
    Act(path="priority", name="prioritise", permission="conversation:priority", form=forms.NewPriority,
        does=lambda d: acts.priority(d.ledger, d.number, d.given.to, agent=d.agent, now=d.now),
        says="Set its priority, which moves it in the working order."),
    Act(path="spam", name="spam", permission="conversation:spam", form=forms.Spam, does=_spam,
        says="Mark it as spam, or say that it was none."),
    Act(path="split", name="split", permission="conversation:split", form=forms.Parts,
        does=lambda d: relate.split(d.ledger, d.number, d.given.messages, agent=d.agent, now=d.now),
        says="Take messages out of it; what was merged whole comes back as it was."),
    Act(path="merge", name="merge", permission="conversation:merge", form=forms.Other, other=True,
        does=lambda d: relate.merge(d.ledger, d.number, d.other, agent=d.agent, now=d.now, checked=d.given.checked),
        says="Make one conversation of two: the other goes into this one."),
    Act(path="links", name="link", permission="conversation:link", form=forms.Other, other=True, either=True,
        does=lambda d: relate.link(d.ledger, d.number, d.other, agent=d.agent, now=d.now),
        says="Say that it has to do with another one; both stay."),
    Act(path="links/{other}/accept", name="accept_link", permission="link:accept", form=forms.Checked, other=True,
        either=True, says="They are the same matter of the same person: the two become one.",
        does=lambda d: relate.accept(d.ledger, d.number, d.other, agent=d.agent, now=d.now, checked=d.given.checked)),
    Act(path="links/{other}/refuse", name="refuse_link", permission="link:refuse", form=forms.Nothing, other=True,
        either=True, says="They are not the same: the link is undone, and no machine makes it again.", does=_refuse),
)  # fmt: skip


def act_routes(store: Ledger, now: Callable[[], datetime], callers: Callers) -> APIRouter:
    """The acts under `/conversations/{ref}`."""
    routes = APIRouter(tags=["acts"])
    for act in ACTS:
        routes.add_api_route(
            f"/conversations/{{ref}}/{act.path}",
            _endpoint(act, store, now, callers),
            methods=["POST"],
            status_code=201 if act.makes else 200,
            operation_id=act.name,
            description=act.says,
            response_model=Done,
        )
    return routes


def _endpoint(act: Act, store: Ledger, now: Callable[[], datetime], callers: Callers) -> Callable[..., Done]:
    """What answers the route of an act."""

    def endpoint(
        request: Request, given: Given, ref: str = _REF, key: _Key = None,
        who: Caller = Depends(callers.may(act.permission)),
    ) -> Done:  # fmt: skip
        number = number_of(ref)
        other = number_of(request.path_params.get("other") or str(getattr(given, "other", ""))) if act.other else 0
        _allowed(store, act, given, number, other, who, key)
        once = None if key is None else Once.of(who.account, request.url.path, key, given.model_dump(mode="json"))
        changes = (number, other) if act.other else (number,)
        ledger = asked(store, who.account, now(), changes=changes, any_of=act.either, once=once)
        doing = Doing(ledger=ledger, number=number, agent=who.account.name, now=now(), given=given, other=other)
        try:
            result = act.does(doing)
        except Repeated as before:
            result = before.ids.get("done")
        state = reads.state(store, number, now())
        message = result if act.makes and isinstance(result, int) else None
        return {"conversation": state, "message": message, "seen": reads.seen(store, state["id"])}

    endpoint.__annotations__["given"] = act.form
    return endpoint


def _allowed(store: Ledger, act: Act, given: Given, number: int, other: int, who: Caller, key: str | None) -> None:
    """Raise what stands against an act before it is tried."""
    if getattr(given, "force", False):
        require(who.account, "conversation:force")
    if act.name == "reply" and who.token and key is None:
        raise Misasked("A reply by a token needs an Idempotency-Key, so that a repeat answers nobody twice.")
    if act.name == "accept_link":
        _proved(store, who, number, other)


def _proved(store: Ledger, who: Caller, a: int, b: int) -> None:
    """Raise `Forbidden` where an agent joins what nothing proves to be one person's."""
    if who.account.role is not Role.AGENT:
        return
    with store.database.read() as tx:
        one, other = (queries.conversation(tx, number) for number in (a, b))
    if one.contact != other.contact:
        refs = f"{ref_of(one.number)} and {ref_of(other.number)}"
        raise Forbidden(f"Nothing proves that {refs} are one person's; a lead may join them.")
