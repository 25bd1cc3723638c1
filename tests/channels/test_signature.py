"""Signed requests: the genuine ones of each platform are taken, and no made-up one, through the adapters' own routes.

The vectors are `tests/data/webhooks.json`, or another file of the same form named by WEBHOOK_VECTORS.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from adapters.kit import signature
from adapters.kit.settings import revealed
from adapters.messenger import signature as meta
from adapters.phone import signature as twilio
from adapters.telegram import signature as telegram
from adapters.wechat import signature as wechat
from adapters.x import signature as x
from router.errors import ConfigurationError
from router.ports import Accepted, Answer, Channel, Refused, Request
from router.secret import Secret

FILE = Path(os.environ.get("WEBHOOK_VECTORS") or Path(__file__).parents[1] / "data" / "webhooks.json")
NOW = datetime(2026, 1, 1, tzinfo=UTC)

Named = Callable[[str], str]


def _standard(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    return {"secrets": [secret(s) for s in config["secrets"]]}


def _telegram(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    return {"token": secret("1:a"), "mode": "webhook", "secret_tokens": [secret(s) for s in config["secret_tokens"]]}


def _x(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    present, *previous = config["consumer_secrets"]
    rest = {key: secret("unused") for key in ("consumer_key", "access_token", "access_token_secret")}
    old = {"previous_consumer_secret": secret(previous[0])} if previous else {}
    return {"mode": "webhook", "consumer_secret": secret(present), **rest, **old}


def _meta(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    own = {"app_secrets": [secret(s) for s in config["app_secrets"]]}
    return {**own, "verify_token": secret(config["verify_token"]), "page_token": secret("unused")}


def _wechat(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    mode = "plain-unsafe" if config.get("mode") == "plain" else "safe"
    keys = [secret(key) for key in config["encoding_aes_keys"]]
    tokens = [secret(token) for token in config.get("tokens", [config.get("token")])]
    return {
        "app_id": config["app_id"], "app_secret": secret("unused"), "tokens": tokens, "aes_keys": keys, "mode": mode,
    }  # fmt: skip


def _twilio(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    return {"auth_tokens": [secret(s) for s in config["auth_tokens"]], "public_url": config["public_urls"]}


def _line(config: Mapping[str, Any], secret: Named) -> dict[str, Any]:
    return {"channel_secrets": [secret(s) for s in config["channel_secrets"]], "access_token": secret("unused")}


#: Which adapter takes a platform's requests, and how the platform's words for secrets map to our settings.
PLATFORMS: dict[str, tuple[str, Callable[[Mapping[str, Any], Named], dict[str, Any]]]] = {
    "standard": ("webhook", _standard),
    "telegram": ("telegram", _telegram),
    "x": ("x", _x),
    "meta": ("messenger", _meta),
    "wechat": ("wechat", _wechat),
    "twilio": ("phone", _twilio),
    "line": ("line", _line),
}
VECTORS = [v for v in json.loads(FILE.read_text(encoding="utf-8"))["vectors"] if v["platform"] in PLATFORMS]


def asked(vector: Mapping[str, Any]) -> Request:
    """The request of a vector, as the web layer hands it over."""
    given_request = vector["request"]
    url = urlsplit(given_request["url"])
    body = given_request.get("body", "").encode("utf-8", "surrogatepass")
    if "body_b64" in given_request:
        body = base64.b64decode(given_request["body_b64"])
    return Request(
        method=given_request["method"],
        url=url.path + (f"?{url.query}" if url.query else ""),
        headers={name.lower(): value for name, value in given_request.get("headers", {}).items()},
        query=dict(parse_qsl(url.query, keep_blank_values=True)),
        body=body,
    )


def channel_of(kind: Any, table: dict[str, Any]) -> Channel:
    """A channel with this table, which remembers nothing."""

    async def recall(key: str) -> str | None:
        return None

    async def remember(key: str, value: str) -> None:
        return None

    own = kind.Settings.model_validate(table)
    return Channel(name="vectors", settings=own, recall=recall, remember=remember, now=lambda: NOW)


@pytest.mark.parametrize("vector", VECTORS, ids=[v["id"] for v in VECTORS])
def test_vectors(vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each signed request is answered as its platform's rules say: taken, answered exactly, or refused."""
    module, settings = PLATFORMS[vector["platform"]]
    names: list[str] = []

    def secret(value: str) -> str:
        names.append(f"VECTOR_SECRET_{len(names)}")
        monkeypatch.setenv(names[-1], value)
        return f"env:{names[-1]}"

    kind = import_module(f"adapters.{module}").adapter
    adapter = kind(channel_of(kind, settings(vector["config"], secret)))
    request = asked(vector)
    routes = [route for route in adapter.routes if request.method in route.methods]
    answered = routes[0].receive(request, datetime.fromtimestamp(vector["now"], UTC))
    answer = answered if isinstance(answered, Answer) else answered.answer
    if vector["expect"] == "challenge":
        expected = vector["response"]
        assert answer.status == 200
        assert (answer.body.decode() if isinstance(expected, str) else json.loads(answer.body)) == expected
    elif vector["expect"] == "accept":
        assert answer.status not in (401, 403)
        assert answer.status < 500
        assert isinstance(answered, Accepted) or (isinstance(answered, Refused) and answered.invalid is not None)
    else:
        assert isinstance(answered, Refused)
        assert answer.status in (401, 403)


