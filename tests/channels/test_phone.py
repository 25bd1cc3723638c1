"""The telephone: missed calls, voicemails, text messages and call summaries come in; nothing written goes out.

Forms are those of Twilio's documentation ("Status callbacks", "<Record>", "TwiML for messaging", "STIR/SHAKEN").
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.kit import signature as kit_signature
from adapters.phone.channel import Phone, adapter
from router.errors import BadSettings, InvalidPayload, SendRejected
from router.errors import Refused as NotPossible
from router.model import Authenticity, Direction, Message
from router.ports import Accepted, Channel, Raw, Refused, Reply, Request
from router.testing import RouteContract

NOW = datetime(2026, 1, 1, tzinfo=UTC)
URL = "https://support.example.com/channels/hotline"
SECRETS = {
    "PHONE_TOKEN": "0123456789abcdef",
    "PHONE_OLD": "fedcba9876543210",
    "PHONE_SECRET": "whsec_" + base64.b64encode(b"secret-of-the-switchboard").decode(),
}
CALL = {"CallSid": "CA1", "From": "+8613800000000", "To": "+861065529988", "Direction": "inbound"}
MISSED: dict[str, Any] = {
    "call": "missed",
    "id": "c-1",
    "at": "2026-03-01T12:00:00+08:00",
    "number": "+86 138 0000 0000",
}


def form(fields: dict[str, str], token: str = SECRETS["PHONE_TOKEN"], url: str = URL) -> Request:
    """A form as Twilio signs it."""
    text = url + "".join(name + value for name, value in sorted(fields.items()))
    signature = base64.b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}
    body = urlencode(fields).encode()
    return Request(method="POST", url="/channels/hotline", headers=headers, query={}, body=body)


def events(*calls: dict[str, Any], secret: str = SECRETS["PHONE_SECRET"]) -> Request:
    """Call events as a switchboard signs them."""
    body = json.dumps(list(calls), ensure_ascii=False).encode()
    headers = kit_signature.sign_standard([secret], "evt_1", body, NOW)
    return Request(method="POST", url="/channels/hotline", headers=headers, query={}, body=body)


class TestContract(RouteContract):
    """The phone adapter keeps the port's promise."""

    adapter = Phone
    settings = {
        "auth_tokens": ["env:PHONE_TOKEN", "env:PHONE_OLD"],
        "secrets": ["env:PHONE_SECRET"],
        "public_url": URL,
        "region": "CN",
    }
    secrets = SECRETS
    verifying = ("PHONE_TOKEN", "PHONE_OLD")
    foreign = "a-strangers-token"
    raws = (
        Raw(channel="hotline", body=urlencode({**CALL, "CallStatus": "no-answer"}).encode(), received_at=NOW),
        Raw(channel="hotline", body=json.dumps([MISSED, {**MISSED, "id": "c-2"}]).encode(), received_at=NOW),
    )

    def request(self, secret: str) -> Request:
        """A genuine form."""
        return form({**CALL, "CallStatus": "no-answer"}, secret)


