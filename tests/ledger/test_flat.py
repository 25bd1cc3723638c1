"""What a message, a page and a count cost does not grow with what is stored: each reads a bounded part, by an index."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from router.desk import Ledger
from router.desk.acts import conversation as acts
from router.desk.acts.relate import merge
from router.desk.duties import retention
from router.desk.duties.due import wake
from router.errors import Misasked
from router.known import REACH
from router.model import Conversation, Standing
from router.store import Database, schema
from router.store import load as load_module
from router.store.load import EVER, Wants, load
from router.store.read import merges, queries, queues
from router.store.statement import Statement
from router.store.tables import micros

Rows = Callable[[str], list[dict[str, Any]]]


def put_markers(store: Ledger, key: str, *ats: int) -> None:
    """Conversations 1001, 1002 … of contacts 1, 2 … left this marker at these instants."""
    with store.database.engine.begin() as connection:
        for n, at in enumerate(ats, 1):
            put = "INSERT INTO markers (key, conversation, contact, at) VALUES (:k, :c, :p, :at)"
            connection.execute(text(put), {"k": key, "c": 1000 + n, "p": n, "at": at})


def known(store: Ledger, **wants: Any) -> Any:
    with store.database.write() as tx:
        return load(tx, Wants(**wants), 1)


@pytest.mark.parametrize(
    ("span", "found"),
    [((10, 30), [10, 20, 30]), ((11, 29), [20]), ((31, 40), []), (EVER, [0, 10, 20, 30, 50])],
    ids=["both ends count", "within", "between two", "any time"],
)
def test_markers_are_known_within_their_span_the_oldest_first(
    store: Ledger, span: tuple[int, int], found: list[int]
) -> None:
    """Each key is asked for in a span of its own; what lies outside is not read."""
    put_markers(store, "type:transfer@a", 30, 10, 50, 0, 20)
    put_markers(store, "text:b", 5)
    seen = known(store, markers={"type:transfer@a": span, "text:b": (5, 5)}).markers
    assert [micros(m.at) for m in seen.get("type:transfer@a", [])] == found
    assert [micros(m.at) for m in seen["text:b"]] == [5]


def test_of_a_marker_that_thousands_left_the_newest_are_known(store: Ledger) -> None:
    """As many of a common one as of any other."""
    put_markers(store, "text:a", *range(300))
    (found,) = known(store, markers={"text:a": EVER}).markers.values()
    assert [micros(m.at) for m in found] == list(range(300))[-len(found) :]
    assert len(found) < 30


def test_wants_together_hold_both_spans() -> None:
    """A batch asks once for a marker that several of its messages look for."""
    both = Wants(markers={"a": (5, 9), "b": (1, 2)}) | Wants(markers={"a": (3, 7)})
    assert both.markers == {"a": (3, 9), "b": (1, 2)}


def test_another_persons_conversation_is_known_as_far_as_a_link_asks(desk: Any, store: Ledger) -> None:
    """Whose it is and whether it is open, not its words; the sender's own is known whole; both follow merges."""
    said = "提现一直失败 错误代码 E4471 页面白屏"
    placed = desk.take(*(desk.said(said, sender=f"u-{n}") for n in range(3)))
    mine, theirs, other = (p.conversation for p in placed)
    handle = ("app-chat", "u-0")
    markers = {m.key: EVER for p in placed for m in p.markers}
    seen = known(store, handles=frozenset({handle}), markers=markers, since=desk.noon)
    assert isinstance(seen.conversation(mine.number), Conversation)
    assert seen.conversation(theirs.number) is None
    standing = seen.standing(theirs.number)
    assert isinstance(standing, Standing)
    assert (standing.contact, standing.status) == (theirs.contact, theirs.status)
    assert standing.matter["incident"]
    merge(store, theirs.number, other.number, agent="li", now=desk.noon + timedelta(hours=2), checked="both called")
    seen = known(store, handles=frozenset({handle}), markers=markers, since=desk.noon)
    roots = {seen.standing(n).number for n in (theirs.number, other.number)}
    assert len(roots) == 1


