"""A mail is of whoever wrote it, though a form, a colleague or a friend sent it; and nothing but proof makes it so.

Forms, forwards, people in Cc and colleagues who answer from their own mail program, read by the adapter and decided, in
every order of arrival; and the same forged, which get nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decision.decide import decide
from router.desk import Arrival, Ledger, erase, take_in
from router.desk.acts import conversation as acts
from router.desk.acts import relate
from router.desk.acts.recipients import Recipients, recipients
from router.errors import Misasked, Refused
from router.known import Known
from router.model import Direction, Placement
from router.policy.load import from_text
from router.policy.values import Policy
from router.ports import Raw
from router.store import outbox
from router.store.read import queries
from workers.daemon.channels import Channels

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)
CONFIGURATION = """
[desk]
name = "Wallet"
timezone = "Asia/Shanghai"
database = "sqlite:///{folder}/desk.db"
domains = ["wallet.example"]

[channels.support-mail]
adapter = "email"
address = "support@wallet.example"
trusted_authserv_id = "mx.wallet.example"
form_senders = ["forms@wallet.example", "forms@survey.example"]

[[queues]]
name = "general"

[[agents]]
name = "ann"
mail = "ann@wallet.example"

[defaults]
queue = "general"

[[deadlines]]
name = "all"
hours = "calendar"
first_reply = "8h"
next_reply = "8h"
"""


class Letter(NamedTuple):
    """A mail: who sends it, at which minute, its words, what our own mail server says of it, other fields."""

    sender: str
    minute: int
    words: str
    verdict: str = "pass"
    fields: tuple[tuple[str, str], ...] = ()

    def raw(self) -> Raw:
        at = MONDAY + timedelta(minutes=self.minute)
        lines = {
            **({"Authentication-Results": f"mx.wallet.example; dmarc={self.verdict}"} if self.verdict else {}),
            "Received": f"from out.example by mx.wallet.example; {format_datetime(at)}",
            "From": self.sender,
            "To": "support@wallet.example",
            "Subject": "Question",
            "Message-ID": f"<{self.minute}.{self.sender.partition('@')[0].rpartition('<')[2]}@mail.example>",
            "Content-Type": "text/plain; charset=utf-8",
            **{name.replace("_", "-"): value for name, value in self.fields},
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return Raw(channel="support-mail", body=f"{head}\r\n{self.words}".encode(), received_at=at)


def letter(sender: str, minute: int, words: str, verdict: str = "pass", **fields: str) -> Letter:
    return Letter(sender, minute, words, verdict, tuple(fields.items()))


class Office:
    """The decision over mails as the adapter reads them, and the ledger for what is answered."""

    def __init__(self, policy: Policy) -> None:
        self.store = Ledger.open(policy)
        self.policy = policy
        self.channels = Channels(policy, self.store.database, now=lambda: MONDAY)
        self.at = MONDAY + timedelta(days=1)

    def decided(self, letters: Sequence[Letter]) -> list[Placement]:
        """What becomes of these mails, in the order given, without any database."""
        known, found = Known.empty(), []
        for one in letters:
            [message] = self.channels.translate(one.raw())
            placed = decide(message, known, self.policy, self.at)
            assert isinstance(placed, Placement), placed
            known.absorb(placed.message, placed)
            found.append(placed)
        return found

    def read(self, one: Letter) -> Placement:
        """Take a mail into the ledger."""
        [message] = self.channels.translate(one.raw())
        [placed] = take_in(self.store, [Arrival(what=message, received_at=self.at)], self.at)
        assert isinstance(placed, Placement), placed
        return placed

    def answer(self, number: int, **more: Any) -> dict[str, Any]:
        """Answer; whom it goes to, as the outbox has it."""
        own = acts.reply(self.store, number, "we are on it", agent="ann", now=self.at, force=True, **more)
        return outbox.addressed(self.store, [own])[own]

    def whom(self, number: int) -> Recipients:
        with self.store.database.read() as tx:
            return recipients(tx, queries.conversation(tx, number))


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    folder = tmp_path_factory.mktemp("whose")
    return from_text(CONFIGURATION.format(folder=folder), folder=Path(folder))


@pytest.fixture(scope="module")
def bench(policy: Policy) -> Iterator[Office]:
    """For what needs no ledger."""
    opened = Office(policy)
    yield opened
    opened.store.close()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A desk of its own."""
    opened = Office(from_text(CONFIGURATION.format(folder=tmp_path), folder=tmp_path))
    yield opened
    opened.store.close()