@pytest.fixture
def hotline(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Phone]:
    """`hotline(public_url="…", web="…")`: the adapter on a channel with its secrets set; `web` is `[web]`'s address."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    async def recall(key: str) -> str | None:
        return None

    async def remember(key: str, value: str) -> None:
        return None

    def build(web: str = "", **settings: Any) -> Phone:
        table = Phone.Settings.model_validate({**TestContract.settings, **settings})
        return Phone(
            Channel(name="hotline", settings=table, recall=recall, remember=remember, public_url=web, now=lambda: NOW)
        )

    return build


def read(hotline: Callable[..., Phone], body: bytes) -> list[Message]:
    """The messages of a raw."""
    messages = hotline().translate(Raw(channel="hotline", body=body, received_at=NOW))
    return [message for message in messages if isinstance(message, Message)]


# ── Twilio ──


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"CallStatus": "no-answer"},
            {"kind": "missed_call", "external_id": "CA1:no-answer", "automatic": False, "text": "", "subject": ""},
        ),
        ({"CallStatus": "busy"}, {"kind": "missed_call"}),
        ({"CallStatus": "in-progress", "DialCallStatus": "no-answer"}, {"kind": "missed_call"}),
        ({"CallStatus": "completed", "QueueResult": "hangup"}, {"kind": "missed_call", "external_id": "CA1:hangup"}),
        (
            {"CallStatus": "completed", "RecordingSid": "RE1", "RecordingUrl": "https://api.example/RE1"},
            {"kind": "voicemail", "external_id": "RE1", "automatic": False, "text": ""},
        ),
        (
            {"TranscriptionSid": "TR1", "TranscriptionText": "我的转账没到账", "RecordingSid": "RE1"},
            {"kind": "voicemail", "text": "我的转账没到账", "external_id": "TR1", "in_reply_to": "RE1", "edits": ""},
        ),
        (
            {"MessageSid": "SM1", "Body": "订单没到账", "NumMedia": "0", "SmsStatus": "received"},
            {"kind": "text", "text": "订单没到账", "external_id": "SM1"},
        ),
        ({"CallStatus": "holographic"}, {"kind": "unknown", "automatic": True}),
        ({}, {"kind": "unknown", "automatic": True}),
    ],
)  # fmt: skip
def test_every_form_is_told_apart(
    fields: dict[str, str], expected: dict[str, Any], hotline: Callable[..., Phone]
) -> None:
    """Missed calls, voicemails and text messages ask for an answer; what nobody knows is kept as unknown."""
    (message,) = read(hotline, urlencode({**CALL, **fields}).encode())
    assert {name: getattr(message, name) for name in expected} == expected
    assert (message.sender.handle, message.thread, message.direction) == ("+8613800000000",) * 2 + (Direction.IN,)


@pytest.mark.parametrize(
    "fields",
    [
        {"CallStatus": "ringing"},
        {"CallStatus": "in-progress"},
        {"CallStatus": "completed", "CallDuration": "63"},
        {"CallStatus": "completed", "DialCallStatus": "completed"},
        {"MessageSid": "SM1", "MessageStatus": "delivered"},
        {"CallStatus": "completed", "Direction": "outbound-dial", "From": "+8613800000000", "To": "+8613911111111"},
    ],
)
def test_passing_states_are_no_messages(fields: dict[str, str], hotline: Callable[..., Phone]) -> None:
    """Ringing, answered, delivered, and the leg to an agent's own telephone are kept in the raw only."""
    assert read(hotline, urlencode({**CALL, **fields}).encode()) == []


def test_a_shown_number_is_claimed_until_the_carrier_attests_it(hotline: Callable[..., Phone]) -> None:
    """A number that is only shown proves nothing; full attestation by the carrier proves it."""
    shown, partly, attested = (
        read(hotline, urlencode({**CALL, "CallStatus": "busy", **extra}).encode())[0]
        for extra in ({}, {"StirVerstat": "TN-Validation-Passed-B"}, {"StirVerstat": "TN-Validation-Passed-A"})
    )
    assert [m.sender.verified for m in (shown, partly, attested)] == [{}, {}, {"phone": "+8613800000000"}]
    assert [m.authenticity for m in (shown, attested)] == [Authenticity.UNKNOWN, Authenticity.PASS]


def test_nameless_callers_are_not_one_person(hotline: Callable[..., Phone]) -> None:
    """Each caller who holds his number back is a caller of his own; a short code is itself."""
    numbers = {"CA1": "anonymous", "CA2": "Anonymous", "CA3": "", "CA4": "+266696687", "CA5": "95588"}
    handles = [
        read(hotline, urlencode({**CALL, "CallSid": sid, "From": number, "CallStatus": "busy"}).encode())[0].thread
        for sid, number in numbers.items()
    ]
    assert handles == ["anonymous:CA1", "anonymous:CA2", "anonymous:CA3", "anonymous:CA4", "95588"]


def test_numbers_are_read_as_the_country_writes_them(hotline: Callable[..., Phone]) -> None:
    """With the country in the table a number without its code is the same person's."""
    (message,) = read(hotline, urlencode({**CALL, "From": "138 0000 0000", "CallStatus": "busy"}).encode())
    assert message.sender.handle == "+8613800000000"


def test_the_desks_own_call_is_outgoing(hotline: Callable[..., Phone]) -> None:
    """A call that the desk placed belongs to the customer's thread and answers nothing by itself."""
    fields = {
        **CALL,
        "Direction": "outbound-api",
        "From": "+861065529988",
        "To": "+8613800000000",
        "CallStatus": "no-answer",
    }
    (message,) = read(hotline, urlencode(fields).encode())
    assert (message.direction, message.automatic, message.sender.handle) == (Direction.OUT, True, "+8613800000000")


