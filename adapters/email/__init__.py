"""The channel of e-mail: `adapter` is the class that `adapters.load` finds."""

from adapters.email.channel import adapter

__all__ = ["adapter"]
