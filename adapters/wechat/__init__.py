"""The channel of WeChat official accounts: `adapter` is the class that `adapters.load` finds."""

from adapters.wechat.channel import adapter

__all__ = ["adapter"]
