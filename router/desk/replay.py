"""How does what was set aside come back? It is translated and decided again from its stored bytes, as it came.

Translating is the caller's (`translate`), since the router knows no channel. Blocking functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from router.desk.ledger import Ledger
from router.desk.take_in import Arrival, take_in
from router.errors import InvalidPayload, Refused, Undecidable
from router.model import Decision, DeskEvent, Message
from router.ports import Raw, Translation
from router.store.set_aside import TO_FETCH, one, raw_at, replayed, staying, still_aside

__all__ = ["replay", "replay_raw"]

Translate = Callable[[Raw], Sequence[Message | DeskEvent]]


def replay_raw(
    ledger: Ledger, place: tuple[int, int], translate: Translate, now: datetime, *, wanted: int | None = None
) -> list[Decision]:
    """Decide a stored raw again: what is known already is a redelivery, what was dropped stays dropped unless it is
    `wanted`, and so does what is dead for itself while another item is. Raises InvalidPayload or Undecidable."""
    raw = raw_at(ledger, *place)
    dropped = {item for item, state in staying(ledger, place) if wanted is not None or state == "dropped"} - {wanted}
    found = Translation.of(translate(raw))
    arrivals = [
        Arrival(what=what, received_at=raw.received_at, raw=place)
        for what, item in zip(found, found.items, strict=True)
        if item not in dropped
    ]
    decisions = take_in(ledger, arrivals, now, history=raw.history)
    _refuse_odd(found, wanted)
    return decisions


def _refuse_odd(found: Translation, wanted: int | None) -> None:
    """Raise InvalidPayload when the wanted part of a raw still gives no message; the others are decided by now."""
    odd = next((mistake for mistake in found.mistakes if mistake.index == wanted), None)
    if odd is not None:
        raise odd
    if any(part.index == wanted for part in found.announced):
        raise InvalidPayload(TO_FETCH, index=wanted)


def replay(ledger: Ledger, number: int, translate: Translate, now: datetime) -> list[Decision]:
    """Decide what was set aside again; it is closed when that works, else keeps the new reason and raises `Refused`."""
    entry = one(ledger, number)
    partition, _, position = str(entry["raw"]).rpartition(":")
    try:
        decisions = replay_raw(ledger, (int(partition), int(position)), translate, now, wanted=entry["item"])
    except (InvalidPayload, Undecidable) as failure:
        reason = failure.reason if isinstance(failure, InvalidPayload) else f"it cannot be decided: {failure}"
        still_aside(ledger, number, reason)
        raise Refused(f"{number} stays set aside: {reason}") from failure
    replayed(ledger, number, str(entry["reason"]))
    return decisions
