"""The console: the pages in which people of the desk work, as a client of the public API."""
