"""What the desk can ask: the same answers for library, API and command line."""
