"""Which kind of channel does a name mean, when nothing is configured under it? `chat` is a webhook, `facebook`
messenger.

Files of recorded messages and library users name channels freely; a configured channel says its kind itself.
"""

from __future__ import annotations

__all__ = ["KINDS", "kind_named"]

#: The kinds that ship (rules: configuration).
KINDS = ("email", "telegram", "x", "messenger", "wechat", "line", "webhook", "phone")
_OTHER_NAMES = {"chat": "webhook", "facebook": "messenger", "mail": "email"}


def kind_named(name: str) -> str:
    """The kind that this name means; `webhook` for a name of somebody's own."""
    return name if name in KINDS else _OTHER_NAMES.get(name, "webhook")
