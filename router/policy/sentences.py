"""How does a sentence for people name a place in the file and the value that is wrong there?

In: paths as tuples of keys and indexes, wrong words, the words that would be right. Out: pieces of sentences, such as
`channels.support-mail.imap.host` and `; did you mean "host"?`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

__all__ = ["cut", "did_you_mean", "dotted", "ended", "listed", "quoted"]

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def dotted(path: Sequence[str | int]) -> str:
    """A path as TOML writes it, with indexes of arrays counted from 0: `rules[2].when`, `channels."a b".token`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE.fullmatch(part) else f'"{cut(part)}"'
            text += f".{key}" if text else key
    return text


def quoted(words: Iterable[object]) -> str:
    """Words in a sentence, each in quotes: "a", "b"."""
    return ", ".join(f'"{cut(str(word))}"' for word in words)


def cut(text: str) -> str:
    """One line of at most 60 characters, without anything a terminal would obey."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= 60 else f"{line[:57]}…"


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """`; did you mean "queue"?` for a slip of the finger, else the list of what is known, else nothing."""
    names = list(dict.fromkeys(known))
    near = get_close_matches(str(word), names, n=1, cutoff=0.6)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; known: {listed(names)}" if names else ""


def ended(sentence: str) -> str:
    """The sentence with its full stop, unless it has an end of its own."""
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."


def listed(names: Iterable[str], most: int = 24) -> str:
    """Names in a sentence, cut when there are many."""
    known = list(names)
    return ", ".join(known[:most]) + (", …" if len(known) > most else "")
