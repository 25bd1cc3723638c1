"""How does Meta's Graph interface say no, and what follows from it?

In: an answer that is no success. Out: the send error that says whether trying again can help, in our own words: Graph's
messages repeat tokens and names now and then, so only its numbers are told. Source: developers.facebook.com, "Error
Handling" of the Graph API and "Error Codes" of the Messenger Platform.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from adapters.kit.http import Response, not_now, throttled
from router.errors import BadSettings, SendError, SendRejected, SendUnreachable

__all__ = ["failure"]

_PROVIDER: Final = "Meta"
#: Application, user, page and custom limits; 80006 is Messenger's own.
_TOO_MUCH: Final = frozenset({4, 17, 32, 613, 80001, 80002, 80006})
#: Token or permission: 190 and 102 tokens, 3 and 200-299 rights, 10 a missing right (but see the windows).
_SETTINGS: Final = frozenset({3, 10, 102, 190, *range(200, 300)})
#: Temporary by its own word.
_LATER: Final = frozenset({1, 2, 1200})
#: Outside the 24 hours (Messenger, Instagram), outside the 7 days of the human agent.
_CLOSED: Final = frozenset({2018278, 2534022, 2018065})
#: Code and subcode that say: this person takes nothing (any more).
_GONE: Final = frozenset({(100, 2018001), (100, 2534014), (10, 2018108), (200, 1545041), (551, 1545041)})
_UNSAID_WAIT: Final = 300.0


def failure(response: Response, now: datetime) -> SendError:
    """Which of our errors an answer of Graph is.

    >>> {"error": {"message": "(#10) …", "type": "OAuthException", "code": 10, "error_subcode": 2018278}}
    """
    error = response.fields.get("error")
    details = error if isinstance(error, dict) else {}
    code, subcode = _number(details.get("code")), _number(details.get("error_subcode"))
    told = f"{_PROVIDER} answered {response.status}" + (f", error {code}" if code else "")
    told += f", {subcode}" if subcode else ""
    if response.status == 429 or code in _TOO_MUCH:
        return throttled(_PROVIDER, response, now, _UNSAID_WAIT)
    if subcode in _CLOSED:
        return SendRejected(f"The time in which this person may be answered is over ({told}); wait until he writes.")
    if code == 551 or (code, subcode) in _GONE:
        return SendRejected(f"This person takes no messages of the page ({told}).", blocked=True)
    if code in _LATER or details.get("is_transient") is True:
        return SendUnreachable(f"{told}: a failure of its own for now; it is tried again.")
    if code in _SETTINGS or response.status in (401, 403, 404) or 300 <= response.status < 400:
        return BadSettings(f"{told}: check the channel's page_token and its permissions.")
    if response.status >= 500:
        return not_now(_PROVIDER, response)
    return SendRejected(f"{told}: the reply is refused.")


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
