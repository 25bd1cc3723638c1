"""How many mails a second go through, and where does the time go?

A corpus (`workers.lab.bench.corpus`) is taken in by the same code as live mail: log, translate, decide, commit. Beside
it stands the database's own rate: the very same rows, inserted in batches by the bare driver. Stages are measured by
themselves, in CPU microseconds a mail; trust ratios of one run, not single figures of a shared machine. What became of
the mails is counted too: speed that puts them into wrong conversations is none.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from msgspec.structs import replace
from sqlalchemy import select

from router.decision.decide import decide_prepared, prepare
from router.desk import Ledger
from router.known import Known
from router.match.features import tagged, telling_part
from router.model import Message
from router.policy.values import Policy
from router.ports import Raw
from router.store import schema
from router.store import tables as t
from router.store.database import Database
from router.store.log import Log
from router.store.statement import Statement
from workers.daemon.channels import Channels
from workers.daemon.decide import BATCH
from workers.ingest.recorded import ingest
from workers.lab.bench import copies
from workers.lab.bench.corpus import Mail, corpus, written

__all__ = ["CHANNEL", "bench_messages", "take_in"]

#: The rows of each table.
Rows: TypeAlias = dict[str, list[tuple[Any, ...]]]

CHANNEL = "support-mail"
#: So many mails are taken in and then copied until as many are stored as are asked for.
_COPIED = 2_000
_places = Statement(select(t.messages.c.external_id, t.messages.c.conversation))


def bench_messages(
    messages: int = 2_000, database: str | None = None, stored: Sequence[int] = (0, 100_000)
) -> list[dict[str, Any]]:
    """Rows of one table: the rate at each number of stored messages, the bare driver's rate, CPU a mail by stage."""
    policy = Policy.load(None)
    _ = policy.tagger
    mails = list(written(messages))
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="omnirouter-bench-") as folder:
        first = _run(policy, mails, database or f"sqlite:///{folder}/bench.db", 0)
        rows.append(first.pop("row"))
        bare = _bare(first["rows"], messages, f"sqlite:///{folder}/bare.db") if database is None else None
        if bare is not None:
            rate, cpu = bare
            rows[0]["of bare inserts"] = f"{rows[0]['mails/s'] / rate:.1%}"
            rows[0]["CPU of bare inserts"] = f"{rows[0]['CPU us/mail'] / cpu:.1f} x"
            what = "the same rows, bare driver, batches of 200"
            rows.append({"what": what, "mails/s": round(rate), "CPU us/mail": round(cpu)})
        rows += first["placed"]
        for many in () if database else [n for n in stored if n]:
            later = _run(policy, list(written(messages, seed=2)), f"sqlite:///{folder}/{many}.db", many)
            row = later["row"]
            row["CPU against empty"] = f"{row['CPU us/mail'] / rows[0]['CPU us/mail']:.2f} x"
            rows.append(row)
        rows += _stages(policy, [mail.raw for mail in mails])
    return rows


def _run(policy: Policy, mails: Sequence[Mail], url: str, stored: int) -> dict[str, Any]:
    """Take the mails in, and measure it; the rows that came of it, and how they were placed."""
    store = copies.empty(policy, url)
    channels = Channels(policy, store.database)
    if stored:
        take_in(store, channels, list(corpus(_COPIED)))
        copies.fill(store.database, stored)
    cpu, wall = take_in(store, channels, [mail.raw for mail in mails])
    placed = [] if stored else _placed(store.database, mails)
    found = _all_rows(store.database) if not stored and url.startswith("sqlite") else {}
    store.close()
    row = {
        "what": f"{len(mails)} mails end to end, {stored} stored before",
        "mails/s": round(len(mails) / wall),
        "CPU us/mail": round(cpu / len(mails) * 1e6),
    }
    return {"row": row, "rows": found, "placed": placed}


