"""Nobody gets into somebody else's conversation by what he writes into a mail, and everybody gets back into his own.

Customers have conversations with the desk, which has answered. Then mails come that claim to belong to them, of
strangers and of other customers, in fifteen ways; and as many honest replies, written as mail programs write them.
"""

from __future__ import annotations

import random
from base64 import b32decode, b32encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import select

from router.desk import Arrival, Ledger, take_in
from router.desk.acts import conversation as acts
from router.match import reply_address
from router.model import Conversation, Placement
from router.policy.values import Policy
from router.ports import Raw
from router.ref import ref_of
from router.store import outbox
from router.store import tables as t
from router.store.read import queries
from workers.daemon.channels import Channels

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)
CONFIGURATION = """
[desk]
name = "Test desk"
timezone = "Asia/Shanghai"
database = "sqlite:///{folder}/desk.db"

[channels.support-mail]
adapter = "email"
address = "support@support.example"
trusted_authserv_id = "mx.support.example"

[[queues]]
name = "general"
[[agents]]
name = "ann"
mail = "ann@support.example"
[defaults]
queue = "general"
"""
MATTERS = (
    "转账2000一直没到账，请帮忙查一下。", "I cannot log in since I changed my phone.", "退款三天了还没有收到。",
    "My top-up by card failed, but the bank charged me 60.", "账户显示冻结，里面有一万多。",
    "The verification of my documents has been pending for a week.",
)  # fmt: skip
LURES = (
    "请把处理结果发到这个邮箱", "Please send me the details of this case again", "还没好吗", "Any news?",
    "密码是多少？", "I have a new address, use this one from now on", "谢谢，已收到", "请补发一份记录给我", "",
)  # fmt: skip
CONTINUED = (
    "还没有消息吗？", "Any update on this?", "补充一下，是昨天下午的事。", "Thanks, but it is still the same.",
    "请尽快处理", "I tried once more today and nothing has changed.", "???", "好的，我再等等",
    "What else do you need from me?",
)  # fmt: skip


class Live(NamedTuple):
    """A conversation of a customer with the desk."""

    customer: str
    subject: str
    number: int
    asked: str  # Message-IDs without brackets
    answered: str
    passes: bool  # whether our mail server vouches for the customer

    @property
    def token(self) -> str:
        return self.answered.partition(".")[0]


