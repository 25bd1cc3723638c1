"""An archive of mails is read in any order: the same threads come out, those that the writers meant.

The archive is written by a generator that knows who answered whom: two mailing lists and a support mailbox, as mail
programs and gateways write their headers.
"""

from __future__ import annotations

import itertools
import json
import mailbox
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import workers.cli as cli

DATA = Path(__file__).parent.parent / "data"
#: How many commands an archive is fed in: within one, mails are put in order of time; between them, they are not.
PARTS = 12
SUBJECTS = (
    "Wallet", "Question", "转账", "Refund", "您好", "Urgent", "(no subject)", "咨询", "Release candidate", "Help",
    "退款问题", "Login", "[list] Minutes", "通知", "Card", "",
)  # fmt: skip
PREFIXES = ("Re: ", "RE: ", "回复：", "答复: ", "Aw: ", "Re: Re: ", "Fwd: ", "转发：", "回覆: ")
NAMES = ("陈伟", "Lena Vogt", "王芳", "José Niño", "O'Brien, Pat", "李娜", "Mary Major", "張志明", "Ana", "赵先生")
DOMAINS = ("mail.example", "post.example", "qq.example", "corp.example", "gateway.example")


class Mail(NamedTuple):
    """A mail of the archive: its bytes, what it is exported as, and the thread that it belongs to."""

    body: bytes
    key: str
    thread: int


class Sent(NamedTuple):
    """What later mails need of a mail that they answer."""

    identity: str  # the Message-ID without brackets; empty where the program wrote none
    chain: tuple[str, ...]  # the ids above it
    subject: str


