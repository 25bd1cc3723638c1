"""The acts of the desk: answer, note, set, take, move, retag, merge, split, link. Each is one transaction and event.

In: a conversation (its number or ref) and what is to happen. Out: one line that says what is so now, and how to undo
it; a refusal is one sentence and exit code 1. What is sent goes to the outbox: the daemon sends it.
"""

from __future__ import annotations

import mimetypes
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from router.errors import ConfigurationError, Misasked, NotFound, Refused
from workers.cli.printing import JsonFlag, json_line, line

if TYPE_CHECKING:
    from router.model import Attachment, Conversation
    from router.store import Store

__all__ = [
    "block", "contact_set", "link", "link_accept", "link_refuse", "merge", "move", "note", "release", "reply", "retag",
    "spam", "split", "status", "take", "unlink", "words_of",
]  # fmt: skip

_T = TypeVar("_T")
Which = Annotated[str, typer.Argument(metavar="CONVERSATION", help="Its number or ref.", show_default=False)]
A = Annotated[str, typer.Argument(metavar="A", help="A conversation.", show_default=False)]
B = Annotated[str, typer.Argument(metavar="B", help="Another conversation.", show_default=False)]
Agent = Annotated[str, typer.Option("--agent", metavar="NAME", help="Who does it.", show_default=False)]
Words = Annotated[str, typer.Option("--text", metavar="TEXT", help="The words; - reads them from stdin.")]
Checked = Annotated[
    str, typer.Option("--checked", metavar="HOW", help="How the person was checked: called back.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Although another agent holds it or answered meanwhile.")]


def _done(act: Callable[[Store, datetime], _T]) -> _T:
    from workers.cli.opened import opened

    with opened() as desk:
        return act(desk.store, datetime.now(UTC))


def _say(as_json: bool, sentence: str, **values: Any) -> int:
    json_line(values) if as_json else line(sentence)
    return 0


def _state(c: Conversation) -> dict[str, Any]:
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


def reply(
    conversation: Which,
    text: Annotated[str | None, typer.Option(metavar="TEXT", help="The words; - reads them from stdin.")] = None,
    agent: Agent = "",
    channel: Annotated[str, typer.Option(metavar="NAME", help="Else the customer's last one.")] = "",
    to: Annotated[str, typer.Option("--to", metavar="HANDLE", help="Where two can be meant, or it is claimed.")] = "",
    cc: Annotated[list[str] | None, typer.Option("--cc", metavar="ADDRESS", help="One that `show` proposes.")] = None,
    attach: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="May be repeated.")] = None,
    seen: Annotated[int | None, typer.Option(metavar="SEQ", help="The last event that you know of.")] = None,
    force: Force = False,
    settle: Annotated[str, typer.Option(metavar="STATE", help="An unknown reply was: sent or failed.")] = "",
    message: Annotated[int, typer.Option(metavar="REPLY", help="Which one, with --settle.")] = 0,
    as_json: JsonFlag = False,
) -> int:
    """Answer a conversation; refused when another agent holds it or somebody answered since --seen.

    With --settle: say what became of a reply of which nobody knows whether it was sent.
    """
    from router.ref import number_of, ref_of
    from router.store import arrival, desk, outbox

    if settle:
        return _settle(conversation, settle, message, agent, as_json)
    if text is None:
        raise Misasked("What does the reply say? Give --text TEXT, or - for stdin.")
    number, words, files = number_of(conversation), words_of(text), _attachments(attach or [])

    def act(store: Store, now: datetime) -> tuple[int, dict[str, Any]]:
        own = desk.reply(
            store, number, words, agent=agent, now=now, channel=channel, to=to, cc=cc or (), attachments=files,
            seen=seen, force=force,
        )  # fmt: skip
        arrival.settle_unreachable(store, own, now=now)
        return own, outbox.outcomes(store, [own])[own] | outbox.addressed(store, [own])[own]

    own, sent = _done(act)
    if sent["state"] == "failed":
        if as_json:
            json_line({"message": own, "conversation": number, "ref": ref_of(number), **sent})
        raise Refused(f"Reply {own} to {ref_of(number)} is not sent: {sent['detail']}")
    copied = f", Cc {', '.join(sent['cc'])}" if sent["cc"] else ""
    sentence = (
        f"Reply {own} to {ref_of(number)} waits to be sent to {sent['to']} on {sent['channel']}{copied}; "
        "the daemon sends it."
    )
    return _say(as_json, sentence, message=own, conversation=number, ref=ref_of(number), **sent)


def _settle(conversation: str, state: str, message: int, agent: str, as_json: bool) -> int:
    from router.ref import number_of, ref_of
    from router.store import arrival

    number = number_of(conversation)
    own = _done(
        lambda store, now: arrival.settle_unknown(store, number, state, agent=agent, now=now, reply=message)
    )  # fmt: skip
    sentence = f"Reply {own} to {ref_of(number)} is {state} now."
    return _say(as_json, sentence, message=own, conversation=number, ref=ref_of(number), state=state)


