"""Merging and splitting conversations on a real ledger: what comes together parts again as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from router import desk as room
from router import seal
from router.deadlines import fold
from router.desk import Arrival, take_in
from router.desk.acts import conversation as work
from router.desk.acts import relate
from router.desk.duties.sent import settle
from router.desk.reads.audit import audit
from router.errors import NotFound, Refused
from router.model import Conversation, Message, Placement, Sender, Status
from router.policy.values import Policy, Privacy
from router.secret import Secret
from router.store import outbox
from router.store.read import queries

MONDAY = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai
POLICY = Policy.preset("wallet")
TEXTS = (
    "提现还没到账", "我的账户被冻结了", "Where is my refund?", "还没处理吗?", "谢谢",
    "转账2000一直没到账,订单号 TP202603010001",
)  # fmt: skip


class Ledger:
    """A desk whose clock only moves when somebody acts; customers are handles on channels of the wallet preset."""

    def __init__(self, url: str, policy: Policy) -> None:
        self.store = room.Ledger.open(policy, url=url, create=True)
        self.now = MONDAY
        self._ids = count(1)

    def moved(self, minutes: float = 1) -> datetime:
        self.now += timedelta(minutes=minutes)
        return self.now

    def hear(self, who: str, text: str, channel: str = "app-chat", **more: Any) -> Placement:
        at = self.moved()
        kind = POLICY.channel(channel).kind
        message = Message(
            external_id=f"m{next(self._ids)}", channel=channel, channel_kind=kind, sent_at=at, text=text, thread=who,
            sender=Sender(handle=who), **more,
        )  # fmt: skip
        (decision,) = take_in(self.store, [Arrival(what=message, received_at=at)], at)
        assert isinstance(decision, Placement)
        return decision

    def state(self, number: int) -> Conversation:
        with self.store.database.read() as tx:
            return queries.conversation_itself(tx, number)

    def words(self, number: int) -> list[int]:
        """The numbers of its messages."""
        return [m["id"] for m in queries.messages_of(self.store.database, number)]

    def stored_in(self, message: int) -> int:
        """The conversation that a message was written to, merged or not."""
        with self.store.database.read() as tx:
            found = queries.message_number(tx, str(message))
        assert found is not None
        return found[1]

    def told(self) -> tuple[list[Any], list[Any]]:
        """All that is exported of conversations and messages, without what tells of the merge itself."""
        at, promises = MONDAY + timedelta(days=60), POLICY.promises
        conversations = list(queries.conversations(self.store.database, promises, at))
        messages = list(queries.messages(self.store.database, raw=True))
        return conversations, messages


@pytest.fixture
def open_ledger(tmp_path: Path) -> Iterator[Callable[..., Ledger]]:
    """Opens ledgers and closes them at the end."""
    opened: list[Ledger] = []
    seal.create_key(tmp_path / "key")
    keyed = replace(POLICY, privacy=Privacy(key=Secret.of(f"file:{tmp_path / 'key'}")))

    def make(url: str = "sqlite://") -> Ledger:
        opened.append(Ledger(url, keyed))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.store.close()


@pytest.fixture
def ledger(ledger_url: str, open_ledger: Callable[..., Ledger]) -> Ledger:
    """A desk on SQLite and on PostgreSQL."""
    return open_ledger(ledger_url)


def same(one: Conversation, other: Conversation) -> None:
    """Equal in all but how often they were written."""
    assert replace(one, version=0) == replace(other, version=0)


def test_what_was_merged_parts_again_as_it_was(ledger: Ledger) -> None:
    """Two conversations merged by mistake and split at once are exactly what they were."""
    a, b = ledger.hear("chen", TEXTS[0]), ledger.hear("wang", TEXTS[1], "telegram")
    before, told = (ledger.state(a.number), ledger.state(b.number)), ledger.told()
    merged = relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    assert (merged.messages, merged.channels) == (2, ("app-chat", "telegram"))
    assert merged.waiting_since == a.message.sent_at
    assert ledger.words(a.number) == [a.number, b.number]
    back = relate.split(ledger.store, a.number, [b.number], agent="li", now=ledger.moved())
    assert back.number == b.number
    same(ledger.state(a.number), before[0])
    same(ledger.state(b.number), before[1])
    assert ledger.told() == told


def test_the_absorbed_conversation_promises_nothing_of_its_own(ledger: Ledger) -> None:
    """After a merge only one of the two can breach: what waits has moved with its own time."""
    a, b = ledger.hear("chen", TEXTS[0], "support-mail"), ledger.hear("wang", TEXTS[1])
    due = ledger.state(b.number).next_due
    merged = relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    assert merged.next_due == due
    absorbed = ledger.state(b.number)
    assert (absorbed.next_due, absorbed.next_wake_at, absorbed.merged_into) == (None, None, a.number)
    rows = queries.clock_rows(absorbed, POLICY.promises, ledger.now + timedelta(days=9))
    assert {row["state"] for row in rows} <= {"moved"}


def test_a_reply_while_they_were_one_is_of_the_customer_who_got_it(ledger: Ledger) -> None:
    """A reply to wang never reached chen: after the split it stands with wang, and chen waits since his first message,
    with the promise that he had."""
    a, b = ledger.hear("chen", TEXTS[0]), ledger.hear("wang", TEXTS[1], "telegram")
    more = ledger.hear("chen", "还没处理吗?")
    assert more.conversation.number == a.number
    before = _waiting(ledger.state(a.number))
    relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    own = work.reply(ledger.store, a.number, "您好,已处理", agent="li", now=ledger.moved(), channel="telegram")
    answered = ledger.now
    _send(ledger)
    back = relate.split(ledger.store, a.number, [b.number], agent="li", now=ledger.moved())
    rest = ledger.state(a.number)
    assert (rest.waiting_since, rest.last_out_at, rest.chases) == (a.message.sent_at, None, 1)
    assert (_waiting(rest), rest.messages, rest.last_message_at) == (before, 2, more.message.sent_at)
    assert "met" not in {row["state"] for row in queries.clock_rows(rest, POLICY.promises, ledger.now)}
    assert (back.waiting_since, back.last_out_at, back.messages) == (None, answered, 2)
    assert {row["ended_at"] for row in queries.clock_rows(back, POLICY.promises, ledger.now)} >= {queries.utc(answered)}
    assert (ledger.words(a.number), ledger.words(b.number)) == ([a.number, more.number], [b.number, own])
    assert audit(ledger.store).differences == []


def test_a_reply_to_a_customer_of_both_counts_for_both(ledger: Ledger) -> None:
    """Two matters of one customer, answered while they were one: neither waits after the split, and nobody is reminded
    to answer again."""
    a = ledger.hear("chen", TEXTS[0])
    ledger.moved(180)
    b = ledger.hear("chen", f"另外还有一件事，{TEXTS[1]}")
    assert b.opened
    relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    work.reply(ledger.store, a.number, "都为您处理好了", agent="li", now=ledger.moved())
    answered = ledger.now
    _send(ledger)
    relate.split(ledger.store, a.number, [b.number], agent="li", now=ledger.moved())
    for number in (a.number, b.number):
        state = ledger.state(number)
        assert (state.waiting_since, state.last_out_at) == (None, answered)
        clocks = queries.clock_rows(state, POLICY.promises, ledger.now)
        assert {c["ended_at"] for c in clocks if c["metric"] == "first_reply"} == {queries.utc(answered)}
    assert audit(ledger.store).differences == []


def test_what_the_absorbed_customer_wrote_meanwhile_goes_with_him(ledger: Ledger) -> None:
    """Wang writes again while his conversation is part of chen's: after the split his words stand with him and wait
    there, whether the split names them or not."""
    for named in (False, True):
        a, b = ledger.hear(f"chen-{named}", TEXTS[0]), ledger.hear(f"wang-{named}", TEXTS[1], "telegram")
        relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
        work.reply(ledger.store, a.number, "您好", agent="li", now=ledger.moved())
        again = ledger.hear(f"wang-{named}", "还没处理吗?", "telegram", in_reply_to=b.message.external_id)
        assert again.conversation.number == a.number
        leaving = [b.number, again.number] if named else [b.number]
        back = relate.split(ledger.store, a.number, leaving, agent="li", now=ledger.moved())
        rest = ledger.state(a.number)
        assert (back.number, back.waiting_since, back.messages) == (b.number, again.message.sent_at, 3)
        assert (rest.waiting_since, rest.messages, rest.chases) == (a.message.sent_at, 1, 0)
    assert audit(ledger.store).differences == []


def test_an_absorbed_customer_chases_the_conversation_that_he_is_part_of(ledger: Ledger) -> None:
    """Wang asks again after his conversation was merged into chen's: it is a chaser there, and a reply goes to him; it
    opens nothing, for the desk said that the two are one."""
    a, b = ledger.hear("chen", TEXTS[0]), ledger.hear("wang", TEXTS[1], "telegram")
    relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    again = ledger.hear("wang", "还没处理吗?", "telegram")
    assert (again.conversation.number, again.class_, again.conversation.chases) == (a.number, "chaser", 1)
    own = work.reply(ledger.store, a.number, "您好", agent="li", now=ledger.moved())
    assert [m["sender"] for m in queries.messages_of(ledger.store.database, a.number) if m["id"] == own] == ["wang"]
    back = relate.split(ledger.store, a.number, [b.number], agent="li", now=ledger.moved())
    assert (ledger.words(b.number), back.waiting_since) == ([b.number, again.number, own], None)
    assert ledger.state(a.number).waiting_since == a.message.sent_at
    assert ledger.hear("wang", "在吗", "telegram").conversation.number == b.number


def test_a_conversation_is_never_left_empty(ledger: Ledger) -> None:
    """When its own message has left, what it absorbed cannot leave too: the refusal says that one must stay."""
    a, b = ledger.hear("chen", TEXTS[0]), ledger.hear("wang", TEXTS[1])
    relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    new = relate.split(ledger.store, a.number, [a.number], agent="li", now=ledger.moved())
    with pytest.raises(Refused, match="at least one of the customer must stay"):
        relate.split(ledger.store, a.number, [b.number], agent="li", now=ledger.moved())
    assert (ledger.words(a.number), ledger.words(new.number)) == ([b.number], [a.number])
    assert audit(ledger.store).differences == []


def test_what_came_meanwhile_stays(ledger: Ledger) -> None:
    """A message that came while they were one stays with the conversation that it came to, and still waits there."""
    a, b = ledger.hear("chen", TEXTS[0]), ledger.hear("wang", TEXTS[1])
    work.reply(ledger.store, a.number, "已退款", agent="li", now=ledger.moved())
    relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    more = ledger.hear("chen", "还没收到")
    assert more.conversation.number == a.number
    back = relate.split(ledger.store, a.number, [b.number], agent="li", now=ledger.moved())
    rest = ledger.state(a.number)
    assert (rest.waiting_since, rest.messages, rest.chases) == (more.message.sent_at, 3, more.conversation.chases)
    assert (back.waiting_since, back.messages) == (b.message.sent_at, 1)
    assert b.number not in ledger.words(a.number)


def test_what_waited_goes_with_its_message(ledger: Ledger) -> None:
    """When only the absorbed customer waited, the other conversation promises nothing after the split."""
    a, b = ledger.hear("chen", TEXTS[0]), ledger.hear("wang", TEXTS[1])
    work.reply(ledger.store, a.number, "已退款", agent="li", now=ledger.moved())
    work.status(ledger.store, a.number, "solved", agent="li", now=ledger.moved())
    solved_at = ledger.state(a.number).solved_at
    merged = relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    assert (merged.status, merged.waiting_since) == (Status.OPEN, b.message.sent_at)
    work.note(ledger.store, a.number, "合并错了", agent="li", now=ledger.moved())
    relate.split(ledger.store, a.number, [b.number], agent="li", now=ledger.moved())
    rest = ledger.state(a.number)
    assert (rest.status, rest.waiting_since, rest.solved_at, rest.next_due) == (Status.SOLVED, None, solved_at, None)
    assert ledger.state(b.number).next_due is not None


def test_a_window_of_the_provider_goes_with_the_message(ledger: Ledger) -> None:
    """A Facebook message that is split off can still be answered for 24 hours only, and the clock says so."""
    first = ledger.hear("p-1", TEXTS[0], "facebook")
    second = ledger.hear("p-1", "还没处理吗?", "facebook")
    assert second.conversation.number == first.number
    new = relate.split(ledger.store, first.number, [second.number], agent="li", now=ledger.moved())
    rows = {r["metric"]: r for r in queries.clock_rows(new, POLICY.promises, ledger.now)}
    assert rows["reply_window"]["due_at"] == queries.utc(second.message.sent_at + timedelta(hours=24))
    assert new.waiting_since == second.message.sent_at


def test_single_messages_become_a_conversation_of_their_own(ledger: Ledger) -> None:
    """A second matter in the same chat is split off: each waits since its own message, and the two are linked."""
    first = ledger.hear("chen", TEXTS[0])
    second = ledger.hear("chen", "还没处理吗?")
    new = relate.split(ledger.store, first.number, [first.number], agent="li", now=ledger.moved())
    rest = ledger.state(first.number)
    assert (rest.waiting_since, rest.messages) == (second.message.sent_at, 1)
    assert (new.waiting_since, new.messages, new.queue) == (first.message.sent_at, 1, rest.queue)
    assert rest.next_due
    assert new.next_due
    assert new.next_due < rest.next_due
    with ledger.store.database.read() as tx:
        assert queries.links_of(tx, [new.number])[new.number]


def test_a_merge_within_a_merge_parts_in_turn(ledger: Ledger) -> None:
    """Three conversations merged one after another come apart in the other order, each as it was."""
    a, b, c = (ledger.hear(who, text) for who, text in zip(("a", "b", "c"), TEXTS[:3], strict=True))
    before = [ledger.state(p.number) for p in (a, b, c)]
    relate.merge(ledger.store, b.number, c.number, agent="li", now=ledger.moved())
    relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    assert ledger.state(a.number).messages == 3
    relate.split(ledger.store, a.number, [b.number, c.number], agent="li", now=ledger.moved())
    relate.split(ledger.store, b.number, [c.number], agent="li", now=ledger.moved())
    for state, was in zip((a, b, c), before, strict=True):
        same(ledger.state(state.number), was)


@pytest.mark.parametrize(
    ("split", "sentence"),
    [
        ([999], "has no message 999"),
        ([], "has no message"),
        ([1, 2], "at least one of the customer must stay"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(ledger: Ledger, split: list[int], sentence: str) -> None:
    """Messages of somewhere else, none, or all of them cannot be split off: one sentence says why."""
    first = ledger.hear("chen", TEXTS[0])
    second = ledger.hear("chen", TEXTS[3])
    named = [{1: first.number, 2: second.number}.get(n, n) for n in split]
    with pytest.raises(Refused, match=sentence):
        relate.split(ledger.store, first.number, named, agent="li", now=ledger.moved())


def test_a_note_alone_is_no_conversation(ledger: Ledger) -> None:
    """What only the desk said cannot be split off."""
    first = ledger.hear("chen", TEXTS[0])
    note = work.note(ledger.store, first.number, "疑似诈骗", agent="li", now=ledger.moved())
    with pytest.raises(Refused, match="a conversation begins with one"):
        relate.split(ledger.store, first.number, [note], agent="li", now=ledger.moved())


def test_a_conversation_is_not_merged_with_itself(ledger: Ledger) -> None:
    """Merging twice, or one with itself, is refused; a conversation that is not there is not found."""
    a, b = ledger.hear("chen", TEXTS[0]), ledger.hear("wang", TEXTS[1])
    relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    with pytest.raises(Refused, match="one conversation already"):
        relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    with pytest.raises(NotFound):
        relate.merge(ledger.store, a.number, 999, agent="li", now=ledger.moved())


def test_links_are_made_and_undone(ledger: Ledger) -> None:
    """A link says that two have to do with each other; it can be taken back and made again; both stay two."""
    a, b = ledger.hear("chen", TEXTS[0]), ledger.hear("wang", TEXTS[1])

    def linked() -> list[int]:
        with ledger.store.database.read() as tx:
            return [link["conversation"] for link in queries.links_of(tx, [a.number]).get(a.number, [])]

    there = linked()
    for _ in range(2):
        relate.link(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
        assert b.number in linked()
        assert relate.unlink(ledger.store, a.number, b.number, agent="li", now=ledger.moved()) >= 1
        assert linked() == [n for n in there if n != b.number]
    with pytest.raises(Refused, match="not linked"):
        relate.unlink(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    with pytest.raises(Refused, match="linked with itself"):
        relate.link(ledger.store, a.number, a.number, agent="li", now=ledger.moved())


def test_links_follow_a_merge(ledger: Ledger) -> None:
    """What was linked and is one now is not linked with itself; what the absorbed one was linked with is linked with
    the one that goes on, can be unlinked there, and is its own again after a split."""
    a, b, c = (ledger.hear(who, text) for who, text in zip(("a", "b", "c"), TEXTS[:3], strict=True))
    relate.link(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    relate.link(ledger.store, b.number, c.number, agent="li", now=ledger.moved())

    def linked(number: int) -> list[int]:
        with ledger.store.database.read() as tx:
            return [link["conversation"] for link in queries.links_of(tx, [number]).get(number, [])]

    def exported() -> dict[int, list[int]]:
        return {row["id"]: [link["conversation"] for link in row["links"]] for row in ledger.told()[0]}

    before = exported()
    relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    assert (linked(a.number), linked(c.number)) == ([c.number], [a.number])
    assert exported() == {a.number: [c.number], c.number: [a.number]}
    relate.split(ledger.store, a.number, [b.number], agent="li", now=ledger.moved())
    assert exported() == before
    relate.merge(ledger.store, a.number, b.number, agent="li", now=ledger.moved())
    assert relate.unlink(ledger.store, a.number, c.number, agent="li", now=ledger.moved()) == 1
    assert exported() == {a.number: [], c.number: []}
    relate.split(ledger.store, a.number, [b.number], agent="li", now=ledger.moved())
    assert (linked(a.number), linked(b.number)) == ([b.number], [a.number])


ACTS = st.lists(
    st.tuples(
        st.sampled_from(("hear", "hear", "hear", "reply", "note", "pending", "solved", "on_hold", "move", "retag")),
        st.integers(0, 1),
        st.integers(0, len(TEXTS) - 1),
        st.sampled_from((1, 7, 55, 700)),
    ),
    max_size=8,
)


def _act(ledger: Ledger, numbers: list[int], what: str, which: int, text: int, minutes: int) -> None:
    number, now = numbers[which], ledger.moved(minutes)
    if what == "hear":
        heard = ledger.hear(("chen", "wang")[which], TEXTS[text], ("app-chat", "telegram")[which])
        if heard.opened:  # another matter: from now on this is what we act on
            numbers[which] = heard.number
    elif what == "reply":
        work.reply(ledger.store, number, "已处理", agent="li", now=now)
    elif what == "note":
        work.note(ledger.store, number, "请跟进", agent="li", now=now)
    elif what == "move":
        work.move(ledger.store, number, "disputes", agent="li", now=now)
    elif what == "retag":
        work.retag(ledger.store, number, "refund", agent="li", now=now)
    else:
        work.status(ledger.store, number, what, agent="li", now=now)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS, turned=st.booleans())
def test_after_any_history_a_merge_can_be_undone(
    open_ledger: Callable[..., Ledger], acts: list[tuple[str, int, int, int]], turned: bool
) -> None:
    """Whatever happened before: merged and split, conversations, clocks, tags, queues and messages are what they
    were."""
    ledger = open_ledger()
    numbers = [ledger.hear("chen", TEXTS[0]).number, ledger.hear("wang", TEXTS[1], "telegram").number]
    for act in acts:
        _act(ledger, numbers, *act)
    a, b = reversed(numbers) if turned else numbers
    before, told = [ledger.state(n) for n in (a, b)], ledger.told()
    words = [ledger.words(n) for n in (a, b)]
    relate.merge(ledger.store, a, b, agent="li", now=ledger.now)
    assert sorted(ledger.words(a)) == sorted(words[0] + words[1])
    relate.split(ledger.store, a, words[1], agent="li", now=ledger.now)
    for number, was, said in zip((a, b), before, words, strict=True):
        same(ledger.state(number), was)
        assert ledger.words(number) == said
    assert ledger.told() == told


MEANWHILE = st.lists(
    st.tuples(
        st.sampled_from(("hear", "reply", "answer", "note", "pending", "solved")),
        st.integers(0, 1),
        st.sampled_from((1, 20, 300)),
    ),
    min_size=1, max_size=6,
)  # fmt: skip
CHANNELS = ("app-chat", "telegram")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS, meanwhile=MEANWHILE)
def test_after_a_split_both_stand_as_if_they_had_never_been_one(
    open_ledger: Callable[..., Ledger], acts: list[tuple[str, int, int, int]], meanwhile: list[tuple[str, int, int]]
) -> None:
    """A status that the desk set while they were one counts for both, a reply for the customer who got it, a
    customer's words for his own: a desk that never merged, with the same done to each, has the same conversations."""
    one, two = open_ledger(), open_ledger()
    numbers: list[list[int]] = []
    for ledger in (one, two):
        own = [ledger.hear("chen", TEXTS[0]).number, ledger.hear("wang", TEXTS[1], "telegram").number]
        for act in acts:
            _act(ledger, own, *act)
        numbers.append(own)
    a, b = numbers[0]
    words = one.words(b)
    relate.merge(one.store, a, b, agent="li", now=one.moved())
    two.moved()
    for what, which, minutes in meanwhile:
        if one.state(a).status == what:
            continue  # a status that it has already is no act
        if what == "hear" and any(act[0] == "hear" for act in acts):
            continue  # of several matters of one customer, which one his words go on with may differ
        now = one.moved(minutes)
        two.now = now
        if what == "hear":
            for ledger in (one, two):
                ledger.hear(("chen", "wang")[which], "还没处理吗?", CHANNELS[which], in_reply_to=f"m{which + 1}")
        elif what in ("reply", "answer"):  # to whoever wrote last, or by a channel
            channel = CHANNELS[which] if what == "answer" else ""
            reply = work.reply(one.store, a, "已处理", agent="li", now=now, channel=channel)
            (to,) = (m["sender"] for m in queries.messages_of(one.store.database, a) if m["id"] == reply)
            work.reply(two.store, numbers[1][to == "wang"], "已处理", agent="li", now=now)
        else:
            _act(one, [a], what, 0, 0, 0)
            for number in numbers[1]:
                _act(two, [number], what, 0, 0, 0)
    relate.split(one.store, a, words, agent="li", now=one.moved())
    assert audit(one.store).differences == []
    for mine, other in zip((a, b), numbers[1], strict=True):
        left, right = one.state(mine), two.state(other)
        for field in ("status", "waiting_since", "last_in_at", "last_out_at", "chases", "flags", "channels"):
            assert getattr(left, field) == getattr(right, field), field
        assert left.messages - _notes(one, mine) == right.messages - _notes(two, other)
        if left.rule == right.rule:  # a rule that only both together met (chased twice) keeps what it gave
            assert (left.tags, left.queue, _waiting(left)) == (right.tags, right.queue, _waiting(right))


