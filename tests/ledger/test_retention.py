"""What is old is forgotten, by its arrival and in pages; nothing that is still needed is, whatever the clock says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from router.desk import Ledger
from router.desk.acts import conversation as acts
from router.desk.duties import retention
from router.desk.duties.sent import settle
from router.desk.reads.audit import audit
from router.model import Status
from router.policy.values import Policy, Retention
from router.ports import Raw
from router.store.log import Log, partition_of
from router.store.outbox import claim
from router.store.read import queries
from router.store.set_aside import keep_invalid
from router.store.tables import micros

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
OLD = NOW - timedelta(days=181)
_LONG_AGO = datetime(2024, 3, 1, tzinfo=UTC)
PARTITION = partition_of(Raw(channel="app-chat", body=b"", received_at=NOW), 16)

Rows = Callable[[str], list[dict[str, Any]]]


async def arrive(store: Ledger, at: datetime, *bodies: str, own_date: datetime | None = None) -> list[int]:
    """Raws that arrive at an instant, whatever their own date; their positions."""
    log = Log(store.database, store.sealer, 16, now=lambda: at)
    raws = [
        Raw(channel="app-chat", body=body.encode(), received_at=own_date or at, history=own_date is not None)
        for body in bodies
    ]
    places = await log.append(raws)
    await log.close()
    return [position for _, position in places]


def run(store: Ledger, sql: str, **values: Any) -> None:
    with store.database.engine.begin() as connection:
        connection.execute(text(sql), values)


def decided(store: Ledger, until: int) -> None:
    """The cursor of the partition stands behind this position."""
    run(store, "UPDATE positions SET position = :p WHERE partition = :n", p=until, n=PARTITION)


def kept(rows: Rows) -> list[int]:
    return sorted(row["position"] for row in rows("raws") if row["partition"] >= 0)


async def test_only_what_is_old_and_decided_is_forgotten(store: Ledger, rows: Rows) -> None:
    """An old raw behind the cursor goes; one that nobody has decided stays, however old; so does a young one."""
    old = await arrive(store, OLD, "a", "b", "c")
    young = await arrive(store, NOW, "d")
    decided(store, old[1])
    assert retention.forget(store, NOW) == {"raws": 2}
    assert kept(rows) == [old[2], *young]
    decided(store, young[0])
    assert retention.forget(store, NOW) == {"raws": 1}
    assert (kept(rows), retention.forget(store, NOW)) == (young, {})


async def test_the_messages_own_date_makes_nothing_old(store: Ledger, rows: Rows) -> None:
    """An archive of two years ago that came in today is kept as long as what was written today."""
    places = await arrive(store, NOW, "a", "b", own_date=_LONG_AGO)
    decided(store, places[-1])
    assert retention.forget(store, NOW + timedelta(days=1)) == {}
    assert kept(rows) == places


async def test_what_a_person_has_to_look_at_is_kept(store: Ledger, rows: Rows) -> None:
    """A raw that is set aside stays while its entry is open, and goes once that is dropped or replayed."""
    places = await arrive(store, OLD, "a", "b")
    await arrive(store, NOW, "c")
    decided(store, places[-1] + 1)
    keep_invalid(store, Raw(channel="app-chat", body=b"x", received_at=OLD), "it is junk", OLD)
    put = "INSERT INTO set_aside (id, partition, position, item, channel, kind, reason, state, attempts, at) "
    put += "VALUES (77, :n, :p, 3, 'app-chat', 'dead', 'no', 'open', 1, 0)"
    run(store, put, n=PARTITION, p=places[0])
    assert retention.forget(store, NOW) == {"raws": 1}
    assert places[0] in kept(rows)
    assert [row["position"] for row in rows("raws") if row["partition"] < 0] == [1]
    run(store, "UPDATE set_aside SET state = 'dropped'")
    assert retention.forget(store, NOW) == {"raws": 2}
    assert audit(store).differences == []


@pytest.mark.parametrize("ahead", [1, 400, 4_000])
async def test_a_clock_that_is_ahead_makes_nothing_old(store: Ledger, rows: Rows, ahead: int) -> None:
    """Ages count from the newest arrival: a machine that starts days or years ahead forgets nothing for it."""
    places = await arrive(store, NOW - timedelta(days=20), "a", "b", "c")
    decided(store, places[-1])
    assert retention.forget(store, NOW + timedelta(days=ahead)) == {}
    assert kept(rows) == places


async def test_more_than_a_page_goes(store: Ledger, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands are deleted a page at a time, each page counted beside the cursor."""
    monkeypatch.setattr("router.store.retention._PAGE", 3)
    places = await arrive(store, OLD, *"abcdefgh")
    young = await arrive(store, NOW, "i")
    decided(store, young[0])
    assert retention.forget(store, NOW) == {"raws": len(places)}
    (counted,) = (row for row in rows("positions") if row["partition"] == PARTITION)
    assert counted["forgotten"] == len(places)
    assert (audit(store).raws, audit(store).differences) == (9, [])


