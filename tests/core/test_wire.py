"""The wire message of the contract: what is right is taken in full, what is wrong is told so that it can be mended."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import InvalidPayload
from router.model import Authenticity, DeskEvent, Direction, Message
from router.wire.message import message_from_wire, message_to_wire, messages_from_body, read_body

#: The contract's own example.
EXAMPLE: dict[str, Any] = {
    "id": "m-1001",
    "sent_at": "2026-03-01T21:50:00+08:00",
    "sender": {
        "handle": "u-77",
        "name": "陈先生",
        "verified": {"email": "Chen@Example.com", "phone": "+86 138 0000 0000", "account": "W2388693"},
    },
    "text": "转账2000一直没到账",
    "subject": None,
    "html": None,
    "thread": "chat-9",
    "in_reply_to": None,
    "references": [],
    "attachments": [{"name": "shot.png", "type": "image/png", "url": "https://cdn.example/1.png"}],
    "direction": "in",
    "automatic": False,
    "edits": None,
    "channel": "app-chat",
}
LEAST: dict[str, Any] = {"id": "1", "sent_at": "2026-03-01T00:00:00Z", "sender": {"handle": "u"}, "text": "在吗"}

ACT: dict[str, Any] = {"at": "2026-03-01T00:00:00Z", "conversation_of": "1"}


def read(wire: Any, kind: str = "webhook") -> Message:
    """The message of a wire object."""
    message = message_from_wire(wire, channel="app-chat", channel_kind=kind)
    assert isinstance(message, Message)
    return message


def test_the_contracts_example_is_read_in_full() -> None:
    """Every key of the example means what the contract says, and what was proved has one form."""
    message = read(EXAMPLE)
    assert message.key == ("app-chat", "chat-9:m-1001")
    assert message.sent_at == datetime(2026, 3, 1, 13, 50, tzinfo=UTC)
    assert message.sender.name == "陈先生"
    assert message.sender.verified == {"email": "chen@example.com", "phone": "+8613800000000", "account": "W2388693"}
    assert (message.text, message.direction, message.automatic) == ("转账2000一直没到账", Direction.IN, False)
    assert message.attachments[0].url == "https://cdn.example/1.png"
    assert message.authenticity is Authenticity.PASS


def test_an_empty_proof_proves_nothing() -> None:
    """An empty or missing verified value links nobody."""
    sender = {"handle": "u", "verified": {"email": "", "phone": None, "account": "  ", "wechat": "x"}}
    assert read({**LEAST, "sender": sender}).sender.verified == {}


def test_attributes_become_words() -> None:
    """Tier, brand and locale become attributes, whatever their type."""
    sender = {"handle": "u", "attributes": {"tier": "gold", "level": 3, "vip": True, "brand": None, "rate": 0.5}}
    assert read({**LEAST, "sender": sender}).sender.attributes == {
        "tier": "gold", "level": "3", "vip": "true", "rate": "0.5",
    }  # fmt: skip


def test_unknown_keys_and_the_wires_channel_change_nothing() -> None:
    """Keys that nobody knows are overlooked, and no sender chooses another channel than the one he came by."""
    assert read({**LEAST, "mood": {"deep": [1]}, "channel": "other"}) == read(LEAST)


def test_mail_ids_are_bare_and_belong_to_one_realm() -> None:
    """A recorded mail has its bare Message-ID, in the realm of all mail channels; nobody proved its From."""
    mail = read(
        {
            **LEAST,
            "id": "<a@x>",
            "in_reply_to": "<b@x>",
            "references": ["<c@x>", "<b@x>", ""],
            "sender": {"handle": "Li@Example.com"},
        },
        "email",
    )
    assert mail.key == ("mail", "a@x")
    assert (mail.in_reply_to, mail.references) == ("b@x", ("c@x", "b@x"))
    assert (mail.sender.handle, mail.authenticity) == ("li@example.com", Authenticity.UNKNOWN)


def test_of_endless_references_the_first_and_last_are_kept() -> None:
    """A mail with 5,000 references keeps the first twenty and the last twenty."""
    references = read({**LEAST, "references": [f"r{n}" for n in range(5000)]}).references
    assert (len(references), references[0], references[-1]) == (40, "r0", "r4999")


def test_an_inline_file_is_known_by_its_hash() -> None:
    """Content in base64 is decoded, counted and hashed; its name is safe."""
    wire = {"name": "../x.txt", "type": "text/plain", "content": base64.b64encode(b"hello").decode()}
    one = read({**LEAST, "attachments": [wire]}).attachments[0]
    assert (one.name, one.content, one.size, one.sha256[:8]) == ("x.txt", b"hello", 5, "2cf24dba")


@pytest.mark.parametrize(
    ("change", "path", "told"),
    [
        ({"id": None}, "id", "is null; text would be right"),
        ({"id": 1001}, "id", "is a number; text would be right"),
        ({"id": "  "}, "id", "is empty"),
        ({"sent_at": "2026-03-01T21:50:00"}, "sent_at", r"has no offset; .*\+08:00"),
        ({"sent_at": "yesterday"}, "sent_at", "is no time that can be read"),
        ({"sent_at": 1767225600}, "sent_at", r"is a number; a time with its offset"),
        ({"sent_at": "0001-01-01T00:00:00+08:00"}, "sent_at", "1970 to 2199"),
        ({"sent_at": "9999-12-31T23:59:59-08:00"}, "sent_at", "1970 to 2199"),
        ({"sender": "u-77"}, "sender", "is text; an object would be right"),
        ({"sender": {}}, "sender.handle", "is missing"),
        ({"sender": {"handle": ""}}, "sender.handle", "is empty"),
        ({"sender": {"handle": "u", "verified": {"email": "chen"}}}, "sender.verified.email", "no mail address"),
        ({"sender": {"handle": "u", "verified": {"phone": "138"}}}, "sender.verified.phone", "country code"),
        ({"sender": {"handle": "u", "verified": ["x"]}}, "sender.verified", "is a list; an object"),
        ({"sender": {"handle": "u", "attributes": {"tier": [1]}}}, "sender.attributes.tier", "is a list; text, a"),
        ({"sender": {"handle": "u", "attributes": {"a": 1, "b": {}}}}, "sender.attributes.b", "is an object; text"),
        ({"sender": {"handle": "u", "attributes": ["a"]}}, "sender.attributes", "is a list; an object would be right"),
        ({"text": 5}, "text", "is a number; text would be right"),
        ({"text": None}, "text", "one of text, html and attachments"),
        ({"text": "a\ud83d"}, "text", "half a character"),
        ({"text": "x" * 1_048_577}, "text", "at most 1048576"),
        ({"direction": "sideways"}, "direction", "in, out or note"),
        ({"automatic": "no"}, "automatic", "is text; true or false would be right"),
        ({"references": "a b"}, "references", "is text; a list would be right"),
        ({"references": ["a", 2]}, "references[1]", "is a number"),
        ({"attachments": [{"name": "a"}]}, "attachments[0]", "neither url nor content"),
        ({"attachments": [{"url": "javascript:x"}]}, "attachments[0].url", "no link"),
        ({"attachments": [{"content": "***"}]}, "attachments[0].content", "no base64"),
        ({"attachments": [{"content": "A" * 20_000_000}]}, "attachments[0].content", "over 10 MiB"),
        ({"attachments": [{"url": "https://a.example"}] * 101}, "attachments", "at most 100"),
        ({**ACT, "event": "party"}, "event", "status or reply"),
        ({**ACT, "event": "status", "to": "done"}, "to", "open, pending"),
        ({**ACT, "event": "reply", "text": ""}, "text", "words of the reply"),
        ({"event": "status", "at": "2026-03-01T00:00:00Z", "to": "open"}, "conversation_of", "is missing"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(change: dict[str, Any], path: str, told: str) -> None:
    """Each mistake is one sentence: which message, which path, what would be right."""
    with pytest.raises(InvalidPayload, match=told) as caught:
        message_from_wire({**LEAST, **change}, channel="c", channel_kind="webhook", index=3)
    assert (caught.value.index, caught.value.path) == (3, path)
    assert caught.value.reason.startswith(f"Message 3: {path} ")
    assert caught.value.reason.endswith(".")
    assert "\n" not in caught.value.reason


def test_a_list_is_no_message() -> None:
    """What is no object at all is told as such."""
    with pytest.raises(InvalidPayload, match="is a list; an object would be right"):
        message_from_wire([], channel="c", channel_kind="webhook")  # type: ignore[arg-type]


def test_half_a_character_in_a_name_is_told() -> None:
    """A key that no database takes is told like a text that none takes."""
    body = json.dumps([LEAST, {**LEAST, "\ud800": 1}]).encode()
    (mistake,) = read_body(body, channel="c", channel_kind="webhook").mistakes
    assert (mistake.index, "half a character" in mistake.reason) == (1, True)


def test_the_desks_own_acts_come_the_same_way() -> None:
    """A status set elsewhere and a reply given elsewhere are events, not messages."""
    lines = [
        {"event": "status", "at": "2026-03-01T22:10:00+08:00", "conversation_of": "m-1", "to": "solved"},
        {"event": "reply", "at": "2026-03-01T22:11:00+08:00", "conversation_of": "m-1", "text": "好的", "agent": "li"},
    ]
    status, reply = messages_from_body(json.dumps(lines).encode(), channel="c", channel_kind="webhook")
    assert isinstance(status, DeskEvent)
    assert (status.event, status.to, status.conversation_of, status.index) == ("status", "solved", "m-1", 0)
    assert isinstance(reply, DeskEvent)
    assert (reply.event, reply.text, reply.agent, reply.index) == ("reply", "好的", "li", 1)


def test_every_mistake_of_an_array_is_told_and_nothing_is_taken() -> None:
    """Of an array with two mistakes both are told, one a message, and the good ones wait until it is mended."""
    body = json.dumps([LEAST, {**LEAST, "id": 5, "text": 6}, LEAST, {**LEAST, "sent_at": "x"}]).encode()
    reading = read_body(body, channel="c", channel_kind="webhook")
    assert [(m.index, m.path) for m in reading.mistakes] == [(1, "id"), (3, "sent_at")]
    assert reading.messages == ()
    with pytest.raises(InvalidPayload) as caught:
        messages_from_body(body, channel="c", channel_kind="webhook")
    assert (caught.value.index, caught.value.reason.count("\n")) == (1, 1)


def test_a_name_given_twice_is_a_mistake_of_its_message() -> None:
    """Two texts in one message are not silently one; the other message of the array is not blamed."""
    twice = '{"id": "2", "sent_at": "2026-03-01T00:00:00Z", "sender": {"handle": "u"}, "text": "a", "text": "b"}'
    reading = read_body(f"[{json.dumps(LEAST)}, {twice}]".encode(), channel="c", channel_kind="webhook")
    assert [(m.index, m.path) for m in reading.mistakes] == [(1, "text")]


def test_a_thousand_messages_are_one_body() -> None:
    """The largest array is read whole and in order."""
    body = json.dumps([{**LEAST, "id": str(n)} for n in range(1000)]).encode()
    messages = messages_from_body(body, channel="c", channel_kind="webhook")
    assert [m.index for m in messages] == list(range(1000))
    assert messages_from_body(b"[]", channel="c", channel_kind="webhook") == []


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
IDS = st.text(
    st.characters(min_codepoint=33, exclude_categories=["Cs", "Cc", "Z"], exclude_characters="<>"),
    min_size=1,
    max_size=30,
)
WIRES = st.fixed_dictionaries(
    {
        "id": IDS,
        "sent_at": st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)).map(lambda t: t.isoformat() + "+08:00"),  # noqa: DTZ001
        "sender": st.fixed_dictionaries(
            {"handle": IDS}, optional={"name": WORDS, "attributes": st.just({"vip": True})}
        ),
        "text": WORDS.map(lambda text: text + "."),
    },
    optional={
        "subject": WORDS,
        "html": WORDS,
        "thread": IDS,
        "in_reply_to": IDS,
        "edits": IDS,
        "references": st.lists(IDS, max_size=3),
        "direction": st.sampled_from(["in", "out", "note"]),
        "automatic": st.booleans(),
        "agent": WORDS,
        "attachments": st.lists(
            st.fixed_dictionaries(
                {"name": WORDS, "content": st.binary(max_size=9).map(lambda b: base64.b64encode(b).decode())}
            ),
            max_size=2,
        ),
    },
)


@given(WIRES, st.sampled_from(["webhook", "email"]))
def test_writing_and_reading_again_gives_the_same(wire: dict[str, Any], kind: str) -> None:
    """A message written to a file and read back is the same message."""
    message = read(wire, kind)
    assert read(json.loads(json.dumps(message_to_wire(message))), kind) == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(EXAMPLE)), JSON), st.sampled_from(["webhook", "email"]))
def test_any_object_is_a_message_or_one_sentence(wire: dict[str, Any], kind: str) -> None:
    """Whatever stands under the keys of the contract, the answer is a message or a sentence."""
    try:
        message = read({**EXAMPLE, **wire}, kind)
    except InvalidPayload as error:
        told = error.reason
    else:
        told = f"Message 0: {message.external_id}."
    assert told.startswith("Message 0: ")
    assert told.endswith(".")
