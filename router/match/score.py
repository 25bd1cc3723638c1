"""What does a message share with each conversation that it may go on with, and what forbids one?

In: the reading of a message, the sender's conversations, what its headers are worth. Out: `Weighed`, one each, that
with the latest words first. A shared number, another one, another customer's name and the subject of a new mail are
rules (follow-ups, 4, 6 and 7d); all else is only noted, and what was learned weighs it (`router.match.judged`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zlib import crc32

from router.match.features import Reading
from router.match.fingerprint import features_of, telling_of
from router.match.weighed import Weighed, is_live, spoken_to
from router.match.weights import WEIGHTS
from router.model import Conversation, Status
from router.text.meaning.utterance import Word

__all__ = ["Weighed", "compare", "is_live", "spoken_to", "weigh"]

#: Fewer of them are a courtesy, not a matter told once more.
_WORDS_OF_A_REPEAT = 4


def weigh(reading: Reading, own: Iterable[Weighed], answered: Conversation | None) -> list[Weighed]:
    """Compare the sender's conversations with it. `answered`: the one that the message answers by right."""
    weighed = sorted(own, key=lambda w: (w.conversation.last_message_at, w.conversation.number), reverse=True)
    features, ids, telling = features_of(reading), frozenset(reading.strong), telling_of(reading)
    reply_to = _answered(reading, weighed, answered)
    for one in weighed:
        one.features = features
        one.shared = sum(worth for word, worth in telling.items() if word in one.memory.words)
        compare(one, reading, ids)
        if one is reply_to and not one.forbidden and not _elsewhere(one, reading, answered is not None):
            one.answered = True
            one.rules.append("it answers a message of this conversation")
    return weighed


def _answered(reading: Reading, weighed: Sequence[Weighed], answered: Conversation | None) -> Weighed | None:
    """The conversation that it answers: by right, or, without any header, by "Re:" and a subject of its sender's."""
    if answered is not None:
        return next((one for one in weighed if one.conversation.number == answered.number), None)
    headed = reading.message.in_reply_to or reading.message.references
    if headed or not reading.replies or not reading.subject_hash:
        return None
    return next((one for one in weighed if one.live and reading.subject_hash in one.memory.subjects), None)


def _elsewhere(weighed: Weighed, reading: Reading, by_right: bool) -> bool:
    """Do the words say, or surely state, another matter? Then a reply does not join by itself (follow-ups, rule 4),
    neither by its header or our own address (`by_right`) nor by its subject. Asking how far it is, or naming a topic in
    passing, states none."""
    said = reading.said
    if said.has(Word.AGAIN) and not (reading.poor or (by_right and _goes_on(weighed, reading))):
        return True
    if weighed.akin or weighed.shared >= WEIGHTS.a_shared_word or reading.chases or not reading.topical:
        return False
    if said.weight < WEIGHTS.words_of_a_name:
        return False  # so few words state no matter, whatever type one of them looks like
    if weighed.conversation.participants[:1] != (reading.handles[0],):
        return False  # who takes part in another's conversation speaks in words of their own
    sure = WEIGHTS.surely_elsewhere if weighed.overlap < WEIGHTS.few_of_the_words else WEIGHTS.certainly_elsewhere
    if reading.certainty < sure:
        return False
    return bool(reading.amounts) or (said.asks and not said.presses) or said.has(Word.PROBLEM | Word.WISH)


def _goes_on(weighed: Weighed, reading: Reading) -> bool:
    """Does the sender go on in a thread of their own, under its subject, with no fault to tell? "A new one" is then
    what they ask for, not another matter."""
    if reading.message.realm != "mail" or not reading.replies or reading.subject_hash not in weighed.memory.subjects:
        return False
    stated = reading.amounts or reading.strong or reading.topical or reading.said.has(Word.PROBLEM)
    return bool(reading.subject_hash) and not stated


