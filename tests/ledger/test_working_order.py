"""Where a conversation stands in its queue is stored, right after every act, and read in pages; what names the same
number unproven is shown, taken and joined together."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from router.conversation.working_order import order_at
from router.desk import Ledger
from router.desk.acts import assign, relate
from router.desk.acts import conversation as acts
from router.desk.duties.due import wake
from router.desk.duties.renewal import renew
from router.desk.reads.audit import audit
from router.errors import Refused
from router.model import Sender
from router.policy.values import AgentPolicy, Policy
from router.seal import Sealer
from router.store import Database
from router.store.read import queries, queues
from router.store.tables import micros

NUMBER = "TP2026030112345678"


def stored(store: Ledger) -> dict[int, int | None]:
    """The places as they are written."""
    with store.database.engine.connect() as connection:
        found = connection.execute(text("SELECT number, order_at FROM conversations ORDER BY number")).all()
    return {row[0]: row[1] for row in found}


def formula(store: Ledger) -> dict[int, int | None]:
    """The places that the states give."""
    found: dict[int, int | None] = {}
    for number in stored(store):
        with store.database.read() as tx:
            c = queries.conversation_itself(tx, number)
        at = order_at(c, store.policy.queues[c.queue].default_wait)
        found[number] = None if at is None else micros(at)
    return found


def waiting(store: Ledger, queue: str, **more: Any) -> list[int]:
    """The numbers of what waits in a queue, in working order."""
    with store.database.read() as tx:
        return [c.number for c in queues.waiting(tx, queue, **more)]


def test_the_stored_place_is_right_after_every_act(desk: Any, store: Ledger) -> None:
    """Messages, chases, replies, statuses, moves, retags, spam, merges, splits, breaches and ladders."""
    texts = ("转账2000没到账", "我的账户被冻结了", "商家退款没收到", "怎么修改手机号", "提现300一直失败")
    numbers = [p.conversation.number for p in desk.take(*(desk.said(t, sender=f"u-{n}") for n, t in enumerate(texts)))]
    a, b, c, d, e = numbers
    at, li = desk.noon + timedelta(hours=1), {"agent": "li"}
    hour = timedelta(hours=1)
    for act in (
        lambda now: desk.take(desk.said("怎么还没人处理", sender="u-0", sent_at=now), now=now),
        lambda now: acts.reply(store, b, "请稍候", now=now, **li),
        lambda now: desk.take(desk.said("还要多久", sender="u-1", sent_at=now), now=now),
        lambda now: acts.status(store, c, "pending", now=now, **li),
        lambda now: acts.status(store, c, "open", now=now, **li),
        lambda now: acts.status(store, d, "on_hold", now=now, **li),
        lambda now: acts.move(store, d, "risk", now=now, **li),
        lambda now: acts.retag(store, e, "refund", now=now, **li),
        lambda now: wake(store, now),
        lambda now: relate.merge(store, a, e, now=now, **li),
        lambda now: relate.split(store, a, [e], now=now, **li),
        lambda now: acts.note(store, a, "看过", now=now, **li),
        lambda now: acts.spam(store, b, now=now, **li),
        lambda now: acts.status(store, a, "solved", now=now, **li),
        lambda now: desk.take(desk.said("还是没到账", sender="u-0", sent_at=now), now=now),
        lambda now: wake(store, now + 30 * hour),
    ):
        at += hour
        act(at)
        assert stored(store) == formula(store)
    assert audit(store).differences == []


def test_a_queue_is_read_in_working_order_by_pages(desk: Any, store: Ledger) -> None:
    """The earliest place first, then the lower number; a few cost a few; what waits for nobody is listed apart."""
    placed = desk.take(*(desk.said(f"转账{n}没到账", sender=f"u-{n}") for n in range(9)))
    numbers = [p.conversation.number for p in placed]
    acts.reply(store, numbers[0], "已到账", agent="li", now=desk.noon + timedelta(hours=2))
    late = desk.noon + timedelta(hours=3)
    desk.take(desk.said("怎么还没人处理", sender="u-5", sent_at=late), now=late)
    places = {n: at for n, at in stored(store).items() if at is not None}
    ordered = sorted(places, key=lambda n: (places[n], n))
    assert ordered != sorted(ordered)
    assert waiting(store, "payments") == ordered
    assert waiting(store, "payments", limit=3) == ordered[:3]
    assert [c.number for page in queues.pages(store.database, "payments", page=2) for c in page] == ordered
    apart = [c.number for page in queues.pages(store.database, "payments", apart=True, page=2) for c in page]
    assert apart == numbers[:1]
    assert queues.sizes(store.database) == {"payments": (8, 1)}


def test_pages_of_a_queue_use_its_index(desk: Any, store: Ledger) -> None:
    """However long the queue is, a page is read by the index and sorted by nothing."""
    desk.take(desk.said("转账2000没到账"))
    asked = "SELECT * FROM conversations WHERE queue = 'payments' AND order_at IS NOT NULL ORDER BY order_at, number"
    explain = "EXPLAIN QUERY PLAN" if store.database.dialect == "sqlite" else "EXPLAIN"
    with store.database.engine.connect() as connection:
        if store.database.dialect == "postgresql":  # a table of one row it would rather read whole
            connection.execute(text("SET enable_seqscan = off"))
        plan = " ".join(str(row) for row in connection.execute(text(f"{explain} {asked} LIMIT 25")))
    assert "ix_conversations_waiting" in plan
    assert "TEMP B-TREE FOR ORDER BY" not in plan


def test_next_gives_the_first_of_the_working_order(desk: Any, store: Ledger, policy: Policy) -> None:
    """What is held, on hold or answered is passed over."""
    li = AgentPolicy(name="li", queues=("payments",))
    mine = Ledger(store.database, replace(policy, agents={"li": li}), Sealer(b"k" * 32))
    placed = desk.take(*(desk.said(f"转账{n}没到账", sender=f"u-{n}") for n in range(4)))
    first, second, third, fourth = (p.conversation.number for p in placed)
    acts.reply(mine, first, "已到账", agent="wu", now=desk.noon + timedelta(hours=2))
    acts.take(mine, second, agent="wu", now=desk.noon + timedelta(hours=2))
    acts.status(mine, third, "on_hold", agent="wu", now=desk.noon + timedelta(hours=2))
    given = assign.assign_next(mine, "li", desk.noon + timedelta(hours=3))
    assert given is not None
    assert given.number == fourth
    assert assign.assign_next(mine, "li", desk.noon + timedelta(hours=3)) is None


def test_another_default_wait_is_written_at_the_next_start(desk: Any, database: Database, policy: Policy) -> None:
    """What was promised nothing is ordered by the queue's own wait, and moves when the file says another."""
    silent = replace(policy, promises=replace(policy.promises, policies=()))
    store = Ledger(database, silent, Sealer(b"k" * 32))
    desk.store = store
    (placed,) = desk.take(desk.said("转账2000没到账"))
    at = placed.message.sent_at
    assert stored(store) == {placed.number: micros(at + timedelta(hours=4) - timedelta(minutes=50))}
    soon = {"default_wait": timedelta(minutes=30)}
    brief = {name: queue.model_copy(update=soon) for name, queue in policy.queues.items()}
    again = Ledger(database, replace(silent, queues=brief), Sealer(b"k" * 32))
    renew(again, desk.noon + timedelta(hours=2))
    assert stored(again) == {placed.number: micros(at - timedelta(minutes=20))}


