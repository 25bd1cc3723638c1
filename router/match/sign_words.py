"""How is a sign told to a person?

In: the place of a sign and its number. Out: a few words: what is so, or what is not.
"""

from __future__ import annotations

import math
from typing import Final

from router.match.signs import NAMES, NEVER

__all__ = ["words_of"]

#: What a sign says where its number is above nothing, and where it is not.
_WORDS: Final[dict[str, tuple[str, str]]] = {
    "overlap": ("shares words", "shares no words"), "shared": ("shares words of this matter", "shares no rare words"),
    "same_id": ("the same number", "no common number"),
    "same_text": ("the same words were written before", "other words than before"),
    "same_amount": ("the same amount", "no common amount"),
    "same_type": ("the same issue type", "not the same issue type"),
    "akin": ("the same issue type", "not the same issue type"),
    "type_before": ("the same issue type", "not the same issue type"),
    "type_maybe": ("an issue type that it may have been", "another issue type"),
    "type_offered": ("the desk spoke of that", "the desk did not speak of that"),
    "runner_up_before": ("its issue type comes next", "another issue type"),
    "untyped": ("so far it has no issue type", "it has an issue type"),
    "conflict": ("an amount, number or subject of its own", "nothing contradicts"),
    "answered": ("it answers a message of this conversation", "no reply header"),
    "other_number": ("another number", "no other number"),
    "same_subject": ("the same subject", "not its subject"), "same_number": ("the same number", "no common number"),
    "same_code": ("the same error code", "no common error code"),
    "same_card": ("the same card", "no common card"), "same_entity": ("the same bank or network", "no common bank"),
    "serves_it": ("details that this issue type asks for", "no details that it asks for"),
    "serves_more": ("details that this issue type asks for", "details that another issue type asks for"),
    "other_tongue": ("in another language", "in the same language"),
    "spoken_to": ("the desk spoke last", "the desk has not answered yet"),
    "asked": ("the desk asked for something", "the desk asked for nothing"),
    "asked_and_held": ("holds what the desk asked for", "holds nothing that the desk asked for"),
    "asked_bits": ("the desk asked for something", "the desk asked for nothing"),
    "desk_shares": ("shares words with the desk's answer", "shares no words with the desk's answer"),
    "poor_before": ("so far it only greeted", "more than a greeting was said"),
    "closed": ("closed", "not closed"), "solved": ("solved", "not solved"),
    "pending": ("waits for the customer", "does not wait for the customer"),
    "waits": ("the customer waits there", "nobody waits there"), "chased": ("it was chased", "not chased yet"),
    "same_kind": ("the same kind of channel", "another kind of channel"),
    "same_channel": ("the same channel", "another channel"),
    "rank_touched": ("others were active later", "most recently active"),
    "rank_out": ("the desk answered elsewhere later", "the desk answered here last"),
    "rank_said": ("something else was stated later", "the latest that was stated"),
    "rank_opened": ("others were opened later", "the latest that was opened"),
    "points_here": ("points at it", "does not point at it"),
    "ends_here": ("names the end of its number", "names no number of it"),
    "share_of_before": ("shares words", "shares no words"),
    "weight": ("how many words it holds", "no words of a matter"), "letters": ("how long it is", "no words"),
    "features": ("how many words it holds", "no words of a matter"),
    "states": ("states a matter", "states no problem of its own"),
    "chases": ("asks for what is open", "does not ask how far it is"),
    "tries": ("tells how a try ended", "tells of no try"), "adds": ("begins something beside it", "goes on plainly"),
    "says_again": ("says that this is another one", "does not say that it is another one"),
    "says_problem": ("tells of a fault", "tells of no fault"), "says_wish": ("asks for something", "wants nothing new"),
    "thanks": ("thanks", "no thanks"), "settled": ("tells that it turned out well", "not settled"),
    "asks": ("asks a question", "asks nothing"), "how_far": ("asks how far it is", "does not ask how far it is"),
    "defines": ("tells what something is", "defines nothing"), "refers": ("points back", "does not point back"),
    "open": ("how many are open", "nothing is open"), "live": ("how many may be gone on with", "none lives"),
    "begins_mail": ("a new mail with a subject of its own", "no new mail"), "replies": ("a reply", "no reply header"),
    "headed": ("a reply", "no reply header"), "certainty": ("how sure its issue type is", "no issue type is sure"),
    "confidence": ("how sure its issue type is", "no issue type is sure"),
    "no_topic": ("no issue type of its own", "an issue type of its own"), "mail": ("a mail", "no mail"),
}  # fmt: skip
#: Signs that hold the logarithm of minutes.
_TIMES: Final[dict[str, str]] = {
    "since_any_in": "the sender last wrote", "since_any_out": "the desk last answered",
    "since_in": "the sender last wrote there", "since_out": "the desk last answered there",
    "since_said": "something was last stated there", "since_opened": "it was opened", "since_ended": "it ended",
    "piece": "the last piece in this chat came",
}  # fmt: skip
_BESIDE: Final = "_beside_others"


def words_of(place: int, value: float) -> str:
    """The sign at this place in words."""
    name = NAMES[place]
    if name.endswith(_BESIDE):
        side = "more than others" if value > 0 else "less than others" if value < 0 else "as others"
        name = name.removesuffix(_BESIDE)
        told = _TIMES.get(name) or _WORDS.get(name, (name.replace("_", " "), ""))[0]
        return f"{told}, {side}"
    if name in _TIMES:
        return f"{_TIMES[name]} never" if value >= NEVER else f"{_TIMES[name]} {_ago(math.expm1(value))} ago"
    so, not_so = _WORDS.get(name, (name.replace("_", " "), f"not {name.replace('_', ' ')}"))
    return so if value > 0 else not_so


def _ago(minutes: float) -> str:
    for unit, size in (("d", 1440), ("h", 60), ("min", 1)):
        if minutes >= size:
            return f"{round(minutes / size)} {unit}"
    return f"{round(minutes * 60)} s"
