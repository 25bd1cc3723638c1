"""What is a message to the conversation that it goes on with: thanks, a chaser, an addition, the same once more?

In: the reading of the message and the weighed conversation. Out: a `MessageClass`. Thanks change nothing; what says
nothing new asks how far it is; what states the matter again is a resend, or `cross_channel` on another kind of channel;
the rest adds something (rules: follow-ups, 7 to 9).
"""

from __future__ import annotations

from router.match.features import Reading
from router.match.score import Weighed, other_tongue, spoken_to
from router.model import MessageClass, Status
from router.text.meaning.utterance import Word

__all__ = ["class_of", "repeats"]

_FEW_WORDS = 4.0
#: Who thanks the desk for its answer may say in so many words what he thanks for.
_RELIEVED = 2.0
#: Who shares so many of his words with what was told says it again.
_MOST_SHARED = 0.6
#: Who shares nearly all of a sentence with it repeats it; fewer features are no sentence.
_NEARLY_ALL, _A_SENTENCE = 0.9, 3
#: So many words that share next to none with what was told before say something more of it.
_MORE_WORDS, _NONE_SHARED = 2.0, 0.2
_STATING = Word.PROBLEM | Word.WISH


def class_of(reading: Reading, joined: Weighed) -> MessageClass:
    """The class of a message that joins this conversation."""
    said = reading.said
    if reading.wordless and reading.message.attachments:
        return MessageClass.ADDITION
    answers = spoken_to(joined.conversation)
    thanks = said.thanks and said.empty and not said.asks and not said.presses
    relieved = said.thanks and said.weight <= _RELIEVED and not (said.asks or said.presses or said.numbers)
    if reading.silent or reading.thanks or (answers and (thanks or relieved or _settled(reading, joined))):
        return MessageClass.ACK
    if said.has(Word.ATTEMPT) and not (joined.same_text or joined.overlap >= _MOST_SHARED):
        return MessageClass.ADDITION
    if reading.poor or (reading.chases and not joined.same_text):
        tells = answers and (said.kinds or said.weight) and not said.asks and not said.presses
        return MessageClass.ADDITION if tells and not said.has(Word.GREETING) else _chaser(joined, reading)
    if joined.memory.poor or (said.recurs and joined.conversation.status in (Status.SOLVED, Status.CLOSED)):
        return MessageClass.ADDITION
    if not joined.same_text and (_only_names(reading, joined) or _asks_how_far(reading, joined)):
        return MessageClass.CHASER
    if joined.same_text or _restates(reading, joined):
        return MessageClass.RESEND if _same_kind(reading, joined) else MessageClass.CROSS_CHANNEL
    return MessageClass.ADDITION


def _settled(reading: Reading, joined: Weighed) -> bool:
    """Does it say in few words, with no fault, wish or question, that all turned out well? Whoever was asked for
    something answers that, whatever he says."""
    said = reading.said
    if not said.settled or said.asks or said.presses or said.addresses or reading.strong or joined.memory.asked:
        return False
    return said.weight <= _FEW_WORDS and not said.has(_STATING | Word.AGAIN)


def repeats(reading: Reading, joined: Weighed) -> bool:
    """Does it say once more, nearly word by word, what was said?"""
    return joined.same_text or (joined.overlap >= _NEARLY_ALL and len(reading.said.features) >= _A_SENTENCE)


def _chaser(joined: Weighed, reading: Reading) -> MessageClass:
    """After a mere greeting, what names a topic is its content, not a chaser of it."""
    return MessageClass.ADDITION if joined.memory.poor and not reading.poor else MessageClass.CHASER


def _only_names(reading: Reading, joined: Weighed) -> bool:
    """Does it only name the matter, by its number or as a question, and say nothing new of it?"""
    said = reading.said
    if joined.same_id and not said.numbers and (said.asks or not said.has(_STATING)):
        return said.weight <= (_FEW_WORDS if said.asks else 1.0)
    brief = said.weight <= (_FEW_WORDS / 2 if said.has(_STATING) and not said.addresses else _FEW_WORDS)
    return said.asks and brief and (joined.akin or joined.overlap >= 0.5) and not _news(reading, joined)


def _asks_how_far(reading: Reading, joined: Weighed) -> bool:
    """Does it ask how far the matter is, naming it by what is known of it?"""
    said = reading.said
    if not said.how_far or not (said.asks or said.presses) or _news(reading, joined):
        return False
    named = said.refers or joined.same_id or joined.overlap >= 0.3 or bool(reading.amounts)
    return named and said.weight <= _FEW_WORDS and not said.has(Word.ATTEMPT)


def _restates(reading: Reading, joined: Weighed) -> bool:
    """Does it state the matter once more, with nothing new in it?"""
    memory = joined.memory
    if _news(reading, joined) or (reading.said.defines and not reading.said.has(_STATING)):
        return False
    if joined.overlap >= _MOST_SHARED:
        return True
    if joined.same_type:
        brief = reading.said.weight < _MORE_WORDS or not _same_kind(reading, joined)
        return brief or joined.same_amount or joined.overlap >= _NONE_SHARED or other_tongue(joined, reading)
    return joined.same_amount or (not joined.same_id and not set(reading.said.numbers).isdisjoint(memory.numbers))


def _same_kind(reading: Reading, joined: Weighed) -> bool:
    return reading.message.channel_kind in joined.memory.kinds


def _news(reading: Reading, joined: Weighed) -> bool:
    """Does it hold a number or name that the conversation has not?"""
    memory = joined.memory
    numbers = set(reading.said.numbers) - set(memory.numbers) - set(memory.amounts)
    return bool(numbers or set(reading.said.entities) - set(memory.names) or set(reading.strong) - set(memory.ids))
