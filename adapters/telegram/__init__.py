"""The channel of Telegram: `adapter` is the class that `adapters.load` finds."""

from adapters.telegram.channel import adapter

__all__ = ["adapter"]
