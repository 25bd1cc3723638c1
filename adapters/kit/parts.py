"""Which parts of a reply are already out?

In: the parts of a reply that a channel sends as several messages, and the call that sends one. Out: the receipt. What
was sent is remembered after each part, so an attempt that stopped in between goes on where it stopped, and the
customer reads nothing twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from router.errors import SendRejected
from router.ports import Channel, Receipt, Reply

__all__ = ["send_parts"]

Part = TypeVar("Part")


async def send_parts(
    channel: Channel, reply: Reply, parts: Sequence[Part], send: Callable[[int, Part], Awaitable[str]]
) -> Receipt:
    """Send what is not yet out, in order; `send(index, part)` gives the provider's id of the part.

    The receipt has the id of the first. Raises what `send` raises, and SendRejected when there is nothing to send.
    """
    if not parts:
        raise SendRejected("The reply has no text and no attachment.")
    if len(parts) == 1:
        return Receipt(external_id=await send(0, parts[0]))
    memory = f"sent:{reply.idempotency_key}"
    known = await channel.recall(memory)
    sent = known.split(",") if known else []
    for index, part in enumerate(parts[len(sent) :], start=len(sent)):
        sent.append(await send(index, part))
        await channel.remember(memory, ",".join(sent))
    return Receipt(external_id=sent[0], detail=f"{len(sent)} messages: {', '.join(sent)}")
