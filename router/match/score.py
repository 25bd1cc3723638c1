"""How much speaks for each conversation that a message may go on with?

In: the reading of a message, the sender's conversations, what its headers are worth. Out: `Weighed`, one each, best
first, with a score and its reasons in words. A shared number weighs most, then the header, the same words, the
issue type, amounts, and only then who was active last; another number, amount or type weighs against. The weights are
written where they are used, since each is a sentence of the trace too (rules: follow-ups, 4 and 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zlib import crc32

from router.match.features import NO_TOPIC, Reading
from router.match.fingerprint import features_of, telling_of, tongue_of
from router.match.weighed import Weighed, is_live, spoken_to
from router.model import Conversation, Status
from router.text.meaning.utterance import Word

__all__ = ["Weighed", "compare", "is_live", "other_tongue", "spoken_to", "weigh"]

#: From this on an issue type is more likely right than all others together.
_KNOWN = 0.6
#: So many words that no list explains state something, if the tagger names it with this much confidence.
_MANY_WORDS, _GUESSED = 2.5, 0.45
#: Who shares so many of his words with what was written says it again.
_MOST_WORDS = 0.75
#: So many words of a type so sure are a sentence about it, whatever else may be details.
_SENTENCE, _CERTAIN = 4.5, 0.97
#: What sharing a word that no list explains is worth, and all of them at most.
_SHARED, _MOST_SHARED = 0.25, 0.5
#: From so many shared words of a matter on, another issue type may be a mistake of the tagger.
_SAME_WORDS, _SOME_WORDS = 1.5, 0.3
#: Kinds of words that tell of a matter.
_TELLING = Word.PROBLEM | Word.WISH | Word.PAYER | Word.PAYEE
#: Below this an issue type is a guess.
_LIKELY = 0.75
#: From this on a type is sure enough to speak against a reply header.
_SURELY = 0.8
#: So many shared words of a matter, two Chinese characters, are no chance; so small a share of all words is one.
_A_WORD, _A_TENTH = 0.5, 0.1
#: How long after the desk's word a message is likely an answer to it.
_ANSWERING = timedelta(days=7)
#: What comes so soon after the desk's words is likely about them; what comes so late is no answer by itself.
_SOON, _LATE = timedelta(hours=1), timedelta(minutes=15)
#: Nearly the same words (half of them, where the sum is the same), and so many of them that they are no courtesy.
_NEARLY, _HALF, _SOME_FEATURES = 0.6, 0.45, 4
#: So many words state a matter in full.
_IN_FULL = 3.0


def weigh(reading: Reading, own: Iterable[Weighed], answered: Conversation | None) -> list[Weighed]:
    """Weigh the sender's conversations, best first. `answered`: the one that the message answers by right."""
    weighed = sorted(own, key=lambda w: (w.conversation.last_message_at, w.conversation.number), reverse=True)
    features, ids, telling = features_of(reading), frozenset(reading.strong), telling_of(reading)
    reply_to = _answered(reading, weighed, answered)
    for one in weighed:
        out = one.conversation.last_out_at
        if out is not None and spoken_to(one.conversation):
            one.answers_after = reading.message.sent_at - out
        one.shared = sum(worth for word, worth in telling.items() if word in one.memory.words)
        compare(one, reading, features, ids)
        if one is reply_to:
            another = reading.said.has(Word.AGAIN) and not (reading.poor or _goes_on(one, reading))
            one.answered = not (one.conflict or another or _elsewhere(one, reading))
            one.add(1.0 if one.answered else 0.6, "it answers a message of this conversation")
    _favour_the_latest(reading, weighed)
    weighed.sort(key=lambda w: -w.score)
    return weighed


def _answered(reading: Reading, weighed: Sequence[Weighed], answered: Conversation | None) -> Weighed | None:
    """The conversation that it answers: by right, or, without any header, by "Re:" and a subject of its sender's."""
    if answered is not None:
        return next((one for one in weighed if one.conversation.number == answered.number), None)
    headed = reading.message.in_reply_to or reading.message.references
    if headed or not reading.replies or not reading.subject_hash:
        return None
    return next((one for one in weighed if one.live and reading.subject_hash in one.memory.subjects), None)


def _goes_on(weighed: Weighed, reading: Reading) -> bool:
    """Does the sender go on in a thread of his own, by a header and under its subject, with no fault to tell? "A new
    one" is then what he asks for, not another matter."""
    headed = reading.message.realm == "mail" and (reading.message.in_reply_to or reading.message.references)
    if not headed or not reading.replies or reading.subject_hash not in weighed.memory.subjects:
        return False
    stated = reading.amounts or reading.strong or reading.topical or reading.said.has(Word.PROBLEM)
    return bool(reading.subject_hash) and not stated


