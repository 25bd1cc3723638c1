"""How do conversations belong together? `merge`, `split`, `link` and `unlink`, each one transaction and event.

In: two conversations (number or ref), or messages of one. Out: one line that says what is so now; a refusal is one
sentence and exit code 1.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from router.errors import NotFound
from workers.cli.command import agent_option, command, conversation_argument, json_option
from workers.cli.conversation.acts import done, say, state_of

if TYPE_CHECKING:
    from router.desk import Ledger
    from router.model import Conversation

__all__ = ["link", "link_accept", "link_refuse", "merge", "split", "unlink"]

a_argument = click.argument("a", metavar="A", help="A conversation.")
b_argument = click.argument("b", metavar="B", help="Another conversation.")
checked_option = click.option("--checked", metavar="HOW", default="", help="How the person was checked: called back.")


@command("merge")
@a_argument
@b_argument
@agent_option
@checked_option
@json_option
def merge(a: str, b: str, agent: str, checked: str, as_json: bool) -> int:
    """Make one conversation of two: B goes into A; splitting B's messages off gives both back."""
    from router.desk.acts import relate
    from router.ref import number_of

    into, gone = number_of(a), number_of(b)
    c = done(lambda store, now: relate.merge(store, into, gone, agent=agent, now=now, checked=checked))
    return _joined(c, gone, checked, as_json)


@command("link accept")
@a_argument
@b_argument
@agent_option
@checked_option
@json_option
def link_accept(a: str, b: str, agent: str, checked: str, as_json: bool) -> int:
    """The same person and matter: two linked conversations become one, the older goes on."""
    from router.desk.acts import relate
    from router.ref import number_of

    one, other = number_of(a), number_of(b)
    c = done(lambda store, now: relate.accept(store, one, other, agent=agent, now=now, checked=checked))
    return _joined(c, other if c.number == one else one, checked, as_json)


def _joined(c: Conversation, gone: int, checked: str, as_json: bool) -> int:
    from router.ref import ref_of

    sentence = f"{ref_of(gone)} is part of {ref_of(c.number)} now: {c.messages} messages."
    return say(as_json, sentence, **state_of(c), absorbed=gone, checked=checked or None)


@command("link refuse")
@a_argument
@b_argument
@agent_option
@json_option
def link_refuse(a: str, b: str, agent: str, as_json: bool) -> int:
    """Not the same: the link between two conversations is undone, and no machine makes it again."""
    from router.desk.acts import relate
    from router.ref import number_of, ref_of

    one, other = number_of(a), number_of(b)
    undone = done(lambda store, now: relate.refuse(store, one, other, agent=agent, now=now))
    sentence = f"{ref_of(one)} and {ref_of(other)} are not the same, and stay apart."
    return say(as_json, sentence, conversations=[one, other], linked=False, undone=undone)


@command("split")
@conversation_argument
@click.argument("messages", metavar="MESSAGE…", nargs=-1, required=True, help="Messages, by number or provider's id.")
@agent_option
@json_option
def split(conversation: str, messages: tuple[str, ...], agent: str, as_json: bool) -> int:
    """Take messages out of a conversation; what was merged whole comes back as it was."""
    from router.desk.acts import relate
    from router.ref import number_of, ref_of
    from router.store.read import queries

    number = number_of(conversation)

    def act(store: Ledger, now: datetime) -> Conversation:
        with store.database.read() as tx:
            found = [(text, queries.message_number(tx, text.strip("<>"))) for text in messages]
        unknown = [text for text, place in found if place is None]
        if unknown:
            raise NotFound(f"There is no message {', '.join(unknown)}; `omnirouter show {conversation}` lists them.")
        return relate.split(store, number, [place[0] for _, place in found if place], agent=agent, now=now)

    c = done(act)
    sentence = f"{ref_of(c.number)} stands by itself: {c.messages} messages, in queue {c.queue}."
    return say(as_json, sentence, **state_of(c), split_from=number)


@command("link")
@a_argument
@b_argument
@agent_option
@json_option
def link(a: str, b: str, agent: str, as_json: bool) -> int:
    """Say that two conversations have to do with each other; both stay."""
    from router.desk.acts import relate
    from router.ref import number_of, ref_of

    one, other = number_of(a), number_of(b)
    done(lambda store, now: relate.link(store, one, other, agent=agent, now=now))
    return say(as_json, f"{ref_of(one)} and {ref_of(other)} are linked.", conversations=[one, other], linked=True)


@command("unlink")
@a_argument
@b_argument
@agent_option
@json_option
def unlink(a: str, b: str, agent: str, as_json: bool) -> int:
    """Undo the links between two conversations, whoever made them."""
    from router.desk.acts import relate
    from router.ref import number_of, ref_of

    one, other = number_of(a), number_of(b)
    undone = done(lambda store, now: relate.unlink(store, one, other, agent=agent, now=now))
    sentence = f"{ref_of(one)} and {ref_of(other)} are no longer linked."
    return say(as_json, sentence, conversations=[one, other], linked=False, undone=undone)
