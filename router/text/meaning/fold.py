"""How do two spellings of the same words become one form, and in which language is a text?

In: any text. Out of `fold`: one form for matching only (never shown to people): NFKC, lower case, Traditional folded to
Simplified, the usual typing mistakes, homophones and dialect characters of lexicons/spelling.tsv put right, spaces
between Chinese characters and invisible characters gone. Out of `language`: zh-Hans, zh-Hant, en or other, by script
and word share. The character table is lexicons/hant.tsv. Both functions are pure, total and linear in the text.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

from router.text.word_finder import WordFinder

__all__ = ["fold", "frequent_words", "is_han", "language"]

_FOLDER: Final = Path(__file__).parents[2] / "lexicons"
#: Invisible or decorative characters that people and apps leave in texts.
_DROPPED: Final = frozenset("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\ufe0e\ufe0f\u00ad嗯") | frozenset(
    chr(code) for first, last in ((0x202A, 0x202E), (0x2066, 0x2069)) for code in range(first, last + 1)
)
_ONE_FORM: Final = dict(zip("’‘`´“”。、—–", "''''\"\".,--", strict=True))
_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff"
_GAPS: Final = re.compile(rf"(?<=[{_HAN}])[ \t\u3000]+(?=[{_HAN}])")
_BLANKS: Final = re.compile(r"[ \t\f\v\r\u00a0]{2,}|[\t\f\v\r\u00a0]")  # a single space is left as it is
_LATIN_WORD: Final = re.compile(r"[a-zà-öø-ÿ]+(?:'[a-z]+)?")
_HAN_RUN: Final = re.compile(rf"[{_HAN}]+")
#: Scripts whose presence in force says that the text is neither Chinese nor English.
_FOREIGN: Final = re.compile(
    r"[\u0370-\u052f\u0590-\u06ff\u0900-\u0dff\u0e00-\u0eff\u1ea0-\u1eff\u3040-\u30ff\uac00-\ud7af]"
)


def _rows(name: str) -> list[list[str]]:
    """The rows of a readable table beside this module: fields split at tabs, comments and empty lines left out."""
    lines = (_FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]


@cache
def _characters() -> dict[int, str]:
    """The table of `str.translate`: Traditional to Simplified, punctuation to one form, invisible characters away."""
    table = {ord(old): simplified for simplified, traditional in _rows("hant.tsv") for old in traditional}
    table |= {ord(old): new for old, new in _ONE_FORM.items()}
    return table | {ord(c): "" for c in _DROPPED}


@cache
def _spellings() -> tuple[tuple[str, str], ...]:
    """Wrong or regional spelling to the usual one, longest first."""
    pairs = {old: row[0] for row in _rows("spelling.tsv") for old in row[1].split()}
    return tuple(sorted(pairs.items(), key=lambda pair: -len(pair[0])))


@cache
def _misspelt() -> WordFinder:
    """Finds wrong spellings: most texts have none."""
    return WordFinder(old for old, _ in _spellings())


@cache
def _scripts() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A character that only Traditional text has, and one that only Simplified text has."""
    rows = _rows("hant.tsv")
    shared = set(_rows("shared.tsv")[0][0])
    traditional = {c for _, olds in rows for c in olds} - shared
    dialect = set("喺咗冇嘅哋咁嚟乜嘢啲睇攞")
    return _any_of(traditional | dialect), _any_of({s for s, _ in rows} - shared - traditional)


def _any_of(characters: set[str]) -> re.Pattern[str]:
    return re.compile(f"[{''.join(sorted(characters))}]")


@cache
def _words() -> tuple[frozenset[str], frozenset[str]]:
    """Frequent English words, and frequent words of other languages in Latin letters that English has not."""
    words: dict[str, set[str]] = {"en": set(), "other": set()}
    for kind, row in _rows("words.tsv"):
        words[kind].update(row.split())
    return frozenset(words["en"]), frozenset(words["other"] - words["en"])


def frequent_words() -> frozenset[str]:
    """The frequent English words by which the language is told."""
    return _words()[0]


def is_han(character: str) -> bool:
    """Is this one character a Chinese one?"""
    return "\u4e00" <= character <= "\u9fff" or "\u3400" <= character <= "\u4dbf"


def fold(text: str) -> str:
    """One form of the text for matching; folding a folded text changes nothing that matters for matching."""
    if text.isascii():
        return _BLANKS.sub(" ", text.lower()).strip()
    folded = unicodedata.normalize("NFKC", text).lower().translate(_characters())
    folded = _BLANKS.sub(" ", folded)
    if _HAN_RUN.search(folded):
        folded = _GAPS.sub("", folded)
        folded = _spelt(folded)
    return folded.strip()


def _spelt(folded: str) -> str:
    """The text with each wrong spelling put right, the longest first."""
    if not _misspelt().find(folded):
        return folded
    there = set(folded)
    for old, new in _spellings():
        if old[0] in there and old in folded:
            folded = folded.replace(old, new)
            there.update(new)
    return folded


def language(text: str) -> str:
    """zh-Hans, zh-Hant, en or other, by script and word share; a text without words is `other`."""
    if text.isascii():
        return _latin(_LATIN_WORD.findall(text[:2000].lower()), 0)
    sample = unicodedata.normalize("NFKC", text[:2000]).lower()
    foreign, han = len(_FOREIGN.findall(sample)), "".join(_HAN_RUN.findall(sample))
    latin = _LATIN_WORD.findall(sample.replace("’", "'"))
    if foreign > max(len(han), 2 * len(latin)) or (foreign and foreign * 4 > len(han) > 0):
        return "other"
    if han and len(han) >= len(latin):
        return _chinese(han)
    return _latin(latin, foreign)


def _chinese(han: str) -> str:
    traditional, simplified = _scripts()
    old, new = len(traditional.findall(han)), len(simplified.findall(han))
    return "zh-Hant" if old > new else "zh-Hans"


def _latin(words: list[str], foreign: int) -> str:
    english, others = _words()
    if not words:
        return "other"
    known, strange = sum(map(english.__contains__, words)), sum(map(others.__contains__, words))
    accented = len(words) - sum(map(str.isascii, words))
    if strange + accented + foreign >= max(known, 1):
        return "other"
    return "en" if known * 5 >= len(words) else "other"
