"""What does a conversation remember of its messages, so that the next one can be compared with it?

In: the `matter` of a conversation (plain JSON) and the reading of a message. Out: the next `matter`. Every list in it
is bounded and newest last, so a chat that goes on for years stays small. Words are kept as 32-bit numbers: enough to
see that two texts share them, too little to read them back. Nothing here is made of unredacted text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from zlib import crc32

from router.match.features import NO_TOPIC, Reading
from router.match.weights import WEIGHTS
from router.tagging.tag import Tagger
from router.text.meaning.fold import fold
from router.text.meaning.requests import asked_for
from router.text.meaning.speech_acts import REQUESTS
from router.text.meaning.utterance import MOST, vocabulary

__all__ = ["Memory", "features_of", "forget", "remember", "spoken", "telling_of", "tongue_of", "united"]

#: What is remembered of the desk's last words, and so many of these.
_OF_THE_DESK, _MOST_TOLD = ("asked", "offered", "told", "wanted"), 48
#: How many of each are kept.
_MOST = {
    "ids": 40, "amounts": 24, "cards": 12, "numbers": 32, "names": 16, "texts": 48, "words": 128, "kinds": 8,
    "types": 6, "maybe": 6, "subjects": 6, "tongues": 3, "customers": 8, "originals": 6,
}  # fmt: skip


class Memory:
    """A reading view of a conversation's `matter`; missing parts are empty."""

    __slots__ = (
        "amounts", "asked", "cards", "customers", "ids", "kinds", "maybe", "names", "numbers", "offered", "originals",
        "piece", "poor", "said_at", "subjects", "texts", "told", "tongues", "types", "wanted", "wordless", "words",
    )  # fmt: skip

    def __init__(self, matter: Mapping[str, Any]) -> None:
        self.ids: list[str] = matter.get("ids", [])
        self.amounts: list[str] = matter.get("amounts", [])
        self.cards: list[str] = matter.get("cards", [])
        self.numbers: list[str] = matter.get("numbers", [])
        self.customers: list[str] = matter.get("customers", [])
        self.names: list[str] = matter.get("names", [])
        self.subjects: list[str] = matter.get("subjects", [])
        self.texts: list[str] = matter.get("texts", [])
        self.words: frozenset[int] = frozenset(matter.get("words", ()))
        self.kinds: list[str] = matter.get("kinds", [])
        self.maybe: list[str] = matter.get("maybe", [])
        self.types: list[str] = matter.get("types", [])
        self.said_at: int = matter.get("said_at", 0)
        self.poor: bool = matter.get("poor", False)
        self.tongues: list[str] = matter.get("tongues", [])
        self.offered: list[str] = matter.get("offered", [])
        self.asked: bool = matter.get("asked", False)
        self.wordless: bool = matter.get("wordless", False)
        self.piece: list[int] = matter.get("piece", [])
        self.originals: list[str] = matter.get("originals", [])
        self.told: frozenset[int] = frozenset(matter.get("told", ()))
        self.wanted: int = matter.get("wanted", 0)


def features_of(reading: Reading) -> frozenset[int]:
    """The features of the words, as 32-bit numbers."""
    return frozenset(map(_crc, reading.said.features))


def _crc(feature: str) -> int:
    return crc32(feature.encode("utf-8", "surrogatepass"))


def tongue_of(reading: Reading) -> str:
    """The language of the words, whatever their script: words of two languages cannot be compared."""
    return reading.tagging.language.partition("-")[0]


def telling_of(reading: Reading) -> dict[int, float]:
    """Its words that no list explains, as 32-bit numbers, with what sharing one is worth: a word or name 1, two
    Chinese characters a half, one a quarter. Long words have none: they share courtesies and signatures."""
    if reading.long:
        return {}
    return {
        crc32(word.encode("utf-8", "surrogatepass")): 1.0 if word < "\u3400" else len(word) / 4
        for word in reading.said.telling
    }


