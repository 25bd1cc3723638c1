"""The acts of the desk: answer, note, set, take, move, retag, merge, split, link. Each is one transaction and event.

In: a conversation (its number or ref) and what is to happen. Out: one line that says what is so now, and how to undo
it; a refusal is one sentence and exit code 1. What is sent goes to the outbox: the daemon sends it.
"""

from __future__ import annotations

import mimetypes
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from router.errors import ConfigurationError, Misasked, Refused
from workers.cli.command import PATH, agent_option, command, conversation_argument, force_option, json_option
from workers.cli.printing import json_line, line

if TYPE_CHECKING:
    from router.desk import Ledger
    from router.model import Attachment, Conversation

__all__ = [
    "done", "move", "note", "release", "reply", "retag", "say", "spam", "state_of", "status", "take", "words_of",
]  # fmt: skip

_T = TypeVar("_T")
text_option = click.option("--text", metavar="TEXT", required=True, help="The words; - reads them from stdin.")


def done(act: Callable[[Ledger, datetime], _T]) -> _T:
    from workers.cli.opened import opened

    with opened() as desk:
        return act(desk.store, desk.now())


def say(as_json: bool, sentence: str, **values: Any) -> int:
    json_line(values) if as_json else line(sentence)
    return 0


def state_of(c: Conversation) -> dict[str, Any]:
    from router.ref import ref_of

    return {
        "conversation": c.number, "ref": ref_of(c.number), "status": c.status.value, "queue": c.queue,
        "priority": c.priority, "issue_type": c.issue_type, "tags": list(c.tags), "flags": list(c.flags),
        "holder": c.holder or None, "messages": c.messages,
    }  # fmt: skip


def words_of(given: str) -> str:
    """What `--text` says; for `-` what stdin gives. Raises ConfigurationError for bytes that are no UTF-8."""
    if given != "-":
        return given
    try:
        return sys.stdin.buffer.read().decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ConfigurationError("--text -: what stdin gave is no UTF-8 text.") from None


def _attachments(paths: Sequence[Path]) -> tuple[Attachment, ...]:
    """The files with their content. Raises ConfigurationError, or `Refused` for what is too large to be sent."""
    from router.wire.attachment import LARGEST, of_bytes

    found = []
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError as failure:
            raise ConfigurationError(f"--attach {path}: {failure.strerror}; name a file.") from None
        if len(content) > LARGEST:
            raise Refused(f"{path} has {len(content)} bytes; an attachment may have {LARGEST}.")
        found.append(of_bytes(content, path.name, mimetypes.guess_type(path.name)[0] or ""))
    return tuple(found)


@command("reply")
@conversation_argument
@click.option("--text", metavar="TEXT", help="The words; - reads them from stdin.")
@agent_option
@click.option("--channel", metavar="NAME", default="", help="Else the customer's last one.")
@click.option("--to", metavar="HANDLE", default="", help="Where two can be meant, or it is claimed.")
@click.option("--cc", metavar="ADDRESS", multiple=True, help="One that `show` proposes.")
@click.option("--attach", metavar="FILE", type=PATH, multiple=True, help="May be repeated.")
@click.option("--seen", metavar="SEQ", type=int, help="The last event that you know of.")
@force_option
@click.option("--settle", metavar="STATE", default="", help="An unknown reply was: sent or failed.")
@click.option("--message", metavar="REPLY", type=int, default=0, help="Which one, with --settle.")
@json_option
def reply(
    conversation: str,
    text: str | None,
    agent: str,
    channel: str,
    to: str,
    cc: tuple[str, ...],
    attach: tuple[Path, ...],
    seen: int | None,
    force: bool,
    settle: str,
    message: int,
    as_json: bool,
) -> int:
    """Answer a conversation; refused when another agent holds it or somebody answered since --seen.

    With --settle: say what became of a reply of which nobody knows whether it was sent.
    """
    from router.desk.acts import conversation as acts
    from router.desk.acts import settle as arrival
    from router.ref import number_of, ref_of
    from router.store import outbox

    if settle:
        return _settle(conversation, settle, message, agent, as_json)
    if text is None:
        raise Misasked("What does the reply say? Give --text TEXT, or - for stdin.")
    number, words, files = number_of(conversation), words_of(text), _attachments(attach or [])

    def act(store: Ledger, now: datetime) -> tuple[int, dict[str, Any]]:
        own = acts.reply(
            store, number, words, agent=agent, now=now, channel=channel, to=to, cc=cc or (), attachments=files,
            seen=seen, force=force,
        )  # fmt: skip
        arrival.settle_unreachable(store, own, now=now)
        return own, outbox.outcomes(store, [own])[own] | outbox.addressed(store, [own])[own]

    own, sent = done(act)
    if sent["state"] == "failed":
        if as_json:
            json_line({"message": own, "conversation": number, "ref": ref_of(number), **sent})
        raise Refused(f"Reply {own} to {ref_of(number)} is not sent: {sent['detail']}")
    copied = f", Cc {', '.join(sent['cc'])}" if sent["cc"] else ""
    sentence = (
        f"Reply {own} to {ref_of(number)} waits to be sent to {sent['to']} on {sent['channel']}{copied}; "
        "the daemon sends it."
    )
    return say(as_json, sentence, message=own, conversation=number, ref=ref_of(number), **sent)