def note(conversation: Which, text: Words, agent: Agent = "", as_json: JsonFlag = False) -> int:
    """Write a note that no customer sees."""
    from router.ref import number_of, ref_of
    from router.store import desk

    number, words = number_of(conversation), words_of(text)
    own = _done(lambda store, now: desk.note(store, number, words, agent=agent, now=now))
    return _say(as_json, f"Note {own} on {ref_of(number)}.", message=own, conversation=number, ref=ref_of(number))


def status(
    conversation: Which,
    to: Annotated[str, typer.Argument(metavar="STATUS", help="open, pending, on_hold, solved or closed.")],
    agent: Agent = "",
    as_json: JsonFlag = False,
) -> int:
    """Set a conversation open, pending, on_hold, solved or closed."""
    from router.ref import number_of, ref_of
    from router.store import desk

    number = number_of(conversation)
    c = _done(lambda store, now: desk.status(store, number, to, agent=agent, now=now))
    return _say(as_json, f"{ref_of(c.number)} is {c.status.value}.", **_state(c))


def take(conversation: Which, agent: Agent = "", force: Force = False, as_json: JsonFlag = False) -> int:
    """Take a conversation, so that nobody else answers it; with it those of its queue that name the same number."""
    from router.ref import number_of, ref_of
    from router.store import desk, relations

    number = number_of(conversation)

    def act(store: Store, now: datetime) -> tuple[Conversation, list[str]]:
        taken = desk.take(store, number, agent=agent, now=now, force=force)
        with store.database.read() as tx:
            others = [other for other in relations.unproven(tx, taken) if other.holder == agent]
        return taken, [ref_of(other.number) for other in others]

    c, also = _done(act)
    with_them = f", and {', '.join(also)}, which names the same number (unproven)" if also else ""
    return _say(as_json, f"{c.holder} holds {ref_of(c.number)} now{with_them}.", **_state(c), also=also)


def release(conversation: Which, agent: Agent = "", force: Force = False, as_json: JsonFlag = False) -> int:
    """Give a conversation back to its queue."""
    from router.ref import number_of, ref_of
    from router.store import desk

    number = number_of(conversation)
    c = _done(lambda store, now: desk.release(store, number, agent=agent, now=now, force=force))
    return _say(as_json, f"{ref_of(c.number)} is back in queue {c.queue}; nobody holds it.", **_state(c))


def move(
    conversation: Which,
    queue: Annotated[str, typer.Argument(metavar="QUEUE", help="A queue of the configuration.")],
    agent: Agent = "",
    as_json: JsonFlag = False,
) -> int:
    """Move a conversation to another queue; it stays there until it is solved."""
    from router.ref import number_of, ref_of
    from router.store import desk

    number = number_of(conversation)
    c = _done(lambda store, now: desk.move(store, number, queue, agent=agent, now=now))
    return _say(as_json, f"{ref_of(c.number)} is in queue {c.queue} now, whatever the rules say.", **_state(c))


def retag(
    conversation: Which,
    issue_type: Annotated[str, typer.Argument(metavar="TYPE", help="An issue type of the configuration.")],
    agent: Agent = "",
    as_json: JsonFlag = False,
) -> int:
    """Correct a conversation's issue type: it is routed and timed anew, and kept as a label for training."""
    from router.ref import number_of, ref_of
    from router.store import desk

    number = number_of(conversation)
    c = _done(lambda store, now: desk.retag(store, number, issue_type, agent=agent, now=now))
    return _say(as_json, f"{ref_of(c.number)} is about {c.issue_type}, in queue {c.queue}.", **_state(c))


def spam(conversation: Which, agent: Agent = "", as_json: JsonFlag = False) -> int:
    """Mark a conversation as spam: closed, nobody is told, nothing is promised."""
    from router.ref import number_of, ref_of
    from router.store import desk

    number = number_of(conversation)
    c = _done(lambda store, now: desk.spam(store, number, agent=agent, now=now))
    return _say(as_json, f"{ref_of(c.number)} is spam and closed; to block its sender: omnirouter block.", **_state(c))


