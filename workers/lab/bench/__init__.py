"""How fast is it on this machine? One module a subject; each returns rows of a table."""
