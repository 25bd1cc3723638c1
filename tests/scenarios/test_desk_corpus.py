"""What becomes of a working week's mails of a wallet desk: new cases, replies, the same mail again, and customers who
just write once more.

60 % new cases (a quarter of them by customers who have another), 25 % replies, 10 % delivered twice byte by byte, 5 %
follow-ups without any header; a third Chinese. The generator knows the case of each mail.
"""

from __future__ import annotations

import json
import mailbox
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import workers.cli as cli

DATA = Path(__file__).parent.parent / "data"
WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "zh": {
        "hello": ("您好，", "你好\n", "客服您好，打扰一下。", "", "", "尊敬的客服："),
        "more": (
            "我用这个钱包好几年了，一直没有出过问题。", "麻烦尽快处理，谢谢。", "需要什么资料我可以补充。",
            "很着急，家里等着用。", "之前打过电话，一直占线。", "我在外地出差，不太方便接电话，邮件联系就好。",
            "如果需要可以联系我本人。",
            "家里老人也在用你们的软件。", "平时都是我爱人在弄，我不太懂。", "请安排人跟我联系一下，白天都有空。",
            "公司财务在等我这边的消息。", "我住得偏，周围没有网点。", "以前遇到过小毛病，你们都解决得很好。",
            "说实话有点失望。", "盼复。",
        ),
        "bye": (
            "", "谢谢\n陈先生", "此致\n敬礼\n王芳", "发自我的iPhone",
            "--\n李娜\n华信贸易有限公司\n地址：杭州市西湖区",
        ),
        "chase": (
            "请问有进展了吗？", "还没有人回复我。", "麻烦看一下，已经好几天了。", "再催一下，谢谢", "在吗？",
            "什么时候能有结果？",
        ),
        "reply": (
            "收到，谢谢。那我再等等。", "补充一下，我是上周五晚上操作的，用的是华为手机。",
            "附件是截图，请查收。", "我问过银行了，银行说他们那边没有任何记录，让我找你们。",
            "我登录没有问题，别的功能也都正常，只有这件事没解决。", "刚才又试了一次，还是老样子。",
            "我的手机号没有换过，也没有收到过什么短信链接。", "上次退款的事你们处理得很快，这次怎么这么慢？",
            "是的，就是我本人操作的。", "不是密码的问题，密码我记得很清楚。",
            "朋友说他们充值提现都正常，就我这个不行。",
        ),
        "again": (
            "我之前发过邮件，一直没有收到回复：", "重新发一遍，怕你们没看到。",
            "上一封邮件没人理我，再说一次：",
        ),
        "subjects": ("咨询", "请帮忙处理", "问题反馈", "急", "用户问题"),
        "seconds": ("催一下", "第二次联系", "还没回复", "请尽快处理"),
    },
    "en": {
        "hello": ("Hi,\n\n", "Hello team,\n\n", "Dear Sir or Madam,\n\n", "", "", "Good morning. "),
        "more": (
            "I have used this wallet for years without trouble.", "Please look into it soon.",
            "I can send more papers.", "I tried to call but the line was busy all morning.",
            "I am travelling, so mail is the best way to reach me.", "Thank you for your help in advance.",
            "I would be grateful for a quick answer, since others wait for me.",
            "My accountant keeps asking me about it.", "I am not very good with computers, so please be patient.",
            "A friend recommended you, and so far I was happy.", "You can ring me in the evenings.",
            "I live abroad and am five hours behind you.", "My daughter helped me write this.",
            "I read the pages of your site and found nothing that helps.", "Sorry for the long mail.",
        ),
        "bye": (
            "", "Regards,\nMary", "Best,\n\nPat O'Brien\nACME Ltd\n+44 20 7946 0000", "Sent from my iPhone",
            "-- \nJ. Doe",
        ),
        "chase": (
            "Any update on this?", "I am still waiting for an answer.", "Hello? It has been four days.",
            "Is anybody there?", "Could you please let me know where this stands?",
            "Following up on my mail below.",
        ),
        "reply": (
            "Thanks, I will wait then.", "One more thing: it happened on Friday evening, on my Samsung.",
            "The screenshot is attached.",
            "I asked my bank, they see nothing at their end and sent me back to you.",
            "I can log in fine and everything else works, it is only this that is open.",
            "I tried again just now, same result.",
            "My phone number has not changed and I did not click any links.", "Yes, that was me.",
            "Last time you sorted a refund for me within a day, so why does this take so long?",
            "It is not the password, I know that one by heart.",
            "My wife's top-ups and withdrawals work, so it must be my side.",
        ),
        "again": (
            "I wrote some days ago and got no answer:", "Sending this once more in case it got lost.",
            "As I said before:",
        ),
        "subjects": ("Question", "Help needed", "Problem", "Urgent", "Support request"),
        "seconds": ("Second request", "Still waiting", "No reply so far", "Reminder"),
    },
}  # fmt: skip
CHASED = {"complaint", "feedback", "other"}


