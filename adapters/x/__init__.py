"""The channel of X: `adapter` is the class that `adapters.load` finds."""

from adapters.x.channel import adapter

__all__ = ["adapter"]
