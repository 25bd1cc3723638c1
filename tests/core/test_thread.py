"""Threads converge: whatever the order of arrival, the same chains of replies."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decision.decide import decide
from router.known import Known
from router.match.thread import KEPT, LONGEST, chain, keys, parents
from router.model import Contact, Conversation, Message, Placement, Sender
from router.policy.values import Policy

AT = datetime(2026, 3, 2, tzinfo=UTC)


def letter(number: int, answers: tuple[int, ...] = ()) -> Message:
    ids = tuple(f"id{n}@mail.test" for n in answers)
    return Message(
        external_id=f"id{number}@mail.test", channel="mail", channel_kind="email", realm="mail", sent_at=AT,
        sender=Sender(handle="a@b.test"), text="x", in_reply_to=ids[0] if ids else "", references=ids[1:],
    )  # fmt: skip


def groups(messages: list[Message]) -> set[frozenset[str]]:
    """Which ids end in one thread when messages come in this order."""
    known = Known.empty()
    for message in messages:
        found = chain(message, known)
        number = known.number
        known.absorb(message, Placement(
            number=number, key=message.key, message=message, received_at=AT, digest=str(number), text="", own_text="",
            subject="", thread=found.number, thread_keys=found.keys, threads_joined=found.joined,
            contact=Contact(number=1), conversation=Conversation(number=1, contact=1, opened_at=AT, last_message_at=AT),
        ))  # fmt: skip
    threads: dict[int, set[str]] = {}
    for message in messages:
        threads.setdefault(known.threads[message.key], set()).add(message.external_id)
    return {frozenset(ids) for ids in threads.values()}


def truth(messages: list[Message]) -> set[frozenset[str]]:
    """The connected groups of a graph of replies, worked out the slow way."""
    linked: dict[str, set[str]] = {}
    for message in messages:
        ids = {message.external_id, message.in_reply_to, *message.references} - {""}
        for one in ids:
            linked.setdefault(one, set()).update(ids)
    found, left = set(), {m.external_id for m in messages}
    while left:
        group, todo = set[str](), {next(iter(left))}
        while todo:
            one = todo.pop()
            group.add(one)
            todo |= linked[one] - group
        found.add(frozenset(group & {m.external_id for m in messages}))
        left -= group
    return found


@st.composite
def archives(draw: st.DrawFn) -> list[Message]:
    """Mails that answer each other, some of whose parents never come, in any order, some twice."""
    size = draw(st.integers(2, 12))
    mails = [letter(n, tuple(draw(st.lists(st.integers(0, size + 3), max_size=3)))) for n in range(size)]
    kept = draw(st.lists(st.sampled_from(mails), min_size=1, max_size=size, unique_by=lambda m: m.external_id))
    twice = draw(st.lists(st.sampled_from(kept), max_size=4))
    return list(draw(st.permutations([*kept, *twice])))


@given(archives())
def test_any_order_repetition_and_missing_parent_give_the_same_threads(messages: list[Message]) -> None:
    """Threads are the connected groups of the graph of replies, in whatever order its mails arrive."""
    distinct = list({m.external_id: m for m in messages}.values())
    assert groups(messages) == truth(distinct)
    assert groups(messages[::-1]) == truth(distinct)


def test_a_message_that_touches_two_threads_fuses_them_into_the_smallest() -> None:
    """A late parent of two replies makes one thread of them, under the older number."""
    known = Known(number=30)
    known.threads = {("mail", "a"): 4, ("mail", "b"): 9}
    message = Message(
        external_id="c", channel="mail", channel_kind="email", realm="mail", sent_at=AT, text="x",
        sender=Sender(handle="x@y.test"), in_reply_to="b", references=("a",),
    )  # fmt: skip
    found = chain(message, known)
    assert (found.number, found.joined, found.opened) == (4, (9,), False)


@pytest.mark.parametrize("blank", ["", " ", "<>", "< >"])
def test_blank_ids_never_match(blank: str) -> None:
    """Two mails with an empty In-Reply-To are strangers to each other."""
    message = Message(
        external_id="a", channel="mail", channel_kind="email", realm="mail", sent_at=AT, text="x",
        sender=Sender(handle="x@y.test"), in_reply_to=blank, references=(blank,),
    )  # fmt: skip
    assert keys(message) == (("mail", "a"),)


def test_ids_are_compared_exactly() -> None:
    """Message-IDs that differ in case only are two."""
    known = Known(number=5)
    known.threads = {("mail", "ABC@x"): 1}
    message = Message(
        external_id="n", channel="mail", channel_kind="email", realm="mail", sent_at=AT, text="x",
        sender=Sender(handle="x@y.test"), in_reply_to="abc@x",
    )  # fmt: skip
    assert chain(message, known).opened


def test_very_many_references_keep_the_first_and_last() -> None:
    """A mail with more than a thousand references costs no more than forty."""
    message = letter(0, (*range(1, LONGEST + 50),))
    found = parents(message)
    assert len(found) == 2 * KEPT + 1
    assert ("mail", f"id{LONGEST + 49}@mail.test") in found
    assert ("mail", "id2@mail.test") in found


def test_a_chat_is_one_thread(world: Any, say: Any) -> None:
    """All messages of a chat are one thread, whatever conversations they go to."""
    one, two = world.place(say("提现1200一直审核")), world.place(say("登录不了,提示设备异常", 5))
    assert one.thread == two.thread
    assert one.conversation.number != two.conversation.number


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_reply_may_come_before_what_it_answers(order: tuple[int, ...]) -> None:
    """Three mails of one customer in any order are one thread and one conversation."""
    mails = [letter(0), letter(1, (0,)), letter(2, (1,))]
    known, numbers = Known.empty(), set()
    for place in order:
        decision = decide(mails[place], known, Policy.preset("plain"), AT)
        assert isinstance(decision, Placement)
        known.absorb(decision.message, decision)
        numbers.add(decision.conversation.number)
    assert len(numbers) == 1
    assert len({known.threads[m.key] for m in mails}) == 1
