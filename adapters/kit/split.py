"""Where may a long text be cut for a channel that takes only so much at a time?

In: a text and the channel's limit in UTF-16 code units, the strictest way in which the providers count. Out: the parts
in order, none empty, none longer than the limit. A part ends where a reader would pause: at a paragraph, a line, a
sentence, a space. Never inside one visible character, and inside a link, a number or a word only when it is too long.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["split", "units"]

#: Where to end a part, best first. Latin full stops count only before a space, or links and amounts would be cut.
_BREAKS = tuple(map(re.compile, (r"\n\s*\n", r"\n", r"[。！？；…]+|[.!?;]+(?=\s)", r"[，、：]|\s")))
_JOINER = "\u200d"


def units(text: str) -> int:
    """The length in UTF-16 code units: characters beyond U+FFFF count as two."""
    return len(text) + sum(1 for character in text if ord(character) > 0xFFFF)


def split(text: str, limit: int) -> list[str]:
    """Cut a text into parts of at most `limit` units (two or more); white space at the cuts is dropped.

    No text gives no parts. Linear in the length of the text.
    """
    parts: list[str] = []
    rest = text.strip()
    while rest:
        cut = _cut(rest, limit)
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return parts


def _cut(text: str, limit: int) -> int:
    """How many characters the next part has."""
    fits = _fitting(text, limit)
    if fits == len(text):
        return fits
    for pattern in _BREAKS:
        ends = [match.end() for match in pattern.finditer(text, fits // 2, fits)]
        if ends:
            return ends[-1]
    return _between_characters(text, _before_word(text, fits))


def _fitting(text: str, limit: int) -> int:
    """The most characters whose units are within the limit."""
    taken = 0
    for index, character in enumerate(text[: limit + 1]):
        taken += 2 if ord(character) > 0xFFFF else 1
        if taken > limit:
            return index
    return len(text)


def _before_word(text: str, cut: int) -> int:
    """Move a cut that is inside a link, number or Latin word before it, unless the part would become tiny."""
    start = cut
    while start > cut // 8 and _solid(text[start]) and _solid(text[start - 1]):
        start -= 1
    return start if start > cut // 8 else cut


def _solid(character: str) -> bool:
    return character.isascii() and not character.isspace()


def _between_characters(text: str, cut: int) -> int:
    """Move a cut that is inside one visible character (accents, joined emoji, flags) before it, if possible."""
    place = cut
    while place > 1 and _continues(text, place):
        place -= 1
    return place if place > 1 else cut


def _continues(text: str, place: int) -> bool:
    """Does the character at `place` belong to the one before it?"""
    here, before = text[place], text[place - 1]
    if here == _JOINER or before == _JOINER or unicodedata.combining(here):
        return True
    if here in "\ufe0e\ufe0f\u20e3" or "\U0001f3fb" <= here <= "\U0001f3ff":
        return True
    return _is_flag_half(here) and _flag_halves_before(text, place) % 2 == 1


def _flag_halves_before(text: str, place: int) -> int:
    start = place
    while start > 0 and _is_flag_half(text[start - 1]):
        start -= 1
    return place - start


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
