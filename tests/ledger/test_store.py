"""A batch is decided exactly once, whatever breaks in between, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from router.decision.decide import prepare
from router.desk import Arrival, Ledger, read_in, take_in
from router.desk.acts.conversation import note, reply
from router.desk.erase import erase
from router.errors import LostOwnership
from router.model import Attachment, Authenticity, DeskEvent, MessageClass, Placement, Redelivery, Sender
from router.seal import Sealer
from router.store import Advance, Aside, Database
from router.store import database as database_module
from router.store import tables as t
from router.store.leases import Leases
from router.store.statement import Statement, Tx

Rows = Callable[[str], list[dict[str, Any]]]
Picture = Callable[[], dict[str, list[dict[str, Any]]]]
Desk = Any


class _Broken(Exception):
    """The process died here."""


class _BreakingTx(Tx):
    """A transaction that counts its statements and breaks at the one it is told, before or after it ran."""

    count = 0
    breaks_at = 0
    after = False

    def _execute(self, statement: Statement, values: dict[str, Any]) -> None:
        self._counted(lambda: Tx._execute(self, statement, values))

    def many(self, statement: Statement, rows: Sequence[Any]) -> int:
        return self._counted(lambda: Tx.many(self, statement, rows)) if rows else 0

    def _counted(self, run: Callable[[], Any]) -> Any:
        cls = type(self)
        cls.count += 1
        if cls.count == cls.breaks_at and not cls.after:
            raise _Broken
        done = run()
        if cls.count == cls.breaks_at:
            raise _Broken
        return done


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_BreakingTx]]:
    """All transactions count their statements."""
    monkeypatch.setattr(database_module, "Tx", _BreakingTx)
    yield _BreakingTx
    _BreakingTx.count = _BreakingTx.breaks_at = 0


@pytest.fixture
def fence(store: Ledger) -> int:
    """The fencing token of partition 3, held by this node."""
    lease = Leases(store.database, "here").take("partition:3")
    assert lease is not None
    return lease.fence


def _rich_batch(desk: Desk, fence: int) -> Callable[[], list[Any]]:
    """A batch that uses every table: joined contacts, fused threads, an incident, a redelivery, an event of the desk,
    a raw that was set aside; what must be there before it is decided here."""
    proved = Sender(handle="u-9", verified={"email": "chen@example.net", "account": "A-9"})
    pass_ = Authenticity.PASS
    before = [
        desk.mailed("订单 TP20260301 转账2000没到账", external_id="a@example.net", authenticity=pass_),
        desk.said("提现一直失败", sender="u-9"),
        desk.said("提币全部卡在等待区块确认，一直不动", sender="u-2"),
        desk.said("提币全部卡在等待区块确认，一直不动", sender="u-3"),
    ]
    desk.take(*before)
    messages = [
        desk.mailed("还没到吗", external_id="b@example.net", references=("x@example.net",)),
        desk.mailed("再问一次", external_id="c@example.net", references=("x@example.net", "a@example.net")),
        desk.said("我是陈先生，还是没到账", sender=proved),
        desk.said("提币全部卡在等待区块确认，一直不动", sender="u-4"),
        before[1],
    ]
    arrivals = [Arrival(what=m, received_at=m.sent_at, raw=(3, 5)) for m in messages]
    event = DeskEvent(channel="app-chat", event="reply", at=messages[3].sent_at, conversation_of="m-3", text="已查")
    arrivals.append(Arrival(what=event, received_at=event.at, raw=(3, 5)))
    aside = [Aside(raw=(3, 4), item=0, channel="app-chat", kind="invalid", reason="no JSON", at=desk.noon)]

    def decide() -> list[Any]:
        advance = Advance(partition=3, before=0, after=5, fence=fence)
        fresh = Ledger(desk.store.database, desk.store.policy, desk.store.sealer)
        done: list[Any] = take_in(fresh, arrivals, desk.noon + timedelta(hours=1), advance=advance, aside=aside)
        return done

    return decide


def test_the_batch_of_these_tests_touches_everything(desk: Desk, fence: int, rows: Rows) -> None:
    """The batch that is broken below joins contacts, fuses threads, links, begins an incident, tells events."""
    decide = _rich_batch(desk, fence)
    held = {name: len(rows(name)) for name in ("messages", "decisions", "events", "links", "markers", "outbox")}
    decisions = decide()
    assert [type(d).__name__ for d in decisions] == ["Placement"] * 4 + ["Redelivery", "Placement"]
    assert any(d.contacts_joined for d in decisions if isinstance(d, Placement))
    assert any(d.threads_joined for d in decisions if isinstance(d, Placement))
    assert [name for name, count in held.items() if len(rows(name)) <= count] == []
    assert rows("incidents")
    assert rows("incident_conversations")
    assert rows("set_aside")
    assert [row["count"] for row in rows("redeliveries")] == [1]
    assert [row["position"] for row in rows("positions") if row["partition"] == 3] == [5]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_statement_leaves_nothing(
    desk: Desk, fence: int, picture: Picture, breaking: type[_BreakingTx], after: bool
) -> None:
    """Whichever statement the process dies at, nothing of the batch is there; tried again, all of it is."""
    decide = _rich_batch(desk, fence)
    start = picture()
    breaking.after = after
    broken = 0
    while True:
        breaking.count, breaking.breaks_at = 0, broken + 1
        try:
            decide()
        except _Broken:
            broken += 1
        else:
            break
        left = picture()
        _give_numbers_back(desk.store, start)
        left["counters"] = start["counters"]
        assert left == start, f"statement {broken} left something"
    assert broken > 30
    breaking.breaks_at = 0
    assert picture() == _undisturbed(desk, fence, start, picture)


def _give_numbers_back(store: Ledger, start: dict[str, list[dict[str, Any]]]) -> None:
    """A crash may leave a gap in the numbers; close it, so that whole ledgers can be compared."""
    with store.database.engine.begin() as connection:
        for row in start["counters"]:
            c = t.counters.c
            connection.execute(t.counters.update().where(c.name == row["name"]).values(value=row["value"]))


def _undisturbed(desk: Desk, fence: int, start: Any, picture: Picture) -> Any:
    """The ledger as it is after the same batch in one go."""
    with desk.store.database.engine.begin() as connection:
        for name in reversed(list(start)):
            connection.execute(t.metadata.tables[name].delete())
        for name, held in start.items():
            if held:
                connection.execute(t.metadata.tables[name].insert(), held)
    again = type(desk)(desk.store)
    again.take = lambda *_, **__: []  # type: ignore[method-assign]
    _rich_batch(again, fence)()
    return picture()


def test_a_crash_at_the_commit_leaves_nothing(
    desk: Desk, fence: int, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies just before the commit has written nothing."""
    decide = _rich_batch(desk, fence)
    start = picture()

    def dies(*_: Any) -> None:
        raise _Broken

    monkeypatch.setattr(Ledger, "move", dies)
    with pytest.raises(_Broken):
        decide()
    left = picture()
    left["counters"] = start["counters"]
    assert left == start


