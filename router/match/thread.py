"""Which chain on its channel does a message belong to?

In: a message and the snapshot. Out: the number of its thread, every key that leads later messages there, and the
threads that this message fuses into one. Ids of messages never seen lead there too, so parents may come late, twice
or never: any order of arrival gives the same threads (rules: follow-ups, 3). Who may join a conversation because of a
thread is decided elsewhere (`matter`).
"""

from __future__ import annotations

from router.known import Known
from router.model import Key, Message
from router.value import Value

__all__ = ["Chain", "chain", "keys", "parents"]

#: A References header longer than this keeps its first and last ids only (rules: security, 2.5).
LONGEST = 1_000
KEPT = 20


class Chain(Value, frozen=True, kw_only=True):
    """A thread as this message leaves it. `joined` are the threads that it fuses into `number`, the smallest."""

    number: int
    keys: tuple[Key, ...]
    joined: tuple[int, ...] = ()
    opened: bool = False


def parents(message: Message) -> tuple[Key, ...]:
    """Keys of the messages that this one answers, nearest first: In-Reply-To, then References from the last."""
    references = message.references
    if len(references) > LONGEST:
        references = references[:KEPT] + references[-KEPT:]
    found: dict[Key, None] = {}
    for written in (message.in_reply_to, *reversed(references)):
        external_id = written.strip().strip("<>").strip() if written else ""
        if external_id and external_id != message.external_id:
            found[message.key_of(external_id)] = None
    return tuple(found)


def keys(message: Message) -> tuple[Key, ...]:
    """Every key that leads to this message's thread: its own, its parents', what it edits, the provider's chat."""
    found = dict.fromkeys((message.key, *parents(message)))
    if message.edits:
        found[message.key_of(message.edits)] = None
    if not message.realm and message.scope:
        found[message.key_of("")] = None  # the chat itself: no message has an empty id
        if message.moved:
            found[(message.channel, f"{message.moved}:")] = None
    return tuple(found)


def chain(message: Message, known: Known) -> Chain:
    """Find or open the thread of a message. Pure and total; the order of arrival does not matter."""
    leads = keys(message)
    touched = known.thread_of(leads)
    if not touched:
        return Chain(number=known.number, keys=leads, opened=True)
    return Chain(number=touched[0], keys=leads, joined=tuple(touched[1:]))
