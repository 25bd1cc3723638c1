"""How far have our replies come at Messenger and Instagram? Delivery and read receipts in, one event each out.

A receipt of delivery names messages (`mids`), or with a receipt of reading only a time: all that was sent until then.
What is no receipt gives nothing; whether a reply may become what a receipt says the ledger decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from msgspec.structs import replace

from router.errors import InvalidPayload
from router.model import DeskEvent
from router.ports import Raw
from router.wire import strict_json
from router.wire.fields import storable

__all__ = ["receipts_of"]

_STATES: Final = {"delivery": "delivered", "read": "read"}
MOST: Final = 1_000
#: Receipts are numbered behind all messages that one raw can hold.
_BEHIND: Final = 1_000_000


# {"sender": {"id": "<PSID>"}, "recipient": {"id": "<PAGE_ID>"},
#  "delivery": {"mids": ["m_…"], "watermark": 1458668856253}}   or   "read": {"watermark": 1458668856253}
def receipts_of(raw: Raw) -> list[DeskEvent]:
    """The receipts of a raw, in order."""
    try:
        body = strict_json.load(raw.body).value
    except InvalidPayload:
        return []
    found = islice((event for item in _items(body) for event in _events(item, raw)), MOST)
    return [replace(event, index=number) for number, event in enumerate(found, _BEHIND)]


def _items(body: Any) -> Iterator[dict[str, Any]]:
    entries = body.get("entry") if isinstance(body, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        told = entry.get("messaging") if isinstance(entry, dict) else None
        yield from (item for item in (told if isinstance(told, list) else ()) if isinstance(item, dict))


def _events(item: dict[str, Any], raw: Raw) -> Iterator[DeskEvent]:
    sender = item.get("sender")
    who = sender.get("id") if isinstance(sender, dict) else None
    for kind, state in _STATES.items():
        receipt = item.get(kind)
        if not isinstance(receipt, dict) or not isinstance(who, str) or not storable(who).strip():
            continue
        mids = [mid for mid in _list(receipt.get("mids")) if isinstance(mid, str) and storable(mid).strip()]
        at = _until(receipt.get("watermark"), raw.received_at)
        if mids:
            for mid in mids:
                yield DeskEvent(channel=raw.channel, event="delivery", at=at, conversation_of=storable(mid), to=state)
        elif "watermark" in receipt:
            whom = storable(who).strip()
            yield DeskEvent(
                channel=raw.channel, event="delivery", at=at, conversation_of=whom, handle=whom, to=state
            )  # fmt: skip


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _until(watermark: Any, latest: datetime) -> datetime:
    """The time up to which a receipt speaks, never after it was received."""
    if isinstance(watermark, int) and not isinstance(watermark, bool) and 0 < watermark < 1 << 43:
        return min(datetime.fromtimestamp(watermark / 1000, UTC), latest)
    return latest