@pytest.fixture
def strangers(desk: Any) -> tuple[int, int]:
    """Two senders of whom nothing is proved name one order number."""
    one, two = desk.take(
        desk.said(f"订单号 {NUMBER} 转账2000没到账", sender="visitor-a"),
        desk.said(f"转账一直没到对方账上,订单号 {NUMBER}", sender="visitor-b"),
    )
    assert one.conversation.number != two.conversation.number
    return one.conversation.number, two.conversation.number


def test_both_show_the_other_with_the_reason(desk: Any, store: Ledger, strangers: tuple[int, int]) -> None:
    """An agent sees from either side that somebody else named the number, and that nothing is proved."""
    shown = {c["id"]: c for c in queries.conversations(store.database, store.policy.promises, desk.noon)}
    for here, there in (strangers, strangers[::-1]):
        (also,) = shown[here]["unproven"]
        assert also["conversation"] == there
        assert also["because"] == "the same order number; nothing is proved of either sender"


def test_who_takes_one_takes_both_of_one_queue(desk: Any, store: Ledger, strangers: tuple[int, int]) -> None:
    """Not what another agent holds, nor what lies in another queue."""
    now = desk.noon + timedelta(hours=2)
    acts.take(store, strangers[0], agent="li", now=now)
    assert _holders(store, strangers) == ["li", "li"]
    for number in strangers:
        acts.release(store, number, agent="li", now=now)
    acts.take(store, strangers[1], agent="wu", now=now)
    acts.release(store, strangers[0], agent="wu", now=now)
    acts.take(store, strangers[0], agent="li", now=now)
    assert _holders(store, strangers) == ["li", "wu"]
    for number, agent in zip(strangers, ("li", "wu"), strict=True):
        acts.release(store, number, agent=agent, now=now)
    acts.move(store, strangers[1], "risk", agent="li", now=now)
    acts.take(store, strangers[0], agent="li", now=now)
    assert _holders(store, strangers) == ["li", ""]


