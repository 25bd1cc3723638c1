"""How does the daemon log? One line an event: a constant name and fields, JSON when piped, readable on a terminal.

Never message text, addresses, tokens or signatures: events carry numbers, names of channels and reasons of our own.
What libraries log, and what nobody caught, becomes such a line too: the kind of error and its place, never its text
nor a traceback, for both may quote a message.
"""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO, cast

import structlog

__all__ = ["configure", "place"]

_log = structlog.get_logger()


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
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries()])
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda what: _told(what.exc_value, "unraisable")
    threading.excepthook = lambda what: _told(what.exc_value, "thread")
    for chatty in ("httpx", "httpcore", "telegram", "tweepy", "aioimaplib", "aiosmtplib"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)  # they would log addresses and tokens


class _Libraries(logging.Handler):
    """Turns the records of libraries into lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line: whose record, of which kind of error, where."""
        failure = record.exc_info[1] if record.exc_info else None
        fields = {"logger": record.name, "at": f"{record.filename}:{record.lineno}"}
        if failure is not None:
            fields |= {"error": type(failure).__name__, "at": place(failure)}
        say = _log.error if record.levelno >= logging.ERROR else _log.warning
        say("library.said", **fields)


def _uncaught(kind: type[BaseException], failure: BaseException, trace: TracebackType | None) -> None:
    _told(failure.with_traceback(trace), "main")


def _told(failure: BaseException | None, where: str) -> None:
    """Say that nobody caught this."""
    fields: dict[str, Any] = {} if failure is None else {"error": type(failure).__name__, "at": place(failure)}
    _log.error("uncaught", part=where, **fields)


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