def together(office: Office, letters: Sequence[Letter]) -> set[frozenset[int]]:
    """Which mails, by their minute, share a conversation."""
    by: dict[int, set[int]] = {}
    for one, placed in zip(letters, office.decided(letters), strict=True):
        by.setdefault(placed.conversation.number, set()).add(one.minute)
    return {frozenset(minutes) for minutes in by.values()}


FORM = "Wallet Website <noreply@wallet.example>"
FORMS = (
    letter(FORM, 0, "姓名: 王丽\n我提现 3200 元没有到账,订单 TX77120031。", Reply_To="Wang Li <wangli@mail.example>"),
    letter(FORM, 20, "姓名: 赵敏\n提现一直没有到账,昨天申请的。", Reply_To="Zhao Min <zhaomin@post.example>"),
    letter("Wang Li <wangli@mail.example>", 90, "订单 TX77120031 还没有到账", Subject="提现"),
)
QUOTED = "-----原始邮件-----\n发件人: {0} <{1}>\n发送时间: 2026年3月2日\n收件人: ma@wallet.example\n主题: 提现\n\n{2}"
FORWARDS = (
    letter("Ma <ma@wallet.example>", 0, QUOTED.format("邓先生", "deng@mail.example", "提现 900 元失败,单号 TX90012233"),
           Subject="转发: 提现失败"),
    letter("Ma <ma@wallet.example>", 20, QUOTED.format("黄女士", "huang@post.example", "提现一直没有到账,钱也没退"),
           Subject="转发: 提现失败"),
    letter("邓先生 <deng@mail.example>", 90, "还没有人回复,提现 900 元失败,单号 TX90012233", Subject="提现失败"),
)  # fmt: skip
COPIES = "<0.an@mail.example>"
COPIED = (
    letter("An <an@corp.example>", 0, "Our batch payout TXB77001 is stuck since Friday.",
           Cc="Bo <bo@corp.example>, Cy <cy@corp.example>", Subject="Batch payout stuck"),
    letter("Bo <bo@corp.example>", 10, "The file name was payout-0227.csv, please look at line 40.",
           Cc="An <an@corp.example>, Cy <cy@corp.example>", Subject="Re: Batch payout stuck", References=COPIES),
    letter("Cy <cy@corp.example>", 25, "Any update on this?",
           Cc="An <an@corp.example>, Bo <bo@corp.example>", Subject="Re: Batch payout stuck", In_Reply_To=COPIES),
)  # fmt: skip
LOST, ANSWER = "<0.ge@mail.example>", "<30.ann@mail.example>"
COLLEAGUE = (
    letter("Ge <ge@mail.example>", 0, "I lost my card, please block it.", Subject="Card lost"),
    letter("Ann <ann@wallet.example>", 30, "Done, the card is blocked.\n\n> I lost my card, please block it.",
           To="Ge <ge@mail.example>", Cc="support@wallet.example", Subject="Re: Card lost", In_Reply_To=LOST,
           References=LOST),
    letter("Ge <ge@mail.example>", 40, "Great. Can I get a new one sent to Hangzhou?", To="ann@wallet.example",
           Cc="support@wallet.example", Subject="Re: Card lost", In_Reply_To=ANSWER, References=f"{LOST} {ANSWER}"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        (FORMS, [{0, 90}, {20}]),
        (FORWARDS, [{0, 90}, {20}]),
        (COPIED, [{0, 10, 25}]),
        (COLLEAGUE, [{0, 30, 40}]),
    ],
    ids=["forms", "forwards", "copied", "colleague"],
)
def test_every_order_of_arrival_gives_the_same_conversations(
    bench: Office, letters: tuple[Letter, ...], expected: list[set[int]]
) -> None:
    """A form's customers stay apart, forwards go with whoever wrote them, people in Cc and a colleague's answer are
    one conversation, whichever mail comes first."""
    for order in itertools.permutations(letters):
        assert together(bench, order) == set(map(frozenset, expected)), [one.minute for one in order]


