"""The channel of telephone: `adapter` is the class that `adapters.load` finds."""

from adapters.phone.channel import adapter

__all__ = ["adapter"]