def test_of_a_sender_of_years_the_newest_conversations_are_known(desk: Any, store: Ledger) -> None:
    """Sixty conversations of one sender: the forty with the latest words, and not those that closed long ago."""
    (first,) = desk.take(desk.said("转账2000没到账"))
    number, contact = first.conversation.number, first.contact.number
    columns = ", ".join(c for c in ("contact", "opened_at", "subject", "queue", "issue_type", "clocks"))
    with store.database.engine.begin() as connection:
        for n in range(1, 60):
            at, status = micros(desk.noon - timedelta(days=n)), "closed" if n % 2 else "open"
            if n == 3:
                at = micros(desk.noon - timedelta(days=500))
            connection.execute(
                text(
                    f"INSERT INTO conversations (number, last_message_at, status, {columns}) "  # noqa: S608
                    f"SELECT 9000 + :n, :at, :s, {columns} FROM conversations WHERE number = :number"
                ),
                {"n": n, "at": at, "s": status, "number": number},
            )
    seen = known(store, handles=frozenset({("app-chat", "u-1")}), since=desk.noon)
    assert set(seen.conversations) == {number, *(9000 + n for n in range(1, REACH + 1) if n != 3)}
    assert {c.contact for c in seen.conversations.values()} == {contact}


def test_what_only_relates_reports_of_a_time_goes_with_that_time(desk: Any, store: Ledger, rows: Rows) -> None:
    """Markers of words after 24 hours, those of a type and a rare word after the desk's half hour; numbers stay."""
    desk.take(desk.said("提现失败 错误代码 E4471 订单号 TP2026030112345678"))

    def kinds() -> set[str]:
        return {row["key"].partition(":")[0] for row in rows("markers")}

    at = desk.noon + timedelta(minutes=1)
    assert kinds() == {"order", "text", "type"}
    for after, left in (
        (timedelta(minutes=29), {"order", "text", "type"}),
        (timedelta(minutes=31), {"order", "text"}),
        (timedelta(hours=23, minutes=59), {"order", "text"}),
        (timedelta(hours=24, minutes=1), {"order"}),
    ):
        with store.database.engine.begin() as connection:  # a decision of that time: ages count from the newest
            connection.execute(text("UPDATE decisions SET decided_at = :at"), {"at": micros(at + after)})
        retention.forget_markers(store, at + after)
        assert kinds() == left


def test_many_markers_are_forgotten_in_pages(desk: Any, store: Ledger, rows: Rows) -> None:
    """More than a page of them, all gone in one look."""
    desk.take(desk.said("你好"))
    put_markers(store, "type:transfer@a", *range(1_203))
    assert retention.forget_markers(store, desk.noon + timedelta(hours=2)) == 1_203
    assert [row for row in rows("markers") if row["key"] == "type:transfer@a"] == []


def waiting_in(store: Ledger, names: list[str]) -> list[int]:
    """What waits in these queues by one sort over all of it."""
    asked = "SELECT number, queue FROM conversations WHERE order_at IS NOT NULL ORDER BY order_at, number"
    with store.database.engine.connect() as connection:
        return [number for number, queue in connection.execute(text(asked)) if queue in names]


@pytest.fixture
def busy(desk: Any, store: Ledger) -> list[str]:
    """A desk with several queues in work: some late, some held, some answered, one merged."""
    texts = ("转账2000没到账", "我的账户被冻结了", "商家退款没收到", "怎么修改手机号", "提现一直失败", "银行卡绑不上")
    placed = desk.take(*(desk.said(f"{texts[n % 6]} {n}", sender=f"u-{n}") for n in range(24)))
    numbers = [p.conversation.number for p in placed]
    acts.reply(store, numbers[0], "已到账", agent="li", now=desk.noon + timedelta(hours=2))
    acts.take(store, numbers[1], agent="li", now=desk.noon + timedelta(hours=2))
    acts.status(store, numbers[2], "pending", agent="li", now=desk.noon + timedelta(hours=2))
    wake(store, desk.noon + timedelta(minutes=5))
    return sorted({row.queue for row in (queries_of(store, n) for n in numbers)})


def queries_of(store: Ledger, number: int) -> Conversation:
    with store.database.read() as tx:
        return queries.conversation_itself(tx, number)