def test_the_vectors_are_of_all_our_platforms() -> None:
    """The file in use has requests to take and to refuse for every platform that the built-in channels speak to."""
    seen = {(v["platform"], v["expect"] == "reject") for v in VECTORS}
    assert seen >= {(platform, reject) for platform in PLATFORMS for reject in (True, False)}


# ── Standard Webhooks, both ways ──

WHSEC = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
OLD = "whsec_" + base64.b64encode(b"the old secret of 2025!!").decode()
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
WHSK = "whsk_" + base64.b64encode(b"k" * 32).decode()
WHPK = "whpk_" + base64.b64encode(PRIVATE.public_key().public_bytes_raw()).decode()


def signed(secrets: list[str], body: bytes = b"{}", at: datetime = NOW, **headers: str) -> Request:
    """A request signed with these secrets."""
    own = signature.sign_standard(secrets, "msg_1", body, at)
    return Request(method="POST", url="/", headers={**own, **headers}, query={}, body=body)


@pytest.mark.parametrize(
    ("signing", "verifying", "genuine"),
    [
        ([WHSEC], [WHSEC], True),
        ([OLD], [WHSEC, OLD], True),
        ([WHSEC, OLD], [OLD], True),
        ([OLD], [WHSEC], False),
        ([WHSK], [WHPK], True),
        ([WHSEC, WHSK], [WHPK], True),
        ([WHSK], [WHSEC], False),
        ([WHSEC], [WHPK], False),
        ([WHSEC], [], False),
        ([WHSEC], ["", "whsec_", "whsec_AAAA", "whpk_", "whpk_AAAA", "nonsense!"], False),
        ([WHSEC.removeprefix("whsec_")], [WHSEC], True),
    ],
)
def test_what_we_sign_verifies(signing: list[str], verifying: list[str], genuine: bool) -> None:
    """Outgoing webhooks are signed with every secret, by HMAC and by Ed25519, and verify with any one of them."""
    assert signature.standard(verifying, signed(signing), NOW).genuine is genuine


def test_nothing_signs_without_a_secret() -> None:
    """Without a usable secret nothing goes out unsigned."""
    with pytest.raises(ConfigurationError, match="whsec_"):
        signature.sign_standard(["", "whsec_AAAA"], "msg_1", b"", NOW)


def test_a_changed_body_or_time_is_noticed() -> None:
    """Any byte of id, time or body that changes after signing makes the request a forgery."""
    request = signed([WHSEC], b'{"a":1}')
    forged = [
        Request(method="POST", url="/", headers={**request.headers, **change}, query={}, body=body)
        for change, body in [
            ({}, b'{"a":2}'),
            ({"webhook-id": "msg_2"}, request.body),
            ({"webhook-timestamp": str(int(NOW.timestamp()) + 1)}, request.body),
            ({"webhook-timestamp": "１７６７２２５６００"}, request.body),
            ({"webhook-signature": ""}, request.body),
        ]
    ]
    assert signature.standard([WHSEC], request, NOW).genuine
    assert [signature.standard([WHSEC], one, NOW).genuine for one in forged] == [False] * 5


def test_a_webhook_is_good_for_five_minutes() -> None:
    """A genuine request is taken five minutes before and after its time, and not a second longer."""
    request = signed([WHSEC])
    ages = [-301, -300, 0, 300, 301]
    taken = [signature.standard([WHSEC], request, NOW + timedelta(seconds=age)).genuine for age in ages]
    assert taken == [False, True, True, True, False]


def test_a_reason_says_nothing_of_the_request() -> None:
    """What goes to the log when a request is refused holds neither a secret nor a byte of the request."""
    request = signed([OLD], b"private words")
    reason = signature.standard([WHSEC], request, NOW).reason
    assert reason == "the signature differs"


# ── Twilio, X ──

TOKEN = "12345"