@pytest.mark.parametrize(
    ("harm", "field", "stored"),
    [
        ("DELETE FROM raws WHERE position = 2", "undecided", "no row"),
        ("DELETE FROM raw_keys WHERE position = 2", "undecided", "no bytes"),
        ("DELETE FROM raws WHERE position = 1", "raws", "2 there, 0 forgotten for their age"),
    ],
    ids=["an undecided raw is gone", "its bytes are gone", "a decided raw was deleted by hand"],
)
async def test_audit_finds_a_raw_that_was_forgotten_undecided(
    store: Ledger, harm: str, field: str, stored: str
) -> None:
    """A number that the log gave and that nobody decided, set aside or forgot for its age is told by its place."""
    await arrive(store, NOW, "a", "b", "c")
    decided(store, 1)
    assert audit(store).differences == []
    run(store, harm)
    (found,) = audit(store).differences
    assert (found["field"], found["stored"]) == (field, stored)
    assert found["ref"] == f"raw {PARTITION}:{'*' if field == 'raws' else 2}"
    decided(store, 3)  # and it is still seen when the cursor has passed it
    assert bool(audit(store).differences) == (stored != "no bytes")


async def test_audit_finds_what_was_set_aside_and_lost(store: Ledger) -> None:
    """An open entry whose raw is gone can never be replayed: a person is told."""
    keep_invalid(store, Raw(channel="app-chat", body=b"x", received_at=OLD), "it is junk", OLD)
    assert audit(store).differences == []
    run(store, "DELETE FROM raw_keys")
    assert [(d["ref"], d["field"]) for d in audit(store).differences] == [("raw -1:1", "set aside")]


def aged(store: Ledger, **ages: timedelta | None) -> None:
    """The desk keeps everything for ever but what is named."""
    never = dict.fromkeys(Retention.model_fields)
    store.policy = replace(store.policy, retention=Retention(**{**never, **ages}))


def test_what_was_sent_goes_and_what_was_not_stays(desk: Any, store: Ledger, rows: Rows) -> None:
    """Sent replies and the copies of events go by their own ages; what waits, failed or is unknown stays."""
    desk.take(desk.said("转账2000一直没到账"))
    for state in ("sent", "failed", "unknown"):
        acts.reply(store, 1, f"已为您核实 {state}", agent="li", now=NOW)
        (due,) = claim(store, "reply", "app-chat", NOW, 1)
        settle(store, due, state, NOW)
    acts.reply(store, 1, "还在等", agent="li", now=NOW)
    url = "https://crm.example.com/hook"
    for due in claim(store, "event", url, NOW + timedelta(hours=9), 3):
        settle(store, due, "sent", NOW)
    waiting = sum(row["kind"] == "event" and row["state"] == "pending" for row in rows("outbox"))
    desk.take(desk.said("有进展吗"), now=NOW + timedelta(days=90))
    aged(store, outbox=timedelta(days=30), events=timedelta(days=60), attempts=timedelta(days=10))
    assert retention.forget(store, NOW + timedelta(days=40)) == {"outbox": 1, "attempts": 5}
    assert sorted(r["state"] for r in rows("outbox") if r["kind"] == "reply") == ["failed", "pending", "unknown"]
    assert retention.forget(store, NOW + timedelta(days=61)) == {"events": 3}
    assert sum(row["kind"] == "event" for row in rows("outbox")) >= waiting > 0
    assert audit(store).differences == []


