"""Why is a message where it is, in words? The stored decision, as a mapping for programs and as lines for people.

In: the store and a message's number. Out: thread, contact, conversation, class, issue type, queue and deadline, each
with its score, its reasons and what came second; then the same as readable lines in the desk's time zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from router.deadlines.words import remaining_words
from router.errors import NotFound
from router.policy.values import Policy
from router.ref import ref_of
from router.store.read import queries
from router.store.read.history import history_until, looked_at

if TYPE_CHECKING:
    from router.desk import Ledger

__all__ = [
    "clock_lines", "conversation_lines", "left", "local", "message_lines", "of_conversation", "of_message", "state_of",
]  # fmt: skip

_OTHER = "other"
_WEEK = timedelta(days=7)


def of_message(store: Ledger, number: int, now: datetime) -> dict[str, Any]:
    """The decision about a message, with the message and its conversation as they are now. Raises `NotFound`."""
    with store.database.read() as tx:
        found = queries.message_number(tx, str(number))
        if found is None:
            raise NotFound(f"There is no message {number}.")
        decision = queries.decision(tx, number)
        conversation = queries.conversation(tx, found[1]).number
    messages = queries.messages_of(store.database, conversation)
    message = next(m for m in messages if m["id"] == number)
    return {"message": message, "decision": decision, "conversation": state_of(store, conversation, now)}


def of_conversation(store: Ledger, number: int, now: datetime) -> dict[str, Any]:
    """A conversation as it is now, and the decisions about its messages, oldest first. Raises `NotFound`."""
    state = state_of(store, number, now)
    messages = queries.messages_of(store.database, state["id"])
    with store.database.read() as tx:
        decided = [{"message": m, "decision": queries.decision(tx, m["id"])} for m in messages]
    return {"conversation": state, "messages": decided}


def state_of(store: Ledger, number: int, now: datetime) -> dict[str, Any]:
    """The conversation with its clocks, as of `at`: `now` for all that lives. Raises `NotFound`."""
    promises, until = store.policy.promises, history_until(store.database)
    with store.database.read() as tx:
        c = queries.conversation(tx, number)
        links = queries.links_of(tx, [c.number]).get(c.number, [])
    at = looked_at(c, promises, now, until)
    shown = queries.shown_conversation(c, promises, at, links)
    return {
        **shown,
        "rule": c.rule,
        "type_by": c.type_by,
        "pinned": c.pinned,
        "deadlines": list(queries.clock_rows(c, promises, at)),
        "at": queries.utc(now),
    }


def message_lines(why: Mapping[str, Any], policy: Policy) -> Iterator[str]:
    """What `of_message` says, as lines for people."""
    message, decision, state = why["message"], why["decision"], why["conversation"]
    yield f"Message {message['id']}: {_spoken(message)}, {local(message['sent_at'], policy)}"
    yield f'  "{_short(message["text"])}"'
    if decision is None:
        who = message["agent"] or "the desk"
        yield f"Said by {who} in {state['ref']} (conversation {state['id']}): nothing was decided about it."
        return
    yield from _placed(message, decision, state)
    yield from _typed(decision, state)
    yield from _routed(decision, state)
    yield from clock_lines(state["deadlines"], state["at"], policy)
    yield from _linked(state)
    yield f"Decided under policy {decision['policy_version']}."


def conversation_lines(why: Mapping[str, Any], policy: Policy) -> Iterator[str]:
    """What `of_conversation` says: its state, why its first message opened it, and the others a line each."""
    state, decided = why["conversation"], why["messages"]
    yield f"Conversation {state['ref']} ({state['id']}): {state['status']}, {state['messages']} messages"
    if not decided:
        return
    first = next((d for d in decided if d["decision"] is not None), decided[0])
    yield ""
    yield from message_lines({**first, "conversation": state}, policy)
    others = [d for d in decided if d is not first]
    if others:
        yield ""
        yield "Its other messages (explain NUMBER tells more of each):"
    for one in others:
        message, decision = one["message"], one["decision"] or {"method": "", "score": 0.0}
        method = f" by {_method(decision)}" if decision["method"] else ""
        class_ = message["class"] or " ".join(filter(None, (message["direction"], message["state"])))
        spoken = f"{local(message['sent_at'], policy)}  {message['channel']}: {_short(message['text'], 40)}"
        yield f"  {message['id']:>6}  {class_}{method}  {spoken}"


def _spoken(message: Mapping[str, Any]) -> str:
    direction = {"in": "from", "out": "reply to", "note": "note by"}[message["direction"]]
    state = f" ({message['state']})" if message["state"] else ""
    return f"{message['channel']}, {direction} {message['sender']}{state}"


def _placed(message: Mapping[str, Any], decision: Mapping[str, Any], state: Mapping[str, Any]) -> Iterator[str]:
    trace: Sequence[str] = decision["trace"]
    for word in ("contact", "thread"):
        for told in trace:
            if told.startswith((f"{word} ", f"{word}s ")):
                yield told[0].upper() + told[1:]
    class_ = message["class"] or ("automatic" if message["automatic"] else message["direction"])
    yield f"Conversation {state['ref']} ({state['id']}): {class_}, by {_method(decision)}"
    mark = f" by {decision['method']}: "
    reasons = next((told.partition(mark)[2] for told in trace if mark in told), "")
    if reasons:
        yield f"  {reasons}"
    for candidate in decision["candidates"]:
        told = "; ".join(candidate.get("reasons", ()))
        chosen = "chosen" if candidate["conversation"] == state["id"] else "runner-up"
        yield f"  weighed {ref_of(candidate['conversation'])}: {candidate['score']:.2f} ({chosen}) {told}".rstrip()


def _method(decision: Mapping[str, Any]) -> str:
    score = f", score {decision['score']:.2f}" if decision["score"] else ""
    return f"{decision['method']}{score}"


def _typed(decision: Mapping[str, Any], state: Mapping[str, Any]) -> Iterator[str]:
    tagging = decision["tagging"]
    own = tagging.get("issue_type", _OTHER)
    sure = "unsure" if tagging.get("unsure", True) else "sure"
    second = f", runner-up {tagging['runner_up']}" if tagging.get("runner_up") else ""
    if tagging:
        yield f"Issue type: {own} ({tagging.get('confidence', 0.0):.2f}, {sure}{second})"
    if tagging.get("words"):
        yield f"  decided by the words: {', '.join(tagging['words'])}"
    if tagging.get("flags"):
        yield f"  flags: {', '.join(tagging['flags'])}"
    if state["type_by"] == "human":
        yield f"  a person says {state['issue_type']}: no machine overrules it"
    elif state["issue_type"] != own:
        yield f"  the conversation is about {state['issue_type']}: this message does not change it"


def _routed(decision: Mapping[str, Any], state: Mapping[str, Any]) -> Iterator[str]:
    routing = decision["routing"]
    if routing:
        yield f"Queue: {routing['queue']}, by rule {routing['rule']}, priority {routing.get('priority', 0)}"
        for told in routing.get("trace", ()):
            mark = "+" if ": fits" in told or told.startswith("no rule") else "-"
            yield f"  {mark} {told}"
    if not routing or routing["queue"] != state["queue"]:
        by_rule = f"rule {state['rule']}" if state["rule"] else "no rule"
        moved = "moved there by a person" if state["pinned"] else by_rule
        yield f"  it is in queue {state['queue']} now ({moved})" if routing else f"Queue: {state['queue']} ({moved})"


def clock_lines(clocks: Sequence[Mapping[str, Any]], at: str, policy: Policy) -> Iterator[str]:
    """The clocks of a conversation, a line each, with the time left in the hours of the clock."""
    if not clocks:
        yield "Deadline: none is promised"
    for clock in clocks:
        hours = f" in the hours of {clock['schedule']}" if clock["schedule"] else ""
        due = f"due {local(clock['due_at'], policy)}" if clock["due_at"] else "paused"
        provisional = ", provisional: holidays are not known yet" if clock["provisional"] else ""
        name = f"{clock['metric']} {clock['cycle']}" if clock["cycle"] > 1 else clock["metric"]
        yield f"Deadline: {name} {due}, policy {clock['policy']}{hours}: {_standing(clock, at, policy)}{provisional}"


def _standing(clock: Mapping[str, Any], at: str, policy: Policy) -> str:
    if clock["ended_at"]:
        return f"{clock['state']} at {local(clock['ended_at'], policy)}"
    return left(clock, at, policy)


def left(clock: Mapping[str, Any], at: str, policy: Policy) -> str:
    """The time left on an open clock, in words."""
    due = datetime.fromisoformat(clock["due_at"]) if clock["due_at"] else None
    schedule = policy.schedules.get(clock["schedule"])
    present = datetime.fromisoformat(at)
    if schedule is not None and schedule.elapsed(present, present + _WEEK) == _WEEK.total_seconds():
        schedule = None  # open around the clock: its hours need no remark
    return remaining_words(due, present, schedule)


def _linked(state: Mapping[str, Any]) -> Iterator[str]:
    for link in state["links"]:
        score = f", {link['score']:.2f}" if link["score"] else ""
        yield f"Linked with {link['ref']}: {link['reason']}{score} (by {link['by']})"


def local(at: str | None, policy: Policy) -> str:
    """An exported instant in the desk's time zone, to the minute."""
    from workers.cli.opened import local as told

    return told(datetime.fromisoformat(at) if at else None, policy)


def _short(text: str, most: int = 100) -> str:
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"