@pytest.mark.parametrize(
    "wrong",
    [{"before": 4}, {"fence": 0}, {"fence": 99}, {"partition": 4}, {"partition": 77}],
    ids=["cursor moved", "older lease", "no such lease", "another partition", "no such partition"],
)
def test_a_node_that_lost_the_partition_writes_nothing(
    desk: Desk, fence: int, picture: Picture, wrong: dict[str, int]
) -> None:
    """The cursor moves only from where it was read and only under the present lease; else nothing is written."""
    start = picture()
    given = {"partition": 3, "before": 0, "after": 5, "fence": fence, **wrong}
    with pytest.raises(LostOwnership):
        desk.take(desk.said("转账没到账"), advance=Advance(**given))
    left = picture()
    left["counters"] = start["counters"]
    assert left == start
    desk.take(desk.said("转账没到账"), advance=Advance(partition=3, before=0, after=5, fence=fence))
    assert len(picture()["messages"]) == 1


def test_the_same_batch_twice_is_stored_once(desk: Desk, picture: Picture) -> None:
    """Delivered again, in one batch or later, a message is not stored, told or promised again."""
    message = desk.said("转账2000没到账")
    first, again = desk.take(message, message)
    assert isinstance(first, Placement)
    assert isinstance(again, Redelivery)
    held = picture()
    (third,) = desk.take(message)
    assert isinstance(third, Redelivery)
    assert (again.number, third.number) == (first.number, first.number)
    after = picture()
    assert [row["count"] for row in after["redeliveries"]] == [2]
    for name in set(held) - {"redeliveries", "counters"}:
        assert after[name] == held[name], name