def twilio_signature(url: str, fields: list[tuple[str, str]]) -> str:
    """Twilio's recipe ("Validating requests"), for tests."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(TOKEN.encode(), text.encode(), "sha1")).decode()


@pytest.mark.parametrize(
    ("configured", "called", "genuine"),
    [
        ("https://a.example/t", "https://a.example/t", True),
        ("https://a.example/t", "https://a.example:443/t", True),
        ("https://a.example:443/t", "https://a.example/t", True),
        ("https://a.example:8443/t", "https://a.example:8443/t", True),
        ("https://a.example/t", "https://a.example/t?x=1", True),
        ("https://a.example/t?x=1", "https://a.example/t?x=2", False),
        ("https://a.example/t", "https://b.example/t", False),
        ("https://a.example/t", "http://a.example/t", False),
    ],
)
def test_twilios_address_comes_from_the_configuration(configured: str, called: str, genuine: bool) -> None:
    """Scheme, host and path are ours; only a query that we did not write down is read from the request."""
    fields = [("From", "+8613800000000"), ("Body", "转账没到账"), ("Empty", "")]
    parts = urlsplit(called)
    request = Request(
        method="POST",
        url=parts.path + (f"?{parts.query}" if parts.query else ""),
        headers={
            "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
            "x-twilio-signature": twilio_signature(called, fields),
            "host": "attacker.example",
        },
        query={},
        body=urlencode(fields).encode(),
    )
    assert twilio.genuine([TOKEN], [configured], request, NOW).genuine is genuine


def test_an_unsigned_body_is_refused() -> None:
    """A body that is no form is only covered by its digest in the query; without it anybody could exchange it."""
    url = "https://a.example/t"
    headers = {"content-type": "application/json", "x-twilio-signature": twilio_signature(url, [])}
    request = Request(method="POST", url="/t", headers=headers, query={}, body=b"{}")
    assert not twilio.genuine([TOKEN], [url], request, NOW).genuine


@pytest.mark.parametrize(
    ("query", "answered"),
    [("crc_token=abc", True), ("crc_token=", False), ("", False), ("crc_token=%7B%22a%22%3A1%7D", False),
     ("crc_token=a&crc_token=b", False), (f"crc_token={'a' * 257}", False), ("crc_token=a%0A", False)],
)  # fmt: skip
def test_the_crc_signs_no_events_for_strangers(query: str, answered: bool) -> None:
    """Only tokens that cannot be the body of an event are answered."""
    request = Request(method="GET", url=f"/?{query}", headers={}, query={}, body=b"")
    assert bool(x.challenge(["secret"], request)) is answered


# ── all of them ──

VERIFIERS: dict[str, Callable[[Request], object]] = {
    "standard": lambda r: signature.standard([WHSEC, WHPK], r, NOW),
    "telegram": lambda r: telegram.genuine(["Tg-secret"], r, NOW),
    "x": lambda r: x.genuine(["secret"], r, NOW),
    "x_challenge": lambda r: not x.challenge([], r),
    "meta": lambda r: meta.genuine(["secret"], r, NOW),
    "meta_challenge": lambda r: not meta.challenge("", r),
    "wechat": lambda r: wechat.genuine(["token"], r, NOW),
    "wechat safe": lambda r: wechat.genuine(["token"], r, NOW, r.body.decode("utf-8", "surrogateescape")),
    "twilio": lambda r: twilio.genuine(["token"], ["https://a.example"], r, NOW),
}
HEADERS = st.sampled_from(
    ["webhook-id", "webhook-timestamp", "webhook-signature", "svix-id", "x-telegram-bot-api-secret-token",
     "x-twitter-webhooks-signature", "x-hub-signature-256", "x-twilio-signature", "content-type"]
)  # fmt: skip
VALUES = st.one_of(
    st.text(st.characters(), max_size=30),
    st.sampled_from(
        ["1767225600", "v1,AAAA v1a,AAAA", "sha256=", "application/x-www-form-urlencoded", "v1a," + "A" * 86]
    ),
)


@pytest.mark.parametrize("name", sorted(VERIFIERS))
@given(
    url=st.one_of(st.text(st.characters(), max_size=40), st.just("/?timestamp=1767225600&nonce=1&msg_signature=x")),
    headers=st.dictionaries(HEADERS, VALUES, max_size=5),
    body=st.binary(max_size=60),
)
def test_no_request_makes_a_verifier_raise(name: str, url: str, headers: dict[str, str], body: bytes) -> None:
    """Whatever is sent, a verifier says no and never fails."""
    verdict = VERIFIERS[name](Request(method="POST", url=url, headers=headers, query={}, body=body))
    assert verdict is True or verdict.genuine is False  # type: ignore[attr-defined]


def test_secrets_that_cannot_be_resolved_verify_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the secrets of a channel those count that are set and not empty."""
    monkeypatch.setenv("SET", "value")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("UNSET", raising=False)
    secrets = [Secret.of(f"env:{name}") for name in ("SET", "EMPTY", "UNSET")]
    assert revealed([*secrets, Secret.of("file:/nowhere/at-all")]) == ("value",)


def test_the_empty_text_equals_nothing() -> None:
    """An empty secret never equals an empty header."""
    assert not signature.same("", "")
    assert signature.same("签名", "签名")
