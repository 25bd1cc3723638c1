"""Channels of our own."""
