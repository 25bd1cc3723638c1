"""The deployment's own chat: signed JSON comes in whole or is told what is wrong, and replies go out signed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from adapters.kit import signature
from adapters.webhook import Webhook, adapter
from router.errors import BadSettings, OutcomeUnknown, SendRejected, SendUnreachable, Throttled
from router.errors import Refused as NotPossible
from router.model import Attachment, Message
from router.ports import Accepted, Raw, Receipt, Refused, Reply, Request
from router.testing import RouteContract

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SECRETS = {
    "CHAT_SECRET": "whsec_" + base64.b64encode(b"present-secret-of-chat-1").decode(),
    "CHAT_OLD": "whsec_" + base64.b64encode(b"previous-secret-of-chat1").decode(),
}
WIRE: dict[str, Any] = {
    "id": "m-1",
    "sent_at": "2026-03-01T21:50:00+08:00",
    "sender": {"handle": "u-77", "verified": {"account": "W2388693"}},
    "text": "转账2000一直没到账",
}


def signed(body: bytes, secret: str = SECRETS["CHAT_SECRET"], at: datetime = NOW, **headers: str) -> Request:
    """A request of the chat's server."""
    own = signature.sign_standard([secret], "msg_1", body, at)
    return Request(method="POST", url="/channels/app-chat", headers={**own, **headers}, query={}, body=body)


class TestContract(RouteContract):
    """The webhook adapter keeps the port's promise."""

    adapter = Webhook
    settings = {"secrets": ["env:CHAT_SECRET", "env:CHAT_OLD"], "reply_url": "http://127.0.0.1:9/replies"}
    secrets = SECRETS
    verifying = ("CHAT_SECRET", "CHAT_OLD")
    foreign = "whsec_" + base64.b64encode(b"x" * 24).decode()
    raws = (
        Raw(channel="app-chat", body=json.dumps(WIRE, ensure_ascii=False).encode(), received_at=NOW),
        Raw(channel="app-chat", body=json.dumps([WIRE, {**WIRE, "id": "m-2"}]).encode(), received_at=NOW),
        Raw(
            channel="app-chat",
            body=b'{"event": "status", "at": "2026-03-01T00:00:00Z", "conversation_of": "m-1", "to": "closed"}',
            received_at=NOW,
        ),
    )

    def request(self, secret: str) -> Request:
        """A genuine request."""
        return signed(self.raws[1].body, secret, self.now)


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch, open_channel: Callable[..., Any]) -> Callable[..., Webhook]:
    """`chat(reply_url=…)`: the adapter on a channel with both secrets set."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    def build(**settings: Any) -> Webhook:
        return Webhook(open_channel(Webhook, "app-chat", **{"secrets": [f"env:{n}" for n in SECRETS], **settings}))

    return build


# ── in ──


def test_a_batch_is_taken_as_one_raw(chat: Callable[..., Webhook]) -> None:
    """Three messages are accepted as three, and the raw is what arrived, under the webhook's id."""
    body = json.dumps([{**WIRE, "id": f"m-{n}"} for n in range(3)]).encode()
    taken = chat().receive(signed(body, **{"omnirouter-partition": "u-77"}), NOW)
    assert isinstance(taken, Accepted)
    assert (taken.answer.status, json.loads(taken.answer.body)) == (202, {"accepted": 3})
    assert taken.answer.content_type == "application/json"
    (raw,) = taken.raws
    assert (raw.body, raw.transport_id, raw.partition_key, raw.received_at) == (body, "msg_1", "u-77", NOW)
    messages = chat().translate(raw)
    assert [m.external_id for m in messages if isinstance(m, Message)] == ["m-0", "m-1", "m-2"]


def test_mistakes_are_told_and_the_raw_is_kept(chat: Callable[..., Webhook]) -> None:
    """A batch with two mistakes is answered with both, taken in no part, and kept as invalid."""
    body = json.dumps([WIRE, {**WIRE, "sent_at": "2026-03-01T21:50:00"}, {**WIRE, "sender": {}}]).encode()
    refused = chat().receive(signed(body), NOW)
    assert isinstance(refused, Refused)
    told = json.loads(refused.answer.body)
    assert refused.answer.status == 400
    assert [(m["index"], m["path"]) for m in told["mistakes"]] == [(1, "sent_at"), (2, "sender.handle")]
    assert "+08:00" in told["mistakes"][0]["mistake"]
    assert refused.invalid is not None
    assert refused.invalid.body == body
    assert refused.reason.count("\n") == 1


