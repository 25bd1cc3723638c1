"""Which mails does a bench take in? A corpus written from a seed, with what is right of each mail.

60 % begin a matter, 25 % reply, 10 % are redelivered byte for byte, 5 % follow up without headers; a third is Chinese,
some have attachments, half are longer than 3.5 KB. The same form as that by which other help desks were measured.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from typing import NamedTuple

__all__ = ["Mail", "corpus", "written"]

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


class Mail(NamedTuple):
    """A mail, and what is right: its `kind` is new, reply, again (the same bytes once more) or follow_up (without
    headers that say so); `name` is its Message-ID, `matter` that of the mail that began what it is about."""

    raw: bytes
    kind: str
    name: str
    matter: str


def corpus(n: int, seed: int = 1) -> Iterator[bytes]:
    """`n` mails, the same for the same seed."""
    return (mail.raw for mail in written(n, seed))


def written(n: int, seed: int = 1) -> Iterator[Mail]:
    """The mails of a corpus, with what is right of each."""
    chance = random.Random(seed)  # noqa: S311  (a corpus, no secret)
    sent: list[Mail] = []
    roots: list[tuple[str, str, str]] = []
    at = datetime(2026, 3, 2, 1, tzinfo=UTC)
    for number in range(n):
        at += timedelta(seconds=chance.randint(5, 200))
        kind = chance.random()
        if kind < 0.10 and sent:
            yield chance.choice(sent[-500:])._replace(kind="again")
            continue
        mail = _mail(chance, number, at, kind, roots)
        sent.append(mail)
        yield mail


def _mail(chance: random.Random, number: int, at: datetime, kind: float, roots: list[tuple[str, str, str]]) -> Mail:
    mail = EmailMessage(policy=SMTP)
    chinese = chance.random() < 0.34
    words = chance.choice(_ZH if chinese else _EN)
    if chance.random() < 0.3:
        words += f" TP2026{chance.randint(0, 99999999):08d}"
    more = _MORE_ZH * chance.randint(1, 30) if chinese else _MORE_EN * chance.randint(2, 60)
    sender, subject = f"user{chance.randint(1, 10**7)}@mail{chance.randint(1, 9)}.test", words[:40]
    own = matter = f"<{number}.{chance.getrandbits(64):x}@mail.test>"
    what = "new"
    if kind < 0.40 and roots:
        matter, sender, first = chance.choice(roots[-300:])
        if kind > 0.35:
            what, words, more = "follow_up", chance.choice(_AGAIN), ""
            subject = chance.choice((first, words))
        else:
            what = "reply"
            words = chance.choice(_ON_ZH if chinese else _ON_EN)
            mail["In-Reply-To"] = mail["References"] = matter
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
    return Mail(mail.as_bytes(), what, own.strip("<>"), matter.strip("<>"))
