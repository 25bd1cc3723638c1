"""How are WeChat's interfaces called? Access token, customer-service messages, pictures.

In: the channel and what to send. Out: nothing, or one of the send errors: WeChat answers HTTP 200 to everything and
says what went wrong in `errcode`. The access token is kept, sealed, in the channel's memory, for all nodes, until
shortly before its end. Source: developers.weixin.qq.com (return codes, customer-service messages, stable access token).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.kit.http import Caller, Response, not_now, throttled
from adapters.kit.settings import credential
from router.errors import BadSettings, OutcomeUnknown, SendError, SendRejected, SendUnreachable
from router.ports import Channel

__all__ = ["Api", "failure"]

_PROVIDER: Final = "WeChat"
_MEMORY: Final = "access_token"
#: The token is renewed this long before its end.
_MARGIN: Final = timedelta(minutes=5)
#: Invalid or outdated token: renewed once.
_OUTDATED: Final = frozenset({40001, 40014, 42001})
_SETTINGS: Final = {
    40002: "the grant type is refused", 40013: "the app_id is unknown", 40125: "the app_secret is wrong",
    40164: "this server's address is not on the account's IP list", 40243: "the app_secret is frozen",
    41002: "the app_id is missing", 41004: "the app_secret is missing",
    48001: "the account has no right to customer-service messages", 48002: "the follower switched messages off",
    48004: "the interface is blocked for this account", 50001: "the account has no right to this interface",
    50002: "the account is restricted", 89503: "the call waits for the administrator's word",
}  # fmt: skip
_REJECTED: Final = {
    40003: "this openid is none of this account's", 45002: "the text is too long",
    45015: "more than 48 hours have passed since the follower's last message, or he left",
    45047: "the limit of messages to one message of the follower is reached; wait until he writes",
    45008: "the text is too long", 40007: "the picture is not accepted", 45001: "the picture is too large",
    87014: "the content is refused as risky",
}  # fmt: skip
#: Seconds to wait: the quota of the day ends at midnight, the rate a minute after.
_THROTTLED: Final = {45009: 3600.0, 45011: 60.0, 45016: 3600.0}
_GONE: Final = frozenset({43004, 43019})
_Call: TypeAlias = Callable[..., Awaitable[Response]]


def failure(response: Response, now: datetime) -> SendError | None:
    """Which of our errors an answer is; None for success.

    >>> {"errcode": 45015, "errmsg": "response out of time limit or subscription is canceled hint: […]"}
    """
    if response.status == 429:
        return throttled(_PROVIDER, response, now)
    if response.status >= 500:
        return not_now(_PROVIDER, response)
    code = _code(response)
    if code is not None:
        return _of_code(code, response, now)
    if response.status == 200:
        return OutcomeUnknown("WeChat answered nothing that can be read: look whether the customer has the reply.")
    return BadSettings(f"WeChat answered {response.status}: check the channel's api_url.")


def _of_code(code: int, response: Response, now: datetime) -> SendError | None:
    if code == 0:
        return None
    if code in _THROTTLED:
        return throttled(_PROVIDER, response, now, _THROTTLED[code])
    if code in _GONE:
        return SendRejected(f"The follower left the account (errcode {code}).", blocked=True)
    if code in _REJECTED:
        return SendRejected(f"WeChat refuses the reply: {_REJECTED[code]} (errcode {code}).")
    if code == -1:
        return SendUnreachable("WeChat is busy (errcode -1); it is tried again.")
    if code in _SETTINGS or code in _OUTDATED:
        reason = _SETTINGS.get(code, "the access token is refused, a fresh one too")
        return BadSettings(f"WeChat stops the channel: {reason} (errcode {code}).")
    return SendRejected(f"WeChat refuses the reply (errcode {code}).")


def _code(response: Response) -> int | None:
    """The errcode; a readable success that gives something (a token, a media id) may leave it out. None: no answer."""
    code = response.fields.get("errcode", 0 if response.status == 200 and response.fields else None)
    return code if isinstance(code, int) else None


class Api:
    """The calls of one channel."""

    def __init__(self, channel: Channel, caller: Caller) -> None:
        self._channel = channel
        self._caller = caller
        self._renewal = asyncio.Lock()

    async def say(self, body: Mapping[str, Any]) -> None:
        """Send one customer-service message. Chinese goes out as it is: an escape would be shown to the follower."""
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = {"content-type": "application/json; charset=utf-8"}
        call = self._caller.call
        response = await self._with_token(call, "/cgi-bin/message/custom/send", {}, content=content, headers=headers)
        if "errcode" not in response.fields:
            raise OutcomeUnknown("WeChat answered without errcode: look whether the customer has the reply.")

    async def upload_picture(self, name: str, content: bytes, kind: str) -> str:
        """Put a picture up for three days; its media id."""
        files = {"media": (name, content, kind)}
        response = await self._with_token(self._caller.ask, "/cgi-bin/media/upload", {"type": "image"}, files=files)
        media = response.fields.get("media_id")
        if not isinstance(media, str):
            raise SendUnreachable("WeChat took the picture and gave no media_id; it is tried again.")
        return media

    async def _with_token(self, call: _Call, path: str, query: Mapping[str, str], **content: Any) -> Response:
        """Call with the access token; when it is outdated, renew it and call once more."""
        token = await self.token()
        for last in (False, True):
            params = {"access_token": token, **query}
            response = await call("POST", f"{self._base}{path}", params=params, **content)
            if not last and _code(response) in _OUTDATED:
                token = await self.token(refused=token)
                continue
            error = failure(response, self._channel.now())
            if error is not None:
                raise error
            break
        return response

    @property
    def _base(self) -> str:
        return str(self._channel.settings.api_url).rstrip("/")

    async def token(self, refused: str = "") -> str:
        """The access token, from memory while it lasts; `refused` is one that WeChat no longer takes."""
        async with self._renewal:
            secret = credential(self._channel.settings.app_secret, self._channel.name)
            known = _kept(await self._channel.recall(_MEMORY), secret, self._channel.now())
            if known and known != refused:
                return known
            token, seconds = await self._fetched(forced=False)
            if token == refused:  # WeChat still holds it for good: have it make another (20 times a day)
                token, seconds = await self._fetched(forced=True)
            until = self._channel.now() + timedelta(seconds=seconds) - _MARGIN
            await self._channel.remember(_MEMORY, _sealed(token, until, secret))
            return token

    async def _fetched(self, forced: bool) -> tuple[str, int]:
        body = {
            "grant_type": "client_credential",
            "appid": self._channel.settings.app_id,
            "secret": credential(self._channel.settings.app_secret, self._channel.name),
            "force_refresh": forced,
        }
        response = await self._caller.ask("POST", f"{self._base}/cgi-bin/stable_token", json=body)
        error = failure(response, self._channel.now())
        token, seconds = response.fields.get("access_token"), response.fields.get("expires_in")
        if error is not None and not isinstance(error, OutcomeUnknown):
            raise error
        if not isinstance(token, str) or not isinstance(seconds, int):
            raise SendUnreachable("WeChat gave no access token; it is tried again.")
        return token, seconds


def _sealed(token: str, until: datetime, secret: str) -> str:
    """The token and its end as they are remembered: readable only to who has the app secret anyway."""
    kept = json.dumps({"token": token, "until": until.timestamp()}).encode()
    nonce = os.urandom(12)
    return base64.b64encode(nonce + AESGCM(_key(secret)).encrypt(nonce, kept, None)).decode()


def _kept(memory: str | None, secret: str, now: datetime) -> str:
    """The remembered token while it is good for some time yet, else empty."""
    try:
        sealed = base64.b64decode(memory or "")
        kept = json.loads(AESGCM(_key(secret)).decrypt(sealed[:12], sealed[12:], None))
    except (ValueError, InvalidTag):  # nothing is kept, or it was sealed under another app secret
        return ""
    return str(kept["token"]) if now.timestamp() < float(kept["until"]) else ""


def _key(secret: str) -> bytes:
    return hashlib.sha256(f"omnirouter access token {secret}".encode()).digest()
