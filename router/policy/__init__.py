"""What the desk decided: the values of one configuration, and the file they come from, each mistake by its path."""

from router.policy import load as _load  # noqa: F401  (gives `Policy` its ways of being read)
from router.policy.values import Policy

__all__ = ["Policy"]
