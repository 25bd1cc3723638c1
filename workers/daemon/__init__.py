"""The daemon: sources, decisions, timekeeper and senders in one event loop, each duty with one owner."""
