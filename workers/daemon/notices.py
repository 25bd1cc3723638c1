"""How are receivers of events and people of the desk told? Signed webhooks, mail, and the robots of DingTalk and
WeCom.

In: a body without any word of a customer. Out: a `Receipt`, or an error of `router.errors.SendError`'s kinds. What is
sent carries the outbox key, so a receiver that gets it twice can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec

from adapters.kit.signature import sign_standard
from router.errors import BadSettings, SendRejected, SendUnreachable
from router.policy.values import Policy, Recipient
from router.ports import Receipt, Reply
from workers.daemon.channels import Channels

__all__ = ["Notices"]

_TIMEOUT = httpx.Timeout(10.0)


#: What the robots of WeCom and DingTalk say when they are called too often.
_TOO_FAST = (45009, 130101, 410100)


class _Said(msgspec.Struct):
    """A robot's answer."""

    errcode: int = 0


class Notices:
    """Tells the outside. One HTTP client, opened on first use."""

    def __init__(self, policy: Policy, channels: Channels) -> None:
        self._policy = policy
        self._channels = channels
        self._client: httpx.AsyncClient | None = None

    async def event(self, url: str, key: str, body: Mapping[str, Any]) -> Receipt:
        """Send an event to a receiver of `[[events]]` as a signed webhook."""
        target = next((t for t in self._policy.events if t.url == url), None)
        if target is None:
            raise SendRejected("No receiver of [[events]] has this address any more.")
        return await self._signed(url, target.secret.reveal(), key, msgspec.json.encode(body))

    async def notify(self, name: str, key: str, body: Mapping[str, Any]) -> Receipt:
        """Tell a recipient of `[notify.NAME]` that a deadline asks for him."""
        recipient = self._policy.notify.get(name)
        if recipient is None:
            raise SendRejected(f"notify.{name} is not configured any more.")
        if recipient.webhook is not None:
            secret = recipient.secret.reveal() if recipient.secret is not None else ""
            return await self._signed(recipient.webhook.reveal(), secret, key, msgspec.json.encode({"notice": body}))
        if recipient.robot is not None:
            content = {"msgtype": "text", "text": {"content": self._words(body)}}
            return await self._post(recipient.robot.reveal(), msgspec.json.encode(content), {}, robot=True)
        return await self._mail(recipient, key, body)

    async def _signed(self, url: str, secret: str, key: str, content: bytes) -> Receipt:
        headers = sign_standard([secret], key, content, datetime.now(UTC)) if secret else {"webhook-id": key}
        return await self._post(url, content, headers)

    async def _post(self, url: str, content: bytes, headers: Mapping[str, str], *, robot: bool = False) -> Receipt:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)
        try:
            answer = await self._client.post(
                url, content=content, headers={"content-type": "application/json", **headers}
            )
        except httpx.InvalidURL as failure:
            raise SendRejected("The receiver's address is no URL.") from failure
        except httpx.HTTPError as failure:
            raise SendUnreachable(f"The receiver does not answer: {type(failure).__name__}.") from failure
        if answer.is_success:
            if robot:
                _refuse(answer.content)
            return Receipt(external_id="", detail=f"HTTP {answer.status_code}")
        if answer.status_code == 410:
            raise SendRejected("The receiver says that it is gone (HTTP 410).")
        raise SendUnreachable(f"The receiver answers HTTP {answer.status_code}.")

    async def _mail(self, recipient: Recipient, key: str, body: Mapping[str, Any]) -> Receipt:
        channel = next((c for c in self._policy.channels.values() if c.kind == "email" and c.enabled), None)
        if channel is None:
            raise SendRejected(f"notify.{recipient.name}: there is no e-mail channel to write by.")
        domain = str(getattr(channel.settings, "address", "")).rpartition("@")[2] or "omnirouter.invalid"
        words = self._words(body)
        notice = Reply(
            number=0, channel=channel.name, to=recipient.mail, text=words, subject=words.splitlines()[0],
            external_id=f"notice.{sha256(key.encode()).hexdigest()[:24]}@{domain}", idempotency_key=key,
            created_at=datetime.now(UTC), automatic=True, conversation_ref=str(body.get("ref", "")),
        )  # fmt: skip
        return await self._channels.get(channel.name).send(notice)

    def _words(self, body: Mapping[str, Any]) -> str:
        """One sentence in the desk's first language, with the time in its zone."""
        due = datetime.fromisoformat(str(body["due_at"])).astimezone(ZoneInfo(self._policy.timezone))
        at = due.strftime("%Y-%m-%d %H:%M")
        ref, queue, metric = body.get("ref"), body.get("queue"), body.get("metric")
        if self._policy.languages and self._policy.languages[0].startswith("zh"):
            state = "即将到期" if body.get("kind") == "warning" else "已超时"
            return f"[omnirouter] {ref} {state}\n队列:{queue};指标:{metric};应答时限:{at}"
        state = "is due soon" if body.get("kind") == "warning" else "is overdue"
        return f"[omnirouter] {ref} {state}\nqueue: {queue}; metric: {metric}; due: {at}"

    async def close(self) -> None:
        """Close the HTTP client. Safe to call twice."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def _refuse(content: bytes) -> None:
    """Robots refuse with HTTP 200 and a number: raise what that means."""
    try:
        said = msgspec.json.decode(content, type=_Said)
    except msgspec.DecodeError as failure:
        raise BadSettings("The robot's answer is not the one of DingTalk or WeCom; check its address.") from failure
    if said.errcode in _TOO_FAST:
        raise SendUnreachable(f"The robot takes no more at the moment (errcode {said.errcode}).")
    if said.errcode:
        raise BadSettings(f"The robot refuses the notice (errcode {said.errcode}): check its address and key words.")
