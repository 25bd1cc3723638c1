"""What of a reply reaches the header of the mail it goes out as?"""

from __future__ import annotations

import email
from datetime import UTC, datetime
from email.policy import compat32
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.email.compose import compose
from router.errors import SendRejected
from router.ports import Reply

#: Vertical tab, form feed, the separators of files, groups and records, and what else ends a line somewhere.
ENDING = "\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029\x00\x07\x1b\x7f\x9b"
FIELDS = {"From", "To", "Subject", "Date", "Message-ID", "References", "In-Reply-To", "MIME-Version", "Content-Type",
          "Content-Transfer-Encoding"}  # fmt: skip


def reply(**more: Any) -> Reply:
    """An answer to a mail."""
    given: dict[str, Any] = {
        "number": 1, "channel": "mail", "to": "chen@example.net", "text": "已收到", "external_id": "a.b@example.com",
        "idempotency_key": "k", "created_at": datetime(2026, 3, 2, 4, tzinfo=UTC), "subject": "Re: help",
    }  # fmt: skip
    return Reply(**{**given, **more})


def head(content: bytes) -> str:
    return content.partition(b"\r\n\r\n")[0].decode("ascii")


@pytest.mark.parametrize("character", ENDING)
def test_no_character_that_ends_a_line_somewhere_reaches_the_header(character: str) -> None:
    """In subject, name and ids of a customer's mail it is a blank or gone, and no field begins behind it."""
    words = f"Re: a{character}Bcc: eve@evil.example"
    sent = reply(
        subject=words, to_name=words, in_reply_to=f"x{character}y@a.example", references=(f"p{character}q@a.example",)
    )
    if character == "\0":
        with pytest.raises(SendRejected):
            compose(sent, "support@example.com")
        return
    content = compose(sent, "support@example.com").content
    assert len(head(content).splitlines()) == head(content).count("\r\n") + 1
    assert character not in head(content)
    mail = email.message_from_bytes(content, policy=compat32)
    assert set(mail.keys()) <= FIELDS
    assert mail["References"] is mail["In-Reply-To"] is None


@given(st.text(st.one_of(st.sampled_from(ENDING.replace("\0", "")), st.characters(codec="utf-8"))))
def test_any_subject_stays_one_field(subject: str) -> None:
    """Whatever a customer's subject holds, the mail has its own fields and no other."""
    try:
        content = compose(reply(subject=subject), "support@example.com").content
    except SendRejected:
        assert any(c in subject for c in "\r\n\0")
        return
    assert set(email.message_from_bytes(content, policy=compat32).keys()) <= FIELDS
    assert not any(c in head(content) for c in "\x0b\x0c\x1c\x1d\x1e\x1f\x7f")