@given(
    order=st.permutations([*FORMS, *(one._replace(minute=one.minute + 200) for one in FORWARDS)]), vouched=st.booleans()
)
def test_nobody_is_put_together_by_who_brought_his_words(bench: Office, order: list[Letter], vouched: bool) -> None:
    """However forms and forwards come, vouched for or not, no conversation holds the words of two customers."""
    letters = [one if vouched else one._replace(verdict="") for one in order]
    customers: dict[int, set[str]] = {}
    for placed in bench.decided(letters):
        whose = placed.message.original or placed.message.sender.handle
        customers.setdefault(placed.conversation.number, set()).add(whose)
    assert [found for found in customers.values() if len(found) > 1] == []


def test_a_form_is_of_whoever_filled_it_in(bench: Office) -> None:
    """Reply-To is the author; he is claimed, so nothing of him is proved."""
    first, second, _ = bench.decided(FORMS)
    assert (first.message.sender.handle, first.message.sender.name) == ("wangli@mail.example", "Wang Li")
    assert (first.message.claimed, first.message.via, first.evidence) == ("form", "noreply@wallet.example", ("form",))
    assert first.contact.verified == {}
    assert second.contact.number != first.contact.number


@pytest.mark.parametrize(
    ("sender", "reply_to", "verdict", "author"),
    [
        ("noreply@shop.example", "Wang <wang@mail.example>", "", "wang@mail.example"),
        ("do-not-reply@shop.example", "wang@mail.example", "pass", "wang@mail.example"),
        ("forms@survey.example", "wang@mail.example", "", "wang@mail.example"),
        ("website@wallet.example", "wang@mail.example", "", "wang@mail.example"),
        ("website@wallet.example", "wang@mail.example", "fail", "website@wallet.example"),
        ("website@wallet.example", "support@wallet.example", "", "website@wallet.example"),
        ("website@wallet.example", '"Jane Doe"', "", "website@wallet.example"),
        ("website@wallet.example", "a@mail.example, b@mail.example", "", "website@wallet.example"),
        ("Ann <ann@wallet.example>", "m@evil.example", "", "ann@wallet.example"),
        ("chen@mail.example", "m@evil.example", "pass", "chen@mail.example"),
        ("chen@mail.example", "m@evil.example", "", "chen@mail.example"),
    ],
)
def test_whose_reply_to_counts(bench: Office, sender: str, reply_to: str, verdict: str, author: str) -> None:
    """Only where From takes no answers, is a form's or the house's, and Reply-To names one person who is not the desk;
    a customer's own Reply-To makes nobody else the author."""
    [placed] = bench.decided([letter(sender, 0, "my card was charged twice", verdict, Reply_To=reply_to)])
    assert placed.message.sender.handle == author


def test_a_forward_shows_who_passed_it_on(bench: Office) -> None:
    """The customer's own words are read, the colleague's remark stands above them."""
    text = "麻烦处理\n\n" + QUOTED.format("邓先生", "deng@mail.example", "提现 900 元失败")
    [placed] = bench.decided([letter("ma@wallet.example", 0, text, Subject="转发: 提现失败")])
    assert (placed.message.sender.handle, placed.message.claimed) == ("deng@mail.example", "forward")
    assert placed.message.via == "ma@wallet.example"
    assert placed.own_text == "[麻烦处理]\n\n提现 900 元失败"


