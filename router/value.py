"""What is a value of the product? A frozen struct: compared by content, never changed, its fields given by name."""

from __future__ import annotations

import msgspec

__all__ = ["Value"]


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value of the model: compared by content, never changed; `msgspec.structs.replace` makes the next one."""
