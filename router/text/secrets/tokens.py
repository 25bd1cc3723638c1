"""Which tokens of programs stand in a text, told by their own form and not by a word beside them?

In: a text in its plain form. Out: spans of signed web tokens (JWT) and of keys that services issue with a prefix of
their own, such as `sk_live_`. The prefixes are data (`lexicons/secrets.toml`); without one of them in the text it
costs a few looks.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from router.text.secrets.seeds import Span
from router.text.word_finder import WordFinder

__all__ = ["tokens"]

#: The place of a web token among the beginnings.
_WEB = 0
_FILE = Path(__file__).parents[2] / "lexicons" / "secrets.toml"
_JWT = re.compile(r"eyJ[0-9A-Za-z_\-]{8,2000}\.[0-9A-Za-z_\-]{8,4000}(?:\.[0-9A-Za-z_\-]{0,2000})?")


def tokens(plain: str) -> Iterator[Span]:
    """The tokens of a text."""
    begun = {which for which, _, _ in _beginnings().find(plain)}
    if _WEB in begun:
        yield from ((match.start(), match.end(), "token") for match in _JWT.finditer(plain))
    if begun - {_WEB}:
        for match in _issued().finditer(plain):
            if any(map(str.isdigit, match[1])) and any(map(str.isalpha, match[1])):
                yield match.start(), match.end(), "token"


@cache
def _beginnings() -> WordFinder:
    """Finds how tokens begin; the first of them all is that of a web token."""
    return WordFinder(("eyJ", *_prefixes()))


@cache
def _prefixes() -> tuple[str, ...]:
    return tuple(tomllib.loads(_FILE.read_text(encoding="utf-8"))["issued"])


@cache
def _issued() -> re.Pattern[str]:
    """A prefix that no letter stands before, and twelve characters or more behind it."""
    return re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(map(re.escape, _prefixes()))})([0-9A-Za-z_\-]{{12,512}})")
