"""Whose message it is and which conversation it goes on with: redelivery, identity, thread, matter. Pure."""