def compare(weighed: Weighed, reading: Reading, ids: frozenset[str]) -> None:
    """What the message shares with a conversation, and what forbids it."""
    memory = weighed.memory
    weighed.same_amount = not set(reading.amounts).isdisjoint(memory.amounts)
    if ids and memory.ids:
        _compare_numbers(weighed, ids, reading.said.corrects)
    if memory.texts and not reading.poor and not set(reading.hashes).isdisjoint(memory.texts):
        weighed.same_text = True
    if len(weighed.features) >= 2 and memory.words:
        weighed.overlap = len(weighed.features & memory.words) / len(weighed.features)
    codes = (word for word in reading.said.rare if not word.isalpha())
    weighed.same_code = any(crc32(word.encode("utf-8", "surrogatepass")) in memory.words for word in codes)
    _compare_type(weighed, reading)
    if reading.amounts and memory.amounts:
        _compare_amounts(weighed)
    elif not weighed.same_text:
        _compare_figures(weighed, reading)
    if memory.subjects and reading.subject_hash:
        _compare_subject(weighed, reading)
    if reading.customers and memory.customers and set(reading.customers).isdisjoint(memory.customers):
        weighed.rule("it names another customer")
    if weighed.conversation.status is Status.CLOSED and _recurs(weighed, reading):
        weighed.conflict = True


def _recurs(weighed: Weighed, reading: Reading) -> bool:
    """Does it tell that what was over happens once more, rather than that it never ended?"""
    said = reading.said
    apart = weighed.same_id or reading.chases or said.has(Word.ATTEMPT) or said.refers or weighed.same_code
    return said.recurs and said.weight >= 1 and not apart


def _compare_numbers(weighed: Weighed, ids: frozenset[str], corrects: bool) -> None:
    """Order numbers and hashes decide, but one that corrects another; an account is named in every matter."""
    held = set(weighed.memory.ids)
    decisive = [key for key in ids & held if not key.startswith("account:")]
    if decisive:
        weighed.same_id = True
        weighed.rules.append(f"the same {_kind(min(decisive))}")
    elif corrects:
        weighed.rules.append("it corrects a number")
    for kind in ("order:", "hash:"):
        mine = {i for i in ids if i.startswith(kind)}
        if mine and not mine & held and any(i.startswith(kind) for i in held) and not corrects:
            weighed.other_number = True
            if not decisive:
                weighed.rule(f"another {_kind(kind)}")


def _kind(key: str) -> str:
    return {"order": "order number", "hash": "transaction hash"}.get(key.partition(":")[0], "number")


def _compare_type(weighed: Weighed, reading: Reading) -> None:
    tagging, theirs = reading.tagging, weighed.types
    if reading.poor:
        return
    if reading.topical:
        weighed.same_type = tagging.issue_type in theirs or (
            tagging.issue_type in weighed.memory.maybe and reading.states
        )
        weighed.akin = tagging.issue_type in theirs
    elif reading.named:
        weighed.akin = tagging.issue_type in theirs or tagging.issue_type in weighed.memory.maybe


def _compare_amounts(weighed: Weighed) -> None:
    """The same sentence with another amount is about another payment."""
    if weighed.same_amount:
        return
    if weighed.overlap >= WEIGHTS.the_same_sentence:
        weighed.rule("the same words with another amount")
    elif weighed.same_type or weighed.overlap >= WEIGHTS.half_of_the_words:
        weighed.conflict = True


def _compare_subject(weighed: Weighed, reading: Reading) -> None:
    """The subject of a mail that answers nothing says whether it begins something or goes on with it."""
    if reading.message.in_reply_to or reading.message.references:
        return
    if reading.subject_hash in weighed.memory.subjects:
        weighed.same_subject = True
    elif reading.opens_mail and not _repeats(weighed, reading):
        weighed.rule("a new mail with a subject of its own")


def _repeats(weighed: Weighed, reading: Reading) -> bool:
    """Does a mail of another subject say nearly the same as before, name the same number, or only ask how far it is?"""
    enough = WEIGHTS.half_and_the_amount if weighed.same_amount else WEIGHTS.nearly_the_same_words
    nearly = weighed.overlap >= enough and len(reading.said.features) >= _WORDS_OF_A_REPEAT
    told = weighed.akin or weighed.shared >= WEIGHTS.a_shared_word or weighed.overlap >= WEIGHTS.nearly_the_same_words
    return weighed.same_id or weighed.same_text or nearly or reading.poor or (reading.chases and told)


def _compare_figures(weighed: Weighed, reading: Reading) -> None:
    """The same sentence with another number in it is about another payment, though nothing calls it an amount."""
    mine, theirs = reading.said.numbers, weighed.memory.numbers
    if not mine or not theirs or not set(mine).isdisjoint(theirs):
        return
    if weighed.same_type and weighed.overlap >= WEIGHTS.the_same_sentence:
        weighed.other_number = True
        weighed.rule("the same words with another number")