def block(
    handle: Annotated[str, typer.Argument(metavar="HANDLE", help="An address, as `omnirouter show` prints it.")],
    agent: Agent = "",
    undo: Annotated[bool, typer.Option("--undo", help="Let him write again.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Block the person behind a handle: what he writes is kept and promises nothing."""
    from router.store import desk

    contact = _done(lambda store, now: desk.block(store, handle, agent=agent, now=now, undo=undo))
    word = "no longer blocked" if undo else "blocked (--undo lets him write again)"
    return _say(as_json, f"Contact {contact} is {word}.", contact=contact, blocked=not undo)


def merge(a: A, b: B, agent: Agent = "", checked: Checked = "", as_json: JsonFlag = False) -> int:
    """Make one conversation of two: B goes into A; splitting B's messages off gives both back."""
    from router.ref import number_of
    from router.store import relations

    into, gone = number_of(a), number_of(b)
    c = _done(lambda store, now: relations.merge(store, into, gone, agent=agent, now=now, checked=checked))
    return _joined(c, gone, checked, as_json)


def link_accept(a: A, b: B, agent: Agent = "", checked: Checked = "", as_json: JsonFlag = False) -> int:
    """The same person and matter: two linked conversations become one, the older goes on."""
    from router.ref import number_of
    from router.store import relations

    one, other = number_of(a), number_of(b)
    c = _done(lambda store, now: relations.accept(store, one, other, agent=agent, now=now, checked=checked))
    return _joined(c, other if c.number == one else one, checked, as_json)


def _joined(c: Conversation, gone: int, checked: str, as_json: bool) -> int:
    from router.ref import ref_of

    sentence = f"{ref_of(gone)} is part of {ref_of(c.number)} now: {c.messages} messages."
    return _say(as_json, sentence, **_state(c), absorbed=gone, checked=checked or None)


def link_refuse(a: A, b: B, agent: Agent = "", as_json: JsonFlag = False) -> int:
    """Not the same: the link between two conversations is undone, and no machine makes it again."""
    from router.ref import number_of, ref_of
    from router.store import relations

    one, other = number_of(a), number_of(b)
    undone = _done(lambda store, now: relations.refuse(store, one, other, agent=agent, now=now))
    sentence = f"{ref_of(one)} and {ref_of(other)} are not the same, and stay apart."
    return _say(as_json, sentence, conversations=[one, other], linked=False, undone=undone)


def split(
    conversation: Which,
    messages: Annotated[list[str], typer.Argument(metavar="MESSAGE…", help="Messages, by number or provider's id.")],
    agent: Agent = "",
    as_json: JsonFlag = False,
) -> int:
    """Take messages out of a conversation; what was merged whole comes back as it was."""
    from router.ref import number_of, ref_of
    from router.store import relations
    from router.store.read import queries

    number = number_of(conversation)

    def act(store: Store, now: datetime) -> Conversation:
        with store.database.read() as tx:
            found = [(text, queries.message_number(tx, text.strip("<>"))) for text in messages]
        unknown = [text for text, place in found if place is None]
        if unknown:
            raise NotFound(f"There is no message {', '.join(unknown)}; `omnirouter show {conversation}` lists them.")
        return relations.split(store, number, [place[0] for _, place in found if place], agent=agent, now=now)

    c = _done(act)
    sentence = f"{ref_of(c.number)} stands by itself: {c.messages} messages, in queue {c.queue}."
    return _say(as_json, sentence, **_state(c), split_from=number)


def link(a: A, b: B, agent: Agent = "", as_json: JsonFlag = False) -> int:
    """Say that two conversations have to do with each other; both stay."""
    from router.ref import number_of, ref_of
    from router.store import relations

    one, other = number_of(a), number_of(b)
    _done(lambda store, now: relations.link(store, one, other, agent=agent, now=now))
    return _say(as_json, f"{ref_of(one)} and {ref_of(other)} are linked.", conversations=[one, other], linked=True)


def unlink(a: A, b: B, agent: Agent = "", as_json: JsonFlag = False) -> int:
    """Undo the links between two conversations, whoever made them."""
    from router.ref import number_of, ref_of
    from router.store import relations

    one, other = number_of(a), number_of(b)
    undone = _done(lambda store, now: relations.unlink(store, one, other, agent=agent, now=now))
    sentence = f"{ref_of(one)} and {ref_of(other)} are no longer linked."
    return _say(as_json, sentence, conversations=[one, other], linked=False, undone=undone)


def contact_set(
    contact: Annotated[str, typer.Argument(metavar="CONTACT", help="Its number, a handle, or a conversation's ref.")],
    values: Annotated[list[str], typer.Argument(metavar="KEY=VALUE…", help="tier=gold; tier= removes it.")],
    agent: Agent = "",
    as_json: JsonFlag = False,
) -> int:
    """Set attributes of a contact, which rules can read as contact.KEY."""
    from router.store import desk
    from router.store.people import contact_named

    pairs = dict(_pair(value) for value in values)

    def act(store: Store, now: datetime) -> tuple[int, dict[str, str]]:
        number = contact_named(store.database, contact)
        return number, desk.set_contact(store, number, pairs, agent=agent, now=now)

    number, attributes = _done(act)
    told = ", ".join(f"{key}={value}" for key, value in attributes.items()) or "no attributes"
    return _say(as_json, f"Contact {number}: {told}.", contact=number, attributes=attributes)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigurationError(f"{text!r} is no KEY=VALUE; right would be tier=gold.")
    return key.strip(), value.strip()
