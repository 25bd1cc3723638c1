"""Who comes in, by what, and what each role may do."""
