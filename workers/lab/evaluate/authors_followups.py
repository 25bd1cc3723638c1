"""How often is the message of somebody placed rightly whose dialogues nobody learned from?

In: files of labelled dialogues, one an author. Out: for each author the figures of `evaluate followups` by a model that
was fitted without them, with a tagger that has none of their messages either, and intervals that hold 95 of 100 draws
of dialogues with replacement. Tidy sequences and what is made of dialogues are learned too, without the author's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from router.errors import ConfigurationError
from router.match.join import place
from router.match.learned import Learned
from workers.lab.evaluate.followups import predict, score
from workers.lab.placing.material import Part, parts
from workers.lab.placing.shipped import Table, fitted, table_of

__all__ = ["judged", "leave_one_author_out"]

_SEED: Final = 20260301
_DRAWS: Final = 1_000
_FIGURES: Final = ("conversation", "wrong", "missed", "macro_f1")
#: A class with fewer members says little.
_MEMBERS: Final = 10


def leave_one_author_out(
    files: Sequence[Path] = (), heard: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """The figures by author and their means; of the shipped dialogues where no files are given. Raises InvalidPayload
    for a file that holds no sequences, ConfigurationError for fewer than two authors."""
    given = {path.stem for path in files}
    shipped = [part for part in parts() if part.author not in given]
    theirs = list(parts(files)) if files else shipped
    found = [*shipped, *theirs] if files else shipped
    authors = {part.author: part for part in reversed(theirs) if part.author}
    if len(authors) < 2:
        raise ConfigurationError("--leave-one-author-out needs two files at least, one an author")
    tables = []
    for part in found:
        heard(part.author or "tidy")
        tables.append(table_of(part))
    rows = [judged(author, authors[author], tables, heard) for author in sorted(authors)]
    means = {name: round(float(np.mean([row[name] for row in rows])), 4) for name in _FIGURES}
    return {"authors": rows, "mean": means, "leak": sum(row["leak"] for row in rows)}


def judged(
    author: str, part: Part, tables: Sequence[Table], heard: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """The figures of one author by a model of the others."""
    heard(author)
    model = Learned(fitted([table for table in tables if table.author != author], author))
    placing = partial(place, model=model)
    told = [list(predict(sequence, part.policy, placing)) for sequence in part.sequences]
    figures = score(part.sequences, [one for found in told for one in found])
    chance = np.random.default_rng(_SEED)
    drawn: dict[str, list[float]] = {"conversation": [], "wrong": []}
    each = [score([sequence], found) for sequence, found in zip(part.sequences, told, strict=True)]
    sizes = np.array([one["messages"] for one in each])
    for name, values in drawn.items():
        counts = np.array([one[name] for one in each]) * sizes
        for _ in range(_DRAWS):
            taken = chance.integers(0, len(each), len(each))
            values.append(float(counts[taken].sum() / sizes[taken].sum()))
    return {
        "author": author, "messages": figures["messages"], "conversation": figures["conversation"],
        "interval": _interval(drawn["conversation"]), "wrong": figures["wrong"],
        "wrong_interval": _interval(drawn["wrong"]), "missed": figures["missed"],
        "macro_f1": _frequent(figures, part), "leak": figures["leak"],
    }  # fmt: skip


def _frequent(figures: dict[str, Any], part: Part) -> float:
    """The mean F1 of the classes with ten members or more."""
    told = [item["expect"]["class"] for sequence in part.sequences for item in sequence["items"] if "expect" in item]
    many: list[float] = [f1 for name, f1 in figures["classes"].items() if told.count(name) >= _MEMBERS]
    return round(sum(many) / max(1, len(many)), 4)


def _interval(values: Sequence[float]) -> str:
    low, high = np.percentile(values, [2.5, 97.5])
    return f"{low:.3f} to {high:.3f}"
