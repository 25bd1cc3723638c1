"""Recorded messages: through the same log and pipeline as live ones."""
