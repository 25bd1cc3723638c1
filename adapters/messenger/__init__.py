"""The channel of Facebook Messenger and Instagram: `adapter` is the class that `adapters.load` finds."""

from adapters.messenger.channel import adapter

__all__ = ["adapter"]
