"""How does the daemon log? One line an event: a constant name and fields, JSON when piped, readable on a terminal.

Never message text, addresses, tokens or signatures: events carry numbers, names of channels and reasons of our own.
"""

from __future__ import annotations

import logging
import sys

import structlog

__all__ = ["configure", "place"]


def configure() -> None:
    """Set up logging for this process: to standard error."""
    terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s %(message)s")
    for chatty in ("httpx", "httpcore", "telegram", "tweepy", "aioimaplib", "aiosmtplib"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)  # they would log addresses and tokens


def place(failure: BaseException) -> str:
    """Where a failure was raised, as `file.py:line` of our innermost frame: enough to find a defect, no word of any
    message."""
    found, trace = "", failure.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if any(f"/{folder}/" in name for folder in ("router", "adapters", "workers")) or not found:
            found = f"{name.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
