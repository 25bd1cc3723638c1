"""Which concepts do the words of a text name?

In: lexicon files (TOML) and a folded text. Out: hits, each with its concept, place, words and whether it is negated.
A file has a `language` (zh: forms are sought anywhere; en: forms are sought word by word, by stem) and three tables:
`[concepts]` name = forms, `[negation]` with `not` (turns a concept into `not_NAME`) and `denial` ("not about …": what
follows is no topic), and `[evidence.TYPE]` / `[flags.NAME]` with `"concept + concept - absent concept" = weight`.
In a form, `(a|b|)` are alternatives and `…` a short gap within the clause. Files add up, so a desk extends by adding.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from router.errors import ConfigurationError
from router.normalise import fold

__all__ = ["BUILT_IN", "Hit", "Lexicon", "Rule", "stem", "tokens"]

BUILT_IN: Final = tuple((Path(__file__).parent / "lexicons").glob("*.toml"))
_CHOICE: Final = re.compile(r"\(([^()]*)\)")
_TOKEN: Final = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[.!?;\n]")
_GAP: Final = {"zh": 7, "en": 4}
_REACH: Final = {"zh": 5, "en": 3}
_BREAKS: Final = re.compile(r"[,.!?;:\n]")
_KEY: Final = re.compile(r"^[a-z_0-9]+(?: [+-] [a-z_0-9]+)*$")


class Hit(NamedTuple):
    """A concept found: where it begins and ends in the folded text, and the form that found it."""

    concept: str
    start: int
    end: int
    form: str


class Rule(NamedTuple):
    """Evidence for an issue type or a flag: all of `needs` and none of `bars` in one sentence weighs `weight`."""

    target: str
    needs: tuple[str, ...]
    bars: tuple[str, ...]
    weight: float


class _Form(NamedTuple):
    parts: tuple[Any, ...]
    concept: str
    text: str


def spread(form: str) -> Iterator[str]:
    """The plain forms of one with alternatives: `(a|b|)c` gives ac, bc, c."""
    pieces = _CHOICE.split(form)
    choices = [piece.split("|") if i % 2 else [piece] for i, piece in enumerate(pieces)]
    for chosen in itertools.product(*choices):
        yield "".join(chosen)


_STEMS: dict[str, str] = {}


def stem(word: str) -> str:
    """A rough stem that is the same for the forms of one English word (charge, charged, charges, charging)."""
    known = _STEMS.get(word)
    if known is None:
        known = _stem(word)
        if len(_STEMS) < 50_000:
            _STEMS[word] = known
    return known


def _stem(word: str) -> str:
    word = word.removesuffix("'s").replace("'", "")
    if len(word) <= 3:
        return word
    if word.endswith(("ies", "ied")) and len(word) > 4:
        return word[:-3] + "y"
    for suffix, least in (("ing", 6), ("ed", 5), ("es", 5)):
        if word.endswith(suffix) and len(word) >= least:
            word = word[: -len(suffix)]
            break
    else:
        if word.endswith("s") and not word.endswith(("ss", "us", "is")):
            word = word[:-1]
    word = word.removesuffix("e") if len(word) > 3 else word
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def tokens(folded: str) -> list[tuple[str, int, int]]:
    """Stems of the Latin words of a folded text with their places; the marks that end a sentence stay as they are."""
    return [(stem(m.group()), m.start(), m.end()) for m in _TOKEN.finditer(folded)]


class Lexicon:
    """Concept forms of all languages, the evidence built on them, and the matcher over both."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.flags: list[Rule] = []
        self.concepts: set[str] = set()
        self._han: dict[str, list[_Form]] = {}
        self._latin: dict[str, list[_Form]] = {}
        self._vocabulary: dict[str, str] = {}
        self._corrections: dict[str, str] = {}

    @classmethod
    def load(cls, folders: Iterable[Path] = ()) -> Lexicon:
        """The built-in lexicons and those of a desk's folders; mistakes are one ConfigurationError."""
        lexicon, mistakes = cls(), list[str]()
        for path in (*sorted(BUILT_IN), *(file for folder in folders for file in _files(folder, mistakes))):
            try:
                lexicon.add(tomllib.loads(path.read_text(encoding="utf-8")), path.name, mistakes)
            except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
                mistakes.append(f"{path}: cannot be read as TOML: {error}")
        if mistakes:
            raise ConfigurationError(mistakes)
        lexicon._index_corrections()
        return lexicon

    def add(self, tables: dict[str, Any], name: str, mistakes: list[str]) -> None:
        """Add the tables of one file."""
        language = tables.get("language", "zh")
        if language not in _GAP:
            mistakes.append(f'{name}: language is {language!r}; "zh" or "en" would be right')
            return
        spellings = {"negated": tables.get("negation", {}).get("not", []), "denied": tables.get("negation", {}).get("denial", [])}
        for concept, forms in (*tables.get("concepts", {}).items(), *spellings.items()):
            if not isinstance(forms, list) or not all(isinstance(form, str) and form.strip() for form in forms):
                mistakes.append(f"{name}: concepts.{concept}: a list of forms would be right, such as [\"转账\", \"汇款\"]")
                continue
            for form in forms:
                self._add_form(language, concept, form)
        for kind, rules in (("evidence", self.rules), ("flags", self.flags)):
            for target, weights in tables.get(kind, {}).items():
                for key, weight in weights.items():
                    if not _KEY.match(key) or not isinstance(weight, int | float):
                        mistakes.append(f'{name}: {kind}.{target}: "{key}" is no evidence; "transfer + fail - refund" = 3.0 would be right')
                        continue
                    rules.append(_rule(target, key, float(weight)))

    def _add_form(self, language: str, concept: str, form: str) -> None:
        self.concepts.add(concept)
        for plain in spread(form):
            parts = [part for part in plain.split("…") if part.strip()]
            if language == "zh":
                folded = tuple(fold(part) for part in parts)
                if folded and folded[0]:
                    self._han.setdefault(folded[0][:2], []).append(_Form(folded, concept, plain))
            else:
                stems = tuple(tuple(t[0] for t in tokens(fold(part))) for part in parts)
                if stems and stems[0]:
                    self._latin.setdefault(stems[0][0], []).append(_Form(stems, concept, plain))
                    self._vocabulary.update({word: word for part in stems for word in part})

    def _index_corrections(self) -> None:
        for word in self._vocabulary:
            if len(word) >= 6 and word.isalpha():
                for i in range(1, len(word)):
                    self._corrections.setdefault(word[:i] + word[i + 1 :], word)

    def _correct(self, word: str) -> str:
        """The word of the vocabulary that this one is one typing mistake away from, else the word itself."""
        if word in self._vocabulary or len(word) < 5:
            return word
        corrections = self._corrections
        if word in corrections:
            return corrections[word]
        for i in range(1, len(word)):
            shorter = word[:i] + word[i + 1 :]
            if len(word) >= 7 and shorter in self._vocabulary:
                return shorter
            if len(word) >= 6 and shorter in corrections and abs(len(corrections[shorter]) - len(word)) == 0:
                return corrections[shorter]
        return word

    def find(self, folded: str) -> list[Hit]:
        """All concepts named in a folded text, negation applied, denied topics left out, in order of place."""
        hits: list[Hit] = []
        if not folded.isascii():
            self._find_han(folded, hits)
        if any("a" <= c <= "z" for c in folded):
            self._find_latin(folded, hits)
        hits.sort(key=lambda hit: (hit.start, -hit.end))
        return hits

    def _find_han(self, text: str, hits: list[Hit]) -> None:
        forms, found = self._han, list[Hit]()
        for i in range(len(text)):
            for form in (*forms.get(text[i : i + 2], ()), *forms.get(text[i], ())):
                if text.startswith(form.parts[0], i):
                    end = _follow(text, form.parts, i + len(form.parts[0]))
                    if end:
                        found.append(Hit(form.concept, i, end, form.text))
        hits += _polarised(found, text, _REACH["zh"], [])

    def _find_latin(self, text: str, hits: list[Hit]) -> None:
        words = [(self._correct(word), start, end) for word, start, end in tokens(text)]
        found, places = list[Hit](), list[int]()
        for i, (word, start, _) in enumerate(words):
            for form in self._latin.get(word, ()):
                last = _follow_words(words, form.parts, i)
                if last >= 0:
                    found.append(Hit(form.concept, start, words[last][2], form.text))
        places = [start for _, start, _ in words]
        hits += _polarised(found, text, _REACH["en"], places)