def _elsewhere(weighed: Weighed, reading: Reading) -> bool:
    """Do the words surely state another matter? Then a reply header does not join by itself (follow-ups, rule 4).

    Asking how far it is, or naming a topic in passing, states none.
    """
    said, sure = reading.said, _SURELY if weighed.overlap < _A_TENTH else _CERTAIN
    if weighed.akin or weighed.shared >= _A_WORD or reading.chases:
        return False
    if not reading.topical or reading.certainty < sure:
        return False
    return bool(reading.amounts) or (said.asks and not said.presses) or said.has(Word.PROBLEM | Word.WISH)


def compare(weighed: Weighed, reading: Reading, features: frozenset[int], ids: frozenset[str]) -> None:
    """What the message shares with a conversation, and what speaks against it."""
    memory, conversation = weighed.memory, weighed.conversation
    weighed.same_amount = not set(reading.amounts).isdisjoint(memory.amounts)
    if ids and memory.ids:
        _compare_numbers(weighed, ids, reading.said.corrects)
    if memory.texts and not reading.poor and reading.text_hash in memory.texts:
        weighed.same_text = True
        weighed.add(0.6, "the same words were written before")
    if len(features) >= 2 and memory.words:
        weighed.overlap = len(features & memory.words) / len(features)
        if weighed.overlap >= 0.3 and not weighed.same_text:
            weighed.add(round((0.5 if weighed.overlap >= _MOST_WORDS else 0.4) * weighed.overlap, 2), "shares words")
    if weighed.shared and not weighed.same_text:
        weighed.add(round(min(_MOST_SHARED, _SHARED * weighed.shared), 2), "shares words of this matter")
    elif reading.said.adds and not (weighed.overlap >= _A_TENTH or reading.tries or reading.poor or weighed.same_text):
        weighed.add(-0.3, "the words begin something beside it")
    _compare_type(weighed, reading)
    if reading.amounts and memory.amounts:
        _compare_amounts(weighed, reading)
    elif not weighed.same_text:
        _compare_figures(weighed, reading)
    if memory.subjects and reading.subject_hash:
        _compare_subject(weighed, reading)
    if reading.customers and memory.customers and set(reading.customers).isdisjoint(memory.customers):
        weighed.conflict = True
        weighed.add(-1.0, "it names another customer")
    if memory.cards and not set(reading.cards).isdisjoint(memory.cards):
        weighed.add(0.2, "the same card")
    if memory.names and not set(reading.said.entities).isdisjoint(memory.names):
        weighed.add(0.1, "the same bank or network")
    if memory.poor and weighed.live and conversation.status is not Status.CLOSED:
        weighed.add(0.6, "so far it only greeted")
    if reading.said.has(Word.AGAIN) and not (weighed.same_id or reading.poor or _goes_on(weighed, reading)):
        weighed.add(-0.7, "the words say that this is another one")
    elif conversation.status is Status.CLOSED and _recurs(weighed, reading):
        weighed.conflict = True
        weighed.add(-0.7, "it comes back after it was closed")


def _recurs(weighed: Weighed, reading: Reading) -> bool:
    """Does it tell that what was over happens once more, rather than that it never ended?"""
    said = reading.said
    apart = weighed.same_id or reading.chases or said.has(Word.ATTEMPT) or said.refers or _same_code(weighed, reading)
    return said.recurs and said.weight >= 1.0 and not apart


def _same_code(weighed: Weighed, reading: Reading) -> bool:
    """Does it quote an error code that was quoted before?"""
    codes = (word for word in reading.said.rare if not word.isalpha())
    return any(crc32(word.encode("utf-8", "surrogatepass")) in weighed.memory.words for word in codes)


def _compare_numbers(weighed: Weighed, ids: frozenset[str], corrects: bool) -> None:
    """Order numbers and hashes decide, but one that corrects another; an account is named in every matter."""
    held = set(weighed.memory.ids)
    shared = ids & held
    decisive = [key for key in shared if not key.startswith("account:")]
    if decisive:
        weighed.same_id = True
        weighed.add(2.0, f"the same {_kind(min(decisive))}")
    elif shared:
        weighed.add(0.25, "the same account")
    elif corrects:
        weighed.add(1.1, "it corrects a number")
    for kind in ("order:", "hash:"):
        mine = {i for i in ids if i.startswith(kind)}
        if mine and not mine & held and any(i.startswith(kind) for i in held) and not corrects:
            weighed.conflict = weighed.other_number = True
            weighed.add(-1.0, f"another {_kind(kind)}")


def _kind(key: str) -> str:
    return {"order": "order number", "hash": "transaction hash"}.get(key.partition(":")[0], "number")


