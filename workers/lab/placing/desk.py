"""How does a desk teach placement by its own dialogues?

In: files of labelled sequences. Out: a model file of the shipped material and the desk's, and what it is worth: the
desk's sequences in five parts, each judged by a model that has not seen it, beside the shipped model on the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from router.match.join import place
from router.match.learned import Learned, learned
from workers.lab import fitting
from workers.lab.evaluate.followups import predict, score
from workers.lab.placing.material import Part, desk_part, digest, parts
from workers.lab.placing.shipped import fitted, table_of

__all__ = ["train"]

_FOLDS: Final = 3
_TOLD: Final = ("messages", "conversation", "wrong", "missed", "leak", "macro_f1")


def train(files: Sequence[Path], out: Path, heard: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Fit a model to what ships and to these files, write it to `out`, and say how both do on the files, each by
    sequences that it has not seen. Raises InvalidPayload for what is no sequence, ConfigurationError where scikit-learn
    is missing or `out` cannot be written."""
    fitting.sklearn("ensemble")
    own = desk_part(files)
    heard("shipped dialogues")
    tables = [table_of(part) for part in parts()]
    folds = [own._replace(sequences=own.sequences[fold::_FOLDS]) for fold in range(_FOLDS)]
    theirs = [table_of(fold) for fold in folds if fold.sequences]
    found = []
    for number, fold in enumerate(folds):
        heard(f"held back, {number + 1} of {_FOLDS}")
        known = [table for place, table in enumerate(theirs) if place != number]
        if fold.sequences and known:
            found += _predicted(fold, Learned(fitted([*tables, *known], "held back")))
    untrained = _figures(own.sequences, _predicted(own, learned()))
    trained = _figures(own.sequences, found) if found else untrained
    heard("the whole model")
    arrays = fitted([*tables, *theirs], digest())
    fitting.write_model(out, arrays)
    rows = [{"model": name, **row} for name, row in (("untrained", untrained), ("trained", trained))]
    return {"figures": rows, "model": str(out), "bytes": out.stat().st_size}


def _predicted(part: Part, model: Learned) -> list[Any]:
    placing = partial(place, model=model)
    return [one for sequence in part.sequences for one in predict(sequence, part.policy, placing)]


def _figures(truth: Sequence[Mapping[str, Any]], found: list[Any]) -> dict[str, Any]:
    told = score(truth, found)
    return {name: told[name] for name in _TOLD}