def remember(matter: Mapping[str, Any], reading: Reading, *, inbound: bool) -> dict[str, Any]:
    """The memory after this message. Of the desk's own words only identifiers are kept."""
    following = dict(matter)
    _add(following, "ids", reading.strong)
    if not inbound:
        return following
    first = not matter.get("kinds")
    if reading.wordless and not reading.message.attachments:
        if first:
            following["wordless"] = True
    else:
        following.pop("wordless", None)
    if reading.message.original:
        _add(following, "originals", (reading.message.original,))
    _add(following, "kinds", (reading.message.channel_kind,))
    if reading.subject_hash:
        _add(following, "subjects", (reading.subject_hash,))
    if reading.poor:
        if first:
            following["poor"] = True
        return following
    following.pop("poor", None)
    if not reading.chases:
        following["said_at"] = max(matter.get("said_at", 0), int(reading.message.sent_at.timestamp()))
    _add(following, "customers", reading.customers)
    _add(following, "amounts", reading.amounts)
    _add(following, "cards", reading.cards)
    _add(following, "numbers", reading.said.numbers)
    _add(following, "names", reading.said.entities)
    _add(following, "texts", reading.hashes)
    _add(following, "words", sorted(features_of(reading)))
    _add(following, "tongues", (tongue_of(reading),))
    tagging = reading.tagging
    if reading.topical or (not matter.get("types") and tagging.issue_type not in NO_TOPIC):
        _add(following, "types", (tagging.issue_type,))
        if reading.certainty < WEIGHTS.sure_type and tagging.runner_up not in NO_TOPIC:
            _add(following, "maybe", (tagging.runner_up,))
    return following


def forget(matter: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    """The memory without what `remember` took from these words, whoever else used them too."""
    gone: dict[str, frozenset[Any]] = {
        "ids": frozenset(reading.strong), "amounts": frozenset(reading.amounts), "cards": frozenset(reading.cards),
        "numbers": frozenset(reading.said.numbers), "names": frozenset(reading.said.entities),
        "texts": frozenset(reading.hashes), "words": features_of(reading),
    }  # fmt: skip
    following = dict(matter)
    for name, values in gone.items():
        if name in following:
            following[name] = [value for value in following[name] if value not in values]
    return following


def spoken(matter: Mapping[str, Any], text: str, tagger: Tagger) -> dict[str, Any]:
    """The memory after the desk's own words: did they ask for something, and of what do they speak? Words that are not
    known change nothing."""
    if not text:
        return dict(matter)
    following = {name: value for name, value in matter.items() if name not in _OF_THE_DESK}
    folded = fold(text[:MOST])
    if REQUESTS.found_in(folded):
        following["asked"] = True
    if wanted := asked_for(folded):
        following["wanted"] = wanted
    if told := sorted(map(_crc, vocabulary().read(folded).features))[:_MOST_TOLD]:
        following["told"] = told
    tagging = tagger.tag(text[:MOST], folded=folded)
    offered = [kind for kind in (tagging.issue_type, tagging.runner_up) if kind not in NO_TOPIC]
    if offered:
        following["offered"] = offered
    return following


def united(into: Mapping[str, Any], gone: Mapping[str, Any]) -> dict[str, Any]:
    """The memory of two conversations that become one: what either knows, within the same bounds."""
    both = {name: value for name, value in {**gone, **into}.items() if name != "poor"}
    if said := max(gone.get("said_at", 0), into.get("said_at", 0)):
        both["said_at"] = said
    for name, most in _MOST.items():
        held = list(dict.fromkeys((*gone.get(name, ()), *into.get(name, ()))))[-most:]
        if held:
            both[name] = held
    if into.get("poor") and gone.get("poor"):
        both["poor"] = True
    return both


def _add(matter: dict[str, Any], name: str, values: Iterable[Any]) -> None:
    """Append what is new; the oldest go when there are too many."""
    held = matter.get(name, [])
    fresh = [value for value in values if value not in held]
    if fresh:
        matter[name] = [*held, *fresh][-_MOST[name] :]