def _compare_type(weighed: Weighed, reading: Reading) -> None:
    tagging, theirs = reading.tagging, weighed.types
    if reading.poor:
        return
    if not reading.topical:
        _compare_guess(weighed, reading)
        return
    if tagging.issue_type in theirs:
        weighed.same_type = weighed.akin = True
        weighed.add(0.5, "the same issue type")
    elif tagging.issue_type in weighed.memory.offered and _soon(weighed):
        weighed.akin = True
        weighed.add(0.3, "the desk spoke of that")
    elif tagging.issue_type in weighed.memory.maybe:
        weighed.same_type = reading.states
        weighed.add(0.35 if reading.states else 0.1, "an issue type that it may have been")
    elif NO_TOPIC.issuperset(theirs):
        if reading.states and not reading.tries and weighed.memory.words and weighed.overlap < 0.1:
            share = -0.1 if other_tongue(weighed, reading) else -0.45
            weighed.add(share, "states something that shares nothing with it")
    elif tagging.runner_up in theirs:
        weighed.add(0.1 if reading.chases else -0.1, "the issue type that comes next")
    elif reading.chases:
        content = reading.said.weight > 0.0 or reading.said.serves or reading.said.has(_TELLING)
        foreign = reading.certainty >= _KNOWN and weighed.overlap < 0.2 and content
        weighed.add(-0.45 if foreign and not reading.said.refers else -0.2, "names another issue type")
    elif reading.tries:
        weighed.add(-0.15, "another issue type")
    elif _states(weighed, reading):
        weighed.add(_another_type(weighed, reading), "states another issue type")
    else:
        slight = reading.said.weight <= 1.0 and not (reading.states or reading.said.has(_TELLING))
        weak = slight or reading.said.defines or reading.certainty < _LIKELY
        weighed.add(-0.05 if weak else -0.15, "another issue type")


def _soon(weighed: Weighed) -> bool:
    """Does it come so soon after the desk's words that it likely is about them?"""
    return weighed.answers_after is not None and weighed.answers_after <= _SOON


def _compare_guess(weighed: Weighed, reading: Reading) -> None:
    """What an unsure type is worth: two guesses that agree are no chance, two that differ may be."""
    tagging, theirs = reading.tagging, weighed.types
    if reading.named and (tagging.issue_type in theirs or tagging.issue_type in weighed.memory.maybe):
        weighed.akin = True
        weighed.add(0.3, "perhaps the same issue type")
    elif tagging.runner_up in theirs and tagging.runner_up != "other":
        weighed.add(0.15, "perhaps the same issue type")
    elif weighed.same_amount or reading.tries or NO_TOPIC.issuperset(theirs):
        return
    elif reading.named and _states(weighed, reading):
        weighed.add(-0.3, "perhaps another issue type")


def _another_type(weighed: Weighed, reading: Reading) -> float:
    """What it weighs that the tagger names another type: little where the words are those of this matter, where the
    desk asked, or where they are of another language and so cannot be those of this matter."""
    if weighed.shared >= 1.0 and weighed.overlap >= _SOME_WORDS:
        return 0.0
    if _asked(weighed) and not _stated_late(weighed, reading):
        return -0.1
    return -0.3 if weighed.shared >= _SAME_WORDS or other_tongue(weighed, reading) else -0.6


def other_tongue(weighed: Weighed, reading: Reading) -> bool:
    """Was all that was said before said in another language?"""
    return bool(weighed.memory.tongues) and tongue_of(reading) not in weighed.memory.tongues


def _asked(weighed: Weighed) -> bool:
    """Did the desk speak last, and ask for something?"""
    return weighed.memory.asked and spoken_to(weighed.conversation)


def _stated_late(weighed: Weighed, reading: Reading) -> bool:
    """Does it state in full, long after the desk asked, what shares nothing with this matter? That is no answer."""
    late = weighed.answers_after is None or weighed.answers_after >= _LATE
    if not late or weighed.shared >= _A_WORD or weighed.overlap >= _A_TENTH or reading.said.defines:
        return False
    sure = reading.topical and reading.certainty >= _CERTAIN and reading.tagging.runner_up not in weighed.types
    return sure and reading.said.weight >= (_IN_FULL if reading.said.has(Word.PROBLEM | Word.WISH) else _SENTENCE)


def _states(weighed: Weighed, reading: Reading) -> bool:
    """Does it state a matter of its own? A type alone does not, where it holds details that this conversation needs."""
    if reading.said.has(Word.PROBLEM | Word.WISH):
        return True
    if reading.topical and reading.said.asks:
        return not NO_TOPIC.issuperset(weighed.types)
    sure = reading.certainty
    sentence = reading.said.weight >= _SENTENCE and sure >= _CERTAIN and not reading.said.defines
    if reading.clear and (reading.long or sentence):
        return True
    if reading.said.defines and not reading.amounts:
        return False
    likely = sure >= _KNOWN or (sure >= _GUESSED and reading.said.weight >= _MANY_WORDS)
    clear = (reading.topical and likely) or (reading.named and bool(reading.amounts))
    return clear and _details(weighed, reading) < reading.said.serves.get(reading.tagging.issue_type, 0)


