"""Is a message a further piece of what its sender is typing, and has he waited long enough to chase?

People type one matter in five to eight pieces within a minute. In: the reading of a message, his conversations as they
were weighed. Out: the conversation that the piece before went to, if it came moments ago in the same chat, nobody of
the desk said anything since, and the words do not mark another matter themselves. Chasing takes waiting: who asks
"在吗" after ten seconds only types on (rules: follow-ups, 7a). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

from router.match.features import Reading
from router.match.score import Weighed
from router.match.weights import WEIGHTS
from router.model import Conversation, Message, Status
from router.text.meaning.utterance import Word

__all__ = ["going_on", "marks_another", "pieced", "waited"]

#: So soon after the piece before comes a further one.
_WITHIN = timedelta(minutes=2)
#: What was typed in one breath takes less than this.
_A_MOMENT = timedelta(seconds=40)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def pieced(matter: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    """The memory of a conversation after a message that may be a piece: in which chat of whom, and when. Thanks end a
    burst; a reaction is no piece."""
    message = reading.message
    following = dict(matter)
    if reading.silent or message.automatic or not reading.chat:
        return following
    if reading.only_thanks:
        following.pop("piece", None)
        return following
    key, at = _chat(message), _micros(message.sent_at)
    held = matter.get("piece")
    following["piece"] = [key, max(at, held[1]) if held and held[0] == key else at]
    return following


def going_on(reading: Reading, weighed: Sequence[Weighed]) -> Weighed | None:
    """The conversation that this message goes on with because it is a further piece of it."""
    message = reading.message
    if not reading.chat:
        return None
    key, at = _chat(message), _micros(message.sent_at)
    pieces = [(w.memory.piece[1], w) for w in weighed if w.memory.piece and w.memory.piece[0] == key]
    if not pieces:
        return None
    before, latest = max(pieces, key=lambda one: (one[0], one[1].conversation.number))
    if not 0 <= at - before < _WITHIN // _MICROSECOND or latest.conversation.status in (Status.SOLVED, Status.CLOSED):
        return None
    spoken = (w.conversation.last_out_at for _, w in pieces)
    if any(out is not None and _micros(out) >= before for out in spoken):
        return None
    return latest


def marks_another(reading: Reading, piece: Weighed) -> bool:
    """Do the words say themselves that they begin another matter than the piece before: by its number, by a word such
    as "another" or "also", or, where a moment passed, by stating in full what surely is one?"""
    said = reading.said
    if piece.other_number:
        return True
    if piece.memory.poor or reading.poor or (reading.tries and not (said.adds and said.asks)):
        return False
    if said.has(Word.AGAIN):
        return True
    other = reading.topical and reading.tagging.issue_type not in piece.types
    states = said.has(Word.PROBLEM | Word.WISH)
    if (said.adds or (said.joins and states)) and _other_amount(reading, piece):
        return True
    if said.adds and not said.defines:
        return other or (states and said.weight >= WEIGHTS.words_of_another_matter and not piece.shared)
    if not (other and states) or piece.shared or piece.akin:
        return False
    return said.joins or (reading.certainty >= WEIGHTS.surely_another_type and _since(reading, piece) >= _A_MOMENT)


def _other_amount(reading: Reading, piece: Weighed) -> bool:
    return bool(reading.amounts and piece.memory.amounts) and not piece.same_amount


def _since(reading: Reading, piece: Weighed) -> timedelta:
    return (_micros(reading.message.sent_at) - piece.memory.piece[1]) * _MICROSECOND


def waited(conversation: Conversation, reading: Reading, chase_after: timedelta) -> bool:
    """Has the customer waited so long that asking again is chasing: since the oldest message without an answer or,
    where there is none, since the desk's last words?"""
    since = conversation.waiting_since or conversation.last_out_at
    return since is None or not reading.chat or reading.message.sent_at - since >= chase_after


def _chat(message: Message) -> int:
    """The chat of one person, as a 32-bit number."""
    name = f"{message.channel}\0{message.scope}\0{message.sender.handle}"
    return crc32(name.encode("utf-8", "surrogatepass"))


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