def _settle(conversation: str, state: str, message: int, agent: str, as_json: bool) -> int:
    from router.desk.acts import settle as arrival
    from router.ref import number_of, ref_of

    number = number_of(conversation)
    own = done(
        lambda store, now: arrival.settle_unknown(store, number, state, agent=agent, now=now, reply=message)
    )  # fmt: skip
    sentence = f"Reply {own} to {ref_of(number)} is {state} now."
    return say(as_json, sentence, message=own, conversation=number, ref=ref_of(number), state=state)


@command("note")
@conversation_argument
@text_option
@agent_option
@json_option
def note(conversation: str, text: str, agent: str, as_json: bool) -> int:
    """Write a note that no customer sees."""
    from router.desk.acts import conversation as acts
    from router.ref import number_of, ref_of

    number, words = number_of(conversation), words_of(text)
    own = done(lambda store, now: acts.note(store, number, words, agent=agent, now=now))
    return say(as_json, f"Note {own} on {ref_of(number)}.", message=own, conversation=number, ref=ref_of(number))


@command("status")
@conversation_argument
@click.argument("to", metavar="STATUS", help="open, pending, on_hold, solved or closed.")
@agent_option
@json_option
def status(conversation: str, to: str, agent: str, as_json: bool) -> int:
    """Set a conversation open, pending, on_hold, solved or closed."""
    from router.desk.acts import conversation as acts
    from router.ref import number_of, ref_of

    number = number_of(conversation)
    c = done(lambda store, now: acts.status(store, number, to, agent=agent, now=now))
    return say(as_json, f"{ref_of(c.number)} is {c.status.value}.", **state_of(c))


@command("take")
@conversation_argument
@agent_option
@force_option
@json_option
def take(conversation: str, agent: str, force: bool, as_json: bool) -> int:
    """Take a conversation, so that nobody else answers it; with it those of its queue that name the same number."""
    from router.desk.acts import conversation as acts
    from router.desk.acts import relate
    from router.ref import number_of, ref_of

    number = number_of(conversation)

    def act(store: Ledger, now: datetime) -> tuple[Conversation, list[str]]:
        taken = acts.take(store, number, agent=agent, now=now, force=force)
        with store.database.read() as tx:
            others = [other for other in relate.unproven(tx, taken) if other.holder == agent]
        return taken, [ref_of(other.number) for other in others]

    c, also = done(act)
    with_them = f", and {', '.join(also)}, which names the same number (unproven)" if also else ""
    return say(as_json, f"{c.holder} holds {ref_of(c.number)} now{with_them}.", **state_of(c), also=also)


@command("release")
@conversation_argument
@agent_option
@force_option
@json_option
def release(conversation: str, agent: str, force: bool, as_json: bool) -> int:
    """Give a conversation back to its queue."""
    from router.desk.acts import conversation as acts
    from router.ref import number_of, ref_of

    number = number_of(conversation)
    c = done(lambda store, now: acts.release(store, number, agent=agent, now=now, force=force))
    return say(as_json, f"{ref_of(c.number)} is back in queue {c.queue}; nobody holds it.", **state_of(c))


@command("move")
@conversation_argument
@click.argument("queue", metavar="QUEUE", help="A queue of the configuration.")
@agent_option
@json_option
def move(conversation: str, queue: str, agent: str, as_json: bool) -> int:
    """Move a conversation to another queue; it stays there until it is solved."""
    from router.desk.acts import conversation as acts
    from router.ref import number_of, ref_of

    number = number_of(conversation)
    c = done(lambda store, now: acts.move(store, number, queue, agent=agent, now=now))
    return say(as_json, f"{ref_of(c.number)} is in queue {c.queue} now, whatever the rules say.", **state_of(c))


@command("retag")
@conversation_argument
@click.argument("issue_type", metavar="TYPE", help="An issue type of the configuration.")
@agent_option
@json_option
def retag(conversation: str, issue_type: str, agent: str, as_json: bool) -> int:
    """Correct a conversation's issue type: it is routed and timed anew, and kept as a label for training."""
    from router.desk.acts import conversation as acts
    from router.ref import number_of, ref_of

    number = number_of(conversation)
    c = done(lambda store, now: acts.retag(store, number, issue_type, agent=agent, now=now))
    return say(as_json, f"{ref_of(c.number)} is about {c.issue_type}, in queue {c.queue}.", **state_of(c))


@command("spam")
@conversation_argument
@agent_option
@json_option
def spam(conversation: str, agent: str, as_json: bool) -> int:
    """Mark a conversation as spam: closed, nobody is told, nothing is promised."""
    from router.desk.acts import conversation as acts
    from router.ref import number_of, ref_of

    number = number_of(conversation)
    c = done(lambda store, now: acts.spam(store, number, agent=agent, now=now))
    return say(as_json, f"{ref_of(c.number)} is spam and closed; to block its sender: omnirouter block.", **state_of(c))
