"""The HTTP API: what a program or a console asks of the desk, under /api/v1 (rules: desk, 2)."""
