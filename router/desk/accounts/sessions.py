"""Whose browser is this? A session: a random secret in a cookie, stored as its hash.

It ends 12 hours after its last use, 7 days after it began, when its account is disabled or sets a new password, or
when somebody ends it. Blocking functions.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from router.account import Account, Caller, Session
from router.desk.accounts.secrets import digest, fresh
from router.errors import NotFound
from router.store import accounts as rows
from router.store.statement import Tx
from router.store.store import Store

__all__ = ["IDLE", "LIFE", "begin", "caller", "end", "forget_ended", "of"]

#: How long a session lives unused, and at most.
IDLE, LIFE = timedelta(hours=12), timedelta(days=7)
#: A use within this time of the former one is not written down: reads would become writes.
_WRITTEN_EVERY = timedelta(minutes=1)
_BROWSER = 200


def begin(store: Store, account: Account, browser: str, now: datetime) -> str:
    """Begin a session of an account that proved who it is. Returns the secret for its cookie; `browser` is what the
    request says of its program, for the list of one's own sessions."""
    secret = fresh()
    said = "".join(c for c in browser if c.isprintable())[:_BROWSER]

    def work(tx: Tx) -> None:
        rows.add_session(tx, digest(secret), account.name, said, now)

    store.again(work)
    return secret


def caller(store: Store, secret: str, now: datetime) -> Caller | None:
    """Who comes by this secret; None when no living session has it."""
    key = digest(secret)
    with store.database.read() as tx:
        found = rows.session(tx, key)
        account = None if found is None else rows.account(tx, found.account)
    if found is None or account is None or account.disabled or _ended(found, now):
        return None
    if now - found.used_at >= _WRITTEN_EVERY:
        store.again(lambda tx: rows.used_session(tx, key, now))
    return Caller(account=account, session=found.id)


def of(store: Store, name: str, now: datetime) -> list[Session]:
    """The living sessions of an account, the oldest first."""
    with store.database.read() as tx:
        return [s for s in rows.sessions(tx, name) if not _ended(s, now)]


def end(store: Store, name: str, which: str = "") -> int:
    """End one session of an account by its id, or all of them. How many those were. Raises `NotFound`."""
    if which and not (len(which) == 12 and all(c in "0123456789abcdef" for c in which)):
        raise NotFound("There is no such session.")
    ended = store.again(lambda tx: rows.drop_sessions(tx, name, which))
    if which and not ended:
        raise NotFound("There is no such session.")
    return ended


def forget_ended(store: Store, now: datetime) -> None:
    """Forget sessions and links that ended, and guesses of long ago."""
    store.again(lambda tx: rows.forget_stale(tx, idle_since=now - IDLE, created_before=now - LIFE, now=now))


def _ended(s: Session, now: datetime) -> bool:
    return now - s.used_at >= IDLE or now - s.created_at >= LIFE
