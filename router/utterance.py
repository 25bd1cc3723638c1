"""What kind of utterance is a message: a greeting, a thank-you, a chaser, or does it say something?

In: own words in their folded form (`normalise.fold`). Out: `Utterance`: which kinds of words it holds, how much of it
none of them explains, its numbers, names of banks, and the features by which two texts are compared. The word lists
are lexicons/follow_ups/words.toml, which a desk extends. Pure, linear, reads at most the first 600 characters.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from enum import IntFlag
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from router.errors import ConfigurationError
from router.model import Value

__all__ = ["Utterance", "Vocabulary", "Word", "vocabulary"]

BUILT_IN: Final = Path(__file__).parent / "lexicons" / "follow_ups" / "words.toml"
MOST: Final = 600
_PIECE: Final = re.compile(r"[a-z][a-z0-9]*(?:['’-][a-z0-9]+)*|\d[\d.,:]*\d|\d|[\u3400-\u4dbf\u4e00-\u9fff]+|[^\s\w]")
_ENTRY: Final = re.compile(r"\"([^\"]+)\"|(?<!\S)'([^']+ [^']+)'(?!\S)|(\S+)")
_UNIT: Final = re.compile(
    r"\s*(?:个)?(?:天|日|周|星期|月|年|小时|钟头|分钟|分|秒|次|遍|点|刻|st|nd|rd|th|days?|weeks?|hours?|hrs?|h|d|min|mins|minutes?|months?|times?)"
)
_ASKS: Final = re.compile(
    r"[?]|(?:吗|么|没|没有|呢|了没|不|好没|如何|怎样|怎么样)[\s.!~,]*$|^(?:is|are|was|were|did|does|do|have|has|when|what|where|why|how|who|can|could|will|would|any)\b"
)


class Word(IntFlag):
    """What a word of the lists says."""

    NONE = 0
    GREETING = 1
    CHASE = 2
    OUTCOME = 4
    FILLER = 8
    ACK = 16
    NEWS = 32
    ATTEMPT = 64
    PROBLEM = 128
    WISH = 256
    AGAIN = 512
    PAYEE = 1024
    PAYER = 2048
    COMMON = 4096
    ENTITY = 8192


#: Words that carry no topic of their own.
_EMPTY: Final = int(Word.GREETING | Word.CHASE | Word.OUTCOME | Word.FILLER | Word.ACK | Word.NEWS | Word.ATTEMPT)
_NO_THANKS: Final = int(Word.CHASE | Word.ATTEMPT | Word.PROBLEM | Word.WISH | Word.AGAIN)


class Utterance(Value, frozen=True, kw_only=True):
    """What was found. `kinds` are all kinds of words, `weight` counts words that no list explains (two Chinese
    characters are one), `numbers` leave out counts of time, `features` are what similarity compares."""

    kinds: int = 0
    weight: float = 0.0
    numbers: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    features: frozenset[str] = frozenset()
    rare: tuple[str, ...] = ()
    asks: bool = False
    thanks: bool = False
    long: bool = False

    def has(self, kind: Word) -> bool:
        """Does it hold a word of this kind (or of one of these)?"""
        return bool(self.kinds & int(kind))

    @property
    def empty(self) -> bool:
        """Nothing in it carries a topic: punctuation, a greeting, chasing words alone."""
        return self.weight <= 0.0 and not self.numbers and not self.entities

    @property
    def poor(self) -> bool:
        """Next to nothing in it carries a topic."""
        if self.numbers or self.entities or self.long:
            return False
        return self.weight <= 0.0 or (self.weight <= 1.0 and bool(self.kinds & (Word.GREETING | Word.CHASE)))


class Vocabulary:
    """The word lists, compiled once. Chinese words are found longest first, others as whole words and phrases."""

    def __init__(self, tables: Sequence[Mapping[str, Any]]) -> None:
        self._han: dict[str, list[tuple[str, int, str]]] = {}
        self._latin: dict[str, int] = {}
        self._phrases: dict[str, list[tuple[tuple[str, ...], int, str]]] = {}
        self._names: dict[str, str] = {}
        for table in tables:
            for kind, words in table.items():
                if kind != "entities":
                    self._learn(words, int(Word[kind.upper()]), "")
            for name, forms in table.get("entities", {}).items():
                self._learn(forms, int(Word.ENTITY), name)
        for entries in self._han.values():
            entries.sort(key=lambda entry: -len(entry[0]))
        for phrases in self._phrases.values():
            phrases.sort(key=lambda entry: -len(entry[0]))

    def read(self, folded: str) -> Utterance:
        """Tell what kind of utterance a folded text is. Total."""
        text = folded[:MOST]
        kinds, weight, features = 0, 0.0, set[str]()
        numbers: list[str] = []
        names: list[str] = []
        rare: list[str] = []
        pieces = [(m.group(), m.end()) for m in _PIECE.finditer(text)]
        place = 0
        while place < len(pieces):
            piece, end = pieces[place]
            place += 1
            first = piece[0]
            if "a" <= first <= "z":
                kind, name, used = self._latin_word(pieces, place - 1)
                place += used - 1
                kinds |= kind
                if name:
                    names.append(name)
                    features.add(name)
                elif not kind & _EMPTY:
                    features.add(piece.removesuffix("s") if len(piece) > 3 else piece)
                    if not kind or kind == Word.COMMON:
                        weight += 1.0
                    if not kind and len(piece) > 2:
                        rare.append(piece)
            elif first.isdigit():
                if not _UNIT.match(text, end):
                    numbers.append(piece.replace(",", ""))
            elif first >= "\u3400" and first not in "👍🙏👌❤😊😄🙂":
                kind, left = self._han_run(piece, features, names)
                kinds |= kind
                weight += left / 2
            else:
                kinds |= self._latin.get(piece, 0)
        if names:
            kinds |= Word.ENTITY
        thanks = bool(kinds & Word.ACK) and not kinds & (Word.ATTEMPT | Word.PROBLEM | Word.WISH | Word.AGAIN)
        return Utterance(
            kinds=kinds, weight=weight, numbers=tuple(dict.fromkeys(numbers)), entities=tuple(dict.fromkeys(names)),
            features=frozenset(features), rare=tuple(dict.fromkeys(rare)), asks=bool(_ASKS.search(text)),
            thanks=thanks, long=len(text) >= MOST,
        )  # fmt: skip

    def _latin_word(self, pieces: list[tuple[str, int]], place: int) -> tuple[int, str, int]:
        """The kind of the word at `place`, the entity it names, and how many words it takes."""
        word = pieces[place][0]
        for phrase, kind, name in self._phrases.get(word, ()):
            if len(phrase) <= len(pieces) - place and all(p == pieces[place + i][0] for i, p in enumerate(phrase)):
                return kind, name, len(phrase)
        return self._latin.get(word, 0), self._names.get(word, ""), 1

    def _han_run(self, run: str, features: set[str], names: list[str]) -> tuple[int, int]:
        """The kinds of words in a run of Chinese characters, and how many of its characters none explains."""
        kinds = left = place = 0
        before = ""
        while place < len(run):
            character = run[place]
            for word, kind, name in self._han.get(character, ()):
                if run.startswith(word, place):
                    kinds |= kind
                    place += len(word)
                    if name:
                        names.append(name)
                        features.add(name)
                        before = ""
                    elif kind & _EMPTY:
                        before = ""
                    else:
                        features.add(word)
                        before = ""
                    break
            else:
                left += 1
                features.add(before + character)
                before = character
                place += 1
        return kinds, left

    def _learn(self, words: str, kind: int, name: str) -> None:
        for groups in _ENTRY.findall(words):
            word = "".join(groups)
            if "\u3400" <= word[0] <= "\u9fff":
                entries = self._han.setdefault(word[0], [])
                known = next((i for i, entry in enumerate(entries) if entry[0] == word), None)
                if known is None:
                    entries.append((word, kind, name))
                else:
                    entries[known] = (word, entries[known][1] | kind, name or entries[known][2])
            elif " " in word:
                phrase = tuple(_PIECE.findall(word))
                self._phrases.setdefault(phrase[0], []).append((phrase, kind, name))
            else:
                self._latin[word] = self._latin.get(word, 0) | kind
                if name:
                    self._names[word] = name


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
    kinds = {kind.name.lower() for kind in Word if kind.name} - {"none", "entity"}
    for key, words in table.items():
        if key == "entities":
            if not isinstance(words, dict) or not all(isinstance(v, str) for v in words.values()):
                raise ValueError("[entities] holds lines of NAME = \"form form …\"")
        elif key not in kinds or not isinstance(words, str):
            raise ValueError(f'"{key}" is no word list; the lists are {", ".join(sorted(kinds))} and [entities]')
    return table