class Case(NamedTuple):
    """A matter of a customer: what later mails about it need."""

    number: int
    sender: str
    language: str
    subject: str
    words: str
    kind: str
    ids: list[str]


class Mail(NamedTuple):
    """A mail of the corpus: what it is (new, reply, again, follow-up), of which case, and what it is exported as."""

    what: str
    case: int
    body: bytes
    key: str


class Corpus:
    """`size` mails, the same for the same seed."""

    def __init__(self, size: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.at = datetime(2026, 3, 2, 1, tzinfo=UTC)
        self.matters = _matters()
        self.mails: list[Mail] = []
        self.cases: list[Case] = []
        for _ in range(size):
            self.at += timedelta(seconds=self.chance.randint(20, 300))
            dice = self.chance.random()
            if dice < 0.60 or len(self.cases) < 10:
                self._new()
            elif dice < 0.85:
                self._reply(self.chance.choice(self.cases[-400:]))
            elif dice < 0.95:
                self.mails.append(self.chance.choice(self.mails[-500:])._replace(what="again"))
            else:
                self._follow_up()

    def _pick(self, language: str, name: str) -> str:
        return self.chance.choice(WORDS[language][name])

    def _new(self) -> None:
        language = "zh" if self.chance.random() < 0.34 else "en"
        kind, words = self.chance.choice(self.matters[language])
        number = len(self.cases)
        sender = f"c{number}@mail{number % 7}.example"
        if self.chance.random() < 0.25 and self.cases:  # a customer who has other matters
            other = self.chance.choice(self.cases[-200:])
            sender, had = other.sender, {c.kind for c in self.cases if c.sender == other.sender}
            left = [(k, w) for k, w in self.matters[language] if k not in had]
            kind, words = self.chance.choice(left)
        if self.chance.random() < 0.3:
            words += f" TP2026{self.chance.randint(0, 99999999):08d}"
        subject = self._pick(language, "subjects") if self.chance.random() < 0.3 else words[:40]
        case = Case(number, sender, language, subject, words, kind, [])
        more = " ".join(self.chance.sample(WORDS[language]["more"], self.chance.randint(1, 5)))
        text = f"{self._pick(language, 'hello')}{words}\n\n{more}\n\n{self._pick(language, 'bye')}"
        self.cases.append(case)
        self._put("new", case, subject, text)

    def _reply(self, case: Case) -> None:
        parent = self.chance.choice(case.ids)
        fields = {"In-Reply-To": f"<{parent}>", "References": f"<{parent}>"}
        if self.chance.random() < 0.5:  # it answers the desk, which answered from another program
            fields = {
                "In-Reply-To": f"<d{len(self.mails)}@desk.example>",
                "References": f"<{parent}> <d{len(self.mails)}@desk.example>",
            }
        own = self._pick(case.language, "chase" if self.chance.random() < 0.4 else "reply")
        intro = (
            "在 2026年3月3日，客服 写道：" if case.language == "zh" else "On Tue, 3 Mar 2026 at 10:00, Support wrote:"
        )
        text = f"{own}\n\n{self._pick(case.language, 'bye')}\n\n{intro}\n> {case.words}\n> 您好 / Hello"
        self._put("reply", case, f"{'回复：' if case.language == 'zh' else 'Re: '}{case.subject}", text, **fields)

    def _follow_up(self) -> None:
        """A customer without a second matter writes again, about the same, in a mail of its own."""
        senders = [c.sender for c in self.cases]
        single = [c for c in self.cases[-300:] if senders.count(c.sender) == 1 and c.kind not in CHASED]
        case = self.chance.choice(single)
        chase = self._pick(case.language, "chase")
        text = self.chance.choice(
            (chase, f"{self._pick(case.language, 'again')}\n{case.words}", f"{case.words}\n{chase}")
        )
        again = (case.subject, f"Re: {case.subject}", self._pick(case.language, "seconds"), "")
        self._put("follow-up", case, self.chance.choice(again), f"{text}\n\n{self._pick(case.language, 'bye')}")

    def _put(self, what: str, case: Case, subject: str, text: str, **fields: str) -> None:
        own = f"{len(self.mails)}.{self.chance.getrandbits(48):x}@{case.sender.partition('@')[2]}"
        mail = EmailMessage(policy=SMTP)
        mail["Received"] = f"from relay.example by mx.example.com; {format_datetime(self.at)}"
        mail["From"], mail["To"], mail["Subject"] = case.sender, "support@example.com", " ".join(subject.split())
        mail["Date"], mail["Message-ID"] = format_datetime(self.at), f"<{own}>"
        for name, value in fields.items():
            mail[name] = value
        mail.set_content(text)
        if self.chance.random() < 0.1:
            mail.add_attachment(self.chance.randbytes(900), maintype="image", subtype="png", filename="截图.png")
        if what != "follow-up":
            case.ids.append(own)
        self.mails.append(Mail(what, case.number, mail.as_bytes(), own))


def _matters() -> dict[str, list[tuple[str, str]]]:
    """Customers' words with their issue type, by language."""
    found: dict[str, list[tuple[str, str]]] = {"zh": [], "en": []}
    kinds = json.loads((DATA / "banking77_map.json").read_text("utf-8"))
    kinds = kinds.get("map", kinds)
    for name in ("tagging_fresh_1", "tagging_fresh_2", "tagging_fresh_3", "tagging_fresh_4", "train_en"):
        for line in (DATA / f"{name}.jsonl").read_text("utf-8").splitlines():
            row = json.loads(line)
            kind = kinds[row["label"]] if name == "train_en" else row["label"]
            language = "en" if row["text"].isascii() else "zh"
            if kind not in CHASED and row.get("lang") != "zh-Hant":
                found[language].append((kind, row["text"]))
    return found


class Figures(NamedTuple):
    """What went wrong, of how many."""

    again_stored: int
    again: int
    misplaced: list[str]
    replies: int
    apart: list[str]
    follow_ups: int
    merged: list[str]
    new: int


def measure(corpus: Corpus, folder: Path, run: Callable[..., list[dict[str, Any]]]) -> Figures:
    """Ingest the corpus and compare where its mails are with where they belong."""
    path = folder / "week.mbox"
    box = mailbox.mbox(path)
    for mail in corpus.mails:
        box.add(mail.body)
    box.close()
    [summary] = run("ingest", "--channel", "support-mail", str(path))
    assert (summary["read"], summary["invalid"], summary["dead"]) == (len(corpus.mails), 0, 0)
    rows = {row["external_id"]: row for row in run("export", "messages")}
    wrong: dict[str, list[str]] = {"new": [], "reply": [], "follow-up": []}
    count = dict.fromkeys(("new", "reply", "follow-up", "again"), 0)
    place_of: dict[int, int] = {}
    taken: set[int] = set()
    for mail in corpus.mails:
        count[mail.what] += 1
        if mail.what == "again":
            continue
        row = rows[mail.key]
        at = row["conversation"]
        right = at not in taken if mail.what == "new" else at == place_of[mail.case]
        if mail.what == "new":
            place_of[mail.case] = at
        taken.add(at)
        if not right:
            case = corpus.cases[mail.case]
            wrong[mail.what].append(
                f"{row['class']} {row['subject']!r}: {row['text'][:160]!r} ({case.kind}: {case.words})"
            )
    stored_twice = len(rows) - len({mail.key for mail in corpus.mails}) + count["again"] - summary["redelivered"]
    return Figures(
        stored_twice, count["again"], wrong["reply"], count["reply"], wrong["follow-up"], count["follow-up"],
        wrong["new"], count["new"],
    )  # fmt: skip


def hold(found: Figures) -> None:
    """The bars."""
    assert found.again_stored == 0
    assert found.again > 0.07 * found.new
    assert found.misplaced == []
    assert len(found.apart) <= 0.05 * found.follow_ups, found.apart
    assert len(found.merged) <= 0.02 * found.new, found.merged


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[dict[str, Any]]]:
    """`run("export", "messages")`: the JSON lines that the command prints, on a desk in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMNIROUTER_CONFIG", raising=False)

    def ran(*words: str) -> list[dict[str, Any]]:
        capsys.readouterr()
        assert cli.main(list(words)) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return ran


def test_a_week_of_mails(tmp_path: Path, run: Callable[..., list[dict[str, Any]]]) -> None:
    """600 mails: no redelivery is stored, no reply misplaced, nearly every follow-up joined, hardly a case merged."""
    hold(measure(Corpus(600, seed=1), tmp_path, run))


@pytest.mark.soak
@pytest.mark.parametrize("seed", [2, 3])
def test_a_busy_week_of_mails(tmp_path: Path, run: Callable[..., list[dict[str, Any]]], seed: int) -> None:
    """2,000 mails."""
    hold(measure(Corpus(2_000, seed=seed), tmp_path, run))