@pytest.mark.parametrize("limit", [1, 3, 7, 50])
def test_several_queues_are_paged_as_one_list_in_working_order(store: Ledger, busy: list[str], limit: int) -> None:
    """Page after page nothing is left out and nothing comes twice, whatever the size of a page."""
    assert len(busy) > 2
    for names in (busy, busy[:1], [*busy[:2], "no such queue"], []):
        found: list[int] = []
        cursor, pages = "", 0
        while True:
            with store.database.read() as tx:
                page = queues.page(tx, names, limit=limit, cursor=cursor)
            found += [c.number for c in page.conversations]
            pages += 1
            assert len(page.conversations) <= limit
            if not page.next:
                break
            cursor = page.next
        assert found == waiting_in(store, names)
        assert pages == max(1, -(-len(found) // limit))


@pytest.mark.parametrize("cursor", ["x", "1", "1.", ".1", "1.-1", "9" * 19 + ".1", "1.2.3", "١.1", "1.1 "])
def test_a_cursor_that_no_page_gave_is_refused_in_a_sentence(store: Ledger, cursor: str) -> None:
    """Never a traceback, never a page from somewhere."""
    with store.database.read() as tx, pytest.raises(Misasked, match="right would be the `next` of a page"):
        queues.page(tx, ["payments"], cursor=cursor)


def test_a_queue_counts_what_a_look_at_each_conversation_counts(desk: Any, store: Ledger, busy: list[str]) -> None:
    """Waiting, due soon, breached, held, the oldest, and what waits for nobody of the desk, at several instants."""
    every = [queries_of(store, n) for n in waiting_in(store, busy)]
    apart = sum(n for _, n in queues.sizes(store.database).values())
    assert apart >= 2
    for minutes in (0, 3, 20, 60, 600):
        now = desk.noon + timedelta(minutes=minutes)
        with store.database.read() as tx:
            counted = queues.counts(tx, now)
        for name in busy:
            mine = [c for c in every if c.queue == name]
            soon = [c for c in mine if c.next_due and now < c.next_due <= now + queues.SOON]
            late = [c for c in mine if c.breached or (c.next_due and c.next_due < now)]
            count = counted.get(name, queues.Count())
            told = (count.waiting, count.due_soon, count.breached, count.held)
            assert told == (len(mine), len(soon), len(late), len([c for c in mine if c.holder]))
            assert count.oldest == min((c.waiting_since for c in mine if c.waiting_since), default=None)
        assert sum(count.apart for count in counted.values()) == apart
    assert sum(count.breached for count in counted.values())


def test_merges_are_followed_from_the_numbers_that_are_asked_about(desk: Any, store: Ledger) -> None:
    """A chain of merges leads to its end, and the end to all that went into it."""
    placed = desk.take(*(desk.said(f"转账{n}没到账", sender=f"u-{n}") for n in range(4)))
    a, b, c, d = (p.conversation.number for p in placed)
    now = desk.noon + timedelta(hours=2)
    for into, gone in ((b, c), (a, b)):
        merge(store, into, gone, agent="li", now=now, checked="they said so")
    with store.database.read() as tx:
        assert merges.of_conversations(tx, [a, b, c, d]) == {b: a, c: a}
        assert sorted(merges.families(tx, [a, d])) == [a, b, c, d]
        assert merges.family(tx, d) == [d]
        contacts = {m["contact"] for m in queries.messages_of(store.database, a)}
    assert len(contacts) <= 3
    assert {m["conversation"] for m in queries.messages(store.database)} == {a, d}


def test_a_chat_message_by_itself_takes_few_statements(desk: Any, store: Ledger) -> None:
    """At most forty, however the conversation stands; few lines of a chat are more."""
    lines = ("转账2000一直没到账", "订单号 TP2026030112345678", "在吗", "还没处理好吗", "另外银行卡绑不上", "谢谢")
    desk.take(desk.said("你好", sender="u-7"))
    for line in lines:
        before = store.database.statements
        desk.take(desk.said(line, sender="u-7", thread="chat-7"))
        assert 0 < store.database.statements - before <= 40


def test_what_a_batch_asks_is_answered_by_indexes(tmp_path: Path) -> None:
    """No statement of a snapshot reads a table from one end to the other. (SQLite says so of empty tables too.)"""
    database = Database(f"sqlite:///{tmp_path}/plans.db")
    schema.ensure(database)
    lists, words = ("ids", "numbers", "contacts", "wanted"), ("realm", "scope", "since", "number")
    tables = {"markers", "messages", "conversations", "m", "c", "x", "links", "handles", "contacts", "thread_keys"}
    statements = {n: s for n, s in vars(load_module).items() if isinstance(s, Statement)}
    assert len(statements) > 10
    with database.engine.connect() as connection:
        cursor = connection.connection.cursor()
        for name in statements.keys() - {"_advise", "_share"}:
            sql, constants = statements[name].text("sqlite")
            given = dict.fromkeys(words, 0) | dict.fromkeys(lists, "[]") | constants
            plan = [row[3].split() for row in cursor.execute(f"EXPLAIN QUERY PLAN {sql}", given)]
            assert [step for step in plan if step[0] == "SCAN" and step[1] in tables] == [], name
    database.close()
