"""Whose request is an act, and was it made before? A ledger seen by one request.

In: the ledger, what may be changed (asked within the act's own transaction), and the request's key. An act on it runs
once: its repeat raises `Repeated` with what came of the first, and the same key with another body `RepeatedDifferently`
(rules: desk, 2). A second request while the first is under way waits for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar, cast

import msgspec

from router.account import Account
from router.desk.accounts.permissions import may_change
from router.desk.ledger import Ledger
from router.errors import Forbidden, Misasked
from router.ref import ref_of
from router.store import repeats
from router.store.read import queries
from router.store.statement import Tx

__all__ = ["Once", "Repeated", "RepeatedDifferently", "asked"]

_T = TypeVar("_T")
_encode = msgspec.json.Encoder(order="sorted").encode


class Repeated(Exception):
    """The request was answered before; `ids` is what came of it."""

    def __init__(self, ids: Mapping[str, int]) -> None:
        super().__init__("answered before")
        self.ids = ids


class RepeatedDifferently(Misasked):
    """The key of the request was used with another body."""


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """A request that runs once: of this account, by this route, with this key; `digest` is that of its body."""

    account: str
    route: str
    key: str
    digest: str

    @classmethod
    def of(cls, account: Account, route: str, key: str, body: object) -> Once:
        """The request of an account. `body` is anything that JSON can hold."""
        digest = hashlib.sha256(_encode(body)).hexdigest()
        return cls(account=account.name, route=route, key=key, digest=digest)


class _Asked:
    """A ledger whose transactions first ask whether this request may, and was not answered before."""

    def __init__(self, ledger: Ledger, guard: Callable[[Tx], None], once: Once | None, now: datetime) -> None:
        self._ledger = ledger
        self._guard = guard
        self._once = once
        self._now = now

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    def again(self, work: Callable[[Tx], _T]) -> _T:
        """As `Ledger.again`."""

        def guarded(tx: Tx) -> _T:
            once = self._once
            if once is not None:
                earlier = repeats.begin(tx, once.account, once.route, once.key, once.digest, self._now)
                if earlier is not None:
                    raise _repeat(earlier, once)
            self._guard(tx)
            done = work(tx)
            if once is not None:
                repeats.finish(tx, once.account, once.route, once.key, {"done": done} if isinstance(done, int) else {})
            return done

        return self._ledger.again(guarded)


def _repeat(earlier: repeats.Earlier, once: Once) -> Exception:
    if earlier.digest != once.digest:
        return RepeatedDifferently(
            f"The key {once.key!r} was used with another body; a key names one request: make a new one."
        )
    return Repeated(earlier.ids)


def asked(
    ledger: Ledger, account: Account, now: datetime, *, changes: tuple[int, ...] = (), any_of: bool = False,
    once: Once | None = None,
) -> Ledger:  # fmt: skip
    """The ledger as this request of an account may change it: the conversations `changes` must be theirs (`any_of`: one
    of them). Raises, when an act runs on it, `Forbidden`, `Repeated`, `RepeatedDifferently`."""

    def guard(tx: Tx) -> None:
        found = [queries.conversation(tx, number) for number in changes]
        theirs = [may_change(account, c) for c in found]
        if found and not (any(theirs) if any_of else all(theirs)):
            refs = " and ".join(ref_of(c.number) for c in found)
            raise Forbidden(f"{refs}: of another team's queue, and {account.name} does not hold it.")

    return cast(Ledger, _Asked(ledger, guard, once, now))
