"""How do replies, events and notices go out? Each lane (kind, channel) by itself, in order, an attempt row before
each call.

A failure is one of five: throttled (at the provider's time), unreachable (with growing pauses, for a week), rejected
(never again), bad settings (in five minutes, the operator told), unknown (a person decides). Events and notices are
tried for a day. Only under the duty `send:KIND:CHANNEL` does a node send, so two nodes never send one reply.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import structlog

from router.desk import Ledger
from router.desk.duties.sent import recover, settle
from router.errors import (
    BadSettings,
    ConfigurationError,
    LostOwnership,
    OmnirouterError,
    OutcomeUnknown,
    SendError,
    SendRejected,
    SendUnreachable,
    Throttled,
)
from router.model import Attachment
from router.ports import Receipt, Reply
from router.store import is_transient
from router.store.leases import Lease
from router.store.outbox import Due, claim, is_under_way, lanes, left_lanes
from router.store.tables import instant
from workers.daemon.channels import Channels
from workers.daemon.leadership import Duties
from workers.daemon.metrics import Metrics
from workers.daemon.notices import Notices

__all__ = ["Outbound"]

_log = structlog.get_logger()
_PAUSES = (30, 60, 120, 300, 600, 1800, 3600)
_GIVE_UP = {"reply": timedelta(days=7), "event": timedelta(days=1), "notify": timedelta(days=1)}
_SETTINGS_PAUSE = timedelta(minutes=5)
#: Seconds until what came of a call is recorded again, where the database was away.
_DATABASE_PAUSE = 1.0
#: Seconds in which a call that is under way at a stop may still end.
_LAST_CALLS = 25
#: A look at the ledger that took longer says nothing of the present: the process was stopped.
_STOPPED = 2.0
#: Seconds between two looks for what a sender that died left behind.
_LOOK_AGAIN = 60.0


class Outbound:
    """Sends what the outbox holds. `run` watches for lanes; each lane is worked by its own task under its own lease."""

    def __init__(
        self, store: Ledger, channels: Channels, duties: Duties, metrics: Metrics, now: Callable[[], datetime],
        believed: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        self._store = store
        self._channels = channels
        self._duties = duties
        self._metrics = metrics
        self._now = now
        self._believed = believed
        self._notices = Notices(store.policy, channels)
        self._lanes: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._under_way: set[asyncio.Task[bool]] = set()
        self._bell = asyncio.Event()
        self._look_again = 0.0

    async def run(self) -> None:
        """For ever: begin to work each lane that has something to send."""
        try:
            while True:
                rings = self._store.bell.rings
                for kind, channel in await asyncio.to_thread(self._waiting):
                    if (kind, channel) not in self._lanes or self._lanes[(kind, channel)].done():
                        duty = f"send:{kind}:{channel}"
                        self._lanes[(kind, channel)] = asyncio.create_task(
                            self._duties.keep(duty, self._work(kind, channel)), name=duty
                        )
                self._bell.set()
                self._bell = asyncio.Event()
                await self._store.bell.wait(1.0, rings)
        finally:
            for lane in self._lanes.values():
                lane.cancel()
            await asyncio.gather(*self._lanes.values(), return_exceptions=True)
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=_LAST_CALLS)
            await self._notices.close()

    def _waiting(self) -> list[tuple[str, str]]:
        """The lanes that have something to send; at times also those where a sender that died may have left a row."""
        found = lanes(self._store)
        if time.monotonic() >= self._look_again:
            self._look_again = time.monotonic() + _LOOK_AGAIN
            found += left_lanes(self._store)
        return found

    def _work(self, kind: str, channel: str) -> Callable[[Lease], Awaitable[None]]:
        async def work(_: Lease) -> None:
            await asyncio.to_thread(recover, self._store, kind, channel, self._now())
            while True:
                bell = self._bell
                sending = asyncio.create_task(self._next(kind, channel))
                self._under_way.add(sending)
                sending.add_done_callback(self._under_way.discard)
                if not await asyncio.shield(sending):  # a lost lease or a stop lets what has begun end and be recorded
                    await bell.wait()

        return work

    async def _next(self, kind: str, channel: str) -> bool:
        """Send the row of a lane that is due first; was there one?"""
        due = await asyncio.to_thread(claim, self._store, kind, channel, self._now(), 1)
        for row in due:
            await self._attempt(row)
        return bool(due)

    async def _attempt(self, due: Due) -> None:
        outcome: dict[str, Any]
        if not await self._is_ours(due):
            _log.warning("send.lost", kind=due.kind, lane=_named(due), row=due.row, attempt=due.attempt)
            return
        try:
            receipt = await self._call(due)
            outcome = {"state": "sent", "external_id": receipt.external_id, "detail": receipt.detail}
        except Exception as failure:
            outcome = self._failed(due, failure)
        await self._settle(due, outcome.pop("state"), **outcome)

    async def _settle(self, due: Due, state: str, **outcome: Any) -> None:
        """Record what came of it, however long the database is away: what was sent is not unknown for that."""
        now = self._now()
        while True:
            try:
                await asyncio.to_thread(settle, self._store, due, state, now, **outcome)
                return
            except Exception as failure:
                if not is_transient(failure) or isinstance(failure, LostOwnership):
                    raise
                _log.warning("send.database_away", kind=due.kind, lane=_named(due), row=due.row, state=state)
                await asyncio.sleep(_DATABASE_PAUSE)

    async def _is_ours(self, due: Due) -> bool:
        """Is the attempt still ours? Whoever was stopped meanwhile asks again: others go on after a lease's time."""
        while True:
            began = time.monotonic()
            if not await asyncio.to_thread(is_under_way, self._store, due):
                return False
            if time.monotonic() - began < _STOPPED:
                return True

    async def _call(self, due: Due) -> Receipt:
        if due.kind == "reply":
            receipt = await self._channels.get(due.channel).send(_reply(due))
            self._metrics.replies.labels("reply", "sent").inc()
            return receipt
        if due.kind == "event":
            return await self._notices.event(due.channel, due.key, due.body)
        return await self._notices.notify(due.channel, due.key, due.body)

    def _failed(self, due: Due, failure: Exception) -> dict[str, Any]:
        now = self._now()
        words = str(failure) if isinstance(failure, OmnirouterError) else type(failure).__name__
        late = now - due.created_at > _GIVE_UP[due.kind] and self._believed()  # no clock that jumped gives up
        if isinstance(failure, OutcomeUnknown) and due.kind == "reply":
            outcome: dict[str, Any] = {"state": "unknown"}
        elif isinstance(failure, SendRejected):
            outcome = {"state": "failed", "blocked": failure.blocked}
        elif isinstance(failure, Throttled):
            outcome = {"state": "pending", "again_at": max(failure.until, now)}
        elif isinstance(failure, (BadSettings, ConfigurationError)):
            outcome = {"state": "pending", "again_at": now + _SETTINGS_PAUSE}
            if due.kind == "reply":
                self._metrics.channel_down(due.channel)
            elif late:
                outcome = {"state": "failed"}
        elif isinstance(failure, (SendUnreachable, OutcomeUnknown, SendError, OSError, TimeoutError)):
            pause = _PAUSES[min(due.attempt, len(_PAUSES)) - 1]
            outcome = {"state": "failed"} if late else {"state": "pending", "again_at": now + timedelta(seconds=pause)}
        else:  # a defect of the adapter: whether the bytes left is not known
            outcome = {"state": "unknown" if due.kind == "reply" else "failed"}
        level = _log.error if outcome["state"] in ("unknown", "failed") else _log.warning
        level(
            "send.not_sent", kind=due.kind, lane=_named(due), row=due.row, attempt=due.attempt, state=outcome["state"]
        )
        self._metrics.replies.labels(due.kind, outcome["state"]).inc()
        return {**outcome, "detail": words}


def _named(due: Due) -> str:
    """The lane's name for a log; the address of an event receiver may carry a token, so it is left out."""
    return "" if due.kind == "event" else due.channel


def _reply(due: Due) -> Reply:
    body = due.body
    last = body.get("last_in_at")
    return Reply(
        number=due.message,
        channel=due.channel,
        to=body["to"],
        text=body["text"],
        external_id=body["external_id"],
        idempotency_key=f"reply-{due.message}",
        created_at=due.created_at.astimezone(UTC),
        to_name=body.get("to_name", ""),
        thread=body.get("thread", ""),
        subject=body.get("subject", ""),
        in_reply_to=body.get("in_reply_to", ""),
        references=tuple(body.get("references", ())),
        attachments=msgspec.convert(body.get("attachments", []), tuple[Attachment, ...]),
        automatic=bool(body.get("automatic")),
        agent=body.get("agent", ""),
        conversation_ref=body.get("ref", ""),
        cc=tuple(body.get("cc", ())),
        thread_index=body.get("thread_index", ""),
        thread_topic=body.get("thread_topic", ""),
        last_in_at=instant(last) if last else None,
    )