def _details(weighed: Weighed, reading: Reading) -> int:
    """How many details it holds that the conversation's issue type asks for."""
    return max((reading.said.serves.get(kind, 0) for kind in weighed.types), default=0)


def _compare_amounts(weighed: Weighed, reading: Reading) -> None:
    if weighed.same_amount:
        weighed.add(0.35, "the same amount")
    elif weighed.same_type or weighed.overlap >= 0.5:
        weighed.conflict = True
        weighed.add(-0.8, "another amount")
    elif reading.topical and reading.states and not reading.said.defines:
        weighed.add(-0.15, "another amount")


def _compare_subject(weighed: Weighed, reading: Reading) -> None:
    """The subject of a mail that answers nothing says whether it begins something or goes on with it."""
    if reading.message.in_reply_to or reading.message.references:
        return
    if reading.subject_hash in weighed.memory.subjects:
        weighed.same_subject = True
        weighed.add(0.3, "the same subject")
    elif reading.begins_mail and not _repeats(weighed, reading):
        weighed.conflict = True
        weighed.add(-0.7, "a new mail with a subject of its own")
    elif weighed.same_amount or reading.poor or reading.chases or reading.tries:
        return
    elif reading.own_subject or reading.long:
        weighed.add(-0.3, "a subject of its own")


def _repeats(weighed: Weighed, reading: Reading) -> bool:
    """Does a mail of another subject say nearly the same as before, name the same number, or only ask how far it is?"""
    enough = _HALF if weighed.same_amount else _NEARLY
    nearly = weighed.overlap >= enough and len(reading.said.features) >= _SOME_FEATURES
    told = weighed.akin or weighed.shared >= _A_WORD or weighed.overlap >= _NEARLY
    return weighed.same_id or weighed.same_text or nearly or reading.poor or (reading.chases and told)


def _compare_figures(weighed: Weighed, reading: Reading) -> None:
    """The same sentence with another number in it is about another payment, though nothing calls it an amount."""
    mine, theirs = reading.said.numbers, weighed.memory.numbers
    if not mine or not theirs:
        return
    if any(len(number) > 1 and number in theirs for number in mine):
        weighed.add(0.25, "the same number")
    elif weighed.same_type and weighed.overlap >= 0.8 and set(mine).isdisjoint(theirs):
        weighed.conflict = weighed.other_number = True
        weighed.add(-0.8, "the same words with another number")


def _touched(weighed: Weighed) -> datetime:
    """When somebody last said something in it; the other one is not that."""
    return weighed.conversation.last_message_at


def _favour_the_latest(reading: Reading, own: Sequence[Weighed]) -> None:
    """What has no topic of its own goes where the sender was last active: open before ended.

    A detail goes where the desk asked last, else where something was last stated: chasing draws no details after it.
    """
    live = [w for w in own if w.live and not w.conflict]
    if reading.said.other and len(live) > 1 and (reading.poor or reading.chases or reading.said.how_far):
        live = [w for w in live if w is not max(live, key=_touched)]
    most = max((w.shared for w in live), default=0.0)
    if reading.poor or reading.chases:
        live.sort(key=lambda w: w.shared >= most >= _A_WORD, reverse=True)
    else:
        live.sort(key=lambda w: (w.shared >= most > 0, spoken_to(w.conversation), w.memory.said_at), reverse=True)
    latest = next((w for w in live if w.conversation.status is not Status.CLOSED), live[0] if live else None)
    for weighed in live:
        conversation = weighed.conversation
        if weighed is latest:
            weighed.add(0.15, "most recently active")
            out = conversation.last_out_at
            if out is not None and spoken_to(conversation) and reading.message.sent_at - out <= _ANSWERING:
                asked = _asked(weighed) and not _stated_late(weighed, reading)
                weighed.add(0.45 if asked else 0.15, "the desk spoke last")
        if conversation.status is Status.CLOSED:
            weighed.add(-0.05, "closed")
        if weighed.shared and reading.said.refers:
            weighed.add(0.1, "points back to it")
        if reading.poor or reading.chases:
            weighed.add(0.55, "asks for what is open")
        elif reading.tries and weighed is latest:
            weighed.add(0.6, "tells how a try ended, or adds to what was said")
        elif not _states(weighed, reading):
            weighed.add(0.4, "states no problem of its own")
            if details := _details(weighed, reading):
                weighed.add(min(0.45, 0.1 + 0.08 * details), "details that this issue type asks for")
        elif weighed is latest and not reading.named:
            weighed.add(0.2, "no issue type of its own")