def test_an_id_that_comes_with_other_words_is_kept(desk: Desk, rows: Rows) -> None:
    """A provider that gives an id twice loses nobody's words: both are kept, the second flagged, each only once."""
    one = desk.said("转账2000没到账", external_id="same")
    other = desk.said("忘记登录密码了", external_id="same")
    desk.take(one)
    desk.take(other)
    desk.take(one, other)
    desk.take(other)
    stored = rows("messages")
    assert sorted(row["text"] for row in stored) == sorted([one.text, other.text])
    assert [("id_reused" in row["flags"]) for row in sorted(stored, key=lambda r: r["number"])] == [False, True]


def test_similar_ids_are_no_reuse(desk: Desk, rows: Rows) -> None:
    """`m1`, `m10` and `M1` are three messages, whatever the database's alphabet thinks of them."""
    ids = ["m1", "m10", "M1", "m1~", "m1~zz", "m-1", "m 1", "é", "e\u0301", "ｍ1"]
    desk.take(*[desk.said(f"问题 {i}", external_id=one) for i, one in enumerate(ids)])
    desk.take(*[desk.said(f"另外的问题 {i}", external_id=one) for i, one in enumerate(ids)])
    assert len(rows("messages")) == 2 * len(ids)


def test_one_mail_by_two_mailboxes_is_one_message(desk: Desk, rows: Rows) -> None:
    """A mail that reaches support and sales is stored once and knows both."""
    mail = desk.mailed("转账没到账", external_id="x@example.net")
    desk.take(mail)
    second = desk.mailed("转账没到账", external_id="x@example.net", channel="sales-mail", sent_at=mail.sent_at)
    (again,) = desk.take(second)
    assert isinstance(again, Redelivery)
    assert len(rows("messages")) == 1
    (conversation,) = rows("conversations")
    assert conversation["channels"] == '["support-mail","sales-mail"]'
    assert conversation["messages"] == 1
    assert [row["type"] for row in rows("events")].count("message.arrived_again") == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)], ids=str)
@pytest.mark.parametrize("together", [True, False], ids=["one batch", "three batches"])
def test_a_reply_before_its_parent_is_in_its_thread(
    desk: Desk, rows: Rows, order: tuple[int, ...], together: bool
) -> None:
    """In any order of arrival, in one batch or several, the mails of a thread end in one thread and conversation."""
    mails = [
        desk.mailed("转账没到账", external_id="a@example.net"),
        desk.mailed("转账2000没到账，请处理", external_id="b@example.net", in_reply_to="a@example.net"),
        desk.mailed("转账还没到账", external_id="c@example.net", in_reply_to="b@example.net"),
    ]
    if together:
        desk.take(*[mails[i] for i in order])
    else:
        for i in order:
            desk.take(mails[i])
    assert len({row["thread"] for row in rows("thread_keys")}) == 1
    assert len(rows("conversations")) == 1


def test_proof_joins_two_contacts_and_all_they_have(desk: Desk, rows: Rows) -> None:
    """When the app proves the mail address, the two contacts are one: handles and conversations go with them."""
    desk.take(desk.mailed("转账没到账", authenticity=Authenticity.PASS))
    desk.take(desk.said("忘记登录密码了", sender="u-7"))
    first, second = sorted(row["number"] for row in rows("contacts"))
    proved = Sender(handle="u-7", name="陈", verified={"email": "chen@example.net"})
    (joined,) = desk.take(desk.said("密码的事好了吗", sender=proved))
    assert joined.contacts_joined == (second,)
    contacts = {row["number"]: row for row in rows("contacts")}
    assert contacts[second]["joined_into"] == first
    assert contacts[first]["joined_into"] == 0
    assert {row["contact"] for row in rows("handles")} == {first}
    assert {row["contact"] for row in rows("conversations")} == {first}


