"""What may stand in the table of a channel, and how is a secret of it read?

In: the keys of one `[[channels]]` table. Out: `ChannelSettings`, the base of every adapter's `Settings`: an unknown
key is a mistake, and what was read stays as it is. Secrets are typed `router.secret.Secret` and revealed only where
they are used: `revealed` for those that verify, `credential` for the one that a call needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict

from router.errors import BadSettings, ConfigurationError
from router.secret import Secret

__all__ = ["ChannelSettings", "UnguessedPath", "WebAddress", "credential", "revealed"]


class ChannelSettings(BaseModel):
    """The base of an adapter's `Settings`: an unknown key is a mistake, and the values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise ValueError("give a full address such as https://support.example.com")
    return text


def _unguessed(text: str) -> str:
    if text and not re.fullmatch(r"/[A-Za-z0-9_-]{1,64}", text):
        raise ValueError("give a slash and up to 64 letters, digits, - or _, such as /k3J9x, or leave it out")
    return text


#: A full address in a channel's table.
WebAddress = Annotated[str, AfterValidator(_web_address)]
#: A further piece of a channel's address that nobody guesses: a cheap filter (rules: security, R17).
UnguessedPath = Annotated[str, AfterValidator(_unguessed)]


def revealed(secrets: Iterable[Secret]) -> tuple[str, ...]:
    """The secrets that can be resolved and are not empty; one that cannot be resolved verifies nothing."""
    found: list[str] = []
    for secret in secrets:
        try:
            value = secret.reveal()
        except ConfigurationError:
            continue
        if value:
            found.append(value)
    return tuple(found)


def credential(secret: Secret, channel: str) -> str:
    """The secret of a channel, or BadSettings with the sentence that names its reference."""
    try:
        return secret.reveal()
    except ConfigurationError as error:
        raise BadSettings(f"channel {channel}: {error}") from error
