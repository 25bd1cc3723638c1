"""How does a person prove who they are? By a password, which they set by a one-time link.

argon2id; never on a command line. Wrong passwords slow the next try, by account and by address, and never lock
anybody out; an unknown name gets the same answer after the same work. In: a store, names, passwords, the present
instant. Raises `Refused`, `TooOften` (with the instant from which it may be tried again). Blocking, and a try costs
some 50 ms of CPU on purpose.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from router.account import Account
from router.desk.accounts.secrets import digest, fresh
from router.errors import Misasked, NotFound, Refused, TooOften, WrongPassword
from router.store import accounts as rows
from router.store.statement import Tx
from router.store.store import Store

__all__ = ["LINK_LIFE", "SHORTEST", "check", "invite", "set_by_link", "whose_link"]

#: How long a one-time link lives.
LINK_LIFE = timedelta(hours=24)
#: Characters of the shortest password, and bytes of the longest.
SHORTEST, _LONGEST = 10, 1024
#: Wrong passwords in a row that cost nothing, and the longest wait that more of them bring.
_FREE, _LONGEST_WAIT = 5, timedelta(minutes=5)
_WRONG = "Name or password is wrong."
_hasher = PasswordHasher()


@cache
def _nobody() -> str:
    """A hash to compare with where there is no account, so that an unknown name costs the same."""
    return _hasher.hash(fresh())


def invite(store: Store, name: str, now: datetime) -> str:
    """The words of a new one-time link by which a person sets their password; those before it end. They are shown
    once: only their hash is kept. Raises `NotFound`, `Misasked` for a program or a disabled account."""

    def work(tx: Tx) -> str:
        account = rows.account(tx, name)
        if account is None:
            raise NotFound(f"There is no account {name!r}; add it with: omnirouter accounts add {name} --role ROLE")
        if account.program or account.disabled:
            kind = "a program, which comes in by a token" if account.program else "disabled"
            raise Misasked(f"{name} is {kind}; a link to set a password is for people who may come in.")
        words = fresh()
        rows.invite(tx, name, digest(words), now + LINK_LIFE)
        return words

    return store.again(work)


def whose_link(tx: Tx, words: str, now: datetime) -> str:
    """The name of the account whose one-time link has these words. Raises `Refused`."""
    name = rows.invited(tx, digest(words), now)
    account = rows.account(tx, name) if name else None
    if account is None or account.disabled:
        raise Refused("This link was used already, or its 24 hours are over; ask for a new one.")
    return name


def set_by_link(store: Store, words: str, password: str, now: datetime) -> str:
    """Set the password of the account whose link this is; the link ends, and so do the account's sessions. Returns the
    name. Raises `Refused`, `Misasked` for a password that will not do."""
    _acceptable(password)
    hashed = _hasher.hash(password)

    def work(tx: Tx) -> str:
        name = whose_link(tx, words, now)
        rows.set_password_hash(tx, name, hashed)
        rows.drop_sessions(tx, name)
        rows.forget_guesses(tx, _by_name(name))
        return name

    return store.again(work)


def check(store: Store, name: str, password: str, address: str, now: datetime) -> Account:
    """The account of this name, if the password is its own. `address` is where the request came from.

    Raises `TooOften` while too many wrong ones came for this name or from this address, else `WrongPassword`, with one
    sentence whatever was wrong.
    """
    keys = (_by_name(name), _by_address(address))
    with store.database.read() as tx:
        _patience(tx, keys, now)
        account = rows.account(tx, name)
        hashed = rows.password_hash(tx, name)
    open_to = account is not None and not account.disabled and bool(hashed)
    right = _matches(hashed if open_to else _nobody(), password)

    def settle(tx: Tx) -> None:
        if right and open_to:
            rows.forget_guesses(tx, keys[0])
            if _hasher.check_needs_rehash(hashed):
                rows.set_password_hash(tx, name, _hasher.hash(password))
        else:
            for key in keys:
                rows.count_guess(tx, key, now)

    store.again(settle)
    if account is None or not open_to or not right:
        raise WrongPassword(_WRONG)
    return account


def _acceptable(password: str) -> None:
    if len(password) < SHORTEST:
        raise Misasked(f"A password needs {SHORTEST} characters at least.")
    if len(password.encode()) > _LONGEST:
        raise Misasked(f"A password may have {_LONGEST} bytes at most.")
    if len(set(password)) < 4:
        raise Misasked("A password needs four different characters at least.")


def _matches(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password[:_LONGEST])
    except (VerificationError, InvalidHashError):
        return False


def _patience(tx: Tx, keys: tuple[str, ...], now: datetime) -> None:
    """Raise `TooOften` while one of the keys has to wait after too many wrong passwords."""
    until = max((_open_again(*rows.guesses(tx, key)) or now for key in keys), default=now)
    if until > now:
        seconds = int((until - now).total_seconds()) + 1
        raise TooOften(f"Too many wrong passwords; try again in {seconds} s.", until=until)


def _open_again(wrong: int, at: datetime | None) -> datetime | None:
    if at is None or wrong <= _FREE:
        return None
    return at + min(timedelta(seconds=2 ** min(wrong - _FREE, 16)), _LONGEST_WAIT)


def _by_name(name: str) -> str:
    return f"name:{digest(name)}"


def _by_address(address: str) -> str:
    return f"from:{digest(address)}"
