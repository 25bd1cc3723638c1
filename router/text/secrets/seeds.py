"""Where in a text does a wallet's seed phrase or private key stand?

In: a text in its plain form (ASCII digits and letters, same offsets as the original) and its lower-case twin. Out:
spans of what opens a wallet: BIP-39 word runs however numbered and separated, 64 hex digits beside a word that says
key, WIF, extended and PEM keys. An ordinary message has none of it at the price of a few looks (rules: security, 3).

English words need no introduction, since prose never strings eleven of them; single Chinese characters do. The word
lists and the checksum of BIP-39 are those of `mnemonic`.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from mnemonic import Mnemonic

__all__ = [
    "SHORTEST", "Span", "announced", "has_valid_checksum", "is_listed", "is_listed_character", "is_wallet_key", "keys",
    "latin_words", "seeds",
]  # fmt: skip

#: No seed phrase is shorter, in characters.
SHORTEST = 21

#: Start, end and kind of a secret in the text.
Span: TypeAlias = tuple[int, int, str]

_LEXICONS = Path(__file__).parents[2] / "lexicons"
_SIZES = (24, 21, 18, 15, 12)
_LIKELY = 11
_INTRODUCED = 8
#: So many listed words in a row, one byte each, are looked at closely.
_RUN = bytes([True]) * (_LIKELY // 2)
_CHECKED = 48
_NEAR = 30
_WORD = re.compile(r"[a-z]+")
_HAN_GATE = re.compile("[助私注註密种種恢]")
_GAP = re.compile(r"(?:[\W\d_第个個词詞號号是为一二三四五六七八九十]|(?<=[0-9])(?:st|nd|rd|th)|w(?=[0-9])){1,24}")
_ORDINAL = re.compile(r"(?<=[0-9])(?:st|nd|rd|th)(?![a-z])|(?<![a-z])w(?=[0-9])")
_HAN = re.compile(r"(?:[\u4e00-\u9fff][\s、,，.。;；/|_\-0-9()（）:：]{1,6}){10,}[\u4e00-\u9fff](?![\u4e00-\u9fff])")
_HAN_CHARACTER = re.compile(r"[\u4e00-\u9fff]")
_ORDINALS = frozenset((b"st", b"nd", b"rd", b"th", b"w"))
#: Small letters stay, every other byte is a space.
_LETTERS = bytes(code if ord("a") <= code <= ord("z") else ord(" ") for code in range(256))
_HEX_KEY = re.compile(r"(?<![0-9A-Za-z])(?:0[xX])?(?:[0-9A-Fa-f][ \n\r\t:\-]{0,2}){63}[0-9A-Fa-f](?![0-9A-Za-z])")
_BASE58_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_LONG_BASE58 = re.compile(rf"(?<![0-9A-Za-z])[{_BASE58_ALPHABET}]{{51,112}}(?![0-9A-Za-z])")
_PEM = re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[^-]{0,8000}(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?")


def latin_words(low: str) -> list[bytes]:
    """The runs of small letters in a text, in order: what several looks begin with."""
    return low.encode("ascii", "replace").translate(_LETTERS).split()


def seeds(low: str, written: Sequence[bytes]) -> list[Span]:
    """The seed phrases of a text: English word runs, and Chinese characters where a word introduces them. `written`
    are its `latin_words`."""
    found: list[Span] = []
    if _has_run(written):
        words = [word for word in _WORD.finditer(low) if len(word[0]) > 2 or not _ORDINAL.match(low, word.start())]
        found.extend(_runs(words, low, _LIKELY, 0))
        found.extend(span for span in _runs(words, low, _INTRODUCED, 1) if _is_introduced(span, low))
    if not low.isascii() and (_HAN_GATE.search(low) or "seed" in low or "recovery" in low or "mnemonic" in low):
        for run in _HAN.finditer(low):
            characters = _HAN_CHARACTER.findall(run[0])
            listed = sum(character in _chinese() for character in characters)
            span = (run.start(), run.end(), "seed")
            if listed * 10 >= len(characters) * 9 and _is_introduced(span, low):
                found.append(span)
    return found


def keys(plain: str, low: str) -> list[Span]:
    """The private keys of a text."""
    found: list[Span] = []
    for match in _HEX_KEY.finditer(plain):
        span = (match.start(), match.end(), "key")
        if _is_introduced(span, low) and not _says_hash(low, match.start()):
            found.append(span)
    for match in _LONG_BASE58.finditer(plain):
        span = (match.start(), match.end(), "key")
        if is_wallet_key(match[0]) or (len(match[0]) in (87, 88) and _is_introduced(span, low)):
            found.append(span)
    if "PRIVATE KEY-----" in plain:
        found.extend((match.start(), match.end(), "key") for match in _PEM.finditer(plain))
    return found


def has_valid_checksum(words: Sequence[str]) -> bool:
    """Does some stretch of 12 to 24 of these words carry the checksum of BIP-39?"""
    english = _english()
    listed = [word in english.wordlist for word in words[:_CHECKED]]
    for size in _SIZES:
        for start in range(len(listed) - size + 1):
            if all(listed[start : start + size]) and english.check(" ".join(words[start : start + size])):
                return True
    return False


def announced(low: str) -> bool:
    """Does a word in this small text speak of a seed phrase or key?"""
    return any(word in low for word in _recovery())


def is_listed(word: bytes) -> bool:
    """Is this one of the English words of seed phrases, or its abbreviation?"""
    return word in _listed()


def is_listed_character(character: str) -> bool:
    """Is this one of the Chinese characters of seed phrases?"""
    return character in _chinese()


def _runs(words: Sequence[re.Match[str]], low: str, least: int, misses: int) -> Iterator[Span]:
    """Stretches of at least `least` listed words, with at most `misses` foreign words inside."""
    known, stems = _english().wordlist, _stems() if misses else frozenset()
    run: list[tuple[re.Match[str], bool]] = []
    for word in (*words, None):
        listed = word is not None and (word[0] in known or (misses > 0 and word[0][:4] in stems and len(word[0]) <= 8))
        joined = word is not None and bool(run) and bool(_GAP.fullmatch(low, run[-1][0].end(), word.start()))
        if word is not None and joined and (listed or sum(not hit for _, hit in run) < misses):
            run.append((word, listed))
            continue
        while run and not run[-1][1]:
            run.pop()
        if sum(hit for _, hit in run) >= least:
            yield run[0][0].start(), run[-1][0].end(), "seed"
        run = [(word, True)] if word is not None and listed else []


def _has_run(words: Sequence[bytes]) -> bool:
    """Do five listed words follow each other, whatever stands between them? (A look before the scan.)"""
    if not _ORDINALS.isdisjoint(words):
        words = [word for word in words if word not in _ORDINALS]
    return _RUN in bytes(map(_listed().__contains__, words))


def _is_introduced(span: Span, low: str) -> bool:
    """Does a word within 30 characters announce a seed phrase or key? Inside counts: "seed" is itself a listed word."""
    return announced(low[max(0, span[0] - _NEAR) : span[1] + _NEAR])


def _says_hash(low: str, start: int) -> bool:
    before = low[max(0, start - 16) : start]
    return any(word in before for word in ("hash", "txid", "tx ", "tx:", "哈希", "交易", "订单", "單號", "单号"))


def is_wallet_key(text: str) -> bool:
    """WIF (51 or 52 characters) or an extended private key (111), with the check sum of Base58Check."""
    if not (len(text) in (51, 52) and text[0] in "5KL9c") and not (len(text) >= 107 and text[1:4] == "prv"):
        return False
    value = 0
    for character in text:
        value = value * 58 + _BASE58_ALPHABET.index(character)
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


class _WordList(list[str]):
    """A word list in which a word is looked up and not searched: strangers decide how many words are asked for."""

    def __init__(self, words: Iterable[str]) -> None:
        super().__init__(words)
        self._places: Final = {word: place for place, word in enumerate(self)}

    def __contains__(self, word: object) -> bool:
        return word in self._places

    def index(self, word: str, *_: Any) -> int:
        return self._places[word]


@cache
def _english() -> Mnemonic:
    return Mnemonic(wordlist=_WordList(Mnemonic("english").wordlist))


@cache
def _stems() -> frozenset[str]:
    return frozenset(word[:4] for word in _english().wordlist if len(word) >= 4)


@cache
def _listed() -> frozenset[bytes]:
    """The words of the list and their abbreviations of four letters."""
    return frozenset(word.encode() for word in (*_stems(), *_english().wordlist))


@cache
def _chinese() -> frozenset[str]:
    both = (Mnemonic("chinese_simplified"), Mnemonic("chinese_traditional"))
    return frozenset(character for one in both for character in one.wordlist)


@cache
def _recovery() -> tuple[str, ...]:
    return tuple(tomllib.loads((_LEXICONS / "secrets.toml").read_text(encoding="utf-8"))["recovery"])