def test_a_reply_with_a_file_goes_by_the_age_of_files(desk: Any, store: Ledger, rows: Rows) -> None:
    """The file that an agent sent can be fetched from the chat until files are old, also after the record is."""
    desk.take(desk.said("转账2000一直没到账"))
    acts.reply(store, 1, "见附件", agent="li", now=NOW)
    (due,) = claim(store, "reply", "app-chat", NOW, 1)
    settle(store, due, "sent", NOW)
    run(store, "UPDATE outbox SET body = :b WHERE kind = 'reply'", b='{"attachments":[{"name":"a","content":"eA=="}]}')
    desk.take(desk.said("有进展吗"), now=NOW + timedelta(days=500))
    aged(store, outbox=timedelta(days=30), files=timedelta(days=400))
    assert retention.forget(store, NOW + timedelta(days=399)) == {}
    assert retention.forget(store, NOW + timedelta(days=401)) == {"outbox": 1}


def test_decisions_go_by_when_they_were_made(desk: Any, store: Ledger, rows: Rows) -> None:
    """What explains a placement goes when it is old; the message stays. Recorded ones count from the day of ingest."""
    desk.take(desk.said("转账2000一直没到账"), now=NOW)
    desk.take(desk.said("有进展吗"), now=NOW + timedelta(days=410))
    aged(store, decisions=timedelta(days=400))
    assert retention.forget(store, NOW + timedelta(days=410)) == {"decisions": 1}
    assert (len(rows("messages")), len(rows("decisions"))) == (2, 1)
    desk.take(desk.said("我的账户被冻结了", sender="u-9", sent_at=_LONG_AGO), history=True, now=_LONG_AGO)
    assert retention.forget(store, datetime.now(UTC)) == {}


def test_closed_conversations_go_only_when_that_is_asked_for(desk: Any, store: Ledger, rows: Rows) -> None:
    """By default a conversation is kept for ever; with an age a closed one goes with all of it, an open one never."""
    desk.take(desk.said("转账2000一直没到账"), desk.said("我的账户被冻结了", sender="u-2"))
    acts.status(store, 1, Status.CLOSED, agent="li", now=NOW)
    later = NOW + timedelta(days=800)
    desk.take(desk.said("在吗", sender="u-3"), now=later)
    aged(store)
    assert retention.forget(store, later) == {}
    aged(store, conversations=timedelta(days=700))
    assert retention.forget(store, later) == {"conversations": 1}
    assert [c["id"] for c in queries.conversations(store.database, store.policy.promises, later)] == [2, 3]
    assert 1 not in {row["conversation"] for row in rows("messages")} | {row["conversation"] for row in rows("events")}
    assert audit(store).differences == []
    (again,) = desk.take(desk.said("转账2000一直没到账", external_id="m-1"), now=later)
    assert type(again).__name__ == "Redelivery"


def test_what_a_repeated_request_is_answered_with_goes_after_a_week(desk: Any, store: Ledger, rows: Rows) -> None:
    """The same key may then be used anew."""
    desk.take(desk.said("转账没到账"))
    for key, days in (("old", 8), ("young", 6)):
        at = micros(NOW - timedelta(days=days))
        row = "INSERT INTO idempotency (account, route, key, at) VALUES ('crm', 'reply', :key, :at)"
        run(store, row, key=key, at=at)
    assert retention.forget(store, NOW)["idempotency"] == 1
    assert [row["key"] for row in rows("idempotency")] == ["young"]


def test_ages_are_durations_or_never() -> None:
    """Every key of [retention] has its default, and all but what is closed for good ends some day."""
    ages = Policy.preset("wallet").retention
    assert ages == Policy.preset("plain").retention == Retention()
    assert [name for name in Retention.model_fields if getattr(ages, name) is None] == ["conversations"]