def _holders(store: Ledger, numbers: tuple[int, ...]) -> list[str]:
    with store.database.read() as tx:
        return [queries.conversation_itself(tx, number).holder for number in numbers]


@pytest.mark.parametrize("by", ["accept", "merge"])
def test_joining_stores_who_checked_the_person_and_how(
    desk: Any, store: Ledger, rows: Any, strangers: tuple[int, int], by: str
) -> None:
    """One conversation from then on, and parted again it is two."""
    now, join = desk.noon + timedelta(hours=2), getattr(relate, by)
    one = join(store, *strangers, agent="li", now=now, checked="called back, knew the last payment")
    assert one.number == strangers[0]
    (merged,) = rows("merges")
    assert (merged["by"], merged["checked"]) == ("li", "called back, knew the last payment")
    (told,) = [json.loads(e["body"]) for e in rows("events") if e["type"] == "conversation.merged"]
    assert (told["agent"], told["checked"]) == ("li", "called back, knew the last payment")
    assert waiting(store, one.queue) == [one.number]
    relate.split(store, one.number, [strangers[1]], agent="li", now=now)
    assert waiting(store, one.queue) == list(strangers)


def test_what_a_person_refused_no_machine_links_again(desk: Any, store: Ledger, strangers: tuple[int, int]) -> None:
    """The number is named once more: no link, no event."""
    now = desk.noon + timedelta(hours=2)
    assert relate.refuse(store, *strangers, agent="li", now=now) == 1
    more = desk.said(f"订单号 {NUMBER} 有进展吗", sender="visitor-b", sent_at=now)
    (again,) = desk.take(more, now=now)
    assert (again.conversation.number, again.links) == (strangers[1], ())
    with pytest.raises(Refused, match="are not linked; to join them all the same: omnirouter merge"):
        relate.accept(store, *strangers, agent="li", now=now)


def test_a_reply_meets_the_clock_only_of_whom_was_answered(
    desk: Any, store: Ledger, strangers: tuple[int, int]
) -> None:
    """The stranger gets nothing of the answer, and waits on."""
    acts.reply(store, strangers[0], "您的转账已到账", agent="li", now=desk.noon + timedelta(hours=2))
    with store.database.read() as tx:
        mine, theirs = (queries.conversation_itself(tx, number) for number in strangers)
    assert (mine.waiting_since, theirs.waiting_since is None) == (None, False)
    assert theirs.last_out_at is None
    assert waiting(store, mine.queue) == [strangers[1]]


@pytest.mark.parametrize(
    ("said", "labelled"),
    [
        (["你好", "在吗", "提现1200一直审核中", "快点"], 2),
        (["hi", "my card cannot be linked"], 1),
        (["提现1200一直审核中", "你好"], 0),
        (["你好", "在吗"], 0),
    ],
)
def test_retag_labels_the_first_message_that_says_something(
    desk: Any, store: Ledger, said: list[str], labelled: int
) -> None:
    """A training line is what the matter was told by, not the greeting before it."""
    sender = Sender(handle="u-1")
    placed = desk.take(*(desk.said(words, sender=sender) for words in said))
    acts.retag(store, placed[0].conversation.number, "refund", agent="li", now=desk.noon + timedelta(hours=2))
    (label,) = queries.labels(store.database)
    assert (label["text"], label["label"]) == (said[labelled], "refund")
