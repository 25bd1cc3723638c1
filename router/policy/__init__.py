"""What the desk decided: the values of one configuration, and the file they come from, each mistake by its path."""

from router.policy import load as load  # gives `Policy` its ways of being read
