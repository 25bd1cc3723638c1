"""Conversations on the command line: what is done to one, how two belong together, why one is where it is."""
