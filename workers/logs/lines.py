"""How does the daemon log? One line an event: a constant name and fields, JSON when piped, readable on a terminal.

Never message text, addresses, tokens or signatures: events carry numbers, names of channels and reasons of our own.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog

__all__ = ["configure", "place"]


class _StandardError:
    """Standard error as it is at the moment. A log that nobody takes any more (a closed pipe) stops no work."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()


def configure() -> None:
    """Set up logging for this process: to standard error."""
    plain = structlog.processors.JSONRenderer(ensure_ascii=False)
    renderer = structlog.dev.ConsoleRenderer() if _on_a_terminal() else plain
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _StandardError())),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=cast(TextIO, _StandardError()), format="%(name)s %(message)s")
    for chatty in ("httpx", "httpcore", "telegram", "tweepy", "aioimaplib", "aiosmtplib"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)  # they would log addresses and tokens


def _on_a_terminal() -> bool:
    with suppress(ValueError, AttributeError):
        return sys.stderr.isatty()
    return False


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