def test_a_contact_is_as_old_as_its_first_message(desk: Desk, rows: Rows) -> None:
    """What is learnt of a contact later does not make him younger."""
    desk.take(desk.said("转账没到账"), now=desk.noon)
    (before,) = rows("contacts")
    named = Sender(handle="u-1", name="王女士")
    desk.take(desk.said("还没到账吗", sender=named), now=desk.noon + timedelta(days=1))
    (after,) = rows("contacts")
    assert (after["name"], after["created_at"]) == ("王女士", before["created_at"])


def test_a_later_message_finds_the_conversation_that_another_was_merged_into(desk: Desk, rows: Rows) -> None:
    """After a merge by a person, a reply to the absorbed conversation's mail goes on in the one that stays."""
    from router.desk.acts.relate import merge

    (one,) = desk.take(desk.mailed("TP202690702951没到账", external_id="a@example.net", authenticity=Authenticity.PASS))
    (two,) = desk.take(
        desk.mailed(
            "TP202690702962打不开", external_id="b@example.net", authenticity=Authenticity.PASS, subject="充值页打不开"
        )
    )
    assert one.conversation.number != two.conversation.number
    merge(desk.store, one.conversation.number, two.conversation.number, agent="li", now=desk.noon)
    (after,) = desk.take(
        desk.mailed("截图补上", authenticity=Authenticity.PASS, external_id="c@x.example", in_reply_to="b@example.net")
    )
    assert after.conversation.number == one.conversation.number
    stays = next(row for row in rows("conversations") if row["number"] == one.conversation.number)
    assert stays["messages"] == 3


def test_an_order_number_finds_the_conversation_of_another_channel(desk: Desk, rows: Rows) -> None:
    """The mail about order TP… and the chat about it are linked by the number that both name."""
    desk.take(desk.mailed("订单 TP2026030112345 转账2000没到账", authenticity=Authenticity.PASS))
    (chat,) = desk.take(desk.said("订单 TP2026030112345 还没到", sender="u-5"))
    first = min(row["number"] for row in rows("conversations"))
    assert chat.conversation.number == first or [link.conversation for link in chat.links] == [first]


def test_an_erased_person_does_not_come_back_by_a_redelivery(desk: Desk, rows: Rows, picture: Picture) -> None:
    """After erasure a webhook that is delivered again brings nothing back; a new message of the person is welcome."""
    old = desk.said("转账2000没到账，我的电话 13800138000")
    neighbour = desk.said("忘记密码", sender="u-2")
    placed, _ = desk.take(old, neighbour)
    report = erase(desk.store, placed.contact.number, desk.noon)
    assert (report["messages"], len(rows("messages"))) == (1, 2)
    erase(desk.store, placed.contact.number, desk.noon, dry_run=False)
    assert [row["text"] for row in rows("messages")] == [neighbour.text]
    assert not [row for row in rows("handles") if row["address"] == "u-1"]
    assert "13800138000" not in str(picture())
    (again,) = desk.take(old)
    assert isinstance(again, Redelivery)
    assert len(rows("messages")) == 1
    (fresh,) = desk.take(desk.said("我又来了"))
    assert isinstance(fresh, Placement)
    assert fresh.opened


