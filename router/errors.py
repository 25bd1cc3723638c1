"""What can go wrong, and whether trying again can help.

    OmnirouterError
    ├── ConfigurationError      the file or a secret reference is wrong          (exit 2)
    │   └── ForeignPackage      another distribution owns one of our packages
    ├── NotFound                a conversation, message or contact is unknown     (exit 1)
    ├── Refused                 an act of the desk is not allowed as things stand (exit 1)
    │   ├── Misasked            it could never be allowed: a word is missing or means nothing (exit 2)
    │   ├── Forbidden           the account's role does not allow it
    │   ├── WrongPassword       name or password is wrong, whichever
    │   └── TooOften            after too many wrong tries; from `until` on it may be tried again
    ├── InvalidPayload          a raw cannot be translated: kept as invalid
    ├── Undecidable             one message of a batch cannot be decided: kept as dead
    ├── Unreachable             a server does not answer                          (exit 3, try again)
    │   └── SchemaMismatch      the database is behind or ahead of this version   (exit 3)
    ├── LostOwnership           the lease or cursor moved on: another node works  (try again elsewhere)
    ├── LogFull                 the log cannot take more now                      (try again: HTTP 503)
    ├── SendError               a reply did not go out
    │   ├── Throttled           the provider asks to wait until a given time      (try again then)
    │   ├── SendUnreachable     the provider could not be reached                 (try again later)
    │   ├── SendRejected        the provider refuses this reply for good          (never)
    │   ├── BadSettings         the channel's credentials or settings are wrong   (stop the channel)
    │   └── OutcomeUnknown      bytes left, no answer came: a person decides      (never by itself)
    └── ScheduleError           business time cannot be computed; `code` says why
        (no_open_time, invalid_interval, unknown_timezone, naive_datetime, negative_duration,
         invalid_days, invalid_target)

The text of each error is the sentence an operator reads: what, where, what would be right.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

__all__ = [
    "BadSettings",
    "ConfigurationError",
    "Forbidden",
    "ForeignPackage",
    "InvalidDays",
    "InvalidInterval",
    "InvalidPayload",
    "InvalidTarget",
    "LogFull",
    "LostOwnership",
    "Misasked",
    "NaiveDatetime",
    "NegativeDuration",
    "NoOpenTime",
    "NotFound",
    "OmnirouterError",
    "OutcomeUnknown",
    "Refused",
    "ScheduleError",
    "SchemaMismatch",
    "SendError",
    "SendRejected",
    "SendUnreachable",
    "Throttled",
    "TooOften",
    "Undecidable",
    "UnknownTimezone",
    "Unreachable",
    "WrongPassword",
]


class OmnirouterError(Exception):
    """Something went wrong."""

    #: Can the same call succeed later without anybody changing anything?
    retry: ClassVar[bool] = False
    #: Exit code of the command line (contract, section 2).
    exit_code: ClassVar[int] = 1


class ConfigurationError(OmnirouterError):
    """The configuration has mistakes; `mistakes` holds one sentence each, with its path in the file."""

    exit_code = 2

    def __init__(self, mistakes: str | Sequence[str]) -> None:
        self.mistakes: tuple[str, ...] = (mistakes,) if isinstance(mistakes, str) else tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class ForeignPackage(ConfigurationError):
    """Another distribution owns one of the packages router, adapters, workers."""


class NotFound(OmnirouterError):
    """No such conversation, message or contact."""


class Refused(OmnirouterError):
    """The act is not allowed as things stand."""


class Misasked(Refused):
    """The act can never be allowed as it was asked: what it needs is missing, or names what there is not."""

    exit_code = 2


class Forbidden(Refused):
    """The role of the account does not allow the act."""


class WrongPassword(Refused):
    """Name or password is wrong; nobody is told which."""


class TooOften(Refused):
    """Too many wrong tries came; `until` is the aware UTC instant from which it may be tried again."""

    retry = True

    def __init__(self, reason: str, *, until: datetime) -> None:
        super().__init__(reason)
        self.until = until


class InvalidPayload(OmnirouterError):
    """The raw cannot be translated. `index` and `path` say where, when known."""

    def __init__(self, reason: str, *, index: int | None = None, path: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.index = index
        self.path = path


class Undecidable(OmnirouterError):
    """Deciding the arrival at `index` raised `cause`: it cannot be decided, the others may.

    Only errors of ours speak in its text: what others say may quote the message.
    """

    def __init__(self, index: int, cause: Exception) -> None:
        super().__init__(str(cause) if isinstance(cause, OmnirouterError) else type(cause).__name__)
        self.index = index
        self.cause = cause


class Unreachable(OmnirouterError):
    """A server could not be reached."""

    retry = True
    exit_code = 3


class SchemaMismatch(Unreachable):
    """The database is behind or ahead of this version."""

    retry = False


class LostOwnership(OmnirouterError):
    """Another node owns this duty now."""

    retry = True


class LogFull(OmnirouterError):
    """The log cannot take more at the moment."""

    retry = True
    exit_code = 3


class SendError(OmnirouterError):
    """A reply did not go out."""


class Throttled(SendError):
    """The provider asks to wait; `until` is an aware UTC instant."""

    retry = True

    def __init__(self, reason: str, *, until: datetime) -> None:
        super().__init__(reason)
        self.until = until


class SendUnreachable(SendError):
    """The provider could not be reached; nothing was sent."""

    retry = True
    exit_code = 3


class SendRejected(SendError):
    """The provider refuses this reply for good. `blocked` means: this handle takes nothing any more."""

    def __init__(self, reason: str, *, blocked: bool = False) -> None:
        super().__init__(reason)
        self.blocked = blocked


class BadSettings(SendError):
    """The channel's credentials or settings are wrong: the channel stops until they are right."""

    exit_code = 3


class OutcomeUnknown(SendError):
    """The bytes left and no answer came: the customer may or may not have it."""


class ScheduleError(OmnirouterError):
    """Business time cannot be computed."""

    code: ClassVar[str] = "schedule_error"
    exit_code = 2


class NoOpenTime(ScheduleError):
    """The schedule has no (or not enough) open time within 3,660 days."""

    code = "no_open_time"


class InvalidInterval(ScheduleError):
    """An interval is not HH:MM-HH:MM, or its ends are equal."""

    code = "invalid_interval"


class UnknownTimezone(ScheduleError):
    """The time zone is not an IANA name."""

    code = "unknown_timezone"


class NaiveDatetime(ScheduleError):
    """An instant has no time zone."""

    code = "naive_datetime"


class NegativeDuration(ScheduleError):
    """A duration is below zero."""

    code = "negative_duration"


class InvalidDays(ScheduleError):
    """A number of working days is below one or not whole."""

    code = "invalid_days"


class InvalidTarget(ScheduleError):
    """A target is not above zero."""

    code = "invalid_target"