def _files(folder: Path, mistakes: list[str]) -> list[Path]:
    if not folder.is_dir():
        mistakes.append(f"tagging.lexicons: {folder} is no folder; a folder with .toml lexicons would be right")
        return []
    return sorted(folder.glob("*.toml"))


def _rule(target: str, key: str, weight: float) -> Rule:
    words = ("+ " + key).split(" ")
    pairs = list(zip(words[::2], words[1::2], strict=True))
    needs, bars = (tuple(word for sign, word in pairs if sign == wanted) for wanted in "+-")
    return Rule(target, needs, bars, weight)


def _follow(text: str, parts: tuple[str, ...], end: int) -> int:
    """Where the rest of a form with gaps ends after `end`, or 0 when it is not there within the clause."""
    for part in parts[1:]:
        at = text.find(part, end, end + _GAP["zh"] + len(part))
        if at < 0 or _BREAKS.search(text, end, at):
            return 0
        end = at + len(part)
    return end


def _follow_words(words: list[tuple[str, int, int]], parts: tuple[tuple[str, ...], ...], at: int) -> int:
    """The index of the last word of a form that begins at word `at`, or -1 when it is not there."""
    for number, part in enumerate(parts):
        furthest = at if number == 0 else at + _GAP["en"]
        while at <= furthest:
            if tuple(word for word, _, _ in words[at : at + len(part)]) == part:
                break
            if at < len(words) and words[at][0] in ".!?;\n":
                return -1
            at += 1
        else:
            return -1
        at += len(part)
    return at - 1


def _polarised(found: list[Hit], text: str, reach: int, places: list[int]) -> list[Hit]:
    """Hits with negation applied: `not_NAME` beside a negated concept, none where the topic is denied."""
    negations = [hit for hit in found if hit.concept == "negated"]
    denials = [hit for hit in found if hit.concept == "denied"]
    result = []
    for hit in found:
        if hit.concept in ("negated", "denied"):
            continue
        if any(_within(d.end, hit.start, text, 2 * reach, places) for d in denials):
            continue
        if any(_within(n.end, hit.start, text, reach, places) for n in negations):
            hit = hit._replace(concept="not_" + hit.concept)
        result.append(hit)
    return result


def _within(end: int, start: int, text: str, reach: int, places: list[int]) -> bool:
    """Does what begins at `start` follow `end` within reach (characters, or words where `places` are given)?"""
    if start < end:
        return False
    distance = sum(end <= place < start for place in places) if places else start - end
    return distance <= reach and not _BREAKS.search(text, end, start)
