"""`explain`, `queues` and `show`: where is everything, and why?

In: the ledger. Out: one decision in words; what waits in each queue, in working order, with the time that is left; one
conversation over all its channels. Times are in the desk's time zone; `--json` has them in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from router.errors import Misasked, NotFound, Refused
from workers.cli.printing import JsonFlag, json_line, line, table

if TYPE_CHECKING:
    from router.model import Conversation
    from router.policy import Policy
    from router.store import Store
    from router.store.statement import Tx
    from workers.cli.opened import Desk

__all__ = ["explain", "explained", "queues", "show", "waiting_by_queue"]

_COLUMNS = (
    "ref", "status", "type", "who", "prio", "chases", "waiting since", "promise", "due", "left", "holder", "channels",
)  # fmt: skip
_SENT = {"pending": "waits to be sent", "unknown": "sent or not: nobody knows"}


def explain(
    what: Annotated[str, typer.Argument(metavar="ID", help="A message or conversation: number, provider's id, ref.")],
    as_json: JsonFlag = False,
) -> int:
    """Why a message or conversation is where it is."""
    from workers.cli.opened import opened

    with opened(reading=True) as desk:
        why, lines = explained(desk.store, what, datetime.now(UTC))
        if as_json:
            json_line(why)
            return 0
        for told in lines:
            line(told)
    return 0


def explained(store: Store, what: str, now: datetime) -> tuple[dict[str, Any], Iterator[str]]:
    """The explanation of what a person named, for programs and as lines. Raises `NotFound`."""
    from router.ref import number_of, ref_of
    from router.store import queries
    from workers.cli import why

    word = what.strip().strip("<>")
    with store.database.read() as tx:
        found = None if word.upper().startswith("C-") else queries.message_number(tx, word)
    if found is None:
        try:
            told = why.of_conversation(store, number_of(word), now)
        except NotFound:
            raise NotFound(
                f"{what!r} is no message and no conversation; right would be a message's number (12) or the "
                "provider's id, a conversation's number or its ref (C-10T)."
            ) from None
        return told, why.conversation_lines(told, store.policy)
    told = why.of_message(store, found[0], now)
    lines = why.message_lines(told, store.policy)
    own = told["conversation"]["ref"]
    if word == str(found[0]):
        return told, _after(f"({word} is taken as a message; its conversation: explain {ref_of(found[1])})", own, lines)
    return told, lines


def _after(remark: str, own: str, lines: Iterator[str]) -> Iterator[str]:
    yield from lines
    yield remark if own in remark else f"{remark[:-1]}, merged into {own})"


def queues(
    queue: Annotated[str | None, typer.Argument(metavar="[QUEUE]", show_default=False)] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Lines a queue; --json has them all.")] = 25,
    as_json: JsonFlag = False,
) -> int:
    """What waits, in working order: the most urgent of each queue first."""
    from workers.cli.opened import opened

    with opened(reading=True) as desk:
        now = datetime.now(UTC)
        found = waiting_by_queue(desk.store, now)
        if queue is not None:
            if queue not in found:
                raise Misasked(f"There is no queue {queue!r}; the configuration has: {', '.join(found)}.")
            found = {queue: found[queue]}
        if as_json:
            json_line([{"queue": name, "waiting": len(rows), "conversations": rows} for name, rows in found.items()])
        else:
            print_queues(found, desk.policy, limit)
    return 0


def waiting_by_queue(store: Store, now: datetime) -> dict[str, list[dict[str, Any]]]:
    """What is in work, by queue in the order of the file, in working order, each with the words of the time left."""
    from router.conversation.working_order import working_order
    from router.store import queries
    from router.store.people import names_of

    queues = store.policy.queues
    by_queue: dict[str, list[Conversation]] = {name: [] for name in queues}
    for c in queries.waiting(store.database):
        by_queue.setdefault(c.queue, []).append(c)
    with store.database.read() as tx:
        names = names_of(tx, {c.contact for waiting in by_queue.values() for c in waiting})
        links = queries.links_of(tx, [c.number for waiting in by_queue.values() for c in waiting])
    found = {}
    for name, waiting in by_queue.items():
        ageing = queues[name].ageing_minutes if name in queues else 0
        ordered = working_order(waiting, now, ageing)
        found[name] = [
            _waiting(c, names.get(c.contact, ""), links.get(c.number, []), store.policy, now) for c in ordered
        ]
    return found


def _waiting(
    c: Conversation, name: str, links: Sequence[Mapping[str, Any]], policy: Policy, now: datetime
) -> dict[str, Any]:
    """A conversation in its queue: its first open deadline, also when it is past, and the time left in words."""
    from router.store import queries
    from workers.cli.why import left

    clocks = [k for k in queries.clock_rows(c, policy.promises, now) if k["ended_at"] is None]
    first = min((k for k in clocks if k["due_at"]), key=lambda k: k["due_at"], default=clocks[0] if clocks else None)
    words = "" if first is None else left(first, queries.utc(now) or "", policy)
    return {
        **queries.shown_conversation(c, policy.promises, now, links),
        "name": name or (c.participants[0][1] if c.participants else ""),
        "due_at": first["due_at"] if first else None,
        "metric": first["metric"] if first else None,
        "remaining": words,
    }


def print_queues(found: Mapping[str, Sequence[Mapping[str, Any]]], policy: Policy, limit: int) -> None:
    """Each queue as a table; empty ones in one line."""
    from workers.cli.why import local

    for name, rows in found.items():
        if not rows:
            continue
        cells = [
            [
                row["ref"], row["status"], row["issue_type"], row["name"] or row["contact"], row["priority"],
                row["chases"], local(row["waiting_since"], policy), row["metric"], local(row["due_at"], policy),
                row["remaining"], row["holder"], row["channels"],
            ]
            for row in rows[:limit]
        ]  # fmt: skip
        table(_COLUMNS, cells, title=f"{name}: {len(rows)} in work")
        if len(rows) > limit:
            line(f"… and {len(rows) - limit} more (--limit)")
        line()
    empty = [name for name, rows in found.items() if not rows]
    if empty:
        line(f"Nothing in: {', '.join(empty)}.")


def show(
    conversation: Annotated[str, typer.Argument(metavar="CONVERSATION", help="Its number or ref.")],
    full: Annotated[bool, typer.Option("--full", help="Whole texts, with quotes and signatures.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """One conversation over all its channels: what was said, what became of replies, deadlines, links."""
    from router.ref import number_of
    from workers.cli.opened import opened

    with opened(reading=True) as desk:
        shown = _shown(desk, number_of(conversation), datetime.now(UTC))
        if as_json:
            json_line(shown)
        else:
            for told in _told(shown, desk.policy, full):
                line(told)
    return 0


def _shown(desk: Desk, number: int, now: datetime) -> dict[str, Any]:
    from router.store import outbox, queries
    from router.store.people import handles_of, names_of
    from workers.cli.why import state_of

    state = state_of(desk.store, number, now)
    messages = queries.messages_of(desk.store.database, state["id"])
    sent = outbox.outcomes(desk.store, [m["id"] for m in messages if m["direction"] == "out"])
    events = queries.events_of(desk.store.database, state["id"])
    addressed = outbox.addressed(desk.store, list(sent))
    with desk.store.database.read() as tx:
        name = names_of(tx, [state["contact"]]).get(state["contact"], "")
        handles = handles_of(tx, state["contact"])
        answers = _answers(tx, state["id"])
    return {
        "conversation": state,
        "contact": {"id": state["contact"], "name": name, "handles": handles},
        "answers": answers,
        "messages": [{**m, "delivery": _delivery(sent, addressed, m["id"])} for m in messages],
        "deadlines": state["deadlines"],
        "links": state["links"],
        "events": events,
        "seq": max((e["seq"] for e in events), default=0),
    }


def _delivery(
    sent: Mapping[int, Mapping[str, Any]], addressed: Mapping[int, Mapping[str, Any]], number: int
) -> dict[str, Any] | None:
    """What became of a reply and whom it went to; None for what the desk did not send itself."""
    return {**sent[number], **addressed.get(number, {})} if number in sent else None


def _answers(tx: Tx, number: int) -> dict[str, Any]:
    """Whom an answer would go to, and what has to be named before one can be given."""
    from router.store import queries
    from router.store.recipients import recipients

    try:
        found = recipients(tx, queries.conversation(tx, number))
    except Refused as failure:
        return {"to": None, "channel": None, "cc": [], "proposed": [], "problem": str(failure)}
    return {
        "to": found.heard.handle, "channel": found.heard.channel, "cc": list(found.cc),
        "proposed": list(found.proposed), "problem": found.problem or None,
    }  # fmt: skip


def _told(shown: Mapping[str, Any], policy: Policy, full: bool) -> Iterator[str]:
    from workers.cli.why import clock_lines, local

    c, contact = shown["conversation"], shown["contact"]
    yield f"{c['ref']} ({c['id']}): {c['status']}, queue {c['queue']}, priority {c['priority']}, {c['issue_type']}"
    who = f"{contact['name']} " if contact["name"] else ""
    handles = ", ".join(f"{h['address']} ({h['scope']})" for h in contact["handles"])
    yield f"Contact {contact['id']}: {who}{handles}"
    yield from _recipients(shown["answers"])
    if c["tags"] or c["flags"]:
        yield f"Tags: {', '.join([*c['tags'], *c['flags']])}"
    if c["holder"]:
        yield f"Held by {c['holder']}"
    if c["waiting_since"]:
        yield f"Waiting since {local(c['waiting_since'], policy)}, chased {c['chases']} times"
    yield from clock_lines(shown["deadlines"], c["at"], policy)
    for link in shown["links"]:
        yield f"Linked with {link['ref']}: {link['reason']} (by {link['by']})"
    for m in shown["messages"]:
        yield ""
        yield f"{m['id']}  {local(m['sent_at'], policy)}  {m['channel']}  {_speaker(m)}"
        for part in (m["full_text"] if full else m["text"]).splitlines() or [""]:
            yield f"    {part}"
        for file in m["attachments"]:
            yield f"    [{file.get('name')}, {file.get('type')}, {file.get('size', 0)} bytes]"
    yield ""
    yield f"Last event: {shown['seq']} (reply with --seen {shown['seq']} to be told when somebody answered meanwhile)"


def _recipients(answers: Mapping[str, Any]) -> Iterator[str]:
    """Where an answer goes, who gets a copy, and what stands against it."""
    if answers["problem"]:
        yield f"Answers: {answers['problem']}"
    else:
        yield f"Answers go to {answers['to']} on {answers['channel']}"
    if answers["cc"]:
        yield f"Copied: {', '.join(answers['cc'])}"
    if answers["proposed"]:
        yield f"Proposed, not copied (reply --cc ADDRESS): {', '.join(answers['proposed'])}"


def _who(m: Mapping[str, Any]) -> str:
    """The sender, who brought his words, and whether nothing proves him."""
    told, claimed = [], m["claimed"] or ""
    if claimed.startswith("form"):
        told.append(f"by the form {m['via']}")
    elif claimed == "forward":
        told.append(f"forwarded by {m['via']}")
    elif m["forwards_mail_of"]:
        told.append(f"forwards a mail of {m['forwards_mail_of']}")
    if m["unproven"]:
        told.append("unproven")
    return f"{m['sender']} ({', '.join(told)})" if told else str(m["sender"])


def _speaker(m: Mapping[str, Any]) -> str:
    """Who says it to whom, as what, and for a reply whether it has gone."""
    if m["direction"] == "note":
        claimed = f" (claimed colleague {m['sender']}: nothing proves it)" if m["claimed"] else ""
        return f"note by {m['agent'] or m['sender']}{claimed}"
    if m["direction"] == "in":
        return f"{_who(m)}: {m['class'] or ('automatic' if m['automatic'] else 'in')}"
    delivery = m["delivery"]
    by = f" by {m['agent']}" if m["agent"] else ""
    if delivery is None:
        return f"reply{by} (given elsewhere)"
    copied = f", Cc {', '.join(delivery['cc'])}" if delivery.get("cc") else ""
    state = _SENT.get(delivery["state"], delivery["state"])
    detail = f": {delivery['detail']}" if delivery["detail"] else ""
    return f"reply{by} to {m['sender']}{copied} ({state}{detail})"