def test_a_forward_as_an_attachment_is_the_same(bench: Office) -> None:
    """message/rfc822 is read as an inline forward is."""
    words = (
        "--z\r\nContent-Type: text/plain\r\n\r\nsee below\r\n--z\r\nContent-Type: message/rfc822\r\n\r\n"
        "From: Deng <deng@mail.example>\r\nSubject: withdrawal\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        "提现 900 元失败\r\n--z--\r\n"
    )
    one = letter("ma@wallet.example", 0, words, Content_Type="multipart/mixed; boundary=z", Subject="withdrawal")
    [placed] = bench.decided([one])
    assert (placed.message.sender.handle, placed.message.claimed) == ("deng@mail.example", "forward")
    assert placed.own_text == "[see below]\n\n提现 900 元失败"


@pytest.mark.parametrize(("sender", "verdict"), [("ma@wallet.example", ""), ("ma@wallet.example", "fail"),
                                                  ("friend@other.example", "pass")])  # fmt: skip
def test_a_forward_that_nothing_proves_is_of_whoever_sent_it(bench: Office, sender: str, verdict: str) -> None:
    """The forwarder is the author, and two forwards of his are two matters."""
    letters = [one._replace(sender=sender, verdict=verdict) for one in FORWARDS[:2]]
    first, second = bench.decided(letters)
    assert first.message.sender.handle == second.message.sender.handle == sender
    assert (first.message.claimed, first.message.original) == ("", "deng@mail.example")
    assert first.conversation.number != second.conversation.number


def test_people_in_cc_take_part(bench: Office) -> None:
    """Whoever answers in their thread goes on with it: no claim is rejected, no promise of its own begins; the desk's
    own addresses take no part."""
    first, second, third = bench.decided(COPIED)
    assert first.conversation.copied == ("bo@corp.example", "cy@corp.example")
    for placed in (second, third):
        assert "thread_claim_rejected" not in placed.flags
        assert placed.opened is False
    one = letter("An <an@corp.example>", 0, "help", To="support+x@wallet.example, ann@wallet.example")
    assert bench.decided([one])[0].conversation.copied == ()


@pytest.mark.parametrize("verdict", ["", "fail"])
def test_people_whom_an_unproved_mail_names_are_only_proposed(bench: Office, verdict: str) -> None:
    """They take no part, and their answer stays theirs."""
    first, second = bench.decided([COPIED[0]._replace(verdict=verdict), COPIED[1]])
    assert first.conversation.copied == ()
    assert first.conversation.proposed == ("bo@corp.example", "cy@corp.example")
    assert second.conversation.number != first.conversation.number
    assert "thread_claim_rejected" in second.flags


def test_a_colleagues_answer_is_the_desks(bench: Office) -> None:
    """It stops the clock and is stored with his name; the customer's answer to it waits again."""
    first, answer, again = bench.decided(COLLEAGUE)
    assert (answer.message.direction, answer.message.agent) == (Direction.OUT, "ann")
    assert answer.contact.number == first.contact.number
    assert answer.conversation.waiting_since is None
    assert answer.conversation.next_due is None
    assert again.conversation.waiting_since is not None


@pytest.mark.parametrize(("verdict", "flags"), [("", ()), ("fail", ("sender_unverified",))])
def test_a_claimed_colleague_only_notes(bench: Office, verdict: str, flags: tuple[str, ...]) -> None:
    """Where nobody vouches for him, the customer waits on."""
    first, note = bench.decided([COLLEAGUE[0], COLLEAGUE[1]._replace(verdict=verdict)])
    assert (note.message.direction, note.message.claimed, note.flags) == (Direction.NOTE, "colleague", flags)
    assert note.conversation.waiting_since == first.conversation.waiting_since
    assert note.conversation.next_due == first.conversation.next_due
    assert note.conversation.participants == first.conversation.participants
    assert (note.conversation.copied, note.conversation.proposed) == ((), ())


