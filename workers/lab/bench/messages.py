"""How many mails a second go through, and where does the time go?

A corpus is written from a seed (60 % new, 25 % replies, 10 % redelivered byte for byte, 5 % follow-ups without
headers; a third Chinese; some with attachments), then taken in by the same code as live mail: log, translate, decide,
commit in batches of 200. Beside it stands the database's own rate: the very same rows, inserted in batches by the
bare driver. Stages are measured by themselves, in CPU microseconds a mail; trust ratios of one run, not single
figures of a shared machine.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, TypeAlias

from msgspec.structs import replace

from router.decision.decide import decide_prepared, prepare
from router.known import Known
from router.match.features import tagged, telling_part
from router.model import Message
from router.policy.values import Policy
from router.ports import Raw
from router.store import Store, schema
from router.store.database import Database
from router.store.log import Log
from workers.daemon.channels import Channels
from workers.daemon.decide import BATCH
from workers.ingest.recorded import ingest
from workers.lab.bench import copies

__all__ = ["CHANNEL", "bench_messages", "corpus", "take_in"]

#: The rows of each table.
Rows: TypeAlias = dict[str, list[tuple[Any, ...]]]

CHANNEL = "support-mail"
#: So many mails are taken in and then copied until as many are stored as are asked for.
_COPIED = 2_000
_ZH = (
    "转账2000一直没到账", "账户被冻结了怎么解冻", "充值失败但是扣钱了", "银行卡绑不上", "退款什么时候到账",
    "登录一直提示密码错误",
)  # fmt: skip
_EN = (
    "I cannot log in, it says wrong password", "My transfer of 200 has not arrived", "Where is my refund",
    "The top up failed but I was charged", "I was charged twice for one order", "My account is frozen",
)  # fmt: skip
_MORE_ZH = "我用这个钱包好几年了,一直没有出过问题,这次真的很着急,麻烦尽快处理,需要什么资料我可以补充。"
_MORE_EN = "I have used this wallet for years without trouble, so please look into it soon; I can send more papers. "
_ON_ZH = ("补充一下，是尾号3310的卡", "截图在附件里，请查收", "还是不行，页面一直转圈", "我的手机号没有换过")
_ON_EN = ("It goes to my account ending 9034", "I attach the receipt", "I tried again, same result", "It was on Monday")
_AGAIN = ("有进展吗", "还没处理好吗", "any update on this?", "still waiting for an answer")


def corpus(n: int, seed: int = 1) -> Iterator[bytes]:
    """`n` mails, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311  (a corpus, no secret)
    sent: list[bytes] = []
    roots: list[tuple[str, str, str]] = []
    at = datetime(2026, 3, 2, 1, tzinfo=UTC)
    for number in range(n):
        at += timedelta(seconds=chance.randint(5, 200))
        kind = chance.random()
        if kind < 0.10 and sent:
            yield chance.choice(sent[-500:])
            continue
        mail = _mail(chance, number, at, kind, roots)
        sent.append(mail)
        yield mail


def _mail(chance: random.Random, number: int, at: datetime, kind: float, roots: list[tuple[str, str, str]]) -> bytes:
    mail = EmailMessage(policy=SMTP)
    chinese = chance.random() < 0.34
    words = chance.choice(_ZH if chinese else _EN)
    if chance.random() < 0.3:
        words += f" TP2026{chance.randint(0, 99999999):08d}"
    more = _MORE_ZH * chance.randint(1, 30) if chinese else _MORE_EN * chance.randint(2, 60)
    sender, subject = f"user{chance.randint(1, 10**7)}@mail{chance.randint(1, 9)}.test", words[:40]
    own = f"<{number}.{chance.getrandbits(64):x}@mail.test>"
    if kind < 0.40 and roots:
        parent, sender, first = chance.choice(roots[-300:])
        if kind > 0.35:
            words, more = chance.choice(_AGAIN), ""
        else:
            words = chance.choice(_ON_ZH if chinese else _ON_EN)
            mail["In-Reply-To"] = mail["References"] = parent
            subject = f"Re: {first}"
    else:
        roots.append((own, sender, subject))
    stamp = at.strftime("%a, %d %b %Y %H:%M:%S +0000")
    mail["Received"] = f"from relay.test by mx.example.com; {stamp}"
    mail["From"], mail["To"], mail["Subject"] = sender, "support@example.com", subject
    mail["Date"], mail["Message-ID"] = stamp, own
    mail.set_content(f"{words}\n\n{more}")
    if chance.random() < 0.15:
        mail.add_attachment(chance.randbytes(1500), maintype="image", subtype="png", filename="截图.png")
    return mail.as_bytes()


