"""Which piece of a secret may a message hold, and do pieces of several messages make one?

People cut a seed phrase or a card in two and send the halves one after the other. In: a text, redacted as it stands
alone. Out of `pieces`: what of it may be a piece, by kind, each with its place; most texts have none, at the price of a
few looks. Out of `whole`: the secret that pieces make together, in their order, by the same signs as in one text
(issuer and check digit, word list and check sum), never by a word alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from router.text.meaning import number_context
from router.text.secrets import seeds
from router.text.secrets.cards import is_card, is_resident_id
from router.text.secrets.unhidden import UNSEEN, unhidden

__all__ = ["LONGEST", "Piece", "pieces", "whole"]

#: A piece stands in a text of at most so many characters.
LONGEST: Final = 240
#: One with digits, in a shorter one.
_SHORT: Final = 120
#: Letters around a piece: "前六个是", "second half:"; more of them where they speak of a card.
_AROUND, _AROUND_CARD = 12, 40
_CARD: Final = re.compile(r"卡|card|身份|証|证|\bid\b")
_DIGIT: Final = re.compile(r"[0-9]")
_DIGITS: Final = re.compile(r"[0-9](?:[ \t\n\r\-.·•_,，、/|]{0,6}[0-9])*[Xx]?")
_BARE_DIGITS: Final = re.compile(r"[^0-9Xx]+")
_WORD: Final = re.compile(r"[a-z]+")
_HAN: Final = re.compile(
    r"(?:[\u4e00-\u9fff][\s、,，.;；/|_\-0-9()（）:：]{1,6}){2,23}[\u4e00-\u9fff](?![\u4e00-\u9fff])"
)
_HAN_CHARACTER: Final = re.compile(r"[\u4e00-\u9fff]")
_TOKEN: Final = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{8,110}(?![0-9A-Za-z])")
_HEX: Final = re.compile(r"(?:0[xX])?[0-9A-Fa-f]{64}")
_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_FEW_WORDS, _LIKELY, _INTRODUCED = 4, 11, 8
_RUN: Final = bytes([True]) * _FEW_WORDS
_SIZES: Final = (12, 15, 18, 21, 24)


class Piece(NamedTuple):
    """What may be a piece: its place in the text, and what it says without separators."""

    start: int
    end: int
    says: str


def pieces(text: str) -> dict[str, Piece]:
    """The pieces of a text, one at most of each kind: `digits`, `words`, `characters`, `token`."""
    if not text or len(text) > LONGEST or "已隐去" in text:
        return {}
    plain = unhidden(text)
    if UNSEEN not in plain:
        return dict(_found(plain))
    kept = [at for at, character in enumerate(plain) if character != UNSEEN]
    found = _found(plain.replace(UNSEEN, ""))
    return {kind: Piece(kept[one.start], kept[one.end - 1] + 1, one.says) for kind, one in found}


def _found(visible: str) -> Iterator[tuple[str, Piece]]:
    low = visible.lower()
    if len(low) != len(visible):
        low = visible.translate(_LOWER)
    written = seeds.latin_words(low)
    if len(visible) <= _SHORT and _DIGIT.search(low):
        if piece := _digits(visible, low):
            yield "digits", piece
        if piece := _token(visible):
            yield "token", piece
    if written and (piece := _words(low, written)):
        yield "words", piece
    if not low.isascii() and (piece := _characters(visible)):
        yield "characters", piece


def whole(kind: str, says: Sequence[str], texts: Sequence[str]) -> str:
    """The kind of secret that pieces of one kind make together; empty for none. `texts` are those they stand in."""
    told = " ".join(texts).lower()
    if kind == "digits":
        digits = "".join(says)
        return "resident_id" if is_resident_id(digits) else "card" if is_card(digits) else ""
    if kind == "words":
        words = " ".join(says).split()
        likely = len(words) >= _LIKELY and min(len(one.split()) for one in says) >= _FEW_WORDS
        told_so = len(words) >= _INTRODUCED and seeds.announced(told)
        sure = len(words) in _SIZES and seeds.has_valid_checksum(words)
        return "seed" if sure or likely or told_so else ""
    if kind == "characters":
        return "seed" if len("".join(says)) >= _LIKELY and seeds.announced(told) else ""
    token = "".join(says)
    is_key = _HEX.fullmatch(token) and seeds.announced(told)
    return "key" if is_key or seeds.is_wallet_key(token) else ""


def _digits(visible: str, low: str) -> Piece | None:
    runs = sorted(((len(_BARE_DIGITS.sub("", run[0])), run) for run in _DIGITS.finditer(visible)), key=_size)
    if not runs or runs[-1][0] > 18 or any(size > 2 for size, _ in runs[:-1]):
        return None
    run = runs[-1][1]
    around = sum(map(str.isalnum, visible[: run.start()] + visible[run.end() :]))
    if around > _AROUND and not (around <= _AROUND_CARD and _CARD.search(low)):
        return None
    before, after = number_context.before(visible, run.start()), number_context.after(visible, run.end())
    if before.startswith(("order", "money", "amount")) or after.startswith(("money", "amount", "unit")):
        return None
    return Piece(run.start(), run.end(), _BARE_DIGITS.sub("", run[0]).upper())


def _size(sized: tuple[int, re.Match[str]]) -> int:
    return sized[0]


def _words(low: str, written: Sequence[bytes]) -> Piece | None:
    listed = bytes(map(seeds.is_listed, written))
    if _RUN not in listed and (0 in listed or _HAN_CHARACTER.search(low)):
        return None
    words = list(_WORD.finditer(low))
    best: list[re.Match[str]] = []
    run: list[re.Match[str]] = []
    for word in words:
        run = [*run, word] if seeds.is_listed(word[0].encode()) else []
        best = run if len(run) > len(best) else best
    if len(best) > 23:
        return None
    return Piece(best[0].start(), best[-1].end(), " ".join(word[0] for word in best))


def _characters(visible: str) -> Piece | None:
    run = _HAN.search(visible)
    if run is None:
        return None
    characters = _HAN_CHARACTER.findall(run[0])
    if sum(map(seeds.is_listed_character, characters)) * 10 < len(characters) * 9:
        return None
    return Piece(run.start(), run.end(), "".join(characters))


def _token(visible: str) -> Piece | None:
    runs = list(_TOKEN.finditer(visible))
    if len(runs) != 1 or not any(map(str.isdigit, runs[0][0])):
        return None
    return Piece(runs[0].start(), runs[0].end(), runs[0][0])
