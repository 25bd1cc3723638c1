"""Which mails of a mailbox are new? A session and a cursor in; batches of mails out, each with the cursor behind it.

The cursor is `UIDVALIDITY:UID`. UIDs grow while UIDVALIDITY holds; when the server numbers its mails anew, the last two
weeks are read again, which is harmless because the same mail is known by its Message-ID. Batches are bounded by number
and by bytes, so that a full mailbox costs no more memory than a few mails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from adapters.email.imap.text import Fetched

if TYPE_CHECKING:
    from adapters.email.imap.session import Session

__all__ = ["between", "follow"]

#: How far back mails are read again when the mailbox numbered them anew.
RESCAN: Final = timedelta(days=14)
#: IDLE is asked anew before servers (after 29 minutes) or firewalls end it.
LONGEST_IDLE: Final = 25 * 60.0
#: Mails and bytes of one batch, and mails whose sizes are asked for at once.
MAX_BODIES, MAX_BATCH, MAX_SIZES = 100, 8 * 1024 * 1024, 200
#: Pushes that brought nothing before the server's pushes are no longer believed until the next poll.
VAIN_PUSHES: Final = 3


async def follow(
    session: Session, cursor: str | None, now: datetime, poll: timedelta,
    heard: Callable[[datetime], object] = lambda _: None,
) -> AsyncIterator[tuple[list[Fetched], str]]:  # fmt: skip
    """What came and comes behind the cursor, for ever. A first start begins at the mailbox's end, and says so by a
    batch without mails, so that a restart before the first mail misses none. `heard` is told when the server took in
    a mail that came since the last look: by the server's clock that is now, nearly."""
    last = session.uidnext - 1
    if cursor is None:
        yield [], f"{session.uidvalidity}:{last}"
    elif (known := _position(cursor))[0] == session.uidvalidity:
        last = known[1]
    else:  # the old cursor holds until all of the last days are durable under their new numbers
        uids = await session.between(now - RESCAN, None)
        async for mails in _read(session, [uid for uid in uids if uid <= last]):
            yield mails, cursor
        yield [], f"{session.uidvalidity}:{last}"
    seconds = min(poll.total_seconds(), LONGEST_IDLE)
    vain, pushed, waited = 0, False, False
    while True:
        uids = await session.after(last)
        vain = vain + 1 if pushed and not uids else 0
        async for mails in _read(session, uids):
            last = mails[-1].uid
            if waited and mails[-1].internaldate is not None:
                heard(mails[-1].internaldate)
            yield mails, f"{session.uidvalidity}:{last}"
        pushed = await session.wait_for_news(seconds, pushes=vain < VAIN_PUSHES)
        waited = True


async def between(session: Session, since: datetime, until: datetime | None) -> AsyncIterator[list[Fetched]]:
    """The mails that the server took in between two instants, oldest first."""
    day = timedelta(days=1)  # the server's own days, whatever its time zone
    uids = await session.between(since - day, until + 2 * day if until else None)
    async for mails in _read(session, uids):
        within = [m for m in mails if _is_within(m.internaldate, since, until)]
        if within:
            yield within


async def _read(session: Session, uids: Sequence[int]) -> AsyncIterator[list[Fetched]]:
    """The mails of these numbers in order, in batches."""
    for start in range(0, len(uids), MAX_SIZES):
        sizes = await session.sizes(uids[start : start + MAX_SIZES])
        for batch in _batches(sizes):
            mails = {mail.uid: mail for mail in await session.bodies(batch)}
            for uid in [uid for uid in batch if uid not in mails]:
                mails |= {mail.uid: mail for mail in await _once_more(session, uid)}
            if mails:
                yield [mails[uid] for uid in sorted(mails)]


def _batches(sizes: dict[int, int]) -> Iterator[list[int]]:
    """UIDs in order, in groups of at most so many mails and bytes (a larger mail goes alone)."""
    batch: list[int] = []
    total = 0
    for uid in sorted(sizes):
        if batch and (len(batch) >= MAX_BODIES or total + sizes[uid] > MAX_BATCH):
            yield batch
            batch, total = [], 0
        batch.append(uid)
        total += sizes[uid]
    if batch:
        yield batch


async def _once_more(session: Session, uid: int) -> list[Fetched]:
    """A mail that the server listed but did not give: asked for alone; one that is still listed comes empty, so that
    it is set aside where somebody sees it, and the mails behind it are read."""
    found = await session.bodies([uid])
    if found or uid not in await session.sizes([uid]):
        return found
    return [Fetched(uid=uid, body=b"")]


def _position(cursor: str) -> tuple[int, int]:
    """UIDVALIDITY and UID of a cursor; a cursor that is none starts a rescan."""
    validity, _, uid = cursor.partition(":")
    return (int(validity), int(uid)) if validity.isdigit() and uid.isdigit() else (0, 0)


def _is_within(at: datetime | None, since: datetime, until: datetime | None) -> bool:
    return at is None or (at >= since and (until is None or at <= until))
