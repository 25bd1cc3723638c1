"""How is the model that ships made, and how is one made of a desk's own dialogues?

In: the parts of `workers.lab.placing.material`. Out: router/lexicons/follow_ups.model. Run
`python -m workers.lab.placing.shipped` after a change of the dialogues, of the examples or of the signs; a test tells
when they no longer fit. The same material gives the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from router.match.forest import Floats
from router.match.learned import SHIPPED
from workers.lab import fitting
from workers.lab.placing.fit import CLASSES, Recipe, boosted, model_of
from workers.lab.placing.material import Part, digest, parts
from workers.lab.placing.replay import Seen, replayed

__all__ = ["Table", "fitted", "main", "table_of"]

_JOINS: Final = Recipe()
_CLASSES: Final = Recipe(trees=60, leaves=10, rate=0.08)
#: A wrong merge costs more than a missed one.
THRESHOLDS: Final = {"join_at": 0.5, "veto_below": 0.3}
_RESTATED: Final = "cross_channel"


class Table(NamedTuple):
    """What was seen of one part: its author, rows with truth and weight, and of what goes on its class."""

    author: str
    rows: Floats
    belongs: npt.NDArray[np.bool_]
    weights: Floats
    joined: Floats
    classes: npt.NDArray[Any]
    class_weights: Floats


def table_of(part: Part) -> Table:
    """All that is seen in the sequences of a part."""
    seen = [one for sequence in part.sequences for one in replayed(sequence, part.policy) if one.rated]
    told = [(one.rows[one.belongs.index(True)], _class(one)) for one in seen if one.class_ and any(one.belongs)]
    rows = np.concatenate([one.rows for one in seen])
    belongs = np.array([right for one in seen for right in one.belongs], dtype=bool)
    return Table(
        part.author, rows, belongs, np.full(len(rows), part.weight), np.array([row for row, _ in told]),
        np.array([name for _, name in told]), np.full(len(told), part.weight),
    )  # fmt: skip


def _class(one: Seen) -> str:
    return "resend" if one.class_ == _RESTATED else one.class_


def fitted(tables: Sequence[Table], made_of: str, heard: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """The arrays of a model fitted to these tables."""
    heard("placement")
    rows, belongs, weights = (np.concatenate(c) for c in _columns(tables, "rows", "belongs", "weights"))
    joins = boosted(rows, belongs, weights, _JOINS)
    heard("classes")
    told = [table for table in tables if len(table.classes)]
    rows, classes, weights = (np.concatenate(c) for c in _columns(told, "joined", "classes", "class_weights"))
    named = np.isin(classes, CLASSES)
    whats = boosted(rows[named], classes[named], weights[named], _CLASSES)
    return model_of(joins, whats, THRESHOLDS, made_of)


def _columns(tables: Sequence[Table], *names: str) -> Iterable[list[Any]]:
    return ([getattr(table, name) for table in tables] for name in names)


def main(out: Path = SHIPPED) -> None:
    """Make the model in its place."""
    tables = [table_of(part) for part in parts()]
    fitting.write_model(out, fitted(tables, digest()))


if __name__ == "__main__":
    main()
