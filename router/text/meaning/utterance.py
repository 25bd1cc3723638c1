"""What kind of utterance is a message: a greeting, a thank-you, a chaser, or does it say something?

In: own words in their folded form (`normalise.fold`). Out: `Utterance`: which kinds of words it holds, how much of it
none of them explains, its numbers, names of banks, and the features by which two texts are compared. The word lists
are lexicons/follow_ups/words.toml, which a desk extends. Pure, linear, reads at most the first 600 characters.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import add
from pathlib import Path
from typing import Any, Final, NamedTuple

from router.errors import ConfigurationError
from router.text.meaning.speech_acts import (
    ADDRESSES,
    ADDS,
    ASKS,
    CORRECTS,
    DEFINES,
    JOINS,
    OTHER,
    PROGRESS,
    RECURS,
    REFERS,
    RESERVE,
    SETTLED,
    UNRELATED,
    forms_in,
)
from router.text.word_finder import WordFinder
from router.value import Value

__all__ = ["Utterance", "Vocabulary", "Word", "vocabulary"]

BUILT_IN: Final = Path(__file__).parents[2] / "lexicons" / "follow_ups" / "words.toml"
MOST: Final = 400
_PIECE: Final = re.compile(r"[a-z][a-z0-9]*(?:['’-][a-z0-9]+)*|\d[\d.,:]*\d|\d|[\u3400-\u4dbf\u4e00-\u9fff]+|[^\s\w]")
_ENTRY: Final = re.compile(r"\"([^\"]+)\"|(?<!\S)'([^']+ [^']+)'(?!\S)|(\S+)")
_UNIT: Final = re.compile(
    r"\s*个?(?:天|日|周|星期|月|年|小时|钟头|分钟|分|秒|次|遍|点|刻"
    r"|(?:st|nd|rd|th|(?:(?:business|banking|working|bank) )?days?"
    r"|weeks?|hours?|hrs?|h|d|min|mins|minutes?|months?|times?)\b)"
)
#: What counts time, or stands before such a number.
_ORDINAL: Final = re.compile(r"(?:第|\b(?:day|week|hour|month)) ?\Z")
#: A letter drawn out ("hellooo").
_DRAWN: Final = re.compile(r"([a-z])\1{2,}")
#: Endings of English words and what may stand instead.
_ENDINGS: Final = (("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"), ("es", ""), ("s", ""))
_STEM: Final = 4
#: Who says that it turned out well, or asks for the other one, says it in so many characters.
_BRIEF: Final = 100
#: So many different Latin words are remembered with what they say.
_REMEMBERED: Final = 16_384


class Word:
    """What a word of the lists says: bits, as plain numbers, since they are tested for every message many times."""

    GREETING: Final = 1
    CHASE: Final = 1 << 1
    OUTCOME: Final = 1 << 2
    FILLER: Final = 1 << 3
    ACK: Final = 1 << 4
    NEWS: Final = 1 << 5
    ATTEMPT: Final = 1 << 6
    PROBLEM: Final = 1 << 7
    WISH: Final = 1 << 8
    AGAIN: Final = 1 << 9
    PAYEE: Final = 1 << 10
    PAYER: Final = 1 << 11
    COMMON: Final = 1 << 12
    ENTITY: Final = 1 << 13
    THAT: Final = 1 << 14


_KINDS: Final = {name.lower(): bit for name, bit in vars(Word).items() if name.isupper()}
#: Words that carry no topic of their own.
_EMPTY: Final = (
    Word.GREETING | Word.CHASE | Word.OUTCOME | Word.FILLER | Word.ACK | Word.NEWS | Word.ATTEMPT | Word.THAT
)
#: A word with so many digits is an identifier, which is weighed elsewhere.
_IDENTIFIER: Final = re.compile(r"(?:\D*\d){5}")


class Utterance(Value, frozen=True, kw_only=True):
    """What was found. `kinds` are all kinds of words, `weight` counts words that no list explains (two Chinese
    characters are one), `numbers` leave out counts of time, `features` are what similarity compares, `serves` counts
    the details it holds for each issue type that asks for them.

    `phrases` are Chinese characters that no list explains, three in a row; `telling` are those features that no list
    explains: words of this matter rather than of any.

    Its form: it `adds` something beside what was told, `joins` on to it by a mere "and", `corrects` it, tells that
    something `recurs`, asks `how_far` it is, `asks` a question, `addresses` it to the desk, `refers` to what was told
    before, `defines` what something is, `presses` with a word that only who waits says, `thanks`, tells that all has
    been `settled`, names the `other` of two."""

    kinds: int = 0
    weight: float = 0.0
    numbers: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    features: frozenset[str] = frozenset()
    telling: frozenset[str] = frozenset()
    rare: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    asks: bool = False
    defines: bool = False
    refers: bool = False
    addresses: bool = False
    adds: bool = False
    joins: bool = False
    settled: bool = False
    other: bool = False
    corrects: bool = False
    recurs: bool = False
    how_far: bool = False
    thanks: bool = False
    long: bool = False
    presses: bool = False
    serves: Mapping[str, int] = {}

    def has(self, kind: int) -> bool:
        """Does it hold a word of this kind (or of one of these)?"""
        return bool(self.kinds & kind)

    @property
    def empty(self) -> bool:
        """Nothing in it carries a topic: punctuation, a greeting, chasing words alone."""
        return self.weight <= 0.0 and not self.numbers and not self.entities

    @property
    def poor(self) -> bool:
        """Next to nothing in it carries a topic."""
        if self.numbers or self.entities or self.long:
            return False
        if self.weight > 0.0 and self.kinds & (Word.PROBLEM | Word.WISH):
            return False
        marked = self.asks or bool(self.kinds & (Word.GREETING | Word.CHASE))
        return self.weight <= 0.0 or (self.weight <= 1.0 and (marked or not self.rare))


class _Entry(Value, frozen=True, kw_only=True):
    """What the lists say of one word or phrase; `types` ask for the detail that it is."""

    kind: int = 0
    name: str = ""
    types: frozenset[str] = frozenset()

    def joined(self, other: _Entry) -> _Entry:
        return _Entry(kind=self.kind | other.kind, name=self.name or other.name, types=self.types | other.types)


_NOTHING: Final = _Entry()


class _Effect:
    """What a word or phrase adds to what a text says, worked out once; equal only to itself.

    `weight` counts where no list explains it; `rare` is a word that no list has at all.
    """

    __slots__ = ("feature", "kind", "name", "presses", "rare", "types", "weight")

    def __init__(self, word: str, entry: _Entry, weight: float, rare: str = "") -> None:
        topical = not entry.name and not entry.kind & _EMPTY
        self.kind, self.name, self.types, self.rare = entry.kind, entry.name, entry.types, rare
        self.presses = bool(entry.kind & Word.CHASE) and not entry.kind & (Word.NEWS | Word.OUTCOME)
        self.feature = entry.name or (word if topical else "")
        self.weight = weight if topical and not entry.kind & ~Word.COMMON else 0.0


class _Found:
    """What a reading has come upon: words of the lists or none, pairs of Chinese characters that no list has."""

    __slots__ = ("effects", "marks", "numbers", "pairs", "phrases")

    def __init__(self) -> None:
        self.marks = 0
        self.effects: list[_Effect] = []
        self.pairs: list[str] = []
        self.numbers: list[str] = []
        self.phrases: list[str] = []

    def unlisted(self, characters: str) -> None:
        """Take Chinese characters that no list has: the first, and each with the one before it."""
        self.pairs.append(characters[0])
        if len(characters) > 1:
            self.pairs += map(add, characters, characters[1:])
            self.phrases += [characters[i : i + 3] for i in range(len(characters) - 2)]

    def told(self) -> dict[str, Any]:
        """The fields of an utterance that its words give."""
        kinds, presses, serves = self.marks, False, dict[str, int]()
        each = dict.fromkeys(self.effects)
        for effect in each:
            kinds |= effect.kind
            presses = presses or effect.presses
        for effect in self.effects:
            for type_ in effect.types:
                serves[type_] = serves.get(type_, 0) + 1
        features = {effect.feature for effect in each}
        features.discard("")
        features.update(self.pairs)
        return {
            "kinds": kinds, "presses": presses, "serves": serves, "features": frozenset(features),
            "telling": frozenset((*self.pairs, *(effect.feature for effect in each if effect.rare or effect.name))),
            "weight": sum(effect.weight for effect in self.effects) + 0.5 * len(self.pairs),
            "numbers": tuple(dict.fromkeys(self.numbers)),
            "entities": tuple(dict.fromkeys(effect.name for effect in each if effect.name)),
            "rare": tuple(dict.fromkeys(effect.rare for effect in each if effect.rare)),
            "phrases": tuple(dict.fromkeys(self.phrases)),
        }  # fmt: skip


class _Plan(NamedTuple):
    """What to do at a Latin word: the phrases that it may begin, by the second word of each, longest first; else what
    it says by itself."""

    phrases: dict[str, list[tuple[list[str], _Effect]]]
    effect: _Effect | None


class Vocabulary:
    """The word lists, compiled once. Chinese words are found longest first, others as whole words and phrases."""

    def __init__(self, tables: Sequence[Mapping[str, Any]]) -> None:
        self._han: dict[str, dict[str, _Entry]] = {}
        self._latin: dict[str, _Entry] = {}
        self._phrases: dict[str, list[tuple[tuple[str, ...], _Entry]]] = {}
        for table in tables:
            for kind, words in table.items():
                if isinstance(words, str):
                    self._learn(words, _Entry(kind=_KINDS[kind]))
            for name, forms in table.get("entities", {}).items():
                self._learn(forms, _Entry(kind=Word.ENTITY, name=name))
            for detail in table.get("details", {}).values():
                self._learn(detail["words"], _Entry(types=frozenset(detail["types"].split())))
        for phrases in self._phrases.values():
            phrases.sort(key=lambda entry: -len(entry[0]))
        han = [word for words in self._han.values() for word in words]
        self._finder = WordFinder(han, longest=True)
        self._han_effects = [_Effect(word, self._han[word[0]][word], len(word) / 2) for word in han]
        self._plans: dict[str, _Plan] = {}
        #: What Latin words say that begin no phrase.
        self._effects: dict[str, _Effect] = {}

    def read(self, folded: str) -> Utterance:
        """Tell what kind of utterance a folded text is. Total."""
        text = folded[:MOST]
        found = self._found(text)
        forms = forms_in(text)
        if UNRELATED in forms:
            found.marks |= Word.AGAIN
        told = found.told()
        kinds, brief = told["kinds"], len(text) <= _BRIEF
        return Utterance(
            **told, asks=ASKS in forms,
            thanks=bool(kinds & Word.ACK) and not kinds & (Word.ATTEMPT | Word.PROBLEM | Word.WISH | Word.AGAIN),
            defines=DEFINES in forms, refers=REFERS in forms, addresses=ADDRESSES in forms,
            adds=ADDS in forms, joins=JOINS in forms, corrects=CORRECTS in forms,
            recurs=RECURS in forms, how_far=PROGRESS in forms,
            other=brief and OTHER.found_in(text),
            settled=brief and SETTLED.found_in(text) and not RESERVE.found_in(text),
            long=len(text) >= MOST,
        )  # fmt: skip

    def carries(self, folded: str) -> bool:
        """Does anything in a folded text carry a topic? The same as `not read(folded).empty`, for less."""
        found = self._found(folded[:MOST])
        return bool(found.pairs or found.numbers) or any(e.weight > 0.0 or e.name for e in found.effects)

    def _found(self, text: str) -> _Found:
        """The words of a text, in order."""
        found = _Found()
        take, known = found.effects.append, self._effects
        pieces = _PIECE.findall(text)
        place, most, numbered = 0, len(pieces), False
        pieces.append("")  # so that each has one behind it
        while place < most:
            piece = pieces[place]
            effect = known.get(piece)
            if effect is not None:
                take(effect)
                place += 1
                continue
            first = piece[0]
            if "a" <= first <= "z":
                place += self._latin_word(pieces, place, found)
                continue
            place += 1
            if "\u3400" <= first <= "\u9fff":
                self._han_run(piece, found)
            elif first.isdigit():
                numbered = True
            else:
                found.marks |= self._latin.get(piece, _NOTHING).kind
        if numbered:
            found.numbers = _numbers(text)
        return found

    def _latin_word(self, pieces: list[str], place: int, found: _Found) -> int:
        """Take the word or phrase at `place`; returns how many words it is."""
        word = pieces[place]
        plan = self._plans.get(word)
        if plan is None:
            plan = self._planned(word)
        for phrase, effect in plan.phrases.get(pieces[place + 1], ()):
            if pieces[place : place + len(phrase)] == phrase:
                found.effects.append(effect)
                return len(phrase)
        if plan.effect is not None:
            found.effects.append(plan.effect)
        return 1

    def _planned(self, word: str) -> _Plan:
        """What to do at this word, remembered within bounds."""
        phrases: dict[str, list[tuple[list[str], _Effect]]] = {}
        for phrase, listed in self._phrases.get(word, ()):
            phrases.setdefault(phrase[1], []).append((list(phrase), _Effect(" ".join(phrase), listed, 1.0)))
        effect = None
        if not _IDENTIFIER.match(word):
            entry = self._latin.get(word) or self._inflected(word)
            rare = word if not entry.kind and len(word) > 2 and not entry.types else ""
            effect = _Effect(word.removesuffix("s") if len(word) > 3 else word, entry, 1.0, rare)
        if len(self._plans) >= _REMEMBERED:
            self._plans.clear()
            self._effects.clear()
        plan = self._plans[word] = _Plan(phrases, effect)
        if effect is not None and not phrases:
            self._effects[word] = effect
        return plan

    def _inflected(self, word: str) -> _Entry:
        """The entry of a word that is drawn out ("hellooo") or of which the lists have another form ("bumping")."""
        stems = (word[: -len(end)] + more for end, more in _ENDINGS if word.endswith(end))
        for stem in (_DRAWN.sub(r"\1", word), *stems):
            if len(stem) >= _STEM and (entry := self._latin.get(stem)) is not None:
                return entry
        return _NOTHING

    def _han_run(self, run: str, found: _Found) -> None:
        """Take the words of a run of Chinese characters; what no list has is compared by pairs of characters."""
        place = 0
        for which, start, end in self._finder.find(run):
            if start > place:
                found.unlisted(run[place:start])
            found.effects.append(self._han_effects[which])
            place = end
        if place < len(run):
            found.unlisted(run[place:])

    def _learn(self, words: str, entry: _Entry) -> None:
        for groups in _ENTRY.findall(words):
            word = "".join(groups)
            if "\u3400" <= word[0] <= "\u9fff":
                entries = self._han.setdefault(word[0], {})
                entries[word] = entries.get(word, _NOTHING).joined(entry)
            elif len(phrase := tuple(_PIECE.findall(word))) > 1 and " " in word:
                self._phrases.setdefault(phrase[0], []).append((phrase, entry))
            else:
                self._latin[word] = self._latin.get(word, _NOTHING).joined(entry)


def _numbers(text: str) -> list[str]:
    """The numbers of a text, but those that count time."""
    return [
        piece[0].replace(",", "")
        for piece in _PIECE.finditer(text)
        if piece[0][0].isdigit()
        if not _UNIT.match(text, piece.end()) and not _ORDINAL.search(text, max(0, piece.start() - 8), piece.start())
    ]


@lru_cache(maxsize=8)
def vocabulary(folders: tuple[Path, ...] = ()) -> Vocabulary:
    """The built-in lists with those of a desk's folders. Raises ConfigurationError for a list that cannot be read."""
    tables = []
    for file in (BUILT_IN, *(folder / "follow_ups" / "words.toml" for folder in folders)):
        if file != BUILT_IN and not file.exists():
            continue
        try:
            tables.append(_checked(tomllib.loads(file.read_text(encoding="utf-8"))))
        except (OSError, ValueError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"{file}: {error}") from error
    return Vocabulary(tables)


def _checked(table: dict[str, Any]) -> dict[str, Any]:
    kinds = _KINDS.keys() - {"entity"}
    for key, words in table.items():
        if key == "entities":
            if not isinstance(words, dict) or not all(isinstance(v, str) for v in words.values()):
                raise ValueError('[entities] holds lines of NAME = "form form …"')
        elif key == "details":
            whole = isinstance(words, dict) and all(
                isinstance(d, dict) and {type(d.get("words")), type(d.get("types"))} == {str} for d in words.values()
            )
            if not whole:
                raise ValueError('[details.NAME] holds words = "…" and types = "…"')
        elif key not in kinds or not isinstance(words, str):
            raise ValueError(f'"{key}" is no word list; the lists are {", ".join(sorted(kinds))}, entities and details')
    return table
