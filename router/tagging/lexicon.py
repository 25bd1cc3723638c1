"""Which concepts do the words of a text name?

In: lexicon files (TOML) and a folded text. Out: hits, each with its concept, place, words and whether it is negated.
A file has a `language` (zh: forms are sought anywhere; en: word by word, by stem) and these tables: `[concepts]` name =
forms; `[negation]` with `not` (turns the concepts of `polar` into `not_NAME`) and `denial` (what follows is no topic);
`[evidence.TYPE]` and `[flags.NAME]` with `"concept + concept - absent concept" = weight`. In a form, `(a|b|)` are
alternatives and `…` a short gap within the clause. Files add up, so a desk extends by adding.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from router.errors import ConfigurationError
from router.tagging.forms import BREAKS, GAP, Found, Tree
from router.text.meaning import words
from router.text.meaning.fold import fold

__all__ = ["Hit", "Lexicon", "Rule", "files"]

_CHOICE: Final = re.compile(r"\(([^()]*)\)")
_KEY: Final = re.compile(r"^[a-z_0-9]+(?: [+-] [a-z_0-9]+)*$")
#: Words after which a negation no longer holds.
_TURNS: Final = frozenset((*BREAKS, "and", "but", "becaus", "though", "although", "但", "却", "所"))
#: Where a clause is; the whole text for a lexicon with forms that hold the marks of clauses.
_CLAUSE: Final = re.compile(f"[^{re.escape(''.join(sorted(BREAKS)))}]+")
_WHOLE: Final = re.compile(r"(?s).+")
#: So many clauses are remembered with what they name, of at most so many characters.
_MOST_CLAUSES, _SHORT_CLAUSE = 4_096, 240
#: How far, in symbols (characters of zh, words of en), a gap may reach, and a negation.
_GAPS: Final = {"zh": 6, "en": 4}
_REACH: Final = {"zh": 4, "en": 3}


class Hit(NamedTuple):
    """A concept found: where its words begin and end in the folded text, and these words."""

    concept: str
    start: int
    end: int
    words: str


class Rule(NamedTuple):
    """Evidence for an issue type or a flag: all of `needs` and none of `bars` weigh `weight`."""

    target: str
    needs: frozenset[str]
    bars: frozenset[str]
    weight: float


def files(folders: Iterable[Path] = ()) -> list[Path]:
    """The built-in lexicon files and those of a desk's folders, in the order in which they add up."""
    built_in = [Path(__file__).parents[1] / "lexicons" / f"{name}.toml" for name in ("en", "types", "zh")]
    return built_in + [path for folder in folders for path in sorted(Path(folder).glob("*.toml"))]


def spread(form: str) -> Iterator[str]:
    """The plain forms of one with alternatives: `(a|b|)c` gives ac, bc, c; alternatives may be nested."""
    choice = _CHOICE.search(form)
    if choice is None:
        yield form
        return
    for chosen in choice.group(1).split("|"):
        yield from spread(form[: choice.start()] + chosen + form[choice.end() :])