def test_a_colleague_who_does_not_write_to_the_customer_answers_nobody(bench: Office) -> None:
    """To the desk alone it is a note; and his own matters are those of a customer."""
    fields = {**dict(COLLEAGUE[1].fields), "To": "support@wallet.example", "Cc": "boss@wallet.example"}
    first, note = bench.decided([COLLEAGUE[0], COLLEAGUE[1]._replace(fields=tuple(fields.items()))])
    assert (note.message.direction, note.message.claimed) == (Direction.NOTE, "")
    assert note.conversation.waiting_since == first.conversation.waiting_since
    own = letter("ann@wallet.example", 0, "My own card was charged twice")
    more = letter("ann@wallet.example", 9, "Any news?", In_Reply_To="<0.ann@mail.example>", Subject="Re: Question")
    mine, goes_on = bench.decided([own, more])
    assert (goes_on.message.direction, goes_on.conversation.number) == (Direction.IN, mine.conversation.number)


def test_a_claimed_handle_is_answered_once_confirmed(office: Office) -> None:
    """A form's and a forward's customer get no answer until a person names the handle; then it stands confirmed."""
    for one, handle in ((FORMS[0], "wangli@mail.example"), (FORWARDS[1], "huang@post.example")):
        number = office.read(one).conversation.number
        with pytest.raises(Refused, match=f"add --to {handle}"):
            office.answer(number)
        assert office.whom(number).problem
        assert office.answer(number, to=handle.upper())["to"] == handle
        assert office.answer(number)["to"] == handle


def test_a_form_of_ours_needs_no_confirmation(office: Office) -> None:
    """A configured form sender of the house that our mail server vouches for names whom to answer; another one's
    service, or one nobody vouches for, does not."""
    own = letter("forms@wallet.example", 0, "help with 提现", Reply_To="a@mail.example")
    assert office.answer(office.read(own).conversation.number)["to"] == "a@mail.example"
    for sender, verdict, minute in (("forms@survey.example", "pass", 1), ("forms@wallet.example", "", 2)):
        other = letter(sender, minute, "help with 提现", verdict, Reply_To=f"b{minute}@mail.example")
        number = office.read(other).conversation.number
        with pytest.raises(Refused, match="only a form"):
            office.answer(number)


def test_who_writes_himself_and_is_vouched_for_needs_no_confirmation(office: Office) -> None:
    """The customer's own proved mail makes his claimed handle his; an unproved one makes nothing."""
    number = office.read(FORWARDS[0]).conversation.number
    same = office.read(FORWARDS[2]._replace(verdict=""))
    assert same.conversation.number == number
    with pytest.raises(Refused, match="add --to"):
        office.answer(number)
    office.read(letter("邓先生 <deng@mail.example>", 120, "单号 TX90012233 还没有到账"))
    assert office.answer(number)["to"] == "deng@mail.example"


def test_people_who_take_part_stay_in_cc(office: Office) -> None:
    """The answer goes to who wrote last, the others of the thread in Cc; who is proposed is copied when asked for."""
    number = office.read(COPIED[0]).conversation.number
    assert office.answer(number) == {"to": "an@corp.example", "cc": ["bo@corp.example", "cy@corp.example"]}
    office.read(COPIED[1])
    assert office.answer(number) == {"to": "bo@corp.example", "cc": ["cy@corp.example", "an@corp.example"]}
    other = office.read(letter("Di <di@mail.example>", 50, "my card", "", Cc="ed@mail.example")).conversation.number
    assert office.answer(other)["cc"] == []
    assert office.answer(other, cc=["ed@mail.example"])["cc"] == ["ed@mail.example"]
    assert office.answer(other)["cc"] == ["ed@mail.example"]
    with pytest.raises(Misasked, match=r"names m@evil\.example"):
        office.answer(other, cc=["m@evil.example"])


