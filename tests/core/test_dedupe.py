"""A redelivery is told from a resend by its id and content."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from router.known import Known
from router.match.dedupe import content_digest, seen
from router.model import Attachment, KnownMessage, Redelivery, Sender


def digest(message: Any) -> str:
    return content_digest(message, message.subject, message.text)


def test_the_time_of_delivery_is_no_content(say: Any) -> None:
    """The same message delivered an hour later, through another path, has the same digest."""
    one = say("转账2000没到账")
    later = msgspec.structs.replace(one, sent_at=one.sent_at + timedelta(hours=1), references=("x@y",))
    assert digest(one) == digest(later)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "转账2001没到账"},
        {"subject": "急"},
        {"sender": Sender(handle="W2")},
        {"attachments": (Attachment(name="a.png", sha256="ab" * 32),)},
    ],
)
def test_what_the_sender_wrote_and_attached_is_content(say: Any, change: dict[str, Any]) -> None:
    """Another text, subject, sender or file is other content."""
    one = say("转账2000没到账")
    assert digest(one) != digest(msgspec.structs.replace(one, **change))


def test_a_link_that_is_signed_anew_is_the_same_file(say: Any) -> None:
    """Providers sign the address of a file at each delivery, so the address is no content."""
    one = say("看图", attachments=(Attachment(name="a.png", url="https://files.test/a?sig=1", size=9),))
    two = say("看图", attachments=(Attachment(name="a.png", url="https://files.test/a?sig=2", size=9),))
    assert digest(one) == digest(two)


def test_parts_do_not_run_into_each_other(say: Any) -> None:
    """A word that moves from the subject to the text is other content."""
    assert content_digest(say("b"), "a", "b") != content_digest(say("b"), "", "a b")


def known_with(message: Any, of: str) -> Known:
    known = Known(number=9)
    known.messages[message.key] = KnownMessage(number=3, conversation=3, contact=3, thread=3, digest=of)
    return known


def test_equal_content_under_a_known_id_is_a_redelivery(say: Any) -> None:
    """The stored message is named, and no id is changed."""
    message = say("在吗", id="m1")
    found = seen(message, digest(message), known_with(message, digest(message)))
    assert found.before is not None
    assert (found.before.number, found.key, found.id_reused) == (3, message.key, False)


def test_other_content_under_a_known_id_is_kept_under_a_longer_one(say: Any) -> None:
    """A provider that reuses ids loses nobody's message: it is stored with eight digits of its digest."""
    message = say("在吗", id="m1")
    found = seen(message, "f" * 64, known_with(message, "0" * 64))
    assert found.before is None
    assert found.id_reused
    assert found.message.external_id == "m1~ffffffff"
    assert found.key == found.message.key


def test_a_reused_id_is_redelivered_too(world: Any, say: Any) -> None:
    """Both messages of one id may come twice; neither is stored twice."""
    first, other = say("提现1200审核中", id="m1"), say("建行卡绑不上", 1, id="m1")
    placed = [world.place(first), world.place(other)]
    assert "id_reused" in placed[1].flags
    again = [world.decide(first), world.decide(other)]
    assert [d.number for d in again if isinstance(d, Redelivery)] == [placed[0].number, placed[1].number]


def test_two_chats_may_number_their_messages_alike(world: Any, say: Any) -> None:
    """Provider ids are unique in one chat only."""
    one = world.place(say("提现1200一直审核", id="7", who="W1"))
    two = world.place(say("提现1200一直审核", id="7", who="W2"))
    assert one.conversation.number != two.conversation.number


def test_the_same_mail_in_two_mailboxes_is_one_message(world: Any, post: Any) -> None:
    """One Message-ID, two mailboxes: a redelivery that names the second channel."""
    world.place(post("卡绑不上", id="a@b"))
    again = world.decide(post("卡绑不上", id="a@b", channel="sales-mail"))
    assert isinstance(again, Redelivery)
    assert again.channel == "sales-mail"


def test_an_edit_goes_where_its_message_is(world: Any, say: Any) -> None:
    """A corrected message has an id of its own and restarts nothing."""
    first = world.place(say("转账200没到账", id="m1"))
    edit = world.place(say("转账2000没到账", 5, id="m1-edit", edits="m1"))
    assert edit.conversation.number == first.conversation.number
    assert edit.conversation.waiting_since == first.conversation.waiting_since
    assert edit.conversation.chases == 0


def test_an_edit_may_come_before_its_message(world: Any, say: Any) -> None:
    """Whichever comes first, both end in one conversation."""
    edit = world.place(say("转账2000没到账,单号发错了", 5, id="m1-edit", edits="m1"))
    first = world.place(say("建行卡绑不上", 0, id="m1"))
    assert edit.conversation.number == first.conversation.number
