"""`explain` and `show`: where is a message or a conversation, and why?

In: the ledger. Out: one decision in words; one conversation over all its channels. Times are in the desk's time zone;
`--json` has them in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from router.errors import NotFound
from workers.cli.command import command, json_option
from workers.cli.printing import json_line, line

if TYPE_CHECKING:
    from router.desk import Ledger
    from router.policy.values import Policy
    from workers.cli.opened import Desk

__all__ = ["explain", "explained", "show"]

_SENT = {"pending": "waits to be sent", "unknown": "sent or not: nobody knows"}


@command("explain")
@click.argument("what", metavar="ID", help="A message or conversation: number, provider's id, ref.")
@json_option
def explain(what: str, as_json: bool) -> int:
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


def explained(store: Ledger, what: str, now: datetime) -> tuple[dict[str, Any], Iterator[str]]:
    """The explanation of what a person named, for programs and as lines. Raises `NotFound`."""
    from router.ref import number_of, ref_of
    from router.store.read import queries
    from workers.cli.conversation import why

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


@command("show")
@click.argument("conversation", metavar="CONVERSATION", help="Its number or ref.")
@click.option("--full", is_flag=True, help="Whole texts, with quotes and signatures.")
@json_option
def show(conversation: str, full: bool, as_json: bool) -> int:
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
    from router.desk.reads import conversation as reads
    from router.store.read import queries
    from router.store.read.people import handles_of, names_of
    from workers.cli.conversation.why import state_of

    state = state_of(desk.store, number, now)
    events = queries.events_of(desk.store.database, state["id"])
    with desk.store.database.read() as tx:
        name = names_of(tx, [state["contact"]]).get(state["contact"], "")
        handles = handles_of(tx, state["contact"])
    return {
        "conversation": state,
        "contact": {"id": state["contact"], "name": name, "handles": handles},
        "answers": reads.recipient(desk.store, state["id"]),
        "messages": reads.messages(desk.store, state["id"]),
        "deadlines": state["deadlines"],
        "links": state["links"],
        "events": events,
        "seq": max((e["seq"] for e in events), default=0),
    }


def _told(shown: Mapping[str, Any], policy: Policy, full: bool) -> Iterator[str]:
    from workers.cli.conversation.why import clock_lines, local

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
    for one in c["unproven"]:
        yield f"Also {one['ref']} (unproven): {one.get('because', 'the same number')}"
        yield f"  (one person? check that, then: omnirouter link accept {c['ref']} {one['ref']} --checked HOW)"
    for link in shown["links"]:
        if link["reason"] != "unproven_link":
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
