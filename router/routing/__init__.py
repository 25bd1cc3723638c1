"""Whose queue a conversation is for and who of the desk takes it: conditions, rules, assignment. Pure."""