def test_size_comes_before_everything(chat: Callable[..., Webhook]) -> None:
    """A body over 8 MiB is refused unread, signed or not."""
    request = Request(method="POST", url="/", headers={}, query={}, body=bytes((8 << 20) + 1))
    refused = chat().receive(request, NOW)
    assert isinstance(refused, Refused)
    assert (refused.answer.status, refused.invalid) == (413, None)
    assert chat().routes[0].max_body == 8 << 20


def test_a_forgery_is_refused_silently(chat: Callable[..., Webhook]) -> None:
    """A request that is not signed by one of the secrets gets an empty 401 and is not kept."""
    refused = chat().receive(signed(b"{}", "whsec_" + base64.b64encode(b"x" * 24).decode()), NOW)
    assert isinstance(refused, Refused)
    assert (refused.answer.status, refused.answer.body, refused.invalid) == (401, b"", None)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"secrets": []}, "at least 1"),
        ({"secrets": ["whsec_AAAA"]}, "reference"),
        ({"secrets": ["env:A"], "reply_url": "chat.example.com"}, "https://"),
        ({"secrets": ["env:A"], "origins": ["https://a.example/path"]}, "host only"),
        ({"secrets": ["env:A"], "path": "k3J9x"}, "path"),
    ],
)
def test_mistakes_of_the_table_are_told(table: dict[str, Any], told: str) -> None:
    """What is wrong with the channel's table is said with what would be right."""
    with pytest.raises(ValidationError, match=told):
        Webhook.Settings.model_validate(table)


def test_the_address_may_hold_a_piece_that_nobody_guesses(chat: Callable[..., Webhook]) -> None:
    """With `path` in the table the channel is reached below its name only."""
    assert [route.path for route in chat(path="/k3J9x").routes] == ["/k3J9x"]
    assert [route.path for route in chat().routes] == [""]


async def test_nothing_is_polled(chat: Callable[..., Webhook]) -> None:
    """A pushed channel's loop ends at once, and it has no history to fetch."""
    assert [delivery async for delivery in chat().deliveries(None)] == []
    with pytest.raises(NotPossible, match="ingest"):
        chat().backfill(NOW, None)
    assert adapter is Webhook


# ── out ──


class ChatServer:
    """The deployment's server: verifies as a receiver should, and answers from a script."""

    def __init__(self) -> None:
        self.script: list[Response] = []
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.app = Starlette(routes=[Route("/replies", self.answer, methods=["POST", "OPTIONS"])])

    async def answer(self, request: HttpRequest) -> Response:
        """Keep a genuine reply."""
        body = await request.body()
        if request.method == "OPTIONS":
            return Response(status_code=204)
        asked = Request(method="POST", url="/replies", headers=dict(request.headers), query={}, body=body)
        for secret in SECRETS.values():
            assert signature.standard([secret], asked, NOW).genuine
        self.received.append((request.headers["webhook-id"], json.loads(body)))
        return self.script.pop(0) if self.script else Response(status_code=204)


def reply(**changes: Any) -> Reply:
    """A reply of the desk."""
    whole = {
        "number": 7, "channel": "app-chat", "to": "u-77", "thread": "chat-9", "text": "已为您核实，款项已退回。",
        "external_id": "out-7", "idempotency_key": "reply.7", "created_at": NOW, "agent": "li",
        "in_reply_to": "m-1", "conversation_ref": "K7Q2",
    }  # fmt: skip
    return Reply(**{**whole, **changes})


