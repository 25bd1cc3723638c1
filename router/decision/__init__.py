"""The straight function: a message, what is known, the policy and the instant in; one decision out. Pure."""