def _placed(database: Database, mails: Sequence[Mail]) -> list[dict[str, Any]]:
    """How many mails of each kind went wrong, of how many: redeliveries that were stored, replies that are not with
    what they answer, follow-ups that joined, new matters that were put into another's conversation."""
    with database.read() as tx:
        found = tx.rows(_places)
    where = dict(found)
    sent = {mail.name: mail for mail in mails if mail.kind != "again"}
    kinds = Counter(mail.kind for mail in mails)
    right = Counter(m.kind for m in sent.values() if where.get(m.name, 0) == where.get(m.matter, -1))
    begun = {where[name] for name, mail in sent.items() if mail.kind == "new" and name in where}
    counts = {
        "redeliveries stored": (len(found) - len(where.keys() & sent.keys()), kinds["again"]),
        "replies misplaced": (kinds["reply"] - right["reply"], kinds["reply"]),
        "follow-ups joined": (right["follow_up"], kinds["follow_up"]),
        "new matters merged": (kinds["new"] - len(begun), kinds["new"]),
    }
    return [{"what": f"  {what}", "mails": f"{some} of {of}"} for what, (some, of) in counts.items()]


def take_in(store: Ledger, channels: Channels, mails: Sequence[bytes]) -> tuple[float, float]:
    """Take recorded mails in, as `ingest` does; seconds of CPU and of the clock."""
    now = datetime.now(UTC)
    raws = [Raw(channel=CHANNEL, body=body, received_at=now, history=True) for body in mails]
    channels.translate(raws[0])

    async def go() -> None:
        log = Log(store.database, store.sealer, schema.partitions(store.database), bell=store.bell)
        await ingest(store, channels, log, raws, live=False)
        await log.close()

    cpu, wall = time.process_time(), time.perf_counter()
    asyncio.run(go())
    return time.process_time() - cpu, time.perf_counter() - wall


def _all_rows(database: Database) -> Rows:
    with database.engine.connect() as connection:
        return {
            name: [tuple(row) for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"')]  # noqa: S608
            for name in ("raws", "raw_keys", *copies.COPIED, "outbox")
        }


def _bare(rows: Rows, messages: int, url: str) -> tuple[float, float]:
    """Mails a second of the bare driver, and its CPU microseconds a mail: the same rows, in as many commits."""
    database = Database(url)
    schema.ensure(database)
    connection = database.engine.raw_connection()
    cursor = connection.cursor()
    batches = max(1, messages // BATCH)
    began, cpu = time.perf_counter(), time.process_time()
    for batch in range(batches):
        cursor.execute("BEGIN IMMEDIATE")
        for name, all_rows in rows.items():
            part = all_rows[len(all_rows) * batch // batches : len(all_rows) * (batch + 1) // batches]
            if part:
                marks = ", ".join("?" * len(part[0]))
                cursor.executemany(f'INSERT INTO "{name}" VALUES ({marks})', part)  # noqa: S608
        connection.commit()
    taken, cpu = time.perf_counter() - began, time.process_time() - cpu
    connection.close()
    database.close()
    return messages / taken, cpu / messages * 1e6


def _stages(policy: Policy, mails: Sequence[bytes]) -> list[dict[str, Any]]:
    """CPU a mail of the stages by themselves, without any database."""
    store = Ledger.open(replace(policy, desk_database="sqlite://"), create=True)
    channels = Channels(policy, store.database)
    now = datetime.now(UTC)
    raws = [Raw(channel=CHANNEL, body=body, received_at=now) for body in mails]
    rows: list[dict[str, Any]] = []

    def stage(what: str, work: Callable[[], Any]) -> Any:
        cpu = time.process_time()
        done = work()
        rows.append({"what": f"  {what}", "CPU us/mail": round((time.process_time() - cpu) / len(mails) * 1e6)})
        return done

    stage("seal the raw", lambda: [store.sealer.seal(raw.body) for raw in raws])
    messages: list[Message] = stage("translate", lambda: [m for raw in raws for m in channels.translate(raw)])
    stage("tag", lambda: [tagged(telling_part(m.text), m.subject, policy) for m in messages])
    prepared = stage("read (own words, identifiers, redact, tag)", lambda: [prepare(m, policy) for m in messages])
    stage("decide", lambda: _decide_all(prepared, policy))
    store.close()
    return rows


def _decide_all(prepared: Sequence[Any], policy: Policy) -> None:
    known = Known()
    for one in prepared:
        decision = decide_prepared(one, known, policy, one.message.sent_at)
        known.absorb(one.message, decision)
