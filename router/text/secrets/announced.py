"""Which codes, passwords and card checks does a text tell, by the word beside them?

In: a text in its plain form and its lower-case twin. Out: spans of what follows "验证码", "password is", "cvv" and the
like (or stands before "是我的验证码"). Connecting words are looked through, a bounded number of them; counts, dates,
sums and the talk about a password ("is wrong") are no secrets. The words are data (`lexicons/secrets.toml`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from router.text.meaning import number_context
from router.text.secrets.seeds import Span

__all__ = ["announcing", "told", "words"]

_FILE = Path(__file__).parents[2] / "lexicons" / "secrets.toml"
_AHEAD = 60
_CONNECTIONS = 7
_JOINTS = " \t\r\n:：=,，.。\"'“”‘’「」『』()（）[【*-—>`|;；~"
_NEEDS_CARD = frozenset(("后三位", "後三位", "末三碼"))
_CODE = re.compile(
    r"[0-9](?:[ \-]?[0-9]){3,7}(?![0-9A-Za-z])(?![.,:/\-][0-9])"
    r"|[零〇一二三四五六七八九]{4,8}(?![零〇一二三四五六七八九十百千万])"
)
_PASSWORD_DIGITS = re.compile(r"[0-9]{4,16}(?![0-9A-Za-z])(?![.,:/\-][0-9])")
_TOKEN = re.compile(r"[!-~]{4,128}")
_ENDS = frozenset(("", "\n", "\r", "，", "。", "！", "；", "、", "）"))
_CVV = re.compile(r"[0-9]{3,4}(?![0-9])")
_CODE_BEFORE = re.compile(
    r"(?<![0-9])([0-9](?:[ \-]?[0-9]){3,7})\s?(?:就?是|is|was|as)\s?(?:我的|你们发的|收到的|这次的|my|your|the)?\s?\Z"
)
_CODE_IN_BRACKETS = re.compile(r"[【\[(（「]([0-9]{4,8})[】\])）」][^0-9]{0,6}\Z")
_RUN = re.compile(r"[a-z]+")
_DATE = re.compile(r"(?:19|20)[0-9]{2}[ \-](?:0?[1-9]|1[0-2])[ \-][0-9]{1,2}")


def told(plain: str, low: str, words: dict[str, str], has_card: bool) -> Iterator[Span]:
    """Codes, passwords, card checks and tokens: told by the word before them."""
    for word, kind in words.items():
        at = low.find(word)
        while at >= 0:
            end = at + len(word)
            if _says(low, at, word) and (has_card or word not in _NEEDS_CARD):
                yield from _behind(plain, low, end, kind)
                if kind == "code":
                    yield from _before(low, at)
            at = low.find(word, end)


def _says(low: str, at: int, word: str) -> bool:
    """Does this word stand here by itself, and not after one that makes it another ("error code")?"""
    if not word.isascii():
        return True
    if _is_latin(low[at - 1 : at] or " ") or _is_latin(low[at + len(word) : at + len(word) + 1] or " "):
        return False
    return word != "code" or not low[max(0, at - 16) : at].rstrip(" -_").endswith(_other_codes())


def _before(low: str, at: int) -> Iterator[Span]:
    """A code that stands before its name: "884210是我的验证码"."""
    for pattern in (_CODE_BEFORE, _CODE_IN_BRACKETS):
        if match := pattern.search(low, max(0, at - 30), at):
            yield match.start(1), match.end(1), "code"


def _behind(plain: str, low: str, start: int, kind: str) -> Iterator[Span]:
    at, explicit = _connected(low, start)
    if kind == "cvv":
        match = _CVV.match(plain, at)
    elif kind == "token":
        match = _TOKEN.match(plain, at)
        if not match or not _is_token(match[0], 16):
            return
    else:
        match = (_CODE if kind == "code" else _PASSWORD_DIGITS).match(plain, at)
        if match and not _is_code(plain, match):
            return
        if not match and (match := _TOKEN.match(plain, at)) and not _is_password(match[0], kind, explicit):
            behind = low[match.end() : match.end() + 2]
            ends = behind[:1] in _ENDS or (behind[0] == " " and not _is_latin(behind[1:] or " "))
            if not (ends and kind == "password" and low[start:at].rstrip().endswith(" is") and _is_word(match[0])):
                return
    if match and at > start - 1:
        shown = match[0].rstrip(".,;)\"'>]") if kind in ("password", "token") else match[0]
        yield at, at + len(shown), kind


def _connected(low: str, start: int) -> tuple[int, bool]:
    """Where what a word introduces begins, looking through "是", ":", "is my"; and whether it was said outright."""
    at, explicit = start, False
    limit = min(len(low), start + _AHEAD)
    for _ in range(_CONNECTIONS):
        while at < limit and low[at] in _JOINTS:
            explicit = explicit or low[at] in ":：="
            at += 1
        word = next((word for word in _between() if low.startswith(word, at)), "")
        if not word or (word.isascii() and _is_latin(low[at + len(word) : at + len(word) + 1] or " ")):
            break
        explicit = explicit or word in ("是", "就是", "为", "為", "=", "改成", "改为", "设成", "设为")
        at += len(word)
    return at, explicit


def _is_code(plain: str, match: re.Match[str]) -> bool:
    return not number_context.after(plain, match.end()) and not _DATE.fullmatch(match[0])


def _is_token(word: str, least: int) -> bool:
    return len(word) >= least and any(map(str.isdigit, word)) and any(map(str.isalpha, word)) and "://" not in word


def _is_password(word: str, kind: str, explicit: bool) -> bool:
    word = word.rstrip(".,;!?)\"'>]")
    if "://" in word or len(word) < 4 or word.startswith((".", "/")):
        return False
    digits, letters = any(map(str.isdigit, word)), any(map(str.isalpha, word))
    if kind == "code":
        return digits and word.replace("-", "").isalnum() and letters and len(word) <= 12
    if digits and letters:
        return True
    symbols = any(not c.isalnum() and c not in "-'./," for c in word)
    mixed = word.isalpha() and any(map(str.isupper, word[1:])) and any(map(str.islower, word))
    if letters and (symbols or mixed):
        return True
    return explicit and letters and len(word) >= 6 and word.lower() not in _ordinary()


def _is_word(token: str) -> bool:
    """A word of letters that is none of those which say how a password fares."""
    letters = token.rstrip(".,!")
    return len(letters) >= 6 and letters.isalpha() and letters.lower() not in _ordinary()


@cache
def _known() -> dict[str, list[str]]:
    known: dict[str, list[str]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return known


@cache
def words(*, latin: bool) -> dict[str, str]:
    """The words that announce such a secret, with its kind; Latin ones or the others."""
    kinds = ("code", "password", "cvv", "token")
    return {word: kind for kind in kinds for word in _known()[kind] if latin == word.isascii()}


def announcing(written: Sequence[bytes]) -> dict[str, str]:
    """The Latin words that may announce a secret in a text of these runs of letters: most texts have none."""
    by_last = _by_last()
    if by_last.keys().isdisjoint(written):
        return {}
    return {word: kind for last in by_last.keys() & set(written) for word, kind in by_last[last].items()}


@cache
def _by_last() -> dict[bytes, dict[str, str]]:
    """The Latin words by the last run of letters in each: "code" has "otp code", "sms code" and more."""
    table: dict[bytes, dict[str, str]] = {}
    for word, kind in words(latin=True).items():
        table.setdefault(_RUN.findall(word)[-1].encode(), {})[word] = kind
    return table


@cache
def _between() -> tuple[str, ...]:
    return tuple(sorted(_known()["between"], key=len, reverse=True))


@cache
def _other_codes() -> tuple[str, ...]:
    return tuple(_known()["other_codes"])


@cache
def _ordinary() -> frozenset[str]:
    return frozenset(_known()["ordinary"])


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalpha()