def test_times_and_pictures_are_taken_over(hotline: Callable[..., Phone]) -> None:
    """The provider's time is the message's; pictures of a text message are recorded by link."""
    fields = {
        **CALL, "MessageSid": "MM1", "Body": "", "NumMedia": "1", "MediaUrl0": "https://api.example/M/1",
        "MediaContentType0": "image/jpeg", "Timestamp": "Wed, 31 Dec 2025 23:59:00 +0000",
    }  # fmt: skip
    (message,) = read(hotline, urlencode(fields).encode())
    assert message.sent_at == datetime(2025, 12, 31, 23, 59, tzinfo=UTC)
    assert [(a.type, a.url) for a in message.attachments] == [("image/jpeg", "https://api.example/M/1")]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "neither call events in JSON nor a form"),
        (b"hello=world", "neither call events in JSON nor a form"),
        (
            urlencode({"CallSid": "CA1", "RecordingSid": "RE1", "RecordingUrl": "https://a.example"}).encode(),
            "no caller",
        ),
        (b"a=1&" * 1001, "1,000 form fields"),
    ],
)
def test_what_cannot_be_read_is_told(body: bytes, told: str, hotline: Callable[..., Phone]) -> None:
    """A form that names no caller or no call is invalid, with what to set at the provider."""
    with pytest.raises(InvalidPayload, match=told):
        read(hotline, body)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "CallSid",
                "MessageSid",
                "From",
                "To",
                "Body",
                "CallStatus",
                "Direction",
                "Timestamp",
                "RecordingUrl",
                "MediaUrl0",
                "TranscriptionText",
            ]
        ),
        st.text(max_size=12),
    )
)
def test_any_form_is_a_message_or_one_sentence(fields: dict[str, str]) -> None:
    """Whatever the fields hold, there is a message with an id and a handle, or a sentence."""
    raw = Raw(channel="hotline", body=urlencode(fields, errors="surrogatepass").encode(), received_at=NOW)
    table = Phone.Settings.model_validate(TestContract.settings)
    phone = Phone(Channel(name="hotline", settings=table, recall=_none, remember=_nothing, now=lambda: NOW))
    try:
        told = [m.external_id and m.sender.handle for m in phone.translate(raw) if isinstance(m, Message)]
    except InvalidPayload as error:
        told = [error.reason]
    assert all(told)


async def _none(key: str) -> str | None:
    return None


async def _nothing(key: str, value: str) -> None:
    return None


# ── call events ──


def test_call_events_become_messages(hotline: Callable[..., Phone]) -> None:
    """A missed call and a voicemail are the customer's; the agent's summary is a human's answer in the same thread."""
    voicemail = {
        **MISSED,
        "call": "voicemail",
        "id": "c-2",
        "text": "转账没到账",
        "recording": "https://a.example/r.wav",
    }
    summary = {**MISSED, "call": "summary", "id": "c-3", "text": "已为客户核实", "agent": "li", "name": "陈先生"}
    taken = hotline().receive(events(MISSED, voicemail, summary), NOW)
    assert isinstance(taken, Accepted)
    assert (taken.answer.status, json.loads(taken.answer.body), taken.raws[0].transport_id) == (
        202,
        {"accepted": 3},
        "evt_1",
    )
    missed, heard, told = read(hotline, taken.raws[0].body)
    assert {m.thread for m in (missed, heard, told)} == {"+8613800000000"}
    assert (missed.kind, missed.text, missed.direction) == ("missed_call", "", Direction.IN)
    assert (heard.kind, heard.text, heard.attachments[0].url) == ("voicemail", "转账没到账", "https://a.example/r.wav")
    assert (told.direction, told.automatic, told.agent, told.text) == (Direction.OUT, False, "li", "已为客户核实")
    assert [m.sender.verified for m in (missed, heard, told)] == [{}, {}, {}]


@pytest.mark.parametrize(
    ("call", "verified"),
    [
        ({"attested": True}, {"phone": "+8613800000000"}),
        ({"verified": True}, {}),
        ({"account": "W2388693"}, {}),
        ({"call": "summary", "text": "x", "verified": True}, {"phone": "+8613800000000"}),
        ({"call": "summary", "text": "x", "verified": True, "account": "W2388693"},
         {"phone": "+8613800000000", "account": "W2388693"}),
        ({"call": "summary", "text": "x", "account": "W2388693"}, {}),
        ({"number": "anonymous", "attested": True}, {}),
        ({"number": None, "call": "summary", "text": "x", "verified": True}, {}),
    ],
)  # fmt: skip
def test_only_carriers_and_agents_prove_a_caller(
    call: dict[str, Any], verified: dict[str, str], hotline: Callable[..., Phone]
) -> None:
    """A number counts as proved when the carrier attests it or the agent's summary says so, and never otherwise."""
    (message,) = read(hotline, json.dumps({**MISSED, **call}).encode())
    assert message.sender.verified == verified
    assert message.authenticity is (Authenticity.PASS if verified else Authenticity.UNKNOWN)