def _notes(ledger: Ledger, number: int) -> int:
    """How many notes it has: one on both stays with the conversation that went on."""
    return sum(m["direction"] == "note" for m in queries.messages_of(ledger.store.database, number))


def _send(ledger: Ledger) -> None:
    """Everything that waits to be sent is taken by its channel."""
    for kind, channel in outbox.lanes(ledger.store):
        for due in outbox.claim(ledger.store, kind, channel, ledger.now):
            assert settle(ledger.store, due, "sent", ledger.now)


def _waiting(c: Conversation) -> list[tuple[str, datetime | None]]:
    """The open promises to answer, as due times."""
    clocks = fold.clocks_at(fold.from_json(c.clocks), POLICY.promises, c.last_message_at)
    return sorted(
        (k.metric, k.due_at) for k in clocks if k.ended_at is None and k.metric.endswith("reply")
    )  # fmt: skip


TANGLES = st.lists(
    st.tuples(
        st.sampled_from(("merge", "merge", "split", "split whole", "hear", "reply", "solved")),
        st.integers(0, 9), st.integers(0, 9),
    ),
    min_size=2, max_size=10,
)  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tangle=TANGLES)
def test_however_merged_and_split_nothing_is_lost(
    open_ledger: Callable[..., Ledger], tangle: list[tuple[str, int, int]]
) -> None:
    """Merges of merges, splits of single messages and of whole parts, answers between: every message is in exactly one
    conversation, none is empty, and each stands as its messages say."""
    ledger = open_ledger()
    heard = [ledger.hear(who, text).number for who, text in zip(("chen", "wang", "zhao"), TEXTS[:3], strict=True)]
    for what, one, other in tangle:
        standing = [c["id"] for c in ledger.told()[0]]
        number, second = standing[one % len(standing)], standing[other % len(standing)]
        words = ledger.words(number)
        with suppress(Refused):
            if what == "merge":
                relate.merge(ledger.store, number, second, agent="li", now=ledger.moved())
            elif what == "split":
                relate.split(ledger.store, number, [words[other % len(words)]], agent="li", now=ledger.moved())
            elif what == "split whole":
                leaving = [n for n in words if ledger.stored_in(n) != number]
                relate.split(ledger.store, number, leaving, agent="li", now=ledger.moved())
            elif what == "hear":
                who = ("chen", "wang", "zhao")[other % 3]
                heard.append(ledger.hear(who, "还没处理吗?", in_reply_to=f"m{other % 3 + 1}").number)
            elif what == "reply":
                work.reply(ledger.store, number, "已处理", agent="li", now=ledger.moved())
            else:
                work.status(ledger.store, number, what, agent="li", now=ledger.moved())
        assert audit(ledger.store).differences == []
        conversations, messages = ledger.told()
        held = {m["id"]: m["conversation"] for m in messages if m["direction"] == "in"}
        assert set(held) == set(heard)
        assert set(held.values()) == {c["id"] for c in conversations}