def test_who_got_a_copy_of_our_answer_may_answer_it(office: Office) -> None:
    """The token in our Message-ID was made for another one of the thread: he goes on with it all the same."""
    number = office.read(COPIED[0]).conversation.number
    own = acts.reply(office.store, number, "we are on it", agent="ann", now=office.at)
    ours = next(m["external_id"] for m in queries.messages_of(office.store.database, number) if m["id"] == own)
    late = letter("Cy <cy@corp.example>", 60, "Thanks, but it is still stuck.", In_Reply_To=f"<{ours}>")
    placed = office.read(late)
    assert placed.conversation.number == number
    assert "thread_claim_rejected" not in placed.flags


def test_two_who_wrote_are_not_answered_unnamed(office: Office) -> None:
    """After a merge of two people who write mails, and for a forward that nothing proves, the reply names one."""
    first = office.read(letter("di@mail.example", 0, "my card is lost")).conversation.number
    second = office.read(letter("ed@post.example", 5, "提现失败")).conversation.number
    relate.merge(office.store, first, second, agent="ann", now=office.at)
    with pytest.raises(Refused, match="2 people wrote in C-"):
        office.answer(first)
    assert office.answer(first, to="di@mail.example") == {"to": "di@mail.example", "cc": []}
    with pytest.raises(Misasked, match="right would be one of"):
        office.answer(first, to="m@evil.example")
    forward = office.read(FORWARDS[0]._replace(verdict="", minute=70)).conversation.number
    with pytest.raises(Refused, match="name who is answered"):
        office.answer(forward)
    assert office.answer(forward, to="deng@mail.example")["to"] == "deng@mail.example"


def test_a_reply_to_one_of_two_people_leaves_the_other_waiting(office: Office) -> None:
    """Two people who write mails, made one by a merge: only the wait and the clock of whom was answered end; the
    other is answered by a reply of his own."""
    di = office.read(letter("di@mail.example", 0, "my card is lost"))
    ed = office.read(letter("ed@post.example", 5, "提现失败"))
    first = di.conversation.number
    relate.merge(office.store, first, ed.conversation.number, agent="ann", now=office.at)

    def waits() -> datetime | None:
        with office.store.database.read() as tx:
            return queries.conversation(tx, first).waiting_since

    assert waits() == di.message.sent_at
    office.answer(first, to="di@mail.example")
    assert waits() == ed.message.sent_at
    office.answer(first, to="ed@post.example")
    assert waits() is None


def test_what_is_delivered_again_is_one_message(office: Office, reread: Callable[[Letter], Any]) -> None:
    """A form, a forward and a colleague's mail that arrive twice are known again."""
    for one in (FORMS[0], FORWARDS[0], COLLEAGUE[0], COLLEAGUE[1]):
        number = office.read(one).number
        assert reread(one).number == number


@pytest.fixture
def reread(office: Office) -> Callable[[Letter], Any]:
    """Take a mail in once more."""

    def again(one: Letter) -> Any:
        [message] = office.channels.translate(one.raw())
        [decision] = take_in(office.store, [Arrival(what=message, received_at=office.at)], office.at)
        assert not isinstance(decision, Placement)
        return decision

    return again


def test_who_is_erased_is_named_nowhere(office: Office) -> None:
    """Others' conversations copy no answer to him any more, and no message tells that he brought it."""
    number = office.read(COPIED[0]).conversation.number
    erased = office.read(COPIED[1]).contact.number
    brought = office.read(FORWARDS[0]).conversation.number
    colleague = office.read(letter("ma@wallet.example", 300, "my own card")).contact.number
    for contact in (erased, colleague):
        erase.erase(office.store, contact, office.at, dry_run=False)
    with office.store.database.read() as tx:
        assert queries.conversation(tx, number).copied == ("cy@corp.example",)
    [message] = queries.messages_of(office.store.database, brought)
    assert message["via"] is None
    assert office.answer(number) == {"to": "an@corp.example", "cc": ["cy@corp.example"]}