class Office:
    """A desk that reads mails and answers them, with its clock."""

    def __init__(self, policy: Policy) -> None:
        self.store = Ledger.open(policy)
        self.channels = Channels(policy, self.store.database, now=lambda: self.at)
        self.at = MONDAY
        self._count = 0

    def read(self, sender: str, words: str, *, verdict: str = "", **fields: str) -> Placement:
        """Take one mail in, by the adapter. `verdict`: what our own mail server says of its sender."""
        self._count += 1
        self.at += timedelta(minutes=3)
        lines = {
            **({"Authentication-Results": f"mx.support.example; dmarc={verdict}"} if verdict else {}),
            "Received": f"from out.example by mx.support.example; {format_datetime(self.at)}",
            "From": sender,
            "To": "support@support.example",
            "Subject": "Question",
            "Message-ID": f"<{self._count}.x@{sender.rpartition('@')[2].strip('>')}>",
            "Content-Type": "text/plain; charset=utf-8",
            **{name.replace("_", "-"): value for name, value in fields.items()},
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        raw = Raw(channel="support-mail", body=f"{head}\r\n{words}".encode(), received_at=self.at)
        [message] = self.channels.translate(raw)
        [decision] = take_in(self.store, [Arrival(what=message, received_at=self.at)], self.at)
        assert isinstance(decision, Placement), decision
        return decision

    def answer(self, number: int) -> str:
        """Answer a conversation; the Message-ID of the answer."""
        self.at += timedelta(minutes=3)
        own = acts.reply(self.store, number, "我们正在核实 / we are on it.", agent="li", now=self.at, force=True)
        with self.store.database.engine.connect() as connection:
            found = connection.execute(
                select(t.messages.c.external_id, t.messages.c.handle).filter_by(number=own)
            ).one()
        self.answered_to = found[1]
        self.copied_to = outbox.addressed(self.store, [own])[own]["cc"]
        return str(found[0])

    def live(self, name: str, chance: random.Random) -> Live:
        """A customer asks, the desk answers."""
        customer, subject, passes = f"{name}@mail.example", f"问题 {name}", chance.random() < 0.5
        asked = f"{name}.{chance.getrandbits(64):x}@mail.example"
        placed = self.read(
            f"Customer {name} <{customer}>", chance.choice(MATTERS), verdict="pass" if passes else "",
            Message_ID=f"<{asked}>", Subject=subject,
        )  # fmt: skip
        assert placed.opened
        number = placed.conversation.number
        return Live(customer, subject, number, asked, self.answer(number), passes)

    def state(self, live: Live) -> Conversation:
        with self.store.database.read() as tx:
            return queries.conversation(tx, live.number)


def forged(live: Live, key: bytes, chance: random.Random) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Every way of claiming to belong to a conversation: sender ("" is a stranger), words, fields."""
    token, ours, theirs = live.token, f"<{live.answered}>", f"<{live.asked}>"
    guessed = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz234567", k=48))
    body = b32decode(token.upper())
    other = bytes((2, *body[1:20]))
    newer = b32encode(other + reply_address._mac(key, other)).decode().lower()
    moved = b32encode(body[:9] + bytes((body[9] ^ 1,)) + body[10:]).decode().lower()
    plus = "support+{}@support.example".format
    yield "", "", {"Subject": f"Re: {live.subject} [{ref_of(live.number)}] [#{live.number}] [support #{live.number}]"}
    yield "", f"my case is {ref_of(live.number)}, number {live.number}, of {live.customer}", {}
    for wrong in (guessed, token[:40], token[:16], newer, moved, token + "a", token[::-1]):
        yield "", "", {"To": plus(wrong), "In_Reply_To": f"<{wrong}.9@support.example>"}
    yield "", "", {"To": plus(token)}
    yield "", "", {"To": plus(token.upper()), "Cc": live.customer, "Reply_To": live.customer}
    yield "", "", {"In_Reply_To": ours, "References": f"{theirs} {ours}", "Subject": f"Re: {live.subject}"}
    yield "", "", {"In_Reply_To": theirs}
    yield "", "", {"References": f"<never@seen.example> {theirs} <nor.this@seen.example>", "Cc": live.customer}
    yield "", "", {"Message_ID": theirs, "Subject": live.subject}
    yield "", "", {"Message_ID": ours, "References": theirs}
    for face in (
        f'"{live.customer}" <m@evil.example>', f"Customer <{live.customer}.evil.example>",
        f"Customer <{live.customer.replace('mail', 'maiI')}>", f"<{live.customer.replace('@', '+x@')}>",
        f"<{live.customer.replace('a', 'а')}>", f'"<{live.customer}>" <m@evil.example>',
    ):  # fmt: skip
        yield face, "", {"In_Reply_To": ours, "Subject": f"Re: {live.subject}"}
    copied = f"Customer <{live.customer}>"
    yield copied, "", {"verdict": "fail", "Subject": f"Re: {live.subject}"}
    yield copied, "", {"verdict": "fail", "In_Reply_To": ours, "References": f"{theirs} {ours}"}
    yield copied, "", {"verdict": "fail", "To": plus(token)}
    yield copied, "", {"verdict": "fail", "X_Authentication_Results": "mx.support.example; dmarc=pass"}
    yield copied, "", {"verdict": "fail", "In_Reply_To": ours, "Cc": "m@evil.example"}
    form = "Website <noreply@support.example>"
    yield form, "", {"In_Reply_To": ours, "Reply_To": "m@evil.example"}
    yield form, "", {"To": plus(token), "Reply_To": "m@evil.example", "verdict": "pass"}
    yield form, "", {"In_Reply_To": ours, "Reply_To": live.customer, "verdict": "fail"}
    yield form, "", {"In_Reply_To": ours, "Reply_To": f"{live.customer}, m@evil.example"}
    passed_on = f"-----原始邮件-----\n发件人: <{live.customer}>\n主题: {live.subject}\n日期: 2026年\n\n请把结果发给我"
    for verdict in ("", "fail"):
        yield "Ann <ann@support.example>", passed_on, {"Subject": f"转发: {live.subject}", "verdict": verdict}
        yield "Ann <ann@support.example>", passed_on, {"Subject": "Fwd: x", "verdict": verdict, "References": ours}


def honest(live: Live, chance: random.Random) -> dict[str, str]:
    """A reply of the customer himself, as mail programs write it."""
    ours, theirs = f"<{live.answered}>", f"<{live.asked}>"
    subject = chance.choice((f"Re: {live.subject}", f"回复：{live.subject}", "", f"AW: Re: {live.subject}"))
    fields = chance.choice(
        (
            {"In_Reply_To": ours, "References": f"{theirs} {ours}"},
            {"In_Reply_To": ours},
            {"References": f"{theirs} {ours}"},
            {"In_Reply_To": theirs},
            {"To": f"support+{live.token}@support.example"},
            {"To": f"Support <{live.token.upper()}@support.example>"},
            {"In_Reply_To": "<rewritten@gateway.example>", "References": f"{theirs} <rewritten@gateway.example>"},
            {"In_Reply_To": ours, "Cc": "friend@other.example"},
        )
    )
    return {**fields, "Subject": subject, "verdict": "pass" if live.passes else ""}


def attack(office: Office, conversations: int, claims: int, seed: int) -> None:
    """`claims` forged mails and as many honest replies over `conversations`; the bars."""
    chance = random.Random(seed)
    lives = [office.live(f"c{n}", chance) for n in range(conversations)]
    mine = {live.number for live in lives}
    ways = {live: list(forged(live, office.store.reply_keys[1], chance)) for live in lives}
    strangers = [f"Mallory <m{n}@evil.example>" for n in range(conversations)]
    for n in range(claims):
        live = lives[n % conversations]
        face, words, fields = (
            ways[live][n // conversations * 7 % len(ways[live])] if n % 2 else chance.choice(ways[live])
        )
        if not face:  # a stranger, or somebody else who is a customer too
            other = chance.choice([other for other in lives if other is not live])
            face = chance.choice((chance.choice(strangers), other.customer))
        placed = office.read(face, words or chance.choice(LURES), **fields)
        joined = placed.conversation.number
        assert joined != live.number, (face, fields)
        assert joined not in mine or placed.contact.number == placed.conversation.contact, (face, fields)
        kept = honest(live, chance)
        sender = chance.choice((live.customer, f"Customer <{live.customer}>", live.customer.upper()))
        placed = office.read(sender, chance.choice(CONTINUED), **kept)
        assert placed.conversation.number == live.number, (kept, placed.trace)
        assert "thread_claim_rejected" not in placed.flags
    for live in lives:
        state = office.state(live)
        assert state.participants == (("email", live.customer),)
        assert set(state.copied) <= {"friend@other.example"}  # whom the customer named, and proved that he did
        office.answer(live.number)
        assert office.answered_to == live.customer
        assert office.copied_to == list(state.copied)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A desk whose own mail server says who is who."""
    file = tmp_path / "desk.toml"
    file.write_text(CONFIGURATION.format(folder=tmp_path), encoding="utf-8")
    opened = Office(Policy.load(file))
    yield opened
    opened.store.close()


def test_each_way_of_claiming(office: Office) -> None:
    """Every forged claim of a stranger opens a conversation of his own; where he named one by its ids or its address,
    that is flagged."""
    chance = random.Random(4)
    live = office.live("c0", chance)
    for n, (face, words, fields) in enumerate(forged(live, office.store.reply_keys[1], chance)):
        placed = office.read(face or f"m{n}@evil{n}.example", words or "请把结果发给我", **fields)
        assert placed.conversation.number != live.number, (face, fields)
        named = {f"<{live.asked}>", f"<{live.answered}>"} & set(" ".join(fields.values()).split())
        by_token = fields.get("To", "").lower() == f"support+{live.token}@support.example"
        if ((named and "Message_ID" not in fields) or by_token) and "fail" not in fields.values():
            assert "thread_claim_rejected" in placed.flags, fields
    assert office.state(live).participants == (("email", live.customer),)
    assert office.state(live).messages == 2


@pytest.mark.parametrize("verdict", ["", "fail"])
def test_a_forged_colleague_answers_nobody(office: Office, verdict: str) -> None:
    """A mail that bears a colleague's address and knows the thread is a note that says so: the customer waits on, by
    the same clock, no stranger is copied, and the answer goes to the customer alone."""
    live = office.live("c0", random.Random(5))
    office.read(f"Customer <{live.customer}>", "还没好吗", verdict="pass", In_Reply_To=f"<{live.answered}>")
    before = office.state(live)
    placed = office.read(
        "Ann <ann@support.example>", "Please send your password to me.", verdict=verdict, To=live.customer,
        Cc="support@support.example, m@evil.example", In_Reply_To=f"<{live.answered}>", Reply_To="m@evil.example",
    )  # fmt: skip
    after = office.state(live)
    assert (placed.conversation.number, placed.message.direction) == (live.number, "note")
    assert ("sender_unverified" in placed.flags) is (verdict == "fail")
    for field in ("waiting_since", "next_due", "status", "participants", "copied", "proposed", "chases", "contact"):
        assert getattr(after, field) == getattr(before, field), field
    office.answer(live.number)
    assert (office.answered_to, office.copied_to) == (live.customer, [])


def test_a_stranger_in_cc_of_an_unproved_mail_gets_nothing(office: Office) -> None:
    """Somebody writes in the customer's name, with himself in Cc: he is proposed, gets no copy, and his own mail joins
    nothing."""
    placed = office.read("Customer <c@mail.example>", MATTERS[0], Message_ID="<first.1@mail.example>")
    number = placed.conversation.number
    office.read("Customer <c@mail.example>", "还没好吗", Cc="m@evil.example", In_Reply_To="<first.1@mail.example>")
    with office.store.database.read() as tx:
        state = queries.conversation(tx, number)
    assert (state.messages, state.copied, state.proposed) == (2, (), ("m@evil.example",))
    stranger = office.read("m@evil.example", "请发给我", verdict="pass", In_Reply_To="<first.1@mail.example>")
    assert stranger.conversation.number != number
    assert "thread_claim_rejected" in stranger.flags
    office.answer(number)
    assert (office.answered_to, office.copied_to) == ("c@mail.example", [])


@pytest.mark.parametrize("seed", [1, 2])
def test_forged_claims(office: Office, seed: int) -> None:
    """200 forged claims over 20 conversations: none joins; 200 honest replies all do; answers reach the customers."""
    attack(office, 20, 200, seed)


@pytest.mark.soak
def test_ten_thousand_forged_claims(office: Office) -> None:
    """10,000 over 1,000."""
    attack(office, 1_000, 10_000, 3)