def test_mistakes_of_call_events_are_told(hotline: Callable[..., Phone]) -> None:
    """Every event with a mistake is told with its place, and the raw is kept as invalid."""
    wrong = [{**MISSED, "call": "dropped"}, MISSED, {**MISSED, "call": "summary"}, {**MISSED, "at": "noon"}]
    refused = hotline().receive(events(*wrong), NOW)
    assert isinstance(refused, Refused)
    told = json.loads(refused.answer.body)["mistakes"]
    assert [(m["index"], m["path"]) for m in told] == [(0, "call"), (2, "text"), (3, "at")]
    assert "missed, voicemail or summary" in told[0]["mistake"]
    assert refused.invalid is not None
    with pytest.raises(InvalidPayload, match="summary would be right"):
        read(hotline, refused.invalid.body)


# ── signatures and addresses ──


@pytest.mark.parametrize(
    ("configured", "web", "signed_url", "taken"),
    [
        (URL, "", URL, True),
        ("https://support.example.com", "", URL, True),
        ("https://support.example.com/", "", URL, True),
        ("", "https://support.example.com", URL, True),
        ("https://other.example.com", "https://support.example.com", URL, False),
        (["https://old.example.com/twilio", URL], "", "https://old.example.com/twilio", True),
        ("", "", URL, False),
    ],
)
def test_the_address_is_the_configured_one(
    configured: Any, web: str, signed_url: str, taken: bool, hotline: Callable[..., Phone]
) -> None:
    """The signed address is the channel's, or the desk's own plus the channel's path; never the request's."""
    phone = hotline(web, public_url=configured)
    request = form({**CALL, "CallStatus": "busy"}, url=signed_url)
    assert isinstance(phone.receive(request, NOW), Accepted) is taken


def test_a_piece_that_nobody_guesses_is_part_of_the_address(hotline: Callable[..., Phone]) -> None:
    """With `path` in the table the signed address has it too."""
    phone = hotline(public_url="https://support.example.com", path="/k3J9x")
    fields = {**CALL, "CallStatus": "busy"}
    assert isinstance(phone.receive(form(fields, url=f"{URL}/k3J9x"), NOW), Accepted)
    assert isinstance(phone.receive(form(fields, url=URL), NOW), Refused)
    assert phone.routes[0].path == "/k3J9x"


def test_twilio_is_told_to_do_nothing(hotline: Callable[..., Phone]) -> None:
    """A form is answered with an empty TwiML document, as a call in progress needs."""
    taken = hotline().receive(form({**CALL, "CallStatus": "busy"}), NOW)
    assert isinstance(taken, Accepted)
    assert (taken.answer.status, taken.answer.content_type) == (200, "text/xml")
    assert taken.answer.body.endswith(b"<Response/>")


def test_a_strangers_events_are_refused(hotline: Callable[..., Phone]) -> None:
    """Call events signed by a stranger are refused, and one kind of secret never verifies the other's signature."""
    foreign = "whsec_" + base64.b64encode(b"x" * 24).decode()
    assert isinstance(hotline().receive(events(MISSED, secret=foreign), NOW), Refused)
    assert isinstance(hotline(secrets=[]).receive(events(MISSED), NOW), Refused)
    assert isinstance(hotline(auth_tokens=[]).receive(form({**CALL, "CallStatus": "busy"}), NOW), Refused)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({}, "auth_tokens"),
        ({"auth_tokens": ["env:A"], "public_url": "support.example.com"}, "full address"),
        ({"auth_tokens": ["env:A"], "region": "China"}, "CN"),
        ({"auth_tokens": ["12345"]}, "reference"),
    ],
)
def test_mistakes_of_the_table_are_told(table: dict[str, Any], told: str) -> None:
    """What is wrong with the channel's table is said with what would be right."""
    with pytest.raises(ValidationError, match=told):
        Phone.Settings.model_validate(table)


# ── out ──


async def test_a_call_is_answered_by_calling_back(
    hotline: Callable[..., Phone], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A written reply is refused with what to do instead; the check says what is taken, and what is not set."""
    whole = Reply(
        number=1, channel="hotline", to="+86138", text="x", external_id="o", idempotency_key="k", created_at=NOW
    )
    phone = hotline()
    with pytest.raises(SendRejected, match="call back"):
        await phone.send(whole)
    assert URL in await phone.connect()
    with pytest.raises(BadSettings, match="public_url"):
        await hotline(public_url="").connect()
    for name in SECRETS:
        monkeypatch.delenv(name)
    with pytest.raises(BadSettings, match="none of its"):
        await phone.connect()
    with pytest.raises(NotPossible, match="call events"):
        phone.backfill(NOW, None)
    await phone.close()
    assert adapter is Phone