@pytest.mark.parametrize(
    "text",
    ["到账\0没有", "a half \ud83d", "\udfff", "\0", "\0\0转账\0没到账\ud800\udfff", "💰" * 3, "转账没到账" * 20_000],
    ids=["nul", "half", "only half", "only nul", "all", "emoji", "100 KB"],
)
def test_any_text_is_stored(desk: Desk, rows: Rows, text: str) -> None:
    """Characters that no database takes, and very long texts, lose nobody's message: stored once, found again."""
    hostile = desk.said(
        text,
        external_id=f"id-{text[:30]}",
        subject=text[:60],
        thread=f"t-{text[:10]}",
        html=f"<p>{text[:50]}</p>",
        kind=f"text{text[:3]}",
        in_reply_to=f"r-{text[:10]}",
        references=(f"q-{text[:10]}",),
        sender=Sender(
            handle=f"u-{text[:10]}", name=text[:50], verified={"account": f"a{text[:20]}"}, attributes={"v": text[:9]}
        ),
        attachments=(Attachment(name=f"n{text[:20]}", type="image/png", url=f"https://x.example/{text[:5]}"),),
        flags=(f"f{text[:3]}",),
    )
    neighbour = desk.said("忘记密码", sender="u-2")
    first, _ = desk.take(hostile, neighbour)
    again, _ = desk.take(hostile, neighbour)
    assert isinstance(first, Placement)
    assert isinstance(again, Redelivery)
    assert len(rows("messages")) == 2
    (follow_up,) = desk.take(desk.said("还没好吗", sender=hostile.sender, thread=hostile.thread))
    assert follow_up.contact.number == first.contact.number
    stored = next(row for row in rows("messages") if row["number"] == first.number)
    kept = text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert stored["text"].strip() == (kept.strip() or "\ufffd")


def test_what_the_desk_says_may_hold_any_character(desk: Desk, rows: Rows) -> None:
    """A note or a reply with a broken character from a terminal is stored like a customer's."""
    (placed,) = desk.take(desk.said("转账没到账"))
    number = placed.conversation.number
    note(desk.store, number, "查\0过\udcff", agent="li", now=desk.noon)
    reply(desk.store, number, "已到\0账\ud83d", agent="li", now=desk.noon)
    event = DeskEvent(
        channel="app-chat", event="reply", at=desk.noon, conversation_of=placed.message.external_id, text="\0好\ud800"
    )
    take_in(desk.store, [Arrival(what=event, received_at=desk.noon)], desk.noon)
    said = sorted(row["text"] for row in rows("messages"))
    assert said == sorted(["转账没到账", "查过\ufffd", "已到账\ufffd", "好\ufffd"])


def test_two_stores_on_one_ledger_go_on_from_each_other(store: Ledger, desk: Desk, policy: Any) -> None:
    """A second node continues the conversation that the first began, with numbers of its own."""
    (first,) = desk.take(desk.said("转账没到账"))
    other_database = Database(store.database.url.render_as_string(hide_password=False))
    other = type(desk)(Ledger(other_database, policy, Sealer(b"k" * 32)))
    other._ids = 50
    (second,) = other.take(other.said("还没到账吗"))
    assert second.conversation.number == first.conversation.number
    assert second.class_ is MessageClass.CHASER
    assert second.conversation.messages == 2
    assert second.number > first.number
    other_database.close()


def test_of_what_comes_again_no_more_is_read_than_tells_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch reads what is new; what is stored, or came earlier in it, is known by its id and content alone."""
    old, new = desk.said("转账没到账"), desk.said("忘记密码了")
    desk.take(old)
    read: list[str] = []
    monkeypatch.setattr(read_in, "prepare", lambda m, *a, **k: read.append(m.external_id) or prepare(m, *a, **k))
    kinds = [type(d).__name__ for d in desk.take(old, new, new, replace(old, text="又没到账"))]
    assert kinds == ["Redelivery", "Placement", "Redelivery", "Placement"]
    assert read == [new.external_id, old.external_id]


def test_what_was_seen_before_and_is_gone_when_it_is_decided_is_read(
    desk: Desk, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that looked like a redelivery, whose first copy is gone a moment later, is stored."""
    gone, other = desk.said("转账没到账"), desk.said("忘记密码了")
    real = read_in.delivered
    monkeypatch.setattr(read_in, "_stored", lambda *_: {(gone.key, real(gone, desk.store.policy).digest)})
    assert [type(d).__name__ for d in desk.take(gone, other)] == ["Placement", "Placement"]
    assert len(rows("messages")) == 2