async def test_a_reply_goes_out_signed(chat: Callable[..., Webhook], serve: Any) -> None:
    """The chat's server gets the reply in the words of the wire, signed by both secrets, under the reply's own key."""
    server = ChatServer()
    file = Attachment(name="受理单.pdf", type="application/pdf", content=b"%PDF", sha256="x", size=4)
    async with serve(server.app) as url:
        webhook = chat(reply_url=f"{url}/replies")
        receipt = await webhook.send(reply(attachments=(file,)))
        again = await webhook.send(reply(attachments=(file,)))
        proved = await webhook.connect()
        await webhook.close()
    assert receipt == again == Receipt(external_id="out-7", detail="the reply_url answered 204")
    assert "answers (204)" in proved
    (identity, body), (same_identity, _) = server.received
    assert identity == same_identity == "reply-7"
    assert body["type"] == "reply"
    assert body["data"] == {
        "id": "out-7", "sent_at": "2026-03-02T08:00:00Z", "direction": "out", "to": "u-77", "thread": "chat-9",
        "in_reply_to": "m-1", "conversation": "K7Q2", "text": "已为您核实，款项已退回。",
        "agent": "li", "automatic": False,
        "attachments": [{"name": "受理单.pdf", "type": "application/pdf", "content": "JVBERg=="}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Response(status_code=429, headers={"retry-after": "120"}), Throttled),
        (Response(status_code=503, headers={"retry-after": "Mon, 02 Mar 2026 08:02:00 GMT"}), Throttled),
        (Response(status_code=502), SendUnreachable),
        (Response(status_code=503), SendUnreachable),
        (Response(status_code=504), OutcomeUnknown),
        (Response(status_code=400), SendRejected),
        (Response(status_code=409), SendRejected),
        (Response(status_code=401), BadSettings),
        (Response(status_code=403), BadSettings),
        (Response(status_code=404), BadSettings),
        (Response(status_code=302, headers={"location": "https://elsewhere.example/"}), BadSettings),
    ],
    ids=lambda value: str(value.status_code) if isinstance(value, Response) else value.__name__,
)
async def test_a_refusal_says_whether_to_try_again(
    answer: Response, error: type[Exception], chat: Callable[..., Webhook], serve: Any
) -> None:
    """Each way to say no becomes the error that tells the outbox what to do; redirects are not followed."""
    server = ChatServer()
    server.script = [answer]
    async with serve(server.app) as url:
        webhook = chat(reply_url=f"{url}/replies")
        with pytest.raises(error) as caught:
            await webhook.send(reply())
        await webhook.close()
    if isinstance(caught.value, Throttled):
        assert caught.value.until == NOW + timedelta(minutes=2)
    assert len(server.received) == 1


async def test_a_lost_answer_is_for_a_person(chat: Callable[..., Webhook], hanging_up: str) -> None:
    """When the bytes left and no answer came, nobody knows, and nothing is sent again by itself."""
    webhook = chat(reply_url=f"{hanging_up}/replies")
    with pytest.raises(OutcomeUnknown):
        await webhook.send(reply())
    await webhook.close()


async def test_a_closed_port_is_tried_again(chat: Callable[..., Webhook], own_port: Callable[[], int]) -> None:
    """When nothing left, it is tried again later."""
    webhook = chat(reply_url=f"http://127.0.0.1:{own_port()}/replies?token=query-secret")
    with pytest.raises(SendUnreachable) as caught:
        await webhook.send(reply())
    await webhook.close()
    assert "query-secret" not in str(caught.value)


async def test_without_an_address_the_page_shows_the_reply(chat: Callable[..., Webhook]) -> None:
    """A visitor of the live-chat page needs no address, anybody else does; without both the settings are wrong."""
    visitor = msgspec.structs.replace(reply(), to=f"visitor-{'0f' * 16}")
    assert (await chat(page=True).send(visitor)).external_id == "out-7"
    with pytest.raises(SendRejected, match="u-77 is no visitor of its page"):
        await chat(page=True).send(reply())
    assert "page" in await chat(page=True).connect()
    with pytest.raises(BadSettings, match="reply_url"):
        await chat().send(reply())


async def test_unset_secrets_stop_the_channel(chat: Callable[..., Webhook], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes out unsigned: the channel stops and says what to set."""
    webhook = chat(reply_url="http://127.0.0.1:9/")
    for name in SECRETS:
        monkeypatch.delenv(name)
    with pytest.raises(BadSettings, match="whsec_"):
        await webhook.send(reply())