def bench_messages(
    messages: int = 2_000, database: str | None = None, stored: Sequence[int] = (0, 100_000)
) -> list[dict[str, Any]]:
    """Rows of one table: the rate at each number of stored messages, the bare driver's rate, CPU a mail by stage."""
    policy = Policy.load(None)
    _ = policy.tagger
    mails = list(corpus(messages))
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="omnirouter-bench-") as folder:
        first = _run(policy, mails, database or f"sqlite:///{folder}/bench.db", 0)
        rows.append(first.pop("row"))
        bare = _bare(first["rows"], messages, f"sqlite:///{folder}/bare.db") if database is None else None
        if bare is not None:
            rows[0]["of bare inserts"] = f"{rows[0]['mails/s'] / bare:.1%}"
            rows.append({"what": "the same rows, bare driver, batches of 200", "mails/s": round(bare)})
        for many in () if database else [n for n in stored if n]:
            later = _run(policy, list(corpus(messages, seed=2)), f"sqlite:///{folder}/{many}.db", many)
            row = later["row"]
            row["CPU against empty"] = f"{row['CPU us/mail'] / rows[0]['CPU us/mail']:.2f} x"
            rows.append(row)
        rows += _stages(policy, mails)
    return rows


def _run(policy: Policy, mails: Sequence[bytes], url: str, stored: int) -> dict[str, Any]:
    """Take the mails in, and measure it; the rows that came of it."""
    store = copies.empty(policy, url)
    channels = Channels(policy, store.database)
    if stored:
        take_in(store, channels, list(corpus(_COPIED)))
        copies.fill(store.database, stored)
    cpu, wall = take_in(store, channels, mails)
    found = _all_rows(store.database) if not stored and url.startswith("sqlite") else {}
    store.close()
    row = {
        "what": f"{len(mails)} mails end to end, {stored} stored before",
        "mails/s": round(len(mails) / wall),
        "CPU us/mail": round(cpu / len(mails) * 1e6),
    }
    return {"row": row, "rows": found}


def take_in(store: Store, channels: Channels, mails: Sequence[bytes]) -> tuple[float, float]:
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


def _bare(rows: Rows, messages: int, url: str) -> float:
    """Mails a second of the bare driver: the same rows, in as many commits."""
    database = Database(url)
    schema.ensure(database)
    connection = database.engine.raw_connection()
    cursor = connection.cursor()
    batches = max(1, messages // BATCH)
    began = time.perf_counter()
    for batch in range(batches):
        cursor.execute("BEGIN IMMEDIATE")
        for name, all_rows in rows.items():
            part = all_rows[len(all_rows) * batch // batches : len(all_rows) * (batch + 1) // batches]
            if part:
                marks = ", ".join("?" * len(part[0]))
                cursor.executemany(f'INSERT INTO "{name}" VALUES ({marks})', part)  # noqa: S608
        connection.commit()
    taken = time.perf_counter() - began
    connection.close()
    database.close()
    return messages / taken


def _stages(policy: Policy, mails: Sequence[bytes]) -> list[dict[str, Any]]:
    """CPU a mail of the stages by themselves, without any database."""
    store = Store.open(replace(policy, desk_database="sqlite://"), create=True)
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