class Archive:
    """A generator of mails with the threads that they make; the same for the same seed."""

    def __init__(self, size: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.mails: list[Mail] = []
        self.at = datetime(2026, 2, 2, 1, tzinfo=UTC)
        self.numbers = itertools.count(1)
        self.words = _customers_words()
        self.running: list[tuple[int, list[Sent], list[str]]] = []
        while len(self.mails) < size:
            self.at += timedelta(seconds=self.chance.randint(20, 900))
            self._next()

    def _next(self) -> None:
        dice = self.chance.random()
        if dice < 0.06 and self.mails:
            again = self.chance.choice(self.mails[-300:])
            received = f"Received: from second.example by mx.example.com; {format_datetime(self.at)}\r\n".encode()
            keep = again.key.startswith("sha256:") or dice < 0.03
            self.mails.append(again if keep else again._replace(body=received + again.body))
        elif dice < 0.36 or not self.running:
            self._open()
        else:
            self._answer(self.chance.choice(self.running[-120:]))

    def _open(self) -> None:
        people = self.chance.sample(range(4_000), self.chance.randint(1, 6))
        thread = next(self.numbers)
        who = [f"p{p}@{DOMAINS[p % len(DOMAINS)]}" for p in people]
        subject = self.chance.choice(SUBJECTS)
        if self.chance.random() < 0.5:
            subject = f"{subject} {self.chance.choice(self.words)[:24]}".strip()
        first = Sent(self._identity(nameless=0.02), (), subject)
        sent = [first] if first.identity else []
        if not first.identity or self.chance.random() > 0.05:  # else the first mail is missing from the archive
            self._put(thread, who[0], first, [], "")
        if sent:
            self.running.append((thread, sent, who))

    def _answer(self, running: tuple[int, list[Sent], list[str]]) -> None:
        thread, sent, who = running
        parent = self.chance.choice(sent[-4:])
        dice = self.chance.random()
        subject = (
            self.chance.choice(SUBJECTS) if dice < 0.03 else f"{self.chance.choice(PREFIXES)}{parent.subject}"
        )  # a changed subject
        own = Sent(self._identity(), (*parent.chain, parent.identity), subject)
        quoted = self.chance.choice(self.words)
        if dice > 0.985:  # forwarded or answered by a program that writes no headers: nobody can know
            thread, chain_lines = next(self.numbers), []
            own = own._replace(chain=())
        else:
            chain_lines = self._chain_lines(own.chain)
        if self.chance.random() > 0.04:  # else this mail is missing, and its answers are not
            self._put(thread, self.chance.choice(who), own, chain_lines, quoted)
        if chain_lines:
            sent.append(own)

    def _chain_lines(self, chain: Sequence[str]) -> list[str]:
        """References and In-Reply-To, as programs write and break them; at least one id that others know stays."""
        *above, parent = (f"<{i}>" for i in chain)
        joined = " ".join((*above, parent))
        return self.chance.choice(
            (
                [f"In-Reply-To: {parent}", f"References: {joined}"],
                [f"In-Reply-To: {parent}", f"References: {joined}"],
                [f"References: {joined}"],
                [f"In-Reply-To: {parent}"] if not above else [f"In-Reply-To: {parent}", f"References: {above[0]}"],
                [f"References: {parent} {' '.join(above)}".rstrip(), f"In-Reply-To: {parent}"],  # Apple Mail: order
                ["References: " + "\r\n\t".join((*above, parent)), f"In-Reply-To:\r\n {parent}"],
                [f"References: {joined.replace('> <', '><')}", f"In-Reply-To: {parent}"],
                [f"References: {joined.replace('> <', '>, <')}"],
                [f'In-Reply-To: Your message of "Mon, 2 Feb 2026"\r\n\t{parent}', f"References: {joined}"],
                [f"In-Reply-To: <{self._identity()}>", f"References: {joined}"],  # a gateway gave the parent a new id
                [f"In-Reply-To: {parent}", f"References: {joined} <{self._identity()}>"],
                [f"in-reply-to: {parent}\r\nREFERENCES: {' '.join((above or [parent])[:1])} {parent}"],
            )
        )  # fmt: skip

    def _identity(self, nameless: float = 0.0) -> str:
        if self.chance.random() < nameless:
            return ""
        number, domain = next(self.numbers), self.chance.choice(DOMAINS)
        return self.chance.choice(
            (
                f"{number}.{self.chance.getrandbits(60):x}@{domain}",
                f"CAF{number}+x=y_{self.chance.getrandbits(40)}@{domain}",
                f"{number:032X}@{domain.upper()}",
                f"{number}.JavaMail.root@localhost.localdomain",
                f"tencent_{number:X}@{domain}",
            )
        )

    def _put(self, thread: int, sender: str, sent: Sent, chain_lines: list[str], quoted: str) -> None:
        name = self.chance.choice(NAMES)
        written = f"{name} via List" if self.chance.random() < 0.05 else name
        text = "\r\n\r\n".join(self.chance.sample(self.words, self.chance.randint(1, 3)))
        if quoted:
            text += f"\r\n\r\nOn Mon, 2 Feb 2026, {name} wrote:\r\n> {quoted}"
        lines = [
            f"Received: from out.example by mx.example.com; {format_datetime(self.at + timedelta(seconds=2))}",
            f"From: {Header(written, 'utf-8').encode()} <{sender}>",
            f"To: {self.chance.choice(('support@example.com', 'dev@lists.example', 'users@lists.example'))}",
            f"Subject: {Header(sent.subject, 'utf-8').encode()}",
            f"Date: {format_datetime(self.at)}" if self.chance.random() > 0.02 else "Date: yesterday",
            *([f"Message-ID: <{sent.identity}>"] if sent.identity else []),
            *chain_lines,
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 8bit",
        ]
        body = ("\r\n".join((*lines, "", text)) + "\r\n").encode()
        self.mails.append(Mail(body, sent.identity or f"sha256:{sha256(body).hexdigest()}", thread))


def _customers_words() -> list[str]:
    """Words of customers in two languages, as they write."""
    files = ("tagging_fresh_1", "tagging_fresh_2", "tagging_fresh_3", "tagging_fresh_4", "train_en")
    return [json.loads(line)["text"] for f in files for line in (DATA / f"{f}.jsonl").read_text("utf-8").splitlines()]


class Desk:
    """The command line of a desk in a folder of its own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        folder.mkdir()
        patch.chdir(folder)

    def run(self, *words: str) -> list[dict[str, Any]]:
        """The JSON lines that a command prints; it must succeed."""
        self._capsys.readouterr()
        assert cli.main(list(words)) == 0
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]

    def take_in(self, mails: Sequence[Mail], parts: int) -> dict[str, int]:
        """Ingest the mails as so many mboxes, one command after another; the sum of the summaries."""
        total: Counter[str] = Counter()
        size = -(-len(mails) // parts)
        for number in range(parts):
            path = self.folder / f"{number}.mbox"
            box = mailbox.mbox(path)
            for mail in mails[number * size : (number + 1) * size]:
                box.add(mail.body)
            box.close()
            [summary] = self.run("ingest", "--channel", "support-mail", str(path))
            total.update({key: summary[key] for key in ("read", "stored", "redelivered", "invalid", "dead")})
        return total

    def threads(self) -> dict[str, int]:
        """External id to thread."""
        return {row["external_id"]: row["thread"] for row in self.run("export", "messages")}


def orders(mails: list[Mail]) -> Iterator[tuple[str, list[Mail], int]]:
    """The archive in order, shuffled, reversed and delivered twice, with the number of commands."""
    shuffled = random.Random(2).sample(mails, len(mails))
    yield "in order", mails, 1
    yield "shuffled", shuffled, PARTS
    yield "reversed", mails[::-1], PARTS
    yield "twice", [*mails, *shuffled], 2


def pairs(found: dict[str, int]) -> set[tuple[str, str]]:
    """The pairs of mails that share a thread."""
    threads: dict[int, list[str]] = defaultdict(list)
    for key in sorted(found):
        threads[found[key]].append(key)
    return {pair for keys in threads.values() for pair in itertools.combinations(keys, 2)}


def check(archive: Archive, desk_of: Callable[[str], Desk]) -> dict[str, tuple[float, float]]:
    """Hold the bars in every order; precision and recall of each."""
    gold = {mail.key: mail.thread for mail in archive.mails}
    meant, seen, figures = pairs(gold), [], {}
    for name, mails, parts in orders(archive.mails):
        desk = desk_of(name)
        total = desk.take_in(mails, parts)
        assert total["invalid"] == total["dead"] == 0
        assert (total["read"], total["stored"]) == (len(mails), len(gold)), name
        found = desk.threads()
        assert found.keys() == gold.keys(), name
        together = pairs(found)
        precision, recall = _share(together & meant, together), _share(together & meant, meant)
        assert precision >= 0.999, (name, precision, sorted(together - meant)[:5])
        assert recall >= 0.99, (name, recall, sorted(meant - together)[:5])
        seen.append(together)
        figures[name] = (precision, recall)
    assert all(one == seen[0] for one in seen)
    return figures


def _share(some: Iterable[Any], all_of_them: set[Any]) -> float:
    return len(set(some)) / len(all_of_them)


@pytest.fixture
def desk_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Desk]:
    """`desk_of("name")`: a fresh desk."""
    monkeypatch.delenv("OMNIROUTER_CONFIG", raising=False)
    return lambda name: Desk(tmp_path / name, monkeypatch, capsys)


def test_the_archive_is_what_it_says() -> None:
    """It holds long threads, missing mails, mails twice, and the same subject in many threads."""
    archive = Archive(1_500, seed=1)
    sizes = Counter(mail.thread for mail in {mail.key: mail for mail in archive.mails}.values())
    assert max(sizes.values()) >= 10
    assert sum(size > 2 for size in sizes.values()) > 100
    assert len({mail.key for mail in archive.mails}) < len(archive.mails) - 50
    assert Archive(100, seed=1).mails == archive.mails[:100]


def test_an_archive_in_any_order(desk_of: Callable[[str], Desk]) -> None:
    """1,500 mails in order, shuffled, reversed and delivered twice are the same threads, the right ones."""
    check(Archive(1_500, seed=1), desk_of)


@pytest.mark.soak
def test_a_large_archive_in_any_order(desk_of: Callable[[str], Desk]) -> None:
    """10,000 mails."""
    check(Archive(10_000, seed=2), desk_of)
