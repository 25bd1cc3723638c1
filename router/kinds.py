"""What holds of a kind of channel, and which kind does a name mean where nothing is configured under it?

The adapters say it (`router.ports.Adapter`), private ones as those that ship: the core names no channel. Those that
ship are asked by name, without loading one, for files of recorded messages and programs name channels freely.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from importlib import import_module
from typing import cast

from router.value import Value

__all__ = ["Traits", "kind_named", "shipped", "traits_of"]


class Traits(Value, frozen=True, kw_only=True):
    """What holds of every channel of a kind. `chat`: people write one matter in several messages;
    `heard`: they speak to the desk, so nothing is sent after their words, and no provider vouches for a number;
    `reply_window`: so long after the customer's last message the provider takes answers (None: for ever)."""

    chat: bool = True
    heard: bool = False
    reply_window: timedelta | None = None


@cache
def shipped() -> tuple[str, ...]:
    """The kinds that ship, in the order of the alphabet."""
    return tuple(import_module("adapters").available())


@cache
def kind_named(name: str) -> str:
    """The kind that this name means; `webhook` for a name of somebody's own."""
    return cast("str", import_module("adapters").kind_named(name))


@cache
def traits_of(kind: str) -> Traits:
    """The traits of a kind that ships; those of a chat for any other."""
    return cast("Traits", import_module("adapters").TRAITS.get(kind, Traits()))
