"""What is a message to the conversation that it goes on with: thanks, a chaser, an addition, the same once more?

In: the reading of the message, the conversation and what was learned of both. Out: a `MessageClass`. Rules say what
needs no learning: what asks for nothing is thanks, the very same words are a resend, chasing takes waiting, and a
restatement by another kind of channel is `cross_channel`. The rest is the model's (rules: follow-ups, 7 to 9).
"""

from __future__ import annotations

from typing import Final

from router.match.burst import waited
from router.match.features import Reading
from router.match.judged import Judged
from router.match.weighed import Weighed, spoken_to
from router.model import MessageClass
from router.policy.values import FollowUps
from router.text.meaning.utterance import Word

__all__ = ["class_of"]

_ACK, _ADDITION, _CHASER, _RESEND = "ack", "addition", "chaser", "resend"
_ALL: Final = (_ACK, _ADDITION, _CHASER, _RESEND)


def class_of(reading: Reading, joined: Weighed, method: str, judged: Judged, policy: FollowUps) -> MessageClass:
    """The class of a message that joins this conversation. Who has not waited yet chases nobody; a piece is an addition
    unless it says the very same again."""
    found = _learned(reading, joined, method, judged)
    if found is MessageClass.ACK:
        return found
    if joined.memory.wordless and not reading.wordless:
        return MessageClass.FIRST
    if found is MessageClass.CHASER and not waited(joined.conversation, reading, policy.chase_after):
        return MessageClass.ADDITION
    return found


def _learned(reading: Reading, joined: Weighed, method: str, judged: Judged) -> MessageClass:
    if reading.silent or reading.only_thanks:
        return MessageClass.ACK
    if reading.wordless:
        shown = reading.message.attachments or joined.memory.asked
        return MessageClass.ADDITION if shown else MessageClass.CHASER
    piece = method == "burst"
    if joined.same_text:
        return _restated(reading, joined)
    said = reading.said
    if reading.poor and said.has(Word.CHASE) and not (said.thanks or said.settled):
        return MessageClass.CHASER
    among: tuple[str, ...] = (_ADDITION, _CHASER) if piece else _ALL
    if joined.memory.poor:
        among = tuple(name for name in among if name != _RESEND)
    if not (spoken_to(joined.conversation) or reading.said.thanks or reading.said.settled):
        among = tuple(name for name in among if name != _ACK)
    found = judged.class_of(joined, among)
    return _restated(reading, joined) if found == _RESEND else MessageClass(found)


def _restated(reading: Reading, joined: Weighed) -> MessageClass:
    same = reading.message.channel_kind in joined.memory.kinds
    return MessageClass.RESEND if same else MessageClass.CROSS_CHANNEL
