"""How does a command end when something goes wrong?

In: a call. Out: its exit code; or, for what it raised, a sentence on stderr and the code that the contract gives to it.
A closed pipe and Ctrl-C are quiet. What nobody foresaw is one sentence too; OMNIROUTER_DEBUG=1 shows where it arose.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final

from workers.cli.visible import printable

__all__ = ["Misused", "ended"]

DONE: Final = 0
WRONG: Final = 1
MISUSED: Final = 2
UNREACHABLE: Final = 3
INTERRUPTED: Final = 130
#: What a database's driver raises, and what of it is not the statement's fault.
_RAISED: Final = {"sqlite3.DatabaseError", "psycopg.DatabaseError", "sqlalchemy.DatabaseError"}
_OPERATIONAL: Final = {"sqlite3.OperationalError", "psycopg.OperationalError", "sqlalchemy.OperationalError"}
#: SQLite's codes for a corrupt file and for one that is no database; PostgreSQL's names for the same.
_DAMAGED: Final = (11, 26)
_CORRUPTED: Final = {"psycopg.DataCorrupted", "psycopg.IndexCorrupted"}
_LACKING: Final = {"psycopg.UndefinedTable", "psycopg.UndefinedColumn"}


class Misused(Exception):
    """The command line is wrong; the text says what would be right."""


def ended(command: Callable[[], int]) -> int:
    """Call, flush, and turn every ending into an exit code."""
    try:
        code = command()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return _pipe_closed()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Misused as error:
        return _said(str(error), MISUSED)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else WRONG
    except Exception as error:
        if os.environ.get("OMNIROUTER_DEBUG"):
            import traceback

            traceback.print_exc()
        return _explained(error)


def _explained(error: Exception) -> int:
    """The sentence and code of an error of ours, of the command line, of the system, of a driver, or of nobody."""
    code = getattr(error, "exit_code", None)
    say = getattr(error, "format_message", None)
    if callable(say) and isinstance(code, int):
        sentence = " ".join(str(say()).replace("Value error, ", "").split()).rstrip(".")
        return _said(f"{sentence}; see --help of this command.", MISUSED)
    if type(error).__name__ == "Abort":
        return INTERRUPTED
    if isinstance(code, int):
        return _said(str(error), code)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return _said(f"{where}{error.strerror}.", WRONG)
    database = _of_the_database(error)
    if database:
        return _said(database, UNREACHABLE)
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return _said(f"Something went wrong that should not ({reason}); OMNIROUTER_DEBUG=1 shows where.", WRONG)


def _of_the_database(error: Exception) -> str:
    """The sentence for what a database's driver raised, if the database is to blame and not the statement."""
    cause = getattr(error, "orig", error)
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for e in (error, cause) for kind in type(e).__mro__}
    if not kinds & _RAISED:
        return ""
    reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0].rstrip(".")
    if getattr(cause, "sqlite_errorcode", 0) & 0xFF in _DAMAGED or kinds & _CORRUPTED:
        return f"The database is damaged ({reason}): restore it from a backup."
    if kinds & _LACKING or reason.startswith(("no such table", "no such column")):
        return f"The database is not what this version expects ({reason}); see: omnirouter db check"
    return f"The database could not be reached: {reason}." if kinds & _OPERATIONAL else ""


def _said(sentence: str, code: int) -> int:
    try:
        print("\n".join(map(printable, sentence.split("\n"))), file=sys.stderr, flush=True)
    except BrokenPipeError:
        return _pipe_closed()
    return code


def _pipe_closed() -> int:
    """The reader of our output has seen enough: leave without a word, also at the interpreter's own last flush."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError):
            continue
    os.close(nowhere)
    return DONE