class Lexicon:
    """Concept forms of all languages, the evidence built on them, and the matcher over the forms."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.flags: list[Rule] = []
        self.concepts: set[str] = set()
        self._forms = {language: Tree(reach) for language, reach in _GAPS.items()}
        self._polar: set[str] = set()
        self._speller = words.Speller()
        self._clauses = _CLAUSE
        #: Clauses met before, in texts with other than Latin letters and in those without.
        self._remembered: tuple[dict[str, list[Hit]], dict[str, list[Hit]]] = ({}, {})

    @classmethod
    def load(cls, folders: Sequence[Path] = ()) -> Lexicon:
        """The built-in lexicons and those of a desk's folders; all mistakes together are one ConfigurationError."""
        lexicon = cls()
        mistakes = [f"tagging.lexicons: {folder} is no folder; a folder with .toml files would be right"
                    for folder in folders if not Path(folder).is_dir()]  # fmt: skip
        for path in files(folders):
            try:
                tables = tomllib.loads(path.read_text(encoding="utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
                mistakes.append(f"{path}: cannot be read as TOML: {error}")
                continue
            lexicon.add(tables, path.name, mistakes)
        mistakes += lexicon._unknown_concepts()
        if mistakes:
            raise ConfigurationError(mistakes)
        return lexicon

    def add(self, tables: Mapping[str, Any], name: str, mistakes: list[str]) -> None:
        """Add the tables of one file; what is wrong with it goes to `mistakes`, a sentence each."""
        language, negation = tables.get("language", "zh"), tables.get("negation", {})
        self._remembered = ({}, {})
        if language not in self._forms:
            mistakes.append(f'{name}: language is {language!r}; "zh" or "en" would be right')
            return
        self._polar.update(negation.get("polar", ()))
        cues = {"negated": negation.get("not", []), "denied": negation.get("denial", [])}
        for concept, forms in (*tables.get("concepts", {}).items(), *cues.items()):
            if not isinstance(forms, list) or not all(isinstance(form, str) and form.strip() for form in forms):
                mistakes.append(f'{name}: concepts.{concept}: a list of forms would be right, such as ["转账", "汇款"]')
                continue
            for form in forms:
                self._add_form(language, concept, form)
        for kind, rules in (("evidence", self.rules), ("flags", self.flags)):
            for target, weights in tables.get(kind, {}).items():
                if not isinstance(weights, dict):
                    mistakes.append(f'{name}: {kind}.{target}: a table of "transfer + fail" = 3.0 would be right')
                    continue
                rules += _rules(f"{name}: {kind}.{target}", target, weights, mistakes)

    def find(self, folded: str, among: Container[str] | None = None) -> list[Hit]:
        """All concepts named in a folded text (or those `among` these), negation applied, denied topics left out, in
        order of place."""
        hits: list[Hit] = []
        latin = folded.isascii()
        for clause in self._clauses.finditer(folded):
            base = clause.start()
            for concept, start, end, named in self._of_clause(clause[0], latin):
                if among is None or concept in among:
                    hits.append(Hit(concept, base + start, base + end, named))
        return hits

    def _of_clause(self, text: str, latin: bool) -> list[Hit]:
        """The concepts of a clause; short ones that were met before are remembered."""
        remembered = self._remembered[latin]
        found = remembered.get(text)
        if found is None:
            found = self._named(text, latin)
            if len(text) <= _SHORT_CLAUSE:
                if len(remembered) >= _MOST_CLAUSES:
                    remembered.clear()
                remembered[text] = found
        return found

    def _named(self, clause: str, latin: bool) -> list[Hit]:
        """The concepts of a clause; no form reaches beyond it, and people and signatures repeat their clauses."""
        hits: list[Hit] = []
        if not latin:
            for concept, first, after in self._search("zh", list(clause)):
                hits.append(Hit(concept, first, after, clause[first:after]))
        stems, spans = words.symbols(clause, self._speller)
        for concept, first, after in self._search("en", stems):
            start, end = spans[first][0], spans[after - 1][1]
            hits.append(Hit(concept, start, end, clause[start:end]))
        hits.sort(key=lambda hit: (hit.start, -hit.end))
        return hits

    def _add_form(self, language: str, concept: str, form: str) -> None:
        self.concepts.add(concept)
        for plain in dict.fromkeys(spread(form)):
            path = _symbols(language, plain)
            self._forms[language].add(path, concept)
            if not BREAKS.isdisjoint(path):
                self._clauses = _WHOLE
            if language == "en":
                self._speller.learn(path)

    def _unknown_concepts(self) -> list[str]:
        known = self.concepts | {f"not_{concept}" for concept in self.concepts}
        return [
            f'evidence for {rule.target}: no lexicon names the concept "{concept}"'
            for rule in (*self.rules, *self.flags)
            for concept in sorted(rule.needs | rule.bars)
            if concept not in known
        ]

    def _search(self, language: str, symbols: list[str]) -> Iterable[Found]:
        return _polarised(self._forms[language].find(symbols), symbols, _REACH[language], self._polar)


def _symbols(language: str, plain: str) -> list[str]:
    """The symbols of a form: characters or stems, with the gap sign between its parts."""
    path: list[str] = []
    for part in plain.split(GAP):
        folded = fold(part)
        symbols = list(folded) if language == "zh" else words.symbols(folded)[0]
        if symbols:
            path += [GAP, *symbols] if path else symbols
    return path


def _rules(where: str, target: str, weights: dict[str, Any], mistakes: list[str]) -> list[Rule]:
    rules = []
    for key, weight in weights.items():
        if not _KEY.match(key) or not isinstance(weight, int | float):
            mistakes.append(f'{where}: "{key}" is no evidence; "transfer + fail - refund" = 3.0 would be right')
            continue
        signed = ("+ " + key).split(" ")
        pairs = list(zip(signed[::2], signed[1::2], strict=True))
        needs, bars = (frozenset(word for sign, word in pairs if sign == wanted) for wanted in "+-")
        rules.append(Rule(target, needs, bars, float(weight)))
    return rules


def _polarised(found: list[Found], symbols: list[str], reach: int, polar: set[str]) -> Iterable[Found]:
    """What was found, `not_NAME` for polar concepts under a negation, without what is denied; `denied` stays."""
    negations = sorted(after for concept, _, after in found if concept == "negated")
    denials = sorted(after for concept, _, after in found if concept == "denied")
    return _under(found, symbols, reach, polar, negations, denials) if negations or denials else found


def _under(
    found: list[Found], symbols: list[str], reach: int, polar: set[str], negations: list[int], denials: list[int]
) -> Iterator[Found]:
    for concept, first, after in found:
        if concept == "negated" or (denials and concept != "denied" and _near(denials, first, symbols, 2 * reach)):
            continue
        if concept in polar and _near(negations, first, symbols, reach):
            concept = f"not_{concept}"
        yield concept, first, after


def _near(ends: list[int], first: int, symbols: list[str], reach: int) -> bool:
    """Does one of these cues end at most `reach` symbols before `first`, with no turn of the sentence between?"""
    place = bisect.bisect_right(ends, first)
    if place == 0 or first - ends[place - 1] > reach:
        return False
    return _TURNS.isdisjoint(symbols[ends[place - 1] : first])
